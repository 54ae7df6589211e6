package stats

import (
	"cmp"
	"math"
	"slices"
)

// AUC estimates the area under the ROC curve: the probability that a positive's score exceeds a negative's, ties
// counting one half (Mann-Whitney). The interval is the normal one from the variance of DeLong, DeLong and
// Clarke-Pearson (1988), computed from mid-ranks in O(n log n) after Sun and Xu (2014), cut to [0, 1].
//
// When classes separate so well that the observed variance is zero, that interval would have no width however few the
// rows. Then the variance's upper bound A(1-A)/min(positives, negatives) (Birnbaum and Klose, 1957) stands in for a
// binomial one, and the interval is Wilson's for as many trials as the smaller class has rows (MethodWilsonMinClass).
func AUC(s Sample, level float64) Estimate { return aucEstimate(s, level, normalQuantile(level)) }

// AUCTail is AUC with an interval that leaves about the probability tail, in (0, 0.5], beyond each end.
func AUCTail(s Sample, tail float64) Estimate {
	return aucEstimate(s, levelOf(tail), NormalQuantileTail(asTail(tail)))
}

// AUCLogit is AUC with DeLong's variance on the scale of the log odds, where an area near 1 is nearer to normal: the ends are those
// of logit(A) +- z sd / (A (1 - A)), mapped back (Pepe, 2003, section 4.3.3). A plain normal interval lets areas near the upper
// end pass a bound more often than its tail says. Without observed variance it is AUC's.
func AUCLogit(s Sample, tail float64) Estimate { return AUCLogits(s)(tail) }

// AUCLogits is AUCLogit for any number of tails of one sample, whose rows are put in order once.
func AUCLogits(s Sample) func(tail float64) Estimate {
	m := s.positives()
	n := s.N() - m
	if m == 0 || n == 0 {
		return func(tail float64) Estimate { return NoValue(levelOf(tail), s.N(), oneClass(m, s.N())) }
	}
	auc, variance := delong(s, m, n)
	return func(tail float64) Estimate {
		e := aucWith(auc, variance, m, n, levelOf(tail), NormalQuantileTail(asTail(tail)))
		if e.Method != MethodDeLong || auc <= 0 || auc >= 1 {
			return e
		}
		half := NormalQuantileTail(asTail(tail)) * math.Sqrt(variance) / (auc * (1 - auc))
		logit := math.Log(auc / (1 - auc))
		e.Low, e.High, e.Method = 1/(1+math.Exp(half-logit)), 1/(1+math.Exp(-half-logit)), MethodDeLongLogit
		return e
	}
}

func aucEstimate(s Sample, level, z float64) Estimate {
	m := s.positives()
	n := s.N() - m
	if m == 0 || n == 0 {
		return NoValue(level, s.N(), oneClass(m, s.N()))
	}
	auc, variance := delong(s, m, n)
	return aucWith(auc, variance, m, n, level, z)
}

func aucWith(auc, variance float64, m, n int, level, z float64) Estimate {
	e := Estimate{Value: auc, Level: level, Method: MethodDeLong, N: m + n}
	if variance == 0 {
		trials := float64(min(m, n))
		e.Low, e.High = wilson(auc*trials, trials, z)
		e.Method = MethodWilsonMinClass
		return e
	}
	half := z * math.Sqrt(variance)
	e.Low, e.High = clamp01(auc-half), clamp01(auc+half)
	return e
}

// delong is the AUC and DeLong's variance of it: var(V10)/m + var(V01)/n, where a positive's placement V10 is the
// share of negatives it beats and a negative's V01 the share of positives that beat it. A class of one row has no
// sample variance and contributes none.
//
// Rank differences are halves of integers and sums of them are exact, so that a zero variance comes out as zero.
func delong(s Sample, m, n int) (auc, variance float64) {
	positive := moments{n: float64(m)} // of twice the number of negatives beaten
	negative := moments{n: float64(n)} // of twice the number of positives lost to
	eachTie(s.Y, s.Score, func(tied []int, positives, positivesBelow, negativesBelow int) {
		negatives := len(tied) - positives
		positive.add(2*negativesBelow+negatives, positives)
		negative.add(2*(m-positivesBelow-positives)+positives, negatives)
	})
	pairs := 2 * float64(m) * float64(n)
	v10 := positive.variance() / (4 * float64(n) * float64(n))
	v01 := negative.variance() / (4 * float64(m) * float64(m))
	return positive.sum / pairs, v10/float64(m) + v01/float64(n)
}

// eachTie visits the rows in groups of equal score, lowest first: how many of a group are positive, and how many rows of each
// class score below it.
func eachTie(y []bool, score []float64, visit func(tied []int, positives, positivesBelow, negativesBelow int)) {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(score[i], score[j]) })
	positivesBelow, negativesBelow := 0, 0
	for start := 0; start < len(order); {
		end, positives := start, 0
		for ; end < len(order) && (end == start || score[order[end]] == score[order[start]]); end++ {
			if y[order[end]] {
				positives++
			}
		}
		visit(order[start:end], positives, positivesBelow, negativesBelow)
		positivesBelow += positives
		negativesBelow += end - start - positives
		start = end
	}
}

// moments gathers a sample of integers, about the first of them so that squares stay small.
type moments struct {
	n                   float64
	sum                 float64
	seen                bool
	pivot               int
	shifted, shiftedSqr float64
}

func (a *moments) add(value, times int) {
	if times == 0 {
		return
	}
	if !a.seen {
		a.seen, a.pivot = true, value
	}
	d, t := float64(value-a.pivot), float64(times)
	a.sum += float64(value) * t
	a.shifted += d * t
	a.shiftedSqr += d * d * t
}

func (a *moments) variance() float64 {
	if a.n < 2 {
		return 0
	}
	return max(a.shiftedSqr-a.shifted*a.shifted/a.n, 0) / (a.n - 1)
}

func oneClass(positives, n int) string {
	switch {
	case n == 0:
		return noExamples
	case positives == 0:
		return noPositives
	default:
		return noNegatives
	}
}
