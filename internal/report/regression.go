package report

import (
	"fmt"
	"html/template"
	"math"

	"github.com/assay-ml/assay/internal/stats"
)

func (q *quality) addRegression(r stats.RegressionReport, w words) {
	q.Lead = regressionLead(r, w)
	if len(r.Calibration) > 0 {
		q.Charts = append(q.Charts, decilePicture(r, w))
	}
	if len(r.Residuals.Quantiles) > 0 {
		q.Charts = append(q.Charts, residualPicture(r.Residuals, w))
		q.Residuals = residualGrid(r.Residuals, w)
	}
	q.Note = fmt.Sprintf("On %s, in the units of %s where a measure has one. %s", countOf(r.N, "case", "cases"), w.outcome, intervalNote(r.Metrics))
}

// regressionLead compares the model with always saying the mean.
func regressionLead(r stats.RegressionReport, w words) string {
	mae, known := r.Metric(stats.MAE)
	rmse, alsoKnown := r.Metric(stats.RMSE)
	if !known || !alsoKnown || !mae.Defined() || !rmse.Defined() {
		return fmt.Sprintf("%s were kept out of training to measure the model on.", countOf(r.N, "test case", "test cases"))
	}
	return fmt.Sprintf("On %s kept out of training, what the model says of %s is off by %s on average. Its root mean squared error is %s; "+
		"always saying the mean of these cases, %s, would have one of %s.",
		countOf(r.N, "test case", "test cases"), w.outcome, asAmount.figure(mae), asAmount.figure(rmse), measured(r.Residuals.TruthMean), measured(constantError(r)))
}

// constantError is the root mean squared error of saying the mean of the cases to each of them.
func constantError(r stats.RegressionReport) float64 {
	return r.Residuals.TruthSD * math.Sqrt(float64(r.N-1)/float64(r.N))
}

func decilePicture(r stats.RegressionReport, w words) picture {
	caption := fmt.Sprintf("The cases in %s by what the model says. If predictions mean what they say, the dots lie on the diagonal: where it says 100 on average, the truth is 100 on average.",
		countOf(len(r.Calibration), "group of about equal size", "groups of about equal size"))
	desc := fmt.Sprintf("%d groups of cases by prediction; the diagonal is perfect agreement.", len(r.Calibration))
	worst, far := 0.0, stats.Decile{}
	for _, c := range r.Calibration {
		if distance := math.Abs(c.MeanPredicted - c.MeanY.Value); c.N >= smallBin && distance > worst {
			worst, far = distance, c
		}
	}
	if worst > 0 {
		furthest := fmt.Sprintf(" Furthest off: where it said %s on average, the truth was %s.", measured(far.MeanPredicted), measured(far.MeanY.Value))
		caption, desc = caption+furthest, desc+furthest
	}
	return picture{
		Title: "Meaning what it says (calibration)", Caption: caption,
		Picture: decileChart("calibration", "Predicted and observed "+w.outcome, desc, r.Calibration),
	}
}

// decileChart draws the mean truth of groups of cases against their mean prediction, both on the same scale.
func decileChart(id, title, desc string, deciles []stats.Decile) template.HTML {
	var values []float64
	for _, c := range deciles {
		values = append(values, c.MeanPredicted, c.MeanY.Value, c.MeanY.Low, c.MeanY.High)
	}
	over := axisOver(values)
	over.Whole = false
	p := newPlot(id, title, desc, over, over, "what the model says (mean)", "what was true (mean)", tallHeight, false, 0)
	p.line("chance", p.x.place(over.Low), p.y.place(over.Low), p.x.place(over.High), p.y.place(over.High))
	line := make([]point, 0, len(deciles))
	for _, c := range deciles {
		line = append(line, point{p.x.place(c.MeanPredicted), p.y.place(c.MeanY.Value)})
	}
	p.path("curve thin", line, false)
	for i, c := range deciles {
		if c.MeanY.Defined() {
			p.drawing.line("whisker", line[i].X, p.y.place(c.MeanY.Low), line[i].X, p.y.place(c.MeanY.High))
			p.circle("dot", line[i].X, line[i].Y, 4)
		}
	}
	return p.end()
}

func residualPicture(r stats.Residuals, w words) picture {
	caption := fmt.Sprintf("Prediction minus truth, in the units of %s: right of 0 the model says too much, left of it too little. "+
		"The box holds the middle half of the cases, the thick line 90 of 100 and the thin one 98 of 100; the stroke is the median.", w.outcome)
	desc := "Quantiles of prediction minus truth:"
	for _, q := range r.Quantiles {
		desc += fmt.Sprintf(" %s at %s;", asPercent.exactly(q.Share), measured(q.Value))
	}
	return picture{Title: "How far off, and to which side", Caption: caption, Picture: residualChart("residuals", "Prediction minus truth", desc, r)}
}

// residualChart draws quantiles that lie around the median in pairs, and where no error is.
func residualChart(id, title, desc string, r stats.Residuals) template.HTML {
	values, value := []float64{0}, map[float64]float64{}
	for _, q := range r.Quantiles {
		values, value[q.Share] = append(values, q.Value), q.Value
	}
	over := axisOver(values)
	over.Whole = false
	const height, middle, left = 70.0, smallTop + 35.0, 16.0
	p := &plot{x: over, left: left, bottom: smallTop + height, drawing: newDrawing(id, "chart", chartWidth, smallTop+height+44, title, desc)}
	p.x.From, p.x.To = left+smallInset, smallRight-smallInset
	p.ticksOfX(p.bottom)
	p.line("base", left, p.bottom, smallRight, p.bottom)
	p.text("axis", "middle", (left+smallRight)/2, p.bottom+labelBelow, "prediction minus truth")
	p.line("chance", p.x.place(0), smallTop, p.x.place(0), smallTop+height)
	p.line("reach", p.x.place(value[0.01]), middle, p.x.place(value[0.99]), middle)
	p.line("reach most", p.x.place(value[0.05]), middle, p.x.place(value[0.95]), middle)
	p.rect("box", p.x.place(value[0.25]), middle-14, p.x.place(value[0.75])-p.x.place(value[0.25]), 28)
	p.line("median", p.x.place(value[0.5]), middle-18, p.x.place(value[0.5]), middle+18)
	return p.end()
}

func residualGrid(r stats.Residuals, w words) *grid {
	g := &grid{
		Caption: "How far off it is",
		Note: fmt.Sprintf("Prediction minus truth, in the units of %s: %s on average, with a standard deviation of %s. The truth itself has the mean %s and the standard deviation %s.",
			w.outcome, measured(r.Mean), measured(r.SD), measured(r.TruthMean), measured(r.TruthSD)),
		Head: []cell{{Text: "Share of the cases"}, {Text: "Prediction minus truth is at most", Number: true}},
	}
	for _, q := range r.Quantiles {
		name := asPercent.exactly(q.Share)
		if q.Share == 0.5 {
			name += " (median)"
		}
		g.Rows = append(g.Rows, []cell{{Text: name}, {Text: measured(q.Value), Number: true}})
	}
	return g
}
