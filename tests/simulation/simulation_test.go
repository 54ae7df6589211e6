package simulation

import (
	"testing"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/stretchr/testify/require"
)

// A wrong verdict is most likely where the truth lies at the bound itself, where "more than" does not hold.
func TestVerdictsAreWrongAtMostAsOftenAsStated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		conditions []string
		truth      Truth
		rows       int
	}{
		{"one share at the bound", []string{"n > 0.8 +/- 0.02"}, Truth{Both: 0.75, NewOnly: 0.05, OldOnly: 0.05}, 2000},
		{"one share just above it", []string{"n > 0.8 +/- 0.02"}, Truth{Both: 0.75, NewOnly: 0.0501, OldOnly: 0.05}, 2000},
		{"a rare share", []string{"d < 0.01 +/- 0.005"}, Truth{Both: 0.9, NewOnly: 0.005, OldOnly: 0.005}, 500},
		{"a difference at the bound", []string{"n - o > 0.02 +/- 0.01"}, Truth{Both: 0.85, NewOnly: 0.04, OldOnly: 0.02}, 2000},
		{"a difference of models that seldom differ", []string{"n - o > 0 +/- 0.005"}, Truth{Both: 0.9, NewOnly: 0.002, OldOnly: 0.002}, 1000},
		{"a difference in a small sample", []string{"n - o > 0 +/- 0.1"}, Truth{Both: 0.7, NewOnly: 0.1, OldOnly: 0.1}, 50},
		{"several conditions at their bounds", []string{"n > 0.8 +/- 0.02", `n - o > 0 +/- 0.02 /\ d < 0.1 +/- 0.02`}, Truth{Both: 0.75, NewOnly: 0.05, OldOnly: 0.05}, 2000},
		{"a scaled difference", []string{"n - 1.1*o > -0.05 +/- 0.02"}, Truth{Both: 0.45, NewOnly: 0.05, OldOnly: 0.05}, 2000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wrong, decided, err := Wrong(c.conditions, gate.Plan{Reliability: 0.9}, c.truth, c.rows, 1500, 7)
			require.NoError(t, err)
			t.Logf("wrong in %d of %d worlds (%.4f), stated at most 0.1; decided in %.3f", wrong.Times, wrong.Worlds, wrong.Value(), decided.Value())
			require.True(t, wrong.Within(0.1), "wrong in %d of %d worlds", wrong.Times, wrong.Worlds)
		})
	}
}

// A gate that never decides is never wrong: with the rows that Estimate asks for, a truth beyond twice the tolerance is decided.
func TestTheEstimatedSampleDecides(t *testing.T) {
	t.Parallel()
	const condition = "n - o > 0.02 +/- 0.01"
	f, err := gate.Parse(condition)
	require.NoError(t, err)
	plan := gate.Plan{Reliability: 0.99}
	truth := Truth{Both: 0.84, NewOnly: 0.07, OldOnly: 0.03} // n - o is 0.04, d is 0.1
	need, err := gate.Estimate([]gate.Formula{f}, plan, gate.EstimateOptions{Disagreement: 0.1})
	require.NoError(t, err)
	wrong, decided, err := Wrong([]string{condition}, plan, truth, need.Rows, 1000, 11)
	require.NoError(t, err)
	require.Zero(t, wrong.Times)
	require.Greater(t, decided.Value(), 0.99)

	baseline, err := gate.Estimate([]gate.Formula{f}, plan, gate.EstimateOptions{})
	require.NoError(t, err)
	t.Logf("%d rows where the models differ on a tenth of them, %d by the bound that allows for everything", need.Rows, baseline.Rows)
	require.Less(t, need.Rows*5, baseline.Rows)
}

func TestAnAdversaryWhoUsesTheAnswersIsHeldToTheStatedRate(t *testing.T) {
	t.Parallel()
	const condition, rows, steps, worlds = "n > 0.5 +/- 0.05", 1000, 32, 1500
	rule := func(p gate.Plan) Rule {
		r, err := GateRule(condition, p)
		require.NoError(t, err)
		return r
	}
	const reliability, last = 0.9, steps - 1
	full := Fooled(rule(gate.Plan{Reliability: reliability, Steps: steps, Adaptivity: gate.AdaptivityFull}), rows, steps, worlds, 3)[last]
	naive := Fooled(NaiveRule(0.5), rows, steps, worlds, 3)[last]
	once := Fooled(rule(gate.Plan{Reliability: reliability, Steps: 1}), rows, steps, worlds, 3)[last]
	t.Logf("fooled: naive 95 %% intervals %.3f, one step's interval used for all %.3f, full adaptivity %.4f, stated at most %.2f", naive.Value(), once.Value(), full.Value(), 1-reliability)
	require.True(t, full.Within(1-reliability))
	require.Greater(t, naive.Value(), 0.5, "the attack works against a gate that does not count uses, or this proves nothing")
	require.Greater(t, once.Value(), 0.5)
	require.Greater(t, Fooled(PointRule(0.5), rows, 3, worlds, 3)[2].Value(), 0.8)
}
