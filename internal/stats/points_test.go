package stats

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPointsAreTheEstimatesOfEvaluate(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var s Sample
	for range 400 {
		p := random.Float64()
		s.Score, s.Y = append(s.Score, p), append(s.Y, random.Float64() < p)
	}
	report, err := Evaluate(s, Options{Threshold: 0.4})
	require.NoError(t, err)
	points, err := Points(s, 0.4)
	require.NoError(t, err)
	require.Len(t, points, 4)
	for name, value := range points {
		e, ok := report.Metric(name)
		require.True(t, ok, name)
		require.InDelta(t, e.Value, value, 1e-12, name)
	}
}

func TestPointsLeaveOutWhatOneClassCannotGive(t *testing.T) {
	points, err := Points(Sample{Y: []bool{true, true}, Score: []float64{0.2, 0.9}}, 0.5)
	require.NoError(t, err)
	require.NotContains(t, points, AreaUnderROC)
	require.Equal(t, 0.5, points[Accuracy])
	_, err = Points(Sample{Y: []bool{true}, Score: []float64{2}}, 0.5)
	require.ErrorContains(t, err, "probability")
}
