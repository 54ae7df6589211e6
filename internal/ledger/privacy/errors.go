package privacy

import (
	"errors"
	"fmt"

	"github.com/assay-ml/assay/internal/accountant"
)

// ErrBudget is every *BudgetError.
var ErrBudget = errors.New("the privacy budget does not allow it")

// BudgetError says that a training would cost more privacy than the budget has left.
type BudgetError struct {
	Dataset string
	Budget  Budget
	Spent   float64 // epsilon of the trainings paid for
	Asked   float64 // epsilon of the refused training alone
	Total   float64 // epsilon of all of them with it
	Left    float64
	Entries int
}

// Error implements error.
func (e *BudgetError) Error() string {
	return fmt.Sprintf("privacy budget of data set %q: %d trainings have spent epsilon %.4g of %v; this one costs %.4g alone and would bring the total to %.4g (%s, %.4g left): train with a smaller epsilon, which takes more noise or fewer steps, or on new data; a finished training may be repeated at no cost",
		e.Dataset, e.Entries, e.Spent, e.Budget.Epsilon, e.Asked, e.Total, e.Budget, e.Left)
}

// Is makes errors.Is(err, ErrBudget) true.
func (e *BudgetError) Is(target error) bool { return target == ErrBudget }

// DeclarationError says that a data set has another budget than the one it is asked for with.
type DeclarationError struct {
	Dataset         string
	Standing, Asked Budget
	Entries         int
}

// Error implements error.
func (e *DeclarationError) Error() string {
	return fmt.Sprintf("privacy budget of data set %q was declared as %s, and is now asked for as %s; a budget cannot change after the first of %d trainings: ask with the one declared, or bring a new data set",
		e.Dataset, e.Standing, e.Asked, e.Entries)
}

// ParametersError says that a training was paid for with other parameters than it has now.
type ParametersError struct {
	Dataset         string
	Key             string
	Standing, Asked accountant.Mechanism
}

// Error implements error.
func (e *ParametersError) Error() string {
	show := func(m accountant.Mechanism) string {
		return fmt.Sprintf("noise multiplier %v, sample rate %v, steps %d", m.NoiseMultiplier, m.SampleRate, m.Steps)
	}
	return fmt.Sprintf("training %.12s on data set %q was paid for with %s, and is now asked for with %s; expected a key to hash these too: this is a fault of the caller, report it",
		e.Key, e.Dataset, show(e.Standing), show(e.Asked))
}

// LostError says that a ledger lacks entries which signed records know of: it was deleted, or an older copy of it was
// put back.
type LostError struct {
	Dataset  string
	Recorded int // entries in the records
	Found    int // entries in the ledger
	Absent   bool
	Store    string
}

// Error implements error.
func (e *LostError) Error() string {
	found := fmt.Sprintf("has only %d", e.Found)
	if e.Absent {
		found = "is missing"
	}
	return fmt.Sprintf("signed records know of %d private trainings on data set %q, but its ledger %q in store %q %s; it was deleted or rolled back: restore it from a backup, or bring a new data set",
		e.Recorded, e.Dataset, Name(e.Dataset), e.Store, found)
}
