package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/stats"
)

// samples draws samples with many ties: scores are multiples of 1/16, of which halves and complements are exact.
func samples(least int) *rapid.Generator[stats.Sample] {
	return rapid.Custom(func(t *rapid.T) stats.Sample {
		y := rapid.SliceOfN(rapid.Bool(), least, 40).Draw(t, "y")
		s := stats.Sample{Y: y, Score: make([]float64, len(y))}
		for i := range y {
			s.Score[i] = float64(rapid.IntRange(0, 16).Draw(t, "score")) / 16
		}
		return s
	})
}

func mapScores(s stats.Sample, f func(float64) float64) stats.Sample {
	mapped := stats.Sample{Y: s.Y, Score: make([]float64, s.N())}
	for i, p := range s.Score {
		mapped.Score[i] = f(p)
	}
	return mapped
}

func TestAUCIgnoresMonotoneTransforms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := samples(0).Draw(t, "sample")
		require.Equal(t, stats.AUC(s, 0.95), stats.AUC(mapScores(s, func(p float64) float64 { return p * p / 2 }), 0.95))
	})
}

func TestAUCOfReversedScoresIsTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := samples(0).Draw(t, "sample")
		e := stats.AUC(s, 0.95)
		reversed := stats.AUC(mapScores(s, func(p float64) float64 { return 1 - p }), 0.95)
		require.Equal(t, e.Undefined, reversed.Undefined)
		if e.Defined() {
			require.InDelta(t, 1-e.Value, reversed.Value, 1e-12)
			require.InDelta(t, 1-e.High, reversed.Low, 1e-9)
		}
	})
}

// bruteForce is DeLong's method as its definition reads, over all pairs.
func bruteForce(s stats.Sample) (auc, variance float64) {
	var positives, negatives []float64
	for i, y := range s.Y {
		if y {
			positives = append(positives, s.Score[i])
		} else {
			negatives = append(negatives, s.Score[i])
		}
	}
	psi := func(x, y float64) float64 {
		switch {
		case x > y:
			return 1
		case x == y:
			return 0.5
		}
		return 0
	}
	v10, v01 := make([]float64, len(positives)), make([]float64, len(negatives))
	for i, x := range positives {
		for j, y := range negatives {
			v10[i] += psi(x, y) / float64(len(negatives))
			v01[j] += psi(x, y) / float64(len(positives))
		}
		auc += v10[i] / float64(len(positives))
	}
	spread := func(v []float64) float64 {
		if len(v) < 2 {
			return 0
		}
		sum := 0.0
		for _, x := range v {
			sum += (x - auc) * (x - auc)
		}
		return sum / float64(len(v)-1) / float64(len(v))
	}
	return auc, spread(v10) + spread(v01)
}

func TestAUCMatchesBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := samples(0).Draw(t, "sample")
		e := stats.AUC(s, 0.95)
		if !e.Defined() {
			return
		}
		auc, variance := bruteForce(s)
		require.InDelta(t, auc, e.Value, 1e-12)
		if e.Method == stats.MethodWilsonMinClass {
			require.InDelta(t, 0, variance, 1e-12)
			return
		}
		half := 1.959963984540054 * math.Sqrt(variance)
		require.InDelta(t, max(auc-half, 0), e.Low, 1e-9)
		require.InDelta(t, min(auc+half, 1), e.High, 1e-9)
	})
}

func TestEveryEstimateLiesInItsInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := samples(0).Draw(t, "sample")
		r, err := stats.Evaluate(s, stats.Options{
			Threshold: rapid.Float64Range(0, 1).Draw(t, "threshold"), Replicates: 200, Seed: rapid.Uint64().Draw(t, "seed"),
		})
		require.NoError(t, err)
		for _, m := range r.Metrics {
			if !m.Defined() {
				require.Zero(t, []float64{m.Value, m.Low, m.High}[0], m.Name)
				continue
			}
			require.LessOrEqual(t, m.Low, m.Value, m.Name)
			require.GreaterOrEqual(t, m.High, m.Value, m.Name)
			require.False(t, math.IsNaN(m.Low) || math.IsInf(m.High, 0), m.Name)
			require.NotEmpty(t, m.Method, m.Name)
			require.Positive(t, m.N, m.Name)
		}
	})
}

func TestClopperPearsonHoldsWilson(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 2000).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		low, high := stats.ClopperPearson(k, n, 0.95)
		p := float64(k) / float64(n)
		require.True(t, low <= p && p <= high && low >= 0 && high <= 1)
		otherLow, otherHigh := stats.ClopperPearson(n-k, n, 0.95)
		require.InDelta(t, 1-high, otherLow, 1e-9)
		require.InDelta(t, 1-low, otherHigh, 1e-9)
	})
}

// requireCoverage checks how many of a fixed number of simulated intervals hold the truth. Five standard errors of that
// binomial count allow for chance, slack for what the method itself is known to miss at this sample size.
func requireCoverage(t *testing.T, level, slack float64, covered func(rng *rand.Rand) bool) {
	t.Helper()
	const runs = 4000
	rng := rand.New(rand.NewPCG(20240229, 1))
	hits := 0
	for range runs {
		if covered(rng) {
			hits++
		}
	}
	chance := 5 * math.Sqrt(level*(1-level)/runs)
	require.InDelta(t, level, float64(hits)/runs, chance+slack)
}

func holds(e stats.Estimate, truth float64) bool { return e.Low <= truth && truth <= e.High }

func TestWilsonCoverage(t *testing.T) {
	for _, p := range []float64{0.1, 0.3, 0.5, 0.9} {
		requireCoverage(t, 0.95, 0.01, func(rng *rand.Rand) bool {
			k := 0
			for range 200 {
				if rng.Float64() < p {
					k++
				}
			}
			return holds(stats.Proportion(k, 200, 0.95, ""), p)
		})
	}
}

func TestDeLongCoverage(t *testing.T) {
	// Scores of positives are normal about 1 and of negatives about 0: AUC = Phi(1/sqrt 2).
	truth := 0.5 * math.Erfc(-0.5)
	for _, level := range []float64{0.8, 0.95} {
		requireCoverage(t, level, 0.01, func(rng *rand.Rand) bool {
			s := stats.Sample{Y: make([]bool, 120), Score: make([]float64, 120)}
			for i := range s.Y {
				s.Y[i] = i%3 == 0
				x := rng.NormFloat64()
				if s.Y[i] {
					x++
				}
				s.Score[i] = 1 / (1 + math.Exp(-x))
			}
			return holds(stats.AUC(s, level), truth)
		})
	}
}

func TestMeanCoverage(t *testing.T) {
	// Constant scores of 0.3 on labels that are positive half of the time: Brier = (0.49 + 0.09)/2.
	requireCoverage(t, 0.95, 0.015, func(rng *rand.Rand) bool {
		s := stats.Sample{Y: make([]bool, 100), Score: make([]float64, 100)}
		for i := range s.Y {
			s.Y[i], s.Score[i] = rng.IntN(2) == 0, 0.3
		}
		e, _ := mustEvaluate(t, s).Metric(stats.Brier)
		return holds(e, 0.29)
	})
}

func TestBalancedAccuracyCoverage(t *testing.T) {
	requireCoverage(t, 0.95, 0.015, func(rng *rand.Rand) bool {
		s := stats.Sample{Y: make([]bool, 90), Score: make([]float64, 90)}
		for i := range s.Y {
			s.Y[i] = i%3 == 0
			right := rng.Float64() < map[bool]float64{true: 0.6, false: 0.9}[s.Y[i]]
			if s.Y[i] == right {
				s.Score[i] = 1
			}
		}
		e, _ := mustEvaluate(t, s).Metric(stats.BalancedAccuracy)
		return holds(e, 0.75)
	})
}

func mustEvaluate(t *testing.T, s stats.Sample) stats.Report {
	t.Helper()
	r, err := stats.Evaluate(s, stats.Options{Threshold: 0.5, Replicates: stats.MinReplicates})
	require.NoError(t, err)
	return r
}
