package fairness

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
)

// pairWorlds is every outcome of two groups, with limits of each share at the tail.
type pairWorlds struct {
	sides [2][]side
	n     [2]int
}

func worldsOf(n [2]int, tail float64) pairWorlds {
	w := pairWorlds{n: n}
	for g := range n {
		for x := range n[g] + 1 {
			w.sides[g] = append(w.sides[g], sideOf(x, n[g], tail))
		}
	}
	return w
}

// missed is the exact probability that limits of the pair miss, as judged by miss.
func (w pairWorlds) missed(p [2]float64, miss func(a, b side) bool) float64 {
	var chance [2][]float64
	for g := range w.n {
		b := distuv.Binomial{N: float64(w.n[g]), P: p[g]}
		for x := range w.n[g] + 1 {
			chance[g] = append(chance[g], b.Prob(float64(x)))
		}
	}
	sum := 0.0
	for x, a := range w.sides[0] {
		for y, b := range w.sides[1] {
			if miss(a, b) {
				sum += chance[0][x] * chance[1][y]
			}
		}
	}
	return sum
}

func TestPairsLimitsMissNoMoreThanTheTailInAnyOutcome(t *testing.T) {
	t.Parallel()
	for _, n := range [][2]int{{30, 30}, {30, 300}, {40, 1000}, {150, 100}} {
		for _, tail := range []float64{0.05, 0.025, 0.025 / 28, 0.025 / 1000} {
			w := worldsOf(n, tail)
			for _, p := range [][2]float64{
				{0.001, 0.001}, {0.005, 0.005}, {0.02, 0.02}, {0.1, 0.1}, {0.3, 0.3}, {0.5, 0.5}, {0.9, 0.9}, {0.99, 0.99},
				{0.02, 0.05}, {0.1, 0.3}, {0.3, 0.1}, {0.5, 0.9}, {0.95, 0.6},
			} {
				for name, miss := range map[string]func(a, b side) bool{
					"difference too high": func(a, b side) bool { _, low, _ := differenceOf(a, b); return low > p[0]-p[1]+1e-12 },
					"difference too low":  func(a, b side) bool { _, _, high := differenceOf(a, b); return high < p[0]-p[1]-1e-12 },
					"ratio too high":      func(a, b side) bool { return ratioLow(a, b) > p[0]/p[1]*(1+1e-12) },
					"ratio too low": func(a, b side) bool {
						if b.share == 0 {
							return false
						}
						_, _, high := ratioOf(a, b)
						return high < p[0]/p[1]*(1-1e-12)
					},
				} {
					require.LessOrEqual(t, w.missed(p, miss), tail, "%s: groups of %v rows, shares %v, tail %g", name, n, p, tail)
				}
			}
		}
	}
}

func TestRareOutcomesInSmallGroupsMakeNoGap(t *testing.T) {
	t.Parallel()
	const worlds, tail = 300, 0.025
	n := []int{30, 40, 40, 60, 120, 800, 5000, 20000}
	for _, p := range []float64{0.001, 0.01, 0.3} {
		share := make([]float64, len(n))
		for k := range share {
			share[k] = p
		}
		r := rand.New(rand.NewPCG(3, uint64(1e4*p)))
		var apart, unequal int
		for range worlds {
			successes := draw(r, share, n)
			if _, low, _, _, _, _ := GapOfShares(successes, n, false, tail); low > 0 {
				apart++
			}
			if _, _, high, _, _, ok := GapOfShares(successes, n, true, tail); ok && high < 1 {
				unequal++
			}
		}
		require.LessOrEqual(t, float64(apart)/worlds, tail, "differences at %g", p)
		require.LessOrEqual(t, float64(unequal)/worlds, tail, "ratios at %g", p)
	}
}
