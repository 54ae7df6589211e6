package stats

import "math"

// outward is by how much less than the tail, in its logarithm, an exact limit is solved for. It is more than the rounding
// of the incomplete beta function up to 10^8 trials, so that no interval comes out shorter than the exact one.
const outward = 1e-10

// BinomialUpper is the exact upper limit of a probability after successes among n trials: the largest p for which so few
// successes have at least the probability tail, in (0, 0.5] (Clopper and Pearson, 1934). It lies below the true probability
// with at most the probability tail, for every n. It is never below the exact limit, and above it by less than 1e-9 of
// itself, down to tails of 1e-300 and up to 10^8 trials. Counts that cannot be, or a tail of 0, give 1.
func BinomialUpper(successes, n int, tail float64) float64 {
	return binomialUpper(float64(successes), float64(n), tail)
}

// BinomialLower is the exact lower limit, as BinomialUpper is the upper one; impossible counts give 0.
func BinomialLower(successes, n int, tail float64) float64 {
	return binomialLower(float64(successes), float64(n), tail)
}

// binomialUpper takes real counts, so that a number of rows can be searched without steps.
func binomialUpper(k, n, tail float64) float64 {
	tail = asTail(tail)
	switch {
	case !(n > 0 && k >= 0 && k < n) || tail == 0:
		return 1
	case k == 0:
		return min(math.Nextafter(-math.Expm1(math.Log(tail)/n), 2), 1)
	}
	// I_{1-p}(n-k, k+1) is the probability of at most k successes.
	u := logitBetaQuantile(n-k, k+1, math.Log(tail)-outward)
	return min(math.Nextafter(logistic(-u), 2), 1)
}

func binomialLower(k, n, tail float64) float64 {
	tail = asTail(tail)
	switch {
	case !(n > 0 && k > 0 && k <= n) || tail == 0:
		return 0
	case k == n:
		return max(math.Nextafter(math.Exp(math.Log(tail)/n), -1), 0)
	}
	u := logitBetaQuantile(k, n-k+1, math.Log(tail)-outward)
	return max(math.Nextafter(logistic(u), -1), 0)
}

// logBinomialAtMost is ln P(X <= k) for X of n trials with probability p, -Inf for k < 0.
func logBinomialAtMost(k, n int, p float64) float64 {
	switch {
	case k < 0:
		return math.Inf(-1)
	case k >= n:
		return 0
	}
	value, _ := logIncompleteBeta(float64(n-k), float64(k+1), math.Log1p(-p)-math.Log(p))
	return value
}

// ClopperPearsonTail is the exact interval of a proportion that misses the true one with at most the probability tail at
// each end, in (0, 0.5], for every n (Clopper and Pearson, 1934). See BinomialUpper for its accuracy. Without trials, or with
// counts that cannot be, it is [0, 1].
func ClopperPearsonTail(successes, n int, tail float64) (low, high float64) {
	if successes < 0 || successes > n {
		return 0, 1
	}
	return BinomialLower(successes, n, tail), BinomialUpper(successes, n, tail)
}

// ExactShare estimates a probability from successes among n trials with its Clopper-Pearson interval. Without trials it is
// undefined, for the reason given in none.
func ExactShare(successes, n int, tail float64, none string) Estimate {
	if n <= 0 {
		return NoValue(levelOf(tail), 0, none)
	}
	low, high := ClopperPearsonTail(successes, n, tail)
	return Estimate{
		Value: float64(successes) / float64(n), Low: low, High: high,
		Level: levelOf(tail), Method: MethodClopperPearson, N: n,
	}
}

// ExactShareRows is the smallest number of rows of which a share is seen whose Clopper-Pearson interval is at most
// 2 halfWidth long; 0 when that cannot be said: the share lies outside [0, 1], no width or tail is asked for, or more than
// 10^15 rows would be needed.
func ExactShareRows(share, halfWidth, tail float64) int {
	if !(share >= 0 && share <= 1) || asTail(tail) == 0 {
		return 0
	}
	return fewestRows(halfWidth, func(n float64) float64 {
		return (binomialUpper(share*n, n, tail) - binomialLower(share*n, n, tail)) / 2
	})
}

// fewestRows is the smallest n >= 1 for which width(n), which falls as n grows, is at most the target; 0 beyond 10^15.
func fewestRows(target float64, width func(n float64) float64) int {
	const most = 1e15
	if !(target > 0) {
		return 0
	}
	// Widths fall about as the root of n, which leads to the answer in a few steps; halving takes over where they do not.
	low, high, n := 0.0, math.Inf(1), 1000.0
	for step := 0; high-low > 1; step++ {
		w := width(n)
		if w > target {
			low = n
		} else {
			high = n
		}
		ratio := w / target
		n = math.Floor(n * ratio * ratio)
		if step >= 8 || math.IsNaN(n) {
			if n = math.Floor((low + high) / 2); math.IsInf(high, 1) {
				n = 2 * low
			}
		}
		n = min(max(n, low+1), max(high-1, low+1))
		if n > most {
			return 0
		}
	}
	return int(high)
}
