package gate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// figures is a Source of measurements prepared by the name of their unit; what has none is an error.
type figures map[string]gate.Measurement

func (f figures) Measure(u gate.Unit, tail float64) (gate.Measurement, error) {
	m, ok := f[u.String()]
	if !ok {
		return m, fmt.Errorf("%s was not measured", u)
	}
	if m.Method != stats.MethodExact {
		m.Tail, m.Level = tail, 1-2*tail
	}
	return m, nil
}

// sourceFunc makes a function a Source.
type sourceFunc func(u gate.Unit, tail float64) (gate.Measurement, error)

func (f sourceFunc) Measure(u gate.Unit, tail float64) (gate.Measurement, error) { return f(u, tail) }

// interval is measured on 1,000 rows; half of it shrinks with the root of their number.
func interval(low, value, high float64) gate.Measurement {
	const n = 1000
	half := (high - low) / 2
	return gate.Measurement{
		Estimate: stats.Estimate{Value: value, Low: low, High: high, Method: stats.MethodWilson, N: n},
		RowsFor:  func(w float64) int { return int(math.Ceil(n * half * half / (w * w))) },
	}
}

func counted(value float64, n int) gate.Measurement {
	return gate.Measurement{Estimate: stats.Exact(value, n)}
}

func undefined(reason string) gate.Measurement {
	return gate.Measurement{Estimate: stats.NoValue(0.95, 12, reason)}
}

var plan95 = gate.Plan{Reliability: 0.95}

// decideOne decides a condition of one clause.
func decideOne(t testing.TB, condition string, plan gate.Plan, source gate.Source) gate.Result {
	t.Helper()
	d, err := gate.DecideAll([]gate.Formula{parse(t, condition)}, plan, source)
	require.NoError(t, err)
	require.Len(t, d.Results, 1)
	require.Equal(t, d.Verdict, d.Results[0].Verdict)
	return d.Results[0]
}

func TestVerdictOfOneUnit(t *testing.T) {
	for _, c := range []struct {
		condition string
		m         gate.Measurement
		verdict   gate.Verdict
		reason    string
	}{
		{"recall > 0.6", interval(0.61, 0.65, 0.69), gate.Pass,
			"recall is 0.650 (90% interval 0.610 to 0.690, 1,000 examples); the condition asks for more than 0.6."},
		{"recall > 0.6", interval(0.5, 0.55, 0.59), gate.Fail,
			"recall is 0.550 (90% interval 0.500 to 0.590, 1,000 examples); the condition asks for more than 0.6."},
		{"recall > 0.6", interval(0.58, 0.62, 0.66), gate.Inconclusive,
			"recall is 0.620 (90% interval 0.580 to 0.660, 1,000 examples); the condition asks for more than 0.6. " +
				"The interval holds values on both sides of that, so this sample cannot tell. About 4,000 rows would decide it, as met, if the estimate stays as it is."},
		{"recall > 0.6", interval(0.6, 0.65, 0.7), gate.Inconclusive, ""},
		{"recall >= 0.6", interval(0.6, 0.65, 0.7), gate.Pass, ""},
		{"recall > 0.6", interval(0.5, 0.55, 0.6), gate.Fail, ""},
		{"recall >= 0.6", interval(0.5, 0.55, 0.6), gate.Inconclusive, ""},
		{"recall < 0.6", interval(0.5, 0.55, 0.59), gate.Pass, ""},
		{"recall < 0.6", interval(0.5, 0.55, 0.6), gate.Inconclusive, ""},
		{"recall <= 0.6", interval(0.5, 0.55, 0.6), gate.Pass, ""},
		{"recall < 0.6", interval(0.6, 0.65, 0.7), gate.Fail, ""},
		{"recall <= 0.6", interval(0.6, 0.65, 0.7), gate.Inconclusive, ""},
		{"recall > 0.6", interval(0.55, 0.6, 0.65), gate.Inconclusive,
			"recall is 0.600 (90% interval 0.550 to 0.650, 1,000 examples); the condition asks for more than 0.6. " +
				"The interval holds values on both sides of that, so this sample cannot tell."},
		{"recall > 0.6", interval(0.49998, 0.59998, 0.69998), gate.Inconclusive, ""},
		{"k_anonymity >= 5", counted(2, 48842), gate.Fail, "k_anonymity is 2 (counted on 48,842 examples); the condition asks for at least 5."},
		{"model_bytes < 1e9", counted(12345678, 0), gate.Pass, "model_bytes is 12345678 (counted); the condition asks for less than 1e+09."},
		{"k_anonymity > 5", counted(5, 1), gate.Fail, "k_anonymity is 5 (counted on 1 example); the condition asks for more than 5."},
		{"recall > 0.6", undefined("no positive examples"), gate.Inconclusive,
			"recall has no value on this sample: no positive examples. Provide examples that give it one, or drop the condition."},
		{"recall > 0.6", interval(0.1, math.NaN(), 0.2), gate.Inconclusive,
			"recall has no value on this sample: its computation gave no number. Provide examples that give it one, or drop the condition."},
		{"log_loss < 1", interval(math.Inf(-1), 0.5, math.Inf(1)), gate.Inconclusive,
			"log_loss has no value on this sample: the sample sets no limit to its error. Provide examples that give it one, or drop the condition."},
	} {
		t.Run(c.condition, func(t *testing.T) {
			f := parse(t, c.condition)
			r := decideOne(t, c.condition, plan95, figures{f.Clauses[0].Expr.String(): c.m})
			require.Equal(t, c.verdict, r.Verdict, r.Reason)
			require.Equal(t, c.condition, r.Condition)
			if c.reason != "" {
				require.Equal(t, c.reason, r.Reason)
			}
			if r.Verdict == gate.Inconclusive {
				require.NotContains(t, r.Reason, "fail")
			}
		})
	}
}

func TestVerdictOfExpressions(t *testing.T) {
	source := figures{
		"n":                                     interval(0.88, 0.9, 0.92),
		"n - o":                                 interval(0.02, 0.03, 0.05),
		"o":                                     interval(0.86, 0.87, 0.89),
		"d":                                     interval(0.05, 0.08, 0.1),
		"k_anonymity":                           counted(7, 5000),
		"auc - old.auc":                         interval(-0.01, 0.01, 0.03),
		"recall[sex=Male]":                      interval(0.5, 0.6, 0.7),
		"recall[race=x]":                        interval(0.4, 0.5, 0.6),
		"n[sex=F] - o[sex=F]":                   interval(-0.1, 0, 0.1),
		"recall[sex=Female] - recall[sex=Male]": interval(-0.05, -0.02, 0.03),
	}
	for _, c := range []struct {
		condition string
		verdict   gate.Verdict
		low, high float64
		method    string
		units     []string
	}{
		{"n - o > 0.01", gate.Pass, 0.02, 0.05, stats.MethodWilson, []string{"n - o"}},
		{"o - n < -0.01", gate.Pass, -0.05, -0.02, stats.MethodWilson, []string{"n - o"}},
		{"n - 1.1*o > 0", gate.Fail, 0.02 - 0.089, 0.05 - 0.086, gate.MethodArithmetic, []string{"n - o", "o"}},
		{"2*n - o > 0.9", gate.Inconclusive, 0.9, 0.97, gate.MethodArithmetic, []string{"n - o", "n"}},
		{"n + d > 0.9", gate.Pass, 0.93, 1.02, gate.MethodArithmetic, []string{"n", "d"}},
		{"n - d > 0.9", gate.Fail, 0.78, 0.87, gate.MethodArithmetic, []string{"n", "d"}},
		{"n + n > 1.7", gate.Pass, 1.76, 1.84, stats.MethodWilson, []string{"n"}},
		{"n + o - n > 0.8", gate.Pass, 0.86, 0.89, stats.MethodWilson, []string{"o"}},
		{"k_anonymity - 2*n > 5", gate.Pass, 7 - 1.84, 7 - 1.76, gate.MethodArithmetic, []string{"k_anonymity", "n"}},
		{"2*k_anonymity > 13", gate.Pass, 14, 14, stats.MethodExact, []string{"k_anonymity"}},
		{"recall[sex=Female] - recall[sex=Male] > -0.1", gate.Pass, -0.05, 0.03, stats.MethodWilson, []string{"recall[sex=Female] - recall[sex=Male]"}},
		{"-recall[sex=Male] + recall[sex=Female] > -0.1", gate.Pass, -0.05, 0.03, stats.MethodWilson, []string{"recall[sex=Female] - recall[sex=Male]"}},
		{"recall[sex=Male] - recall[race=x] > -0.5", gate.Pass, -0.1, 0.3, gate.MethodArithmetic, []string{"recall[sex=Male]", "recall[race=x]"}},
		{"old.auc - auc < 0.02", gate.Pass, -0.03, 0.01, stats.MethodWilson, []string{"auc - old.auc"}},
		{"n[sex=F] - o[sex=F] > -0.2", gate.Pass, -0.1, 0.1, stats.MethodWilson, []string{"n[sex=F] - o[sex=F]"}},
	} {
		t.Run(c.condition, func(t *testing.T) {
			r := decideOne(t, c.condition, plan95, source)
			require.Equal(t, c.verdict, r.Verdict, r.Reason)
			require.InDelta(t, c.low, r.Estimate.Low, 1e-12)
			require.InDelta(t, c.high, r.Estimate.High, 1e-12)
			require.Equal(t, c.method, r.Estimate.Method)
			var units []string
			for _, u := range r.Units {
				units = append(units, u.Unit.String())
			}
			require.Equal(t, c.units, units)
		})
	}
}

func TestPairsAreMadeOfWhatIsComparable(t *testing.T) {
	for condition, want := range map[string][]string{
		"auc[sex=F] - auc[sex=M] > 0":                           {"auc[sex=F]", "auc[sex=M]"},                    // no share
		"recall[sex=F*race=x] - recall[race=y*sex=F] > 0":       {"recall[sex=F*race=x] - recall[race=y*sex=F]"}, // no row in common
		"recall[sex=F*race=x] - recall[sex=F] > 0":              {"recall[sex=F*race=x]", "recall[sex=F]"},       // rows in common
		"recall[sex=F] - old.recall[sex=M] > 0":                 {"recall[sex=F]", "old.recall[sex=M]"},          // neither rows nor model in common
		"recall(a) - recall(b) > 0":                             {"recall(a)", "recall(b)"},                      // other classes
		"n + o > 0":                                             {"n", "o"},                                      // a sum
		"n[a=1*b=2] - o[b=2*a=1] > 0":                           {"n[a=1*b=2] - o[b=2*a=1]"},                     // the same rows
		"n[s=1] - o[s=1] - n[s=2] + o[s=2] > 0":                 {"n[s=1] - o[s=1]", "n[s=2] - o[s=2]"},          // by model first
		"0.5*n[s=1] + 0.5*n[s=2] - n[s=3] > 0":                  {"n[s=1] - n[s=3]", "n[s=2] - n[s=3]"},          // one in two parts
		"0.1*n + 0.2*n - 0.3*o > 0":                             {"n - o"},                                       // nothing is left but rounding
		"demographic_parity_difference[sex] - d > 0":            {"demographic_parity_difference[sex]", "d"},
		"latency_p99_ms - old.latency_p99_ms < 0 and n - o > 0": {"latency_p99_ms - old.latency_p99_ms", "n - o"},
	} {
		var units []string
		_, err := gate.DecideAll(parseAll(t, condition), plan95, sourceFunc(func(u gate.Unit, tail float64) (gate.Measurement, error) {
			units = append(units, u.String())
			return interval(0, 0.1, 0.2), nil
		}))
		require.NoError(t, err)
		require.Equal(t, want, units, condition)
	}
}

func TestTolerances(t *testing.T) {
	source := figures{"n": interval(0.77, 0.8, 0.83), "n - o": interval(-0.02, 0, 0.02), "o": interval(0.78, 0.8, 0.82), "d": undefined("no rows")}
	r := decideOne(t, "n > 0.7 +/- 0.03", plan95, source)
	require.Equal(t, gate.Pass, r.Verdict)
	require.True(t, r.Powered)
	require.Zero(t, r.RowsNeeded)
	require.NotContains(t, r.Reason, "tolerance")

	r = decideOne(t, "n > 0.7 +/- 0.01", plan95, source)
	require.Equal(t, gate.Pass, r.Verdict, "an interval longer than asked for may still decide")
	require.False(t, r.Powered)
	require.Equal(t, 9000, r.RowsNeeded)
	require.Contains(t, r.Reason, "The interval is longer than the tolerance of 0.01 asks for; it would need about 9,000 rows.")

	r = decideOne(t, "n - 1.5*o > -0.405 +/- 0.01", plan95, source)
	require.Equal(t, gate.Inconclusive, r.Verdict)
	require.InDelta(t, -0.4, r.Estimate.Value, 1e-12)
	require.Equal(t, 9000, r.RowsNeeded, "all intervals shrink together: 0.02 and half of 0.02 are 0.03")
	require.InDelta(t, 36000, r.DecidedWith, 1)
	require.Contains(t, r.Reason, "About 36,000 rows would decide it, as met, if the estimate stays as it is.")

	silent := interval(0.77, 0.8, 0.83)
	silent.RowsFor = nil
	r = decideOne(t, "n > 0.79 +/- 0.01", plan95, figures{"n": silent})
	require.Zero(t, r.RowsNeeded)
	require.Zero(t, r.DecidedWith)
	require.Contains(t, r.Reason, "The interval is longer than the tolerance of 0.01 asks for.")

	r = decideOne(t, "d < 0.1 +/- 0.01", plan95, source)
	require.Equal(t, gate.Inconclusive, r.Verdict)
	require.False(t, r.Powered)
}

func TestVeryHighReliabilityIsToldByItsError(t *testing.T) {
	r := decideOne(t, "n > 0.7", gate.Plan{Reliability: 0.9999, Steps: 32, Adaptivity: gate.AdaptivityFull, Answers: 2}, figures{"n": interval(0.75, 0.8, 0.85)})
	require.Contains(t, r.Reason, "n is 0.800 (interval 0.750 to 0.850, missed with probability 2.33e-14 at each end, 1,000 examples)")
}

func TestConjunction(t *testing.T) {
	source := figures{"n": interval(0.7, 0.75, 0.8), "auc": interval(0.85, 0.9, 0.95), "f1": undefined("no rows")}
	pass, fail, doubt := "n > 0.5", "auc < 0.5", "f1 > 0.5"
	for _, c := range []struct {
		conditions []string
		want       gate.Verdict
	}{
		{nil, gate.Pass},
		{[]string{pass, pass}, gate.Pass},
		{[]string{pass, doubt}, gate.Inconclusive},
		{[]string{doubt, fail, pass}, gate.Fail},
		{[]string{pass + " and " + doubt + " and " + fail}, gate.Fail},
		{[]string{pass + " /\\ " + doubt, pass}, gate.Inconclusive},
	} {
		d, err := gate.DecideAll(parseAll(t, c.conditions...), plan95, source)
		require.NoError(t, err)
		require.Equal(t, c.want, d.Verdict)
		require.NotNil(t, d.Results)
	}

	joint := "n > 0.5 and auc < 0.5"
	d, err := gate.DecideAll(parseAll(t, joint, "n > 0.6"), plan95, source)
	require.NoError(t, err)
	require.Len(t, d.Results, 3)
	require.Equal(t, "n > 0.5", d.Results[0].Condition)
	require.Equal(t, joint, d.Results[0].Formula)
	require.Equal(t, "auc < 0.5", d.Results[1].Condition)
	require.Equal(t, "n > 0.6", d.Results[2].Condition)
	require.Empty(t, d.Results[2].Formula)
}

func TestWhatCannotBeMeasuredIsAnErrorNamingEveryCondition(t *testing.T) {
	lost := errors.New("lost")
	source := sourceFunc(func(u gate.Unit, _ float64) (gate.Measurement, error) {
		if u.Quantity.Metric == "auc" {
			return interval(0.1, 0.2, 0.3), nil
		}
		return gate.Measurement{}, lost
	})
	d, err := gate.DecideAll(parseAll(t, "n > 0.1", "auc > 0.1 and f1 > 0.5"), plan95, source)
	require.ErrorIs(t, err, lost)
	require.ErrorContains(t, err, `decide condition "n > 0.1": lost`)
	require.ErrorContains(t, err, `decide condition "f1 > 0.5": lost`)
	require.NotContains(t, err.Error(), "auc")
	require.Empty(t, d.Verdict)
}

func TestWithoutChampionComparisonsAreSkipped(t *testing.T) {
	source := sourceFunc(func(u gate.Unit, tail float64) (gate.Measurement, error) {
		if u.Quantity.Compares() || u.Minus != nil {
			return gate.Measurement{}, fmt.Errorf("measure %s: %w", u, gate.ErrNoChampion)
		}
		return figures{"n": interval(0.7, 0.75, 0.8)}.Measure(u, tail)
	})
	d, err := gate.DecideAll(parseAll(t, "n - o > 0.02", "d < 0.1 and n > 0.5", "n - 1.1*o > 0"), plan95, source)
	require.NoError(t, err)
	require.Equal(t, gate.Pass, d.Verdict)
	for i, skipped := range []bool{true, true, false, true} {
		r := d.Results[i]
		require.Equal(t, skipped, r.Skipped, r.Condition)
		require.Equal(t, gate.Pass, r.Verdict)
		if skipped {
			require.Equal(t, "Skipped, and counted as met: the condition compares with the champion, and no version serves yet.", r.Reason)
			require.False(t, r.Estimate.Defined())
			require.Empty(t, r.Units)
			require.Zero(t, r.Delta)
		}
	}
	require.Equal(t, 4, d.Split.Clauses, "the division does not depend on the champion")

	d, err = gate.DecideAll(parseAll(t, "n - o > 0.02", "n > 0.9"), plan95, source)
	require.NoError(t, err)
	require.Equal(t, gate.Fail, d.Verdict, "what is skipped makes nothing else pass")
}

func TestSettlingWhatTheSampleLeavesOpen(t *testing.T) {
	for _, c := range []struct {
		verdict gate.Verdict
		policy  gate.Policy
		want    gate.Verdict
		says    string
	}{
		{gate.Pass, gate.CountAsFail, gate.Pass, ""},
		{gate.Fail, gate.CountAsPass, gate.Fail, ""},
		{gate.Inconclusive, gate.CountAsPass, gate.Pass, "fn-free"},
		{gate.Inconclusive, gate.CountAsFail, gate.Fail, "fp-free"},
		{gate.Inconclusive, gate.AskPeople, gate.Inconclusive, "question"},
		{gate.Inconclusive, "", gate.Inconclusive, "question"},
	} {
		got, sentence := gate.Settle(c.verdict, c.policy)
		require.Equal(t, c.want, got)
		require.Contains(t, sentence, c.says)
		require.Equal(t, c.says == "", sentence == "")
	}
	require.Equal(t, 2, gate.CountAsPass.Answers())
	require.Equal(t, 2, gate.CountAsFail.Answers())
	require.Equal(t, 3, gate.AskPeople.Answers())

	source := figures{"n": interval(0.7, 0.75, 0.8), "auc": interval(0.4, 0.5, 0.6)}
	for policy, want := range map[gate.Policy]gate.Verdict{gate.CountAsPass: gate.Pass, gate.CountAsFail: gate.Fail, gate.AskPeople: gate.Inconclusive} {
		d, err := gate.DecideAll(parseAll(t, "n > 0.5", "auc > 0.5"), plan95, source)
		require.NoError(t, err)
		d.Settle(policy)
		require.Equal(t, gate.Inconclusive, d.Verdict, "the verdict itself stays as it was")
		require.Equal(t, want, d.Settled)
		require.Equal(t, policy, d.Policy)
		require.Empty(t, d.Results[0].Settled)
		require.Equal(t, want, d.Results[1].Settled)
		require.NotEmpty(t, d.Sentence)
	}
}

func TestDecisionJSON(t *testing.T) {
	d, err := gate.DecideAll(parseAll(t, "n - o > 0.02 +/- 0.01 and k_anonymity > 5"), plan95, figures{"n - o": interval(0.01, 0.03, 0.05), "k_anonymity": counted(7, 100)})
	require.NoError(t, err)
	d.Settle(gate.AskPeople)
	content, err := json.Marshal(d)
	require.NoError(t, err)
	var back gate.Decision
	require.NoError(t, json.Unmarshal(content, &back))
	for i := range d.Results {
		for j := range d.Results[i].Units {
			d.Results[i].Units[j].Measurement.RowsFor = nil
		}
	}
	require.Equal(t, d, back)
	require.Contains(t, string(content), `"delta":0.05`)
	require.Contains(t, string(content), `"decided_with":4000`)
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

// Whatever the intervals and coefficients: as long as every interval holds its true value, no pass or fail is wrong.
func TestNoVerdictIsWrongWhileIntervalsHoldTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		truth := map[string]float64{}
		measured := figures{}
		for _, name := range []string{"n", "o", "n - o", "auc", "d"} {
			value := rapid.Float64Range(0, 1).Draw(t, name)
			truth[name] = value
			below, above := rapid.Float64Range(0, 0.5).Draw(t, "below"), rapid.Float64Range(0, 0.5).Draw(t, "above")
			measured[name] = interval(value-below, value, value+above)
		}
		truth["n - o"] = truth["n"] - truth["o"]
		m := measured["n - o"]
		m.Low, m.High = truth["n - o"]-0.1, truth["n - o"]+0.1
		measured["n - o"] = m

		var e gate.Expr
		want := 0.0
		for _, name := range []string{"n", "o", "auc", "d"} {
			c := rapid.Float64Range(-3, 3).Draw(t, "coefficient of "+name)
			if c == 0 {
				continue
			}
			q := parseQuantity(name)
			e = append(e, gate.Term{Coefficient: c, Quantity: q})
			want += c * truth[name]
		}
		if len(e) == 0 {
			return
		}
		op := rapid.SampledFrom([]gate.Op{gate.Less, gate.LessOrEqual, gate.Greater, gate.GreaterOrEqual}).Draw(t, "op")
		bound := want + rapid.Float64Range(-1, 1).Draw(t, "distance")
		f := gate.Formula{Clauses: []gate.Clause{{Expr: e, Op: op, Bound: bound}}}
		d, err := gate.DecideAll([]gate.Formula{f}, plan95, measured)
		require.NoError(t, err)
		if math.Abs(bound-want) < 1e-9 {
			return
		}
		switch d.Verdict {
		case gate.Pass:
			require.True(t, op.Holds(want, bound))
		case gate.Fail:
			require.False(t, op.Holds(want, bound))
		}
	})
}

func parseQuantity(name string) gate.Quantity {
	f, err := gate.Parse(name + " > 0.5")
	if err != nil {
		panic(err)
	}
	return f.Clauses[0].Expr[0].Quantity
}

func BenchmarkParseAndDecide1000Conditions(b *testing.B) {
	source := sourceFunc(func(u gate.Unit, tail float64) (gate.Measurement, error) {
		return gate.Measurement{Estimate: stats.Estimate{Value: 0.5, Low: 0.4, High: 0.6, N: 1000}, Tail: tail}, nil
	})
	var texts []string
	for i := range 1000 {
		texts = append(texts, fmt.Sprintf("recall[sex=Female*age=%d] - 1.1*old.recall[sex=Female*age=%d] > 0.02 +/- 0.01 /\\ d < 0.1 +/- 0.01", i, i))
	}
	for b.Loop() {
		formulas := make([]gate.Formula, 0, len(texts))
		for _, text := range texts {
			f, err := gate.Parse(text)
			require.NoError(b, err)
			formulas = append(formulas, f)
		}
		_, err := gate.DecideAll(formulas, plan95, source)
		require.NoError(b, err)
	}
}
