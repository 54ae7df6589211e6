package main

import (
	"cmp"
	"fmt"
	"image/color"
	"io"
	"strings"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/tests/simulation"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// rated is a condition and how often its verdict was wrong.
type rated struct {
	name       string
	label      string // a shorter name
	rows       int
	guaranteed bool
	rate       simulation.Rate
	finer      simulation.Rate // at a tenth of the error probability; of drawn rows only
}

// stated is what the plan of these worlds leaves to chance.
const (
	stated      = 0.1
	statedFiner = 0.01
)

// wrongVerdicts compares how often verdicts are wrong with the rate stated.
func wrongVerdicts(w io.Writer, worlds int) (*plot.Plot, error) {
	all, err := rates(worlds)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(w, "Wrong verdicts, %d worlds each, at the bound\n\n| condition | rows | kind | wrong at most 0.1 | wrong at most 0.01 |\n|---|---|---|---|---|\n", worlds)
	for _, r := range all {
		finer := "-"
		if r.finer.Worlds > 0 {
			finer = fmt.Sprintf("%.4f", r.finer.Value())
		}
		fmt.Fprintf(w, "| `%s` | %s | %s | %.4f | %s |\n", r.name, grouped(r.rows), kind(r.guaranteed), r.rate.Value(), finer)
	}
	fmt.Fprintln(w)
	return drawWrong(all, worlds)
}

func kind(guaranteed bool) string {
	if guaranteed {
		return "guaranteed"
	}
	return "approximate"
}

func rates(worlds int) ([]rated, error) {
	var all []rated
	for _, c := range []struct {
		label      string // in the picture; empty: the condition
		conditions []string
		truth      simulation.Truth
		rows       int
	}{
		{"", []string{"n > 0.8 +/- 0.02"}, simulation.Truth{Both: 0.75, NewOnly: 0.05, OldOnly: 0.05}, 2000},
		{"", []string{"n - o > 0.02 +/- 0.01"}, simulation.Truth{Both: 0.85, NewOnly: 0.04, OldOnly: 0.02}, 2000},
		{"", []string{"n - o > 0 +/- 0.1"}, simulation.Truth{Both: 0.7, NewOnly: 0.1, OldOnly: 0.1}, 50},
		{"", []string{"n - 1.1*o > -0.05 +/- 0.02"}, simulation.Truth{Both: 0.45, NewOnly: 0.05, OldOnly: 0.05}, 2000},
		{"n, n - o and d at their bounds", []string{"n > 0.8 +/- 0.02", `n - o > 0 +/- 0.02 /\ d < 0.1 +/- 0.02`}, simulation.Truth{Both: 0.75, NewOnly: 0.05, OldOnly: 0.05}, 2000},
	} {
		wrong, _, err := simulation.Wrong(c.conditions, gate.Plan{Reliability: 1 - stated}, c.truth, c.rows, worlds, 7)
		if err != nil {
			return nil, err
		}
		all = append(all, rated{name: strings.Join(c.conditions, "; "), label: c.label, rows: c.rows, guaranteed: true, rate: wrong})
	}
	for _, s := range simulation.Scenes() {
		r := rated{name: s.Name, rows: s.Rows, guaranteed: s.Guaranteed}
		for _, at := range []struct {
			reliability float64
			into        *simulation.Rate
		}{{1 - stated, &r.rate}, {1 - statedFiner, &r.finer}} {
			above, below, err := s.Ends(gate.Plan{Reliability: at.reliability}, worlds, 5)
			if err != nil {
				return nil, err
			}
			if *at.into = above; below.Times > above.Times {
				*at.into = below
			}
		}
		all = append(all, r)
	}
	return all, nil
}

func drawWrong(all []rated, worlds int) (*plot.Plot, error) {
	p := canvasFor("Wrong verdicts where the truth lies at the bound", fmt.Sprintf("share of %s worlds (bars: 95 %% intervals)", grouped(worlds)), "")
	grid(p, true, false)
	const most = 0.18
	bottom, top := -0.7, float64(len(all))-0.3
	var ticks plot.ConstantTicks
	proven, near := &plotter.Scatter{}, &plotter.Scatter{}
	var bars errorBars
	for i, r := range all {
		y := float64(len(all) - 1 - i)
		ticks = append(ticks, plot.Tick{Value: y, Label: fmt.Sprintf("%s (%s rows)", cmp.Or(r.label, r.name), grouped(r.rows))})
		low, high := stats.ClopperPearson(r.rate.Times, r.rate.Worlds, 0.95)
		x := r.rate.Value()
		bars.XYs = append(bars.XYs, plotter.XY{X: x, Y: y})
		bars.XErrors = append(bars.XErrors, struct{ Low, High float64 }{x - low, high - x})
		if r.guaranteed {
			proven.XYs = append(proven.XYs, plotter.XY{X: x, Y: y})
		} else {
			near.XYs = append(near.XYs, plotter.XY{X: x, Y: y})
		}
	}
	p.Y.Tick.Marker = ticks
	p.Y.Tick.Length = 0
	p.Y.Tick.Label.Font.Size = vg.Points(8)
	drawn, err := plotter.NewXErrorBars(bars)
	if err != nil {
		return nil, err
	}
	drawn.LineStyle = draw.LineStyle{Color: color.Black, Width: vg.Points(0.8)}
	p.Add(drawn)
	if err := line(p, "stated: at most 0.1", plotter.XYs{{X: stated, Y: bottom}, {X: stated, Y: top}}, dashed, vg.Points(1.4)); err != nil {
		return nil, err
	}
	proven.GlyphStyle = draw.GlyphStyle{Color: color.Black, Radius: vg.Points(3.2), Shape: draw.CircleGlyph{}}
	near.GlyphStyle = draw.GlyphStyle{Color: color.Black, Radius: vg.Points(3.2), Shape: draw.RingGlyph{}}
	p.Add(proven, near)
	p.Legend.Add("guaranteed", proven)
	p.Legend.Add("approximate", near)
	p.Legend.Top = true
	p.Legend.XOffs, p.Legend.YOffs = -vg.Points(4), -vg.Points(18)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, most, bottom, top
	p.X.Tick.Marker = marks(0, 0.05, 0.1, 0.15)
	return p, nil
}

type errorBars struct {
	plotter.XYs
	plotter.XErrors
}
