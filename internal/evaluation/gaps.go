package evaluation

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// gap is a fairness metric's definition: the worst over its shares of the difference, or the ratio, of the groups at the ends.
type gap struct {
	shares []string
	ratio  bool
}

var gaps = map[string]gap{
	fairness.DemographicParityDifference:  {[]string{stats.SelectionRate}, false},
	fairness.DemographicParityRatio:       {[]string{stats.SelectionRate}, true},
	fairness.EqualizedOddsDifference:      {[]string{stats.Recall, stats.FPR}, false},
	fairness.EqualizedOddsRatio:           {[]string{stats.Recall, stats.FPR}, true},
	fairness.EqualOpportunityDifference:   {[]string{stats.Recall}, false},
	fairness.EqualOpportunityRatio:        {[]string{stats.Recall}, true},
	fairness.PredictiveParityDifference:   {[]string{stats.Precision}, false},
	fairness.PredictiveParityRatio:        {[]string{stats.Precision}, true},
	fairness.PredictiveEqualityDifference: {[]string{stats.FPR}, false},
	fairness.PredictiveEqualityRatio:      {[]string{stats.FPR}, true},
	fairness.AccuracyDifference:           {[]string{stats.Accuracy}, false},
	fairness.AccuracyRatio:                {[]string{stats.Accuracy}, true},
}

// labels reports whether the gap needs the rows' labels.
func (g gap) labels() bool {
	return slices.ContainsFunc(g.shares, func(name string) bool {
		s, _ := shareNamed(name)
		return s.labels
	})
}

// groupCells are the rows by group and, within one, by label and predictions.
type groupCells struct {
	names  []string
	cells  [][]cell // by group
	counts []int    // of all cells, group by group
	small  []string // groups with too few rows to be compared, each with its number of rows
	from   int
}

// groupCells finds the groups of a column, or of columns together, that have rows.
func (s *Source) groupCells(slice gate.Slice, labels bool) *groupCells {
	columns := make([]string, 0, len(slice.Parts))
	for _, p := range slice.Parts {
		columns = append(columns, p.Column)
	}
	key := fmt.Sprintf("%q %t", columns, labels)
	if found, ok := s.gaps[key]; ok {
		return found
	}
	x := s.index
	whole := s.whole()
	rows, from := whole.rows, x.N()
	if labels {
		rows, from = whole.labelled, whole.from
	}
	g := &groupCells{from: from}
	for _, group := range x.divide(columns, rows) {
		if len(group.rows) < s.options.MinGroup {
			g.small = append(g.small, fmt.Sprintf("%s (%d)", group.name(), len(group.rows)))
			continue
		}
		g.names = append(g.names, group.name())
		g.cells = append(g.cells, x.count(group.rows, labels))
	}
	for _, cells := range g.cells {
		for _, c := range cells {
			g.counts = append(g.counts, c.n)
		}
	}
	s.gaps[key] = g
	return g
}

// whole is the part that is all rows.
func (s *Source) whole() *part {
	found, ok := s.parts[""]
	if !ok {
		found = located{part: s.index.part(s.index.all())}
		s.parts[""] = found
	}
	return found.part
}

// counter computes a gap of one model from counts of the cells, group by group.
type counter struct {
	ratio  bool
	shares []groupShare
	want   []int // in how many groups each share has a value among all rows: resamples must compare the same groups
	reason string
	value  float64
}

// groupShare is which cells count in a share, and which of these are successes, with room for a tally of each group.
type groupShare struct {
	name            string
	group           []int // by cell
	counts, success []bool
	tallies         []tally
}

// counter counts what a gap of one model is made of; class is the one that the shares speak of.
func (c *groupCells) counter(g gap, old bool, class int32) *counter {
	out := &counter{ratio: g.ratio}
	for _, name := range g.shares {
		s, _ := shareNamed(name)
		gs := groupShare{name: name, tallies: make([]tally, len(c.cells))}
		for group, cells := range c.cells {
			for _, cell := range cells {
				predicted := cell.new
				if old {
					predicted = cell.old
				}
				gs.group = append(gs.group, group)
				gs.counts = append(gs.counts, s.counts(cell.truth, predicted, class))
				gs.success = append(gs.success, s.success(cell.truth, predicted, class))
			}
		}
		known := 0
		for _, t := range gs.count(c.counts) {
			if t.n > 0 {
				known++
			}
		}
		out.shares, out.want = append(out.shares, gs), append(out.want, max(known, 2))
	}
	out.value, out.reason = out.of(c.counts)
	if len(c.cells) < 2 {
		out.reason = "there are fewer than two groups with rows"
		if len(c.small) > 0 {
			out.reason = "fewer than two groups have enough rows to be compared; too small: " + listed(c.small)
		}
	}
	return out
}

// count fills in the tallies.
func (s *groupShare) count(counts []int) []tally {
	clear(s.tallies)
	for k, n := range counts {
		if !s.counts[k] {
			continue
		}
		t := &s.tallies[s.group[k]]
		t.n += n
		if s.success[k] {
			t.successes += n
		}
	}
	return s.tallies
}

// of is the gap when the cells have so many rows, or the reason why there is none.
func (c *counter) of(counts []int) (value float64, reason string) {
	for k := range c.shares {
		share := &c.shares[k]
		var low, high tally
		known := 0
		for _, t := range share.count(counts) {
			if t.n == 0 {
				continue
			}
			if known == 0 || t.share() < low.share() {
				low = t
			}
			if known == 0 || t.share() > high.share() {
				high = t
			}
			known++
		}
		if known < c.want[k] {
			return 0, fmt.Sprintf("fewer than two groups have a %s", share.name)
		}
		v := high.share() - low.share()
		if c.ratio {
			if high.successes == 0 {
				return 0, fmt.Sprintf("the %s is zero in every group, so there is no ratio", share.name)
			}
			v = low.share() / high.share()
		}
		if k == 0 || c.ratio && v < value || !c.ratio && v > value {
			value = v
		}
	}
	return value, ""
}

func (t tally) share() float64 { return float64(t.successes) / float64(t.n) }

// gap measures how far the groups of a column are apart. The true gap is that of the two groups which truly are furthest apart, so
// that the upper limit is that of one pair; the lower limit holds for all pairs together, so that alike groups are told apart no
// more often than stated, however many there are: see fairness.GapOfShares.
func (s *Source) gap(q quantity) (measure, error) {
	g := gaps[q.Metric]
	c := s.groupCells(q.Slice, g.labels())
	one := c.counter(g, q.Which == gate.Old, q.class)
	if one.reason != "" {
		return noValue(sum(c.counts), one.reason), nil
	}
	assumption := assumePairs
	if len(c.small) > 0 {
		assumption += " Left out for want of rows: " + listed(c.small) + "."
	}
	return func(tail float64) gate.Measurement {
		e := stats.Estimate{Value: one.value, Level: level(tail), Method: fairness.MethodPairs, N: sum(c.counts)}
		// The worst of several shares: the limit towards equality holds for all of them together, the other one for that which is the
		// worst. Of a ratio the former is the upper one.
		all, worst := tail/float64(len(one.shares)), tail
		if g.ratio {
			all, worst = worst, all
		}
		e.Low, _ = one.limits(all)
		_, e.High = one.limits(worst)
		return gate.Measurement{Estimate: e, Tail: tail, Assumption: assumption, RowsFor: rowsByRoot(halfWidth(e), c.from)}
	}, nil
}

// assumePairs is what the limits of a gap rest on.
const assumePairs = "The limits of two groups together miss no more often than stated, as enumeration has shown for the sizes and shares that were tried."

// limits are the outermost of the shares' limits.
func (c *counter) limits(tail float64) (low, high float64) {
	for k, share := range c.shares {
		var successes, n []int
		for _, t := range share.tallies {
			if t.n > 0 {
				successes, n = append(successes, t.successes), append(n, t.n)
			}
		}
		_, l, h, _, _, _ := fairness.GapOfShares(successes, n, c.ratio, tail)
		if k == 0 || c.ratio && l < low || !c.ratio && l > low {
			low = l
		}
		if k == 0 || c.ratio && h < high || !c.ratio && h > high {
			high = h
		}
	}
	return low, high
}

// pairedGap is the candidate's gap less the champion's, both in the same resamples.
func (s *Source) pairedGap(q quantity) (measure, error) {
	g := gaps[q.Metric]
	c := s.groupCells(q.Slice, g.labels())
	one, other := c.counter(g, false, q.class), c.counter(g, true, q.class)
	if reason := cmp.Or(one.reason, other.reason); reason != "" {
		return noValue(sum(c.counts), reason), nil
	}
	of := s.resampled(c.counts, c.from, func(counts []int) (float64, bool) {
		v, reason := one.of(counts)
		if reason != "" {
			return 0, false
		}
		w, reason := other.of(counts)
		return v - w, reason == ""
	})
	return func(tail float64) gate.Measurement {
		m := of(tail)
		if m.Defined() {
			m.Assumption += " " + assumeExtremes
		}
		return m
	}, nil
}

// assumeExtremes is what the difference of two gaps rests on beside its method.
const assumeExtremes = "The groups at the ends differ from the others by more than chance: the largest of many chance differences lies too high."

func sum(counts []int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}
