package stats

import (
	"fmt"
	"math"
)

// resampled holds the metrics that are neither a proportion nor a mean of rows.
type resampled struct {
	ece, f1, mcc Estimate
}

// resample estimates them from one pass of bootstrap resamples, the same ones as Bootstrap draws.
func resample(s Sample, c Confusion, opt Options) resampled {
	n := s.N()
	if n == 0 {
		none := NoValue(opt.Level, 0, noExamples)
		return resampled{none, none, none}
	}
	rows := resampleRows(s, opt.Threshold)
	var ece, f1, mcc []float64
	generator := SplitMix64(opt.Seed)
	for range opt.Replicates {
		var cells [4]int
		var excess [Bins]float64
		for range n {
			r := &rows[generator.Uint64()%uint64(n)]
			cells[r.cell]++
			excess[r.bin] += r.excess
		}
		drawn := Confusion{TP: cells[3], FP: cells[1], FN: cells[2], TN: cells[0]}
		ece = append(ece, expectedCalibrationError(&excess, n))
		f1 = appendDefined(f1, drawn, f1Of)
		mcc = appendDefined(mcc, drawn, mccOf)
	}
	var excess [Bins]float64
	for _, r := range rows {
		excess[r.bin] += r.excess
	}
	return resampled{
		ece: percentile(expectedCalibrationError(&excess, n), "", ece, n, opt.Level),
		f1:  f1Estimate(c, f1, opt.Level),
		mcc: fromConfusion(c, mccOf, mcc, opt.Level),
	}
}

// resampleRow is what a draw of a row adds: one in a cell of the confusion matrix and y - score in a bin.
type resampleRow struct {
	excess    float64
	cell, bin uint8 // cell: 2 if positive, plus 1 if predicted positive
}

func resampleRows(s Sample, threshold float64) []resampleRow {
	rows := make([]resampleRow, s.N())
	for i, p := range s.Score {
		rows[i] = resampleRow{excess: -p, bin: uint8(binOf(p))}
		if s.Y[i] {
			rows[i].excess = 1 - p
			rows[i].cell = 2
		}
		if s.Predicted(i, threshold) {
			rows[i].cell++
		}
	}
	return rows
}

// A confusionMetric is a metric of the counts, or the reason why they give none.
type confusionMetric func(Confusion) (value float64, reason string)

func appendDefined(values []float64, c Confusion, metric confusionMetric) []float64 {
	if v, reason := metric(c); reason == "" {
		return append(values, v)
	}
	return values
}

func f1Of(c Confusion) (float64, string) {
	if c.TP+c.FP+c.FN == 0 {
		return 0, "no example is positive or predicted positive"
	}
	return 2 * float64(c.TP) / float64(2*c.TP+c.FP+c.FN), ""
}

func mccOf(c Confusion) (float64, string) {
	switch {
	case c.Positives() == 0 || c.Negatives() == 0:
		return 0, oneClass(c.Positives(), c.N())
	case c.Predicted() == 0:
		return 0, noSelected
	case c.Predicted() == c.N():
		return 0, "every example is predicted positive"
	}
	tp, fp, fn, tn := float64(c.TP), float64(c.FP), float64(c.FN), float64(c.TN)
	return (tp*tn - fp*fn) / math.Sqrt((tp+fp)*(tp+fn)*(tn+fp)*(tn+fn)), ""
}

func fromConfusion(c Confusion, metric confusionMetric, replicates []float64, level float64) Estimate {
	value, reason := metric(c)
	return percentile(value, reason, replicates, c.N(), level)
}

func f1Estimate(c Confusion, replicates []float64, level float64) Estimate {
	e := fromConfusion(c, f1Of, replicates, level)
	if !e.Defined() || e.Low < e.High {
		return e
	}
	low, high := Wilson(c.TP, c.TP+c.FP+c.FN, level)
	e.Low, e.High, e.Method = 2*low/(1+low), 2*high/(1+high), MethodWilsonJaccard
	return e
}

// percentile is the estimate with the percentile interval of its replicates, widened to the estimate where a biased
// bootstrap leaves it outside.
func percentile(value float64, reason string, replicates []float64, n int, level float64) Estimate {
	if reason != "" {
		return NoValue(level, n, reason)
	}
	low, high, err := PercentileInterval(replicates, level)
	if err != nil {
		return NoValue(level, n, fmt.Sprintf("too few examples for an interval: %v", err))
	}
	return Estimate{
		Value: value, Low: min(low, value), High: max(high, value),
		Level: level, Method: MethodBootstrap, N: n,
	}
}
