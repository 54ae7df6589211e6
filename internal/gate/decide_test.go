package gate_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
)

func parse(t *testing.T, text string) gate.Condition {
	t.Helper()
	c, err := gate.Parse(text)
	require.NoError(t, err)
	return c
}

func TestDecide(t *testing.T) {
	recall := stats.Estimate{Value: 0.5254, Low: 0.4851, High: 0.5654, Level: 0.95, Method: stats.MethodWilson, N: 590}
	at := func(value float64) stats.Estimate {
		return stats.Estimate{Value: value, Low: value - 0.1, High: value + 0.1, Level: 0.95, Method: stats.MethodWilson, N: 1}
	}
	for _, c := range []struct {
		condition string
		estimate  stats.Estimate
		verdict   gate.Verdict
		reason    string
	}{
		{"recall[sex=Female] > 0.6", recall, gate.Fail,
			"recall[sex=Female] is 0.525 (95% interval 0.485 to 0.565, 590 examples); the condition asks for more than 0.6."},
		{"recall[sex=Female] >= 0.5", recall, gate.Pass,
			"recall[sex=Female] is 0.525 (95% interval 0.485 to 0.565, 590 examples); the condition asks for at least 0.5."},
		{"recall < 0.5", at(0.5), gate.Fail, "recall is 0.500 (95% interval 0.400 to 0.600, 1 example); the condition asks for less than 0.5."},
		{"recall <= 0.5", at(0.5), gate.Pass, "recall is 0.500 (95% interval 0.400 to 0.600, 1 example); the condition asks for at most 0.5."},
		{"recall > 0.5", at(0.5), gate.Fail, "recall is 0.500 (95% interval 0.400 to 0.600, 1 example); the condition asks for more than 0.5."},
		{"recall > 0.6", at(0.59998), gate.Fail, "recall is 0.59998 (95% interval 0.49998 to 0.69998, 1 example); the condition asks for more than 0.6."},
		{"k_anonymity >= 5", stats.Exact(2, 48842), gate.Fail, "k_anonymity is 2 (counted on 48842 examples); the condition asks for at least 5."},
		{"unique_share < 0.1", stats.Exact(0.02, 100), gate.Pass, "unique_share is 0.020 (counted on 100 examples); the condition asks for less than 0.1."},
		{"recall > 0.6", stats.NoValue(0.95, 12, "no positive examples"), gate.Inconclusive,
			"recall has no value on this sample: no positive examples. Provide examples that give it one, or drop the condition."},
		{"recall > 0.6", stats.Estimate{Value: math.NaN()}, gate.Inconclusive,
			"recall has no value on this sample: its computation gave no number. Provide examples that give it one, or drop the condition."},
	} {
		t.Run(c.condition, func(t *testing.T) {
			r := gate.Decide(parse(t, c.condition), c.estimate)
			require.Equal(t, c.condition, r.Condition)
			require.Equal(t, c.verdict, r.Verdict)
			require.Equal(t, c.reason, r.Reason)
		})
	}
}

func TestDecideAll(t *testing.T) {
	pass, fail, doubt := "accuracy > 0.1", "accuracy > 0.9", "auc > 0.5"
	lookup := func(c gate.Condition) (stats.Estimate, error) {
		if c.Metric == "auc" {
			return stats.NoValue(0.95, 0, "no examples"), nil
		}
		return stats.Estimate{Value: 0.5}, nil
	}
	for _, c := range []struct {
		conditions []string
		want       gate.Verdict
	}{
		{nil, gate.Pass},
		{[]string{pass, pass}, gate.Pass},
		{[]string{pass, doubt}, gate.Inconclusive},
		{[]string{doubt, fail, pass}, gate.Fail},
	} {
		var conditions []gate.Condition
		for _, text := range c.conditions {
			conditions = append(conditions, parse(t, text))
		}
		results, verdict, err := gate.DecideAll(conditions, lookup)
		require.NoError(t, err)
		require.Equal(t, c.want, verdict)
		require.Len(t, results, len(c.conditions))
		for i, r := range results {
			require.Equal(t, c.conditions[i], r.Condition)
		}
	}

	lost := errors.New("lost")
	_, verdict, err := gate.DecideAll([]gate.Condition{parse(t, pass), parse(t, doubt)}, func(gate.Condition) (stats.Estimate, error) {
		return stats.Estimate{}, lost
	})
	require.ErrorIs(t, err, lost)
	require.Empty(t, verdict)
	require.ErrorContains(t, err, `decide condition "accuracy > 0.1": lost`)
	require.ErrorContains(t, err, `decide condition "auc > 0.5": lost`)
}

func evidence(t *testing.T) gate.Evidence {
	t.Helper()
	s := stats.Sample{Y: []bool{true, true, false, false, true, false}, Score: []float64{.9, .4, .2, .6, .8, .1}}
	sex := []string{"Female", "Male", "Female", "Male", "Male", "Female"}
	opt := stats.Options{Threshold: 0.5}
	var e gate.Evidence
	var err error
	e.Evaluation, err = stats.Evaluate(s, opt)
	require.NoError(t, err)
	e.Slices, err = stats.EvaluateSlices(s, "sex", sex, opt)
	require.NoError(t, err)
	e.Fairness, err = fairness.Audit(s, []fairness.Attribute{{Name: "sex", Groups: sex}}, opt)
	require.NoError(t, err)
	e.Privacy, err = privacy.KAnonymity([]privacy.Column{{Name: "sex", Values: sex}}, make([]string, len(sex)))
	require.NoError(t, err)
	return e
}

func TestEvidenceLookup(t *testing.T) {
	e := evidence(t)
	for text, want := range map[string]float64{
		"accuracy > 0":                           4. / 6,
		"accuracy[sex=Female] > 0":               1,
		"recall[sex=Male] > 0":                   0.5,
		"demographic_parity_difference[sex] < 1": 1. / 3,
		"k_anonymity >= 2":                       3,
	} {
		got, err := e.Lookup(parse(t, text))
		require.NoError(t, err, text)
		require.InDelta(t, want, got.Value, 1e-12, text)
	}
	for text, want := range map[string]string{
		"recall[sex=female] > 0.5":                 "no slice [sex=female] among those measured: [sex=Female], [sex=Male]; did you mean [sex=Female]?",
		"recall[country=Sweden] > 0.5":             "no slice [country=Sweden] among those measured: [sex=Female], [sex=Male]",
		"demographic_parity_difference[race] < .1": "no attribute [race] among those measured: [sex]",
		"error_rate < 0.1":                         "error_rate is not measured on a candidate",
	} {
		_, err := e.Lookup(parse(t, text))
		require.ErrorContains(t, err, want)
	}
	_, err := gate.Evidence{}.Lookup(parse(t, "recall[sex=Male] > 0.5"))
	require.EqualError(t, err, "no slice [sex=Male]: none was measured; add the column to data.protected or evaluate.slices")
	_, err = gate.Evidence{}.Lookup(parse(t, "recall > 0.5"))
	require.EqualError(t, err, "recall was not measured")
}

func TestVerdictAnd(t *testing.T) {
	for _, c := range []struct{ a, b, want gate.Verdict }{
		{gate.Pass, gate.Pass, gate.Pass},
		{gate.Pass, gate.Inconclusive, gate.Inconclusive},
		{gate.Inconclusive, gate.Fail, gate.Fail},
		{gate.Fail, gate.Pass, gate.Fail},
	} {
		require.Equal(t, c.want, c.a.And(c.b))
		require.Equal(t, c.want, c.b.And(c.a))
	}
}
