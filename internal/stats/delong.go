package stats

import (
	"cmp"
	"fmt"
	"math"
)

// PairedAUC estimates the AUC of scores a less that of scores b, on the same rows with labels y. The interval is the normal
// one from the variance of the differences of the two scores' placements (DeLong, DeLong and Clarke-Pearson, 1988), which
// leaves about the probability tail, in (0, 0.5], beyond each end; it takes O(n log n).
//
// Where those differences do not vary, as when both scores order all rows alike, the observed variance is zero however few
// the rows. Then the interval is that of PairedShare for as many pairs of a positive and a negative as the smaller class has
// rows, and for those of them that the two scores rank differently (MethodBennettPairs). It holds at every number of rows: the
// difference of AUCs is an average of means over disjoint pairs, whose exponential moments, by Jensen's inequality, are at
// most those of one such mean (Hoeffding, 1963, section 5). Equal scores thus give 0 with a width that shrinks with the rows
// as ln(1/tail)/min(positives, negatives), since rows not seen may be ranked differently.
//
// It is undefined when a class is absent, a score is not a number or the lengths differ.
func PairedAUC(y []bool, a, b []float64, tail float64) Estimate {
	level, rows := levelOf(tail), len(y)
	if len(a) != rows || len(b) != rows {
		return NoValue(level, rows, fmt.Sprintf("%d labels, %d and %d scores; expected one of each per row", rows, len(a), len(b)))
	}
	for i := range y {
		if math.IsNaN(a[i]) || math.IsNaN(b[i]) {
			return NoValue(level, rows, fmt.Sprintf("row %d has a score that is not a number", i))
		}
	}
	m := Sample{Y: y}.positives()
	n := rows - m
	if m == 0 || n == 0 {
		return NoValue(level, rows, oneClass(m, rows))
	}

	placedA, placedB := placements(y, a, m), placements(y, b, m)
	positive, negative := moments{n: float64(m)}, moments{n: float64(n)}
	for i, isPositive := range y {
		if d := placedA[i] - placedB[i]; isPositive {
			positive.add(d, 1)
		} else {
			negative.add(d, 1)
		}
	}
	fm, fn := float64(m), float64(n)
	value := positive.sum / (2 * fm * fn)
	variance := positive.variance()/(4*fn*fn)/fm + negative.variance()/(4*fm*fm)/fn

	e := Estimate{Value: value, Level: level, Method: MethodDeLongPaired, N: rows}
	half := NormalQuantileTail(asTail(tail)) * math.Sqrt(variance)
	if variance == 0 {
		e.Method = MethodBennettPairs
		half = pairedHalfWidth(float64(pairsRankedDifferently(y, a, b)), float64(min(m, n)), tail)
	}
	e.Low, e.High = max(value-half, -1), min(value+half, 1)
	return e
}

// placements gives each positive twice the number of negatives it beats and each negative twice the number of positives that
// beat it, ties counting once. m is the number of positives.
func placements(y []bool, score []float64, m int) []int {
	placed := make([]int, len(y))
	eachTie(y, score, func(tied []int, positives, positivesBelow, negativesBelow int) {
		ofPositive := 2*negativesBelow + len(tied) - positives
		ofNegative := 2*(m-positivesBelow-positives) + positives
		for _, i := range tied {
			if y[i] {
				placed[i] = ofPositive
			} else {
				placed[i] = ofNegative
			}
		}
	})
	return placed
}

// pairsRankedDifferently pairs the k-th positive with the k-th negative, as they stand in the rows, and counts the pairs that
// the two scores order differently.
func pairsRankedDifferently(y []bool, a, b []float64) int {
	var positives, negatives []int
	for i, isPositive := range y {
		if isPositive {
			positives = append(positives, i)
		} else {
			negatives = append(negatives, i)
		}
	}
	count := 0
	for k := range min(len(positives), len(negatives)) {
		i, j := positives[k], negatives[k]
		if cmp.Compare(a[i], a[j]) != cmp.Compare(b[i], b[j]) {
			count++
		}
	}
	return count
}
