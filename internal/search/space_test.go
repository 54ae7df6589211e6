package search

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/spec"
)

func axisOf(r spec.SweepRange) axis { return newSpace(map[string]spec.SweepRange{"x": r})[0] }

func numberAt(t require.TestingT, a axis, u float64) float64 {
	x, ok := a.value(u).Float()
	require.True(t, ok)
	return x
}

func TestEveryCoordinateIsAValueInRangeWithFewDigits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		method := rapid.SampledFrom(methods).Draw(t, "method")
		r := anyRange(t, method)
		a := axisOf(r)
		u := rapid.Float64Range(0, math.Nextafter(1, 0)).Draw(t, "u")
		v := a.value(u)
		requireInRange(t, spec.Sweep{Parameters: map[string]spec.SweepRange{"x": r}}, spec.Parameters{"x": v})
		from, to := a.cell(u)
		if from < to {
			require.Equal(t, v, a.value((from+to)/2), "a cell is one value")
			require.InDelta(t, u, min(max(u, from), to), 1e-9, "a coordinate lies in its cell")
		}
	})
}

func TestEqualSharesOfTheSideAreEqualSharesOfTheScale(t *testing.T) {
	for _, tc := range []struct {
		r     spec.SweepRange
		u, is float64
	}{
		{between(-2, 6), 0, -2}, {between(-2, 6), 0.25, 0}, {between(-2, 6), 0.5, 2},
		{logBetween(1e-4, 1), 0, 1e-4}, {logBetween(1e-4, 1), 0.25, 1e-3}, {logBetween(1e-4, 1), 0.75, 0.1},
		{integers(1, 4), 0, 1}, {integers(1, 4), 0.2499, 1}, {integers(1, 4), 0.25, 2}, {integers(1, 4), 0.9999, 4},
		{integers(0.5, 4.5), 0, 1}, {integers(-3.5, -1), 0, -3}, {integers(-3.5, -1), 0.9999, -1},
	} {
		require.Equal(t, tc.is, numberAt(t, axisOf(tc.r), tc.u), "%v of %v to %v", tc.u, *tc.r.Min, *tc.r.Max)
	}
	a := axisOf(oneOf(spec.Text("a"), spec.Truth(true), spec.Number(7)))
	require.Equal(t, spec.Text("a"), a.value(0.33))
	require.Equal(t, spec.Truth(true), a.value(0.34))
	require.Equal(t, spec.Number(7), a.value(math.Nextafter(1, 0)))
}

func TestEveryIntegerOfALogScaleCanBeHad(t *testing.T) {
	r := logBetween(1, 64)
	r.Integer = true
	a := axisOf(r)
	seen := map[float64]int{}
	for i := range 100_000 {
		seen[numberAt(t, a, float64(i)/100_000)]++
	}
	require.Len(t, seen, 64)
	require.Greater(t, seen[1], seen[2])
	require.Greater(t, seen[8], 5*seen[64])
}

func TestHugeIntegersAreExact(t *testing.T) {
	a := axisOf(integers(1, 1e15))
	x := numberAt(t, a, 0.123456789012345)
	require.Equal(t, math.Trunc(x), x)
	require.Equal(t, strconv.FormatInt(int64(x), 10), a.value(0.123456789012345).String())
	require.Equal(t, 1e15, numberAt(t, a, math.Nextafter(1, 0)))
}

func TestNumbersHaveSixDigitsAndMoreInANarrowRange(t *testing.T) {
	for _, tc := range []struct {
		low, high float64
		digits    int
	}{{0, 1, 6}, {0.9, 0.99, 6}, {-1e300, 1e-9, 6}, {1e-300, 1e-299, 6}, {1000, 1001, 7}, {1e6, 1e6 + 1, 10}, {1, 1 + 1e-15, 17}} {
		require.Equal(t, tc.digits, digitsFor(tc.low, tc.high), "%v to %v", tc.low, tc.high)
	}
	require.Equal(t, 0.123457, numberAt(t, axisOf(between(0, 1)), 0.123456789))
	require.Equal(t, 1e6+0.123, numberAt(t, axisOf(between(1e6, 1e6+1)), 0.123456789))
	require.Equal(t, 1.79769e308, numberAt(t, axisOf(between(0, 1.797693e308)), math.Nextafter(1, 0)))
	low := math.MaxFloat64 - 5e302
	require.Equal(t, 10, digitsFor(low, math.MaxFloat64))
	require.Equal(t, math.MaxFloat64, numberAt(t, axisOf(between(low, math.MaxFloat64)), math.Nextafter(1, 0)), "rounded up beyond all numbers")
}
