//go:build crash

package crash_test

import (
	"testing"

	"github.com/assay-ml/assay/internal/ledger"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/require"
)

// counted makes the test set a budget of 32 decisions.
var counted = append([]string{"gates.test_set={adaptivity: full, steps: 32}", "gates.reliability=0.99"}, small...)

// A decision takes one step of its test set, however often the worker is killed while it evaluates and decides: before the
// step is in the ledger, with the step taken and nothing decided, and with the verdict stored and not yet noted.
func TestKillsDuringADecisionTakeOneStep(t *testing.T) {
	s := newStack(t)
	l := s.begin(specFile, "life", counted...)
	const steps = "ledgers/test-set/credit/*.json"
	hits := 0
	for _, p := range []point{
		{
			name: "evaluating, before any step is taken", look: onServer, workflow: l.lifecycle, activity: stage.ActivityEvaluate,
			now: func() bool {
				return l.taken(l.lifecycle, stage.ActivityEvaluate) != nil || l.answered(stage.Evaluate)
			},
		},
		{
			name: "deciding, with the step just taken", look: onStore, workflow: l.lifecycle, activity: stage.ActivityGate,
			now: func() bool { return l.has(steps) },
		},
		{
			name: "deciding, with the verdict just stored", look: onStore, workflow: l.lifecycle, activity: stage.ActivityGate,
			now: func() bool { return l.answered(stage.Gate) },
		},
	} {
		if l.strike(p) {
			hits++
		}
	}
	l.underReview()
	require.GreaterOrEqual(t, hits, 1, "no kill fell into an activity: the test has proved nothing")
	sets, err := ledger.List(t.Context(), l.store, l.model)
	require.NoError(t, err)
	require.Len(t, sets, 1)
	require.Len(t, sets[0].Uses, 1, "one decision takes one step")
	require.NotEmpty(t, sets[0].Uses[0].Verdict)
	require.Equal(t, 31, sets[0].Left())
	l.approve("rob", "risk")
	require.Equal(t, workflows.Deployed, s.result(l.lifecycle).Outcome)
	recorded := 0
	for _, e := range l.requireChain() {
		if e.Event.Type == stage.EventTestSet {
			recorded++
		}
	}
	require.Equal(t, 1, recorded, "and is on record once")
	t.Logf("%d of 3 kills fell into an activity", hits)
	s.stop()
}
