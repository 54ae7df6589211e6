package drift

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/table"
)

func repeated(of map[string]int) []string {
	var out []string
	for _, v := range slices.Sorted(maps.Keys(of)) {
		for range of[v] {
			out = append(out, v)
		}
	}
	return out
}

// Shares worked out by hand: of names, of numbers in ranges between deciles, and of missing values.
func TestDistributionsAreSharesOfAllRows(t *testing.T) {
	var low, high []float64
	for i := range 100 {
		low, high = append(low, float64(i)), append(high, float64(i+50))
	}
	high[99] = math.NaN()
	ref := frame(categorical("job", repeated(map[string]int{"a": 50, "b": 40, "": 10})), numeric("age", low))
	cur := frame(categorical("job", repeated(map[string]int{"a": 20, "b": 40, "c": 30, "": 10})), numeric("age", high))
	all, err := Distributions(profileOf(ref, 1000), cur)
	require.NoError(t, err)
	require.Equal(t, []Cell{
		{Value: "b", Reference: 0.4, Current: 0.4}, {Value: "a", Reference: 0.5, Current: 0.2}, {Value: "c", Current: 0.3}, {Missing: true, Reference: 0.1, Current: 0.1},
	}, all[0].Cells)
	require.InDelta(t, 0.3, all[0].Distance, 1e-12)

	age := all[1]
	require.Len(t, age.Cells, 11, "ten ranges and those without a value")
	require.Nil(t, age.Cells[0].Above)
	require.InDelta(t, 9.9, *age.Cells[0].UpTo, 1e-9)
	require.Equal(t, age.Cells[0].UpTo, age.Cells[1].Above)
	require.Nil(t, age.Cells[9].UpTo)
	require.InDelta(t, 0.59, age.Cells[9].Current, 1e-12, "all from 90 on")
	require.Equal(t, Cell{Missing: true, Current: 0.01}, age.Cells[10])
	require.InDelta(t, 0.5, age.Distance, 1e-12)

	_, err = Distributions(profileOf(ref, 1000), frame(numeric("job", low)))
	require.ErrorContains(t, err, "expected the same kind in both")
	_, err = Distributions(profileOf(ref, 1000), frame(numeric("other", low)))
	require.ErrorContains(t, err, "none of the 2 reference columns")
}

func TestDistancesKeepTheirRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) table.Column {
			return numeric(name, rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]float64{0, 1, math.NaN()}), rapid.Float64Range(-5, 5)), 30, 30).Draw(t, name))
		}
		a, b := draw("x"), draw("y")
		b.Name = "x"
		names := func(label string) table.Column {
			return categorical("n", rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b", "c", "d"}), 30, 30).Draw(t, label))
		}
		ref, cur := frame(a, names("m")), frame(b, names("n"))
		all, err := Distributions(profileOf(ref, 1000), cur)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			var p, q float64
			for _, c := range d.Cells {
				p, q = p+c.Reference, q+c.Current
			}
			if d.Distance < 0 || d.Distance > 1 || math.Abs(p-1) > 1e-9 || math.Abs(q-1) > 1e-9 {
				t.Fatalf("%s: distance %g, shares %g and %g", d.Name, d.Distance, p, q)
			}
		}
		same, err := Distributions(profileOf(ref, 1000), ref)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range same {
			if d.Distance != 0 {
				t.Fatalf("%s: distance %g from itself", d.Name, d.Distance)
			}
		}
	})
}

// A large table is described by some of its rows, and its missing values by all of them.
func TestDistributionsOfALargeReference(t *testing.T) {
	ref := &table.Profile{Rows: 1000, Columns: []table.ColumnProfile{{
		Name: "x", Kind: table.Categorical, Nulls: 200, Distinct: 2, SampleRows: 100, Frequent: []table.Frequency{{Value: "a", Count: 60}, {Value: "b", Count: 20}},
	}}}
	all, err := Distributions(ref, frame(categorical("x", repeated(map[string]int{"a": 60, "b": 20, "": 20}))))
	require.NoError(t, err)
	require.InDelta(t, 0, all[0].Distance, 1e-12)
	require.InDelta(t, 0.6, all[0].Cells[0].Reference, 1e-12)
}

func TestRankedPutsWhatDriftedFirst(t *testing.T) {
	r := Report{Columns: []Column{{Name: "a"}, {Name: "b", Drifted: true}, {Name: "c", Drifted: true}, {Name: "d"}}}
	var order string
	for _, d := range r.Ranked([]Distribution{{Name: "a", Distance: 0.1}, {Name: "b", Distance: 0.05}, {Name: "c", Distance: 0.2}, {Name: "d", Distance: 0.3}}) {
		order += d.Name
	}
	require.Equal(t, "cbda", order)
}

// Classes written as numbers are compared as names, so that a class between two others may gain rows.
func TestNamedComparesClasses(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	draw := func(n int, share float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			if r.Float64() < share {
				out[i] = 1
			}
		}
		return out
	}
	profile := profileOf(frame(numeric("y", draw(2000, 0.3))), 1000)
	named, ok := Named(profile.Columns[0])
	require.True(t, ok)
	require.Equal(t, []string{"0", "1"}, []string{named.Frequent[0].Value, named.Frequent[1].Value})
	require.Equal(t, int64(2000), named.Frequent[0].Count+named.Frequent[1].Count)
	profile.Columns[0] = named
	texts := make([]string, 2000)
	for i, v := range draw(2000, 0.4) {
		texts[i] = table.NumberText(v)
	}
	found, err := Check(profile, frame(categorical("y", texts)), Options{})
	require.NoError(t, err)
	require.True(t, found.Columns[0].Drifted)

	_, ok = Named(profile.Columns[0])
	require.False(t, ok, "names already")
	_, ok = Named(profileOf(frame(numeric("y", []float64{1, 2, 3, 4, 5, 6, 7, 8, 9})), 3).Columns[0])
	require.False(t, ok, "not all values are listed")
}

// Two trainings often share rows, which the tests take for independent ones: it makes alarms rarer than stated, never more frequent.
func TestSharedRowsAlarmNoMoreOftenThanStated(t *testing.T) {
	const trials, alpha = 400, 0.1
	r := rand.New(rand.NewPCG(7, 19))
	alarms := 0
	for range trials {
		whole := mixed(r, 500, 0)
		earlier := &table.Frame{Rows: 300, Columns: slices.Clone(whole.Columns)}
		for i, c := range whole.Columns {
			if c.Kind == table.Numeric {
				earlier.Columns[i].Numbers = c.Numbers[:300]
			} else {
				earlier.Columns[i].Codes = c.Codes[:300]
			}
		}
		if mustCheck(t, profileOf(earlier, 1000), whole, Options{FalseAlarms: alpha}).Drifted {
			alarms++
		}
	}
	require.LessOrEqual(t, alarms, int(alpha*trials+3*math.Sqrt(trials*alpha*(1-alpha))), "of %d checks without drift", trials)
	t.Logf("%d of %d checks without drift alarm, at a stated %g", alarms, trials, alpha)
}
