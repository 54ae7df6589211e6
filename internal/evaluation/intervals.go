package evaluation

import (
	"math"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// assumeOthers is what the difference of two groups rests on.
const assumeOthers = "The two groups' rows are independent, and each group's interval is near its level."

// MethodExactJaccard is the exact interval of an F1 = 2J/(1+J) from that of the share J = TP/(TP+FP+FN): given the number of rows
// in the denominator, those in the numerator are binomial, and F1 rises with J.
const MethodExactJaccard = "clopper_pearson_jaccard"

// measured completes a measurement by what its method promises. rows says how many trials a half width takes, when from rows of
// the test part gave as many as the estimate has.
func measured(e stats.Estimate, tail float64, rows func(halfWidth float64) int) gate.Measurement {
	m := gate.Measurement{Estimate: e, Tail: tail}
	if e.Defined() {
		m.Guaranteed, m.Assumption, m.RowsFor = stats.Guaranteed(e.Method), stats.Assumption(e.Method), rows
	}
	return m
}

// perTrial turns a number of trials into rows of the test part, from of which gave n trials.
func perTrial(n, from int, trials func(halfWidth float64) int) func(float64) int {
	return func(halfWidth float64) int {
		return int(math.Ceil(float64(trials(halfWidth)) * float64(from) / float64(n)))
	}
}

// shareMeasure is exact: Clopper and Pearson (1934).
func shareMeasure(t tally, from int, none string) measure {
	return func(tail float64) gate.Measurement {
		return measured(stats.ExactShare(t.successes, t.n, tail, none), tail, perTrial(t.n, from, func(halfWidth float64) int {
			return stats.ExactShareRows(t.share(), halfWidth, tail)
		}))
	}
}

// f1Measure is exact, see MethodExactJaccard.
func f1Measure(c stats.Confusion, from int, none string) measure {
	t := tally{c.TP, c.TP + c.FP + c.FN}
	f1 := func(j float64) float64 { return 2 * j / (1 + j) }
	return func(tail float64) gate.Measurement {
		e := stats.ExactShare(t.successes, t.n, tail, none)
		if !e.Defined() {
			return measured(e, tail, nil)
		}
		// The ends move by the slope 2/(1+J)^2 of F1 for each step of J.
		slope := 2 / ((1 + e.Value) * (1 + e.Value))
		m := measured(e, tail, perTrial(t.n, from, func(halfWidth float64) int {
			return stats.ExactShareRows(t.share(), halfWidth/slope, tail)
		}))
		m.Value, m.Low, m.High, m.Method = f1(e.Value), f1(e.Low), f1(e.High), MethodExactJaccard
		return m
	}
}

// scoreMeasure is Wilson's interval, for what adds shares up.
func scoreMeasure(t tally, from int, none string) measure {
	if t.n == 0 {
		return noValue(0, none)
	}
	return asymptotic(from, func(tail float64) stats.Estimate {
		e := stats.Estimate{Value: t.share(), Level: level(tail), Method: stats.MethodWilson, N: t.n}
		e.Low, e.High = stats.WilsonTail(t.successes, t.n, tail)
		return e
	})
}

// meanRecallMeasure is the mean of the classes' recalls, which rest on different rows: the distances from estimate to limit add
// as squares (Zou and Donner, 2008).
func meanRecallMeasure(c stats.ClassCounts, from int) measure {
	present := c.Present()
	if len(present) == 0 {
		return noValue(0, noExamples)
	}
	return asymptotic(from, func(tail float64) stats.Estimate {
		e := stats.Estimate{Level: level(tail), Method: stats.MethodNewcombe, N: c.N}
		below, above := 0.0, 0.0
		for _, k := range present {
			low, high := stats.WilsonTail(c.Right[k], c.Truth[k], tail)
			recall := float64(c.Right[k]) / float64(c.Truth[k])
			e.Value += recall
			below, above = math.Hypot(below, recall-low), math.Hypot(above, high-recall)
		}
		k := float64(len(present))
		e.Value, e.Low, e.High = e.Value/k, (e.Value-below)/k, (e.Value+above)/k
		return e
	})
}

// pairMeasure is the difference of a share between two models on the same rows, see stats.PairedShare.
func pairMeasure(p pair, from int, none string) measure {
	if p.n == 0 {
		return noValue(0, none)
	}
	return func(tail float64) gate.Measurement {
		e := stats.PairedShare(p.newOnly, p.oldOnly, p.differ, p.n, tail)
		return measured(e, tail, perTrial(p.n, from, func(halfWidth float64) int {
			return stats.PairedShareRows(float64(p.newOnly+p.oldOnly)/float64(p.n), halfWidth, tail)
		}))
	}
}

// Range is what a row's number lies in.
type Range struct{ Least, Most float64 }

// doubled is the range of the difference of two numbers in a range.
func (r *Range) doubled() *Range {
	if r == nil {
		return nil
	}
	return &Range{r.Least - r.Most, r.Most - r.Least}
}

// meanMeasure is the mean of the rows' numbers. With a range it is guaranteed (stats.EmpiricalBernstein), otherwise Student's.
func meanMeasure(values []float64, within *Range, from int) measure {
	if within == nil {
		return asymptotic(from, func(tail float64) stats.Estimate { return stats.StudentMean(values, tail) })
	}
	return func(tail float64) gate.Measurement {
		e := stats.EmpiricalBernstein(values, within.Least, within.Most, tail)
		return measured(e, tail, perTrial(len(values), from, func(halfWidth float64) int {
			return stats.EmpiricalBernsteinRows(variance(values), within.Least, within.Most, halfWidth, tail)
		}))
	}
}

func variance(values []float64) float64 {
	mean, squares, n := 0.0, 0.0, float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return squares / (n - 1)
}

// aucMeasure is DeLong's.
func aucMeasure(s stats.Sample, from int) measure {
	return asymptotic(from, stats.AUCLogits(s))
}

// asymptotic is of an interval that shrinks with the root of the number of rows.
func asymptotic(from int, estimate func(tail float64) stats.Estimate) measure {
	return func(tail float64) gate.Measurement {
		e := estimate(tail)
		return measured(e, tail, rowsByRoot(halfWidth(e), from))
	}
}

// aucMacroMeasure is DeLong's of a mean of AUCs; rows that do not vary take Wilson's for as many trials as the smallest class has
// rows, as stats.AUC does.
func aucMacroMeasure(s stats.MulticlassSample, smallest, from int) measure {
	value, influence, reason := stats.AUCMacroInfluence(s)
	if reason != "" {
		return noValue(s.N(), reason)
	}
	se := stats.InfluenceSE(influence)
	return asymptotic(from, func(tail float64) stats.Estimate {
		e := stats.Estimate{Value: value, Level: level(tail), Method: stats.MethodDeLong, N: s.N()}
		if se == 0 {
			e.Low, e.High = stats.WilsonTail(int(math.Round(value*float64(smallest))), smallest, tail)
			e.Low, e.High, e.Method = min(e.Low, value), max(e.High, value), stats.MethodWilsonMinClass
			return e
		}
		half := stats.NormalQuantileTail(tail) * se
		e.Low, e.High = max(value-half, 0), min(value+half, 1)
		return e
	})
}

// pairedAUCMacroMeasure is the same of a difference between two models, whose influences subtract row by row.
func pairedAUCMacroMeasure(one, other stats.MulticlassSample, smallest, from int) measure {
	value, influence, reason := stats.AUCMacroInfluence(one)
	if reason != "" {
		return noValue(one.N(), reason)
	}
	otherValue, otherInfluence, _ := stats.AUCMacroInfluence(other)
	for i, u := range otherInfluence {
		influence[i] -= u
	}
	se := stats.InfluenceSE(influence)
	if se == 0 {
		return difference(aucMacroMeasure(one, smallest, from), aucMacroMeasure(other, smallest, from))
	}
	d := value - otherValue
	return asymptotic(from, func(tail float64) stats.Estimate {
		half := stats.NormalQuantileTail(tail) * se
		return stats.Estimate{
			Value: d, Low: max(d-half, -1), High: min(d+half, 1),
			Level: level(tail), Method: stats.MethodDeLong, N: one.N(),
		}
	})
}
