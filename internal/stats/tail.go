package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// NormalQuantileTail is the z that a standard normal variable exceeds with the probability tail, in (0, 1); 1.96 for
// 0.025. It is accurate to about 15 digits for every tail a float64 can hold, by algorithm AS 241 of Wichura (1988), "The
// percentage points of the normal distribution". A tail of 0 or less, or one that is no number, gives +Inf, which no
// probability above 0 needs; 1 or more gives -Inf.
func NormalQuantileTail(tail float64) float64 {
	switch {
	case !(tail > 0):
		return math.Inf(1)
	case tail >= 1:
		return math.Inf(-1)
	}
	return -mathext.NormalQuantile(tail)
}

// StudentQuantileTail is the t that Student's variable with nu degrees of freedom exceeds with the probability tail, in
// (0, 0.5], nu > 0: 2.776 for nu = 4 and 0.025. The tail's logarithm is inverted, so tails of 1e-300 are as exact as others.
// A tail or nu of 0 or less, or one that is no number, gives +Inf; a tail above 0.5 gives 0.
func StudentQuantileTail(nu, tail float64) float64 {
	switch {
	case !(tail > 0 && nu > 0):
		return math.Inf(1)
	case tail >= 0.5:
		return 0
	case math.IsInf(nu, 1):
		return NormalQuantileTail(tail)
	}
	u := logitBetaQuantile(nu/2, 0.5, math.Log(2*tail))
	return math.Sqrt(nu) * math.Exp(-u/2)
}

// levelOf is the confidence level of an interval that misses with the probability tail at each end; it rounds to 1 for a
// tail below 1e-16.
func levelOf(tail float64) float64 { return 1 - 2*asTail(tail) }

// asTail makes any number a tail: above a half both ends would pass the estimate, so that it stands for a half. What is no
// probability above 0 becomes 0, for which every interval is as wide as it can be.
func asTail(tail float64) float64 {
	if !(tail > 0) {
		return 0
	}
	return min(tail, 0.5)
}
