package report

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func plain(s string) string { return strings.ReplaceAll(s, nbsp, " ") }

func TestNumbersForPeople(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(int64(1234567)), "1,234,567"}, {count(-1234), "−1,234"},
		{countOf(1, "row", "rows"), "1 row"}, {countOf(20000, "row", "rows"), "20,000 rows"}, {countOf(0, "row", "rows"), "0 rows"},
		{decimal(0.90512), "0.905"}, {decimal(-0.25), "−0.250"}, {decimal(0), "0"}, {decimal(1), "1.000"},
		{decimal(0.0002), "under 0.001"}, {decimal(-0.0002), "above −0.001"},
		{percent(0.2537), "25.4 %"}, {percent(0), "0 %"}, {percent(1), "100 %"}, {percent(0.0001), "under 0.1 %"}, {percent(0.9999), "over 99.9 %"},
		{percent(-0.031), "−3.1 %"},
		{points(0.0312), "3.1 points"}, {points(-0.0001), "0.0 points"},
		{general(1), "1"}, {general(1e-7), "1e-07"}, {general(0.61803), "0.618"},
		{span(72 * time.Hour), "3 days"}, {span(36 * time.Hour), "1 day 12 hours"}, {span(90 * time.Second), "1 minute 30 seconds"},
		{span(time.Millisecond), "less than a second"}, {span(0), "no time"},
		{moment(time.Date(2026, 6, 25, 16, 5, 0, 0, time.FixedZone("", 7200))), "Thursday 25 June 2026, 14:05 UTC"},
		{list(nil), ""}, {list([]string{"a"}), "a"}, {list([]string{"a", "b", "c"}), "a, b and c"},
		{bytesOf(999), "999 bytes"}, {bytesOf(1_204_113), "1.2 MB"},
	} {
		require.Equal(t, c.want, plain(c.got))
	}
}

func TestNoNumberIsWrittenAsNaN(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, write := range []func(float64) string{decimal, percent, points, general} {
			require.Equal(t, notAvailable, write(v))
		}
		require.Equal(t, "0", coordinate(v))
	}
}

// A share is shown as none or all only when it is.
func TestPercentNeverRoundsToCertainty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(0, 1).Draw(t, "share")
		require.Equal(t, v == 0, plain(percent(v)) == "0 %")
		require.Equal(t, v == 1, plain(percent(v)) == "100 %")
	})
}

// Whatever the values, bars stay inside their pictures and scales hold what they are to show.
func TestScalesHoldTheirValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Float64Range(-1, 1).Draw(t, "a")
		b := rapid.Float64Range(-1, 1).Draw(t, "b")
		s := spanning(scale{-1, 1}, a, b)
		require.LessOrEqual(t, s.Low, min(a, b)+1e-9)
		require.GreaterOrEqual(t, s.High, max(a, b)-1e-9)
		for _, v := range []float64{a, b, -5, 5} {
			require.GreaterOrEqual(t, s.place(v), barInset)
			require.LessOrEqual(t, s.place(v), barWidth-barInset)
		}
	})
}
