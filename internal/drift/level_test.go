package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/table"
)

// mixed draws 30 columns, the shapes that real tables have: bell-shaped, skewed, few distinct values, many zeros, missing values,
// names with even, uneven and long-tailed shares. The first five are bell-shaped, with the mean moved by shift.
func mixed(rng *rand.Rand, rows int, shift float64) *table.Frame {
	var columns []table.Column
	for j := range 20 {
		xs := make([]float64, rows)
		for i := range xs {
			xs[i] = number(rng, j, shift)
		}
		columns = append(columns, numeric(fmt.Sprintf("n%d", j), xs))
	}
	for j := range 10 {
		xs := make([]string, rows)
		for i := range xs {
			xs[i] = name(rng, j)
		}
		columns = append(columns, categorical(fmt.Sprintf("c%d", j), xs))
	}
	return frame(columns...)
}

func number(rng *rand.Rand, j int, shift float64) float64 {
	switch {
	case j < 5:
		return rng.NormFloat64() + shift
	case j < 10:
		return rng.ExpFloat64()
	case j < 12:
		return float64(rng.IntN(10))
	case j < 14:
		return float64(rng.IntN(2))
	case j < 16:
		return math.Max(0, rng.NormFloat64()-1)
	case rng.Float64() < 0.03*float64(j-15):
		return math.NaN()
	}
	return rng.Float64()
}

func name(rng *rand.Rand, j int) string {
	switch {
	case j < 2: // two values, one rare
		return pick(rng, 0.98-0.2*float64(j), 1)
	case j < 5: // even shares
		return fmt.Sprint(rng.IntN(2 + 4*j))
	case j < 7: // one large, several rare
		return pick(rng, 0.85, 8)
	case j < 9: // each half as frequent as the one before
		return fmt.Sprint(int(-math.Log2(1 - rng.Float64())))
	case rng.Float64() < 0.05:
		return "" // missing
	}
	return fmt.Sprint(int(rng.ExpFloat64() * 300)) // hundreds of values
}

// pick is one frequent value with the given share, and others that divide the rest evenly.
func pick(rng *rand.Rand, share float64, others int) string {
	if rng.Float64() < share {
		return "usual"
	}
	return fmt.Sprint(rng.IntN(others))
}

// leastPs is, for each of several checks of fresh samples, the least adjusted p-value by each correction.
func leastPs(t *testing.T, checks, rows int, shift float64) (byHolm, byBenjaminiHochberg []float64) {
	for i := range checks {
		rng := rand.New(rand.NewPCG(uint64(i), uint64(rows)))
		ref := profileOf(mixed(rng, 2000, 0), 1000)
		report, err := Check(ref, mixed(rng, rows, shift), Options{})
		require.NoError(t, err)
		require.Len(t, report.Columns, 30)
		var ps []float64
		report.eachP(func(p, _ *float64, _ *Column) { ps = append(ps, *p) })
		byHolm = append(byHolm, slices.Min(holm(ps)))
		byBenjaminiHochberg = append(byBenjaminiHochberg, slices.Min(benjaminiHochberg(ps)))
		require.Equal(t, byHolm[i] <= 0.01, report.Drifted)
	}
	return byHolm, byBenjaminiHochberg
}

func alarms(ps []float64, rate float64) int {
	n := 0
	for _, p := range ps {
		if p <= rate {
			n++
		}
	}
	return n
}

// The share of checks that alarm without drift is at most the rate, within the error of the simulation (three standard
// deviations of a binomial count).
func TestFalseAlarmsKeepTheirRate(t *testing.T) {
	const checks = 200
	for _, rows := range []int{50, 300, 1000} {
		t.Run(fmt.Sprintf("%d rows", rows), func(t *testing.T) {
			t.Parallel()
			byHolm, byBH := leastPs(t, checks, rows, 0)
			for _, rate := range []float64{0.01, 0.05, 0.2} {
				most := checks*rate + 3*math.Sqrt(checks*rate*(1-rate))
				t.Logf("rate %g: %d and %d of %d checks alarm", rate, alarms(byHolm, rate), alarms(byBH, rate), checks)
				require.LessOrEqual(t, float64(alarms(byHolm, rate)), most, "holm, rate %g", rate)
				require.LessOrEqual(t, float64(alarms(byBH, rate)), most, "benjamini-hochberg, rate %g", rate)
			}
		})
	}
}

func TestShiftOfThreeTenthsIsSeen(t *testing.T) {
	const checks = 60
	byHolm, _ := leastPs(t, checks, 300, 0.3)
	seen := alarms(byHolm, 0.01)
	t.Logf("%d of %d checks alarm", seen, checks)
	require.Greater(t, seen, checks*9/10)
}
