package table

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

const (
	exactRows    = 1_000_000 // of larger tables, columns of many values are described from a sample of about so many rows
	fewValues    = 1000      // distinct values that are all listed
	ecdfPoints   = 1000
	frequentSize = 50
)

// profiler describes a Parquet file in few scans: one over all rows for means and deviations, then one narrow query per
// column over the rows, or over a sample of them.
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
		high := min(low+columnsPerQuery, len(columns))
		if err := p.extremes(ctx, low, high); err != nil {
			return nil, err
		}
		if err := p.checkFinite(ctx, low, high); err != nil {
			return nil, err
		}
		if err := p.moments(ctx, low, high); err != nil {
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

const (
	extremesPerColumn = 3
	sumsPerColumn     = 3
	columnsPerQuery   = 100 // keeps a query over very wide files small
)

// extremes counts values and finds the least and greatest; DuckDB reads them off the statistics of the file.
func (p *profiler) extremes(ctx context.Context, low, high int) error {
	var list []string
	for _, c := range p.columns[low:high] {
		x := ident(c.Name)
		if c.Kind == Numeric {
			list = append(list, "count("+x+")", "min("+x+")", "max("+x+")")
			continue
		}
		list = append(list, "count("+x+")", "0", "0")
	}
	return p.s.each(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+parquet(p.path), func(values []any) error {
		for i := low; i < high; i++ {
			v, c := values[(i-low)*extremesPerColumn:], &p.out[i]
			present := integer(v[0])
			c.Nulls, c.AllNull = p.rows-present, present == 0 && p.rows > 0
			if c.Kind == Numeric && present > 0 {
				least, greatest := float(v[1]), float(v[2])
				c.Min, c.Max = &least, &greatest
			}
		}
		return nil
	})
}

// checkFinite refuses infinite numbers.
func (p *profiler) checkFinite(ctx context.Context, low, high int) error {
	for _, c := range p.out[low:high] {
		if c.Min != nil && (math.IsInf(*c.Min, 0) || math.IsInf(*c.Max, 0)) {
			return p.infiniteError(ctx, c.Name)
		}
	}
	return nil
}

// moments scans all rows once more for means and standard deviations. Sums are of whole numbers, so that they do not depend
// on the order in which threads add: a value counts as its place between the least and the greatest, in steps of 2^-31 of
// at least half that range for squares, and as finely as 64-bit numbers can for the mean. With n values the relative error
// of the standard deviation is below sqrt(2 n) * 2^-31, and about 2^-31 where values are not bunched.
func (p *profiler) moments(ctx context.Context, low, high int) error {
	var list []string
	var open []*ColumnProfile
	for i := low; i < high; i++ {
		c := &p.out[i]
		if c.Min == nil {
			continue
		}
		place := fmt.Sprintf("(%s::DOUBLE / 4 - %s) * %s", ident(c.Name), literal(*c.Min/4), literal(fineness(c)))
		coarse := "CAST(" + place + " AS BIGINT)"
		list = append(list, "sum(CAST("+place+" * 2147483648 AS BIGINT))", "sum("+coarse+")", "sum("+coarse+" * "+coarse+")")
		open = append(open, c)
	}
	if len(open) == 0 {
		return nil
	}
	return p.s.each(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+parquet(p.path), func(v []any) error {
		for i, c := range open {
			c.setMoments(p.rows-c.Nulls, whole(v[i*sumsPerColumn]), whole(v[i*sumsPerColumn+1]), whole(v[i*sumsPerColumn+2]))
		}
		return nil
	})
}

// fineness is the power of two that stretches a quarter of the column's range to between 2^30 and 2^31.
func fineness(c *ColumnProfile) float64 {
	_, exponent := math.Frexp(*c.Max/4 - *c.Min/4)
	return math.Ldexp(1, min(31-exponent, 1023))
}

// setMoments takes the sums of n places: fine ones, coarse ones, squares of coarse ones.
func (c *ColumnProfile) setMoments(n int64, fine, coarse, squares *big.Int) {
	unit := fineness(c)
	mean, _ := new(big.Rat).SetFrac(fine, new(big.Int).Mul(big.NewInt(n), big.NewInt(1<<31))).Float64()
	mean = *c.Min + mean/unit*4
	c.Mean = &mean
	if n < 2 {
		return
	}
	spread := new(big.Int).Mul(big.NewInt(n), squares) // n times the sum of squared differences from the mean
	spread.Sub(spread, new(big.Int).Mul(coarse, coarse))
	variance, _ := new(big.Rat).SetFrac(spread, new(big.Int).Mul(big.NewInt(n), big.NewInt(n-1))).Float64()
	sd := math.Sqrt(variance) / unit * 4
	c.StdDev = &sd
}

func whole(v any) *big.Int {
	if b, ok := v.(*big.Int); ok {
		return b
	}
	return big.NewInt(integer(v))
}

func (p *profiler) infiniteError(ctx context.Context, column string) error {
	var numbers []string
	var count int64
	query := fmt.Sprintf("SELECT %s, count(*) OVER () FROM %s WHERE isinf(%s) ORDER BY 1 LIMIT 5", ident(RowColumn), numbered(p.path), ident(column))
	err := p.s.each(ctx, query, func(v []any) error {
		numbers = append(numbers, strconv.FormatInt(integer(v[0]), 10))
		count = integer(v[1])
		return nil
	})
	if err != nil {
		return err
	}
	return fmt.Errorf("column %q holds %s (in rows %s, counted from 1 after the header); expected finite numbers: replace them, or list their text in csv.unknown",
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
	counts, err := p.s.counts(ctx, "SELECT count("+x+") FROM "+from)
	if err != nil {
		return err
	}
	n := counts[0]
	if n == 0 { // a sample may hold no value of a column that has very few
		return nil
	}
	query := sortedValues(x, from, n)
	if p.sampled && from != "sample" {
		query = countedValues(x, from)
	}
	points := &points{n: n}
	err = p.s.each(ctx, query, func(v []any) error {
		points.see(float(v[0]), integer(v[1]), integer(v[2]), integer(v[3]))
		return nil
	})
	if err != nil {
		return err
	}
	c.Distinct, c.Quantiles, c.ECDF = points.distinct, points.deciles(), points.ecdf()
	c.Histogram = c.ECDF.histogram()
	return nil
}

// sortedValues asks for values in order with their first and last rank and their place among distinct values: the first
// fewValues + 1 of them, and those that cross a thousandth or hold the rank of a decile.
func sortedValues(x, from string, n int64) string {
	keep := fmt.Sprintf("place <= %d OR last = %d OR last * %d // %d > (first - 1) * %d // %d", fewValues+1, n, ecdfPoints, n, ecdfPoints, n)
	for i := range int64(11) {
		rank := (n-1)*i/10 + 1
		keep += fmt.Sprintf(" OR (first <= %d AND last >= %d)", rank+1, rank)
	}
	return fmt.Sprintf("SELECT v, first, last, place FROM (SELECT %s AS v, rank() OVER w AS first, count(*) OVER w AS last, dense_rank() OVER w AS place, "+
		"row_number() OVER w AS number FROM %s WHERE %s IS NOT NULL WINDOW w AS (ORDER BY %s)) WHERE number = first AND (%s) ORDER BY v", x, from, x, x, keep)
}

// countedValues asks for the same of a column known to have few values, without sorting all rows.
func countedValues(x, from string) string {
	return fmt.Sprintf("SELECT v, CAST(last - n + 1 AS BIGINT), last, place FROM (SELECT v, n, CAST(sum(n) OVER w AS BIGINT) AS last, row_number() OVER w AS place "+
		"FROM (SELECT %s AS v, count(*) AS n FROM %s WHERE %s IS NOT NULL GROUP BY v) WINDOW w AS (ORDER BY v)) ORDER BY v", x, from, x)
}

// points collects values in order, with their ranks among n.
type points struct {
	n, distinct int64
	values      []float64
	first, last []int64
	low, high   [11]float64 // what the deciles lie between
}

func (p *points) see(value float64, first, last, place int64) {
	p.distinct = place
	p.values, p.first, p.last = append(p.values, value), append(p.first, first), append(p.last, last)
	for i := range int64(11) {
		rank := (p.n-1)*i/10 + 1
		if first <= rank && rank <= last {
			p.low[i], p.high[i] = value, value
		}
		if first <= rank+1 && rank+1 <= last {
			p.high[i] = value
		}
	}
}

func (p *points) deciles() []float64 {
	out := make([]float64, 11)
	for i := range int64(11) {
		share := float64((p.n-1)*i%10) / 10
		out[i] = p.low[i] + (p.high[i]-p.low[i])*share
	}
	return out
}

// ecdf keeps every value when they are few, otherwise the least and those that cross a thousandth.
func (p *points) ecdf() *ECDF {
	e := &ECDF{}
	for i, v := range p.values {
		crosses := p.last[i]*ecdfPoints/p.n > (p.first[i]-1)*ecdfPoints/p.n
		if p.distinct <= fewValues || i == 0 || crosses {
			e.Values, e.Cumulative = append(e.Values, v), append(e.Cumulative, p.last[i])
		}
	}
	return e
}
