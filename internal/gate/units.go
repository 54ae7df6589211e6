package gate

import "math"

// weighted is a unit and what its interval is multiplied by.
type weighted struct {
	Coefficient float64
	Unit        Unit
}

// rounding is the part of a coefficient that sums such as 0.1 + 0.2 - 0.3 leave though everything cancels.
const rounding = 1e-12

// units are what intervals are made for in an expression. Equal quantities count once, with the sum of their coefficients. Then
// quantities are paired whose difference has a shorter interval than they have alone: a metric of the new model with the same
// of the old one, then a share in a slice with the same in a slice that shares no row with it. A pair takes the smaller of the
// two coefficients, and what is left of the larger one stands alone: n - 1.1*o is (n - o) - 0.1*o.
func (f Formula) units(e Expr) []weighted {
	terms := e.combined()
	if len(terms) == 1 {
		return []weighted{{terms[0].Coefficient, Unit{Quantity: terms[0].Quantity}}}
	}
	var units []weighted
	pair := func(fit func(a, b Term) bool) {
		for i := range terms {
			for j := range terms {
				a, b := terms[i], terms[j]
				if a.Coefficient*b.Coefficient >= 0 || !fit(a, b) {
					continue
				}
				c := math.Copysign(min(math.Abs(a.Coefficient), math.Abs(b.Coefficient)), a.Coefficient)
				units = append(units, weighted{c, Unit{Quantity: a.Quantity, Minus: &b.Quantity}})
				terms[i].Coefficient = left(a.Coefficient, c)
				terms[j].Coefficient = left(b.Coefficient, -c)
			}
		}
	}
	pair(func(a, b Term) bool {
		q, r := a.Quantity, b.Quantity
		return q.Which == New && r.Which == Old && q.sameBut(r) && q.Slice.Equal(r.Slice)
	})
	pair(func(a, b Term) bool {
		q, r := a.Quantity, b.Quantity
		return a.Coefficient > 0 && q.Which == r.Which && q.sameBut(r) && f.Metric(q).Kind == Share && q.Slice.disjoint(r.Slice)
	})
	for _, t := range terms {
		if t.Coefficient != 0 {
			units = append(units, weighted{t.Coefficient, Unit{Quantity: t.Quantity}})
		}
	}
	return units
}

// left is what is left of a coefficient when a part of it is taken.
func left(coefficient, taken float64) float64 {
	if rest := coefficient - taken; math.Abs(rest) > rounding*math.Abs(coefficient) {
		return rest
	}
	return 0
}

// leftToChance reports whether an interval is made for the unit: one of counted quantities is known.
func (f Formula) leftToChance(u Unit) bool {
	return f.Metric(u.Quantity).Kind != Counted || u.Minus != nil && f.Metric(*u.Minus).Kind != Counted
}
