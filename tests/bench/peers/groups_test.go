package main

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/tests/bench/people"
)

// bootstrapping is a peer that gives Assay's rates and gaps, and intervals of the rates from so many normal draws.
func bootstrapping(t *testing.T, draws int) (fairness.Examination, groupsAnswer) {
	t.Helper()
	ours, err := examine(people.Predictions(5000, 1), [][]string{})
	require.NoError(t, err)
	require.Len(t, ours.found.Divisions, 3)
	r := rand.New(rand.NewPCG(1, 1))
	columns := map[string]any{}
	for _, d := range ours.found.Divisions {
		rates, gaps := map[string]map[string][]float64{}, map[string]map[string][]float64{"difference": {}, "ratio": {}}
		for _, of := range compared {
			for _, m := range d.Groups {
				if rates[m.Name] == nil {
					rates[m.Name] = map[string][]float64{}
				}
				rate, _ := m.Rate(of.rate)
				drawn := make([]float64, draws)
				for i := range drawn {
					drawn[i] = rate.Value + math.Sqrt(rate.Value*(1-rate.Value)/float64(rate.N))*r.NormFloat64()
				}
				slices.Sort(drawn)
				rates[m.Name][of.rate] = []float64{rate.Value, drawn[draws/40], drawn[draws-1-draws/40]}
			}
			difference, _ := d.Gap(of.difference)
			ratio, _ := d.Gap(of.ratio)
			gaps["difference"][of.rate], gaps["ratio"][of.rate] = []float64{difference.Value}, []float64{ratio.Value}
		}
		columns[d.Name] = map[string]any{"rates": rates, "gaps": gaps}
	}
	printed, err := json.Marshal(map[string]any{"columns": columns, "seconds": 2.5})
	require.NoError(t, err)
	var a groupsAnswer
	require.NoError(t, json.Unmarshal(printed, &a))
	require.Equal(t, 2.5, a.Seconds)
	return ours.found, a
}

func TestErrorByChanceIsThatOfTheResamples(t *testing.T) {
	for _, draws := range []int{200, 2000} {
		got, err := compareGroups(bootstrapping(t, draws))
		require.NoError(t, err)
		require.Equal(t, 3*14+3*3*2, got.values)
		require.Equal(t, 2*3*14, got.ends)
		require.Zero(t, got.value)
		require.InEpsilon(t, expectedChance(draws), got.chance(), 0.35)
		for _, width := range got.widths {
			require.InDelta(t, 1.3, width, 0.5, "intervals that hold together are wider")
		}
	}
}

func TestGroupsThatDifferAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(groupsAnswer)
		says  string
	}{
		"a rate":                  {func(a groupsAnswer) { a.Columns["sex"].Rates["male"][stats.FPR][0] += 2e-9 }, "fpr of sex=male: the values differ"},
		"a gap":                   {func(a groupsAnswer) { a.Columns["age"].Gaps["ratio"][stats.SelectionRate][0] -= 2e-9 }, "demographic_parity_ratio of age: the values differ"},
		"a group that is missing": {func(a groupsAnswer) { delete(a.Columns["race"].Rates, "a") }, "column race has 5 groups, with the peer 4"},
		"a rate that is missing":  {func(a groupsAnswer) { delete(a.Columns["race"].Rates["a"], fairness.TPR) }, "no value in one of the two"},
		"a number that is none":   {func(a groupsAnswer) { a.Columns["sex"].Rates["male"][stats.FPR][0] = math.NaN() }, "the values differ"},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := bootstrapping(t, 200)
			c.spoil(theirs)
			_, err := compareGroups(ours, theirs)
			require.ErrorContains(t, err, c.says)
		})
	}
}

// The quantile of Sidak's level for 7 groups is 2.68.
func TestIntervalsThatHoldTogetherAreWider(t *testing.T) {
	require.InDelta(t, 1, wider(1), 1e-12)
	require.InDelta(t, 2.683/1.960, wider(7), 1e-3)
}
