// Package privacy keeps account of the privacy that a data set has lost. Every differentially private training on it
// costs some, and all of them together must not cost more than a budget (epsilon, delta) that is declared first and
// never changes. Costs are composed as Renyi curves by package accountant, which is less than the sum of the epsilons.
//
// The ledger of a data set is the document ledgers/privacy/<dataset>.json, changed by put-if-match only. What it keeps,
// whoever runs at once and whoever is killed:
//   - a training is paid for once, however often it is asked for again;
//   - the trainings that were paid for never cost more than the budget together;
//   - nothing that was paid is given back: noise that was drawn may have been seen.
//
// Somebody who may write to the store can delete a ledger or put back an older copy. A caller that knows from a signed
// record how many trainings were paid for says so, and a ledger with fewer is refused.
package privacy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/assay-ml/assay/internal/accountant"
	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/sealed"
)

const (
	folder = "ledgers/privacy"
	format = "assay/privacy/v1"
)

// Bounds of a ledger.
const (
	MaxEntries = 1000 // trainings on one data set
	MaxName    = 1000 // bytes of a lifecycle's id
	maxDataset = 128
)

// Budget is the loss of privacy that all trainings on a data set may reach together.
type Budget struct {
	Epsilon float64 `json:"epsilon"` // nats, above 0
	Delta   float64 `json:"delta"`   // above 0, below 1
}

// Validate says what is wrong with the budget, and what was expected, or nil.
func (b Budget) Validate() error {
	if !(b.Epsilon > 0 && b.Epsilon <= 1e9) {
		return fmt.Errorf("privacy budget: epsilon %v: expected a number above 0, such as 3", b.Epsilon)
	}
	if !(b.Delta > 0 && b.Delta < 1) {
		return fmt.Errorf("privacy budget: delta %v: expected a number above 0 and below 1, such as 1e-6", b.Delta)
	}
	return nil
}

// String shows the budget to people.
func (b Budget) String() string { return fmt.Sprintf("epsilon %v at delta %v", b.Epsilon, b.Delta) }

// Account is what was spent of a data set's budget.
type Account struct {
	Format  string    `json:"format"`
	Dataset string    `json:"dataset"`
	Budget  Budget    `json:"budget"`
	Opened  time.Time `json:"opened"`  // of the first training
	Entries []Entry   `json:"entries"` // in the order in which they were paid for
}

// Entry is a training that was paid for.
type Entry struct {
	Key       string               `json:"key"`       // 64 hexadecimal digits, the hash of the training's inputs: equal trainings have equal keys
	Lifecycle string               `json:"lifecycle"` // that asked first
	Mechanism accountant.Mechanism `json:"mechanism"`
	Epsilon   float64              `json:"epsilon"` // what it would cost alone, at the budget's delta
	Total     float64              `json:"total"`   // epsilon of all entries up to this one
	Time      time.Time            `json:"time"`
}

// Spent is the epsilon of all entries together, at the budget's delta.
func (a Account) Spent() float64 {
	if len(a.Entries) == 0 {
		return 0
	}
	return a.Entries[len(a.Entries)-1].Total
}

// Left is the budget's epsilon less what is spent. A training may cost more than that alone and still fit, because
// together they cost less than the sum.
func (a Account) Left() float64 { return max(0, a.Budget.Epsilon-a.Spent()) }

func (a Account) mechanisms() []accountant.Mechanism {
	all := make([]accountant.Mechanism, len(a.Entries))
	for i, e := range a.Entries {
		all[i] = e.Mechanism
	}
	return all
}

// Request asks for a training to be paid for.
type Request struct {
	Key       string // see Entry
	Lifecycle string
	Mechanism accountant.Mechanism
	Time      time.Time
	Recorded  int // entries of this data set that signed records know of; 0 when none are kept
}

func (r Request) check() error {
	if err := checkKey(r.Key); err != nil {
		return err
	}
	if err := checkLifecycle(r.Lifecycle); err != nil {
		return err
	}
	if r.Recorded < 0 {
		return fmt.Errorf("%d recorded entries: expected 0 or more", r.Recorded)
	}
	if err := checkTime(r.Time); err != nil {
		return err
	}
	return r.Mechanism.Check()
}

func checkKey(key string) error {
	if _, err := artifact.ParseDigest("sha256:" + key); err != nil {
		return fmt.Errorf("key %q of a training: expected 64 lower-case hexadecimal digits", key)
	}
	return nil
}

func checkLifecycle(id string) error {
	switch {
	case id == "":
		return errors.New("the training names no lifecycle; expected the id of the workflow that asks")
	case !utf8.ValidString(id):
		return fmt.Errorf("lifecycle %q: expected UTF-8", id)
	case len(id) > MaxName:
		return fmt.Errorf("lifecycle of %d bytes: expected at most %d", len(id), MaxName)
	}
	return nil
}

func checkTime(at time.Time) error {
	if y := at.UTC().Year(); at.IsZero() || y < 0 || y > 9999 {
		return fmt.Errorf("time %v: expected the time of the training, in the years 0 to 9999", at)
	}
	return nil
}

func checkDataset(name string) error {
	ok := name != "" && len(name) <= maxDataset && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
	if !ok {
		return fmt.Errorf("data set %q: expected 1 to %d lower-case letters, digits and hyphens, such as adult-2026", name, maxDataset)
	}
	return nil
}

// Name is the document of a data set's ledger.
func Name(dataset string) string { return folder + "/" + dataset + ".json" }

// State is an account after a training was paid for.
type State struct {
	Budget  Budget  `json:"budget"`
	Alone   float64 `json:"alone"`   // epsilon of this training by itself
	Spent   float64 `json:"spent"`   // epsilon of all trainings together
	Left    float64 `json:"left"`    // see Account.Left
	Entries int     `json:"entries"` // trainings that were paid for
	Again   bool    `json:"again"`   // this one was paid for before; nothing was consumed
}

// Spend pays for the training r.Key out of the data set's budget, and declares the budget at the first training. Call it
// before the first noise is drawn. A training that was paid for consumes nothing, also when the budget is used up.
//
// The error is a *BudgetError, which is ErrBudget, when the total would exceed the budget; a *DeclarationError when
// another budget stands; a *ParametersError when the key was paid for with another mechanism; a *LostError when the
// ledger lacks entries that were recorded; and wraps artifact.ErrCorrupt when the ledger is damaged. None of them spends
// anything. After an error of the store the training may have been paid for; asking again tells.
func Spend(ctx context.Context, s artifact.Store, dataset string, budget Budget, r Request) (State, error) {
	state, err := spend(ctx, s, dataset, budget, r)
	if err != nil {
		for _, own := range []any{new(*BudgetError), new(*DeclarationError), new(*ParametersError), new(*LostError)} {
			if errors.As(err, own) {
				return State{}, err
			}
		}
		return State{}, fmt.Errorf("pay for a training on data set %q: %w", dataset, err)
	}
	return state, nil
}

func spend(ctx context.Context, s artifact.Store, dataset string, budget Budget, r Request) (State, error) {
	if err := checkDataset(dataset); err != nil {
		return State{}, err
	}
	if err := budget.Validate(); err != nil {
		return State{}, err
	}
	if err := r.check(); err != nil {
		return State{}, err
	}
	alone, err := accountant.Epsilon(budget.Delta, r.Mechanism)
	if err != nil {
		return State{}, err
	}
	var state State
	err = document(s, dataset).Change(ctx, func(a Account, found bool) (Account, bool, error) {
		if len(a.Entries) < r.Recorded {
			return a, false, &LostError{Dataset: dataset, Recorded: r.Recorded, Found: len(a.Entries), Absent: !found, Store: s.String()}
		}
		if !found {
			a = Account{Format: format, Dataset: dataset, Budget: budget, Opened: r.Time.UTC()}
		}
		next, again, err := a.pay(budget, r, alone.Epsilon)
		if err != nil {
			return a, false, err
		}
		state = State{Budget: next.Budget, Alone: alone.Epsilon, Spent: next.Spent(), Left: next.Left(), Entries: len(next.Entries), Again: again}
		return next, !again, nil
	})
	return state, err
}

// pay adds the training to the account, and says whether it was there.
func (a Account) pay(budget Budget, r Request, alone float64) (next Account, again bool, err error) {
	if a.Budget != budget {
		return a, false, &DeclarationError{Dataset: a.Dataset, Standing: a.Budget, Asked: budget, Entries: len(a.Entries)}
	}
	if i := slices.IndexFunc(a.Entries, func(e Entry) bool { return e.Key == r.Key }); i >= 0 {
		if standing := a.Entries[i].Mechanism; standing != r.Mechanism {
			return a, false, &ParametersError{Dataset: a.Dataset, Key: r.Key, Standing: standing, Asked: r.Mechanism}
		}
		return a, true, nil
	}
	total, err := accountant.Epsilon(budget.Delta, append(a.mechanisms(), r.Mechanism)...)
	if err != nil {
		return a, false, err
	}
	if total.Epsilon > budget.Epsilon {
		return a, false, &BudgetError{Dataset: a.Dataset, Budget: budget, Spent: a.Spent(), Asked: alone, Total: total.Epsilon, Left: a.Left(), Entries: len(a.Entries)}
	}
	if len(a.Entries) >= MaxEntries {
		return a, false, fmt.Errorf("its ledger has %d entries, the most it holds; train on new data", len(a.Entries))
	}
	a.Entries = append(slices.Clone(a.Entries), Entry{
		Key: r.Key, Lifecycle: r.Lifecycle, Mechanism: r.Mechanism, Epsilon: alone, Total: total.Epsilon, Time: r.Time.UTC()})
	return a, false, nil
}

func document(s artifact.Store, dataset string) sealed.Document[Account] {
	return sealed.Document[Account]{Store: s, Name: Name(dataset), Check: func(a Account) error { return a.check(dataset) }}
}
