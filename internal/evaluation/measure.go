package evaluation

import (
	"math"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// A measure gives a unit's interval at a tail. What does not depend on the tail is done before: counting, sorting, resampling.
type measure func(tail float64) gate.Measurement

// level is what two tails leave.
func level(tail float64) float64 { return 1 - 2*tail }

func noValue(n int, reason string) measure {
	return func(tail float64) gate.Measurement {
		return gate.Measurement{Estimate: stats.NoValue(level(tail), n, reason), Tail: tail}
	}
}

// counted leaves nothing to chance.
func counted(e stats.Estimate) measure {
	return func(float64) gate.Measurement { return gate.Measurement{Estimate: e, Guaranteed: true} }
}

// mostRows is where looking for a number of rows ends: nobody collects more.
const mostRows = 1 << 40

// rowsByRoot says how many rows of from an interval needs that shrinks with the root of their number.
func rowsByRoot(width float64, from int) func(halfWidth float64) int {
	return func(halfWidth float64) int {
		if !(halfWidth > 0) || !(width > 0) {
			return 0
		}
		rows := math.Ceil(float64(from) * (width / halfWidth) * (width / halfWidth))
		if rows > mostRows {
			return 0
		}
		return int(rows)
	}
}

func halfWidth(e stats.Estimate) float64 { return (e.High - e.Low) / 2 }

// negated is of the difference the other way round.
func negated(m measure) measure {
	return func(tail float64) gate.Measurement {
		r := m(tail)
		if r.Defined() {
			r.Value, r.Low, r.High = -r.Value, -r.High, -r.Low
		}
		return r
	}
}

// difference is of two measures that may depend on one another: each gets half of the tail, and the ends are subtracted. It
// misses no more often than the two do together.
func difference(a, b measure) measure {
	return func(tail float64) gate.Measurement {
		first, second := a(tail/2), b(tail/2)
		if !first.Defined() || !second.Defined() {
			return undefined(first, second, tail)
		}
		m := gate.Measurement{
			Estimate: stats.Estimate{
				Value: first.Value - second.Value, Low: first.Low - second.High, High: first.High - second.Low,
				Level: level(tail), Method: gate.MethodArithmetic, N: min(first.N, second.N),
			},
			Tail: tail, Guaranteed: first.Guaranteed && second.Guaranteed,
		}
		if first.Tail == 0 && second.Tail == 0 {
			m.Tail, m.Level, m.Method = 0, 1, stats.MethodExact
		}
		m.Assumption = bothAssume(first.Assumption, second.Assumption)
		m.RowsFor = rowsOfBoth(first, second, halfWidth(m.Estimate))
		return m
	}
}

// independent is of two measures on different rows: the distances from estimate to limit add as squares.
func independent(a, b measure) measure {
	return func(tail float64) gate.Measurement {
		first, second := a(tail), b(tail)
		if !first.Defined() || !second.Defined() {
			return undefined(first, second, tail)
		}
		low, high := stats.Newcombe(first.Estimate, second.Estimate)
		m := gate.Measurement{
			Estimate: stats.Estimate{
				Value: first.Value - second.Value, Low: low, High: high,
				Level: level(tail), Method: stats.MethodNewcombe, N: first.N + second.N,
			},
			Tail: tail, Assumption: assumeOthers,
		}
		m.RowsFor = rowsOfBoth(first, second, math.Hypot(halfWidth(first.Estimate), halfWidth(second.Estimate)))
		return m
	}
}

func undefined(first, second gate.Measurement, tail float64) gate.Measurement {
	if first.Defined() {
		first = second
	}
	return gate.Measurement{Estimate: stats.NoValue(level(tail), first.N, first.Undefined), Tail: tail}
}

func bothAssume(a, b string) string {
	if a == "" || a == b {
		return b
	}
	if b == "" {
		return a
	}
	return a + " " + b
}

// rowsOfBoth is how many rows two measures need that have the half width now together: each keeps its part of it.
func rowsOfBoth(first, second gate.Measurement, now float64) func(float64) int {
	return func(wanted float64) int {
		rows := 0
		for _, m := range []gate.Measurement{first, second} {
			if m.Tail == 0 {
				continue // nothing is left to chance, so any number will do
			}
			if m.RowsFor == nil {
				return 0
			}
			n := m.RowsFor(halfWidth(m.Estimate) * wanted / now)
			if n == 0 {
				return 0
			}
			rows = max(rows, n)
		}
		return rows
	}
}
