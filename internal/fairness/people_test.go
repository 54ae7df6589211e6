package fairness_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

// times repeats each name as often as its count says.
func times(counts ...any) (out []string) {
	for k := 0; k < len(counts); k += 2 {
		out = append(out, slices.Repeat([]string{counts[k].(string)}, counts[k+1].(int))...)
	}
	return out
}

// TestRepresentationOfMendelsPeas tests the 9:3:3:1 of Mendel (1866): 315 round and yellow, 101 wrinkled and yellow, 108 round and
// green, 32 wrinkled and green peas have a chi-squared of 0.470 on 3 degrees of freedom, p = 0.925.
func TestRepresentationOfMendelsPeas(t *testing.T) {
	peas := times("round yellow", 315, "wrinkled yellow", 101, "round green", 108, "wrinkled green", 32)
	r, err := fairness.Representation(peas, map[string]float64{"round yellow": 9. / 16, "wrinkled yellow": 3. / 16, "round green": 3. / 16, "wrinkled green": 1. / 16}, 0)
	require.NoError(t, err)
	require.InDelta(t, 0.470, r.ChiSquared, 5e-4)
	require.Equal(t, 3, r.Freedom)
	require.InDelta(t, 0.925, r.P, 5e-4)
	require.Empty(t, r.Note)
	require.Equal(t, 556, r.Declared)
	for _, g := range r.Groups {
		require.Contains(t, []string{fairness.AsDeclared, fairness.Undecided}, g.Word)
		require.Equal(t, fairness.MethodWilsonTogether, g.Observed.Method)
	}
	require.Equal(t, "round yellow", r.Groups[1].Group)
	require.Equal(t, fairness.AsDeclared, r.Groups[1].Word)
	require.Equal(t, fairness.Undecided, r.Groups[3].Word, "32 peas do not tell a quarter more from a quarter less")
	low, high := stats.WilsonTail(315, 556, 0.025/4)
	require.Equal(t, [2]float64{low, high}, [2]float64{r.Groups[1].Observed.Low, r.Groups[1].Observed.High})
	require.InDelta(t, 315./556/(9./16), r.Groups[1].Ratio.Value, 1e-12)
}

func TestRepresentationNamesWhoIsMissing(t *testing.T) {
	rows := times("men", 700, "women", 200, "unknown", 100)
	r, err := fairness.Representation(rows, map[string]float64{"men": 0.49, "women": 0.5, "others": 0.01}, 0.95)
	require.NoError(t, err)
	require.Equal(t, []string{"others"}, r.Missing)
	require.Equal(t, []fairness.GroupCount{{Group: "unknown", N: 100}}, r.Undeclared)
	require.Equal(t, 100, r.UndeclaredRows)
	require.Equal(t, 900, r.Declared)
	require.Equal(t, []string{fairness.Over, fairness.Under, fairness.Under}, []string{r.Groups[0].Word, r.Groups[1].Word, r.Groups[2].Word})
	require.InDelta(t, 200./900, r.Groups[2].Observed.Value, 1e-12)
	require.Less(t, r.P, 1e-9)
}

func TestRepresentationWithNothingToTestSaysSo(t *testing.T) {
	r, err := fairness.Representation([]string{"x"}, map[string]float64{"a": 1}, 0)
	require.NoError(t, err)
	require.Contains(t, r.Note, "No row is of a declared group")
	require.Equal(t, 1.0, r.P)
	r, err = fairness.Representation([]string{"a", "b"}, map[string]float64{"a": 1, "b": 0}, 0)
	require.NoError(t, err)
	require.Zero(t, r.P)
	require.Contains(t, r.Note, "declared share is zero")
	require.Contains(t, r.Groups[1].Ratio.Undefined, "declared share is zero")
	r, err = fairness.Representation([]string{"a", "a"}, map[string]float64{"a": 1}, 0)
	require.NoError(t, err)
	require.Contains(t, r.Note, "one group")
	r, err = fairness.Representation([]string{"a", "b"}, map[string]float64{"a": 0.5, "b": 0.5}, 0)
	require.NoError(t, err)
	require.Contains(t, r.Note, "2 groups would have fewer than 5 rows")
}

// TestRepresentationErrsAsOftenAsItSays draws rows from the declared population: of all groups together, at most about 5 in 100 data sets
// have one that is called under or over, and as many a p-value below 0.05.
func TestRepresentationErrsAsOftenAsItSays(t *testing.T) {
	const sets = 2000
	population := map[string]float64{"a": 0.6, "b": 0.25, "c": 0.1, "d": 0.05}
	generator := rand.New(rand.NewPCG(5, 5))
	called, rejected := 0, 0
	for range sets {
		rows := make([]string, 300)
		for i := range rows {
			switch u := generator.Float64(); {
			case u < 0.6:
				rows[i] = "a"
			case u < 0.85:
				rows[i] = "b"
			case u < 0.95:
				rows[i] = "c"
			default:
				rows[i] = "d"
			}
		}
		r, err := fairness.Representation(rows, population, 0)
		require.NoError(t, err)
		if slices.ContainsFunc(r.Groups, func(g fairness.RepresentationGroup) bool {
			return g.Word == fairness.Under || g.Word == fairness.Over
		}) {
			called++
		}
		if r.P < 0.05 {
			rejected++
		}
	}
	t.Logf("called under or over in %d, rejected in %d of %d", called, rejected, sets)
	require.Less(t, called, sets*7/100)
	require.Less(t, rejected, sets*7/100)
	require.Greater(t, rejected, sets*3/100, "the test is not vacuous")
}

func TestRepresentationRefuses(t *testing.T) {
	for want, ask := range map[string]func() error{
		"found no rows": func() error { _, err := fairness.Representation(nil, map[string]float64{"a": 1}, 0); return err },
		"0 groups sum to 0": func() error {
			_, err := fairness.Representation([]string{"a"}, nil, 0)
			return err
		},
		"sum to 0.9;": func() error {
			_, err := fairness.Representation([]string{"a"}, map[string]float64{"a": 0.5, "b": 0.4}, 0)
			return err
		},
		`group "b" is NaN`: func() error {
			_, err := fairness.Representation([]string{"a"}, map[string]float64{"a": 1, "b": math.NaN()}, 0)
			return err
		},
		"the level is 2": func() error {
			_, err := fairness.Representation([]string{"a"}, map[string]float64{"a": 1}, 2)
			return err
		},
	} {
		require.ErrorContains(t, ask(), want)
	}
}

// TestLabelDistributionOfHairAndEyes has the chi-squared of Snee's (1974) table of hair and eye colours of 592 students: 138.29 on 9.
func TestLabelDistributionOfHairAndEyes(t *testing.T) {
	var hair, eyes []string
	for _, row := range []struct {
		hair  string
		count [4]int
	}{{"black", [4]int{68, 20, 15, 5}}, {"brown", [4]int{119, 84, 54, 29}}, {"red", [4]int{26, 17, 14, 14}}, {"blond", [4]int{7, 94, 10, 16}}} {
		for k, n := range row.count {
			hair, eyes = append(hair, times(row.hair, n)...), append(eyes, times([]string{"brown", "blue", "hazel", "green"}[k], n)...)
		}
	}
	r, err := fairness.LabelDistribution(eyes, hair, 0)
	require.NoError(t, err)
	require.InDelta(t, 138.29, r.ChiSquared, 0.005)
	require.Equal(t, 9, r.Freedom)
	require.Less(t, r.P, 1e-20)
	require.Equal(t, []string{"blue", "brown", "green", "hazel"}, r.Labels)
	blond := r.Groups[1]
	require.Equal(t, "blond", blond.Group)
	require.Equal(t, 127, blond.N)
	require.Equal(t, 94, blond.Labels[0].N)
	require.InDelta(t, 94./127, blond.Labels[0].Share.Value, 1e-12)
	low, high := stats.WilsonTail(94, 127, 0.025/4)
	require.Equal(t, [2]float64{low, high}, [2]float64{blond.Labels[0].Share.Low, blond.Labels[0].Share.High})
	require.Equal(t, fairness.MethodWilsonTogether, blond.Labels[0].Share.Method)
}

func TestLabelDistributionRefusesAndSaysWhatIsMissing(t *testing.T) {
	r, err := fairness.LabelDistribution([]string{"x", "x"}, []string{"a", "b"}, 0)
	require.NoError(t, err)
	require.Contains(t, r.Note, "nothing to test")
	require.Equal(t, 1.0, r.P)
	r, err = fairness.LabelDistribution([]string{"x", "y"}, []string{"a", "b"}, 0)
	require.NoError(t, err)
	require.Contains(t, r.Note, "4 of the groups' labels")
	_, err = fairness.LabelDistribution(nil, nil, 0)
	require.ErrorContains(t, err, "found no rows")
	_, err = fairness.LabelDistribution([]string{"x"}, nil, 0)
	require.ErrorContains(t, err, "1 labels and 0 groups")
	_, err = fairness.LabelDistribution([]string{"x"}, []string{"a"}, 1)
	require.ErrorContains(t, err, "the level is 1")
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	_, err = fairness.LabelDistribution(many, many, 0)
	require.ErrorContains(t, err, "100 labels in 100 groups")
}

// absent is a column whose first rows have no value.
func absent(name string, rows int, of ...int) fairness.MissingColumn {
	c := fairness.MissingColumn{Name: name, Missing: make([]bool, rows)}
	for _, i := range of {
		c.Missing[i] = true
	}
	return c
}

func TestMissingnessFindsTheGroupThatIsDescribedWorse(t *testing.T) {
	groups := times("a", 300, "b", 200, "c", 100)
	var ofB []int
	for i := range 60 {
		ofB = append(ofB, 300+i)
	}
	ofB = append(ofB, 0, 1, 2)
	columns := []fairness.MissingColumn{absent("income", 600, ofB...), absent("age", 600)}
	r, err := fairness.Missingness(columns, groups, 0)
	require.NoError(t, err)
	require.Equal(t, []fairness.GroupCount{{Group: "a", N: 300}, {Group: "b", N: 200}, {Group: "c", N: 100}}, r.Groups)
	income := r.Columns[0]
	require.Equal(t, 63, income.Missing)
	require.Equal(t, "b", income.Highest)
	require.Equal(t, "c", income.Lowest)
	require.InDelta(t, 0.3, income.Gap.Value, 1e-12)
	require.Equal(t, fairness.MethodPairs, income.Gap.Method)
	require.Greater(t, income.Gap.Low, 0.15)
	require.InDelta(t, 0.01, income.Groups[0].Share.Value, 1e-12)
	// Two columns and three groups: the level of each share is the cube root of 0.975.
	want := stats.ExactShare(60, 200, (1-math.Cbrt(0.975))/2, "")
	require.InDelta(t, want.Low, income.Groups[1].Share.Low, 1e-9)
	require.InDelta(t, want.High, income.Groups[1].Share.High, 1e-9)
	require.Equal(t, fairness.MethodExactSidak, income.Groups[1].Share.Method)
	_, low, high, _, _, _ := fairness.GapOfShares([]int{3, 60, 0}, []int{300, 200, 100}, false, 0.0125)
	require.InDelta(t, low, income.Gap.Low, 1e-9)
	require.InDelta(t, high, income.Gap.High, 1e-9)
	age := r.Columns[1]
	require.Zero(t, age.Missing)
	require.Zero(t, age.Gap.Low)
	require.Greater(t, age.Gap.High, 0.0)
}

// TestMissingnessSeldomFindsAGapThatIsNone leaves values of 10 columns out by chance: in at most 2.5 of 100 data sets does any gap have a lower
// limit above 0.
func TestMissingnessSeldomFindsAGapThatIsNone(t *testing.T) {
	const sets = 200
	generator := rand.New(rand.NewPCG(8, 8))
	groups := times("a", 150, "b", 60, "c", 20)
	found := 0
	for range sets {
		columns := make([]fairness.MissingColumn, 10)
		for k := range columns {
			columns[k] = absent(fmt.Sprint(k), len(groups))
			for i := range groups {
				columns[k].Missing[i] = generator.Float64() < 0.02*float64(k+1)
			}
		}
		r, err := fairness.Missingness(columns, groups, 0)
		require.NoError(t, err)
		if slices.ContainsFunc(r.Columns, func(c fairness.ColumnMissingness) bool { return c.Gap.Low > 0 }) {
			found++
		}
	}
	t.Logf("a gap was found in %d of %d", found, sets)
	require.LessOrEqual(t, found, sets*6/100)
}

func TestMissingnessRefuses(t *testing.T) {
	_, err := fairness.Missingness(nil, nil, 0)
	require.ErrorContains(t, err, "found no rows")
	_, err = fairness.Missingness(nil, []string{"a"}, 0)
	require.ErrorContains(t, err, "found no columns")
	_, err = fairness.Missingness([]fairness.MissingColumn{absent("age", 2)}, []string{"a"}, 0)
	require.ErrorContains(t, err, `column "age" has 2 rows and there are 1 groups`)
	_, err = fairness.Missingness([]fairness.MissingColumn{absent("age", 1)}, []string{"a"}, -1)
	require.ErrorContains(t, err, "the level is -1")
	many := make([]string, 2001)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	_, err = fairness.Missingness([]fairness.MissingColumn{absent("age", 2001)}, many, 0)
	require.ErrorContains(t, err, "2001 groups and 1 columns")
	r, err := fairness.Missingness([]fairness.MissingColumn{absent("age", 2, 0)}, []string{"a", "a"}, 0)
	require.NoError(t, err)
	require.Contains(t, r.Columns[0].Gap.Undefined, "only one group")
}

func TestReportsOfPeopleAreWrittenWhateverTheRows(t *testing.T) {
	name := rapid.SampledFrom([]string{"", "a", "b", "c"})
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.SliceOfN(name, 1, 30).Draw(t, "groups")
		labels := rapid.SliceOfN(name, len(groups), len(groups)).Draw(t, "labels")
		missing := rapid.SliceOfN(rapid.Bool(), len(groups), len(groups)).Draw(t, "missing")
		tiny := rapid.SampledFrom([]float64{0, 5e-324, 1e-310, 1e-100, 1e-9, 0.5, 1}).Draw(t, "share")
		level := rapid.Float64Range(0.5, 0.9999).Draw(t, "level")
		r, err := fairness.Representation(groups, map[string]float64{"a": tiny, "b": 1 - tiny}, level)
		require.NoError(t, err)
		d, err := fairness.LabelDistribution(labels, groups, level)
		require.NoError(t, err)
		m, err := fairness.Missingness([]fairness.MissingColumn{{Name: "x", Missing: missing}}, groups, level)
		require.NoError(t, err)
		_, err = json.Marshal([]any{r, d, m})
		require.NoError(t, err)
		var all []stats.Estimate
		for _, g := range r.Groups {
			all = append(all, g.Observed, g.Ratio)
		}
		for _, g := range d.Groups {
			sum := 0
			for _, l := range g.Labels {
				sum += l.N
				all = append(all, l.Share)
			}
			require.Equal(t, g.N, sum)
		}
		all = append(all, m.Columns[0].Gap, m.Columns[0].Groups[0].Share)
		for _, e := range all {
			require.True(t, !e.Defined() || e.Low <= e.Value+1e-12 && e.Value <= e.High+1e-12, "%+v", e)
			require.Equal(t, level, e.Level)
		}
		require.True(t, 0 <= r.P && r.P <= 1 && 0 <= d.P && d.P <= 1)
	})
}
