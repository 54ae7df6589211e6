package fairness

import (
	"cmp"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

// rankedRow is a row in the order of scores.
type rankedRow struct {
	score    float64
	cell     int32
	positive bool
}

// rank orders the rows by their score, once for all divisions.
func (p partition) rank(outcome []uint8, score []float64) []rankedRow {
	out := make([]rankedRow, len(p.cell))
	for i, c := range p.cell {
		out[i] = rankedRow{score[i], c, outcome[i] >= 2}
	}
	slices.SortFunc(out, func(a, b rankedRow) int { return cmp.Compare(a.score, b.score) })
	return out
}

// placed gathers twice the number of the other class's rows that each row of a class beats, about their middle so that squares
// stay small. These are whole numbers, so that rows which are all placed alike are known to be.
type placed struct {
	n           int
	sum         float64
	shifted     float64
	squares     float64
	least, most int
}

func (a *placed) add(value, times, middle int) {
	if times == 0 {
		return
	}
	if a.n == 0 {
		a.least, a.most = value, value
	}
	a.least, a.most = min(a.least, value), max(a.most, value)
	d, t := float64(value-middle), float64(times)
	a.n += times
	a.sum += float64(value) * t
	a.shifted += d * t
	a.squares += d * d * t
}

func (a *placed) variance() float64 {
	if a.n < 2 || a.least == a.most {
		return 0
	}
	n := float64(a.n)
	return max(a.squares-a.shifted*a.shifted/n, 0) / (n - 1)
}

// areaCount is a group's placements.
type areaCount struct {
	positive, negative placed
	below              [2]int // negatives and positives with a lower score
	tied               [2]int // in the block of equal scores
}

// areas walks the ordered rows once, in blocks of equal scores, for all groups of a division.
func areas(rows []rankedRow, of []int32, groups []stats.Confusion) []areaCount {
	out := make([]areaCount, len(groups))
	var touched []int32
	for start := 0; start < len(rows); {
		end := start
		touched = touched[:0]
		for ; end < len(rows) && rows[end].score == rows[start].score; end++ {
			g := of[rows[end].cell]
			a := &out[g]
			if a.tied == [2]int{} {
				touched = append(touched, g)
			}
			if rows[end].positive {
				a.tied[1]++
			} else {
				a.tied[0]++
			}
		}
		for _, g := range touched {
			a := &out[g]
			m, n := groups[g].Positives(), groups[g].Negatives()
			a.positive.add(2*a.below[0]+a.tied[0], a.tied[1], n)
			a.negative.add(2*(m-a.below[1]-a.tied[1])+a.tied[1], a.tied[0], m)
			a.below[0] += a.tied[0]
			a.below[1] += a.tied[1]
			a.tied = [2]int{}
		}
		start = end
	}
	return out
}

func areasKnown(groups []stats.Confusion) int {
	known := 0
	for _, c := range groups {
		if c.Positives() > 0 && c.Negatives() > 0 {
			known++
		}
	}
	return known
}

// fewestForDeLong is the number of rows of the smaller class below which its placements say too little of their variance.
const fewestForDeLong = 10

// areaEstimate is a group's AUC with DeLong's variance (DeLong et al., 1988), see MethodDeLongSidak.
func areaEstimate(a areaCount, c stats.Confusion, known int, level float64) stats.Estimate {
	m, n := c.Positives(), c.Negatives()
	switch {
	case m == 0:
		return stats.NoValue(level, c.N(), truePositive.none)
	case n == 0:
		return stats.NoValue(level, c.N(), falsePositive.none)
	}
	fm, fn := float64(m), float64(n)
	area := a.positive.sum / (2 * fm * fn)
	variance := a.positive.variance()/(4*fn*fn)/fm + a.negative.variance()/(4*fm*fm)/fn
	tail := sidakTail(level, known)
	e := stats.Estimate{Value: area, Level: level, Method: MethodDeLongSidak, N: c.N()}
	if trials := min(m, n); variance == 0 || trials < fewestForDeLong || area <= 0 || area >= 1 {
		// An area is at most as variable as a mean of as many trials as the smaller class has rows (Birnbaum and Klose, 1957).
		whole := area * float64(trials)
		e.Low, _ = stats.ClopperPearsonTail(int(math.Floor(whole)), trials, tail)
		_, e.High = stats.ClopperPearsonTail(int(math.Ceil(whole)), trials, tail)
		return e
	}
	half := stats.NormalQuantileTail(tail) * math.Sqrt(variance) / (area * (1 - area))
	logit := math.Log(area / (1 - area))
	e.Low, e.High = 1/(1+math.Exp(half-logit)), 1/(1+math.Exp(-half-logit))
	return e
}
