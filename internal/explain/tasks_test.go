package explain

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// predictor computes predictions of any task from the columns strong (a code), weak and idle of rows.
type predictor struct {
	schema model.Schema
	row    func(strong int32, weak float64) []float64
}

func (p predictor) Schema() model.Schema { return p.schema }

func (p predictor) Predict(_ context.Context, f *table.Frame) ([]float64, error) {
	strong, err := f.Column("strong")
	if err != nil {
		return nil, err
	}
	weak, err := f.Column("weak")
	if err != nil {
		return nil, err
	}
	var out []float64
	for i := range f.Rows {
		out = append(out, p.row(strong.Codes[i], weak.Numbers[i])...)
	}
	return out, nil
}

var features = example().Inputs.Features

// species tells three classes apart: strong decides about two of them, weak about the third.
func species() predictor {
	return predictor{model.Schema{Features: features, Task: stats.Multiclass, Classes: []string{"x", "y", "z"}}, func(strong int32, weak float64) []float64 {
		switch {
		case weak > 1.2:
			return []float64{0.1, 0.1, 0.8}
		case strong == 0:
			return []float64{0.7, 0.2, 0.1}
		}
		return []float64{0.2, 0.7, 0.1}
	}}
}

func price() predictor {
	return predictor{model.Schema{Features: features, Task: stats.Regression}, func(strong int32, weak float64) []float64 {
		return []float64{100*float64(strong) + 10*weak}
	}}
}

func namesOf(r Report) []string {
	var names []string
	for _, i := range r.Features {
		names = append(names, i.Feature)
	}
	return names
}

func keysOf(t *testing.T, v any) []string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(b, &fields))
	return slices.Sorted(maps.Keys(fields))
}

func TestAMulticlassModelIsJudgedByItsAccuracy(t *testing.T) {
	f, _ := rows(3000)
	scores, err := species().Predict(t.Context(), f)
	require.NoError(t, err)
	y := make([]int32, f.Rows)
	for i := range y {
		y[i] = int32(stats.MostProbable(scores[3*i : 3*i+3]))
	}
	y[0] = (y[0] + 1) % 3
	r, err := PermutationOfClasses(t.Context(), species(), f, y, Options{Seed: 7})
	require.NoError(t, err)
	require.Equal(t, []string{"strong", "weak", "idle", "zero"}, namesOf(r))
	require.Equal(t, stats.Multiclass, r.Task)
	require.InDelta(t, 1-1.0/3000, *r.BaseAccuracy, 1e-12)
	require.Contains(t, r.Method, "the mean fall of the accuracy and the mean rise of the log-loss")
	strong, weak, idle := r.Features[0], r.Features[1], r.Features[2]
	// Of the rows that strong decides about, half keep their value under a shuffle.
	share := 0.0
	for i := range y {
		if scores[3*i+2] < 0.5 {
			share++
		}
	}
	require.InDelta(t, share/3000/2, strong.AccuracyDrop.Value, 0.02)
	require.Greater(t, strong.AccuracyDrop.Low, weak.AccuracyDrop.High)
	require.Greater(t, weak.AccuracyDrop.Low, 0.0)
	require.Greater(t, strong.LogLossRise.Low, 0.0)
	require.Zero(t, idle.AccuracyDrop.Value)
	require.Equal(t, strong.AccuracyDrop, strong.Leading())

	require.Equal(t, []string{"base_accuracy", "base_log_loss", "features", "method", "repeats", "rows", "rows_used", "seed", "task"}, keysOf(t, r))
	require.Equal(t, []string{"accuracy_drop", "accuracy_drop_sd", "feature", "log_loss_rise", "log_loss_rise_sd"}, keysOf(t, strong))
	sampled, err := PermutationOfClasses(t.Context(), species(), f, y, Options{MaxRows: 400})
	require.NoError(t, err)
	require.Equal(t, 400, sampled.RowsUsed)
}

func TestARegressionIsJudgedByItsError(t *testing.T) {
	f, _ := rows(3000)
	y, err := price().Predict(t.Context(), f)
	require.NoError(t, err)
	for i := range y {
		y[i] += float64(i%3 - 1) // an error of 0.8165 units that no shuffle changes much
	}
	r, err := PermutationOfNumbers(t.Context(), price(), f, y, Options{Seed: 7})
	require.NoError(t, err)
	require.Equal(t, []string{"strong", "weak", "idle", "zero"}, namesOf(r))
	require.Equal(t, stats.Regression, r.Task)
	require.InDelta(t, math.Sqrt(2.0/3), *r.BaseRMSE, 1e-9)
	require.Contains(t, r.Method, "the mean rise of the root mean squared error")
	// Two independent draws of a column of variance v differ by 2 v in the mean of squares.
	require.InDelta(t, math.Sqrt(2*100*100/4+2.0/3)-math.Sqrt(2.0/3), r.Features[0].RMSERise.Value, 2)
	require.InDelta(t, math.Sqrt(2*100+2.0/3)-math.Sqrt(2.0/3), r.Features[1].RMSERise.Value, 0.7)
	require.Zero(t, r.Features[2].RMSERise.Value)
	require.Equal(t, r.Features[0].RMSERise, r.Features[0].Leading())
	require.Equal(t, []string{"base_rmse", "features", "method", "repeats", "rows", "rows_used", "seed", "task"}, keysOf(t, r))
	require.Equal(t, []string{"feature", "rmse_rise", "rmse_rise_sd"}, keysOf(t, r.Features[0]))
}

func TestABinaryReportHasTheFieldsItAlwaysHad(t *testing.T) {
	f, y := rows(200)
	r, err := Permutation(t.Context(), example(), f, y, Options{Seed: 7})
	require.NoError(t, err)
	require.Equal(t, []string{"base_auc", "base_log_loss", "features", "method", "repeats", "rows", "rows_used", "seed"}, keysOf(t, r))
	for _, i := range r.Features {
		require.Equal(t, []string{"auc_drop", "auc_drop_sd", "feature", "log_loss_rise", "log_loss_rise_sd"}, keysOf(t, i))
		require.Equal(t, i.AUCDrop, i.Leading())
	}
	b, err := json.Marshal(r.Features[0])
	require.NoError(t, err)
	require.Regexp(t, `^\{"feature":"strong","auc_drop":\{.*\},"auc_drop_sd":[0-9.e-]+,"log_loss_rise":\{.*\},"log_loss_rise_sd":[0-9.e-]+\}$`, string(b))
	var again Importance
	require.NoError(t, json.Unmarshal(b, &again))
	require.Equal(t, r.Features[0], again)
}

func TestReportsOfAllTasksAreReadBack(t *testing.T) {
	for _, i := range []Importance{
		{Feature: "<a>", AccuracyDrop: stats.Estimate{Value: 0.1, Level: Level}, AccuracyDropSD: 0.1, LogLossRise: stats.Estimate{Value: 0.2, Level: Level}, LogLossRiseSD: 0.3},
		{Feature: "b&c", RMSERise: stats.Estimate{Value: 0.1, Level: Level}, RMSERiseSD: 4},
		{Feature: "d", AUCDrop: stats.Estimate{Value: 0.1, Level: Level}},
	} {
		b, err := encode(i)
		require.NoError(t, err)
		require.Contains(t, string(b), i.Feature, "as it is")
		var again Importance
		require.NoError(t, json.Unmarshal(b, &again))
		require.Equal(t, i, again)
	}
}

func TestLabelsMustBeThoseOfTheModelsTask(t *testing.T) {
	f, y := rows(10)
	_, err := Permutation(t.Context(), price(), f, y, Options{})
	require.ErrorContains(t, err, "the labels are those of task binary, the model is of task regression")
	_, err = PermutationOfNumbers(t.Context(), example(), f, make([]float64, 10), Options{})
	require.ErrorContains(t, err, "the labels are those of task regression, the model is of task binary")
	_, err = PermutationOfClasses(t.Context(), species(), f, make([]int32, 9), Options{})
	require.ErrorContains(t, err, "9 labels for 10 rows")
	_, err = PermutationOfClasses(t.Context(), species(), f, slices.Repeat([]int32{3}, 10), Options{})
	require.ErrorContains(t, err, "row 0: the class is 3; expected an index from 0 to 2")
	_, err = PermutationOfClasses(t.Context(), species(), f, slices.Repeat([]int32{-1}, 10), Options{})
	require.ErrorContains(t, err, "row 0: the class is -1")
	_, err = PermutationOfNumbers(t.Context(), price(), f, slices.Repeat([]float64{math.NaN()}, 10), Options{})
	require.ErrorContains(t, err, "row 0: the prediction or the truth is not a finite number")
	_, err = PermutationOfNumbers(t.Context(), price(), f, slices.Repeat([]float64{1e300}, 10), Options{})
	require.ErrorContains(t, err, "the squared errors are too large to be added")
}
