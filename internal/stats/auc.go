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
func AUC(s Sample, level float64) Estimate {
	m := s.positives()
	n := s.N() - m
	if m == 0 || n == 0 {
		return NoValue(level, s.N(), oneClass(m, s.N()))
	}
	auc, variance := delong(s, m, n)
	e := Estimate{Value: auc, Level: level, Method: MethodDeLong, N: s.N()}
	if variance == 0 {
		trials := float64(min(m, n))
		e.Low, e.High = wilson(auc*trials, trials, level)
		e.Method = MethodWilsonMinClass
		return e
	}
	half := normalQuantile(level) * math.Sqrt(variance)
	e.Low, e.High = clamp01(auc-half), clamp01(auc+half)
	return e
}

// delong is the AUC and DeLong's variance of it: var(V10)/m + var(V01)/n, where a positive's placement V10 is the
// share of negatives it beats and a negative's V01 the share of positives that beat it. A class of one row has no
// sample variance and contributes none.
//
// Rank differences are halves of integers and sums of them are exact, so that a zero variance comes out as zero.
func delong(s Sample, m, n int) (auc, variance float64) {
	order := make([]int, s.N())
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.Score[a], s.Score[b]) })

	positive := moments{n: float64(m)} // of twice the number of negatives beaten
	negative := moments{n: float64(n)} // of twice the number of positives lost to
	positivesBelow, negativesBelow := 0, 0
	for start := 0; start < len(order); {
		end, positives := start, 0
		for ; end < len(order) && s.Score[order[end]] == s.Score[order[start]]; end++ {
			if s.Y[order[end]] {
				positives++
			}
		}
		negatives := end - start - positives
		positive.add(2*negativesBelow+negatives, positives)
		negative.add(2*(m-positivesBelow-positives)+positives, negatives)
		positivesBelow += positives
		negativesBelow += negatives
		start = end
	}
	pairs := 2 * float64(m) * float64(n)
	v10 := positive.variance() / (4 * float64(n) * float64(n))
	v01 := negative.variance() / (4 * float64(m) * float64(m))
	return positive.sum / pairs, v10/float64(m) + v01/float64(n)
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
