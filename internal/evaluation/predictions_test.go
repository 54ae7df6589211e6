package evaluation_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/stats"
)

var unlabelled = math.NaN()

// few are predictions of two classes that a case can spoil.
func few() evaluation.Predictions {
	return evaluation.Predictions{
		Task: stats.Binary, Threshold: 0.5,
		Row: []int64{11, 12, 13, 14}, Y: []float64{1, 0, 1, 0}, Score: []float64{0.9, 0.2, 0.4, 0.6}, Old: []float64{0.8, 0.6, 0.7, 0.1},
		Groups: map[string][]string{"sex": {"f", "m", "f", "m"}},
	}
}

// fewOfThree are predictions of three classes.
func fewOfThree() evaluation.Predictions {
	return evaluation.Predictions{
		Task: stats.Multiclass, Classes: []string{"ant", "bee", "cow"},
		Row: []int64{11, 12, 13}, Y: []float64{0, 1, 2}, Score: []float64{0.7, 0.2, 0.1, 0.3, 0.4, 0.3, 0.6, 0.3, 0.1},
	}
}

func TestPredictionsThatCannotBeEvaluatedAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*evaluation.Predictions)
		three bool
		want  string
	}{
		"unknown task":         {spoil: func(p *evaluation.Predictions) { p.Task = "ranking" }, want: `task "ranking"; expected binary, multiclass or regression`},
		"threshold":            {spoil: func(p *evaluation.Predictions) { p.Threshold = 1.5 }, want: "threshold 1.5; expected a score between 0 and 1"},
		"champion's threshold": {spoil: func(p *evaluation.Predictions) { p.OldThreshold = new(math.NaN()) }, want: "threshold NaN; expected a score between 0 and 1"},
		"classes of two":       {spoil: func(p *evaluation.Predictions) { p.Classes = []string{"a", "b"} }, want: "task binary has 2 classes; expected classes for task multiclass only"},
		"too few labels":       {spoil: func(p *evaluation.Predictions) { p.Y = p.Y[1:] }, want: "3 labels for 4 rows; expected 4"},
		"too few scores":       {spoil: func(p *evaluation.Predictions) { p.Score = nil }, want: "0 scores for 4 rows; expected 4"},
		"too few old scores":   {spoil: func(p *evaluation.Predictions) { p.Old = p.Old[1:] }, want: "3 scores of the champion for 4 rows; expected 4"},
		"too few groups":       {spoil: func(p *evaluation.Predictions) { p.Groups["sex"] = nil }, want: `0 groups of "sex" for 4 rows; expected 4`},
		"too few notes":        {spoil: func(p *evaluation.Predictions) { p.Known = []evaluation.Knowledge{1} }, want: "1 notes on what is known for 4 rows; expected 4"},
		"too few own values":   {spoil: func(p *evaluation.Predictions) { p.Own = map[string][]float64{"cost": {1}} }, want: `1 values of the metric "cost" for 4 rows; expected 4`},
		"row twice":            {spoil: func(p *evaluation.Predictions) { p.Row[3] = 11 }, want: "row 11 occurs twice; expected every test row once"},
		"label":                {spoil: func(p *evaluation.Predictions) { p.Y[2] = 2 }, want: "row 13: the label is not 0 or 1; check the column of the target"},
		"no label":             {spoil: func(p *evaluation.Predictions) { p.Y[2] = unlabelled }, want: "row 13 has no label but is marked as known"},
		"known unlabelled": {spoil: func(p *evaluation.Predictions) {
			p.Known = []evaluation.Knowledge{evaluation.Representative, evaluation.Chosen, evaluation.Unknown, evaluation.Chosen}
		}, want: "row 13 has a label but is marked as unknown; mark it 1 (representative) or 2 (chosen)"},
		"knowledge":       {spoil: func(p *evaluation.Predictions) { p.Known = []evaluation.Knowledge{1, 1, 9, 1} }, want: "row 13: what is known has the number 9; expected 0 to 2"},
		"score":           {spoil: func(p *evaluation.Predictions) { p.Score[1] = 1.01 }, want: "row 12: the model gives a score that is no probability between 0 and 1"},
		"score not known": {spoil: func(p *evaluation.Predictions) { p.Score[1] = math.NaN() }, want: "row 12: the model gives a score that is no probability"},
		"old score":       {spoil: func(p *evaluation.Predictions) { p.Old[3] = -0.1 }, want: "row 14: the champion gives a score that is no probability"},
		"own value":       {spoil: func(p *evaluation.Predictions) { p.Own = map[string][]float64{"cost": {1, 2, math.NaN(), 3}} }, want: `row 13: the metric "cost" gives no finite number`},
		"number":          {spoil: func(p *evaluation.Predictions) { p.Task, p.Score[3] = stats.Regression, math.Inf(1) }, want: "row 14: the model predicts no finite number"},
		"truth":           {spoil: func(p *evaluation.Predictions) { p.Task, p.Y[3] = stats.Regression, math.Inf(1) }, want: "row 14: the label is not a finite number"},

		"one class":        {three: true, spoil: func(p *evaluation.Predictions) { p.Classes = p.Classes[:1] }, want: "task multiclass has 1 classes; expected 2 to 1000"},
		"class twice":      {three: true, spoil: func(p *evaluation.Predictions) { p.Classes[1] = "ant" }, want: "a class is named twice; expected 3 different names"},
		"width":            {three: true, spoil: func(p *evaluation.Predictions) { p.Score = p.Score[:6] }, want: "6 scores for 3 rows; expected 9"},
		"index of a class": {three: true, spoil: func(p *evaluation.Predictions) { p.Y[1] = 3 }, want: "row 12: the label is not the index of a class, 0 to 2"},
		"part of a class":  {three: true, spoil: func(p *evaluation.Predictions) { p.Y[1] = 0.5 }, want: "row 12: the label is not the index of a class, 0 to 2"},
		"sum":              {three: true, spoil: func(p *evaluation.Predictions) { p.Score[3] = 0.9 }, want: "row 12: the probabilities that the model gives sum to 1.6; expected 1 within 0.01"},
	} {
		t.Run(name, func(t *testing.T) {
			p := few()
			if c.three {
				p = fewOfThree()
			}
			require.NoError(t, p.Validate())
			c.spoil(&p)
			require.ErrorContains(t, p.Validate(), c.want)
			_, err := evaluation.Evaluate(p, evaluation.Options{})
			require.ErrorContains(t, err, c.want)
			_, err = evaluation.NewSource(p, evaluation.SourceOptions{})
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestChampionOfOtherRowsIsRefused(t *testing.T) {
	p := few()
	for name, c := range map[string]struct {
		row   []int64
		score []float64
		want  string
	}{
		"another row": {[]int64{11, 12, 15, 14}, make([]float64, 4), "prediction 3 is of row 13, the champion's of row 15; expected the same test rows"},
		"fewer rows":  {[]int64{11, 12, 13}, make([]float64, 3), "it has no prediction of row 14; expected the same 4 test rows"},
		"more rows":   {[]int64{11, 12, 13, 14, 15}, make([]float64, 5), "it has a prediction of row 15, the model has none"},
		"width":       {[]int64{11, 12, 13, 14}, make([]float64, 8), "8 scores for 4 rows; expected 4: it must predict the same classes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.WithChampion(c.row, c.score)
			require.ErrorContains(t, err, c.want)
		})
	}
	with, err := p.WithChampion(p.Row, []float64{0, 0, 1, 1})
	require.NoError(t, err)
	require.Equal(t, []float64{0, 0, 1, 1}, with.Old)
}

func TestNothingIsEvaluatedWithoutRows(t *testing.T) {
	for _, p := range []evaluation.Predictions{
		{Task: stats.Binary}, {Task: stats.Multiclass, Classes: []string{"a", "b", "c"}}, {Task: stats.Regression},
		{Task: stats.Binary, Old: []float64{}}, {Task: stats.Multiclass, Classes: []string{"a", "b", "c"}, Old: []float64{}}, {Task: stats.Regression, Old: []float64{}},
	} {
		r, err := evaluation.Evaluate(p, evaluation.Options{})
		require.NoError(t, err)
		for _, m := range r.Overall.Metrics() {
			require.NotEmpty(t, m.Undefined, m.Name)
		}
	}
}
