package spec

import (
	"fmt"

	"github.com/assay-ml/assay/internal/gate"
)

// AbortCondition is an abort condition understood: one live metric against a bound.
type AbortCondition struct {
	Text   string
	Metric string
	Op     gate.Op
	Bound  float64
}

// ParseAbort reads an abort condition. What the language has beyond one metric and its bound is refused: a canary looks at
// traffic that grows while it looks, for which the gate's intervals are not made.
func ParseAbort(text string) (AbortCondition, error) {
	f, err := gate.Parse(text)
	if err != nil {
		return AbortCondition{}, err
	}
	if err := f.Require(gate.ScopeRollout); err != nil {
		return AbortCondition{}, err
	}
	c := f.Clauses[0]
	if len(f.Clauses) > 1 || len(c.Expr) != 1 || c.Expr[0].Coefficient != 1 {
		return AbortCondition{}, fmt.Errorf("condition %q: found more than one metric; expected one metric and its bound, such as error_rate < 0.01, and an element of its own for each", text)
	}
	if c.Tolerance != 0 {
		return AbortCondition{}, fmt.Errorf("condition %q: found a tolerance; leave it out, as in error_rate < 0.01: the canary decides by the traffic it gets", text)
	}
	return AbortCondition{text, c.Expr[0].Quantity.Metric, c.Op, c.Bound}, nil
}
