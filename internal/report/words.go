package report

import (
	"fmt"
	"strings"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
)

// words are the glossary in terms of one model's target.
type words struct {
	task    stats.Task
	outcome string // the positive outcome; of other tasks than binary, what is predicted
	own     string // thresholds by group in words; empty when there is one for all
}

// wordsOf names the positive outcome as it stands in the data, e.g. “approved: yes”, or the target's column.
func wordsOf(t spec.Target) words {
	task := t.TaskOf()
	if task == stats.Binary {
		return words{task: task, outcome: fmt.Sprintf("“%s: %s”", t.Column, t.Positive)}
	}
	return words{task: task, outcome: "“" + t.Column + "”"}
}

// ownThresholds are the thresholds of the groups, the first few of many; empty when there is one for all.
func ownThresholds(d Dossier) string {
	if d.Thresholds == nil {
		return ""
	}
	var parts []string
	all := d.Thresholds.Thresholds
	for _, t := range all[:min(len(all), mostGroupsNamed)] {
		parts = append(parts, fmt.Sprintf("%s %s", or(t.Group, "(empty)"), decimal(t.Threshold)))
	}
	if left := len(all) - len(parts); left > 0 {
		parts = append(parts, countOf(left, "further group", "further groups"))
	}
	return fmt.Sprintf("that of its group of %s (%s)", d.Thresholds.Column, strings.Join(parts, ", "))
}

// meaning says in one line what a metric is about here.
func (w words) meaning(metric string) string {
	var meaning string
	switch w.task {
	case stats.Multiclass:
		meaning = w.meaningForClasses(metric)
	case stats.Regression:
		meaning = w.meaningForNumbers(metric)
	default:
		meaning = w.meaningForOutcome(metric)
	}
	if meaning != "" {
		return meaning
	}
	switch metric {
	case stats.Accuracy:
		return "Of all cases, the share the model gets right."
	case stats.F1:
		return "One number between precision and recall (their harmonic mean); 1 is perfect."
	case stats.MCC:
		return "Agreement of model and truth: 1 is perfect, 0 is guessing, −1 is always wrong."
	case stats.LogLoss:
		return "How far the scores are from what happened, confident mistakes costing most; lower is better, 0 is perfect."
	}
	return ""
}

func (w words) meaningForOutcome(metric string) string {
	is, not := "cases that truly are "+w.outcome, "cases that truly are not "+w.outcome
	switch metric {
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
	case stats.AreaUnderROC:
		return "Given one case that is " + w.outcome + " and one that is not, how often the first gets the higher score. 0.5 is guessing, 1 is perfect."
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

func (w words) meaningForClasses(metric string) string {
	switch metric {
	case stats.BalancedAccuracy:
		return "Accuracy as if all classes were equally common: the mean of their recalls."
	case stats.PrecisionMacro:
		return "Of the cases the model puts into a class, the share that truly are of it; the mean over the classes, rare ones counting as much as common ones."
	case stats.RecallMacro:
		return "Of the cases of a class, the share the model puts there; the mean over the classes, rare ones counting as much as common ones."
	case stats.F1Macro:
		return "One number between precision and recall (their harmonic mean); the mean over the classes, rare ones counting as much as common ones. 1 is perfect."
	case stats.F1Weighted:
		return "The same mean, common classes counting more than rare ones."
	case stats.AUCMacro:
		return "Given one case of a class and one of another, how often the first gets the higher score for that class; the mean over the classes. 0.5 is guessing, 1 is perfect."
	case stats.Top2Accuracy:
		return "Of all cases, the share whose class is one of the two that the model holds most probable."
	case stats.Kappa:
		return "Agreement of model and truth beyond what the classes’ sizes give by chance: 1 is perfect, 0 is guessing."
	case stats.Precision:
		return "Of the cases the model puts into the class, the share that truly are of it."
	case stats.Recall:
		return "Of the cases of the class, the share the model puts there."
	case stats.AreaUnderROC:
		return "Given one case of the class and one of another, how often the first gets the higher score. 0.5 is guessing, 1 is perfect."
	case stats.BaseRate:
		return "Of all cases, the share that truly are of the class."
	case stats.Brier:
		return "Squared distance of the classes’ scores and what happened, summed over the classes; lower is better, 0 is perfect, 2 is the worst."
	case stats.ECE:
		return "How far, on average, the model’s confidence lies from the share of such cases that it gets right; lower is better."
	}
	return ""
}

func (w words) meaningForNumbers(metric string) string {
	switch metric {
	case stats.RMSE:
		return "How far off predictions are, large misses counting most; in the units of " + w.outcome + ". Lower is better, 0 is perfect."
	case stats.MAE:
		return "How far off a prediction is on average; in the units of " + w.outcome + ". Lower is better, 0 is perfect."
	case stats.R2:
		return "The part of the differences between cases that the predictions explain: 1 is perfect, 0 is no better than always saying the mean."
	case stats.MeanError:
		return "Prediction minus truth on average; in the units of " + w.outcome + ". Above 0 the model says too much, below 0 too little."
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
	case fairness.PredictiveParityDifference:
		return "Highest minus lowest precision; 0 is equal."
	case fairness.PredictiveEqualityDifference:
		return "Highest minus lowest false positive rate; 0 is equal."
	case fairness.TreatmentEqualityDifference:
		return "Highest minus lowest number of cases missed per false alarm; 0 is equal."
	case fairness.ConditionalDemographicDisparity:
		return "Highest minus lowest share of those refused less share of those selected, among people alike in the declared columns; 0 is equal."
	}
	return ""
}
