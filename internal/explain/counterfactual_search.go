package explain

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// Bounds of one row's search.
const (
	promisingMoves = 12   // single changes that pairs are made of
	refined        = 6    // ways to the goal that are brought nearer
	sections       = 8    // values asked about at once between the row's and one that meets the goal
	rounds         = 4    // so that the last step is 9^-4 of the first
	leastProgress  = 1e-9 // of an answer, below which a change is rounding
)

// search looks for the counterfactuals of one row.
type search struct {
	ask      *asker
	frame    *table.Frame
	row      int
	freedoms []freedom
	opt      CounterfactualOptions
	aim      aim
	left     int // predictions
	spent    int
	short    bool // something was not asked for want of predictions
}

// move is a change of one column.
type move struct {
	column int
	to     value
}

// trial is changes of different columns, by ascending column, and what the model answers to them.
type trial struct {
	moves    []move
	near     float64
	shown    float64
	reached  bool
	distance float64
}

func (s *search) run(ctx context.Context, before []float64) (RowCounterfactuals, error) {
	out := RowCounterfactuals{Row: s.row, Before: s.aim.shown(before), Predictions: 1}
	if schema := s.ask.p.Schema(); schema.TaskOf() == stats.Multiclass {
		out.ClassBefore = schema.Classes[stats.MostProbable(before)]
	}
	if s.aim.reached(before) {
		out.Reason = alreadyThere
		return out, nil
	}
	if !slices.ContainsFunc(s.freedoms, func(f freedom) bool { return !f.fixed }) {
		out.Reason = "no column may change"
		return out, nil
	}
	moves := s.spreadOut(s.moves())
	if len(moves) == 0 {
		out.Reason = "its columns may change, but to no value that occurs and that the rules allow"
		return out, nil
	}
	found, err := s.explore(ctx, moves, s.aim.near(before))
	if err != nil {
		return out, err
	}
	found, err = s.refine(ctx, found)
	if err != nil {
		return out, err
	}
	out.Predictions += s.spent
	out.Found = len(found) > 0
	for _, t := range found {
		out.Counterfactuals = append(out.Counterfactuals, s.described(t))
	}
	switch {
	case out.Found:
	case s.short:
		out.Reason = "none within the predictions allowed; allow more"
	default:
		out.Reason = "no change that was tried meets the goal"
	}
	return out, nil
}

// moves is the single changes tried first.
func (s *search) moves() []move {
	var out []move
	for j := range s.freedoms {
		for _, to := range s.freedoms[j].tried(valueAt(&s.frame.Columns[j], s.row)) {
			out = append(out, move{j, to})
		}
	}
	return out
}

// try asks the model about the row with each set of changes, as far as predictions are left.
func (s *search) try(ctx context.Context, sets [][]move) ([]trial, error) {
	if len(sets) > s.left {
		sets, s.short = sets[:max(s.left, 0)], true
	}
	if len(sets) == 0 {
		return nil, nil
	}
	f := takeRows(s.frame, slices.Repeat([]int{s.row}, len(sets)))
	for i, set := range sets {
		for _, m := range set {
			if c := &f.Columns[m.column]; c.Kind == table.Numeric {
				c.Numbers[i] = m.to.number
			} else {
				c.Codes[i] = m.to.code
			}
		}
	}
	s.left -= len(sets)
	s.spent += len(sets)
	answers, err := s.ask.ask(ctx, f, func(int) int { return s.row })
	if err != nil {
		return nil, err
	}
	out := make([]trial, len(sets))
	for i, set := range sets {
		a := answers[i*s.ask.width : (i+1)*s.ask.width]
		out[i] = trial{moves: set, near: s.aim.near(a), shown: s.aim.shown(a), reached: s.aim.reached(a)}
		for _, m := range set {
			out[i].distance = min(out[i].distance+s.distance(m), math.MaxFloat64)
		}
	}
	return out, nil
}

func (s *search) distance(m move) float64 {
	return s.freedoms[m.column].distance(valueAt(&s.frame.Columns[m.column], s.row), m.to)
}

// explore gives trials that meet the goal: of one change, of two, and where neither does, of as many as it takes.
func (s *search) explore(ctx context.Context, moves []move, start float64) ([]trial, error) {
	sets := make([][]move, len(moves))
	for i, m := range moves {
		sets[i] = []move{m}
	}
	singles, err := s.try(ctx, sets)
	if err != nil {
		return nil, err
	}
	all := singles
	if s.opt.MaxChanges > 1 {
		pairs, err := s.try(ctx, pairsOf(s.promising(singles, start)))
		if err != nil {
			return nil, err
		}
		all = slices.Concat(singles, pairs)
	}
	found := slices.DeleteFunc(slices.Clone(all), func(t trial) bool { return !t.reached })
	if len(found) > 0 || len(all) == 0 {
		return found, nil
	}
	best := slices.MaxFunc(all, func(a, b trial) int {
		return cmp.Or(cmp.Compare(a.near, b.near), cmp.Compare(b.distance, a.distance))
	})
	for near := start; len(best.moves) < s.opt.MaxChanges && best.near > near+leastProgress*math.Abs(near); {
		near = best.near
		sets = sets[:0]
		for _, m := range moves {
			if !slices.ContainsFunc(best.moves, func(b move) bool { return b.column == m.column }) {
				sets = append(sets, joined(best.moves, m))
			}
		}
		next, err := s.try(ctx, sets)
		if err != nil {
			return nil, err
		}
		for _, t := range next {
			if t.reached {
				found = append(found, t)
			}
			if t.near > best.near {
				best = t
			}
		}
		if len(found) > 0 {
			break
		}
	}
	return found, nil
}

// spreadOut orders single changes such that, when predictions run out, each column has had about as many as any other.
func (s *search) spreadOut(moves []move) []move {
	seen, nth := make([]int, len(s.freedoms)), make(map[move]int, len(moves))
	for _, m := range moves {
		nth[m] = seen[m.column]
		seen[m.column]++
	}
	out := slices.Clone(moves)
	slices.SortStableFunc(out, func(a, b move) int { return nth[a] - nth[b] })
	return out
}

func joined(moves []move, m move) []move {
	out := append(slices.Clone(moves), m)
	slices.SortFunc(out, func(a, b move) int { return a.column - b.column })
	return out
}

// promising is the single changes that bring the answer nearest, and those that bring it nearer at the least distance.
func (s *search) promising(singles []trial, start float64) []move {
	byGain := slices.Clone(singles)
	slices.SortStableFunc(byGain, func(a, b trial) int { return cmp.Compare(b.near, a.near) })
	byRate := slices.Clone(singles)
	slices.SortStableFunc(byRate, func(a, b trial) int {
		return cmp.Compare((b.near-start)/b.distance, (a.near-start)/a.distance)
	})
	var out []move
	perColumn := make([]int, len(s.freedoms))
	for i := range byGain {
		for _, t := range []trial{byGain[i], byRate[i]} {
			m := t.moves[0]
			// A column with many values must not crowd out the others.
			if len(out) < promisingMoves && perColumn[m.column] < promisingMoves/4 && !slices.Contains(out, m) {
				out = append(out, m)
				perColumn[m.column]++
			}
		}
	}
	return out
}

func pairsOf(moves []move) [][]move {
	var out [][]move
	for i, a := range moves {
		for _, b := range moves[i+1:] {
			if a.column != b.column {
				out = append(out, joined([]move{a}, b))
			}
		}
	}
	return out
}

func byDistance(a, b trial) int {
	return cmp.Or(cmp.Compare(a.distance, b.distance), len(a.moves)-len(b.moves), slices.CompareFunc(a.moves, b.moves, func(x, y move) int {
		return cmp.Or(x.column-y.column, cmp.Compare(x.to.number, y.to.number), cmp.Compare(x.to.code, y.to.code))
	}))
}

// refine brings the nearest trials, one for every set of columns, nearer, and keeps as many as are wanted.
func (s *search) refine(ctx context.Context, found []trial) ([]trial, error) {
	slices.SortFunc(found, byDistance)
	var out []trial
	for _, t := range differing(found, refined) {
		nearer, err := s.shorten(ctx, t)
		if err != nil {
			return nil, err
		}
		out = append(out, nearer)
	}
	slices.SortFunc(out, byDistance)
	return differing(out, s.opt.Alternatives), nil
}

// differing is the first so many trials of which no two change the same columns.
func differing(trials []trial, most int) []trial {
	var out []trial
	for _, t := range trials {
		if len(out) == most {
			break
		}
		if !slices.ContainsFunc(out, func(o trial) bool {
			return slices.EqualFunc(o.moves, t.moves, func(a, b move) bool { return a.column == b.column })
		}) {
			out = append(out, t)
		}
	}
	return out
}

// shorten undoes what the goal does not need, and moves numbers back towards the row while the goal is still met.
func (s *search) shorten(ctx context.Context, t trial) (trial, error) {
	for k := 0; k < len(t.moves) && len(t.moves) > 1; {
		without, err := s.try(ctx, [][]move{slices.Delete(slices.Clone(t.moves), k, k+1)})
		if err != nil {
			return t, err
		}
		if len(without) == 1 && without[0].reached {
			t, k = without[0], 0
			continue
		}
		k++
	}
	order := make([]int, len(t.moves))
	for k := range order {
		order[k] = k
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.distance(t.moves[b]), s.distance(t.moves[a])) })
	for _, k := range order {
		var err error
		if t, err = s.close(ctx, t, k); err != nil {
			return t, err
		}
	}
	return s.rounded(ctx, t, order)
}

// close moves one number back towards the row's own. Each round asks about equal steps from a value that does not meet the
// goal to the one that does, and goes on with the step before the nearest that does.
func (s *search) close(ctx context.Context, t trial, k int) (trial, error) {
	column := t.moves[k].column
	free, from := s.freedoms[column], valueAt(&s.frame.Columns[column], s.row)
	if free.kind == table.Categorical || math.IsNaN(from.number) {
		return t, nil
	}
	for missed, round := from.number, 0; round < rounds; round++ {
		var sets [][]move
		last, met := missed, t.moves[k].to.number
		for i := range sections {
			share := float64(i+1) / (sections + 1)
			v := missed*(1-share) + met*share
			if free.integral {
				v = math.Round(v)
			}
			if v != last && v != met && free.allows(from, value{number: v}) {
				set := slices.Clone(t.moves)
				set[k].to.number = v
				sets, last = append(sets, set), v
			}
		}
		trials, err := s.try(ctx, sets)
		if err != nil || len(trials) == 0 {
			return t, err
		}
		for _, nearer := range trials {
			if nearer.reached {
				t = nearer
				break
			}
			missed = nearer.moves[k].to.number
		}
	}
	return t, nil
}

// rounded replaces numbers of many digits by the next of few, away from the row, where that still meets the goal.
func (s *search) rounded(ctx context.Context, t trial, order []int) (trial, error) {
	for _, k := range order {
		m := t.moves[k]
		free, from := s.freedoms[m.column], valueAt(&s.frame.Columns[m.column], s.row)
		if free.kind == table.Categorical || free.integral || math.IsNaN(from.number) {
			continue
		}
		step := math.Pow(10, math.Floor(math.Log10(free.scale))-2)
		v := math.Ceil(m.to.number/step) * step
		if m.to.number < from.number {
			v = math.Floor(m.to.number/step) * step
		}
		if v == m.to.number || !free.allows(from, value{number: v}) {
			continue
		}
		set := slices.Clone(t.moves)
		set[k].to.number = v
		trials, err := s.try(ctx, [][]move{set})
		if err != nil {
			return t, err
		}
		if len(trials) == 1 && trials[0].reached {
			t = trials[0]
		}
	}
	return t, nil
}

func (s *search) described(t trial) Counterfactual {
	out := Counterfactual{Distance: t.distance, After: t.shown}
	for _, m := range t.moves {
		c := &s.frame.Columns[m.column]
		change := Change{Column: c.Name, Distance: s.distance(m)}
		change.From, _ = c.Text(s.row)
		if c.Kind == table.Numeric {
			change.To = table.NumberText(m.to.number)
			change.Up, change.Down = m.to.number > c.Numbers[s.row], m.to.number < c.Numbers[s.row]
		} else {
			change.To = c.Levels[m.to.code]
		}
		out.Changes = append(out.Changes, change)
	}
	return out
}
