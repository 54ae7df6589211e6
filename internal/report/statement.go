package report

import (
	"math"
	"regexp"
	"strings"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

var opWords = map[gate.Op]string{
	gate.Less: "less than", gate.LessOrEqual: "at most", gate.Greater: "more than", gate.GreaterOrEqual: "at least",
}

// metricWord is what could be a metric in a condition.
var metricWord = regexp.MustCompile(`[a-z][a-z0-9_]*`)

// understood reads a clause of a result. Which metrics are the user's own stands in the spec and not in the result, so every
// word that could be one counts as one.
func understood(text string) (gate.Clause, bool) {
	var own []gate.Own
	for _, name := range metricWord.FindAllString(text, -1) {
		if o := (gate.Own{Name: name}); o.Check() == nil {
			own = append(own, o)
		}
	}
	f, err := gate.Parse(text, own...)
	if err != nil || len(f.Clauses) != 1 {
		return gate.Clause{}, false
	}
	return f.Clauses[0], true
}

// statement is a clause in words: "Recall where sex is Female is to be more than 60 %".
func statement(c gate.Clause) string {
	return opening(expression(c.Expr)) + " is to be " + opWords[c.Op] + " " + formOf(c.Expr).exactly(c.Bound)
}

// formOf is how values of an expression are written: as those of its metrics, a sum or a difference of percentages in points,
// and one of different things as a number.
func formOf(e gate.Expr) form {
	first := termOf(e[0].Quantity.Metric).Form
	for _, t := range e[1:] {
		if termOf(t.Quantity.Metric).Form.change() != first.change() {
			return asAmount
		}
	}
	if len(e) > 1 {
		return first.change()
	}
	return first
}

// expression is a sum in words: "accuracy of the candidate minus 1.1 times accuracy of the serving version".
func expression(e gate.Expr) string {
	var b strings.Builder
	compares := false
	for _, t := range e {
		compares = compares || t.Quantity.Compares()
	}
	for i, t := range e {
		switch {
		case i > 0 && t.Coefficient < 0:
			b.WriteString(" minus ")
		case i > 0:
			b.WriteString(" plus ")
		case t.Coefficient < 0:
			b.WriteString("minus ")
		}
		if size := math.Abs(t.Coefficient); size != 1 {
			b.WriteString(asDecimal.exactly(size) + " times ")
		}
		b.WriteString(quantity(t.Quantity, compares))
	}
	return b.String()
}

// quantity is a metric in words; whose says of which model, which goes without saying where there is one only.
func quantity(q gate.Quantity, whose bool) string {
	text := termOf(q.Metric).within()
	if q.HasClass {
		text += " for “" + q.Class + "”"
	}
	switch {
	case !whose || q.Metric == stats.Disagreement:
	case q.Which == gate.Old:
		text += " of the serving version"
	default:
		text += " of the candidate"
	}
	return text + where(q.Slice)
}

func where(s gate.Slice) string {
	if s.IsZero() {
		return ""
	}
	var parts []string
	values := s.Parts[0].HasValue
	for _, p := range s.Parts {
		if values {
			parts = append(parts, p.Column+" is "+or(p.Value, "empty"))
		} else {
			parts = append(parts, p.Column)
		}
	}
	switch {
	case values:
		return " where " + list(parts)
	case len(parts) > 1:
		return " over the groups that " + list(parts) + " make together"
	}
	return " over " + parts[0]
}
