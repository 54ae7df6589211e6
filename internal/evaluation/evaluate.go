package evaluation

import (
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/assay-ml/assay/internal/stats"
)

// DefaultMinGroup is the fewest rows of an intersection that are evaluated unless Options say otherwise.
const DefaultMinGroup = 30

// Options say what a report holds.
type Options struct {
	Level      float64 // confidence level of every interval, in (0, 1); 0 means 0.95
	Replicates int     // bootstrap replicates, at least 200; 0 means 500
	Seed       uint64  // of the bootstrap's generator

	Slices   []string // columns of Predictions.Groups whose groups are evaluated one by one
	Crossed  []string // columns of Predictions.Groups whose pairs are crossed
	MinGroup int      // fewest rows of an intersection that are evaluated; 0 means 30
}

func (o Options) resolve(p Predictions) (Options, error) {
	if o.MinGroup == 0 {
		o.MinGroup = DefaultMinGroup
	}
	if o.MinGroup < 1 {
		return o, fmt.Errorf("minimum group size %d; expected at least 1", o.MinGroup)
	}
	for _, name := range slices.Concat(o.Slices, o.Crossed) {
		if _, ok := p.Groups[name]; !ok {
			names := sortedNames(p.Groups)
			return o, fmt.Errorf("no column %q among those stored with the predictions: %s%s; add it to data.protected or evaluate.slices",
				name, listed(names), suggestion(name, names))
		}
	}
	resolved, err := stats.Options{Level: o.Level, Replicates: o.Replicates}.Resolve()
	o.Level, o.Replicates = resolved.Level, resolved.Replicates
	return o, err
}

// Evaluate computes a report: figures of all rows, of groups and of intersections, and a comparison with the champion when its
// answers are there. Binary figures are those of stats.Evaluate; of more than 50,000 labelled rows they come from the same
// formulas, but for the intervals of f1, mcc and ece, whose resamples are drawn by counts instead of row by row. For several
// classes see stats.EvaluateMulticlass, for numbers stats.EvaluateRegression.
//
// Metrics rest on rows whose label is known, and, unless the label of every row of a group is known, on those picked without
// looking (Representative).
//
// Errors are those of Predictions.Validate, options out of range, and columns that were not stored.
func Evaluate(p Predictions, opt Options) (Report, error) {
	opt, err := opt.resolve(p)
	if err == nil {
		err = p.validate()
	}
	if err != nil {
		return Report{}, fmt.Errorf("evaluate predictions: %w", err)
	}
	return newEvaluator(p, opt).report()
}

// evaluator evaluates parts of the same predictions.
type evaluator struct {
	*index
	Options
	large bool // so many rows that resampling them one by one would take long
}

// task is one result to be computed, into a place of its own, so that the order of computing does not matter.
type task struct {
	into     *Result
	score    []float64
	rows     []int32
	curves   bool
	champion bool
}

func newEvaluator(p Predictions, opt Options) *evaluator {
	e := &evaluator{index: newIndex(p), Options: opt}
	e.large = p.Task == stats.Binary && p.N() > stats.MostResampledRows
	if e.large {
		e.index = e.sorted() // every group is then in the order of the scores too, which areas under the curve need
	}
	return e
}

func (e *evaluator) report() (Report, error) {
	all := e.all()
	labelled, _ := e.labelledOf(all)
	r := Report{Task: e.Task, Classes: e.Classes, Rows: e.N(), Labelled: len(labelled)}
	for i := range all {
		if e.known(i) == Chosen {
			r.Chosen++
		}
	}
	tasks := []task{{into: &r.Overall, score: e.Score, rows: labelled, curves: true}}
	if e.Old != nil {
		r.Comparison = &Comparison{}
		tasks = append(tasks, task{into: &r.Comparison.Champion, score: e.Old, rows: labelled, curves: true, champion: true})
	}
	tasks = append(tasks, e.slices(&r, all)...)
	tasks = append(tasks, e.intersections(&r, all)...)
	if err := e.run(tasks); err != nil {
		return Report{}, fmt.Errorf("evaluate predictions: %w", err)
	}
	if e.Old != nil {
		if err := e.compare(r.Comparison); err != nil {
			return Report{}, fmt.Errorf("compare with the champion: %w", err)
		}
	}
	return r, nil
}

func (e *evaluator) slices(r *Report, all []int32) []task {
	var parts [][]int32
	for _, column := range e.Slices {
		for _, g := range e.divide([]string{column}, all) {
			r.Slices = append(r.Slices, Slice{Column: column, Group: g.values[0], Rows: len(g.rows)})
			parts = append(parts, g.rows)
		}
	}
	tasks := make([]task, len(parts))
	for k, rows := range parts {
		labelled, _ := e.labelledOf(rows)
		tasks[k] = task{into: &r.Slices[k].Result, score: e.Score, rows: labelled}
	}
	return tasks
}

func (e *evaluator) intersections(r *Report, all []int32) []task {
	var tasks []task
	for k, first := range e.Crossed {
		for _, second := range e.Crossed[k+1:] {
			crossed := Intersection{Columns: []string{first, second}, MinGroup: e.MinGroup, Groups: []Crossed{}}
			var parts [][]int32
			for _, g := range e.divide(crossed.Columns, all) {
				if len(g.rows) < e.MinGroup {
					crossed.Small = append(crossed.Small, SmallGroup{Values: g.values, Rows: len(g.rows)})
					continue
				}
				crossed.Groups = append(crossed.Groups, Crossed{Values: g.values, Rows: len(g.rows)})
				parts = append(parts, g.rows)
			}
			for at, rows := range parts {
				labelled, _ := e.labelledOf(rows)
				tasks = append(tasks, task{into: &crossed.Groups[at].Result, score: e.Score, rows: labelled})
			}
			r.Intersections = append(r.Intersections, crossed) // shares Groups, which the tasks fill
		}
	}
	return tasks
}

// run computes the results on all processors, the large ones first.
func (e *evaluator) run(tasks []task) error {
	slices.SortStableFunc(tasks, func(a, b task) int { return len(b.rows) - len(a.rows) })
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, t := range tasks {
		group.Go(func() error { return e.evaluate(t) })
	}
	return group.Wait()
}

func (e *evaluator) evaluate(t task) error {
	opt := stats.Options{Threshold: e.Threshold, Level: e.Level, Replicates: e.Replicates, Seed: e.Seed}
	switch e.Task {
	case stats.Binary:
		cut := e.Cut
		if t.champion {
			opt.Threshold, cut = e.oldThreshold(), e.OldCut
		}
		s := e.sample(t.score, t.rows, 1)
		if cut != nil {
			s.Cut = make([]float64, len(t.rows))
			for k, i := range t.rows {
				s.Cut[k] = cut[i]
			}
		}
		r, err := e.binary(s, opt, t.curves)
		t.into.Binary = &r
		return err
	case stats.Multiclass:
		r, err := stats.EvaluateMulticlass(e.multiclass(t.score, t.rows), e.Classes, opt)
		if !t.curves {
			r.Calibration = nil
		}
		t.into.Multiclass = &r
		return err
	default:
		r, err := stats.EvaluateRegression(e.regression(t.score, t.rows), opt)
		if !t.curves {
			r.Calibration = nil
		}
		t.into.Regression = &r
		return err
	}
}

func (e *evaluator) binary(s stats.Sample, opt stats.Options, curves bool) (stats.Report, error) {
	if e.large {
		return stats.EvaluateByCounts(s, opt, curves)
	}
	r, err := stats.Evaluate(s, opt)
	if !curves {
		r.ROC, r.Calibration = nil, nil
	}
	return r, err
}
