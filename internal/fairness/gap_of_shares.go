package fairness

// MethodPairs is the interval of a gap between the groups at the ends, see GapOfShares.
const MethodPairs = "simultaneous_pairs_clopper_pearson"

// GapOfShares is the largest difference, or with ratio the smallest ratio, of a share between groups, with limits that each miss
// the true gap with the probability tail at most, as far as enumeration over sizes and shares has shown; n are the groups' rows,
// all above 0. lowest and highest are the groups at the ends, the first among equals; ok is false for fewer than two groups and
// for a ratio when every share is zero.
//
// The true gap is that of the pair of groups which truly is furthest apart. The limit away from equality is therefore the
// outermost of all pairs' limits, each at the tail: whichever pair it is, its own limit is among them. The limit towards equality
// must hold for all k(k-1) ordered pairs together, and each has the tail divided by their number (Bonferroni), so that groups
// which are alike are told apart with at most the probability tail, however many there are. A pair's limits are made as
// Disparity's, from Clopper-Pearson limits of its shares: at the small tails that many pairs leave each other, Wilson's lower limit
// of a share near 0 is too high, and a single false positive in a small group would pass as a gap.
func GapOfShares(successes, n []int, ratio bool, tail float64) (value, low, high float64, lowest, highest int, ok bool) {
	if len(n) < 2 {
		return 0, 0, 0, 0, 0, false
	}
	return gapOfSides(sidesOf(successes, n, tail), sidesOf(successes, n, tail/float64(len(n)*(len(n)-1))), ratio)
}

func sidesOf(successes, n []int, tail float64) []side {
	out := make([]side, len(n))
	for k := range n {
		out[k] = sideOf(successes[k], n[k], tail)
	}
	return out
}

// gapOfSides is the gap of two groups or more from limits at the tail and at its part of all ordered pairs.
func gapOfSides(one, all []side, ratio bool) (value, low, high float64, lowest, highest int, ok bool) {
	for k := range one {
		if one[k].share < one[lowest].share {
			lowest = k
		}
		if one[k].share > one[highest].share {
			highest = k
		}
	}
	if ratio {
		if one[highest].share == 0 {
			return 0, 0, 0, lowest, highest, false
		}
		low, high = smallestRatio(one, all)
		return one[lowest].share / one[highest].share, low, high, lowest, highest, true
	}
	for i := range one {
		for j := range one {
			if i == j {
				continue
			}
			// No limit towards equality passes the value, and none away from it the outermost limits.
			if all[i].share-all[j].share > low {
				low = max(low, differenceLow(all[i], all[j]))
			}
			if one[i].high[0]-one[j].low[0] > high {
				high = max(high, -differenceLow(one[j], one[i]))
			}
		}
	}
	return one[highest].share - one[lowest].share, low, high, lowest, highest, true
}

// smallestRatio has limits of the smallest ratio of any two groups, at most 1. A share of 0 bounds no ratio over it.
func smallestRatio(one, all []side) (low, high float64) {
	low, high = 1, 1
	for i := range one {
		for j := range one {
			if i == j {
				continue
			}
			if one[i].low[0] < low*one[j].high[0] {
				low = min(low, ratioLow(one[i], one[j]))
			}
			if all[j].share > 0 && all[i].share < high*all[j].share {
				_, _, h := ratioOf(all[i], all[j])
				high = min(high, h)
			}
		}
	}
	return low, high
}
