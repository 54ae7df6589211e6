package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/stats"
)

// Sizes that keep tables of classes readable; the dossier's JSON holds all of them.
const (
	mostMatrix    = 20 // classes of a confusion matrix
	mostHeads     = 6  // classes whose names fit at the head of its columns
	mostClasses   = 40 // rows of the table of classes
	mostConfused  = 10 // pairs of classes taken for each other
	classLetters  = 40 // of a class's name
	matrixLetters = 14 // of one at the head of a column
)

func (q *quality) addMulticlass(r stats.MulticlassReport, w words) {
	q.Lead = multiclassLead(r)
	if len(r.Classes) <= mostMatrix {
		q.Confusion = matrixGrid(r)
	}
	q.Confused = confusedGrid(r)
	if hasCases(r.Calibration) {
		q.Charts = []picture{confidencePicture(r)}
	}
	q.Note = fmt.Sprintf("On %s. The model’s answer is the class with the largest score. %s", countOf(r.N, "case", "cases"), intervalNote(r.Metrics))
	q.Classes = classGrid(r, w)
}

// multiclassLead compares the model with always saying the most common class.
func multiclassLead(r stats.MulticlassReport) string {
	common := stats.ClassReport{}
	for _, c := range r.Classes {
		if c.N > common.N {
			common = c
		}
	}
	accuracy, ok := r.Metric(stats.Accuracy)
	if !ok || !accuracy.Defined() || common.N == 0 {
		return fmt.Sprintf("%s were kept out of training to measure the model on.", countOf(r.N, "test case", "test cases"))
	}
	return fmt.Sprintf("On %s kept out of training, the model put %s into the right one of %s. Always saying “%s”, the most common one, would have been right in %s.",
		countOf(r.N, "test case", "test cases"), asPercent.write(accuracy.Value), countOf(len(r.Classes), "class", "classes"), className(common.Class), shareOf(common.N, r.N))
}

func className(name string) string {
	return or(brief(strings.TrimSpace(name), classLetters), "(empty)")
}

// matrixGrid is the confusion matrix as a table, shaded by the share of the row. With many classes the columns are numbered as
// the rows are, because names would not fit.
func matrixGrid(r stats.MulticlassReport) *grid {
	g := &grid{
		Caption: "What it said, and what was true", Class: "matrix",
		Note: "Test cases by their true class (rows) and by what the model says (columns). What it got right stands in frames; the darker, the larger the share of the row.",
		Head: []cell{{Text: "In truth"}},
	}
	numbered := len(r.Classes) > mostHeads
	if numbered {
		g.Note += " Columns are numbered as the rows."
	}
	for k, c := range r.Classes {
		head, name := brief(className(c.Class), matrixLetters), className(c.Class)
		if numbered {
			head, name = strconv.Itoa(k+1), strconv.Itoa(k+1)+". "+name
		}
		g.Head = append(g.Head, cell{Text: head, Number: true})
		row := []cell{{Text: name, Note: countOf(c.N, "case", "cases")}}
		for j, n := range matrixRow(r.Confusion, k) {
			entry := cell{Text: count(n), Number: true, Class: shade(n, c.N)}
			if j == k {
				entry.Class += " right"
			}
			row = append(row, entry)
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// matrixRow is a row of a matrix, none where it has no such row.
func matrixRow(matrix [][]int, row int) []int {
	if row >= len(matrix) {
		return nil
	}
	return matrix[row]
}

// shade is the style class of a share of a row, in five steps; nothing is not shaded.
func shade(n, of int) string {
	if n <= 0 || of <= 0 {
		return "shade-0"
	}
	return "shade-" + strconv.Itoa(min(1+n*5/of, 5))
}

// confusedGrid lists the classes most often taken for another; nil when none is.
func confusedGrid(r stats.MulticlassReport) *grid {
	type pair struct{ truth, said, n int }
	var pairs []pair
	for k := range r.Classes {
		for j, n := range matrixRow(r.Confusion, k) {
			if j != k && n > 0 && j < len(r.Classes) {
				pairs = append(pairs, pair{k, j, n})
			}
		}
	}
	if len(pairs) == 0 {
		return nil
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.n, a.n) })
	g := &grid{Caption: "Most often taken for another class", Class: "pair", Head: []cell{{Text: "In truth"}, {Text: "Model says"}, {Text: "Cases", Number: true}}}
	for _, p := range pairs[:min(len(pairs), mostConfused)] {
		c := r.Classes[p.truth]
		g.Rows = append(g.Rows, []cell{
			{Text: className(c.Class)}, {Text: className(r.Classes[p.said].Class)},
			{Text: count(p.n), Note: shareOf(p.n, c.N) + " of the class", Number: true},
		})
	}
	if left := len(pairs) - len(g.Rows); left > 0 {
		g.Note = countOf(left, "rarer mistake is", "rarer mistakes are") + " not listed."
	}
	return g
}

// classGrid is each class against all others; of very many those with the most cases.
func classGrid(r stats.MulticlassReport, w words) *grid {
	shown := r.Classes
	g := &grid{
		Caption: "Class by class", Class: "wide",
		Note: fmt.Sprintf("Precision: %s Recall: %s", w.meaning(stats.Precision), w.meaning(stats.Recall)),
		Head: []cell{{Text: "Class"}, {Text: "Cases", Number: true}, {Text: "Called so", Number: true}},
	}
	if len(shown) > mostClasses {
		shown = slices.SortedStableFunc(slices.Values(shown), func(a, b stats.ClassReport) int { return cmp.Compare(b.N, a.N) })[:mostClasses]
		g.Note += fmt.Sprintf(" The %d classes with the most cases; %s in the dossier’s JSON.", mostClasses, countOf(len(r.Classes)-mostClasses, "other is", "others are"))
	}
	metrics := []string{stats.Precision, stats.Recall, stats.F1, stats.AreaUnderROC}
	for _, name := range metrics {
		g.Head = append(g.Head, cell{Text: termOf(name).Name, Number: true})
	}
	for _, c := range shown {
		row := []cell{{Text: className(c.Class)}, {Text: count(c.N), Number: true}, {Text: count(c.Predicted), Number: true}}
		for _, name := range metrics {
			row = append(row, metricCell(c.Metrics, name))
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

func confidencePicture(r stats.MulticlassReport) picture {
	bins, far := binsOf(r.Calibration)
	caption := "The largest score is the model’s confidence in its answer. If it means what it says, the dots lie on the diagonal: of the answers given with 70 % confidence, 70 % are right."
	desc := fmt.Sprintf("%d groups of cases by confidence; the diagonal is perfect agreement.", len(bins))
	if far != nil {
		furthest := fmt.Sprintf(" Furthest off: answers given with %s confidence on average were right in %s.", percent(far.Score), percent(far.Rate))
		caption, desc = caption+furthest, desc+furthest
	}
	return picture{
		Title:   "Meaning what it says (calibration)",
		Caption: caption,
		Picture: calibrationChart("calibration", "Calibration of the confidence", desc, "what the model says (confidence)", "what happened (share right)", bins),
	}
}
