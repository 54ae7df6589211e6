package trainer

import (
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/table"
)

// missing stands for an absent category in tests.
const missing = "\x00missing"

var nan = math.NaN()

func numeric(name string, values ...float64) table.Column {
	return table.Column{Name: name, Kind: table.Numeric, Numbers: values}
}

func categorical(name string, values ...string) table.Column {
	levels := slices.Clone(values)
	slices.Sort(levels)
	levels = slices.Compact(levels)
	levels = slices.DeleteFunc(levels, func(s string) bool { return s == missing })
	c := table.Column{Name: name, Kind: table.Categorical, Levels: levels}
	for _, v := range values {
		code, found := slices.BinarySearch(levels, v)
		if !found {
			code = -1
		}
		c.Codes = append(c.Codes, int32(code))
	}
	return c
}

func frame(columns ...table.Column) *table.Frame {
	return &table.Frame{Rows: max(len(columns[0].Numbers), len(columns[0].Codes)), Columns: columns}
}
