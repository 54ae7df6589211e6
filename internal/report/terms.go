package report

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
)

// term is a metric's name and form for people. Better says which way is better: 1 up, -1 down, 0 neither.
type term struct {
	Name   string
	Form   form
	Better int
}

var terms = map[string]term{
	stats.Accuracy:         {"Accuracy", asPercent, 1},
	stats.AreaUnderROC:     {"AUC", asDecimal, 1},
	stats.LogLoss:          {"Log loss", asAmount, -1},
	stats.Brier:            {"Brier score", asAmount, -1},
	stats.ECE:              {"Calibration error", asPercent, -1},
	stats.Precision:        {"Precision", asPercent, 1},
	stats.Recall:           {"Recall", asPercent, 1},
	stats.Specificity:      {"Specificity", asPercent, 1},
	stats.F1:               {"F1", asDecimal, 1},
	stats.BalancedAccuracy: {"Balanced accuracy", asPercent, 1},
	stats.SelectionRate:    {"Selection rate", asPercent, 0},
	stats.BaseRate:         {"Base rate", asPercent, 0},
	stats.FPR:              {"False positive rate", asPercent, -1},
	stats.FNR:              {"False negative rate", asPercent, -1},
	stats.MCC:              {"Matthews correlation", asDecimal, 1},

	stats.PrecisionMacro: {"Mean precision of the classes", asPercent, 1},
	stats.RecallMacro:    {"Mean recall of the classes", asPercent, 1},
	stats.F1Macro:        {"Mean F1 of the classes", asDecimal, 1},
	stats.F1Weighted:     {"Mean F1, weighted by the classes’ cases", asDecimal, 1},
	stats.AUCMacro:       {"Mean AUC of the classes", asDecimal, 1},
	stats.Top2Accuracy:   {"Accuracy of the two most probable classes", asPercent, 1},
	stats.Kappa:          {"Cohen’s kappa", asDecimal, 1},

	stats.RMSE:      {"Root mean squared error", asAmount, -1},
	stats.MAE:       {"Mean absolute error", asAmount, -1},
	stats.R2:        {"R²", asDecimal, 1},
	stats.MeanError: {"Mean error", asAmount, 0},

	stats.Disagreement: {"Share of rows on which candidate and serving version differ", asPercent, 0},

	fairness.DemographicParityDifference:  {"Demographic parity difference", asPoints, -1},
	fairness.DemographicParityRatio:       {"Demographic parity ratio", asDecimal, 1},
	fairness.EqualizedOddsDifference:      {"Equalized odds difference", asPoints, -1},
	fairness.EqualizedOddsRatio:           {"Equalized odds ratio", asDecimal, 1},
	fairness.EqualOpportunityDifference:   {"Equal opportunity difference", asPoints, -1},
	fairness.EqualOpportunityRatio:        {"Equal opportunity ratio", asDecimal, 1},
	fairness.PredictiveParityDifference:   {"Predictive parity difference", asPoints, -1},
	fairness.PredictiveParityRatio:        {"Predictive parity ratio", asDecimal, 1},
	fairness.PredictiveEqualityDifference: {"Predictive equality difference", asPoints, -1},
	fairness.PredictiveEqualityRatio:      {"Predictive equality ratio", asDecimal, 1},
	fairness.AccuracyDifference:           {"Difference in accuracy", asPoints, -1},
	fairness.TreatmentEqualityDifference:  {"Treatment equality difference", asDecimal, -1},

	fairness.ConditionalDemographicDisparity: {"Conditional demographic disparity", asPoints, -1},

	fairness.AccuracyRatio: {"Ratio of accuracies", asDecimal, 1},

	privacy.MetricKAnonymity:  {"k-anonymity", asCount, 1},
	privacy.MetricUniqueShare: {"Share of unique rows", asPercent, -1},

	privacy.MetricLDiversity:        {"l-diversity", asCount, 1},
	privacy.MetricEntropyLDiversity: {"l-diversity by entropy", asDecimal, 1},
	privacy.MetricTCloseness:        {"t-closeness", asDecimal, -1},
	privacy.MetricPersonalColumns:   {"Number of columns with personal data", asCount, -1},

	gate.LatencyP50:      {"Median time to answer", asMilliseconds, -1},
	gate.LatencyP95:      {"95th percentile of the time to answer", asMilliseconds, -1},
	gate.LatencyP99:      {"99th percentile of the time to answer", asMilliseconds, -1},
	gate.TrainCPUSeconds: {"Processor time of the training", asSeconds, -1},
	gate.TrainGPUSeconds: {"Device time of the training", asSeconds, -1},
	gate.ModelBytes:      {"Size of the model", asBytes, -1},
}

// termOf is the metric's term; one that this package does not know is the user's own, which is a mean over rows.
func termOf(metric string) term {
	if t, ok := terms[metric]; ok {
		return t
	}
	return term{"Mean of “" + metric + "”", asAmount, 0}
}

// within is the name as it stands inside a sentence: names of people and abbreviations keep their capital letters.
func (t term) within() string {
	for _, proper := range []string{"Brier", "Matthews", "Cohen"} {
		if strings.HasPrefix(t.Name, proper) {
			return t.Name
		}
	}
	first, size := utf8.DecodeRuneInString(t.Name)
	second, _ := utf8.DecodeRuneInString(t.Name[size:])
	if !unicode.IsLower(second) && second != ' ' {
		return t.Name
	}
	return string(unicode.ToLower(first)) + t.Name[size:]
}

// opening makes a text the beginning of a sentence.
func opening(s string) string {
	for _, metric := range []string{privacy.MetricKAnonymity, privacy.MetricLDiversity, privacy.MetricTCloseness} {
		if strings.HasPrefix(s, terms[metric].Name) {
			return s
		}
	}
	return capital(s)
}
