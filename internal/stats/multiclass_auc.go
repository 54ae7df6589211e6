package stats

import "math"

// AUCMacroInfluence is the mean over the classes with rows of the AUC of each against all others, and how much each row moves
// it: the sum over the classes of the row's placement less the AUC, divided by the rows of its side. The influences sum to
// zero; the sum of their squares is DeLong's variance, but for factors n/(n-1) (DeLong, DeLong and Clarke-Pearson, 1988, carried
// over to a mean of AUCs, which is a sum of the same placements). With fewer than two classes there is no value, and the
// reason says so.
func AUCMacroInfluence(s MulticlassSample) (value float64, influence []float64, reason string) {
	counts := make([]int, s.Classes)
	for _, y := range s.Y {
		counts[y]++
	}
	classes := 0
	for _, n := range counts {
		if n > 0 {
			classes++
		}
	}
	switch {
	case s.N() == 0:
		return 0, nil, noExamples
	case classes < 2:
		return 0, nil, "all examples are of one class"
	}
	influence = make([]float64, s.N())
	scale := 1 / float64(classes)
	for class, m := range counts {
		if m == 0 {
			continue
		}
		one := s.Against(class)
		placed := placements(one.Y, one.Score, m)
		won := 0
		for i, positive := range one.Y {
			if positive {
				won += placed[i]
			}
		}
		others := s.N() - m
		auc := float64(won) / (2 * float64(m) * float64(others))
		value += scale * auc
		for i, positive := range one.Y {
			side, other := others, m
			if positive {
				side, other = m, others
			}
			influence[i] += scale * (float64(placed[i])/(2*float64(other)) - auc) / float64(side)
		}
	}
	return value, influence, ""
}

// InfluenceSE is the standard error of an estimate of n rows from the influences that AUCMacroInfluence gives.
func InfluenceSE(influence []float64) float64 {
	n := float64(len(influence))
	if n < 2 {
		return 0
	}
	squares := 0.0
	for _, u := range influence {
		squares += u * u
	}
	return math.Sqrt(squares * n / (n - 1))
}

// aucMacro takes Wilson's interval for as many trials as the smallest class has rows when the rows do not vary, as AUC does.
func aucMacro(s MulticlassSample, counts ClassCounts, level float64) Estimate {
	value, influence, reason := AUCMacroInfluence(s)
	if reason != "" {
		return NoValue(level, s.N(), reason)
	}
	e := Estimate{Value: value, Level: level, Method: MethodDeLong, N: s.N()}
	z := normalQuantile(level)
	half := z * InfluenceSE(influence)
	e.Low, e.High = clamp01(value-half), clamp01(value+half)
	if half == 0 {
		trials := float64(counts.SmallestClass())
		e.Low, e.High = wilson(value*trials, trials, z)
		e.Method = MethodWilsonMinClass
	}
	return e
}

// SmallestClass is the number of rows of the class with the fewest, of those that have any.
func (c ClassCounts) SmallestClass() int {
	least := c.N
	for _, k := range c.Present() {
		least = min(least, c.Truth[k])
	}
	return least
}
