package serve

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
)

var (
	species = expected{task: stats.Multiclass, classes: []string{"<a>", "b", "s3cr3t"}}
	price   = expected{task: stats.Regression}
)

func TestMulticlassAnswersThatAreUnderstood(t *testing.T) {
	two := []float64{0.5, 0.25, 0.25, 0, 0.125, 0.875}
	for name, body := range map[string]string{
		"predictions":             `{"predictions": [[0.5, 0.25, 0.25], [0, 0.125, 0.875]]}`,
		"outputs":                 `{"outputs": [[0.5, 0.25, 0.25], [0, 0.125, 0.875]]}`,
		"a bare list":             `[[0.5, 0.25, 0.25], [0, 0.125, 0.875]]`,
		"probabilities":           `[{"probabilities": [0.5, 0.25, 0.25]}, {"probabilities": [0, 0.125, 0.875], "label": "b"}]`,
		"probabilities by class":  `[{"probabilities": {"b": 0.25, "<a>": 0.5, "s3cr3t": 0.25}}, {"probabilities": {"s3cr3t": 0.875, "b": 0.125, "<a>": 0}}]`,
		"lines":                   "0.5,0.25,0.25\n0,0.125,0.875\n",
		"lines that end as on PC": "0.5, 0.25, 0.25\r\n0, 0.125, 0.875\r\n",
	} {
		got, err := readAnswer("", []byte(body), 2, species)
		require.NoError(t, err, name)
		require.Equal(t, two, got, name)
	}
	got, err := readAnswer("text/csv", []byte("0.333,0.333,0.333"), 1, species)
	require.NoError(t, err, "few digits")
	require.Equal(t, []float64{0.333, 0.333, 0.333}, got)
	got, err = readAnswer("", []byte(strings.Repeat("0,1,0.0\n", labelRows)), labelRows, species)
	require.NoError(t, err, "a model that is sure, and says so with a point")
	require.Len(t, got, 3*labelRows)
}

func TestRegressionAnswersThatAreUnderstood(t *testing.T) {
	two := []float64{-250000, 0.5}
	for name, body := range map[string]string{
		"predictions": `{"predictions": [-250000, 0.5]}`,
		"outputs":     `{"outputs": [-2.5e5, 0.5]}`,
		"a bare list": `[-250000.0, 0.5]`,
		"columns":     `{"predictions": [[-250000], [0.5]]}`,
		"score":       `[{"score": -250000}, {"score": 0.5}]`,
		"prediction":  `[{"prediction": -250000}, {"prediction": 0.5}]`,
		"lines":       "-250000\n0.5\n",
		"one line":    "-250000,0.5",
	} {
		got, err := readAnswer("", []byte(body), 2, price)
		require.NoError(t, err, name)
		require.Equal(t, two, got, name)
	}
	got, err := readAnswer("", []byte(strings.Repeat("1\n", labelRows)), labelRows, price)
	require.NoError(t, err, "whole numbers are numbers")
	require.Len(t, got, labelRows)
}

func TestAnswersOfOtherTasksThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		task expected
		body string
		rows int
		row  int
		want string
	}{
		{"labels", species, `["s3cr3t", "b"]`, 2, 0, "row 0 is a text: a class label; answer the probabilities of all classes, in the order of ASSAY_CLASSES; in scikit-learn predict_proba"},
		{"labels as numbers", species, `[2, 0]`, 2, 0, "row 0 is a number: a class label"},
		{"labels on lines", species, "2\n0\n", 2, 0, "row 0 is a list of 1 for 3 classes: a class label"},
		{"labels as words on lines", species, "s3cr3t\nb\n", 2, 0, "row 0 is a list of 1 for 3 classes: a class label"},
		{"labels in lists", species, `[["s3cr3t", "b", "b"]]`, 1, 0, "row 0 is a text: a class label"},
		{"one of them for each class", species, "[" + strings.TrimSuffix(strings.Repeat("[0, 1, 0],", labelRows), ",") + "]", labelRows, -1, "nothing but the whole numbers 0 and 1: class labels"},
		{"another number of classes", species, `[[0.31337, 0.68663]]`, 1, 0, "row 0 is a list of 2 for 3 classes"},
		{"all numbers in one list", species, `{"predictions": [0.31337, 0.5, 0.2, 0.1, 0.1, 0.8]}`, 2, -1, "it holds 6 elements for 2 rows"},
		{"logits", species, `[[2.31337, -1, 0.5]]`, 1, 0, "row 0 is a number outside [0, 1]; the server answers scores of another kind: answer the probabilities"},
		{"scores one against all", species, `[[0.2, 0.5, 0.3], [0.9, 0.8, 0.31337]]`, 2, 1, "row 1 has probabilities that do not sum to 1 within 0.001; the server answers scores of another kind"},
		{"a NaN", species, `[[0.2, NaN, 0.3]]`, 1, 0, "row 0 is null or NaN"},
		{"null", species, `[null]`, 1, 0, "row 0 is null where a list of probabilities is expected"},
		{"a score alone", species, `[{"score": 0.31337}]`, 1, 0, `row 0 is an object without "probabilities"; expected`},
		{"a class missing", species, `[{"probabilities": {"b": 0.31337, "<a>": 0.68663}}]`, 1, 0, "row 0 has no probability for class 2 of ASSAY_CLASSES"},
		{"a class too many", species, `[{"probabilities": {"b": 0.31337, "<a>": 0.3, "s3cr3t": 0.38663, "d": 0}}]`, 1, 0, "row 0 has probabilities of 1 classes that are not in ASSAY_CLASSES"},
		{"both forms", species, `[{"probabilities": [0.2, 0.5, 0.3]}, {"probabilities": {"b": 0.2, "<a>": 0.5, "s3cr3t": 0.3}}]`, 2, 1, "row 1 has the form"},

		{"a text", price, `["s3cr3t"]`, 1, 0, "row 0 is a text; expected a finite number for every row"},
		{"a truth value", price, `[true]`, 1, 0, "row 0 is a truth value; expected a finite number"},
		{"a NaN number", price, `[31337, NaN]`, 2, 1, "row 1 is null or NaN; expected a finite number"},
		{"infinity", price, "31337\ninf", 2, 1, "row 1 is NaN or infinite"},
		{"beyond all numbers", price, `[31337, -1e999]`, 2, 1, "row 1 is NaN or infinite"},
		{"an interval", price, `[[31337, 31338]]`, 1, 0, "row 0 is a list of 2; expected one number: expected"},
		{"probabilities", price, `[{"probabilities": [0.31337]}]`, 1, 0, `row 0 is an object without "score" and "prediction"`},
		{"a list as score", price, `[{"score": [31337]}]`, 1, 0, `row 0 has a list as "score"`},
		{"another number of rows", price, `{"predictions": [31337]}`, 2, -1, "it holds 1 elements for 2 rows; expected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readAnswer("", []byte(c.body), c.rows, c.task)
			var answer *AnswerError
			require.ErrorAs(t, err, &answer)
			require.Equal(t, c.row, answer.Row)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "31337", "it holds no values")
			require.NotContains(t, err.Error(), "s3cr3t", "it holds no values")
		})
	}
}

func TestPredictionsOfAnyTaskComeBackAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := expected{task: stats.Regression}
		numbers := rapid.SliceOfN(rapid.Float64Range(-1e300, 1e300), 1, 12).Draw(t, "numbers")
		if k := rapid.IntRange(1, 5).Draw(t, "classes"); k > 1 {
			want = expected{task: stats.Multiclass}
			for i := range k {
				want.classes = append(want.classes, strconv.Itoa(i))
			}
			numbers = nil
			for range rapid.IntRange(1, 8).Draw(t, "rows") {
				row := rapid.SliceOfN(rapid.Float64Range(0.01, 1), k, k).Draw(t, "weights")
				sum := 0.0
				for _, w := range row {
					sum += w
				}
				for _, w := range row {
					numbers = append(numbers, w/sum)
				}
			}
		}
		rows := slices.Collect(slices.Chunk(numbers, want.width()))
		asJSON, err := json.Marshal(map[string]any{"predictions": rows})
		require.NoError(t, err)
		var lines strings.Builder
		for _, row := range rows {
			texts := make([]string, len(row))
			for i, x := range row {
				texts[i] = strconv.FormatFloat(x, 'g', -1, 64)
			}
			fmt.Fprintln(&lines, strings.Join(texts, ","))
		}
		for _, body := range []string{string(asJSON), lines.String()} {
			got, err := readAnswer("", []byte(body), len(rows), want)
			require.NoError(t, err)
			require.Equal(t, numbers, got)
		}
	})
}

func TestAnswersOfManyClassesAreNotTooLarge(t *testing.T) {
	want := expected{task: stats.Multiclass}
	row := make(map[string]float64, 1000)
	for i := range 1000 {
		class := strings.Repeat("\x01", 100) + strconv.Itoa(i)
		want.classes = append(want.classes, class)
		row[class] = 1.2345678901234567e-123
	}
	b, err := json.Marshal(row)
	require.NoError(t, err)
	require.Less(t, int64(len(b)), want.rowBytes())
}

// A program of the user's answers for models of all tasks, in several requests.
func TestServersOfOtherTasks(t *testing.T) {
	for _, c := range []struct {
		name   string
		schema model.Schema
		answer func(x float64) string
		want   func(x float64) []float64
		env    []string
	}{
		{"multiclass", model.Schema{Task: stats.Multiclass, Classes: []string{"<a>", "b", "c"}},
			func(x float64) string { return fmt.Sprintf("[%g, %g, 0.25]", x/1000, 0.75-x/1000) },
			func(x float64) []float64 { return []float64{x / 1000, 0.75 - x/1000, 0.25} },
			[]string{"ASSAY_TASK=multiclass", `ASSAY_CLASSES=["<a>","b","c"]`}},
		{"regression", model.Schema{Task: stats.Regression},
			func(x float64) string { return fmt.Sprintf("[%g]", 1000*x) },
			func(x float64) []float64 { return []float64{1000 * x} },
			[]string{"ASSAY_TASK=regression"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fx := newFixture(t, "serves", func(fx *fixture) {
				features := fx.served.Inputs.Features
				fx.served.Inputs = c.schema
				fx.served.Inputs.Features, fx.served.Inputs.Target = features, "y"
				fx.served.Serve.BatchRows = 7
			})
			fx.do(func(asked call) string {
				rows := make([]string, asked.Rows)
				for i := range rows {
					rows[i] = c.answer(asked.First + float64(i))
				}
				return `raw {"predictions": [` + strings.Join(rows, ",") + "]}"
			})
			m := fx.open()
			xs := numbered(30)
			got, err := m.Predict(t.Context(), frame(xs))
			require.NoError(t, err)
			require.Len(t, got, len(xs)*m.Schema().Width())
			for i, x := range xs {
				for j, want := range c.want(x) {
					require.InDelta(t, want, got[i*m.Schema().Width()+j], 1e-12+math.Abs(want)*1e-9)
				}
			}
			for _, want := range c.env {
				require.Contains(t, fx.seen()[0].Env, want)
			}
		})
	}
}
