package activities

import (
	"slices"

	"github.com/assay-ml/assay/internal/evaluation"
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

func reals(rows []int64) []float64 {
	out := make([]float64, len(rows))
	for i, v := range rows {
		out[i] = float64(v)
	}
	return out
}

// pointEstimates are the metrics that have a value, by name.
func pointEstimates(e evaluation.Report) map[string]float64 {
	values := map[string]float64{}
	for _, m := range e.Overall.Metrics() {
		if m.Defined() {
			values[m.Name] = m.Value
		}
	}
	return values
}
