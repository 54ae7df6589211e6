package fairness

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

// MethodStrataSum is the interval of a sum over strata from Clopper-Pearson limits of its shares, by square-and-add for linear
// combinations (Zou, Huang and Zhang, 2009, "A note on confidence interval estimation for a linear function of binomial
// proportions"), given the sizes of the strata and how many are selected in each. All k groups' intervals hold together.
const MethodStrataSum = "square_and_add_of_strata"

// StrataUse says how many strata conditional demographic disparity rests on. A stratum in which all rows are selected, or none,
// has no disparity and is left out.
type StrataUse struct {
	Strata      int `json:"strata"`
	LeftOut     int `json:"left_out"`
	RowsLeftOut int `json:"rows_left_out"`
}

// stratified is the rows counted by stratum and cell.
type stratified struct {
	parts    []stratumPart
	selected []int // of each stratum
	refused  []int
}

// stratumPart is the rows of one cell in one stratum.
type stratumPart struct {
	stratum, cell     int32
	selected, refused int
}

// stratify counts, or gives nil without strata.
func (p partition) stratify(strata []string, outcome []uint8) *stratified {
	if strata == nil {
		return nil
	}
	column := encode(Column{Groups: strata})
	into, origin := refine(p.cell, p.cells, column.of, len(column.groups))
	s := &stratified{
		parts: make([]stratumPart, len(origin)), selected: make([]int, len(column.groups)), refused: make([]int, len(column.groups)),
	}
	for k, from := range origin {
		s.parts[k].cell, s.parts[k].stratum = from[0], from[1]
	}
	for i, k := range into {
		part := &s.parts[k]
		if outcome[i]&1 == 1 {
			part.selected++
			s.selected[part.stratum]++
		} else {
			part.refused++
			s.refused[part.stratum]++
		}
	}
	return s
}

// mostStrata keeps the work of conditional demographic disparity within a few seconds.
const mostStrata = 500

// StrataAreFew says, for a person, why strata are too many to compare groups within; nil when they are not.
func StrataAreFew(strata []string) error {
	seen := map[string]bool{}
	for _, s := range strata {
		if seen[s] = true; len(seen) > mostStrata {
			return fmt.Errorf("there are more than %d strata; expected at most that many: bin the column they come from", mostStrata)
		}
	}
	return nil
}

// byGroup adds up the cells of each group in each stratum.
func (s *stratified) byGroup(of []int32) []stratumPart {
	parts := slices.Clone(s.parts)
	for i := range parts {
		parts[i].cell = of[parts[i].cell]
	}
	slices.SortFunc(parts, func(a, b stratumPart) int {
		return cmp.Or(cmp.Compare(a.cell, b.cell), cmp.Compare(a.stratum, b.stratum))
	})
	out := parts[:0]
	for _, p := range parts {
		if last := len(out) - 1; last >= 0 && out[last].cell == p.cell && out[last].stratum == p.stratum {
			out[last].selected += p.selected
			out[last].refused += p.refused
			continue
		}
		out = append(out, p)
	}
	return out
}

// conditional gives each group its conditional demographic disparity, and compares them.
//
// In a stratum, a group's demographic disparity is its share of the refused rows minus its share of the selected ones; above 0
// the group is refused more often than the others. Conditional on the strata it is their mean, weighted by the strata's rows
// (Wachter, Mittelstadt and Russell, 2021, "Why fairness cannot be automated", section 5; as CDDPL of Amazon SageMaker
// Clarify, except for strata in which nobody, or everybody, is selected, see StrataUse). It is no comparison of the group's own
// selection rates, so groups need not be large in any stratum.
func (d division) conditional(members []Member, s *stratified, large []bool, level float64, use *StrataUse) Gap {
	use.Strata = len(s.selected)
	rows := 0
	for k := range s.selected {
		if s.selected[k] == 0 || s.refused[k] == 0 {
			use.LeftOut++
			use.RowsLeftOut += s.selected[k] + s.refused[k]
		} else {
			rows += s.selected[k] + s.refused[k]
		}
	}
	out := Gap{Name: ConditionalDemographicDisparity}
	const reason = "in no stratum are some rows selected and others not"
	parts := s.byGroup(d.of)
	together := s.disparities(parts, len(members), rows, bonferroniTail(level, len(members)))
	for k := range members {
		e := stats.NoValue(level, 0, reason)
		if rows > 0 {
			e = stats.Estimate{Value: together[k].value, Low: together[k].low, High: together[k].high, Level: level, Method: MethodStrataSum, N: rows}
		}
		members[k].Conditional = &e
	}
	var of []int
	for k := range members {
		if large[k] {
			of = append(of, k)
		}
	}
	switch {
	case rows == 0:
		out.Estimate = stats.NoValue(level, 0, reason)
		return out
	case len(of) < 2:
		out.Estimate = stats.NoValue(level, rows, noGroupIsLargeEnoughReason)
		return out
	}
	tail := (1 - level) / 2
	pick := func(from []interval) []interval {
		picked := make([]interval, len(of))
		for i, k := range of {
			picked[i] = from[k]
		}
		return picked
	}
	value, low, high, lowest, highest := spreadOfLimits(
		pick(s.disparities(parts, len(members), rows, tail/float64(2*len(of)))), pick(s.disparities(parts, len(members), rows, tail/2)))
	out.Estimate = stats.Estimate{Value: value, Low: low, High: min(high, 2), Level: level, Method: MethodLimits, N: rows}
	out.Rate, out.Highest, out.Lowest = "conditional_disparity", members[of[highest]].Name, members[of[lowest]].Name
	return out
}

// bonferroniTail is the tail of each of k intervals that hold together though they are not independent (Bonferroni).
func bonferroniTail(level float64, k int) float64 { return (1 - level) / 2 / float64(k) }

// disparities is every group's conditional demographic disparity with limits that miss about the tail at each end. A stratum
// without rows of a group is known to add nothing to it.
func (s *stratified) disparities(parts []stratumPart, groups, rows int, tail float64) []interval {
	out := make([]interval, groups)
	below, above := make([]float64, groups), make([]float64, groups)
	for _, p := range parts {
		selected, refused := s.selected[p.stratum], s.refused[p.stratum]
		if selected == 0 || refused == 0 {
			continue
		}
		weight := float64(selected+refused) / float64(rows)
		ofRefused, ofSelected := float64(p.refused)/float64(refused), float64(p.selected)/float64(selected)
		refusedLow, refusedHigh := stats.ClopperPearsonTail(p.refused, refused, tail)
		selectedLow, selectedHigh := stats.ClopperPearsonTail(p.selected, selected, tail)
		square := func(x float64) float64 { return weight * weight * x * x }
		out[p.cell].value += weight * (ofRefused - ofSelected)
		below[p.cell] += square(ofRefused-refusedLow) + square(selectedHigh-ofSelected)
		above[p.cell] += square(refusedHigh-ofRefused) + square(ofSelected-selectedLow)
	}
	for k := range out {
		o := &out[k]
		o.low, o.high = max(o.value-math.Sqrt(below[k]), -1), min(o.value+math.Sqrt(above[k]), 1)
	}
	return out
}
