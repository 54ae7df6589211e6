package drift

import (
	"cmp"
	"math"
	"slices"
)

// counted is a value with its number of rows.
type counted struct {
	value string
	rows  int64
}

// names is the distribution of a categorical reference column: its listed values, and how many rows hold other ones.
type names struct {
	listed []counted
	other  int64
}

const (
	// expectedAtLeast is the expected count, in the smaller sample, below which a value is pooled with the others.
	expectedAtLeast = 5
	// mostCells bounds the values that are compared one by one; spread over more cells, a chi-square test loses power.
	mostCells = 20
)

// level is a value with its rows in both samples.
type level struct {
	value string
	cell
}

// compared divides both samples' present values into the cells that are compared one by one, and everything else.
// Which values have a cell depends on their rows in both samples together, never on the difference, so that the tests keep their level.
func compared(ref names, cur []counted) (cells []cell, others cell) {
	levels, others := comparedLevels(ref, cur)
	for _, l := range levels {
		cells = append(cells, l.cell)
	}
	return cells, others
}

// comparedLevels is compared with the values that the cells are of, the most frequent first.
func comparedLevels(ref names, cur []counted) (levels []level, others cell) {
	floor := listedForSure(ref)
	others.ref = ref.other
	var candidates []level
	for _, l := range pairs(ref.listed, cur) {
		others.ref, others.cur = others.ref+l.ref, others.cur+l.cur
		if float64(l.ref) >= floor {
			candidates = append(candidates, l)
		}
	}
	slices.SortFunc(candidates, func(a, b level) int {
		return cmp.Or(cmp.Compare(b.total(), a.total()), cmp.Compare(a.value, b.value))
	})
	m, n := others.ref, others.cur
	smaller := float64(min(m, n)) / float64(m+n)
	for _, l := range candidates {
		if len(levels) == mostCells || float64(l.total())*smaller < expectedAtLeast {
			break
		}
		levels = append(levels, l)
		others.ref, others.cur = others.ref-l.ref, others.cur-l.cur
	}
	return levels, others
}

// listedForSure is the number of reference rows from which on a value's being listed cannot have been luck. A list of the most
// frequent values picks, among values about as frequent as its last, those that this reference happened to hold more often; a
// fresh sample holds them less often, without any drift. Four standard deviations of a Poisson count above the last are safe.
func listedForSure(ref names) float64 {
	if ref.other == 0 || len(ref.listed) == 0 {
		return 0
	}
	last := slices.MinFunc(ref.listed, func(a, b counted) int { return cmp.Compare(a.rows, b.rows) })
	return float64(last.rows) + 4*math.Sqrt(float64(last.rows))
}

// pairs joins the listed reference values with the current ones, in order of value.
func pairs(ref, cur []counted) []level {
	all := make([]level, 0, len(ref)+len(cur))
	for _, c := range ref {
		all = append(all, level{c.value, cell{ref: c.rows}})
	}
	for _, c := range cur {
		all = append(all, level{c.value, cell{cur: c.rows}})
	}
	slices.SortStableFunc(all, func(a, b level) int { return cmp.Compare(a.value, b.value) })
	joined := all[:0]
	for _, l := range all {
		if last := len(joined) - 1; last >= 0 && joined[last].value == l.value {
			joined[last].ref += l.ref
			joined[last].cur += l.cur
			continue
		}
		joined = append(joined, l)
	}
	return joined
}

// nameCells are the cells of the PSI of a categorical column: every listed value, and the others together.
func nameCells(ref names, cur []counted) []cell {
	var cells []cell
	others := cell{ref: ref.other}
	for _, l := range pairs(ref.listed, cur) {
		if ref.other > 0 && l.ref == 0 {
			others.cur += l.cur
			continue
		}
		cells = append(cells, l.cell)
	}
	if others.total() > 0 {
		cells = append(cells, others)
	}
	return cells
}
