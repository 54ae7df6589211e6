package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

func (q *quality) addBinary(r stats.Report, w words) {
	q.Lead = binaryLead(r, w)
	confusion := confusionGrid(r, w)
	q.Confusion, q.Charts = &confusion, charts(r, w)
	q.Note = fmt.Sprintf("On %s. The model calls a case %s when its score is at least %s. %s",
		countOf(r.N, "case", "cases"), w.outcome, or(w.own, general(r.Threshold)), intervalNote(r.Metrics))
}

// binaryLead compares the model with the best answer that needs no model, since accuracy alone says little when one
// outcome is common.
func binaryLead(r stats.Report, w words) string {
	accuracy, ok := r.Metric(stats.Accuracy)
	if !ok || !accuracy.Defined() {
		return fmt.Sprintf("%s were kept out of training to measure the model on.", countOf(r.N, "test case", "test cases"))
	}
	constant := float64(max(r.Positives, r.N-r.Positives)) / float64(r.N)
	not := "not "
	if 2*r.Positives > r.N {
		not = ""
	}
	return fmt.Sprintf("On %s kept out of training, the model was right in %s. Calling every case %s%s would have been right in %s.",
		countOf(r.N, "test case", "test cases"), asPercent.write(accuracy.Value), not, w.outcome, percent(constant))
}

func confusionGrid(r stats.Report, w words) grid {
	c := r.Confusion
	row := func(name string, yes, no int) []cell {
		return []cell{{Text: name}, {Text: count(yes), Note: shareOf(yes, yes+no), Number: true}, {Text: count(no), Note: shareOf(no, yes+no), Number: true}}
	}
	return grid{
		Caption: "What it said, and what was true", Note: "Test cases, and their share of the row.",
		Head: []cell{{Text: "In truth"}, {Text: "Model says " + w.outcome, Number: true}, {Text: "Model says not so", Number: true}},
		Rows: [][]cell{row(w.outcome, c.TP, c.FN), row("not "+w.outcome, c.FP, c.TN)},
	}
}

// shareOf writes a part of a whole, empty of nothing.
func shareOf(part, whole int) string {
	if whole <= 0 {
		return ""
	}
	return percent(float64(part) / float64(whole))
}

func charts(r stats.Report, w words) []picture {
	var all []picture
	if len(r.ROC) > 1 {
		all = append(all, rocPicture(r, w))
	}
	if hasCases(r.Calibration) {
		all = append(all, calibrationPicture(r, w))
	}
	if len(r.ROC) > 1 {
		all = append(all, thresholdPicture(r, w))
	}
	return all
}

func hasCases(bins []stats.Bin) bool {
	return slices.ContainsFunc(bins, func(b stats.Bin) bool { return b.N > 0 })
}

func rocPicture(r stats.Report, w words) picture {
	curve := make([]point, len(r.ROC))
	for i, p := range r.ROC {
		curve[i] = point{p.FPR, p.TPR}
	}
	auc := "no AUC"
	if e, ok := r.Metric(stats.AreaUnderROC); ok && e.Defined() {
		auc = "AUC " + decimal(e.Value)
	}
	desc := fmt.Sprintf("A curve from the lower left to the upper right corner, %s; the straight diagonal would be guessing.", auc)
	var at *point
	c := r.Confusion
	if c.Positives() > 0 && c.Negatives() > 0 {
		at = &point{float64(c.FP) / float64(c.Negatives()), float64(c.TP) / float64(c.Positives())}
		desc += fmt.Sprintf(" The threshold in use finds %s of the true positives and wrongly marks %s of the true negatives.", percent(at.Y), percent(at.X))
	}
	return picture{
		Title: "Telling cases apart (ROC)",
		Caption: fmt.Sprintf("Every threshold buys hits with false alarms. The further the curve bends to the upper left, the better it tells %s from the rest. %s.",
			w.outcome, auc),
		Picture: rocChart("roc", "ROC curve", desc, curve, at),
	}
}

func calibrationPicture(r stats.Report, w words) picture {
	bins, far := binsOf(r.Calibration)
	caption := "If scores mean what they say, the dots lie on the diagonal: of the cases scored near 70 %, 70 % turn out " + w.outcome + "."
	desc := fmt.Sprintf("%d groups of cases by score; the diagonal is perfect agreement.", len(bins))
	if far != nil {
		furthest := fmt.Sprintf(" Furthest off: cases scored %s on average turned out so in %s.", percent(far.Score), percent(far.Rate))
		caption, desc = caption+furthest, desc+furthest
	}
	return picture{
		Title:   "Meaning what it says (calibration)",
		Caption: caption,
		Picture: calibrationChart("calibration", "Calibration", desc, "what the model says (score)", "what happened (share positive)", bins),
	}
}

// smallBin is the fewest cases a bin needs before its distance from the diagonal is worth a sentence.
const smallBin = 30

// binsOf are the bins as drawn, and the one furthest off the diagonal among those with enough cases.
func binsOf(all []stats.Bin) (bins []bin, far *bin) {
	worst := 0.0
	for _, b := range all {
		next := bin{Score: b.MeanScore, Rate: b.MeanY.Value, Low: b.MeanY.Low, High: b.MeanY.High, Cases: b.N}
		bins = append(bins, next)
		if distance := math.Abs(next.Rate - next.Score); b.N >= smallBin && distance > worst {
			worst, far = distance, &next
		}
	}
	return bins, far
}
