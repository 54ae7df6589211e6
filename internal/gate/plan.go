package gate

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Adaptivity is what the requester learns of a verdict before the next candidate is decided on the same test set.
type Adaptivity string

const (
	AdaptivityNone        Adaptivity = "none"        // nothing
	AdaptivityFirstChange Adaptivity = "firstChange" // that it was not passed; the test set ends at the first other answer
	AdaptivityFull        Adaptivity = "full"        // the answer, every time
)

// MaxSteps is the greatest number of decisions a Plan may be for.
const MaxSteps = 10_000

// leastTail is the smallest error probability that intervals can be made for: numbers end below it.
const leastTail = 1e-300

// Plan says how sure the verdicts are to be, and how many of them.
type Plan struct {
	// Reliability is the least probability, above 0 and below 1, that none of all verdicts of the plan is a pass or a fail
	// that is wrong.
	Reliability float64    `json:"reliability"`
	Steps       int        `json:"steps,omitempty"`      // decisions on the test set, 1 to MaxSteps; 0 means 1
	Adaptivity  Adaptivity `json:"adaptivity,omitempty"` // empty means none

	// Answers is how many answers the requester can see: 2 when what the sample cannot tell counts as pass or fail, 3 when it
	// is shown as it is. 0 means 3. It matters under full adaptivity.
	Answers int `json:"answers,omitempty"`
}

// Validate says what is wrong with the plan, and what was expected, or nil.
func (p Plan) Validate() error {
	p = p.resolved()
	switch {
	case !(p.Reliability > 0 && p.Reliability < 1):
		return fmt.Errorf("reliability %v; expected a number above 0 and below 1, such as 0.999", p.Reliability)
	case p.Steps < 1 || p.Steps > MaxSteps:
		return fmt.Errorf("%d steps; expected 1 to %d", p.Steps, MaxSteps)
	case p.Adaptivity != AdaptivityNone && p.Adaptivity != AdaptivityFirstChange && p.Adaptivity != AdaptivityFull:
		return fmt.Errorf("adaptivity %q; expected %s, %s or %s", p.Adaptivity, AdaptivityNone, AdaptivityFirstChange, AdaptivityFull)
	case p.Answers != 2 && p.Answers != 3:
		return fmt.Errorf("%d answers; expected 2 (pass, fail) or 3 (inconclusive as well)", p.Answers)
	}
	return nil
}

func (p Plan) resolved() Plan {
	if p.Steps == 0 {
		p.Steps = 1
	}
	if p.Adaptivity == "" {
		p.Adaptivity = AdaptivityNone
	}
	if p.Answers == 0 {
		p.Answers = 3
	}
	return p
}

// delta is the probability of a wrong verdict that there is to divide, without the noise that 1 - 0.999 brings.
func (p Plan) delta() float64 {
	delta, err := strconv.ParseFloat(strconv.FormatFloat(1-p.Reliability, 'g', 10, 64), 64)
	if err != nil {
		return 1 - p.Reliability
	}
	return delta
}

// logParts is the logarithm of the number of parts that delta is divided into over the steps, of a resolved plan.
//
// With no adaptivity the candidates do not depend on earlier verdicts, so that the union bound is over the H steps. So it is
// with firstChange, as long as the set ends at the first answer that is not fail: until then all answers were the same, and
// the candidates are those that a requester who always hears fail would bring. With full adaptivity every history of A
// different answers can lead to another candidate, and the bound is over the A^H histories, as in ease.ml/ci for A = 2
// (Renggli et al., SysML 2019, section 3.2; Blum and Hardt, 2015).
func (p Plan) logParts() float64 {
	if p.Adaptivity == AdaptivityFull {
		return float64(p.Steps) * math.Log(float64(p.Answers))
	}
	return math.Log(float64(p.Steps))
}

// Split is how the probability of a wrong verdict is divided: evenly over the steps, then over the clauses that leave something
// to chance, then over the units that a clause measures.
//
// Each part is spent at one end of an interval only. A clause that holds in truth gets the wrong verdict when its interval
// misses the truth at one end, a clause that does not hold when it misses at the other, and in any world it is one of the two:
// so an interval whose ends are missed with the probability of the part each gives a wrong verdict with that probability, and
// not with twice of it.
type Split struct {
	Plan
	Delta     float64 `json:"delta"`                // 1 - reliability
	Clauses   int     `json:"clauses"`              // of all conditions together, those that leave something to chance
	PerStep   float64 `json:"per_step"`             // part of a decision
	PerClause float64 `json:"per_clause,omitempty"` // part of a clause in it; 0 when nothing is left to chance
	PerUnit   float64 `json:"per_unit,omitempty"`   // the smallest part of an interval
}

// String shows the division to people.
func (s Split) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "reliability %s leaves %s to chance", formatNumber(s.Reliability), formatProbability(s.Delta))
	if s.Steps > 1 {
		fmt.Fprintf(&b, "; %s for each of %d decisions (adaptivity %s", formatProbability(s.PerStep), s.Steps, s.Adaptivity)
		if s.Adaptivity == AdaptivityFull {
			fmt.Fprintf(&b, ", %d answers", s.Answers)
		}
		b.WriteString(")")
	}
	switch {
	case s.Clauses == 0:
		b.WriteString("; no condition needs any of it")
	case s.Clauses > 1:
		fmt.Fprintf(&b, "; %s for each of %d clauses", formatProbability(s.PerClause), s.Clauses)
	}
	if s.Clauses > 0 && s.PerUnit < s.PerClause {
		fmt.Fprintf(&b, "; at least %s for each interval", formatProbability(s.PerUnit))
	}
	return b.String()
}

// Split divides the probability of a wrong verdict over the formulas. Which clauses take a part does not depend on whether there
// is a champion, so that the same conditions are always decided with the same intervals. An error says that the plan is wrong,
// or that its steps leave a part too small to compute with.
func (p Plan) Split(formulas []Formula) (Split, error) {
	_, s, err := p.divide(formulas)
	return s, err
}

// share is a clause with its units and its part of the probability.
type share struct {
	formula, clause int
	units           []weighted
	chance          []bool  // of each unit: whether anything is left to chance
	tail            float64 // of each unit, at each end
}

// mostTail bounds a tail: intervals that miss more often are none.
const mostTail = 0.49

func (p Plan) divide(formulas []Formula) ([]share, Split, error) {
	if err := p.Validate(); err != nil {
		return nil, Split{}, fmt.Errorf("plan of the decisions: %w", err)
	}
	p = p.resolved()
	s := Split{Plan: p, Delta: p.delta(), PerStep: p.delta() * math.Exp(-p.logParts())}
	var shares []share
	most := 0
	for i, f := range formulas {
		for j, c := range f.Clauses {
			next := share{formula: i, clause: j, units: f.units(c.Expr)}
			for _, w := range next.units {
				next.chance = append(next.chance, f.leftToChance(w.Unit))
			}
			if next.chances() > 0 {
				s.Clauses++
			}
			most = max(most, next.chances())
			shares = append(shares, next)
		}
	}
	if s.Clauses > 0 {
		s.PerClause = min(s.PerStep/float64(s.Clauses), mostTail)
		s.PerUnit = s.PerClause / float64(most)
	}
	if s.Clauses > 0 && s.PerUnit < leastTail {
		return nil, s, fmt.Errorf("plan of the decisions: %d steps with adaptivity %s and %d answers leave an error probability below %g to each interval; expected fewer steps, or adaptivity %s",
			p.Steps, p.Adaptivity, p.Answers, leastTail, AdaptivityFirstChange)
	}
	for i := range shares {
		shares[i].tail = mostTail // of counted quantities nothing is spent, whatever the tail
		if n := shares[i].chances(); n > 0 {
			shares[i].tail = s.PerClause / float64(n)
		}
	}
	return shares, s, nil
}

// chances is how many units leave something to chance.
func (s share) chances() int {
	n := 0
	for _, chance := range s.chance {
		if chance {
			n++
		}
	}
	return n
}

// Need is what a plan asks of a unit's interval.
type Need struct {
	Unit      Unit    `json:"unit"`
	Tail      float64 `json:"tail"`                 // probability of missing the truth at each end
	HalfWidth float64 `json:"half_width,omitempty"` // 0: no tolerance asks for one
}

// Needs are what the plan asks of the intervals of all formulas, units of counted quantities left out. A tolerance is divided in
// proportion to the sizes of the coefficients, as ease.ml/ci does it, so that all units of a clause get the same half width.
func (p Plan) Needs(formulas []Formula) ([]Need, error) {
	shares, _, err := p.divide(formulas)
	if err != nil {
		return nil, err
	}
	var needs []Need
	for _, s := range shares {
		size := 0.0
		for i, w := range s.units {
			if s.chance[i] {
				size += math.Abs(w.Coefficient)
			}
		}
		tolerance := formulas[s.formula].Clauses[s.clause].Tolerance
		for i, w := range s.units {
			if s.chance[i] {
				needs = append(needs, Need{Unit: w.Unit, Tail: s.tail, HalfWidth: tolerance / size})
			}
		}
	}
	return needs, nil
}
