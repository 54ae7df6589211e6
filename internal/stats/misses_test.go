package stats_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/stats"
)

// world draws a sample and gives the estimate from it at any tail; the true value is known.
type world struct {
	name  string
	truth float64
	draw  func(rng *rand.Rand) func(tail float64) stats.Estimate
}

// requireMisses counts in how many of a fixed number of samples each end misses the truth. The count refutes the claim that an
// end misses with at most slack times the tail where the exact lower limit of its rate at 99.9 % is above that.
func requireMisses(t *testing.T, runs int, slack float64, tails []float64, worlds ...world) {
	t.Helper()
	for _, w := range worlds {
		rng := rand.New(rand.NewPCG(20240229, 1))
		below, above, defined := make([]int, len(tails)), make([]int, len(tails)), make([]int, len(tails))
		for range runs {
			estimate := w.draw(rng)
			for k, tail := range tails {
				e := estimate(tail)
				if !e.Defined() {
					continue
				}
				defined[k]++
				switch {
				case w.truth < e.Low:
					below[k]++
				case w.truth > e.High:
					above[k]++
				}
			}
		}
		for k, tail := range tails {
			require.Greater(t, defined[k], runs*9/10, w.name)
			require.LessOrEqual(t, stats.BinomialLower(below[k], defined[k], 1e-3), slack*tail, "%s, %g: %d of %d below", w.name, tail, below[k], runs)
			require.LessOrEqual(t, stats.BinomialLower(above[k], defined[k], 1e-3), slack*tail, "%s, %g: %d of %d above", w.name, tail, above[k], runs)
		}
	}
}

// successes draws a binomial count.
func successes(rng *rand.Rand, n int, p float64) int {
	k := 0
	for range n {
		if rng.Float64() < p {
			k++
		}
	}
	return k
}

func drawn(rng *rand.Rand, n int, value func(*rand.Rand) float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = value(rng)
	}
	return values
}

var commonTails = []float64{0.1, 0.025, 0.005}

func TestGuaranteedIntervalsMissAtMostTheirTail(t *testing.T) {
	rare := func(rng *rand.Rand) float64 { // 1 in 50 rows costs 1, the others nothing
		if rng.Float64() < 0.02 {
			return 1
		}
		return 0
	}
	uniform := func(rng *rand.Rand) float64 { return rng.Float64() }
	var worlds []world
	for _, p := range []float64{0.003, 0.3, 0.97} {
		worlds = append(worlds, world{"exact share", p, func(rng *rand.Rand) func(tail float64) stats.Estimate {
			k := successes(rng, 90, p)
			return func(tail float64) stats.Estimate { return stats.ExactShare(k, 90, tail, "") }
		}})
	}
	worlds = append(worlds,
		world{"exact difference", 0.05, func(rng *rand.Rand) func(tail float64) stats.Estimate {
			a, b := successes(rng, 40, 0.1), successes(rng, 150, 0.05)
			return func(tail float64) stats.Estimate { return stats.ExactDifference(a, 40, b, 150, tail, "") }
		}},
		world{"paired share", 0.02, func(rng *rand.Rand) func(tail float64) stats.Estimate {
			b, c := 0, 0
			for range 150 {
				switch u := rng.Float64(); {
				case u < 0.03:
					b++
				case u < 0.04:
					c++
				}
			}
			return func(tail float64) stats.Estimate { return stats.PairedShare(b, c, b+c, 150, tail) }
		}},
		world{"empirical Bernstein, rare", 0.02, func(rng *rand.Rand) func(tail float64) stats.Estimate {
			values := drawn(rng, 120, rare)
			return func(tail float64) stats.Estimate { return stats.EmpiricalBernstein(values, 0, 1, tail) }
		}},
		world{"empirical Bernstein, uniform", 0.5, func(rng *rand.Rand) func(tail float64) stats.Estimate {
			values := drawn(rng, 120, uniform)
			return func(tail float64) stats.Estimate { return stats.EmpiricalBernstein(values, 0, 1, tail) }
		}},
		world{"Hoeffding", 0.02, func(rng *rand.Rand) func(tail float64) stats.Estimate {
			values := drawn(rng, 60, rare)
			return func(tail float64) stats.Estimate { return stats.HoeffdingMean(values, 0, 1, tail) }
		}},
	)
	for _, q := range []float64{0.1, 0.5, 0.9} {
		worlds = append(worlds,
			world{"quantile", -math.Log1p(-q), func(rng *rand.Rand) func(tail float64) stats.Estimate {
				values := drawn(rng, 80, func(rng *rand.Rand) float64 { return rng.ExpFloat64() })
				slices.Sort(values)
				return func(tail float64) stats.Estimate { return stats.QuantileInterval(values, q, tail) }
			}},
			world{"quantile with ties", math.Ceil(10*q-1e-9) - 1, func(rng *rand.Rand) func(tail float64) stats.Estimate {
				values := drawn(rng, 80, func(rng *rand.Rand) float64 { return float64(rng.IntN(10)) })
				slices.Sort(values)
				return func(tail float64) stats.Estimate { return stats.QuantileInterval(values, q, tail) }
			}})
	}
	requireMisses(t, 6000, 1, commonTails, worlds...)
}

// pairedScores are normal about 1 for positives, 0 for negatives; the second score adds noise, so that its AUC is lower.
func pairedScores(rng *rand.Rand, n int) (y []bool, a, b []float64) {
	y, a, b = make([]bool, n), make([]float64, n), make([]float64, n)
	for i := range y {
		y[i] = i%3 == 0
		a[i] = rng.NormFloat64()
		if y[i] {
			a[i]++
		}
		b[i] = a[i] + rng.NormFloat64()
	}
	return y, a, b
}

// standardNormal is P(Z <= z).
func standardNormal(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// The approximate ones are held to one and a half times their tail, on some hundred rows.
func TestApproximateIntervalsMissAboutTheirTail(t *testing.T) {
	requireMisses(t, 5000, 1.5, []float64{0.1, 0.025},
		world{"Wilson", 0.3, func(rng *rand.Rand) func(tail float64) stats.Estimate {
			k := successes(rng, 200, 0.3)
			return func(tail float64) stats.Estimate {
				low, high := stats.WilsonTail(k, 200, tail)
				return stats.Estimate{Low: low, High: high}
			}
		}},
		world{"Newcombe", 0.2, func(rng *rand.Rand) func(tail float64) stats.Estimate {
			a, b := successes(rng, 80, 0.5), successes(rng, 120, 0.3)
			return func(tail float64) stats.Estimate { return stats.NewcombeShares(a, 80, b, 120, tail, "") }
		}},
		world{"Newcombe paired", 0.05, func(rng *rand.Rand) func(tail float64) stats.Estimate {
			var counts [4]int
			for range 200 {
				switch u := rng.Float64(); {
				case u < 0.6:
					counts[0]++
				case u < 0.75:
					counts[1]++
				case u < 0.85:
					counts[2]++
				default:
					counts[3]++
				}
			}
			return func(tail float64) stats.Estimate {
				return stats.NewcombePaired(counts[0], counts[1], counts[2], counts[3], tail)
			}
		}},
		world{"Student", 0, func(rng *rand.Rand) func(tail float64) stats.Estimate {
			values := drawn(rng, 6, func(rng *rand.Rand) float64 { return rng.NormFloat64() })
			return func(tail float64) stats.Estimate { return stats.StudentMean(values, tail) }
		}},
		world{"DeLong", standardNormal(1 / math.Sqrt2), func(rng *rand.Rand) func(tail float64) stats.Estimate {
			y, a, _ := pairedScores(rng, 210)
			return func(tail float64) stats.Estimate { return stats.AUCTail(stats.Sample{Y: y, Score: a}, tail) }
		}},
		world{
			"DeLong paired", standardNormal(1/math.Sqrt2) - standardNormal(0.5),
			func(rng *rand.Rand) func(tail float64) stats.Estimate {
				y, a, b := pairedScores(rng, 210)
				return func(tail float64) stats.Estimate { return stats.PairedAUC(y, a, b, tail) }
			},
		},
	)
}

// A second score that swaps rare pairs leaves no variance in most samples, so that most intervals are of disjoint pairs.
func TestPairedAUCWithoutSpreadMissesAtMostItsTail(t *testing.T) {
	// One positive in 2,000 falls to the bottom of the second score: its AUC is 1/2000 lower.
	requireMisses(t, 4000, 1, []float64{0.1, 0.025}, world{"rare loss", 1. / 2000, func(rng *rand.Rand) func(tail float64) stats.Estimate {
		y, a, b := make([]bool, 100), make([]float64, 100), make([]float64, 100)
		for i := range y {
			y[i] = i%2 == 0
			if y[i] {
				a[i], b[i] = 1, 1
				if rng.IntN(2000) == 0 {
					b[i] = -1
				}
			}
		}
		return func(tail float64) stats.Estimate { return stats.PairedAUC(y, a, b, tail) }
	}})
}

func TestBootstrapMissesAboutItsTail(t *testing.T) {
	how := stats.Resampling{Replicates: 600}
	f1 := func(c []int) (float64, bool) {
		return 2 * float64(c[0]) / float64(2*c[0]+c[1]+c[2]), c[0]+c[1]+c[2] > 0
	}
	requireMisses(t, 1200, 1.7, []float64{0.1, 0.025, 0.005},
		world{"F1", 2 * 0.2 / (2*0.2 + 0.1 + 0.05), func(rng *rand.Rand) func(tail float64) stats.Estimate {
			counts := make([]int, 4)
			for range 300 {
				switch u := rng.Float64(); {
				case u < 0.2:
					counts[0]++
				case u < 0.3:
					counts[1]++
				case u < 0.35:
					counts[2]++
				default:
					counts[3]++
				}
			}
			how := how
			how.Seed = rng.Uint64()
			return stats.BCaCells(counts, how, f1).Estimate
		}},
		world{"root mean square", 1, func(rng *rand.Rand) func(tail float64) stats.Estimate {
			how := how
			how.Seed = rng.Uint64()
			squares := drawn(rng, 250, func(rng *rand.Rand) float64 { z := rng.NormFloat64(); return z * z })
			return stats.BCaSums(squares, 1, how, func(sums []float64, n int) (float64, bool) {
				return math.Sqrt(sums[0] / float64(n)), true
			}).Estimate
		}},
		world{"median", 0, func(rng *rand.Rand) func(tail float64) stats.Estimate {
			how := how
			how.Replicates, how.Seed = 300, rng.Uint64()
			values := drawn(rng, 101, func(rng *rand.Rand) float64 { return rng.NormFloat64() })
			return stats.BCaRows(len(values), how, func(index []int) (float64, bool) {
				chosen := make([]float64, len(index))
				for k, i := range index {
					chosen[k] = values[i]
				}
				slices.Sort(chosen)
				return chosen[len(chosen)/2], true
			}).Estimate
		}},
	)
}
