package search

import "math"

// latinHypercube divides every axis into as many strata as there are trials and has one trial in each (McKay, Beckman and
// Conover 1979, "A Comparison of Three Methods for Selecting Values of Input Variables in the Analysis of Output from a
// Computer Code"). The strata of an axis are a random permutation, the place within a stratum is uniform.
type latinHypercube struct {
	seed   int64
	strata [][]int32 // by axis, then by trial
}

func newLatinHypercube(seed int64, axes, trials int) latinHypercube {
	l := latinHypercube{seed: seed, strata: make([][]int32, axes)}
	for j := range l.strata {
		d := drawsFor(seed, forStrata, uint64(j))
		s := make([]int32, trials)
		for i := range s { // Fisher and Yates, from the inside out
			k := d.below(i + 1)
			s[i] = s[k]
			s[k] = int32(i)
		}
		l.strata[j] = s
	}
	return l
}

func (l latinHypercube) point(t Trial) []float64 {
	d := drawsFor(l.seed, forJitter, uint64(t))
	p := make([]float64, len(l.strata))
	for j, s := range l.strata {
		p[j] = min((float64(s[t-1])+d.unit())/float64(len(s)), math.Nextafter(1, 0))
	}
	return p
}
