package report

import (
	"fmt"

	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/spec"
)

// mostParameterPictures keeps the gallery readable; the table has the other parameters.
const mostParameterPictures = 4

// sweepPictures show the trials in order, and by each searched parameter that is a number; nil where no trial has a value.
func sweepPictures(r search.Report, names []string) *gallery {
	var values []float64
	for _, t := range r.Trials {
		if v, ok := trialValue(t); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return nil
	}
	y, beyond := fence(values, r.Goal == spec.SweepMinimize)
	g := &gallery{}
	g.Pictures = append(g.Pictures, orderPicture(r, y))
	var numeric []string
	for _, name := range names {
		if isNumeric(r.Trials, name) {
			numeric = append(numeric, name)
		}
	}
	for i, name := range numeric[:min(len(numeric), mostParameterPictures)] {
		g.Pictures = append(g.Pictures, parameterPicture(fmt.Sprintf("parameter-%d", i+1), r, name, y))
	}
	if drawn := len(drawnTrials(r)); drawn < begun(r) {
		g.Note = fmt.Sprintf("Of %s the pictures show %s. ", countOf(begun(r), "trial", "trials"), count(drawn))
	}
	if beyond > 0 {
		g.Note += fmt.Sprintf("%s so much worse than most that the pictures show %s at their edge. ",
			countOf(beyond, "value is", "values are"), plural(beyond, "it", "them"))
	}
	if left := numeric[min(len(numeric), mostParameterPictures):]; len(left) > 0 {
		g.Note += fmt.Sprintf("Without a picture: %s.", named(left, func(s string) string { return s }))
	}
	return g
}

// isNumeric says whether a parameter is a number wherever it is set.
func isNumeric(trials []search.TrialRecord, name string) bool {
	for _, t := range trials {
		if v, ok := t.Parameters[name]; ok {
			if _, isNumber := v.Float(); !isNumber {
				return false
			}
		}
	}
	return true
}

// drawnTrials are the trials that get a mark: all, or evenly spaced ones, and always the chosen one.
func drawnTrials(r search.Report) []search.TrialRecord {
	stride := (len(r.Trials) + mostDrawn - 1) / mostDrawn
	if stride <= 1 {
		return r.Trials
	}
	var drawn []search.TrialRecord
	for i, t := range r.Trials {
		if i%stride == 0 || t.Trial == r.Chosen {
			drawn = append(drawn, t)
		}
	}
	return drawn
}

func orderPicture(r search.Report, y axis) picture {
	numbers := make([]float64, len(r.Trials))
	for i, t := range r.Trials {
		numbers[i] = float64(t.Trial)
	}
	marks := marksOf(r, func(t search.TrialRecord) (float64, bool) { return float64(t.Trial), true })
	best := bestSoFar(r)
	metric := brief(r.Metric, nameLetters)
	caption := "The trials in the order in which they were begun."
	if n := len(best); n > 0 {
		caption += fmt.Sprintf(" The line is the best value among finished ones so far: from %s to %s.", measured(best[0].Y), measured(best[n-1].Y))
	}
	desc := caption
	if chosen, ok := chosenOf(r); ok && chosen.Value != nil {
		desc += fmt.Sprintf(" Trial %d was chosen, with %s.", r.Chosen, measured(*chosen.Value))
	}
	return picture{
		Title: metric + " by trial", Caption: caption,
		Picture: trialChart("trials", metric+" by trial", desc, "trial", metric, axisOver(numbers), y, marks, thinned(best, mostDrawn)),
	}
}

// bestSoFar are the corners of the line of the best value among finished trials, in the order of their numbers.
func bestSoFar(r search.Report) []point {
	minimize := r.Goal == spec.SweepMinimize
	var line []point
	last := 0.0
	for _, t := range r.Trials {
		last = float64(t.Trial)
		v, ok := trialValue(t)
		if !ok || outcomeOf(t) != ended {
			continue
		}
		n := len(line)
		if n == 0 || minimize && v < line[n-1].Y || !minimize && v > line[n-1].Y {
			line = append(line, point{last, v})
		}
	}
	if n := len(line); n > 0 && line[n-1].X < last {
		line = append(line, point{last, line[n-1].Y})
	}
	return line
}

// marksOf places the drawn trials that have a place on the x axis.
func marksOf(r search.Report, x func(search.TrialRecord) (float64, bool)) []trialMark {
	var marks []trialMark
	for _, t := range drawnTrials(r) {
		at, ok := x(t)
		if !ok {
			continue
		}
		m := trialMark{X: at, Outcome: outcomeOf(t), Chosen: t.Trial == r.Chosen && r.Chosen != 0}
		m.Y, m.Valued = trialValue(t)
		if m.Outcome == failed {
			m.Valued = false // a value of a trial that failed is none to compare with
		}
		marks = append(marks, m)
	}
	return marks
}

func parameterPicture(id string, r search.Report, name string, y axis) picture {
	setting := func(t search.TrialRecord) (float64, bool) {
		v, ok := t.Parameters[name]
		if !ok {
			return 0, false
		}
		return v.Float()
	}
	var settings []float64
	for _, t := range r.Trials {
		if v, ok := setting(t); ok {
			settings = append(settings, v)
		}
	}
	x := axisOver(settings)
	x.Log = x.spread() > wideRatio
	caption := fmt.Sprintf("Tried from %s to %s", measured(x.Low), measured(x.High))
	if x.Log {
		caption += " (on a logarithmic scale: equal distances are equal ratios)"
	}
	caption += "."
	if chosen, ok := chosenOf(r); ok {
		if v, ok := setting(chosen); ok {
			caption += fmt.Sprintf(" Chosen: %s.", measured(v))
		}
	}
	short, metric := brief(name, nameLetters), brief(r.Metric, nameLetters)
	title := metric + " by " + short
	return picture{Title: title, Caption: caption, Picture: trialChart(id, title, caption, short, metric, x, y, marksOf(r, setting), nil)}
}
