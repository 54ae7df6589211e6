package explain

import "math"

// leastControlled is the number of pairs from which on slopes can be estimated well enough to help.
const leastControlled = 16

// controls are what the pairs of walks of one row gave, pair by pair, one number a feature.
type controls struct {
	width int
	// change is that of the score when the feature joins, the mean over the walk and its reverse.
	change []float64
	// known is a number that goes with the change, such as the background row's value; its mean over the whole background is 0.
	known []float64
	// sameUnits says that the known numbers of all features are effects on one scale, so that a slope of one tells of another.
	sameUnits bool
	// unseen is the share of the background whose known number of a feature is another than of all rows that were drawn.
	unseen func(feature int) float64
	spread float64 // standard deviation of the score over the background
}

// estimated are the values of one row and their standard errors.
type estimated struct {
	phi, se []float64
	pairs   int
}

func (c *controls) pairs() int { return len(c.change) / c.width }

// estimate averages the changes over the pairs. With leastControlled pairs or more it does so by regression on control variates
// (Owen 2013, Monte Carlo theory, methods and examples, section 8.9), twice. First on the known number of each feature: of what
// the drawn background rows' values of the feature explain, its mean over the whole background is taken instead. Then on the
// sum of what is left over the features, whose true mean is known as well, because values add up to score - base: the slopes of
// the parts of a sum on the sum add up to 1, so that the values do add up, and features whose changes vary with the sum most
// take most of what was missing. Without controls the standard errors are those of means; with them they are made of the
// residuals and the leverages of both regressions (HC3 of MacKinnon & White 1985), because the errors of a fit to few pairs with
// long tails would otherwise look too small. A feature that is the same in all drawn rows and not in the background, as one that
// is 0 but for few, shows no error by itself: for it the share of rows unseen times the spread of the score is added. It changes
// c.
func (c *controls) estimate(score, base float64) estimated {
	n, d := c.pairs(), c.width
	e := estimated{phi: make([]float64, d), se: make([]float64, d), pairs: n}
	if n == 0 {
		return e
	}
	if n < leastControlled {
		c.means(e.phi)
		for k := range n {
			for j, x := range c.change[k*d : (k+1)*d] {
				e.se[j] += (x - e.phi[j]) * (x - e.phi[j])
			}
		}
		for j := range e.se {
			e.se[j] = math.Sqrt(e.se[j] / float64(max(n-1, 1)) / float64(n))
			if c.steady(j) {
				e.se[j] = math.Hypot(e.se[j], c.unseen(j)*c.spread)
			}
		}
		return e
	}
	unseen := make([]float64, d)
	for j := range unseen {
		if c.steady(j) {
			unseen[j] = c.unseen(j) * c.spread
		}
	}
	first := c.regressOnKnown()
	c.means(e.phi)
	weights := c.regressOnSum(e.phi, score-base)
	each := 1 / float64(n)
	for k := range n {
		xs, ys := c.known[k*d:(k+1)*d], c.change[k*d:(k+1)*d]
		for j, x := range xs {
			x -= first.mean[j]
			weight := (1 - float64(n)*first.mean[j]*x*first.precision[j]) / (1 - min(each+x*x*first.precision[j], mostLeverage))
			r := weight * weights[k] * (ys[j] - e.phi[j])
			e.se[j] += r * r
		}
	}
	for j := range e.se {
		e.se[j] = math.Hypot(math.Sqrt(e.se[j])/float64(n), unseen[j])
	}
	return e
}

// steady reports whether the known number of a feature is the same for all pairs.
func (c *controls) steady(j int) bool {
	for at := j; at < len(c.known); at += c.width {
		if c.known[at] != c.known[j] {
			return false
		}
	}
	return true
}

// mostLeverage is how much of a slope one pair may decide. A line through one or two pairs that differ from all others passes
// through them whatever their error, which then does not show; so a slope takes three.
const mostLeverage = 0.4

// means are those of the changes.
func (c *controls) means(out []float64) {
	n := c.pairs()
	clear(out)
	for k := range n {
		for j, x := range c.change[k*c.width : (k+1)*c.width] {
			out[j] += x
		}
	}
	for j := range out {
		out[j] /= float64(n)
	}
}

// fit is what a regression on the known numbers of each feature used.
type fit struct {
	mean      []float64 // of the known numbers over the pairs
	precision []float64 // one over the sum of their squared deviations; 0 when they do not vary
}

// regressOnKnown takes out of the changes what goes with the known numbers, feature by feature.
func (c *controls) regressOnKnown() fit {
	d := c.width
	change, known, both, square := make([]float64, d), make([]float64, d), make([]float64, d), make([]float64, d)
	c.means(change)
	(&controls{width: d, change: c.known}).means(known)
	for at := 0; at < len(c.change); at += d {
		xs, ys := c.known[at:at+d], c.change[at:at+d]
		for j, x := range xs {
			x -= known[j]
			both[j] += x * (ys[j] - change[j])
			square[j] += x * x
		}
	}
	allBoth, allSquare, largest := 0.0, 0.0, make([]float64, d)
	for j := range both {
		allBoth, allSquare = allBoth+both[j], allSquare+square[j]
	}
	for at := 0; at < len(c.known); at += d {
		for j, x := range c.known[at : at+d] {
			largest[j] = max(largest[j], math.Abs(x-known[j]))
		}
	}
	for j := range both {
		// Equal numbers whose mean rounds have deviations, which say nothing.
		varies := square[j] > 1e-20*float64(c.pairs())*known[j]*known[j] && square[j] > math.SmallestNonzeroFloat64/1e-16
		if varies && largest[j]*largest[j] < mostLeverage*square[j] {
			square[j] = 1 / square[j]
		} else {
			square[j] = 0
			if both[j] = 0; c.sameUnits && allSquare > 0 {
				both[j] = allBoth / allSquare
			}
			continue
		}
		both[j] *= square[j]
	}
	for at := 0; at < len(c.change); at += d {
		xs, ys := c.known[at:at+d], c.change[at:at+d]
		for j, x := range xs {
			ys[j] -= both[j] * x
		}
	}
	return fit{mean: known, precision: square}
}

// regressOnSum takes out of the changes what goes with their sum, whose true mean is want, and adjusts their means. It gives
// the weight of each pair's residual in the standard errors.
func (c *controls) regressOnSum(means []float64, want float64) []float64 {
	n, d := c.pairs(), c.width
	mean, variance, all := 0.0, 0.0, 0.0
	for _, m := range means {
		mean += m
	}
	sums, slope := make([]float64, n), make([]float64, d)
	for k := range n {
		for _, x := range c.change[k*d : (k+1)*d] {
			sums[k] += x
		}
		sums[k] -= mean
		variance += sums[k] * sums[k]
		for j, x := range c.change[k*d : (k+1)*d] {
			slope[j] += sums[k] * (x - means[j])
			all += x * x
		}
	}
	// A sum that varies by rounding alone has no slopes.
	if variance <= 1e-20*(all+float64(n)*want*want) {
		for k := range sums {
			sums[k] = 1
		}
		return sums
	}
	for j := range slope {
		slope[j] /= variance
		means[j] += slope[j] * (want - mean)
	}
	for k := range n {
		for j := range slope {
			c.change[k*d+j] += slope[j] * (want - mean - sums[k])
		}
		sums[k] = (1 + float64(n)*(want-mean)*sums[k]/variance) / (1 - min(sums[k]*sums[k]/variance, mostLeverage))
	}
	return sums
}
