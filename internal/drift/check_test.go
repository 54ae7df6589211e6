package drift

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/table"
)

// evenly is 0, 1, ..., k-1 in turn.
func evenly(rows, k int) []float64 {
	xs := make([]float64, rows)
	for i := range xs {
		xs[i] = float64(i % k)
	}
	return xs
}

// evenlySpread is rows values over [0, width).
func evenlySpread(rows int, width float64) []float64 {
	xs := make([]float64, rows)
	for i := range xs {
		xs[i] = float64(i) * width / float64(rows)
	}
	return xs
}

func repeat(rows int, texts ...string) []string {
	xs := make([]string, rows)
	for i := range xs {
		xs[i] = texts[i%len(texts)]
	}
	return xs
}

// blank makes the first rows missing.
func blank(xs []float64, rows int) []float64 {
	for i := range rows {
		xs[i] = math.NaN()
	}
	return xs
}

func mustCheck(t *testing.T, ref *table.Profile, current *table.Frame, o Options) Report {
	t.Helper()
	r, err := Check(ref, current, o)
	require.NoError(t, err)
	return r
}

func TestWhatCountsAsDrift(t *testing.T) {
	for _, c := range []struct {
		name    string
		ref     table.Column
		current table.Column
		drifted bool
	}{
		{"the same numbers", numeric("x", evenly(1000, 100)), numeric("x", evenly(300, 100)), false},
		{"half the range", numeric("x", evenly(1000, 100)), numeric("x", evenly(300, 50)), true},
		{"numbers never seen", numeric("x", evenly(1000, 100)), numeric("x", append(evenly(200, 100), make([]float64, 100)...)), true},
		{"a constant that stays", numeric("x", evenly(1000, 1)), numeric("x", evenly(300, 1)), false},
		{"a constant that moves", numeric("x", evenly(1000, 1)), numeric("x", append(make([]float64, 50), blankTo(50, 3)...)), true},
		{"more missing", numeric("x", evenly(1000, 100)), numeric("x", blank(evenly(300, 100), 30)), true},
		{"as many missing", numeric("x", blank(evenly(1000, 100), 100)), numeric("x", blank(evenly(300, 100), 30)), false},
		{"everything missing", numeric("x", evenly(1000, 100)), numeric("x", blank(evenly(300, 100), 300)), true},
		{"everything missing, as before", numeric("x", blank(evenly(1000, 100), 1000)), numeric("x", blank(evenly(300, 100), 300)), false},
		{"never there before", numeric("x", blank(evenly(1000, 100), 1000)), numeric("x", evenly(300, 100)), true},
		{"the same names", categorical("x", repeat(1000, "a", "b", "c")), categorical("x", repeat(300, "a", "b", "c")), false},
		{"other shares", categorical("x", repeat(1000, "a", "b", "c")), categorical("x", repeat(300, "a", "b", "a", "c")), true},
		{"names never seen", categorical("x", repeat(1000, "a", "b")), categorical("x", append(repeat(290, "a", "b"), repeat(10, "new")...)), true},
		{"only names never seen", categorical("x", repeat(1000, "a", "b")), categorical("x", repeat(300, "c", "d")), true},
		{"one name that stays", categorical("x", repeat(1000, "a")), categorical("x", repeat(300, "a")), false},
		{"names that go missing", categorical("x", repeat(1000, "a", "b")), categorical("x", append(repeat(280, "a", "b"), repeat(20, "")...)), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := mustCheck(t, profileOf(frame(c.ref), 1000), frame(c.current), Options{})
			require.Equal(t, c.drifted, r.Drifted, "%+v", r.Columns)
			require.Equal(t, c.drifted, r.Columns[0].Drifted)
			require.Equal(t, map[bool]Verdict{true: Drift, false: None}[c.drifted], r.Verdict)
			finite(t, r)
		})
	}
}

func blankTo(rows int, x float64) []float64 {
	xs := make([]float64, rows)
	for i := range xs {
		xs[i] = x
	}
	return xs
}

// finite holds because JSON cannot hold anything else.
func finite(t *testing.T, r Report) {
	t.Helper()
	_, err := json.Marshal(r)
	require.NoError(t, err)
}

func TestInsufficient(t *testing.T) {
	ref := profileOf(frame(numeric("x", evenly(1000, 100))), 1000)
	r := mustCheck(t, ref, frame(numeric("x", make([]float64, 37))), Options{})
	require.Equal(t, Insufficient, r.Verdict)
	require.False(t, r.Drifted)
	require.Equal(t, 13, r.Needed)
	require.Empty(t, r.Columns)
	require.Equal(t, "There are 37 rows and a check needs at least 50: 13 more are needed before anything can be said about drift.", r.Summary)

	require.Equal(t, 50, mustCheck(t, ref, &table.Frame{Columns: []table.Column{numeric("x", nil)}}, Options{}).Needed, "no rows at all")
	require.Equal(t, None, mustCheck(t, ref, frame(numeric("x", evenlySpread(50, 100))), Options{}).Verdict, "exactly enough")

	short := profileOf(frame(numeric("x", evenly(20, 20))), 1000)
	r = mustCheck(t, short, frame(numeric("x", evenly(300, 100))), Options{})
	require.Equal(t, Insufficient, r.Verdict)
	require.Contains(t, r.Summary, "The reference has 20 rows")
}

func TestOptionsDefaultsAndRanges(t *testing.T) {
	ref, current := profileOf(frame(numeric("x", evenly(1000, 100))), 1000), frame(numeric("x", evenly(300, 100)))
	r := mustCheck(t, ref, current, Options{})
	require.Equal(t, 0.01, r.Alpha)
	require.Equal(t, Holm, r.Correction)
	for says, o := range map[string]Options{
		"false_alarms": {FalseAlarms: 0.3},
		"is NaN":       {FalseAlarms: math.NaN()},
		"min_rows":     {MinRows: -1},
		`"bonferroni"`: {Correction: "bonferroni"},
	} {
		_, err := Check(ref, current, o)
		require.ErrorContains(t, err, says)
	}
}

func TestDataThatCannotBeCompared(t *testing.T) {
	ref := profileOf(frame(numeric("x", evenly(1000, 100)), categorical("secret", repeat(1000, "a"))), 1000)
	for name, c := range map[string]struct {
		current *table.Frame
		says    string
	}{
		"no column in common": {frame(numeric("y", evenly(300, 100))), "none of the 2 reference columns"},
		"another kind":        {frame(categorical("x", repeat(300, "hidden"))), `column "x": the reference is numeric and the current data is categorical`},
		"too few values":      {&table.Frame{Rows: 300, Columns: []table.Column{numeric("x", evenly(10, 10))}}, "it has 10 values and the table has 300 rows"},
		"a code out of range": {frame(table.Column{Name: "secret", Kind: table.Categorical, Codes: make([]int32, 300)}), "row 1 has code 0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Check(ref, c.current, Options{})
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "hidden", "no values in errors")
		})
	}
	r := mustCheck(t, ref, frame(numeric("x", evenly(300, 100))), Options{})
	require.Equal(t, []string{"secret"}, r.NotCompared)
	require.Len(t, r.Columns, 1)
}

func TestMalformedReference(t *testing.T) {
	current := frame(numeric("x", evenly(300, 100)))
	column := func(e table.ECDF) *table.Profile {
		return &table.Profile{Rows: 1000, Columns: []table.ColumnProfile{{Name: "x", Kind: table.Numeric, ECDF: &e}}}
	}
	for says, ref := range map[string]*table.Profile{
		"2 values and 1 counts": column(table.ECDF{Values: []float64{1, 2}, Cumulative: []int64{1}}),
		"point 2":               column(table.ECDF{Values: []float64{2, 1}, Cumulative: []int64{1, 2}}),
		"point 1":               column(table.ECDF{Values: []float64{math.NaN()}, Cumulative: []int64{1}}),
		"values are missing":    {Rows: 1000, Columns: []table.ColumnProfile{{Name: "x", Kind: table.Numeric, Nulls: 2000}}},
		"occurs -1 times":       {Rows: 1000, Columns: []table.ColumnProfile{{Name: "x", Kind: table.Categorical, Frequent: []table.Frequency{{Value: "v", Count: -1}}}}},
	} {
		_, err := Check(ref, current, Options{})
		require.ErrorContains(t, err, says)
	}
}

func TestReportIsTheSameEveryTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	ref, current := profileOf(mixed(rng, 2000, 0), 1000), mixed(rng, 300, 0.5)
	first, err := json.Marshal(mustCheck(t, ref, current, Options{}))
	require.NoError(t, err)
	for range 3 {
		again, err := json.Marshal(mustCheck(t, ref, current, Options{}))
		require.NoError(t, err)
		require.Equal(t, string(first), string(again))
	}
}

func TestSummary(t *testing.T) {
	ref := profileOf(frame(numeric("age", evenly(10000, 1000)), numeric("hours", evenly(10000, 100))), 1000)
	r := mustCheck(t, ref, frame(numeric("age", evenly(300, 300)), numeric("hours", evenly(300, 100))), Options{})
	require.Equal(t, "Drift in 1 of 2 columns of 300 rows: age. Without any drift, at most 1 % of checks would alarm. "+
		"In a bell-shaped column, a shift of the mean by 0.32 standard deviations or more would be seen in at least 80 % of checks.", r.Summary)
	require.Equal(t, 2, r.Tests)
	require.InDelta(t, 0.126, r.Columns[1].DetectableEffect, 0.001)
}

// A list of the fifty most frequent of thousands of names, all equally frequent, holds those that the reference happened to hold
// more often. That is no drift.
func TestNamesListedByLuckAreNotCompared(t *testing.T) {
	for seed := range 20 {
		rng := rand.New(rand.NewPCG(uint64(seed), 5))
		draw := func(rows int) *table.Frame {
			xs := make([]string, rows)
			for i := range xs {
				xs[i] = fmt.Sprint(rng.IntN(3000))
				if rng.IntN(4) == 0 {
					xs[i] = fmt.Sprint("frequent", rng.IntN(3))
				}
			}
			return frame(categorical("city", xs))
		}
		r := mustCheck(t, profileOf(draw(30000), 1000), draw(5000), Options{})
		require.False(t, r.Drifted, "seed %d: %+v", seed, r.Columns[0])
		require.Equal(t, ChiSquare, r.Columns[0].Test, "the frequent ones are compared")
		require.NotNil(t, r.Columns[0].Rare)
	}
}

func TestIdentifiersHaveNothingToCompare(t *testing.T) {
	ref := &table.Profile{Rows: 1000, Columns: []table.ColumnProfile{{Name: "id", Kind: table.Categorical, Distinct: 1000, Other: 1000}}}
	ids := make([]string, 300)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	r := mustCheck(t, ref, frame(categorical("id", ids)), Options{})
	require.Equal(t, None, r.Verdict)
	require.Zero(t, r.Tests)
	require.Contains(t, r.Columns[0].Note, "fewer than two values")
	finite(t, r)
}

func BenchmarkCheckMillionRows(b *testing.B) {
	const rows, columns = 1_000_000, 20
	rng := rand.New(rand.NewPCG(1, 2))
	xs := make([]float64, rows)
	for i := range xs {
		xs[i] = rng.NormFloat64()
	}
	var all []table.Column
	for j := range columns {
		all = append(all, numeric(fmt.Sprint(j), xs))
	}
	current := frame(all...)
	one := columnProfileOf(all[0], 1000)
	ref := &table.Profile{Rows: rows}
	for _, c := range all {
		one.Name = c.Name
		ref.Columns = append(ref.Columns, one)
	}
	for b.Loop() {
		if _, err := Check(ref, current, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExactTail(b *testing.B) {
	cells := make([]cell, 20)
	for i := range cells {
		cells[i] = cell{3000, 45}
	}
	cells[0].cur, cells[1].cur = 75, 20
	for b.Loop() {
		chiSquareP(cells)
	}
}
