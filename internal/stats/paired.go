package stats

import (
	"fmt"
	"math"
)

// PairedShare estimates a difference of two models' shares on the same n rows, such as new accuracy less old: (newOnly -
// oldOnly)/n, where newOnly rows count for the new model alone and oldOnly for the old one alone. The models differ on
// differ >= newOnly + oldOnly rows at all; rows on which they differ and both are wrong change nothing. The interval misses
// the true difference with at most the probability tail at each end, in (0, 0.5], for every n.
//
// A tenth of the tail buys the exact upper limit p of the share of rows that count for one model alone (BinomialUpper). The
// other nine tenths, q, buy a half width w: the smaller of Hoeffding's sqrt(2 ln(1/q)/n) and the root of
// n p h(w/p) = ln(1/q), h(u) = (1+u) ln(1+u) - u, which is the bound of Bennett (1962) that ease.ml/ci rests on (Renggli et
// al., 2019), short where models seldom differ.
//
// Proof. A row gives X in {-1, 0, 1} with mean mu and E X^2 = p0, the true share. As (e^x-1-x)/x^2 rises with x and tX <= t,
// e^(tX) <= 1 + tX + X^2 (e^t-1-t), so that E e^(tX) <= exp(t mu + p0 (e^t-1-t)). Hence the mean of n rows exceeds mu by w or
// more with probability at most exp(-n p0 h(w/p0)), by the best t, and by Hoeffding (1963) at most exp(-n w^2/2); the same
// holds below mu, by -X. The w for which the smaller of the two is q rises with p0. So unless p < p0, of probability at most
// tail/10, the w of p is wide enough, and is missed with at most q.
//
// Without rows, or with counts that cannot be, it is undefined with its reason.
func PairedShare(newOnly, oldOnly, differ, n int, tail float64) Estimate {
	level := levelOf(tail)
	switch {
	case n <= 0:
		return NoValue(level, 0, noExamples)
	case newOnly < 0 || oldOnly < 0 || differ < newOnly+oldOnly || differ > n:
		return NoValue(level, n, fmt.Sprintf("%d rows for the new model alone and %d for the old alone, of %d on which they "+
			"differ and %d in all; expected parts that add up to no more than the whole", newOnly, oldOnly, differ, n))
	}
	value := float64(newOnly-oldOnly) / float64(n)
	half := pairedHalfWidth(float64(newOnly+oldOnly), float64(n), tail)
	return Estimate{
		Value: value, Low: max(value-half, -1), High: min(value+half, 1),
		Level: level, Method: MethodBennettDisagreement, N: n,
	}
}

// PairedShareRows is about how many rows PairedShare needs for a half width, when the share of rows that count for one model
// alone, (newOnly + oldOnly)/n, is as given; 0 when that cannot be said, see ExactShareRows.
func PairedShareRows(share, halfWidth, tail float64) int {
	if !(share >= 0 && share <= 1) || asTail(tail) == 0 {
		return 0
	}
	return fewestRows(halfWidth, func(n float64) float64 { return pairedHalfWidth(share*n, n, tail) })
}

// pairedHalfWidth is the half width of PairedShare, cut to the longest there can be, when k of n rows count for one alone.
func pairedHalfWidth(k, n, tail float64) float64 {
	tail = asTail(tail)
	if tail == 0 {
		return 2
	}
	return min(bennettHalfWidth(binomialUpper(k, n, tail/10), n, 0.9*tail), 2)
}

// bennettHalfWidth is the smaller of the half widths of Bennett and Hoeffding for the mean of n values in [-1, 1] with mean
// square at most p, each at the tail.
func bennettHalfWidth(p, n, tail float64) float64 {
	logTail := -math.Log(tail)
	return min(p*bennettInverse(logTail/(n*p)), math.Sqrt(2*logTail/n))
}

// bennettInverse is the u >= 0 with (1+u) ln(1+u) - u = y. It starts at Bernstein's bound, which is above it, and Newton's
// steps on a convex function stay above it.
func bennettInverse(y float64) float64 {
	u := y/3 + math.Sqrt(y*y/9+2*y)
	for range 100 {
		step := (bennett(u) - y) / math.Log1p(u)
		u -= step
		if !(step > 1e-15*u) {
			break
		}
	}
	return u
}

// bennett is h(u) = (1+u) ln(1+u) - u, by its series where the terms would cancel.
func bennett(u float64) float64 {
	if u > 0.05 {
		return (1+u)*math.Log1p(u) - u
	}
	sum, power := 0.0, u
	for k := 2.0; k < 16; k++ {
		power *= u
		sum += power / (k * (k - 1))
		power = -power
	}
	return sum
}

// NewcombePaired estimates a difference of two models' shares on the same rows, of which both count for both, newOnly for the
// new model alone, oldOnly for the old alone and neither for none. The interval squares and adds the two shares' Wilson
// intervals, less what their correlation takes away (Newcombe, 1998b, "Improved confidence intervals for the difference
// between binomial proportions based on paired data", method 10). It leaves about the probability tail beyond each end and is
// shorter than PairedShare, whose tail is guaranteed.
func NewcombePaired(both, newOnly, oldOnly, neither int, tail float64) Estimate {
	n := both + newOnly + oldOnly + neither
	level := levelOf(tail)
	switch {
	case min(both, newOnly, oldOnly, neither) < 0:
		return NoValue(level, 0, fmt.Sprintf("counts %d, %d, %d and %d; expected none below 0", both, newOnly, oldOnly, neither))
	case n == 0:
		return NoValue(level, 0, noExamples)
	case asTail(tail) == 0:
		return Estimate{Value: float64(newOnly-oldOnly) / float64(n), Low: -1, High: 1, Level: level, Method: MethodNewcombePaired, N: n}
	}
	a, b, c, d := float64(both), float64(newOnly), float64(oldOnly), float64(neither)
	p, q := (a+b)/float64(n), (a+c)/float64(n)
	pLow, pHigh := WilsonTail(both+newOnly, n, tail)
	qLow, qHigh := WilsonTail(both+oldOnly, n, tail)

	phi := 0.0
	if margins := (a + b) * (c + d) * (a + c) * (b + d); margins > 0 {
		covariance := a*d - b*c
		if covariance > 0 {
			covariance = max(covariance-float64(n)/2, 0)
		}
		phi = covariance / math.Sqrt(margins)
	}
	combine := func(x, y float64) float64 { return math.Sqrt(max(x*x-2*phi*x*y+y*y, 0)) }
	value := (b - c) / float64(n)
	return Estimate{
		Value: value, Low: max(value-combine(p-pLow, qHigh-q), -1), High: min(value+combine(pHigh-p, q-qLow), 1),
		Level: level, Method: MethodNewcombePaired, N: n,
	}
}

// McNemarTest is the outcome of a test that two models are right equally often on the same rows.
type McNemarTest struct {
	NewOnly    int     `json:"new_only"`    // rows on which the new model alone is right
	OldOnly    int     `json:"old_only"`    // rows on which the old one alone is
	ChiSquared float64 `json:"chi_squared"` // max(|NewOnly-OldOnly|-1, 0)^2/(NewOnly+OldOnly), with one degree of freedom
	P          float64 `json:"p"`           // of ChiSquared
	ExactP     float64 `json:"exact_p"`     // of the binomial distribution, both tails
}

// McNemar tests whether newOnly and oldOnly differ by more than chance (McNemar, 1947), with the continuity correction of
// Edwards (1948) and exactly: min(1, 2 P(X <= min(newOnly, oldOnly))) for X binomial with probability 1/2. Without a row on
// which one model alone is right, or with a negative count, both p-values are 1.
func McNemar(newOnly, oldOnly int) McNemarTest {
	test := McNemarTest{NewOnly: newOnly, OldOnly: oldOnly, P: 1, ExactP: 1}
	n := newOnly + oldOnly
	if newOnly < 0 || oldOnly < 0 || n == 0 {
		return test
	}
	d := max(math.Abs(float64(newOnly)-float64(oldOnly))-1, 0)
	test.ChiSquared = d * d / float64(n)
	test.P = math.Erfc(math.Sqrt(test.ChiSquared / 2))
	test.ExactP = min(2*math.Exp(logBinomialAtMost(min(newOnly, oldOnly), n, 0.5)), 1)
	return test
}
