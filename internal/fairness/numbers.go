package fairness

import (
	"fmt"
	"math"

	"github.com/assay-ml/assay/internal/stats"
)

// Names of what is measured of predicted numbers, in the order of NumberNames.
const (
	MeanTruth      = "mean_truth"      // of the target
	MeanPrediction = "mean_prediction" // of the prediction
	MeanError      = "mean_error"      // of prediction minus truth: the bias
	MAE            = "mae"             // mean absolute error
	RMSE           = "rmse"            // root of the mean squared error
)

// NumberNames lists what is measured of every group; "_difference" after the name is the gap of it.
func NumberNames() []string { return []string{MeanTruth, MeanPrediction, MeanError, MAE, RMSE} }

const (
	atRMSE = iota + 4
	numberMeasures
)

// NumbersExamination is the treatment of the groups by a model of numbers, in the units of the target.
type NumbersExamination struct {
	Rows       int               `json:"rows"`
	Level      float64           `json:"level"`
	MinGroup   int               `json:"min_group"`
	Replicates int               `json:"replicates"`
	Seed       uint64            `json:"seed"`
	Divisions  []NumbersDivision `json:"divisions"` // in the order of Examination.Divisions
	LeftOut    []UncrossedPair   `json:"left_out,omitempty"`
}

// NumbersDivision compares groups; see Division for what holds together.
type NumbersDivision struct {
	Name      string          `json:"name"`
	Columns   []string        `json:"columns"`
	Reference string          `json:"reference"`
	Groups    []NumbersMember `json:"groups"` // by name
	Small     []SmallCount    `json:"small,omitempty"`
	Gaps      []Gap           `json:"gaps"` // in the order of NumberNames
	Note      string          `json:"note,omitempty"`
}

// NumbersMember is one group.
type NumbersMember struct {
	Name        string       `json:"name"`
	Values      []string     `json:"values"`
	N           int          `json:"n"`
	Small       bool         `json:"small"`
	Measures    []Rate       `json:"measures"`    // in the order of NumberNames
	Differences []Difference `json:"differences"` // from the reference group, in the order of NumberNames; empty for itself
}

// Measure finds a measure by its name.
func (m NumbersMember) Measure(name string) (stats.Estimate, bool) {
	return rateNamed(m.Measures, name)
}

// Difference is a group's value minus the reference group's.
type Difference struct {
	Name string `json:"name"`
	stats.Estimate
}

// ExamineNumbers compares what a model of numbers does to the groups. The thresholds and strata of the question do not count.
//
// Errors name a row whose truth or prediction is no finite number, and what Examine names.
func ExamineNumbers(y, predicted []float64, q Question) (NumbersExamination, error) {
	q, err := q.resolve(len(y))
	if err == nil {
		err = stats.RegressionSample{Y: y, Predicted: predicted}.Validate()
	}
	if err == nil {
		err = squaresAreFinite(y, predicted)
	}
	var p partition
	if err == nil {
		p, err = divide(q, len(y))
	}
	if err != nil {
		return NumbersExamination{}, fmt.Errorf("examine fairness of numbers: %w", err)
	}
	out := NumbersExamination{
		Rows: len(y), Level: q.Level, MinGroup: q.MinGroup, Replicates: q.Replicates, Seed: q.Seed,
		Divisions: make([]NumbersDivision, len(p.divisions)), LeftOut: p.leftOut,
	}
	inParallel(len(p.divisions), func(i int) {
		d := p.divisions[i]
		size := make([]int, len(d.groups))
		for _, c := range p.cell {
			size[d.of[c]]++
		}
		rows := make([][]numberRow, len(d.groups))
		for k := range rows {
			rows[k] = make([]numberRow, 0, size[k])
		}
		for row, c := range p.cell {
			g := d.of[c]
			rows[g] = append(rows[g], rowOf(y[row], predicted[row]))
		}
		out.Divisions[i] = d.numbers(rows, q)
	})
	return out, nil
}

// largestNumber keeps sums of fourth powers of errors finite.
const largestNumber = 1e70

func squaresAreFinite(y, predicted []float64) error {
	for i := range y {
		if math.Abs(y[i]) > largestNumber || math.Abs(predicted[i]) > largestNumber {
			return fmt.Errorf("row %d: the label or the prediction is beyond %g; expected smaller numbers: scale the target", i, largestNumber)
		}
	}
	return nil
}

// numberRow is what a row adds to each measure; rmse is a mean of squares until its root is drawn.
type numberRow [numberMeasures]float64

func rowOf(y, predicted float64) numberRow {
	e := predicted - y
	return numberRow{y, predicted, e, math.Abs(e), e * e}
}

// numbers puts a division's estimates together.
func (d division) numbers(rows [][]numberRow, q Question) NumbersDivision {
	out := NumbersDivision{Name: joined(d.columns), Columns: d.columns, Reference: d.groupName(d.reference), Gaps: []Gap{}}
	groups := make([]meanGroup, len(rows))
	for k := range rows {
		groups[k] = meansOf(rows[k], len(rows[k]) >= q.MinGroup)
		m := NumbersMember{Name: d.groupName(k), Values: d.groups[k], N: len(rows[k]), Small: !groups[k].large, Differences: []Difference{}}
		if m.Small {
			out.Small = append(out.Small, SmallCount{m.Name, m.N})
			out.Note = smallGroupsMakeNoGapsNote
		}
		out.Groups = append(out.Groups, m)
	}
	critical := resampleMeans(groups, q)
	for at, name := range NumberNames() {
		c := critical[at]
		for k := range groups {
			m := &out.Groups[k]
			m.Measures = append(m.Measures, Rate{name, groups[k].estimate(at, len(groups), c, q.Level)})
			if k != d.reference {
				e := differenceOfMeans(groups[k], groups[d.reference], at, len(groups)-1, c, q.Level)
				m.Differences = append(m.Differences, Difference{name, e})
			}
		}
		out.Gaps = append(out.Gaps, d.gapOfMeans(groups, at, name, c, q.Level))
	}
	return out
}
