package privacy_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
)

func words(text string) []string { return strings.Fields(text) }

func TestKAnonymityWorkedExample(t *testing.T) {
	// Classes: 30 F twice (yes, no), 30 M once, 40 F five times (all no), 40 M twice (both yes).
	quasi := []privacy.Column{
		{Name: "age", Values: words("30 30 30 40 40 40 40 40 40 40")},
		{Name: "sex", Values: words("F  F  M  F  F  F  F  F  M  M")},
	}
	r, err := privacy.KAnonymity(quasi, words("yes no no no no no no no yes yes"))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(privacy.Report{
		QuasiIdentifiers: []string{"age", "sex"}, Rows: 10,
		Classes: 4, KMin: 1, UniqueRows: 1, UniqueShare: 0.1, RowsInSmallClasses: 5, MeanClassSize: 2.5,
		HomogeneousClasses: 3, RowsInHomogeneous: 8,
		Metrics: []privacy.Metric{
			{Name: "k_anonymity", Estimate: stats.Exact(1, 10)},
			{Name: "unique_share", Estimate: stats.Exact(0.1, 10)},
		},
	}, r))
	e, ok := r.Metric(privacy.MetricKAnonymity)
	require.True(t, ok)
	require.Equal(t, stats.Estimate{Value: 1, Low: 1, High: 1, Level: 1, Method: "exact", N: 10}, e)
	_, ok = r.Metric("accuracy")
	require.False(t, ok)
}

func TestValuesThatRunTogetherStayApart(t *testing.T) {
	r, err := privacy.KAnonymity([]privacy.Column{
		{Name: "a", Values: []string{"ab", "a", "", "1:a"}}, {Name: "b", Values: []string{"c", "bc", "abc", ""}},
	}, []string{"0", "0", "0", "0"})
	require.NoError(t, err)
	require.Equal(t, 4, r.Classes)
}

func TestNothingToMeasure(t *testing.T) {
	for name, c := range map[string]struct {
		quasi  []privacy.Column
		target []string
		note   string
	}{
		"no quasi-identifiers": {nil, []string{"yes"}, "no quasi-identifiers"},
		"no rows":              {[]privacy.Column{{Name: "age"}}, nil, "no rows"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := privacy.KAnonymity(c.quasi, c.target)
			require.NoError(t, err)
			require.Contains(t, r.Note, c.note)
			e, ok := r.Metric(privacy.MetricUniqueShare)
			require.True(t, ok)
			require.Equal(t, r.Note, e.Undefined)
			_, err = json.Marshal(r)
			require.NoError(t, err)
		})
	}
}

func TestColumnsOfUnequalLength(t *testing.T) {
	_, err := privacy.KAnonymity([]privacy.Column{{Name: "age", Values: []string{"30"}}}, []string{"yes", "no"})
	require.EqualError(t, err, `measure k-anonymity: column "age" has 1 values and the target has 2; expected one per row of each`)
}

func TestMoreQuasiIdentifiersHideNobodyBetter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(t, "n")
		column := func(name string) privacy.Column {
			return privacy.Column{Name: name, Values: rapid.SliceOfN(rapid.SampledFrom(words("a b c")), n, n).Draw(t, name)}
		}
		first, second := column("first"), column("second")
		target := column("target").Values
		few, err := privacy.KAnonymity([]privacy.Column{first}, target)
		require.NoError(t, err)
		more, err := privacy.KAnonymity([]privacy.Column{first, second}, target)
		require.NoError(t, err)
		require.LessOrEqual(t, more.KMin, few.KMin)
		require.GreaterOrEqual(t, more.Classes, few.Classes)
		require.GreaterOrEqual(t, more.UniqueRows, few.UniqueRows)
		require.GreaterOrEqual(t, more.RowsInHomogeneous, few.RowsInHomogeneous)
	})
}

// sharedFile finds a file of the shared data beside the repository, or skips the test.
func sharedFile(t *testing.T, path ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		require.NotEqual(t, dir, filepath.Dir(dir), "no go.mod above the test")
		dir = filepath.Dir(dir)
	}
	file := filepath.Join(append([]string{dir, "..", "shared"}, path...)...)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("the reference values are not on this machine: %v", err)
	}
	return file
}

// readAdult joins the rows of both Adult files, by column.
func readAdult(t *testing.T) map[string][]string {
	t.Helper()
	columns := map[string][]string{}
	for _, name := range []string{"adult_train.csv", "adult_test.csv"} {
		f, err := os.Open(sharedFile(t, "data", "adult", name))
		require.NoError(t, err)
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		require.NoError(t, err)
		for k, column := range rows[0] {
			for _, row := range rows[1:] {
				columns[column] = append(columns[column], row[k])
			}
		}
	}
	return columns
}

func TestKAnonymityAgreesWithReference(t *testing.T) {
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
		t.Run(name, func(t *testing.T) {
			var want struct {
				QuasiIdentifiers  []string `json:"quasi_identifiers"`
				Rows              int      `json:"rows"`
				Classes           int      `json:"classes"`
				KMin              int      `json:"k_min"`
				UniqueRows        int      `json:"unique_rows"`
				RowsBelow5        int      `json:"rows_in_classes_below_5"`
				MeanClassSize     float64  `json:"mean_class_size"`
				Homogeneous       int      `json:"classes_with_one_income_value"`
				RowsInHomogeneous int      `json:"rows_in_homogeneous_classes"`
			}
			require.NoError(t, json.Unmarshal(raw, &want))
			var quasi []privacy.Column
			for _, q := range want.QuasiIdentifiers {
				quasi = append(quasi, privacy.Column{Name: q, Values: adult[q]})
			}
			r, err := privacy.KAnonymity(quasi, adult["income"])
			require.NoError(t, err)
			require.Equal(t, want.Rows, r.Rows)
			require.Equal(t, want.Classes, r.Classes)
			require.Equal(t, want.KMin, r.KMin)
			require.Equal(t, want.UniqueRows, r.UniqueRows)
			require.Equal(t, want.RowsBelow5, r.RowsInSmallClasses)
			require.InDelta(t, want.MeanClassSize, r.MeanClassSize, 1e-9)
			require.Equal(t, want.Homogeneous, r.HomogeneousClasses)
			require.Equal(t, want.RowsInHomogeneous, r.RowsInHomogeneous)
		})
	}
	require.Equal(t, 3, tables)
}

func BenchmarkKAnonymity(b *testing.B) {
	quasi := make([]privacy.Column, 5)
	for k := range quasi {
		quasi[k].Name = strconv.Itoa(k)
		for i := range 50000 {
			quasi[k].Values = append(quasi[k].Values, strconv.Itoa(i*(k+7)%(11+k)))
		}
	}
	for b.Loop() {
		_, err := privacy.KAnonymity(quasi, quasi[0].Values)
		require.NoError(b, err)
	}
}
