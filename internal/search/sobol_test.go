package search

import (
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
)

func TestSobolsSequenceIsThePublishedOne(t *testing.T) {
	// The first ten points in three dimensions that Joe and Kuo's own program prints.
	want := [][3]float64{{0, 0, 0}, {0.5, 0.5, 0.5}, {0.75, 0.25, 0.25}, {0.25, 0.75, 0.75}, {0.375, 0.375, 0.625},
		{0.875, 0.875, 0.125}, {0.625, 0.125, 0.875}, {0.125, 0.625, 0.375}, {0.1875, 0.3125, 0.9375}, {0.6875, 0.8125, 0.4375}}
	s := newSobol(0, 3)
	for i, p := range want {
		for j, x := range p {
			require.Equal(t, x, float64(s.plain(j, uint32(i)))/(1<<sobolBits), "coordinate %d of point %d", j, i)
		}
	}
}

func TestDirectionsAreOfPrimitivePolynomialsAndDiffer(t *testing.T) {
	require.Len(t, directions, MostParameters-1)
	seen := map[uint64]bool{}
	for j, d := range directions {
		degree := len(d.m)
		polynomial := 1<<degree | uint64(d.a)<<1 | 1
		require.True(t, primitive(polynomial, degree), "dimension %d", j+2)
		require.False(t, seen[polynomial], "dimension %d", j+2)
		seen[polynomial] = true
		for k, m := range d.m {
			require.Equal(t, uint32(1), m&1, "dimension %d", j+2)
			require.Less(t, m, uint32(1)<<(k+1), "dimension %d", j+2)
		}
	}
}

// Joe and Kuo chose the numbers so that Sobol's property A holds: of the first 2^d points in d dimensions, one lies in each
// of the 2^d boxes that halving every axis makes. It holds where the first digits of the vectors are independent.
func TestHalvingEveryAxisPutsOneSobolPointInEachBox(t *testing.T) {
	s := newSobol(0, MostParameters)
	for axes := 1; axes <= MostParameters; axes++ {
		rows := make([]uint32, axes)
		for j := range rows {
			for k := range axes {
				rows[j] |= s.vectors[j][k] >> (sobolBits - 1) << k
			}
		}
		rank := 0
		for column := range axes { // Gauss, modulo 2
			for i := rank; i < axes; i++ {
				if rows[i]>>column&1 == 0 {
					continue
				}
				rows[rank], rows[i] = rows[i], rows[rank]
				for below := rank + 1; below < axes; below++ {
					rows[below] ^= rows[below] >> column & 1 * rows[rank]
				}
				rank++
				break
			}
		}
		require.Equal(t, axes, rank, "%d axes", axes)
	}
}

// primitive reports whether x generates all nonzero residues of a polynomial modulo 2.
func primitive(polynomial uint64, degree int) bool {
	x, order := uint64(1), 0
	for {
		x <<= 1
		if bits.Len64(x) > degree {
			x ^= polynomial
		}
		order++
		if x <= 1 || order >= 1<<degree {
			return x == 1 && order == 1<<degree-1
		}
	}
}

func TestEveryDyadicIntervalOfEveryAxisHasOneSobolPoint(t *testing.T) {
	for _, seed := range []int64{0, 1, -7} {
		s := newSobol(seed, MostParameters)
		for power := range 11 {
			n := 1 << power
			for block := range 3 { // of the sequence
				seen := map[[2]int]bool{}
				for i := range n {
					for j, u := range s.point(Trial(block*n + i + 1)) {
						seen[[2]int{j, int(u * float64(n))}] = true
					}
				}
				require.Len(t, seen, n*MostParameters, "block %d of %d points", block, n)
			}
		}
	}
}

// The first two axes are a (0,2)-sequence: every box of area 1/n with sides that are powers of 1/2 has one of n points.
func TestTheFirstTwoAxesAreEvenInEveryBox(t *testing.T) {
	const power = 10
	s := newSobol(4, 2)
	for across := range power + 1 {
		seen := map[[2]int]bool{}
		for i := range 1 << power {
			p := s.point(Trial(i + 1))
			box := [2]int{int(p[0] * float64(int(1)<<across)), int(p[1] * float64(int(1)<<(power-across)))}
			require.False(t, seen[box])
			seen[box] = true
		}
	}
}

func TestAScrambledPointIsUniform(t *testing.T) {
	for _, trial := range []Trial{1, 2, 3, 100} {
		var x []float64
		for seed := range int64(4000) {
			x = append(x, newSobol(seed, 3).point(trial)[2])
		}
		requireUniform(t, x, 20)
	}
}

func TestSobolHasLowerDiscrepancyThanRandomPoints(t *testing.T) {
	const axes, repetitions = 4, 30
	for _, n := range []int{32, 100, 256} {
		even, random := make([]float64, repetitions), make([]float64, repetitions)
		for seed := range int64(repetitions) {
			even[seed] = discrepancy(newSobol(seed, axes), n)
			random[seed] = discrepancy(randomly{seed, axes}, n)
		}
		t.Logf("%d points: %.2g against %.2g", n, stat.Mean(even, nil), stat.Mean(random, nil))
		for i := range even {
			require.Less(t, even[i], random[i], "%d points, seed %d", n, i)
		}
		require.Less(t, 3*stat.Mean(even, nil), stat.Mean(random, nil), "%d points", n)
	}
}

// discrepancy is the squared L2-star discrepancy by Warnock's formula (1972).
func discrepancy(s sampler, n int) float64 {
	var points [][]float64
	for i := range n {
		points = append(points, s.point(Trial(i+1)))
	}
	volume := 1.0
	for range points[0] {
		volume /= 3
	}
	one, two := 0.0, 0.0
	for _, p := range points {
		product := 1.0
		for _, x := range p {
			product *= (1 - x*x) / 2
		}
		one += product
		for _, q := range points {
			product := 1.0
			for j := range p {
				product *= 1 - max(p[j], q[j])
			}
			two += product
		}
	}
	return volume - 2*one/float64(n) + two/float64(n*n)
}
