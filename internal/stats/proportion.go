package stats

import "math"

// Proportion estimates a probability from successes among n trials with its Wilson interval at the level.
// Without trials it is undefined, for the reason given in none.
func Proportion(successes, n int, level float64, none string) Estimate {
	if n == 0 {
		return NoValue(level, 0, none)
	}
	low, high := Wilson(successes, n, level)
	return Estimate{
		Value: float64(successes) / float64(n), Low: low, High: high,
		Level: level, Method: MethodWilson, N: n,
	}
}

// Wilson is the score interval of a proportion, without continuity correction (Wilson, 1927, "Probable inference, the
// law of succession, and statistical inference"; Brown, Cai and DasGupta, 2001, eq. 4). Without trials it is [0, 1].
func Wilson(successes, n int, level float64) (low, high float64) {
	return wilson(float64(successes), float64(n), normalQuantile(level))
}

// WilsonTail is Wilson's interval that leaves about the probability tail, in (0, 0.5], beyond each end. Where a share is
// near 0 or 1 and the tail is small against 1/n it misses more often than that; ClopperPearsonTail never does. Without
// trials, with counts that cannot be or a tail of 0 it is [0, 1].
func WilsonTail(successes, n int, tail float64) (low, high float64) {
	return wilson(float64(successes), float64(n), NormalQuantileTail(asTail(tail)))
}

// wilson takes real-valued counts, since a variance bound can stand in for a number of trials.
func wilson(successes, n, z float64) (low, high float64) {
	if !(n > 0 && successes >= 0 && successes <= n) || math.IsInf(z, 1) {
		return 0, 1
	}
	p, zz := successes/n, z*z
	centre := (p + zz/(2*n)) / (1 + zz/n)
	half := z / (1 + zz/n) * math.Sqrt(p*(1-p)/n+zz/(4*n*n))
	low, high = clamp01(centre-half), clamp01(centre+half)
	// At the ends the bound is exact; rounding would leave 1e-17 there.
	if successes == 0 {
		low = 0
	}
	if successes == n {
		high = 1
	}
	return low, high
}

// ClopperPearson is the exact interval of a proportion: it covers at no less than its level for every probability
// (Clopper and Pearson, 1934), which makes it longer than Wilson's. Without trials it is [0, 1].
func ClopperPearson(successes, n int, level float64) (low, high float64) {
	return ClopperPearsonTail(successes, n, (1-level)/2)
}

// Newcombe is the interval of the difference a - b of two independent estimates, from their own intervals (square-and-add,
// Newcombe, 1998, method 10; Zou and Donner, 2008). With Wilson intervals it keeps a width where all rows agree.
func Newcombe(a, b Estimate) (low, high float64) {
	d := a.Value - b.Value
	return d - math.Hypot(a.Value-a.Low, b.High-b.Value), d + math.Hypot(a.High-a.Value, b.Value-b.Low)
}

// normalQuantile is the z for which a standard normal lies within -z..z with probability level.
func normalQuantile(level float64) float64 { return math.Sqrt2 * math.Erfinv(level) }

func clamp01(x float64) float64 { return min(max(x, 0), 1) }

// Exact is the estimate of a quantity counted on all of its n rows, so that its interval is the value itself.
func Exact(value float64, n int) Estimate {
	return Estimate{Value: value, Low: value, High: value, Level: 1, Method: MethodExact, N: n}
}

// NoValue is an undefined estimate, for a reason a person can read; n is the number of rows looked at.
func NoValue(level float64, n int, reason string) Estimate {
	return Estimate{Level: level, N: n, Undefined: reason}
}
