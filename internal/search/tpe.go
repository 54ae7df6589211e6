package search

import "math"

// The settings of tpe.
const (
	startup    = 10   // trials with a value before the first model; until then points are those of method random
	goodShare  = 0.15 // of the trials so far count as good
	candidates = 24   // points of which the most promising is tried
)

// tpe is the tree-structured Parzen estimator of Bergstra, Bardenet, Bengio and Kégl (2011), "Algorithms for Hyper-Parameter
// Optimization", with one estimator for each parameter. The trials so far are divided into good ones and others; l and g
// are the densities of the two. Expected improvement grows with l/g, so that of some candidates drawn from l the one with
// the largest l/g is tried.
//
// Trials that run count among the others, so that those at work together are spread out ("constant liar": Ginsbourger, Le
// Riche and Carraro 2010, "Kriging is well-suited to parallelize optimization"). So do trials that failed: where programs
// fail is no place to try again.
type tpe struct {
	seed  int64
	space space
}

// propose gives the place of a trial.
func (m tpe) propose(t Trial, h *history, running [][]uint16) []uint16 {
	at := make([]uint16, len(m.space))
	if h.usable < startup {
		for j, u := range (randomly{m.seed, len(m.space)}).point(t) {
			at[j] = place(u)
		}
		return at
	}
	good, others := m.divide(h, running)
	d := drawsFor(m.seed, forParzen, uint64(t))
	for j, a := range m.space {
		l, g := newEstimator(a, column(good, j)), newEstimator(a, column(others, j))
		best := math.Inf(-1)
		for range candidates {
			q := place(l.draw(&d))
			u := coordinate(q)
			if promise := math.Log(l.density(u)) - math.Log(g.density(u)); promise > best {
				best, at[j] = promise, q
			}
		}
	}
	return at
}

func (m tpe) divide(h *history, running [][]uint16) (good, others [][]uint16) {
	n := min(max(int(math.Ceil(goodShare*float64(h.usable))), 1), len(h.best))
	for _, o := range h.best[:n] {
		good = append(good, o.at)
	}
	for _, o := range h.best[n:] {
		others = append(others, o.at)
	}
	for _, o := range h.others {
		others = append(others, o.at)
	}
	return good, append(others, running...)
}

func column(rows [][]uint16, j int) []float64 {
	c := make([]float64, len(rows))
	for i, at := range rows {
		c[i] = coordinate(at[j])
	}
	return c
}
