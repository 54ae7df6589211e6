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

	Attributed *attributed
	Dependence *gallery
	ByName     []barTable
	StandIn    *standIn
	Otherwise  *standIn
	Asking     []string
}

// mostFeatures keeps the table readable; what is left out is counted in its note.
const mostFeatures = 20

func relianceOf(d Dossier) reliance {
	if len(d.Explain.Features) == 0 {
		r := reliance{Lead: "It was not measured what the model relies on.", Attributed: attributedOf(d, wordsOf(d.Target)), StandIn: standInOf(d), Otherwise: otherwise(d)}
		if d.Explain.Shapley != nil {
			r.Lead = "It was not measured how much worse the model does without a column."
		}
		r.Asking = asking(d)
		return r
	}
	r := reliance{
		Lead: fmt.Sprintf("Each column was shuffled among the cases in turn. The more the %s %s without a column, the more the model relies on it. "+
			"This shows what the model uses, not what causes the outcome; two columns that say the same share their weight.", yardstickOf(d).name, yardstickOf(d).verb),
		Bars:    importanceTable(d),
		Method:  d.Explain.Method,
		StandIn: standInOf(d), Otherwise: otherwise(d), Asking: asking(d),
	}
	r.Attributed = attributedOf(d, wordsOf(d.Target))
	r.Dependence, r.ByName = dependenceOf(d, wordsOf(d.Target))
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

// yardstick is what shuffling a column makes worse.
type yardstick struct {
	name, verb, change string
	form               form
	bounds             scale
	base               string // what it is unshuffled; empty when it has no value
	of                 func(explain.Importance) stats.Estimate
}

func yardstickOf(d Dossier) yardstick {
	e := d.Explain
	switch e.Task {
	case stats.Multiclass:
		y := yardstick{"accuracy", "falls", "Fall", asPoints, scale{-1, 1}, "", func(i explain.Importance) stats.Estimate { return i.AccuracyDrop }}
		if e.BaseAccuracy != nil {
			y.base = percent(*e.BaseAccuracy)
		}
		return y
	case stats.Regression:
		y := yardstick{
			"root mean squared error", "grows", "Growth", asAmount, scale{math.Inf(-1), math.Inf(1)}, "",
			func(i explain.Importance) stats.Estimate { return i.RMSERise },
		}
		if e.BaseRMSE != nil {
			y.base = measured(*e.BaseRMSE)
		}
		return y
	}
	y := yardstick{"AUC", "falls", "Fall", asDecimal, scale{-1, 1}, "", func(i explain.Importance) stats.Estimate { return i.AUCDrop }}
	if e.BaseAUC.Defined() {
		y.base = decimal(e.BaseAUC.Value)
	}
	return y
}

func importanceTable(d Dossier) *barTable {
	shown, hidden := shownFeatures(d)
	y := yardstickOf(d)
	var values []float64
	for _, f := range shown {
		if e := y.of(f); e.Defined() {
			values = append(values, e.Low, e.High)
		}
	}
	s := spanning(y.bounds, append(values, 0)...)
	t := &barTable{
		Caption:  fmt.Sprintf("%s of the %s when a column is shuffled", y.change, y.name),
		NameHead: "Column", BarHead: y.change + " with its interval", FigureHead: y.change + " of the " + y.name,
		Ends: []string{y.form.exactly(s.Low), y.form.exactly(s.High)},
	}
	if y.base != "" {
		t.Note = fmt.Sprintf("Unshuffled, the %s is %s on %s.", y.name, y.base, countOf(d.Explain.RowsUsed, "case", "cases"))
	}
	if s.Low < 0 {
		t.Note += " The dashed line is no change."
	}
	for _, f := range shown {
		e := y.of(f)
		row := barRow{Name: f.Feature, Figure: y.form.figure(e), Interval: y.form.interval(e)}
		if slices.Contains(d.Protected, f.Feature) {
			row.Tags = []string{"protected"}
		}
		switch {
		case !e.Defined():
		case e.High < 0:
			row.Note = "these cases are answered better without it"
		case negligible(e):
			row.Note = "cannot be told from no reliance"
		}
		if e.Defined() {
			title := fmt.Sprintf("%s: %s, %s", f.Feature, row.Figure, row.Interval)
			row.Bar = intervalBar(s, title, e.Value, e.Low, e.High, 0)
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
