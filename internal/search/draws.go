package search

import "math/bits"

// purpose keeps the draws for different things apart.
type purpose uint64

const (
	forPoints  purpose = iota + 1 // of method random, and the first ones of tpe
	forSobol                      // scrambling
	forStrata                     // the permutations of a Latin hypercube
	forJitter                     // the place within a stratum
	forParzen                     // candidates of tpe
	forRungs                      // reservoirs of early stopping
	forHistory                    // the reservoir of tpe's observations
)

// draws is a stream of numbers that depends only on the seed and on what it is for, so that none of its state has to be
// kept. The generator is SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"); it is
// written out because a replay needs the same numbers from every future version of the standard library.
type draws uint64

const golden = 0x9E3779B97F4A7C15

// drawsFor is the stream of a seed, a purpose and the numbers of the thing it is for.
func drawsFor(seed int64, p purpose, keys ...uint64) draws {
	h := scatter(uint64(seed) + golden)
	h = scatter(h ^ uint64(p)*golden)
	for _, k := range keys {
		h = scatter(h + golden ^ scatter(k+golden))
	}
	return draws(h)
}

func (d *draws) next() uint64 {
	*d += golden
	return scatter(uint64(*d))
}

// unit is a number from [0, 1).
func (d *draws) unit() float64 { return float64(d.next()>>11) / (1 << 53) }

// below is a whole number from [0, n), n > 0, without bias (Lemire 2019, "Fast Random Integer Generation in an Interval").
func (d *draws) below(n int) int {
	high, low := bits.Mul64(d.next(), uint64(n))
	for low < uint64(n) && low < -uint64(n)%uint64(n) {
		high, low = bits.Mul64(d.next(), uint64(n))
	}
	return int(high)
}

// scatter is the output function of SplitMix64.
func scatter(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	return z ^ (z >> 31)
}
