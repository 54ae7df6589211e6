package privacy_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
)

func TestBoundOfAnyAttack(t *testing.T) {
	require.Zero(t, privacy.Bound(0, 0))
	require.InDelta(t, 0.1, privacy.Bound(0, 0.1), 1e-15)
	require.InDelta(t, (math.E-1)/(math.E+1), privacy.Bound(1, 0), 1e-15)
	require.InDelta(t, (math.E-1+2e-5)/(math.E+1), privacy.Bound(1, 1e-5), 1e-15)
	require.Equal(t, 1.0, privacy.Bound(1e6, 0))
	require.Equal(t, 1.0, privacy.Bound(math.Inf(1), 0))
	for _, broken := range []float64{math.NaN(), -1} {
		require.Equal(t, 1.0, privacy.Bound(broken, 0))
		require.Equal(t, 1.0, privacy.Bound(1, broken))
		require.Equal(t, 1.0, privacy.BoundTPR(broken, 0, 0.1))
		require.Equal(t, 1.0, privacy.BoundTPR(1, 0, broken))
	}
	require.InDelta(t, math.E*0.01+1e-5, privacy.BoundTPR(1, 1e-5, 0.01), 1e-15)
	require.InDelta(t, 1-0.1/math.E, privacy.BoundTPR(1, 0, 0.9), 1e-15)
	require.Zero(t, privacy.BoundTPR(5, 0, 0))
	require.Zero(t, privacy.BoundTPR(math.Inf(1), 0, 0))
	require.Equal(t, 1.0, privacy.BoundTPR(math.Inf(1), 0, 1e-3))
}

func TestBoundIsTheLargestGapOfTheBoundedCurve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		epsilon := rapid.Float64Range(0, 8).Draw(t, "epsilon")
		delta := rapid.Float64Range(0, 0.2).Draw(t, "delta")
		fpr := rapid.Float64Range(0, 1).Draw(t, "fpr")
		require.LessOrEqual(t, privacy.BoundTPR(epsilon, delta, fpr)-fpr, privacy.Bound(epsilon, delta)+1e-12)
		corner := (1 - delta) / (math.Exp(epsilon) + 1) // where both limits of the curve meet
		require.InDelta(t, privacy.Bound(epsilon, delta), privacy.BoundTPR(epsilon, delta, corner)-corner, 1e-12)
	})
}

func TestEpsilonRefutedByCounts(t *testing.T) {
	// 1000 of 1000 members and no non-member: each limit of a quarter of 0.05 is 0.0125^(1/1000) away from its end.
	p := 1 - math.Pow(0.0125, 1e-3)
	require.InDelta(t, math.Log((1-p)/p), privacy.EpsilonLower(1000, 1000, 0, 1000, 0, 0.05), 1e-8)
	require.InDelta(t, math.Log((1-p-0.1)/p), privacy.EpsilonLower(1000, 1000, 0, 1000, 0.1, 0.05), 1e-8)
	require.Zero(t, privacy.EpsilonLower(500, 1000, 500, 1000, 0, 0.05))
	for _, broken := range [][4]int{{-1, 10, 0, 10}, {11, 10, 0, 10}, {5, 10, -1, 10}, {5, 10, 11, 10}, {0, 0, 0, 10}, {5, 10, 0, 0}} {
		require.Zero(t, privacy.EpsilonLower(broken[0], broken[1], broken[2], broken[3], 0, 0.05))
	}
	require.Zero(t, privacy.EpsilonLower(1000, 1000, 0, 1000, math.NaN(), 0.05))
	require.Zero(t, privacy.EpsilonLower(1000, 1000, 0, 1000, 0, 0))
}

func TestTrueEpsilonIsSeldomRefuted(t *testing.T) {
	// Randomised response: an answer tells membership rightly with odds of e^epsilon, which is exactly epsilon-private.
	random := rand.New(rand.NewPCG(2, 9))
	const times, epsilon = 200, 1.0
	right := math.Exp(epsilon) / (math.Exp(epsilon) + 1)
	refuted, found := 0, 0.0
	for k := range times {
		var losses [2]privacy.Losses
		for side := range losses {
			for range 1000 {
				value := float64(side)
				if random.Float64() > right {
					value = 1 - value
				}
				losses[side].Values = append(losses[side].Values, value)
			}
		}
		r, err := privacy.LossThreshold(losses[0], losses[1], privacy.AttackOptions{Seed: uint64(k)})
		require.NoError(t, err)
		require.Equal(t, 500, r.Epsilon.Members)
		refuted += count(r.Epsilon.Low > epsilon)
		found += r.Epsilon.Low / times
		require.LessOrEqual(t, r.Advantage.Low, privacy.Bound(epsilon, 0))
	}
	require.LessOrEqual(t, stats.BinomialLower(refuted, times, 1e-3), 0.05)
	require.Greater(t, found, 0.6)
}

func TestLossesOfEachTask(t *testing.T) {
	losses, err := privacy.LogLosses([]bool{true, false, true, false}, []float64{0.25, 0.25, 0, 1}, 0)
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{math.Log(4), math.Log(4.0 / 3), 15 * math.Log(10), 15 * math.Log(10)}, losses, 1e-1)
	require.InDelta(t, math.Log(4), losses[0], 1e-15)
	losses, err = privacy.LogLosses([]bool{true, false}, []float64{0, 1}, 0.01)
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{math.Log(100), math.Log(100)}, losses, 1e-12)
	losses, err = privacy.ClassLosses(stats.MulticlassSample{Classes: 3, Y: []int32{2, 0}, Score: []float64{0.2, 0.3, 0.5, 0, 0.5, 0.5}}, 0.1)
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{math.Log(2), math.Log(10)}, losses, 1e-12)
	losses, err = privacy.SquaredErrors([]float64{1, 2}, []float64{3, 2})
	require.NoError(t, err)
	require.Equal(t, []float64{4, 0}, losses)
}

func TestUnusablePredictions(t *testing.T) {
	_, err := privacy.LogLosses([]bool{true}, nil, 0)
	require.ErrorContains(t, err, "1 labels and 0 scores")
	_, err = privacy.LogLosses([]bool{true}, []float64{math.NaN()}, 0)
	require.ErrorContains(t, err, "row 0")
	for _, clip := range []float64{-1, 0.5, math.NaN()} {
		_, err = privacy.LogLosses([]bool{true}, []float64{0.5}, clip)
		require.ErrorContains(t, err, "the clip is")
		_, err = privacy.ClassLosses(stats.MulticlassSample{}, clip)
		require.ErrorContains(t, err, "the clip is")
	}
	_, err = privacy.ClassLosses(stats.MulticlassSample{Classes: 2, Y: []int32{2}, Score: []float64{0.5, 0.5}}, 0)
	require.ErrorContains(t, err, "compute losses of classes")
	_, err = privacy.SquaredErrors([]float64{1}, nil)
	require.ErrorContains(t, err, "1 values and 0 predictions")
	_, err = privacy.SquaredErrors([]float64{1, 1e300}, []float64{1, -1e300})
	require.ErrorContains(t, err, "row 1 has no finite error")
}
