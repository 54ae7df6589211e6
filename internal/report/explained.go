package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// standIn is the small tree that stands for the model.
type standIn struct {
	Lead  string
	Rules *grid
	Note  string
}

// dependenceOf shows how the answers change with the most important columns: numbers as pictures, names as bars.
func dependenceOf(d Dossier, w words) (*gallery, []barTable) {
	if len(d.Explain.Dependence) == 0 {
		return nil, nil
	}
	g := &gallery{
		Title: "How the answers change with a column",
		Lead: "Every case was given each of these values in turn, the rest of it as it is, and the answers were averaged. Where hardly any case lies near a value, " +
			"or the cases differ much, the average says little about anybody.",
	}
	var tables []barTable
	for i, one := range d.Explain.Dependence {
		if len(one.Outputs) == 0 || len(one.Points) < 2 {
			continue
		}
		if one.Kind == table.Numeric {
			g.Pictures = append(g.Pictures, dependencePicture(fmt.Sprintf("dependence-%d", i+1), one, w))
		} else {
			tables = append(tables, dependenceTable(one, w))
		}
	}
	if len(g.Pictures) == 0 {
		g = nil
	}
	return g, tables
}

// shownOutput is the answer that is shown: of a model of several classes the one that depends most on the column.
func shownOutput(d explain.Dependence) explain.DependenceOutput {
	most := d.Outputs[0]
	for _, o := range d.Outputs[1:] {
		if o.Spread > most.Spread {
			most = o
		}
	}
	return most
}

func outputName(o explain.DependenceOutput, w words) string {
	switch {
	case w.task == stats.Regression:
		return "predicted " + w.outcome
	case o.Class != "":
		return "probability of “" + o.Class + "”"
	}
	return "probability of " + w.outcome
}

func dependencePicture(id string, d explain.Dependence, w words) picture {
	o := shownOutput(d)
	var xs, ys []float64
	for k, p := range d.Points {
		if e := o.Mean[k]; p.Number != nil && e.Defined() {
			xs, ys = append(xs, *p.Number), append(ys, e.Low, e.High)
		}
	}
	title := "Answers by " + d.Feature
	desc := fmt.Sprintf("The mean %s over %s, by %s, with its interval at each value.", outputName(o, w), countOf(d.RowsUsed, "case", "cases"), d.Feature)
	caption := fmt.Sprintf("Mean %s by %s.", outputName(o, w), d.Feature)
	for k, p := range d.Points {
		if e := o.Mean[k]; p.Missing && e.Defined() {
			caption += fmt.Sprintf(" Without a value: %s (%s).", measured(e.Value), countOf(p.Rows, "case", "cases"))
		}
	}
	if o.MeanHeterogeneity > o.Spread {
		caption += " Cases differ in this more than the average moves: do not read it as the effect in one case."
	}
	return picture{Title: title, Caption: caption, Picture: dependenceChart(id, title, desc, d, o, axisOver(xs), axisOver(ys))}
}

func dependenceChart(id, title, desc string, d explain.Dependence, o explain.DependenceOutput, x, y axis) template.HTML {
	y.Whole = false
	p := newPlot(id, title, desc, x, y, d.Feature, "mean answer", smallHeight, false, 0)
	var line []point
	for k, v := range d.Points {
		if e := o.Mean[k]; v.Number != nil && e.Defined() {
			at := p.x.place(*v.Number)
			p.line("whisker", at, p.y.place(e.Low), at, p.y.place(e.High))
			line = append(line, point{at, p.y.place(e.Value)})
		}
	}
	p.path("curve thin", line, false)
	for _, at := range line {
		p.circle("dot", at.X, at.Y, 3)
	}
	return p.end()
}

func dependenceTable(d explain.Dependence, w words) barTable {
	o := shownOutput(d)
	var values []float64
	for _, e := range o.Mean {
		if e.Defined() {
			values = append(values, e.Low, e.High)
		}
	}
	form, bounds := asPercent, scale{0, 1}
	if w.task == stats.Regression {
		form, bounds = asAmount, scale{math.Inf(-1), math.Inf(1)}
	}
	s := spanning(bounds, values...)
	name := outputName(o, w)
	t := barTable{
		Caption: "Mean " + name + " by " + d.Feature, NameHead: d.Feature, BarHead: "Mean with its interval", FigureHead: "Mean",
		Ends: []string{form.exactly(s.Low), form.exactly(s.High)},
	}
	for k, p := range d.Points {
		row := barRow{Name: or(p.Value, "(empty)"), Note: countOf(p.Rows, "case", "cases"), Figure: form.figure(o.Mean[k]), Interval: form.interval(o.Mean[k])}
		if p.Missing {
			row.Name = "(unknown)"
		}
		if e := o.Mean[k]; e.Defined() {
			row.Bar = intervalBar(s, fmt.Sprintf("%s: %s, %s", row.Name, row.Figure, row.Interval), e.Value, e.Low, e.High)
		}
		t.Rows = append(t.Rows, row)
	}
	if d.OtherLevels > 0 {
		t.Note = fmt.Sprintf("%s of %s not shown.", countOf(d.OtherLevels, "rarer value", "rarer values"), percent(d.OtherShare)+" of the cases")
	}
	return t
}

// standInOf shows the rules of the small tree, unless it does not answer as the model does.
func standInOf(d Dossier) *standIn {
	s := d.Explain.Surrogate
	if s == nil {
		return nil
	}
	out := &standIn{Lead: fmt.Sprintf("A tree of at most %s questions was fitted to the model’s own answers. ", count(s.Depth)), Note: s.Method}
	if s.R2.Defined() {
		out.Lead += fmt.Sprintf("On cases it had not seen it explains %s of how the answers vary (interval %s)", percent(s.R2.Value), asPercent.interval(s.R2))
		if s.Agreement.Defined() {
			out.Lead += fmt.Sprintf(", and decides as the model does in %s of them; always taking the more frequent decision would agree in %s", percent(s.Agreement.Value), percent(s.Baseline.Value))
		}
		out.Lead += ". "
	}
	out.Lead += s.Reading
	if s.Verdict == explain.Unfaithful {
		return out
	}
	g := &grid{Caption: "The tree’s rules", Head: []cell{{Text: "When"}, {Text: "Decision"}, {Text: "Mean answer", Number: true}, {Text: "Share of cases", Number: true}}}
	for _, r := range s.Rules {
		answer := notAvailable
		if len(r.Answers) == 1 {
			answer = measured(r.Answers[0])
		}
		g.Rows = append(g.Rows, []cell{{Text: opening(r.When)}, {Text: or(r.Decision, notAvailable)}, {Text: answer, Number: true}, {Text: percent(r.Share), Number: true}})
	}
	out.Rules = g
	return out
}

// otherwise says what would have had to be different for cases that just miss the positive answer.
func otherwise(d Dossier) *standIn {
	c := d.Explain.Counterfactuals
	if c == nil || !c.Found.Defined() {
		return nil
	}
	out := &standIn{
		Lead: fmt.Sprintf("For the %s nearest to the threshold that miss the positive answer, the least change with which the model would answer otherwise was searched; protected columns, and those the spec declares fixed, stay as they are. "+
			"For %s one was found, of %s changed on average. It says what the model does, and is no promise to anybody.",
			countOf(c.Rows-c.Already, "case", "cases"), shareInWords(c.Found), changesWords(c.MeanChanges)),
		Note: c.Method,
	}
	if len(c.Columns) == 0 {
		return out
	}
	g := &grid{Caption: "What the nearest change is in", Head: []cell{{Text: "Column"}, {Text: "Cases", Number: true}, {Text: "Direction"}}}
	for _, column := range c.Columns {
		var way []string
		if column.Up > 0 {
			way = append(way, countOf(column.Up, "raised", "raised"))
		}
		if column.Down > 0 {
			way = append(way, countOf(column.Down, "lowered", "lowered"))
		}
		g.Rows = append(g.Rows, []cell{{Text: column.Column}, {Text: count(column.Rows), Number: true}, {Text: or(list(way), "another name")}})
	}
	out.Rules = g
	return out
}

func changesWords(mean float64) string {
	if text := strings.TrimSuffix(fmt.Sprintf("%.1f", mean), ".0"); text != "1" {
		return text + " columns"
	}
	return "one column"
}

func shareInWords(e stats.Estimate) string {
	return fmt.Sprintf("%s of %s", count(int(math.Round(e.Value*float64(e.N)))), countOf(e.N, "case", "cases"))
}

// asking says how often the model was asked, and what was left out for want of predictions or a fitting task.
func asking(d Dossier) []string {
	var all []string
	if b := d.Explain.Budget; b != nil {
		all = append(all, fmt.Sprintf("For all of this the model was asked %s times, of %s allowed.", count(b.Used), count(b.Predictions)))
	}
	return append(all, d.Explain.Notes...)
}
