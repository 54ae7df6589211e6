package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/stats"
)

// comparison is the section on the candidate against the version that serves.
type comparison struct {
	Lead       string
	Paragraphs []string
	Changes    *barTable
	Right      *grid
	RightNote  string
	Moves      *grid
	Figures    *grid
}

func comparisonOf(d Dossier) comparison {
	c := d.Comparison
	serving := "The version that serves"
	if d.Champion != nil {
		serving = fmt.Sprintf("Version %d", d.Champion.Version)
	}
	switch {
	case c == nil && d.NotCompared != "":
		return comparison{Lead: fmt.Sprintf("%s could not be asked about the test rows: %s. Nothing on this page says whether the candidate is better or worse than what serves now.",
			serving, strings.TrimSuffix(d.NotCompared, "."))}
	case c == nil && d.Champion == nil:
		return comparison{Lead: "No version serves yet, so there is nothing to compare the candidate with."}
	case c == nil:
		return comparison{Lead: serving + " serves now, but the two were not compared. Nothing on this page says whether the candidate is better or worse."}
	}
	s := comparison{Lead: serving + ", which serves now, was asked about the same test rows as the candidate. " +
		"On most rows both are right, or wrong, together, so their difference is known better than either of them: its interval is for the pair."}
	if e := c.Disagreement; e != nil {
		s.Paragraphs = append(s.Paragraphs, disagreementWords(*e))
	}
	s.Changes, s.Figures = changesTable(d, *c), sideBySide(d, *c)
	if c.Right != nil {
		s.Right, s.RightNote = rightGrid(*c.Right), mcNemarWords(*c.Right)
	}
	s.Moves = movesGrid(d, *c)
	return s
}

func disagreementWords(e stats.Estimate) string {
	if !e.Defined() || !finite(e) {
		return "On how many rows their answers differ could not be said: " + or(strings.TrimSuffix(e.Undefined, "."), "there is no number") + "."
	}
	return fmt.Sprintf("Their answers differ on %s of the rows (%s, %s).", percent(e.Value), levelled(asPercent, e), countOf(e.N, "row", "rows"))
}

// changesTable shows the differences; those of one kind share a scale.
func changesTable(d Dossier, c evaluation.Comparison) *barTable {
	t := &barTable{
		Caption: "Candidate minus serving version", NameHead: "Measure", BarHead: "Difference with its interval", FigureHead: "Difference",
		Note: strings.TrimSpace(differenceNote(c.Differences) + " The dashed line is no difference. Where the interval holds it, the two cannot be told apart. Among so many measures a few seem to differ by chance: only the conditions allow for that."),
	}
	var values []float64
	for _, m := range c.Differences {
		if onScale(d, m) {
			values = append(values, m.Low, m.High)
		}
	}
	s := spanning(scale{math.Inf(-1), math.Inf(1)}, append(values, 0)...)
	if end := math.Max(-s.Low, s.High); isFinite(end) && end > 0 {
		s = scale{-end, end} // no difference stands in the middle
	}
	if taskOf(d) == stats.Regression {
		t.Ends = []string{asAmount.exactly(s.Low), "0", asAmount.exactly(s.High)}
	} else {
		t.Ends = []string{asPoints.exactly(s.Low), "0", asPoints.exactly(s.High)}
		t.Note += " One point is one percentage point; measures between 0 and 1 stand on the same scale, so that 0.01 is as long as one point."
	}
	for _, m := range ordered(c.Differences, taskOf(d)) {
		name := termOf(m.Name)
		f := name.Form.change()
		row := barRow{Name: name.Name, Note: whoIsBetter(m.Estimate, name.Better), Figure: f.signedFigure(m.Estimate), Interval: f.intervalPrecisely(m.Estimate, f.apart(0, m.Estimate))}
		if !m.Defined() {
			row.Interval = m.Undefined
		}
		if onScale(d, m) {
			row.Bar = intervalBar(s, strings.TrimSuffix(fmt.Sprintf("%s: %s, %s", row.Name, row.Figure, row.Interval), ", "), m.Value, m.Low, m.High, 0)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// onScale reports whether a difference stands on the scale of the picture: shares and what lies between 0 and 1, or amounts in
// the target's units.
func onScale(d Dossier, m stats.Metric) bool {
	amount := termOf(m.Name).Form == asAmount
	return m.Defined() && finite(m.Estimate) && amount == (taskOf(d) == stats.Regression)
}

func differenceNote(all []stats.Metric) string {
	for _, m := range all {
		if m.Defined() && m.Level > 0 && m.Level < 1 {
			return fmt.Sprintf("With %s intervals for the pair.", level(m.Level))
		}
	}
	return ""
}

// ordered puts metrics as a reviewer asks for them; ones without a place come last.
func ordered(metrics []stats.Metric, task stats.Task) []stats.Metric {
	place := map[string]int{}
	for _, g := range metricGroups[task] {
		for _, name := range g.metrics {
			place[name] = len(place) - len(metrics)*len(terms)
		}
	}
	sorted := slices.Clone(metrics)
	slices.SortStableFunc(sorted, func(a, b stats.Metric) int { return cmp.Compare(place[a.Name], place[b.Name]) })
	return sorted
}

// whoIsBetter says what a difference means where its interval leaves no doubt.
func whoIsBetter(e stats.Estimate, better int) string {
	if !e.Defined() || !finite(e) {
		return ""
	}
	sign := 0
	switch {
	case e.Low > 0:
		sign = 1
	case e.High < 0:
		sign = -1
	case e.Low == 0 && e.High == 0:
		return "the same"
	default:
		return "cannot be told apart"
	}
	switch {
	case better == 0 && sign > 0:
		return "higher for the candidate"
	case better == 0:
		return "lower for the candidate"
	case better == sign:
		return "the candidate is better"
	}
	return "the serving version is better"
}

// sideBySide shows the figures of both models.
func sideBySide(d Dossier, c evaluation.Comparison) *grid {
	g := &grid{
		Caption: "Both side by side", Class: "sides", Head: []cell{{Text: "Measure"}, {Text: "Candidate", Number: true}, {Text: "Serving version", Number: true}},
		Note: "Each with its own interval. Whether they differ stands above: intervals that overlap say nothing about it.",
	}
	for _, m := range ordered(c.Champion.Metrics(), taskOf(d)) {
		g.Rows = append(g.Rows, []cell{{Text: termOf(m.Name).Name}, metricCell(d.Evaluation.Overall.Metrics(), m.Name), metricCell(c.Champion.Metrics(), m.Name)})
	}
	if len(g.Rows) == 0 {
		return nil
	}
	return g
}

func rightGrid(r evaluation.Right) *grid {
	all := r.Both + r.OnlyCandidate + r.OnlyChampion + r.Neither
	row := func(name string, n int) []cell {
		return []cell{{Text: name}, {Text: count(n), Note: shareOf(n, all), Number: true}}
	}
	return &grid{
		Caption: "Who is right where", Note: "Test rows whose label is known.", Head: []cell{{Text: "Right"}, {Text: "Rows", Number: true}},
		Rows: [][]cell{
			row("both", r.Both), row("the candidate alone", r.OnlyCandidate), row("the serving version alone", r.OnlyChampion), row("neither", r.Neither),
		},
	}
}

// mcNemarWords say what McNemar's exact test found.
func mcNemarWords(r evaluation.Right) string {
	alone := r.OnlyCandidate + r.OnlyChampion
	if alone == 0 {
		return "They are right on exactly the same rows."
	}
	p := r.McNemar.ExactP
	text := fmt.Sprintf("On %s one of them alone is right: the candidate on %s, the serving version on %s. If both were right equally often in truth, ",
		countOf(alone, "row", "rows"), count(r.OnlyCandidate), count(r.OnlyChampion))
	switch {
	case !(p >= 0 && p <= 1):
		return text + "how often chance would bring such a difference could not be computed."
	case p >= 0.995:
		text += "chance would nearly always bring a difference as large as this one"
	default:
		text += fmt.Sprintf("chance would bring a difference as large as this one, or larger, with a probability of %s", chance(p))
	}
	const usual = 0.05
	if p < usual {
		return text + " (McNemar’s exact test). So chance alone is an unlikely explanation."
	}
	return text + " (McNemar’s exact test). So chance alone may well explain it."
}

// movesGrid lists the answers that change most often; nil where there are no answers to compare.
func movesGrid(d Dossier, c evaluation.Comparison) *grid {
	type move struct{ from, to, n int }
	var moves []move
	for from, row := range c.Answers {
		for to, n := range row {
			if from != to && n > 0 {
				moves = append(moves, move{from, to, n})
			}
		}
	}
	if len(moves) == 0 {
		return nil
	}
	slices.SortStableFunc(moves, func(a, b move) int { return cmp.Compare(b.n, a.n) })
	g := &grid{
		Caption: "Which answers change", Class: "pair", Note: "All test rows, whether their label is known or not.",
		Head: []cell{{Text: "Serving version says"}, {Text: "Candidate says"}, {Text: "Rows", Number: true}},
	}
	for _, m := range moves[:min(len(moves), mostConfused)] {
		g.Rows = append(g.Rows, []cell{{Text: answerName(d, m.from)}, {Text: answerName(d, m.to)}, {Text: count(m.n), Number: true}})
	}
	if left := len(moves) - len(g.Rows); left > 0 {
		g.Note += " " + countOf(left, "rarer change is", "rarer changes are") + " not listed."
	}
	return g
}

// answerName is a class as an answer.
func answerName(d Dossier, class int) string {
	outcome := wordsOf(d.Target).outcome
	switch {
	case class < len(d.Evaluation.Classes):
		return className(d.Evaluation.Classes[class])
	case class == 1:
		return outcome
	}
	return "not " + outcome
}
