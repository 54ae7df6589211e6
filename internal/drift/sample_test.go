package drift

import (
	"cmp"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/table"
)

// stepsOf is the complete empirical distribution of the present values.
func stepsOf(xs []float64) steps {
	s := steps{complete: true}
	sorted := slices.DeleteFunc(slices.Clone(xs), math.IsNaN)
	slices.Sort(sorted)
	for i, x := range sorted {
		if i == 0 || x != sorted[i-1] {
			s.values = append(s.values, x)
			s.cumulative = append(s.cumulative, 0)
		}
		s.cumulative[len(s.cumulative)-1] = int64(i + 1)
	}
	return s
}

// thinned keeps about points of the listed values, as a stored profile does.
func (s steps) thinned(points int64) steps {
	if int64(len(s.values)) <= points {
		return s
	}
	var t steps
	for i := range s.values {
		if i == 0 || i == len(s.values)-1 || s.cumulative[i]*points/s.n() > s.cumulative[i-1]*points/s.n() {
			t.values = append(t.values, s.values[i])
			t.cumulative = append(t.cumulative, s.cumulative[i])
		}
	}
	return t
}

// countsOf counts texts, most frequent first.
func countsOf(xs []string) []counted {
	var counts []counted
	sorted := slices.Clone(xs)
	slices.Sort(sorted)
	for i, x := range sorted {
		if i == 0 || x != sorted[i-1] {
			counts = append(counts, counted{value: x})
		}
		counts[len(counts)-1].rows++
	}
	slices.SortStableFunc(counts, func(a, b counted) int { return cmp.Compare(b.rows, a.rows) })
	return counts
}

func numeric(name string, xs []float64) table.Column {
	return table.Column{Name: name, Kind: table.Numeric, Numbers: xs}
}

// categorical makes a column of texts; the empty text is a missing value.
func categorical(name string, xs []string) table.Column {
	levels := slices.Clone(xs)
	slices.Sort(levels)
	levels = slices.DeleteFunc(slices.Compact(levels), func(s string) bool { return s == "" })
	codes := make([]int32, len(xs))
	for i, x := range xs {
		at, found := slices.BinarySearch(levels, x)
		codes[i] = int32(at)
		if !found {
			codes[i] = -1
		}
	}
	return table.Column{Name: name, Kind: table.Categorical, Codes: codes, Levels: levels}
}

func frame(columns ...table.Column) *table.Frame {
	return &table.Frame{Rows: len(columns[0].Numbers) + len(columns[0].Codes), Columns: columns}
}

// profileOf describes a frame exactly, with at most points of each empirical distribution and 50 frequent values.
func profileOf(f *table.Frame, points int64) *table.Profile {
	p := &table.Profile{Rows: int64(f.Rows)}
	for _, c := range f.Columns {
		p.Columns = append(p.Columns, columnProfileOf(c, points))
	}
	return p
}

func columnProfileOf(c table.Column, points int64) table.ColumnProfile {
	cp := table.ColumnProfile{Name: c.Name, Kind: c.Kind}
	if c.Kind == table.Numeric {
		s := stepsOf(c.Numbers)
		cp.Distinct = int64(len(s.values))
		cp.Nulls = int64(len(c.Numbers))
		if cp.Distinct > 0 {
			cp.Nulls -= s.n()
			s = s.thinned(points)
			cp.ECDF = &table.ECDF{Values: s.values, Cumulative: s.cumulative}
		}
		return cp
	}
	rows := make([]int64, len(c.Levels))
	for _, code := range c.Codes {
		if code < 0 {
			cp.Nulls++
			continue
		}
		rows[code]++
	}
	for i, n := range rows {
		cp.Frequent = append(cp.Frequent, table.Frequency{Value: c.Levels[i], Count: n})
	}
	slices.SortStableFunc(cp.Frequent, func(a, b table.Frequency) int { return cmp.Compare(b.Count, a.Count) })
	cp.Distinct = int64(len(rows))
	for len(cp.Frequent) > 50 {
		cp.Other += cp.Frequent[len(cp.Frequent)-1].Count
		cp.Frequent = cp.Frequent[:len(cp.Frequent)-1]
	}
	return cp
}
