package fairness

import (
	"fmt"

	"github.com/assay-ml/assay/internal/stats"
)

// Names of the gaps, in the order of AttributeReport.Gaps. Differences run from 0 (equal) to 1, ratios from 0 to 1 (equal).
// Definitions with sources: Barocas, Hardt and Narayanan, "Fairness and Machine Learning", chapter 3; Hardt, Price and
// Srebro (2016) for equalized odds and equal opportunity; over more than two groups the extremes are compared, as Fairlearn does.
const (
	DemographicParityDifference = "demographic_parity_difference" // largest selection rate minus smallest
	DemographicParityRatio      = "demographic_parity_ratio"      // smallest selection rate over largest
	EqualizedOddsDifference     = "equalized_odds_difference"     // the larger of the differences in TPR and in FPR
	EqualizedOddsRatio          = "equalized_odds_ratio"          // the smaller of the ratios in TPR and in FPR
	EqualOpportunityDifference  = "equal_opportunity_difference"  // largest TPR minus smallest
)

// MetricNames lists the gaps in the order of AttributeReport.Gaps.
func MetricNames() []string {
	return []string{
		DemographicParityDifference, DemographicParityRatio,
		EqualizedOddsDifference, EqualizedOddsRatio, EqualOpportunityDifference,
	}
}

// MethodWilsonLimits is the interval of a ratio of two rates from their Wilson intervals: lower limit over upper limit to
// upper over lower, which covers at no less than the level of both together.
const MethodWilsonLimits = "wilson_limits"

// Gap is how far apart the groups at the ends are.
type Gap struct {
	Name string `json:"name"`
	stats.Estimate
	Rate    string   `json:"rate,omitempty"`     // the rate that makes the gap: selection_rate, tpr or fpr
	Highest string   `json:"highest,omitempty"`  // the group with the largest rate, the first by name among equals
	Lowest  string   `json:"lowest,omitempty"`   // the group with the smallest rate, the first by name among equals
	LeftOut []string `json:"left_out,omitempty"` // groups in which a rate of this gap has no value
}

// rate is a share of a group's rows that gaps compare.
type rate struct {
	name  string
	none  string // why a group has no such rate
	count func(stats.Confusion) (successes, n int)
}

var (
	selection     = rate{"selection_rate", "no examples", func(c stats.Confusion) (int, int) { return c.Predicted(), c.N() }}
	truePositive  = rate{"tpr", "no positive examples", func(c stats.Confusion) (int, int) { return c.TP, c.Positives() }}
	falsePositive = rate{"fpr", "no negative examples", func(c stats.Confusion) (int, int) { return c.FP, c.Negatives() }}
)

func (r rate) of(c stats.Confusion, level float64) stats.Estimate {
	successes, n := r.count(c)
	return stats.Proportion(successes, n, level, r.none)
}

// measure is a gap's definition: the worst over its rates of the difference, or the ratio, of the extremes.
type measure struct {
	name  string
	rates []rate
	ratio bool
}

var measures = []measure{
	{DemographicParityDifference, []rate{selection}, false},
	{DemographicParityRatio, []rate{selection}, true},
	{EqualizedOddsDifference, []rate{truePositive, falsePositive}, false},
	{EqualizedOddsRatio, []rate{truePositive, falsePositive}, true},
	{EqualOpportunityDifference, []rate{truePositive}, false},
}

// span is a rate's smallest and largest value over the groups that have it.
type span struct {
	groups        int
	low, high     float64
	lowAt, highAt int // indices of groups
}

func (s *span) add(group int, value float64) {
	if s.groups == 0 || value < s.low {
		s.low, s.lowAt = value, group
	}
	if s.groups == 0 || value > s.high {
		s.high, s.highAt = value, group
	}
	s.groups++
}

func spanOf(r rate, groups []stats.Confusion) span {
	var s span
	for k, c := range groups {
		if successes, n := r.count(c); n > 0 {
			s.add(k, float64(successes)/float64(n))
		}
	}
	return s
}

// value is the gap between groups, the rate that makes it with its span, or the reason why there is none. A rate must be
// known in want[i] groups at least: those that have it in the whole sample.
func (m measure) value(groups []stats.Confusion, want []int) (value float64, by rate, at span, reason string) {
	for i, r := range m.rates {
		s := spanOf(r, groups)
		if s.groups < max(want[i], 2) {
			return 0, rate{}, span{}, fmt.Sprintf("fewer than two groups have a %s", r.name)
		}
		v := s.high - s.low
		if m.ratio {
			if s.high == 0 {
				return 0, rate{}, span{}, fmt.Sprintf("the %s is zero in every group, so there is no ratio", r.name)
			}
			v = s.low / s.high
		}
		if i == 0 || m.ratio && v < value || !m.ratio && v > value {
			value, by, at = v, r, s
		}
	}
	return value, by, at, ""
}

// known counts the groups that have each of the measure's rates, and names those that lack any.
func (m measure) known(names []string, groups []stats.Confusion) (counts []int, leftOut []string) {
	counts = make([]int, len(m.rates))
	for k, c := range groups {
		lacks := false
		for i, r := range m.rates {
			if _, n := r.count(c); n > 0 {
				counts[i]++
			} else {
				lacks = true
			}
		}
		if lacks {
			leftOut = append(leftOut, names[k])
		}
	}
	return counts, leftOut
}

// gaps computes every measure with its interval from one pass of resamples. A resample in which a rate is lost that the
// whole sample has in a group compares other groups, and gives no value.
func gaps(names []string, observed []stats.Confusion, cell []uint16, opt stats.Options) []Gap {
	want := make([][]int, len(measures))
	found := make([]Gap, len(measures))
	for i, m := range measures {
		want[i], found[i].LeftOut = m.known(names, observed)
	}
	replicates := make([][]float64, len(measures))
	drawn := make([]stats.Confusion, len(names))
	if len(names) > 1 {
		stats.BootstrapCounts(cell, 4*len(names), opt.Replicates, opt.Seed, func(counts []int) {
			confusions(counts, drawn)
			for i, m := range measures {
				if v, _, _, reason := m.value(drawn, want[i]); reason == "" {
					replicates[i] = append(replicates[i], v)
				}
			}
		})
	}
	for i, m := range measures {
		found[i].Name = m.name
		value, by, at, reason := m.value(observed, want[i])
		if len(names) == 1 {
			reason = "there is only one group"
		}
		if reason != "" {
			found[i].Estimate = stats.NoValue(opt.Level, len(cell), reason)
			continue
		}
		found[i].Rate, found[i].Highest, found[i].Lowest = by.name, names[at.highAt], names[at.lowAt]
		found[i].Estimate = m.estimate(value, by, at, observed, replicates[i], len(cell), opt.Level)
	}
	return found
}

// estimate gives the gap its interval. A group whose rate is 0 or 1 has the same rate in every resample, as if it were
// known for certain; then the interval comes from the Wilson intervals of the two groups at the ends instead.
func (m measure) estimate(value float64, by rate, at span, groups []stats.Confusion, replicates []float64, n int, level float64) stats.Estimate {
	e := stats.Estimate{Value: value, Level: level, Method: stats.MethodBootstrap, N: n}
	if at.low > 0 && at.high < 1 {
		low, high, err := stats.PercentileInterval(replicates, level)
		if err != nil {
			return stats.NoValue(level, n, "a group is too small for an interval: "+err.Error())
		}
		e.Low, e.High = min(low, value), max(high, value)
		return e
	}
	highest, lowest := by.of(groups[at.highAt], level), by.of(groups[at.lowAt], level)
	if m.ratio {
		e.Low, e.High, e.Method = lowest.Low/highest.High, min(lowest.High/highest.Low, 1), MethodWilsonLimits
		return e
	}
	low, high := stats.Newcombe(highest, lowest)
	e.Low, e.High, e.Method = max(low, 0), high, stats.MethodNewcombe
	return e
}
