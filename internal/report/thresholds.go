package report

import (
	"fmt"
	"html/template"
	"math"

	"github.com/assay-ml/assay/internal/stats"
)

// thresholdCurve is a rate by the threshold; Class sets its dashes, so that curves are told apart without colour.
type thresholdCurve struct {
	Class, Name string
	At          []point // X: threshold, Y: rate, both in [0, 1]
}

// thresholdPicture shows what each threshold would do: how many are selected, and how many rightly and wrongly. The share selected
// follows from the two rates of the ROC curve and the number of cases of each outcome.
func thresholdPicture(r stats.Report, w words) picture {
	selected := thresholdCurve{Class: "curve", Name: "selected, of all cases"}
	hits := thresholdCurve{Class: "curve dashed", Name: "of cases truly so (recall)"}
	alarms := thresholdCurve{Class: "curve dotted", Name: "of all others (false alarms)"}
	share := 0.0
	if r.N > 0 {
		share = clamp(float64(r.Positives)/float64(r.N), 0, 1)
	}
	for _, p := range r.ROC {
		if !isFinite(p.Threshold) || !isFinite(p.FPR) || !isFinite(p.TPR) {
			continue
		}
		selected.At = append(selected.At, point{p.Threshold, share*p.TPR + (1-share)*p.FPR})
		hits.At = append(hits.At, point{p.Threshold, p.TPR})
		alarms.At = append(alarms.At, point{p.Threshold, p.FPR})
	}
	desc := "Three curves that fall from the left to the right: the higher the threshold, the fewer cases are selected, rightly or wrongly."
	inUse, line := r.Threshold, fmt.Sprintf(" The upright line is the threshold in use, %s.", general(r.Threshold))
	if w.own != "" {
		inUse, line = math.NaN(), " The curves are of one threshold for all; in use is "+w.own+"."
		desc += line
	} else if all := r.Confusion.TP + r.Confusion.FP; r.N > 0 {
		desc += fmt.Sprintf(" At the threshold in use, %s, the model selects %s of all cases.", general(r.Threshold), shareOf(all, r.N))
	}
	return picture{
		Title:   "What another threshold would do",
		Caption: fmt.Sprintf("The share of cases that the model calls %s, by the score from which on it does.%s", w.outcome, line),
		Picture: thresholdChart("thresholds", "Rates by threshold", desc, inUse, []thresholdCurve{hits, selected, alarms}),
	}
}

// Sizes of the legend below the picture, in CSS pixels.
const (
	legendTop    = plotBottom + 58
	legendStep   = 20.0
	legendSample = 44.0
)

func thresholdChart(id, title, desc string, inUse float64, curves []thresholdCurve) template.HTML {
	d := newDrawing(id, "chart", chartWidth, legendTop+legendStep*float64(len(curves)), title, desc)
	axes(d, "threshold (score from which on it says yes)", "share of cases")
	if isFinite(inUse) {
		d.line("upright", plotX(inUse), plotTop, plotX(inUse), plotBottom)
	}
	for i, c := range curves {
		line := make([]point, len(c.At))
		for k, p := range c.At {
			line[k] = point{plotX(p.X), plotY(p.Y)}
		}
		d.path(c.Class, line, false)
		y := legendTop + legendStep*float64(i)
		d.path(c.Class, []point{{plotLeft, y}, {plotLeft + legendSample, y}}, false)
		d.text("legend", "start", plotLeft+legendSample+8, y+4, c.Name)
	}
	return d.end()
}
