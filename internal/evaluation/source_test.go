package evaluation_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// rivals draws predictions of two classes by two models that agree on most rows, with two columns of groups.
func rivals(n int, seed uint64) evaluation.Predictions {
	r := rand.New(rand.NewPCG(seed, 2))
	p := world(n, seed)
	p.Old = make([]float64, n)
	p.Own, p.OwnOld = map[string][]float64{"cost": make([]float64, n)}, map[string][]float64{"cost": make([]float64, n)}
	for i := range n {
		p.Old[i] = min(max(p.Score[i]+0.2*(r.Float64()-0.5), 0.01), 0.99)
		p.Own["cost"][i], p.OwnOld["cost"][i] = r.Float64()*2, r.Float64()*2
	}
	return p
}

func newSource(t testing.TB, p evaluation.Predictions, opt evaluation.SourceOptions) *evaluation.Source {
	t.Helper()
	s, err := evaluation.NewSource(p, opt)
	require.NoError(t, err)
	return s
}

func TestEveryMetricIsMeasuredByTheMethodThatFits(t *testing.T) {
	s := newSource(t, rivals(2000, 1), evaluation.SourceOptions{
		Seed: 1, Ranges: map[string]evaluation.Range{"cost": {Least: 0, Most: 2}},
		New: evaluation.Figures{LatencyMS: latencies(1000, 1), Counted: map[string]stats.Estimate{"k_anonymity": stats.Exact(3, 2000)}},
		Old: evaluation.Figures{LatencyMS: latencies(1000, 2), Counted: map[string]stats.Estimate{"k_anonymity": stats.Exact(5, 2000)}},
	})
	const exact, wilson, paired = stats.MethodClopperPearson, stats.MethodWilson, stats.MethodBennettDisagreement
	for _, c := range []struct {
		unit       gate.Unit
		method     string
		guaranteed bool
	}{
		{unit(stats.Accuracy), exact, true},
		{unit(stats.Recall, "sex", "f"), exact, true},
		{unit(stats.Precision, "sex", "f", "race", "a"), exact, true},
		{unit(stats.Specificity), exact, true},
		{unit(stats.FPR), exact, true},
		{unit(stats.FNR), exact, true},
		{unit(stats.SelectionRate), exact, true},
		{unit(stats.BaseRate), exact, true},
		{unit(stats.Disagreement), exact, true},
		{unit(stats.Disagreement, "sex", "m"), exact, true},
		{unit(stats.F1), evaluation.MethodExactJaccard, true},
		{unit(stats.BalancedAccuracy), stats.MethodNewcombe, false},
		{unit(stats.MCC), stats.MethodBCa, false},
		{unit(stats.ECE), stats.MethodBootstrapNormal, false}, // resamples lie too high for their quantiles to be taken
		{unit(stats.AreaUnderROC), stats.MethodDeLongLogit, false},
		{unit(stats.LogLoss), stats.MethodStudent, false},
		{unit(stats.Brier), stats.MethodEmpiricalBernstein, true},
		{unit("cost"), stats.MethodEmpiricalBernstein, true},
		{unit("demographic_parity_difference", "sex"), fairness.MethodPairs, false},
		{unit("equalized_odds_ratio", "race"), fairness.MethodPairs, false},
		{unit("equal_opportunity_ratio", "sex"), fairness.MethodPairs, false},
		{unit("predictive_equality_ratio", "race"), fairness.MethodPairs, false},
		{unit("latency_p95_ms"), stats.MethodOrderStatistics, true},
		{unit("k_anonymity"), stats.MethodExact, true},

		{newLessOld(stats.Accuracy), paired, true},
		{newLessOld(stats.Accuracy, "sex", "f"), paired, true},
		{newLessOld(stats.Recall), paired, true},
		{newLessOld(stats.Specificity, "race", "a"), paired, true},
		{newLessOld(stats.SelectionRate), paired, true},
		{newLessOld(stats.BaseRate), stats.MethodExact, true},
		{newLessOld(stats.Precision), stats.MethodBCa, false},
		{newLessOld(stats.F1), stats.MethodBCa, false},
		{newLessOld(stats.BalancedAccuracy), stats.MethodBCa, false},
		{newLessOld(stats.MCC), stats.MethodBCa, false},
		{newLessOld(stats.ECE), stats.MethodBCa, false},
		{newLessOld(stats.AreaUnderROC), stats.MethodDeLongPaired, false},
		{newLessOld(stats.LogLoss), stats.MethodStudent, false},
		{newLessOld(stats.Brier), stats.MethodEmpiricalBernstein, true},
		{newLessOld("cost"), stats.MethodEmpiricalBernstein, true},
		{newLessOld("demographic_parity_difference", "sex"), stats.MethodBCa, false},
		{newLessOld("latency_p95_ms"), gate.MethodArithmetic, true},
		{newLessOld("k_anonymity"), stats.MethodExact, true},

		{between(stats.Recall, "sex", "f", "m"), stats.MethodNewcombe, false},
		{between(stats.AreaUnderROC, "sex", "f", "m"), stats.MethodNewcombe, false},
		{less(unit(stats.Recall), unit(stats.Precision)), gate.MethodArithmetic, true},
		{less(unit(stats.Recall, "sex", "f"), unit(stats.Recall, "race", "a")), gate.MethodArithmetic, true},
	} {
		t.Run(c.unit.String(), func(t *testing.T) {
			m := measure(t, s, c.unit, 0.01)
			require.Empty(t, m.Undefined)
			require.Equal(t, c.method, m.Method)
			require.Equal(t, c.guaranteed, m.Guaranteed)
			require.Equal(t, c.guaranteed, m.Assumption == "", m.Assumption)
			require.LessOrEqual(t, m.Low, m.Value)
			require.GreaterOrEqual(t, m.High, m.Value)
			if m.Method == stats.MethodExact {
				require.Zero(t, m.Tail)
				require.Equal(t, m.Low, m.High)
				return
			}
			require.Equal(t, 0.01, m.Tail)
			require.Less(t, m.Low, m.High)
			require.InDelta(t, 0.98, m.Level, 1e-12)

			small := measure(t, s, c.unit, 1e-6)
			if small.Defined() {
				require.Less(t, small.Low, m.Low)
				require.True(t, small.High > m.High || m.High == 1, "%g is not above %g", small.High, m.High) // a ratio ends at 1
			}
			require.Equal(t, m.Estimate, measure(t, s, c.unit, 0.01).Estimate, "the same at the first tail again")
			half := (m.High - m.Low) / 2
			if m.RowsFor == nil || m.RowsFor(half) == 0 {
				require.Contains(t, c.unit.String(), "latency")
				return
			}
			require.Greater(t, m.RowsFor(half/2), m.RowsFor(half*0.99))
			require.InEpsilon(t, 2000, m.RowsFor(half), 0.15, "as many rows give the interval as gave it")
			require.Zero(t, m.RowsFor(0))
		})
	}
}

// between is the difference of a metric between two groups of a column.
func between(metric, column, one, other string) gate.Unit {
	return less(unit(metric, column, one), unit(metric, column, other))
}

func less(one, other gate.Unit) gate.Unit {
	return gate.Unit{Quantity: one.Quantity, Minus: &other.Quantity}
}

func latencies(n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 3))
	out := make([]float64, n)
	for i := range out {
		out[i] = 10 * math.Exp(r.NormFloat64())
	}
	return out
}

func TestUnitsThatCannotBeMeasuredSayWhy(t *testing.T) {
	s := newSource(t, few(), evaluation.SourceOptions{New: evaluation.Figures{Counted: map[string]stats.Estimate{"model_bytes": stats.Exact(5, 4)}}})
	three := newSource(t, fewOfThree(), evaluation.SourceOptions{})
	number := newSource(t, evaluation.Predictions{Task: stats.Regression, Row: []int64{1}, Y: []float64{1}, Score: []float64{2}}, evaluation.SourceOptions{})
	class := func(metric, class string) gate.Unit {
		u := unit(metric)
		u.Quantity.Class, u.Quantity.HasClass = class, true
		return u
	}
	old := unit(stats.Accuracy)
	old.Quantity.Which = gate.Old
	whose := unit(stats.Accuracy)
	whose.Quantity.Which = "yours"
	for _, c := range []struct {
		source *evaluation.Source
		unit   gate.Unit
		want   string
	}{
		{s, unit(stats.Recall, "sx", "f"), `no column "sx" among those stored with the predictions: sex; did you mean "sex"?; add it to data.protected or evaluate.slices`},
		{three, unit(stats.Accuracy, "sex", "f"), `no column "sex": none was stored with the predictions`},
		{s, unit(stats.Recall, "sex"), "it is of one group's rows; name the group, as in [sex=...]"},
		{s, unit("demographic_parity_ratio"), "it compares the groups of a column; name the column"},
		{s, unit("demographic_parity_ratio", "sex", "f"), "it compares the groups of a column; write [sex], without a group"},
		{s, unit("model_bytes", "sex", "f"), "it is of the whole model; leave out what is in brackets"},
		{s, unit(stats.RMSE), "it is not defined for the task binary; expected one of accuracy, "},
		{number, unit(stats.F1), "measure f1: it is not defined for the task regression; expected one of mae, mean_error, r2, rmse"},
		{number, unit("demographic_parity_ratio", "sex"), "it is not defined for the task regression"},
		{s, unit("sharpness"), "measure sharpness: it was not measured; expected one of "},
		{three, unit(stats.Recall), "it is a metric of one class here; name the class, as in recall(ant)"},
		{three, class(stats.Recall, "bees"), `no class "bees"; the classes are ant, bee, cow; did you mean "bee"?`},
		{three, class(stats.Accuracy, "bee"), `it names the class "bee", but is of all classes together`},
		{s, class(stats.Recall, "bee"), `it names the class "bee"; only models of several classes have metrics of a class`},
		{three, old, gate.ErrNoChampion.Error()},
		{s, whose, `whose predictions is "yours"; expected new, old or both`},
		{s, gate.Unit{Quantity: gate.Quantity{Which: gate.New, Metric: stats.Disagreement}}, "expected disagreement of both only"},
	} {
		_, err := c.source.Measure(c.unit, 0.01)
		require.ErrorContains(t, err, c.want, "%s", c.unit)
	}
	_, err := three.Measure(newLessOld(stats.Accuracy), 0.01)
	require.ErrorIs(t, err, gate.ErrNoChampion)
	for _, tail := range []float64{0, -1, 1, math.NaN()} {
		_, err := s.Measure(unit(stats.Accuracy), tail)
		require.ErrorContains(t, err, "expected a probability between 0 and 1")
	}
}

func TestRangesThatDoNotHoldAreRefused(t *testing.T) {
	p := few()
	p.Own = map[string][]float64{"cost": {0, 1, 2, 3}}
	for _, c := range []struct {
		within evaluation.Range
		want   string
	}{
		{evaluation.Range{Least: 0, Most: 2}, `row 14: the metric "cost" gives a number outside of its range 0 to 2`},
		{evaluation.Range{Least: 3, Most: 3}, `the metric "cost" has the range 3 to 3; expected two finite numbers`},
		{evaluation.Range{Least: math.Inf(-1), Most: 3}, "expected two finite numbers"},
	} {
		_, err := evaluation.NewSource(p, evaluation.SourceOptions{Ranges: map[string]evaluation.Range{"cost": c.within}})
		require.ErrorContains(t, err, c.want)
	}
	_, err := evaluation.NewSource(p, evaluation.SourceOptions{Replicates: 10})
	require.ErrorContains(t, err, "10 resamples; expected at least 200")
}

func TestSamplesWithoutAValueLeaveDoubt(t *testing.T) {
	s := newSource(t, few(), evaluation.SourceOptions{})
	positives := few()
	positives.Y = []float64{1, 1, 1, 1}
	onlyPositives := newSource(t, positives, evaluation.SourceOptions{})
	for _, c := range []struct {
		source *evaluation.Source
		unit   gate.Unit
		want   string
	}{
		{s, unit(stats.Recall, "sex", "Female"), "no row of the test part has sex=Female; groups are f, m"},
		{s, unit("equal_opportunity_difference", "sex"), "fewer than two groups have a recall"},
		{s, newLessOld(stats.AreaUnderROC, "sex", "F"), `no row of the test part has sex=F; groups are f, m; did you mean "f"?`},
		{s, unit(stats.Recall, "sex", "m"), "no positive examples"},
		{onlyPositives, unit(stats.FPR), "no negative examples"},
		{onlyPositives, unit(stats.AreaUnderROC), "no negative examples"},
		{onlyPositives, unit(stats.BalancedAccuracy), "no negative examples"},
		{onlyPositives, unit(stats.MCC), "all examples are of one class"},
		{onlyPositives, newLessOld(stats.BalancedAccuracy), "all examples are of one class"},
		{s, unit("latency_p95_ms"), "no latencies of the new model were measured"},
	} {
		m := measure(t, c.source, c.unit, 0.01)
		require.Equal(t, c.want, m.Undefined, "%s", c.unit)
		require.Nil(t, m.RowsFor)
		require.Zero(t, m.Value)
	}
}

func TestChampionHasItsOwnThreshold(t *testing.T) {
	p := few()
	p.OldThreshold = new(0.75)
	s := newSource(t, p, evaluation.SourceOptions{})
	q := candidate(stats.SelectionRate)
	q.Which = gate.Old
	require.Equal(t, 0.25, measure(t, s, gate.Unit{Quantity: q}, 0.01).Value)
	r, err := evaluation.Evaluate(p, evaluation.Options{})
	require.NoError(t, err)
	rate, _ := r.Comparison.Champion.Metric(stats.SelectionRate)
	require.Equal(t, 0.25, rate.Value)
}

func TestDifferencesTheOtherWayRoundAreNegated(t *testing.T) {
	s := newSource(t, rivals(500, 3), evaluation.SourceOptions{Seed: 3})
	for _, metric := range []string{stats.Accuracy, stats.Brier, stats.MCC, stats.AreaUnderROC} {
		there := newLessOld(metric)
		back := gate.Unit{Quantity: *there.Minus, Minus: &there.Quantity}
		one, other := measure(t, s, there, 0.01), measure(t, s, back, 0.01)
		require.Equal(t, -one.Value, other.Value)
		require.Equal(t, -one.High, other.Low)
		require.Equal(t, -one.Low, other.High)
	}
}

func TestAPerfectModelHasAnIntervalToo(t *testing.T) {
	p := fewOfThree()
	p.Score = []float64{0.8, 0.1, 0.1, 0.1, 0.8, 0.1, 0.1, 0.1, 0.8}
	s := newSource(t, p, evaluation.SourceOptions{})
	for _, metric := range []string{stats.MCC, stats.Kappa, stats.F1Macro, stats.PrecisionMacro, stats.AUCMacro, stats.RecallMacro, stats.Accuracy} {
		m := measure(t, s, unit(metric), 0.01)
		require.Equal(t, 1.0, m.Value, metric)
		require.Equal(t, 1.0, m.High, metric)
		require.Less(t, m.Low, 0.8, metric)
	}
}

func TestGapsOfOneClassAmongSeveral(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	const n = 600
	p := evaluation.Predictions{Task: stats.Multiclass, Classes: []string{"ant", "bee", "cat"}, Groups: map[string][]string{"g": nil}}
	found, of := map[string]int{}, map[string]int{}
	right := map[string]int{}
	rows := map[string]int{}
	for i := range n {
		truth, predicted, group := r.IntN(3), r.IntN(3), []string{"a", "b"}[r.IntN(2)]
		p.Row, p.Y = append(p.Row, int64(i)), append(p.Y, float64(truth))
		scores := []float64{0.1, 0.1, 0.1}
		scores[predicted] = 0.8
		p.Score = append(p.Score, scores...)
		p.Groups["g"] = append(p.Groups["g"], group)
		rows[group]++
		if truth == 1 {
			of[group]++
			if predicted == 1 {
				found[group]++
			}
		}
		if truth == predicted {
			right[group]++
		}
	}
	s := newSource(t, p, evaluation.SourceOptions{MinGroup: 30})
	u := unit("equal_opportunity_difference", "g")
	u.Quantity.Class, u.Quantity.HasClass = "bee", true
	m := measure(t, s, u, 0.02)
	_, low, _, _, _, _ := fairness.GapOfShares([]int{found["a"], found["b"]}, []int{of["a"], of["b"]}, false, 0.02)
	value, _, high, _, _, _ := fairness.GapOfShares([]int{found["a"], found["b"]}, []int{of["a"], of["b"]}, false, 0.02)
	require.Equal(t, []float64{value, low, high}, []float64{m.Value, m.Low, m.High})
	m = measure(t, s, unit("accuracy_difference", "g"), 0.02)
	require.InDelta(t, math.Abs(float64(right["a"])/float64(rows["a"])-float64(right["b"])/float64(rows["b"])), m.Value, 1e-12)

	_, err := newSource(t, p, evaluation.SourceOptions{}).Measure(unit("equal_opportunity_difference", "g"), 0.02)
	require.ErrorContains(t, err, "it is a metric of one class here")
}

func TestGroupsTooSmallForAGapAreNamed(t *testing.T) {
	p := evaluation.Predictions{Task: stats.Binary, Threshold: 0.5, Groups: map[string][]string{"g": nil}}
	for i := range 210 {
		group := []string{"a", "b"}[i%2]
		if i >= 200 {
			group = "few"
		}
		p.Row, p.Y, p.Score = append(p.Row, int64(i)), append(p.Y, float64(i%3%2)), append(p.Score, float64(i%5)/4)
		p.Groups["g"] = append(p.Groups["g"], group)
	}
	m := measure(t, newSource(t, p, evaluation.SourceOptions{MinGroup: 30}), unit("demographic_parity_difference", "g"), 0.02)
	require.Contains(t, m.Assumption, "Left out for want of rows: few (10).")
	m = measure(t, newSource(t, p, evaluation.SourceOptions{MinGroup: 150}), unit("demographic_parity_difference", "g"), 0.02)
	require.Equal(t, "fewer than two groups have enough rows to be compared; too small: a (100), b (100), few (10)", m.Undefined)
}
