package stats

import (
	"fmt"
	"math"
)

// MulticlassMetricNames lists the metrics in the order of MulticlassReport.Metrics.
func MulticlassMetricNames() []string {
	return []string{
		Accuracy, LogLoss, Brier, ECE, MCC, BalancedAccuracy, PrecisionMacro, RecallMacro, F1Macro, F1Weighted,
		AUCMacro, Top2Accuracy, Kappa,
	}
}

// ClassMetricNames lists the metrics of one class against all others, in the order of ClassReport.Metrics.
func ClassMetricNames() []string { return []string{Precision, Recall, F1, AreaUnderROC, BaseRate} }

// MulticlassReport is a sample of several classes evaluated.
type MulticlassReport struct {
	N           int           `json:"n"`
	Confusion   [][]int       `json:"confusion"` // rows of each class (first index) predicted to have each class (second)
	Metrics     []Metric      `json:"metrics"`   // in the order of MulticlassMetricNames
	Classes     []ClassReport `json:"classes"`
	Calibration []Bin         `json:"calibration,omitempty"` // 10 bins of the largest probability; MeanY is the share predicted right
}

// ClassReport is one class against all others.
type ClassReport struct {
	Class     string   `json:"class"`
	N         int      `json:"n"`         // rows of the class
	Predicted int      `json:"predicted"` // rows predicted to be of it
	Metrics   []Metric `json:"metrics"`   // in the order of ClassMetricNames
}

// Metric finds an estimate by the metric's name.
func (r MulticlassReport) Metric(name string) (Estimate, bool) {
	return Report{Metrics: r.Metrics}.Metric(name)
}

// Class finds a class's estimate by the metric's name.
func (r MulticlassReport) Class(class, name string) (Estimate, bool) {
	for _, c := range r.Classes {
		if c.Class == class {
			return Report{Metrics: c.Metrics}.Metric(name)
		}
	}
	return Estimate{}, false
}

// EvaluateMulticlass computes every metric of a sample with intervals; names are the classes'. A row is predicted to have its
// most probable class, the first among equals; the options' threshold is not used.
//
// Macro metrics are means over the classes that have rows in the sample; a class that is never predicted has the precision 0.
// ECE has ten equal-width bins of the largest probability, the confidence (Guo, Pleiss, Sun and Weinberger, 2017).
//
// Intervals: Wilson for the shares accuracy, top2_accuracy, and precision, recall and base_rate of a class; Student's t for
// log_loss and brier; DeLong for AUCs; square-and-add of the classes' Wilson intervals for balanced_accuracy and recall_macro
// (Zou and Donner, 2008, eq. 2); F1 of a class is 2J/(1+J), from Wilson's interval for J = TP/(TP+FP+FN); BCa (Efron, 1987) for
// mcc, kappa, ece and the other macro metrics.
func EvaluateMulticlass(s MulticlassSample, names []string, opt Options) (MulticlassReport, error) {
	opt, err := opt.Resolve()
	if err == nil {
		err = s.Validate()
	}
	if err == nil && len(names) != s.Classes {
		err = fmt.Errorf("%d names for %d classes; expected one each", len(names), s.Classes)
	}
	if err != nil {
		return MulticlassReport{}, fmt.Errorf("evaluate predictions of several classes: %w", err)
	}
	t := newMulticlassTally(s)
	r := MulticlassReport{N: s.N(), Confusion: t.confusion, Calibration: calibration(t.correct(), opt.Level)}
	r.Metrics = []Metric{
		{Accuracy, Proportion(t.right, s.N(), opt.Level, noExamples)},
		{LogLoss, meanEstimate(t.logLoss, opt.Level, 0, math.Inf(1))},
		{Brier, meanEstimate(t.brier, opt.Level, 0, MostMulticlassBrier)},
		{ECE, calibrationError(t.correct(), opt)},
		{MCC, t.resampled(MCC, opt)},
		{BalancedAccuracy, meanRecall(t.counts, opt.Level)},
		{PrecisionMacro, t.resampled(PrecisionMacro, opt)},
		{RecallMacro, meanRecall(t.counts, opt.Level)},
		{F1Macro, t.resampled(F1Macro, opt)},
		{F1Weighted, t.resampled(F1Weighted, opt)},
		{AUCMacro, aucMacro(s, t.counts, opt.Level)},
		{Top2Accuracy, Proportion(t.top2, s.N(), opt.Level, noExamples)},
		{Kappa, t.resampled(Kappa, opt)},
	}
	for k, name := range names {
		r.Classes = append(r.Classes, classReport(s, t.counts, k, name, opt.Level))
	}
	return r, nil
}

func classReport(s MulticlassSample, counts ClassCounts, class int, name string, level float64) ClassReport {
	c := counts.Of(class)
	return ClassReport{
		Class: name, N: c.Positives(), Predicted: c.Predicted(),
		Metrics: []Metric{
			{Precision, Proportion(c.TP, c.Predicted(), level, "no example is predicted to be of the class")},
			{Recall, Proportion(c.TP, c.Positives(), level, "no examples of the class")},
			{F1, jaccardF1(c, level)},
			{AreaUnderROC, AUC(s.Against(class), level)},
			{BaseRate, Proportion(c.Positives(), c.N(), level, noExamples)},
		},
	}
}

// jaccardF1 rests on the rows that are of the class or predicted to be: given their number, those that are both are
// binomial, and F1 rises with their share J.
func jaccardF1(c Confusion, level float64) Estimate {
	value, reason := f1Of(c)
	if reason != "" {
		return NoValue(level, c.N(), "no example is of the class or predicted to be")
	}
	low, high := Wilson(c.TP, c.TP+c.FP+c.FN, level)
	return Estimate{
		Value: value, Low: 2 * low / (1 + low), High: 2 * high / (1 + high),
		Level: level, Method: MethodWilsonJaccard, N: c.TP + c.FP + c.FN,
	}
}

// meanRecall adds the classes' recalls, which rest on different rows, so that the distances from estimate to limit add as
// squares.
func meanRecall(c ClassCounts, level float64) Estimate {
	present := c.Present()
	if len(present) == 0 {
		return NoValue(level, c.N, noExamples)
	}
	value, below, above := 0.0, 0.0, 0.0
	for _, k := range present {
		e := Proportion(c.Right[k], c.Truth[k], level, noExamples)
		value += e.Value
		below += (e.Value - e.Low) * (e.Value - e.Low)
		above += (e.High - e.Value) * (e.High - e.Value)
	}
	k := float64(len(present))
	return Estimate{
		Value: value / k, Low: (value - math.Sqrt(below)) / k, High: (value + math.Sqrt(above)) / k,
		Level: level, Method: MethodNewcombe, N: c.N,
	}
}

// multiclassTally is what one pass over the rows gives.
type multiclassTally struct {
	confusion      [][]int
	counts         ClassCounts
	right, top2    int
	logLoss, brier []float64
	confidence     []float64
	hit            []bool
}

func newMulticlassTally(s MulticlassSample) multiclassTally {
	n := s.N()
	t := multiclassTally{
		confusion: make([][]int, s.Classes), counts: NewClassCounts(s.Classes),
		logLoss: make([]float64, n), brier: make([]float64, n), confidence: make([]float64, n), hit: make([]bool, n),
	}
	cells := make([]int, s.Classes*s.Classes)
	for k := range t.confusion {
		t.confusion[k] = cells[k*s.Classes : (k+1)*s.Classes]
	}
	for i, y := range s.Y {
		row, class := s.Row(i), int(y)
		predicted := MostProbable(row)
		t.confusion[class][predicted]++
		t.counts.Add(class, predicted, 1)
		t.logLoss[i], t.brier[i] = MulticlassLogLoss(row, class), MulticlassBrier(row, class)
		t.confidence[i], t.hit[i] = row[predicted], predicted == class
		if predicted == class {
			t.right++
		}
		if AmongTop2(row, class) {
			t.top2++
		}
	}
	return t
}

// correct is the sample of a binary question: is the prediction right? Its score is the confidence.
func (t multiclassTally) correct() Sample { return Sample{Y: t.hit, Score: t.confidence} }
