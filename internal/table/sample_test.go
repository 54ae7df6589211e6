package table

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASampleIsDrawnBySeedInTheOrderStored(t *testing.T) {
	store := newStore(t)
	var b strings.Builder
	b.WriteString("id,big,name\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "%d,%d,n%d\n", i, 9_007_199_254_740_990+i, i%7)
	}
	snap := mustTake(t, store, write(t, "x.csv", b.String()))
	draw := func(rows int, seed int64) []float64 {
		found, err := ReadSample(t.Context(), store, snap, SampleWish{Rows: rows, Seed: seed}, small)
		require.NoError(t, err)
		require.Equal(t, int64(1000), found.Rows)
		require.Equal(t, min(rows, 1000), found.Frame.Rows)
		require.Equal(t, Categorical, found.Frame.Columns[1].Kind, "a float64 cannot hold these whole numbers")
		require.Contains(t, found.Frame.Columns[1].Levels[0], "90071992547")
		return found.Frame.Columns[0].Numbers
	}
	first := draw(100, 1)
	require.IsIncreasing(t, first)
	require.Equal(t, first, draw(100, 1))
	require.NotEqual(t, first, draw(100, 2))
	require.Len(t, draw(5000, 1), 1000)

	// Rows that a transform makes many of are drawn one by one.
	found, err := ReadSample(t.Context(), store, snap, SampleWish{
		Transform: "select a.* from data a, range(5) b", Keep: func(c ColumnInfo) bool { return c.Name == "name" }, Rows: 300, Seed: 1,
	}, small)
	require.NoError(t, err)
	require.Equal(t, []any{int64(5000), 300, 1}, []any{found.Rows, found.Frame.Rows, len(found.Frame.Columns)})

	_, err = ReadSample(t.Context(), store, snap, SampleWish{Transform: "select nothing from data", Rows: 1}, small)
	require.ErrorContains(t, err, "nothing")
}

func TestAStoredPartIsDrawnBySeedInTheOrderStored(t *testing.T) {
	store := newStore(t)
	var b strings.Builder
	b.WriteString("id,name\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "%d,n%d\n", i, i%7)
	}
	part := mustTake(t, store, write(t, "x.csv", b.String())).Data
	wanted := []Wanted{{"name", Categorical}, {"id", Numeric}}
	draw := func(rows int, seed int64) *Frame {
		f, err := DrawFrame(t.Context(), store, part, wanted, rows, seed, small)
		require.NoError(t, err)
		return f
	}
	first := draw(100, 1)
	require.Equal(t, 100, first.Rows)
	require.IsIncreasing(t, first.Columns[1].Numbers)
	require.Equal(t, first, draw(100, 1))
	require.NotEqual(t, first, draw(100, 2))
	whole, err := ReadFrame(t.Context(), store, part, wanted, small)
	require.NoError(t, err)
	require.Equal(t, whole, draw(1000, 1), "no more rows than there are")

	_, err = DrawFrame(t.Context(), store, part, []Wanted{{"absent", Numeric}}, 10, 1, small)
	require.ErrorContains(t, err, `no column "absent"`)
	_, err = DrawFrame(t.Context(), store, part, wanted, 0, 1, small)
	require.ErrorContains(t, err, "expected at least 1")
}
