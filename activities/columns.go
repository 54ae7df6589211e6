package activities

import (
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// groupColumns are the columns whose groups are evaluated: the protected ones and the spec's slices, each once.
func groupColumns(s *spec.Spec) []string {
	var names []string
	for _, name := range slices.Concat(s.Data.Protected, s.Evaluate.Slices) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// statsOptions are the spec's threshold and the split's seed.
func statsOptions(s *spec.Spec) stats.Options {
	options := stats.Options{Threshold: 0.5, Seed: uint64(s.Data.Split.Seed)}
	if s.Evaluate.Threshold != nil {
		options.Threshold = *s.Evaluate.Threshold
	}
	return options
}

// labels reads the target as positive or not. Prepare has made sure that it is there and has two values.
func labels(f *table.Frame, target spec.Target) ([]bool, error) {
	c, err := f.Column(target.Column)
	if err != nil {
		return nil, err
	}
	y := make([]bool, f.Rows)
	for i := range y {
		text, present := c.Text(i)
		if !present {
			return nil, fmt.Errorf("read labels: the target %q is missing in row %d of the part", target.Column, i+1)
		}
		y[i] = text == target.Positive
	}
	return y, nil
}

// texts are a column's values as names, one per row.
func texts(c *table.Column, rows int) []string {
	out := make([]string, rows)
	for i := range out {
		text, present := c.Text(i)
		if !present {
			text = missingGroup
		}
		out[i] = text
	}
	return out
}

// asNames is a column of a frame as a categorical one: a group may be a number, such as a year of birth.
func asNames(f *table.Frame, name string) (table.Column, error) {
	c, err := f.Column(name)
	if err != nil || c.Kind == table.Categorical {
		if err != nil {
			return table.Column{}, err
		}
		return *c, nil
	}
	out := table.Column{Name: name, Kind: table.Categorical, Codes: make([]int32, f.Rows)}
	values := make([]string, 0, f.Rows)
	for i := range f.Rows {
		if text, present := c.Text(i); present {
			values = append(values, text)
		}
	}
	slices.Sort(values)
	out.Levels = slices.Compact(values)
	for i := range f.Rows {
		out.Codes[i] = -1
		if text, present := c.Text(i); present {
			code, _ := slices.BinarySearch(out.Levels, text)
			out.Codes[i] = int32(code)
		}
	}
	return out, nil
}

// pointEstimates are the metrics that have a value, by name.
func pointEstimates(e report.Evaluation) map[string]float64 {
	values := map[string]float64{}
	for _, m := range e.Overall.Metrics {
		if m.Defined() {
			values[m.Name] = m.Value
		}
	}
	return values
}
