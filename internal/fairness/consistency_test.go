package fairness_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/fairness"
)

func consistencyOf(t require.TestingT, features []float64, width int, predicted []float64, q fairness.ConsistencyQuestion) fairness.ConsistencyReport {
	r, err := fairness.Consistency(features, width, predicted, q)
	require.NoError(t, err)
	return r
}

// nearest is the mean difference from the k nearest rows by definition, with the row itself among them or not.
func nearest(features []float64, width int, predicted []float64, k int, itself bool) float64 {
	n, sum := len(predicted), 0.0
	for i := range n {
		var others []int
		for j := range n {
			if itself || j != i {
				others = append(others, j)
			}
		}
		away := func(j int) (sum float64) {
			for c := range width {
				sum += math.Pow(features[i*width+c]-features[j*width+c], 2)
			}
			return sum
		}
		slices.SortStableFunc(others, func(a, b int) int { return cmp.Compare(away(a), away(b)) })
		mean := 0.0
		for _, j := range others[:k] {
			mean += predicted[j] / float64(k)
		}
		sum += math.Abs(predicted[i] - mean)
	}
	return 1 - sum/float64(n)
}

func TestConsistencyWorkedByHand(t *testing.T) {
	// On a line; two neighbours each: of 0: 1, 3; of 1: 0, 3; of 3: 1, 0 (as near as 6, and earlier); of 6: 7, 3; of 7: 6, 3.
	features, predicted := []float64{0, 1, 3, 6, 7}, []float64{1, 1, 0, 0, 1}
	q := fairness.ConsistencyQuestion{Neighbours: 2, Groups: []string{"a", "a", "a", "b", "b"}}
	r := consistencyOf(t, features, 1, predicted, q)
	require.InDelta(t, 1-(0.5+0.5+1+0.5+1)/5, r.Consistency.Value, 1e-12)
	require.Equal(t, fairness.MethodJackknifeLogit, r.Consistency.Method)
	require.InDelta(t, 1-2./3, r.Groups[0].Consistency.Value, 1e-12)
	require.InDelta(t, 1-1.5/2, r.Groups[1].Consistency.Value, 1e-12)
	require.Equal(t, 3, r.Groups[0].Consistency.N)

	// The jackknife is the figure of the other four rows, each in turn.
	left := make([]float64, 5)
	mean := 0.0
	for i := range left {
		left[i] = nearest(slices.Delete(slices.Clone(features), i, i+1), 1, slices.Delete(slices.Clone(predicted), i, i+1), 2, false)
		mean += left[i] / 5
	}
	squares := 0.0
	for _, v := range left {
		squares += (v - mean) * (v - mean)
	}
	v := r.Consistency.Value
	half := 1.959963984540054 * math.Sqrt(squares*4/5) / (v * (1 - v))
	require.InDelta(t, 1/(1+math.Exp(-math.Log(v/(1-v))+half)), r.Consistency.Low, 1e-9)
	require.InDelta(t, 1/(1+math.Exp(-math.Log(v/(1-v))-half)), r.Consistency.High, 1e-9)
}

// TestConsistencyAgainstThatOfAIF360 holds AIF360's definition, which counts a row among its own neighbours, to the one here.
func TestConsistencyAgainstThatOfAIF360(t *testing.T) {
	generator := rand.New(rand.NewPCG(1, 2))
	var features, predicted []float64
	for range 120 {
		x := generator.NormFloat64()
		features = append(features, x, generator.NormFloat64(), generator.Float64())
		predicted = append(predicted, 1/(1+math.Exp(-2*x)))
	}
	for _, k := range []int{2, 5, 10} {
		with := nearest(features, 3, predicted, k, true)
		r := consistencyOf(t, features, 3, predicted, fairness.ConsistencyQuestion{Neighbours: k - 1})
		require.InDelta(t, with, 1-float64(k-1)/float64(k)*(1-r.Consistency.Value), 1e-12)
		r = consistencyOf(t, features, 3, predicted, fairness.ConsistencyQuestion{Neighbours: k})
		require.InDelta(t, nearest(features, 3, predicted, k, false), r.Consistency.Value, 1e-12)
	}
}

func TestConsistencyStandardisesNumbersOnly(t *testing.T) {
	generator := rand.New(rand.NewPCG(3, 4))
	var small, large, predicted []float64
	for range 80 {
		x, flag, noise := generator.NormFloat64(), float64(generator.IntN(2)), generator.NormFloat64()
		small, large = append(small, x, noise, 7, flag), append(large, 1e6*x+5, noise/1e3, 0.1, flag)
		predicted = append(predicted, math.Round(generator.Float64()))
	}
	q := fairness.ConsistencyQuestion{Numbers: 3}
	require.InDelta(t, consistencyOf(t, small, 4, predicted, q).Consistency.Value, consistencyOf(t, large, 4, predicted, q).Consistency.Value, 1e-12, "units do not matter")
	require.NotEqual(t, consistencyOf(t, small, 4, predicted, fairness.ConsistencyQuestion{}).Consistency.Value,
		consistencyOf(t, large, 4, predicted, fairness.ConsistencyQuestion{}).Consistency.Value)
}

func TestConsistencyDrawsRowsBySeed(t *testing.T) {
	features, predicted := make([]float64, 500), make([]float64, 500)
	for i := range features {
		features[i], predicted[i] = float64(i), float64(i/250)
	}
	q := fairness.ConsistencyQuestion{MaxRows: 100, Seed: 5}
	r := consistencyOf(t, features, 1, predicted, q)
	require.Equal(t, 500, r.Rows)
	require.Equal(t, 100, r.Sampled)
	require.Equal(t, 100, r.Consistency.N)
	require.Greater(t, r.Consistency.Value, 0.93, "only rows at the step differ from their neighbours")
	require.Equal(t, r, consistencyOf(t, features, 1, predicted, q))
	chance := make([]float64, 500)
	generator := rand.New(rand.NewPCG(1, 1))
	for i := range chance {
		chance[i] = float64(generator.IntN(2))
	}
	q.Seed = 6
	other := consistencyOf(t, features, 1, chance, q)
	require.Less(t, other.Consistency.Low, 0.5)
	require.Greater(t, other.Consistency.High, 0.5, "decisions by a coin agree with half of any neighbours")
	q.Seed = 7
	require.NotEqual(t, other.Consistency.Value, consistencyOf(t, features, 1, chance, q).Consistency.Value)
}

func TestConsistencyWithoutSpreadSaysWhy(t *testing.T) {
	features, predicted := []float64{1, 2, 3, 4}, []float64{1, 1, 1, 1}
	require.Contains(t, consistencyOf(t, features, 1, predicted, fairness.ConsistencyQuestion{Neighbours: 2}).Consistency.Undefined, "consistency of 1")
	r := consistencyOf(t, features, 1, predicted, fairness.ConsistencyQuestion{Groups: []string{"a", "b", "a", "b"}})
	require.Contains(t, r.Consistency.Undefined, "4 rows; 5 neighbours need at least 7")
	require.Len(t, r.Groups, 2)
}

func TestConsistencyIsWrittenWhateverTheRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, width := rapid.IntRange(1, 25).Draw(t, "n"), rapid.IntRange(1, 3).Draw(t, "width")
		number := rapid.OneOf(rapid.SampledFrom([]float64{0, 1, 1e150, -1e150, 1e-300}), rapid.Float64Range(-3, 3))
		features := rapid.SliceOfN(number, n*width, n*width).Draw(t, "features")
		predicted := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]float64{0, 1}), rapid.Float64Range(0, 1)), n, n).Draw(t, "predicted")
		k := rapid.IntRange(1, 6).Draw(t, "k")
		groups := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", ""}), n, n).Draw(t, "groups")
		r := consistencyOf(t, features, width, predicted, fairness.ConsistencyQuestion{Neighbours: k, Numbers: rapid.IntRange(0, width).Draw(t, "numbers"), Groups: groups})
		_, err := json.Marshal(r)
		require.NoError(t, err)
		for _, e := range append(r.Groups, fairness.GroupConsistency{Consistency: r.Consistency}) {
			c := e.Consistency
			require.True(t, !c.Defined() || 0 <= c.Low && c.Low <= c.Value && c.Value <= c.High && c.High <= 1, "%+v", c)
		}
	})
}

// TestConsistencyIntervalsCover compares with the mean of many data sets of the same size.
func TestConsistencyIntervalsCover(t *testing.T) {
	const sets = 400
	for _, steep := range []float64{1, 8} {
		generator := rand.New(rand.NewPCG(11, uint64(steep)))
		var all []fairness.ConsistencyReport
		truth := 0.0
		for range sets {
			var features, predicted []float64
			for range 200 {
				x := generator.NormFloat64()
				features = append(features, x, generator.NormFloat64())
				decision := 0.0
				if generator.Float64() < 1/(1+math.Exp(-steep*(x-0.5))) {
					decision = 1
				}
				predicted = append(predicted, decision)
			}
			r := consistencyOf(t, features, 2, predicted, fairness.ConsistencyQuestion{})
			all, truth = append(all, r), truth+r.Consistency.Value/sets
		}
		missed, width := 0, 0.0
		for _, r := range all {
			width += (r.Consistency.High - r.Consistency.Low) / sets
			if truth < r.Consistency.Low || truth > r.Consistency.High {
				missed++
			}
		}
		t.Logf("steepness %g: consistency %.3f, mean width %.3f, missed %d of %d", steep, truth, width, missed, sets)
		require.Less(t, missed, sets*9/100)
		require.Greater(t, missed, 0, "not vacuous")
	}
}

func TestConsistencyRefuses(t *testing.T) {
	for want, spoil := range map[string]func(features *[]float64, width *int, predicted *[]float64, q *fairness.ConsistencyQuestion){
		"found no rows":               func(f *[]float64, _ *int, p *[]float64, _ *fairness.ConsistencyQuestion) { *f, *p = nil, nil },
		"4 numbers of features for 2": func(_ *[]float64, w *int, _ *[]float64, _ *fairness.ConsistencyQuestion) { *w = 3 },
		"2 rows of 0":                 func(_ *[]float64, w *int, _ *[]float64, _ *fairness.ConsistencyQuestion) { *w = 0 },
		"row 1: the prediction is 2":  func(_ *[]float64, _ *int, p *[]float64, _ *fairness.ConsistencyQuestion) { (*p)[1] = 2 },
		"row 1, column 0: the feature is NaN": func(f *[]float64, _ *int, _ *[]float64, _ *fairness.ConsistencyQuestion) {
			(*f)[2] = math.NaN()
		},
		"neighbours is -1":          func(_ *[]float64, _ *int, _ *[]float64, q *fairness.ConsistencyQuestion) { q.Neighbours = -1 },
		"rows to draw is 30000":     func(_ *[]float64, _ *int, _ *[]float64, q *fairness.ConsistencyQuestion) { q.MaxRows = 30_000 },
		"3 columns are to be":       func(_ *[]float64, _ *int, _ *[]float64, q *fairness.ConsistencyQuestion) { q.Numbers = 3 },
		"found 1 groups for 2 rows": func(_ *[]float64, _ *int, _ *[]float64, q *fairness.ConsistencyQuestion) { q.Groups = []string{"a"} },
		"the level is -1":           func(_ *[]float64, _ *int, _ *[]float64, q *fairness.ConsistencyQuestion) { q.Level = -1 },
	} {
		features, width, predicted, q := []float64{0, 1, 2, 3}, 2, []float64{0, 1}, fairness.ConsistencyQuestion{}
		spoil(&features, &width, &predicted, &q)
		_, err := fairness.Consistency(features, width, predicted, q)
		require.ErrorContains(t, err, want)
	}
}

func BenchmarkConsistency(b *testing.B) {
	for _, width := range []int{10, 100} {
		b.Run(fmt.Sprintf("2000x%d", width), func(b *testing.B) {
			generator := rand.New(rand.NewPCG(1, 1))
			features, predicted := make([]float64, 2000*width), make([]float64, 2000)
			for i := range features {
				features[i] = generator.NormFloat64()
			}
			for i := range predicted {
				predicted[i] = float64(generator.IntN(2))
			}
			for b.Loop() {
				consistencyOf(b, features, width, predicted, fairness.ConsistencyQuestion{Numbers: width})
			}
		})
	}
}
