package fairness

import (
	"fmt"
	"maps"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

// Names of gaps that only an examination has.
const (
	// TreatmentEqualityDifference is the largest number of false negatives per false positive minus the smallest (Berk, Heidari,
	// Jabbari, Kearns and Roth, 2018, "Fairness in criminal justice risk assessments", section 3).
	TreatmentEqualityDifference = "treatment_equality_difference"
	// ConditionalDemographicDisparity is the largest conditional demographic disparity of a group minus the smallest, see Member.
	ConditionalDemographicDisparity = "conditional_demographic_disparity_difference"
)

// ExaminedGapNames lists the gaps of every division, in the order of Division.Gaps; ConditionalDemographicDisparity comes after
// them where there are strata.
func ExaminedGapNames() []string {
	names := make([]string, 0, len(examinedMeasures)+1)
	for _, m := range examinedMeasures {
		names = append(names, m.name)
	}
	return append(names, TreatmentEqualityDifference)
}

// examinedMeasure is a gap's definition: the worst over its rates of the difference, or the ratio, of the extremes.
type examinedMeasure struct {
	name  string
	rates []int // places in examined
	ratio bool
}

var examinedMeasures = []examinedMeasure{
	{DemographicParityDifference, []int{atSelection}, false},
	{DemographicParityRatio, []int{atSelection}, true},
	{EqualOpportunityDifference, []int{atTPR}, false},
	{EqualOpportunityRatio, []int{atTPR}, true},
	{EqualizedOddsDifference, []int{atTPR, atFPR}, false},
	{EqualizedOddsRatio, []int{atTPR, atFPR}, true},
	{PredictiveParityDifference, []int{atPPV}, false},
	{PredictiveParityRatio, []int{atPPV}, true},
	{PredictiveEqualityDifference, []int{atFPR}, false},
	{PredictiveEqualityRatio, []int{atFPR}, true},
	{AccuracyDifference, []int{atAccuracy}, false},
	{AccuracyRatio, []int{atAccuracy}, true},
}

// gapGroups is what a gap needs of one rate: the groups that have it and enough rows, with their limits.
type gapGroups struct {
	name  string
	of    []int // groups
	n     int   // rows
	lack  []int // groups without the rate
	one   []side
	all   []side
	worst []side // as all, at half of the tail: for the worst of two rates
}

func gapGroupsOf(r rate, groups []stats.Confusion, large []bool, tail float64) gapGroups {
	out := gapGroups{name: r.name}
	var successes, n []int
	for k, c := range groups {
		s, rows := r.count(c)
		switch {
		case rows == 0:
			out.lack = append(out.lack, k)
		case large[k]:
			out.of, successes, n = append(out.of, k), append(successes, s), append(n, rows)
			out.n += rows
		}
	}
	if k := len(n); k > 1 {
		out.one, out.all = sidesOf(successes, n, tail), sidesOf(successes, n, tail/float64(k*(k-1)))
		if r.name == examined[atTPR].name || r.name == examined[atFPR].name {
			out.worst = sidesOf(successes, n, tail/2/float64(k*(k-1)))
		}
	}
	return out
}

// gapRates is the rates that gaps are made of.
var gapRates = []int{atSelection, atTPR, atFPR, atPPV, atAccuracy}

func (d division) examinedGaps(members []Member, groups []stats.Confusion, large []bool, level float64) []Gap {
	by := make([]gapGroups, len(examined))
	inParallel(len(gapRates), func(i int) {
		by[gapRates[i]] = gapGroupsOf(examined[gapRates[i]].rate, groups, large, (1-level)/2)
	})
	out := make([]Gap, len(examinedMeasures), len(examinedMeasures)+2)
	inParallel(len(out), func(i int) {
		of := make([]gapGroups, len(examinedMeasures[i].rates))
		for j, at := range examinedMeasures[i].rates {
			of[j] = by[at]
		}
		out[i] = d.gap(examinedMeasures[i], of, level)
	})
	return append(out, treatment(members, groups, level))
}

// gap has the limits of GapOfShares. Where it is the worst of two rates, the limits towards equality must hold for both of
// them, each at half of the tail; away from equality the outermost holds for the rate that truly is the worst.
func (d division) gap(m examinedMeasure, rates []gapGroups, level float64) Gap {
	out := Gap{Name: m.name, Estimate: stats.Estimate{Level: level, Method: MethodPairs}}
	e := &out.Estimate
	lacking := map[int]bool{}
	for i, r := range rates {
		for _, k := range r.lack {
			lacking[k] = true
		}
		if !e.Defined() {
			continue
		}
		if len(r.of) < 2 {
			*e = stats.NoValue(level, r.n, fmt.Sprintf("%s of %s", noGroupIsLargeEnoughReason, r.name))
			continue
		}
		all := r.all
		if len(rates) > 1 {
			all = r.worst
		}
		value, low, high, lowest, highest, ok := gapOfSides(r.one, all, m.ratio)
		if !ok {
			*e = stats.NoValue(level, r.n, fmt.Sprintf("the %s is zero in every group, so there is no ratio", r.name))
			continue
		}
		switch {
		case i == 0:
			e.Low, e.High = low, high
		case m.ratio:
			e.Low, e.High = min(e.Low, low), min(e.High, high)
		default:
			e.Low, e.High = max(e.Low, low), max(e.High, high)
		}
		if i == 0 || m.ratio && value < e.Value || !m.ratio && value > e.Value {
			e.Value, e.N = value, r.n
			out.Rate, out.Highest, out.Lowest = r.name, d.groupName(r.of[highest]), d.groupName(r.of[lowest])
		}
	}
	if !e.Defined() {
		out.Rate, out.Highest, out.Lowest = "", "", ""
	}
	for _, k := range slices.Sorted(maps.Keys(lacking)) {
		out.LeftOut = append(out.LeftOut, d.groupName(k))
	}
	return out
}

// treatment compares the error ratios, by exact limits of all groups.
func treatment(members []Member, groups []stats.Confusion, level float64) Gap {
	out := Gap{Name: TreatmentEqualityDifference}
	var of []int
	rows := 0
	for k, m := range members {
		switch {
		case !m.ErrorRatio.Defined():
			out.LeftOut = append(out.LeftOut, m.Name)
		case !m.Small:
			of = append(of, k)
			rows += groups[k].FN + groups[k].FP
		}
	}
	if len(of) < 2 {
		out.Estimate = stats.NoValue(level, rows, noGroupIsLargeEnoughReason+" of false negatives per false positive")
		return out
	}
	limits := func(tail float64) []interval {
		all := make([]interval, len(of))
		for i, k := range of {
			c := groups[k]
			low, high := stats.ClopperPearsonTail(c.FN, c.FN+c.FP, tail)
			all[i] = interval{float64(c.FN) / float64(c.FP), odds(low), odds(high)}
		}
		return all
	}
	tail := (1 - level) / 2
	value, low, high, lowest, highest := spreadOfLimits(limits(tail/float64(2*len(of))), limits(tail/2))
	out.Estimate = stats.Estimate{Value: value, Low: low, High: high, Level: level, Method: MethodLimits, N: rows}
	out.Rate, out.Highest, out.Lowest = "error_ratio", members[of[highest]].Name, members[of[lowest]].Name
	return out
}
