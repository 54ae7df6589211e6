package explain

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// changed is row of f with the changes made, by their texts.
func changed(t require.TestingT, f *table.Frame, row int, changes []Change) *table.Frame {
	out := takeRows(f, []int{row})
	for _, c := range changes {
		col, err := out.Column(c.Column)
		require.NoError(t, err)
		if from, known := col.Text(0); known {
			require.Equal(t, from, c.From)
		}
		if col.Kind == table.Numeric {
			col.Numbers[0], err = strconv.ParseFloat(c.To, 64)
			require.NoError(t, err)
			continue
		}
		col.Codes[0] = int32(slices.Index(col.Levels, c.To))
		require.GreaterOrEqual(t, col.Codes[0], int32(0))
	}
	return out
}

func drawnModel(t *rapid.T) answering {
	w := rapid.SliceOfN(rapid.Float64Range(-3, 3), 5, 5).Draw(t, "weights")
	return answering{of: func(x person) []float64 {
		z := w[0]*(x.age-45)/18 + w[1]*(x.income-1600)/2000 + w[2]*x.sex + w[4]*(x.age-45)/18*x.sex
		if x.spare > 0.5 {
			z += w[3]
		}
		return []float64{model.Sigmoid(z)}
	}}
}

func TestCounterfactualsCrossAndKeepToTheRules(t *testing.T) {
	f := applicants(120)
	incomes := present(&f.Columns[1])
	rapid.Check(t, func(t *rapid.T) {
		p := drawnModel(t)
		threshold := rapid.Float64Range(0.2, 0.8).Draw(t, "threshold")
		most := rapid.Float64Range(30, 90).Draw(t, "max age")
		rules := []ColumnRule{{Column: "sex", Immutable: true}, {Column: "age", Direction: Up, Max: &most}}
		row := rapid.IntRange(0, f.Rows-1).Draw(t, "row")
		budget := rapid.IntRange(1, 400).Draw(t, "budget")
		r, err := Counterfactuals(context.Background(), p, f, []int{row}, CounterfactualGoal{Threshold: threshold}, CounterfactualOptions{Rules: rules, MaxPredictionsPerRow: budget})
		require.NoError(t, err)
		require.LessOrEqual(t, r.Predictions, budget)
		got := r.Results[0]
		require.Equal(t, r.Predictions, got.Predictions)
		require.Equal(t, got.Found, got.Reason == "")
		_, err = json.Marshal(r)
		require.NoError(t, err)
		for k, c := range got.Counterfactuals {
			after, err := p.Predict(context.Background(), changed(t, f, row, c.Changes))
			require.NoError(t, err)
			require.NotEqual(t, got.Before >= threshold, after[0] >= threshold, "it crosses")
			require.Equal(t, c.After, after[0])
			require.LessOrEqual(t, len(c.Changes), DefaultCounterfactualChanges)
			if k > 0 {
				require.GreaterOrEqual(t, c.Distance, got.Counterfactuals[k-1].Distance)
			}
			for _, change := range c.Changes {
				require.NotEqual(t, "sex", change.Column)
				to, err := strconv.ParseFloat(change.To, 64)
				require.NoError(t, err)
				switch change.Column {
				case "age":
					require.Greater(t, to, f.Columns[0].Numbers[row])
					require.LessOrEqual(t, to, min(most, 80))
					require.Equal(t, math.Trunc(to), to, "ages stay whole")
				case "income":
					require.GreaterOrEqual(t, to, incomes[0])
					require.LessOrEqual(t, to, incomes[len(incomes)-1])
				}
			}
		}
	})
}

// Of a score that is a threshold on one number, the least change is to that threshold.
func TestTheLeastChangeIsFound(t *testing.T) {
	f := applicants(300)
	p := answering{of: func(x person) []float64 { return []float64{model.Sigmoid((x.income - 1500) / 300)} }}
	f.Columns[1].Numbers[0] = 700
	r, err := Counterfactuals(t.Context(), p, f, []int{0}, CounterfactualGoal{Threshold: 0.5}, CounterfactualOptions{})
	require.NoError(t, err)
	got := r.Results[0].Counterfactuals
	require.Len(t, got, 1, "no other column matters")
	to, err := strconv.ParseFloat(got[0].Changes[0].To, 64)
	require.NoError(t, err)
	require.InDelta(t, 1501, to, 1.001, "to three digits of the unit of distance")
	require.GreaterOrEqual(t, to, 1500.0)
	require.Equal(t, []Change{{Column: "income", From: "700", To: got[0].Changes[0].To, Distance: got[0].Distance, Up: true}}, got[0].Changes)

	whole := answering{of: func(x person) []float64 { return []float64{model.Sigmoid(x.age - 41.5)} }}
	f.Columns[0].Numbers[0] = 20
	r, err = Counterfactuals(t.Context(), whole, f, []int{0}, CounterfactualGoal{Threshold: 0.5}, CounterfactualOptions{})
	require.NoError(t, err)
	require.Equal(t, "42", r.Results[0].Counterfactuals[0].Changes[0].To)
}

// Neither column alone is enough, nor are any two of three.
func TestEachRowCanHaveAThresholdOfItsOwn(t *testing.T) {
	p := answering{of: func(x person) []float64 { return []float64{x.income / 1e6} }}
	f := applicants(60)
	rows := []int{3, 4}
	scores, err := p.Predict(t.Context(), f)
	require.NoError(t, err)
	thresholds := []float64{scores[3] + 1e-9, scores[4] - 1e-9}
	r, err := Counterfactuals(t.Context(), p, f, rows, CounterfactualGoal{Thresholds: thresholds}, CounterfactualOptions{})
	require.NoError(t, err)
	require.Equal(t, "the score is on the other side of the row's own threshold", r.Goal)
	require.GreaterOrEqual(t, r.Results[0].Counterfactuals[0].After, thresholds[0], "just below its own: it has to rise")
	require.Less(t, r.Results[1].Counterfactuals[0].After, thresholds[1], "just above its own: it has to fall")
	_, err = Counterfactuals(t.Context(), p, f, rows, CounterfactualGoal{Thresholds: thresholds[:1]}, CounterfactualOptions{})
	require.ErrorContains(t, err, "1 thresholds for 2 rows")
}

func TestSeveralColumnsWhereOneIsNotEnough(t *testing.T) {
	f := applicants(200)
	f.Columns[0].Numbers[1], f.Columns[1].Numbers[1], f.Columns[3].Codes[1] = 25, 500, 0
	score := func(x person) float64 {
		return 0.1 + 0.25*min(1, x.age/60) + 0.25*min(1, x.income/3000) + 0.25*math.Min(1, x.sex)
	}
	for want, threshold := range map[int]float64{2: 0.55, 3: 0.84} {
		p := answering{of: func(x person) []float64 { return []float64{score(x)} }}
		r, err := Counterfactuals(t.Context(), p, f, []int{1}, CounterfactualGoal{Threshold: threshold}, CounterfactualOptions{})
		require.NoError(t, err)
		require.True(t, r.Results[0].Found, r.Results[0].Reason)
		require.Len(t, r.Results[0].Counterfactuals[0].Changes, want)
	}
}

func TestAWantedClassAndAWantedNumber(t *testing.T) {
	f := applicants(100)
	classes := answering{task: stats.Multiclass, classes: []string{"low", "mid", "high"}, of: func(x person) []float64 {
		switch {
		case x.age < 30:
			return []float64{0.8, 0.1, 0.1}
		case x.age < 50:
			return []float64{0.2, 0.6, 0.2}
		}
		return []float64{0.1, 0.2, 0.7}
	}}
	f.Columns[0].Numbers[0], f.Columns[0].Numbers[1] = 22, 45
	r, err := Counterfactuals(t.Context(), classes, f, []int{0, 1}, CounterfactualGoal{Class: "mid"}, CounterfactualOptions{})
	require.NoError(t, err)
	require.Equal(t, 1, r.Already)
	require.Equal(t, "low", r.Results[0].ClassBefore)
	require.Equal(t, "30", r.Results[0].Counterfactuals[0].Changes[0].To)
	require.Equal(t, 0.6, r.Results[0].Counterfactuals[0].After)
	require.Equal(t, stats.Proportion(1, 1, Level, ""), r.Found)

	number := answering{task: stats.Regression, of: func(x person) []float64 { return []float64{2 * x.age} }}
	most := 60.0
	r, err = Counterfactuals(t.Context(), number, f, []int{1}, CounterfactualGoal{AtMost: &most}, CounterfactualOptions{})
	require.NoError(t, err)
	require.Equal(t, "30", r.Results[0].Counterfactuals[0].Changes[0].To)
	require.Equal(t, "the prediction is at most 60", r.Goal)
	require.Equal(t, []ChangedColumn{{Column: "age", Rows: 1, Share: 1, Down: 1}}, r.Columns)
}

func TestOrderedLevelsMoveInTheirDirectionOnly(t *testing.T) {
	f := applicants(60)
	p := answering{of: func(x person) []float64 { return []float64{[]float64{0.9, 0.2, 0.8}[int(x.sex)]} }}
	f.Columns[3].Codes[0] = 1
	only := []ColumnRule{{Column: "sex", Levels: []string{"Female", "Male", "Other"}, Direction: Up}}
	r, err := Counterfactuals(t.Context(), p, f, []int{0}, CounterfactualGoal{Threshold: 0.5}, CounterfactualOptions{Rules: only})
	require.NoError(t, err)
	require.Len(t, r.Results[0].Counterfactuals, 1)
	require.Equal(t, "Other", r.Results[0].Counterfactuals[0].Changes[0].To)
}

func TestWhyThereIsNoCounterfactual(t *testing.T) {
	f := applicants(40)
	flat := answering{of: func(person) []float64 { return []float64{0.3} }}
	var all []ColumnRule
	for _, c := range f.Columns {
		all = append(all, ColumnRule{Column: c.Name, Immutable: true})
	}
	reason := func(opt CounterfactualOptions) string {
		r, err := Counterfactuals(t.Context(), flat, f, []int{3}, CounterfactualGoal{Threshold: 0.5}, opt)
		require.NoError(t, err)
		require.False(t, r.Results[0].Found)
		require.Zero(t, r.Found.Value)
		return r.Results[0].Reason
	}
	require.Equal(t, "no column may change", reason(CounterfactualOptions{Rules: all}))
	require.Equal(t, "no change that was tried meets the goal", reason(CounterfactualOptions{}))
	require.Equal(t, "none within the predictions allowed; allow more", reason(CounterfactualOptions{MaxPredictions: 5}))
}

func TestCounterfactualsRefuse(t *testing.T) {
	f := applicants(20)
	p := answering{of: func(x person) []float64 { return []float64{x.age / 100} }}
	nan := answering{of: func(x person) []float64 {
		if x.age == f.Columns[0].Numbers[4] {
			return []float64{0.1}
		}
		return []float64{math.NaN()}
	}}
	classes := answering{task: stats.Multiclass, classes: []string{"a"}, of: func(person) []float64 { return []float64{1} }}
	five, four := 5.0, 4.0
	half := CounterfactualGoal{Threshold: 0.5}
	for _, c := range []struct {
		p    answering
		f    *table.Frame
		rows []int
		goal CounterfactualGoal
		rule ColumnRule
		want string
	}{
		{p, &table.Frame{}, []int{0}, half, ColumnRule{Column: "age"}, "there are no rows"},
		{p, f, nil, half, ColumnRule{Column: "age"}, "no row was asked for"},
		{p, f, []int{20}, half, ColumnRule{Column: "age"}, "row 20 was asked for; the table has rows 0 to 19"},
		{p, f, []int{0}, CounterfactualGoal{}, ColumnRule{Column: "age"}, "the goal's threshold is 0"},
		{classes, f, []int{0}, CounterfactualGoal{Class: "b"}, ColumnRule{Column: "age"}, `the goal is class "b"`},
		{p, f, []int{0}, half, ColumnRule{Column: "aeg"}, `a rule names column "aeg"`},
		{p, f, []int{0}, half, ColumnRule{Column: "age", Min: &five, Max: &four}, "min 5 lies above max 4"},
		{p, f, []int{0}, half, ColumnRule{Column: "age", Levels: []string{"a"}}, "levels of a numeric column"},
		{p, f, []int{0}, half, ColumnRule{Column: "sex", Direction: Up}, "levels have no direction of their own"},
		{p, f, []int{0}, half, ColumnRule{Column: "sex", Min: &five}, "min or max of a categorical column"},
		{p, f, []int{0}, half, ColumnRule{Column: "age", Direction: "left"}, `its direction is "left"`},
		{nan, f, []int{4}, half, ColumnRule{Column: "sex"}, "row 4: the answer is no finite number"},
	} {
		_, err := Counterfactuals(t.Context(), c.p, c.f, c.rows, c.goal, CounterfactualOptions{Rules: []ColumnRule{c.rule}})
		require.ErrorContains(t, err, c.want)
	}
}

func TestCounterfactualsOnAdult(t *testing.T) {
	m := referenceModel(t)
	f, _ := adultTest(t, m)
	var rows []int
	for i := range 60 {
		rows = append(rows, i*200)
	}
	rules := []ColumnRule{{Column: "age", Immutable: true}, {Column: "sex", Immutable: true}, {Column: "race", Immutable: true}, {Column: "native-country", Immutable: true}, {Column: "education-num", Direction: Up}}
	r, err := Counterfactuals(t.Context(), m, f, rows, CounterfactualGoal{Threshold: 0.5}, CounterfactualOptions{Rules: rules})
	require.NoError(t, err)
	require.Greater(t, r.Found.Value, 0.9)
	require.LessOrEqual(t, r.MeanChanges, 4.0)
	for _, result := range r.Results {
		for _, c := range result.Counterfactuals {
			after, err := m.Predict(t.Context(), changed(t, f, result.Row, c.Changes))
			require.NoError(t, err)
			require.NotEqual(t, result.Before >= 0.5, after[0] >= 0.5)
		}
	}
	t.Logf("found %.3f, median distance %.2f, changes %.2f, predictions a row %d, columns %+v", r.Found.Value, r.MedianDistance, r.MeanChanges, r.Predictions/len(rows), r.Columns)
}
