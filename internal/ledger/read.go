package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/registry"
)

// Find reads the account of a test set; artifact.ErrNotFound when no decision was taken on it yet.
func Find(ctx context.Context, s artifact.Store, model string, testSet artifact.Digest) (TestSet, error) {
	if err := checkSet(model, testSet); err != nil {
		return TestSet{}, fmt.Errorf("read the ledger of a test set: %w", err)
	}
	t, _, err := ledger(s, model, testSet).Get(ctx)
	return t, err
}

// List reads the accounts of all test sets of a model, or of all models when model is "": sorted by model, those opened
// first before the others. None is no error.
func List(ctx context.Context, s artifact.Store, model string) ([]TestSet, error) {
	prefix := folder
	if model != "" {
		if err := registry.CheckName(model); err != nil {
			return nil, err
		}
		prefix += "/" + model
	}
	names, err := s.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var all []TestSet
	for _, name := range names {
		model, digest, err := parseName(name)
		if err != nil {
			return nil, fmt.Errorf("ledgers of test sets in store %q: %w", s, err)
		}
		t, err := Find(ctx, s, model, digest)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b TestSet) int {
		return cmp.Or(strings.Compare(a.Model, b.Model), a.Opened.Compare(b.Opened), strings.Compare(a.TestSet.Hex(), b.TestSet.Hex()))
	})
	return all, nil
}

func parseName(name string) (model string, digest artifact.Digest, err error) {
	model = path.Base(path.Dir(name))
	digest, err = artifact.ParseDigest("sha256:" + strings.TrimSuffix(path.Base(name), ".json"))
	if err != nil || registry.CheckName(model) != nil || Name(model, digest) != name {
		return "", artifact.Digest{}, fmt.Errorf("%q is not a ledger's name; expected names such as %s", name, Name("credit", artifact.Sum(nil)))
	}
	return model, digest, nil
}

// check reports what no ledger that this package wrote for the model and the set can hold.
func (t TestSet) check(model string, testSet artifact.Digest) error {
	if t.Format != format {
		return fmt.Errorf("format %q: expected %q; a newer program may have written it", t.Format, format)
	}
	if t.Model != model || t.TestSet != testSet {
		return fmt.Errorf("it is the ledger of test set %q of model %q; expected %s of model %q", t.TestSet, t.Model, testSet, model)
	}
	if t.Data.Digest.IsZero() || t.Data.Size < 0 || t.Rows < 1 {
		return fmt.Errorf("data %q of %d bytes and %d rows: expected the ref of stored rows and at least one row", t.Data.Digest, t.Data.Size, t.Rows)
	}
	if err := t.Rules.Validate(); err != nil {
		return err
	}
	if err := t.checkUses(); err != nil {
		return err
	}
	return t.checkState()
}

func (t TestSet) checkUses() error {
	if len(t.Uses) == 0 || len(t.Uses) > t.Rules.Steps {
		return fmt.Errorf("%d uses: expected 1 to %d, the steps", len(t.Uses), t.Rules.Steps)
	}
	step := make(map[string]int, len(t.Uses))
	for i, u := range t.Uses {
		if u.Step != i+1 {
			return fmt.Errorf("use %d has step %d: expected steps 1, 2, ... in order", i+1, u.Step)
		}
		if first, again := step[u.Key]; again {
			return fmt.Errorf("uses %d and %d have the same key %.12s: expected one use of a decision", first, u.Step, u.Key)
		}
		step[u.Key] = u.Step
		if err := u.check(); err != nil {
			return fmt.Errorf("use %d: %w", u.Step, err)
		}
		if u.Verdict == "" {
			continue
		}
		if err := t.Rules.checkVerdict(u.Verdict); err != nil {
			return fmt.Errorf("use %d: %w", u.Step, err)
		}
	}
	if !t.Opened.Equal(t.Uses[0].Time) {
		return fmt.Errorf("opened %s: expected the time of the first use, %s", t.Opened.Format(time.RFC3339Nano), t.Uses[0].Time.Format(time.RFC3339Nano))
	}
	return nil
}

// checkState finds a state that contradicts the uses, such as a set open again after it has ended.
func (t TestSet) checkState() error {
	changed := func(v gate.Verdict) bool {
		return t.Rules.Adaptivity == FirstChange && slices.ContainsFunc(t.Uses, func(u Use) bool { return u.Verdict == v })
	}
	passed, undecided := changed(gate.Pass), changed(gate.Inconclusive)
	full := len(t.Uses) == t.Rules.Steps
	if t.State == Open {
		switch {
		case t.Ended != nil:
			return errors.New("the set is open and says when it ended")
		case passed:
			return errors.New("the set is open, but a candidate passed under the adaptivity firstChange")
		case undecided:
			return errors.New("the set is open, but a candidate was not refused under the adaptivity firstChange")
		case full && t.settled():
			return errors.New("the set is open, but all its steps are taken and settled")
		}
		return nil
	}
	if t.State != Ended || t.Ended == nil {
		return fmt.Errorf("state %q: expected open, or ended with when and why", t.State)
	}
	if err := checkTime(t.Ended.Time); err != nil {
		return err
	}
	switch why := t.Ended.Why; {
	case why == Invalidated && strings.TrimSpace(t.Ended.Reason) != "":
		return checkText("reason", t.Ended.Reason, MaxReason)
	case why == Exhausted && full, why == Passed && passed, why == Undecided && undecided:
		return nil
	}
	return fmt.Errorf("ended as %q with %d of %d steps taken: the uses do not bear that out", t.Ended.Why, len(t.Uses), t.Rules.Steps)
}
