package fairness_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/fairness"
)

// skewed is groups of rows whose truth is exponential with the given means, and predicted as 1.
func skewed(r *rand.Rand, sizes []int, means []float64) (y, predicted []float64, column fairness.Column) {
	column.Name = "g"
	for k, n := range sizes {
		for range n {
			y, predicted = append(y, means[k]*r.ExpFloat64()), append(predicted, 1+0.1*r.NormFloat64())
			column.Groups = append(column.Groups, string(rune('a'+k)))
		}
	}
	return y, predicted, column
}

func TestNumbersWorkedExample(t *testing.T) {
	y := []float64{1, 2, 3, 4, 10, 20, 30, 40}
	predicted := []float64{2, 2, 4, 4, 8, 22, 30, 36}
	q := fairness.Question{Columns: []fairness.Column{{Name: "g", Groups: []string{"a", "a", "a", "a", "b", "b", "b", "b"}}}, MinGroup: 2}
	e, err := fairness.ExamineNumbers(y, predicted, q)
	require.NoError(t, err)
	d := e.Divisions[0]
	for k, want := range []map[string]float64{
		{fairness.MeanTruth: 2.5, fairness.MeanPrediction: 3, fairness.MeanError: 0.5, fairness.MAE: 0.5, fairness.RMSE: math.Sqrt(0.5)},
		{fairness.MeanTruth: 25, fairness.MeanPrediction: 24, fairness.MeanError: -1, fairness.MAE: 2, fairness.RMSE: math.Sqrt(6)},
	} {
		for name, value := range want {
			m, ok := d.Groups[k].Measure(name)
			require.True(t, ok)
			require.InDelta(t, value, m.Value, 1e-12, name)
			require.Less(t, m.Low, m.Value)
			require.Greater(t, m.High, m.Value)
		}
	}
	require.Equal(t, "a", d.Reference)
	require.Empty(t, d.Groups[0].Differences)
	require.InDelta(t, -1.5, d.Groups[1].Differences[2].Value, 1e-12)
	require.Equal(t, "mean_error_difference", d.Gaps[2].Name)
	require.InDelta(t, 1.5, d.Gaps[2].Value, 1e-12)
	require.Equal(t, []string{"a", "b"}, []string{d.Gaps[2].Highest, d.Gaps[2].Lowest})
}

func TestNumbersCoverTogetherAndTellAlikeGroupsApartSeldom(t *testing.T) {
	t.Parallel()
	const worlds = 500
	sizes, means := []int{40, 60, 100, 150, 300}, []float64{1, 1, 1, 1, 1}
	r := rand.New(rand.NewPCG(11, 1))
	missed, apart := map[string]int{}, map[string]int{}
	// Of an exponential truth with mean 1, predicted as 1 with a little noise.
	truth := map[string]float64{fairness.MeanTruth: 1, fairness.MeanPrediction: 1, fairness.MeanError: 0, fairness.RMSE: math.Sqrt(1.01)}
	for range worlds {
		y, predicted, column := skewed(r, sizes, means)
		e, err := fairness.ExamineNumbers(y, predicted, fairness.Question{Columns: []fairness.Column{column}, Replicates: 200})
		require.NoError(t, err)
		d := e.Divisions[0]
		for at, name := range fairness.NumberNames() {
			want, known := truth[name]
			for _, m := range d.Groups {
				if known && (m.Measures[at].Low > want || m.Measures[at].High < want) {
					missed[name]++
					break
				}
			}
			if d.Gaps[at].Low > 0 {
				apart[name]++
			}
		}
	}
	for _, name := range fairness.NumberNames() {
		require.LessOrEqual(t, float64(apart[name])/worlds, 0.025, name)
		require.LessOrEqual(t, float64(missed[name])/worlds, 0.05, name)
	}
}

func TestTheTrueGapOfMeansLiesWithinItsLimits(t *testing.T) {
	t.Parallel()
	const worlds = 200
	r := rand.New(rand.NewPCG(12, 1))
	over, under := 0, 0
	for range worlds {
		y, predicted, column := skewed(r, []int{60, 60, 100, 150, 200}, []float64{1, 2, 1.5, 1, 1.2})
		e, err := fairness.ExamineNumbers(y, predicted, fairness.Question{Columns: []fairness.Column{column}, Replicates: 200})
		require.NoError(t, err)
		g := e.Divisions[0].Gaps[0]
		require.Equal(t, "mean_truth_difference", g.Name)
		if g.Low > 1 {
			over++
		}
		if g.High < 1 {
			under++
		}
	}
	require.LessOrEqual(t, float64(over)/worlds, 0.025)
	require.LessOrEqual(t, float64(under)/worlds, 0.025)
}

func TestNumbersWithoutSpreadOrOutOfBounds(t *testing.T) {
	y, predicted, column := skewed(rand.New(rand.NewPCG(1, 1)), []int{40, 1, 40}, []float64{1, 2, 3})
	for i := range predicted {
		predicted[i] = 1
	}
	q := fairness.Question{Columns: []fairness.Column{column}}
	e, err := fairness.ExamineNumbers(y, predicted, q)
	require.NoError(t, err)
	_, err = json.Marshal(e)
	require.NoError(t, err)
	d := e.Divisions[0]
	require.Contains(t, d.Groups[0].Measures[1].Undefined, "equal")
	require.Equal(t, []fairness.SmallCount{{Name: "b", N: 1}}, d.Small)
	require.Equal(t, []string{"a", "b", "c"}, d.Gaps[1].LeftOut)
	require.InDelta(t, 2, d.Gaps[0].Value, 1.2)
	again, err := fairness.ExamineNumbers(y, predicted, q)
	require.NoError(t, err)
	require.Equal(t, e, again)

	for _, bad := range []float64{math.NaN(), math.Inf(1), 1e200} {
		y[3] = bad
		_, err = fairness.ExamineNumbers(y, predicted, q)
		require.ErrorContains(t, err, "row 3")
	}
	_, err = fairness.ExamineNumbers(y[1:], predicted, q)
	require.Error(t, err)
}

func TestClassesWorkedExample(t *testing.T) {
	// Two groups of 40: in a 30 of 40 rows are right, in b 20 of 40.
	var y []int32
	var scores []float64
	column := fairness.Column{Name: "g"}
	add := func(group string, truth, predicted, times int) {
		for range times {
			row := []float64{0.2, 0.2, 0.2}
			row[predicted] = 0.6
			y, scores, column.Groups = append(y, int32(truth)), append(scores, row...), append(column.Groups, group)
		}
	}
	add("a", 0, 0, 20)
	add("a", 1, 1, 10)
	add("a", 2, 0, 10)
	add("b", 0, 0, 10)
	add("b", 2, 2, 10)
	add("b", 2, 0, 20)
	names := []string{"x", "y", "z"}
	q := fairness.Question{Columns: []fairness.Column{column}}
	e, err := fairness.ExamineClasses(3, y, scores, names, q)
	require.NoError(t, err)
	d := e.Divisions[0]
	require.InDelta(t, 0.75, d.Groups[0].Accuracy.Value, 1e-15)
	require.InDelta(t, 0.5, d.Groups[1].Accuracy.Value, 1e-15)
	require.Equal(t, []string{fairness.AccuracyDifference, fairness.AccuracyRatio}, []string{d.Gaps[0].Name, d.Gaps[1].Name})
	require.InDelta(t, 0.25, d.Gaps[0].Value, 1e-15)
	require.Equal(t, []string{"a", "b"}, []string{d.Gaps[0].Highest, d.Gaps[0].Lowest})
	require.Len(t, e.Classes, 3)
	z := e.Classes[2]
	require.Equal(t, "z", z.Class)
	a, _ := z.Examination.Divisions[0].Member("a")
	requireRate(t, a, fairness.TPR, 0)
	b, _ := z.Examination.Divisions[0].Member("b")
	requireRate(t, b, fairness.TPR, 1./3)
	require.InDelta(t, (30*0.2+10*0.6)/40, b.Calibration.MeanScore, 1e-12)

	for name, bad := range map[string]func() error{
		"class": func() error {
			_, err := fairness.ExamineClasses(3, append([]int32{3}, y[1:]...), scores, names, q)
			return err
		},
		"names":  func() error { _, err := fairness.ExamineClasses(3, y, scores, names[1:], q); return err },
		"scores": func() error { _, err := fairness.ExamineClasses(3, y, scores[1:], names, q); return err },
		"no number": func() error {
			_, err := fairness.ExamineClasses(3, y, append([]float64{math.NaN()}, scores[1:]...), names, q)
			return err
		},
		"classes": func() error { _, err := fairness.ExamineClasses(1, y, scores, names, q); return err },
		"thresholds": func() error {
			q.Thresholds = make([]float64, len(y))
			_, err := fairness.ExamineClasses(3, y, scores, names, q)
			return err
		},
	} {
		require.Error(t, bad(), name)
	}
}
