// Package drift tells whether a sample of current data comes from the distribution of a reference, with a stated
// probability of a false alarm over all columns of a check together.
//
// The tests, each of the hypothesis that both samples are independent draws from one distribution:
//
//   - numeric columns: the two-sample Kolmogorov-Smirnov test on present values. Its p-value is the limiting one, which
//     is never too small where it matters, and conservative where values repeat: a column of few distinct values needs a larger
//     change to alarm;
//   - categorical columns: the chi-square test on present values. Values that expect fewer than five rows in the smaller sample,
//     and all but the twenty most frequent ones, are pooled. The p-value is exact, given the table's margins, as far as cells
//     expect fewer than fifty rows (see chiSquareP): at the levels that a correction over many columns leaves, the chi-square
//     distribution alone would alarm two to four times too often;
//   - the share of the pooled, rare values of a categorical column, which holds values never seen before: an exact two-sided test;
//   - the share of missing values of any column in which some are missing: the same exact test.
//
// All p-values of a check are corrected together, after Holm (default) or Benjamini and Hochberg. A column has drifted when
// an adjusted p-value of one of its tests is at most the false-alarm rate. The PSI is reported and decides nothing.
//
// What the rate assumes: rows are independent of each other, in both samples. Rows that repeat each other, such as many
// requests of one customer, or a window that covers only part of a daily cycle, raise it.
package drift

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/assay-ml/assay/internal/table"
)

// The corrections for many tests.
const (
	Holm              = "holm"
	BenjaminiHochberg = "benjamini-hochberg"
)

// Options set the error rate of a check. Zero values take the defaults.
type Options struct {
	FalseAlarms float64 // probability of any alarm in a check without drift; above 0, at most 0.2; default 0.01
	MinRows     int     // fewer rows, in either sample, are insufficient; default 50
	Correction  string  // holm (default) or benjamini-hochberg
}

func (o Options) complete() (Options, error) {
	if o.FalseAlarms == 0 {
		o.FalseAlarms = 0.01
	}
	if o.MinRows == 0 {
		o.MinRows = 50
	}
	if o.Correction == "" {
		o.Correction = Holm
	}
	switch {
	case math.IsNaN(o.FalseAlarms) || o.FalseAlarms < 0 || o.FalseAlarms > 0.2:
		return o, fmt.Errorf("false_alarms is %g; expected a probability above 0 and at most 0.2", o.FalseAlarms)
	case o.MinRows < 0:
		return o, fmt.Errorf("min_rows is %d; expected at least 1", o.MinRows)
	case o.Correction != Holm && o.Correction != BenjaminiHochberg:
		return o, fmt.Errorf("the correction is %q; expected %s or %s", o.Correction, Holm, BenjaminiHochberg)
	}
	return o, nil
}

// Verdict is the answer of a check.
type Verdict string

// The verdicts of a check.
const (
	Drift        Verdict = "drift"
	None         Verdict = "none"         // no alarm; what could have been seen is stated
	Insufficient Verdict = "insufficient" // too few rows to say anything
)

// The names of tests.
const (
	KolmogorovSmirnov = "ks"
	ChiSquare         = "chi-square"
)

// Report is what a check found. All its numbers are finite.
type Report struct {
	Verdict       Verdict  `json:"verdict"`
	Drifted       bool     `json:"drifted"`
	Rows          int      `json:"rows"`           // of the current sample
	ReferenceRows int64    `json:"reference_rows"` // of the reference
	Needed        int      `json:"needed"`         // further current rows needed; 0 unless insufficient
	Alpha         float64  `json:"alpha"`          // probability of any false alarm in a check
	Correction    string   `json:"correction"`
	Tests         int      `json:"tests"`                  // p-values corrected together
	Columns       []Column `json:"columns"`                // in the reference's order
	NotCompared   []string `json:"not_compared,omitempty"` // reference columns that are no features, such as dates, or that the current data lacks
	Summary       string   `json:"summary"`                // one or two sentences for a person who does not read code
}

// Column is what a check found in one column.
type Column struct {
	Name      string     `json:"name"`
	Kind      table.Kind `json:"kind"`
	Test      string     `json:"test"`       // ks, chi-square, or empty when there was nothing to compare
	Statistic float64    `json:"statistic"`  // ks: D in [0, 1]; chi-square: at least 0
	PValue    float64    `json:"p_value"`    // 1 without a test
	AdjustedP float64    `json:"adjusted_p"` // after the correction
	PSI       float64    `json:"psi"`        // over the reference's deciles, or over values
	Drifted   bool       `json:"drifted"`    // by this test or one of the two shares

	// DetectableEffect is the least change that this sample would show with 80 % power at the level left by a correction over
	// all tests: ks, a distance D; chi-square, Cohen's w, whose square is about a PSI. 1 for ks means none for certain. 0 without a test.
	DetectableEffect float64 `json:"detectable_effect"`

	Missing *Share `json:"missing,omitempty"` // absent when no value is missing in either sample
	Rare    *Share `json:"rare,omitempty"`    // pooled values of a categorical column; absent when there are none
	Note    string `json:"note,omitempty"`    // one sentence where something needs saying

	detectable func(level float64) float64 // nil without a test
}

// Share compares the share of some rows in the two samples.
type Share struct {
	Reference float64 `json:"reference"`
	Current   float64 `json:"current"`
	PValue    float64 `json:"p_value"`
	AdjustedP float64 `json:"adjusted_p"`
}

// Check compares current data with a reference, column by column, for the columns that both hold under one name. The reference's
// columns choose what is compared: pass a profile of features only, or give current data without the others.
//
// It fails when the options are out of range, when no column is in both, and when a column is not of the same kind in both.
func Check(ref *table.Profile, current *table.Frame, o Options) (Report, error) {
	o, err := o.complete()
	if err != nil {
		return Report{}, fmt.Errorf("check drift: %w", err)
	}
	refs, left, err := references(ref)
	if err != nil {
		return Report{}, fmt.Errorf("check drift: %w", err)
	}
	report := Report{
		Verdict: Insufficient, Rows: current.Rows, ReferenceRows: ref.Rows,
		Alpha: o.FalseAlarms, Correction: o.Correction, Columns: []Column{}, NotCompared: left,
	}
	both, err := report.shared(refs, current)
	if err != nil {
		return Report{}, fmt.Errorf("check drift: %w", err)
	}
	if current.Rows < o.MinRows || ref.Rows < int64(o.MinRows) {
		return report.insufficient(o), nil
	}
	if report.Columns, err = compareAll(both, current); err != nil {
		return Report{}, fmt.Errorf("check drift: %w", err)
	}
	report.correct()
	report.summarise()
	return report, nil
}

// shared is the reference columns that the current data holds; it notes the others.
func (r *Report) shared(refs []columnReference, current *table.Frame) ([]columnReference, error) {
	var both []columnReference
	for _, ref := range refs {
		if slices.ContainsFunc(current.Columns, func(c table.Column) bool { return c.Name == ref.name }) {
			both = append(both, ref)
			continue
		}
		r.NotCompared = append(r.NotCompared, ref.name)
	}
	if len(both) == 0 {
		return nil, fmt.Errorf("none of the %d reference columns is in the current data; expected data with the same column names", len(refs))
	}
	return both, nil
}

// compareAll runs the tests of every column; columns do not depend on each other.
func compareAll(refs []columnReference, current *table.Frame) ([]Column, error) {
	columns := make([]Column, len(refs))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, ref := range refs {
		group.Go(func() error {
			cur, err := current.Column(ref.name)
			if err != nil {
				return err
			}
			columns[i], err = compare(ref, cur, current.Rows)
			if err != nil {
				return fmt.Errorf("column %q: %w", ref.name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return columns, nil
}

func (r Report) insufficient(o Options) Report {
	r.Needed = max(o.MinRows-r.Rows, 0)
	if r.Needed == 0 {
		r.Summary = fmt.Sprintf("The reference has %d rows and a check needs at least %d: nothing can be said about drift.", r.ReferenceRows, o.MinRows)
		return r
	}
	r.Summary = fmt.Sprintf("There are %d rows and a check needs at least %d: %d more are needed before anything can be said about drift.",
		r.Rows, o.MinRows, r.Needed)
	return r
}

// correct adjusts all p-values together and settles which columns drifted.
func (r *Report) correct() {
	var ps []float64
	r.eachP(func(p, _ *float64, _ *Column) { ps = append(ps, *p) })
	adjust := holm
	if r.Correction == BenjaminiHochberg {
		adjust = benjaminiHochberg
	}
	adjusted, i := adjust(ps), 0
	r.eachP(func(_, to *float64, c *Column) {
		*to = adjusted[i]
		c.Drifted = c.Drifted || adjusted[i] <= r.Alpha
		i++
	})
	r.Tests = len(ps)
	r.Verdict = None
	for i := range r.Columns {
		c := &r.Columns[i]
		if c.detectable != nil {
			c.DetectableEffect = c.detectable(r.Alpha / float64(r.Tests))
			c.detectable = nil // a report holds findings only
		}
		if c.Drifted {
			r.Drifted, r.Verdict = true, Drift
		}
	}
}

// eachP visits the p-values of all tests, always in the same order.
func (r *Report) eachP(visit func(p, adjusted *float64, c *Column)) {
	for i := range r.Columns {
		c := &r.Columns[i]
		if c.Test != "" {
			visit(&c.PValue, &c.AdjustedP, c)
		}
		for _, s := range []*Share{c.Missing, c.Rare} {
			if s != nil {
				visit(&s.PValue, &s.AdjustedP, c)
			}
		}
	}
}

// summarise says the result in words.
func (r *Report) summarise() {
	var drifted []string
	shift := 0.0
	for _, c := range r.Columns {
		if c.Drifted {
			drifted = append(drifted, c.Name)
		}
		if c.Test == KolmogorovSmirnov {
			shift = max(shift, normalShift(c.DetectableEffect))
		}
	}
	head := fmt.Sprintf("No drift was found in %d columns of %d rows.", len(r.Columns), r.Rows)
	if len(drifted) > 0 {
		head = fmt.Sprintf("Drift in %d of %d columns of %d rows: %s.", len(drifted), len(r.Columns), r.Rows, named(drifted))
	}
	r.Summary = fmt.Sprintf("%s Without any drift, at most %s %% of checks would alarm.", head, percent(r.Alpha))
	if shift > 0 && !math.IsInf(shift, 0) {
		r.Summary += fmt.Sprintf(" In a bell-shaped column, a shift of the mean by %.2f standard deviations or more would be seen in at least 80 %% of checks.", shift)
	}
}

// mostNamed bounds the columns that a summary names; the report has all.
const mostNamed = 10

func named(columns []string) string {
	if len(columns) <= mostNamed {
		return strings.Join(columns, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(columns[:mostNamed], ", "), len(columns)-mostNamed)
}

func percent(p float64) string { return fmt.Sprintf("%.4g", 100*p) }
