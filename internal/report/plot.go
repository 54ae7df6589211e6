package report

import (
	"html/template"
	"math"
	"slices"
	"unicode/utf8"
)

// Sizes of the small pictures of one value against another, in CSS pixels; they are as wide as the square ones.
const (
	smallTop    = 20.0 // leaves room for a value above the highest mark
	smallHeight = 150.0
	tallHeight  = 230.0 // of a frame about as high as it is wide
	smallRight  = 304.0
	smallInset  = 7.0  // keeps a mark at the end of an axis off the frame
	stripBelow  = 18.0 // height of the strip under the frame for what has no value
	legendLine  = 20.0
	letterWidth = 7.6 // of the 12 px type in pictures, on the wide side
	mostLetters = 24  // of an axis label
)

// plot is a picture with a frame, ticks and labels on two axes.
type plot struct {
	*drawing
	x, y   axis
	left   float64
	bottom float64 // of the frame
}

// newPlot draws the frame of a picture over x and y. strip asks for room under the frame; below is room left under the
// label of the x axis.
func newPlot(id, title, desc string, x, y axis, xLabel, yLabel string, height float64, strip bool, below float64) *plot {
	p := &plot{x: x, y: y, bottom: smallTop + height}
	p.y.From, p.y.To = p.bottom-smallInset, smallTop+smallInset
	longest := 0
	for _, t := range p.y.ticks() {
		longest = max(longest, utf8.RuneCountInString(t.Text))
	}
	p.left = clamp(26+letterWidth*float64(longest), 48, 110)
	p.x.From, p.x.To = p.left+smallInset, smallRight-smallInset
	floor := p.bottom
	if strip {
		floor += stripBelow
	}
	p.drawing = newDrawing(id, "chart", chartWidth, floor+44+below, title, desc)
	for _, t := range p.y.ticks() {
		at := p.y.place(t.At)
		p.line("grid", p.left, at, smallRight, at)
		p.text("tick", "end", p.left-6, at+4, t.Text)
	}
	p.ticksOfX(floor)
	p.line("base", p.left, p.bottom, smallRight, p.bottom)
	p.text("axis", "middle", (p.left+smallRight)/2, floor+labelBelow, brief(xLabel, mostLetters+10))
	p.upright("axis", 12, smallTop+height/2, brief(yLabel, mostLetters))
	return p
}

// ticksOfX writes no tick over its neighbour and none beyond the picture.
func (p *plot) ticksOfX(floor float64) {
	free := 0.0
	for _, t := range p.x.ticks() {
		at, half := p.x.place(t.At), letterWidth*float64(utf8.RuneCountInString(t.Text))/2
		p.line("grid", at, smallTop, at, p.bottom)
		middle := math.Min(at, chartWidth-half)
		if middle-half < free {
			continue
		}
		p.text("tick", "middle", middle, floor+ticksBelow, t.Text)
		free = middle + half + letterWidth
	}
}

// note writes text over a mark, as far to the left or right as the picture needs.
func (p *plot) note(x, y float64, s string) {
	at := y - 10 // the margin over the frame has room for it as well
	width := letterWidth * float64(utf8.RuneCountInString(s))
	switch {
	case x-width/2 < p.left:
		p.text("halo plain strong", "start", p.left+2, at, s)
	case x+width/2 > smallRight:
		p.text("halo plain strong", "end", smallRight, at, s)
	default:
		p.text("halo plain strong", "middle", x, at, s)
	}
}

// mostDrawn is the most points of a line and marks of a picture: more could not be told apart, and would make the page heavy.
const mostDrawn = 400

// curveChart draws how a value went over steps; points are finite and in the order they came. The last is written out.
func curveChart(id, title, desc, yLabel string, points []point) template.HTML {
	xs, ys := make([]float64, len(points)), make([]float64, len(points))
	for i, p := range points {
		xs[i], ys[i] = p.X, p.Y
	}
	x, y := axisOver(xs), axisOver(ys)
	y.Log, y.Whole = curveIsLog(y), false
	p := newPlot(id, title, desc, x, y, "step", yLabel, smallHeight, false, 0)
	line := thinned(points, mostDrawn)
	for i := range line {
		line[i] = point{p.x.place(line[i].X), p.y.place(line[i].Y)}
	}
	p.path("curve", line, false)
	if len(line) > 0 {
		last := line[len(line)-1]
		p.circle("dot", last.X, last.Y, 4)
		p.note(last.X, last.Y, measured(points[len(points)-1].Y))
	}
	return p.end()
}

// curveIsLog says whether a curve falls or grows so far that its end could not be seen on equal distances.
func curveIsLog(y axis) bool { return y.spread() > 10*wideRatio }

// thinned keeps at most n of the points in their order, with the first, the last, and the least and greatest of each
// stretch between, so that no spike is lost. n is 8 or more.
func thinned(points []point, n int) []point {
	if len(points) <= n {
		return append([]point(nil), points...)
	}
	stretches := (n - 2) / 2
	kept := []point{points[0]}
	for i := range stretches {
		from, to := 1+i*(len(points)-2)/stretches, 1+(i+1)*(len(points)-2)/stretches
		least, most := from, from
		for k := from; k < to; k++ {
			if points[k].Y < points[least].Y {
				least = k
			}
			if points[k].Y > points[most].Y {
				most = k
			}
		}
		kept = append(kept, points[min(least, most)])
		if least != most {
			kept = append(kept, points[max(least, most)])
		}
	}
	return append(kept, points[len(points)-1])
}

// outcome is how a trial ended, as a mark of its own shape.
type outcome int

const (
	ended   outcome = iota // a disc
	stopped                // an open triangle
	failed                 // a cross
)

// trialMark is a trial in a picture.
type trialMark struct {
	X, Y    float64
	Valued  bool // Y is a value; a trial without is drawn in the strip under the frame
	Outcome outcome
	Chosen  bool
}

// trialChart draws trials; x and y are the axes over them. best are the corners of the line of the best value so far,
// none where trials have no order.
func trialChart(id, title, desc, xLabel, yLabel string, x, y axis, trials []trialMark, best []point) template.HTML {
	strip, seen := false, map[outcome]bool{}
	for _, t := range trials {
		strip = strip || !t.Valued
		seen[t.Outcome] = true
	}
	entries := legend(seen, len(best) > 0, slices.ContainsFunc(trials, func(t trialMark) bool { return t.Chosen }))
	p := newPlot(id, title, desc, x, y, xLabel, yLabel, smallHeight, strip, legendLine*math.Ceil(float64(len(entries))/2))
	at := func(t trialMark) point {
		if !t.Valued {
			return point{p.x.place(t.X), p.bottom + stripBelow/2}
		}
		return point{p.x.place(t.X), p.y.place(t.Y)}
	}
	for _, t := range trials {
		p.trial(t.Outcome, at(t))
	}
	p.steps(best)
	for _, t := range trials {
		if t.Chosen {
			p.ring(at(t))
		}
	}
	top := p.bottom + 44
	if strip {
		top += stripBelow
	}
	for i, e := range entries {
		left, middle := 58+float64(i%2)*130, top+8+legendLine*float64(i/2)
		e.draw(p, point{left, middle})
		p.text("tick", "start", left+13, middle+4, e.text)
	}
	return p.end()
}

// legendEntry says what a mark means.
type legendEntry struct {
	text string
	draw func(*plot, point)
}

// legend explains the marks that a picture has, and no others.
func legend(seen map[outcome]bool, line, chosen bool) []legendEntry {
	var all []legendEntry
	for o, text := range []string{"finished", "stopped early", "failed"} {
		if seen[outcome(o)] {
			all = append(all, legendEntry{text, func(p *plot, c point) { p.trial(outcome(o), c) }})
		}
	}
	if chosen {
		all = append(all, legendEntry{"chosen", func(p *plot, c point) { p.ring(c) }})
	}
	if line {
		all = append(all, legendEntry{"best so far", func(p *plot, c point) {
			p.path("curve level", []point{{c.X - 7, c.Y + 4}, {c.X, c.Y + 4}, {c.X, c.Y - 4}, {c.X + 7, c.Y - 4}}, false)
		}})
	}
	return all
}

func (p *plot) ring(c point) { p.circle("ring", c.X, c.Y, 7) }

func (p *plot) trial(o outcome, c point) {
	switch o {
	case stopped:
		p.path("open", []point{{c.X - 4, c.Y - 3.5}, {c.X + 4, c.Y - 3.5}, {c.X, c.Y + 4}}, true)
	case failed:
		p.path("cross", []point{{c.X - 3.5, c.Y - 3.5}, {c.X + 3.5, c.Y + 3.5}}, false)
		p.path("cross", []point{{c.X - 3.5, c.Y + 3.5}, {c.X + 3.5, c.Y - 3.5}}, false)
	default:
		p.circle("dot", c.X, c.Y, 4)
	}
}

// steps joins points by level lines with upright ones between, as a value goes that stays until it changes.
func (p *plot) steps(points []point) {
	var line []point
	for i, at := range points {
		next := point{p.x.place(at.X), p.y.place(at.Y)}
		if i > 0 {
			line = append(line, point{next.X, line[len(line)-1].Y})
		}
		line = append(line, next)
	}
	p.path("curve level", line, false)
}
