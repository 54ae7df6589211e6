package gate

import (
	"errors"
	"fmt"
	"math"

	"github.com/assay-ml/assay/internal/stats"
)

// MethodArithmetic is of an interval made from those of several units: each is multiplied by its coefficient, and the ends are
// added. It misses the truth at an end no more often than its units do together.
const MethodArithmetic = "interval_arithmetic"

// Result is one clause answered: its verdict and the evidence for it.
type Result struct {
	Condition string         `json:"condition"`         // the clause as written by the user
	Formula   string         `json:"formula,omitempty"` // the whole condition as written, when it has several clauses
	Clause    string         `json:"clause,omitempty"`  // the clause in canonical form
	Verdict   Verdict        `json:"verdict"`
	Settled   Verdict        `json:"settled,omitempty"` // what an inconclusive verdict counts as, see Decision.Settle
	Skipped   bool           `json:"skipped,omitempty"` // it compares with a champion, and there is none; Verdict is then Pass
	Estimate  stats.Estimate `json:"estimate"`          // of the whole expression
	Op        Op             `json:"op,omitempty"`
	Bound     float64        `json:"bound"`
	Reason    string         `json:"reason"` // one or two sentences for a person who does not read code

	Delta float64      `json:"delta,omitempty"` // greatest probability that the verdict is wrong; 0: nothing is left to chance
	Units []UnitResult `json:"units,omitempty"`

	Tolerance   float64 `json:"tolerance,omitempty"`    // half width that the clause asks for
	Powered     bool    `json:"powered,omitempty"`      // the sample gave it
	RowsNeeded  int     `json:"rows_needed,omitempty"`  // otherwise about how many rows would; 0: cannot be said
	DecidedWith int     `json:"decided_with,omitempty"` // inconclusive: about how many rows would decide an estimate like this one; 0: cannot be said
}

// UnitResult is a unit measured in a clause.
type UnitResult struct {
	Unit        Unit        `json:"unit"`
	Coefficient float64     `json:"coefficient"`
	Measurement Measurement `json:"measurement"`
}

// Decision is all formulas answered.
type Decision struct {
	Verdict  Verdict  `json:"verdict"`            // a single failure fails, otherwise a single doubt leaves doubt
	Settled  Verdict  `json:"settled,omitempty"`  // what the verdict counts as, see Decision.Settle
	Policy   Policy   `json:"policy,omitempty"`   // by which it does
	Sentence string   `json:"sentence,omitempty"` // that says so, when the sample left doubt
	Results  []Result `json:"results"`            // a clause each, in the order of the formulas
	Split    Split    `json:"split"`
}

// DecideAll measures and answers every clause of the formulas; without any the decision is a pass.
//
// A clause passes when the whole interval of its expression is on the side of the bound that it asks for, fails when all of it is
// on the other side, and is inconclusive otherwise. The interval has the half width of the tolerance when the sample has the
// size that ease.ml/ci computes; then this is the paper's rule, which passes estimates beyond bound and tolerance. A longer
// interval leaves more doubt where the paper's rule would err more often than stated, and a shorter one decides more.
//
// A unit without a value on this sample leaves its clause inconclusive. A clause that compares with the champion is skipped when
// there is none (ErrNoChampion), and counts as met. When something cannot be measured at all, the error tells of every such
// clause.
func DecideAll(formulas []Formula, plan Plan, source Source) (Decision, error) {
	shares, split, err := plan.divide(formulas)
	if err != nil {
		return Decision{}, err
	}
	d := Decision{Verdict: Pass, Split: split, Results: make([]Result, 0, len(shares))}
	var lost []error
	for _, s := range shares {
		f := formulas[s.formula]
		r, err := s.decide(f, f.Clauses[s.clause], source)
		if err != nil {
			lost = append(lost, fmt.Errorf("decide condition %q: %w", f.Clauses[s.clause].Text, err))
			continue
		}
		d.Results = append(d.Results, r)
		d.Verdict = d.Verdict.And(r.Verdict)
	}
	if len(lost) > 0 {
		return Decision{}, errors.Join(lost...)
	}
	return d, nil
}

func (s share) decide(f Formula, c Clause, source Source) (Result, error) {
	r := Result{
		Condition: c.Text, Clause: c.String(), Op: c.Op, Bound: c.Bound, Tolerance: c.Tolerance,
		Units: make([]UnitResult, 0, len(s.units)),
	}
	if len(f.Clauses) > 1 {
		r.Formula = f.Text
	}
	absent := false
	for i, w := range s.units {
		m, err := source.Measure(w.Unit, s.tail)
		if errors.Is(err, ErrNoChampion) {
			absent = true
			continue
		}
		if err != nil {
			return r, err
		}
		if !s.chance[i] {
			m.Tail = 0
		}
		r.Units = append(r.Units, UnitResult{w.Unit, w.Coefficient, numbered(m)})
	}
	if absent {
		return skipped(r), nil
	}
	r.answer(c)
	return r, nil
}

// skipped is of a clause that compares with a champion that there is not.
func skipped(r Result) Result {
	r.Skipped, r.Verdict, r.Units = true, Pass, nil
	r.Estimate = stats.NoValue(0, 0, ErrNoChampion.Error())
	r.Reason = "Skipped, and counted as met: the condition compares with the champion, and no version serves yet."
	return r
}

// numbered makes a measurement without numbers one without a value.
func numbered(m Measurement) Measurement {
	if !m.Defined() {
		return m
	}
	reason := ""
	switch {
	case math.IsNaN(m.Value) || math.IsInf(m.Value, 0):
		reason = "its computation gave no number"
	case math.IsNaN(m.Low) || math.IsNaN(m.High) || math.IsInf(m.Low, 0) || math.IsInf(m.High, 0):
		reason = "the sample sets no limit to its error"
	default:
		return m
	}
	m.Estimate = stats.NoValue(finite(m.Level), m.N, reason)
	return m
}

func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

// answer gives the verdict from the units' measurements.
func (r *Result) answer(c Clause) {
	r.Estimate = numbered(Measurement{Estimate: combine(r.Units)}).Estimate
	for _, u := range r.Units {
		r.Delta += u.Measurement.Tail
	}
	r.Verdict = Inconclusive
	if !r.Estimate.Defined() {
		r.Reason = undefinedReason(c, r.Units)
		return
	}
	low, high := c.Op.Holds(r.Estimate.Low, c.Bound), c.Op.Holds(r.Estimate.High, c.Bound)
	switch {
	case low && high:
		r.Verdict = Pass
	case !low && !high:
		r.Verdict = Fail
	default:
		r.DecidedWith = r.rowsFor(apart(r.Estimate.Value, c.Bound))
	}
	const slack = 1 + 1e-9
	r.Powered = c.Tolerance > 0 && halfWidth(r.Estimate) <= c.Tolerance*slack
	if c.Tolerance > 0 && !r.Powered {
		r.RowsNeeded = r.rowsFor(c.Tolerance)
	}
	r.Reason = r.reason(c)
}

// combine is the estimate of an expression from those of its units.
func combine(units []UnitResult) stats.Estimate {
	if len(units) == 1 && units[0].Coefficient == 1 {
		return units[0].Measurement.Estimate
	}
	e := stats.Estimate{Method: MethodArithmetic}
	tail, exact, estimated := 0.0, true, false
	for _, u := range units {
		m := u.Measurement
		if !m.Defined() {
			return stats.NoValue(m.Level, m.N, m.Undefined)
		}
		a, b := u.Coefficient*m.Low, u.Coefficient*m.High
		e.Value += u.Coefficient * m.Value
		e.Low, e.High = e.Low+min(a, b), e.High+max(a, b)
		tail += m.Tail
		exact = exact && m.Method == stats.MethodExact
		// The sample of the expression is the smallest one that an interval was made from.
		if isEstimate := m.Method != stats.MethodExact; e.N == 0 || isEstimate && !estimated || isEstimate == estimated && m.N < e.N {
			e.N, estimated = m.N, isEstimate
		}
	}
	e.Level = 1 - 2*tail
	if len(units) == 1 {
		e.Method = units[0].Measurement.Method
	}
	if exact {
		e.Method = stats.MethodExact
	}
	return e
}

// apart is how far an estimate is from a bound, and 0 for what rounding leaves between two that are equal.
func apart(value, bound float64) float64 {
	d := math.Abs(value - bound)
	if d <= rounding*max(math.Abs(value), math.Abs(bound)) {
		return 0
	}
	return d
}

// halfWidth is half of an interval's length.
func halfWidth(e stats.Estimate) float64 { return (e.High - e.Low) / 2 }

// mostRows is where a number of rows says nothing any more: nobody collects as many.
const mostRows = 1 << 50

// rowsFor is about how many rows of the test set would give the expression's interval a half width, or 0 when that cannot be
// said. All units are measured on the same rows, so that their intervals shrink together: each gets the part of the half width
// that it has now.
func (r *Result) rowsFor(width float64) int {
	now := halfWidth(r.Estimate)
	if !(width > 0) || !(now > 0) {
		return 0
	}
	const noise = 1 + 1e-9 // of a width that is a difference
	rows := 0
	for _, u := range r.Units {
		own := halfWidth(u.Measurement.Estimate)
		if own == 0 {
			continue
		}
		if u.Measurement.RowsFor == nil {
			return 0
		}
		needed := u.Measurement.RowsFor(own * width / now * noise)
		if needed <= 0 || needed > mostRows {
			return 0
		}
		rows = max(rows, needed)
	}
	return rows
}
