package stats

import (
	"fmt"
	"slices"
)

// SplitMix64 is the generator of Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators",
// as in java.util.SplittableRandom. The value is its state; it serves as a math/rand/v2 source.
type SplitMix64 uint64

// Uint64 is the next output.
func (g *SplitMix64) Uint64() uint64 {
	*g += 0x9E3779B97F4A7C15
	z := uint64(*g)
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	return z ^ (z >> 31)
}

// Bootstrap draws resamples of n rows with replacement and gives the statistic of each, in order, leaving out those
// for which it reports false. Replicate 0 uses the first n outputs of the generator, and so on, one output per index,
// modulo n, so that any language can reproduce them. The index slice is reused: a statistic must not keep it.
// With n = 0 there are no resamples.
func Bootstrap(n, replicates int, seed uint64, statistic func(index []int) (float64, bool)) []float64 {
	if n == 0 {
		return nil
	}
	generator := SplitMix64(seed)
	index := make([]int, n)
	values := make([]float64, 0, replicates)
	for range replicates {
		for k := range index {
			index[k] = int(generator.Uint64() % uint64(n))
		}
		if v, ok := statistic(index); ok {
			values = append(values, v)
		}
	}
	return values
}

// BootstrapCounts draws the same resamples as Bootstrap of rows that fall into cells (cell[i] < cells) and shows how many
// of each resample's rows fall into each: all that a statistic of counts needs, at about 5 ns a draw. The
// counts are reused: visit must not keep them.
func BootstrapCounts(cell []uint16, cells, replicates int, seed uint64, visit func(counts []int)) {
	if len(cell) == 0 {
		return
	}
	generator := SplitMix64(seed)
	n := uint64(len(cell))
	counts := make([]int, cells)
	for range replicates {
		clear(counts)
		for range cell {
			counts[cell[generator.Uint64()%n]]++
		}
		visit(counts)
	}
}

// leastReplicates is how many resamples must give a value before their quantiles are taken for an interval: below
// it, a 95 % interval would rest on fewer than three values at each end.
const leastReplicates = 100

// PercentileInterval is the interval between the (1-level)/2 and (1+level)/2 quantiles of bootstrap values (Efron and
// Tibshirani, 1993, section 13.3). It is an error when fewer than 100 resamples gave a value.
func PercentileInterval(values []float64, level float64) (low, high float64, err error) {
	if len(values) < leastReplicates {
		return 0, 0, fmt.Errorf("only %d resamples gave a value; expected at least %d", len(values), leastReplicates)
	}
	sorted := slices.Sorted(slices.Values(values))
	tail := (1 - level) / 2
	return quantile(sorted, tail), quantile(sorted, 1-tail), nil
}

// quantile interpolates linearly between order statistics (type 7 of Hyndman and Fan, 1996).
func quantile(sorted []float64, p float64) float64 {
	h := p * float64(len(sorted)-1)
	i := int(h)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (h-float64(i))*(sorted[i+1]-sorted[i])
}
