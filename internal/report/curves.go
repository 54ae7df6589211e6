package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/spec"
)

// gallery is a few pictures under one heading.
type gallery struct {
	Title    string
	Lead     string
	Pictures []picture
	Note     string
}

// mostCurves and mostMetrics keep the section readable when a program reports much.
const (
	mostCurves  = 6
	mostMetrics = 30
)

// curvesOf are pictures of how the metrics went during training, the most telling first; nil where there is none.
func curvesOf(d Dossier) *gallery {
	curves := make([]model.Curve, 0, len(d.Curves))
	for _, c := range d.Curves {
		c.Points = drawable(c.Points)
		if len(c.Points) > 0 {
			curves = append(curves, c)
		}
	}
	if len(curves) == 0 {
		return nil
	}
	slices.SortStableFunc(curves, func(a, b model.Curve) int { return telling(a.Name, b.Name, d.Sweep) })
	g := &gallery{
		Title: "How training went",
		Lead: "What training reported while it ran. Where a curve has become level, more of the same training would change little. " +
			"A loss that falls on the training data while it rises on the validation data is a sign of learning by heart.",
	}
	for i, c := range curves[:min(len(curves), mostCurves)] {
		g.Pictures = append(g.Pictures, curvePicture(fmt.Sprintf("curve-%d", i+1), c))
	}
	if left := curves[len(g.Pictures):]; len(left) > 0 {
		g.Note = fmt.Sprintf("%s left out: %s. The dossier’s JSON holds %s.", countOf(len(left), "further curve is", "further curves are"),
			named(left, func(c model.Curve) string { return c.Name }), plural(len(left), "it", "them"))
	}
	return g
}

// drawable are the points that have a place in a picture.
func drawable(points []model.Point) []model.Point {
	var all []model.Point
	for _, p := range points {
		if isFinite(p.Step) && isFinite(p.Value) {
			all = append(all, p)
		}
	}
	return all
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func curvePicture(id string, c model.Curve) picture {
	points := make([]point, len(c.Points))
	low, high := c.Points[0], c.Points[0]
	for i, p := range c.Points {
		points[i] = point{p.Step, p.Value}
		if p.Value < low.Value {
			low = p
		}
		if p.Value > high.Value {
			high = p
		}
	}
	last := c.Points[len(c.Points)-1]
	caption := fmt.Sprintf("Ended at %s (step %s). Lowest %s (step %s), highest %s (step %s).", measured(last.Value), measured(last.Step),
		measured(low.Value), measured(low.Step), measured(high.Value), measured(high.Step))
	switch {
	case len(points) == 1:
		caption = fmt.Sprintf("Reported once: %s (step %s).", measured(last.Value), measured(last.Step))
	case low.Value == high.Value:
		caption = fmt.Sprintf("%s throughout, %s.", measured(last.Value), countOf(len(points), "report", "reports"))
	}
	if curveIsLog(axis{Low: low.Value, High: high.Value}) {
		caption += " The scale is logarithmic: equal heights are equal ratios."
	}
	name := brief(c.Name, nameLetters)
	return picture{Title: name, Caption: caption, Picture: curveChart(id, name, caption, name, points)}
}

// metricsGrid is a table of what training reported; nil where it reported nothing.
func metricsGrid(d Dossier) *grid {
	metrics := slices.Clone(d.Training.Metrics)
	if len(metrics) == 0 {
		return nil
	}
	slices.SortStableFunc(metrics, func(a, b model.Metric) int { return telling(a.Name, b.Name, d.Sweep) })
	g := &grid{
		Caption: "What training reported", Note: "The training’s own figures, not Assay’s measurements.", Class: "loose",
		Head: []cell{{Text: "Metric"}, {Text: "Last", Number: true}, {Text: "Best, or lowest to highest", Number: true}},
	}
	for _, m := range metrics[:min(len(metrics), mostMetrics)] {
		g.Rows = append(g.Rows, []cell{
			{Text: brief(m.Name, nameLetters), Note: countOf(m.Count, "report", "reports")},
			{Text: measured(m.Last), Number: true}, bestOf(m, d.Sweep),
		})
	}
	if left := metrics[len(g.Rows):]; len(left) > 0 {
		g.Note += " " + countOf(len(left), "further metric is", "further metrics are") + " not listed."
	}
	return g
}

// bestOf is the best value where the name says which way is better, otherwise the whole range.
func bestOf(m model.Metric, s *search.Report) cell {
	switch better(m.Name, s) {
	case 1:
		return cell{Text: measured(m.Most), Note: "highest", Number: true}
	case -1:
		return cell{Text: measured(m.Least), Note: "lowest", Number: true}
	}
	return cell{Text: measured(m.Least), Note: "to" + nbsp + measured(m.Most), Number: true}
}

// Names of metrics as training programs commonly write them, the most telling first, and which way is better.
var commonMetrics = []struct {
	part  string // of the name
	whole bool   // a word of its own, because it is a part of other words
	sign  int
}{
	{"loss", false, -1}, {"auc", false, 1}, {"acc", true, 1}, {"accuracy", false, 1}, {"f1", true, 1}, {"precision", false, 1}, {"recall", false, 1},
	{"error", false, -1}, {"err", true, -1}, {"rmse", false, -1}, {"mse", true, -1}, {"mae", true, -1}, {"perplexity", false, -1}, {"brier", false, -1},
	{"r2", true, 1},
}

// common is a metric's place in commonMetrics, or their number.
func common(name string) int {
	lower := strings.ToLower(name)
	words := strings.FieldsFunc(lower, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	for i, c := range commonMetrics {
		if c.whole && slices.Contains(words, c.part) || !c.whole && strings.Contains(lower, c.part) {
			return i
		}
	}
	return len(commonMetrics)
}

// better says which way a metric is better: 1 up, -1 down, 0 not known. Of the metric of a sweep its goal says it.
func better(name string, s *search.Report) int {
	if s != nil && name == s.Metric {
		if s.Goal == spec.SweepMinimize {
			return -1
		}
		return 1
	}
	if i := common(name); i < len(commonMetrics) {
		return commonMetrics[i].sign
	}
	return 0
}

// telling orders metrics: first the one that a sweep chose by, then by kind, and of one kind those on validation data.
func telling(a, b string, s *search.Report) int {
	rank := func(name string) int {
		lower := strings.ToLower(name)
		onValidation := strings.Contains(lower, "val") || strings.Contains(lower, "eval") || strings.Contains(lower, "test")
		r := 2 * common(name)
		switch {
		case s != nil && name == s.Metric:
			return -1
		case onValidation && r == 2*len(commonMetrics):
			return 0 // the program calls it validation: its kind is the program's own
		case !onValidation:
			r++
		}
		return r
	}
	return cmp.Compare(rank(a), rank(b))
}

// nameLetters is the most of a name from outside that is shown; the JSON holds all of it.
const nameLetters = 80

// brief cuts a text to at most n characters.
func brief(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

// mostNamed is the most names a sentence lists.
const mostNamed = 8

// named lists names as people do, and counts those beyond the first few.
func named[T any](all []T, name func(T) string) string {
	var words []string
	for _, x := range all[:min(len(all), mostNamed)] {
		words = append(words, brief(name(x), nameLetters))
	}
	if left := len(all) - len(words); left > 0 {
		words = append(words, countOf(left, "other", "others"))
	}
	return list(words)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
