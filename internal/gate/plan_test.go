package gate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/gate"
)

func TestPlanRefusals(t *testing.T) {
	good := gate.Plan{Reliability: 0.999, Steps: 32, Adaptivity: gate.AdaptivityFull, Answers: 2}
	require.NoError(t, good.Validate())
	require.NoError(t, gate.Plan{Reliability: 0.95}.Validate(), "one decision, nothing told")
	for _, c := range []struct {
		change  func(p *gate.Plan)
		message string
	}{
		{func(p *gate.Plan) { p.Reliability = 0 }, "reliability 0; expected a number above 0 and below 1, such as 0.999"},
		{func(p *gate.Plan) { p.Reliability = 1 }, "reliability 1; expected"},
		{func(p *gate.Plan) { p.Reliability = -0.5 }, "reliability -0.5; expected"},
		{func(p *gate.Plan) { p.Reliability = 99.9 }, "reliability 99.9; expected"},
		{func(p *gate.Plan) { p.Reliability = math.NaN() }, "reliability NaN; expected"},
		{func(p *gate.Plan) { p.Steps = -1 }, "-1 steps; expected 1 to 10000"},
		{func(p *gate.Plan) { p.Steps = 10_001 }, "10001 steps; expected 1 to 10000"},
		{func(p *gate.Plan) { p.Adaptivity = "partial" }, `adaptivity "partial"; expected none, firstChange or full`},
		{func(p *gate.Plan) { p.Answers = 1 }, "1 answers; expected 2 (pass, fail) or 3 (inconclusive as well)"},
		{func(p *gate.Plan) { p.Answers = 4 }, "4 answers; expected"},
	} {
		p := good
		c.change(&p)
		require.ErrorContains(t, p.Validate(), c.message)
		_, err := gate.DecideAll(parseAll(t, "n > 0.5"), p, figures{})
		require.ErrorContains(t, err, "plan of the decisions: "+c.message)
		_, err = gate.Estimate(parseAll(t, "n > 0.5"), p, gate.EstimateOptions{})
		require.ErrorContains(t, err, c.message)
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		plan                               gate.Plan
		conditions                         []string
		clauses                            int
		delta, perStep, perClause, perUnit float64
	}{
		{gate.Plan{Reliability: 0.95}, nil, 0, 0.05, 0.05, 0, 0},
		{gate.Plan{Reliability: 0.95}, []string{"k_anonymity > 5", "model_bytes < 10 and train_cpu_seconds < 5"}, 0, 0.05, 0.05, 0, 0},
		{gate.Plan{Reliability: 0.95}, []string{"n > 0.5"}, 1, 0.05, 0.05, 0.05, 0.05},
		{gate.Plan{Reliability: 0.999}, []string{"n > 0.5", "k_anonymity > 5", "auc > 0.5 and d < 0.1"}, 3, 0.001, 0.001, 0.001 / 3, 0.001 / 3},
		{gate.Plan{Reliability: 0.999}, []string{"n - o > 0", "latency_p99_ms < 30"}, 2, 0.001, 0.001, 0.0005, 0.0005},
		{gate.Plan{Reliability: 0.999}, []string{"n - 1.1*o > 0", "n + auc + f1 > 2"}, 2, 0.001, 0.001, 0.0005, 0.0005 / 3},
		{gate.Plan{Reliability: 0.99, Steps: 32}, []string{"n > 0.5"}, 1, 0.01, 0.01 / 32, 0.01 / 32, 0.01 / 32},
		{gate.Plan{Reliability: 0.99, Steps: 32, Adaptivity: gate.AdaptivityFirstChange}, []string{"n > 0.5"}, 1, 0.01, 0.01 / 32, 0.01 / 32, 0.01 / 32},
		{gate.Plan{Reliability: 0.99, Steps: 3, Adaptivity: gate.AdaptivityFull, Answers: 2}, []string{"n > 0.5", "d < 0.1"}, 2, 0.01, 0.01 / 8, 0.01 / 16, 0.01 / 16},
		{gate.Plan{Reliability: 0.99, Steps: 3, Adaptivity: gate.AdaptivityFull, Answers: 3}, []string{"n > 0.5"}, 1, 0.01, 0.01 / 27, 0.01 / 27, 0.01 / 27},
		{gate.Plan{Reliability: 0.99, Steps: 3, Adaptivity: gate.AdaptivityFull}, []string{"n > 0.5"}, 1, 0.01, 0.01 / 27, 0.01 / 27, 0.01 / 27},
	} {
		s, err := c.plan.Split(parseAll(t, c.conditions...))
		require.NoError(t, err)
		require.Equal(t, c.delta, s.Delta, "without the noise of 1 - 0.999")
		require.Equal(t, c.clauses, s.Clauses)
		require.InEpsilon(t, c.perStep, s.PerStep, 1e-12)
		require.InDelta(t, c.perClause, s.PerClause, 1e-12*c.delta)
		require.InDelta(t, c.perUnit, s.PerUnit, 1e-12*c.delta)
	}
}

func TestEveryUnitIsMeasuredAtItsPart(t *testing.T) {
	tails := map[string]float64{}
	source := sourceFunc(func(u gate.Unit, tail float64) (gate.Measurement, error) {
		tails[u.String()] = tail
		if u.Quantity.Metric == "k_anonymity" {
			m := counted(7, 100)
			m.Tail = tail // not left to chance, whatever a source says
			return m, nil
		}
		m := interval(0.4, 0.5, 0.6)
		m.Tail = tail
		return m, nil
	})
	d, err := gate.DecideAll(parseAll(t, "n - 1.1*o > 0 and k_anonymity > 5", "n + k_anonymity > 5", "auc > 0.1"), gate.Plan{Reliability: 0.97}, source)
	require.NoError(t, err)
	require.Equal(t, 3, d.Split.Clauses)
	require.InEpsilon(t, 0.005, tails["n - o"], 1e-12)
	require.InEpsilon(t, 0.005, tails["o"], 1e-12)
	require.InEpsilon(t, 0.01, tails["n"], 1e-12)
	require.InEpsilon(t, 0.01, tails["auc"], 1e-12)
	require.Greater(t, tails["k_anonymity"], 0.0)
	require.Less(t, tails["k_anonymity"], 0.5)
	for i, delta := range []float64{0.01, 0, 0.01, 0.01} {
		require.InDelta(t, delta, d.Results[i].Delta, 1e-15, d.Results[i].Condition)
	}
	require.InDelta(t, 0.98, d.Results[0].Estimate.Level, 1e-12)
}

func TestLittleReliabilityStillGivesIntervals(t *testing.T) {
	d, err := gate.DecideAll(parseAll(t, "n > 0.5"), gate.Plan{Reliability: 0.01}, sourceFunc(func(_ gate.Unit, tail float64) (gate.Measurement, error) {
		require.Less(t, tail, 0.5)
		return interval(0.6, 0.7, 0.8), nil
	}))
	require.NoError(t, err)
	require.Equal(t, gate.Pass, d.Verdict)
}

func TestTooManyStepsForNumbersAreRefused(t *testing.T) {
	p := gate.Plan{Reliability: 0.999, Steps: 10_000, Adaptivity: gate.AdaptivityFull, Answers: 2}
	_, err := p.Split(parseAll(t, "n > 0.5"))
	require.ErrorContains(t, err, "10000 steps with adaptivity full and 2 answers leave an error probability below 1e-300 to each interval; expected fewer steps, or adaptivity firstChange")
	_, err = p.Split(parseAll(t, "k_anonymity > 5"))
	require.NoError(t, err, "nothing is left to chance")
	p.Adaptivity = gate.AdaptivityFirstChange
	_, err = p.Split(parseAll(t, "n > 0.5"))
	require.NoError(t, err)
}

func TestSplitIsShown(t *testing.T) {
	s, err := gate.Plan{Reliability: 0.99, Steps: 3, Adaptivity: gate.AdaptivityFull, Answers: 2}.Split(parseAll(t, "n - 1.1*o > 0", "auc > 0.5"))
	require.NoError(t, err)
	require.Equal(t, "reliability 0.99 leaves 0.01 to chance; 0.00125 for each of 3 decisions (adaptivity full, 2 answers); 0.000625 for each of 2 clauses; at least 0.000313 for each interval", s.String())
	s, err = gate.Plan{Reliability: 0.95}.Split(parseAll(t, "k_anonymity > 5"))
	require.NoError(t, err)
	require.Equal(t, "reliability 0.95 leaves 0.05 to chance; no condition needs any of it", s.String())
}

func TestNeeds(t *testing.T) {
	needs, err := gate.Plan{Reliability: 0.96}.Needs(parseAll(t, "n - 1.1*o > 0 +/- 0.11 and k_anonymity > 5", "2*auc + k_anonymity > 1"))
	require.NoError(t, err)
	require.Len(t, needs, 3)
	for i, want := range []struct {
		unit            string
		tail, halfWidth float64
	}{{"n - o", 0.01, 0.1}, {"o", 0.01, 0.1}, {"auc", 0.02, 0}} {
		require.Equal(t, want.unit, needs[i].Unit.String())
		require.InEpsilon(t, want.tail, needs[i].Tail, 1e-9)
		require.InDelta(t, want.halfWidth, needs[i].HalfWidth, 1e-9)
	}
	_, err = gate.Plan{}.Needs(nil)
	require.ErrorContains(t, err, "reliability 0")
}

// A sum of many terms is understood as one of few.
func TestManyTermsCombineAsFew(t *testing.T) {
	var many []string
	for range 20 {
		many = append(many, "0.1*recall[a=1*b=2]", "0.1*recall[b=2*a=1]", "auc", "-auc")
	}
	text := strings.ReplaceAll(strings.Join(many, " + "), "+ -", "- ") + " > 2"
	r := decideOne(t, text, plan95, figures{"recall[a=1*b=2]": interval(0.6, 0.7, 0.8)})
	require.Len(t, r.Units, 1)
	require.InDelta(t, 4, r.Units[0].Coefficient, 1e-12)
	require.Equal(t, gate.Pass, r.Verdict)
}

// In worlds just on the wrong side of the bounds, verdicts are wrong no more often than the reliability allows for.
func TestWrongVerdictsAreAsRareAsTheReliabilitySays(t *testing.T) {
	const (
		worlds, rows = 600, 300
		reliability  = 0.9
	)
	source := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		conditions          string
		newOnly, both, only float64 // shares of rows: the new model alone right, both right, the old one alone right
		wrong               gate.Verdict
	}{
		{"n > 0.8", 0.05, 0.75, 0.05, gate.Pass},
		{"n >= 0.8", 0.05, 0.75, 0.05, gate.Fail},
		{"n - o > 0", 0.05, 0.8, 0.05, gate.Pass},
		{"n - o >= 0 and d <= 0.1 and n >= 0.85", 0.05, 0.8, 0.05, gate.Fail},
	} {
		wrong := 0
		for range worlds {
			var counts [3]int
			for range rows {
				switch u := source.Float64(); {
				case u < c.newOnly:
					counts[0]++
				case u < c.newOnly+c.both:
					counts[1]++
				case u < c.newOnly+c.both+c.only:
					counts[2]++
				}
			}
			newRight, oldRight, differ := counts[0]+counts[1], counts[1]+counts[2], counts[0]+counts[2]
			d, err := gate.DecideAll(parseAll(t, c.conditions), gate.Plan{Reliability: reliability}, gate.Counts{
				Rows: rows, NewRight: &newRight, OldRight: &oldRight, Differ: &differ, NewOnlyRight: &counts[0], OldOnlyRight: &counts[2],
			})
			require.NoError(t, err)
			if d.Verdict == c.wrong {
				wrong++
			}
		}
		// Three standard deviations above the rate allowed for.
		allowed := worlds * (1 - reliability)
		require.LessOrEqual(t, float64(wrong), allowed+3*math.Sqrt(allowed*reliability), fmt.Sprintf("%s: %d of %d", c.conditions, wrong, worlds))
	}
}
