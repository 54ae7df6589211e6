package stats

// resampling is that of a report's interval. Counts are drawn so fast that an interval never takes fewer resamples than its
// ends need.
func (o Options) resampling() Resampling {
	return Resampling{Replicates: max(o.Replicates, DefaultBCaReplicates), Seed: o.Seed}
}

// resampled is a metric of the confusion matrix with its BCa interval.
func (t multiclassTally) resampled(name string, opt Options) Estimate {
	present, tail := t.counts.Present(), (1-opt.Level)/2
	_, reason := t.counts.Metric(name, present)
	switch {
	case reason != "":
		return NoValue(opt.Level, t.counts.N, reason)
	case t.counts.AllRight():
		return t.counts.Perfect(tail)
	}
	var truth, predicted, counts []int
	for y, row := range t.confusion {
		for p, n := range row {
			if n > 0 {
				truth, predicted, counts = append(truth, y), append(predicted, p), append(counts, n)
			}
		}
	}
	drawn := NewClassCounts(len(t.confusion))
	return BCaCells(counts, opt.resampling(), func(counts []int) (float64, bool) {
		drawn.Clear()
		for k, n := range counts {
			drawn.Add(truth[k], predicted[k], n)
		}
		value, reason := drawn.Metric(name, present)
		return value, reason == ""
	}).Estimate(tail)
}

// AllRight reports whether there are rows, and every one is predicted as it is.
func (c ClassCounts) AllRight() bool {
	right := 0
	for _, n := range c.Right {
		right += n
	}
	return c.N > 0 && right == c.N
}

// Perfect is the estimate of a metric that is 1 when all rows are right, as these are: no resample differs. Its interval is
// Wilson's for as many trials as the smallest class has rows (MethodWilsonMinClass), as AUC's is.
func (c ClassCounts) Perfect(tail float64) Estimate {
	smallest := c.SmallestClass()
	low, high := WilsonTail(smallest, smallest, tail)
	return Estimate{Value: 1, Low: low, High: high, Level: levelOf(tail), Method: MethodWilsonMinClass, N: c.N}
}

// ECECells are rows by score and label, fine enough that rows of a cell are as good as alike to the calibration error, so
// that it can be resampled by counts.
type ECECells struct {
	Counts []int
	bin    []int
	excess []float64 // mean over the cell's rows of label less score
}

// finer is how many cells of scores, of each label, a bin of the calibration curve is cut into. Scores within one differ by a
// fortieth at most; what they vary within it, about 0.00005, lacks in the variance of a row's label less its score.
const finer = 4

// NewECECells sorts a sample's rows into cells.
func NewECECells(s Sample) ECECells {
	var n [2 * Bins * finer]int
	var sum [2 * Bins * finer]float64
	for i, p := range s.Score {
		bin := binOf(p)
		at := 2 * (bin*finer + min(max(int((p*Bins-float64(bin))*finer), 0), finer-1))
		excess := -p
		if s.Y[i] {
			at++
			excess = 1 - p
		}
		n[at]++
		sum[at] += excess
	}
	var c ECECells
	for at, rows := range n {
		if rows > 0 {
			c.Counts = append(c.Counts, rows)
			c.bin = append(c.bin, at/2/finer)
			c.excess = append(c.excess, sum[at]/float64(rows))
		}
	}
	return c
}

// ECE is the expected calibration error when the cells have so many rows.
func (c ECECells) ECE(counts []int) (float64, bool) {
	var excess [Bins]float64
	n := 0
	for k, rows := range counts {
		excess[c.bin[k]] += c.excess[k] * float64(rows)
		n += rows
	}
	return expectedCalibrationError(&excess, n), n > 0
}

// calibrationError is the ECE of a sample with its BCa interval.
func calibrationError(s Sample, opt Options) Estimate {
	cells := NewECECells(s)
	return BCaCells(cells.Counts, opt.resampling(), cells.ECE).Estimate((1 - opt.Level) / 2)
}
