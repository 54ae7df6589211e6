package search

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/assay-ml/assay/internal/spec"
)

// axis is one parameter as a side of the unit cube: every coordinate from [0, 1) is a value of the parameter, and all
// values (on its scale) have the same share of the side.
type axis struct {
	name      string
	values    []spec.Value // where they are listed; otherwise a range:
	low, high float64      // whole for integers
	log       bool
	integer   bool
	digits    int // significant digits of proposed numbers
}

// space is the unit cube of all parameters, in the order of their names.
type space []axis

// newSpace needs ranges that Check accepts.
func newSpace(ranges map[string]spec.SweepRange) space {
	var s space
	for _, name := range slices.Sorted(maps.Keys(ranges)) {
		r := ranges[name]
		if len(r.Values) > 0 {
			s = append(s, axis{name: name, values: slices.Clone(r.Values)})
			continue
		}
		a := axis{name: name, low: *r.Min, high: *r.Max, log: r.Scale == spec.ScaleLog, integer: r.Integer}
		if a.integer {
			a.low, a.high = math.Ceil(a.low), math.Floor(a.high)
		} else {
			a.digits = digitsFor(a.low, a.high)
		}
		s = append(s, a)
	}
	return s
}

// values gives the parameters at a point.
func (s space) values(point []float64) spec.Parameters {
	p := make(spec.Parameters, len(s))
	for j, a := range s {
		p[a.name] = a.value(point[j])
	}
	return p
}

// value is the one at a coordinate from [0, 1).
func (a axis) value(u float64) spec.Value {
	switch {
	case a.values != nil:
		return a.values[min(int(u*float64(len(a.values))), len(a.values)-1)]
	case a.integer:
		return spec.Number(a.whole(u))
	default:
		return spec.Number(a.rounded(a.stretch(u, a.low, a.high)))
	}
}

// stretch takes [0, 1] to [low, high] on the scale of the axis.
func (a axis) stretch(u, low, high float64) float64 {
	if a.log {
		return math.Exp(math.Log(low) + u*(math.Log(high)-math.Log(low)))
	}
	return low + u*(high-low)
}

// whole is the integer at a coordinate. On a log scale v reaches from v - 1/2 to v + 1/2, so that every integer has the
// share that the scale gives it.
func (a axis) whole(u float64) float64 {
	if a.log {
		return min(max(math.Round(a.stretch(u, a.low-0.5, a.high+0.5)), a.low), a.high)
	}
	return min(a.low+math.Floor(u*(a.high-a.low+1)), a.high)
}

// cell is the part of [0, 1] whose coordinates are the same value as u. It is empty, from == to, on a continuous range.
func (a axis) cell(u float64) (from, to float64) {
	switch {
	case a.values != nil:
		k := float64(len(a.values))
		i := min(math.Floor(u*k), k-1)
		return i / k, (i + 1) / k
	case !a.integer:
		return u, u
	case a.log:
		v := a.whole(u)
		low, width := math.Log(a.low-0.5), math.Log(a.high+0.5)-math.Log(a.low-0.5)
		return max((math.Log(v-0.5)-low)/width, 0), min((math.Log(v+0.5)-low)/width, 1)
	default:
		n := a.high - a.low + 1
		i := a.whole(u) - a.low
		return i / n, (i + 1) / n
	}
}

// Numbers are proposed with six digits: more say nothing about a learning rate, and fewer characters are read, logged and
// compared by people. The last places of math.Exp, which may differ between processors, are rounded away with them.
const (
	usualDigits = 6
	mostDigits  = 17 // of a float64
	leastSteps  = 1000
)

// digitsFor is six, or more where the range is so narrow that six digits would leave fewer than leastSteps numbers in it.
func digitsFor(low, high float64) int {
	large := max(math.Abs(low), math.Abs(high))
	for digits := usualDigits; digits < mostDigits; digits++ {
		step := math.Pow(10, math.Floor(math.Log10(large))-float64(digits-1))
		if (high-low)/step >= leastSteps {
			return digits
		}
	}
	return mostDigits
}

// rounded is x with the digits of the axis, within its range.
func (a axis) rounded(x float64) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', a.digits-1, 64), 64)
	if err != nil { // rounding up went beyond the largest float64
		short = x
	}
	return min(max(short, a.low), a.high)
}
