package drift

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// power is the probability with which a detectable effect is detected.
const power = 0.8

// detectableKS is the least distance D between the two distributions that a Kolmogorov-Smirnov test at the level detects
// with the power, at least. With critical value d, the test certainly alarms when the empirical distributions differ by d
// at the one point where the true ones differ by D; their difference there is nearly normal with mean D and a variance of at most
// (1/m + 1/n)/4, whence D = d + z(power) sqrt(1/m + 1/n)/2 (Massey, 1950, "A note on the power of a non-parametric
// test", Annals of Mathematical Statistics 21, 440-443). The answer 1 means that no change is certain to be detected.
func detectableKS(m, n int64, level float64) float64 {
	root := math.Sqrt(1/float64(m) + 1/float64(n))
	critical := math.Sqrt(-math.Log(level/2)/2) * root
	return min(1, critical+distuv.UnitNormal.Quantile(power)*root/2)
}

// detectableChiSquare is the least Cohen's w that a chi-square test of a 2 x K table with df = K-1 detects at the level with
// the power, where w^2 = sum (q-p)^2/s over cells, p and q the two distributions and s their average weighted by sample size.
// The statistic is then nearly noncentral chi-square with noncentrality w^2 mn/(m+n) (Cohen, 1988, Statistical Power
// Analysis, 2nd ed., chapter 7). For small changes w^2 is about the PSI.
func detectableChiSquare(m, n int64, df int, level float64) float64 {
	critical := distuv.ChiSquared{K: float64(df)}.Quantile(1 - level)
	low, high := 0.0, 1.0
	for noncentralTail(critical, df, high) < power {
		high *= 2
	}
	for range 60 {
		if mid := (low + high) / 2; noncentralTail(critical, df, mid) < power {
			low = mid
		} else {
			high = mid
		}
	}
	return math.Sqrt(high * (1/float64(m) + 1/float64(n)))
}

// noncentralTail is the upper tail of the noncentral chi-square distribution, as a Poisson mixture of central ones
// (Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions vol. 2, eq. 29.3).
func noncentralTail(x float64, df int, noncentrality float64) float64 {
	half := noncentrality / 2
	centre := int(half)
	reach := int(10*math.Sqrt(half)) + 20
	sum := 0.0
	for j := max(0, centre-reach); j <= centre+reach; j++ {
		lg, _ := math.Lgamma(float64(j) + 1)
		weight := math.Exp(float64(j)*math.Log(half) - half - lg)
		sum += weight * chiSquareTail(x, df+2*j)
	}
	return sum
}

// normalShift is the shift of a normal distribution's mean, in its standard deviations, that makes a distance of D: the
// two distribution functions differ most halfway, by 2 Phi(shift/2) - 1.
func normalShift(d float64) float64 {
	return 2 * distuv.UnitNormal.Quantile((1+d)/2)
}
