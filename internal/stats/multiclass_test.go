package stats_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/stats"
)

// classified makes a sample of three classes whose predictions are as given.
func classified(truth, predicted []int32) stats.MulticlassSample {
	s := stats.MulticlassSample{Classes: 3, Y: truth}
	for _, class := range predicted {
		row := []float64{0.2, 0.2, 0.2}
		row[class] = 0.6
		s.Score = append(s.Score, row...)
	}
	return s
}

func evaluateClasses(t require.TestingT, s stats.MulticlassSample) stats.MulticlassReport {
	r, err := stats.EvaluateMulticlass(s, []string{"a", "b", "c"}, stats.Options{Seed: 1})
	require.NoError(t, err)
	return r
}

func TestMacroMetricsAreMeansOverTheClassesWithRows(t *testing.T) {
	// Class c has no rows; a is predicted for two of three of its own and one of b's, which is never predicted right.
	r := evaluateClasses(t, classified([]int32{0, 0, 0, 1, 1}, []int32{0, 0, 2, 0, 2}))
	for name, want := range map[string]float64{
		stats.Accuracy:         2. / 5,
		stats.RecallMacro:      (2./3 + 0) / 2,
		stats.BalancedAccuracy: (2./3 + 0) / 2,
		stats.PrecisionMacro:   (2./3 + 0) / 2, // b is never predicted
		stats.F1Macro:          (2./3 + 0) / 2,
		stats.F1Weighted:       (3*2./3 + 0) / 5,
		stats.Kappa:            (5*2. - 9) / (25 - 9), // margins 3, 2, 0 and 3, 0, 2
		stats.MCC:              (5*2. - 9) / (math.Sqrt(25-13) * math.Sqrt(25-13)),
	} {
		e, ok := r.Metric(name)
		require.True(t, ok)
		require.InDelta(t, want, e.Value, 1e-12, name)
	}
	for _, c := range []struct{ class, metric, want string }{
		{"b", stats.Precision, "no example is predicted to be of the class"},
		{"c", stats.Recall, "no examples of the class"},
		{"c", stats.AreaUnderROC, "no positive examples"},
	} {
		e, ok := r.Class(c.class, c.metric)
		require.True(t, ok)
		require.Equal(t, c.want, e.Undefined)
	}
	_, ok := r.Class("d", stats.Recall)
	require.False(t, ok)
	require.Equal(t, [][]int{{2, 0, 1}, {1, 0, 1}, {0, 0, 0}}, r.Confusion)
}

func TestTiesGoToTheFirstClass(t *testing.T) {
	even := []float64{0.3, 0.3, 0.3, 0.1}
	require.Equal(t, 0, stats.MostProbable(even))
	for class, among := range []bool{true, true, false, false} {
		require.Equal(t, among, stats.AmongTop2(even, class))
	}
}

func TestTwoClassesAreASpecialCaseOfSeveral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		binary := mapScores(samples(2).Draw(t, "sample"), func(p float64) float64 { return (8*p + 0.5) / 9 }) // off 0 and 1
		several := stats.MulticlassSample{Classes: 2}
		for i, y := range binary.Y {
			class := int32(0)
			if y {
				class = 1
			}
			several.Y = append(several.Y, class)
			several.Score = append(several.Score, 1-binary.Score[i], binary.Score[i])
		}
		one, err := stats.Evaluate(binary, stats.Options{Threshold: 0.5 + 1e-9}) // at one half the first class is predicted
		require.NoError(t, err)
		two, err := stats.EvaluateMulticlass(several, []string{"no", "yes"}, stats.Options{})
		require.NoError(t, err)
		for _, c := range []struct{ binary, several string }{
			{stats.Accuracy, stats.Accuracy}, {stats.MCC, stats.MCC}, {stats.BalancedAccuracy, stats.BalancedAccuracy},
			{stats.LogLoss, stats.LogLoss}, {stats.AreaUnderROC, stats.AUCMacro},
		} {
			want, _ := one.Metric(c.binary)
			got, _ := two.Metric(c.several)
			if !want.Defined() || !got.Defined() {
				continue
			}
			require.InDelta(t, want.Value, got.Value, 1e-9, c.binary)
			if c.binary == stats.Accuracy || c.binary == stats.BalancedAccuracy {
				require.InDelta(t, want.Low, got.Low, 1e-9)
				require.InDelta(t, want.High, got.High, 1e-9)
			}
		}
		brier, _ := one.Metric(stats.Brier)
		twice, _ := two.Metric(stats.Brier)
		require.InDelta(t, 2*brier.Value, twice.Value, 1e-9)
	})
}

func TestAUCMacroOfTwoClassesHasDeLongsWidth(t *testing.T) {
	binary := stats.Sample{}
	several := stats.MulticlassSample{Classes: 2}
	g := stats.SplitMix64(1)
	for range 2000 {
		score := float64(g.Uint64()%1000) / 1000
		positive := float64(g.Uint64()%1000)/1000 < score
		binary.Y, binary.Score = append(binary.Y, positive), append(binary.Score, score)
		class := int32(0)
		if positive {
			class = 1
		}
		several.Y, several.Score = append(several.Y, class), append(several.Score, 1-score, score)
	}
	want := stats.AUC(binary, 0.95)
	_, influence, reason := stats.AUCMacroInfluence(several)
	require.Empty(t, reason)
	require.InEpsilon(t, (want.High-want.Low)/2/1.959963984540054, stats.InfluenceSE(influence), 1e-3)
	total := 0.0
	for _, u := range influence {
		total += u
	}
	require.InDelta(t, 0, total, 1e-12)
}

func TestSamplesOfSeveralClassesAreChecked(t *testing.T) {
	good := classified([]int32{0, 1}, []int32{0, 1})
	for _, c := range []struct {
		spoil func(*stats.MulticlassSample)
		want  string
	}{
		{func(s *stats.MulticlassSample) { s.Classes = 1 }, "the sample has 1 classes; expected at least 2"},
		{func(s *stats.MulticlassSample) { s.Score = s.Score[1:] }, "2 labels and 5 scores; expected 3 scores per row"},
		{func(s *stats.MulticlassSample) { s.Y = []int32{0, 3} }, "row 1: the class is 3; expected an index from 0 to 2"},
		{func(s *stats.MulticlassSample) { s.Score[4] = math.NaN() }, "row 1: a score is NaN; expected a probability"},
	} {
		s := good.Subset([]int{0, 1})
		c.spoil(&s)
		_, err := stats.EvaluateMulticlass(s, []string{"a", "b", "c"}, stats.Options{})
		require.ErrorContains(t, err, c.want)
	}
	_, err := stats.EvaluateMulticlass(good, []string{"a"}, stats.Options{})
	require.ErrorContains(t, err, "1 names for 3 classes")
	empty := evaluateClasses(t, stats.MulticlassSample{Classes: 3})
	for _, m := range empty.Metrics {
		require.NotEmpty(t, m.Undefined, m.Name)
	}
}

func TestResamplesByCountsMatchResamplesByRows(t *testing.T) {
	s, _ := readScores(t, "adult_test_lr")
	opt := stats.Options{Threshold: 0.5, Seed: 42, Replicates: 2000}
	rows, err := stats.Evaluate(s, opt)
	require.NoError(t, err)
	counts, err := stats.EvaluateByCounts(s, opt, true)
	require.NoError(t, err)
	for k, m := range rows.Metrics {
		got := counts.Metrics[k]
		if m.Method != stats.MethodBootstrap {
			require.Equal(t, m, got)
			continue
		}
		require.InDelta(t, m.Value, got.Value, 1e-12, m.Name)
		require.InDelta(t, m.Low, got.Low, (m.High-m.Low)/15, m.Name)
		require.InDelta(t, m.High, got.High, (m.High-m.Low)/15, m.Name)
	}
	require.Equal(t, rows.ROC, counts.ROC)
	require.Equal(t, rows.Calibration, counts.Calibration)
	_, err = stats.EvaluateByCounts(s, stats.Options{Threshold: 2}, false)
	require.ErrorContains(t, err, "threshold 2")
}
