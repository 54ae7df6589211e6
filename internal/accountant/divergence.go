package accountant

import "math"

// stepDivergence is the Renyi divergence of one step at an order above 1: log A(order) / (order - 1), where A is the
// moment of Mironov, Talwar, Zhang 2019, section 3.3. By their Theorem 5 it covers a row added as well as a row removed.
func stepDivergence(q, sigma, order float64) float64 {
	if q == 1 {
		return order / (2 * sigma * sigma) // Mironov 2017, Proposition 7
	}
	above := logExcessFractional
	if order == math.Trunc(order) {
		above = logExcessInteger
	}
	return logAdd(0, above(q, sigma, order)) / (order - 1)
}

// logExcessInteger is log(A(n) - 1). The paper's formula is
//
//	A(n) = sum over k of C(n, k) (1-q)^(n-k) q^k exp((k^2-k) / (2 sigma^2))
//
// The same sum without the exponential is 1, and is subtracted term by term: what is left is positive, so that a cost
// much smaller than 1 keeps all its digits.
func logExcessInteger(q, sigma, n float64) float64 {
	logQ, log1Q := math.Log(q), math.Log1p(-q)
	sum := math.Inf(-1)
	for k := 2.0; k <= n; k++ {
		sum = logAdd(sum, logChoose(n, k)+(n-k)*log1Q+k*logQ+logExpm1((k*k-k)/(2*sigma*sigma)))
	}
	return sum
}

// logExcessFractional is log(A(order) - 1) by the integral that defines A in the paper, the mean over z ~ N(0, sigma^2)
// of (1 + u)^order, where 1 + u is the likelihood ratio. The mean of u is 0, so 1 + order*u is subtracted under the
// integral, which leaves a positive integrand (Bernoulli's inequality) and no cancellation.
//
// The paper's series for fractional orders stops converging fast for large q; the trapezoidal rule always does: its error
// falls as exp(-2 pi w / h) for a function analytic in a strip of half-width w (Trefethen, Weideman: The Exponentially
// Convergent Trapezoidal Rule, SIAM Review 2014, Theorem 5.1), and the branch points are pi*sigma^2 off the real line.
// The mass lies around 0 to order, with tails no heavier than the normal's.
func logExcessFractional(q, sigma, order float64) float64 {
	h := min(sigma, sigma*sigma) / 2
	low, high := -12*sigma, order+12*sigma
	sum := math.Inf(-1)
	for i := 0.0; low+i*h <= high; i++ {
		z := low + i*h
		sum = logAdd(sum, logBernoulli(q, (2*z-1)/(2*sigma*sigma), order)-z*z/(2*sigma*sigma))
	}
	return sum + math.Log(h/sigma) - 0.5*math.Log(2*math.Pi)
}

// logBernoulli is log((1+u)^order - 1 - order*u) for u = q (exp(x) - 1).
func logBernoulli(q, x, order float64) float64 {
	if x > 500 { // exp(x) may overflow; the subtracted part is below rounding
		return order * (x + math.Log(q) + math.Log1p((1-q)/q*math.Exp(-x)))
	}
	u := q * math.Expm1(x)
	// Below 1e-5 the first terms of the binomial series are more exact than the difference.
	if math.Abs(u) < 1e-5 {
		return math.Log(order*(order-1)/2) + 2*math.Log(math.Abs(u)) + math.Log1p((order-2)/3*u*(1+(order-3)/4*u))
	}
	grown := order * math.Log1p(u)
	if grown > 30 {
		return grown + math.Log1p(-(1+order*u)*math.Exp(-grown))
	}
	return math.Log(math.Expm1(grown) - order*u)
}

func logExpm1(x float64) float64 {
	if x > 30 {
		return x + math.Log1p(-math.Exp(-x))
	}
	return math.Log(math.Expm1(x))
}

func logChoose(n, k float64) float64 {
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}

// logAdd is log(exp(a) + exp(b)).
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(b, -1) || math.IsInf(a, 1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}
