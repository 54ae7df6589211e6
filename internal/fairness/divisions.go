package fairness

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// partition is the rows in the cells of the full cross of all columns: every division is a union of cells, so that rows are
// counted once however many divisions there are.
type partition struct {
	columns   []coded
	cell      []int32 // of each row
	cells     int
	values    [][]int32 // of each cell, its group in each column
	divisions []division
	leftOut   []UncrossedPair
}

// coded is a column with its groups, by name, numbered.
type coded struct {
	name   string
	groups []string
	of     []int32 // of each row
}

// division gives each cell its group.
type division struct {
	columns   []string
	groups    [][]string // the values of each group, in order
	of        []int32    // of each cell
	reference int
}

func (d division) groupName(k int) string { return strings.Join(d.groups[k], " & ") }

func encode(c Column) coded {
	number := map[string]int32{}
	code := make([]int32, len(c.Groups))
	for i, g := range c.Groups {
		k, ok := number[g]
		if !ok {
			k = int32(len(number))
			number[g] = k
		}
		code[i] = k
	}
	out := coded{name: c.Name, groups: slices.Sorted(maps.Keys(number)), of: code}
	rank := make([]int32, len(number))
	for r, g := range out.groups {
		rank[number[g]] = int32(r)
	}
	for i, k := range code {
		code[i] = rank[k]
	}
	return out
}

// mostTable is the largest product of cells and groups that is numbered by a table rather than a map.
const mostTable = 1 << 22

// refine numbers the pairs of a cell and a group that occur, in the order in which they occur.
func refine(cell []int32, cells int, code []int32, groups int) (into []int32, origin [][2]int32) {
	into = make([]int32, len(cell))
	next := func(c, g int32) int32 {
		origin = append(origin, [2]int32{c, g})
		return int32(len(origin))
	}
	if cells*groups <= mostTable {
		number := make([]int32, cells*groups) // 0: has not occurred
		for i, c := range cell {
			k := &number[int(c)*groups+int(code[i])]
			if *k == 0 {
				*k = next(c, code[i])
			}
			into[i] = *k - 1
		}
		return into, origin
	}
	number := map[[2]int32]int32{}
	for i, c := range cell {
		key := [2]int32{c, code[i]}
		if number[key] == 0 {
			number[key] = next(c, code[i])
		}
		into[i] = number[key] - 1
	}
	return into, origin
}

// divide numbers the cells and lists the divisions.
func divide(q Question, rows int) (partition, error) {
	p := partition{cell: make([]int32, rows), cells: 1, values: [][]int32{nil}}
	if rows == 0 {
		return p, fmt.Errorf("the sample has no rows; expected at least one")
	}
	for _, c := range q.Columns {
		column := encode(c)
		if len(column.groups) > MostGroups {
			return p, fmt.Errorf("column %q has %d groups; expected at most %d: name a column of categories, or bin it",
				c.Name, len(column.groups), MostGroups)
		}
		if want, ok := q.Reference[c.Name]; ok && !slices.Contains(column.groups, want) {
			return p, fmt.Errorf("the reference group of column %q is in no row; name one of its %d groups, or none for the largest",
				c.Name, len(column.groups))
		}
		into, origin := refine(p.cell, p.cells, column.of, len(column.groups))
		values := make([][]int32, len(origin))
		for k, from := range origin {
			values[k] = append(slices.Clone(p.values[from[0]]), from[1])
		}
		p.cell, p.cells, p.values = into, len(origin), values
		column.of = nil
		p.columns = append(p.columns, column)
	}
	size := make([]int, p.cells)
	for _, c := range p.cell {
		size[c]++
	}
	for k := range p.columns {
		d, _ := p.divideBy([]int{k}, size, q.Reference)
		p.divisions = append(p.divisions, d)
	}
	crossings, named := q.Crossed, q.Crossed != nil
	if !named {
		crossings = defaultCrossings(q.Columns)
	}
	for _, names := range crossings {
		at := make([]int, len(names))
		for j, name := range names {
			at[j] = slices.IndexFunc(p.columns, func(c coded) bool { return c.name == name })
		}
		d, groups := p.divideBy(at, size, q.Reference)
		switch {
		case groups <= MostGroups && (named || groups <= q.mostCrossed):
			p.divisions = append(p.divisions, d)
		case named:
			return p, fmt.Errorf("the crossing %q has %d groups; expected at most %d: cross fewer columns, or bin them",
				names, groups, MostGroups)
		default:
			p.leftOut = append(p.leftOut, UncrossedPair{Columns: names,
				Reason: fmt.Sprintf("%d groups, more than %d", groups, q.mostCrossed)})
		}
	}
	return p, nil
}

func defaultCrossings(columns []Column) (out [][]string) {
	for i := range columns {
		for j := i + 1; j < len(columns); j++ {
			out = append(out, []string{columns[i].Name, columns[j].Name})
		}
	}
	if len(columns) == 3 {
		out = append(out, []string{columns[0].Name, columns[1].Name, columns[2].Name})
	}
	return out
}

// divideBy merges the cells that agree in the columns at the given places. The reference is the crossing of the columns' named
// references where all are named and it occurs, or else the largest group, the first among equals.
func (p partition) divideBy(at []int, size []int, reference map[string]string) (division, int) {
	d := division{of: make([]int32, p.cells)}
	for _, k := range at {
		d.columns = append(d.columns, p.columns[k].name)
	}
	key := func(c int) []int32 {
		out := make([]int32, len(at))
		for j, k := range at {
			out[j] = p.values[c][k]
		}
		return out
	}
	keys := make([][]int32, p.cells)
	for c := range keys {
		keys[c] = key(c)
	}
	distinct := slices.Clone(keys)
	slices.SortFunc(distinct, slices.Compare)
	distinct = slices.CompactFunc(distinct, slices.Equal)
	if len(distinct) > MostGroups {
		return d, len(distinct)
	}
	rows := make([]int, len(distinct))
	for c, k := range keys {
		g, _ := slices.BinarySearchFunc(distinct, k, slices.Compare)
		d.of[c] = int32(g)
		rows[g] += size[c]
	}
	for g, k := range distinct {
		values := make([]string, len(at))
		isReference := true
		for j, col := range at {
			values[j] = p.columns[col].groups[k[j]]
			want, ok := reference[p.columns[col].name]
			isReference = isReference && ok && want == values[j]
		}
		d.groups = append(d.groups, values)
		if rows[g] > rows[d.reference] {
			d.reference = g
		}
		if isReference {
			rows[g] = len(p.cell) + 1
			d.reference = g
		}
	}
	return d, len(distinct)
}
