package fairness

import (
	"fmt"
	"math"

	"github.com/assay-ml/assay/internal/stats"
)

// ClassesExamination is the treatment of the groups by a classifier of several classes.
type ClassesExamination struct {
	Rows      int                `json:"rows"`
	Level     float64            `json:"level"`
	MinGroup  int                `json:"min_group"`
	Divisions []AccuracyDivision `json:"divisions"` // in the order of Examination.Divisions
	Classes   []ClassExamination `json:"classes"`   // each class against all others
}

// ClassExamination takes one class for the positive one. A row is predicted positive when the class has its largest score.
type ClassExamination struct {
	Class       string      `json:"class"`
	Examination Examination `json:"examination"`
}

// AccuracyDivision compares the accuracy of groups; see Division.
type AccuracyDivision struct {
	Name      string           `json:"name"`
	Columns   []string         `json:"columns"`
	Reference string           `json:"reference"`
	Groups    []AccuracyMember `json:"groups"` // by name
	Small     []SmallCount     `json:"small,omitempty"`
	Gaps      []Gap            `json:"gaps"` // AccuracyDifference and AccuracyRatio
	Note      string           `json:"note,omitempty"`
}

// AccuracyMember is one group's accuracy over all classes.
type AccuracyMember struct {
	Name        string         `json:"name"`
	Values      []string       `json:"values"`
	N           int            `json:"n"`
	Small       bool           `json:"small"`
	Accuracy    stats.Estimate `json:"accuracy"`
	Disparities []Disparity    `json:"disparities"`
}

// ExamineClasses compares what a classifier of several classes does to the groups: its accuracy, and each class against all others.
// y is the class of each row, from 0; scores has a probability for each class, row after row; names are the classes'. A row is
// predicted to be the first class with its largest score, so that Threshold does not count and Thresholds are refused.
func ExamineClasses(classes int, y []int32, scores []float64, names []string, q Question) (ClassesExamination, error) {
	q.mostCrossed = max(MostGroups/max(classes, 1), 1) // each class has them all
	q, err := q.resolve(len(y))
	if err == nil {
		err = checkClasses(classes, y, scores, names, q)
	}
	var p partition
	if err == nil {
		p, err = divide(q, len(y))
	}
	if err != nil {
		return ClassesExamination{}, fmt.Errorf("examine fairness of classes: %w", err)
	}
	predicted := make([]int32, len(y))
	outcome := make([]uint8, len(y))
	for i := range y {
		row := scores[i*classes : (i+1)*classes]
		for c, s := range row {
			if s > row[predicted[i]] {
				predicted[i] = int32(c)
			}
		}
		outcome[i] = outcomeOf(true, predicted[i] == y[i])
	}
	out := ClassesExamination{Rows: len(y), Level: q.Level, MinGroup: q.MinGroup, Divisions: p.accuracies(outcome, q)}
	score := make([]float64, len(y))
	for c := range classes {
		for i := range y {
			score[i] = scores[i*classes+c]
			outcome[i] = outcomeOf(y[i] == int32(c), predicted[i] == int32(c))
		}
		out.Classes = append(out.Classes, ClassExamination{names[c], p.examine(outcome, score, q)})
	}
	return out, nil
}

func checkClasses(classes int, y []int32, scores []float64, names []string, q Question) error {
	switch {
	case classes < 2:
		return fmt.Errorf("%d classes; expected at least 2", classes)
	case len(names) != classes:
		return fmt.Errorf("%d names for %d classes; expected one per class", len(names), classes)
	case len(scores) != classes*len(y):
		return fmt.Errorf("%d scores for %d rows of %d classes; expected one per row and class", len(scores), len(y), classes)
	case q.Thresholds != nil:
		return fmt.Errorf("thresholds are given for rows of %d classes; expected none: the largest score says the class", classes)
	}
	for i, c := range y {
		if c < 0 || int(c) >= classes {
			return fmt.Errorf("row %d: the class is number %d; expected 0 to %d", i, c, classes-1)
		}
	}
	for i, s := range scores {
		if math.IsNaN(s) || s < 0 || s > 1 {
			return fmt.Errorf("row %d: the score is %g; expected a probability between 0 and 1: check the model's predictions", i/classes, s)
		}
	}
	return nil
}

// accuracies takes the rows predicted right as the true positives of rows that are all positive.
func (p partition) accuracies(outcome []uint8, q Question) []AccuracyDivision {
	cells := make([][4]int, p.cells)
	for i, c := range p.cell {
		cells[c][outcome[i]]++
	}
	out := make([]AccuracyDivision, 0, len(p.divisions))
	for _, d := range p.divisions {
		groups := make([]stats.Confusion, len(d.groups))
		for c, n := range cells {
			groups[d.of[c]].FN += n[2]
			groups[d.of[c]].TP += n[3]
		}
		out = append(out, d.accuracy(groups, q))
	}
	return out
}

func (d division) accuracy(groups []stats.Confusion, q Question) AccuracyDivision {
	out := AccuracyDivision{Name: joined(d.columns), Columns: d.columns, Reference: d.groupName(d.reference), Gaps: []Gap{}}
	r := examined[atAccuracy]
	c := countsOf(r.rate, groups)
	large := make([]bool, len(groups))
	for k := range groups {
		large[k] = c.n[k] >= q.MinGroup
	}
	disparities := d.compare(r, c, large, q.Level)
	for k := range groups {
		m := AccuracyMember{
			Name: d.groupName(k), Values: d.groups[k], N: c.n[k], Small: !large[k],
			Accuracy: shareTogether(c.successes[k], c.n[k], c.known, q.Level, r.none), Disparities: disparities[k],
		}
		if m.Small {
			out.Small = append(out.Small, SmallCount{m.Name, m.N})
			out.Note = smallGroupsMakeNoGapsNote
		}
		out.Groups = append(out.Groups, m)
	}
	of := gapGroupsOf(r.rate, groups, large, (1-q.Level)/2)
	for _, m := range examinedMeasures {
		if len(m.rates) == 1 && m.rates[0] == atAccuracy {
			out.Gaps = append(out.Gaps, d.gap(m, []gapGroups{of}, q.Level))
		}
	}
	return out
}
