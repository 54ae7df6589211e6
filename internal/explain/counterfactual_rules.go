package explain

import (
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// Directions of ColumnRule.
const (
	Up   = "up"
	Down = "down"
)

// aim judges answers for one row: how near the goal they are (greater is nearer), whether they meet it, and the number shown.
type aim struct {
	reached func(answer []float64) bool
	near    func(answer []float64) float64
	shown   func(answer []float64) float64
}

func (g CounterfactualGoal) check(s model.Schema) error {
	switch s.TaskOf() {
	case stats.Multiclass:
		if !slices.Contains(s.Classes, g.Class) {
			return fmt.Errorf("the goal is class %q; expected one of %s", g.Class, table.Listed(s.Classes))
		}
	case stats.Regression:
		if (g.AtLeast == nil) == (g.AtMost == nil) {
			return fmt.Errorf("the goal of a regression needs either at_least or at_most; give exactly one")
		}
		for _, v := range []*float64{g.AtLeast, g.AtMost} {
			if v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0)) {
				return fmt.Errorf("the goal is no finite number; give the number to be reached")
			}
		}
	default:
		if !(g.Threshold > 0 && g.Threshold <= 1) {
			return fmt.Errorf("the goal's threshold is %g; expected one above 0 and at most 1, where answers lie on both sides", g.Threshold)
		}
	}
	return nil
}

// of is the goal of the row that is asked about at place i.
func (g CounterfactualGoal) of(i int) CounterfactualGoal {
	if g.Thresholds != nil {
		g.Threshold = g.Thresholds[i]
	}
	return g
}

func (g CounterfactualGoal) words(s model.Schema) string {
	switch {
	case s.TaskOf() == stats.Binary && g.Thresholds != nil:
		return "the score is on the other side of the row's own threshold"
	case s.TaskOf() == stats.Multiclass:
		return fmt.Sprintf("%s is most probable", g.Class)
	case s.TaskOf() == stats.Regression && g.AtLeast != nil:
		return fmt.Sprintf("the prediction is at least %s", table.NumberText(*g.AtLeast))
	case s.TaskOf() == stats.Regression:
		return fmt.Sprintf("the prediction is at most %s", table.NumberText(*g.AtMost))
	}
	return fmt.Sprintf("the score is on the other side of %s", table.NumberText(g.Threshold))
}

func (g CounterfactualGoal) aim(s model.Schema, before []float64) aim {
	first := func(a []float64) float64 { return a[0] }
	switch {
	case s.TaskOf() == stats.Multiclass:
		wanted := slices.Index(s.Classes, g.Class)
		return aim{
			reached: func(a []float64) bool { return stats.MostProbable(a) == wanted },
			near: func(a []float64) float64 {
				rival := 0.0
				for k, v := range a {
					if k != wanted {
						rival = max(rival, v)
					}
				}
				return a[wanted] - rival
			},
			shown: func(a []float64) float64 { return a[wanted] },
		}
	case s.TaskOf() == stats.Regression && g.AtLeast != nil:
		return aim{func(a []float64) bool { return a[0] >= *g.AtLeast }, first, first}
	case s.TaskOf() == stats.Regression:
		return aim{func(a []float64) bool { return a[0] <= *g.AtMost }, func(a []float64) float64 { return -a[0] }, first}
	case before[0] >= g.Threshold:
		return aim{func(a []float64) bool { return a[0] < g.Threshold }, func(a []float64) float64 { return -a[0] }, first}
	}
	return aim{func(a []float64) bool { return a[0] >= g.Threshold }, first, first}
}

// freedom is how one column may change, and the values tried first.
type freedom struct {
	kind      table.Kind
	fixed     bool
	direction string
	integral  bool
	low, high float64
	scale     float64   // the unit of distance of numbers
	numbers   []float64 // ascending
	codes     []int32   // the most frequent first
	ranks     []int     // of a level in an ascending order, by code; -1 where it has none; nil without an order
}

// Values tried a column before the search closes in on the least change.
const (
	triedNumbers = 10
	triedLevels  = 20
)

func freedomsOf(f *table.Frame, rules []ColumnRule) ([]freedom, error) {
	out := make([]freedom, len(f.Columns))
	for j := range f.Columns {
		out[j] = freedomOf(&f.Columns[j])
	}
	ruled := map[string]bool{}
	for _, rule := range rules {
		j := slices.IndexFunc(f.Columns, func(c table.Column) bool { return c.Name == rule.Column })
		switch {
		case j < 0:
			names := make([]string, len(f.Columns))
			for k, c := range f.Columns {
				names[k] = c.Name
			}
			return nil, fmt.Errorf("a rule names column %q, which the model does not look at; it looks at %s", rule.Column, table.Listed(names))
		case ruled[rule.Column]:
			return nil, fmt.Errorf("two rules name column %q; expected at most one", rule.Column)
		}
		ruled[rule.Column] = true
		if err := out[j].restrict(&f.Columns[j], rule); err != nil {
			return nil, fmt.Errorf("the rule of column %q: %w", rule.Column, err)
		}
	}
	return out, nil
}

func freedomOf(c *table.Column) freedom {
	if c.Kind == table.Categorical {
		free := freedom{kind: c.Kind}
		for _, l := range byFrequency(c) {
			free.codes = append(free.codes, l.code)
		}
		return free
	}
	sorted := present(c)
	free := freedom{kind: c.Kind, fixed: len(sorted) == 0}
	if free.fixed {
		return free
	}
	free.numbers, free.low, free.high = sorted, sorted[0], sorted[len(sorted)-1]
	free.integral = !slices.ContainsFunc(sorted, func(v float64) bool { return v != math.Trunc(v) })
	centre := middle(sorted)
	deviations, mean := make([]float64, len(sorted)), 0.0
	for i, v := range sorted {
		deviations[i] = math.Abs(v - centre)
		mean += deviations[i] / float64(len(sorted))
	}
	slices.Sort(deviations)
	free.scale = middle(deviations)
	if free.scale == 0 {
		free.scale = mean
	}
	// A column of one value has no unit, and a missing value is its only change; one too wide for a double has none either.
	if free.scale == 0 || math.IsInf(free.scale, 0) {
		free.scale = 1
	}
	return free
}

func (free *freedom) restrict(c *table.Column, rule ColumnRule) error {
	if rule.Direction != "" && rule.Direction != Up && rule.Direction != Down {
		return fmt.Errorf("its direction is %q; expected %q, %q or none", rule.Direction, Up, Down)
	}
	free.fixed = free.fixed || rule.Immutable
	free.direction = rule.Direction
	if c.Kind == table.Categorical {
		return free.restrictLevels(c, rule)
	}
	if len(rule.Levels) > 0 {
		return fmt.Errorf("it lists levels of a numeric column; give min and max")
	}
	for _, v := range []*float64{rule.Min, rule.Max} {
		if v != nil && math.IsNaN(*v) {
			return fmt.Errorf("min or max is no number")
		}
	}
	if rule.Min != nil {
		free.low = max(free.low, *rule.Min)
	}
	if rule.Max != nil {
		free.high = min(free.high, *rule.Max)
	}
	if rule.Min != nil && rule.Max != nil && *rule.Min > *rule.Max {
		return fmt.Errorf("min %g lies above max %g", *rule.Min, *rule.Max)
	}
	if free.integral {
		free.low, free.high = math.Ceil(free.low), math.Floor(free.high)
	}
	free.numbers = slices.DeleteFunc(slices.Clone(free.numbers), func(v float64) bool { return v < free.low || v > free.high })
	free.fixed = free.fixed || free.low > free.high
	if !free.fixed {
		free.numbers = append(free.numbers, free.low, free.high)
		slices.Sort(free.numbers)
	}
	return nil
}

func (free *freedom) restrictLevels(c *table.Column, rule ColumnRule) error {
	if rule.Min != nil || rule.Max != nil {
		return fmt.Errorf("it gives min or max of a categorical column; list levels")
	}
	if rule.Direction != "" && len(rule.Levels) == 0 {
		return fmt.Errorf("levels have no direction of their own; list them in ascending order")
	}
	if len(rule.Levels) == 0 {
		return nil
	}
	if rule.Direction != "" {
		free.ranks = make([]int, len(c.Levels))
		for code, level := range c.Levels {
			free.ranks[code] = slices.Index(rule.Levels, level)
		}
	}
	free.codes = slices.DeleteFunc(free.codes, func(code int32) bool { return !slices.Contains(rule.Levels, c.Levels[code]) })
	return nil
}

// value is what a column may take: a number, or a code.
type value struct {
	number float64
	code   int32
}

func valueAt(c *table.Column, row int) value {
	if c.Kind == table.Numeric {
		return value{number: c.Numbers[row]}
	}
	return value{code: c.Codes[row]}
}

// allows reports whether a row with the value from may be given the number or level to.
func (free *freedom) allows(from, to value) bool {
	if free.fixed {
		return false
	}
	if free.kind == table.Categorical {
		if !slices.Contains(free.codes, to.code) || from.code == to.code {
			return false
		}
		if free.direction == "" {
			return true
		}
		// Without a rank of what it has, nobody can say whether a level lies above it.
		if from.code < 0 || free.ranks[from.code] < 0 {
			return false
		}
		return (free.ranks[to.code] > free.ranks[from.code]) == (free.direction == Up)
	}
	switch {
	case !(to.number >= free.low && to.number <= free.high) || to.number == from.number:
		return false
	case free.integral && to.number != math.Trunc(to.number):
		return false
	case free.direction == "":
		return true
	case math.IsNaN(from.number):
		return false
	}
	return (to.number > from.number) == (free.direction == Up)
}

// tried is the values to start with for a row that has the value from.
func (free *freedom) tried(from value) []value {
	var out []value
	if free.kind == table.Categorical {
		for _, code := range free.codes {
			if v := (value{code: code}); free.allows(from, v) && len(out) < triedLevels {
				out = append(out, v)
			}
		}
		return out
	}
	// Quantiles are those of the values that this row may take: of a row near an end, most of the column lies out of its way.
	allowed := slices.DeleteFunc(slices.Clone(free.numbers), func(v float64) bool { return !free.allows(from, value{number: v}) })
	if len(allowed) == 0 {
		return nil
	}
	for _, v := range spacedOut(allowed, triedNumbers) {
		out = append(out, value{number: v})
	}
	return out
}

func (free *freedom) distance(from, to value) float64 {
	if free.kind == table.Categorical || math.IsNaN(from.number) {
		return 1
	}
	// Halves cannot overflow.
	return min(math.Abs(to.number/2-from.number/2)/free.scale*2, math.MaxFloat64)
}
