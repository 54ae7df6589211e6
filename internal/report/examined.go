package report

import (
	"fmt"
	"strings"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

// attributeOf compares the groups of a protected column.
func attributeOf(a fairness.Division, w words) attribute {
	all := len(a.Groups)
	a.Groups = largest(a.Groups, func(g fairness.Member) int { return g.N })
	unlisted := leftOut(all - len(a.Groups))
	selection := rateTable(a, "How often the model says "+w.outcome+", by "+a.Name, stats.SelectionRate, func(g fairness.Member) string {
		base, ok := g.Rate(stats.BaseRate)
		if !ok || !base.Defined() {
			return countOf(g.N, "case", "cases")
		}
		return fmt.Sprintf("%s, %s truly so", countOf(g.N, "case", "cases"), percent(base.Value))
	})
	recall := rateTable(a, "Recall by "+a.Name, fairness.TPR, func(g fairness.Member) string {
		return fmt.Sprintf("%s truly %s", countOf(g.Positives, "case", "cases"), w.outcome)
	})
	recall.Note = strings.TrimSpace(w.meaning(stats.Recall) + recall.Note)
	selection.Note, recall.Note = strings.TrimSpace(selection.Note+" "+unlisted), strings.TrimSpace(recall.Note+" "+unlisted)
	gaps := gapGrid(a, w)
	out := attribute{
		Title: "By " + a.Name, Summary: widest(a, w), Note: a.Note,
		Rates: []barTable{selection, recall},
		Gaps:  &gaps, More: ratesGrid(a),
	}
	if others := againstReference(a); others != nil {
		out.Against = others
	}
	return out
}

// rateTable lists the groups of a column with one of their rates on the scale from 0 to 100 %, the rate of all as a line across.
func rateTable(a fairness.Division, caption, rate string, note func(fairness.Member) string) barTable {
	t := barTable{Caption: caption, NameHead: "Group", BarHead: "Rate with its interval", FigureHead: "Rate", Ends: []string{"0%", "50%", "100%"}}
	var lines []float64
	for _, r := range a.Overall {
		if r.Name == rate && r.Defined() {
			lines = []float64{r.Value}
			t.Note = " The dashed line is the rate over all groups, " + percent(r.Value) + ". The intervals hold for all groups together."
		}
	}
	for _, g := range a.Groups {
		e, _ := g.Rate(rate)
		row := barRow{Name: or(g.Name, "(empty)"), Note: note(g), Figure: asPercent.figure(e), Interval: asPercent.interval(e)}
		if g.Small {
			row.Tags = []string{"small group"}
		}
		if e.Defined() {
			row.Bar = intervalBar(scale{0, 1}, fmt.Sprintf("%s: %s, %s", g.Name, percent(e.Value), asPercent.interval(e)), e.Value, e.Low, e.High, lines...)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// widest is a sentence on the groups furthest apart in how often the model says yes.
func widest(a fairness.Division, w words) string {
	g, ok := a.Gap(fairness.DemographicParityDifference)
	if !ok || !g.Defined() {
		return "The groups could not be compared on this sample."
	}
	return fmt.Sprintf("The model says %s most often for %s and least often for %s: %s apart (%s).",
		w.outcome, or(g.Highest, "(empty)"), or(g.Lowest, "(empty)"), points(g.Value), levelled(asPoints, g.Estimate))
}

func gapGrid(a fairness.Division, w words) grid {
	t := grid{
		Caption: "Gaps between the groups of " + a.Name, Class: "stack gaps",
		Note: "One point is one percentage point. The intervals hold for all pairs of groups together.",
		Head: []cell{{Text: "Gap"}, {Text: "Between"}, {Text: "Value and interval", Number: true}},
	}
	for _, g := range a.Gaps {
		term := termOf(g.Name)
		row := []cell{{Text: term.Name, Note: w.gapMeaning(g.Name)}, {}, {Text: term.Form.figure(g.Estimate), Note: term.Form.interval(g.Estimate), Number: true}}
		if g.Defined() {
			row[1].Text = fmt.Sprintf("%s highest, %s lowest", or(g.Highest, "(empty)"), or(g.Lowest, "(empty)"))
			row[1].Note = "in " + or(rateNames[g.Rate], strings.ReplaceAll(g.Rate, "_", " "))
		}
		if len(g.LeftOut) > 0 {
			row[1].Note += "; without " + list(g.LeftOut) + ", which has no such rate"
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

var rateNames = map[string]string{
	stats.SelectionRate: "selection rate", fairness.TPR: "recall", stats.FPR: "false positive rate", stats.FNR: "false negative rate", fairness.TNR: "specificity",
	fairness.PPV: "precision", fairness.FDR: "false discovery rate", fairness.NPV: "negative predictive value", fairness.FOR: "false omission rate",
	stats.Accuracy: "accuracy", stats.BaseRate: "share truly so", "error_ratio": "missed per false alarm",
}

// ratesGrid is every rate of every group, folded up.
func ratesGrid(a fairness.Division) *grid {
	shown := []string{stats.FPR, stats.FNR, fairness.PPV, fairness.NPV, fairness.FDR, fairness.FOR, stats.Accuracy}
	g := &grid{Caption: "Further rates by " + a.Name, Class: "dense", Head: []cell{{Text: "Group"}}}
	for _, rate := range shown {
		g.Head = append(g.Head, cell{Text: opening(rateNames[rate]), Number: true})
	}
	g.Head = append(g.Head, cell{Text: "AUC", Number: true}, cell{Text: "Mean score less share truly so", Number: true})
	for _, m := range a.Groups {
		row := []cell{{Text: or(m.Name, "(empty)")}}
		for _, rate := range shown {
			e, _ := m.Rate(rate)
			row = append(row, cell{Text: asPercent.figure(e), Note: asPercent.interval(e), Number: true})
		}
		row = append(row, cell{Text: asDecimal.figure(m.AUC), Note: asDecimal.interval(m.AUC), Number: true},
			cell{Text: asPoints.figure(m.Calibration.Difference), Note: asPoints.interval(m.Calibration.Difference), Number: true})
		g.Rows = append(g.Rows, row)
	}
	return g
}

// againstReference compares each group with the reference group, by how often it is selected and found.
func againstReference(a fairness.Division) *grid {
	g := &grid{
		Caption: "Compared with " + or(a.Reference, "(empty)"), Note: "The reference group of " + a.Name + ". The intervals of a rate hold for all groups together.",
		Head: []cell{{Text: "Group"}, {Text: "Rate"}, {Text: "Difference", Number: true}, {Text: "Ratio", Number: true}},
	}
	for _, m := range a.Groups {
		for _, d := range m.Disparities {
			if d.Against != fairness.AgainstReference || d.Rate != stats.SelectionRate && d.Rate != fairness.TPR && d.Rate != stats.FPR {
				continue
			}
			g.Rows = append(g.Rows, []cell{
				{Text: or(m.Name, "(empty)")}, {Text: opening(rateNames[d.Rate])},
				{Text: asPoints.signedFigure(d.Difference), Note: asPoints.interval(d.Difference), Number: true},
				{Text: asDecimal.figure(d.Ratio), Note: asDecimal.interval(d.Ratio), Number: true},
			})
		}
	}
	if len(g.Rows) == 0 {
		return nil
	}
	return g
}
