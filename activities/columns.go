package activities

import (
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/spec"
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

// groupsWanted asks for columns that make groups: those with bands as numbers.
func groupsWanted(s *spec.Spec, names []string) []table.Wanted {
	wanted := make([]table.Wanted, len(names))
	for i, name := range names {
		wanted[i] = table.Wanted{Name: name, Kind: table.Categorical}
		if s.Fairness.BandsOf(name) != nil {
			wanted[i].Kind = table.Numeric
		}
	}
	return wanted
}

// grouped puts the names of bands in the place of numbers, in columns that groupsWanted asked for.
func grouped(s *spec.Spec, columns []table.Column, rows int) []table.Column {
	out := slices.Clone(columns)
	for i := range out {
		if from := s.Fairness.BandsOf(out[i].Name); from != nil && out[i].Kind == table.Numeric {
			out[i] = inBands(out[i], from, rows)
		}
	}
	return out
}

func inBands(c table.Column, from []float64, rows int) table.Column {
	names := make([]string, rows)
	var levels []string
	for i, x := range c.Numbers {
		if math.IsNaN(x) {
			continue
		}
		names[i] = spec.Band(x, from)
		if !slices.Contains(levels, names[i]) {
			levels = append(levels, names[i])
		}
	}
	slices.Sort(levels)
	out := table.Column{Name: c.Name, Kind: table.Categorical, Levels: levels, Codes: make([]int32, rows)}
	for i, name := range names {
		out.Codes[i] = int32(slices.Index(levels, name)) // -1 where there is no number
	}
	return out
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
