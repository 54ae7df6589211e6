package fairness

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

// Names of the indices of inequality, as they stand in InequalityIndex.Name.
const (
	GeneralizedEntropyIndex = "generalized_entropy_index" // of any alpha but 0 and 1
	TheilIndex              = "theil_index"               // alpha 1
	MeanLogDeviation        = "mean_log_deviation"        // alpha 0
)

// MethodBenefitLimits is the interval of an index of inequality as the outermost values it takes where the shares of rows with
// no benefit and with a double one each lie within their Clopper-Pearson limits at half of the tail. It misses with at most the
// tail at each end for every number of rows, and is wide: it stands where too few rows differ from the rest for resamples to vary
// as new rows would.
const MethodBenefitLimits = "clopper_pearson_two_shares"

// fewBenefits is how many rows must have another benefit than most for resamples to be believed.
const fewBenefits = 10

// InequalityQuestion says which indices are wanted, and how surely.
type InequalityQuestion struct {
	Threshold  float64   // predicted positive iff score >= Threshold, in [0, 1], unless the sample has cuts of its own
	Alphas     []float64 // 0, or from 0.001 to 10; nil means 2, 1 and 0. A larger one weighs the most favoured people more
	Level      float64   // confidence level of every interval, in (0, 1); 0 means 0.95
	Replicates int       // resamples, at least 200; 0 means 2000
	Seed       uint64    // of the resamples
}

// InequalityReport is how unequally a classifier's decisions serve people: each row i has the benefit b_i = yhat_i - y_i + 1, which
// is 0 for a false negative, 1 for a right prediction and 2 for a false positive (Speicher et al., 2018, "A unified approach to
// quantifying algorithmic unfairness", section 2). A positive prediction is taken to be what a person wishes for.
type InequalityReport struct {
	Rows        int               `json:"rows"`
	Level       float64           `json:"level"` // of each interval on its own
	Confusion   stats.Confusion   `json:"confusion"`
	MeanBenefit stats.Estimate    `json:"mean_benefit"`             // 0 to 2
	Indices     []InequalityIndex `json:"indices"`                  // in the order of the question's alphas
	Variation   stats.Estimate    `json:"coefficient_of_variation"` // standard deviation over mean of the benefits: the root of twice the index of alpha 2
	Groups      []GroupBenefit    `json:"groups"`                   // by name
	Note        string            `json:"note"`
}

// InequalityIndex is the generalised entropy index of one alpha, which is 0 when all benefits are alike and does not change when
// all are multiplied by the same number. It is the sum of two parts: Between is the index if everybody had the mean benefit of
// their group; Within is the sum over groups g of n_g/n (mu_g/mu)^alpha times the group's own index.
type InequalityIndex struct {
	Name         string         `json:"name"`
	Alpha        float64        `json:"alpha"`
	Total        stats.Estimate `json:"total"`
	Between      stats.Estimate `json:"between"`
	Within       stats.Estimate `json:"within"`
	BetweenShare stats.Estimate `json:"between_share"` // between over total, 0 to 1
}

// GroupBenefit is the benefits within one group.
type GroupBenefit struct {
	Group       string          `json:"group"`
	N           int             `json:"n"`
	Confusion   stats.Confusion `json:"confusion"`
	MeanBenefit stats.Estimate  `json:"mean_benefit"`
	Indices     []GroupIndex    `json:"indices"` // in the order of the question's alphas
}

// GroupIndex is the index of one alpha within a group.
type GroupIndex struct {
	Name  string  `json:"name"`
	Alpha float64 `json:"alpha"`
	stats.Estimate
}

const inequalityNote = "Intervals are at the level for one figure each. An index of alpha 0 takes the logarithm of each benefit, so it has no value when a positive " +
	"row is predicted negative; where none is, its interval supposes that none ever will be."

// Inequality measures the generalised entropy indices of the benefits, and how much of each lies between the groups; groups has a
// name for each row. For alpha other than 0 and 1 the index is the mean of ((b/mu)^alpha - 1) / (alpha (alpha - 1)), for alpha 1
// that of (b/mu) ln(b/mu), where a benefit of 0 adds 0, and for alpha 0 that of -ln(b/mu), mu being the mean benefit.
//
// Benefits take three values, so everything is a function of counts, and rows are drawn again by drawing counts: total, within and
// the groups' indices have BCa intervals, between and its share those of stats.Bootstrapped.EstimateAboveTruth, since chance makes
// groups unlike. Where fewer than ten rows have another benefit than most, the index has MethodBenefitLimits, and its parts lie
// between 0 and the end of that. Mean benefits have the interval of stats.PairedShare.
//
// What has no value is undefined with its reason: every index when all benefits are 0, one of alpha 0 when any is, the
// parts when there is one group. Errors: no rows, lengths that differ, scores, cuts, a threshold, a level or an alpha out of range, too
// many groups.
func Inequality(s stats.Sample, groups []string, q InequalityQuestion) (InequalityReport, error) {
	q, err := q.resolve(s, groups)
	if err != nil {
		return InequalityReport{}, fmt.Errorf("measure the inequality of benefits: %w", err)
	}
	names, member := positions(groups)
	if len(names)*3 > mostBiasCells {
		return InequalityReport{}, fmt.Errorf("measure the inequality of benefits: found %d groups; expected at most %d: take coarser groups", len(names), mostBiasCells/3)
	}
	confusions := make([]stats.Confusion, len(names))
	for i, y := range s.Y {
		c := &confusions[member[i]]
		switch predicted := s.Predicted(i, q.Threshold); {
		case y && predicted:
			c.TP++
		case predicted:
			c.FP++
		case y:
			c.FN++
		default:
			c.TN++
		}
	}
	r := InequalityReport{Rows: s.N(), Level: q.Level, Groups: make([]GroupBenefit, len(names)), Note: inequalityNote}
	cells := make([]int, 0, 3*len(names))
	for _, c := range confusions {
		r.Confusion.TP += c.TP
		r.Confusion.FP += c.FP
		r.Confusion.FN += c.FN
		r.Confusion.TN += c.TN
		b := benefitsOf(c)
		cells = append(cells, b[:]...)
	}
	all := benefitsOf(r.Confusion)
	r.MeanBenefit = all.meanEstimate(q.Level)
	inParallel(len(names), func(k int) {
		b := benefitsOf(confusions[k])
		g := GroupBenefit{Group: names[k], N: b.n(), Confusion: confusions[k], MeanBenefit: b.meanEstimate(q.Level)}
		for _, alpha := range q.Alphas {
			g.Indices = append(g.Indices, GroupIndex{Name: indexName(alpha), Alpha: alpha, Estimate: b.index(alpha, q)})
		}
		r.Groups[k] = g
	})
	r.Indices = make([]InequalityIndex, len(q.Alphas))
	inParallel(len(q.Alphas), func(k int) {
		r.Indices[k] = divided(cells, q.Alphas[k], all.index(q.Alphas[k], q), q)
	})
	r.Variation = variationOf(all.index(2, q))
	return r, nil
}

func (q InequalityQuestion) resolve(s stats.Sample, groups []string) (InequalityQuestion, error) {
	level, err := levelOf(q.Level)
	q.Level = level
	if q.Alphas == nil {
		q.Alphas = []float64{2, 1, 0}
	}
	switch {
	case err != nil:
		return q, err
	case s.N() == 0:
		return q, errors.New("found no rows; expected some: check the part of the data that was read")
	case len(groups) != s.N():
		return q, fmt.Errorf("found %d rows and %d groups; expected a group for each row", s.N(), len(groups))
	case !(q.Threshold >= 0 && q.Threshold <= 1):
		return q, fmt.Errorf("the threshold is %g; expected a score between 0 and 1", q.Threshold)
	}
	for _, alpha := range q.Alphas {
		if alpha != 0 && !(alpha >= 0.001 && alpha <= 10) {
			return q, fmt.Errorf("an alpha is %g; expected 0, or a number from 0.001 to 10, such as 2", alpha)
		}
	}
	if err := s.Validate(); err != nil {
		return q, err
	}
	return q, cutsAreNumbers(s.Cut)
}

func indexName(alpha float64) string {
	switch alpha {
	case 0:
		return MeanLogDeviation
	case 1:
		return TheilIndex
	}
	return GeneralizedEntropyIndex
}

// benefits counts rows by benefit: 0, 1 and 2.
type benefits [3]int

func benefitsOf(c stats.Confusion) benefits { return benefits{c.FN, c.TP + c.TN, c.FP} }

func (b benefits) n() int { return b[0] + b[1] + b[2] }

func (b benefits) mean() float64 { return float64(b[1]+2*b[2]) / float64(b.n()) }

// meanEstimate is 1 plus the share of false positives less that of false negatives.
func (b benefits) meanEstimate(level float64) stats.Estimate {
	e := stats.PairedShare(b[2], b[0], b[2]+b[0], b.n(), (1-level)/2)
	e.Level = level
	if e.Defined() {
		e.Value, e.Low, e.High = 1+e.Value, 1+e.Low, 1+e.High
	}
	return e
}

// entropy is the generalised entropy index of the benefits; false where it has no value.
func (b benefits) entropy(alpha float64) (float64, bool) {
	n := float64(b.n())
	return entropyOf(alpha, []float64{0, 1, 2}, []float64{float64(b[0]) / n, float64(b[1]) / n, float64(b[2]) / n})
}

// entropyOf is the generalised entropy index of values of at least 0 with weights that sum to 1; false where the mean is 0, and where a
// value of 0 has weight under alpha 0. In the form whose divisor is far from 0, it is exact for alphas near 0 and 1 too: the
// mean of (x^alpha - 1)/(alpha (alpha - 1)) with x = value/mean is that of x (x^(alpha-1) - 1)/(alpha (alpha - 1)), because the mean
// of x is 1.
func entropyOf(alpha float64, values, weights []float64) (float64, bool) {
	mean := 0.0
	for k, v := range values {
		mean += v * weights[k]
	}
	if !(mean > 0) {
		return 0, false
	}
	sum := 0.0
	for k, v := range values {
		x, w := v/mean, weights[k]
		switch {
		case w == 0:
		case alpha >= 0.5:
			if x > 0 {
				sum += w * x * powerLess1(x, alpha-1) / alpha
			}
		case x > 0:
			sum += w * powerLess1(x, alpha) / (alpha - 1)
		case alpha == 0:
			return 0, false
		default:
			sum += w / (alpha * (1 - alpha))
		}
	}
	// The sum of equal values may round to slightly below zero.
	return max(sum, 0), true
}

// powerLess1 is (x^e - 1)/e, which is ln x where e is 0.
func powerLess1(x, e float64) float64 {
	if e == 0 {
		return math.Log(x)
	}
	return math.Expm1(e*math.Log(x)) / e
}

// index is the estimate of an index of inequality from the counts.
func (b benefits) index(alpha float64, q InequalityQuestion) stats.Estimate {
	value, ok := b.entropy(alpha)
	switch {
	case b.n() == b[0]:
		return stats.NoValue(q.Level, b.n(), "every row is a positive one predicted negative, so that the mean benefit is 0")
	case !ok:
		return stats.NoValue(q.Level, b.n(), fmt.Sprintf("%d rows have a benefit of 0, whose logarithm is infinite", b[0]))
	case b.n()-slices.Max(b[:]) >= fewBenefits:
		if e := b.resampled(alpha, q); e.Defined() {
			return e
		}
	}
	e := stats.Estimate{Value: value, Level: q.Level, Method: MethodBenefitLimits, N: b.n()}
	low, high := b.limits(alpha, (1-q.Level)/2)
	e.Low, e.High = min(low, value), max(high, value)
	return e
}

func (b benefits) resampled(alpha float64, q InequalityQuestion) stats.Estimate {
	e := stats.BCaCells(b[:], q.resampling(), func(c []int) (float64, bool) { return benefits(c).entropy(alpha) }).Estimate((1 - q.Level) / 2)
	return atLeast0(e, q.Level)
}

func (q InequalityQuestion) resampling() stats.Resampling {
	return stats.Resampling{Replicates: q.Replicates, Seed: q.Seed}
}

// atLeast0 is the estimate of a figure that is never negative, at the level that was asked for.
func atLeast0(e stats.Estimate, level float64) stats.Estimate {
	e.Level = level
	if e.Defined() {
		e.Low = max(e.Low, 0)
	}
	return e
}

// limits is the interval of MethodBenefitLimits. More rows without a benefit always raise an index; more rows with a double one raise it up
// to a share, and lower it from there on, so that the extremes are at corners or at that share. Under alpha 0 no row has a benefit of
// 0, and the other share has the whole tail.
func (b benefits) limits(alpha, tail float64) (low, high float64) {
	n := b.n()
	var none [2]float64
	if alpha != 0 {
		tail /= 2
		none[0], none[1] = stats.ClopperPearsonTail(b[0], n, tail)
	}
	least, most := stats.ClopperPearsonTail(b[2], n, tail)
	at := func(zero, double float64) float64 {
		double = min(double, 1-zero)
		value, _ := entropyOf(alpha, []float64{0, 1, 2}, []float64{zero, 1 - zero - double, double})
		return value
	}
	peak := (1 - none[1]) * mostUnequal(alpha)
	return min(at(none[0], least), at(none[0], most)), at(none[1], min(max(peak, least), most))
}

// mostUnequal is the share of rows with a double benefit, among those with any, at which the index is largest: where the derivative
// of (1 + c p)/(1 + p)^alpha by p is 0, c = 2^alpha - 1.
func mostUnequal(alpha float64) float64 {
	switch {
	case math.Abs(alpha-1) < 1e-6:
		return 2*math.Ln2 - 1
	case alpha == 0:
		return 1/math.Ln2 - 1
	}
	c := math.Expm1(alpha * math.Ln2)
	return (c - alpha) / (c * (alpha - 1))
}

// divided splits an index into its parts between and within the groups; cells are each group's benefits.
func divided(cells []int, alpha float64, total stats.Estimate, q InequalityQuestion) InequalityIndex {
	out := InequalityIndex{Name: indexName(alpha), Alpha: alpha, Total: total}
	reason := total.Undefined
	if total.Defined() && len(cells) == 3 {
		reason = "there is only one group"
	}
	if reason != "" {
		none := stats.NoValue(q.Level, total.N, reason)
		out.Between, out.Within, out.BetweenShare = none, none, none
		return out
	}
	parts := func(part func(between, within float64) (float64, bool)) func(cells []int) (float64, bool) {
		shares := make([]float64, 0, len(cells)/3)
		means := make([]float64, 0, len(cells)/3)
		return func(cells []int) (float64, bool) {
			shares, means = shares[:0], means[:0]
			between, within, ok := partsOf(cells, alpha, shares, means)
			if !ok {
				return 0, false
			}
			return part(between, within)
		}
	}
	tail := (1 - q.Level) / 2
	between := parts(func(b, _ float64) (float64, bool) { return b, true })
	within := parts(func(_, w float64) (float64, bool) { return w, true })
	share := parts(func(b, w float64) (float64, bool) { return b / (b + w), b+w > 0 })
	estimate := func(of func([]int) (float64, bool), aboveTruth bool) stats.Estimate {
		b := stats.BCaCells(cells, q.resampling(), of)
		if aboveTruth {
			return atLeast0(b.EstimateAboveTruth(tail), q.Level)
		}
		return atLeast0(b.Estimate(tail), q.Level)
	}
	// A part is never larger than the whole, whose upper limit is a safe one for it.
	bounded := func(of func([]int) (float64, bool)) stats.Estimate {
		value, _ := of(cells)
		return stats.Estimate{Value: value, Low: 0, High: max(total.High, value), Level: q.Level, Method: total.Method, N: total.N}
	}
	out.Between, out.Within = bounded(between), bounded(within)
	if total.Method == MethodBenefitLimits {
		out.BetweenShare = stats.NoValue(q.Level, total.N, fmt.Sprintf("fewer than %d rows have another benefit than most, too few to tell where they are", fewBenefits))
		return out
	}
	if e := estimate(between, true); e.Defined() {
		out.Between = e
	}
	if e := estimate(within, false); e.Defined() {
		out.Within = e
	}
	out.BetweenShare = estimate(share, true).Within(0, 1)
	return out
}

// partsOf is the index of the groups' means, and the sum of the groups' own indices with their weights. shares and means are
// room for one number of each group.
func partsOf(cells []int, alpha float64, shares, means []float64) (between, within float64, ok bool) {
	var all benefits
	for k, c := range cells {
		all[k%3] += c
	}
	mean, n := all.mean(), float64(all.n())
	for k := 0; k < len(cells); k += 3 {
		g := benefits(cells[k : k+3])
		if g.n() == 0 {
			continue
		}
		share, own := float64(g.n())/n, g.mean()
		shares, means = append(shares, share), append(means, own)
		if own == 0 {
			if alpha == 0 {
				return 0, 0, false
			}
			// Nobody has anything, so that all are alike: nothing of the inequality is within.
			continue
		}
		index, ok := g.entropy(alpha)
		if !ok {
			return 0, 0, false
		}
		within += share * math.Pow(own/mean, alpha) * index
	}
	between, ok = entropyOf(alpha, means, shares)
	return between, within, ok
}

// variationOf is the coefficient of variation from the index of alpha 2, which half its square is.
func variationOf(index stats.Estimate) stats.Estimate {
	if index.Defined() {
		index.Value, index.Low, index.High = math.Sqrt(2*index.Value), math.Sqrt(2*index.Low), math.Sqrt(2*index.High)
	}
	return index
}
