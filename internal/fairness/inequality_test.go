package fairness_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

func inequalityOf(t require.TestingT, s stats.Sample, groups []string, alphas ...float64) fairness.InequalityReport {
	r, err := fairness.Inequality(s, groups, fairness.InequalityQuestion{Threshold: 0.5, Alphas: alphas, Replicates: 1000})
	require.NoError(t, err)
	return r
}

// TestInequalityIsThatOfAIF360 has the values of AIF360 0.6.1's generalized_entropy_index, coefficient_of_variation and
// between_all_groups_generalized_entropy_index formulas.
func TestInequalityIsThatOfAIF360(t *testing.T) {
	s, c := worked()
	r := inequalityOf(t, s, c.Groups, 2, 1, 3, 0.5)
	for k, want := range []struct {
		name           string
		total, between float64
	}{
		{fairness.GeneralizedEntropyIndex, 0.14165046337213655, 0.00023736774324227626},
		{fairness.TheilIndex, 0.21178357478323667, 0.00024042899943413644},
		{fairness.GeneralizedEntropyIndex, 0.13529853504790684, 0.00023441365307556297},
		{fairness.GeneralizedEntropyIndex, 0.37487286517376417, 0.00024200102816764678},
	} {
		got := r.Indices[k]
		require.Equal(t, want.name, got.Name)
		require.InDelta(t, want.total, got.Total.Value, 1e-12)
		require.InDelta(t, want.between, got.Between.Value, 1e-12)
		require.InDelta(t, want.between/want.total, got.BetweenShare.Value, 1e-10)
		require.Equal(t, stats.MethodBCa, got.Total.Method)
		for _, e := range []stats.Estimate{got.Total, got.Within, got.Between} {
			require.Less(t, e.Low, e.High)
		}
		require.Zero(t, got.Between.Low, "groups alike but for chance")
	}
	require.InDelta(t, 0.5322602058620136, r.Variation.Value, 1e-12)
	require.InDelta(t, math.Sqrt(2*r.Indices[0].Total.High), r.Variation.High, 1e-12)
	require.InDelta(t, 0.9045454545454545, r.MeanBenefit.Value, 1e-12)
	require.Equal(t, stats.Confusion{TP: 43, FN: 37, FP: 16, TN: 124}, r.Confusion)
}

func TestTheilIndexIsThatOfTheAIF360Demonstration(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "reference", "scores", "aif360_adult_reweighing_test.csv")
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("the reference scores are not on this machine: %v", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	at := map[string]int{}
	for k, name := range rows[0] {
		at[name] = k
	}
	for _, c := range []struct {
		scores, groups string
		theil          float64
	}{
		{"score_before", "male", 0.11276859058961063},
		{"score_reweighed_sex", "male", 0.12939019185770614},
		{"score_reweighed_race", "white", 0.10857787301678871},
	} {
		var s stats.Sample
		var groups []string
		for _, row := range rows[1:] {
			y, err := strconv.ParseFloat(row[at["y"]], 64)
			require.NoError(t, err)
			score, err := strconv.ParseFloat(row[at[c.scores]], 64)
			require.NoError(t, err)
			s.Y, s.Score, groups = append(s.Y, y == 1), append(s.Score, score), append(groups, row[at[c.groups]])
		}
		r, err := fairness.Inequality(s, groups, fairness.InequalityQuestion{Threshold: 0.2673737373737374})
		require.NoError(t, err)
		theil := r.Indices[1]
		require.Equal(t, fairness.TheilIndex, theil.Name)
		require.InDelta(t, c.theil, theil.Total.Value, 1e-12)
		require.Equal(t, stats.MethodBCa, theil.Total.Method)
		require.InDelta(t, c.theil, theil.Between.Value+theil.Within.Value, 1e-12)
		require.Less(t, theil.BetweenShare.High, 0.05, "nearly all of it is within the groups")
	}
}

// benefitRows appends rows of a group with the benefits 0, 1 and 2.
func benefitRows(s *stats.Sample, groups *[]string, name string, none, single, double int) {
	column := fairness.Column{Groups: *groups}
	group(s, &column, name, stats.Confusion{FN: none, TN: single, FP: double})
	*groups = column.Groups
}

func TestInequalityWorkedByHand(t *testing.T) {
	var s stats.Sample
	var groups []string
	benefitRows(&s, &groups, "a", 0, 12, 4)
	benefitRows(&s, &groups, "b", 0, 8, 8)
	r := inequalityOf(t, s, groups, 2, 1, 0)
	mean := (20 + 2*12) / 32. // 1.375
	require.InDelta(t, mean, r.MeanBenefit.Value, 1e-12)
	require.InDelta(t, ((20+4*12)/32./(mean*mean)-1)/2, r.Indices[0].Total.Value, 1e-12)
	require.InDelta(t, (12*2*math.Ln2)/32/mean-math.Log(mean), r.Indices[1].Total.Value, 1e-12)
	require.InDelta(t, math.Log(mean)-12*math.Ln2/32, r.Indices[2].Total.Value, 1e-12)
	require.Equal(t, fairness.MeanLogDeviation, r.Indices[2].Name)
	// Means of the groups are 1.25 and 1.5.
	require.InDelta(t, ((1.25*1.25+1.5*1.5)/2/(mean*mean)-1)/2, r.Indices[0].Between.Value, 1e-12)
	require.InDelta(t, math.Log(mean)-(math.Log(1.25)+math.Log(1.5))/2, r.Indices[2].Between.Value, 1e-12)
	require.InDelta(t, (math.Log(1.25)-4*math.Ln2/16+math.Log(1.5)-8*math.Ln2/16)/2, r.Indices[2].Within.Value, 1e-12)
	require.InDelta(t, ((12+4*4)/16./(1.25*1.25)-1)/2, r.Groups[0].Indices[0].Value, 1e-12)
}

func TestInequalityOfAFewErrorsIsBoundedForSure(t *testing.T) {
	var s stats.Sample
	var groups []string
	benefitRows(&s, &groups, "a", 0, 200, 0)
	benefitRows(&s, &groups, "b", 0, 100, 0)
	for _, index := range inequalityOf(t, s, groups).Indices {
		require.Equal(t, fairness.MethodBenefitLimits, index.Total.Method)
		require.Zero(t, index.Total.Value)
		require.Zero(t, index.Total.Low)
		require.Greater(t, index.Total.High, 0.001, "errors not seen may come")
		require.Less(t, index.Total.High, 0.05)
		require.Equal(t, index.Total.High, index.Between.High)
		require.Contains(t, index.BetweenShare.Undefined, "fewer than 10 rows")
	}
}

func TestInequalityWithoutAValueSaysWhy(t *testing.T) {
	s, c := worked()
	r := inequalityOf(t, s, c.Groups)
	require.Contains(t, r.Indices[2].Total.Undefined, "37 rows have a benefit of 0")
	require.Contains(t, r.Indices[2].Within.Undefined, "37 rows have a benefit of 0")

	var none stats.Sample
	var groups []string
	benefitRows(&none, &groups, "a", 40, 0, 0)
	r = inequalityOf(t, none, groups)
	require.Contains(t, r.Indices[0].Total.Undefined, "mean benefit is 0")
	require.Contains(t, r.Variation.Undefined, "mean benefit is 0")
	require.Zero(t, r.MeanBenefit.Value)

	// A group of which nobody has anything has nothing unequal within it.
	benefitRows(&none, &groups, "b", 0, 40, 0)
	r = inequalityOf(t, none, groups, 2, 1)
	require.InDelta(t, 0.5, r.Indices[0].Total.Value, 1e-12)
	require.InDelta(t, 0.5, r.Indices[0].Between.Value, 1e-12)
	require.InDelta(t, math.Ln2, r.Indices[1].Between.Value, 1e-12)
	require.Zero(t, r.Indices[0].Within.Value)
	require.Contains(t, r.Groups[0].Indices[0].Undefined, "mean benefit is 0")

	r = inequalityOf(t, s, make([]string, s.N()))
	require.Contains(t, r.Indices[0].Between.Undefined, "only one group")
}

func TestInequalityHasItsPropertiesWhateverTheRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s stats.Sample
		var groups []string
		wrong := 0
		for k := range rapid.IntRange(1, 4).Draw(t, "groups") {
			count := rapid.IntRange(0, 20)
			none, double := count.Draw(t, "none"), count.Draw(t, "double")
			wrong += none + double
			benefitRows(&s, &groups, fmt.Sprint(k), none, count.Draw(t, "single")+1, double)
		}
		alpha := rapid.OneOf(rapid.SampledFrom([]float64{0, 1, 2, 0.001, 10}), rapid.Float64Range(0.001, 10)).Draw(t, "alpha")
		r, err := fairness.Inequality(s, groups, fairness.InequalityQuestion{Threshold: 0.5, Alphas: []float64{alpha}, Replicates: 200})
		require.NoError(t, err)
		_, err = json.Marshal(r)
		require.NoError(t, err)
		index := r.Indices[0]
		require.Equal(t, alpha == 0 && r.Confusion.FN > 0, !index.Total.Defined())
		for _, e := range []stats.Estimate{index.Total, index.Between, index.Within, index.BetweenShare, r.Variation, r.MeanBenefit, r.Groups[0].Indices[0].Estimate} {
			require.True(t, !e.Defined() || 0 <= e.Low && e.Low <= e.Value && e.Value <= e.High, "%+v", e)
			require.Equal(t, stats.DefaultLevel, e.Level)
		}
		if !index.Total.Defined() {
			return
		}
		require.Equal(t, wrong == 0, index.Total.Value == 0, "zero only when all are alike")
		if index.Between.Defined() {
			require.InEpsilon(t, 1+index.Total.Value, 1+index.Between.Value+index.Within.Value, 1e-12, "the parts add up")
		}
		twice, err := fairness.Inequality(stats.Sample{Y: append(s.Y, s.Y...), Score: append(s.Score, s.Score...)}, append(groups, groups...),
			fairness.InequalityQuestion{Threshold: 0.5, Alphas: []float64{alpha}, Replicates: 200})
		require.NoError(t, err)
		require.InDelta(t, index.Total.Value, twice.Indices[0].Total.Value, 1e-9*(1+index.Total.Value), "it does not grow with the people")
	})
}

// TestInequalityIsContinuousInAlpha holds the forms near alpha 0 and 1, where the textbook one divides by zero, to those at them.
func TestInequalityIsContinuousInAlpha(t *testing.T) {
	var s stats.Sample
	var groups []string
	benefitRows(&s, &groups, "a", 0, 60, 30)
	benefitRows(&s, &groups, "b", 0, 50, 5)
	r := inequalityOf(t, s, groups, 1, 1+1e-9, 1-1e-9, 0, 0.001, 0.4999999999, 0.5)
	for _, pair := range []struct {
		a, b int
		near float64
	}{{0, 1, 1e-8}, {0, 2, 1e-8}, {3, 4, 1e-4}, {5, 6, 1e-8}} {
		a, b := r.Indices[pair.a], r.Indices[pair.b]
		require.InDelta(t, a.Total.Value, b.Total.Value, pair.near)
		require.InDelta(t, a.Between.Value, b.Between.Value, pair.near)
		require.InDelta(t, a.Total.High, b.Total.High, pair.near)
	}
}

// TestInequalityIntervalsCover draws data sets from a population whose indices are known.
func TestInequalityIntervalsCover(t *testing.T) {
	const sets = 250
	// Shares of benefits 0, 1 and 2 in two groups, of which the first is 0.7 of the people.
	population := [2][3]float64{{0.05, 0.85, 0.10}, {0.15, 0.82, 0.03}}
	truth := func(alpha float64) (total, between float64) {
		share := [2]float64{0.7, 0.3}
		mean, power, means := 0.0, 0.0, [2]float64{}
		for g, p := range population {
			means[g] = p[1] + 2*p[2]
			mean += share[g] * means[g]
			power += share[g] * (p[1] + math.Pow(2, alpha)*p[2])
		}
		b := share[0]*math.Pow(means[0]/mean, alpha) + share[1]*math.Pow(means[1]/mean, alpha)
		return (power/math.Pow(mean, alpha) - 1) / (alpha * (alpha - 1)), (b - 1) / (alpha * (alpha - 1))
	}
	total, between := truth(2)
	for _, rows := range []int{60, 600} {
		missed := map[string]int{}
		generator := rand.New(rand.NewPCG(7, uint64(rows)))
		for range sets {
			var counts [2][3]int
			for range rows {
				g := 0
				if generator.Float64() > 0.7 {
					g = 1
				}
				u, cell := generator.Float64(), 0
				for cell < 2 && u > population[g][cell] {
					u -= population[g][cell]
					cell++
				}
				counts[g][cell]++
			}
			var s stats.Sample
			var groups []string
			for g, c := range counts {
				benefitRows(&s, &groups, fmt.Sprint(g), c[0], c[1], c[2])
			}
			// Resamples of one seed err alike in every data set.
			r, err := fairness.Inequality(s, groups, fairness.InequalityQuestion{Threshold: 0.5, Alphas: []float64{2}, Seed: generator.Uint64()})
			require.NoError(t, err)
			index := r.Indices[0]
			for name, pair := range map[string]struct {
				stats.Estimate
				truth float64
			}{
				"total": {index.Total, total}, "between": {index.Between, between}, "within": {index.Within, total - between}, "share": {index.BetweenShare, between / total},
			} {
				if pair.Defined() && (pair.truth < pair.Low || pair.truth > pair.High) {
					missed[name]++
				}
			}
		}
		t.Logf("%d rows: missed of %d: %v", rows, sets, missed)
		for name, n := range missed {
			require.Less(t, float64(n)/sets, 0.1, name) // 0.05 and 3.6 standard errors
		}
	}
}

func TestInequalityRefuses(t *testing.T) {
	s := stats.Sample{Y: []bool{true, false}, Score: []float64{1, 0}}
	ask := func(s stats.Sample, groups []string, q fairness.InequalityQuestion) error {
		_, err := fairness.Inequality(s, groups, q)
		return err
	}
	groups := []string{"a", "b"}
	require.ErrorContains(t, ask(stats.Sample{}, nil, fairness.InequalityQuestion{}), "found no rows")
	require.ErrorContains(t, ask(s, groups[:1], fairness.InequalityQuestion{}), "2 rows and 1 groups")
	require.ErrorContains(t, ask(s, groups, fairness.InequalityQuestion{Alphas: []float64{math.NaN()}}), "an alpha is NaN")
	require.ErrorContains(t, ask(s, groups, fairness.InequalityQuestion{Alphas: []float64{1e-9}}), "an alpha is 1e-09")
	require.ErrorContains(t, ask(s, groups, fairness.InequalityQuestion{Level: 1}), "the level is 1")
	require.ErrorContains(t, ask(s, groups, fairness.InequalityQuestion{Threshold: 2}), "the threshold is 2")
	require.ErrorContains(t, ask(stats.Sample{Y: s.Y, Score: []float64{2, 0}}, groups, fairness.InequalityQuestion{}), "the score is 2")
	require.ErrorContains(t, ask(stats.Sample{Y: s.Y, Score: s.Score, Cut: []float64{0, math.NaN()}}, groups, fairness.InequalityQuestion{}), "row 1")
	many := make([]string, 2000)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	require.ErrorContains(t, ask(stats.Sample{Y: make([]bool, 2000), Score: make([]float64, 2000)}, many, fairness.InequalityQuestion{}), "2000 groups")
}
