// Package explain says what a model's scores depend on.
//
// Permutation importance (Breiman 2001, Random Forests, section 10; for any model: Fisher, Rudin & Dominici 2019, All
// Models are Wrong, but Many are Useful, section 3) asks how much worse the scores become when one column's values are
// shuffled among the rows, which breaks its tie with the label and keeps its distribution. It measures what this model
// uses, not what causes the label; two columns that say the same share their importance.
//
// How good scores are is measured by task: of a binary model by the AUC and the log-loss, of a multiclass one by the accuracy
// (the share of rows whose most probable class is the right one) and the log-loss, of a regression by the root of the mean
// squared error (RMSE), in the target's units.
package explain

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// Defaults of Options, and how intervals are made.
const (
	DefaultRepeats = 5
	DefaultMaxRows = 5000
	Level          = 0.95
	IntervalMethod = "student-t over shuffles"
)

// Options steer Permutation; the zero value is usable.
type Options struct {
	Repeats  int                   // shuffles per feature, at least 2; 0 means DefaultRepeats
	Seed     uint64                // of the row sample and of all shuffles
	MaxRows  int                   // a table with more rows is sampled down to so many; 0 means DefaultMaxRows
	Progress func(done, total int) // called after every shuffle, unless nil
}

// Permutation computes the importance of every feature in the schema of a binary model p from the rows of f, whose labels
// are y (true is the positive class). Features are ordered by the drop in AUC, then the rise in log-loss, then name. The
// result depends on the input and the seed alone, and a feature's shuffles do not depend on which other features there are.
//
// It fails when labels and rows differ in number, when there are no rows, when p cannot score f, and when ctx ends.
func Permutation(ctx context.Context, p model.Predictor, f *table.Frame, y []bool, opt Options) (Report, error) {
	return permutation(ctx, p, f, binaryTruth(y), opt)
}

// PermutationOfClasses is Permutation for a multiclass model; y holds each row's class, an index into the schema's Classes.
// Features are ordered by the drop in accuracy, then the rise in log-loss, then name.
func PermutationOfClasses(ctx context.Context, p model.Predictor, f *table.Frame, y []int32, opt Options) (Report, error) {
	return permutation(ctx, p, f, classTruth{y, len(p.Schema().Classes)}, opt)
}

// PermutationOfNumbers is Permutation for a regression; y holds each row's true number. Features are ordered by the rise of
// the RMSE, then name.
func PermutationOfNumbers(ctx context.Context, p model.Predictor, f *table.Frame, y []float64, opt Options) (Report, error) {
	return permutation(ctx, p, f, numberTruth(y), opt)
}

func permutation(ctx context.Context, p model.Predictor, f *table.Frame, y truth, opt Options) (Report, error) {
	opt = opt.resolve()
	switch {
	case opt.Repeats < 2:
		return Report{}, fmt.Errorf("permutation importance: %d shuffles per feature; expected at least 2, an interval needs their spread", opt.Repeats)
	case p.Schema().TaskOf() != y.task():
		return Report{}, fmt.Errorf("permutation importance: the labels are those of task %s, the model is of task %s", y.task(), p.Schema().TaskOf())
	case y.rows() != f.Rows:
		return Report{}, fmt.Errorf("permutation importance: %d labels for %d rows; expected one per row", y.rows(), f.Rows)
	case f.Rows == 0:
		return Report{}, fmt.Errorf("permutation importance: there are no rows; give the model rows with labels to be judged on")
	}
	report := Report{Method: method(f.Rows, y.shown(), opt), Rows: f.Rows, Repeats: opt.Repeats, Seed: opt.Seed, Features: []Importance{}}
	f, y, err := sample(p, f, y, opt)
	if err != nil {
		return Report{}, fmt.Errorf("permutation importance: %w", err)
	}
	report.RowsUsed = f.Rows
	base, err := measure(ctx, p, f, y)
	if err != nil {
		return Report{}, fmt.Errorf("permutation importance: score the rows unshuffled: %w", err)
	}
	report.describe(y.task(), base)

	features := p.Schema().Features
	for j, feature := range features {
		progress := func(done int) {
			if opt.Progress != nil {
				opt.Progress(j*opt.Repeats+done, len(features)*opt.Repeats)
			}
		}
		importance, err := shuffled(ctx, p, f, y, feature.Name, base, opt, progress)
		if err != nil {
			return Report{}, fmt.Errorf("permutation importance of feature %q: %w", feature.Name, err)
		}
		report.Features = append(report.Features, importance)
	}
	slices.SortFunc(report.Features, byImportance)
	return report, nil
}

// describe notes how good the scores are before anything is shuffled.
func (r *Report) describe(task stats.Task, base quality) {
	switch task {
	case stats.Multiclass:
		r.Task, r.BaseAccuracy, r.BaseLogLoss = task, &base.accuracy, base.logLoss
	case stats.Regression:
		r.Task, r.BaseRMSE = task, &base.rmse
	default:
		r.BaseAUC, r.BaseLogLoss = base.auc, base.logLoss
	}
}

func (o Options) resolve() Options {
	if o.Repeats == 0 {
		o.Repeats = DefaultRepeats
	}
	if o.MaxRows <= 0 {
		o.MaxRows = DefaultMaxRows
	}
	return o
}

func method(rows int, shown string, opt Options) string {
	used := fmt.Sprintf("all %d rows", rows)
	if rows > opt.MaxRows {
		used = fmt.Sprintf("a random sample of %d of %d rows", opt.MaxRows, rows)
	}
	return fmt.Sprintf("Permutation importance (Breiman 2001) on %s: each feature's values are shuffled among the rows %d times; "+
		"shown are %s, with %g%% Student-t intervals over the shuffles. "+
		"The intervals cover the chance in shuffling, not in which rows were drawn.", used, opt.Repeats, shown, 100*Level)
}

// shuffled measures one feature.
func shuffled(ctx context.Context, p model.Predictor, f *table.Frame, y truth, feature string, base quality, opt Options, progress func(done int)) (Importance, error) {
	random := generator(opt.Seed, feature)
	qualities := make([]quality, opt.Repeats)
	for r := range qualities {
		after, err := Reorder(f, feature, random.Perm(f.Rows))
		if err != nil {
			return Importance{}, err
		}
		if qualities[r], err = measure(ctx, p, after, y); err != nil {
			return Importance{}, err
		}
		progress(r + 1)
	}
	change := func(of func(q quality) float64) (stats.Estimate, float64) {
		values := make([]float64, len(qualities))
		for r, q := range qualities {
			values[r] = of(q)
		}
		return estimate(values, f.Rows)
	}
	i := Importance{Feature: feature}
	if y.task() == stats.Regression {
		i.RMSERise, i.RMSERiseSD = change(func(q quality) float64 { return q.rmse - base.rmse })
		return i, nil
	}
	i.LogLossRise, i.LogLossRiseSD = change(func(q quality) float64 { return q.logLoss - base.logLoss })
	switch {
	case y.task() == stats.Multiclass:
		i.AccuracyDrop, i.AccuracyDropSD = change(func(q quality) float64 { return base.accuracy - q.accuracy })
	case !base.auc.Defined():
		i.AUCDrop = stats.Estimate{Level: Level, N: f.Rows, Undefined: base.auc.Undefined}
	default:
		i.AUCDrop, i.AUCDropSD = change(func(q quality) float64 { return base.auc.Value - q.auc.Value })
	}
	return i, nil
}

// estimate is the mean of the values with Student's t interval for it.
func estimate(values []float64, rows int) (stats.Estimate, float64) {
	n := float64(len(values))
	mean, sd := stat.MeanStdDev(values, nil)
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(1-(1-Level)/2) * sd / math.Sqrt(n)
	return stats.Estimate{Value: mean, Low: mean - half, High: mean + half, Level: Level, Method: IntervalMethod, N: rows}, sd
}

// generator gives every feature a stream of its own.
func generator(seed uint64, stream string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(stream))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
