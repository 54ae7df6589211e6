package table

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAFrameIsReadAsItWasWritten(t *testing.T) {
	store := newStore(t)
	f := &Frame{Rows: 4, Columns: []Column{
		{Name: "n", Kind: Numeric, Numbers: []float64{1, math.NaN(), -0.125, 1e300}},
		{Name: "a \"b\"", Kind: Categorical, Codes: []int32{1, 0, -1, 1}, Levels: []string{"", "zwölf"}},
	}}
	ref, err := WriteFrame(t.Context(), store, f, small)
	require.NoError(t, err)
	again, err := WriteFrame(t.Context(), store, f, Limits{Threads: 1})
	require.NoError(t, err)
	require.Equal(t, ref, again)
	got, err := ReadFrame(t.Context(), store, ref, []Wanted{{"n", Numeric}, {"a \"b\"", Categorical}}, small)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(f, got, cmpopts.EquateNaNs()))

	got, err = ReadFrame(t.Context(), store, ref, nil, small)
	require.NoError(t, err)
	require.Equal(t, 4, got.Rows)
}

func TestAFrameOfUnequalColumnsIsNotWritten(t *testing.T) {
	_, err := WriteFrame(t.Context(), newStore(t), &Frame{Rows: 2, Columns: []Column{{Name: "n", Kind: Numeric, Numbers: []float64{1}}}}, small)
	require.ErrorContains(t, err, `column "n" has 1 values; expected 2`)
}

func TestNumbersReadAsCategoriesAreNamedWithoutAPoint(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", "i,n,b\n1,10.0,true\n1000000,0.5,false\n,2,\n"))
	f, err := ReadFrame(t.Context(), store, snap.Data, []Wanted{{"i", Categorical}, {"n", Categorical}, {"b", Categorical}}, small)
	require.NoError(t, err)
	require.Equal(t, []Column{
		{Name: "i", Kind: Categorical, Codes: []int32{0, 1, -1}, Levels: []string{"1", "1000000"}},
		{Name: "n", Kind: Categorical, Codes: []int32{1, 0, 2}, Levels: []string{"0.5", "10", "2"}},
		{Name: "b", Kind: Categorical, Codes: []int32{1, 0, -1}, Levels: []string{"false", "true"}},
	}, f.Columns)
	numbers, err := ReadFrame(t.Context(), store, snap.Data, []Wanted{{"i", Numeric}}, small)
	require.NoError(t, err)
	text, ok := numbers.Columns[0].Text(1)
	require.True(t, ok)
	require.Equal(t, "1000000", text, "Text and Levels agree")
}

func TestReadFrameRefuses(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", "i,t\n1,x\n"))
	_, err := ReadFrame(t.Context(), store, snap.Data, []Wanted{{"z", Numeric}}, small)
	require.ErrorContains(t, err, `no column "z"; the table has ["i" "t"]`)
	_, err = ReadFrame(t.Context(), store, snap.Data, []Wanted{{"t", Numeric}}, small)
	require.ErrorContains(t, err, `column "t" holds values of type text; expected numbers`)
	_, err = ReadFrame(t.Context(), store, snap.Data, []Wanted{{"t", "date"}}, small)
	require.ErrorContains(t, err, `wanted as "date"; expected numeric or categorical`)
}

var features = []ColumnInfo{{"age", Integer, Numeric}, {"job", Text, Categorical}}

func TestRecordsBecomeAFrame(t *testing.T) {
	f, err := NewFrame(features, []map[string]any{
		{"age": 41.0, "job": "cook", "extra": []any{}},
		{"age": json.Number("17"), "job": true},
		{"age": nil, "job": nil},
		{"age": int64(9), "job": 3.0},
	})
	require.NoError(t, err)
	want := &Frame{Rows: 4, Columns: []Column{
		{Name: "age", Kind: Numeric, Numbers: []float64{41, 17, math.NaN(), 9}},
		{Name: "job", Kind: Categorical, Codes: []int32{1, 2, -1, 0}, Levels: []string{"3", "cook", "true"}},
	}}
	require.Empty(t, cmp.Diff(want, f, cmpopts.EquateNaNs()))
}

func TestRecordsThatCannotBeUsedNameFeatureAndRowOnly(t *testing.T) {
	good := map[string]any{"age": 1.0, "job": "cook"}
	for _, c := range []struct {
		name   string
		record map[string]any
		is     error
		want   string
	}{
		{"missing number", map[string]any{"job": "secret"}, ErrFeatureMissing, `record 1: feature "age" is missing; expected a finite number or null`},
		{"missing category", map[string]any{"age": 1.0}, ErrFeatureMissing, `record 1: feature "job" is missing; expected a text, a boolean`},
		{"text for a number", map[string]any{"age": "secret", "job": "x"}, ErrFeatureMistyped, `record 1: feature "age" has a value of the wrong type; expected a finite number or null`},
		{"infinite", map[string]any{"age": math.Inf(1), "job": "x"}, ErrFeatureMistyped, `feature "age"`},
		{"boolean for a number", map[string]any{"age": true, "job": "x"}, ErrFeatureMistyped, `feature "age"`},
		{"not a number in JSON", map[string]any{"age": json.Number("secret"), "job": "x"}, ErrFeatureMistyped, `feature "age"`},
		{"list for a category", map[string]any{"age": 1.0, "job": []any{"secret"}}, ErrFeatureMistyped, `feature "job"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewFrame(features, []map[string]any{good, c.record})
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "secret")
			var feature *FeatureError
			require.True(t, errors.As(err, &feature))
			require.Equal(t, 1, feature.Row)
		})
	}
}

func TestNumberTextReadsBackAsTheSameNumber(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		v := rapid.Float64().Draw(r, "v")
		var back float64
		require.NoError(r, json.Unmarshal([]byte(NumberText(v)), &back))
		require.Equal(r, v+0, back+0)
	})
}

func TestAColumnIsAddedToATable(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", "i,t\n3,x\n1,\n2,y\n"))
	ref, err := WithColumn(t.Context(), store, snap.Data, "w", []float64{0.5, math.NaN(), 2}, small)
	require.NoError(t, err)
	again, err := WithColumn(t.Context(), store, snap.Data, "w", []float64{0.5, math.NaN(), 2}, Limits{Threads: 1})
	require.NoError(t, err)
	require.Equal(t, ref, again)
	f, err := ReadFrame(t.Context(), store, ref, []Wanted{{"i", Numeric}, {"t", Categorical}, {"w", Numeric}}, small)
	require.NoError(t, err)
	require.Equal(t, []float64{3, 1, 2}, f.Columns[0].Numbers)
	require.Equal(t, []int32{0, -1, 1}, f.Columns[1].Codes)
	require.Empty(t, cmp.Diff([]float64{0.5, math.NaN(), 2}, f.Columns[2].Numbers, cmpopts.EquateNaNs()))

	_, err = WithColumn(t.Context(), store, snap.Data, "t", []float64{1, 2, 3}, small)
	require.ErrorContains(t, err, "the table has a column of this name")
	_, err = WithColumn(t.Context(), store, snap.Data, "w", []float64{1}, small)
	require.ErrorContains(t, err, "1 values for 3 rows")
}
