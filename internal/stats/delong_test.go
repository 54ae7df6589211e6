package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/stats"
)

// bruteForcePair is the method as its definition reads: the variance of the differences of placements, over all pairs.
func bruteForcePair(y []bool, a, b []float64) (difference, variance float64) {
	psi := func(x, y float64) float64 {
		switch {
		case x > y:
			return 1
		case x == y:
			return 0.5
		}
		return 0
	}
	var positives, negatives []int
	for i, positive := range y {
		if positive {
			positives = append(positives, i)
		} else {
			negatives = append(negatives, i)
		}
	}
	m, n := float64(len(positives)), float64(len(negatives))
	v10, v01 := make([]float64, len(positives)), make([]float64, len(negatives))
	for k, i := range positives {
		for l, j := range negatives {
			d := psi(a[i], a[j]) - psi(b[i], b[j])
			v10[k] += d / n
			v01[l] += d / m
			difference += d / (m * n)
		}
	}
	spread := func(v []float64) float64 {
		if len(v) < 2 {
			return 0
		}
		sum := 0.0
		for _, x := range v {
			sum += (x - difference) * (x - difference)
		}
		return sum / float64(len(v)-1) / float64(len(v))
	}
	return difference, spread(v10) + spread(v01)
}

func scores(t *rapid.T, n int, label string) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = float64(rapid.IntRange(0, 8).Draw(t, label)) / 8
	}
	return s
}

func TestPairedAUCMatchesBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		y := rapid.SliceOfN(rapid.Bool(), 0, 30).Draw(t, "y")
		a, b := scores(t, len(y), "a"), scores(t, len(y), "b")
		tail := rapid.SampledFrom(tails).Draw(t, "tail")
		e := stats.PairedAUC(y, a, b, tail)
		if !e.Defined() {
			require.Contains(t, e.Undefined, "no ")
			return
		}
		difference, variance := bruteForcePair(y, a, b)
		require.InDelta(t, difference, e.Value, 1e-12)
		require.True(t, -1 <= e.Low && e.Low < e.High && e.High <= 1, "an interval always has a width: %v", e)
		reversed := stats.PairedAUC(y, b, a, tail)
		require.InDelta(t, -e.High, reversed.Low, 1e-12)
		if e.Method == stats.MethodBennettPairs {
			require.InDelta(t, 0, variance, 1e-12)
			return
		}
		half := stats.NormalQuantileTail(tail) * math.Sqrt(variance)
		require.InDelta(t, max(difference-half, -1), e.Low, 1e-9)
		require.InDelta(t, min(difference+half, 1), e.High, 1e-9)
	})
}

func TestPairedAUCAgainstAConstantIsThatOfOneScoreAlone(t *testing.T) {
	s := simulated(400, 8)
	pair := stats.PairedAUC(s.Y, s.Score, make([]float64, s.N()), 1e-3)
	alone := stats.AUCTail(s, 1e-3)
	require.InDelta(t, alone.Value-0.5, pair.Value, 1e-12)
	require.InDelta(t, alone.Low-0.5, pair.Low, 1e-12)
	require.InDelta(t, alone.High-0.5, pair.High, 1e-12)
	require.Equal(t, stats.MethodDeLongPaired, pair.Method)
}

func TestPairedAUCOfEqualScoresIsZeroWithAWidthThatShrinks(t *testing.T) {
	previous := 2.0
	for _, n := range []int{10, 100, 1000, 10000} {
		s := simulated(n, 9)
		e := stats.PairedAUC(s.Y, s.Score, s.Score, 0.025)
		require.Zero(t, e.Value)
		require.Equal(t, -e.Low, e.High)
		require.Equal(t, stats.MethodBennettPairs, e.Method)
		require.Less(t, e.High, previous)
		previous = e.High
	}
	require.Less(t, previous, 2e-3)
}

func TestPairedAUCOfOppositeScoresHasNoSpreadAndKeepsAWidth(t *testing.T) {
	y := labels("000111")
	e := stats.PairedAUC(y, []float64{1, 2, 3, 4, 5, 6}, []float64{6, 5, 4, 3, 2, 1}, 0.025)
	require.Equal(t, 1.0, e.Value)
	require.Equal(t, 1.0, e.High)
	require.Less(t, e.Low, 0.0, "three pairs cannot say more")
}

func TestAUCTailIsAUC(t *testing.T) {
	s := simulated(300, 10)
	require.InDelta(t, stats.AUC(s, 0.95).Low, stats.AUCTail(s, 0.025).Low, 1e-14)
	deep := stats.AUCTail(s, 1e-30)
	require.True(t, deep.Low < stats.AUC(s, 0.999).Low && deep.Low > 0)
	separate := stats.AUCTail(stats.Sample{Y: labels("0011"), Score: []float64{.1, .2, .8, .9}}, 1e-30)
	require.True(t, separate.Low > 0 && separate.Low < 0.05)
	require.Equal(t, stats.MethodWilsonMinClass, separate.Method)
}

func TestPairedAUCRefusals(t *testing.T) {
	for _, c := range []struct {
		want string
		y    []bool
		a, b []float64
	}{
		{"no examples", nil, nil, nil},
		{"no negative examples", labels("1"), []float64{1}, []float64{1}},
		{"no positive examples", labels("0"), []float64{1}, []float64{1}},
		{"2 labels, 1 and 2 scores", labels("01"), []float64{1}, []float64{1, 2}},
		{"row 1 has a score that is not a number", labels("01"), []float64{1, 2}, []float64{1, math.NaN()}},
	} {
		require.Contains(t, stats.PairedAUC(c.y, c.a, c.b, 0.1).Undefined, c.want)
	}
}

func BenchmarkPairedAUC100000Rows(b *testing.B) {
	s := simulated(100_000, 11)
	other := make([]float64, s.N())
	rng := rand.New(rand.NewPCG(1, 1))
	for i, p := range s.Score {
		other[i] = p + 0.1*rng.NormFloat64()
	}
	for b.Loop() {
		require.True(b, stats.PairedAUC(s.Y, s.Score, other, 1e-6).Defined())
	}
}
