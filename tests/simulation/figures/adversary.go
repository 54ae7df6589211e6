package main

import (
	"fmt"
	"io"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/tests/simulation"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// adversary compares rules by how often somebody who uses the answers gets a pass that is wrong.
func adversary(w io.Writer, worlds int) (*plot.Plot, error) {
	const condition, rows, steps, reliability = "n > 0.5 +/- 0.05", 1000, 32, 0.9
	once, err := simulation.GateRule(condition, gate.Plan{Reliability: reliability})
	if err != nil {
		return nil, err
	}
	full, err := simulation.GateRule(condition, gate.Plan{Reliability: reliability, Steps: steps, Adaptivity: gate.AdaptivityFull})
	if err != nil {
		return nil, err
	}
	curves := []struct {
		name   string
		rule   simulation.Rule
		dashes []vg.Length
		rates  []simulation.Rate
	}{
		{"estimate compared with the bound", simulation.PointRule(0.5), dotted, nil},
		{"an interval of one decision, each time", once, mixed, nil},
		{"a naive 95 % interval, each time", simulation.NaiveRule(0.5), dashed, nil},
		{"Assay, 32 steps, adaptivity full", full, solid, nil},
	}
	p := canvasFor("Wrong passes got by somebody who uses the answers", "candidates tried on one test set of 1,000 rows", "share of worlds with a wrong pass")
	fmt.Fprintf(w, "Wrong passes after so many steps, %d worlds\n\n| rule | 1 | 2 | 4 | 8 | 16 | 32 |\n|---|---|---|---|---|---|---|\n", worlds)
	for i, c := range curves {
		curves[i].rates = simulation.Fooled(c.rule, rows, steps, worlds, 3)
		points := make(plotter.XYs, steps)
		for k, r := range curves[i].rates {
			points[k] = plotter.XY{X: float64(k + 1), Y: r.Value()}
		}
		fmt.Fprintf(w, "| %s |", c.name)
		for k := 1; k <= steps; k *= 2 {
			fmt.Fprintf(w, " %.3f |", curves[i].rates[k-1].Value())
		}
		fmt.Fprintln(w)
		if err := line(p, c.name, points, c.dashes, vg.Points(1.6)); err != nil {
			return nil, err
		}
	}
	fmt.Fprintln(w)
	limit := plotter.XYs{{X: 1, Y: 1 - reliability}, {X: steps, Y: 1 - reliability}}
	if err := line(p, "stated: at most 0.1 over all steps", limit, solid, vg.Points(0.6)); err != nil {
		return nil, err
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 1, steps, 0, 1.02
	p.X.Tick.Marker = marks(1, 4, 8, 12, 16, 20, 24, 28, 32)
	p.Y.Tick.Marker = marks(0, 0.1, 0.2, 0.4, 0.6, 0.8, 1)
	p.Legend.Top, p.Legend.Left = false, false
	p.Legend.YOffs, p.Legend.XOffs = vg.Points(46), -vg.Points(4)
	return p, nil
}

func marks(at ...float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, v := range at {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%g", v)})
	}
	return ticks
}
