package evaluation

import (
	"cmp"
	"slices"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

func (s *Source) resampling(replicates int) stats.Resampling {
	return stats.Resampling{Replicates: replicates, Seed: s.options.Seed}
}

// resampled is a statistic of how many rows fall into cells, which have counts rows. Counts are drawn so fast that a small tail
// gets as many resamples as its ends need, within limits; tails that take as many share them.
func (s *Source) resampled(counts []int, from int, statistic func(counts []int) (float64, bool)) measure {
	return s.redrawn(from, len(counts), func(replicates int) stats.Bootstrapped {
		return stats.BCaCells(counts, s.resampling(replicates), statistic)
	}, stats.Bootstrapped.Estimate)
}

// redrawn gives each tail as many resamples as its ends need, of a statistic for which each resample draws so many numbers.
func (s *Source) redrawn(from, numbers int, draw func(replicates int) stats.Bootstrapped, estimate func(stats.Bootstrapped, float64) stats.Estimate) measure {
	drawn := map[int]stats.Bootstrapped{}
	return asymptotic(from, func(tail float64) stats.Estimate {
		replicates := replicatesFor(tail, s.options.Replicates, numbers)
		b, ok := drawn[replicates]
		if !ok {
			b = draw(replicates)
			drawn[replicates] = b
		}
		return estimate(b, tail)
	})
}

// replicatesFor doubles the least number of resamples until 80 are expected beyond an end, of which the correction for bias
// may take most, or until drawing them would take about a second. A tail that is out of reach gets the least number.
func replicatesFor(tail float64, least, numbers int) int {
	const beyond, fewest, mostDraws, most = 80, 10, 100_000_000, 64_000
	replicates := least
	for float64(replicates)*tail < beyond && 2*replicates*numbers <= mostDraws && 2*replicates <= most {
		replicates *= 2
	}
	if float64(replicates)*tail < fewest {
		return least
	}
	return replicates
}

// resampledCounts is a function of the confusion matrix, or, paired, the new model's less the old one's in the same resamples.
func (s *Source) resampledCounts(q quantity, paired bool) measure {
	cells, from := q.at.cells, q.at.from
	counts := make([]int, len(cells))
	for k, c := range cells {
		counts[k] = c.n
	}
	observed := s.classCounts(cells, gate.New)
	if q.Which == gate.Old {
		observed = s.classCounts(cells, gate.Old)
	}
	metric := s.countMetric(q, observed.Present())
	if _, reason := metric(observed); reason != "" {
		return noValue(observed.N, reason)
	}
	drawn := stats.NewClassCounts(s.index.classCount())
	of := func(counts []int, which gate.Which) (float64, string) {
		drawn.Clear()
		for k, n := range counts {
			predicted := cells[k].new
			if which == gate.Old {
				predicted = cells[k].old
			}
			drawn.Add(int(cells[k].truth), int(predicted), n)
		}
		return metric(drawn)
	}
	if !paired {
		if observed.AllRight() {
			return asymptotic(from, observed.Perfect)
		}
		return s.resampled(counts, from, func(counts []int) (float64, bool) {
			value, reason := of(counts, q.Which)
			return value, reason == ""
		})
	}
	if _, reason := metric(s.classCounts(cells, gate.Old)); reason != "" {
		return noValue(observed.N, "of the champion: "+reason)
	}
	return s.resampled(counts, from, func(counts []int) (float64, bool) {
		one, reason := of(counts, gate.New)
		if reason != "" {
			return 0, false
		}
		other, reason := of(counts, gate.Old)
		return one - other, reason == ""
	})
}

// countMetric is a quantity as a function of the confusion matrix, or the reason why it has no value.
func (s *Source) countMetric(q quantity, present []int) func(stats.ClassCounts) (float64, string) {
	return func(c stats.ClassCounts) (float64, string) {
		one := c.Of(int(q.class))
		switch {
		case q.kind == ofF1:
			t := tally{2 * one.TP, 2*one.TP + one.FP + one.FN}
			return t.shareOr("no example is of the class or predicted to be")
		case q.kind == ofShare: // precision: no other share has other rows for other models
			return tally{one.TP, one.Predicted()}.shareOr(noSelected)
		case q.kind == ofRecalls && s.index.Task == stats.Binary && len(present) < 2:
			return 0, "all examples are of one class"
		}
		return c.Metric(q.Metric, present)
	}
}

func (t tally) shareOr(none string) (float64, string) {
	if t.n == 0 {
		return 0, none
	}
	return t.share(), ""
}

// resampledRows is a function of the rows that is no mean: ece, rmse or r2; paired, the new model's less the old one's in the
// same resamples.
func (s *Source) resampledRows(q quantity, paired bool) measure {
	rows := q.at.labelled
	if len(rows) < 2 {
		return noValue(len(rows), "fewer than two examples, so the spread is unknown")
	}
	if q.Metric == stats.ECE {
		return s.calibration(q, paired)
	}
	models := []gate.Which{q.Which}
	if paired {
		models = []gate.Which{gate.New, gate.Old}
	}
	var squares [][]float64
	for _, which := range models {
		squares = append(squares, s.index.regression(s.scoresOf(which), rows).SquaredErrors())
	}
	truth := s.index.regression(s.index.Score, rows).CentredTruth()
	if q.Metric == stats.R2 && slices.Min(truth) == slices.Max(truth) {
		return noValue(len(rows), stats.NoVariation)
	}
	width := len(models) + 2 // the models' squared errors, the truth and its square
	table := make([]float64, 0, width*len(rows))
	for i, y := range truth {
		for k := range models {
			table = append(table, squares[k][i])
		}
		table = append(table, y, y*y)
	}
	metric := func(sums []float64, k, n int) (float64, bool) {
		if q.Metric == stats.R2 {
			return stats.R2OfSums(sums[k], sums[width-2], sums[width-1], n)
		}
		return stats.RMSEOfSums(sums[k], n)
	}
	return s.redrawn(q.at.from, len(table), func(replicates int) stats.Bootstrapped {
		return stats.BCaSums(table, width, s.resampling(replicates), func(sums []float64, n int) (float64, bool) {
			value, ok := metric(sums, 0, n)
			if !paired || !ok {
				return value, ok
			}
			other, ok := metric(sums, 1, n)
			return value - other, ok
		})
	}, stats.Bootstrapped.Estimate)
}

// calibration is the expected calibration error.
func (s *Source) calibration(q quantity, paired bool) measure {
	if !paired {
		cells := stats.NewECECells(s.confidence(q.Which, q.at.labelled))
		return s.redrawn(q.at.from, len(cells.Counts), func(replicates int) stats.Bootstrapped {
			return stats.BCaCells(cells.Counts, s.resampling(replicates), cells.ECE)
		}, stats.Bootstrapped.EstimateAboveTruth)
	}
	cells := newJointCells(s.confidence(gate.New, q.at.labelled), s.confidence(gate.Old, q.at.labelled))
	return s.resampled(cells.counts, q.at.from, func(counts []int) (float64, bool) {
		return cells.errorOf(counts, 0) - cells.errorOf(counts, 1), true
	})
}

// confidence is the sample whose calibration is asked about: the positive class and its score, or, of several classes, whether
// the prediction is right and its probability.
func (s *Source) confidence(which gate.Which, rows []int32) stats.Sample {
	x, score := s.index, s.scoresOf(which)
	if x.Task == stats.Binary {
		return x.sample(score, rows, 1)
	}
	sample := stats.Sample{Y: make([]bool, len(rows)), Score: make([]float64, len(rows))}
	for k, i := range rows {
		probabilities := x.scores(score, int(i))
		class := stats.MostProbable(probabilities)
		sample.Y[k], sample.Score[k] = class == int(x.Y[i]), probabilities[class]
	}
	return sample
}

// jointCells are rows that are alike to the calibration errors of both models: of the same labels and of scores that differ by a
// fortieth at most, within the same bins.
type jointCells struct {
	counts []int
	bin    [][2]int
	excess [][2]float64 // mean over the cell's rows of label less score
}

func newJointCells(one, other stats.Sample) jointCells {
	const finer = 4
	type key struct {
		one, other int
		y, otherY  bool
	}
	place := func(score float64) int {
		bin := min(int(score*stats.Bins), stats.Bins-1)
		within := int((score*stats.Bins - float64(bin)) * finer)
		return bin*finer + min(max(within, 0), finer-1)
	}
	at := map[key][]int{}
	for i := range one.Y {
		k := key{place(one.Score[i]), place(other.Score[i]), one.Y[i], other.Y[i]}
		at[k] = append(at[k], i)
	}
	keys := make([]key, 0, len(at))
	for k := range at {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(a.one-b.one, a.other-b.other, int(number(a.y)-number(b.y)), int(number(a.otherY)-number(b.otherY)))
	})
	var c jointCells
	for _, k := range keys {
		var excess [2]float64
		for _, i := range at[k] {
			excess[0] += number(one.Y[i]) - one.Score[i]
			excess[1] += number(other.Y[i]) - other.Score[i]
		}
		n := float64(len(at[k]))
		c.counts = append(c.counts, len(at[k]))
		c.bin = append(c.bin, [2]int{k.one / finer, k.other / finer})
		c.excess = append(c.excess, [2]float64{excess[0] / n, excess[1] / n})
	}
	return c
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// errorOf is the expected calibration error of one of the models when the cells have so many rows.
func (c jointCells) errorOf(counts []int, model int) float64 {
	var excess [stats.Bins]float64
	n := 0
	for k, rows := range counts {
		excess[c.bin[k][model]] += c.excess[k][model] * float64(rows)
		n += rows
	}
	total := 0.0
	for _, e := range excess {
		total += max(e, -e)
	}
	return total / float64(n)
}
