package evaluation_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// drawn are n rows of a population, with replacement, so that every metric of the population is the true one.
func drawn(population evaluation.Predictions, n int, r *rand.Rand) evaluation.Predictions {
	p := population
	p.Row, p.Y, p.Score, p.Old = make([]int64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	p.Own, p.OwnOld = map[string][]float64{"cost": make([]float64, n)}, map[string][]float64{"cost": make([]float64, n)}
	p.Groups = map[string][]string{"sex": make([]string, n)}
	for i := range n {
		at := r.IntN(population.N())
		p.Row[i], p.Y[i], p.Score[i], p.Old[i] = int64(i), population.Y[at], population.Score[at], population.Old[at]
		p.Own["cost"][i], p.OwnOld["cost"][i] = population.Own["cost"][at], population.OwnOld["cost"][at]
		p.Groups["sex"][i] = population.Groups["sex"][at]
	}
	return p
}

func TestIntervalsMissNoMoreOftenThanTheirTails(t *testing.T) {
	const (
		worlds = 500
		n      = 200
		tail   = 0.05
	)
	population := rivals(5000, 9)
	opt := evaluation.SourceOptions{Seed: 1, Replicates: 500, Ranges: map[string]evaluation.Range{"cost": {Least: 0, Most: 2}}}
	units := []struct {
		unit gate.Unit
		most float64 // misses at an end, in tails
	}{
		{unit(stats.Accuracy), 1},
		{unit(stats.Recall, "sex", "f"), 1},
		{unit(stats.Precision), 1},
		{unit(stats.F1), 1},
		{unit(stats.Disagreement), 1},
		{unit(stats.Brier), 1},
		{newLessOld(stats.Accuracy), 1},
		{newLessOld(stats.Recall), 1},
		{newLessOld(stats.SelectionRate, "sex", "m"), 1},
		{newLessOld(stats.Brier), 1},
		{newLessOld("cost"), 1},
		{less(unit(stats.Recall), unit(stats.Precision)), 1},
		{unit(stats.AreaUnderROC), 1.5},
		{unit(stats.LogLoss), 2},
		{unit(stats.MCC), 1.5},
		{unit(stats.BalancedAccuracy), 1.5},
		{newLessOld(stats.AreaUnderROC), 1.5},
		{newLessOld(stats.F1), 2}, // few rows on which the models differ,
		{newLessOld(stats.LogLoss), 2},
		{between(stats.Recall, "sex", "f", "m"), 1.5},
		{unit("demographic_parity_difference", "sex"), 1.7},
	}
	whole := newSource(t, population, opt)
	truth, below, above := make([]float64, len(units)), make([]int, len(units)), make([]int, len(units))
	for k, u := range units {
		truth[k] = measure(t, whole, u.unit, tail).Value
	}
	r := rand.New(rand.NewPCG(5, 5))
	for range worlds {
		s := newSource(t, drawn(population, n, r), opt)
		for k, u := range units {
			m := measure(t, s, u.unit, tail)
			require.True(t, m.Defined(), "%s: %s", u.unit, m.Undefined)
			if truth[k] < m.Low {
				below[k]++
			}
			if truth[k] > m.High {
				above[k]++
			}
		}
	}
	for k, u := range units {
		t.Logf("%-60s %.3f %.3f", u.unit, float64(below[k])/worlds, float64(above[k])/worlds)
		for _, misses := range []int{below[k], above[k]} {
			least := stats.BinomialLower(misses, worlds, 0.001)
			require.LessOrEqual(t, least, u.most*tail, "%s misses at an end in %d of %d worlds", u.unit, misses, worlds)
		}
	}
}
