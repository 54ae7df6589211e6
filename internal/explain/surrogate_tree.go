package explain

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// grower grows a tree on the answers given to rows of a frame, width numbers each.
type grower struct {
	frame   *table.Frame
	answers []float64
	width   int
	depth   int
	minLeaf int
}

func (g *grower) answer(i int) []float64 { return g.answers[i*g.width : (i+1)*g.width] }

// node is a leaf, or asks a question.
type node struct {
	mean    []float64
	rows    int
	ask     *question
	yes, no *node
}

// question is answered yes by numbers below a cut, or by levels of a set; Missing says how rows without a value answer.
type question struct {
	column  int
	below   float64 // +Inf asks whether there is a value
	levels  []bool  // by code; nil of a numeric column
	other   bool    // the answer of levels that fitting did not meet
	met     []bool
	missing bool
}

func (q *question) yes(f *table.Frame, i int) bool {
	c := &f.Columns[q.column]
	switch {
	case absent(c, i):
		return q.missing
	case c.Kind == table.Numeric:
		return c.Numbers[i] < q.below
	case !q.met[c.Codes[i]]:
		return q.other
	}
	return q.levels[c.Codes[i]]
}

func (n *node) leaf(f *table.Frame, i int) *node {
	for n.ask != nil {
		if n.ask.yes(f, i) {
			n = n.yes
		} else {
			n = n.no
		}
	}
	return n
}

func (g *grower) grow(ctx context.Context, rows []int, depth int) (*node, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := &node{rows: len(rows), mean: make([]float64, g.width)}
	for _, i := range rows {
		for o, v := range g.answer(i) {
			n.mean[o] += v / float64(len(rows))
		}
	}
	spread, size := 0.0, 0.0
	for _, i := range rows {
		for o, v := range g.answer(i) {
			spread += (v - n.mean[o]) * (v - n.mean[o])
			size += v * v
		}
	}
	// A gain below this is the rounding of sums, as is a spread too small against the answers themselves.
	least := spread * 1e-9
	if depth == g.depth || len(rows) < 2*g.minLeaf || spread <= size*1e-20 || math.IsInf(spread, 0) {
		return n, nil
	}
	var best *question
	for j := range g.frame.Columns {
		if q, gain := g.bestOf(j, rows, n.mean); q != nil && gain > least {
			// A later column must be better by more than rounding, so that ties go to the first.
			best, least = q, gain*(1+1e-12)
		}
	}
	if best == nil {
		return n, nil
	}
	var yes, no []int
	for _, i := range rows {
		if best.yes(g.frame, i) {
			yes = append(yes, i)
		} else {
			no = append(no, i)
		}
	}
	best.other = len(yes) >= len(no)
	var err error
	if n.yes, err = g.grow(ctx, yes, depth+1); err != nil {
		return nil, err
	}
	n.no, err = g.grow(ctx, no, depth+1)
	n.ask = best
	return n, err
}

// group is rows that no question of a column tells apart, with the sums of their answers less the node's mean.
type group struct {
	number float64
	code   int32
	rows   int
	sums   []float64
}

func (a *group) add(b group) {
	a.rows += b.rows
	for o, v := range b.sums {
		a.sums[o] += v
	}
}

// bestOf is the column's question that takes the most from the squared error, and how much it takes.
func (g *grower) bestOf(column int, rows []int, mean []float64) (*question, float64) {
	c := &g.frame.Columns[column]
	missing := group{sums: make([]float64, g.width)}
	groups := g.groups(c, rows, mean, &missing)
	if len(groups) == 0 {
		return nil, 0
	}
	met := make([]bool, len(c.Levels))
	if c.Kind == table.Categorical {
		for _, v := range groups {
			met[v.code] = true
		}
	}
	total := group{sums: make([]float64, g.width)}
	for _, v := range groups {
		total.add(v)
	}
	total.add(missing)

	most, at, missingYes := 0.0, -1, false
	yes := group{sums: make([]float64, g.width)}
	for k, v := range groups {
		yes.add(v)
		for _, with := range []bool{false, true} {
			last := k == len(groups)-1
			if missing.rows == 0 && (with || last) || last && with {
				continue
			}
			n := yes.rows
			if with {
				n += missing.rows
			}
			if n < g.minLeaf || total.rows-n < g.minLeaf {
				continue
			}
			gain := 0.0
			for o, s := range yes.sums {
				if with {
					s += missing.sums[o]
				}
				rest := total.sums[o] - s
				gain += s*s/float64(n) + rest*rest/float64(total.rows-n)
			}
			if gain > most*(1+1e-12) {
				most, at, missingYes = gain, k, with
			}
		}
	}
	if at < 0 {
		return nil, 0
	}
	q := &question{column: column, missing: missingYes, met: met}
	if c.Kind == table.Categorical {
		q.levels = make([]bool, len(c.Levels))
		for _, v := range groups[:at+1] {
			q.levels[v.code] = true
		}
		return q, most
	}
	q.below = math.Inf(1)
	if at+1 < len(groups) {
		low, high := groups[at].number, groups[at+1].number
		if q.below = low/2 + high/2; q.below <= low {
			q.below = high
		}
	}
	if missing.rows == 0 {
		// Rows without a value were not met: they go with the larger side, as unmet levels do.
		side := 0
		for _, v := range groups[:at+1] {
			side += v.rows
		}
		q.missing = 2*side >= total.rows
	}
	return q, most
}

// groups is the rows by value: numbers ascending, levels by mean answer (of the answer that varies most between levels).
func (g *grower) groups(c *table.Column, rows []int, mean []float64, missing *group) []group {
	ordered := slices.DeleteFunc(slices.Clone(rows), func(i int) bool { return absent(c, i) })
	same := func(i, k int) bool {
		return c.Kind == table.Categorical && c.Codes[i] == c.Codes[k] || c.Kind == table.Numeric && c.Numbers[i] == c.Numbers[k]
	}
	slices.SortStableFunc(ordered, func(i, k int) int {
		if c.Kind == table.Categorical {
			return cmp.Compare(c.Codes[i], c.Codes[k])
		}
		return cmp.Compare(c.Numbers[i], c.Numbers[k])
	})
	count := func(to *group, i int) {
		to.rows++
		for o, v := range g.answer(i) {
			to.sums[o] += v - mean[o]
		}
	}
	for _, i := range rows {
		if absent(c, i) {
			count(missing, i)
		}
	}
	var out []group
	for k, i := range ordered {
		if k > 0 && same(ordered[k-1], i) {
			count(&out[len(out)-1], i)
			continue
		}
		next := group{sums: make([]float64, g.width)}
		count(&next, i)
		if c.Kind == table.Categorical {
			next.code = c.Codes[i]
		} else {
			next.number = c.Numbers[i]
		}
		out = append(out, next)
	}
	if c.Kind == table.Numeric {
		return out
	}
	lead, widest := 0, -1.0
	for o := range g.width {
		between := 0.0
		for _, v := range out {
			between += v.sums[o] * v.sums[o] / float64(v.rows)
		}
		if between > widest {
			lead, widest = o, between
		}
	}
	slices.SortStableFunc(out, func(a, b group) int {
		return cmp.Compare(a.sums[lead]/float64(a.rows), b.sums[lead]/float64(b.rows))
	})
	return out
}

// step is a question on the way to a leaf, and its answer there.
type step struct {
	ask *question
	yes bool
}

// write appends the rules of the leaves below n, the yes side first.
func (s *Surrogate) write(g *grower, n *node, way []step, held []int, decide func([]float64) string) {
	s.Depth = max(s.Depth, len(way))
	if n.ask != nil {
		var yes, no []int
		for _, i := range held {
			if n.ask.yes(g.frame, i) {
				yes = append(yes, i)
			} else {
				no = append(no, i)
			}
		}
		s.write(g, n.yes, append(slices.Clone(way), step{n.ask, true}), yes, decide)
		s.write(g, n.no, append(slices.Clone(way), step{n.ask, false}), no, decide)
		return
	}
	rule := SurrogateRule{When: words(g.frame, way), Answers: n.mean, Fitted: n.rows, HeldOut: len(held), Share: float64(n.rows) / float64(s.Fitted)}
	rule.Agreement = stats.NoValue(Level, len(held), noDecision)
	if decide != nil {
		rule.Decision = decide(n.mean)
		same := 0
		for _, i := range held {
			if decide(g.answer(i)) == rule.Decision {
				same++
			}
		}
		rule.Agreement = stats.Proportion(same, len(held), Level, "no held-out row came here")
	}
	s.Rules = append(s.Rules, rule)
}

// words is the way to a leaf, the questions of one column as one condition, columns in the order in which they are asked.
func words(f *table.Frame, way []step) string {
	var parts []string
	var done []int
	for k, st := range way {
		j := st.ask.column
		if slices.Contains(done, j) {
			continue
		}
		done = append(done, j)
		same := slices.DeleteFunc(slices.Clone(way[k:]), func(o step) bool { return o.ask.column != j })
		if f.Columns[j].Kind == table.Numeric {
			parts = append(parts, numberWords(f, j, same))
		} else {
			parts = append(parts, levelWords(&f.Columns[j], same))
		}
	}
	if len(parts) == 0 {
		return "always"
	}
	return strings.Join(parts, " and ")
}

func numberWords(f *table.Frame, j int, way []step) string {
	low, high, none, missing := math.Inf(-1), math.Inf(1), false, true
	for _, st := range way {
		if st.yes {
			high = min(high, st.ask.below)
		} else if math.IsInf(st.ask.below, 1) {
			none = true
		} else {
			low = max(low, st.ask.below)
		}
		missing = missing && st.ask.missing == st.yes
	}
	c := &f.Columns[j]
	text := ""
	switch {
	case none:
		return c.Name + " is missing"
	case math.IsInf(low, -1) && math.IsInf(high, 1):
		return c.Name + " is known"
	case math.IsInf(low, -1):
		text = fmt.Sprintf("%s < %s", c.Name, cutText(high))
	case math.IsInf(high, 1):
		text = fmt.Sprintf("%s >= %s", c.Name, cutText(low))
	default:
		text = fmt.Sprintf("%s <= %s < %s", cutText(low), c.Name, cutText(high))
	}
	if missing && slices.ContainsFunc(c.Numbers, math.IsNaN) {
		return "(" + text + " or missing)"
	}
	return text
}

// cutText is a cut in as few digits as a reader needs; cuts lie between values, so the last digits carry nothing.
func cutText(v float64) string {
	if v == math.Trunc(v) {
		return table.NumberText(v)
	}
	return fmt.Sprintf("%.6g", v)
}

// mostLevels is how many levels are named before the rest are counted.
const mostLevels = 6

func levelWords(c *table.Column, way []step) string {
	var in []string
	for code, level := range c.Levels {
		if !slices.ContainsFunc(way, func(st step) bool { return !st.ask.met[code] || st.ask.levels[code] != st.yes }) {
			in = append(in, level)
		}
	}
	missing := slices.Contains(c.Codes, -1) && !slices.ContainsFunc(way, func(st step) bool { return st.ask.missing != st.yes })
	text := ""
	switch {
	case len(in) == 0:
		return c.Name + " is missing"
	case len(in) == 1:
		text = c.Name + " is " + in[0]
	case len(in) <= mostLevels:
		text = c.Name + " is one of " + strings.Join(in, ", ")
	default:
		text = fmt.Sprintf("%s is one of %s and %d more", c.Name, strings.Join(in[:mostLevels], ", "), len(in)-mostLevels)
	}
	if missing {
		return "(" + text + " or missing)"
	}
	return text
}
