package stats

import (
	"fmt"
	"math"
)

// StudentMean estimates the mean of values by Student's t interval, which leaves about the probability tail, in (0, 0.5],
// beyond each end once the mean is near enough to normal, and exactly for normal values (Student, 1908). Fewer than two
// values, or values that are all equal, tell nothing of their spread: then it is undefined, as it is when a value is not
// finite or when the tail is too small for a finite interval.
func StudentMean(values []float64, tail float64) Estimate {
	level, n := levelOf(tail), len(values)
	if n < 2 {
		return NoValue(level, n, fewerThanTwo)
	}
	if reason := notFinite(values); reason != "" {
		return NoValue(level, n, reason)
	}
	mean, variance := meanAndVariance(values)
	if variance == 0 {
		return NoValue(level, n, "all values are equal, so the spread is unknown")
	}
	half := StudentQuantileTail(float64(n-1), asTail(tail)) * math.Sqrt(variance/float64(n))
	if math.IsInf(half, 0) || math.IsNaN(half) {
		return NoValue(level, n, fmt.Sprintf("%d values give no interval that misses with a probability of only %g", n, tail))
	}
	return Estimate{Value: mean, Low: mean - half, High: mean + half, Level: level, Method: MethodStudent, N: n}
}

// EmpiricalBernstein estimates the mean of values that lie in [least, most], with an interval that misses the true mean with
// at most the probability tail at each end, in (0, 0.5], for every number of values and every distribution in that range. Its
// half width is sqrt(2 V ln(2/tail)/n) + 7 R ln(2/tail)/(3 (n-1)), V being the sample variance and R the range, cut to the
// range (Maurer and Pontil, 2009, "Empirical Bernstein bounds and sample variance penalization", theorem 4). It is short
// where values vary little. It is undefined for fewer than two values, or when one lies outside the range.
func EmpiricalBernstein(values []float64, least, most, tail float64) Estimate {
	level, n := levelOf(tail), len(values)
	if n < 2 {
		return NoValue(level, n, fewerThanTwo)
	}
	if reason := outOfRange(values, least, most); reason != "" {
		return NoValue(level, n, reason)
	}
	mean, variance := meanAndVariance(values)
	return boundedMean(mean, empiricalBernsteinHalfWidth(variance, most-least, float64(n), tail), least, most,
		Estimate{Level: level, Method: MethodEmpiricalBernstein, N: n})
}

// EmpiricalBernsteinRows is about how many values EmpiricalBernstein needs for a half width when their variance is as given;
// 0 when that cannot be said, see ExactShareRows.
func EmpiricalBernsteinRows(variance, least, most, halfWidth, tail float64) int {
	if !(variance >= 0 && most > least) || asTail(tail) == 0 {
		return 0
	}
	return fewestRows(halfWidth, func(n float64) float64 {
		return empiricalBernsteinHalfWidth(variance, most-least, n, tail)
	})
}

func empiricalBernsteinHalfWidth(variance, width, n, tail float64) float64 {
	logTail := math.Ln2 - math.Log(asTail(tail))
	if n < 2 {
		return math.Inf(1)
	}
	return math.Sqrt(2*variance*logTail/n) + 7*width*logTail/(3*(n-1))
}

// HoeffdingMean is EmpiricalBernstein by the bound of Hoeffding (1963), theorem 2: the half width R sqrt(ln(1/tail)/(2n)) does
// not depend on the values, and is the shorter one where they lie at the ends of the range or are few. Whoever takes the
// shorter of the two after seeing the values must give each of them half of the tail.
func HoeffdingMean(values []float64, least, most, tail float64) Estimate {
	level, n := levelOf(tail), len(values)
	if n == 0 {
		return NoValue(level, 0, noExamples)
	}
	if reason := outOfRange(values, least, most); reason != "" {
		return NoValue(level, n, reason)
	}
	mean, _ := meanAndVariance(values)
	return boundedMean(mean, (most-least)*math.Sqrt(-math.Log(asTail(tail))/(2*float64(n))), least, most,
		Estimate{Level: level, Method: MethodHoeffding, N: n})
}

// boundedMean completes e by an interval about the mean, cut to the range; rounding may have left the mean a hair outside.
func boundedMean(mean, half, least, most float64, e Estimate) Estimate {
	e.Value = min(max(mean, least), most)
	e.Low, e.High = max(e.Value-half, least), min(e.Value+half, most)
	return e
}

const fewerThanTwo = "fewer than two examples, so the spread is unknown"

// meanEstimate is the mean of values whose range is [least, most], with Student's t interval cut to that range.
func meanEstimate(values []float64, level, least, most float64) Estimate {
	n := len(values)
	if n < 2 {
		return NoValue(level, n, fewerThanTwo)
	}
	mean, variance := meanAndVariance(values)
	half := StudentQuantileTail(float64(n-1), (1-level)/2) * math.Sqrt(variance/float64(n))
	return Estimate{
		Value: mean, Low: max(mean-half, least), High: min(mean+half, most),
		Level: level, Method: MethodStudent, N: n,
	}
}

// meanAndVariance passes twice, so that a mean far from zero costs the variance no digits. Equal values have a variance
// of exactly zero, though their mean may have rounded. The variance of one value is zero.
func meanAndVariance(values []float64) (mean, variance float64) {
	sum, vary := 0.0, false
	for _, v := range values {
		sum += v
		vary = vary || v != values[0]
	}
	n := float64(len(values))
	mean = sum / n
	if !vary {
		return values[0], 0
	}
	squares := 0.0
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return mean, squares / (n - 1)
}

func notFinite(values []float64) string {
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprintf("the value of row %d is %g; expected a finite number", i, v)
		}
	}
	return ""
}

func outOfRange(values []float64, least, most float64) string {
	if !(least < most) || math.IsInf(most-least, 0) {
		return fmt.Sprintf("the range of a value is [%g, %g]; expected two finite numbers, the first below the second", least, most)
	}
	for i, v := range values {
		if !(v >= least && v <= most) {
			return fmt.Sprintf("the value of row %d is %g; expected one in the range [%g, %g]", i, v, least, most)
		}
	}
	return ""
}
