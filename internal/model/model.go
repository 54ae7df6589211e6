// Package model defines what a trained model is: a schema of features, a predictor, and a manifest that says
// where it came from.
package model

import (
	"context"

	"github.com/assay-ml/assay/internal/table"
)

// Feature is one input of a model.
type Feature struct {
	Name   string     `json:"name"`
	Kind   table.Kind `json:"kind"`
	Levels []string   `json:"levels,omitempty"` // categorical: values seen in training; others fall into the unseen bucket
}

// Schema is what a model takes and what its score means.
type Schema struct {
	Features []Feature `json:"features"`
	Target   string    `json:"target"`   // the column that was predicted
	Positive string    `json:"positive"` // the target's value whose probability the score is
	Negative string    `json:"negative"`
}

// Predictor scores rows. Implementations are safe for concurrent use.
type Predictor interface {
	Schema() Schema
	// Predict gives, for each row of f, the probability in [0, 1] of Schema().Positive. f must hold every
	// feature of the schema under its name and kind (extra columns are ignored); missing values and unseen
	// categories are legal input.
	Predict(ctx context.Context, f *table.Frame) ([]float64, error)
}
