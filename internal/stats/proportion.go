package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Names of the ways an interval is made, as they stand in Estimate.Method.
const (
	MethodWilson         = "wilson"           // score interval of a proportion, Wilson (1927)
	MethodClopperPearson = "clopper_pearson"  // exact interval of a proportion, Clopper and Pearson (1934)
	MethodDeLong         = "delong"           // normal interval from placements, DeLong et al. (1988)
	MethodWilsonMinClass = "wilson_min_class" // of an AUC without observed variance, see AUC
	MethodWilsonJaccard  = "wilson_jaccard"   // of an F1 without observed variance, see Evaluate
	MethodNewcombe       = "newcombe"         // square-and-add of two Wilson intervals, see Newcombe
	MethodStudent        = "student_t"        // of a mean, from the sample's standard deviation
	MethodBootstrap      = "bootstrap"        // percentile bootstrap over rows, Efron (1979), see Bootstrap
	MethodExact          = "exact"            // a count of the data at hand, which no sampling blurs
)

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
	return wilson(float64(successes), float64(n), level)
}

// wilson takes real-valued counts, since a variance bound can stand in for a number of trials.
func wilson(successes, n, level float64) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	z := normalQuantile(level)
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
	low, high = 0, 1
	tail := (1 - level) / 2
	k, m := float64(successes), float64(n)
	if successes > 0 {
		low = distuv.Beta{Alpha: k, Beta: m - k + 1}.Quantile(tail)
	}
	if successes < n {
		high = distuv.Beta{Alpha: k + 1, Beta: m - k}.Quantile(1 - tail)
	}
	return low, high
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

// meanEstimate is the mean of values whose range is [least, most], with Student's t interval cut to that range.
func meanEstimate(values []float64, level, least, most float64) Estimate {
	n := len(values)
	if n < 2 {
		return NoValue(level, n, "fewer than two examples, so the spread is unknown")
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	mean := sum / float64(n)
	squares := 0.0
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(n - 1)}.Quantile(1 - (1-level)/2)
	half := t * math.Sqrt(squares/float64(n-1)/float64(n))
	return Estimate{
		Value: mean, Low: max(mean-half, least), High: min(mean+half, most),
		Level: level, Method: MethodStudent, N: n,
	}
}
