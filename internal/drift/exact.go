package drift

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mathext"
)

// cell is one row of a 2 x K table: how often a value occurs in the reference and in the current sample.
type cell struct{ ref, cur int64 }

func (c cell) total() int64 { return c.ref + c.cur }

func sums(cells []cell) (ref, cur int64) {
	for _, c := range cells {
		ref += c.ref
		cur += c.cur
	}
	return ref, cur
}

// chiSquare is Pearson's statistic of a 2 x K table without continuity correction. Both samples and all cells must be non-empty.
func chiSquare(cells []cell) float64 {
	ref, cur := sums(cells)
	n := float64(ref + cur)
	x := 0.0
	for _, c := range cells {
		x += distance(float64(c.cur), float64(c.total()), float64(cur), n)
	}
	return x
}

// distance is what a cell of c rows adds to the statistic when o of them fall into the sample of size d out of n:
// the two rows' (o-e)^2/e together, which is (o-e)^2 n^2 / (c d (n-d)).
func distance(o, c, d, n float64) float64 {
	off := o - c*(d/n)
	return off * off * (n / d) * (n / (n - d)) / c
}

// chiSquareTail is the upper tail of the chi-square distribution with df degrees of freedom.
func chiSquareTail(x float64, df int) float64 {
	if x <= 0 {
		return 1
	}
	return mathext.GammaIncRegComp(float64(df)/2, x/2)
}

const (
	// ample is the expected count from which on the chi-square distribution is trusted for a cell. The usual five is a
	// rule for levels near 0.05. At the levels that a correction over 30 columns leaves, about 3e-4, a table whose cells
	// expect five rows exceeds its level two- to fourfold.
	ample = 50
	// resolution is the number of steps into which the statistic is cut; a step is rounded up, which errs to the side of no alarm.
	resolution = 1024
	// negligible is probability that is not followed further; it is counted as if it exceeded the statistic.
	negligible = 1e-13
	// plain is the chi-square p-value from which on it is given as it is: no correction makes an alarm of it.
	plain = 0.3
)

// chiSquareP is the probability, were both samples from one distribution, of a statistic at least as large as the table's,
// given the table's margins. Under that condition the current counts are multivariate hypergeometric.
//
// Two cells: exact, by summing both tails. More cells: exact for those that expect fewer than ample rows, by recursion over
// cells on (rows used so far, statistic so far); the others together count as one more cell of that recursion, and the
// statistic within them, which is independent of it in the limit, as chi-square (the partition of Pearson's statistic, e.g. Agresti,
// Categorical Data Analysis, 3rd ed., section 3.3.3). Without cells that expect fewer than ample
// rows, and where the p-value is far from any alarm, this is the usual chi-square test.
func chiSquareP(cells []cell) float64 {
	ref, cur := sums(cells)
	// The statistic is symmetric in the two samples; following the smaller one keeps the counts small.
	draws, n := min(ref, cur), ref+cur
	t := chiSquare(cells)
	if t <= 0 {
		return 1
	}
	if len(cells) == 2 {
		return twoCellsP(cells[0].total(), draws, n, t)
	}
	totals := make([]int64, len(cells))
	for i, c := range cells {
		totals[i] = c.total()
	}
	slices.Sort(totals)
	rare := 0
	for rare < len(totals) && float64(totals[rare])*float64(draws)/float64(n) < ample {
		rare++
	}
	if p := chiSquareTail(t, len(cells)-1); rare == 0 || p > plain {
		return p
	}
	within := max(len(totals)-rare-1, 0) // degrees of freedom within the ample cells
	r := newRecursion(draws, n, t)
	for _, c := range totals[:min(rare, len(totals)-1)] {
		r.cell(c)
	}
	return r.finish(within)
}

// twoCellsP is the tail for a cell of c rows against the rest.
func twoCellsP(c, draws, n int64, t float64) float64 {
	e := float64(c) * (float64(draws) / float64(n))
	// Both cells are off by the same number of rows. The slack keeps rounding from leaving out the observed table.
	unit := distance(e+1, float64(c), float64(draws), float64(n)) * (float64(n) / float64(n-c))
	off := math.Sqrt(t / unit)
	off -= 1e-9 * (1 + off)
	h := hypergeometric{draws: draws, marked: c, n: n}
	p := h.tail(int64(math.Ceil(e+off)), 1) + h.tail(int64(math.Floor(e-off)), -1)
	return min(p, 1)
}

// hypergeometric is the number of marked rows among draws rows taken from n rows, of which marked are marked.
type hypergeometric struct{ draws, marked, n int64 }

func (h hypergeometric) least() int64 { return max(0, h.draws+h.marked-h.n) }
func (h hypergeometric) most() int64  { return min(h.draws, h.marked) }

// mode is a value of largest probability.
func (h hypergeometric) mode() int64 {
	m := int64((float64(h.draws) + 1) * ((float64(h.marked) + 1) / (float64(h.n) + 2)))
	return min(max(m, h.least()), h.most())
}

func (h hypergeometric) at(o int64) float64 {
	if o < h.least() || o > h.most() {
		return 0
	}
	return math.Exp(logChoose(h.marked, o) + logChoose(h.n-h.marked, h.draws-o) - logChoose(h.n, h.draws))
}

// up is at(o+1) / at(o).
func (h hypergeometric) up(o int64) float64 {
	return float64(h.marked-o) / float64(o+1) * (float64(h.draws-o) / float64(h.n-h.marked-h.draws+o+1))
}

// tail sums probabilities from a value outwards, up or down.
func (h hypergeometric) tail(from, direction int64) float64 {
	if direction > 0 && from <= h.least() || direction < 0 && from >= h.most() {
		return 1
	}
	p := h.at(from)
	sum := p
	for o := from; p > sum*1e-17; o += direction {
		if direction > 0 {
			p *= h.up(o)
		} else if o > h.least() {
			p /= h.up(o - 1)
		} else {
			break
		}
		sum += p
	}
	return sum
}

// around gives the probabilities that are not below least, starting with that of first.
func (h hypergeometric) around(least float64) (first int64, p []float64) {
	mode := h.mode()
	peak := h.at(mode)
	for q, o := peak, mode; o > h.least(); o-- {
		if q /= h.up(o - 1); q < least {
			break
		}
		p = append(p, q)
	}
	slices.Reverse(p)
	first = mode - int64(len(p))
	p = append(p, peak)
	for q, o := peak, mode; o < h.most(); o++ {
		if q *= h.up(o); q < least {
			break
		}
		p = append(p, q)
	}
	return first, p
}

func logChoose(n, k int64) float64 {
	a, _ := math.Lgamma(float64(n) + 1)
	b, _ := math.Lgamma(float64(k) + 1)
	c, _ := math.Lgamma(float64(n-k) + 1)
	return a - b - c
}

// recursion follows the distribution of (rows used by the cells so far, statistic so far).
type recursion struct {
	draws, n, left int64       // rows in the sample, in all, in the cells still to come
	t, step        float64     // observed statistic, width of one cut of it
	rows           [][]float64 // by rows used: probability by statistic, in steps; nil where negligible
	exceeded       float64     // probability that the statistic has reached t
}

func newRecursion(draws, n int64, t float64) *recursion {
	r := &recursion{draws: draws, n: n, left: n, t: t, step: t / resolution}
	r.rows = [][]float64{make([]float64, resolution)}
	r.rows[0][0] = 1
	return r
}

// cell takes one more cell of c rows.
func (r *recursion) cell(c int64) {
	next := make([][]float64, min(int64(len(r.rows))+c, r.draws+1))
	for used, row := range r.rows {
		mass := floats.Sum(row)
		if mass < negligible {
			r.exceeded += mass
			continue
		}
		first, ps := hypergeometric{draws: r.draws - int64(used), marked: c, n: r.left}.around(negligible / mass)
		followed := 0.0
		for i, p := range ps {
			o := first + int64(i)
			followed += p
			to := &next[int64(used)+o]
			if *to == nil {
				*to = make([]float64, resolution)
			}
			r.move(*to, row, p, r.shift(distance(float64(o), float64(c), float64(r.draws), float64(r.n))))
		}
		r.exceeded += mass * max(1-followed, 0)
	}
	r.rows, r.left = next, r.left-c
}

func (r *recursion) shift(x float64) int {
	// The slack keeps rounding from pushing a sum that equals t by one step too little; ceil only errs upwards.
	s := math.Ceil(x/r.step*(1+1e-12) - 1e-9)
	return int(min(s, resolution))
}

func (r *recursion) move(to, from []float64, p float64, shift int) {
	kept := resolution - shift
	floats.AddScaled(to[shift:], p, from[:kept])
	r.exceeded += p * floats.Sum(from[kept:])
}

// finish gives the rest of the rows to what is left, as one cell with the given degrees of freedom within it.
func (r *recursion) finish(within int) float64 {
	for used, row := range r.rows {
		if row == nil {
			continue
		}
		last := distance(float64(r.draws-int64(used)), float64(r.left), float64(r.draws), float64(r.n))
		for i, q := range row {
			if q == 0 {
				continue
			}
			at := float64(i)*r.step + last
			switch {
			case at >= r.t*(1-1e-9):
				r.exceeded += q
			case within > 0:
				r.exceeded += q * chiSquareTail(r.t-at, within)
			}
		}
	}
	return min(r.exceeded, 1)
}
