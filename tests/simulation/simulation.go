// Package simulation measures, over many invented worlds whose truth is known, how often a gate's verdict is wrong: for one
// decision, for several conditions together, and for an adversary who fits candidates to a test set by the answers it gets.
// The tests hold the rates to what the gate states; package figures draws them for docs/statistics.md.
package simulation

import (
	"math/rand/v2"

	"github.com/assay-ml/assay/internal/gate"
	"gonum.org/v1/gonum/stat/distuv"
)

// Rate is how often something happened.
type Rate struct {
	Times  int
	Worlds int
}

// Value is the share of worlds.
func (r Rate) Value() float64 { return float64(r.Times) / float64(r.Worlds) }

// Within reports whether the count is one that a true rate of at most stated gives in all but one of a thousand simulations.
func (r Rate) Within(stated float64) bool {
	return distuv.Binomial{N: float64(r.Worlds), P: stated}.CDF(float64(r.Times)-1) < 0.999
}

// Truth is what holds in a world for a comparison of two models: the shares of rows on which both, only the new, only the old
// and neither of them is right. They sum to 1; where neither is right they agree.
type Truth struct{ Both, NewOnly, OldOnly float64 }

// Draw counts the rows of a test set drawn from the world.
func (w Truth) Draw(r *rand.Rand, rows int) gate.Counts {
	both := binomial(r, rows, w.Both)
	rest := 1 - w.Both
	newOnly := binomial(r, rows-both, w.NewOnly/rest)
	oldOnly := 0
	if rest > w.NewOnly {
		oldOnly = binomial(r, rows-both-newOnly, w.OldOnly/(rest-w.NewOnly))
	}
	newRight, oldRight, differ := both+newOnly, both+oldOnly, newOnly+oldOnly
	return gate.Counts{Rows: rows, NewRight: &newRight, OldRight: &oldRight, Differ: &differ, NewOnlyRight: &newOnly, OldOnlyRight: &oldOnly}
}

// values are the true n, o and d.
func (w Truth) values() map[string]float64 {
	return map[string]float64{"n": w.Both + w.NewOnly, "o": w.Both + w.OldOnly, "d": w.NewOnly + w.OldOnly}
}

// holds reports whether a clause on n, o and d is true of the world.
func (w Truth) holds(c gate.Clause) bool {
	value := 0.0
	for _, t := range c.Expr {
		value += t.Coefficient * w.values()[t.Quantity.String()]
	}
	return c.Op.Holds(value, c.Bound)
}

func binomial(r *rand.Rand, n int, p float64) int {
	if n == 0 || p <= 0 {
		return 0
	}
	return int(distuv.Binomial{N: float64(n), P: min(p, 1), Src: r}.Rand())
}

// Wrong decides conditions in so many worlds of the same truth, and counts those in which any clause's verdict is wrong: a pass of
// a clause that does not hold, or a fail of one that does.
func Wrong(conditions []string, plan gate.Plan, truth Truth, rows, worlds int, seed uint64) (wrong, decided Rate, err error) {
	var formulas []gate.Formula
	for _, text := range conditions {
		f, err := gate.Parse(text)
		if err != nil {
			return Rate{}, Rate{}, err
		}
		formulas = append(formulas, f)
	}
	var clauses []gate.Clause
	for _, f := range formulas {
		clauses = append(clauses, f.Clauses...)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	wrong.Worlds, decided.Worlds = worlds, worlds
	for range worlds {
		d, err := gate.DecideAll(formulas, plan, truth.Draw(r, rows))
		if err != nil {
			return Rate{}, Rate{}, err
		}
		mistaken := false
		for i, result := range d.Results {
			holds := truth.holds(clauses[i])
			mistaken = mistaken || result.Verdict == gate.Pass && !holds || result.Verdict == gate.Fail && holds
		}
		if mistaken {
			wrong.Times++
		}
		if d.Verdict != gate.Inconclusive {
			decided.Times++
		}
	}
	return wrong, decided, nil
}
