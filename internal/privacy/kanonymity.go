// Package privacy measures how well the rows of a table hide the people in them.
package privacy

import (
	"fmt"
	"strconv"

	"github.com/assay-ml/assay/internal/stats"
)

// Names of the metrics a condition can ask for.
const (
	MetricKAnonymity  = "k_anonymity"  // rows in the smallest class
	MetricUniqueShare = "unique_share" // share of rows alone in their class
)

// MetricNames lists the metrics in the order of Report.Metrics.
func MetricNames() []string { return []string{MetricKAnonymity, MetricUniqueShare} }

// SmallClass is the class size below which rows are counted as poorly hidden: many publication rules ask for k of 5.
const SmallClass = 5

// Column is one column of a table as text, a value per row; a missing value is a value like any other.
type Column struct {
	Name   string
	Values []string
}

// Report is the k-anonymity of a table (Samarati and Sweeney, 1998): its rows fall into classes that agree in every
// quasi-identifier, and whoever knows these of a person learns that the person is one of a class. It holds counts only,
// no values.
type Report struct {
	QuasiIdentifiers []string `json:"quasi_identifiers"`
	Rows             int      `json:"rows"`
	Note             string   `json:"note,omitempty"` // why there is nothing to report

	Classes            int     `json:"classes"`
	KMin               int     `json:"k_min"` // rows in the smallest class
	UniqueRows         int     `json:"unique_rows"`
	UniqueShare        float64 `json:"unique_share"`
	RowsInSmallClasses int     `json:"rows_in_classes_below_5"`
	MeanClassSize      float64 `json:"mean_class_size"`
	HomogeneousClasses int     `json:"homogeneous_classes"`         // classes whose rows all have the same sensitive value
	RowsInHomogeneous  int     `json:"rows_in_homogeneous_classes"` // whoever knows the class knows these rows' sensitive value

	Metrics []Metric `json:"metrics"`

	Diversity []DiversityReport `json:"diversity,omitempty"` // of the target, then of the other sensitive columns
	Riskiest  []Combination     `json:"riskiest,omitempty"`
	RiskSize  int               `json:"risk_size,omitempty"` // most columns in a combination that was looked at
	Sizes     []SizeBand        `json:"class_sizes,omitempty"`
	Exact     *ExactClasses     `json:"exact,omitempty"` // nil: no number was taken by its band

	Membership []AttackReport `json:"membership,omitempty"` // attacks that tell training rows from others, the simplest first
	Notes      []string       `json:"notes,omitempty"`      // what was not done and why, in sentences
}

// Metric is a named estimate.
type Metric struct {
	Name string `json:"name"`
	stats.Estimate
}

// Metric finds an estimate by the metric's name.
func (r Report) Metric(name string) (stats.Estimate, bool) {
	for _, m := range r.Metrics {
		if m.Name == name {
			return m.Estimate, true
		}
	}
	return stats.Estimate{}, false
}

// class is what has been seen of the rows that agree in all quasi-identifiers.
type class struct {
	rows      int
	sensitive string
	mixed     bool
}

// KAnonymity groups rows by the quasi-identifiers and reports the classes; sensitive is the value that must not be learnt
// (the target), one per row. Without quasi-identifiers or rows the report says so in its note and its metrics are undefined.
// It is an error when columns differ in length.
func KAnonymity(quasi []Column, sensitive []string) (Report, error) {
	for _, c := range quasi {
		if len(c.Values) != len(sensitive) {
			return Report{}, fmt.Errorf("measure k-anonymity: column %q has %d values and the target has %d; expected one per row of each",
				c.Name, len(c.Values), len(sensitive))
		}
	}
	r := Report{QuasiIdentifiers: []string{}, Rows: len(sensitive)}
	for _, c := range quasi {
		r.QuasiIdentifiers = append(r.QuasiIdentifiers, c.Name)
	}
	switch {
	case len(quasi) == 0:
		r.Note = "no quasi-identifiers: name the columns that could identify a person together, or the protected columns"
	case len(sensitive) == 0:
		r.Note = "no rows"
	}
	if r.Note != "" {
		for _, name := range MetricNames() {
			r.Metrics = append(r.Metrics, Metric{name, stats.NoValue(1, r.Rows, r.Note)})
		}
		return r, nil
	}
	r.count(classes(quasi, sensitive))
	r.Metrics = []Metric{
		{MetricKAnonymity, stats.Exact(float64(r.KMin), r.Rows)},
		{MetricUniqueShare, stats.Exact(r.UniqueShare, r.Rows)},
	}
	return r, nil
}

func classes(quasi []Column, sensitive []string) map[string]*class {
	found := map[string]*class{}
	var key []byte
	for i, value := range sensitive {
		key = key[:0]
		for _, c := range quasi {
			// The length keeps ("ab", "c") and ("a", "bc") apart.
			key = strconv.AppendInt(key, int64(len(c.Values[i])), 10)
			key = append(append(key, ':'), c.Values[i]...)
		}
		k, ok := found[string(key)]
		if !ok {
			found[string(key)] = &class{rows: 1, sensitive: value}
			continue
		}
		k.rows++
		k.mixed = k.mixed || k.sensitive != value
	}
	return found
}

// count sums integers over the classes, so that their order does not matter.
func (r *Report) count(classes map[string]*class) {
	r.Classes, r.KMin = len(classes), r.Rows
	for _, c := range classes {
		r.KMin = min(r.KMin, c.rows)
		if c.rows == 1 {
			r.UniqueRows++
		}
		if c.rows < SmallClass {
			r.RowsInSmallClasses += c.rows
		}
		if !c.mixed {
			r.HomogeneousClasses++
			r.RowsInHomogeneous += c.rows
		}
	}
	r.UniqueShare = float64(r.UniqueRows) / float64(r.Rows)
	r.MeanClassSize = float64(r.Rows) / float64(r.Classes)
}
