package model

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/table"
)

var nan = math.NaN()

// example has log-odds 0.5 + 2 (age - 40)/10 (missing: -0.25) + plan (basic -1, pro 1, missing 0.5, unseen 0.125).
func example() *Logistic {
	return &Logistic{
		Kind: KindLogistic, Format: LogisticFormat,
		Inputs: Schema{
			Features: []Feature{{Name: "age", Kind: table.Numeric}, {Name: "plan", Kind: table.Categorical, Levels: []string{"basic", "pro <&>"}}},
			Target:   "paid", Positive: "yes", Negative: "no",
		},
		Intercept: 0.5,
		Terms: []Term{
			{Numeric: &NumericTerm{Mean: 40, SD: 10, Coefficient: 2, Missing: -0.25}},
			{Categorical: &CategoricalTerm{Coefficients: []float64{-1, 1}, Missing: 0.5, Unseen: 0.125}},
		},
	}
}

func ages(values ...float64) table.Column {
	return table.Column{Name: "age", Kind: table.Numeric, Numbers: values}
}

func plans(levels []string, codes ...int32) table.Column {
	return table.Column{Name: "plan", Kind: table.Categorical, Levels: levels, Codes: codes}
}

func TestPredictAddsOneEffectPerFeature(t *testing.T) {
	levels := []string{"basic", "gold", "pro <&>"}
	f := &table.Frame{Rows: 5, Columns: []table.Column{
		{Name: "extra", Kind: table.Numeric, Numbers: []float64{1, 2, 3, 4, 5}},
		plans(levels, 0, 2, -1, 1, 0),
		ages(40, 45, 30, nan, 1e300),
	}}
	got, err := example().Predict(t.Context(), f)
	require.NoError(t, err)
	for i, logit := range []float64{0.5 - 1, 0.5 + 1 + 1, 0.5 - 2 + 0.5, 0.5 - 0.25 + 0.125, 1e300} {
		require.InDelta(t, Sigmoid(logit), got[i], 1e-15, "row %d", i)
	}
}

// A dictionary larger than the table is looked up row by row; both ways give the same scores.
func TestPredictionDoesNotDependOnTheDictionary(t *testing.T) {
	one := &table.Frame{Rows: 1, Columns: []table.Column{ages(50), plans([]string{"aaa", "basic", "gold", "pro <&>"}, 3)}}
	same := &table.Frame{Rows: 2, Columns: []table.Column{ages(50, 50), plans([]string{"pro <&>"}, 0, 0)}}
	a, err := example().Predict(t.Context(), one)
	require.NoError(t, err)
	b, err := example().Predict(t.Context(), same)
	require.NoError(t, err)
	require.Equal(t, []float64{a[0], a[0]}, b)
}

func TestPredictRefusesWhatItCannotScore(t *testing.T) {
	levels := []string{"basic"}
	cases := []struct {
		name  string
		frame table.Frame
		want  string
	}{
		{"absent feature", table.Frame{Rows: 1, Columns: []table.Column{ages(1)}}, `feature "plan" is missing from the input`},
		{"name for a number", table.Frame{Rows: 1, Columns: []table.Column{{Name: "age", Kind: table.Categorical, Codes: []int32{0}, Levels: levels}, plans(levels, 0)}}, `feature "age": expected a numeric column, the input has it as categorical`},
		{"infinite number", table.Frame{Rows: 2, Columns: []table.Column{ages(1, math.Inf(1)), plans(levels, 0, 0)}}, `feature "age": row 1 is infinite`},
		{"short column", table.Frame{Rows: 2, Columns: []table.Column{ages(1), plans(levels, 0, 0)}}, `feature "age": expected 2 values, one per row, got 1`},
		{"code beyond the levels", table.Frame{Rows: 1, Columns: []table.Column{ages(1), plans(levels, 7)}}, `feature "plan": row 0 has code 7; the column has 1 levels`},
		{"code beyond many levels", table.Frame{Rows: 1, Columns: []table.Column{ages(1), plans([]string{"a", "b"}, 7)}}, `feature "plan": row 0 has code 7`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := example().Predict(t.Context(), &c.frame)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestEffectsThatCancelToNoNumberAreRefused(t *testing.T) {
	m := example()
	m.Inputs.Features = []Feature{{Name: "a", Kind: table.Numeric}, {Name: "b", Kind: table.Numeric}}
	m.Terms = []Term{{Numeric: &NumericTerm{SD: 1e-300, Coefficient: 1}}, {Numeric: &NumericTerm{SD: 1e-300, Coefficient: -1}}}
	_, err := m.Predict(t.Context(), &table.Frame{Rows: 1, Columns: []table.Column{
		{Name: "a", Kind: table.Numeric, Numbers: []float64{1e300}}, {Name: "b", Kind: table.Numeric, Numbers: []float64{1e300}},
	}})
	require.ErrorContains(t, err, "row 0: its numbers are too far from those of training")
}

func TestPredictStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := example().Predict(ctx, &table.Frame{Rows: 1, Columns: []table.Column{ages(1), plans(nil, -1)}})
	require.ErrorIs(t, err, context.Canceled)
}

func TestSigmoid(t *testing.T) {
	require.Equal(t, 0.5, Sigmoid(0))
	require.Equal(t, 1.0, Sigmoid(math.Inf(1)))
	require.Equal(t, 0.0, Sigmoid(math.Inf(-1)))
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-700, 700).Draw(t, "x")
		require.InDelta(t, 1, Sigmoid(x)+Sigmoid(-x), 1e-15)
		require.InEpsilon(t, 1/(1+math.Exp(-x)), Sigmoid(x), 1e-12)
	})
}

func TestEncodedModelReadsBackEqual(t *testing.T) {
	b, err := example().Encode()
	require.NoError(t, err)
	again, err := example().Encode()
	require.NoError(t, err)
	require.Equal(t, b, again)
	require.Equal(t, `{"kind":"logistic","format":1,"schema":{"features":[{"name":"age","kind":"numeric"},{"name":"plan","kind":"categorical","levels":["basic","pro <&>"]}],"target":"paid","positive":"yes","negative":"no"},"intercept":0.5,"terms":[{"numeric":{"mean":40,"sd":10,"coefficient":2,"missing":-0.25}},{"categorical":{"coefficients":[-1,1],"missing":0.5,"unseen":0.125}}]}`+"\n", string(b))
	p, err := Decode(b)
	require.NoError(t, err)
	require.Equal(t, example(), p)
	require.Equal(t, example().Inputs, p.Schema())
}

func TestEncodeRefusesAModelThatCouldNotBeReadBack(t *testing.T) {
	cases := []struct {
		want  string
		spoil func(*Logistic)
	}{
		{`intercept is not a finite number`, func(l *Logistic) { l.Intercept = nan }},
		{`feature "age": expected finite numbers and a standard deviation above 0`, func(l *Logistic) { l.Terms[0].Numeric.SD = 0 }},
		{`feature "age": expected finite numbers`, func(l *Logistic) { l.Terms[0].Numeric.Coefficient = math.Inf(1) }},
		{`feature "plan": 1 coefficients for 2 levels`, func(l *Logistic) { l.Terms[1].Categorical.Coefficients = []float64{1} }},
		{`feature "plan": expected finite coefficients`, func(l *Logistic) { l.Terms[1].Categorical.Unseen = nan }},
		{`feature "plan": its levels are not sorted or not distinct at level 1`, func(l *Logistic) { l.Inputs.Features[1].Levels = []string{"b", "a"} }},
		{`feature "plan": level 0 is not valid UTF-8`, func(l *Logistic) { l.Inputs.Features[1].Levels[0] = "\xff" }},
		{`feature "age" appears twice`, func(l *Logistic) { l.Inputs.Features[1].Name = "age" }},
		{`unknown kind "colour"`, func(l *Logistic) { l.Inputs.Features[0].Kind = "colour" }},
		{`feature "age" is numeric and must have no levels`, func(l *Logistic) { l.Inputs.Features[0].Levels = []string{"a"} }},
		{`its name is not valid UTF-8`, func(l *Logistic) { l.Inputs.Features[0].Name = "\xff" }},
		{`1 terms for 2 features`, func(l *Logistic) { l.Terms = l.Terms[:1] }},
		{`feature "age": expected a numeric term and no other`, func(l *Logistic) { l.Terms[0] = l.Terms[1] }},
		{`the positive and the negative value of target "paid" are equal`, func(l *Logistic) { l.Inputs.Negative = "yes" }},
		{`kind "forest" format 1: expected "logistic" format 1`, func(l *Logistic) { l.Kind = "forest" }},
	}
	for _, c := range cases {
		t.Run(c.want, func(t *testing.T) {
			l := example()
			c.spoil(l)
			_, err := l.Encode()
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	good, err := example().Encode()
	require.NoError(t, err)
	cases := []struct{ name, bytes, want string }{
		{"empty", "", `expected a JSON object with a field "kind"`},
		{"not JSON", "model", `expected a JSON object with a field "kind"`},
		{"a list", "[]", `expected a JSON object with a field "kind"`},
		{"no kind", "{}", `the field "kind" is missing; expected "logistic"`},
		{"unknown kind", `{"kind":"forest"}`, `unknown kind "forest"; this version of Assay reads "logistic"`},
		{"future format", strings.Replace(string(good), `"format":1`, `"format":2`, 1), `format 2: expected "logistic" format 1`},
		{"unknown field", strings.Replace(string(good), `"intercept"`, `"bias"`, 1), `unknown field "bias"`},
		{"trailing bytes", string(good) + "{}", "invalid character"},
		{"cut off", string(good[:40]), "unexpected end"},
		{"contradiction", strings.Replace(string(good), `[-1,1]`, `[-1]`, 1), "1 coefficients for 2 levels"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode([]byte(c.bytes))
			require.ErrorContains(t, err, c.want)
		})
	}
}

// Any damage either is refused or still gives a model that scores; nothing panics.
func TestDamagedBytesNeverPanic(t *testing.T) {
	good, err := example().Encode()
	require.NoError(t, err)
	f := &table.Frame{Rows: 1, Columns: []table.Column{ages(40), plans([]string{"basic"}, 0)}}
	rapid.Check(t, func(t *rapid.T) {
		b := append([]byte(nil), good...)
		for range rapid.IntRange(1, 3).Draw(t, "damages") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		if p, err := Decode(b); err == nil {
			_, _ = p.Predict(context.Background(), f)
		}
	})
}

func wide(rows int) (*Logistic, *table.Frame) {
	m := &Logistic{Kind: KindLogistic, Format: LogisticFormat, Inputs: Schema{Target: "t", Positive: "1", Negative: "0"}}
	f := &table.Frame{Rows: rows}
	for j := range 13 {
		levels := make([]string, 8)
		codes := make([]int32, rows)
		for k := range levels {
			levels[k] = fmt.Sprintf("level %d", k)
		}
		for i := range codes {
			codes[i] = int32((i*7 + j) % len(levels))
		}
		name := fmt.Sprintf("c%02d", j)
		m.Inputs.Features = append(m.Inputs.Features, Feature{Name: name, Kind: table.Categorical, Levels: levels})
		m.Terms = append(m.Terms, Term{Categorical: &CategoricalTerm{Coefficients: make([]float64, len(levels))}})
		f.Columns = append(f.Columns, table.Column{Name: name, Kind: table.Categorical, Levels: levels, Codes: codes})
	}
	return m, f
}

// 32,000 rows of 104 one-hot columns take about 2 ms; the bound is what the gateway's batch path can bear on a busy machine.
func TestPredictIsFast(t *testing.T) {
	m, f := wide(32_000)
	best := time.Hour
	for range 5 {
		start := time.Now()
		_, err := m.Predict(t.Context(), f)
		require.NoError(t, err)
		best = min(best, time.Since(start))
	}
	require.Less(t, best, 100*time.Millisecond)
}

func BenchmarkPredict(b *testing.B) {
	m, f := wide(32_000)
	for b.Loop() {
		if _, err := m.Predict(b.Context(), f); err != nil {
			b.Fatal(err)
		}
	}
}

func TestManifestJSONIsStable(t *testing.T) {
	m := Manifest{Kind: KindLogistic, Trainer: "logistic", Environment: CurrentEnvironment()}
	a, err := json.Marshal(m)
	require.NoError(t, err)
	b, err := json.Marshal(m)
	require.NoError(t, err)
	require.Equal(t, a, b)
	require.NotEmpty(t, m.Environment.Go)
	require.NotEmpty(t, m.Environment.Assay)
	var back Manifest
	require.NoError(t, json.Unmarshal(a, &back))
	require.Equal(t, m, back)
}
