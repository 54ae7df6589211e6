package fairness

import (
	"github.com/assay-ml/assay/internal/stats"
)

// Names of the first gaps. Differences run from 0 (equal) to 1, ratios from 0 to 1 (equal).
// Definitions with sources: Barocas, Hardt and Narayanan, "Fairness and Machine Learning", chapter 3; Hardt, Price and
// Srebro (2016) for equalized odds and equal opportunity; over more than two groups the extremes are compared, as Fairlearn does.
const (
	DemographicParityDifference = "demographic_parity_difference" // largest selection rate minus smallest
	DemographicParityRatio      = "demographic_parity_ratio"      // smallest selection rate over largest
	EqualizedOddsDifference     = "equalized_odds_difference"     // the larger of the differences in TPR and in FPR
	EqualizedOddsRatio          = "equalized_odds_ratio"          // the smaller of the ratios in TPR and in FPR
	EqualOpportunityDifference  = "equal_opportunity_difference"  // largest TPR minus smallest
)

// Gap is how far apart the groups at the ends are.
type Gap struct {
	Name string `json:"name"`
	stats.Estimate
	Rate    string   `json:"rate,omitempty"`     // the rate that makes the gap: selection_rate, tpr or fpr
	Highest string   `json:"highest,omitempty"`  // the group with the largest rate, the first by name among equals
	Lowest  string   `json:"lowest,omitempty"`   // the group with the smallest rate, the first by name among equals
	LeftOut []string `json:"left_out,omitempty"` // groups in which a rate of this gap has no value
}

// rate is a share of a group's rows that gaps compare.
type rate struct {
	name  string
	none  string // why a group has no such rate
	count func(stats.Confusion) (successes, n int)
}

var (
	selection     = rate{"selection_rate", "no examples", func(c stats.Confusion) (int, int) { return c.Predicted(), c.N() }}
	truePositive  = rate{"tpr", "no positive examples", func(c stats.Confusion) (int, int) { return c.TP, c.Positives() }}
	falsePositive = rate{"fpr", "no negative examples", func(c stats.Confusion) (int, int) { return c.FP, c.Negatives() }}
)
