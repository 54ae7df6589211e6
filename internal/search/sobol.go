package search

// direction is what makes one dimension of a Sobol sequence: a primitive polynomial modulo 2 of degree len(m), whose inner
// coefficients are the bits of a, and the first direction numbers m.
type direction struct {
	a uint32
	m []uint32
}

// directions are for the dimensions from the second on; the first is van der Corput's sequence. The numbers are those of
// new-joe-kuo-6.21201 by S. Joe and F. Y. Kuo: "Constructing Sobol sequences with better two-dimensional projections",
// SIAM J. Sci. Comput. 30, 2635-2654 (2008), https://web.maths.unsw.edu.au/~fkuo/sobol/.
var directions = []direction{
	{0, []uint32{1}},
	{1, []uint32{1, 3}},
	{1, []uint32{1, 3, 1}},
	{2, []uint32{1, 1, 1}},
	{1, []uint32{1, 1, 3, 3}},
	{4, []uint32{1, 3, 5, 13}},
	{2, []uint32{1, 1, 5, 5, 17}},
	{4, []uint32{1, 1, 5, 5, 5}},
	{7, []uint32{1, 1, 7, 11, 19}},
	{11, []uint32{1, 1, 5, 1, 1}},
	{13, []uint32{1, 1, 1, 3, 11}},
	{14, []uint32{1, 3, 5, 5, 31}},
	{1, []uint32{1, 3, 3, 9, 7, 49}},
	{13, []uint32{1, 1, 1, 15, 21, 21}},
	{16, []uint32{1, 3, 1, 13, 27, 49}},
	{19, []uint32{1, 1, 1, 15, 7, 5}},
	{22, []uint32{1, 3, 1, 15, 13, 25}},
	{25, []uint32{1, 1, 5, 5, 19, 61}},
	{1, []uint32{1, 3, 7, 11, 23, 15, 103}},
}

const sobolBits = 32

// sobol is Sobol's sequence, which fills the cube evenly at any number of trials, best at powers of 2. It is scrambled by
// nested uniform permutations of binary digits (Owen 1995, "Randomly permuted (t,m,s)-nets and (t,s)-sequences"): each
// point is uniform on its own, and the evenness of the sequence stays.
type sobol struct {
	seed    int64
	vectors [][sobolBits]uint32 // by axis; highest bit first
}

func newSobol(seed int64, axes int) sobol {
	s := sobol{seed: seed, vectors: make([][sobolBits]uint32, axes)}
	for j := range s.vectors {
		v := &s.vectors[j]
		if j == 0 {
			for k := range v {
				v[k] = 1 << (sobolBits - 1 - k)
			}
			continue
		}
		d := directions[j-1]
		degree := len(d.m)
		for k := range v {
			if k < degree {
				v[k] = d.m[k] << (sobolBits - 1 - k)
				continue
			}
			v[k] = v[k-degree] ^ v[k-degree]>>degree
			for i := 1; i < degree; i++ {
				v[k] ^= d.a >> (degree - 1 - i) & 1 * v[k-i]
			}
		}
	}
	return s
}

func (s sobol) point(t Trial) []float64 {
	p := make([]float64, len(s.vectors))
	for j := range p {
		p[j] = (float64(s.scramble(j, s.plain(j, uint32(t-1)))) + 0.5) / (1 << sobolBits)
	}
	return p
}

// plain is coordinate j of the unscrambled sequence at an index from 0, in the order of the Gray code (Antonov and Saleev
// 1979), times 2^32.
func (s sobol) plain(j int, index uint32) uint32 {
	var x uint32
	gray := index ^ index>>1
	for k := 0; gray != 0; k, gray = k+1, gray>>1 {
		x ^= gray & 1 * s.vectors[j][k]
	}
	return x
}

// scramble flips every binary digit, or not, by a coin that belongs to the digits before it.
func (s sobol) scramble(j int, x uint32) uint32 {
	var flips uint32
	for k := range sobolBits {
		before := uint64(x) >> (sobolBits - k)
		coin := drawsFor(s.seed, forSobol, uint64(j), uint64(k), before)
		flips |= uint32(coin.next()>>63) << (sobolBits - 1 - k)
	}
	return x ^ flips
}
