package drift

import (
	"math"
	"sort"
)

// steps is the empirical distribution of a reference column: cumulative[i] reference values are at most values[i].
// values ascend strictly, cumulative does not fall. When complete, every distinct reference value is listed; otherwise some lie between two listed ones.
type steps struct {
	values     []float64
	cumulative []int64
	complete   bool
}

func (s steps) n() int64 { return s.cumulative[len(s.cumulative)-1] }

// atMost is the number of reference values at most x; exact for listed values, and for any x when complete.
func (s steps) atMost(x float64) int64 {
	i := sort.Search(len(s.values), func(i int) bool { return s.values[i] > x })
	if i == 0 {
		return 0
	}
	return s.cumulative[i-1]
}

// ranked is the reference value of a rank, from 0; the listed value at or above it when the list is not complete.
func (s steps) ranked(rank int64) float64 {
	i := sort.Search(len(s.cumulative), func(i int) bool { return s.cumulative[i] > rank })
	return s.values[min(i, len(s.values)-1)]
}

// withEdges lists the edges too, so that one count of the current values serves both the test and the bins.
func (s steps) withEdges(es []float64) steps {
	all := steps{complete: s.complete}
	for i, v := range s.values {
		for len(es) > 0 && es[0] < v {
			all.values, all.cumulative = append(all.values, es[0]), append(all.cumulative, s.atMost(es[0]))
			es = es[1:]
		}
		if len(es) > 0 && es[0] == v {
			es = es[1:]
		}
		all.values, all.cumulative = append(all.values, v), append(all.cumulative, s.cumulative[i])
	}
	return all
}

// tally counts current values against a reference's listed values, without sorting them.
type tally struct {
	below []int64 // by listed value: current values between the one before and this one, both excluded; then those above the last
	equal []int64 // by listed value: current values equal to it
	n     int64   // current values present
}

func count(ref steps, xs []float64) tally {
	t := tally{below: make([]int64, len(ref.values)+1), equal: make([]int64, len(ref.values))}
	for _, x := range xs {
		if x != x {
			continue
		}
		t.n++
		i := firstFrom(ref.values, x)
		if i < len(ref.values) && ref.values[i] == x {
			t.equal[i]++
			continue
		}
		t.below[i]++
	}
	return t
}

// firstFrom is the first index whose value is at least x. Millions of values are looked up, in random order: the one
// assignment in the loop compiles to a conditional move, where the library's search would mispredict every other branch.
func firstFrom(values []float64, x float64) int {
	low, n := 0, len(values)
	for n > 1 {
		half := n / 2
		next := low + half
		if values[next-1] < x {
			low = next
		}
		n -= half
	}
	if n == 1 && values[low] < x {
		low++
	}
	return low
}

// kolmogorovSmirnov is D, the largest distance between the two empirical distribution functions. When the reference's list is
// not complete it is the largest distance at a listed value: never more than D, so that a test on it errs to the side of
// no alarm, and less by at most the share of the reference between two listed values.
func kolmogorovSmirnov(ref steps, t tally) float64 {
	m, n := float64(ref.n()), float64(t.n)
	d, refBefore, cur := 0.0, int64(0), int64(0)
	for i := range ref.values {
		cur += t.below[i]
		if ref.complete {
			d = max(d, math.Abs(float64(refBefore)/m-float64(cur)/n))
		}
		cur += t.equal[i]
		d = max(d, math.Abs(float64(ref.cumulative[i])/m-float64(cur)/n))
		refBefore = ref.cumulative[i]
	}
	return d
}

// kolmogorovP is the limiting two-sided p-value Q(sqrt(mn/(m+n)) D), Q(x) = 2 sum (-1)^(k-1) exp(-2 k^2 x^2) (Smirnov, 1948,
// "Table for estimating the goodness of fit of empirical distributions", Annals of Mathematical Statistics 19, 279-281).
// For finite samples it is larger than the exact p-value wherever that is below 0.05, and larger still with ties.
func kolmogorovP(m, n int64, d float64) float64 {
	x := d * math.Sqrt(float64(m)*(float64(n)/float64(m+n)))
	if x < 0.2 {
		return 1 // Q(0.2) is 1 to double precision
	}
	sum := 0.0
	for k, sign := 1, 1.0; k <= 100; k, sign = k+1, -sign {
		term := math.Exp(-2 * float64(k*k) * x * x)
		sum += sign * term
		if term < sum*1e-17 {
			break
		}
	}
	return min(max(2*sum, 0), 1)
}

const psiBins = 10

// edges are the reference's deciles without repeats (linear interpolation between order statistics, type 7 of Hyndman and
// Fan, 1996); bins are (-inf, e1], (e1, e2], ..., (ek, inf). An incomplete reference gives listed values instead, since only
// there is its count known.
func edges(ref steps) []float64 {
	var es []float64
	for i := 1; i < psiBins; i++ {
		at := float64(ref.n()-1) * (float64(i) / psiBins)
		low := math.Floor(at)
		e := ref.ranked(int64(low))
		if frac := at - low; ref.complete && frac > 0 {
			if above := ref.ranked(int64(low) + 1); above > e {
				e += frac * (above - e)
			}
		}
		if len(es) == 0 || e > es[len(es)-1] {
			es = append(es, e)
		}
	}
	return es
}

// binned counts both samples in the bins of the edges, each of which the reference lists.
func binned(ref steps, t tally, es []float64) []cell {
	cells := make([]cell, 0, len(es)+1)
	var upTo, before cell
	for i, v := range ref.values {
		upTo.ref = ref.cumulative[i]
		upTo.cur += t.below[i] + t.equal[i]
		if len(cells) < len(es) && v == es[len(cells)] {
			cells = append(cells, cell{upTo.ref - before.ref, upTo.cur - before.cur})
			before = upTo
		}
	}
	return append(cells, cell{ref.n() - before.ref, t.n - before.cur})
}

// emptyShare stands for a share of 0 in the PSI, whose logarithm would be infinite.
const emptyShare = 1e-4

// psi is the population stability index, sum (q-p) ln(q/p) over cells, p and q the shares in reference and current sample
// (Siddiqi, 2006, Credit Risk Scorecards). Without drift it is about (K-1)(1/m + 1/n), which at 50 rows and ten bins
// is 0.18, above the usual thresholds: it describes, and decides nothing here.
func psi(cells []cell) float64 {
	ref, cur := sums(cells)
	sum := 0.0
	for _, c := range cells {
		p, q := float64(c.ref)/float64(ref), float64(c.cur)/float64(cur)
		if p == 0 {
			p = emptyShare
		}
		if q == 0 {
			q = emptyShare
		}
		sum += (q - p) * math.Log(q/p)
	}
	return sum
}
