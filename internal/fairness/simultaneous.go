package fairness

import (
	"math"

	"github.com/assay-ml/assay/internal/stats"
)

// Names of the ways in which intervals are made here, as they stand in Estimate.Method.
const (
	// MethodExactSidak is the Clopper-Pearson interval of each group's share at the level^(1/k) of k groups. Groups of one
	// division share no row, so that given their sizes their counts are independent, and all k intervals together cover with at
	// least the product of their levels (Sidak, 1967): no resampling finds a smaller critical value for independent groups, and
	// exact limits keep shares of 0 and 1 and groups of a few rows right.
	MethodExactSidak = "clopper_pearson_sidak"
	// MethodExactSquareAndAdd is the interval of a difference, or of a ratio, of two groups' shares from their Clopper-Pearson
	// limits by square-and-add along the limits, see differenceLow, with the tail divided by the number of ends that hold together
	// (Bonferroni).
	MethodExactSquareAndAdd = "square_and_add_clopper_pearson"
	// MethodExactOdds is the exact interval of the odds of a share, from MethodExactSidak's limits of the share.
	MethodExactOdds = "clopper_pearson_odds_sidak"
	// MethodDeLongSidak is stats.MethodDeLongLogit at the level^(1/k) of k groups; where the placements do not vary, or a class
	// has fewer than 10 rows, Clopper and Pearson's for as many trials as the smaller class has rows.
	MethodDeLongSidak = "delong_logit_sidak"
	// MethodLimits is the interval of a largest difference from limits of all groups that hold together, see spreadOfLimits.
	MethodLimits = "simultaneous_limits"
)

// sidakTail is what each end of k independent intervals may miss for all to cover together at the level.
func sidakTail(level float64, k int) float64 {
	return -math.Expm1(math.Log(level)/float64(max(k, 1))) / 2
}

// shareTogether is a share of one of k groups, see MethodExactSidak.
func shareTogether(successes, n, k int, level float64, none string) stats.Estimate {
	e := stats.ExactShare(successes, n, sidakTail(level, k), none)
	e.Level = level
	if e.Defined() {
		e.Method = MethodExactSidak
	}
	return e
}

// steps divides the quarter of a circle on which the depths of two groups' limits lie.
const steps = 6

// side is one of two shares that are compared, with Clopper-Pearson limits at the depths z cos(i pi/(2 steps)), where z is that of
// the tail, and as much more that the chords between those points of the circle touch it from outside.
type side struct {
	share     float64
	low, high [steps + 1]float64
}

// depths is the tails of the limits of a side.
func depths(tail float64) (tails [steps + 1]float64) {
	z := stats.NormalQuantileTail(tail) / math.Cos(math.Pi/(4*steps))
	for i := range tails {
		tails[i] = min(math.Erfc(z*math.Cos(float64(i)*math.Pi/(2*steps))/math.Sqrt2)/2, 0.5)
	}
	return tails
}

func sideOf(successes, n int, tail float64) side {
	s := side{share: float64(successes) / float64(n)}
	for i, t := range depths(tail) {
		s.low[i], s.high[i] = stats.ClopperPearsonTail(successes, n, t)
	}
	return s
}

// The limits of a function of two independent shares are its extremes over the pairs of their limits whose depths, as normal
// quantiles, add up in squares to that of the tail. Where limits are linear in the depth, as of large groups, that is
// square-and-add (Zou and Donner, 2008, "Construction of confidence limits about effect measures"). Exact limits are not: at
// the small tails of many comparisons, adding the squares of the outermost ones misses several times too often.

func differenceLow(a, b side) float64 {
	low := a.share - b.share
	for i := range a.low {
		low = min(low, a.low[i]-b.high[steps-i])
	}
	return low
}

func differenceOf(a, b side) (value, low, high float64) {
	return a.share - b.share, differenceLow(a, b), -differenceLow(b, a)
}

// ratioLow needs no share above 0.
func ratioLow(a, b side) float64 {
	low := math.Inf(1)
	if b.share > 0 {
		low = a.share / b.share
	}
	for i := range a.low {
		low = min(low, a.low[i]/b.high[steps-i])
	}
	return low
}

// ratioOf is a over b, whose share is above 0; then so are its lower limits.
func ratioOf(a, b side) (value, low, high float64) {
	value = a.share / b.share
	high = value
	for i := range a.high {
		high = max(high, a.high[i]/b.low[steps-i])
	}
	return value, ratioLow(a, b), high
}

// interval is the limits of one group's value, in which one end misses with the probability that its maker was given.
type interval struct {
	value, low, high float64
}

// spreadOfLimits is the largest value minus the smallest, from intervals of all groups. all holds for every end of every group
// together with the tail; each end of one misses with half of the tail. The limit towards equality is what all leaves between
// the outermost groups. The limit away from equality is the outermost of all pairs' limits from one: the pair which truly is
// furthest apart is among them. Neither needs the groups to be independent.
func spreadOfLimits(all, one []interval) (value, low, high float64, lowest, highest int) {
	upper, lower := math.Inf(-1), math.Inf(1)
	for k := range all {
		if all[k].value < all[lowest].value {
			lowest = k
		}
		if all[k].value > all[highest].value {
			highest = k
		}
		upper, lower = max(upper, all[k].low), min(lower, all[k].high)
	}
	for i := range one {
		for j := range one {
			if i != j {
				high = max(high, one[i].high-one[j].low)
			}
		}
	}
	return all[highest].value - all[lowest].value, max(upper-lower, 0), high, lowest, highest
}
