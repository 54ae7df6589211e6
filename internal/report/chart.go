package report

import (
	"html/template"
	"math"
	"strconv"

	"github.com/assay-ml/assay/internal/stats"
)

// Sizes of the square pictures, in CSS pixels. 320 wide fits a 360 px phone without scaling, so that the text in
// them stays as large as the text around them.
const (
	chartWidth  = 320.0
	plotLeft    = 58.0
	plotTop     = 8.0
	plotSize    = 246.0
	plotBottom  = plotTop + plotSize
	ticksBelow  = 16.0
	labelBelow  = 36.0
	rocHeight   = plotBottom + 44
	stripTop    = plotBottom + 46
	stripHeight = 34.0
	stripBottom = stripTop + stripHeight
	binsHeight  = stripBottom + 20
)

// plotX and plotY place a share in [0, 1] inside the square plot.
func plotX(v float64) float64 { return plotLeft + plotSize*clamp(v, 0, 1) }
func plotY(v float64) float64 { return plotBottom - plotSize*clamp(v, 0, 1) }

// axes draws the grid of the unit square, its percentages and its two labels.
func axes(d *drawing, xLabel, yLabel string) {
	for i := range 5 {
		v := float64(i) / 4
		d.line("grid", plotX(v), plotTop, plotX(v), plotBottom)
		d.line("grid", plotLeft, plotY(v), plotLeft+plotSize, plotY(v))
		tick := strconv.Itoa(25*i) + "%"
		d.text("tick", "middle", plotX(v), plotBottom+ticksBelow, tick)
		d.text("tick", "end", plotLeft-6, plotY(v)+4, tick)
	}
	d.text("axis", "middle", plotLeft+plotSize/2, plotBottom+labelBelow, xLabel)
	d.upright("axis", 12, plotTop+plotSize/2, yLabel)
}

// rocChart draws a receiver operating characteristic: X is the false positive rate, Y the true positive rate, both
// ascending. at is the point of the threshold in use, nil when it is not known.
func rocChart(id, title, desc string, curve []point, at *point) template.HTML {
	d := newDrawing(id, "chart", chartWidth, rocHeight, title, desc)
	axes(d, "false alarms (false positive rate)", "hits (recall)")
	line := make([]point, len(curve))
	for i, p := range curve {
		line[i] = point{plotX(p.X), plotY(p.Y)}
	}
	area := append([]point{{plotX(0), plotY(0)}}, line...)
	d.path("area", append(area, point{plotX(1), plotY(0)}), true)
	d.line("chance", plotX(0), plotY(0), plotX(1), plotY(1))
	d.path("curve", line, false)
	d.text("halo", "middle", plotX(0.68), plotY(0.56), "guessing")
	if at != nil {
		d.circle("dot", plotX(at.X), plotY(at.Y), 5)
		d.text("halo strong", "start", plotX(at.X)+10, plotY(at.Y)+14, "threshold in use")
	}
	return d.end()
}

// bin is one group of cases with similar scores.
type bin struct {
	Score     float64 // mean score, in [0, 1]
	Rate      float64 // share of those in which it happened, in [0, 1]
	Low, High float64 // interval of Rate; equal ends when there is none
	Cases     int
}

// calibrationChart draws, for each bin, what happened against the mean score; the diagonal is where both agree. A strip
// below shows how many cases each bin has.
func calibrationChart(id, title, desc, xLabel, yLabel string, bins []bin) template.HTML {
	d := newDrawing(id, "chart", chartWidth, binsHeight, title, desc)
	axes(d, xLabel, yLabel)
	d.line("chance", plotX(0), plotY(0), plotX(1), plotY(1))
	most := 1
	for _, b := range bins {
		most = max(most, b.Cases)
	}
	var line []point
	for _, b := range bins {
		if b.Cases > 0 {
			line = append(line, point{plotX(b.Score), plotY(b.Rate)})
		}
	}
	d.path("curve thin", line, false)
	for _, b := range bins {
		if b.Cases == 0 {
			continue
		}
		d.line("whisker", plotX(b.Score), plotY(b.Low), plotX(b.Score), plotY(b.High))
		d.circle("dot", plotX(b.Score), plotY(b.Rate), 4)
		height := stripHeight * float64(b.Cases) / float64(most)
		d.rect("fill", plotX(b.Score)-6, stripBottom-height, 12, height)
	}
	d.line("base", plotLeft, stripBottom, plotLeft+plotSize, stripBottom)
	d.text("axis", "middle", plotLeft+plotSize/2, stripBottom+14, "cases per bin; the tallest has "+count(most))
	return d.end()
}

// scale is the range of values a column of bars shares.
type scale struct{ Low, High float64 }

// Size of a bar before it stretches to its cell, in units of the picture.
const (
	barWidth  = 100.0
	barHeight = 20.0
	barInset  = 3.0 // keeps the stroke of an extreme value inside the picture
)

func (s scale) place(v float64) float64 {
	if s.High <= s.Low {
		return barWidth / 2
	}
	return barInset + (barWidth-2*barInset)*clamp((v-s.Low)/(s.High-s.Low), 0, 1)
}

// intervalBar draws a value with its interval on a shared scale. The references are drawn as lines across the bar,
// such as the rate of all cases or the bound of a condition.
func intervalBar(s scale, title string, value, low, high float64, references ...float64) template.HTML {
	d := newMark("interval", barWidth, barHeight, title)
	d.line("track", barInset, barHeight/2, barWidth-barInset, barHeight/2)
	if high > low {
		d.line("whisker", s.place(low), barHeight/2, s.place(high), barHeight/2)
	}
	for _, r := range references {
		d.line("reference", s.place(r), 0, s.place(r), barHeight)
	}
	d.line("value", s.place(value), 2, s.place(value), barHeight-2)
	return d.end()
}

// boundBar draws a value with its interval against the bound of a condition, on a band that is the tolerance around it.
func boundBar(s scale, title string, e stats.Estimate, bound, tolerance float64) template.HTML {
	d := newMark("interval", barWidth, barHeight, title)
	if tolerance > 0 {
		from, to := s.place(bound-tolerance), s.place(bound+tolerance)
		d.rect("tolerance", from, 0, to-from, barHeight)
		d.line("edge", from, 0, from, barHeight)
		d.line("edge", to, 0, to, barHeight)
	}
	d.line("track", barInset, barHeight/2, barWidth-barInset, barHeight/2)
	if e.High > e.Low {
		d.line("whisker", s.place(e.Low), barHeight/2, s.place(e.High), barHeight/2)
	}
	d.line("reference", s.place(bound), 0, s.place(bound), barHeight)
	d.line("value", s.place(e.Value), 2, s.place(e.Value), barHeight-2)
	return d.end()
}

// shareBar draws a share of a whole as a filled bar.
func shareBar(title string, share float64) template.HTML {
	d := newMark("share", barWidth, barHeight, title)
	d.rect("track", 0, 5, barWidth, barHeight-10)
	d.rect("fill", 0, 5, barWidth*clamp(share, 0, 1), barHeight-10)
	return d.end()
}

// spanning covers all the values given; its ends are round, and it never leaves bounds.
func spanning(bounds scale, values ...float64) scale {
	s := scale{math.Inf(1), math.Inf(-1)}
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			s.Low, s.High = math.Min(s.Low, v), math.Max(s.High, v)
		}
	}
	if s.Low > s.High {
		return bounds
	}
	step := niceStep(s.High - s.Low)
	return scale{
		Low:  math.Max(bounds.Low, math.Floor(s.Low/step)*step),
		High: math.Min(bounds.High, math.Ceil(s.High/step)*step),
	}
}

// niceStep is a round step, at most a quarter of the width: 1, 2 or 5 times a power of ten.
func niceStep(width float64) float64 {
	if width <= 0 {
		return 0.1
	}
	raw := width / 4
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{5, 2, 1} {
		if m*power <= raw {
			return m * power
		}
	}
	return power
}

// mark draws a verdict as a shape of its own, so that it is told apart without colour: a disc with a tick, a square
// with a cross, a triangle with a question mark; anything else is an empty ring.
func mark(verdict, title string) template.HTML {
	d := &drawing{}
	d.b.WriteString(`<svg class="mark ` + markClass(verdict) + `" role="img" viewBox="0 0 20 20" width="20" height="20"><title>` +
		template.HTMLEscapeString(title) + `</title>`)
	switch verdict {
	case "pass":
		d.circle("shape", 10, 10, 9)
		d.path("sign", []point{{5.6, 10.4}, {8.8, 13.6}, {14.6, 6.8}}, false)
	case "fail":
		d.rect("shape", 1.5, 1.5, 17, 17)
		d.path("sign", []point{{6, 6}, {14, 14}}, false)
		d.path("sign", []point{{14, 6}, {6, 14}}, false)
	case "inconclusive":
		d.path("shape", []point{{10, 1}, {19.4, 18.5}, {0.6, 18.5}}, true)
		d.text("query", "middle", 10, 16.4, "?")
	default:
		d.circle("ring", 10, 10, 7.5)
	}
	return d.end()
}

// markClass is the style class of a verdict; an unknown one gets no colour.
func markClass(verdict string) string {
	switch verdict {
	case "pass", "fail", "inconclusive":
		return verdict
	}
	return "none"
}
