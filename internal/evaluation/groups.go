package evaluation

import (
	"slices"
	"strings"
)

// group is the rows that agree in some columns, in order.
type group struct {
	values []string // by column
	rows   []int32
}

func (g group) name() string { return strings.Join(g.values, ", ") }

// divide gives the groups of the columns together that have any of the rows, in the order of the values of the first column,
// then of the second, and so on.
func (x *index) divide(columns []string, rows []int32) []group {
	code, groups := make([]int32, len(rows)), min(len(rows), 1)
	for _, name := range columns {
		groups = combine(code, groups, x.columns[name], rows)
	}
	sizes := make([]int, groups)
	for _, c := range code {
		sizes[c]++
	}
	out := make([]group, groups)
	for k := range out {
		out[k].rows = make([]int32, 0, sizes[k])
	}
	for k, i := range rows {
		out[code[k]].rows = append(out[code[k]].rows, i)
	}
	for k := range out {
		for _, name := range columns {
			c := x.columns[name]
			out[k].values = append(out[k].values, c.names[c.code[out[k].rows[0]]])
		}
	}
	return out
}

// combine refines the codes, below groups, by one more column, and numbers those that occur from 0 on in order.
func combine(code []int32, groups int, c column, rows []int32) int {
	const largestTable = 1 << 22
	wide := int64(len(c.names))
	if int64(groups)*wide > largestTable {
		return combineMany(code, c, rows)
	}
	table := make([]int32, groups*len(c.names))
	for k, i := range rows {
		code[k] = code[k]*int32(wide) + c.code[i]
		table[code[k]] = 1
	}
	next := int32(0)
	for at, occurs := range table {
		table[at] = next
		next += occurs
	}
	for k := range code {
		code[k] = table[code[k]]
	}
	return int(next)
}

// combineMany is combine for codes that a table would be too large for.
func combineMany(code []int32, c column, rows []int32) int {
	combined := make([]int64, len(code))
	for k, i := range rows {
		combined[k] = int64(code[k])*int64(len(c.names)) + int64(c.code[i])
	}
	distinct := slices.Compact(slices.Sorted(slices.Values(combined)))
	for k, v := range combined {
		at, _ := slices.BinarySearch(distinct, v)
		code[k] = int32(at)
	}
	return len(distinct)
}
