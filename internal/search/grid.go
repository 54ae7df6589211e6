package search

import (
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/spec"
)

// grid is every combination of the axes' values. The last name, in alphabetical order, changes with every trial, the
// first one most slowly.
type grid struct {
	names []string
	lists [][]spec.Value
}

// newGrid needs a space and ranges that Check accepts.
func newGrid(s space, ranges map[string]spec.SweepRange) grid {
	var g grid
	for _, a := range s {
		g.names = append(g.names, a.name)
		g.lists = append(g.lists, a.list(ranges[a.name].Points))
	}
	return g
}

// list is the values of an axis on a grid: those listed, every integer, or points evenly spaced on the scale with both
// ends among them; one point is the middle. Points that are the same integer are one.
func (a axis) list(points int) []spec.Value {
	if a.values != nil {
		return a.values
	}
	var list []spec.Value
	if points == 0 {
		for v := a.low; v <= a.high; v++ {
			list = append(list, spec.Number(v))
		}
		return list
	}
	for i := range points {
		u := 0.5
		if points > 1 {
			u = float64(i) / float64(points-1)
		}
		x := a.stretch(u, a.low, a.high)
		switch {
		case u == 0:
			x = a.low
		case u == 1:
			x = a.high
		case a.integer:
			x = min(max(math.Round(x), a.low), a.high)
		default:
			x = a.rounded(x)
		}
		list = append(list, spec.Number(x))
	}
	return slices.Compact(list)
}

// size is the number of points, at most limit.
func (g grid) size(limit int) int {
	n := 1
	for _, l := range g.lists {
		if n > limit/len(l) {
			return limit
		}
		n *= len(l)
	}
	return n
}

func (g grid) parameters(t Trial) spec.Parameters {
	p := make(spec.Parameters, len(g.names))
	i := int(t - 1)
	for j := len(g.names) - 1; j >= 0; j-- {
		p[g.names[j]] = g.lists[j][i%len(g.lists[j])]
		i /= len(g.lists[j])
	}
	return p
}
