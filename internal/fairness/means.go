package fairness

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

const (
	// MethodMaxT is the interval of each group's mean whose critical values are quantiles of the largest studentised deviation of all
	// groups in resamples, one for each end (Efron and Tibshirani, 1993, section 12.5; Westfall and Young, 1993, section 2.3), and
	// no smaller than Student's at the level^(1/k) of k groups. The RMSE's standard error is the mean square's over twice the RMSE.
	MethodMaxT = "bootstrap_max_t"
	// MethodMaxTPairs is the same for the differences of all ordered pairs of groups, no smaller than Student's with the tail
	// divided by their number and the degrees of freedom of Welch (1947).
	MethodMaxTPairs = "bootstrap_max_t_pairs"
	// MethodStudentSidak is Student's interval at the level^(1/k) of k groups: of groups with too few rows to be resampled.
	MethodStudentSidak = "student_t_sidak"
)

// meanGroup is one group's measures with their standard errors.
type meanGroup struct {
	rows  []numberRow
	large bool
	value numberRow
	se    numberRow // 0: unknown
}

// measured is the measures of rows with standard errors, from their sums about a centre, which leaves squares small.
func measured(n float64, sum, squares *numberRow, centre numberRow) (value, se numberRow) {
	for at := range numberMeasures {
		mean := sum[at] / n
		value[at] = centre[at] + mean
		if n > 1 {
			se[at] = math.Sqrt(max(squares[at]/n-mean*mean, 0) / (n - 1))
		}
	}
	root := math.Sqrt(max(value[atRMSE], 0))
	if root > 0 {
		se[atRMSE] /= 2 * root
	}
	value[atRMSE] = root
	return value, se
}

func meansOf(rows []numberRow, large bool) meanGroup {
	g := meanGroup{rows: rows, large: large}
	n := float64(len(rows))
	var centre, sum, squares numberRow
	for _, r := range rows {
		for at, v := range r {
			centre[at] += v / n
		}
	}
	for i, r := range rows {
		for at, v := range r {
			g.rows[i][at] = v - centre[at]
			sum[at] += g.rows[i][at]
			squares[at] += g.rows[i][at] * g.rows[i][at]
		}
	}
	g.value, g.se = measured(n, &sum, &squares, centre)
	for at := range numberMeasures {
		// What rounding leaves of equal values is no spread.
		if g.se[at] <= 1e-12*math.Abs(g.value[at]) {
			g.se[at] = 0
		}
	}
	return g
}

// criticalValues is how many standard errors the limits lie off: below and above a group's own value, and below a difference.
type criticalValues struct{ below, above, pairs float64 }

// Groups of more rows than this are near enough to normal that their resamples are drawn as such; more groups than this are
// compared by Student's distribution alone. Both keep the time of 2,000 resamples within a few seconds.
const (
	mostResampledOfGroup = 1000
	mostResampledGroups  = 60
)

// resampleMeans gives the critical values of each measure; zeros where there are too few groups or too many.
func resampleMeans(groups []meanGroup, q Question) (out [numberMeasures]criticalValues) {
	var of []int
	for k, g := range groups {
		if g.large {
			of = append(of, k)
		}
	}
	if len(of) == 0 || len(of) > mostResampledGroups {
		return out
	}
	sources := make([]*rand.Rand, len(of))
	for i := range of {
		sources[i] = rand.New(rand.NewPCG(q.Seed, uint64(i)))
	}
	var below, above, pairs [numberMeasures][]float64
	value, se := make([]numberRow, len(of)), make([]numberRow, len(of))
	for range q.Replicates {
		for i, k := range of {
			value[i], se[i] = groups[k].resample(sources[i])
		}
		for at := range numberMeasures {
			b, a, p := math.Inf(-1), math.Inf(-1), math.Inf(-1)
			for i, k := range of {
				if groups[k].se[at] == 0 {
					continue
				}
				d := value[i][at] - groups[k].value[at]
				b, a = max(b, d/se[i][at]), max(a, -d/se[i][at])
				for j, l := range of[:i] {
					if groups[l].se[at] > 0 {
						t := (d - value[j][at] + groups[l].value[at]) / math.Hypot(se[i][at], se[j][at])
						p = max(p, math.Abs(t))
					}
				}
			}
			below[at], above[at], pairs[at] = append(below[at], b), append(above[at], a), append(pairs[at], p)
		}
	}
	// Small groups have Student's limits, so that the resampled ones must hold together at their part of the level.
	tail := shortTail * sidakTail(math.Pow(q.Level, float64(len(of))/float64(len(groups))), 1)
	for at := range numberMeasures {
		out[at] = criticalValues{upperQuantile(below[at], tail), upperQuantile(above[at], tail), upperQuantile(pairs[at], shortTail*(1-q.Level)/2)}
	}
	return out
}

// upperQuantile is the smallest value that no more than the share tail of all values reaches, less one for the value to come.
func upperQuantile(values []float64, tail float64) float64 {
	slices.Sort(values)
	beyond := int(tail*float64(len(values)+1)) - 1
	return max(values[len(values)-1-max(beyond, 0)], 0)
}

// shortTail is the part of a tail at which the resamples' quantile is taken, since resamples of a few skewed rows vary less than
// new rows would. It was set by simulation: for five groups of 40 to 300 rows with an exponential target, half of the tail told
// alike groups apart about as often as stated, which leaves nothing to spare. With a third, 2,500 such worlds miss some group's RMSE
// in 3 per cent at the level 0.95, nearly always by an upper end that is too low, and other means in 2.
const shortTail = 1. / 3

// leastSpread of a group's standard error is what a resample's is taken to be at least: rows that hardly vary give none.
const leastSpread = 0.1

func (g meanGroup) resample(r *rand.Rand) (value, se numberRow) {
	n := len(g.rows)
	if n > mostResampledOfGroup {
		for at := range numberMeasures {
			value[at] = g.value[at] + r.NormFloat64()*g.se[at]
		}
		return value, g.se
	}
	var sum, squares numberRow
	for range n {
		row := &g.rows[r.IntN(n)]
		for at, v := range row {
			sum[at] += v
			squares[at] += v * v
		}
	}
	centre := g.value
	centre[atRMSE] *= centre[atRMSE]
	value, se = measured(float64(n), &sum, &squares, centre)
	for at := range numberMeasures {
		se[at] = max(se[at], leastSpread*g.se[at])
	}
	return value, se
}

const (
	noSpread = "all values of a group are equal or there is only one, so the spread is unknown"
)

// floor is the least value of a measure: of absolute errors it is 0.
func floor(at int) float64 {
	if at >= atRMSE-1 {
		return 0
	}
	return math.Inf(-1)
}

func (g meanGroup) estimate(at, k int, c criticalValues, level float64) stats.Estimate {
	n := len(g.rows)
	if g.se[at] == 0 {
		return stats.NoValue(level, n, noSpread)
	}
	least := stats.StudentQuantileTail(float64(n-1), sidakTail(level, k))
	e := stats.Estimate{Value: g.value[at], Level: level, Method: MethodStudentSidak, N: n}
	if g.large && c.below > 0 {
		e.Method = MethodMaxT
	} else {
		c = criticalValues{}
	}
	e.Low = max(e.Value-max(c.below, least)*g.se[at], floor(at))
	e.High = e.Value + max(c.above, least)*g.se[at]
	return e
}

// welch is the difference a - b with its standard error and degrees of freedom (Welch, 1947).
func welch(a, b meanGroup, at int) (value, se, freedom float64) {
	u, v := a.se[at]*a.se[at], b.se[at]*b.se[at]
	freedom = (u + v) * (u + v) / (u*u/float64(len(a.rows)-1) + v*v/float64(len(b.rows)-1))
	return a.value[at] - b.value[at], math.Sqrt(u + v), freedom
}

// differenceOfMeans is one of so many differences that hold together.
func differenceOfMeans(a, b meanGroup, at, many int, c criticalValues, level float64) stats.Estimate {
	n := len(a.rows) + len(b.rows)
	if a.se[at] == 0 || b.se[at] == 0 {
		return stats.NoValue(level, n, noSpread)
	}
	value, se, freedom := welch(a, b, at)
	critical := stats.StudentQuantileTail(freedom, (1-level)/2/float64(many))
	if a.large && b.large {
		critical = max(critical, c.pairs)
	}
	return stats.Estimate{Value: value, Low: value - critical*se, High: value + critical*se, Level: level, Method: MethodMaxTPairs, N: n}
}

// gapOfMeans is the largest value minus the smallest. The limit towards equality holds for all ordered pairs together, the one
// away from it is the outermost of single pairs; see GapOfShares.
func (d division) gapOfMeans(groups []meanGroup, at int, name string, c criticalValues, level float64) Gap {
	out := Gap{Name: name + "_difference", Rate: name}
	var of []int
	n := 0
	for k, g := range groups {
		switch {
		case g.se[at] == 0:
			out.LeftOut = append(out.LeftOut, d.groupName(k))
		case g.large:
			of, n = append(of, k), n+len(g.rows)
		}
	}
	if len(of) < 2 {
		out.Rate, out.Estimate = "", stats.NoValue(level, n, noGroupIsLargeEnoughReason)
		return out
	}
	tail := (1 - level) / 2
	e := stats.Estimate{Level: level, Method: MethodMaxTPairs, N: n}
	// Welch's degrees of freedom are at least those of the smaller group, so that these bound a pair's quantile from above, and the
	// normal one bounds it from below: most of many pairs cannot move an end, and their own need not be found.
	most := make(map[int]float64, len(of))
	for _, k := range of {
		most[k] = stats.StudentQuantileTail(float64(len(groups[k].rows)-1), tail)
	}
	together := tail / float64(len(of)*(len(of)-1))
	least := max(c.pairs, stats.NormalQuantileTail(together))
	lowest, highest := of[0], of[0]
	for _, i := range of {
		if groups[i].value[at] < groups[lowest].value[at] {
			lowest = i
		}
		if groups[i].value[at] > groups[highest].value[at] {
			highest = i
		}
		for _, j := range of {
			if i == j {
				continue
			}
			value, se, freedom := welch(groups[i], groups[j], at)
			if value-least*se > e.Low {
				all := max(c.pairs, stats.StudentQuantileTail(freedom, together))
				e.Low = max(e.Low, value-all*se)
			}
			if value+max(most[i], most[j])*se > e.High {
				e.High = max(e.High, value+stats.StudentQuantileTail(freedom, tail)*se)
			}
		}
	}
	e.Value = groups[highest].value[at] - groups[lowest].value[at]
	out.Estimate, out.Highest, out.Lowest = e, d.groupName(highest), d.groupName(lowest)
	return out
}
