package explain

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// Defaults of StabilityOptions.
const (
	DefaultReruns       = 5
	DefaultTop          = 5
	DefaultLeastRank    = 0.8
	DefaultLeastOverlap = 0.8
)

// StabilityOptions steer Stability and StabilityOf; the zero value is usable.
type StabilityOptions struct {
	Reruns       int     // 2 or more; 0 means DefaultReruns
	Top          int     // how many leading features are compared; 0 means DefaultTop, at most all
	LeastRank    float64 // the least mean Spearman correlation that passes; 0 means DefaultLeastRank
	LeastOverlap float64 // the least mean overlap of the leading features that passes; 0 means DefaultLeastOverlap
}

// StabilityReport says whether importances keep their order when they are computed again with other seeds. Agreements are over
// all pairs of runs.
type StabilityReport struct {
	Method   string      `json:"method"`
	Runs     int         `json:"runs"`
	Seeds    []uint64    `json:"seeds,omitempty"`
	Features int         `json:"features"`
	Top      int         `json:"top"`
	Spearman Agreement   `json:"spearman"` // of all importances
	Kendall  Agreement   `json:"kendall"`  // tau-b, of all importances
	Overlap  Agreement   `json:"overlap"`  // share of the leading features that two runs have in common
	Ranks    []RankRange `json:"ranks"`    // by the mean rank
	Verdict  string      `json:"verdict"`  // Sound or Doubtful
	Reading  string      `json:"reading"`
	Notes    []string    `json:"notes"`
}

// Agreement is how alike pairs of runs are; 1 is the same. N counts the pairs for which it is defined.
type Agreement struct {
	Mean  float64 `json:"mean"`
	Least float64 `json:"least"`
	N     int     `json:"n"`
}

// RankRange are the places of a feature over the runs, 1 being the most important; features of equal importance share the mean
// of their places.
type RankRange struct {
	Feature string  `json:"feature"`
	Mean    float64 `json:"mean"`
	Best    float64 `json:"best"`
	Worst   float64 `json:"worst"`
	InTop   int     `json:"in_top"` // runs in which it is among the leading
}

// Stability computes the importances of Sampled several times, with seeds of their own for the rows, the background and the
// permutations, made from opt.Seed, and compares them. The budget of a *Allowance has to last for all. It fails as Sampled does;
// runs in which no row could be explained are left out, and noted.
func Stability(ctx context.Context, p model.Predictor, f, background *table.Frame, opt ShapleyOptions, how StabilityOptions) (StabilityReport, error) {
	how = how.resolve()
	budget, bounded := p.(*Allowance)
	random := generator(opt.Seed, "stability")
	var runs [][]float64
	var seeds []uint64
	var notes []string
	for r := range how.Reruns {
		again := opt
		again.Seed = random.Uint64()
		asked := p
		if bounded && budget.rows > 0 {
			// Each run has its share, so that the first does not spend what all need.
			asked = NewAllowance(budget, max(budget.Left()/(how.Reruns-r), 1), 0)
		}
		v, err := Sampled(ctx, asked, f, background, again)
		if err != nil {
			return StabilityReport{}, fmt.Errorf("stability of importances: run %d of %d: %w", r+1, how.Reruns, err)
		}
		s := v.Summary()
		if s.Verdict != Sound {
			notes = append(notes, fmt.Sprintf("Run %d: %s", r+1, s.Reading))
		}
		if len(v.Rows) == 0 {
			continue
		}
		byName := map[string]float64{}
		for _, a := range s.Features {
			byName[a.Feature] = a.MeanAbs
		}
		run := make([]float64, len(v.Features))
		for j, name := range v.Features {
			run[j] = byName[name]
		}
		runs, seeds = append(runs, run), append(seeds, again.Seed)
	}
	report, err := StabilityOf(featureNames(p.Schema()), runs, how)
	report.Seeds, report.Notes = seeds, append(report.Notes, notes...)
	return report, err
}

// StabilityOf compares importances of the same features, one list a run, by the rank correlations of Spearman (1904) and of
// Kendall (1945, tau-b, which allows for ties) and by the overlap of the leading ones. Fewer than two runs give no verdict but
// Doubtful. It fails when a run does not have one finite number a feature.
func StabilityOf(features []string, runs [][]float64, how StabilityOptions) (StabilityReport, error) {
	how = how.resolve()
	for r, run := range runs {
		if len(run) != len(features) {
			return StabilityReport{}, fmt.Errorf("stability of importances: run %d has %d for %d features; expected one a feature", r+1, len(run), len(features))
		}
		for j, x := range run {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return StabilityReport{}, fmt.Errorf("stability of importances: run %d: that of %q is no finite number", r+1, features[j])
			}
		}
	}
	report := StabilityReport{Runs: len(runs), Features: len(features), Top: min(how.Top, len(features)), Ranks: []RankRange{}, Notes: []string{}}
	report.Method = fmt.Sprintf("Importances of %d runs with other seeds, compared by pairs: Spearman's and Kendall's rank correlation over %d features, "+
		"and how many of the %d leading features two runs share.", report.Runs, report.Features, report.Top)
	ranks, leading := make([][]float64, len(runs)), make([][]int, len(runs))
	for r, run := range runs {
		ranks[r], leading[r] = ranked(run), leadingOf(features, run)[:report.Top]
	}
	for a := range runs {
		for b := range a {
			report.Spearman.add(spearman(ranks[a], ranks[b]))
			report.Kendall.add(kendall(runs[a], runs[b]))
			common := 0
			for _, j := range leading[a] {
				if slices.Contains(leading[b], j) {
					common++
				}
			}
			report.Overlap.add(float64(common) / float64(report.Top))
		}
	}
	for j, name := range features {
		if len(runs) == 0 {
			break
		}
		rank := RankRange{Feature: name, Best: math.Inf(1)}
		for r := range runs {
			rank.Mean += ranks[r][j] / float64(len(runs))
			rank.Best, rank.Worst = min(rank.Best, ranks[r][j]), max(rank.Worst, ranks[r][j])
			if slices.Contains(leading[r], j) {
				rank.InTop++
			}
		}
		report.Ranks = append(report.Ranks, rank)
	}
	slices.SortStableFunc(report.Ranks, func(a, b RankRange) int {
		switch {
		case a.Mean < b.Mean:
			return -1
		case a.Mean > b.Mean:
			return 1
		}
		return 0
	})
	report.judge(how)
	return report, nil
}

func (r *StabilityReport) judge(how StabilityOptions) {
	r.Verdict = Doubtful
	switch {
	case r.Runs < 2:
		r.Reading = fmt.Sprintf("%d runs gave importances; at least 2 are needed to compare them.", r.Runs)
	case r.Spearman.N == 0:
		r.Reading = "No run tells the features apart: all have the same importance, or there is one only."
		if r.Features == 1 {
			r.Verdict, r.Reading = Sound, "There is one feature, which leads in every run."
		}
	case r.Spearman.Mean < how.LeastRank:
		r.Reading = fmt.Sprintf("The order of the features changes with the seed: the mean rank correlation of two runs is %.3f, less than %g. Do not read it; use more rows or permutations.", r.Spearman.Mean, how.LeastRank)
	case r.Overlap.Mean < how.LeastOverlap:
		r.Reading = fmt.Sprintf("Which features lead changes with the seed: two runs share %.0f%% of the %d leading ones on average, less than %g%%. Do not read it; use more rows or permutations.", 100*r.Overlap.Mean, r.Top, 100*how.LeastOverlap)
	default:
		r.Verdict = Sound
		r.Reading = fmt.Sprintf("The order of the features does not depend on the seed: the mean rank correlation of two runs is %.3f (at least %g), and they share %.0f%% of the %d leading features (at least %g%%).", r.Spearman.Mean, how.LeastRank, 100*r.Overlap.Mean, r.Top, 100*how.LeastOverlap)
	}
}

func (o StabilityOptions) resolve() StabilityOptions {
	if o.Reruns == 0 {
		o.Reruns = DefaultReruns
	}
	o.Reruns = max(o.Reruns, 2)
	if o.Top <= 0 {
		o.Top = DefaultTop
	}
	if !(o.LeastRank > 0) {
		o.LeastRank = DefaultLeastRank
	}
	if !(o.LeastOverlap > 0) {
		o.LeastOverlap = DefaultLeastOverlap
	}
	return o
}

// add takes the agreement of another pair; NaN is that of a pair that has none.
func (a *Agreement) add(x float64) {
	if math.IsNaN(x) {
		return
	}
	if a.N == 0 || x < a.Least {
		a.Least = x
	}
	a.N++
	a.Mean += (x - a.Mean) / float64(a.N)
}

// leadingOf orders the features by importance, then by name.
func leadingOf(features []string, run []float64) []int {
	order := make([]int, len(run))
	for j := range order {
		order[j] = j
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case run[a] > run[b], run[a] == run[b] && features[a] < features[b]:
			return -1
		}
		return 1
	})
	return order
}

// ranked gives each number its place from the largest, 1, to the smallest; equal ones share the mean of their places.
func ranked(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case values[a] > values[b]:
			return -1
		case values[a] < values[b]:
			return 1
		}
		return 0
	})
	out := make([]float64, len(values))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			out[i] = float64(from+to+1) / 2
		}
		from = to
	}
	return out
}

// spearman is NaN when the ranks of one do not vary.
func spearman(a, b []float64) float64 {
	if len(a) < 2 || slices.Max(a) == slices.Min(a) || slices.Max(b) == slices.Min(b) {
		return math.NaN()
	}
	return min(max(stat.Correlation(a, b, nil), -1), 1)
}

// kendall is tau-b: (concordant - discordant) / sqrt((pairs not tied in a) (pairs not tied in b)); NaN when all are tied in one.
func kendall(a, b []float64) float64 {
	agree, untiedA, untiedB := 0.0, 0.0, 0.0
	for i := range a {
		for j := range i {
			x, y := sign(a[i]-a[j]), sign(b[i]-b[j])
			agree, untiedA, untiedB = agree+x*y, untiedA+x*x, untiedB+y*y
		}
	}
	if untiedA == 0 || untiedB == 0 {
		return math.NaN()
	}
	return min(max(agree/math.Sqrt(untiedA*untiedB), -1), 1)
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}
