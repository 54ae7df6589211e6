// Package evaluation turns what a model answered on the test rows into figures: a report for people, and measurements with
// stated error rates for the gate. It is pure: the same predictions and options give the same figures, without the model.
package evaluation

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/spelling"
	"github.com/assay-ml/assay/internal/stats"
)

// Knowledge says whether the label of a row is known, and why.
type Knowledge uint8

const (
	Unknown        Knowledge = iota // the label is not known
	Representative                  // known, and the row was picked without looking at the models' answers or at its group
	Chosen                          // known, but bought because of what the row is: the models differ on it, or its group was wanted whole
)

// Predictions are a model's answers on the rows of the test part, which every figure is computed from. Slices hold one element
// per row unless said otherwise.
type Predictions struct {
	Task    stats.Task
	Classes []string // multiclass: names, in the order of the scores; otherwise empty

	Row []int64   // the row's number in the source, which names it in errors and in requests for labels
	Y   []float64 // binary: 1 positive, 0 negative; multiclass: index into Classes; regression: the number; NaN where not known

	// Score is the model's answer, row by row, Width numbers each: the probability of the positive class, a probability for
	// each of Classes, or the predicted number.
	Score []float64
	Old   []float64 // the champion's answers on the same rows, as Score; nil when there is no champion

	Threshold    float64  // binary: predicted positive iff score >= Threshold, in [0, 1]
	OldThreshold *float64 // the champion's, nil when it is the same

	// Where thresholds differ by group: the score from which each row is predicted positive; nil: Threshold, or OldThreshold.
	Cut, OldCut []float64

	Groups map[string][]string // by column, the name of each row's group
	Known  []Knowledge         // nil: the label of every row is known and every row is representative

	Own    map[string][]float64 // by the name of a user's own metric, its number for each row; NaN where the label is not known
	OwnOld map[string][]float64 // likewise of the champion's answers
}

// N is the number of rows.
func (p Predictions) N() int { return len(p.Row) }

// Width is how many scores a row has.
func (p Predictions) Width() int {
	if p.Task == stats.Multiclass {
		return len(p.Classes)
	}
	return 1
}

// scoreSum is how far the probabilities of a row may be from summing to 1: programs print them rounded.
const scoreSum = 0.01

// mostClasses bounds the confusion matrix.
const mostClasses = 1000

// Validate reports the first thing that keeps the predictions from being evaluated: lengths that differ, a label or score out
// of its range, what is known of a row contradicting its label. Errors name the row by its number in the source, and no other
// value of it.
func (p Predictions) Validate() error {
	if err := p.validate(); err != nil {
		return fmt.Errorf("check predictions: %w", err)
	}
	return nil
}

func (p Predictions) validate() error {
	if err := p.validateTask(); err != nil {
		return err
	}
	if err := p.validateLengths(); err != nil {
		return err
	}
	if err := p.validateRows(); err != nil {
		return err
	}
	if err := p.validateLabels(); err != nil {
		return err
	}
	if err := p.validateScores(p.Score, "the model"); err != nil {
		return err
	}
	if err := p.validateScores(p.Old, "the champion"); err != nil {
		return err
	}
	return errors.Join(p.validateCut(p.Cut), p.validateCut(p.OldCut), p.validateOwn(p.Own), p.validateOwn(p.OwnOld))
}

func (p Predictions) validateCut(cut []float64) error {
	if cut != nil && p.Task != stats.Binary {
		return fmt.Errorf("task %s has cuts; expected these for task %s only", p.Task, stats.Binary)
	}
	for i, c := range cut {
		if math.IsNaN(c) {
			return fmt.Errorf("row %d: its cut is no number; find the thresholds by group again", p.Row[i])
		}
	}
	return nil
}

func (p Predictions) validateTask() error {
	switch p.Task {
	case stats.Binary, stats.Regression:
		if len(p.Classes) > 0 {
			return fmt.Errorf("task %s has %d classes; expected classes for task %s only", p.Task, len(p.Classes), stats.Multiclass)
		}
	case stats.Multiclass:
		if len(p.Classes) < 2 || len(p.Classes) > mostClasses {
			return fmt.Errorf("task %s has %d classes; expected 2 to %d: name them in the order of the scores", p.Task, len(p.Classes), mostClasses)
		}
		if sorted := slices.Sorted(slices.Values(p.Classes)); len(slices.Compact(sorted)) < len(p.Classes) {
			return fmt.Errorf("a class is named twice; expected %d different names", len(p.Classes))
		}
	default:
		return fmt.Errorf("task %q; expected %s, %s or %s", p.Task, stats.Binary, stats.Multiclass, stats.Regression)
	}
	if p.Task == stats.Binary {
		for _, threshold := range []float64{p.Threshold, p.oldThreshold()} {
			if !(threshold >= 0 && threshold <= 1) {
				return fmt.Errorf("threshold %g; expected a score between 0 and 1", threshold)
			}
		}
	}
	return nil
}

func (p Predictions) oldThreshold() float64 {
	if p.OldThreshold != nil {
		return *p.OldThreshold
	}
	return p.Threshold
}

func (p Predictions) validateLengths() error {
	check := func(what string, got, want int) error {
		if got == want {
			return nil
		}
		return fmt.Errorf("%d %s for %d rows; expected %d: store the predictions again", got, what, p.N(), want)
	}
	errs := []error{check("labels", len(p.Y), p.N()), check("scores", len(p.Score), p.N()*p.Width())}
	if p.Old != nil {
		errs = append(errs, check("scores of the champion", len(p.Old), p.N()*p.Width()))
	}
	if p.Known != nil {
		errs = append(errs, check("notes on what is known", len(p.Known), p.N()))
	}
	if p.Cut != nil {
		errs = append(errs, check("cuts", len(p.Cut), p.N()))
	}
	if p.OldCut != nil {
		errs = append(errs, check("cuts of the champion", len(p.OldCut), p.N()))
	}
	for _, name := range sortedNames(p.Groups) {
		errs = append(errs, check(fmt.Sprintf("groups of %q", name), len(p.Groups[name]), p.N()))
	}
	for _, own := range []map[string][]float64{p.Own, p.OwnOld} {
		for _, name := range sortedNames(own) {
			errs = append(errs, check(fmt.Sprintf("values of the metric %q", name), len(own[name]), p.N()))
		}
	}
	return errors.Join(errs...)
}

func (p Predictions) validateRows() error {
	increases := func(i int) bool { return i == 0 || p.Row[i-1] < p.Row[i] }
	ordered := true
	for i := range p.Row {
		ordered = ordered && increases(i)
	}
	if ordered {
		return nil
	}
	seen := make(map[int64]bool, p.N())
	for _, row := range p.Row {
		if seen[row] {
			return fmt.Errorf("row %d occurs twice; expected every test row once: prepare the test part again", row)
		}
		seen[row] = true
	}
	return nil
}

func (p Predictions) validateLabels() error {
	for i, y := range p.Y {
		switch known := p.known(i); {
		case known > Chosen:
			return fmt.Errorf("row %d: what is known has the number %d; expected %d to %d", p.Row[i], known, Unknown, Chosen)
		case known == Unknown && !math.IsNaN(y):
			return fmt.Errorf("row %d has a label but is marked as unknown; mark it %d (representative) or %d (chosen)", p.Row[i], Representative, Chosen)
		case known == Unknown:
		case math.IsNaN(y):
			return fmt.Errorf("row %d has no label but is marked as known; get the label, or mark the row as unknown", p.Row[i])
		case !p.isLabel(y):
			return fmt.Errorf("row %d: the label is not %s; check the column of the target", p.Row[i], p.labelWords())
		}
	}
	return nil
}

func (p Predictions) isLabel(y float64) bool {
	switch p.Task {
	case stats.Binary:
		return y == 0 || y == 1
	case stats.Multiclass:
		return y >= 0 && y < float64(len(p.Classes)) && y == math.Trunc(y)
	default:
		return !math.IsInf(y, 0)
	}
}

func (p Predictions) labelWords() string {
	switch p.Task {
	case stats.Binary:
		return "0 or 1"
	case stats.Multiclass:
		return fmt.Sprintf("the index of a class, 0 to %d", len(p.Classes)-1)
	default:
		return "a finite number"
	}
}

func (p Predictions) validateScores(score []float64, who string) error {
	width := p.Width()
	for start := 0; start < len(score); start += width {
		row, sum := p.Row[start/width], 0.0
		for _, v := range score[start : start+width] {
			if p.Task == stats.Regression {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return fmt.Errorf("row %d: %s predicts no finite number; check its program on this row", row, who)
				}
				continue
			}
			if !(v >= 0 && v <= 1) {
				return fmt.Errorf("row %d: %s gives a score that is no probability between 0 and 1; check its program on this row", row, who)
			}
			sum += v
		}
		if p.Task == stats.Multiclass && math.Abs(sum-1) > scoreSum {
			return fmt.Errorf("row %d: the probabilities that %s gives sum to %.4g; expected 1 within %g: let its program normalise them", row, who, sum, scoreSum)
		}
	}
	return nil
}

func (p Predictions) validateOwn(own map[string][]float64) error {
	for _, name := range sortedNames(own) {
		for i, v := range own[name] {
			if math.IsInf(v, 0) || math.IsNaN(v) && p.known(i) != Unknown {
				return fmt.Errorf("row %d: the metric %q gives no finite number; check its program on this row", p.Row[i], name)
			}
		}
	}
	return nil
}

func (p Predictions) known(i int) Knowledge {
	if p.Known == nil {
		return Representative
	}
	return p.Known[i]
}

// WithChampion is the predictions with the champion's scores, which were stored with the numbers of their rows. Both must be
// of the same rows in the same order: the error names the first that is not.
func (p Predictions) WithChampion(row []int64, score []float64) (Predictions, error) {
	for i := range min(len(row), len(p.Row)) {
		if row[i] != p.Row[i] {
			return p, fmt.Errorf("compare with the champion: prediction %d is of row %d, the champion's of row %d; expected the same test rows: let the champion predict this test part", i+1, p.Row[i], row[i])
		}
	}
	switch {
	case len(row) > len(p.Row):
		return p, fmt.Errorf("compare with the champion: it has a prediction of row %d, the model has none; expected the same %d test rows: let the champion predict this test part", row[len(p.Row)], len(p.Row))
	case len(row) < len(p.Row):
		return p, fmt.Errorf("compare with the champion: it has no prediction of row %d; expected the same %d test rows: let the champion predict this test part", p.Row[len(row)], len(p.Row))
	case len(score) != len(row)*p.Width():
		return p, fmt.Errorf("compare with the champion: %d scores for %d rows; expected %d: it must predict the same classes", len(score), len(row), len(row)*p.Width())
	}
	if score == nil {
		score = []float64{}
	}
	p.Old = score
	return p, nil
}

// sortedNames are the keys of a map in order, so that no result depends on the order of a map.
func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// suggestion ends a message about an unknown name with the name that was meant, when one is near enough.
func suggestion(word string, names []string) string {
	if near, ok := spelling.Nearest(word, names); ok {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// listed names up to 20 things that a person reads.
func listed(names []string) string {
	const most = 20
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
