package report

import (
	"fmt"
	"html/template"
	"math"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// verdict is the answer to all conditions, with each of them below.
type verdict struct {
	Class       string
	Mark        template.HTML
	Headline    string
	Explanation string
	Lead        string
	Conditions  []condition
}

type condition struct {
	Class     string
	Mark      template.HTML
	Statement string // the condition in words
	Word      string // the verdict in a word
	Reason    string
	Tags      []string
	Bar       template.HTML
}

// verdictWords name a verdict, so that it is never told by shape or colour alone.
var verdictWords = map[gate.Verdict]string{
	gate.Pass: "Met.", gate.Fail: "Not met.", gate.Inconclusive: "Cannot be told.",
}

func verdictOf(d Dossier) verdict {
	v := verdict{Class: markClass(string(d.Gate.Verdict))}
	counts := map[gate.Verdict]int{}
	for _, r := range d.Gate.Results {
		counts[r.Verdict]++
		v.Conditions = append(v.Conditions, conditionOf(r))
	}
	v.Headline, v.Explanation = headline(d.Gate.Verdict, counts, len(d.Gate.Results))
	v.Mark = mark(string(d.Gate.Verdict), or(verdictWords[d.Gate.Verdict], "No verdict"))
	v.Lead = "The conditions are part of the spec, which was fixed before training. The model was measured on test data kept out of training. " +
		"A close call is one whose bound lies inside the interval: other test data of the same kind could have given the other answer."
	if len(d.Gate.Results) == 0 {
		v.Lead = "The spec sets no conditions, so nothing was tested against a bound. Judge by the figures below."
	}
	return v
}

func headline(v gate.Verdict, counts map[gate.Verdict]int, total int) (headline, explanation string) {
	of := func(n int, rest string) string {
		if total == 1 {
			return "The condition " + rest
		}
		return fmt.Sprintf("%d of %d conditions %s", n, total, rest)
	}
	isAre := func(n int) string {
		if n == 1 {
			return "is"
		}
		return "are"
	}
	switch {
	case total == 0:
		return "No conditions were set", "Nothing was tested against a bound."
	case v == gate.Fail:
		n := counts[gate.Fail]
		return of(n, isAre(n)+" not met"), "The measurements speak against this candidate."
	case v == gate.Inconclusive:
		n := counts[gate.Inconclusive]
		return of(n, "cannot be told from the data at hand"), "None is known to fail. People have to weigh what the data leaves open."
	case v == gate.Pass && total == 1:
		return "The condition is met", "Whether the model should be used is for you to decide."
	case v == gate.Pass:
		return fmt.Sprintf("All %d conditions are met", total), "Whether the model should be used is for you to decide."
	}
	return "There is no verdict", "Treat the conditions as not met."
}

func conditionOf(r gate.Result) condition {
	word := or(verdictWords[r.Verdict], "No verdict.")
	c := condition{
		Class: markClass(string(r.Verdict)), Mark: mark(string(r.Verdict), word), Word: word,
		Statement: r.Condition, Reason: r.Reason,
	}
	parsed, err := gate.Parse(r.Condition)
	if err != nil {
		return c // the condition as written and the gate's own reason say all there is
	}
	t := termOf(parsed.Metric)
	c.Statement = statement(parsed, t)
	if !r.Estimate.Defined() {
		c.Reason = "It has no value on this data: " + r.Estimate.Undefined + "."
	}
	if !r.Estimate.Defined() || !finite(r.Estimate) {
		return c
	}
	c.Reason = fmt.Sprintf("Measured %s (%s).", t.Form.write(r.Estimate.Value), certainty(t.Form, r.Estimate))
	if straddles(r.Estimate, parsed.Bound) {
		c.Tags = []string{"close call"}
	}
	if t.Form != asCount {
		c.Bar = conditionBar(parsed, t, r.Estimate)
	}
	return c
}

// statement is a condition in words: "Recall where sex is Female is to be more than 60.0 %".
func statement(c gate.Condition, t term) string {
	ops := map[gate.Op]string{
		gate.Less: "less than", gate.LessOrEqual: "at most", gate.Greater: "more than", gate.GreaterOrEqual: "at least",
	}
	return fmt.Sprintf("%s%s is to be %s %s", t.Name, where(c.Slice), ops[c.Op], t.Form.write(c.Bound))
}

func where(s gate.Slice) string {
	switch {
	case s.Attribute == "":
		return ""
	case s.HasGroup:
		return fmt.Sprintf(" where %s is %s", s.Attribute, or(s.Group, "empty"))
	}
	return " over " + s.Attribute
}

// straddles reports whether chance could have put the value on the other side of the bound.
func straddles(e stats.Estimate, bound float64) bool {
	return e.Method != stats.MethodExact && e.Low <= bound && bound <= e.High
}

// certainty says how sure a value is, and on how many cases it rests.
func certainty(f form, e stats.Estimate) string {
	if e.Method == stats.MethodExact {
		return "counted on " + countOf(e.N, "row", "rows")
	}
	return fmt.Sprintf("%s, %s", levelled(f, e), countOf(e.N, "case", "cases"))
}

// levelled is the interval with its level: "95 % interval 0.898 to 0.912".
func levelled(f form, e stats.Estimate) string {
	return fmt.Sprintf("%s interval %s", level(e.Level), f.interval(e))
}

func level(l float64) string { return general(math.Round(l*1e4)/100) + nbsp + "%" }

func finite(e stats.Estimate) bool {
	for _, v := range []float64{e.Value, e.Low, e.High} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// conditionBar shows value, interval and bound on a scale that just holds them, so that their distance can be seen.
func conditionBar(c gate.Condition, t term, e stats.Estimate) template.HTML {
	bounds := scale{0, 1}
	if c.Metric == stats.LogLoss {
		bounds.High = math.Inf(1)
	}
	if c.Metric == stats.MCC {
		bounds.Low = -1
	}
	s := spanning(bounds, e.Value, e.Low, e.High, c.Bound)
	title := fmt.Sprintf("%s: %s, bound %s", t.Name, t.Form.write(e.Value), t.Form.write(c.Bound))
	return intervalBar(s, title, e.Value, e.Low, e.High, c.Bound)
}
