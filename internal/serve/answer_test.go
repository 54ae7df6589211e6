package serve

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/stats"
)

func binary(positive int) expected { return expected{task: stats.Binary, positive: positive} }

func TestAnswersThatAreUnderstood(t *testing.T) {
	two := []float64{0.25, 0.75}
	for _, c := range []struct {
		name, contentType, body string
		positive                int
		want                    []float64
	}{
		{"predictions", "application/json", `{"predictions": [0.25, 0.75]}`, 1, two},
		{"outputs, and more beside", "application/json", `{"model": "m", "outputs": [0.25, 0.75]}`, 1, two},
		{"a bare list", "application/json", ` [0.25, 0.75] `, 1, two},
		{"JSON that says it is text", "text/plain", `{"predictions": [0.25, 0.75]}`, 1, two},
		{"probabilities of both classes", "", `{"predictions": [[0.75, 0.25], [0.25, 0.75]]}`, 1, two},
		{"the positive class first", "", `[[0.25, 0.75], [0.75, 0.25]]`, 0, two},
		{"three classes", "", `[[0.1, 0.65, 0.25], [0.1, 0.15, 0.75]]`, 2, two},
		{"lists of one", "", `[[0.25], [0.75]]`, 1, two},
		{"score", "", `{"predictions": [{"score": 0.25, "predicted_label": 0}, {"score": 0.75, "predicted_label": 1}]}`, 1, two},
		{"probability", "", `[{"probability": 0.25, "label": "no"}, {"probability": 0.75, "label": "yes"}]`, 1, two},
		{"probabilities", "", `[{"probabilities": [0.75, 0.25]}, {"probabilities": [0.25, 0.75]}]`, 1, two},
		{"lines", "text/csv", "0.25\n0.75\n", 1, two},
		{"lines that end as on Windows", "text/csv; charset=utf-8", "0.25\r\n0.75\r\n", 1, two},
		{"lines of both classes", "text/csv", "0.75, 0.25\n0.25, 0.75", 1, two},
		{"all rows on one line", "text/csv", "0.25,0.75", 1, two},
		{"one row of both classes", "text/csv", "0.75,0.25", 1, []float64{0.25}},
		{"one number", "text/plain", "2.5e-1", 1, []float64{0.25}},
		{"a hair outside", "", `[-1e-10, 1.0000000001]`, 1, []float64{0, 1}},
		{"whole numbers in few rows", "", `[0, 1]`, 1, []float64{0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readAnswer(c.contentType, []byte(c.body), len(c.want), binary(c.positive))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	many := func(e string) string { return "[" + strings.TrimSuffix(strings.Repeat(e+",", labelRows), ",") + "]" }
	for _, c := range []struct {
		name, body string
		rows       int
		row        int
		want       string
	}{
		{"nothing", ``, 1, -1, "it holds 0 elements for 1 rows"},
		{"too few", `[0.1]`, 2, -1, "it holds 1 elements for 2 rows"},
		{"too many", `{"predictions": [0.1, 0.2, 0.3]}`, 2, -1, "it holds 3 elements for 2 rows"},
		{"too many lines", "0.1\n0.2\n0.3", 2, -1, "it holds 3 elements for 2 rows"},
		{"no list", `{"predictions": 0.31337}`, 1, -1, "where its list of rows should be there is a number"},
		{"another object", `{"scores": [0.31337]}`, 1, -1, `it is an object without "predictions" and "outputs"`},
		{"two lists", `{"predictions": [0.31337], "outputs": [0.1]}`, 1, -1, `it has both "predictions" and "outputs"`},
		{"cut off", `{"predictions": [0.31337`, 1, -1, "it is neither JSON nor lines of numbers"},
		{"two values", `[0.31337] [0.1]`, 1, -1, "it is neither JSON nor lines of numbers"},
		{"a header line", "probability\n0.31337", 2, 0, "row 0 is a text: a class label"},
		{"NaN in JSON", `{"text": "NaN \" NaN", "predictions": [0.31337, NaN]}`, 2, 1, "row 1 is null or NaN"},
		{"infinity in JSON", `[0.31337, -Infinity]`, 2, 1, "row 1 is null or NaN"},
		{"NaN in text", "0.31337\nnan", 2, 1, "row 1 is NaN"},
		{"null", `[0.31337, null]`, 2, 1, "row 1 is null or NaN"},
		{"above 1", `[0.31337, 1.0001]`, 2, 1, "row 1 is a number outside [0, 1]; the server answers class labels or raw margins"},
		{"below 0", `[0.31337, -31337]`, 2, 1, "row 1 is a number outside [0, 1]"},
		{"beyond all numbers", `[0.31337, 1e999]`, 2, 1, "row 1 is a number outside [0, 1]"},
		{"infinity in text", "0.31337\ninf", 2, 1, "row 1 is a number outside [0, 1]"},
		{"labels", `["s3cr3t", "s3cr3t"]`, 2, 0, `row 0 is a text: a class label; the server answers class labels: answer probabilities; in scikit-learn predict_proba, in MLflow pyfunc_predict_fn="predict_proba"`},
		{"truth values", `[true, false]`, 2, 0, "row 0 is a truth value: a class label"},
		{"labels as numbers", many("1"), labelRows, -1, "every row has the whole number 0 or 1: class labels"},
		{"labels as text", strings.Repeat("0\n", labelRows), labelRows, -1, "every row has the whole number 0 or 1: class labels"},
		{"mixed forms", `[0.31337, [0.5, 0.5]]`, 2, 1, "row 1 has the form a list of 2, and row 0 the form p; expected the same form for all rows"},
		{"lists of different lengths", `[[0.31337, 0.5], [0.5]]`, 2, 1, "row 1 has the form a list of 1, and row 0 the form a list of 2"},
		{"objects of different forms", `[{"score": 0.31337}, {"probability": 0.5}]`, 2, 1, `row 1 has the form {"probability": p}, and row 0 the form {"score": p}`},
		{"an empty list", `[[]]`, 1, 0, "row 0 is an empty list"},
		{"a list of lists", `[[[0.31337]]]`, 1, 0, "row 0 is a list that holds a list"},
		{"an object of something else", `[{"label": "s3cr3t"}]`, 1, 0, `row 0 is an object without "score", "probability" and "probabilities"`},
		{"an object of two", `[{"score": 0.31337, "probability": 0.5}]`, 1, 0, `row 0 has more than one of "score", "probability" and "probabilities"`},
		{"a list as score", `[{"score": [0.31337]}]`, 1, 0, `row 0 has a list as "score"`},
		{"a number as probabilities", `[{"probabilities": 0.31337}]`, 1, 0, `row 0 has a number as "probabilities"`},
		{"a web page", `<html>s3cr3t</html>`, 1, 0, "row 0 is a text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readAnswer("", []byte(c.body), c.rows, binary(1))
			var answer *AnswerError
			require.ErrorAs(t, err, &answer)
			require.Equal(t, c.row, answer.Row)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "31337", "it holds no values")
			require.NotContains(t, err.Error(), "s3cr3t", "it holds no values")
		})
	}
}

func TestThePositiveClassMustHaveAPlace(t *testing.T) {
	_, err := readAnswer("", []byte(`[[0.3, 0.7]]`), 1, binary(2))
	require.ErrorContains(t, err, "row 0 is a list of 2, which has no element 2; serve.positive_index must be the positive class's place")
}

func TestWholeNumbersWithAPointAreProbabilities(t *testing.T) {
	got, err := readAnswer("", []byte("["+strings.Repeat("1.0,", labelRows-1)+"0]"), labelRows, binary(1))
	require.NoError(t, err)
	require.Equal(t, []float64{1, 0}, got[labelRows-2:])
}

func TestAnyBytesAreAnAnswerOrAnError(t *testing.T) {
	pieces := rapid.SampledFrom([]string{"[", "]", "{", "}", ",", ":", "\n", "0.5", "1", "-1", "NaN", "null", "true", `"a"`, `"predictions"`, `"score"`, "\\", `"`, " ", "\xff"})
	rapid.Check(t, func(t *rapid.T) {
		body := strings.Join(rapid.SliceOfN(pieces, 0, 12).Draw(t, "body"), "")
		n := rapid.IntRange(1, 3).Draw(t, "rows")
		scores, err := readAnswer(rapid.SampledFrom([]string{"", "application/json", "text/csv"}).Draw(t, "type"), []byte(body), n, binary(1))
		if err != nil {
			var answer *AnswerError
			require.True(t, errors.As(err, &answer))
			require.Less(t, answer.Row, n)
			return
		}
		require.Len(t, scores, n)
		for _, s := range scores {
			require.True(t, s >= 0 && s <= 1)
		}
	})
}

func TestScoresComeBackAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 20).Draw(t, "scores")
		asJSON, err := json.Marshal(map[string]any{"predictions": want})
		require.NoError(t, err)
		var lines strings.Builder
		for _, s := range want {
			lines.WriteString(strconv.FormatFloat(s, 'g', -1, 64) + "\n")
		}
		for _, body := range []string{string(asJSON), lines.String()} {
			got, err := readAnswer("", []byte(body), len(want), binary(1))
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})
}
