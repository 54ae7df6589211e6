package mitigation

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/stats"
)

// The weights of AIF360's reweighing on all 48,842 rows of Adult, by sex, from the published counts.
func TestWeightsOfAdult(t *testing.T) {
	counts := []struct {
		group    string
		positive bool
		rows     int
		weight   float64
	}{
		{"Female", false, 14423, 0.8540213305062391}, {"Female", true, 1769, 2.190192396895711},
		{"Male", false, 22732, 1.092620550330306}, {"Male", true, 9918, 0.7877142216063204},
	}
	var y []bool
	var groups []string
	for _, c := range counts {
		for range c.rows {
			y, groups = append(y, c.positive), append(groups, c.group)
		}
	}
	weights, cells, err := Weights(y, groups)
	require.NoError(t, err)
	for i, c := range counts {
		require.Equal(t, Cell{c.group, c.positive, c.rows, cells[i].Weight}, cells[i])
		require.InDelta(t, c.weight, cells[i].Weight, 1e-9)
	}
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	require.InDelta(t, float64(len(y)), sum, 1e-6)
}

func TestWeightedGroupsAndLabelsAreIndependent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(20, 200).Draw(t, "n")
		y, groups := make([]bool, n), make([]string, n)
		for i := range n {
			y[i], groups[i] = rapid.Bool().Draw(t, "y"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "g")
		}
		weights, cells, err := Weights(y, groups)
		require.NoError(t, err)
		for _, c := range cells {
			if c.Rows == 0 {
				return // a group without a label cannot be made independent of it
			}
		}
		share := map[string][2]float64{}
		var all [2]float64
		for i, w := range weights {
			c := share[groups[i]]
			c[label(y[i])] += w
			all[label(y[i])] += w
			share[groups[i]] = c
		}
		for group, c := range share {
			require.InDelta(t, all[1]/(all[0]+all[1]), c[1]/(c[0]+c[1]), 1e-9, group)
		}
	})
}

func TestWeightsRefuse(t *testing.T) {
	_, _, err := Weights(nil, nil)
	require.ErrorContains(t, err, "there are none")
	_, _, err = Weights([]bool{true}, nil)
	require.ErrorContains(t, err, "1 labels and 0 groups")
}

// two groups whose scores mean the same and whose shares of positive rows differ.
func twoGroups(n int) (stats.Sample, []string) {
	r := rand.New(rand.NewPCG(5, 5))
	s, groups := stats.Sample{}, []string(nil)
	for i := range n {
		group, base := "a", 0.6
		if i%3 == 0 {
			group, base = "b", 0.25
		}
		positive := r.Float64() < base
		score := 0.35 * r.Float64()
		if positive {
			score = 1 - 0.6*r.Float64()
		}
		if group == "b" {
			score *= 0.8
		}
		s.Y, s.Score, groups = append(s.Y, positive), append(s.Score, score), append(groups, group)
	}
	return s, groups
}

func TestThresholdsMakeTheRateOfTheConstraintEqual(t *testing.T) {
	s, groups := twoGroups(3000)
	gaps := func(cut func(group string) float64) (selected, tpr float64) {
		var c [2]stats.Confusion
		for k, name := range []string{"a", "b"} {
			var rows []int
			for i, g := range groups {
				if g == name {
					rows = append(rows, i)
				}
			}
			c[k] = stats.Confuse(s.Subset(rows), cut(name))
		}
		share := func(a, b int) float64 { return float64(a) / float64(b) }
		return math.Abs(share(c[0].Predicted(), c[0].N()) - share(c[1].Predicted(), c[1].N())),
			math.Abs(share(c[0].TP, c[0].Positives()) - share(c[1].TP, c[1].Positives()))
	}
	common := func(string) float64 { return 0.5 }
	for _, c := range []string{DemographicParity, EqualOpportunity, EqualizedOdds} {
		rule, err := Thresholds(s, groups, Options{Column: "g", Constraint: c, Threshold: 0.5, MinGroup: 30})
		require.NoError(t, err)
		require.Len(t, rule.Thresholds, 2)
		require.Equal(t, 0.5, rule.Cut("unknown"))
		selected, tpr := gaps(rule.Cut)
		selectedBefore, tprBefore := gaps(common)
		if c == DemographicParity {
			require.Less(t, selected, 0.01)
			require.Greater(t, selectedBefore, 0.2)
		} else {
			require.Less(t, tpr, 0.03, c)
			require.Less(t, tpr, tprBefore, c)
		}
	}
}

func TestThresholdsRefuse(t *testing.T) {
	s, groups := twoGroups(300)
	o := Options{Column: "g", Constraint: EqualOpportunity, Threshold: 0.5, MinGroup: 30}
	_, err := Thresholds(s, groups[1:], o)
	require.ErrorContains(t, err, `choose thresholds by "g": 299 groups for 300 rows`)
	one := make([]string, len(groups))
	_, err = Thresholds(s, one, o)
	require.ErrorContains(t, err, "expected two at least")
	o.Constraint = "equality"
	_, err = Thresholds(s, groups, o)
	require.ErrorContains(t, err, `constraint "equality"`)
	s.Score[3] = math.NaN()
	o.Constraint = EqualOpportunity
	_, err = Thresholds(s, groups, o)
	require.ErrorContains(t, err, "row 3: the score is NaN")
}
