// Package fairness compares what a classifier does to the groups of a protected attribute.
package fairness

import (
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

// SmallGroup is the number of rows below which a group is marked small.
const SmallGroup = 30

// smallGroupNote states the treatment of small groups wherever there is one.
const smallGroupNote = "Groups of fewer than 30 rows are marked small. They count in every gap all the same: leaving them out " +
	"would hide what happens to them. The gaps' intervals are wide in return."

// Attribute is a protected attribute: a group name per row of the sample. Rows without a known group should carry a name
// that says so, since they are compared like any other group.
type Attribute struct {
	Name   string
	Groups []string
}

// Report is the audit of a sample over its attributes.
type Report struct {
	Threshold  float64           `json:"threshold"`
	Level      float64           `json:"level"`
	Attributes []AttributeReport `json:"attributes"` // in the order given to Audit
}

// AttributeReport compares the groups of one attribute.
type AttributeReport struct {
	Name   string  `json:"name"`
	Groups []Group `json:"groups"`         // by name
	Gaps   []Gap   `json:"gaps"`           // in the order of MetricNames
	Note   string  `json:"note,omitempty"` // how small groups are treated, when there are any
}

// Group is what the classifier does to one group, with Wilson intervals.
type Group struct {
	Name          string          `json:"name"`
	N             int             `json:"n"`
	Positives     int             `json:"positives"`
	Small         bool            `json:"small"` // fewer than 30 rows
	Confusion     stats.Confusion `json:"confusion"`
	BaseRate      stats.Estimate  `json:"base_rate"`      // share of positives
	SelectionRate stats.Estimate  `json:"selection_rate"` // share predicted positive
	TPR           stats.Estimate  `json:"tpr"`            // share of positives predicted positive
	FPR           stats.Estimate  `json:"fpr"`            // share of negatives predicted positive
	Accuracy      stats.Estimate  `json:"accuracy"`
}

// Metric finds a gap by its metric's name and the attribute's.
func (r Report) Metric(name, attribute string) (stats.Estimate, bool) {
	for _, a := range r.Attributes {
		if a.Name != attribute {
			continue
		}
		for _, g := range a.Gaps {
			if g.Name == name {
				return g.Estimate, true
			}
		}
	}
	return stats.Estimate{}, false
}

// Audit reports, for every attribute, its groups and the gaps between them. Group rates have Wilson intervals. A gap's
// interval is the percentile bootstrap over rows (stats.Bootstrap), widened to the estimate where that lies outside; when a
// group at an end has a rate of 0 or 1, which no resample changes, it is Newcombe's for a difference and MethodWilsonLimits
// for a ratio, from the two groups at the ends.
//
// A group in which a rate has no value (no positives for TPR) takes no part in gaps of that rate, and the gap names it.
// A gap with fewer than two groups to compare is undefined with its reason. The bootstrap of a largest difference lies somewhat
// above the estimate when groups are small, since noise spreads them.
//
// Errors name a score that is not a probability, an option out of range, or an attribute without one group name per row.
func Audit(s stats.Sample, attributes []Attribute, opt stats.Options) (Report, error) {
	opt, err := opt.Resolve()
	if err == nil {
		err = s.Validate()
	}
	if err != nil {
		return Report{}, fmt.Errorf("audit fairness: %w", err)
	}
	r := Report{Threshold: opt.Threshold, Level: opt.Level, Attributes: []AttributeReport{}}
	for _, a := range attributes {
		if len(a.Groups) != s.N() {
			return Report{}, fmt.Errorf("audit fairness by %q: %d group names for %d rows; expected one per row", a.Name, len(a.Groups), s.N())
		}
		names, cell := tally(s, a, opt.Threshold)
		if len(names) > mostGroups {
			return Report{}, fmt.Errorf("audit fairness by %q: %d groups; expected at most %d: name a column of categories, or bin it",
				a.Name, len(names), mostGroups)
		}
		r.Attributes = append(r.Attributes, audit(a.Name, names, cell, opt))
	}
	return r, nil
}

// mostGroups keeps four cells per group within a uint16.
const mostGroups = math.MaxUint16 / 4

// tally gives the groups' names in order and, for each row, the cell 4*group + 2*positive + predicted.
func tally(s stats.Sample, a Attribute, threshold float64) (names []string, cell []uint16) {
	names = slices.Compact(slices.Sorted(slices.Values(a.Groups)))
	position := make(map[string]int, len(names))
	for k, name := range names {
		position[name] = k
	}
	cell = make([]uint16, s.N())
	for i, g := range a.Groups {
		c := 4 * position[g]
		if s.Y[i] {
			c += 2
		}
		if s.Predicted(i, threshold) {
			c++
		}
		cell[i] = uint16(c)
	}
	return names, cell
}

// confusions reads the groups' confusion matrices off the counts of cells.
func confusions(counts []int, into []stats.Confusion) {
	for k := range into {
		c := counts[4*k:]
		into[k] = stats.Confusion{TN: c[0], FP: c[1], FN: c[2], TP: c[3]}
	}
}

func audit(attribute string, names []string, cell []uint16, opt stats.Options) AttributeReport {
	counts := make([]int, 4*len(names))
	for _, c := range cell {
		counts[c]++
	}
	observed := make([]stats.Confusion, len(names))
	confusions(counts, observed)

	r := AttributeReport{Name: attribute, Groups: make([]Group, len(names))}
	for k, name := range names {
		r.Groups[k] = group(name, observed[k], opt.Level)
		if r.Groups[k].Small {
			r.Note = smallGroupNote
		}
	}
	r.Gaps = gaps(names, observed, cell, opt)
	return r
}

func group(name string, c stats.Confusion, level float64) Group {
	n := c.N()
	return Group{
		Name: name, N: n, Positives: c.Positives(), Small: n < SmallGroup, Confusion: c,
		BaseRate:      stats.Proportion(c.Positives(), n, level, "no examples"),
		SelectionRate: selection.of(c, level),
		TPR:           truePositive.of(c, level),
		FPR:           falsePositive.of(c, level),
		Accuracy:      stats.Proportion(c.TP+c.TN, n, level, "no examples"),
	}
}
