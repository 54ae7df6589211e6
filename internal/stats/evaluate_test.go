package stats_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/stats"
)

func labels(text string) []bool {
	y := make([]bool, len(text))
	for i, c := range text {
		y[i] = c == '1'
	}
	return y
}

// worked is small enough to follow by hand at threshold 0.5: TP 3 (0.9, 0.8, 0.5), FN 1 (0.4), FP 1 (0.8), TN 3.
// Of the 16 pairs of a positive and a negative, 0.9 wins 4; 0.8 wins 3 and ties 1; 0.5 and 0.4 win 3 each: 13.5.
var worked = stats.Sample{
	Y:     labels("11110000"),
	Score: []float64{0.9, 0.8, 0.5, 0.4, 0.8, 0.3, 0.2, 0.1},
}

func TestEvaluateWorkedExample(t *testing.T) {
	r, err := stats.Evaluate(worked, stats.Options{Threshold: 0.5, Seed: 42})
	require.NoError(t, err)
	require.Equal(t, stats.Confusion{TP: 3, FP: 1, FN: 1, TN: 3}, r.Confusion)

	logLoss := -math.Log(0.9*0.8*0.5*0.4*(1-0.8)*(1-0.3)*(1-0.2)*(1-0.1)) / 8
	for _, want := range []struct {
		name   string
		value  float64
		method string
		n      int
	}{
		{stats.Accuracy, 6. / 8, stats.MethodWilson, 8},
		{stats.AreaUnderROC, 13.5 / 16, stats.MethodDeLong, 8},
		{stats.LogLoss, logLoss, stats.MethodStudent, 8},
		{stats.Brier, (.01 + .04 + .25 + .36 + .64 + .09 + .04 + .01) / 8, stats.MethodStudent, 8},
		// Bins: 0.9 (excess .1); 0.8 twice (-.6); 0.5 (.5); 0.4 (.6); 0.3, 0.2, 0.1 (-.3, -.2, -.1).
		{stats.ECE, (.1 + .6 + .5 + .6 + .3 + .2 + .1) / 8, stats.MethodBootstrap, 8},
		{stats.Precision, 3. / 4, stats.MethodWilson, 4},
		{stats.Recall, 3. / 4, stats.MethodWilson, 4},
		{stats.Specificity, 3. / 4, stats.MethodWilson, 4},
		{stats.F1, 3. / 4, stats.MethodBootstrap, 8},
		{stats.BalancedAccuracy, 3. / 4, stats.MethodNewcombe, 8},
		{stats.SelectionRate, 4. / 8, stats.MethodWilson, 8},
		{stats.BaseRate, 4. / 8, stats.MethodWilson, 8},
		{stats.FPR, 1. / 4, stats.MethodWilson, 4},
		{stats.FNR, 1. / 4, stats.MethodWilson, 4},
		{stats.MCC, (9. - 1) / 16, stats.MethodBootstrap, 8},
	} {
		e := estimate(t, r, want.name)
		require.InDelta(t, want.value, e.Value, 1e-12, want.name)
		require.Equal(t, want.method, e.Method, want.name)
		require.Equal(t, want.n, e.N, want.name)
		require.Equal(t, 0.95, e.Level, want.name)
		require.Less(t, e.Low, e.Value, want.name)
		require.Greater(t, e.High, e.Value, want.name)
	}
	var names []string
	for _, m := range r.Metrics {
		names = append(names, m.Name)
	}
	require.Equal(t, stats.MetricNames(), names)
}

// Placements of the worked example: positives beat 1, 3.5/4, 3/4, 3/4 of the negatives, negatives lose to 1.5/4, 1, 1, 1 of
// the positives.
func TestDeLongWorkedExample(t *testing.T) {
	variance := func(v ...float64) float64 {
		mean, sum := 0., 0.
		for _, x := range v {
			mean += x / float64(len(v))
		}
		for _, x := range v {
			sum += (x - mean) * (x - mean)
		}
		return sum / float64(len(v)-1)
	}
	se := math.Sqrt(variance(1, 3.5/4, .75, .75)/4 + variance(1.5/4, 1, 1, 1)/4)
	e := stats.AUC(worked, 0.95)
	require.InDelta(t, 13.5/16-1.959963984540054*se, e.Low, 1e-12)
	require.Equal(t, 1.0, e.High, "the normal interval is cut at 1")
}

func TestWilsonWorkedExamples(t *testing.T) {
	// Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
	for _, c := range []struct {
		successes, n int
		low, high    float64
	}{{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}} {
		low, high := stats.Wilson(c.successes, c.n, 0.95)
		require.InDelta(t, c.low, low, 5e-5)
		require.InDelta(t, c.high, high, 5e-5)
	}
	low, high := stats.Wilson(5, 5, 0.95)
	require.Equal(t, 1.0, high)
	require.InDelta(t, 5/(5+1.959963984540054*1.959963984540054), low, 1e-12, "n/(n+z^2) when all succeed")
}

func TestClopperPearsonWorkedExamples(t *testing.T) {
	// The same table, method 5.
	for _, c := range []struct {
		successes, n int
		low, high    float64
	}{{81, 263, 0.2527, 0.3676}, {15, 148, 0.0578, 0.1617}, {0, 20, 0, 0.1684}, {1, 29, 0.0009, 0.1776}} {
		low, high := stats.ClopperPearson(c.successes, c.n, 0.95)
		require.InDelta(t, c.low, low, 5e-5)
		require.InDelta(t, c.high, high, 5e-5)
	}
	low, _ := stats.ClopperPearson(10, 10, 0.95)
	require.InDelta(t, math.Pow(0.025, 0.1), low, 1e-12)
	low, high := stats.ClopperPearson(0, 0, 0.95)
	require.Equal(t, []float64{0, 1}, []float64{low, high})
}

func TestNewcombeWorkedExamples(t *testing.T) {
	// Newcombe (1998), "Interval estimation for the difference between independent proportions", table II, method 10.
	for _, c := range []struct {
		a, m, b, n int
		low, high  float64
	}{{56, 70, 48, 80, 0.0524, 0.3339}, {9, 10, 3, 10, 0.1705, 0.8090}, {10, 10, 0, 20, 0.6791, 1}} {
		low, high := stats.Newcombe(stats.Proportion(c.a, c.m, 0.95, ""), stats.Proportion(c.b, c.n, 0.95, ""))
		require.InDelta(t, c.low, low, 5e-5)
		require.InDelta(t, c.high, high, 5e-5)
	}
}

func TestSplitMix64(t *testing.T) {
	g := stats.SplitMix64(42)
	for _, want := range []uint64{
		13679457532755275413, 2949826092126892291, 5139283748462763858, 6349198060258255764, 701532786141963250,
	} {
		require.Equal(t, want, g.Uint64())
	}
}

func TestBootstrapCountsDrawsTheResamplesOfBootstrap(t *testing.T) {
	cell := []uint16{0, 1, 2, 1, 0, 2, 2}
	var counted [][3]int
	stats.BootstrapCounts(cell, 3, 20, 7, func(counts []int) { counted = append(counted, [3]int(counts)) })
	var drawn [][3]int
	stats.Bootstrap(len(cell), 20, 7, func(index []int) (float64, bool) {
		var c [3]int
		for _, i := range index {
			c[cell[i]]++
		}
		drawn = append(drawn, c)
		return 0, true
	})
	require.Equal(t, drawn, counted)
	require.Empty(t, stats.Bootstrap(0, 20, 7, nil))
}

// The fast path of Evaluate must draw what Bootstrap draws and compute what the definitions say.
func TestBootstrapIntervalsAreThoseOfResampledRows(t *testing.T) {
	s := simulated(150, 4)
	opt := stats.Options{Threshold: 0.6, Level: 0.9, Replicates: 250, Seed: 11}
	r, err := stats.Evaluate(s, opt)
	require.NoError(t, err)
	for name, metric := range map[string]func(stats.Sample) float64{
		stats.F1: func(s stats.Sample) float64 {
			c := stats.Confuse(s, opt.Threshold)
			return 2 * float64(c.TP) / float64(2*c.TP+c.FP+c.FN)
		},
		stats.MCC: func(s stats.Sample) float64 {
			c := stats.Confuse(s, opt.Threshold)
			return float64(c.TP*c.TN-c.FP*c.FN) / math.Sqrt(float64(c.Predicted()*c.Positives()*c.Negatives()*(c.FN+c.TN)))
		},
		stats.ECE: func(s stats.Sample) float64 {
			r, err := stats.Evaluate(s, stats.Options{Replicates: stats.MinReplicates})
			require.NoError(t, err)
			sum := 0.0
			for _, b := range r.Calibration {
				sum += float64(b.N) * math.Abs(b.MeanY.Value-b.MeanScore)
			}
			return sum / float64(s.N())
		},
	} {
		values := stats.Bootstrap(s.N(), opt.Replicates, opt.Seed, func(index []int) (float64, bool) {
			return metric(s.Subset(index)), true
		})
		low, high, err := stats.PercentileInterval(values, opt.Level)
		require.NoError(t, err)
		e := estimate(t, r, name)
		require.InDelta(t, metric(s), e.Value, 1e-12, name)
		require.InDelta(t, low, e.Low, 1e-12, name)
		require.InDelta(t, high, e.High, 1e-12, name)
	}
}

func TestPercentileIntervalInterpolates(t *testing.T) {
	values := make([]float64, 101)
	for i := range values {
		values[i] = float64(100 - i)
	}
	low, high, err := stats.PercentileInterval(values, 0.95)
	require.NoError(t, err)
	require.InDelta(t, 2.5, low, 1e-9)
	require.InDelta(t, 97.5, high, 1e-9)
	_, _, err = stats.PercentileInterval(values[:99], 0.95)
	require.EqualError(t, err, "only 99 resamples gave a value; expected at least 100")
}

func TestWhatASampleCannotGive(t *testing.T) {
	for _, c := range []struct {
		name      string
		sample    stats.Sample
		undefined map[string]string
	}{
		{"no rows", stats.Sample{}, map[string]string{
			stats.Accuracy: "no examples", stats.AreaUnderROC: "no examples", stats.LogLoss: "fewer than two examples",
			stats.ECE: "no examples", stats.Precision: "no example is predicted positive", stats.F1: "no examples",
			stats.Recall: "no positive examples", stats.MCC: "no examples", stats.BalancedAccuracy: "no examples",
		}},
		{"one row", stats.Sample{Y: labels("1"), Score: []float64{0.7}}, map[string]string{
			stats.LogLoss: "fewer than two examples", stats.Brier: "fewer than two examples", stats.AreaUnderROC: "no negative examples",
		}},
		{"positives only", stats.Sample{Y: labels("111"), Score: []float64{0.2, 0.7, 0.9}}, map[string]string{
			stats.AreaUnderROC: "no negative examples", stats.Specificity: "no negative examples", stats.FPR: "no negative examples",
			stats.BalancedAccuracy: "no negative examples", stats.MCC: "no negative examples",
		}},
		{"negatives only, none selected", stats.Sample{Y: labels("000"), Score: []float64{0.2, 0.1, 0.4}}, map[string]string{
			stats.AreaUnderROC: "no positive examples", stats.Recall: "no positive examples", stats.FNR: "no positive examples",
			stats.Precision: "no example is predicted positive", stats.F1: "no example is positive or predicted positive",
		}},
		{"all selected", stats.Sample{Y: labels("01"), Score: []float64{0.9, 0.9}}, map[string]string{
			stats.MCC: "every example is predicted positive",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := stats.Evaluate(c.sample, stats.Options{Threshold: 0.5})
			require.NoError(t, err)
			for name, reason := range c.undefined {
				e, ok := r.Metric(name)
				require.True(t, ok)
				require.Contains(t, e.Undefined, reason, name)
				require.Zero(t, e.Value, name)
			}
			requireFinite(t, r)
		})
	}
}

// requireFinite relies on encoding/json refusing NaN and infinities.
func requireFinite(t *testing.T, r any) {
	t.Helper()
	_, err := json.Marshal(r)
	require.NoError(t, err)
}

func TestIntervalsKeepAWidthWhereClassesSeparate(t *testing.T) {
	r, err := stats.Evaluate(stats.Sample{Y: labels("000111"), Score: []float64{.1, .2, .3, .7, .8, .9}}, stats.Options{Threshold: 0.5})
	require.NoError(t, err)
	auc := estimate(t, r, stats.AreaUnderROC)
	low, _ := stats.Wilson(3, 3, 0.95)
	require.Equal(t, stats.Estimate{Value: 1, Low: low, High: 1, Level: 0.95, Method: stats.MethodWilsonMinClass, N: 6}, auc)
	f1 := estimate(t, r, stats.F1)
	require.Equal(t, stats.MethodWilsonJaccard, f1.Method)
	require.InDelta(t, 2*low/(1+low), f1.Low, 1e-12)
	require.Less(t, estimate(t, r, stats.BalancedAccuracy).Low, 0.8)
}

func TestRefusals(t *testing.T) {
	ok := stats.Sample{Y: labels("01"), Score: []float64{0.2, 0.8}}
	for _, c := range []struct {
		name   string
		sample stats.Sample
		opt    stats.Options
		want   string
	}{
		{"NaN", stats.Sample{Y: labels("01"), Score: []float64{0.2, math.NaN()}}, stats.Options{}, "row 1: the score is NaN; expected a probability"},
		{"above one", stats.Sample{Y: labels("01"), Score: []float64{1.5, 0}}, stats.Options{}, "row 0: the score is 1.5"},
		{"negative", stats.Sample{Y: labels("01"), Score: []float64{0, -0.1}}, stats.Options{}, "row 1: the score is -0.1"},
		{"lengths", stats.Sample{Y: labels("01"), Score: []float64{0}}, stats.Options{}, "2 labels and 1 scores"},
		{"threshold", ok, stats.Options{Threshold: 2}, "threshold 2; expected a score between 0 and 1"},
		{"threshold NaN", ok, stats.Options{Threshold: math.NaN()}, "threshold NaN"},
		{"level", ok, stats.Options{Level: 95}, "confidence level 95"},
		{"replicates", ok, stats.Options{Replicates: 50}, "50 bootstrap replicates; expected at least 200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := stats.Evaluate(c.sample, c.opt)
			require.ErrorContains(t, err, "evaluate predictions: ")
			require.ErrorContains(t, err, c.want)
			_, err = stats.EvaluateSlices(c.sample, "sex", make([]string, len(c.sample.Y)), c.opt)
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := stats.EvaluateSlices(ok, "sex", []string{"a"}, stats.Options{})
	require.EqualError(t, err, `evaluate slices by "sex": 1 group names for 2 rows; expected one per row`)
}

func TestSlicesAreTheirGroupsAlone(t *testing.T) {
	groups := []string{"b", "a", "b", "a", "b", "a", "b", "a"}
	opt := stats.Options{Threshold: 0.5, Seed: 3}
	parts, err := stats.EvaluateSlices(worked, "colour", groups, opt)
	require.NoError(t, err)
	require.Len(t, parts, 2)
	require.Equal(t, []string{"a", "b"}, []string{parts[0].Group, parts[1].Group})
	alone, err := stats.Evaluate(worked.Subset([]int{1, 3, 5, 7}), opt)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(alone.Metrics, parts[0].Metrics))
	require.Empty(t, parts[0].ROC)
	require.Empty(t, parts[0].Calibration)
}

func TestReportJSON(t *testing.T) {
	parts, err := stats.EvaluateSlices(worked, "sex", strings.Split("a a a a a a a a", " "), stats.Options{Threshold: 0.5})
	require.NoError(t, err)
	content, err := json.Marshal(parts[0])
	require.NoError(t, err)
	require.Contains(t, string(content), `{"attribute":"sex","group":"a","n":8,"positives":4,"threshold":0.5,`+
		`"confusion":{"tp":3,"fp":1,"fn":1,"tn":3},"metrics":[{"name":"accuracy","value":0.75,"low":`)
	require.NotContains(t, string(content), "roc")

	var back stats.Slice
	require.NoError(t, json.Unmarshal(content, &back))
	require.Empty(t, cmp.Diff(parts[0], back))
}

func TestROCCurve(t *testing.T) {
	r, err := stats.Evaluate(worked, stats.Options{Threshold: 0.5})
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]stats.Point{
		{Threshold: 1.9}, {Threshold: .9, TPR: .25}, {Threshold: .8, TPR: .5, FPR: .25}, {Threshold: .5, TPR: .75, FPR: .25},
		{Threshold: .4, TPR: 1, FPR: .25}, {Threshold: .3, TPR: 1, FPR: .5}, {Threshold: .2, TPR: 1, FPR: .75}, {Threshold: .1, TPR: 1, FPR: 1},
	}, r.ROC))
}

// simulated is a sample of n rows whose scores are their true probabilities.
func simulated(n int, seed uint64) stats.Sample {
	rng := rand.New(rand.NewPCG(seed, 0))
	s := stats.Sample{Y: make([]bool, n), Score: make([]float64, n)}
	for i := range s.Y {
		s.Score[i] = 1 / (1 + math.Exp(-1.5*rng.NormFloat64()))
		s.Y[i] = rng.Float64() < s.Score[i]
	}
	return s
}

func TestLongROCCurveIsThinned(t *testing.T) {
	r, err := stats.Evaluate(simulated(5000, 1), stats.Options{Threshold: 0.5})
	require.NoError(t, err)
	require.LessOrEqual(t, len(r.ROC), 200)
	require.Greater(t, len(r.ROC), 150)
	last := r.ROC[len(r.ROC)-1]
	require.Equal(t, []float64{0, 0, 1, 1}, []float64{r.ROC[0].FPR, r.ROC[0].TPR, last.FPR, last.TPR})
	area := 0.0
	for k, p := range r.ROC[1:] {
		before := r.ROC[k]
		require.GreaterOrEqual(t, p.FPR, before.FPR)
		require.GreaterOrEqual(t, p.TPR, before.TPR)
		require.Less(t, p.Threshold, before.Threshold)
		area += (p.FPR - before.FPR) * (p.TPR + before.TPR) / 2
	}
	require.InDelta(t, estimate(t, r, stats.AreaUnderROC).Value, area, 1e-3)
}

func TestEvaluationIsDeterministic(t *testing.T) {
	s := simulated(300, 2)
	var first []byte
	for range 3 {
		r, err := stats.Evaluate(s, stats.Options{Threshold: 0.5, Seed: 9})
		require.NoError(t, err)
		content, err := json.Marshal(r)
		require.NoError(t, err)
		if first == nil {
			first = content
		}
		require.Equal(t, string(first), string(content))
	}
}

func BenchmarkEvaluateWithEightSlices(b *testing.B) {
	s := simulated(16281, 3)
	groups := make([]string, s.N())
	for i := range groups {
		groups[i] = string(rune('a' + i%8))
	}
	for b.Loop() {
		_, err := stats.Evaluate(s, stats.Options{Threshold: 0.5})
		require.NoError(b, err)
		_, err = stats.EvaluateSlices(s, "group", groups, stats.Options{Threshold: 0.5})
		require.NoError(b, err)
	}
}
