package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// drawing collects the elements of one SVG picture. Colours come from classes in the page's style sheet, so that a
// picture follows the screen's light or dark scheme and prints dark on white. Text passes through escape; nothing
// else in a drawing comes from outside this package.
type drawing struct {
	b strings.Builder
}

// newDrawing starts a picture of the given size in CSS pixels. The title and the description are what a screen reader
// says in its place; id must be unique on the page.
func newDrawing(id, class string, width, height float64, title, desc string) *drawing {
	d := &drawing{}
	fmt.Fprintf(&d.b, `<svg class="%s" role="img" aria-labelledby="%s-title %s-desc" viewBox="0 0 %s %s" width="%s" height="%s">`,
		class, id, id, coordinate(width), coordinate(height), coordinate(width), coordinate(height))
	fmt.Fprintf(&d.b, `<title id="%s-title">%s</title><desc id="%s-desc">%s</desc>`,
		id, html.EscapeString(title), id, html.EscapeString(desc))
	return d
}

// newMark starts a small picture that stretches to the width of its table cell; its title repeats the figures beside it.
func newMark(class string, width, height float64, title string) *drawing {
	d := &drawing{}
	fmt.Fprintf(&d.b, `<svg class="%s" role="img" viewBox="0 0 %s %s" preserveAspectRatio="none"><title>%s</title>`,
		class, coordinate(width), coordinate(height), html.EscapeString(title))
	return d
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&d.b, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`,
		class, coordinate(x1), coordinate(y1), coordinate(x2), coordinate(y2))
}

func (d *drawing) rect(class string, x, y, width, height float64) {
	fmt.Fprintf(&d.b, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"/>`,
		class, coordinate(x), coordinate(y), coordinate(math.Max(0, width)), coordinate(math.Max(0, height)))
}

func (d *drawing) circle(class string, x, y, r float64) {
	fmt.Fprintf(&d.b, `<circle class="%s" cx="%s" cy="%s" r="%s"/>`, class, coordinate(x), coordinate(y), coordinate(r))
}

func (d *drawing) text(class, anchor string, x, y float64, s string) {
	fmt.Fprintf(&d.b, `<text class="%s" text-anchor="%s" x="%s" y="%s">%s</text>`,
		class, anchor, coordinate(x), coordinate(y), html.EscapeString(s))
}

// upright writes text that reads from bottom to top around (x, y), for a vertical axis.
func (d *drawing) upright(class string, x, y float64, s string) {
	fmt.Fprintf(&d.b, `<text class="%s" text-anchor="middle" transform="translate(%s %s) rotate(-90)">%s</text>`,
		class, coordinate(x), coordinate(y), html.EscapeString(s))
}

// path joins points with straight lines; a closed path is filled by its class.
func (d *drawing) path(class string, at []point, closed bool) {
	if len(at) == 0 {
		return
	}
	fmt.Fprintf(&d.b, `<path class="%s" d="`, class)
	for i, p := range at {
		command := byte('L')
		if i == 0 {
			command = 'M'
		}
		d.b.WriteByte(command)
		d.b.WriteString(coordinate(p.X) + " " + coordinate(p.Y))
	}
	if closed {
		d.b.WriteByte('Z')
	}
	d.b.WriteString(`"/>`)
}

// end gives the finished picture. It is safe to place in a page because every text in it was escaped.
func (d *drawing) end() template.HTML {
	return template.HTML(d.b.String() + "</svg>") //nolint:gosec // see above
}

// point is a place in a picture, or a pair of values to be drawn.
type point struct{ X, Y float64 }

// coordinate writes a number for an attribute; what is not finite is drawn at the origin, never written as NaN.
func coordinate(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "0"
	}
	v = math.Round(v*100) / 100
	if v == 0 {
		return "0" // not "-0"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// clamp keeps v between low and high; NaN becomes low.
func clamp(v, low, high float64) float64 {
	if math.IsNaN(v) {
		return low
	}
	return math.Min(high, math.Max(low, v))
}
