package fairness

import (
	"strings"

	"github.com/assay-ml/assay/internal/stats"
)

// What a group is compared with.
const (
	AgainstReference = "reference" // the division's reference group
	AgainstBest      = "best"      // the group with the best rate of those with enough rows: the largest, or the smallest of fpr, fnr, fdr and for
	AgainstOverall   = "overall"   // all rows
)

// Disparity is how far a group's rate lies from another's. A group is not compared with itself.
//
// The ratio is undefined where the other rate is 0.
type Disparity struct {
	Rate       string         `json:"rate"`
	Against    string         `json:"against"`
	Group      string         `json:"group,omitempty"` // the group compared with; empty for all rows
	Difference stats.Estimate `json:"difference"`      // the group's rate minus the other
	Ratio      stats.Estimate `json:"ratio"`           // the group's rate over the other
}

func joined(names []string) string { return strings.Join(names, " & ") }

const zeroToCompareWith = "the rate compared with is zero, so there is no ratio"

// mostComparedAlways is how many groups are compared with the best and with all rows besides the reference: of more the report would be
// megabytes that nobody reads.
const mostComparedAlways = 200

// compare makes the disparities of one rate of all groups.
//
// k-1 comparisons with the reference, and k with all rows, hold together. The best group is found in the same rows, so
// the intervals against it are those of all k(k-1)/2 pairs: whichever group it is, they hold together.
func (d division) compare(r examinedRate, c counts, large []bool, level float64) [][]Disparity {
	out := make([][]Disparity, len(c.n))
	best := bestOf(r, c, large)
	k := c.known
	d.against(out, r, c, d.reference, AgainstReference, (1-level)/2/float64(max(k-1, 1)), level)
	if len(c.n) > mostComparedAlways {
		return out
	}
	if best >= 0 {
		d.against(out, r, c, best, AgainstBest, (1-level)/float64(max(k*(k-1), 2)), level)
	}
	againstOverall(out, r, c, (1-level)/2/float64(max(k, 1)), level)
	return out
}

// bestOf is the first by name of the groups with the best rate; among groups of enough rows, if any has the rate. -1: none has.
func bestOf(r examinedRate, c counts, large []bool) int {
	best := -1
	for _, small := range []bool{false, true} {
		for k := range c.n {
			if c.n[k] == 0 || large[k] == small {
				continue
			}
			if best < 0 {
				best = k
			}
			// Cross products compare shares without rounding.
			a, b := c.successes[k]*c.n[best], c.successes[best]*c.n[k]
			if r.fewer && a < b || !r.fewer && a > b {
				best = k
			}
		}
		if best >= 0 {
			return best
		}
	}
	return best
}

func (d division) against(into [][]Disparity, r examinedRate, c counts, other int, name string, tail, level float64) {
	var b side
	if c.n[other] > 0 {
		b = sideOf(c.successes[other], c.n[other], tail)
	}
	for k := range into {
		if k == other {
			continue
		}
		reason := ""
		switch {
		case c.n[k] == 0:
			reason = r.none
		case c.n[other] == 0:
			reason = "the group compared with has " + r.none
		}
		out := Disparity{Rate: r.name, Against: name, Group: d.groupName(other)}
		n := c.n[k] + c.n[other]
		if reason != "" {
			out.Difference, out.Ratio = stats.NoValue(level, n, reason), stats.NoValue(level, n, reason)
		} else {
			a := sideOf(c.successes[k], c.n[k], tail)
			out.Difference = compared(level, n)(differenceOf(a, b))
			out.Ratio = stats.NoValue(level, n, zeroToCompareWith)
			if b.share > 0 {
				out.Ratio = compared(level, n)(ratioOf(a, b))
			}
		}
		into[k] = append(into[k], out)
	}
}

func compared(level float64, n int) func(value, low, high float64) stats.Estimate {
	return func(value, low, high float64) stats.Estimate {
		return stats.Estimate{Value: value, Low: low, High: high, Level: level, Method: MethodExactSquareAndAdd, N: n}
	}
}

// againstOverall compares each group with all rows, of which it is itself a part of weight w: with the rate g of the group and
// h of the others, g minus the overall rate is (1-w)(g-h), and g over it is 1/(w + (1-w) h/g), which grows with g/h.
func againstOverall(into [][]Disparity, r examinedRate, c counts, tail, level float64) {
	successes, n := 0, 0
	for k := range c.n {
		successes, n = successes+c.successes[k], n+c.n[k]
	}
	for k := range into {
		out := Disparity{Rate: r.name, Against: AgainstOverall}
		switch {
		case c.n[k] == 0:
			out.Difference, out.Ratio = stats.NoValue(level, n, r.none), stats.NoValue(level, n, r.none)
		case c.n[k] == n:
			const alone = "the group is all rows that have the rate"
			out.Difference, out.Ratio = stats.NoValue(level, n, alone), stats.NoValue(level, n, alone)
		default:
			w := float64(c.n[k]) / float64(n)
			a, b := sideOf(c.successes[k], c.n[k], tail), sideOf(successes-c.successes[k], n-c.n[k], tail)
			value, low, high := differenceOf(a, b)
			out.Difference = compared(level, n)(value*(1-w), low*(1-w), high*(1-w))
			out.Ratio = overallRatio(a, b, w, level, n)
		}
		into[k] = append(into[k], out)
	}
}

func overallRatio(a, b side, w, level float64, n int) stats.Estimate {
	if a.share == 0 && b.share == 0 {
		return stats.NoValue(level, n, zeroToCompareWith)
	}
	toAll := func(toOthers float64) float64 { return toOthers / (w*toOthers + 1 - w) }
	if b.share == 0 {
		// The ratio to the others has no upper limit then, and to all rows it is at most 1/w.
		return compared(level, n)(1/w, toAll(ratioLow(a, b)), 1/w)
	}
	value, low, high := ratioOf(a, b)
	return compared(level, n)(toAll(value), toAll(low), toAll(high))
}
