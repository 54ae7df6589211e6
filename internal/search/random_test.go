package search

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

func TestRandomPointsAreUniformAndIndependent(t *testing.T) {
	const n, axes, bins = 20_000, 3, 20
	r := randomly{seed: 11, axes: axes}
	columns := make([][]float64, axes)
	for trial := Trial(1); trial <= n; trial++ {
		for j, u := range r.point(trial) {
			columns[j] = append(columns[j], u)
		}
	}
	for j, c := range columns {
		requireUniform(t, c, bins)
		for k := range j {
			require.Less(t, math.Abs(stat.Correlation(c, columns[k], nil)), 4/math.Sqrt(n), "columns %d and %d", k, j)
		}
		require.Less(t, math.Abs(stat.Correlation(c[1:], c[:n-1], nil)), 4/math.Sqrt(n), "neighbours in column %d", j)
	}
}

// requireUniform is a chi-squared test at the level 1e-4.
func requireUniform(t *testing.T, coordinates []float64, bins int) {
	t.Helper()
	seen, even := make([]float64, bins), make([]float64, bins)
	for _, u := range coordinates {
		require.GreaterOrEqual(t, u, 0.0)
		require.Less(t, u, 1.0)
		seen[int(u*float64(bins))]++
	}
	for i := range even {
		even[i] = float64(len(coordinates)) / float64(bins)
	}
	require.Less(t, stat.ChiSquare(seen, even), distuv.ChiSquared{K: float64(bins - 1)}.Quantile(1-1e-4))
}

func TestSeedsThatAreCloseHaveNothingInCommon(t *testing.T) {
	var first []float64
	for seed := range int64(5000) {
		first = append(first, randomly{seed: seed - 2500, axes: 1}.point(1)[0])
	}
	requireUniform(t, first, 20)
	require.Less(t, math.Abs(stat.Correlation(first[1:], first[:len(first)-1], nil)), 4/math.Sqrt(5000))
}

func TestDrawsBelowANumberAreEven(t *testing.T) {
	d := drawsFor(1, forStrata)
	counts := make([]float64, 7)
	for range 70_000 {
		counts[d.below(7)]++
	}
	even := []float64{1e4, 1e4, 1e4, 1e4, 1e4, 1e4, 1e4}
	require.Less(t, stat.ChiSquare(counts, even), distuv.ChiSquared{K: 6}.Quantile(1-1e-4))
}

func TestDrawsStayTheSameInEveryVersion(t *testing.T) {
	// The first outputs of SplitMix64 from 1234567, as in the tests of other implementations.
	d := draws(1234567)
	for _, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821} {
		require.Equal(t, want, d.next())
	}
	require.Equal(t, []float64{0.9818997272997141, 0.004213419087879755}, randomly{seed: 1, axes: 2}.point(1))
}
