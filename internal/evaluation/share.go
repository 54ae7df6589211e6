package evaluation

import (
	"github.com/assay-ml/assay/internal/stats"
)

// share is a metric that is the share of successes among the rows that count, both told by a row's label and prediction.
type share struct {
	name    string
	labels  bool // counting needs the label
	counts  func(truth, predicted, class int32) bool
	success func(truth, predicted, class int32) bool
	none    string // why there is no value when no row counts
}

func always(_, _, _ int32) bool { return true }

func isTruth(truth, _, class int32) bool { return truth == class }

func isOther(truth, _, class int32) bool { return truth != class }

func isPredicted(_, predicted, class int32) bool { return predicted == class }

func isRejected(_, predicted, class int32) bool { return predicted != class }

func isRight(truth, predicted, _ int32) bool { return truth == predicted }

const (
	noExamples  = "no examples"
	noPositives = "no positive examples"
	noNegatives = "no negative examples"
	noSelected  = "no example is predicted positive"
	noClass     = "no examples of the class"
	noOthers    = "no examples of other classes"
	noPredicted = "no example is predicted to be of the class"
)

// shares but accuracy speak of one class: the positive one, or that of a per-class form.
var shares = []share{
	{stats.Accuracy, true, always, isRight, noExamples},
	{stats.Precision, true, isPredicted, isTruth, noSelected},
	{stats.Recall, true, isTruth, isPredicted, noPositives},
	{stats.Specificity, true, isOther, isRejected, noNegatives},
	{stats.FPR, true, isOther, isPredicted, noNegatives},
	{stats.FNR, true, isTruth, isRejected, noPositives},
	{stats.SelectionRate, false, always, isPredicted, noExamples},
	{stats.BaseRate, true, always, isTruth, noExamples},
}

func shareNamed(name string) (share, bool) {
	for _, s := range shares {
		if s.name == name {
			return s, true
		}
	}
	return share{}, false
}

// tally is successes among the rows that count.
type tally struct{ successes, n int }

func (s share) tally(cells []cell, old bool, class int32) tally {
	var t tally
	for _, c := range cells {
		predicted := c.new
		if old {
			predicted = c.old
		}
		if !s.counts(c.truth, predicted, class) {
			continue
		}
		t.n += c.n
		if s.success(c.truth, predicted, class) {
			t.successes += c.n
		}
	}
	return t
}

// sameRows reports whether the rows that count are the same for every model, so that two models can be compared row by row.
func (s share) sameRows() bool { return s.name != stats.Precision }

// compare counts the rows on which one model succeeds and the other does not, among those that count.
func (s share) compare(cells []cell, class int32) pair {
	var p pair
	for _, c := range cells {
		if !s.counts(c.truth, c.new, class) {
			continue
		}
		p.n += c.n
		newSucceeds, oldSucceeds := s.success(c.truth, c.new, class), s.success(c.truth, c.old, class)
		if newSucceeds == oldSucceeds {
			continue
		}
		p.differ += c.n
		if newSucceeds {
			p.newOnly += c.n
		} else {
			p.oldOnly += c.n
		}
	}
	return p
}

// noneFor is the reason in the words of the task.
func (s share) noneFor(task stats.Task) string {
	if task == stats.Binary {
		return s.none
	}
	switch s.none {
	case noPositives:
		return noClass
	case noNegatives:
		return noOthers
	case noSelected:
		return noPredicted
	}
	return s.none
}
