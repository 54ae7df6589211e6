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
	Unequal    []string // between single cases
}

type attribute struct {
	Title, Summary, Note string
	Rates                []barTable
	Gaps                 *grid
	Against              *grid // compared with the reference group
	More                 *grid // further rates
}

func treatmentOf(d Dossier, w words) treatment {
	t := treatment{Crossings: crossingsOf(d), Mitigated: mitigatedOf(d, w), Unequal: append(unequal(d), d.Fairness.Notes...)}
	if w.task == stats.Binary {
		if e := d.Fairness.Examination; e != nil {
			for _, division := range e.Divisions {
				if len(division.Columns) == 1 {
					t.Attributes = append(t.Attributes, attributeOf(division, w))
				}
			}
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
	gaps := classGaps(d)
	if w.task == stats.Regression {
		gaps = numberGaps(d)
	}
	for _, part := range byColumn(d.Evaluation.Slices) {
		column := part[0].Column
		if !slices.Contains(d.Protected, column) {
			continue
		}
		a := attribute{Title: "By " + column, Gaps: gaps[column]}
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
		if group.Rows < fairness.DefaultMinGroup {
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
		if !ok || !e.Defined() || !finite(e) || casesOf(s.Result) < fairness.DefaultMinGroup {
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
		or(high.Group, "(empty)"), name.Form.write(value(high)), or(low.Group, "(empty)"), name.Form.write(value(low)), countOf(fairness.DefaultMinGroup, "case", "cases"))
}
