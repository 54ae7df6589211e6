package gate

import (
	"slices"
	"strings"
)

// Slice is the part of the rows a metric is taken on: the zero value is all of them. Parts with values are the rows that have
// all of these values: [sex=Female*race=Black]. Parts without are the groups that the columns make together, compared with one
// another: [sex], [sex*race]. No column stands twice.
type Slice struct {
	Parts []Part `json:"parts,omitempty"`
}

// Part is a column of a slice, alone or with the value that its rows have.
type Part struct {
	Column   string `json:"column"`
	Value    string `json:"value,omitempty"`
	HasValue bool   `json:"has_value,omitempty"` // a value may be empty
}

// IsZero reports whether the slice is all rows.
func (s Slice) IsZero() bool { return len(s.Parts) == 0 }

// Equal reports whether two slices are the same rows; the order of their parts says nothing.
func (s Slice) Equal(t Slice) bool {
	switch {
	case slices.Equal(s.Parts, t.Parts):
		return true
	case len(s.Parts) != len(t.Parts) || len(s.Parts) < 2:
		return false
	}
	return slices.Equal(s.sorted(), t.sorted())
}

// String is the slice in its brackets, empty for all rows; parsing it gives the same parts.
func (s Slice) String() string {
	if s.IsZero() {
		return ""
	}
	parts := make([]string, len(s.Parts))
	for i, p := range s.Parts {
		parts[i] = p.String()
	}
	return "[" + strings.Join(parts, "*") + "]"
}

// String is the part as it stands in a slice, quoted where it must be.
func (p Part) String() string {
	if !p.HasValue {
		return quoteName(p.Column, columnEnds)
	}
	return quoteName(p.Column, columnEnds) + "=" + quoteName(p.Value, valueEnds)
}

// Columns are the columns of the parts, in their order.
func (s Slice) Columns() []string {
	columns := make([]string, len(s.Parts))
	for i, p := range s.Parts {
		columns[i] = p.Column
	}
	return columns
}

func (s Slice) sorted() []Part {
	if len(s.Parts) < 2 {
		return s.Parts
	}
	return slices.SortedFunc(slices.Values(s.Parts), func(a, b Part) int { return strings.Compare(a.Column, b.Column) })
}

// disjoint reports whether two slices name values of the same columns and differ in one, so that they share no row.
func (s Slice) disjoint(t Slice) bool {
	a, b := s.sorted(), t.sorted()
	if len(a) != len(b) {
		return false
	}
	differ := false
	for i := range a {
		if a[i].Column != b[i].Column || !a[i].HasValue || !b[i].HasValue {
			return false
		}
		differ = differ || a[i].Value != b[i].Value
	}
	return differ
}

// The bytes that end a name without quotes: of a column, of a value, of a class.
const (
	columnEnds = "]=*"
	valueEnds  = "]*"
	classEnds  = ")"
)

// quoteName writes a name bare when it reads back as it is, and in quotes otherwise.
func quoteName(name, ends string) string {
	bare := name != "" && name == strings.TrimSpace(name) &&
		name[0] != '"' && name[0] != '\'' && !strings.ContainsAny(name, ends)
	if bare {
		return name
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}
