// Package ledger keeps account of the uses of test sets. Every candidate that is decided on a test set, and whose verdict
// somebody learns, uses the set up a little: intervals stay valid for a number of decisions that is fixed in advance
// (Renggli et al.: Continuous Integration of Machine Learning Models with ease.ml/ci, SysML 2019). The ledger takes one
// step for each, and refuses the one after the last.
//
// The ledger of a test set is the document ledgers/test-set/<model>/<digest>.json, changed by put-if-match only. What it
// keeps, whoever runs at once and whoever is killed:
//   - a decision takes one step, however often it is asked for again, and two decisions never share one;
//   - there are never more uses than steps, and no use is ever taken back;
//   - a set that has ended stays ended.
//
// Somebody who may write to the store can delete a ledger or put back an older copy. The caller therefore says how many
// uses the model's signed chain knows of, and a ledger with fewer is refused.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/sealed"
)

const (
	folder = "ledgers/test-set"
	format = "assay/test-set/v1"
)

// Longest texts in a ledger, in bytes.
const (
	MaxName   = 1000 // of a lifecycle's id and a requester's name
	MaxReason = 4000 // of the reason of an invalidation
)

// State says whether a test set may be used.
type State string

// The states of a test set.
const (
	Open  State = "open"
	Ended State = "ended"
)

// Why says what ended a test set.
type Why string

// What ends a test set.
const (
	Exhausted   Why = "exhausted"   // every step was taken
	Passed      Why = "passed"      // a candidate passed, under the adaptivity firstChange
	Undecided   Why = "undecided"   // a candidate was neither passed nor refused, under the adaptivity firstChange
	Invalidated Why = "invalidated" // the data have changed, so that the set does not show what the model meets now
)

// TestSet is the account of one test set of a model.
type TestSet struct {
	Format  string          `json:"format"`
	Model   string          `json:"model"`
	TestSet artifact.Digest `json:"test_set"` // names the set
	Data    artifact.Ref    `json:"data"`     // its rows
	Rows    int64           `json:"rows"`
	Rules   Rules           `json:"rules"`
	Opened  time.Time       `json:"opened"` // of the first use
	Uses    []Use           `json:"uses"`   // in the order of their steps
	State   State           `json:"state"`
	Ended   *End            `json:"ended,omitempty"` // nil while the set is open
}

// Use is a decision taken on a test set.
type Use struct {
	Step      int          `json:"step"`      // 1 to Rules.Steps
	Key       string       `json:"key"`       // 64 hexadecimal digits that name what is decided: equal decisions have equal keys
	Lifecycle string       `json:"lifecycle"` // that asked first
	Requester string       `json:"requester,omitempty"`
	Time      time.Time    `json:"time"`
	Verdict   gate.Verdict `json:"verdict,omitempty"` // empty until it is settled
}

// End says when and why a test set ended.
type End struct {
	Time   time.Time `json:"time"`
	Why    Why       `json:"why"`
	Reason string    `json:"reason"` // one sentence for a person
}

// Left is how many decisions the set is still good for; 0 when it has ended.
func (t TestSet) Left() int {
	if t.State == Ended {
		return 0
	}
	return t.Rules.Steps - len(t.Uses)
}

// Released gives the rows of a set that has ended, which may serve as validation data from then on, and false while the
// set is open.
func (t TestSet) Released() (artifact.Ref, bool) {
	if t.State != Ended {
		return artifact.Ref{}, false
	}
	return t.Data, true
}

func (t TestSet) find(key string) int {
	return slices.IndexFunc(t.Uses, func(u Use) bool { return u.Key == key })
}

// end ends an open set.
func (t *TestSet) end(why Why, reason string, at time.Time) {
	t.State, t.Ended = Ended, &End{Time: at.UTC(), Why: why, Reason: reason}
}

// exhaust ends an open set whose steps were all taken.
func (t *TestSet) exhaust(at time.Time) {
	t.end(Exhausted, fmt.Sprintf("All %d steps it is good for were taken.", t.Rules.Steps), at)
}

// Name is the document of a test set's ledger.
func Name(model string, testSet artifact.Digest) string {
	return folder + "/" + model + "/" + testSet.Hex() + ".json"
}

// Request asks for a step.
type Request struct {
	Model    string
	TestSet  artifact.Digest // names the set; zero: the digest of Data
	Data     artifact.Ref    // the rows; those of the first use stand
	Rows     int64
	Rules    Rules
	Use      Use // Key, Lifecycle, Requester and Time; the rest is the ledger's
	Recorded int // uses of this test set that the model's signed chain knows of
}

func (r Request) check() error {
	if err := registry.CheckName(r.Model); err != nil {
		return err
	}
	if r.Data.Digest.IsZero() || r.Data.Size < 0 || r.Rows < 1 {
		return fmt.Errorf("test set %q of %d bytes and %d rows: expected the ref of stored rows and at least one row", r.Data.Digest, r.Data.Size, r.Rows)
	}
	if r.Recorded < 0 {
		return fmt.Errorf("%d recorded uses: expected 0 or more", r.Recorded)
	}
	if err := r.Rules.Validate(); err != nil {
		return err
	}
	u := r.Use
	if u.Step != 0 || u.Verdict != "" {
		return fmt.Errorf("the use has step %d and verdict %q already; expected neither, the ledger gives steps and Settle gives verdicts", u.Step, u.Verdict)
	}
	return u.check()
}

func (u Use) check() error {
	if err := checkKey(u.Key); err != nil {
		return err
	}
	if u.Lifecycle == "" {
		return errors.New("the use names no lifecycle; expected the id of the workflow that asks")
	}
	if err := checkText("lifecycle", u.Lifecycle, MaxName); err != nil {
		return err
	}
	if err := checkText("requester", u.Requester, MaxName); err != nil {
		return err
	}
	return checkTime(u.Time)
}

func checkKey(key string) error {
	if _, err := artifact.ParseDigest("sha256:" + key); err != nil {
		return fmt.Errorf("key %q of a use: expected 64 lower-case hexadecimal digits", key)
	}
	return nil
}

func checkText(what, text string, most int) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("%s %q: expected UTF-8", what, text)
	}
	if len(text) > most {
		return fmt.Errorf("%s of %d bytes: expected at most %d", what, len(text), most)
	}
	return nil
}

func checkTime(at time.Time) error {
	if y := at.UTC().Year(); at.IsZero() || y < 0 || y > 9999 {
		return fmt.Errorf("time %v: expected the time of the use, in the years 0 to 9999", at)
	}
	return nil
}

// Taken is a step that a decision has.
type Taken struct {
	Step  int  // 1 to Rules.Steps
	Again bool // the decision had the step already; nothing was consumed
	Left  int  // steps that are left after it
}

// Take takes a step of a test set for the decision r.Use.Key, and opens the ledger at the first use. A decision that has
// a step already keeps it and consumes nothing, also after the set has ended.
//
// The error is an *EndedError when a new test set is needed, a *RulesError when the set was opened with other rules,
// a *LostError when the ledger lacks uses that the chain knows of, and wraps artifact.ErrCorrupt when the ledger is
// damaged. None of them takes a step. After an error of the store the step may have been taken; asking again tells.
func Take(ctx context.Context, s artifact.Store, r Request) (Taken, error) {
	if r.TestSet.IsZero() {
		r.TestSet = r.Data.Digest
	}
	if err := r.check(); err != nil {
		return Taken{}, fmt.Errorf("take a step of a test set of model %q: %w", r.Model, err)
	}
	r.Use.Time = r.Use.Time.UTC()
	var taken Taken
	var refused error // a refusal that the ledger notes, so that the change itself must not fail
	err := ledger(s, r.Model, r.TestSet).Change(ctx, func(t TestSet, found bool) (TestSet, bool, error) {
		if !found {
			t = r.open()
		}
		if err := r.fits(s, t, found); err != nil {
			return t, false, err
		}
		if i := t.find(r.Use.Key); i >= 0 {
			taken = Taken{Step: t.Uses[i].Step, Again: true, Left: t.Left()}
			return t, false, nil
		}
		if t.Left() == 0 {
			write := t.State == Open // a use that was never settled has kept the set open
			if write {
				t.exhaust(r.Use.Time)
			}
			refused = endedError(t)
			return t, write, nil
		}
		use := r.Use
		use.Step = len(t.Uses) + 1
		t.Uses = append(t.Uses, use)
		taken = Taken{Step: use.Step, Left: t.Left()}
		return t, true, nil
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Taken{}, wrap(err, fmt.Sprintf("take a step of test set %s of model %q", r.TestSet.Short(), r.Model))
	}
	return taken, nil
}

// wrap adds what was being done to an error that does not say so itself.
func wrap(err error, doing string) error {
	for _, own := range []any{new(*EndedError), new(*RulesError), new(*LostError)} {
		if errors.As(err, own) {
			return err
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (r Request) open() TestSet {
	return TestSet{Format: format, Model: r.Model, TestSet: r.TestSet, Data: r.Data, Rows: r.Rows, Rules: r.Rules, Opened: r.Use.Time, State: Open}
}

// fits reports why the standing ledger cannot be the one that r asks for.
func (r Request) fits(s artifact.Store, t TestSet, found bool) error {
	if len(t.Uses) < r.Recorded {
		return &LostError{Model: r.Model, TestSet: r.TestSet, Recorded: r.Recorded, Found: len(t.Uses), Absent: !found, Store: s.String()}
	}
	if t.Rules != r.Rules {
		return &RulesError{Model: r.Model, TestSet: r.TestSet, Standing: t.Rules, Asked: r.Rules, Uses: len(t.Uses)}
	}
	if t.Rows != r.Rows {
		return fmt.Errorf("its ledger was opened for %d rows, and now it has %d; expected a test set's digest to name the same rows always", t.Rows, r.Rows)
	}
	return nil
}

func ledger(s artifact.Store, model string, testSet artifact.Digest) sealed.Document[TestSet] {
	return sealed.Document[TestSet]{Store: s, Name: Name(model, testSet), Check: func(t TestSet) error { return t.check(model, testSet) }}
}
