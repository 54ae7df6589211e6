package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// anyFinite draws numbers of every size, the ends of what a float64 holds among them.
func anyFinite() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64), rapid.Float64Range(-10, 10), rapid.Float64Range(0, 1e-300),
		rapid.Map(rapid.IntRange(-1000, 1000), func(n int) float64 { return float64(n) }),
		rapid.SampledFrom([]float64{math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 0, 1e17, 1e17 + 16}),
	)
}

func TestAxisPlacesEveryValueInOrderAndWritesItsTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(anyFinite()).Draw(t, "values")
		a := axisOver(append(values, math.NaN(), math.Inf(1)))
		a.From, a.To = 200, 10
		a.Log = a.Low > 0 && rapid.Bool().Draw(t, "log")
		for _, v := range values {
			at := a.place(v)
			require.True(t, 10 <= at && at <= 200, "%v is at %v", v, at)
			for _, w := range values {
				require.True(t, v > w || a.place(w) <= at+1e-9, "%v is at %v, %v at %v", v, at, w, a.place(w))
			}
		}
		ticks := a.ticks()
		require.LessOrEqual(t, len(ticks), mostSteps+1)
		for i, tick := range ticks {
			require.False(t, math.IsNaN(tick.At) || math.IsInf(tick.At, 0))
			require.NotContains(t, tick.Text, notAvailable)
			require.LessOrEqual(t, len([]rune(tick.Text)), 12, "%q takes too much room", tick.Text)
			if i > 0 {
				require.Less(t, ticks[i-1].At, tick.At)
				require.NotEqual(t, ticks[i-1].Text, tick.Text)
			}
		}
	})
}

func TestTicksAreRound(t *testing.T) {
	for _, c := range []struct {
		name string
		axis axis
		want []string
	}{
		{"shares", axis{Low: 0.52, High: 0.93}, []string{"0.6", "0.7", "0.8", "0.9"}},
		{"epochs", axis{Low: 1, High: 40, Whole: true}, []string{"10", "20", "30", "40"}},
		{"two epochs", axis{Low: 1, High: 2, Whole: true}, []string{"1", "2"}},
		{"around zero", axis{Low: -1, High: 1}, []string{"−1.0", "−0.5", "0", "0.5", "1.0"}},
		{"thousands", axis{Low: 0, High: 90_000}, []string{"0", "20,000", "40,000", "60,000", "80,000"}},
		{"millions", axis{Low: 0, High: 2.2e7}, []string{"0", "5e6", "1e7", "1.5e7", "2e7"}},
		{"near to each other", axis{Low: 0.93121, High: 0.93124}, []string{"0.93121", "0.93122", "0.93123", "0.93124"}},
		{"minute", axis{Low: 0, High: 4e-9}, []string{"0", "1e−9", "2e−9", "3e−9", "4e−9"}},
		{"decades", axis{Low: 1e-5, High: 0.2, Log: true}, []string{"1e−5", "0.0001", "0.001", "0.01", "0.1"}},
		{"many decades", axis{Low: 1e-300, High: 1e300, Log: true}, []string{"1e−300", "1e−180", "1e−60", "1e60", "1e180", "1e300"}},
		{"one value", axis{Low: 0.5, High: 0.5}, []string{"0.5"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, tick := range c.axis.ticks() {
				got = append(got, tick.Text)
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestMeasuredValuesKeepTheDigitsThatCount(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.912345: "0.9123", 1: "1", 28.04: "28.04", 999.96: "1000", 1234.4: "1,234", -750.8: "−750.8", 182_000: "182,000", 999_999.9: "1,000,000",
		1e6: "1e6", 1.5e7: "1.5e7", 0.0001: "0.0001", 0.00001123: "1.123e−5", -2e-9: "−2e−9", math.MaxFloat64: "1.798e308",
		math.SmallestNonzeroFloat64: "4.941e−324", math.Inf(1): notAvailable,
	} {
		require.Equal(t, want, measured(v))
	}
	require.Equal(t, notAvailable, measured(math.NaN()))
}

func TestTimesAreInTheUnitThatFits(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "none", 0.3: "under 1 s", 41.2: "41 s", 410: "6.8 min", 31_200: "8.7 h", 3_600_000: "1,000 h", 1e300: "2.778e296 h",
		-1: notAvailable, math.Inf(1): notAvailable,
	} {
		require.Equal(t, want, plain(elapsed(seconds)))
	}
}

func TestThinnedLinesKeepTheirEndsAndTheirExtremes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(8, 40).Draw(t, "n")
		values := rapid.SliceOfN(anyFinite(), 1, 300).Draw(t, "values")
		points := make([]point, len(values))
		least, most := values[0], values[0]
		for i, v := range values {
			points[i] = point{float64(i), v}
			least, most = min(least, v), max(most, v)
		}
		kept := thinned(points, n)
		require.LessOrEqual(t, len(kept), n)
		require.Equal(t, points[0], kept[0])
		require.Equal(t, points[len(points)-1], kept[len(kept)-1])
		var sawLeast, sawMost bool
		for i, p := range kept {
			require.Equal(t, points[int(p.X)], p)
			require.True(t, i == 0 || kept[i-1].X < p.X)
			sawLeast, sawMost = sawLeast || p.Y == least, sawMost || p.Y == most
		}
		require.True(t, sawLeast && sawMost, "an extreme value is lost")
	})
}
