package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/stats"
)

// attributed says how much each column moves the answers, over all cases and in single ones.
type attributed struct {
	Lead  string
	Bars  *barTable
	Notes []string // how exact this is, and whether it depends on chance
	Cases *grid    // single rows
}

// mostParts are listed for a single case.
const mostParts = 5

// attributedOf shows the attribution unless it is too inexact to be read: then it says why.
func attributedOf(d Dossier, w words) *attributed {
	s := d.Explain.Shapley
	if s == nil {
		return nil
	}
	form := asPoints
	if s.Scale == explain.Number {
		form = asAmount
	}
	answer := "the " + outputName(explain.DependenceOutput{Class: s.Class}, w)
	out := &attributed{Lead: fmt.Sprintf("Each answer was divided among the columns: how far each of them moves %s away from its mean over %s, %s, on average over all orders in which the columns could become known (Shapley values). "+
		"They add up to the answer. They say what the model does with a case, not what causes the outcome.", answer, countOf(s.Background, "case", "cases"), meanAnswer(s))}
	if s.Verdict != explain.Sound {
		out.Notes = append(out.Notes, "The parts are too inexact to be read, and are not shown. "+s.Reading)
	} else {
		out.Bars = attributionTable(d, form)
		out.Notes = append(out.Notes, s.Reading)
	}
	if e := d.Explain.Exact; e != nil && e.Verdict == explain.Sound {
		out.Notes = append(out.Notes, "This model is a sum on the scale of the log odds, where the parts are known without chance (linear SHAP). There they rank "+leading(e)+" first.")
	}
	if st := d.Explain.Stability; st != nil {
		out.Notes = append(out.Notes, fmt.Sprintf("Computed %d times over with other seeds: %s", st.Runs, st.Reading))
	}
	if local := d.Explain.Local; local != nil {
		if local.Verdict == explain.Sound {
			out.Cases = casesGrid(local, form)
		} else {
			out.Notes = append(out.Notes, "Single cases are not shown. "+local.Reading)
		}
	}
	return out
}

func meanAnswer(s *explain.ShapleyReport) string {
	if s.Scale == explain.Number {
		return measured(s.Base)
	}
	return percent(s.Base)
}

// leading names the first three features.
func leading(s *explain.ShapleyReport) string {
	var names []string
	for _, f := range s.Features[:min(3, len(s.Features))] {
		names = append(names, f.Feature)
	}
	return list(names)
}

func attributionTable(d Dossier, form form) *barTable {
	s := d.Explain.Shapley
	var shown []explain.Attribution
	for i, f := range s.Features {
		if i < mostFeatures || slices.Contains(d.Protected, f.Feature) {
			shown = append(shown, f)
		}
	}
	values := []float64{0}
	for _, f := range shown {
		if f.Size.Defined() {
			values = append(values, f.Size.Low, f.Size.High)
		}
	}
	bounds := scale{0, 1}
	if form == asAmount {
		bounds = scale{0, math.Inf(1)}
	}
	span := spanning(bounds, values...)
	t := &barTable{
		Caption: "How far a column moves the answers", NameHead: "Column", BarHead: "Mean size with its interval", FigureHead: "Mean size",
		Ends: []string{form.exactly(span.Low), form.exactly(span.High)},
		Note: fmt.Sprintf("Mean over %s, whichever way the column moves their answers.", countOf(s.Rows, "case", "cases")),
	}
	for _, f := range shown {
		row := barRow{Name: f.Feature, Figure: form.figure(f.Size), Interval: form.interval(f.Size)}
		if slices.Contains(d.Protected, f.Feature) {
			row.Tags = []string{"protected"}
		}
		if f.Size.Defined() {
			row.Bar = intervalBar(span, fmt.Sprintf("%s: %s, %s", f.Feature, row.Figure, row.Interval), f.Size.Value, f.Size.Low, f.Size.High)
		}
		t.Rows = append(t.Rows, row)
	}
	if hidden := len(s.Features) - len(shown); hidden > 0 {
		t.Note += fmt.Sprintf(" %s with smaller parts not shown.", countOf(hidden, "column", "columns"))
	}
	return t
}

// casesGrid says of single cases what moved their answers most.
func casesGrid(local *explain.LocalReport, form form) *grid {
	g := &grid{
		Caption: "Single cases", Class: "stack",
		Note: "Those the spec names, and those next to the threshold. Cases are numbered as the rows of the source.",
		Head: []cell{{Text: "Case"}, {Text: "Answer"}, {Text: "What moved it most"}},
	}
	for _, r := range local.Rows {
		answer := cell{Text: asPercent.write(r.Score)}
		if form == asAmount {
			answer.Text = form.write(r.Score)
		}
		if r.AtLeast != nil {
			answer.Note = map[bool]string{true: "reaches the threshold", false: "below the threshold"}[*r.AtLeast]
		}
		var parts []string
		others, unlisted := r.Others, r.NotListed
		for i, p := range r.Parts {
			if i >= mostParts {
				others, unlisted = others+p.Value.Value, unlisted+1
				continue
			}
			parts = append(parts, partInWords(p, form))
		}
		text := strings.Join(parts, "; ")
		if unlisted > 0 {
			text += fmt.Sprintf("; %s together %s", countOf(unlisted, "other column", "other columns"), form.signedFigure(stats.Exact(others, 0)))
		}
		g.Rows = append(g.Rows, []cell{{Text: count(r.Row)}, answer, {Text: text}})
	}
	if n := len(local.LeftOut); n > 0 {
		g.Note += fmt.Sprintf(" %s could not be explained: the model did not answer.", countOf(n, "case", "cases"))
	}
	return g
}

func partInWords(p explain.Part, form form) string {
	name := p.Feature
	switch {
	case p.Text != nil:
		name += " = " + or(*p.Text, "(empty)")
	case p.Missing:
		name += " (unknown)"
	}
	return name + " " + form.signedFigure(p.Value)
}
