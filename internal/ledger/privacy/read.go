package privacy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"strings"

	"github.com/assay-ml/assay/internal/accountant"
	"github.com/assay-ml/assay/internal/artifact"
)

// Read reads the account of a data set; artifact.ErrNotFound when no training on it was paid for yet.
func Read(ctx context.Context, s artifact.Store, dataset string) (Account, error) {
	if err := checkDataset(dataset); err != nil {
		return Account{}, fmt.Errorf("read a privacy ledger: %w", err)
	}
	a, _, err := document(s, dataset).Get(ctx)
	return a, err
}

// List reads the accounts of all data sets, sorted by name. None is no error.
func List(ctx context.Context, s artifact.Store) ([]Account, error) {
	names, err := s.List(ctx, folder)
	if err != nil {
		return nil, err
	}
	var all []Account
	for _, name := range names {
		dataset := strings.TrimSuffix(path.Base(name), ".json")
		if checkDataset(dataset) != nil || Name(dataset) != name {
			return nil, fmt.Errorf("privacy ledgers in store %q: %q is not a ledger's name; expected names such as %s", s, name, Name("adult-2026"))
		}
		a, err := Read(ctx, s, dataset)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// check reports what no ledger that this package wrote for the data set can hold.
func (a Account) check(dataset string) error {
	if a.Format != format {
		return fmt.Errorf("format %q: expected %q; a newer program may have written it", a.Format, format)
	}
	if a.Dataset != dataset {
		return fmt.Errorf("it is the ledger of data set %q; expected %q", a.Dataset, dataset)
	}
	if err := a.Budget.Validate(); err != nil {
		return err
	}
	if n := len(a.Entries); n < 1 || n > MaxEntries {
		return fmt.Errorf("%d entries: expected 1 to %d", n, MaxEntries)
	}
	if !a.Opened.Equal(a.Entries[0].Time) {
		return errors.New("it was opened at another time than that of its first entry")
	}
	first := map[string]int{}
	for i, e := range a.Entries {
		if at, again := first[e.Key]; again {
			return fmt.Errorf("entries %d and %d have the same key %.12s: expected one entry a training", at+1, i+1, e.Key)
		}
		first[e.Key] = i
		if err := a.checkEntry(i); err != nil {
			return fmt.Errorf("entry %d: %w", i+1, err)
		}
	}
	return a.checkTotal()
}

func (a Account) checkEntry(i int) error {
	e := a.Entries[i]
	if err := checkKey(e.Key); err != nil {
		return err
	}
	if err := checkLifecycle(e.Lifecycle); err != nil {
		return err
	}
	if err := checkTime(e.Time); err != nil {
		return err
	}
	if err := e.Mechanism.Check(); err != nil {
		return err
	}
	if !(e.Epsilon >= 0 && e.Total >= 0 && e.Total <= a.Budget.Epsilon) {
		return fmt.Errorf("epsilon %v alone and %v in total: expected neither below 0, and a total of at most %v", e.Epsilon, e.Total, a.Budget.Epsilon)
	}
	if i > 0 && e.Total < a.Entries[i-1].Total {
		return fmt.Errorf("total %v: expected at least the %v before it", e.Total, a.Entries[i-1].Total)
	}
	return nil
}

// checkTotal composes the entries anew: a total that was edited, digest and all, does not fit its mechanisms. Machines
// differ in the last digits.
func (a Account) checkTotal() error {
	total, err := accountant.Epsilon(a.Budget.Delta, a.mechanisms()...)
	if err != nil {
		return err
	}
	if math.Abs(total.Epsilon-a.Spent()) > 1e-9*(1+total.Epsilon) {
		return fmt.Errorf("its entries cost epsilon %v together: expected the total %v that it says", total.Epsilon, a.Spent())
	}
	return nil
}
