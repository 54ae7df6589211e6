package report

import (
	"fmt"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
)

// words are the glossary in terms of one model's target.
type words struct{ outcome string }

// wordsOf names the positive outcome as it stands in the data, e.g. “approved: yes”.
func wordsOf(t spec.Target) words {
	return words{fmt.Sprintf("“%s: %s”", t.Column, t.Positive)}
}

// form is how a metric's values are written.
type form int

const (
	asDecimal form = iota // 0.905
	asPercent             // 25.4 %
	asPoints              // 3.1 points: a difference of two percentages
	asCount               // 12
)

func (f form) write(v float64) string {
	switch f {
	case asPercent:
		return percent(v)
	case asPoints:
		return points(v)
	case asCount:
		return general(v)
	default:
		return decimal(v)
	}
}

// interval writes both ends, the unit once, or why there is no value. Ends are limits, not claims, so they may be rounded
// to none or all.
func (f form) interval(e stats.Estimate) string {
	const to = nbsp + "to" + nbsp
	switch {
	case !e.Defined():
		return e.Undefined
	case e.Method == stats.MethodExact:
		return ""
	case !finite(e):
		return notAvailable
	case f == asPercent:
		return fixed(100*e.Low, 1) + to + fixed(100*e.High, 1) + nbsp + "%"
	case f == asPoints:
		return fixed(100*e.Low, 1) + to + fixed(100*e.High, 1) + nbsp + "points"
	case f == asCount:
		return general(e.Low) + to + general(e.High)
	}
	return fixed(e.Low, 3) + to + fixed(e.High, 3)
}

// figure writes the value; interval says why where there is none.
func (f form) figure(e stats.Estimate) string {
	if !e.Defined() {
		return "no value"
	}
	return f.write(e.Value)
}

// term is a metric's name and form for people.
type term struct {
	Name string
	Form form
}

var terms = map[string]term{
	stats.Accuracy:         {"Accuracy", asPercent},
	stats.AreaUnderROC:     {"AUC", asDecimal},
	stats.LogLoss:          {"Log loss", asDecimal},
	stats.Brier:            {"Brier score", asDecimal},
	stats.ECE:              {"Calibration error", asPercent},
	stats.Precision:        {"Precision", asPercent},
	stats.Recall:           {"Recall", asPercent},
	stats.Specificity:      {"Specificity", asPercent},
	stats.F1:               {"F1", asDecimal},
	stats.BalancedAccuracy: {"Balanced accuracy", asPercent},
	stats.SelectionRate:    {"Selection rate", asPercent},
	stats.BaseRate:         {"Base rate", asPercent},
	stats.FPR:              {"False positive rate", asPercent},
	stats.FNR:              {"False negative rate", asPercent},
	stats.MCC:              {"Matthews correlation", asDecimal},

	fairness.DemographicParityDifference: {"Demographic parity difference", asPoints},
	fairness.DemographicParityRatio:      {"Demographic parity ratio", asDecimal},
	fairness.EqualizedOddsDifference:     {"Equalized odds difference", asPoints},
	fairness.EqualizedOddsRatio:          {"Equalized odds ratio", asDecimal},
	fairness.EqualOpportunityDifference:  {"Equal opportunity difference", asPoints},

	privacy.MetricKAnonymity:  {"k-anonymity", asCount},
	privacy.MetricUniqueShare: {"Share of unique rows", asPercent},
}

// termOf is the metric's term; a metric this package does not know keeps its own name.
func termOf(metric string) term {
	if t, ok := terms[metric]; ok {
		return t
	}
	return term{metric, asDecimal}
}

// meaning says in one line what a metric is about here.
func (w words) meaning(metric string) string {
	is, not := "cases that truly are "+w.outcome, "cases that truly are not "+w.outcome
	switch metric {
	case stats.Accuracy:
		return "Of all cases, the share the model gets right."
	case stats.BalancedAccuracy:
		return "The mean of recall and specificity: accuracy as if both outcomes were equally common."
	case stats.Precision:
		return "Of the cases the model calls " + w.outcome + ", the share that truly are."
	case stats.Recall:
		return "Of the " + is + ", the share the model also calls so."
	case stats.Specificity:
		return "Of the " + not + ", the share the model also leaves out."
	case stats.FPR:
		return "Of the " + not + ", the share the model wrongly calls so."
	case stats.FNR:
		return "Of the " + is + ", the share the model misses."
	case stats.F1:
		return "One number between precision and recall (their harmonic mean); 1 is perfect."
	case stats.MCC:
		return "Agreement of model and truth: 1 is perfect, 0 is guessing, −1 is always wrong."
	case stats.AreaUnderROC:
		return "Given one case that is " + w.outcome + " and one that is not, how often the first gets the higher score. 0.5 is guessing, 1 is perfect."
	case stats.LogLoss:
		return "How far the scores are from what happened, confident mistakes costing most; lower is better, 0 is perfect."
	case stats.Brier:
		return "Mean squared distance of score and outcome; lower is better, 0 is perfect."
	case stats.ECE:
		return "How far, on average, a score lies from the share of such cases that truly are " + w.outcome + "; lower is better."
	case stats.SelectionRate:
		return "Of all cases, the share the model calls " + w.outcome + "."
	case stats.BaseRate:
		return "Of all cases, the share that truly are " + w.outcome + "."
	}
	return ""
}

// gapMeaning says what a fairness gap compares.
func (w words) gapMeaning(metric string) string {
	switch metric {
	case fairness.DemographicParityDifference:
		return "Highest minus lowest share that the model calls " + w.outcome + "; 0 is equal."
	case fairness.DemographicParityRatio:
		return "Lowest over highest share that the model calls " + w.outcome + "; 1 is equal."
	case fairness.EqualOpportunityDifference:
		return "Highest minus lowest recall; 0 is equal."
	case fairness.EqualizedOddsDifference:
		return "The larger of two gaps, in recall and in false positive rate; 0 is equal."
	case fairness.EqualizedOddsRatio:
		return "The smaller of two ratios, of recall and of false positive rate; 1 is equal."
	}
	return ""
}
