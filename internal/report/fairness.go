package report

import (
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/mitigation"
)

// Fairness is what was found about the groups of the protected columns.
type Fairness struct {
	fairness.Report
	Inequality  []Inequality                `json:"inequality,omitempty"` // of decisions, by protected column
	Consistency *fairness.ConsistencyReport `json:"consistency,omitempty"`
	People      []People                    `json:"people,omitempty"`     // of the training rows, by protected column
	Notes       []string                    `json:"notes,omitempty"`      // what was not computed and why, in sentences
	Price       *mitigation.Priced          `json:"price,omitempty"`      // nil: nothing was done about differences, or its price is not known
	NotPriced   string                      `json:"not_priced,omitempty"` // why the price of something that was done is not known, in a sentence
}

// Inequality is how unequally decisions serve people, and how much of that lies between the groups of a column.
type Inequality struct {
	Column string `json:"column"`
	fairness.InequalityReport
}

// People is what the training rows say of the groups of a protected column, before anything is learnt from them.
type People struct {
	Column     string                            `json:"column"`
	Population *fairness.RepresentationReport    `json:"population,omitempty"` // nil: none is declared
	Labels     *fairness.LabelDistributionReport `json:"labels,omitempty"`     // nil: the target is a number
	Bias       *fairness.BiasReport              `json:"bias,omitempty"`       // nil: the target has not two values
	Missing    *fairness.MissingnessReport       `json:"missing,omitempty"`
	Notes      []string                          `json:"notes,omitempty"` // what was not computed and why, in sentences
}
