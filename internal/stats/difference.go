package stats

// NewcombeShares estimates the difference of two shares of disjoint rows, a/m - b/n, by Newcombe's interval of two Wilson
// ones (Newcombe, 1998, "Interval estimation for the difference between independent proportions", method 10). It leaves about
// the probability tail, in (0, 0.5], beyond each end. Without rows on one side it is undefined, for the reason given in none.
func NewcombeShares(a, m, b, n int, tail float64, none string) Estimate {
	level := levelOf(tail)
	if m <= 0 || n <= 0 {
		return NoValue(level, max(m, 0)+max(n, 0), none)
	}
	first, second := Estimate{Value: float64(a) / float64(m)}, Estimate{Value: float64(b) / float64(n)}
	first.Low, first.High = WilsonTail(a, m, tail)
	second.Low, second.High = WilsonTail(b, n, tail)
	low, high := Newcombe(first, second)
	return Estimate{
		Value: first.Value - second.Value, Low: max(low, -1), High: min(high, 1), Level: level, Method: MethodNewcombe, N: m + n,
	}
}

// ExactDifference is NewcombeShares with an interval that misses with at most the tail at each end for every m and n. Each
// end joins two exact limits at half of the tail, so it is about 1.4 times as long and more where one side has few rows.
func ExactDifference(a, m, b, n int, tail float64, none string) Estimate {
	level := levelOf(tail)
	if m <= 0 || n <= 0 {
		return NoValue(level, max(m, 0)+max(n, 0), none)
	}
	aLow, aHigh := ClopperPearsonTail(a, m, tail/2)
	bLow, bHigh := ClopperPearsonTail(b, n, tail/2)
	return Estimate{
		Value: float64(a)/float64(m) - float64(b)/float64(n), Low: aLow - bHigh, High: aHigh - bLow,
		Level: level, Method: MethodExactDifference, N: m + n,
	}
}
