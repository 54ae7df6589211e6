package evaluation

import (
	"fmt"
	"math"
	"strings"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// kind is how a metric is measured.
type kind int

const (
	ofShare        kind = iota + 1 // successes among rows that count
	ofDisagreement                 // share of rows on which the models differ
	ofTop2                         // share of rows whose class is among the two most probable
	ofF1                           // harmonic mean of a class's precision and recall
	ofRecalls                      // mean of the classes' recalls
	ofCounts                       // another function of the confusion matrix
	ofRanks                        // area under the ROC curve
	ofRanksMacro                   // mean of the classes' areas
	ofMean                         // mean of a number per row
	ofRows                         // another function of the rows
	ofGroups                       // gap between groups
	ofFigure                       // measured elsewhere, of the whole model
	ofOwn                          // mean of a user's own number per row
)

var binaryKinds = map[string]kind{
	stats.Accuracy: ofShare, stats.Precision: ofShare, stats.Recall: ofShare, stats.Specificity: ofShare, stats.FPR: ofShare,
	stats.FNR: ofShare, stats.SelectionRate: ofShare, stats.BaseRate: ofShare, stats.Disagreement: ofDisagreement,
	stats.AreaUnderROC: ofRanks, stats.LogLoss: ofMean, stats.Brier: ofMean, stats.ECE: ofRows,
	stats.F1: ofF1, stats.BalancedAccuracy: ofRecalls, stats.MCC: ofCounts,
}

var multiclassKinds = map[string]kind{
	stats.Accuracy: ofShare, stats.Precision: ofShare, stats.Recall: ofShare, stats.Specificity: ofShare, stats.FPR: ofShare,
	stats.FNR: ofShare, stats.SelectionRate: ofShare, stats.BaseRate: ofShare, stats.Disagreement: ofDisagreement,
	stats.AreaUnderROC: ofRanks, stats.LogLoss: ofMean, stats.Brier: ofMean, stats.ECE: ofRows, stats.F1: ofF1,
	stats.BalancedAccuracy: ofRecalls, stats.RecallMacro: ofRecalls, stats.MCC: ofCounts, stats.Kappa: ofCounts,
	stats.PrecisionMacro: ofCounts, stats.F1Macro: ofCounts, stats.F1Weighted: ofCounts, stats.AUCMacro: ofRanksMacro,
	stats.Top2Accuracy: ofTop2,
}

var regressionKinds = map[string]kind{
	stats.RMSE: ofRows, stats.R2: ofRows, stats.MAE: ofMean, stats.MeanError: ofMean,
}

// perClass reports whether a metric of several classes is of one of them.
func (k kind) perClass(metric string) bool {
	switch k {
	case ofShare:
		return metric != stats.Accuracy
	case ofGroups:
		return metric != fairness.AccuracyDifference && metric != fairness.AccuracyRatio
	case ofF1, ofRanks:
		return true
	}
	return false
}

// quantiles of latency, by the metric's name.
var latencies = map[string]float64{gate.LatencyP50: 0.5, gate.LatencyP95: 0.95, gate.LatencyP99: 0.99}

func (s *Source) kindOf(q gate.Quantity) (kind, error) {
	kinds := binaryKinds
	switch s.index.Task {
	case stats.Multiclass:
		kinds = multiclassKinds
	case stats.Regression:
		kinds = regressionKinds
	}
	if k, ok := kinds[q.Metric]; ok {
		return k, nil
	}
	if _, ok := s.index.Own[q.Metric]; ok {
		return ofOwn, nil
	}
	_, isGap := gaps[q.Metric]
	if isGap && s.index.Task != stats.Regression {
		return ofGroups, nil
	}
	_, isLatency := latencies[q.Metric]
	_, isNew := s.options.New.Counted[q.Metric]
	_, isOld := s.options.Old.Counted[q.Metric]
	if isLatency || isNew || isOld {
		return ofFigure, nil
	}
	for _, other := range []map[string]kind{binaryKinds, multiclassKinds, regressionKinds} {
		if _, ok := other[q.Metric]; ok || isGap {
			return 0, fmt.Errorf("it is not defined for the task %s; expected one of %s", s.index.Task, strings.Join(sortedNames(kinds), ", "))
		}
	}
	return 0, fmt.Errorf("it was not measured; expected one of %s", strings.Join(sortedNames(kinds), ", "))
}

// scoresOf are the answers a quantity is taken on.
func (s *Source) scoresOf(which gate.Which) []float64 {
	if which == gate.Old {
		return s.index.Old
	}
	return s.index.Score
}

// single measures a quantity that stands alone.
func (s *Source) single(q quantity) (measure, error) {
	switch q.kind {
	case ofGroups:
		return s.gap(q)
	case ofFigure:
		return s.figure(q)
	case ofOwn:
		return s.own(q)
	}
	if q.at.reason != "" {
		return noValue(0, q.at.reason), nil
	}
	t := q.at.part
	switch q.kind {
	case ofShare, ofDisagreement, ofTop2:
		counts, from, none := s.tally(q)
		if q.wilson {
			return scoreMeasure(counts, from, none), nil
		}
		return shareMeasure(counts, from, none), nil
	case ofF1:
		none := "no example is positive or predicted positive"
		if s.index.Task == stats.Multiclass {
			none = "no example is of the class or predicted to be"
		}
		return f1Measure(s.classCounts(t.cells, q.Which).Of(int(q.class)), t.from, none), nil
	case ofRecalls:
		return s.recalls(t, q.Which), nil
	case ofRanks:
		sample := s.index.sample(s.scoresOf(q.Which), t.labelled, int(q.class))
		return aucMeasure(sample, t.from), nil
	case ofRanksMacro:
		sample := s.index.multiclass(s.scoresOf(q.Which), t.labelled)
		return aucMacroMeasure(sample, s.classCounts(t.cells, q.Which).SmallestClass(), t.from), nil
	case ofMean:
		return meanMeasure(s.values(q.Metric, q.Which, t.labelled), s.rangeOf(q.Metric), t.from), nil
	case ofCounts:
		return s.resampledCounts(q, false), nil
	default:
		return s.resampledRows(q, false), nil
	}
}

// paired measures new less old of the same metric on the same rows; q is new.
func (s *Source) paired(q quantity) (measure, error) {
	switch q.kind {
	case ofGroups:
		return s.pairedGap(q)
	case ofFigure:
		return s.pairedFigure(q)
	case ofOwn:
		return s.pairedOwn(q)
	}
	if q.at.reason != "" {
		return noValue(0, q.at.reason), nil
	}
	t := q.at.part
	switch q.kind {
	case ofShare, ofTop2:
		return s.pairedShare(q)
	case ofRanks:
		one := s.index.sample(s.index.Score, t.labelled, int(q.class))
		other := s.index.sample(s.index.Old, t.labelled, int(q.class))
		return asymptotic(t.from, func(tail float64) stats.Estimate {
			return stats.PairedAUC(one.Y, one.Score, other.Score, tail)
		}), nil
	case ofRanksMacro:
		one, other := s.index.multiclass(s.index.Score, t.labelled), s.index.multiclass(s.index.Old, t.labelled)
		return pairedAUCMacroMeasure(one, other, s.classCounts(t.cells, gate.New).SmallestClass(), t.from), nil
	case ofMean:
		values := s.values(q.Metric, gate.New, t.labelled)
		for k, v := range s.values(q.Metric, gate.Old, t.labelled) {
			values[k] -= v
		}
		return meanMeasure(values, s.rangeOf(q.Metric).doubled(), t.from), nil
	case ofRows:
		return s.resampledRows(q, true), nil
	default:
		return s.resampledCounts(q, true), nil
	}
}

func (s *Source) rangeOf(metric string) *Range {
	switch {
	case metric == stats.Brier && s.index.Task == stats.Multiclass:
		return &Range{0, stats.MostMulticlassBrier}
	case metric == stats.Brier:
		return &Range{0, 1}
	}
	return nil
}

// tally counts a share, with the number of test rows its rows are from.
func (s *Source) tally(q quantity) (t tally, from int, none string) {
	part, x := q.at.part, s.index
	switch q.kind {
	case ofDisagreement:
		return tally{part.pair.differ, part.pair.n}, x.N(), noExamples
	case ofTop2:
		for _, i := range part.labelled {
			t.n++
			if stats.AmongTop2(x.scores(s.scoresOf(q.Which), int(i)), int(x.Y[i])) {
				t.successes++
			}
		}
		return t, part.from, noExamples
	}
	metric, _ := shareNamed(q.Metric)
	cells, from := part.cells, part.from
	if !metric.labels {
		cells, from = part.answers, x.N()
	}
	return metric.tally(cells, q.Which == gate.Old, q.class), from, metric.noneFor(x.Task)
}

// pairedShare needs no label where the models agree, when it is the share of right answers.
func (s *Source) pairedShare(q quantity) (measure, error) {
	part := q.at.part
	if q.kind == ofTop2 {
		return pairMeasure(s.pairTop2(part.labelled), part.from, noExamples), nil
	}
	metric, _ := shareNamed(q.Metric)
	switch {
	case !metric.sameRows():
		return s.resampledCounts(q, true), nil
	case metric.name == stats.BaseRate:
		return counted(stats.Exact(0, len(part.rows))), nil
	case metric.name == stats.Accuracy && part.pair.known:
		return pairMeasure(part.pair, s.index.N(), noExamples), nil
	case !metric.labels:
		return pairMeasure(metric.compare(part.answers, q.class), s.index.N(), noExamples), nil
	}
	return pairMeasure(metric.compare(part.cells, q.class), part.from, metric.noneFor(s.index.Task)), nil
}

func (s *Source) pairTop2(rows []int32) pair {
	x := s.index
	p := pair{n: len(rows)}
	for _, i := range rows {
		one := stats.AmongTop2(x.scores(x.Score, int(i)), int(x.Y[i]))
		other := stats.AmongTop2(x.scores(x.Old, int(i)), int(x.Y[i]))
		switch {
		case one == other:
			continue
		case one:
			p.newOnly++
		default:
			p.oldOnly++
		}
		p.differ++
	}
	return p
}

func (s *Source) recalls(t *part, which gate.Which) measure {
	counts := s.classCounts(t.cells, which)
	present := counts.Present()
	if s.index.Task == stats.Binary && len(present) == 1 {
		return noValue(counts.N, map[int]string{0: noPositives, 1: noNegatives}[present[0]])
	}
	return meanRecallMeasure(counts, t.from)
}

func (s *Source) classCounts(cells []cell, which gate.Which) stats.ClassCounts {
	counts := stats.NewClassCounts(s.index.classCount())
	for _, c := range cells {
		predicted := c.new
		if which == gate.Old {
			predicted = c.old
		}
		counts.Add(int(c.truth), int(predicted), c.n)
	}
	return counts
}

// values are the numbers per row that a metric is the mean of.
func (s *Source) values(metric string, which gate.Which, rows []int32) []float64 {
	x, score := s.index, s.scoresOf(which)
	values := make([]float64, len(rows))
	for k, i := range rows {
		y := x.Y[i]
		switch {
		case x.Task == stats.Multiclass && metric == stats.LogLoss:
			values[k] = stats.MulticlassLogLoss(x.scores(score, int(i)), int(y))
		case x.Task == stats.Multiclass:
			values[k] = stats.MulticlassBrier(x.scores(score, int(i)), int(y))
		case metric == stats.LogLoss:
			values[k] = logLoss(score[i], y == 1)
		case metric == stats.MAE:
			values[k] = math.Abs(score[i] - y)
		case metric == stats.MeanError:
			values[k] = score[i] - y
		default:
			values[k] = (score[i] - y) * (score[i] - y)
		}
	}
	return values
}

// logLoss is a row's negative log-likelihood, the score kept within [1e-15, 1-1e-15].
func logLoss(score float64, positive bool) float64 {
	const least = 1e-15
	p := min(max(score, least), 1-least)
	if positive {
		return -math.Log(p)
	}
	return -math.Log1p(-p)
}
