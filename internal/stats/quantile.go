package stats

import (
	"fmt"
	"math"
	"sort"
)

// QuantileInterval estimates the q quantile, q in (0, 1), of what the ascending values were drawn from, such as the 95th
// percentile of latencies. The ends are values of the sample: the r-th and s-th smallest, r the largest with
// P(B < r) <= tail and s the smallest with P(B >= s) <= tail, for B binomial of n trials with probability q. They miss the
// quantile with at most the tail at each end, for every n and every distribution, continuous or not (Thompson, 1936; David and
// Nagaraja, 2003, Order Statistics, section 7.1). The value interpolates between neighbours (type 7 of Hyndman and Fan, 1996).
//
// Few values cannot bound a far quantile: ln(tail)/ln(max(q, 1-q)) are needed. Below that, and for values not in ascending
// order, it is undefined with its reason.
func QuantileInterval(sorted []float64, q, tail float64) Estimate {
	level, n := levelOf(tail), len(sorted)
	switch {
	case !(q > 0 && q < 1):
		return NoValue(level, n, fmt.Sprintf("quantile %g; expected a number between 0 and 1", q))
	case n == 0:
		return NoValue(level, 0, noExamples)
	case asTail(tail) == 0:
		return NoValue(level, n, "no number of values bounds a quantile without any doubt")
	}
	for i, v := range sorted {
		if math.IsNaN(v) || i > 0 && v < sorted[i-1] {
			return NoValue(level, n, fmt.Sprintf("value %d is %g; expected values in ascending order", i, v))
		}
	}
	logTail := math.Log(asTail(tail))
	// The first k with P(B <= k) > tail is r; the first with P(B > k) = P(n - B <= n-1-k) <= tail is s-1.
	r := sort.Search(n+1, func(k int) bool { return logBinomialAtMost(k, n, q) > logTail })
	s := sort.Search(n+1, func(k int) bool { return logBinomialAtMost(n-1-k, n, 1-q) <= logTail }) + 1
	if r < 1 || s > n {
		needed := math.Ceil(logTail / math.Log(max(q, 1-q)))
		return NoValue(level, n, fmt.Sprintf("%d values do not bound their %g quantile; about %.0f would", n, q, needed))
	}
	value := quantile(sorted, q)
	return Estimate{
		Value: value, Low: min(sorted[r-1], value), High: max(sorted[s-1], value),
		Level: level, Method: MethodOrderStatistics, N: n,
	}
}
