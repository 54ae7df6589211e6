package table

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

// profiled writes numbers as a table of one column and describes it.
func profiled(t testing.TB, s *session, values string, n int) *ColumnProfile {
	path := s.path("p.parquet")
	require.NoError(t, s.writeParquet(t.Context(), "SELECT ("+values+")::DOUBLE AS x FROM range("+fmt.Sprint(n)+") r(i)", path))
	p, err := profileParquet(t.Context(), s, path, []ColumnInfo{{"x", Number, Numeric}}, func(int64) {})
	require.NoError(t, err)
	return &p.Columns[0]
}

func TestProfileOfNumbersAgreesWithItsDefinitions(t *testing.T) {
	s, err := small.open(t.Context())
	require.NoError(t, err)
	defer s.close()
	rapid.Check(t, func(r *rapid.T) {
		values := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-1e6, 1e6), rapid.Map(rapid.IntRange(0, 9), func(i int) float64 { return float64(i) })), 2, 60).Draw(r, "values")
		list := make([]string, len(values))
		for i, v := range values {
			list[i] = literal(v)
		}
		c := profiled(t, s, "["+strings.Join(list, ", ")+"][i + 1]", len(values))
		sorted := slices.Sorted(slices.Values(values))
		require.Equal(r, sorted[0], *c.Min)
		require.Equal(r, sorted[len(sorted)-1], *c.Max)
		mean, sd := stat.MeanStdDev(values, nil)
		require.InDelta(r, mean, *c.Mean, 1e-9*(1+math.Abs(mean)))
		require.InDelta(r, sd, *c.StdDev, 1e-9*(1+sd))
		require.EqualValues(r, len(slices.Compact(slices.Clone(sorted))), c.Distinct)
		for i, q := range c.Quantiles { // type 7: linear between the order statistics around (n-1)p
			h := float64(len(sorted)-1) * float64(i) / 10
			low := int(math.Floor(h + 1e-9))
			want := sorted[low]
			if low+1 < len(sorted) {
				want += (sorted[low+1] - sorted[low]) * (h - float64(low))
			}
			require.InDelta(r, want, q, 1e-9*(1+math.Abs(want)))
		}
		for _, v := range values {
			require.EqualValues(r, atMost(sorted, v), c.ECDF.Count(v))
		}
		var total int64
		for i, n := range c.Histogram.Counts {
			total += n
			if i > 0 {
				below, _ := slices.BinarySearch(sorted, c.Histogram.Edges[i])
				require.EqualValues(r, below, total-n, "values below edge %d", i)
			}
		}
		require.EqualValues(r, len(values), total)
	})
}

func TestMomentsOfDifficultNumbers(t *testing.T) {
	s, err := small.open(t.Context())
	require.NoError(t, err)
	defer s.close()
	for _, c := range []struct {
		values   string
		n        int
		mean, sd float64
	}{
		{"1.6e9 + i % 3 / 1024", 3000, 1.6e9 + 1.0/1024, math.Sqrt(2.0/3*3000/2999) / 1024},
		{"CASE WHEN i = 0 THEN -1e308 ELSE 1e308 END", 2, 0, math.Sqrt2 * 1e308},
		{"CASE WHEN i = 0 THEN 1e-300 ELSE 3e-300 END", 2, 2e-300, math.Sqrt2 * 1e-300},
		{"CASE WHEN i = 0 THEN 1e9 ELSE i % 2 END", 100_000, (1e9 + 50_000) / 1e5, 1e9 / math.Sqrt(1e5)},
		{"-7.25", 10, -7.25, 0},
	} {
		p := profiled(t, s, c.values, c.n)
		if c.mean == 0 {
			require.Less(t, math.Abs(*p.Mean), 1e290)
		} else {
			require.InEpsilon(t, c.mean, *p.Mean, 1e-13, c.values)
		}
		if c.sd == 0 {
			require.Zero(t, *p.StdDev)
			continue
		}
		require.InEpsilon(t, c.sd, *p.StdDev, 1e-6, c.values)
	}
}

func atMost(sorted []float64, v float64) int {
	n, _ := slices.BinarySearchFunc(sorted, v, func(a, b float64) int {
		if a <= b {
			return -1
		}
		return 1
	})
	return n
}

// worstGap is the largest difference between the distribution functions of a profile and of the values, at any point.
func worstGap(e *ECDF, sorted []float64) float64 {
	worst, n := 0.0, float64(len(sorted))
	for i, v := range sorted {
		at, below := float64(e.Count(v)), float64(e.Count(math.Nextafter(v, math.Inf(-1))))
		if i+1 == len(sorted) || sorted[i+1] != v {
			worst = max(worst, math.Abs(at/n-float64(i+1)/n))
		}
		if i == 0 || sorted[i-1] != v {
			worst = max(worst, math.Abs(below/n-float64(i)/n))
		}
	}
	return worst
}

func TestTheECDFOfManyValuesIsWithinAThousandth(t *testing.T) {
	s, err := small.open(t.Context())
	require.NoError(t, err)
	defer s.close()
	for name, values := range map[string]string{
		"even":                   "i * 0.7",
		"skewed":                 "exp((i * 7919 % 100003) / 5000.0)",
		"half zero":              "CASE WHEN i % 2 = 0 THEN 0 ELSE i END",
		"a few heavy and a tail": "CASE WHEN i % 3 = 0 THEN 5 WHEN i % 3 = 1 THEN 40000 ELSE i END",
	} {
		t.Run(name, func(t *testing.T) {
			const n = 100_000
			c := profiled(t, s, values, n)
			var sorted []float64
			require.NoError(t, s.each(t.Context(), "SELECT x FROM "+parquet(s.path("p.parquet"))+" ORDER BY x", func(v []any) error {
				sorted = append(sorted, v[0].(float64))
				return nil
			}))
			require.LessOrEqual(t, len(c.ECDF.Values), 1030)
			require.EqualValues(t, n, c.ECDF.Total())
			require.LessOrEqual(t, worstGap(c.ECDF, sorted), 0.001)
		})
	}
}

func TestALargeTableIsDescribedFromASampleAndSaysSo(t *testing.T) {
	s, err := Limits{MemoryBytes: 512 << 20, Threads: 2}.open(t.Context())
	require.NoError(t, err)
	defer s.close()
	const n = 3_000_000
	c := profiled(t, s, "sqrt(i)", n)
	require.InDelta(t, 1_000_000, c.SampleRows, 1000)
	require.True(t, c.DistinctApprox)
	require.InEpsilon(t, n, c.Distinct, 0.1)
	require.Equal(t, math.Sqrt(n-1), *c.Max)
	require.Equal(t, c.SampleRows, c.ECDF.Total())
	for i, q := range c.Quantiles {
		require.InDelta(t, math.Sqrt(n*float64(i)/10), q, 2)
	}
	for i, v := range c.ECDF.Values { // against the distribution of all rows
		require.InDelta(t, v*v/n, float64(c.ECDF.Cumulative[i])/float64(c.SampleRows), 0.0014)
	}
	few := profiled(t, s, "i % 900", n)
	require.Zero(t, few.SampleRows)
	require.EqualValues(t, 900, few.Distinct)
	require.False(t, few.DistinctApprox)
	require.Len(t, few.ECDF.Values, 900)
}

func TestProfileOfCategoriesAndMissingValues(t *testing.T) {
	var b strings.Builder
	b.WriteString("c,n,none,flag,id,day\n")
	for i := range 120 {
		fmt.Fprintf(&b, "level%d,%s,,%t,id%d,2020-01-0%d\n", i%60/(1+i%2), map[bool]string{true: "", false: "1.5"}[i%4 == 0], i%3 == 0, i, i%9+1)
	}
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", b.String()))
	p := profileOf(t, store, snap.Profile)
	require.EqualValues(t, 120, p.Rows)

	c := p.Column("c")
	require.Len(t, c.Frequent, min(50, int(c.Distinct)))
	require.True(t, slices.IsSortedFunc(c.Frequent, func(a, b Frequency) int {
		if a.Count != b.Count {
			return int(b.Count - a.Count)
		}
		return strings.Compare(a.Value, b.Value)
	}))
	total := c.Other
	for _, f := range c.Frequent {
		total += f.Count
	}
	require.EqualValues(t, 120, total)

	n := p.Column("n")
	require.EqualValues(t, 30, n.Nulls)
	require.Zero(t, *n.StdDev)
	require.Equal(t, &ECDF{Values: []float64{1.5}, Cumulative: []int64{90}}, n.ECDF)
	require.Equal(t, &Histogram{Edges: []float64{1.5, 1.5}, Counts: []int64{90}}, n.Histogram)

	none := p.Column("none")
	require.True(t, none.AllNull)
	require.EqualValues(t, 120, none.Nulls)
	require.Equal(t, []Frequency{{"false", 80}, {"true", 40}}, p.Column("flag").Frequent)
	require.Empty(t, p.Column("id").Frequent, "an identifier's values are not kept")
	require.EqualValues(t, 120, p.Column("id").Other)
	require.EqualValues(t, 9, p.Column("day").Distinct)
	require.Empty(t, p.Column("day").Kind)
}
