package stats

import (
	"math"
	"math/bits"
)

// multinomial draws n rows with replacement from rows of which counts[k] are in cell k, n = sum of counts, and writes how many
// of them fall into each cell: one binomial draw for each cell, from the rows left to the cells after it.
func multinomial(counts []int, n int, drawn []int, generator *SplitMix64) {
	left, rows := n, n
	for k, c := range counts {
		drawn[k] = binomial(left, float64(c)/float64(rows), generator)
		left -= drawn[k]
		if rows -= c; rows == 0 {
			clear(drawn[k+1:])
			return
		}
	}
}

// binomial draws from the binomial distribution of n trials with probability p: by inversion where few successes are expected
// (algorithm BINV of Kachitvichyanukul and Schmeiser, 1988), otherwise by transformed rejection (algorithm BTRS of Hoermann,
// 1993, "The generation of binomial random variates").
func binomial(n int, p float64, generator *SplitMix64) int {
	switch {
	case n == 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - binomial(n, 1-p, generator)
	case float64(n)*p < 10:
		return binomialByInversion(n, p, generator)
	}
	size := float64(n)
	spread := math.Sqrt(size * p * (1 - p))
	b := 1.15 + 2.53*spread
	a := -0.0873 + 0.0248*b + 0.01*p
	centre := size*p + 0.5
	squeeze := 0.92 - 4.2/b
	alpha := (2.83 + 5.1/b) * spread
	mode := math.Floor((size + 1) * p)
	odds := p / (1 - p)
	above := size - mode + 1
	// The part of the logarithm of P(k)/P(mode) that does not depend on k.
	constant := math.NaN()
	for {
		u, v := uniform(generator)-0.5, uniform(generator)
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + centre)
		if us >= 0.07 && v <= squeeze {
			return int(k)
		}
		if !(k >= 0 && k <= size) {
			continue
		}
		if math.IsNaN(constant) {
			constant = (mode+0.5)*math.Log((mode+1)/(odds*above)) + factorialError(mode) + factorialError(size-mode)
		}
		rest := size - k + 1
		logRatio := constant + (size+1)*math.Log(above/rest) + (k+0.5)*math.Log(rest*odds/(k+1)) - factorialError(k) - factorialError(size-k)
		if math.Log(v*alpha/(a/(us*us)+b)) <= logRatio {
			return int(k)
		}
	}
}

// factorialError is ln k! less Stirling's (k+1/2) ln(k+1) - (k+1) + ln(2 pi)/2.
func factorialError(k float64) float64 {
	if k < 10 {
		return factorialErrors[int(k)]
	}
	zz := (k + 1) * (k + 1)
	return (1./12 - (1./360-1./1260/zz)/zz) / (k + 1)
}

var factorialErrors = func() (e [10]float64) {
	for k := range e {
		g, _ := math.Lgamma(float64(k) + 1)
		z := float64(k) + 1
		e[k] = g - (z-0.5)*math.Log(z) + z - math.Log(2*math.Pi)/2
	}
	return e
}()

func binomialByInversion(n int, p float64, generator *SplitMix64) int {
	odds := p / (1 - p)
	probability := math.Exp(float64(n) * math.Log1p(-p))
	u := uniform(generator)
	for k := 0; k < n; k++ {
		if u < probability {
			return k
		}
		u -= probability
		probability *= float64(n-k) / float64(k+1) * odds
		if probability == 0 {
			return k
		}
	}
	return n
}

// uniform is a number in [0, 1) with 53 random bits.
func uniform(generator *SplitMix64) float64 { return float64(generator.Uint64()>>11) * 0x1p-53 }

// below is a number in 0..n-1 by the high word of a product (Lemire, 2019), whose bias is at most n/2^64.
func below(generator *SplitMix64, n int) uint64 {
	high, _ := bits.Mul64(generator.Uint64(), uint64(n))
	return high
}

// block is how many rows are drawn from at a time: few enough for their counters to stay in the processor's nearest cache.
const block = 4096

// sumDrawer adds up rows drawn with replacement; it belongs to one goroutine.
type sumDrawer struct {
	rows  []float64
	width int
	times [block]int32
	sums  []float64
}

// draw draws as many rows as there are and returns their sums, which the next call overwrites. How many come from
// each block of rows is drawn first, which leaves the distribution as it is and keeps the reads of a large sample in order.
func (d *sumDrawer) draw(generator *SplitMix64) []float64 {
	clear(d.sums)
	n := len(d.rows) / d.width
	left := n
	state := *generator
	for first := 0; first < n; first += block {
		size := min(block, n-first)
		draws := binomial(left, float64(size)/float64(n-first), &state)
		left -= draws
		times := d.times[:size]
		clear(times)
		for range draws {
			times[below(&state, size)]++
		}
		d.add(d.rows[first*d.width:(first+size)*d.width], times)
	}
	*generator = state
	return d.sums
}

// add adds each row as often as it was drawn.
func (d *sumDrawer) add(rows []float64, times []int32) {
	if d.width == 1 {
		sum := 0.0
		for i, t := range times {
			sum += float64(t) * rows[i]
		}
		d.sums[0] += sum
		return
	}
	for i, t := range times {
		row := rows[i*d.width : (i+1)*d.width]
		sums := d.sums[:len(row)]
		for j, v := range row {
			sums[j] += float64(t) * v
		}
	}
}

func addTo(sums, row []float64) {
	for j, v := range row {
		sums[j] += v
	}
}
