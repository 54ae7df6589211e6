package explain

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// Linear gives the exact Shapley values of the rows of f on the log-odds of m, whose features add up: the value of a feature is
// its effect on the row less its mean effect over the rows of background (Lundberg & Lee 2017, A Unified Approach to
// Interpreting Model Predictions, section 4.2, corollary 1: linear SHAP with independent features; the same holds for any
// background by the interventional value function). A categorical feature's value is the sum of those of its one-hot parts.
//
// It fails when a table has no rows or lacks a feature.
func Linear(m *model.Logistic, f, background *table.Frame) (Values, error) {
	of, err := effectsOf(m, f)
	if err != nil {
		return Values{}, fmt.Errorf("linear Shapley values: rows: %w", err)
	}
	behind := of
	if background != f {
		if behind, err = effectsOf(m, background); err != nil {
			return Values{}, fmt.Errorf("linear Shapley values: background rows: %w", err)
		}
	}
	v := Values{
		Method: fmt.Sprintf("Exact Shapley values of a logistic regression in log-odds (linear SHAP, Lundberg & Lee 2017, corollary 1) "+
			"against the mean effects over %d background rows.", background.Rows),
		Scale: LogOdds, Features: featureNames(m.Inputs), Background: background.Rows, LeftOut: []int{}, Notes: []string{},
	}
	means := behind.means()
	base, spread := stat.PopMeanStdDev(behind.logits, nil)
	if !finite(base, spread) {
		return Values{}, fmt.Errorf("linear Shapley values: background rows: their numbers are too far from those of training to give a mean; check their units")
	}
	v.Base, v.Spread = base, spread
	for i, logit := range of.logits {
		phi, residual := make([]float64, of.width), logit-base
		for j := range phi {
			phi[j] = of.at(i)[j] - means[j]
			residual -= phi[j]
		}
		if !finite(residual) {
			return Values{}, fmt.Errorf("linear Shapley values: row %d: its numbers are too far from those of training to give a score; check their units", i)
		}
		v.Rows, v.Scores = append(v.Rows, i), append(v.Scores, logit)
		v.Phi, v.Residuals = append(v.Phi, phi), append(v.Residuals, residual)
	}
	return v, nil
}

// effects are those of each feature on each row's log-odds, row by row.
type effects struct {
	width  int
	values []float64
	logits []float64
}

func (e effects) at(i int) []float64 { return e.values[i*e.width : (i+1)*e.width] }

// means are over the rows.
func (e effects) means() []float64 {
	out := make([]float64, e.width)
	for i := range e.logits {
		for j, x := range e.at(i) {
			out[j] += x
		}
	}
	for j := range out {
		out[j] /= float64(len(e.logits))
	}
	return out
}

// effectsOf follows model.Logistic's Predict, term by term.
func effectsOf(m *model.Logistic, f *table.Frame) (effects, error) {
	f, err := inputs(m, f)
	if err != nil {
		return effects{}, err
	}
	if len(m.Terms) != len(m.Inputs.Features) {
		return effects{}, fmt.Errorf("the model has %d terms for %d features; expected one per feature", len(m.Terms), len(m.Inputs.Features))
	}
	e := effects{width: len(m.Terms), values: make([]float64, f.Rows*len(m.Terms)), logits: slices.Repeat([]float64{m.Intercept}, f.Rows)}
	for j, feature := range m.Inputs.Features {
		effect, err := effectOf(m.Terms[j], feature, &f.Columns[j])
		if err != nil {
			return effects{}, fmt.Errorf("feature %q: %w", feature.Name, err)
		}
		for i := range f.Rows {
			x := effect(i)
			if !finite(x) {
				return effects{}, fmt.Errorf("feature %q: the effect on row %d is no finite number; check the column's units", feature.Name, i)
			}
			e.values[i*e.width+j] = x
			e.logits[i] += x
		}
	}
	return e, nil
}

func effectOf(t model.Term, feature model.Feature, c *table.Column) (func(row int) float64, error) {
	switch n, k := t.Numeric, t.Categorical; {
	case n != nil && k == nil && c.Kind == table.Numeric:
		return func(row int) float64 {
			switch x := c.Numbers[row]; {
			case math.IsNaN(x):
				return n.Missing
			case n.Coefficient == 0:
				return 0
			default:
				return n.Coefficient * ((x - n.Mean) / n.SD)
			}
		}, nil
	case k != nil && n == nil && c.Kind == table.Categorical && len(k.Coefficients) == len(feature.Levels):
		byCode := make([]float64, len(c.Levels))
		for code, level := range c.Levels {
			byCode[code] = k.Unseen
			if at, known := slices.BinarySearch(feature.Levels, level); known {
				byCode[code] = k.Coefficients[at]
			}
		}
		return func(row int) float64 {
			if c.Codes[row] < 0 {
				return k.Missing
			}
			return byCode[c.Codes[row]]
		}, nil
	}
	return nil, fmt.Errorf("the model's term is not that of a %s feature; expected one that fits it, and no other", feature.Kind)
}
