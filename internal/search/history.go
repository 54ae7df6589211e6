package search

import (
	"math"
	"slices"
)

// How far a trial came, as tpe ranks it. Between the two are the looks of early stopping that it reached.
const (
	levelUnusable = 0 // no value: it failed
	levelFinished = 255
)

// What tpe remembers. Coordinates take two bytes each and everything else nine, trials that run included.
const (
	mostObserved  = 200
	mostBest      = 25
	historyBytes  = 3840
	overheadBytes = 9
)

// observation is a trial that ended.
type observation struct {
	level    uint8
	goodness float64 // more is better; 0 at levelUnusable
	at       []uint16
}

// better ranks finished trials before stopped ones, of those the ones that came farther, and then by value: a value seen
// early says less, and whoever was stopped was worse than others at the same point.
func (o observation) better(p observation) bool {
	if o.level != p.level {
		return o.level > p.level
	}
	return o.goodness > p.goodness
}

// history is what tpe learns from, in bounded space: the best trials, and a uniform sample of the others.
type history struct {
	seed     int64
	capacity int
	usable   int           // trials seen that have a value
	best     []observation // best first
	others   []observation // in no order
	passed   int           // trials that were, or could have been, among the others
}

func newHistory(seed int64, axes, parallel int) history {
	rows := historyBytes/(overheadBytes+2*axes) - parallel
	return history{seed: seed, capacity: min(rows, mostObserved)}
}

func (h *history) mostBest() int { return min(mostBest, h.capacity/2) }

func (h *history) add(o observation) {
	if o.level != levelUnusable {
		h.usable++
	}
	at := slices.IndexFunc(h.best, o.better)
	if at < 0 {
		at = len(h.best)
	}
	h.best = slices.Insert(h.best, at, o)
	if len(h.best) <= h.mostBest() {
		return
	}
	last := h.best[len(h.best)-1]
	h.best = h.best[:len(h.best)-1]
	h.passed++
	if len(h.others) < h.capacity-h.mostBest() {
		h.others = append(h.others, last)
		return
	}
	d := drawsFor(h.seed, forHistory, uint64(h.passed))
	if k := d.below(h.passed); k < len(h.others) {
		h.others[k] = last
	}
}

// Coordinates are kept as one of 65,536 places: finer than any model can tell apart, and small in a snapshot.
const places = 1 << 16

func place(u float64) uint16 { return uint16(min(int(math.Floor(u*places)), places-1)) }

func coordinate(q uint16) float64 { return (float64(q) + 0.5) / places }

func coordinates(at []uint16) []float64 {
	p := make([]float64, len(at))
	for j, q := range at {
		p[j] = coordinate(q)
	}
	return p
}
