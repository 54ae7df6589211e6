package activities

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/chain"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/ledger"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
	"github.com/prometheus/client_golang/prometheus"
)

// NewTestSetAlarms counts refusals because a new test set is needed, registered with r.
func NewTestSetAlarms(r prometheus.Registerer) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "assay_test_set_alarms_total", Help: "Decisions refused because the model's test set is used up, has passed a candidate or was invalidated."}, []string{"model"})
	r.MustRegister(c)
	return c
}

// testSet is the budget that one decision takes a step from.
type testSet struct {
	model string
	parts table.Prepared
	rules ledger.Rules
	key   artifact.StageKey
	in    stage.GateInput
}

func (a *Audit) testSet(ctx context.Context, s *spec.Spec, key artifact.StageKey, in stage.GateInput) (*testSet, error) {
	set := &testSet{model: s.Model, key: key, in: in, rules: ledger.Rules{
		Adaptivity: ledger.Adaptivity(s.Gates.TestSet.Adaptivity), Steps: s.Gates.TestSet.Steps, Reliability: s.Gates.StatedReliability(), Answers: gate.Policy(s.Gates.Inconclusive).Answers(),
	}}
	return set, artifact.ReadJSON(ctx, a.Store, in.Prepared, &set.parts)
}

// take takes the decision's step, once, and puts it on the model's record. The chain says how many steps were taken, so that
// a ledger that was deleted or put back is found out.
func (t testSet) take(ctx context.Context, a *Audit) (ledger.Taken, error) {
	recorded, err := t.recorded(ctx, a.Store)
	if err != nil {
		return ledger.Taken{}, err
	}
	taken, err := ledger.Take(ctx, a.Store, ledger.Request{
		Model: t.model, Data: t.parts.Test, Rows: t.parts.Rows.Test, Rules: t.rules, Recorded: recorded,
		Use: ledger.Use{Key: t.key.Hex(), Lifecycle: t.in.Lifecycle, Requester: t.in.Requester, Time: t.in.Now},
	})
	if err != nil {
		return taken, err
	}
	digest := t.parts.Test.Digest
	_, err = chain.Append(ctx, a.Store, a.Signer, t.model, chain.Event{
		Key: "test-set/" + digest.Hex() + "/" + t.key.Hex(), Type: stage.EventTestSet, Time: t.in.Now, Actor: t.in.Lifecycle,
		Subjects: []chain.Subject{{Name: "test-set", Digest: digest}},
		Detail:   map[string]string{"step": strconv.Itoa(taken.Step), "of": strconv.Itoa(t.rules.Steps), "adaptivity": string(t.rules.Adaptivity)},
	})
	return taken, err
}

// recorded counts the steps of the set on the model's chain.
func (t testSet) recorded(ctx context.Context, s artifact.Store) (int, error) {
	entries, err := chain.Read(ctx, s, t.model)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, e := range entries {
		if e.Event.Type == stage.EventTestSet && e.Event.Subjects[0].Digest == t.parts.Test.Digest {
			n++
		}
	}
	return n, nil
}

// count settles the step with the verdict, and seals of the answer what is for some roles only.
func (t testSet) count(ctx context.Context, a *Audit, s *spec.Spec, gated stage.Gated) (stage.Gated, error) {
	if gated.Verdict == gate.Inconclusive && t.rules.Answers == 2 {
		gated.Verdict = gate.Verdict(s.Gates.Inconclusive) // a third answer would tell the requester more than the plan allows for
	}
	digest := t.parts.Test.Digest
	if err := ledger.Settle(ctx, a.Store, t.model, digest, t.key.Hex(), gated.Verdict, t.in.Now); err != nil {
		return stage.Gated{}, err
	}
	set, err := ledger.Find(ctx, a.Store, t.model, digest)
	if err != nil {
		return stage.Gated{}, err
	}
	for _, use := range set.Uses {
		if use.Key == t.key.Hex() {
			gated.Step = use.Step
		}
	}
	gated.Counted, gated.Left = true, set.Left()
	said := string(gated.Verdict)
	if t.rules.Adaptivity == ledger.None {
		gated.Sealed, gated.Verdict, said = true, "", "decided"
	}
	gated.Summary = sealing(s, fmt.Sprintf("%s, step %d of %d of the test set", said, gated.Step, t.rules.Steps))
	return gated, nil
}

// alarm turns the refusal of a test set that has ended into an answer: nothing was decided, and people are told.
func (a *Audit) alarm(model string, err error) (stage.Gated, bool) {
	var ended *ledger.EndedError
	if !errors.As(err, &ended) {
		return stage.Gated{}, false
	}
	a.Alarms.WithLabelValues(model).Inc()
	return stage.Gated{Answer: stage.Answer{Summary: ended.Error()}, Alarm: ended.Error(), Counted: true}, true
}

// sealing is a sentence in the place of figures, when these are for some roles only.
func sealing(s *spec.Spec, what string) string {
	return fmt.Sprintf("%s; figures are shown to %s", what, strings.Join(s.Gates.TestSet.ShowTo, ", "))
}
