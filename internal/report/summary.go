package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
)

// summary is the first screen: what a reader who reads nothing else has to know, each in a few sentences.
type summary struct {
	Purpose  string
	Affected string
	Changed  string
	Passed   string // how the conditions came out, counted
	Open     []openCondition
	More     string // of those not met or not told, the ones without a line
	Yes, No  string
}

// openCondition is a condition that was not met, or could not be told, in one sentence.
type openCondition struct {
	Class, Word, Text string
}

// Sizes that keep the first screen on a screen.
const (
	mostOpen         = 5 // conditions with a line each
	mostGroupsNamed  = 4 // groups of a column
	mostProtected    = 3 // protected columns whose groups are named
	mostRolloutSteps = 4 // of a rollout
)

func summaryOf(d Dossier) summary {
	s := summary{
		Purpose: or(d.Purpose, "The spec states no purpose."), Affected: affected(d), Changed: changed(d),
		Passed: tally(d.Gate.Decision), Yes: yes(d), No: no(d),
	}
	open := 0
	for _, r := range d.Gate.Results {
		if r.Verdict == gate.Pass {
			continue
		}
		if open++; open <= mostOpen {
			s.Open = append(s.Open, openConditionOf(r))
		}
	}
	if left := open - len(s.Open); left > 0 {
		s.More = countOf(left, "further one is listed with all conditions below.", "further ones are listed with all conditions below.")
	}
	return s
}

// affected says whom the model is about. Whether a row is a person stands nowhere in the data, so it is not claimed.
func affected(d Dossier) string {
	w := wordsOf(d.Target)
	var b strings.Builder
	switch {
	case d.Target.Column == "":
		b.WriteString("What the model answers is not recorded.")
	case w.task == stats.Binary:
		fmt.Fprintf(&b, "Each case of which the model says %s or not.", w.outcome)
	default:
		fmt.Fprintf(&b, "Each case of which the model says %s.", w.outcome)
	}
	rows := d.Validation.Rows
	if rows <= 0 {
		rows = d.Data.Rows
	}
	if rows > 0 {
		fmt.Fprintf(&b, " The data has %s (people, where a row is one)", countOf(rows, "row", "rows"))
		if w.task == stats.Binary && d.Validation.Rows > 0 && d.Validation.Positives >= 0 {
			fmt.Fprintf(&b, ", %s of them truly so", percent(float64(d.Validation.Positives)/float64(rows)))
		}
		b.WriteString(".")
	}
	if len(d.Protected) == 0 {
		return b.String() + " The spec names no protected groups." + personalWords(d)
	}
	if text := treated(d); text != "" {
		return b.String() + " " + text + personalWords(d)
	}
	var columns []string
	for _, column := range d.Protected[:min(len(d.Protected), mostProtected)] {
		columns = append(columns, column+groupNames(d, column))
	}
	if left := len(d.Protected) - len(columns); left > 0 {
		columns = append(columns, countOf(left, "further column", "further columns"))
	}
	return b.String() + " Protected: " + list(columns) + "." + personalWords(d)
}

// groupNames lists the groups of a protected column in brackets, those with the most rows first; empty where they were not counted.
func groupNames(d Dossier, column string) string {
	for _, g := range d.Validation.Groups {
		if g.Column != column || len(g.Groups) == 0 {
			continue
		}
		var names []string
		for _, group := range g.Groups[:min(len(g.Groups), mostGroupsNamed)] {
			if group.Missing {
				names = append(names, "unknown")
			} else {
				names = append(names, or(group.Value, "empty"))
			}
		}
		if left := int64(len(g.Groups)-len(names)) + max(g.Omitted, 0); left > 0 {
			names = append(names, countOf(left, "further group", "further groups"))
		}
		return " (" + strings.Join(names, ", ") + ")"
	}
	return ""
}

// headlineMetrics are those by which the first screen compares candidate and serving version.
var headlineMetrics = map[stats.Task][]string{
	stats.Binary:     {stats.Accuracy, stats.AreaUnderROC},
	stats.Multiclass: {stats.Accuracy, stats.BalancedAccuracy},
	stats.Regression: {stats.MAE, stats.RMSE},
}

// changed says whether the candidate is better than what serves.
func changed(d Dossier) string {
	serving := servingVersion(d)
	switch {
	case d.Comparison == nil && d.NotCompared != "":
		return fmt.Sprintf("%s could not be asked about the test rows (%s): whether the candidate is better is not known.", serving, strings.TrimSuffix(d.NotCompared, "."))
	case d.Comparison == nil && d.Champion == nil:
		return "No version serves yet, so there is nothing to compare the candidate with."
	case d.Comparison == nil:
		return serving + " serves now, but the two were not compared: whether the candidate is better is not known."
	}
	var parts []string
	for _, name := range headlineMetrics[taskOf(d)] {
		i := slices.IndexFunc(d.Comparison.Differences, func(m stats.Metric) bool { return m.Name == name })
		if i >= 0 {
			parts = append(parts, differenceWords(d.Comparison.Differences[i]))
		}
	}
	if len(parts) == 0 {
		return serving + " serves now; the comparison gave no figure for the whole of the cases."
	}
	return fmt.Sprintf("Against %s, which serves now: %s.", strings.ToLower(serving[:1])+serving[1:], strings.Join(parts, "; "))
}

func servingVersion(d Dossier) string {
	if d.Champion == nil {
		return "The version that serves"
	}
	return fmt.Sprintf("Version %d", d.Champion.Version)
}

// differenceWords say what a difference means, with its figures: "accuracy is better by 2.1 points (95 % interval 1.0 to 3.2 points)".
func differenceWords(m stats.Metric) string {
	t := termOf(m.Name)
	name, f := t.within(), t.Form.change()
	switch {
	case !m.Defined():
		return name + " cannot be compared: " + strings.TrimSuffix(m.Undefined, ".")
	case !finite(m.Estimate):
		return name + " cannot be compared: there is no number"
	}
	figures := fmt.Sprintf("%s, %s interval %s", f.signedFigure(m.Estimate), level(m.Level), f.intervalPrecisely(m.Estimate, f.apart(0, m.Estimate)))
	switch {
	case m.Low == 0 && m.High == 0:
		return name + " is the same"
	case m.Low <= 0 && m.High >= 0:
		return fmt.Sprintf("whether %s is better or worse cannot be told (%s)", name, figures)
	case t.Better == 0:
		return fmt.Sprintf("%s is another (%s)", name, figures)
	case (m.Low > 0) == (t.Better > 0):
		return fmt.Sprintf("%s is better (%s)", name, figures)
	}
	return fmt.Sprintf("%s is worse (%s)", name, figures)
}

// tally counts the conditions by their answer.
func tally(d gate.Decision) string {
	if len(d.Results) == 0 {
		return "The spec sets no conditions."
	}
	met, skipped, failed, doubtful := 0, 0, 0, 0
	for _, r := range d.Results {
		switch {
		case r.Skipped:
			skipped++
		case r.Verdict == gate.Pass:
			met++
		case r.Verdict == gate.Fail:
			failed++
		default:
			doubtful++
		}
	}
	var parts []string
	for _, c := range []struct {
		n    int
		text string
	}{{met, "met"}, {failed, "not met"}, {doubtful, "cannot be told"}, {skipped, "skipped, since no version serves to compare with"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.text))
		}
	}
	return fmt.Sprintf("%s in all: %s.", count(len(d.Results)), strings.Join(parts, ", "))
}

// openConditionOf tells of a condition that was not met, or could not be told: what was wanted, and what was measured.
func openConditionOf(r gate.Result) openCondition {
	c := conditionOf(r, 0)
	text := strings.TrimSuffix(c.Statement, ".")
	if _, ok := understood(r.Condition); !ok {
		return openCondition{c.Class, c.Word, strings.TrimSpace(text + ". " + r.Reason)}
	}
	switch {
	case !r.Estimate.Defined():
		text += ", but it has no value: " + strings.TrimSuffix(reasonOf(r), ".")
	case finite(r.Estimate):
		f := formOfResult(r)
		more := f.apart(r.Bound, r.Estimate)
		text += "; measured " + f.estimated(r.Estimate, more)
		if interval := f.intervalPrecisely(r.Estimate, more); interval != "" {
			text += " (interval " + interval + ")"
		}
	}
	return openCondition{c.Class, c.Word, text + "."}
}

func formOfResult(r gate.Result) form {
	clause, ok := understood(r.Condition)
	if !ok {
		return asDecimal
	}
	return formOf(clause.Expr)
}

// reasonOf is why a clause has no value: that of its first unit without one.
func reasonOf(r gate.Result) string {
	for _, u := range r.Units {
		if !u.Measurement.Defined() {
			return u.Measurement.Undefined
		}
	}
	return r.Estimate.Undefined
}

// treated says between whom the model's answers differ most, and what was done about it; empty when no groups were compared.
func treated(d Dossier) string {
	w := wordsOf(d.Target)
	var gaps []string
	if e := d.Fairness.Examination; e != nil {
		for _, division := range e.Divisions {
			g, ok := division.Gap(fairness.DemographicParityDifference)
			if ok && g.Defined() && len(division.Columns) == 1 && len(gaps) < mostProtected {
				gaps = append(gaps, fmt.Sprintf("of %s and %s (%s), %s apart", or(g.Highest, "(empty)"), or(g.Lowest, "(empty)"), division.Name, points(g.Value)))
			}
		}
	}
	if len(gaps) == 0 {
		return ""
	}
	text := opening(w.outcome) + " is said most and least " + strings.Join(gaps, "; ") + "."
	var done []string
	if r := d.Reweighing; r != nil {
		done = append(done, "training rows were weighed by "+list(r.Columns))
	}
	if r := d.Thresholds; r != nil {
		done = append(done, "groups of "+r.Column+" have thresholds of their own, which the law forbids for some uses")
	}
	if len(done) == 0 {
		return text + " Nothing was done about it."
	}
	text += " " + opening(list(done)) + "."
	if p := d.Fairness.Price; p != nil && p.Cost.Change.Defined() {
		text += fmt.Sprintf(" This changed accuracy by %s (interval %s)", asPoints.signedFigure(p.Cost.Change), asPoints.interval(p.Cost.Change))
		var wider []string
		for _, g := range p.Cost.Gaps {
			if g.Change.Defined() && g.Change.Low > 0 {
				wider = append(wider, fmt.Sprintf("the %s from %s to %s", termOf(g.Name).within(), points(g.Before.Value), points(g.After.Value)))
			}
		}
		if len(wider) > 0 {
			text += ", and widened " + list(wider)
		}
		text += "."
	}
	return text
}

// yes says what happens when every approval is in.
func yes(d Dossier) string {
	if refused(d) {
		return "Nobody is asked: the spec refuses a candidate that does not meet its conditions."
	}
	var b strings.Builder
	b.WriteString("With all approvals it is registered as a version of " + d.Model)
	if d.Champion != nil {
		fmt.Fprintf(&b, " and takes the place of version %d", d.Champion.Version)
	} else {
		b.WriteString(", the first one to serve")
	}
	if len(d.Rollout.Canary) > 0 {
		b.WriteString(", in steps: " + stepsWords(d) + ", then all")
	} else if d.Rollout.Target != "" {
		b.WriteString(", at once for all requests")
	}
	b.WriteString(".")
	if len(d.Rollout.Abort) > 0 {
		var conditions []string
		for _, a := range d.Rollout.Abort {
			conditions = append(conditions, abortWords(a.Condition))
		}
		fmt.Fprintf(&b, " Taken back by itself unless %s.", list(conditions))
	}
	return b.String()
}

// abortWords say what has to hold during the steps; a metric without a name here is written as the spec has it.
func abortWords(text string) string {
	c, err := spec.ParseAbort(text)
	switch {
	case err != nil:
		return text
	case c.Metric == gate.ErrorRate:
		return "the share of failed requests is " + opWords[c.Op] + " " + asPercent.exactly(c.Bound)
	case c.Metric == gate.LatencyMean:
		return "the mean time to answer is " + opWords[c.Op] + " " + asMilliseconds.exactly(c.Bound)
	}
	return text
}

func stepsWords(d Dossier) string {
	var steps []string
	all := d.Rollout.Canary
	for _, s := range all[:min(len(all), mostRolloutSteps)] {
		steps = append(steps, fmt.Sprintf("%s%s%% of requests for %s", general(s.Traffic), nbsp, span(time.Duration(s.Hold))))
	}
	if left := len(all) - len(steps); left > 0 {
		steps = append(steps, countOf(left, "further step", "further steps"))
	}
	return strings.Join(steps, ", ")
}

// no says what happens otherwise.
func no(d Dossier) string {
	stays := "no version serves, as now"
	if d.Champion != nil {
		stays = fmt.Sprintf("version %d goes on serving", d.Champion.Version)
	}
	if refused(d) {
		return "This candidate is not used, and " + stays + "."
	}
	return "After a rejection, a request for changes or no answer in time this candidate is not used, and " + stays + "."
}
