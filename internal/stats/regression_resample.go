package stats

import "math"

// resamplingRows draws fewer resamples of many rows, which take long, and whose intervals are as good as normal.
func (o Options) resamplingRows(n int) Resampling {
	if n > MostResampledRows {
		return Resampling{Replicates: o.Replicates, Seed: o.Seed}
	}
	return o.resampling()
}

// RMSEOfSums is the root mean squared error of n rows from the sum of their squared errors.
func RMSEOfSums(squares float64, n int) (float64, bool) {
	return math.Sqrt(max(squares, 0) / float64(n)), n > 0
}

// R2OfSums is 1 less the squared errors over the squared distances of truth from its mean; false when the truth does not vary.
func R2OfSums(squares, truth, truthSquares float64, n int) (float64, bool) {
	total := truthSquares - truth*truth/float64(n)
	if n < 2 || !(total > 1e-12*truthSquares) {
		return 0, false
	}
	return 1 - squares/total, true
}

// SquaredErrors are what RMSEOfSums is a function of, row by row.
func (s RegressionSample) SquaredErrors() []float64 {
	rows := make([]float64, s.N())
	for i, y := range s.Y {
		rows[i] = (s.Predicted[i] - y) * (s.Predicted[i] - y)
	}
	return rows
}

// CentredTruth is the truth less its mean, so that sums of squares lose no digits.
func (s RegressionSample) CentredTruth() []float64 {
	mean := 0.0
	for _, y := range s.Y {
		mean += y / float64(s.N())
	}
	rows := make([]float64, s.N())
	for i, y := range s.Y {
		rows[i] = y - mean
	}
	return rows
}

func rmseEstimate(s RegressionSample, opt Options) Estimate {
	if s.N() < 2 {
		return NoValue(opt.Level, s.N(), fewerThanTwo)
	}
	return BCaSums(s.SquaredErrors(), 1, opt.resamplingRows(s.N()), func(sums []float64, n int) (float64, bool) {
		return RMSEOfSums(sums[0], n)
	}).Estimate((1 - opt.Level) / 2)
}

func r2Estimate(s RegressionSample, opt Options) Estimate {
	if s.N() < 2 {
		return NoValue(opt.Level, s.N(), fewerThanTwo)
	}
	rows := make([]float64, 0, 3*s.N())
	truth := s.CentredTruth()
	constant := true
	for i, e := range s.SquaredErrors() {
		rows = append(rows, e, truth[i], truth[i]*truth[i])
		constant = constant && s.Y[i] == s.Y[0]
	}
	if constant {
		return NoValue(opt.Level, s.N(), NoVariation)
	}
	return BCaSums(rows, 3, opt.resamplingRows(s.N()), func(sums []float64, n int) (float64, bool) {
		return R2OfSums(sums[0], sums[1], sums[2], n)
	}).Estimate((1 - opt.Level) / 2)
}

// NoVariation is why an R2 has no value.
const NoVariation = "the truth is the same number in every example, so there is no variance to explain"
