package predictionlog_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/assay-ml/assay/internal/table"
)

var features = []model.Feature{{Name: "sex", Kind: table.Categorical}, {Name: "age", Kind: table.Numeric}}

func rows(fs ...map[string]any) []predictionlog.Record {
	records := make([]predictionlog.Record, len(fs))
	for i, f := range fs {
		records[i] = predictionlog.Record{ID: "p", Features: f}
	}
	return records
}

func TestFrame(t *testing.T) {
	f, err := predictionlog.Frame(rows(
		map[string]any{"age": 39.5, "sex": "Male", "other": 1.0},
		map[string]any{"age": nil, "sex": nil},
		map[string]any{"age": -1.0, "sex": "Female"},
		nil,
	), features)
	require.NoError(t, err)
	want := &table.Frame{Rows: 4, Columns: []table.Column{
		{Name: "sex", Kind: table.Categorical, Codes: []int32{1, -1, 0, -1}, Levels: []string{"Female", "Male"}},
		{Name: "age", Kind: table.Numeric, Numbers: []float64{39.5, math.NaN(), -1, math.NaN()}},
	}}
	require.Empty(t, cmp.Diff(want, f, cmpopts.EquateNaNs()))
}

func TestFrameRefusesAWrongKindWithoutItsValue(t *testing.T) {
	_, err := predictionlog.Frame(rows(map[string]any{"age": "secret", "sex": nil}), features)
	require.EqualError(t, err, `prediction "p": feature "age" holds a string; expected a number`)
	_, err = predictionlog.Frame(rows(map[string]any{"age": 1.0, "sex": 7.0}), features)
	require.EqualError(t, err, `prediction "p": feature "sex" holds a float64; expected a text`)
}

// What drift compares must be, to the bit, what was scored.
func TestFeaturesSurviveTheLogExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		finite := rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64)
		n := rapid.IntRange(1, 5).Draw(t, "rows")
		before := make([]predictionlog.Record, n)
		for i := range before {
			before[i].Features = map[string]any{"age": finite.Draw(t, "age"), "sex": rapid.String().Draw(t, "sex")}
		}
		b, err := json.Marshal(before)
		require.NoError(t, err)
		var after []predictionlog.Record
		require.NoError(t, json.Unmarshal(b, &after))
		want, err := predictionlog.Frame(before, features)
		require.NoError(t, err)
		got, err := predictionlog.Frame(after, features)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(want, got))
	})
}
