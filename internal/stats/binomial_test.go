package stats_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/stats"
)

// tails go from common levels down to what many conditions and many steps leave of one.
var tails = []float64{0.3, 0.025, 1e-3, 1e-6, 1e-12, 1e-30}

func TestNormalQuantileTailAgreesWithHighPrecision(t *testing.T) {
	// Roots of erfc(z/sqrt 2)/2 = tail, found with 50 digits.
	for tail, z := range map[float64]float64{
		0.4: 0.2533471031357998, 0.025: 1.9599639845400542, 1e-6: 4.7534243088228989, 1e-16: 8.2220822161304356,
		1e-30: 11.464024688443616, 1e-100: 21.273453560965324, 1e-300: 37.047096299361199,
	} {
		require.InEpsilon(t, z, stats.NormalQuantileTail(tail), 1e-14)
	}
	require.Zero(t, stats.NormalQuantileTail(0.5))
	require.InDelta(t, -1.9599639845400542, stats.NormalQuantileTail(0.975), 1e-12)
	for _, tail := range []float64{0, -1, math.NaN()} {
		require.Equal(t, math.Inf(1), stats.NormalQuantileTail(tail))
	}
	require.Equal(t, math.Inf(-1), stats.NormalQuantileTail(1))
}

func TestStudentQuantileTailAgreesWithHighPrecision(t *testing.T) {
	// Roots of I_x(nu/2, 1/2) = 2 tail, found with 50 digits.
	for _, c := range [][3]float64{
		{1, 0.025, 12.706204736174705}, {2, 1e-30, 707106781186547.52}, {4, 0.025, 2.7764451051977944},
		{4, 1e-12, 1316.0727465592565}, {30, 1e-30, 49.888195533043849}, {99, 1e-6, 5.051973998252516},
		{5, 0.49, 0.026346712342273238}, {1000000, 1e-30, 11.464404226614269}, {100000000, 0.025, 1.9599640082627668},
	} {
		require.InEpsilon(t, c[2], stats.StudentQuantileTail(c[0], c[1]), 1e-13, c)
	}
	require.Equal(t, stats.NormalQuantileTail(1e-9), stats.StudentQuantileTail(math.Inf(1), 1e-9))
	require.Zero(t, stats.StudentQuantileTail(3, 0.5))
	require.Equal(t, math.Inf(1), stats.StudentQuantileTail(3, 0))
	require.Equal(t, math.Inf(1), stats.StudentQuantileTail(0, 0.1))
}

func TestClopperPearsonTailAgreesWithHighPrecisionAndIsNeverShorter(t *testing.T) {
	// Roots of the incomplete beta function, found with 50 digits.
	for _, c := range []struct {
		successes, n    int
		tail, low, high float64
	}{
		{0, 10, 0.025, 0, 0.3084971078187608},
		{3, 7, 1e-9, 3.058042192332667e-4, 0.997684809209026},
		{5, 10, 0.025, 0.1870860284473985, 0.8129139715526015},
		{81, 263, 0.025, 0.2527367455852712, 0.3676219226013514},
		{500, 1000, 1e-30, 0.3241173375244996, 0.6758826624755004},
		{1, 1000000, 1e-30, 1.0e-36, 7.338417566633624e-5},
		{999, 1000, 1e-6, 0.9834418358252559, 0.9999999989999995},
		{1, 100000000, 0.025, 2.531780798108492e-10, 5.571643263581067e-8},
		{50000000, 100000000, 0.025, 0.4999019968019593, 0.5000980031980407},
		{50000000, 100000000, 1e-30, 0.499426793955346, 0.500573206044654},
		{10000, 100000000, 1e-6, 9.53185738247504e-5, 1.048355958104679e-4},
	} {
		low, high := stats.ClopperPearsonTail(c.successes, c.n, c.tail)
		require.LessOrEqual(t, low, c.low*(1+1e-15))
		require.GreaterOrEqual(t, high, c.high*(1-1e-15))
		require.InDelta(t, c.low, low, 1e-9*c.low)
		require.InDelta(t, c.high, high, 1e-9*c.high)
	}
}

// logAtMost sums the binomial distribution up to k by its terms' logarithms.
func logAtMost(k, n int, p float64) float64 {
	choose := func(i int) float64 {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(i + 1))
		c, _ := math.Lgamma(float64(n - i + 1))
		return a - b - c
	}
	most, terms := math.Inf(-1), []float64(nil)
	for i := range k + 1 {
		terms = append(terms, choose(i)+float64(i)*math.Log(p)+float64(n-i)*math.Log1p(-p))
		most = max(most, terms[i])
	}
	sum := 0.0
	for _, v := range terms {
		sum += math.Exp(v - most)
	}
	return most + math.Log(sum)
}

func TestExactLimitsLeaveTheirTail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 400).Draw(t, "n")
		k := rapid.IntRange(0, n-1).Draw(t, "k")
		tail := math.Pow(10, -rapid.Float64Range(0.31, 30).Draw(t, "digits"))
		high := stats.BinomialUpper(k, n, tail)
		if 1-high > 1e-5 {
			// Nearer to 1 the rounding of high alone moves the tail.
			require.InDelta(t, math.Log(tail), logAtMost(k, n, high), 1e-8)
		}
		require.InDelta(t, 1-high, stats.BinomialLower(n-k, n, tail), 1e-15, "successes and failures mirror each other")
	})
}

// Chernoff's bound P(X <= k) <= exp(-n KL(k/n, p)) for p > k/n needs no special function, so that it holds the exact limit
// against gross errors at any size: the exact interval lies within its interval.
func TestExactIntervalsLieWithinChernoffs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 100_000_000).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		tail := rapid.SampledFrom(tails).Draw(t, "tail")
		low, high := stats.ClopperPearsonTail(k, n, tail)
		share := float64(k) / float64(n)
		require.True(t, 0 <= low && low <= share && share <= high && high <= 1)
		for _, p := range []float64{low, high} {
			if p > 0 && 1-p > 1e-9 { // nearer to 1 its rounding alone moves the tail
				require.LessOrEqual(t, float64(n)*divergence(share, p), -math.Log(tail)*(1+1e-6)+1e-6)
			}
		}
		require.Less(t, low, high)
	})
}

// divergence is Kullback and Leibler's of one coin from another, without cancelling where they are near.
func divergence(a, b float64) float64 {
	term := func(a, b float64) float64 {
		if a == 0 {
			return b
		}
		if d := (b - a) / a; math.Abs(d) < 0.5 {
			return a * (d - math.Log1p(d))
		}
		return b - a + a*math.Log(a/b)
	}
	return term(a, b) + term(1-a, 1-b)
}

func TestWilsonTailIsWilson(t *testing.T) {
	for _, level := range []float64{0.8, 0.95, 0.999} {
		low, high := stats.Wilson(81, 263, level)
		tailLow, tailHigh := stats.WilsonTail(81, 263, (1-level)/2)
		require.InDelta(t, low, tailLow, 1e-14)
		require.InDelta(t, high, tailHigh, 1e-14)
	}
	low, high := stats.WilsonTail(5, 10, 1e-30)
	require.True(t, 0 < low && low < 0.05 && 0.95 < high && high < 1)
}

func TestImpossibleCountsAndTailsSayNothing(t *testing.T) {
	for _, c := range []struct {
		k, n int
		tail float64
	}{{0, 0, 0.1}, {-1, 5, 0.1}, {6, 5, 0.1}, {2, -3, 0.1}, {2, 5, 0}, {2, 5, -1}, {2, 5, math.NaN()}} {
		for name, interval := range map[string]func(k, n int, tail float64) (float64, float64){
			"exact": stats.ClopperPearsonTail, "wilson": stats.WilsonTail,
		} {
			low, high := interval(c.k, c.n, c.tail)
			require.Equal(t, []float64{0, 1}, []float64{low, high}, "%s %v", name, c)
		}
	}
	low, high := stats.ClopperPearsonTail(2, 5, 0.9)
	halfLow, halfHigh := stats.ClopperPearsonTail(2, 5, 0.5)
	require.Equal(t, []float64{halfLow, halfHigh}, []float64{low, high}, "no end passes the estimate")
}

func TestExactShareRowsIsTheFewest(t *testing.T) {
	for _, tail := range []float64{0.05, 1e-4, 1e-12} {
		n := stats.ExactShareRows(0.5, 0.02, tail)
		width := func(n int) float64 {
			e := stats.ExactShare(n/2, n, tail, "")
			return (e.High - e.Low) / 2
		}
		require.LessOrEqual(t, width(n+n%2), 0.02)
		require.Greater(t, width(n-2-n%2), 0.02)
	}
	require.Less(t, stats.ExactShareRows(0.01, 0.02, 1e-4), stats.ExactShareRows(0.5, 0.02, 1e-4))
	require.Equal(t, 1, stats.ExactShareRows(0.5, 1, 0.1))
	for _, c := range [][3]float64{{0.5, 0, 0.1}, {0.5, -1, 0.1}, {2, 0.1, 0.1}, {math.NaN(), 0.1, 0.1}, {0.5, 1e-9, 0.1}, {0.5, 0.1, 0}} {
		require.Zero(t, stats.ExactShareRows(c[0], c[1], c[2]), c)
	}
}
