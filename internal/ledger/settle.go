package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/registry"
)

// Settle records the verdict of the decision key with its use. The verdict is the answer that counts: under rules with
// two answers it is pass or fail, whatever the spec lets an inconclusive one count as.
//
// An answer other than fail under the adaptivity firstChange ends the set; so does the verdict after which all steps are taken and settled.
// Settling again with the same verdict changes nothing; with another verdict it is a *SettledError. A decision without a
// step, or a set without a ledger, gives an error that wraps artifact.ErrNotFound.
func Settle(ctx context.Context, s artifact.Store, model string, testSet artifact.Digest, key string, v gate.Verdict, at time.Time) error {
	err := checkSettle(model, testSet, key, at)
	if err == nil {
		err = ledger(s, model, testSet).Change(ctx, func(t TestSet, found bool) (TestSet, bool, error) {
			if !found {
				return t, false, noLedger(s, model, testSet)
			}
			write, err := t.settle(key, v, at)
			return t, write, err
		})
	}
	if err != nil && !errors.As(err, new(*SettledError)) {
		err = fmt.Errorf("settle a use of test set %s of model %q: %w", testSet.Short(), model, err)
	}
	return err
}

func checkSettle(model string, testSet artifact.Digest, key string, at time.Time) error {
	if err := checkSet(model, testSet); err != nil {
		return err
	}
	if err := checkKey(key); err != nil {
		return err
	}
	return checkTime(at)
}

func checkSet(model string, testSet artifact.Digest) error {
	if err := registry.CheckName(model); err != nil {
		return err
	}
	if testSet.IsZero() {
		return errors.New("no test set is named; expected its digest")
	}
	return nil
}

func noLedger(s artifact.Store, model string, testSet artifact.Digest) error {
	return fmt.Errorf("ledger %q in store %q: %w; expected a step to be taken first", Name(model, testSet), s, artifact.ErrNotFound)
}

func (r Rules) checkVerdict(v gate.Verdict) error {
	if v == gate.Pass || v == gate.Fail || v == gate.Inconclusive && r.Answers == 3 {
		return nil
	}
	if r.Answers == 3 {
		return fmt.Errorf("verdict %q: expected pass, fail or inconclusive", v)
	}
	return fmt.Errorf("verdict %q: expected pass or fail, because the test set was opened for two answers", v)
}

// settle reports whether anything changed.
func (t *TestSet) settle(key string, v gate.Verdict, at time.Time) (bool, error) {
	if err := t.Rules.checkVerdict(v); err != nil {
		return false, err
	}
	i := t.find(key)
	if i < 0 {
		return false, fmt.Errorf("decision %.12s: %w: none of its %d uses has this key; expected a step to be taken first", key, artifact.ErrNotFound, len(t.Uses))
	}
	use := &t.Uses[i]
	if use.Verdict == v {
		return false, nil
	}
	if use.Verdict != "" {
		return false, &SettledError{Model: t.Model, TestSet: t.TestSet, Use: *use, Standing: use.Verdict, Asked: v}
	}
	use.Verdict = v
	switch {
	case t.State == Ended: // by a use that was settled first, or an alarm
	case v != gate.Fail && t.Rules.Adaptivity == FirstChange:
		t.change(*use, at)
	case len(t.Uses) == t.Rules.Steps && t.settled():
		t.exhaust(at)
	}
	return true, nil
}

// change ends a set under the adaptivity firstChange with the first answer that is not fail. Until then every requester has
// heard the same, so that the candidates do not depend on the answers; after any other answer they could.
func (t *TestSet) change(u Use, at time.Time) {
	if u.Verdict == gate.Pass {
		t.end(Passed, fmt.Sprintf("The candidate of %s passed at step %d, and the adaptivity is firstChange.", u.Lifecycle, u.Step), at)
		return
	}
	t.end(Undecided, fmt.Sprintf("The candidate of %s was not refused at step %d, and the adaptivity is firstChange.", u.Lifecycle, u.Step), at)
}

func (t TestSet) settled() bool {
	for _, u := range t.Uses {
		if u.Verdict == "" {
			return false
		}
	}
	return true
}

// Invalidate ends a test set because the data have changed: a drift alarm says so in reason, one sentence. It reports
// whether the set is invalidated now, by this call or one before; false when there is no ledger, so that nothing was
// decided on the set, and when the set had ended otherwise, which stands.
func Invalidate(ctx context.Context, s artifact.Store, model string, testSet artifact.Digest, reason string, at time.Time) (bool, error) {
	invalidated, err := false, checkInvalidate(model, testSet, reason, at)
	if err == nil {
		err = ledger(s, model, testSet).Change(ctx, func(t TestSet, found bool) (TestSet, bool, error) {
			write := found && t.State == Open
			if write {
				t.end(Invalidated, reason, at)
			}
			invalidated = found && t.Ended.Why == Invalidated
			return t, write, nil
		})
	}
	if err != nil {
		return false, fmt.Errorf("invalidate test set %s of model %q: %w", testSet.Short(), model, err)
	}
	return invalidated, nil
}

func checkInvalidate(model string, testSet artifact.Digest, reason string, at time.Time) error {
	if err := checkSet(model, testSet); err != nil {
		return err
	}
	if strings.TrimSpace(reason) == "" {
		return errors.New("no reason is given; expected a sentence that says what has changed")
	}
	if err := checkText("reason", reason, MaxReason); err != nil {
		return err
	}
	return checkTime(at)
}
