package activities

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/serve"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// On how much the attribution of answers to features looks.
const (
	attributionShare  = 0.12 // of the predictions, for the features' part in the answers
	stabilityShare    = 0.06 // for computing it again with other seeds, all runs together
	localShare        = 0.04 // for single rows
	askedBackground   = 200  // rows that a model which has to be asked is compared against
	askedPermutations = 32   // a row, of such a model
	leastAttributed   = 5    // rows; fewer say nothing of the others
	stabilityRows     = 200
	exactRows         = 20_000
	mostBorderline    = 5 // rows next to the threshold that are explained
)

// attribution divides the answers among the features, for all rows and for single ones, and computes the former again to see
// whether chance decides on it. What the budget does not suffice for is left out and named. Rows are compared with other test rows.
type attribution struct {
	s     *spec.Spec
	p     model.Predictor
	test  *table.Frame
	found *explain.Report
	class string // of several: whose probability is explained
	fast  bool   // the model is looked into and need not be asked
}

// attribute needs to know how far the scores of all test rows lie above their thresholds; nil when that is not known.
func attribute(ctx context.Context, s *spec.Spec, p model.Predictor, test *table.Frame, y, margin []float64, found *explain.Report) error {
	a := attribution{s: s, p: p, test: test, found: found, fast: explain.LogisticOf(p) != nil}
	if p.Schema().TaskOf() == stats.Multiclass {
		a.class = mostFrequent(p.Schema().Classes, y)
	}
	if err := a.overall(ctx); err != nil {
		return err
	}
	if found.Shapley == nil {
		return nil
	}
	if err := a.again(ctx); err != nil {
		return err
	}
	return a.single(ctx, margin)
}

// options are for at most most rows out of a share of the budget; ok is false when it does not suffice for leastAttributed, or for
// all of the given rows.
func (a attribution) options(share float64, most int, rows []int) (o explain.ShapleyOptions, ok bool) {
	o = explain.ShapleyOptions{Seed: uint64(a.s.Data.Split.Seed), Class: a.class, MaxRows: most, Rows: rows}
	if a.fast {
		return o, true
	}
	o.MaxBackground, o.Permutations = askedBackground, askedPermutations
	// A little less than the allowance, which is divided again and rounded.
	allowed := int(share*float64(a.found.Budget.Predictions)) - min(askedBackground, a.test.Rows) - explain.DefaultReruns
	each := 1 + askedPermutations*max(len(a.p.Schema().Features)-1, 0)
	if rows != nil {
		o.Rows = rows[:min(len(rows), max(allowed/each, 0))]
		return o, len(o.Rows) > 0
	}
	o.MaxRows = min(most, allowed/each)
	return o, o.MaxRows >= min(leastAttributed, a.test.Rows)
}

func (a attribution) overall(ctx context.Context) error {
	o, ok := a.options(attributionShare, explain.DefaultShapleyRows, nil)
	if !ok {
		a.note("How much each column moves the answers was not computed: the budget does not suffice for %d rows with %d columns; raise explain.predictions",
			leastAttributed, len(a.p.Schema().Features))
		return nil
	}
	beat := newBeat(ctx)
	o.Progress = func(done, total int) { beat.progress(fmt.Sprintf("part of columns in %d of %d answers", done, total)) }
	v, err := asking(ctx, a, attributionShare, func(p *explain.Allowance) (explain.Values, error) {
		return explain.Sampled(ctx, p, a.test, a.test, o)
	})
	if err != nil {
		return a.leftOut(ctx, err)
	}
	summary := v.Summary()
	a.found.Shapley = &summary
	if m := explain.LogisticOf(a.p); m != nil {
		some := fewer(a.test, exactRows, a.s.Data.Split.Seed)
		exact, err := explain.Linear(m, some, some)
		if err != nil {
			return a.leftOut(ctx, err)
		}
		whole := exact.Summary()
		a.found.Exact = &whole
	}
	return nil
}

// again computes the same with other seeds.
func (a attribution) again(ctx context.Context) error {
	o, ok := a.options(stabilityShare/explain.DefaultReruns, stabilityRows, nil)
	if !ok {
		a.note("Whether the order of the columns depends on chance was not computed: the budget does not suffice; raise explain.predictions")
		return nil
	}
	o.Permutations = askedPermutations
	beat := newBeat(ctx)
	o.Progress = func(done, total int) { beat.progress(fmt.Sprintf("once more: %d of %d answers", done, total)) }
	stable, err := asking(ctx, a, stabilityShare, func(p *explain.Allowance) (explain.StabilityReport, error) {
		return explain.Stability(ctx, p, a.test, a.test, o, explain.StabilityOptions{})
	})
	if err != nil {
		return a.leftOut(ctx, err)
	}
	a.found.Stability = &stable
	return nil
}

// single explains the rows that the spec names, and those next to the threshold.
func (a attribution) single(ctx context.Context, margin []float64) error {
	rows, missing := a.named()
	if len(missing) > 0 {
		a.note("Rows named by the spec that are no labelled test rows, and not explained: %s", numbered(missing))
	}
	local := explain.LocalOptions{}
	for _, i := range explain.Borderline(margin, 0, mostBorderline) {
		if !slices.Contains(rows, i) {
			rows = append(rows, i)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	o, ok := a.options(localShare, 0, rows)
	if !ok {
		a.note("Single rows were not explained: the budget does not suffice; raise explain.predictions")
		return nil
	}
	if a.s.Explain.ShowValues {
		local.ShowValues = map[string]bool{}
		for _, f := range a.p.Schema().Features {
			local.ShowValues[f.Name] = true
		}
	}
	if left := len(rows) - len(o.Rows); left > 0 {
		a.note("%d single rows were not explained: the budget suffices for %d; raise explain.predictions", left, len(o.Rows))
	}
	explained, err := asking(ctx, a, localShare, func(p *explain.Allowance) (explain.LocalReport, error) {
		return explain.ExplainRows(ctx, p, a.test, a.test, o.Rows, o, local)
	})
	if err != nil {
		return a.leftOut(ctx, err)
	}
	for i := range explained.Rows {
		row := &explained.Rows[i]
		if margin != nil {
			reached := margin[row.Row] >= 0
			row.AtLeast = &reached
		}
		row.Row = rowNumber(a.test, row.Row)
	}
	for i, row := range explained.LeftOut {
		explained.LeftOut[i] = rowNumber(a.test, row)
	}
	a.found.Local = &explained
	return nil
}

// asking asks the model within a share of the budget. That a model refused rows is no failure; that it fell silent is one, and another
// attempt may find it up again.
func asking[A any](ctx context.Context, a attribution, share float64, ask func(*explain.Allowance) (A, error)) (A, error) {
	rows := 0 // a model that is looked into is not asked
	if !a.fast {
		rows = max(int(share*float64(a.found.Budget.Predictions)), 1)
	}
	p := explain.NewAllowance(a.p, rows, 0)
	answer, err := ask(p)
	a.found.Budget.Used += p.Used()
	if p.Lost().Total() > 0 && ctx.Err() == nil {
		if _, down := a.p.Predict(ctx, firstRows(a.test)); down != nil {
			return answer, &silentError{down}
		}
	}
	return answer, err
}

// silentError is that of a model which answered before and does not any more.
type silentError struct{ err error }

func (e *silentError) Error() string {
	return "the model fell silent while it was explained: " + e.err.Error()
}
func (e *silentError) Unwrap() error { return e.err }

// firstRows are a few, to see whether a model answers at all.
func firstRows(f *table.Frame) *table.Frame {
	rows := make([]int, min(f.Rows, 10))
	for i := range rows {
		rows[i] = i
	}
	return someRows(f, rows)
}

// fewer are at most so many rows, drawn by the seed.
func fewer(f *table.Frame, most int, seed int64) *table.Frame {
	if f.Rows <= most {
		return f
	}
	rows := rand.New(rand.NewPCG(uint64(seed), 0x65786163)).Perm(f.Rows)[:most]
	slices.Sort(rows)
	return someRows(f, rows)
}

// named are the test rows with the numbers that the spec names, and the numbers that no test row has.
func (a attribution) named() (rows []int, missing []int64) {
	at := map[int64]int{}
	if c, err := a.test.Column(columnRow); err == nil && len(a.s.Explain.Rows) > 0 {
		for i, number := range c.Numbers {
			at[int64(number)] = i
		}
	}
	for _, number := range a.s.Explain.Rows {
		if i, ok := at[number]; ok {
			rows = append(rows, i)
		} else {
			missing = append(missing, number)
		}
	}
	return rows, missing
}

func (a attribution) note(format string, args ...any) {
	a.found.Notes = append(a.found.Notes, fmt.Sprintf(format, args...)+".")
}

// leftOut names what could not be done, unless the activity ends.
func (a attribution) leftOut(ctx context.Context, err error) error {
	var silent *silentError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &silent):
		return silent
	}
	a.found.Notes = append(a.found.Notes, notDone("Not done", err))
	return nil
}

// notDone says why something is not in a report. What a model's server said stays out: it can hold what stands in a row.
func notDone(what string, err error) string {
	text := err.Error()
	var request *serve.RequestError
	if errors.As(err, &request) && request.Body != "" {
		text = strings.ReplaceAll(text, request.Error(), fmt.Sprintf("the model's server answered with status %d; the worker's log has what it said", request.Status))
	}
	return shortened(fmt.Sprintf("%s: %s.", what, text))
}

// mostFrequent is the class that most rows truly have.
func mostFrequent(classes []string, y []float64) string {
	rows := make([]int, len(classes))
	for _, k := range y {
		rows[int(k)]++
	}
	return classes[slices.Index(rows, slices.Max(rows))]
}

// numbered lists the first few numbers.
func numbered(rows []int64) string {
	const most = 10
	text := ""
	for i, row := range rows[:min(len(rows), most)] {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprint(row)
	}
	if left := len(rows) - most; left > 0 {
		text += fmt.Sprintf(" and %d more", left)
	}
	return text
}
