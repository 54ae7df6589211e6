package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/assay-ml/assay/internal/evaluation"
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
	Policy      string // what doubt counts as
	Conditions  []condition
	Sureness    []fact
}

type condition struct {
	Class     string
	Mark      template.HTML
	Statement string // the condition in words
	Word      string // the verdict in a word
	Reason    string
	Needs     string // which sample would decide it
	Tags      []string
	Bar       template.HTML
	Ends      []string // of the bar's scale
	Source    string   // the condition as the spec has it
	Note      string   // its tolerance, and how the interval was made
}

// verdictWords name a verdict, so that it is never told by shape or colour alone.
var verdictWords = map[gate.Verdict]string{
	gate.Pass: "Met.", gate.Fail: "Not met.", gate.Inconclusive: "Cannot be told.",
}

func verdictOf(d Dossier) verdict {
	v := verdict{
		Class: markClass(string(d.Gate.Verdict)), Mark: mark(string(d.Gate.Verdict), or(verdictWords[d.Gate.Verdict], "No verdict")),
		Policy: d.Gate.Sentence, Sureness: splitFacts(d.Gate.Split),
	}
	for _, r := range d.Gate.Results {
		v.Conditions = append(v.Conditions, conditionOf(r, allLabelled(d.Evaluation)))
	}
	v.Headline, v.Explanation = headline(d.Gate.Decision)
	v.Lead = "The conditions are part of the spec, which was fixed before training. The model was measured on test data kept out of training. " +
		"A condition is met when its whole interval lies where the condition wants the value, not met when all of it lies elsewhere; " +
		"when the interval holds values on both sides of the bound, this data cannot tell."
	if len(d.Gate.Results) == 0 {
		v.Lead, v.Sureness = "The spec sets no conditions, so nothing was tested against a bound. Judge by the figures below.", nil
	}
	return v
}

// allLabelled is how many test rows there are where all have a label; otherwise 0, since some conditions count labelled rows and
// others all.
func allLabelled(e evaluation.Report) int {
	if e.Labelled < e.Rows {
		return 0
	}
	return e.Rows
}

func headline(d gate.Decision) (headline, explanation string) {
	total, skipped, counts := len(d.Results), 0, map[gate.Verdict]int{}
	for _, r := range d.Results {
		counts[r.Verdict]++
		if r.Skipped {
			skipped++
		}
	}
	of := func(n int, rest string) string {
		if total == 1 {
			return "The condition " + plural(n, "is", "are") + " " + rest
		}
		return fmt.Sprintf("%d of %d conditions %s %s", n, total, plural(n, "is", "are"), rest)
	}
	const yours = "Whether the model should be used is for you to decide."
	switch met := counts[gate.Pass] - skipped; {
	case total == 0:
		return "No conditions were set", "Nothing was tested against a bound."
	case d.Verdict == gate.Fail:
		return of(counts[gate.Fail], "not met"), "The measurements speak against this candidate."
	case d.Verdict == gate.Inconclusive:
		n := counts[gate.Inconclusive]
		text := strings.TrimSpace("None is known to fail. " + settledWords(d.Settled))
		if total == 1 {
			return "The condition cannot be told from the data at hand", text
		}
		return fmt.Sprintf("%d of %d conditions cannot be told from the data at hand", n, total), text
	case d.Verdict != gate.Pass:
		return "There is no verdict", "Treat the conditions as not met."
	case met == 0:
		return "No condition was tested", plural(skipped, "It compares", "They compare") + " with a serving version, and none serves yet. " + yours
	case skipped > 0:
		return fmt.Sprintf("%d of %d conditions %s met, %d %s skipped", met, total, plural(met, "is", "are"), skipped, plural(skipped, "is", "are")),
			"No version serves yet to compare with. " + yours
	case total == 1:
		return "The condition is met", yours
	}
	return fmt.Sprintf("All %d conditions are met", total), yours
}

// settledWords say what doubt counts as.
func settledWords(settled gate.Verdict) string {
	switch settled {
	case gate.Pass:
		return "By the spec the doubt counts as met."
	case gate.Fail:
		return "By the spec the doubt counts as not met."
	}
	return "People have to weigh what the data leaves open."
}

// conditionOf is a condition answered on so many test rows; 0: their number says nothing.
func conditionOf(r gate.Result, rows int) condition {
	word := or(verdictWords[r.Verdict], "No verdict.")
	c := condition{
		Class: markClass(string(r.Verdict)), Mark: mark(string(r.Verdict), word), Word: word,
		Statement: r.Condition, Reason: r.Reason,
	}
	clause, ok := understood(r.Condition)
	if !ok {
		return c // the condition as written and the gate's own reason say all there is
	}
	c.Statement, c.Source = statement(clause), or(r.Formula, r.Condition)
	if r.Skipped {
		c.Class, c.Word, c.Reason = "none", "Skipped:", "no version serves yet to compare with. This counts as met."
		c.Mark = mark("", "Skipped")
		return c
	}
	f := formOf(clause.Expr)
	c.Note = strings.TrimSpace(toleranceNote(r, f) + " " + basis(r.Units))
	if r.Verdict == gate.Inconclusive {
		c.Needs = needs(r, f, rows)
		c.Tags = settledTags(r.Settled)
	}
	if !r.Estimate.Defined() {
		c.Reason = undefinedWords(r)
		return c
	}
	if !finite(r.Estimate) {
		return c
	}
	e := r.Estimate
	more := f.apart(r.Bound, e)
	c.Reason = fmt.Sprintf("Measured %s (%s).", f.estimated(e, more), certainty(f, e, r.Delta, more))
	if e.Method != stats.MethodExact {
		c.Bar, c.Ends = conditionBar(clause, f, r)
	}
	return c
}

func settledTags(settled gate.Verdict) []string {
	switch settled {
	case gate.Pass:
		return []string{"counts as met"}
	case gate.Fail:
		return []string{"counts as not met"}
	}
	return nil
}

// undefinedWords say what has no value, and why.
func undefinedWords(r gate.Result) string {
	subject, why := "It", r.Estimate.Undefined
	for _, u := range r.Units {
		if u.Measurement.Defined() {
			continue
		}
		why = u.Measurement.Undefined
		if len(r.Units) > 1 {
			subject = opening(unitWords(u.Unit))
		}
		break
	}
	return fmt.Sprintf("%s has no value on this data: %s.", subject, strings.TrimSuffix(why, "."))
}

// needs says which sample would decide a condition that this one cannot.
func needs(r gate.Result, f form, rows int) string {
	if !r.Estimate.Defined() {
		return ""
	}
	at := ""
	if rows > 0 {
		at = fmt.Sprintf(" (there are %s)", count(rows))
	}
	way := "not met"
	if r.Op.Holds(r.Estimate.Value, r.Bound) {
		way = "met"
	}
	switch {
	case r.DecidedWith > 0 && r.DecidedWith <= rows:
		return fmt.Sprintf("Few more rows of test data than there are (%s) would decide it, as %s, if the measured value stays as it is.", count(rows), way)
	case r.DecidedWith > 0:
		return fmt.Sprintf("About %s of test data%s would decide it, as %s, if the measured value stays as it is.", aboutRows(r.DecidedWith), at, way)
	}
	text := "How many rows would decide it cannot be said."
	if r.Estimate.Value == r.Bound {
		text = "The measured value is the bound itself, so that no number of rows can be named that would decide it."
	}
	if r.RowsNeeded > 0 {
		text += fmt.Sprintf(" About %s%s would give the interval the length that the tolerance of %s asks for.", aboutRows(r.RowsNeeded), at, toleranceForm(f).exactly(r.Tolerance))
	}
	return text
}

// toleranceForm is the form of a distance from a bound.
func toleranceForm(f form) form { return f.change() }

// toleranceNote says whether the interval is as short as the condition asks for.
func toleranceNote(r gate.Result, f form) string {
	if r.Tolerance <= 0 || !r.Estimate.Defined() {
		return ""
	}
	asked := toleranceForm(f).exactly(r.Tolerance)
	switch {
	case r.Powered:
		return fmt.Sprintf("The tolerance asks for an interval of at most %s to each side, and the sample gives it.", asked)
	case r.RowsNeeded > 0:
		return fmt.Sprintf("The tolerance asks for an interval of at most %s to each side; this needs about %s.", asked, aboutRows(r.RowsNeeded))
	}
	return fmt.Sprintf("The tolerance asks for an interval of at most %s to each side, which this sample does not give.", asked)
}

// conditionBar shows value, interval, bound and tolerance on a scale that just holds them, so that their distances can be seen.
func conditionBar(c gate.Clause, f form, r gate.Result) (bar template.HTML, ends []string) {
	e := r.Estimate
	bounds := scale{math.Inf(-1), math.Inf(1)}
	if len(c.Expr) == 1 && c.Expr[0].Coefficient == 1 {
		if m, ok := gate.FindMetric(c.Expr[0].Quantity.Metric); ok {
			bounds.Low, bounds.High = m.Range("")
		}
	}
	s := spanning(bounds, e.Value, e.Low, e.High, r.Bound, r.Bound-r.Tolerance, r.Bound+r.Tolerance)
	title := fmt.Sprintf("Measured %s, interval %s, bound %s", f.estimated(e, 0), f.interval(e), f.exactly(r.Bound))
	if r.Tolerance > 0 {
		title += ", tolerance " + toleranceForm(f).exactly(r.Tolerance)
	}
	return boundBar(s, title, e, r.Bound, r.Tolerance), []string{f.exactly(s.Low), f.exactly(s.High)}
}
