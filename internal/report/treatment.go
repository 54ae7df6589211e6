package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

// treatment is the section on the protected groups.
type treatment struct {
	Lead       string
	Attributes []attribute
	Crossings  []crossing
	Mitigated  *mitigated
}

type attribute struct {
	Title, Summary, Note string
	Rates                []barTable
	Gaps                 *grid
}

func treatmentOf(d Dossier, w words) treatment {
	t := treatment{Crossings: crossingsOf(d), Mitigated: mitigatedOf(d, w)}
	if w.task == stats.Binary {
		for _, a := range d.Fairness.Attributes {
			var overall stats.Report
			if r := d.Evaluation.Overall.Binary; r != nil {
				overall = *r
			}
			t.Attributes = append(t.Attributes, attributeOf(a, overall, w))
		}
	} else {
		t.Attributes = comparedGroups(d, w)
	}
	switch {
	case len(d.Protected) == 0 && len(t.Attributes) == 0:
		t.Lead = "The spec names no protected columns, so no groups were compared. That is no sign that the model treats groups alike."
	case len(t.Attributes) == 0:
		t.Lead = fmt.Sprintf("The groups of %s were not compared. That is no sign that the model treats them alike.", list(d.Protected))
	default:
		t.Lead = fmt.Sprintf("The groups of each protected column, compared on the test data. A difference is not yet an injustice, "+
			"and equal figures are not yet justice: what is right here depends on what %s means for the person.", w.outcome)
	}
	return t
}

// comparedMetrics are what groups are compared by where there is no yes and no.
var comparedMetrics = map[stats.Task][]string{
	stats.Multiclass: {stats.Accuracy},
	stats.Regression: {stats.MAE, stats.MeanError},
}

// comparedGroups compares the groups of the protected columns by figures of the evaluation: gaps between groups are of a
// model's yes and no, which classes and numbers do not have.
func comparedGroups(d Dossier, w words) []attribute {
	var all []attribute
	for _, part := range byColumn(d.Evaluation.Slices) {
		column := part[0].Column
		if !slices.Contains(d.Protected, column) {
			continue
		}
		a := attribute{Title: "By " + column}
		var sentences []string
		for _, metric := range comparedMetrics[w.task] {
			a.Rates = append(a.Rates, metricTable(part, column, metric, d.Evaluation.Overall, w))
			if s := farthest(part, metric); s != "" {
				sentences = append(sentences, s)
			}
		}
		a.Summary = or(strings.Join(sentences, " "), "The groups could not be compared on this sample.")
		all = append(all, a)
	}
	return all
}

// metricTable lists the groups of a column with one metric on a scale that holds them all.
func metricTable(part []evaluation.Slice, column, metric string, overall evaluation.Result, w words) barTable {
	name := termOf(metric)
	t := barTable{Caption: name.Name + " by " + column, Note: w.meaning(metric), NameHead: "Group", BarHead: name.Name + " with its interval", FigureHead: name.Name}
	shown := largest(part, func(s evaluation.Slice) int { return s.Rows })
	var values, lines []float64
	for _, s := range shown {
		if e, ok := s.Metric(metric); ok && e.Defined() && finite(e) {
			values = append(values, e.Low, e.High)
		}
	}
	if all, ok := overall.Metric(metric); ok && all.Defined() && finite(all) {
		lines, values = []float64{all.Value}, append(values, all.Value)
		t.Note += " The dashed line is that of all cases, " + name.Form.write(all.Value) + "."
	}
	s := spanning(scale{math.Inf(-1), math.Inf(1)}, append(values, 0)...)
	if name.Form == asPercent {
		s = scale{0, 1}
	}
	t.Ends = []string{name.Form.exactly(s.Low), name.Form.exactly(s.High)}
	for _, group := range shown {
		e, _ := group.Metric(metric)
		row := barRow{Name: or(group.Group, "(empty)"), Note: countOf(group.Rows, "case", "cases"), Figure: name.Form.figure(e), Interval: name.Form.interval(e)}
		if group.Rows < fairness.SmallGroup {
			row.Tags = []string{"small group"}
		}
		if e.Defined() && finite(e) {
			row.Bar = intervalBar(s, fmt.Sprintf("%s: %s, %s", row.Name, row.Figure, row.Interval), e.Value, e.Low, e.High, lines...)
		}
		t.Rows = append(t.Rows, row)
	}
	t.Note = strings.TrimSpace(t.Note + " " + leftOut(len(part)-len(shown)))
	return t
}

// farthest is a sentence on the groups furthest apart in a metric, small ones left out: theirs are mostly chance.
func farthest(part []evaluation.Slice, metric string) string {
	var low, high *evaluation.Slice
	value := func(s *evaluation.Slice) float64 {
		e, _ := s.Metric(metric)
		return e.Value
	}
	for i := range part {
		s := &part[i]
		e, ok := s.Metric(metric)
		if !ok || !e.Defined() || !finite(e) || casesOf(s.Result) < fairness.SmallGroup {
			continue
		}
		if low == nil || e.Value < value(low) {
			low = s
		}
		if high == nil || e.Value > value(high) {
			high = s
		}
	}
	if low == nil || low == high {
		return ""
	}
	name := termOf(metric)
	return fmt.Sprintf("%s is highest for %s (%s) and lowest for %s (%s), among the groups with at least %s.", name.Name,
		or(high.Group, "(empty)"), name.Form.write(value(high)), or(low.Group, "(empty)"), name.Form.write(value(low)), countOf(fairness.SmallGroup, "case", "cases"))
}

func attributeOf(a fairness.AttributeReport, overall stats.Report, w words) attribute {
	all := len(a.Groups)
	a.Groups = largest(a.Groups, func(g fairness.Group) int { return g.N })
	unlisted := leftOut(all - len(a.Groups))
	selection := rateTable(a, "How often the model says "+w.outcome+", by "+a.Name, func(g fairness.Group) stats.Estimate { return g.SelectionRate },
		func(g fairness.Group) string {
			if !g.BaseRate.Defined() {
				return countOf(g.N, "case", "cases")
			}
			return fmt.Sprintf("%s, %s truly so", countOf(g.N, "case", "cases"), percent(g.BaseRate.Value))
		})
	reference(&selection, a, overall, stats.SelectionRate, func(g fairness.Group) stats.Estimate { return g.SelectionRate })
	recall := rateTable(a, "Recall by "+a.Name, func(g fairness.Group) stats.Estimate { return g.TPR },
		func(g fairness.Group) string {
			return fmt.Sprintf("%s truly %s", countOf(g.Positives, "case", "cases"), w.outcome)
		})
	recall.Note = w.meaning(stats.Recall)
	reference(&recall, a, overall, stats.Recall, func(g fairness.Group) stats.Estimate { return g.TPR })
	selection.Note, recall.Note = strings.TrimSpace(selection.Note+" "+unlisted), strings.TrimSpace(recall.Note+" "+unlisted)
	gaps := gapGrid(a, w)
	return attribute{
		Title: "By " + a.Name, Summary: widest(a, w), Note: a.Note,
		Rates: []barTable{selection, recall},
		Gaps:  &gaps,
	}
}

// rateTable lists the groups of an attribute with one of their rates on the scale from 0 to 100 %.
func rateTable(a fairness.AttributeReport, caption string, rate func(fairness.Group) stats.Estimate, note func(fairness.Group) string) barTable {
	t := barTable{Caption: caption, NameHead: "Group", BarHead: "Rate with its interval", FigureHead: "Rate", Ends: []string{"0%", "50%", "100%"}}
	for _, g := range a.Groups {
		e := rate(g)
		row := barRow{Name: or(g.Name, "(empty)"), Note: note(g), Figure: asPercent.figure(e), Interval: asPercent.interval(e)}
		if g.Small {
			row.Tags = []string{"small group"}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// reference draws the bars of a table with the rate of all cases as a line across them.
func reference(t *barTable, a fairness.AttributeReport, overall stats.Report, metric string, rate func(fairness.Group) stats.Estimate) {
	all, ok := overall.Metric(metric)
	var lines []float64
	if ok && all.Defined() {
		lines = []float64{all.Value}
		t.Note += " The dashed line is the rate over all groups, " + percent(all.Value) + "."
	}
	for i, g := range a.Groups {
		if e := rate(g); e.Defined() {
			title := fmt.Sprintf("%s: %s, %s", g.Name, percent(e.Value), asPercent.interval(e))
			t.Rows[i].Bar = intervalBar(scale{0, 1}, title, e.Value, e.Low, e.High, lines...)
		}
	}
}

// widest is a sentence on the groups furthest apart in how often the model says yes.
func widest(a fairness.AttributeReport, w words) string {
	for _, g := range a.Gaps {
		if g.Name != fairness.DemographicParityDifference || !g.Defined() {
			continue
		}
		return fmt.Sprintf("The model says %s most often for %s and least often for %s: %s apart (%s).",
			w.outcome, or(g.Highest, "(empty)"), or(g.Lowest, "(empty)"), points(g.Value), levelled(asPoints, g.Estimate))
	}
	return "The groups could not be compared on this sample."
}

func gapGrid(a fairness.AttributeReport, w words) grid {
	t := grid{
		Caption: "Gaps between the groups of " + a.Name, Class: "stack gaps",
		Note: "One point is one percentage point.",
		Head: []cell{{Text: "Gap"}, {Text: "Between"}, {Text: "Value and interval", Number: true}},
	}
	for _, g := range a.Gaps {
		term := termOf(g.Name)
		row := []cell{{Text: term.Name, Note: w.gapMeaning(g.Name)}, {}, {Text: term.Form.figure(g.Estimate), Note: term.Form.interval(g.Estimate), Number: true}}
		if g.Defined() {
			row[1].Text = fmt.Sprintf("%s highest, %s lowest", or(g.Highest, "(empty)"), or(g.Lowest, "(empty)"))
			row[1].Note = "in " + rateNames[g.Rate]
		}
		if len(g.LeftOut) > 0 {
			row[1].Note += "; without " + list(g.LeftOut) + ", which has no such rate"
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

var rateNames = map[string]string{"selection_rate": "selection rate", "tpr": "recall", "fpr": "false positive rate"}
