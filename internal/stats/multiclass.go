package stats

import (
	"fmt"
	"math"
)

// MulticlassSample is what a classifier of several classes said about examples whose truth is known: row i has the class Y[i],
// an index below Classes, and the probabilities Score[i*Classes:(i+1)*Classes].
type MulticlassSample struct {
	Classes int
	Y       []int32
	Score   []float64
}

// N is the number of rows.
func (s MulticlassSample) N() int { return len(s.Y) }

// Row is the probabilities of row i.
func (s MulticlassSample) Row(i int) []float64 {
	return s.Score[i*s.Classes : (i+1)*s.Classes : (i+1)*s.Classes]
}

// Validate reports the first row that cannot be evaluated: a class out of range, or a score that is no probability.
func (s MulticlassSample) Validate() error {
	switch {
	case s.Classes < 2:
		return fmt.Errorf("the sample has %d classes; expected at least 2", s.Classes)
	case len(s.Score) != len(s.Y)*s.Classes:
		return fmt.Errorf("the sample has %d labels and %d scores; expected %d scores per row", len(s.Y), len(s.Score), s.Classes)
	}
	for i, y := range s.Y {
		if y < 0 || int(y) >= s.Classes {
			return fmt.Errorf("row %d: the class is %d; expected an index from 0 to %d", i, y, s.Classes-1)
		}
		for _, p := range s.Row(i) {
			if !(p >= 0 && p <= 1) {
				return fmt.Errorf("row %d: a score is %g; expected a probability between 0 and 1: check the model's predictions", i, p)
			}
		}
	}
	return nil
}

// Subset is the sample of the given rows, in the given order. It panics, as slicing does, when an index is out of range.
func (s MulticlassSample) Subset(index []int) MulticlassSample {
	sub := MulticlassSample{Classes: s.Classes, Y: make([]int32, len(index)), Score: make([]float64, 0, len(index)*s.Classes)}
	for k, i := range index {
		sub.Y[k] = s.Y[i]
		sub.Score = append(sub.Score, s.Row(i)...)
	}
	return sub
}

// Against is the binary sample of one class against all others.
func (s MulticlassSample) Against(class int) Sample {
	one := Sample{Y: make([]bool, s.N()), Score: make([]float64, s.N())}
	for i, y := range s.Y {
		one.Y[i], one.Score[i] = int(y) == class, s.Score[i*s.Classes+class]
	}
	return one
}

// MostProbable is the index of the largest probability, the first among equals.
func MostProbable(probabilities []float64) int {
	best := 0
	for k, p := range probabilities {
		if p > probabilities[best] {
			best = k
		}
	}
	return best
}

// AmongTop2 reports whether a class is one of the two most probable, earlier classes going first among equals.
func AmongTop2(probabilities []float64, class int) bool {
	before := 0
	for k, p := range probabilities {
		if p > probabilities[class] || p == probabilities[class] && k < class {
			before++
		}
	}
	return before < 2
}

// MulticlassLogLoss is a row's negative log-likelihood, the probability of its class kept within [1e-15, 1-1e-15].
func MulticlassLogLoss(probabilities []float64, class int) float64 {
	const least = 1e-15
	return -math.Log(min(max(probabilities[class], least), 1-least))
}

// MostMulticlassBrier is the largest value MulticlassBrier can have.
const MostMulticlassBrier = 2.0

// MulticlassBrier is a row's sum over the classes of the squared difference of probability and truth (Brier, 1950), in [0, 2].
func MulticlassBrier(probabilities []float64, class int) float64 {
	sum := 0.0
	for k, p := range probabilities {
		if k == class {
			p = 1 - p
		}
		sum += p * p
	}
	return min(sum, MostMulticlassBrier)
}

// ClassCounts are the margins of a confusion matrix, which all its usual metrics are functions of: by class, the rows that have
// it, the rows predicted to have it, and those of which both are true.
type ClassCounts struct {
	N                       int
	Truth, Predicted, Right []int
}

// NewClassCounts has room for the classes and counts no rows.
func NewClassCounts(classes int) ClassCounts {
	all := make([]int, 3*classes)
	return ClassCounts{Truth: all[:classes:classes], Predicted: all[classes : 2*classes : 2*classes], Right: all[2*classes:]}
}

// Clear counts no rows again.
func (c *ClassCounts) Clear() {
	c.N = 0
	clear(c.Truth)
	clear(c.Predicted)
	clear(c.Right)
}

// Add counts rows of a class that are predicted to have another, or the same.
func (c *ClassCounts) Add(truth, predicted, rows int) {
	c.N += rows
	c.Truth[truth] += rows
	c.Predicted[predicted] += rows
	if truth == predicted {
		c.Right[truth] += rows
	}
}

// ClassCounts are the margins of a binary confusion matrix: class 1 is the positive one.
func (c Confusion) ClassCounts() ClassCounts {
	return ClassCounts{
		N: c.N(), Truth: []int{c.Negatives(), c.Positives()},
		Predicted: []int{c.N() - c.Predicted(), c.Predicted()}, Right: []int{c.TN, c.TP},
	}
}

// Present lists the classes that have rows: those a macro metric is the mean over.
func (c ClassCounts) Present() []int {
	var present []int
	for k, n := range c.Truth {
		if n > 0 {
			present = append(present, k)
		}
	}
	return present
}

// Of is one class against all others.
func (c ClassCounts) Of(class int) Confusion {
	tp := c.Right[class]
	fp, fn := c.Predicted[class]-tp, c.Truth[class]-tp
	return Confusion{TP: tp, FP: fp, FN: fn, TN: c.N - tp - fp - fn}
}

// Metric computes a metric of the whole matrix: mcc, kappa, balanced_accuracy, precision_macro, recall_macro, f1_macro or
// f1_weighted. Macro metrics are means over the present classes; a class that is never predicted has the precision 0.
// A present class without rows in these counts, which a resample can bring, gives no value, nor do other names; then the
// reason says so.
func (c ClassCounts) Metric(name string, present []int) (value float64, reason string) {
	if c.N == 0 {
		return 0, noExamples
	}
	switch name {
	case MCC:
		return c.mcc()
	case Kappa:
		return c.kappa()
	}
	sum, weight := 0.0, 0.0
	for _, k := range present {
		if c.Truth[k] == 0 {
			return 0, "a class has no examples"
		}
		right, truth, predicted := float64(c.Right[k]), float64(c.Truth[k]), float64(c.Predicted[k])
		w := 1.0
		switch name {
		case BalancedAccuracy, RecallMacro:
			sum += right / truth
		case PrecisionMacro:
			if predicted > 0 {
				sum += right / predicted
			}
		case F1Macro:
			sum += 2 * right / (truth + predicted)
		case F1Weighted:
			w = truth
			sum += w * 2 * right / (truth + predicted)
		default:
			return 0, fmt.Sprintf("%s is no metric of a confusion matrix", name)
		}
		weight += w
	}
	return sum / weight, ""
}

// mcc is Gorodkin's R_K (2004), eq. 8, which is Matthews' coefficient for two classes.
func (c ClassCounts) mcc() (float64, string) {
	n, both, truth, predicted, right := c.products()
	switch {
	case truth == n*n:
		return 0, "all examples are of one class"
	case predicted == n*n:
		return 0, "all examples are predicted to be of one class"
	}
	return (right*n - both) / (math.Sqrt(n*n-truth) * math.Sqrt(n*n-predicted)), ""
}

// kappa is Cohen's (1960): agreement beyond what the margins give by chance.
func (c ClassCounts) kappa() (float64, string) {
	n, both, _, _, right := c.products()
	if both == n*n {
		return 0, "all examples are, and are predicted to be, of one class"
	}
	return (right*n - both) / (n*n - both), ""
}

// products are the sums over the classes that mcc and kappa are made of.
func (c ClassCounts) products() (n, both, truth, predicted, right float64) {
	for k := range c.Truth {
		t, p := float64(c.Truth[k]), float64(c.Predicted[k])
		both += t * p
		truth += t * t
		predicted += p * p
		right += float64(c.Right[k])
	}
	return float64(c.N), both, truth, predicted, right
}
