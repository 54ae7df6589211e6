package explain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// byAsking walks any model, row by row, by asking it about tables of rows that are part the row and part a background row.
func (s *sampling) byAsking(ctx context.Context, b *Allowance) error {
	usedBefore, lostBefore := b.Used(), b.Lost()
	if err := s.plan(b); err != nil {
		return err
	}
	s.of, s.behind = oneDictionary(s.of, s.behind)
	err := s.askAll(ctx, b)
	lost := b.Lost()
	s.out.Asked = b.Used() - usedBefore
	s.out.Lost = Lost{Failed: lost.Failed - lostBefore.Failed, Late: lost.Late - lostBefore.Late, NoNumber: lost.NoNumber - lostBefore.NoNumber}
	return err
}

func (s *sampling) askAll(ctx context.Context, b *Allowance) error {
	scores, err := s.ask(ctx, b, s.behind)
	if err != nil && !errors.Is(err, ErrBudget) {
		return fmt.Errorf("score the background rows: %w", err)
	}
	s.ground(scores)
	over := s.enough(b, err) || len(s.used) == 0
	var of []float64
	if !over {
		if of, err = s.ask(ctx, b, s.of); err != nil && !errors.Is(err, ErrBudget) {
			return fmt.Errorf("score the rows: %w", err)
		}
		over = s.enough(b, err)
	}
	known := newKnown(s.behind, s.used)
	for i := range s.of.Rows {
		if over || math.IsNaN(of[i]) {
			s.keep(i, math.NaN(), estimated{})
			continue
		}
		e, err := s.walkRow(ctx, b, i, of[i], known)
		if err != nil && !errors.Is(err, ErrBudget) {
			return fmt.Errorf("row %d: %w", s.opt.Rows[i], err)
		}
		over = s.enough(b, err)
		s.keep(i, of[i], e)
		if s.opt.Progress != nil {
			s.opt.Progress(i+1, s.of.Rows)
		}
	}
	return nil
}

// ask gives the scores of all rows on the scale, NaN where the model does not answer, and after ErrBudget.
func (s *sampling) ask(ctx context.Context, b *Allowance, f *table.Frame) ([]float64, error) {
	width := b.Schema().Width()
	out := slices.Repeat([]float64{math.NaN()}, f.Rows)
	for from := 0; from < f.Rows; from += s.opt.Batch {
		answers, err := b.Scores(ctx, rowsBetween(f, from, min(from+s.opt.Batch, f.Rows)))
		for i := range len(answers) / width {
			out[from+i] = s.opt.Scale.onto(answers[i*width+s.at])
		}
		if err != nil || b.Silent() {
			return out, err
		}
	}
	return out, nil
}

// walks are those of one row.
type walks struct {
	ground []int   // background rows, as positions in used
	order  [][]int // the features that differ, in the order of the first walk
	place  []int   // pair by pair, of each feature in the order; -1 for one that does not differ
	stops  []stop
}

// stop is a row to be asked about: that of a pair of walks after steps features of one walk have joined.
type stop struct {
	pair, steps int
	reverse     bool
}

// stretch is stops of one walk that follow each other.
type stretch struct {
	stop      // the first
	from, end int
}

// stretches are the parts of stops that belong to one walk each.
func stretches(stops []stop) []stretch {
	var out []stretch
	for e, at := range stops {
		if last := len(out) - 1; last >= 0 && out[last].pair == at.pair && out[last].reverse == at.reverse {
			out[last].end = e + 1
			continue
		}
		out = append(out, stretch{stop: at, from: e, end: e + 1})
	}
	return out
}

// joins is the first stop of a stretch at which the feature has the row's value; its end when there is none.
func (w *walks) joins(at stretch, feature, width int) int {
	place := w.place[at.pair*width+feature]
	if place < 0 {
		return at.end
	}
	if at.reverse {
		place = len(w.order[at.pair]) - 1 - place
	}
	return min(max(at.from+place+1-at.steps, at.from), at.end)
}

func (s *sampling) planWalks(i int) *walks {
	random := s.stream(s.opt.Rows[i])
	d := len(s.out.Features)
	w := &walks{ground: s.grounds(random), place: slices.Repeat([]int{-1}, s.pairs*d)}
	for k, b := range w.ground {
		var order []int
		for j := range d {
			if !same(&s.of.Columns[j], i, &s.behind.Columns[j], s.used[b]) {
				order = append(order, j)
			}
		}
		random.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
		for at, j := range order {
			w.place[k*d+j] = at
		}
		w.order = append(w.order, order)
		for _, reverse := range []bool{false, true} {
			for steps := 1; steps < len(order); steps++ {
				w.stops = append(w.stops, stop{k, steps, reverse})
			}
		}
	}
	return w
}

// walkRow asks about all stops of a row's walks, and makes its values of the pairs without a stop that has no answer.
func (s *sampling) walkRow(ctx context.Context, b *Allowance, i int, score float64, known *known) (estimated, error) {
	w := s.planWalks(i)
	scores := make([]float64, 0, len(w.stops))
	var failed error
	for from := 0; from < len(w.stops) && failed == nil && !b.Silent(); from += s.opt.Batch {
		var answers []float64
		answers, failed = s.ask(ctx, b, s.mixed(i, w, w.stops[from:min(from+s.opt.Batch, len(w.stops))]))
		if failed != nil && !errors.Is(failed, ErrBudget) {
			return estimated{}, failed
		}
		scores = append(scores, answers...)
	}
	for len(scores) < len(w.stops) {
		scores = append(scores, math.NaN())
	}
	d := len(s.out.Features)
	c := controls{width: d, spread: s.out.Spread}
	c.unseen = func(j int) float64 { return known.unseen(j, c.known[j], s.of, i, s.behind, s.used) }
	at := 0
	for k, b := range w.ground {
		order := w.order[k]
		between := max(len(order)-1, 0)
		forward, back := scores[at:at+between], scores[at+between:at+2*between]
		at += 2 * between
		if slices.ContainsFunc(forward, math.IsNaN) || slices.ContainsFunc(back, math.IsNaN) {
			continue
		}
		change := make([]float64, d)
		before, beforeBack := s.base[b], s.base[b]
		for step, j := range order {
			after, afterBack := score, score
			if step < between {
				after, afterBack = forward[step], back[step]
			}
			change[j] += (after - before) / 2
			change[order[len(order)-1-step]] += (afterBack - beforeBack) / 2
			before, beforeBack = after, afterBack
		}
		c.change = append(c.change, change...)
		c.known = known.append(c.known, s.of, i, s.behind, s.used[b])
	}
	return c.estimate(score, s.out.Base), failed
}

// mixed is the table of the rows to be asked about.
func (s *sampling) mixed(i int, w *walks, stops []stop) *table.Frame {
	d, all := len(s.of.Columns), stretches(stops)
	out := &table.Frame{Rows: len(stops)}
	for j := range d {
		of, behind := &s.of.Columns[j], &s.behind.Columns[j]
		c := table.Column{Name: of.Name, Kind: of.Kind, Levels: of.Levels}
		if c.Kind == table.Numeric {
			c.Numbers = make([]float64, len(stops))
		} else {
			c.Codes = make([]int32, len(stops))
		}
		for _, walk := range all {
			joins, row := w.joins(walk, j, d), s.used[w.ground[walk.pair]]
			if c.Kind == table.Numeric {
				fill(c.Numbers[walk.from:joins], behind.Numbers[row])
				fill(c.Numbers[joins:walk.end], of.Numbers[i])
			} else {
				fill(c.Codes[walk.from:joins], behind.Codes[row])
				fill(c.Codes[joins:walk.end], of.Codes[i])
			}
		}
		out.Columns = append(out.Columns, c)
	}
	return out
}

func fill[T any](values []T, with T) {
	for i := range values {
		values[i] = with
	}
}

// same reports whether two rows have the same value, or both none; the columns share their levels.
func same(a *table.Column, row int, b *table.Column, other int) bool {
	if a.Kind == table.Categorical {
		return max(a.Codes[row], -1) == max(b.Codes[other], -1)
	}
	x, y := a.Numbers[row], b.Numbers[other]
	return x == y || x != x && y != y
}

// oneDictionary gives the categorical columns of two tables with the same columns the same levels.
func oneDictionary(f, g *table.Frame) (*table.Frame, *table.Frame) {
	f, g = &table.Frame{Rows: f.Rows, Columns: slices.Clone(f.Columns)}, &table.Frame{Rows: g.Rows, Columns: slices.Clone(g.Columns)}
	for j := range f.Columns {
		a, b := &f.Columns[j], &g.Columns[j]
		if a.Kind != table.Categorical || slices.Equal(a.Levels, b.Levels) {
			continue
		}
		levels := slices.Concat(a.Levels, b.Levels)
		slices.Sort(levels)
		levels = slices.Compact(levels)
		for _, c := range []*table.Column{a, b} {
			codes := make([]int32, len(c.Codes))
			for i, code := range c.Codes {
				codes[i] = -1
				if code >= 0 {
					at, _ := slices.BinarySearch(levels, c.Levels[code])
					codes[i] = int32(at)
				}
			}
			c.Codes, c.Levels = codes, levels
		}
	}
	return f, g
}

// known are the numbers that go with a feature's change, see controls: the rank of a background row's number, whatever its
// distribution, or whether its name is that of the row.
type known struct {
	ranks  [][]float64         // of numeric columns: by row of behind, from -1/2 to 1/2 with mean 0; 0 where it is missing
	shares []map[int32]float64 // of the levels of categorical columns
}

func newKnown(behind *table.Frame, used []int) *known {
	out := &known{}
	for j := range behind.Columns {
		c := &behind.Columns[j]
		var ranks []float64
		shares := map[int32]float64{}
		if c.Kind == table.Numeric {
			ranks = centredRanks(c.Numbers, used)
		} else {
			for _, b := range used {
				shares[max(c.Codes[b], -1)] += 1 / float64(len(used))
			}
		}
		out.ranks, out.shares = append(out.ranks, ranks), append(out.shares, shares)
	}
	return out
}

func centredRanks(numbers []float64, used []int) []float64 {
	out := make([]float64, len(numbers))
	var rows []int
	var values []float64
	for _, b := range used {
		if !math.IsNaN(numbers[b]) {
			rows, values = append(rows, b), append(values, numbers[b])
		}
	}
	n := float64(len(rows))
	for k, rank := range ranked(values) {
		out[rows[k]] = ((n+1)/2 - rank) / n
	}
	return out
}

func (k *known) append(out []float64, of *table.Frame, i int, behind *table.Frame, b int) []float64 {
	for j := range behind.Columns {
		out = append(out, k.at(j, &of.Columns[j], i, &behind.Columns[j], b))
	}
	return out
}

func (k *known) at(j int, of *table.Column, i int, behind *table.Column, b int) float64 {
	if behind.Kind == table.Numeric {
		return k.ranks[j][b]
	}
	code := max(of.Codes[i], -1)
	if max(behind.Codes[b], -1) == code {
		return 1 - k.shares[j][code]
	}
	return -k.shares[j][code]
}

// unseen is the share of the background rows whose number of feature j is another than seen.
func (k *known) unseen(j int, seen float64, of *table.Frame, i int, behind *table.Frame, used []int) float64 {
	others := 0
	for _, b := range used {
		if k.at(j, &of.Columns[j], i, &behind.Columns[j], b) != seen {
			others++
		}
	}
	return float64(others) / float64(len(used))
}

var _ model.Predictor = (*Allowance)(nil)
