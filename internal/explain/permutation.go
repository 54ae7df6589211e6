// Package explain says what a model's scores depend on.
//
// Permutation importance (Breiman 2001, Random Forests, section 10; for any model: Fisher, Rudin & Dominici 2019, All
// Models are Wrong, but Many are Useful, section 3) asks how much worse the scores become when one column's values are
// shuffled among the rows, which breaks its tie with the label and keeps its distribution. It measures what this model
// uses, not what causes the label; two columns that say the same share their importance.
package explain

import (
	"cmp"
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

// Report is what Permutation found, most important feature first.
type Report struct {
	Method      string         `json:"method"` // for a person: what was done, and what the intervals cover
	BaseAUC     stats.Estimate `json:"base_auc"`
	BaseLogLoss float64        `json:"base_log_loss"` // natural logarithm, mean over the rows used
	Rows        int            `json:"rows"`          // given
	RowsUsed    int            `json:"rows_used"`     // fewer when sampled
	Repeats     int            `json:"repeats"`
	Seed        uint64         `json:"seed"`
	Features    []Importance   `json:"features"`
}

// Importance is how far the AUC falls and the log-loss rises when one feature is shuffled: means over the shuffles, N
// the rows used. Values at or below zero mean that these rows are scored as well without knowing the feature. The AUC's
// is undefined when the rows hold one class only.
type Importance struct {
	Feature       string         `json:"feature"`
	AUCDrop       stats.Estimate `json:"auc_drop"`
	AUCDropSD     float64        `json:"auc_drop_sd"` // over shuffles, divisor Repeats - 1
	LogLossRise   stats.Estimate `json:"log_loss_rise"`
	LogLossRiseSD float64        `json:"log_loss_rise_sd"`
}

// Permutation computes the importance of every feature in p's schema from the rows of f, whose labels are y (true is
// the positive class). Features are ordered by the drop in AUC, then the rise in log-loss, then name. The result depends
// on the input and the seed alone, and a feature's shuffles do not depend on which other features there are.
//
// It fails when labels and rows differ in number, when there are no rows, when p cannot score f, and when ctx ends.
func Permutation(ctx context.Context, p model.Predictor, f *table.Frame, y []bool, opt Options) (Report, error) {
	opt = opt.resolve()
	switch {
	case opt.Repeats < 2:
		return Report{}, fmt.Errorf("permutation importance: %d shuffles per feature; expected at least 2, an interval needs their spread", opt.Repeats)
	case len(y) != f.Rows:
		return Report{}, fmt.Errorf("permutation importance: %d labels for %d rows; expected one per row", len(y), f.Rows)
	case f.Rows == 0:
		return Report{}, fmt.Errorf("permutation importance: there are no rows; give the model rows with labels to be judged on")
	}
	report := Report{Method: method(f.Rows, opt), Rows: f.Rows, Repeats: opt.Repeats, Seed: opt.Seed, Features: []Importance{}}
	f, y, err := sample(p, f, y, opt)
	if err != nil {
		return Report{}, fmt.Errorf("permutation importance: %w", err)
	}
	report.RowsUsed = f.Rows
	base, err := measure(ctx, p, f, y)
	if err != nil {
		return Report{}, fmt.Errorf("permutation importance: score the rows unshuffled: %w", err)
	}
	report.BaseAUC, report.BaseLogLoss = base.auc, base.logLoss

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

func (o Options) resolve() Options {
	if o.Repeats == 0 {
		o.Repeats = DefaultRepeats
	}
	if o.MaxRows <= 0 {
		o.MaxRows = DefaultMaxRows
	}
	return o
}

func method(rows int, opt Options) string {
	used := fmt.Sprintf("all %d rows", rows)
	if rows > opt.MaxRows {
		used = fmt.Sprintf("a random sample of %d of %d rows", opt.MaxRows, rows)
	}
	return fmt.Sprintf("Permutation importance (Breiman 2001) on %s: each feature's values are shuffled among the rows %d times; "+
		"shown are the mean fall of the AUC and the mean rise of the log-loss, with %g%% Student-t intervals over the shuffles. "+
		"The intervals cover the chance in shuffling, not in which rows were drawn.", used, opt.Repeats, 100*Level)
}

func byImportance(a, b Importance) int {
	return cmp.Or(
		cmp.Compare(b.AUCDrop.Value, a.AUCDrop.Value),
		cmp.Compare(b.LogLossRise.Value, a.LogLossRise.Value),
		cmp.Compare(a.Feature, b.Feature),
	)
}

// shuffled measures one feature.
func shuffled(ctx context.Context, p model.Predictor, f *table.Frame, y []bool, feature string, base quality, opt Options, progress func(done int)) (Importance, error) {
	random := generator(opt.Seed, feature)
	var drops, rises []float64
	for r := range opt.Repeats {
		after, err := Reorder(f, feature, random.Perm(f.Rows))
		if err != nil {
			return Importance{}, err
		}
		q, err := measure(ctx, p, after, y)
		if err != nil {
			return Importance{}, err
		}
		drops = append(drops, base.auc.Value-q.auc.Value)
		rises = append(rises, q.logLoss-base.logLoss)
		progress(r + 1)
	}
	i := Importance{Feature: feature}
	i.LogLossRise, i.LogLossRiseSD = estimate(rises, f.Rows)
	if !base.auc.Defined() {
		i.AUCDrop = stats.Estimate{Level: Level, N: f.Rows, Undefined: base.auc.Undefined}
		return i, nil
	}
	i.AUCDrop, i.AUCDropSD = estimate(drops, f.Rows)
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
