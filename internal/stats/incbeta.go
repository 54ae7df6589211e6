package stats

import "math"

// logIncompleteBeta is ln I_x(a, b), the logarithm of the regularised incomplete beta function at x = 1/(1+e^-u), and its
// derivative by u, for a, b > 0. Every exact limit here is a root of it: P(X >= k) of a binomial X is I_p(k, n-k+1), and
// P(T > t) of Student's T with nu degrees of freedom is half of I_x(nu/2, 1/2) at x = nu/(nu+t^2).
//
// Working on the logarithm and on the logit keeps tails of 1e-300 and probabilities of 1e-40 as exact as others. As a
// function of u it is concave, since the density of a logit-beta variable is log-concave.
//
// The continued fraction is that of DiDonato and Morris (1992), "Algorithm 708", equation 9, on the side of the mean where
// it converges; it needs about sqrt(max(a, b)) terms next to the mean and few in the tails.
func logIncompleteBeta(a, b, u float64) (value, slope float64) {
	kernel := logBetaKernel(a, b, u)
	if u <= math.Log(a/b) {
		value = kernel - math.Log(betaFraction(a, b, u))
	} else {
		rest := math.Exp(kernel) / betaFraction(b, a, -u)
		value = math.Log1p(-min(rest, 1))
	}
	return value, math.Exp(kernel - value)
}

// logitBetaQuantile is the u at which logIncompleteBeta has the value logP < 0. Newton's steps on a concave function come
// from the left after the first, so the answer errs towards a smaller u, by no more than rounding.
func logitBetaQuantile(a, b, logP float64) float64 {
	u := math.Log(a / b)
	for range 200 {
		value, slope := logIncompleteBeta(a, b, u)
		step := (value - logP) / slope
		u -= step
		if !(math.Abs(step) > 1e-15*(1+math.Abs(u))) {
			break
		}
	}
	return u
}

// logBetaKernel is ln(x^a (1-x)^b / B(a, b)) at x = 1/(1+e^-u), in the saddle-point form of Loader (2000), "Fast and
// accurate computation of binomial probabilities", whose terms do not cancel when a and b are large.
func logBetaKernel(a, b, u float64) float64 {
	n := a + b
	logX, logY := -softplus(-u), -softplus(u)
	return stirlingError(n) - stirlingError(a) - stirlingError(b) -
		deviance(a, n, logistic(u), logX) - deviance(b, n, logistic(-u), logY) +
		math.Log(a)/2 + math.Log(b)/2 - math.Log(n)/2 - math.Log(2*math.Pi)/2
}

// deviance is a ln(a/(n p)) + n p - a, by a series where the two are near.
func deviance(a, n, p, logP float64) float64 {
	expected := n * p
	if d := a - expected; math.Abs(d) < 0.1*(a+expected) {
		v := d / (a + expected)
		sum, term := d*v, 2*a*v
		for k := 3.0; ; k += 2 {
			term *= v * v
			next := sum + term/k
			if next == sum {
				return sum
			}
			sum = next
		}
	}
	return a*(math.Log(a/n)-logP) + expected - a
}

// stirlingError is ln Gamma(z+1) less Stirling's (z+1/2) ln z - z + ln(2 pi)/2.
func stirlingError(z float64) float64 {
	if z < 16 {
		g, _ := math.Lgamma(z + 1)
		return g - (z+0.5)*math.Log(z) + z - math.Log(2*math.Pi)/2
	}
	zz := z * z
	return (1./12 - (1./360-(1./1260-(1./1680-1./1188/zz)/zz)/zz)/zz) / z
}

// betaFraction is the F of I_x(a, b) = x^a (1-x)^b / (B(a, b) F), by Lentz's method, for x = 1/(1+e^-u).
func betaFraction(a, b, u float64) float64 {
	x, y := logistic(u), logistic(-u)
	// a y - b x, from the smaller of the two, since the other has rounded the difference away.
	excess := a - (a+b)*x
	if y < x {
		excess = (a+b)*y - b
	}
	f := a * (excess + 1) / (a + 1)
	c, d := f, 0.0
	for m := 1.0; m < 1e7; m++ {
		step := a + 2*m - 1
		numerator := m * (a + m - 1) / step * ((a + b + m - 1) / step) * (b - m) * x * x
		denominator := m + m*(b-m)*x/step + (a+m)*(excess+1+m*(1+y))/(step+2)
		d = 1 / (denominator + numerator*d)
		c = denominator + numerator/c
		f *= c * d
		if math.Abs(c*d-1) < 1e-15 {
			break
		}
	}
	return f
}

// logistic is 1/(1+e^-u).
func logistic(u float64) float64 { return 1 / (1 + math.Exp(-u)) }

// softplus is ln(1+e^u).
func softplus(u float64) float64 {
	if u > 0 {
		return u + math.Log1p(math.Exp(-u))
	}
	return math.Log1p(math.Exp(u))
}
