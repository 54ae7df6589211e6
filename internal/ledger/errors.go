package ledger

import (
	"fmt"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
)

// EndedError says that a test set must not be used for another decision.
type EndedError struct {
	Model   string
	TestSet artifact.Digest
	Data    artifact.Ref // the rows, released as validation data
	Uses    int
	Steps   int
	End     End
}

func endedError(t TestSet) *EndedError {
	return &EndedError{Model: t.Model, TestSet: t.TestSet, Data: t.Data, Uses: len(t.Uses), Steps: t.Rules.Steps, End: *t.Ended}
}

// Error implements error.
func (e *EndedError) Error() string {
	why := map[Why]string{
		Exhausted:   "is used up",
		Passed:      "ended when a candidate passed",
		Undecided:   "ended when a candidate was not refused",
		Invalidated: "was invalidated",
	}[e.End.Why]
	return fmt.Sprintf("new test set needed: test set %s of model %q %s after %d of %d uses. %s Bring rows that no candidate was decided on; the old set is released as validation data: %s",
		e.TestSet.Short(), e.Model, why, e.Uses, e.Steps, e.End.Reason, e.Data.Digest)
}

// RulesError says that a test set is asked for under other rules than those it was opened with.
type RulesError struct {
	Model           string
	TestSet         artifact.Digest
	Standing, Asked Rules
	Uses            int
}

// Error implements error.
func (e *RulesError) Error() string {
	return fmt.Sprintf("test set %s of model %q was opened with %s, and is now asked for with %s; the rules cannot change after the first of %d uses (it has %s): ask with the rules it was opened with, or bring a new test set",
		e.TestSet.Short(), e.Model, e.Standing, e.Asked, e.Uses, e.Standing.differences(e.Asked))
}

// LostError says that a ledger lacks uses which the model's signed chain knows of: it was deleted, or an older copy of it
// was put back.
type LostError struct {
	Model    string
	TestSet  artifact.Digest
	Recorded int  // uses on the chain
	Found    int  // uses in the ledger
	Absent   bool // there is no ledger at all
	Store    string
}

// Error implements error.
func (e *LostError) Error() string {
	found := fmt.Sprintf("has only %d", e.Found)
	if e.Absent {
		found = "is missing"
	}
	return fmt.Sprintf("the signed chain of model %q records %d uses of test set %s, but its ledger %q in store %q %s; it was deleted or rolled back: restore it from a backup, or bring a new test set",
		e.Model, e.Recorded, e.TestSet.Short(), Name(e.Model, e.TestSet), e.Store, found)
}

// SettledError says that a use has another verdict already.
type SettledError struct {
	Model           string
	TestSet         artifact.Digest
	Use             Use
	Standing, Asked gate.Verdict
}

// Error implements error.
func (e *SettledError) Error() string {
	return fmt.Sprintf("use %d of test set %s of model %q was settled as %s, and is now said to be %s; a decision has one verdict: start a new lifecycle for another",
		e.Use.Step, e.TestSet.Short(), e.Model, e.Standing, e.Asked)
}
