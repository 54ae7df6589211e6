package gate

import (
	"math"

	"github.com/assay-ml/assay/internal/stats"
)

// Bounds that a sample's size can be computed from.
const (
	BoundHoeffding     = "hoeffding"      // ease.ml/ci: every value of the shares is allowed for
	BoundBennett       = "bennett"        // ease.ml/ci: the models differ on a bounded share of the rows
	BoundExactBinomial = "exact_binomial" // the interval of a share that the gate makes, Clopper and Pearson (1934)
	BoundExactPaired   = "exact_paired"   // the interval of new - old that the gate makes, see stats.PairedShare
)

// hoeffdingRows is ease.ml/ci's sample for an expression of several variables (Renggli et al., SysML 2019, section 3.1):
//
//	N = (sum |c_i| r_i)^2 ln(1/delta) / (2 e^2)
//
// with the coefficients c_i, the lengths r_i of the variables' ranges (1 for a share), the tolerance e, and the logarithm of
// the inverse of the error probability delta of one variable: the paper gives each of m variables delta/m, and the part
// e |c_i| r_i / sum |c_j| r_j of the tolerance, so that all ask for the same sample. Hoeffding (1963), one-sided.
func hoeffdingRows(size, tolerance, logInverse float64) float64 {
	return size * size * logInverse / (2 * tolerance * tolerance)
}

// bennettRows is ease.ml/ci's sample for n - o when the models differ on at most a share p of the rows (section 4.1):
//
//	N = ln(1/delta) / (p h(e/p)),   h(u) = (1+u) ln(1+u) - u
//
// by Bennett (1962) for variables in [-1, 1] whose mean square is at most p.
func bennettRows(p, tolerance, logInverse float64) float64 {
	return logInverse / (p * bennett(tolerance/p))
}

// bennettLabels is how many labels ease.ml/ci asks for at each evaluation with active labelling (section 4.2): only the share p of
// a fresh sample on which the models differ needs labels, which is p times bennettRows of one step.
func bennettLabels(p, tolerance, logInverse float64) float64 {
	return logInverse / bennett(tolerance/p)
}

// bennett is h(u) = (1+u) ln(1+u) - u, by the first terms of its series where these would cancel.
func bennett(u float64) float64 {
	const small = 1e-4
	if u < small {
		return u * u / 2 * (1 - u/3 + u*u/6)
	}
	return (1+u)*math.Log1p(u) - u
}

// logInverse is ln(1/delta) for one of parts that a decision's share is divided into.
func (p Plan) logInverse(parts float64) float64 {
	return math.Log(parts) + p.logParts() - math.Log(p.delta())
}

// rowsUp is a number of rows rounded up, but not for what floating point adds to a whole number; 0 when it is beyond all bounds.
func rowsUp(rows float64) int {
	const noise = 1e-12
	up := math.Ceil(rows * (1 - noise))
	if !(up <= mostRows) {
		return 0
	}
	return int(up)
}

// spread is the sum of the coefficients' sizes times the lengths of their ranges, and how many variables there are that are left
// to chance; ok is false when one of them is no mean of numbers within a range.
func (f Formula) spread(e Expr, task stats.Task) (size float64, variables int, ok bool) {
	for _, t := range e {
		m := f.Metric(t.Quantity)
		if m.Kind == Counted {
			continue
		}
		least, most := m.Range(task)
		if m.Kind != Share && m.Kind != Mean || math.IsInf(most-least, 0) {
			return 0, 0, false
		}
		size += math.Abs(t.Coefficient) * (most - least)
		variables++
	}
	return size, variables, true
}

// disagreementBound is the share of rows on which the models differ at most, as far as a clause d < A +/- B says so, on the
// same rows as a difference of accuracies. A candidate that differs on more than A + 2B fails that clause, since its d is then
// measured above A + B, so that it does not matter how well the difference is measured: the filter of ease.ml/ci (section 4.1.1).
func disagreementBound(formulas []Formula, rows Slice) (p float64, clause string, ok bool) {
	p = 1
	for _, f := range formulas {
		for _, c := range f.Clauses {
			e := c.Expr.combined()
			if len(e) != 1 || e[0].Quantity.Which != Both || !e[0].Quantity.Slice.Equal(rows) {
				continue
			}
			below := c.Op == Less || c.Op == LessOrEqual
			if bound := (c.Bound + 2*c.Tolerance) / e[0].Coefficient; below && c.Tolerance > 0 && e[0].Coefficient > 0 && bound < p {
				p, clause, ok = bound, c.Text, true
			}
		}
	}
	return p, clause, ok
}
