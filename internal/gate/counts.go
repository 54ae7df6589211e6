package gate

import (
	"fmt"

	"github.com/assay-ml/assay/internal/stats"
)

// Counts is a Source of what was counted by hand, for conditions on n, o, d and n - o over all rows. What is nil is not known.
type Counts struct {
	Rows         int  `json:"rows"`
	NewRight     *int `json:"new_right,omitempty"`      // rows on which the new model is right
	OldRight     *int `json:"old_right,omitempty"`      // rows on which the old model is right
	Differ       *int `json:"differ,omitempty"`         // rows on which they predict differently
	NewOnlyRight *int `json:"new_only_right,omitempty"` // rows on which the new model is right and the old one is not
	OldOnlyRight *int `json:"old_only_right,omitempty"` // rows on which the old model is right and the new one is not
}

// Validate refuses counts that no rows could have given, and says which of them contradict one another.
func (c Counts) Validate() error {
	if c.Rows < 1 {
		return fmt.Errorf("counts: %d rows; expected at least 1", c.Rows)
	}
	for _, k := range []struct {
		name  string
		count *int
	}{
		{"new_right", c.NewRight}, {"old_right", c.OldRight}, {"differ", c.Differ},
		{"new_only_right", c.NewOnlyRight}, {"old_only_right", c.OldOnlyRight},
	} {
		if k.count != nil && (*k.count < 0 || *k.count > c.Rows) {
			return fmt.Errorf("counts: %s is %d; expected 0 to %d, the number of rows", k.name, *k.count, c.Rows)
		}
	}
	if n, o := c.NewOnlyRight, c.OldOnlyRight; n != nil && o != nil {
		if *n+*o > c.Rows {
			return fmt.Errorf("counts: new_only_right is %d and old_only_right %d; expected at most %d together, the number of rows", *n, *o, c.Rows)
		}
		if c.Differ != nil && *n+*o > *c.Differ {
			return fmt.Errorf("counts: the models differ on %d rows, and one of them alone is right on %d; expected no more than those on which they differ", *c.Differ, *n+*o)
		}
		if c.NewRight != nil && c.OldRight != nil && *c.NewRight-*c.OldRight != *n-*o {
			return fmt.Errorf("counts: new_right less old_right is %d, new_only_right less old_only_right %d; expected the same number", *c.NewRight-*c.OldRight, *n-*o)
		}
	}
	return c.validateParts()
}

// validateParts compares the rows that a model alone is right on with all on which it is right.
func (c Counts) validateParts() error {
	for _, p := range []struct {
		name, whole string
		part, all   *int
	}{{"new_only_right", "new_right", c.NewOnlyRight, c.NewRight}, {"old_only_right", "old_right", c.OldOnlyRight, c.OldRight}} {
		if p.part != nil && p.all != nil && *p.part > *p.all {
			return fmt.Errorf("counts: %s is %d and %s %d; expected no more alone than in all", p.name, *p.part, p.whole, *p.all)
		}
	}
	if c.NewRight == nil || c.OldRight == nil || c.Differ == nil {
		return nil
	}
	// Where both are right they agree, so that they differ on at least as many rows as one of them has more, and at most on
	// those where one of them is wrong.
	if apart := *c.NewRight - *c.OldRight; max(apart, -apart) > *c.Differ {
		return fmt.Errorf("counts: new_right is %d and old_right %d, and they differ on %d rows; expected at least %d", *c.NewRight, *c.OldRight, *c.Differ, max(apart, -apart))
	}
	if wrong := 2*c.Rows - *c.NewRight - *c.OldRight; *c.Differ > wrong {
		return fmt.Errorf("counts: they differ on %d rows, and are wrong %d times together; expected no more, since one of them is wrong where they differ", *c.Differ, wrong)
	}
	return nil
}

// hasOld reports whether anything is known of an old model.
func (c Counts) hasOld() bool {
	return c.OldRight != nil || c.Differ != nil || c.NewOnlyRight != nil || c.OldOnlyRight != nil
}

// Measure gives exact intervals: of shares by Clopper and Pearson, of n - o by stats.PairedShare, both guaranteed at every number
// of rows. An error says which count is missing, or that the unit is none of n, o, d and n - o. Without any count of an old
// model it is ErrNoChampion for the last three.
func (c Counts) Measure(u Unit, tail float64) (Measurement, error) {
	if err := c.Validate(); err != nil {
		return Measurement{}, err
	}
	if (u.Quantity.Compares() || u.Minus != nil) && !c.hasOld() {
		return Measurement{}, ErrNoChampion
	}
	switch u.String() {
	case "n":
		return c.share("new_right", c.NewRight, tail)
	case "o":
		return c.share("old_right", c.OldRight, tail)
	case "d":
		return c.share("differ", c.Differ, tail)
	case "n - o":
		return c.paired(tail)
	}
	return Measurement{}, fmt.Errorf("%s cannot be told from counts; expected a condition on n, o, d or n - o", u)
}

func (c Counts) share(name string, count *int, tail float64) (Measurement, error) {
	if count == nil {
		return Measurement{}, fmt.Errorf("the count %s is missing", name)
	}
	e := stats.ExactShare(*count, c.Rows, tail, "no rows")
	return Measurement{
		Estimate: e, Tail: tail, Guaranteed: true,
		RowsFor: func(halfWidth float64) int { return stats.ExactShareRows(e.Value, halfWidth, tail) },
	}, nil
}

func (c Counts) paired(tail float64) (Measurement, error) {
	newOnly, oldOnly, err := c.alone()
	if err != nil {
		return Measurement{}, err
	}
	share := float64(newOnly+oldOnly) / float64(c.Rows)
	return Measurement{
		Estimate: stats.PairedShare(newOnly, oldOnly, newOnly+oldOnly, c.Rows, tail), Tail: tail, Guaranteed: true,
		RowsFor: func(halfWidth float64) int { return stats.PairedShareRows(share, halfWidth, tail) },
	}, nil
}

// alone is on how many rows each model alone is right. When that was not counted, there are at most as many such rows as those on
// which the models differ: exactly as many with two classes, and with more the interval is longer than it had to be.
func (c Counts) alone() (newOnly, oldOnly int, err error) {
	if c.NewOnlyRight != nil && c.OldOnlyRight != nil {
		return *c.NewOnlyRight, *c.OldOnlyRight, nil
	}
	if c.NewRight == nil || c.OldRight == nil || c.Differ == nil {
		return 0, 0, fmt.Errorf("n - o needs the counts new_only_right and old_only_right, or new_right, old_right and differ")
	}
	more := *c.NewRight - *c.OldRight
	newOnly = (*c.Differ + more) / 2 // rounded down: the two parts differ by the whole number more
	return newOnly, newOnly - more, nil
}
