package gate

import (
	"errors"

	"github.com/assay-ml/assay/internal/stats"
)

// Which says whose predictions a metric is taken on.
type Which string

const (
	New  Which = "new"  // the candidate
	Old  Which = "old"  // the champion, on the same rows
	Both Which = "both" // the two compared row by row: disagreement
)

// Quantity is one thing that is measured: a metric of a model, of one class where it has one, on a slice of the rows.
type Quantity struct {
	Which    Which  `json:"which"`
	Metric   string `json:"metric"`
	Class    string `json:"class,omitempty"` // of a per-class form: precision(setosa)
	HasClass bool   `json:"has_class,omitempty"`
	Slice    Slice  `json:"slice,omitzero"`
}

// Compares reports whether the quantity needs the champion.
func (q Quantity) Compares() bool { return q.Which != New }

// Equal reports whether two quantities are the same thing measured.
func (q Quantity) Equal(r Quantity) bool {
	return q.sameBut(r) && q.Which == r.Which && q.Slice.Equal(r.Slice)
}

// sameBut compares all but the model and the slice.
func (q Quantity) sameBut(r Quantity) bool {
	return q.Metric == r.Metric && q.Class == r.Class && q.HasClass == r.HasClass
}

// String is the quantity as it stands in a condition; parsing it gives an equal one. The variables of ease.ml/ci are written
// as there: n, o and d.
func (q Quantity) String() string {
	name := q.Metric
	switch {
	case q.Which == Both && q.Metric == stats.Disagreement:
		name = "d"
	case q.Metric == stats.Accuracy && q.Which == New:
		name = "n"
	case q.Metric == stats.Accuracy && q.Which == Old:
		name = "o"
	case q.Which == Old:
		name = "old." + q.Metric
	}
	if q.HasClass {
		name += "(" + quoteName(q.Class, classEnds) + ")"
	}
	return name + q.Slice.String()
}

// Unit is what one interval is made for: a quantity, or the difference Quantity - Minus of two whose interval as a pair is
// shorter than that of each alone: the same metric of new and old on the same rows, or a share in two disjoint slices.
type Unit struct {
	Quantity Quantity  `json:"quantity"`
	Minus    *Quantity `json:"minus,omitempty"`
}

// String is the quantity, or the difference.
func (u Unit) String() string {
	if u.Minus == nil {
		return u.Quantity.String()
	}
	return u.Quantity.String() + " - " + u.Minus.String()
}

// Measurement is a unit measured: an interval that misses the true value with at most the probability Tail at each end.
type Measurement struct {
	stats.Estimate         // Level is 1 - 2 Tail, which rounds to 1 for a very small Tail
	Tail           float64 `json:"tail,omitempty"`       // 0: counted, nothing is left to chance
	Guaranteed     bool    `json:"guaranteed,omitempty"` // Tail holds at every sample size and for every distribution of rows
	Assumption     string  `json:"assumption,omitempty"` // otherwise what it rests on, in a sentence

	// RowsFor is about how many rows of the test set would give a half width of at most the argument, all shares and spreads
	// as observed; nil or 0 when that cannot be said.
	RowsFor func(halfWidth float64) int `json:"-"`
}

// Source measures units. An error says that the unit cannot be measured at all (no such column); a sample that gives no
// value, such as one without positives, is an undefined estimate, which leaves doubt.
type Source interface {
	Measure(u Unit, tail float64) (Measurement, error)
}

// ErrNoChampion is a Source's answer to a unit of the old model when no version serves. Clauses that compare are skipped then.
var ErrNoChampion = errors.New("there is no champion to compare with")
