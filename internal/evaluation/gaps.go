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
	fairness.DemographicParityDifference: {[]string{stats.SelectionRate}, false},
	fairness.DemographicParityRatio:      {[]string{stats.SelectionRate}, true},
	fairness.EqualizedOddsDifference:     {[]string{stats.Recall, stats.FPR}, false},
	fairness.EqualizedOddsRatio:          {[]string{stats.Recall, stats.FPR}, true},
	fairness.EqualOpportunityDifference:  {[]string{stats.Recall}, false},
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

// extremes are the groups at the ends of the share that makes the gap.
type extremes struct{ low, high tally }

// counter computes a gap of one model from counts of the cells, group by group.
type counter struct {
	ratio   bool
	shares  []groupShare
	want    []int // in how many groups each share has a value among all rows: resamples must compare the same groups
	reason  string
	value   float64
	extreme extremes
}

// groupShare is which cells count in a share, and which of these are successes, with room for a tally of each group.
type groupShare struct {
	name            string
	group           []int // by cell
	counts, success []bool
	tallies         []tally
}

func (c *groupCells) counter(g gap, old bool) *counter {
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
				gs.counts = append(gs.counts, s.counts(cell.truth, predicted, 1))
				gs.success = append(gs.success, s.success(cell.truth, predicted, 1))
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
	out.value, out.extreme, out.reason = out.of(c.counts)
	if len(c.cells) < 2 {
		out.reason = "there are fewer than two groups with rows"
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
func (c *counter) of(counts []int) (value float64, at extremes, reason string) {
	for k := range c.shares {
		share := &c.shares[k]
		var e extremes
		known := 0
		for _, t := range share.count(counts) {
			if t.n == 0 {
				continue
			}
			if known == 0 || t.share() < e.low.share() {
				e.low = t
			}
			if known == 0 || t.share() > e.high.share() {
				e.high = t
			}
			known++
		}
		if known < c.want[k] {
			return 0, at, fmt.Sprintf("fewer than two groups have a %s", share.name)
		}
		v := e.high.share() - e.low.share()
		if c.ratio {
			if e.high.successes == 0 {
				return 0, at, fmt.Sprintf("the %s is zero in every group, so there is no ratio", share.name)
			}
			v = e.low.share() / e.high.share()
		}
		if k == 0 || c.ratio && v < value || !c.ratio && v > value {
			value, at = v, e
		}
	}
	return value, at, ""
}

func (t tally) share() float64 { return float64(t.successes) / float64(t.n) }

// gap measures how far the groups of a column are apart. A group whose share is 0 or 1 has it in every resample, as if it were
// known for certain; then the interval is from the intervals of the groups at the ends.
func (s *Source) gap(q quantity) (measure, error) {
	g := gaps[q.Metric]
	c := s.groupCells(q.Slice, g.labels())
	one := c.counter(g, q.Which == gate.Old)
	if one.reason != "" {
		return noValue(sum(c.counts), one.reason), nil
	}
	if at := one.extreme; at.low.successes == 0 || at.high.successes == at.high.n {
		return g.ends(at, one.value, c.from), nil
	}
	return ofExtremes(s.resampled(c.counts, c.from, func(counts []int) (float64, bool) {
		v, _, reason := one.of(counts)
		return v, reason == ""
	})), nil
}

// pairedGap is the candidate's gap less the champion's, both in the same resamples.
func (s *Source) pairedGap(q quantity) (measure, error) {
	g := gaps[q.Metric]
	c := s.groupCells(q.Slice, g.labels())
	one, other := c.counter(g, false), c.counter(g, true)
	if reason := cmp.Or(one.reason, other.reason); reason != "" {
		return noValue(sum(c.counts), reason), nil
	}
	return ofExtremes(s.resampled(c.counts, c.from, func(counts []int) (float64, bool) {
		v, _, reason := one.of(counts)
		if reason != "" {
			return 0, false
		}
		w, _, reason := other.of(counts)
		return v - w, reason == ""
	})), nil
}

// assumeExtremes is what a gap rests on beside its method.
const assumeExtremes = "The groups at the ends differ from the others by more than chance: the largest of many chance differences lies too high."

// ofExtremes adds what the largest of several differences rests on.
func ofExtremes(of measure) measure {
	return func(tail float64) gate.Measurement {
		m := of(tail)
		if m.Defined() {
			m.Assumption += " " + assumeExtremes
		}
		return m
	}
}

// MethodWilsonLimits is the interval of a ratio of two shares from their Wilson intervals: lower limit over upper limit to upper
// over lower, which covers at no less than the level of both together.
const MethodWilsonLimits = fairness.MethodWilsonLimits

// ends is the interval from the two groups at the ends alone.
func (g gap) ends(at extremes, value float64, from int) measure {
	one, two := scoreMeasure(at.high, from, ""), scoreMeasure(at.low, from, "")
	if !g.ratio {
		d := independent(one, two)
		return func(tail float64) gate.Measurement {
			m := d(tail)
			m.Low = max(m.Low, 0)
			return m
		}
	}
	return func(tail float64) gate.Measurement {
		high, low := one(tail), two(tail)
		e := stats.Estimate{
			Value: value, Low: low.Low / high.High, High: min(low.High/high.Low, 1),
			Level: level(tail), Method: MethodWilsonLimits, N: at.high.n + at.low.n,
		}
		return gate.Measurement{Estimate: e, Tail: tail, Assumption: assumeOthers, RowsFor: rowsByRoot(halfWidth(e), from)}
	}
}

func sum(counts []int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}
