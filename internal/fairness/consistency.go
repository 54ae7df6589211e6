package fairness

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

// What a zero field of a ConsistencyQuestion means, and what it may be at most.
const (
	DefaultNeighbours      = 5
	DefaultConsistencyRows = 2_000
	mostConsistencyRows    = 20_000 // every row is held against every other
	mostFeature            = 1e150  // squares of differences stay finite
)

// MethodJackknifeLogit is the normal interval on the scale of the log odds, with the standard error of the jackknife: what the
// figure becomes without each row in turn, whose neighbours' places the next nearest take. Rows that share neighbours are not
// independent, which this counts and a mean's own interval would not. The jackknife's variance is on average at least the true one of
// one row fewer (Efron and Stein, 1981, "The jackknife estimate of variance").
const MethodJackknifeLogit = "jackknife_logit"

// ConsistencyQuestion says among how many neighbours, and in which rows.
type ConsistencyQuestion struct {
	Neighbours int      // k; 0 means 5
	Numbers    int      // the first so many columns are standardised: less their mean, divided by their standard deviation, over all rows
	MaxRows    int      // rows drawn when there are more, at most 20,000; 0 means 2,000
	Seed       uint64   // of the draw
	Level      float64  // confidence level of each interval, in (0, 1); 0 means 0.95
	Groups     []string // the group of each row; nil: none
}

// ConsistencyReport is how alike people are treated whose features are alike.
type ConsistencyReport struct {
	Rows        int                `json:"rows"`       // all rows
	Sampled     int                `json:"sampled"`    // rows measured, which neighbours are looked for among
	Neighbours  int                `json:"neighbours"` // k
	Seed        uint64             `json:"seed"`
	Level       float64            `json:"level"`
	Consistency stats.Estimate     `json:"consistency"`      // 0 to 1, which means that all neighbours are treated alike
	Groups      []GroupConsistency `json:"groups,omitempty"` // by name
	Note        string             `json:"note"`
}

// GroupConsistency is the mean over the rows of one group; their neighbours are of any group.
type GroupConsistency struct {
	Group       string         `json:"group"`
	Consistency stats.Estimate `json:"consistency"`
}

const consistencyNote = "A row is not counted among its own neighbours. Neighbours lie closer the more rows there are, so only figures from as many rows compare."

// Consistency is 1 less the mean over rows of |yhat_i - the mean of yhat over the k rows nearest to i| (Zemel et al., 2013,
// "Learning fair representations", section 4, where it is called yNN). predicted has a decision, 0 or 1, or a score in [0, 1],
// for each row; features has width numbers for each row, one row after the other: numbers, then 0 or 1 for each value of a text.
// Nearness is Euclidean, so that rows which differ in a text are as far apart as rows that differ in a number by the root of 2
// standard deviations. Among rows equally near the earlier is taken.
//
// A row is no neighbour of itself: with itself among them, as in AIF360, which asks scikit-learn for the neighbours of the rows
// it was fitted on, every prediction agrees with 1/k of its neighbourhood, and even chance looks consistent. Where no two rows
// are the same, AIF360's figure for k neighbours is 1 - (k-1)/k (1 - this one for k-1).
//
// Intervals have MethodJackknifeLogit. Undefined with its reason is what fewer than k+2 rows leave, and the interval where no row
// left out changes anything, as when all predictions are equal. Errors: no rows, lengths that do not fit, numbers that are not
// finite or above 1e150, predictions, counts or a level out of range.
func Consistency(features []float64, width int, predicted []float64, q ConsistencyQuestion) (ConsistencyReport, error) {
	q, err := q.resolve(features, width, predicted)
	if err != nil {
		return ConsistencyReport{}, fmt.Errorf("measure the consistency of predictions: %w", err)
	}
	rows := sampledRows(len(predicted), q.MaxRows, q.Seed)
	r := ConsistencyReport{
		Rows: len(predicted), Sampled: len(rows), Neighbours: q.Neighbours, Seed: q.Seed, Level: q.Level, Note: consistencyNote,
	}
	names, member := []string(nil), []int(nil)
	if q.Groups != nil {
		of := make([]string, len(rows))
		for i, row := range rows {
			of[i] = q.Groups[row]
		}
		names, member = positions(of)
	}
	if len(rows) < q.Neighbours+2 {
		none := stats.NoValue(q.Level, len(rows), fmt.Sprintf("%d rows; %d neighbours need at least %d", len(rows), q.Neighbours, q.Neighbours+2))
		r.Consistency = none
		for _, name := range names {
			r.Groups = append(r.Groups, GroupConsistency{name, none})
		}
		return r, nil
	}
	n := neighbourhoodsOf(standardised(features, width, q.Numbers, rows), width, q.Neighbours)
	for _, row := range rows {
		n.predicted = append(n.predicted, predicted[row])
	}
	r.Consistency = n.estimate(func(int) bool { return true }, q.Level)
	for k, name := range names {
		r.Groups = append(r.Groups, GroupConsistency{name, n.estimate(func(i int) bool { return member[i] == k }, q.Level)})
	}
	return r, nil
}

func (q ConsistencyQuestion) resolve(features []float64, width int, predicted []float64) (ConsistencyQuestion, error) {
	level, err := levelOf(q.Level)
	q.Level = level
	if q.Neighbours == 0 {
		q.Neighbours = DefaultNeighbours
	}
	if q.MaxRows == 0 {
		q.MaxRows = DefaultConsistencyRows
	}
	switch {
	case err != nil:
		return q, err
	case len(predicted) == 0:
		return q, errors.New("found no rows; expected some: check the part of the data that was read")
	case width < 1 || len(features)%width != 0 || len(features)/width != len(predicted):
		return q, fmt.Errorf("found %d numbers of features for %d rows of %d; expected at least one for each row, and as many for each", len(features), len(predicted), width)
	case q.Groups != nil && len(q.Groups) != len(predicted):
		return q, fmt.Errorf("found %d groups for %d rows; expected one for each row, or none", len(q.Groups), len(predicted))
	case q.Neighbours < 1:
		return q, fmt.Errorf("the number of neighbours is %d; expected at least 1", q.Neighbours)
	case q.MaxRows < 1 || q.MaxRows > mostConsistencyRows:
		return q, fmt.Errorf("the number of rows to draw is %d; expected 1 to %d", q.MaxRows, mostConsistencyRows)
	case q.Numbers < 0 || q.Numbers > width:
		return q, fmt.Errorf("%d columns are to be standardised; expected 0 to the %d that there are", q.Numbers, width)
	}
	for i, p := range predicted {
		if !(p >= 0 && p <= 1) {
			return q, fmt.Errorf("row %d: the prediction is %g; expected a decision of 0 or 1, or a score between them", i, p)
		}
	}
	for i, v := range features {
		if !(math.Abs(v) <= mostFeature) {
			return q, fmt.Errorf("row %d, column %d: the feature is %g; expected a number of at most %g in size: fill in missing ones first", i/width, i%width, v, mostFeature)
		}
	}
	return q, nil
}

// sampledRows draws rows without replacement, in their order; all when there are no more.
func sampledRows(n, most int, seed uint64) []int {
	if n <= most {
		rows := make([]int, n)
		for i := range rows {
			rows[i] = i
		}
		return rows
	}
	rows := rand.New(rand.NewPCG(seed, 0)).Perm(n)[:most]
	slices.Sort(rows)
	return rows
}

// standardised is the features of the given rows, with the first columns standardised over all rows. A column without variation becomes 0.
func standardised(features []float64, width, numbers int, rows []int) []float64 {
	out := make([]float64, 0, len(rows)*width)
	for _, row := range rows {
		out = append(out, features[row*width:(row+1)*width]...)
	}
	n := float64(len(features) / width)
	for c := range numbers {
		mean, squares := 0.0, 0.0
		for i := c; i < len(features); i += width {
			mean += features[i] / n
		}
		for i := c; i < len(features); i += width {
			squares += (features[i] - mean) * (features[i] - mean) / n
		}
		// What is left of equal numbers is the rounding of their mean.
		deviation := math.Sqrt(squares)
		if !(deviation > 1e-14*math.Abs(mean)) {
			mean, deviation = 0, math.Inf(1)
		}
		for i := c; i < len(out); i += width {
			out[i] = (out[i] - mean) / deviation
		}
	}
	return out
}

// neighbourhoods is the rows nearest to each row.
type neighbourhoods struct {
	k         int
	near      [][]int // of each row its k+1 nearest others, the nearest first, then the earlier
	predicted []float64
}

func neighbourhoodsOf(features []float64, width, k int) neighbourhoods {
	n := len(features) / width
	out := neighbourhoods{k: k, near: make([][]int, n)}
	inParallel(n, func(i int) {
		own := features[i*width : (i+1)*width]
		near, away := make([]int, 0, k+2), make([]float64, 0, k+2)
		for j := range n {
			if j == i {
				continue
			}
			distance := 0.0
			for c, v := range features[j*width : (j+1)*width] {
				distance += (v - own[c]) * (v - own[c])
			}
			if len(near) == k+1 && distance >= away[k] {
				continue
			}
			at := len(near)
			for at > 0 && away[at-1] > distance {
				at--
			}
			near, away = slices.Insert(near, at, j), slices.Insert(away, at, distance)
			if len(near) > k+1 {
				near, away = near[:k+1], away[:k+1]
			}
		}
		out.near[i] = near
	})
	return out
}

// difference is how far row i's prediction is from the mean of its k nearest rows; that without row left out, whose place the
// next nearest takes, or of all when it is negative.
func (n neighbourhoods) difference(i, without int) float64 {
	near, sum := n.near[i], 0.0
	for at, j := range near[:n.k] {
		if j == without {
			j = near[n.k]
			sum += n.predicted[j]
			for _, rest := range near[at+1 : n.k] {
				sum += n.predicted[rest]
			}
			break
		}
		sum += n.predicted[j]
	}
	return math.Abs(n.predicted[i] - sum/float64(n.k))
}

// estimate is the consistency of the rows of a group, with the jackknife over all rows.
func (n neighbourhoods) estimate(of func(i int) bool, level float64) stats.Estimate {
	sum, size := 0.0, 0
	change := make([]float64, len(n.near)) // of the sum, when a row is left out
	for i := range n.near {
		if !of(i) {
			continue
		}
		own := n.difference(i, -1)
		sum, size = sum+own, size+1
		change[i] -= own
		for _, j := range n.near[i][:n.k] {
			change[j] += n.difference(i, j) - own
		}
	}
	if size < 2 {
		return stats.NoValue(level, size, "fewer than two rows, so that the spread is unknown")
	}
	value := min(max(1-sum/float64(size), 0), 1)
	rows, mean := float64(len(n.near)), 0.0
	for i := range change {
		left := float64(size)
		if of(i) {
			left--
		}
		// The group's figure without the row, less the figure with it: smaller numbers keep their digits.
		change[i] = sum/float64(size) - (sum+change[i])/left
		mean += change[i] / rows
	}
	squares := 0.0
	for _, c := range change {
		squares += (c - mean) * (c - mean)
	}
	se := math.Sqrt(squares * (rows - 1) / rows)
	if !(se > 1e-12) || value == 0 || value == 1 {
		return stats.NoValue(level, size, fmt.Sprintf("no row left out changes the consistency of %.4g, so the spread is unknown", value))
	}
	// The derivative of the log odds is 1/(value (1 - value)).
	half := stats.NormalQuantileTail((1-level)/2) * se / (value * (1 - value))
	odds := math.Log(value / (1 - value))
	return stats.Estimate{
		Value: value, Low: 1 / (1 + math.Exp(half-odds)), High: 1 / (1 + math.Exp(-half-odds)), Level: level, Method: MethodJackknifeLogit, N: size,
	}
}
