package drift

import (
	"cmp"
	"slices"
)

// holm gives adjusted p-values after Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian
// Journal of Statistics 6, 65-70: the probability of any false alarm is at most the level, under any dependence.
func holm(ps []float64) []float64 {
	order := ascending(ps)
	adjusted := make([]float64, len(ps))
	largest := 0.0
	for rank, i := range order {
		largest = max(largest, min(1, float64(len(ps)-rank)*ps[i]))
		adjusted[i] = largest
	}
	return adjusted
}

// benjaminiHochberg gives adjusted p-values after Benjamini and Hochberg (1995), "Controlling the false discovery rate",
// Journal of the Royal Statistical Society B 57, 289-300: the expected share of false alarms among all alarms is at most
// the level, for independent or positively dependent tests. Where nothing drifted that is the probability of any alarm.
func benjaminiHochberg(ps []float64) []float64 {
	order := ascending(ps)
	adjusted := make([]float64, len(ps))
	smallest := 1.0
	for rank := len(order) - 1; rank >= 0; rank-- {
		i := order[rank]
		smallest = min(smallest, ps[i]*float64(len(ps))/float64(rank+1))
		adjusted[i] = smallest
	}
	return adjusted
}

func ascending(ps []float64) []int {
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ps[a], ps[b]) })
	return order
}
