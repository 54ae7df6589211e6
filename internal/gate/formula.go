package gate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/stats"
)

// Op compares an expression with a bound.
type Op string

const (
	Less           Op = "<"
	LessOrEqual    Op = "<="
	Greater        Op = ">"
	GreaterOrEqual Op = ">="
)

// Holds reports whether value stands in the relation to bound.
func (o Op) Holds(value, bound float64) bool {
	switch o {
	case Less:
		return value < bound
	case LessOrEqual:
		return value <= bound
	case Greater:
		return value > bound
	case GreaterOrEqual:
		return value >= bound
	default:
		return false
	}
}

// words say what a condition asks for.
func (o Op) words() string {
	switch o {
	case Less:
		return "less than"
	case LessOrEqual:
		return "at most"
	case Greater:
		return "more than"
	default:
		return "at least"
	}
}

// Formula is a condition understood: clauses that must all hold. Formulas come from Parse only.
type Formula struct {
	Text    string   `json:"text"` // as written by the user
	Clauses []Clause `json:"clauses"`
	Own     []Own    `json:"own,omitempty"` // the user's own metrics that it names
}

// Clause compares an expression with a bound.
type Clause struct {
	Text    string  `json:"text"`    // as written by the user
	Subject string  `json:"subject"` // its expression as written by the user
	Expr    Expr    `json:"expr"`
	Op      Op      `json:"op"`
	Bound   float64 `json:"bound"`

	// Tolerance is the half width of the interval that the clause asks for: how far the truth may be from the bound on the
	// wrong side without being noticed. 0: the interval may be as long as it turns out.
	Tolerance float64 `json:"tolerance,omitempty"`
}

// Expr is a sum of terms.
type Expr []Term

// Term is a quantity and the finite number other than 0 that it is multiplied by.
type Term struct {
	Coefficient float64  `json:"coefficient"`
	Quantity    Quantity `json:"quantity"`
}

// String is the canonical form; parsing it gives an equal formula.
func (f Formula) String() string {
	clauses := make([]string, len(f.Clauses))
	for i, c := range f.Clauses {
		clauses[i] = c.String()
	}
	return strings.Join(clauses, ` /\ `)
}

// String is the canonical form; parsing it gives a formula of an equal clause.
func (c Clause) String() string {
	text := fmt.Sprintf("%s %s %s", c.Expr, c.Op, formatNumber(c.Bound))
	if c.Tolerance != 0 {
		text += " +/- " + formatNumber(c.Tolerance)
	}
	return text
}

// String is the canonical form: terms joined by + and -, coefficients before quantities, 1 left out.
func (e Expr) String() string {
	var b strings.Builder
	for i, t := range e {
		switch {
		case i == 0 && t.Coefficient < 0:
			b.WriteString("-")
		case i > 0 && t.Coefficient < 0:
			b.WriteString(" - ")
		case i > 0:
			b.WriteString(" + ")
		}
		if size := math.Abs(t.Coefficient); size != 1 {
			b.WriteString(formatNumber(size) + "*")
		}
		b.WriteString(t.Quantity.String())
	}
	return b.String()
}

// Equal reports whether two formulas ask for the same in the same order, however they are written.
func (f Formula) Equal(g Formula) bool { return slices.EqualFunc(f.Clauses, g.Clauses, Clause.Equal) }

// Equal reports whether two clauses ask for the same, however they are written.
func (c Clause) Equal(d Clause) bool {
	return c.Op == d.Op && c.Bound == d.Bound && c.Tolerance == d.Tolerance &&
		slices.EqualFunc(c.Expr, d.Expr, func(s, t Term) bool { return s.Coefficient == t.Coefficient && s.Quantity.Equal(t.Quantity) })
}

// Quantities are the different quantities of the formula, in the order in which they stand.
func (f Formula) Quantities() []Quantity {
	var all []Quantity
	for _, c := range f.Clauses {
		for _, t := range c.Expr {
			if !slices.ContainsFunc(all, t.Quantity.Equal) {
				all = append(all, t.Quantity)
			}
		}
	}
	return all
}

// Compares reports whether the formula needs the champion.
func (f Formula) Compares() bool { return slices.ContainsFunc(f.Clauses, Clause.Compares) }

// Compares reports whether the clause needs the champion: then it is skipped when there is none.
func (c Clause) Compares() bool {
	return slices.ContainsFunc(c.Expr, func(t Term) bool { return t.Quantity.Compares() })
}

// Metric is what the language knows of a quantity's metric, the user's own ones included.
func (f Formula) Metric(q Quantity) Metric {
	if m, ok := FindMetric(q.Metric); ok {
		return m
	}
	for _, o := range f.Own {
		if o.Name == q.Metric {
			return o.metric()
		}
	}
	return Metric{Name: q.Metric, Scope: ScopeGate, Subject: OfRows, Kind: Mean, usual: anything}
}

// Require refuses a formula that stands in another scope than its metrics.
func (f Formula) Require(scope Scope) error {
	for _, q := range f.Quantities() {
		if f.Metric(q).Scope != scope {
			return f.refuse("%s cannot be measured here; expected one of %s", q.Metric, strings.Join(MetricNames(scope), ", "))
		}
	}
	return nil
}

// For refuses a formula on metrics that models of the task do not have, on classes other than those given, unless none are,
// and on bounds outside of the ranges that the metrics have for the task.
func (f Formula) For(task stats.Task, classes ...string) error {
	for _, q := range f.Quantities() {
		if err := f.checkTask(q, task, classes); err != nil {
			return err
		}
	}
	for _, c := range f.Clauses {
		if _, err := f.checkBound(c, task); err != nil {
			return f.refuse("%w", err)
		}
	}
	return nil
}

func (f Formula) checkTask(q Quantity, task stats.Task, classes []string) error {
	m := f.Metric(q)
	form := whole
	if q.HasClass {
		form = byClass
	}
	switch {
	case m.has(task, form) && q.HasClass && len(classes) > 0 && !slices.Contains(classes, q.Class):
		return f.refuse("%s speaks of a class that there is not; %s", q, didYouMean(q.Class, classes))
	case m.has(task, form):
		return nil
	case m.has(task, byClass):
		class := "..."
		if len(classes) > 0 {
			class = quoteName(classes[0], classEnds)
		}
		return f.refuse("%s is of one class, and the model tells several apart; name one, as in %s(%s)", q.Metric, q.Metric, class)
	case m.has(task, whole):
		return f.refuse("%s names a class, which only models of several classes have; write it without one", q)
	default:
		return f.refuse("%s is not defined for %s; expected one of %s", q.Metric, task, strings.Join(TaskMetricNames(m.Scope, task), ", "))
	}
}

func (f Formula) refuse(format string, args ...any) error {
	return fmt.Errorf("condition %q: %w", f.Text, fmt.Errorf(format, args...))
}

// spanOf is what values an expression can have, by interval arithmetic on the ranges of what it is made of.
func (f Formula) spanOf(e Expr, task stats.Task) span {
	var s span
	for _, t := range e.combined() {
		least, most := f.Metric(t.Quantity).Range(task)
		a, b := t.Coefficient*least, t.Coefficient*most
		s.least, s.most = s.least+min(a, b), s.most+max(a, b)
	}
	return s
}

// checkBound refuses a bound that the expression can never cross, and a tolerance that holds all of its values, both of which
// are percentages more often than intentions. atTolerance says that the error is about the tolerance.
func (f Formula) checkBound(c Clause, task stats.Task) (atTolerance bool, err error) {
	s := f.spanOf(c.Expr, task)
	if c.Bound < s.least || c.Bound > s.most {
		return false, s.refuse(c.Expr.subject(), c.Bound)
	}
	if width := s.most - s.least; c.Tolerance >= width && width > 0 {
		advice := ""
		if c.Tolerance >= 1 && c.Tolerance/100 < width && c.Tolerance < 100 {
			advice = ": for percent write " + shortNumber(c.Tolerance/100)
		}
		return true, fmt.Errorf("%s lies between %g and %g, which a tolerance of %s holds all of%s",
			c.Expr.subject(), s.least, s.most, formatNumber(c.Tolerance), advice)
	}
	return false, nil
}

func (s span) refuse(subject string, bound float64) error {
	where := fmt.Sprintf("lies between %g and %g", s.least, s.most)
	switch {
	case math.IsInf(s.most, 1):
		where = fmt.Sprintf("is never below %g", s.least)
	case math.IsInf(s.least, -1):
		where = fmt.Sprintf("is never above %g", s.most)
	}
	advice := ""
	percent := math.Abs(bound) > 1 && math.Abs(bound) <= 100 && bound/100 >= s.least && bound/100 <= s.most
	if percent && !math.IsInf(s.most-s.least, 0) {
		advice = ": for percent write " + shortNumber(bound/100)
	}
	return fmt.Errorf("%s %s; the bound is %g%s", subject, where, bound, advice)
}

// subject names what an expression is about, in messages on all its values.
func (e Expr) subject() string {
	if len(e) == 1 && e[0].Coefficient == 1 {
		return e[0].Quantity.Metric
	}
	return e.String()
}

// combined sums the coefficients of equal quantities, in the order in which they first stand, and leaves out those that cancel.
// What rounding leaves of a sum such as 0.1 + 0.2 - 0.3 has cancelled too.
func (e Expr) combined() Expr {
	out := make(Expr, 0, len(e))
	size := make([]float64, 0, len(e))
	for find := e.finder(); len(e) > 0; e = e[1:] {
		t := e[0]
		i := find(t.Quantity, out)
		if i == len(out) {
			out, size = append(out, t), append(size, math.Abs(t.Coefficient))
			continue
		}
		out[i].Coefficient += t.Coefficient
		size[i] += math.Abs(t.Coefficient)
	}
	kept := out[:0]
	for i, t := range out {
		if math.Abs(t.Coefficient) > rounding*size[i] {
			kept = append(kept, t)
		}
	}
	return kept
}

// finder gives where a quantity stands among the different ones so far, or their number: by looking at each when there are few, as
// in nearly every condition, and by a map when there are many.
func (e Expr) finder() func(q Quantity, among Expr) int {
	const few = 16
	if len(e) <= few {
		return func(q Quantity, among Expr) int {
			for i, t := range among {
				if t.Quantity.Equal(q) {
					return i
				}
			}
			return len(among)
		}
	}
	at := make(map[string]int, len(e))
	return func(q Quantity, among Expr) int {
		key := q.key()
		i, known := at[key]
		if !known {
			i = len(among)
			at[key] = i
		}
		return i
	}
}

// key is the same for equal quantities only.
func (q Quantity) key() string {
	q.Slice = Slice{Parts: q.Slice.sorted()}
	return string(q.Which) + " " + q.String()
}

func formatNumber(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
