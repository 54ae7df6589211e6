package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/assay-ml/assay/internal/gate"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// sampleOf is the rows that a condition needs by each bound, and the labels each evaluation takes with active labelling.
func sampleOf(condition string, plan gate.Plan, disagreement float64) (gate.ClauseSample, error) {
	f, err := gate.Parse(condition)
	if err != nil {
		return gate.ClauseSample{}, err
	}
	s, err := gate.Estimate([]gate.Formula{f}, plan, gate.EstimateOptions{Disagreement: disagreement})
	if err != nil {
		return gate.ClauseSample{}, err
	}
	return s.Clauses[0], nil
}

func rowsBy(s gate.ClauseSample, bound string) float64 {
	for _, size := range s.Sizes {
		if size.Bound == bound {
			return float64(size.Rows)
		}
	}
	return math.NaN()
}

const (
	comparison  = "n - o > 0.02 +/- 0.01"
	confident   = 0.9999
	manySteps   = 32
	leastDiffer = 0.002
)

// rowsNeeded shows how many rows a comparison of two models takes, by the share of rows on which they differ.
func rowsNeeded(w io.Writer, _ int) (*plot.Plot, error) {
	plan := gate.Plan{Reliability: confident, Steps: manySteps, Adaptivity: gate.AdaptivityNone}
	bounds := []struct {
		bound, name string
		dashes      []vg.Length
		points      plotter.XYs
	}{
		{gate.BoundHoeffding, "Hoeffding, two variables: every disagreement allowed for", dotted, nil},
		{gate.BoundBennett, "Bennett, as in ease.ml/ci", dashed, nil},
		{gate.BoundExactPaired, "Assay's interval of n - o", solid, nil},
	}
	const points = 120
	for k := range points {
		p := leastDiffer * math.Pow(1/leastDiffer, float64(k)/(points-1))
		s, err := sampleOf(comparison, plan, min(p, 1))
		if err != nil {
			return nil, err
		}
		for i, b := range bounds {
			bounds[i].points = append(bounds[i].points, plotter.XY{X: math.Log10(p), Y: math.Log10(rowsBy(s, b.bound))})
		}
	}
	fmt.Fprintf(w, "Rows for `%s` at %v, %d steps, adaptivity none\n\n| rows on which the models differ | Hoeffding | Bennett | Assay's interval | labels for each evaluation |\n|---|---|---|---|---|\n", comparison, confident, manySteps)
	for _, line := range rowLines(plan) {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintln(w)

	p := canvasFor(fmt.Sprintf("Rows for %s, reliability %v, %d steps", comparison, confident, manySteps), "share of rows on which the models differ, at most", "test rows needed")
	p.X.Tick.Marker = logMarks(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
	p.Y.Tick.Marker = logMarks(1000, 3000, 10_000, 30_000, 100_000, 300_000)
	grid(p, true, true)
	for _, b := range bounds {
		if err := line(p, b.name, b.points, b.dashes, vg.Points(1.6)); err != nil {
			return nil, err
		}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = math.Log10(leastDiffer), 0, 3, math.Log10(500_000)
	p.Legend.Top, p.Legend.Left = false, false
	p.Legend.YOffs, p.Legend.XOffs = vg.Points(10), -vg.Points(12)
	return p, nil
}

// logMarks are marks of an axis of logarithms.
func logMarks(at ...float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, v := range at {
		label := fmt.Sprintf("%g", v)
		if v >= 1000 {
			label = grouped(int(v))
		}
		ticks = append(ticks, plot.Tick{Value: math.Log10(v), Label: label})
	}
	return ticks
}

// rowLines are the lines of the table beside the picture.
func rowLines(plan gate.Plan) []string {
	var lines []string
	for _, p := range []float64{1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01} {
		s, err := sampleOf(comparison, plan, p)
		if err != nil {
			panic(err) // the condition and the plan are our own
		}
		lines = append(lines, fmt.Sprintf("| %g | %s | %s | %s | %s |", p, rows(s, gate.BoundHoeffding), rows(s, gate.BoundBennett), rows(s, gate.BoundExactPaired), grouped(s.LabelsEach)))
	}
	return lines
}

func rows(s gate.ClauseSample, bound string) string { return grouped(int(rowsBy(s, bound))) }

// paperTable prints samples that ease.ml/ci gives, and those of the gate's own intervals.
func paperTable(w io.Writer) error {
	fmt.Fprintf(w, "Rows for 32 steps\n\n| condition | reliability | one step | 32, none | 32, full |\n|---|---|---|---|---|\n")
	for _, line := range paperLines() {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// paperLines are samples by Hoeffding's bound for two answers, as the paper has them.
func paperLines() []string {
	var lines []string
	for _, condition := range []string{"n > 0.8 +/- 0.05", "n > 0.8 +/- 0.01", "n - o > 0.02 +/- 0.05", "n - o > 0.02 +/- 0.01"} {
		for _, reliability := range []float64{0.99, 0.9999} {
			cells := []string{"`" + condition + "`", fmt.Sprint(reliability)}
			for _, plan := range []gate.Plan{
				{Reliability: reliability}, {Reliability: reliability, Steps: manySteps}, {Reliability: reliability, Steps: manySteps, Adaptivity: gate.AdaptivityFull, Answers: 2},
			} {
				s, err := sampleOf(condition, plan, 0)
				if err != nil {
					panic(err) // likewise
				}
				text := rows(s, gate.BoundHoeffding)
				if own := rowsBy(s, gate.BoundExactBinomial); own == own {
					text += " (" + grouped(int(own)) + ")"
				}
				cells = append(cells, text)
			}
			lines = append(lines, "| "+strings.Join(cells, " | ")+" |")
		}
	}
	return lines
}

// grouped writes a count with commas.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
