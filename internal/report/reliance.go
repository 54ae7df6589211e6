package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/stats"
)

// reliance is the section on what the scores depend on.
type reliance struct {
	Lead   string
	Bars   *barTable
	Method string
}

// mostFeatures keeps the table readable; what is left out is counted in its note.
const mostFeatures = 20

func relianceOf(d Dossier) reliance {
	if len(d.Explain.Features) == 0 {
		return reliance{Lead: "It was not measured what the model relies on."}
	}
	r := reliance{
		Lead: "Each column was shuffled among the cases in turn. The more the AUC falls without a column, the more the model relies on it. " +
			"This shows what the model uses, not what causes the outcome; two columns that say the same share their weight.",
		Bars:   importanceTable(d),
		Method: d.Explain.Method,
	}
	if used := protectedFeatures(d); len(used) > 0 {
		r.Lead += fmt.Sprintf(" The model is given protected columns directly: %s.", list(used))
	} else if len(d.Protected) > 0 {
		r.Lead += fmt.Sprintf(" The protected columns (%s) are not given to the model; other columns may still stand in for them.", list(d.Protected))
	}
	return r
}

func protectedFeatures(d Dossier) []string {
	var used []string
	for _, f := range d.Explain.Features {
		if slices.Contains(d.Protected, f.Feature) {
			used = append(used, f.Feature)
		}
	}
	return used
}

func importanceTable(d Dossier) *barTable {
	shown, hidden := shownFeatures(d)
	var values []float64
	for _, f := range shown {
		if f.AUCDrop.Defined() {
			values = append(values, f.AUCDrop.Low, f.AUCDrop.High)
		}
	}
	s := spanning(scale{-1, 1}, append(values, 0)...)
	t := &barTable{
		Caption: "Fall of the AUC when a column is shuffled", NameHead: "Column", BarHead: "Fall with its interval", FigureHead: "Fall of AUC",
		Ends: []string{axisEnd(s.Low), axisEnd(s.High)},
	}
	if d.Explain.BaseAUC.Defined() {
		t.Note = fmt.Sprintf("Unshuffled, the AUC is %s on %s.", decimal(d.Explain.BaseAUC.Value), countOf(d.Explain.RowsUsed, "case", "cases"))
	}
	if s.Low < 0 {
		t.Note += " The dashed line is no change."
	}
	for _, f := range shown {
		row := barRow{Name: f.Feature, Figure: asDecimal.figure(f.AUCDrop), Interval: asDecimal.interval(f.AUCDrop)}
		if slices.Contains(d.Protected, f.Feature) {
			row.Tags = []string{"protected"}
		}
		if negligible(f.AUCDrop) {
			row.Note = "cannot be told from no reliance"
		}
		if f.AUCDrop.Defined() {
			title := fmt.Sprintf("%s: %s, %s", f.Feature, row.Figure, row.Interval)
			row.Bar = intervalBar(s, title, f.AUCDrop.Value, f.AUCDrop.Low, f.AUCDrop.High, 0)
		}
		t.Rows = append(t.Rows, row)
	}
	if hidden > 0 {
		t.Note += fmt.Sprintf(" %s with less weight not shown.", countOf(hidden, "column", "columns"))
	}
	return t
}

// shownFeatures are the first of the list and every protected column further down, and how many that leaves out.
func shownFeatures(d Dossier) (shown []explain.Importance, hidden int) {
	for i, f := range d.Explain.Features {
		if i < mostFeatures || slices.Contains(d.Protected, f.Feature) {
			shown = append(shown, f)
		} else {
			hidden++
		}
	}
	return shown, hidden
}

// negligible reports whether the interval allows that the column is of no use.
func negligible(e stats.Estimate) bool { return e.Defined() && e.Low <= 0 }

// axisEnd writes the end of an axis, whose values are round.
func axisEnd(v float64) string { return general(math.Round(v*1e6) / 1e6) }
