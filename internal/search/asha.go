package search

import (
	"math"
	"slices"
)

// Bounds of what early stopping remembers.
const (
	mostRungs      = 16  // looks at a trial; later it runs to its end
	mostOfRung     = 256 // values kept of one rung
	mostOfAllRungs = 640
)

// rung is a look at every trial that comes so far.
type rung struct {
	seen   int       // values that came
	values []float32 // those kept, best first: all of them, or a uniform sample
}

// ladder stops trials early: ASHA in its stopping variant (Li et al. 2020, "A System for Massively Parallel Hyperparameter
// Tuning", with successive halving decided at each report, as determined-ai's asha_stopping does). Looks are at first,
// first*factor, first*factor^2, ... of the resource; a trial goes on only if its value is among the best 1/factor of those
// seen at that look so far. The first one there always goes on, and so does a trial that ties with one that would.
//
// Values are compared as float32, about seven digits. A rung keeps all its values up to 256 (and up to 640 in all rungs
// together) and a uniform sample of them from there on; the rank in the sample then stands for the rank.
type ladder struct {
	seed   int64
	first  int
	factor int
	rungs  []rung
}

// resource is where look i (from 0) is, and whether there is one.
func (l *ladder) resource(i int) (int, bool) {
	if i >= mostRungs {
		return 0, false
	}
	at := l.first
	for range i {
		if at > math.MaxInt/l.factor {
			return 0, false
		}
		at *= l.factor
	}
	return at, true
}

// judgement is the answer of a look.
type judgement struct {
	goesOn bool
	better int // values among of that are better
	of     int // values compared, with the trial's own
}

// judge is what look i says about a value of which more is better, and remembers the value.
func (l *ladder) judge(i int, goodness float64) judgement {
	for len(l.rungs) <= i {
		l.rungs = append(l.rungs, rung{})
	}
	v := narrow(goodness)
	values := l.rungs[i].values
	better, _ := slices.BinarySearchFunc(values, v, worstLast)
	of := len(values) + 1
	l.remember(i, v)
	return judgement{goesOn: better < max(of/l.factor, 1), better: better, of: of}
}

// remember is Vitter's algorithm R for every rung, except that the room is shared: the largest rung gives up values for
// those of a rung that is still complete. A uniform sample of a uniform sample is one. A rung that ever left a value out
// never grows again, or late values would weigh more than early ones.
func (l *ladder) remember(i int, v float32) {
	r := &l.rungs[i]
	r.seen++
	d := drawsFor(l.seed, forRungs, uint64(i), uint64(r.seen))
	if complete := len(r.values) == r.seen-1; complete && len(r.values) < mostOfRung {
		largest := l.largest()
		if l.kept() < mostOfAllRungs {
			r.insert(v)
			return
		}
		if largest != i {
			l.rungs[largest].drop(d.below(len(l.rungs[largest].values)))
			r.insert(v)
			return
		}
	}
	if k := d.below(r.seen); k < len(r.values) {
		r.drop(k)
		r.insert(v)
	}
}

func (l *ladder) kept() int {
	n := 0
	for _, r := range l.rungs {
		n += len(r.values)
	}
	return n
}

// largest is the first of the rungs that keep most.
func (l *ladder) largest() int {
	at := 0
	for i, r := range l.rungs {
		if len(r.values) > len(l.rungs[at].values) {
			at = i
		}
	}
	return at
}

func (r *rung) insert(v float32) {
	at, _ := slices.BinarySearchFunc(r.values, v, worstLast)
	r.values = slices.Insert(r.values, at, v)
}

func (r *rung) drop(i int) { r.values = slices.Delete(r.values, i, i+1) }

func worstLast(a, b float32) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	default:
		return 0
	}
}

// narrow is the nearest float32 that is finite.
func narrow(x float64) float32 {
	return float32(min(max(x, -math.MaxFloat32), math.MaxFloat32))
}
