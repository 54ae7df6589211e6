package table

import "fmt"

// Kind says how a column is used: as a quantity or as a name.
type Kind string

const (
	Numeric     Kind = "numeric"     // a quantity; missing is NaN
	Categorical Kind = "categorical" // a name out of a set; missing is code -1
)

// Column is one column of a Frame. Exactly one of Numbers and Codes is filled, by Kind.
type Column struct {
	Name    string
	Kind    Kind
	Numbers []float64 // NaN where missing
	Codes   []int32   // index into Levels, -1 where missing
	Levels  []string  // distinct values, sorted
}

// Frame is a table in memory, column by column; every column has Rows values.
type Frame struct {
	Rows    int
	Columns []Column
}

// Column finds a column by name.
func (f *Frame) Column(name string) (*Column, error) {
	for i := range f.Columns {
		if f.Columns[i].Name == name {
			return &f.Columns[i], nil
		}
	}
	names := make([]string, len(f.Columns))
	for i, c := range f.Columns {
		names[i] = c.Name
	}
	return nil, fmt.Errorf("no column %q; the table has %s", name, Listed(names))
}

// Text is the value of row i as text, and whether it is present.
func (c *Column) Text(i int) (string, bool) {
	if c.Kind == Categorical {
		if c.Codes[i] < 0 {
			return "", false
		}
		return c.Levels[c.Codes[i]], true
	}
	v := c.Numbers[i]
	if v != v {
		return "", false
	}
	return NumberText(v), true
}
