package stats_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/stats"
)

func TestMeansWorkedExample(t *testing.T) {
	values := []float64{0.1, 0.4, 0.4, 0.7, 0.9} // mean 0.5, variance (.16 + .01 + .01 + .04 + .16)/4 = 0.095
	e := stats.StudentMean(values, 0.025)
	require.InDelta(t, 0.5-2.7764451051977944*math.Sqrt(0.095/5), e.Low, 1e-12)
	require.InDelta(t, 0.5+2.7764451051977944*math.Sqrt(0.095/5), e.High, 1e-12)

	many := slices.Repeat(values, 100) // variance 0.076 * 500/499
	e = stats.EmpiricalBernstein(many, -1, 1, 0.025)
	half := math.Sqrt(2*0.076*500/499*math.Log(80)/500) + 7*2*math.Log(80)/(3*499)
	require.InDelta(t, 0.5-half, e.Low, 1e-12)
	require.InDelta(t, 0.5+half, e.High, 1e-12)

	e = stats.HoeffdingMean(many, -1, 1, 0.025)
	require.InDelta(t, 0.5-2*math.Sqrt(math.Log(40)/1000), e.Low, 1e-12)
	require.Equal(t, 1.0, stats.HoeffdingMean(values, 0, 1, 1e-30).High, "cut to the range")
	require.Equal(t, stats.MethodHoeffding, e.Method)
}

func TestMeansAreWiderForSmallerTails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 64), func(k int) float64 { return float64(k) / 64 }), 2, 50).Draw(t, "values")
		for name, mean := range map[string]func(tail float64) stats.Estimate{
			"student":   func(tail float64) stats.Estimate { return stats.StudentMean(values, tail) },
			"bernstein": func(tail float64) stats.Estimate { return stats.EmpiricalBernstein(values, 0, 1, tail) },
			"hoeffding": func(tail float64) stats.Estimate { return stats.HoeffdingMean(values, 0, 1, tail) },
		} {
			previous := 0.0
			for _, tail := range tails {
				e := mean(tail)
				if name == "student" && slices.Max(values) == slices.Min(values) {
					require.Contains(t, e.Undefined, "all values are equal")
					continue
				}
				require.Empty(t, e.Undefined)
				require.True(t, e.Low <= e.Value && e.Value <= e.High, name)
				width := e.High - e.Low
				require.False(t, math.IsNaN(width) || math.IsInf(width, 0), name)
				require.Greater(t, width, 0.0, name)
				require.GreaterOrEqual(t, width, previous, name)
				previous = width
			}
		}
	})
}

func TestMeansShiftAndScaleWithTheirValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 1), 2, 30).Draw(t, "values")
		shift, scale := rapid.Float64Range(-5, 5).Draw(t, "shift"), rapid.Float64Range(0.1, 9).Draw(t, "scale")
		moved := make([]float64, len(values))
		for i, v := range values {
			moved[i] = min(max(shift+scale*v, shift), shift+scale)
		}
		e, m := stats.EmpiricalBernstein(values, 0, 1, 0.01), stats.EmpiricalBernstein(moved, shift, shift+scale, 0.01)
		require.InDelta(t, shift+scale*e.Low, m.Low, 1e-9)
		require.InDelta(t, shift+scale*e.High, m.High, 1e-9)
	})
}

func TestWhatMeansCannotGive(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		want string
		got  stats.Estimate
	}{
		{"fewer than two examples", stats.StudentMean(nil, 0.1)},
		{"fewer than two examples", stats.StudentMean([]float64{1}, 0.1)},
		{"all values are equal", stats.StudentMean([]float64{0.1, 0.1, 0.1}, 0.1)},
		{"the value of row 1 is NaN", stats.StudentMean([]float64{1, nan}, 0.1)},
		{"the value of row 0 is +Inf", stats.StudentMean([]float64{inf, 2}, 0.1)},
		{"2 values give no interval", stats.StudentMean([]float64{1, 2}, 0)},
		{"2 values give no interval", stats.StudentMean([]float64{1e308, -1e308}, 0.1)},
		{"fewer than two examples", stats.EmpiricalBernstein([]float64{1}, 0, 1, 0.1)},
		{"the value of row 1 is 2; expected one in the range [0, 1]", stats.EmpiricalBernstein([]float64{1, 2}, 0, 1, 0.1)},
		{"the value of row 0 is NaN", stats.EmpiricalBernstein([]float64{nan, 1}, 0, 1, 0.1)},
		{"the range of a value is [1, 0]", stats.EmpiricalBernstein([]float64{1, 1}, 1, 0, 0.1)},
		{"the range of a value is [0, +Inf]", stats.HoeffdingMean([]float64{1, 1}, 0, inf, 0.1)},
		{"no examples", stats.HoeffdingMean(nil, 0, 1, 0.1)},
	} {
		require.Contains(t, c.got.Undefined, c.want)
		require.Zero(t, c.got.Value)
	}
	for _, tail := range []float64{0, nan, -1} {
		e := stats.EmpiricalBernstein([]float64{0.2, 0.4}, 0, 1, tail)
		require.Equal(t, []float64{0, 1}, []float64{e.Low, e.High})
		e = stats.HoeffdingMean([]float64{0.2, 0.4}, 0, 1, tail)
		require.Equal(t, []float64{0, 1}, []float64{e.Low, e.High})
	}
}

func TestEmpiricalBernsteinRowsIsTheFewest(t *testing.T) {
	n := stats.EmpiricalBernsteinRows(0.05, 0, 1, 0.02, 1e-4)
	half := func(n float64) float64 {
		return math.Sqrt(2*0.05*math.Log(2e4)/n) + 7*math.Log(2e4)/(3*(n-1))
	}
	require.LessOrEqual(t, half(float64(n)), 0.02)
	require.Greater(t, half(float64(n-1)), 0.02)
	require.Zero(t, stats.EmpiricalBernsteinRows(-1, 0, 1, 0.02, 1e-4))
	require.Zero(t, stats.EmpiricalBernsteinRows(1, 1, 1, 0.02, 1e-4))
	require.Zero(t, stats.EmpiricalBernsteinRows(1, 0, 1, 0.02, 0))
}

func TestQuantileIntervalWorkedExample(t *testing.T) {
	// Ten values: P(B <= 1) = 11/1024 and P(B <= 2) = 56/1024, so at 0.025 the ends are the second and the ninth.
	values := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	e := stats.QuantileInterval(values, 0.5, 0.025)
	require.Equal(t, stats.Estimate{Value: 5.5, Low: 2, High: 9, Level: 0.95, Method: stats.MethodOrderStatistics, N: 10}, e)
	// 0.99^n <= 0.025 needs 368 values.
	long := make([]float64, 400)
	for i := range long {
		long[i] = float64(i + 1)
	}
	require.Equal(t, "367 values do not bound their 0.99 quantile; about 368 would", stats.QuantileInterval(long[:367], 0.99, 0.025).Undefined)
	require.Equal(t, 368.0, stats.QuantileInterval(long[:368], 0.99, 0.025).High)
	require.Equal(t, 1.0, stats.QuantileInterval(long[:368], 0.01, 0.025).Low)
}

func TestQuantileIntervalRefusals(t *testing.T) {
	for want, got := range map[string]stats.Estimate{
		"quantile 1; expected a number between 0 and 1":   stats.QuantileInterval([]float64{1}, 1, 0.1),
		"quantile NaN; expected a number between 0 and 1": stats.QuantileInterval([]float64{1}, math.NaN(), 0.1),
		"no examples": stats.QuantileInterval(nil, 0.5, 0.1),
		"value 1 is 1; expected values in ascending order":        stats.QuantileInterval([]float64{2, 1}, 0.5, 0.1),
		"value 0 is NaN; expected values in ascending order":      stats.QuantileInterval([]float64{math.NaN()}, 0.5, 0.1),
		"no number of values bounds a quantile without any doubt": stats.QuantileInterval([]float64{1}, 0.5, 0),
	} {
		require.Equal(t, want, got.Undefined)
	}
}

func TestDifferencesOfIndependentShares(t *testing.T) {
	// Newcombe (1998), "Interval estimation for the difference between independent proportions", table II, method 10.
	e := stats.NewcombeShares(56, 70, 48, 80, 0.025, "")
	require.InDelta(t, 0.0524, e.Low, 5e-5)
	require.InDelta(t, 0.3339, e.High, 5e-5)
	require.Equal(t, 150, e.N)
	for _, tail := range tails {
		e, exact := stats.NewcombeShares(560, 700, 480, 800, tail, ""), stats.ExactDifference(560, 700, 480, 800, tail, "")
		require.Equal(t, e.Value, exact.Value)
		require.True(t, exact.Low < e.Low && e.High < exact.High && exact.Low >= -1 && exact.High <= 1)
	}
	require.Equal(t, "no men", stats.NewcombeShares(0, 0, 1, 2, 0.1, "no men").Undefined)
	require.Equal(t, "no men", stats.ExactDifference(1, 2, 0, 0, 0.1, "no men").Undefined)
	vague := stats.NewcombeShares(1, 2, 1, 2, 0, "")
	require.True(t, vague.Low <= -0.5 && vague.High >= 0.5)
}

func TestEveryMethodIsGuaranteedOrNamesItsAssumption(t *testing.T) {
	for _, m := range []string{
		stats.MethodWilson, stats.MethodClopperPearson, stats.MethodDeLong, stats.MethodWilsonMinClass, stats.MethodWilsonJaccard,
		stats.MethodNewcombe, stats.MethodStudent, stats.MethodBootstrap, stats.MethodExact, stats.MethodBennettDisagreement,
		stats.MethodNewcombePaired, stats.MethodExactDifference, stats.MethodDeLongPaired, stats.MethodBennettPairs,
		stats.MethodEmpiricalBernstein, stats.MethodHoeffding, stats.MethodOrderStatistics, stats.MethodBCa, stats.MethodBootstrapNormal,
	} {
		require.Equal(t, stats.Guaranteed(m), stats.Assumption(m) == "", m)
	}
	require.False(t, stats.Guaranteed("guess"))
}
