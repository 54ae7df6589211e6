package privacy_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/privacy"
)

func TestRiskiestWorkedExample(t *testing.T) {
	quasi := []privacy.Column{
		{Name: "sex", Values: words("F F F M M M")},
		{Name: "age", Values: words("30 30 40 30 40 40")},
		{Name: "team", Values: words("a a a a a a")},
	}
	got, err := privacy.Riskiest(quasi, privacy.RiskOptions{K: 3, Most: 2})
	require.NoError(t, err)
	require.Equal(t, []privacy.Combination{
		{Columns: []string{"sex", "age"}, Classes: 4, KMin: 1, UniqueRows: 2, UniqueShare: 1. / 3, RowsBelowK: 6, Gain: 2},
		{Columns: []string{"sex", "age", "team"}, Classes: 4, KMin: 1, UniqueRows: 2, UniqueShare: 1. / 3, RowsBelowK: 6},
		{Columns: []string{"sex"}, Classes: 2, KMin: 3},
		{Columns: []string{"age"}, Classes: 2, KMin: 3},
		{Columns: []string{"sex", "team"}, Classes: 2, KMin: 3},
	}, got)
	bands, err := privacy.ClassSizes(quasi)
	require.NoError(t, err)
	require.Equal(t, privacy.SizeBand{From: 1, To: 1, Classes: 2, Rows: 2}, bands[0])
	require.Equal(t, privacy.SizeBand{From: 2, To: 4, Classes: 2, Rows: 4}, bands[1])
}

func TestRiskiestRefusals(t *testing.T) {
	a := privacy.Column{Name: "a", Values: words("x y")}
	many := make([]privacy.Column, 60)
	for k := range many {
		many[k] = privacy.Column{Name: fmt.Sprint(k), Values: words("x")}
	}
	for name, c := range map[string]struct {
		quasi   []privacy.Column
		o       privacy.RiskOptions
		message string
	}{
		"twice":    {[]privacy.Column{a, a}, privacy.RiskOptions{}, `column "a" is listed twice; name it once`},
		"lengths":  {[]privacy.Column{a, {Name: "b"}}, privacy.RiskOptions{}, `column "b" has 0 values and column "a" has 2; expected one per row of each`},
		"many":     {many, privacy.RiskOptions{}, "60 quasi-identifiers have more than 5000 combinations of up to 3; name fewer columns or lower MaxSize"},
		"negative": {[]privacy.Column{a}, privacy.RiskOptions{K: -1}, "the option K is -1; expected a number above 0, or 0 for the usual one"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := privacy.Riskiest(c.quasi, c.o)
			require.EqualError(t, err, "rank combinations of quasi-identifiers: "+c.message)
		})
	}
	for _, none := range [][]privacy.Column{nil, {{Name: "a"}}} {
		got, err := privacy.Riskiest(none, privacy.RiskOptions{})
		require.NoError(t, err)
		require.Equal(t, []privacy.Combination{}, got)
		_, err = privacy.ClassSizes(none)
		require.NoError(t, err)
	}
}

func TestCombinationsAgreeWithKAnonymityOfTheirColumns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		columns := map[string]privacy.Column{}
		var quasi []privacy.Column
		for _, name := range words("a b c d")[:rapid.IntRange(1, 4).Draw(t, "columns")] {
			c := privacy.Column{Name: name, Values: rapid.SliceOfN(rapid.SampledFrom(words("x y z w")), n, n).Draw(t, name)}
			columns[name], quasi = c, append(quasi, c)
		}
		got, err := privacy.Riskiest(quasi, privacy.RiskOptions{})
		require.NoError(t, err)
		for i, c := range got {
			var own []privacy.Column
			for _, name := range c.Columns {
				own = append(own, columns[name])
			}
			k, err := privacy.KAnonymity(own, make([]string, n))
			require.NoError(t, err)
			require.Equal(t, []int{k.Classes, k.KMin, k.UniqueRows, k.RowsInSmallClasses}, []int{c.Classes, c.KMin, c.UniqueRows, c.RowsBelowK})
			worst := 0
			for left := range own {
				if fewer := slices.Delete(slices.Clone(own), left, left+1); len(fewer) > 0 {
					without, err := privacy.KAnonymity(fewer, make([]string, n))
					require.NoError(t, err)
					worst = max(worst, without.UniqueRows)
				}
			}
			require.Equal(t, c.UniqueRows-worst, c.Gain)
			require.True(t, i == 0 || got[i-1].UniqueRows >= c.UniqueRows)
		}
	})
}

// A pair of columns with more than four million possible pairs is counted in a map, smaller ones in an array.
func TestManyValuesAreCountedAsFewAre(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	a, b := privacy.Column{Name: "a"}, privacy.Column{Name: "b"}
	for range 6000 {
		a.Values = append(a.Values, fmt.Sprint(r.IntN(5000)))
		b.Values = append(b.Values, fmt.Sprint(r.IntN(5000)))
	}
	got, err := privacy.Riskiest([]privacy.Column{a, b}, privacy.RiskOptions{})
	require.NoError(t, err)
	k, err := privacy.KAnonymity([]privacy.Column{a, b}, a.Values)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, got[0].Columns)
	require.Equal(t, []int{k.Classes, k.UniqueRows}, []int{got[0].Classes, got[0].UniqueRows})
}

func TestCombinationsOfAdultAgreeWithReference(t *testing.T) {
	content, err := os.ReadFile(sharedFile(t, "reference", "values.json"))
	require.NoError(t, err)
	var all struct {
		Privacy map[string]json.RawMessage `json:"privacy"`
	}
	require.NoError(t, json.Unmarshal(content, &all))
	adult := readAdult(t)
	tables := 0
	for name, raw := range all.Privacy {
		if !strings.HasPrefix(name, "k_anonymity_adult") {
			continue
		}
		tables++
		var want struct {
			Quasi      []string `json:"quasi_identifiers"`
			Classes    int      `json:"classes"`
			KMin       int      `json:"k_min"`
			UniqueRows int      `json:"unique_rows"`
			RowsBelow5 int      `json:"rows_in_classes_below_5"`
		}
		require.NoError(t, json.Unmarshal(raw, &want))
		var quasi []privacy.Column
		for _, q := range want.Quasi {
			quasi = append(quasi, privacy.Column{Name: q, Values: adult[q]})
		}
		got, err := privacy.Riskiest(quasi, privacy.RiskOptions{MaxSize: len(quasi)})
		require.NoError(t, err)
		whole := false
		for _, c := range got {
			if len(c.Columns) == len(quasi) {
				whole = true
				require.Equal(t, []int{want.Classes, want.KMin, want.UniqueRows, want.RowsBelow5}, []int{c.Classes, c.KMin, c.UniqueRows, c.RowsBelowK})
			}
		}
		require.True(t, whole)
		bands, err := privacy.ClassSizes(quasi)
		require.NoError(t, err)
		require.Equal(t, want.UniqueRows, bands[0].Rows)
		require.Equal(t, want.RowsBelow5, bands[0].Rows+bands[1].Rows)
	}
	require.Equal(t, 3, tables)
}

func BenchmarkRiskiest(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	quasi := make([]privacy.Column, 8)
	for k := range quasi {
		quasi[k].Name = fmt.Sprint(k)
		for range 100_000 {
			quasi[k].Values = append(quasi[k].Values, fmt.Sprint(r.IntN(5<<k)))
		}
	}
	for b.Loop() {
		_, err := privacy.Riskiest(quasi, privacy.RiskOptions{})
		require.NoError(b, err)
	}
}
