package drift

import (
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestCorrections(t *testing.T) {
	// The fifteen p-values of Benjamini and Hochberg (1995), section 3.2: at 0.05 Bonferroni and Holm reject three, their procedure four.
	ps := []float64{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000}
	byHolm, byBH := holm(ps), benjaminiHochberg(ps)
	require.InDeltaSlice(t, []float64{0.0015, 0.0056, 0.0247, 0.114, 0.2211}, byHolm[:5], 1e-12)
	require.InDeltaSlice(t, []float64{0.0015, 0.003, 0.0095, 0.035625, 0.0603}, byBH[:5], 1e-12)
	require.Equal(t, 3, alarms(byHolm, 0.05))
	require.Equal(t, 4, alarms(byBH, 0.05))
	require.Empty(t, holm(nil))
	require.Empty(t, benjaminiHochberg(nil))
}

func TestCorrectionsKeepOrderAndBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ps := rapid.SliceOf(rapid.Float64Range(0, 1)).Draw(t, "ps")
		byHolm, byBH := holm(ps), benjaminiHochberg(ps)
		for i, p := range ps {
			require.LessOrEqual(t, p, byBH[i]*(1+1e-12))
			require.LessOrEqual(t, byBH[i], byHolm[i]*(1+1e-12))
			require.LessOrEqual(t, byHolm[i], min(1, p*float64(len(ps))*(1+1e-12)))
			for j, q := range ps {
				if p < q {
					require.LessOrEqual(t, byHolm[i], byHolm[j])
					require.LessOrEqual(t, byBH[i], byBH[j])
				}
			}
		}
	})
}

// The noncentralities that give a test at 0.05 a power of 0.8 are tabulated (Haynam, Govindarajulu and Leone, 1970).
func TestDetectableChiSquareAgreesWithTables(t *testing.T) {
	for df, want := range map[int]float64{1: 7.849, 2: 9.635, 3: 10.903, 5: 12.828, 10: 16.241, 20: 20.961} {
		m, n := int64(4000), int64(250)
		w := detectableChiSquare(m, n, df, 0.05)
		require.InDelta(t, want, w*w*float64(m*n)/float64(m+n), 0.002, "df %d", df)
	}
}

// A change of the stated size is seen in at least 80 % of samples.
func TestDetectableKSIsSeen(t *testing.T) {
	const trials, m, n, level = 400, 2000, 200, 0.001
	d := detectableKS(m, n, level)
	rng := rand.New(rand.NewPCG(6, 7))
	seen := 0
	for range trials {
		ref, cur := make([]float64, m), make([]float64, n)
		for i := range ref {
			ref[i] = rng.Float64()
		}
		for i := range cur {
			// Mass d moves from below the middle to above it: the distribution functions differ by d there, and by less elsewhere.
			if cur[i] = rng.Float64(); cur[i] > 0.5-d && cur[i] <= 0.5 {
				cur[i] += 0.5
			}
		}
		s := stepsOf(ref)
		if kolmogorovP(m, n, kolmogorovSmirnov(s, count(s, cur))) <= level {
			seen++
		}
	}
	t.Logf("%d of %d seen", seen, trials)
	require.GreaterOrEqual(t, seen, trials*78/100)
}

func TestNormalShift(t *testing.T) {
	require.InDelta(t, 1, normalShift(2*0.6914624612740131-1), 1e-12)
	require.Zero(t, normalShift(0))
}

func TestFirstFromAgreesWithTheLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfNDistinct(rapid.Float64Range(-5, 5), 0, 20, rapid.ID[float64]).Draw(t, "values")
		slices.Sort(values)
		x := rapid.OneOf(rapid.Float64Range(-6, 6), rapid.SampledFrom(append(values, 0))).Draw(t, "x")
		require.Equal(t, sort.SearchFloat64s(values, x), firstFrom(values, x))
	})
}
