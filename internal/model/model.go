// Package model defines what a trained model is: a schema of features, a predictor, and a manifest that says
// where it came from.
package model

import (
	"context"
	"fmt"

	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// Feature is one input of a model.
type Feature struct {
	Name   string     `json:"name"`
	Kind   table.Kind `json:"kind"`
	Levels []string   `json:"levels,omitempty"` // categorical: values seen in training; others fall into the unseen bucket
}

// Schema is what a model takes and what its scores mean.
type Schema struct {
	Features []Feature `json:"features"`
	Target   string    `json:"target"`   // the column that was predicted
	Positive string    `json:"positive"` // binary: the target's value whose probability the score is; otherwise ""
	Negative string    `json:"negative"`

	Task    stats.Task `json:"task,omitempty"`    // "" is binary; see TaskOf
	Classes []string   `json:"classes,omitempty"` // multiclass: the target's values, in the order of the scores
}

// TaskOf is what the model predicts.
func (s Schema) TaskOf() stats.Task {
	if s.Task == "" {
		return stats.Binary
	}
	return s.Task
}

// Width is how many numbers a prediction of one row has: one a class of a multiclass model, otherwise 1.
func (s Schema) Width() int {
	if s.TaskOf() == stats.Multiclass {
		return len(s.Classes)
	}
	return 1
}

// ClassIndices gives, for each row of a categorical column with the target's values, the index of its class in Classes;
// -1 where the value is missing. A column's levels are sorted as texts, classes that are numbers as numbers: their codes
// are not each other's. A value that is no class is an error that names the row, not the value.
func (s Schema) ClassIndices(c *table.Column) ([]int32, error) {
	at := make(map[string]int32, len(s.Classes))
	for i, class := range s.Classes {
		at[class] = int32(i)
	}
	out := make([]int32, max(len(c.Codes), len(c.Numbers)))
	for row := range out {
		text, present := c.Text(row)
		i, known := at[text]
		switch {
		case !present:
			i = -1
		case !known:
			return nil, fmt.Errorf("read the target %q: row %d has a value that is none of the model's %d classes", c.Name, row, len(s.Classes))
		}
		out[row] = i
	}
	return out, nil
}

// Predictor scores rows. Implementations are safe for concurrent use.
type Predictor interface {
	Schema() Schema
	// Predict gives Schema().Width() numbers for each row of f, row by row: of a binary model the probability in [0, 1] of
	// Schema().Positive, of a multiclass one those of Schema().Classes in their order, which sum to 1 but for rounding (see
	// SumTolerance), of a regression the predicted number, which is finite. f must hold every feature of the schema under its name and kind (extra
	// columns are ignored); missing values and unseen categories are legal input.
	Predict(ctx context.Context, f *table.Frame) ([]float64, error)
}

// SumTolerance is how far the probabilities of one row may sum to something else than 1: programs write single precision,
// or few digits.
const SumTolerance = 1e-3
