package stats_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/stats"
)

func evaluateNumbers(t require.TestingT, truth, predicted []float64) stats.RegressionReport {
	r, err := stats.EvaluateRegression(stats.RegressionSample{Y: truth, Predicted: predicted}, stats.Options{Seed: 1})
	require.NoError(t, err)
	return r
}

func TestRegressionMetrics(t *testing.T) {
	r := evaluateNumbers(t, []float64{1, 2, 3, 4, 5}, []float64{2, 2, 2, 5, 7})
	for name, want := range map[string]float64{
		stats.RMSE: math.Sqrt(7. / 5), stats.MAE: 1, stats.R2: 1 - 7./10, stats.MeanError: 3. / 5,
	} {
		e, ok := r.Metric(name)
		require.True(t, ok)
		require.InDelta(t, want, e.Value, 1e-12, name)
		require.Less(t, e.Low, e.Value)
		require.Greater(t, e.High, e.Value)
	}
	require.InDelta(t, 0.6, r.Residuals.Mean, 1e-12)
	require.Equal(t, 3.0, r.Residuals.TruthMean)
	require.InDelta(t, math.Sqrt(2.5), r.Residuals.TruthSD, 1e-12)
	require.Equal(t, stats.Quantile{Share: 0.5, Value: 1}, r.Residuals.Quantiles[3])
}

func TestWithoutSpreadThereIsNoValue(t *testing.T) {
	r := evaluateNumbers(t, []float64{3, 3, 3}, []float64{1, 2, 3})
	e, _ := r.Metric(stats.R2)
	require.Equal(t, stats.NoVariation, e.Undefined)
	for _, m := range evaluateNumbers(t, []float64{3}, []float64{1}).Metrics {
		require.Equal(t, "fewer than two examples, so the spread is unknown", m.Undefined, m.Name)
	}
	require.Empty(t, evaluateNumbers(t, nil, nil).Calibration)
}

func TestNumbersAreChecked(t *testing.T) {
	for _, c := range []struct {
		truth, predicted []float64
		want             string
	}{
		{[]float64{1}, nil, "1 labels and 0 predictions"},
		{[]float64{1, math.NaN()}, []float64{1, 2}, "row 1: the label or the prediction is no finite number"},
		{[]float64{1, 2}, []float64{math.Inf(1), 2}, "row 0: the label or the prediction is no finite number"},
	} {
		_, err := stats.EvaluateRegression(stats.RegressionSample{Y: c.truth, Predicted: c.predicted}, stats.Options{})
		require.ErrorContains(t, err, c.want)
	}
}

func TestDecilesDivideTheRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "n")
		truth, predicted := make([]float64, n), make([]float64, n)
		for i := range truth {
			truth[i] = float64(rapid.IntRange(-5, 5).Draw(t, "truth"))
			predicted[i] = float64(rapid.IntRange(-5, 5).Draw(t, "predicted"))
		}
		rows, last := 0, math.Inf(-1)
		r := evaluateNumbers(t, truth, predicted)
		require.LessOrEqual(t, len(r.Calibration), 10)
		for _, d := range r.Calibration {
			rows += d.N
			require.Greater(t, d.Low, last, "equal predictions stay together")
			last = d.High
			require.InDelta(t, (d.Low+d.High)/2, d.MeanPredicted, (d.High-d.Low)/2+1e-9)
		}
		require.Equal(t, n, rows)
	})
}
