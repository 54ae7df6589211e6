package table

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	exactRows    = 1_000_000 // of larger tables, columns of many values are described from a sample of about so many rows
	fewValues    = 1000      // distinct values that are all listed
	ecdfPoints   = 1000
	frequentSize = 50
)

// profiler describes a Parquet file in few scans: one for what needs every row, then one narrow query per column over the
// rows, or over a sample of them.
type profiler struct {
	s       *session
	path    string
	columns []ColumnInfo
	out     []ColumnProfile
	rows    int64

	sampled    bool
	sampleRows int64
}

func profileParquet(ctx context.Context, s *session, path string, columns []ColumnInfo, progress func(int64)) (*Profile, error) {
	p := &profiler{s: s, path: path, columns: columns, out: make([]ColumnProfile, len(columns))}
	for i, c := range columns {
		p.out[i] = ColumnProfile{Name: c.Name, Type: c.Type, Kind: c.Kind}
	}
	if err := s.row(ctx, "SELECT count(*) FROM "+parquet(path), &p.rows); err != nil {
		return nil, err
	}
	for low := 0; low < len(columns); low += columnsPerQuery {
		if err := p.totals(ctx, low, min(low+columnsPerQuery, len(columns))); err != nil {
			return nil, err
		}
		progress(p.rows)
	}
	if err := p.drawSample(ctx); err != nil {
		return nil, err
	}
	for i := range p.out {
		if err := p.distribution(ctx, &p.out[i]); err != nil {
			return nil, fmt.Errorf("column %q: %w", columns[i].Name, err)
		}
		progress(p.rows)
	}
	if err := p.estimateDistinct(ctx); err != nil {
		return nil, err
	}
	return &Profile{Rows: p.rows, Columns: p.out}, nil
}

// moments are the count, mean and sum of squared differences from the mean of some values.
type moments struct{ n, mean, m2 float64 }

// add joins two disjoint sets of values (Chan, Golub and LeVeque 1979).
func (m moments) add(o moments) moments {
	if m.n == 0 || o.n == 0 {
		return moments{m.n + o.n, m.mean*min(m.n, 1) + o.mean*min(o.n, 1), m.m2 + o.m2}
	}
	n, d := m.n+o.n, o.mean-m.mean
	return moments{n, m.mean + d*o.n/n, m.m2 + o.m2 + d*d*m.n*o.n/n}
}

const (
	totalsPerColumn = 6
	columnsPerQuery = 100 // keeps a query over very wide files small
)

// totals scans all rows for counts, extremes and moments. Sums are taken by row group, each of which one thread reads in
// order, and joined here in order, so that they do not depend on the number of threads.
func (p *profiler) totals(ctx context.Context, low, high int) error {
	var list []string
	for i := low; i < high; i++ {
		list = append(list, totalsOf(p.columns[i])...)
	}
	query := fmt.Sprintf("SELECT %s FROM read_parquet(%s, file_row_number = true) GROUP BY file_row_number // %d ORDER BY file_row_number // %d",
		strings.Join(list, ", "), text(p.path), rowGroup, rowGroup)
	present := make([]int64, high-low)
	infinite := make([]int64, high-low)
	joined := make([]moments, high-low)
	err := p.s.each(ctx, query, func(values []any) error {
		for i := range joined {
			v, c := values[i*totalsPerColumn:], &p.out[low+i]
			n := integer(v[0])
			present[i] += n
			infinite[i] += integer(v[1])
			if c.Kind == Numeric && n > 0 {
				c.Min, c.Max = extreme(c.Min, float(v[2]), math.Min), extreme(c.Max, float(v[3]), math.Max)
				joined[i] = joined[i].add(moments{float64(n), float(v[4]), float(v[5]) * float64(n)})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range joined {
		if infinite[i] > 0 {
			return p.infiniteError(ctx, p.columns[low+i].Name, infinite[i])
		}
		p.settle(&p.out[low+i], present[i], joined[i])
	}
	return nil
}

func totalsOf(c ColumnInfo) []string {
	x := ident(c.Name)
	if c.Kind != Numeric {
		return []string{"count(" + x + ")", "0", "0", "0", "0", "0"}
	}
	finite, infinite := x+"::DOUBLE", "0"
	if c.Type == Number {
		infinite = "count(*) FILTER (isinf(" + x + "))"
		finite = "CASE WHEN isinf(" + x + ") THEN NULL ELSE " + x + " END"
	}
	return []string{"count(" + x + ")", infinite, "min(" + x + ")", "max(" + x + ")", "avg(" + finite + ")", "var_pop(" + finite + ")"}
}

func extreme(old *float64, v float64, choose func(a, b float64) float64) *float64 {
	if old != nil {
		v = choose(*old, v)
	}
	return &v
}

func (p *profiler) settle(c *ColumnProfile, present int64, m moments) {
	c.Nulls = p.rows - present
	c.AllNull = present == 0 && p.rows > 0
	if c.Kind != Numeric || present == 0 {
		return
	}
	c.Mean = &m.mean
	if present > 1 {
		sd := math.Sqrt(m.m2 / (m.n - 1))
		c.StdDev = &sd
	}
}

func (p *profiler) infiniteError(ctx context.Context, column string, count int64) error {
	var numbers []string
	query := fmt.Sprintf("SELECT %s FROM %s WHERE isinf(%s) ORDER BY 1 LIMIT 5", ident(RowColumn), numbered(p.path), ident(column))
	err := p.s.each(ctx, query, func(v []any) error {
		numbers = append(numbers, strconv.FormatInt(integer(v[0]), 10))
		return nil
	})
	if err != nil {
		return err
	}
	return fmt.Errorf("column %q holds %s (rows %s, counted from 1 after the header); expected finite numbers: replace them, or list their text in csv.unknown",
		column, plural(count, "infinite number"), strings.Join(numbers, ", "))
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// drawSample gives the queries that follow a relation "sample": all rows, or of a large table about exactRows, evenly
// spread by the multiples of the golden ratio (Weyl 1916), which fall in step with no period of the data.
func (p *profiler) drawSample(ctx context.Context) error {
	p.sampled = p.rows > exactRows
	if !p.sampled {
		return p.s.exec(ctx, "CREATE OR REPLACE TEMP VIEW sample AS SELECT * FROM "+parquet(p.path))
	}
	names := make([]string, len(p.columns))
	for i, c := range p.columns {
		names[i] = c.Name
	}
	threshold := int64(float64(uint64(1)<<32) * exactRows / float64(p.rows))
	path := p.s.path("sample.parquet")
	query := fmt.Sprintf("COPY (SELECT %s FROM read_parquet(%s, file_row_number = true) WHERE (file_row_number * 2654435769) %% 4294967296 < %d) TO %s (FORMAT parquet, COMPRESSION uncompressed)",
		idents(names), text(p.path), threshold, text(path))
	if err := p.s.exec(ctx, query); err != nil {
		return err
	}
	if err := p.s.exec(ctx, "CREATE OR REPLACE TEMP VIEW sample AS SELECT * FROM "+parquet(path)); err != nil {
		return err
	}
	return p.s.row(ctx, "SELECT count(*) FROM sample", &p.sampleRows)
}

// distribution describes one column from the sample, or from all rows when its values turn out to be few.
func (p *profiler) distribution(ctx context.Context, c *ColumnProfile) error {
	if c.AllNull || p.rows == 0 {
		return nil
	}
	if err := p.describe(ctx, c, "sample"); err != nil || !p.sampled {
		return err
	}
	if c.Distinct <= fewValues {
		return p.describe(ctx, c, parquet(p.path))
	}
	c.DistinctApprox, c.SampleRows = true, p.sampleRows
	return nil
}

func (p *profiler) describe(ctx context.Context, c *ColumnProfile, from string) error {
	switch c.Kind {
	case Numeric:
		return p.numeric(ctx, c, from)
	case Categorical:
		return p.categorical(ctx, c, from)
	}
	return p.s.row(ctx, fmt.Sprintf("SELECT count(DISTINCT %s) FROM %s", ident(c.Name), from), &c.Distinct)
}

// estimateDistinct replaces the numbers of distinct values that a sample showed by estimates for all rows.
func (p *profiler) estimateDistinct(ctx context.Context) error {
	var list []string
	var open []*ColumnProfile
	for i := range p.out {
		if p.out[i].DistinctApprox {
			list = append(list, "approx_count_distinct("+ident(p.out[i].Name)+")")
			open = append(open, &p.out[i])
		}
	}
	if len(open) == 0 {
		return nil
	}
	counts, err := p.s.counts(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+parquet(p.path))
	for i, n := range counts {
		open[i].Distinct = min(n, p.rows-open[i].Nulls)
	}
	return err
}

func (p *profiler) categorical(ctx context.Context, c *ColumnProfile, from string) error {
	x := ident(c.Name)
	c.Frequent = nil
	query := fmt.Sprintf("SELECT v, n, sum(n) OVER (), count(*) OVER () FROM (SELECT %s AS v, count(*) AS n FROM %s WHERE %s IS NOT NULL GROUP BY v) ORDER BY n DESC, v LIMIT %d",
		x, from, x, frequentSize)
	err := p.s.each(ctx, query, func(v []any) error {
		value, _ := valueText(v[0])
		c.Frequent = append(c.Frequent, Frequency{value, integer(v[1])})
		c.Other, c.Distinct = integer(v[2]), integer(v[3])
		return nil
	})
	if len(c.Frequent) > 0 && c.Frequent[0].Count == 1 && c.Distinct > frequentSize {
		c.Frequent = nil // every value once: an identifier, of which nothing is worth keeping
	}
	for _, f := range c.Frequent {
		c.Other -= f.Count
	}
	return err
}

// numeric reads the order statistics that deciles and ECDF need: every value when they are few, otherwise those at which
// the cumulative count passes a thousandth, and those at the ranks of the deciles.
func (p *profiler) numeric(ctx context.Context, c *ColumnProfile, from string) error {
	x := ident(c.Name)
	keep := fmt.Sprintf("kinds <= %d OR last = n OR last = total OR last * %d // total > (last - n) * %d // total", fewValues, ecdfPoints, ecdfPoints)
	for i := range 11 {
		rank := fmt.Sprintf("((total - 1) * %d // 10 + 1)", i)
		keep += fmt.Sprintf(" OR (last - n < %[1]s AND last >= %[1]s) OR (last - n < %[1]s + 1 AND last >= %[1]s + 1)", rank)
	}
	query := fmt.Sprintf(`SELECT v, n, last, total, kinds FROM (
		SELECT v, n, CAST(sum(n) OVER (ORDER BY v) AS BIGINT) AS last, CAST(sum(n) OVER () AS BIGINT) AS total, count(*) OVER () AS kinds
		FROM (SELECT %s AS v, count(*) AS n FROM %s WHERE %s IS NOT NULL GROUP BY v)) WHERE %s ORDER BY v`, x, from, x, keep)
	e := &ECDF{}
	d := &deciles{}
	err := p.s.each(ctx, query, func(v []any) error {
		value, n, last := float(v[0]), integer(v[1]), integer(v[2])
		d.see(value, last-n, last, integer(v[3]))
		c.Distinct = integer(v[4])
		e.Values, e.Cumulative = append(e.Values, value), append(e.Cumulative, last)
		return nil
	})
	if err != nil {
		return err
	}
	if len(e.Values) == 0 { // a sample may hold no value of a column that has very few
		return nil
	}
	c.Quantiles, c.ECDF, c.Histogram = d.values(), e, e.histogram()
	return nil
}

// deciles collects the order statistics that the quantiles at 0, 0.1, ..., 1 of n values lie between.
type deciles struct {
	n         int64
	low, high [11]float64
}

// see takes a value that has the ranks after+1 to last of n.
func (d *deciles) see(value float64, after, last, n int64) {
	d.n = n
	for i := range int64(11) {
		rank := (n-1)*i/10 + 1
		if after < rank && rank <= last {
			d.low[i], d.high[i] = value, value
		}
		if next := rank + 1; after < next && next <= last {
			d.high[i] = value
		}
	}
}

func (d *deciles) values() []float64 {
	out := make([]float64, 11)
	for i := range int64(11) {
		share := float64((d.n-1)*i%10) / 10
		out[i] = d.low[i] + (d.high[i]-d.low[i])*share
	}
	return out
}
