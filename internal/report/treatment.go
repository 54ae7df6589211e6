package report

import (
	"fmt"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

// treatment is the section on the protected groups.
type treatment struct {
	Lead       string
	Attributes []attribute
}

type attribute struct {
	Title, Summary, Note string
	Rates                []barTable
	Gaps                 grid
}

func treatmentOf(d Dossier, w words) treatment {
	if len(d.Fairness.Attributes) == 0 {
		return treatment{Lead: "The spec names no protected columns, so no groups were compared. That is no sign that the model treats groups alike."}
	}
	t := treatment{Lead: fmt.Sprintf("The groups of each protected column, compared on the test data. A difference is not yet an injustice, "+
		"and equal figures are not yet justice: what is right here depends on what %s means for the person.", w.outcome)}
	for _, a := range d.Fairness.Attributes {
		t.Attributes = append(t.Attributes, attributeOf(a, d.Evaluation.Overall, w))
	}
	return t
}

func attributeOf(a fairness.AttributeReport, overall stats.Report, w words) attribute {
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
	return attribute{
		Title: "By " + a.Name, Summary: widest(a, w), Note: a.Note,
		Rates: []barTable{selection, recall},
		Gaps:  gapGrid(a, w),
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
