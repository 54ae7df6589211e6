package fairness

// Names of further gaps that conditions can be on, each between the groups with the largest and the smallest value.
const (
	EqualOpportunityRatio        = "equal_opportunity_ratio"        // smallest TPR over largest
	PredictiveParityDifference   = "predictive_parity_difference"   // of the precision (Chouldechova 2017)
	PredictiveParityRatio        = "predictive_parity_ratio"        // of the precision
	PredictiveEqualityDifference = "predictive_equality_difference" // of the FPR (Corbett-Davies et al. 2017)
	PredictiveEqualityRatio      = "predictive_equality_ratio"      // of the FPR
	AccuracyDifference           = "accuracy_difference"            // of the accuracy
	AccuracyRatio                = "accuracy_ratio"                 // of the accuracy
)

// GapNames lists every gap that a condition can be on.
func GapNames() []string {
	return append([]string{
		DemographicParityDifference, DemographicParityRatio, EqualizedOddsDifference, EqualizedOddsRatio, EqualOpportunityDifference,
	}, EqualOpportunityRatio, PredictiveParityDifference, PredictiveParityRatio,
		PredictiveEqualityDifference, PredictiveEqualityRatio, AccuracyDifference, AccuracyRatio)
}
