package fairness

import (
	"math"

	"github.com/assay-ml/assay/internal/stats"
)

// MethodPairs is the interval of a gap between the groups at the ends, see GapOfShares.
const MethodPairs = "simultaneous_pairs"

// GapOfShares is the largest difference, or with ratio the smallest ratio, of a share between groups, with limits that each miss
// the true gap with about the probability tail at most; n are the groups' rows, all above 0. lowest and highest are the groups at
// the ends, the first among equals; ok is false for fewer than two groups and for a ratio when every share is zero.
//
// The true gap is that of the pair of groups which truly is furthest apart. The limit away from equality is therefore the
// outermost of all pairs' limits, each at the tail: whichever pair it is, its own limit is among them. The limit towards equality
// must hold for all k(k-1) ordered pairs together, and each has the tail divided by their number (Bonferroni), so that groups
// which are alike are told apart with at most the probability tail, however many there are. Differences of two groups have
// Newcombe's interval (1998, method 10), ratios the limits of both Wilson intervals at half of the tail each.
func GapOfShares(successes, n []int, ratio bool, tail float64) (value, low, high float64, lowest, highest int, ok bool) {
	if len(n) < 2 {
		return 0, 0, 0, 0, 0, false
	}
	share := make([]float64, len(n))
	for k := range n {
		share[k] = float64(successes[k]) / float64(n[k])
		if share[k] < share[lowest] {
			lowest = k
		}
		if share[k] > share[highest] {
			highest = k
		}
	}
	together := tail / float64(len(n)*(len(n)-1))
	if ratio {
		if share[highest] == 0 {
			return 0, 0, 0, lowest, highest, false
		}
		one, all := scoreLimits(successes, n, tail/2), scoreLimits(successes, n, together/2)
		low, high = 1, 1
		for i := range n {
			for j := range n {
				if i != j {
					low, high = min(low, over(one[i][0], one[j][1])), min(high, over(all[i][1], all[j][0]))
				}
			}
		}
		return share[lowest] / share[highest], low, high, lowest, highest, true
	}
	one, all := scoreLimits(successes, n, tail), scoreLimits(successes, n, together)
	for i := range n {
		for j := range n {
			if i == j {
				continue
			}
			d := share[i] - share[j]
			low = max(low, d-math.Hypot(share[i]-all[i][0], all[j][1]-share[j]))
			high = max(high, d+math.Hypot(one[i][1]-share[i], share[j]-one[j][0]))
		}
	}
	return share[highest] - share[lowest], low, min(high, 1), lowest, highest, true
}

func scoreLimits(successes, n []int, tail float64) [][2]float64 {
	limits := make([][2]float64, len(n))
	for k := range n {
		limits[k][0], limits[k][1] = stats.WilsonTail(successes[k], n[k], tail)
	}
	return limits
}

// over is a ratio of shares; nothing is known of one by zero, which may be anything up to equality.
func over(a, b float64) float64 {
	if b <= 0 {
		return 1
	}
	return a / b
}
