package evaluation

import (
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

// index is predictions made ready for counting: names become codes and scores become predicted classes, once.
type index struct {
	Predictions
	columns  map[string]column
	new, old []int32 // the class each model predicts; nil for regression, and old nil without a champion
}

// column is a column of groups: code[i] is the position in names of row i's group.
type column struct {
	names []string // sorted
	code  []int32
}

func newIndex(p Predictions) *index {
	x := &index{Predictions: p, columns: make(map[string]column, len(p.Groups))}
	for _, name := range sortedNames(p.Groups) {
		x.columns[name] = newColumn(p.Groups[name])
	}
	x.new = x.classes(p.Score, p.Cut, p.Threshold)
	x.old = x.classes(p.Old, p.OldCut, p.oldThreshold())
	return x
}

func newColumn(groups []string) column {
	c := column{code: make([]int32, len(groups))}
	first := map[string]int32{}
	for i, g := range groups {
		code, ok := first[g]
		if !ok {
			code = int32(len(c.names))
			first[g] = code
			c.names = append(c.names, g)
		}
		c.code[i] = code
	}
	sorted := slices.Sorted(slices.Values(c.names))
	place := make([]int32, len(sorted))
	for k, name := range sorted {
		place[first[name]] = int32(k)
	}
	for i, code := range c.code {
		c.code[i] = place[code]
	}
	c.names = sorted
	return c
}

func (x *index) classes(score, cut []float64, threshold float64) []int32 {
	if score == nil || x.Task == stats.Regression {
		return nil
	}
	predicted := make([]int32, x.N())
	for i := range predicted {
		if cut != nil {
			threshold = cut[i]
		}
		switch {
		case x.Task == stats.Multiclass:
			predicted[i] = int32(stats.MostProbable(x.scores(score, i)))
		case score[i] >= threshold:
			predicted[i] = 1
		}
	}
	return predicted
}

// scores are the scores of row i.
func (x *index) scores(score []float64, i int) []float64 {
	width := x.Width()
	return score[i*width : (i+1)*width]
}

// classCount is how many classes predictions and labels have; none for regression.
func (x *index) classCount() int {
	switch x.Task {
	case stats.Multiclass:
		return len(x.Classes)
	case stats.Binary:
		return 2
	}
	return 0
}

// part is some of the rows, in order: all of them, a group's, or those common to groups.
type part struct {
	rows []int32

	// labelled are the rows that metrics with labels rest on: all rows when every label is known, however it came to be, and
	// otherwise those picked without looking, since a row labelled for what it is stands for itself only.
	labelled []int32

	// from is how many rows of the test part, of which labelled are those in this part, were to be had.
	from int

	// Of classification only: the rows by label and predictions; by predictions alone, with the label 0; and compared.
	cells   []cell // of labelled
	answers []cell // of rows
	pair    pair   // of rows
}

// cell counts rows of the same label and the same predictions of both models; old is 0 without a champion.
type cell struct {
	truth, new, old int32
	n               int
}

// pair counts what two models say of the same rows.
type pair struct {
	n, differ        int
	newOnly, oldOnly int  // rows on which the models differ and one of them is right
	known            bool // the label of every row on which the models differ is known
}

func (x *index) part(rows []int32) *part {
	t := &part{rows: rows}
	t.labelled, t.from = x.labelledOf(rows)
	if x.new != nil {
		t.cells = x.count(t.labelled, true)
		t.answers = x.count(rows, false)
		t.pair = x.compare(rows)
	}
	return t
}

// labelledOf are the rows among these that metrics with labels rest on, see part.
func (x *index) labelledOf(rows []int32) (labelled []int32, from int) {
	if !slices.ContainsFunc(rows, func(i int32) bool { return x.known(int(i)) == Unknown }) {
		return rows, x.N()
	}
	for _, i := range rows {
		if x.known(int(i)) == Representative {
			labelled = append(labelled, i)
		}
	}
	return labelled, x.representatives()
}

func (x *index) representatives() int {
	n := 0
	for i := range x.N() {
		if x.known(i) == Representative {
			n++
		}
	}
	return n
}

// count tallies the rows by label, if that is known, and predictions. Few classes are counted in a table, many in a map, since most of a large
// table would be empty.
func (x *index) count(rows []int32, labelled bool) []cell {
	const mostDense = 1 << 12
	truth := func(i int32) int {
		if labelled {
			return int(x.Y[i])
		}
		return 0
	}
	k := x.classCount()
	var cells []cell
	if k*k*k <= mostDense {
		counts := make([]int, k*k*k)
		for _, i := range rows {
			counts[(truth(i)*k+int(x.new[i]))*k+x.oldClass(i)]++
		}
		for at, n := range counts {
			if n > 0 {
				cells = append(cells, cell{int32(at / k / k), int32(at / k % k), int32(at % k), n})
			}
		}
		return cells
	}
	counts := map[cell]int{}
	for _, i := range rows {
		counts[cell{truth: int32(truth(i)), new: x.new[i], old: int32(x.oldClass(i))}]++
	}
	for c, n := range counts {
		c.n = n
		cells = append(cells, c)
	}
	slices.SortFunc(cells, func(a, b cell) int {
		return slices.Compare([]int32{a.truth, a.new, a.old}, []int32{b.truth, b.new, b.old})
	})
	return cells
}

func (x *index) oldClass(i int32) int {
	if x.old == nil {
		return 0
	}
	return int(x.old[i])
}

func (x *index) compare(rows []int32) pair {
	c := pair{n: len(rows), known: true}
	if x.old == nil {
		return c
	}
	for _, i := range rows {
		if x.new[i] == x.old[i] {
			continue
		}
		c.differ++
		switch y := x.Y[i]; {
		case math.IsNaN(y):
			c.known = false
		case x.new[i] == int32(y):
			c.newOnly++
		case x.old[i] == int32(y):
			c.oldOnly++
		}
	}
	return c
}

// all are the positions of all rows.
func (x *index) all() []int32 {
	rows := make([]int32, x.N())
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

// sample is a model's answers on rows, one class against all others for several classes.
func (x *index) sample(score []float64, rows []int32, class int) stats.Sample {
	s := stats.Sample{Y: make([]bool, len(rows)), Score: make([]float64, len(rows))}
	width, column := x.Width(), 0
	if x.Task == stats.Multiclass {
		column = class
	}
	for k, i := range rows {
		s.Y[k], s.Score[k] = int(x.Y[i]) == class, score[int(i)*width+column]
	}
	return s
}

// multiclass is a model's answers on rows, of several classes.
func (x *index) multiclass(score []float64, rows []int32) stats.MulticlassSample {
	s := stats.MulticlassSample{Classes: len(x.Classes), Y: make([]int32, len(rows)), Score: make([]float64, 0, len(rows)*len(x.Classes))}
	for k, i := range rows {
		s.Y[k] = int32(x.Y[i])
		s.Score = append(s.Score, x.scores(score, int(i))...)
	}
	return s
}

// regression is a model's answers on rows, numbers.
func (x *index) regression(score []float64, rows []int32) stats.RegressionSample {
	s := stats.RegressionSample{Y: make([]float64, len(rows)), Predicted: make([]float64, len(rows))}
	for k, i := range rows {
		s.Y[k], s.Predicted[k] = x.Y[i], score[i]
	}
	return s
}
