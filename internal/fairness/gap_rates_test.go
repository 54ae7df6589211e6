package fairness

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
)

// draw gives each group its successes.
func draw(r *rand.Rand, share []float64, n []int) []int {
	out := make([]int, len(n))
	for k := range n {
		out[k] = int(distuv.Binomial{N: float64(n[k]), P: share[k], Src: r}.Rand())
	}
	return out
}

func TestAlikeGroupsAreToldApartAtMostAtTheStatedRate(t *testing.T) {
	const worlds, tail = 4000, 0.05
	n := []int{40, 60, 120, 250, 400, 800, 1500, 3000}
	for _, p := range []float64{0.05, 0.2, 0.5} {
		share := make([]float64, len(n))
		for k := range share {
			share[k] = p
		}
		r := rand.New(rand.NewPCG(7, uint64(1000*p)))
		apart, unequal := 0, 0
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

func TestTheTrueGapIsMissedAtMostAtTheStatedRate(t *testing.T) {
	const worlds, tail = 4000, 0.05
	n := []int{60, 120, 400, 800, 1500}
	share := []float64{0.30, 0.25, 0.2, 0.35, 0.28}
	r := rand.New(rand.NewPCG(8, 1))
	var under, over, underRatio, overRatio int
	for range worlds {
		successes := draw(r, share, n)
		_, low, high, _, _, _ := GapOfShares(successes, n, false, tail)
		if low > 0.15 {
			over++
		}
		if high < 0.15 {
			under++
		}
		_, low, high, _, _, _ = GapOfShares(successes, n, true, tail)
		if low > 0.2/0.35 {
			overRatio++
		}
		if high < 0.2/0.35 {
			underRatio++
		}
	}
	for name, times := range map[string]int{"over": over, "under": under, "ratio over": overRatio, "ratio under": underRatio} {
		require.LessOrEqual(t, float64(times)/worlds, tail, name)
	}
}

func TestGroupsAtZeroAndOneAndTooFewGroups(t *testing.T) {
	_, _, _, _, _, ok := GapOfShares([]int{3}, []int{9}, false, 0.05)
	require.False(t, ok)
	_, _, _, _, _, ok = GapOfShares([]int{0, 0}, []int{9, 9}, true, 0.05)
	require.False(t, ok, "no ratio of zeros")
	value, low, high, _, _, ok := GapOfShares([]int{0, 50}, []int{50, 50}, false, 0.05)
	require.True(t, ok)
	require.Equal(t, 1.0, value)
	require.Equal(t, 1.0, high)
	require.Greater(t, low, 0.8)
	many, rows := make([]int, 500), make([]int, 500)
	for k := range many {
		many[k], rows[k] = 5, 10
	}
	_, low, _, _, _, ok = GapOfShares(many, rows, false, 0.05)
	require.True(t, ok)
	require.Zero(t, low)
}
