package search

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/spec"
)

func TestALatinHypercubeHasOnePointInEveryStratumOfEveryAxis(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trials := rapid.IntRange(1, 400).Draw(t, "trials")
		axes := rapid.IntRange(1, 6).Draw(t, "axes")
		l := newLatinHypercube(rapid.Int64().Draw(t, "seed"), axes, trials)
		for j := range axes {
			seen := make([]bool, trials)
			for trial := Trial(1); int(trial) <= trials; trial++ {
				u := l.point(trial)[j]
				require.GreaterOrEqual(t, u, 0.0)
				require.Less(t, u, 1.0)
				stratum := int(u * float64(trials))
				require.False(t, seen[stratum], "stratum %d of axis %d has two points", stratum, j)
				seen[stratum] = true
			}
		}
	})
}

func TestEveryListedValueIsTriedEquallyOften(t *testing.T) {
	w := newWorld(t, spec.Sweep{Method: spec.SweepLatinHypercube, Trials: 30, Seed: 3, Parameters: map[string]spec.SweepRange{
		"optimizer": oneOf(spec.Text("sgd"), spec.Text("adam"), spec.Text("lion")), "layers": integers(1, 10),
	}}, 1)
	w.value = func(spec.Parameters) float64 { return 0 }
	w.run()
	counts := map[spec.Value]int{}
	for _, p := range w.trials {
		counts[p["optimizer"]]++
		counts[p["layers"]]++
	}
	require.Equal(t, 10, counts[spec.Text("lion")])
	require.Equal(t, 10, counts[spec.Text("sgd")])
	for _, v := range numbers(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) {
		require.Equal(t, 3, counts[v])
	}
}

func TestAxesOfALatinHypercubeAreIndependent(t *testing.T) {
	const n = 2000
	l := newLatinHypercube(5, 3, n)
	columns := make([][]float64, 3)
	for trial := Trial(1); trial <= n; trial++ {
		for j, u := range l.point(trial) {
			columns[j] = append(columns[j], u)
		}
	}
	for _, pair := range [][2]int{{0, 1}, {0, 2}, {1, 2}} {
		require.Less(t, math.Abs(stat.Correlation(columns[pair[0]], columns[pair[1]], nil)), 4/math.Sqrt(n))
	}
}

// The mean of an additive function over a Latin hypercube varies far less than over random points (Stein 1987, "Large
// Sample Properties of Simulations Using Latin Hypercube Sampling").
func TestALatinHypercubeMeasuresAnAdditiveFunctionBetterThanRandomPoints(t *testing.T) {
	const trials, repetitions = 50, 200
	spread := func(sampler func(seed int64) sampler) float64 {
		var means []float64
		for seed := range int64(repetitions) {
			s, sum := sampler(seed), 0.0
			for trial := Trial(1); trial <= trials; trial++ {
				p := s.point(trial)
				sum += p[0] + p[1]*p[1]
			}
			means = append(means, sum/trials)
		}
		return stat.Variance(means, nil)
	}
	hypercube := spread(func(seed int64) sampler { return newLatinHypercube(seed, 2, trials) })
	random := spread(func(seed int64) sampler { return randomly{seed, 2} })
	require.Less(t, 100*hypercube, random)
}
