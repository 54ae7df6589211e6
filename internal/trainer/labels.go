package trainer

import (
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/table"
)

// labels are the rows that count, in the frame's order: those with a weight above 0.
type labels struct {
	rows     []int     // their row numbers in the frame
	positive []bool    // by position in rows
	weight   []float64 // by position in rows
	total    float64   // sum of weight
	negative string    // the target's other value
}

func readLabels(in Input) (labels, error) {
	weights, err := readWeights(in)
	if err != nil {
		return labels{}, err
	}
	target, err := column(in.Frame, in.Target)
	if err != nil {
		return labels{}, err
	}
	l := labels{}
	counts := map[string]int{}
	for i := range in.Frame.Rows {
		value, ok := target.Text(i)
		if !ok {
			return labels{}, &InputError{in.Target, fmt.Sprintf("the target of row %d is missing", i), "drop rows without a target in data.transform"}
		}
		if weights[i] == 0 {
			continue
		}
		counts[value]++
		l.rows = append(l.rows, i)
		l.positive = append(l.positive, value == in.Positive)
		l.weight = append(l.weight, weights[i])
		l.total += weights[i]
	}
	if math.IsInf(l.total, 0) {
		return labels{}, &InputError{in.Weight, "the sum of weights overflows", "divide the weights by their mean"}
	}
	l.negative, err = otherClass(in, counts)
	return l, err
}

// otherClass checks that the target has two values, one of them the positive one, and gives the other.
func otherClass(in Input, counts map[string]int) (string, error) {
	values := make([]string, 0, len(counts))
	for v := range counts {
		values = append(values, v)
	}
	slices.Sort(values)
	switch {
	case len(values) == 0:
		return "", &InputError{in.Target, "there are no rows to train on", "check data.split, data.transform and the weights"}
	case len(values) == 1:
		return "", &InputError{in.Target, fmt.Sprintf("all %d training rows have the same value", counts[values[0]]), "give rows of both classes"}
	case len(values) > 2:
		return "", &InputError{in.Target, fmt.Sprintf("it has %d different values; expected two", len(values)), "map it to two values in data.transform, or write data.target.task: multiclass and train with trainer: command"}
	case values[0] == in.Positive:
		return values[1], nil
	case values[1] == in.Positive:
		return values[0], nil
	default:
		return "", &InputError{in.Target, fmt.Sprintf("no row has the positive value %q; the values are %q", in.Positive, values), "correct data.target.positive"}
	}
}

func readWeights(in Input) ([]float64, error) {
	if in.Weight == "" {
		return slices.Repeat([]float64{1}, in.Frame.Rows), nil
	}
	col, err := column(in.Frame, in.Weight)
	if err != nil {
		return nil, err
	}
	if col.Kind != table.Numeric {
		return nil, &InputError{in.Weight, "weights must be numbers, the column is " + string(col.Kind), "correct data.weight"}
	}
	for i, w := range col.Numbers {
		if w < 0 || math.IsNaN(w) || math.IsInf(w, 0) {
			return nil, &InputError{in.Weight, fmt.Sprintf("the weight of row %d is negative, missing or infinite", i), "give every row a finite weight of 0 or more"}
		}
	}
	return col.Numbers, nil
}

// column finds a column and checks that it is whole, so that indexing it by row is safe.
func column(f *table.Frame, name string) (*table.Column, error) {
	col, err := f.Column(name)
	if err != nil {
		return nil, &InputError{name, "it is not in the training data", "correct the spec, or keep the column in data.transform"}
	}
	n := len(col.Codes)
	if col.Kind == table.Numeric {
		n = len(col.Numbers)
	}
	if n != f.Rows {
		return nil, &InputError{name, fmt.Sprintf("it has %d values for %d rows", n, f.Rows), "this is a fault of the reader, report it"}
	}
	for i, code := range col.Codes {
		if int(code) >= len(col.Levels) {
			return nil, &InputError{name, fmt.Sprintf("row %d has a code beyond its %d levels", i, len(col.Levels)), "this is a fault of the reader, report it"}
		}
	}
	return col, nil
}
