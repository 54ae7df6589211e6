package evaluation

import (
	"github.com/assay-ml/assay/internal/stats"
)

// Report is what a model's answers on the test rows come to, for people.
type Report struct {
	Task    stats.Task `json:"task"`
	Classes []string   `json:"classes,omitempty"`

	Rows     int `json:"rows"`     // of the test part
	Labelled int `json:"labelled"` // those that Overall rests on
	Chosen   int `json:"chosen"`   // rows labelled for what they are, which Overall leaves out unless every label is known

	Overall       Result         `json:"overall"`
	Slices        []Slice        `json:"slices,omitempty"`        // every group of every column, in the order of Options.Slices
	Intersections []Intersection `json:"intersections,omitempty"` // pairs of columns, in the order of Options.Crossed
	Comparison    *Comparison    `json:"comparison,omitempty"`    // absent without a champion
}

// Result is the figures of some rows: one of the three, by the task.
type Result struct {
	Binary     *stats.Report           `json:"binary,omitempty"`
	Multiclass *stats.MulticlassReport `json:"multiclass,omitempty"`
	Regression *stats.RegressionReport `json:"regression,omitempty"`
}

// Metrics are the estimates, in the order of the task's metrics.
func (r Result) Metrics() []stats.Metric {
	switch {
	case r.Binary != nil:
		return r.Binary.Metrics
	case r.Multiclass != nil:
		return r.Multiclass.Metrics
	case r.Regression != nil:
		return r.Regression.Metrics
	}
	return nil
}

// Metric finds an estimate by the metric's name.
func (r Result) Metric(name string) (stats.Estimate, bool) {
	return stats.Report{Metrics: r.Metrics()}.Metric(name)
}

// Slice is the figures of one group of a column, without curves. Metrics rest on the labelled rows among Rows.
type Slice struct {
	Column string `json:"column"`
	Group  string `json:"group"`
	Rows   int    `json:"rows"`
	Result
}

// Intersection is two columns crossed: a person belongs to a group of each, and may be treated unlike either group.
type Intersection struct {
	Columns  []string     `json:"columns"`
	MinGroup int          `json:"min_group"`       // fewer rows are not evaluated
	Groups   []Crossed    `json:"groups"`          // with MinGroup rows or more
	Small    []SmallGroup `json:"small,omitempty"` // the others that have rows
}

// Crossed is the figures of the rows that are in a group of each column.
type Crossed struct {
	Values []string `json:"values"` // by column
	Rows   int      `json:"rows"`
	Result
}

// SmallGroup is a group that is too small to be evaluated: it is named, so that nobody takes it for well treated.
type SmallGroup struct {
	Values []string `json:"values"`
	Rows   int      `json:"rows"`
}

// Comparison is the candidate against the champion on the same rows.
type Comparison struct {
	Champion Result `json:"champion"` // its figures, as Report.Overall

	// Differences are the candidate's metrics less the champion's, each with an interval for the pair: much shorter than the
	// two intervals suggest, since both are right, or wrong, on most rows together.
	Differences []stats.Metric `json:"differences"`

	// Of classification only.
	Disagreement *stats.Estimate `json:"disagreement,omitempty"` // share of rows on which the predicted classes differ
	Answers      [][]int         `json:"answers,omitempty"`      // rows by the champion's class (first index) and the candidate's (second)
	Right        *Right          `json:"right,omitempty"`
}

// Right counts labelled rows by who is right. Without a difference in truth, OnlyCandidate and OnlyChampion are as often the
// larger: McNemar's test (1947).
type Right struct {
	Both          int               `json:"both"`
	OnlyCandidate int               `json:"only_candidate"`
	OnlyChampion  int               `json:"only_champion"`
	Neither       int               `json:"neither"`
	McNemar       stats.McNemarTest `json:"mcnemar"`
}
