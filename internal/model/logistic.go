package model

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/table"
)

// KindLogistic is the kind field of a Logistic, and LogisticFormat the layout this program reads and writes.
const (
	KindLogistic   = "logistic"
	LogisticFormat = 1
)

// Logistic is a logistic regression on standardised numbers and one-hot categories:
//
//	P(positive) = 1 / (1 + exp(-(Intercept + sum of one effect per feature)))
//
// The effect of a feature is given by its Term. The struct is the whole model: its JSON (see Encode) holds nothing
// that depends on when or where it was trained, so that equal training gives equal bytes.
type Logistic struct {
	Kind      string  `json:"kind"`   // KindLogistic
	Format    int     `json:"format"` // LogisticFormat
	Inputs    Schema  `json:"schema"`
	Intercept float64 `json:"intercept"`
	Terms     []Term  `json:"terms"` // one per feature, in the schema's order
}

// Term is the effect of one feature on the log-odds. Exactly one of its fields is filled, by the feature's kind.
type Term struct {
	Numeric     *NumericTerm     `json:"numeric,omitempty"`
	Categorical *CategoricalTerm `json:"categorical,omitempty"`
}

// NumericTerm gives Coefficient * (x - Mean) / SD for a value x. A missing value counts as the mean, plus Missing,
// the effect of not knowing; Missing is 0 when training saw no row, or only rows, without a value.
type NumericTerm struct {
	Mean        float64 `json:"mean"`
	SD          float64 `json:"sd"` // above 0; 1 for a column that does not vary, whose coefficient is 0
	Coefficient float64 `json:"coefficient"`
	Missing     float64 `json:"missing"`
}

// CategoricalTerm gives the coefficient of the row's level. A level that training did not see gets Unseen: the mean
// effect over the training rows, so that an unknown name moves an average row's log-odds neither way. (The mean over
// rows, unlike zero, does not depend on how the effects are shared with the intercept.) A missing value gets Missing:
// its own coefficient when training saw missing values, Unseen otherwise.
type CategoricalTerm struct {
	Coefficients []float64 `json:"coefficients"` // one per level of the feature, in the schema's order
	Missing      float64   `json:"missing"`
	Unseen       float64   `json:"unseen"`
}

// Schema says what the model takes and what its score means.
func (l *Logistic) Schema() Schema { return l.Inputs }

// Encode checks the model and gives its JSON, the same bytes for the same model.
func (l *Logistic) Encode() ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("encode logistic model: %w", err)
	}
	return artifact.EncodeJSON(l)
}

func decodeLogistic(b []byte) (Predictor, error) {
	var l Logistic
	if err := decodeStrict(b, &l); err != nil {
		return nil, fmt.Errorf("decode logistic model: %w", err)
	}
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("decode logistic model: %w", err)
	}
	return &l, nil
}

// Predict scores every row of f. Its cost is one addition per row and feature. An infinite number, or numbers so
// extreme that their effects cancel to no number at all, is an error naming the feature or row.
func (l *Logistic) Predict(ctx context.Context, f *table.Frame) ([]float64, error) {
	logit := make([]float64, f.Rows)
	for i := range logit {
		logit[i] = l.Intercept
	}
	for j, feature := range l.Inputs.Features {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("predict: %w", err)
		}
		col, err := featureColumn(f, feature)
		if err != nil {
			return nil, fmt.Errorf("predict: %w", err)
		}
		if feature.Kind == table.Numeric {
			err = l.Terms[j].Numeric.add(logit, col)
		} else {
			err = l.Terms[j].Categorical.add(logit, col, feature.Levels)
		}
		if err != nil {
			return nil, fmt.Errorf("predict: feature %q: %w", feature.Name, err)
		}
	}
	for i, x := range logit {
		if math.IsNaN(x) {
			return nil, fmt.Errorf("predict: row %d: its numbers are too far from those of training to give a score; check their units", i)
		}
		logit[i] = Sigmoid(x)
	}
	return logit, nil
}

// Sigmoid is 1 / (1 + exp(-x)), without overflow.
func Sigmoid(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	if x >= 0 {
		return 1 / (1 + e)
	}
	return e / (1 + e)
}

func featureColumn(f *table.Frame, feature Feature) (*table.Column, error) {
	col, err := f.Column(feature.Name)
	if err != nil {
		return nil, fmt.Errorf("feature %q is missing from the input: %w", feature.Name, err)
	}
	if col.Kind != feature.Kind {
		return nil, fmt.Errorf("feature %q: expected a %s column, the input has it as %s", feature.Name, feature.Kind, col.Kind)
	}
	if n := max(len(col.Numbers), len(col.Codes)); n != f.Rows {
		return nil, fmt.Errorf("feature %q: expected %d values, one per row, got %d", feature.Name, f.Rows, n)
	}
	return col, nil
}

func (t *NumericTerm) add(logit []float64, col *table.Column) error {
	for i, x := range col.Numbers {
		switch {
		case math.IsNaN(x):
			logit[i] += t.Missing
		case math.IsInf(x, 0):
			return fmt.Errorf("row %d is infinite; expected a finite number or a missing value", i)
		case t.Coefficient != 0:
			logit[i] += t.Coefficient * ((x - t.Mean) / t.SD)
		}
	}
	return nil
}

func (t *CategoricalTerm) add(logit []float64, col *table.Column, levels []string) error {
	effect := func(code int32) float64 {
		if k, ok := slices.BinarySearch(levels, col.Levels[code]); ok {
			return t.Coefficients[k]
		}
		return t.Unseen
	}
	// A dictionary no longer than the table is translated once; a longer one (a few rows that share a large
	// dictionary) is looked up row by row.
	if len(col.Levels) <= len(col.Codes) {
		byCode := make([]float64, len(col.Levels))
		for c := range byCode {
			byCode[c] = effect(int32(c))
		}
		effect = func(code int32) float64 { return byCode[code] }
	}
	for i, code := range col.Codes {
		switch {
		case code < 0:
			logit[i] += t.Missing
		case int(code) >= len(col.Levels):
			return fmt.Errorf("row %d has code %d; the column has %d levels", i, code, len(col.Levels))
		default:
			logit[i] += effect(code)
		}
	}
	return nil
}

// check holds what Predict and the JSON rely on.
func (l *Logistic) check() error {
	if l.Kind != KindLogistic || l.Format != LogisticFormat {
		return fmt.Errorf("kind %q format %d: expected %q format %d; read it with the version of Assay that wrote it", l.Kind, l.Format, KindLogistic, LogisticFormat)
	}
	if l.Inputs.Task != "" {
		return fmt.Errorf("its task is %q; a logistic model tells two classes apart, and names no task", l.Inputs.Task)
	}
	if err := l.Inputs.check(); err != nil {
		return err
	}
	if len(l.Terms) != len(l.Inputs.Features) {
		return fmt.Errorf("%d terms for %d features; expected one per feature", len(l.Terms), len(l.Inputs.Features))
	}
	if !finite(l.Intercept) {
		return fmt.Errorf("intercept is not a finite number")
	}
	for j, feature := range l.Inputs.Features {
		if err := l.Terms[j].check(feature); err != nil {
			return fmt.Errorf("feature %q: %w", feature.Name, err)
		}
	}
	return nil
}

func (t Term) check(feature Feature) error {
	n, c := t.Numeric, t.Categorical
	switch {
	case feature.Kind == table.Numeric && n != nil && c == nil:
		if !finite(n.Mean, n.SD, n.Coefficient, n.Missing) || n.SD <= 0 {
			return fmt.Errorf("expected finite numbers and a standard deviation above 0")
		}
	case feature.Kind == table.Categorical && c != nil && n == nil:
		if len(c.Coefficients) != len(feature.Levels) {
			return fmt.Errorf("%d coefficients for %d levels", len(c.Coefficients), len(feature.Levels))
		}
		if !finite(c.Coefficients...) || !finite(c.Missing, c.Unseen) {
			return fmt.Errorf("expected finite coefficients")
		}
	default:
		return fmt.Errorf("expected a %s term and no other", feature.Kind)
	}
	return nil
}

func finite(xs ...float64) bool {
	for _, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}
