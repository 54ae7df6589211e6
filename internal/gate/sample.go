package gate

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/stats"
)

// LabelsPerDay is how many labels a person gives in a day, by ease.ml/ci (Renggli et al., SysML 2019, section 3.5): two a second
// for eight hours. A sample is practical that takes one day at most.
const LabelsPerDay = 2 * 8 * 3600

// EstimateOptions are what is known before anything is measured.
type EstimateOptions struct {
	Disagreement float64    `json:"disagreement,omitempty"` // share of rows on which the models differ at most, up to 1; 0: not known
	Expected     float64    `json:"expected,omitempty"`     // value that shares are expected to have, below 1; 0: any
	Task         stats.Task `json:"task,omitempty"`         // empty: not known, and ranges are those over all tasks
}

// Sample is what formulas need.
type Sample struct {
	Split      Split          `json:"split"`
	Clauses    []ClauseSample `json:"clauses"`
	Rows       int            `json:"rows"`                  // that all clauses together need: the most that one does; 0: cannot be said
	Labels     int            `json:"labels"`                // how many of them need their label
	LabelsEach int            `json:"labels_each,omitempty"` // with active labelling, labels for each evaluation; 0: it does not help
	Days       float64        `json:"days"`                  // of labelling for one person
	Practical  bool           `json:"practical"`             // at most one day, or one for each evaluation
	Complete   bool           `json:"complete"`              // the number holds for all clauses; otherwise some cannot be told in advance
	Sentence   string         `json:"sentence"`
}

// ClauseSample is what one clause needs.
type ClauseSample struct {
	Condition  string  `json:"condition"` // as written
	Clause     string  `json:"clause"`    // in canonical form
	Delta      float64 `json:"delta,omitempty"`
	Tolerance  float64 `json:"tolerance,omitempty"`
	Sizes      []Size  `json:"sizes,omitempty"`       // by each bound that applies
	Chosen     string  `json:"chosen,omitempty"`      // the bound that asks for the fewest rows
	Rows       int     `json:"rows,omitempty"`        // by that bound; 0: none are needed, or it cannot be said, see Why
	Labels     int     `json:"labels,omitempty"`      // how many of them need their label
	LabelsEach int     `json:"labels_each,omitempty"` // with active labelling, for each evaluation
	Of         string  `json:"of,omitempty"`          // which rows are counted
	Why        string  `json:"why"`
}

// Size is a sample by one bound.
type Size struct {
	Bound string `json:"bound"`
	Rows  int    `json:"rows"`
	Why   string `json:"why"`
}

// Estimate says how many rows of test data the formulas need for the half widths that their tolerances ask for. Those of
// ease.ml/ci are by its formulas; beside them stand those of the intervals that the gate makes itself. The smallest is chosen.
// Errors tell of a plan or an option out of its range.
func Estimate(formulas []Formula, plan Plan, opt EstimateOptions) (Sample, error) {
	shares, split, err := plan.divide(formulas)
	if err != nil {
		return Sample{}, err
	}
	if !(opt.Disagreement >= 0 && opt.Disagreement <= 1) {
		return Sample{}, fmt.Errorf("estimate a sample: disagreement %g; expected a share above 0 and at most 1", opt.Disagreement)
	}
	if !(opt.Expected >= 0 && opt.Expected < 1) {
		return Sample{}, fmt.Errorf("estimate a sample: expected value %g; expected a share above 0 and below 1", opt.Expected)
	}
	s := Sample{Split: split, Complete: true}
	for _, share := range shares {
		e := estimator{formulas, formulas[share.formula], split, opt}
		c := e.clause(formulas[share.formula].Clauses[share.clause], share)
		s.Clauses = append(s.Clauses, c)
		s.Rows, s.Labels = max(s.Rows, c.Rows), max(s.Labels, c.Labels)
		s.Complete = s.Complete && (c.Rows > 0 || share.chances() == 0)
	}
	s.summarise()
	return s, nil
}

type estimator struct {
	all   []Formula
	f     Formula
	split Split
	opt   EstimateOptions
}

func (e estimator) clause(c Clause, s share) ClauseSample {
	r := ClauseSample{Condition: c.Text, Clause: c.String(), Tolerance: c.Tolerance}
	if s.chances() == 0 {
		r.Why = "It is counted, which takes no sample."
		return r
	}
	r.Delta = e.split.PerClause
	if c.Tolerance == 0 {
		r.Why = "Without a tolerance there is no half width to aim at; add one, as in " + c.String() + " +/- 0.02."
		return r
	}
	terms := c.Expr.combined()
	size, variables, ok := e.f.spread(terms, e.opt.Task)
	if !ok {
		r.Why = fmt.Sprintf("The sample for %s cannot be told in advance: it has no bound that holds for every kind of rows. An evaluation tells about how many it needs.", c.Subject)
		return r
	}
	r.Of = e.rowsOf(terms)
	r.add(BoundHoeffding, hoeffdingRows(size, c.Tolerance, e.split.logInverse(float64(e.split.Clauses*variables))),
		"allows for every value that it could have")
	each := 0
	switch {
	case len(s.units) == 1 && s.units[0].Unit.Minus == nil && e.f.Metric(terms[0].Quantity).Kind == Share:
		e.alone(&r, c.Tolerance/math.Abs(terms[0].Coefficient), s.tail)
	case len(s.units) == 1 && e.betweenModels(s.units[0].Unit):
		each = e.paired(&r, s.units[0], c.Tolerance/math.Abs(s.units[0].Coefficient), s.tail)
	}
	r.choose(c)
	if e.needLabels(terms) {
		r.Labels = r.Rows
		if each < r.Labels {
			r.LabelsEach = each
		}
	}
	return r
}

// alone adds the exact sample of one share.
func (e estimator) alone(r *ClauseSample, tolerance, tail float64) {
	share, why := 0.5, "the gate's own interval of one share, exact, where it is longest: at a share of one half"
	if e.opt.Expected > 0 {
		share, why = e.opt.Expected, fmt.Sprintf("the gate's own interval of one share, exact, at the share of %s that is expected", formatNumber(e.opt.Expected))
	}
	r.add(BoundExactBinomial, float64(stats.ExactShareRows(share, tolerance, tail)), why)
}

// betweenModels reports whether the unit is the difference of the two models' accuracies, which a share of rows on which they
// differ bounds.
func (e estimator) betweenModels(u Unit) bool {
	return u.Minus != nil && u.Quantity.Metric == stats.Accuracy && u.Quantity.Which == New && u.Minus.Which == Old
}

// paired adds the samples of new - old when the share of rows on which they differ is bounded, and gives the labels that each
// evaluation needs with active labelling, or 0. The paper's formulas spend half of the probability on the filter that bounds
// the disagreement, which is a clause of its own, and half of what is left on each side.
func (e estimator) paired(r *ClauseSample, w weighted, tolerance, tail float64) (each int) {
	rows := w.Unit.Quantity.Slice
	p, clause, bounded := disagreementBound(e.all, rows)
	parts := 2 * float64(e.split.Clauses)
	why := fmt.Sprintf("the models differ on at most %s of the rows, or %s fails (its bound and twice its tolerance)", shortNumber(p), clause)
	if given := e.opt.Disagreement; given > 0 && rows.IsZero() && (given < p || !bounded) {
		why = fmt.Sprintf("the models are said to differ on at most %s of the rows", shortNumber(given))
		if !bounded {
			parts = 2 * float64(e.split.Clauses+1)
		}
		p, bounded = given, true
	}
	if !bounded {
		return 0
	}
	r.add(BoundBennett, bennettRows(p, tolerance, e.split.logInverse(parts)), why)
	r.add(BoundExactPaired, float64(stats.PairedShareRows(p, tolerance, tail)),
		fmt.Sprintf("the gate's own interval of new - old when one of them alone is right on %s of the rows", shortNumber(p)))
	once := e.split.Plan
	once.Steps = 1
	once.Adaptivity = AdaptivityNone
	return rowsUp(bennettLabels(p, tolerance, once.logInverse(parts)))
}

func (r *ClauseSample) add(bound string, rows float64, why string) {
	if n := rowsUp(rows); n > 0 {
		r.Sizes = append(r.Sizes, Size{Bound: bound, Rows: n, Why: why})
	}
}

// choose takes the bound that asks for the fewest rows.
func (r *ClauseSample) choose(c Clause) {
	best := Size{}
	for _, s := range r.Sizes {
		if best.Rows == 0 || s.Rows < best.Rows {
			best = s
		}
	}
	if best.Rows == 0 {
		r.Why = fmt.Sprintf("A tolerance of %s asks for more rows than can be counted; write a larger one.", formatNumber(c.Tolerance))
		return
	}
	r.Chosen, r.Rows = best.Bound, best.Rows
	few := ""
	if len(r.Sizes) > 1 {
		few = fmt.Sprintf(", the fewest of %d bounds that apply", len(r.Sizes))
	}
	r.Why = fmt.Sprintf("%s %s by %s%s: %s.", grouped(best.Rows), r.Of, strings.ReplaceAll(best.Bound, "_", " "), few, best.Why)
}

// rowsOf says which rows are counted: a metric of some rows rests on these alone.
func (e estimator) rowsOf(terms Expr) string {
	for _, t := range terms {
		if !t.Quantity.Slice.IsZero() || ofSomeRows(t.Quantity.Metric) {
			return "rows that bear on each of its metrics (of the slice and of the class that it is taken on)"
		}
	}
	return "rows"
}

// ofSomeRows reports whether a share is one of the rows of a class, or of those predicted to be of one.
func ofSomeRows(metric string) bool {
	switch metric {
	case stats.Precision, stats.Recall, stats.Specificity, stats.FPR, stats.FNR:
		return true
	}
	return false
}

// needLabels reports whether a quantity compares predictions with the truth.
func (e estimator) needLabels(terms Expr) bool {
	for _, t := range terms {
		m := e.f.Metric(t.Quantity)
		if m.Subject == OfRows && m.Name != stats.Disagreement && m.Name != stats.SelectionRate {
			return true
		}
	}
	return false
}

// summarise says what all clauses together need.
func (s *Sample) summarise() {
	each := 0
	for _, c := range s.Clauses {
		if c.LabelsEach > 0 {
			each = max(each, c.LabelsEach)
		} else {
			each = max(each, c.Labels)
		}
	}
	if each < s.Labels {
		s.LabelsEach = each
	}
	s.Days = float64(s.Labels) / LabelsPerDay
	s.Practical = each <= LabelsPerDay && (s.Rows > 0 || s.Complete)
	s.Sentence = s.sentence()
}

func (s Sample) sentence() string {
	var b strings.Builder
	if s.Rows == 0 {
		if s.Complete {
			return "Everything is counted, so that no sample is needed."
		}
		return "How many rows are needed cannot be told in advance; an evaluation tells."
	}
	fmt.Fprintf(&b, "%s rows are needed", grouped(s.Rows))
	switch {
	case s.Labels == 0:
		b.WriteString(", none with a label.")
	case s.Labels < s.Rows:
		fmt.Fprintf(&b, ", %s of them with labels: %s.", grouped(s.Labels), days(s.Labels))
	default:
		fmt.Fprintf(&b, ", all with labels: %s.", days(s.Labels))
	}
	if s.LabelsEach > 0 {
		fmt.Fprintf(&b, " If only rows are labelled on which the models differ, each evaluation takes %s labels: %s.", grouped(s.LabelsEach), days(s.LabelsEach))
	}
	if !s.Practical {
		b.WriteString(" That is more than a day of labelling, which is not practical: allow for a larger tolerance or less reliability.")
	}
	if !s.Complete {
		b.WriteString(" Some conditions need more or less than that, which only an evaluation tells.")
	}
	return b.String()
}

// days says how long a person takes for labels.
func days(labels int) string {
	d := float64(labels) / LabelsPerDay
	switch {
	case d < 0.1:
		return fmt.Sprintf("less than an hour at %s labels a day", grouped(LabelsPerDay))
	case d < 0.95:
		return fmt.Sprintf("%.1f days at %s labels a day", d, grouped(LabelsPerDay))
	default:
		return fmt.Sprintf("%.1f days of labelling at %s labels a day", d, grouped(LabelsPerDay))
	}
}

// shortNumber leaves out what floating point adds to a sum.
func shortNumber(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
