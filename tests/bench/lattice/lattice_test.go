package lattice

import (
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/explain"
)

// By the definition: the mean over all sets of the other features, those of one size together having the weight 1/features.
func TestExactValuesAreThoseOfEnumeration(t *testing.T) {
	const features = 8
	m, f := Draw(features, 30, 3)
	background := First(f, 20)
	for row := 20; row < 23; row++ {
		score := make([]float64, 1<<features) // mean over the background, by set of features with the row's values
		for set := range score {
			mixed := First(f, 20)
			for j := range mixed.Columns {
				if set>>j&1 == 1 {
					numbers := make([]float64, 20)
					for i := range numbers {
						numbers[i] = f.Columns[j].Numbers[row]
					}
					mixed.Columns[j].Numbers = numbers
				}
			}
			p, err := m.Predict(t.Context(), mixed)
			require.NoError(t, err)
			for _, x := range p {
				score[set] += x / 20
			}
		}
		want := make([]float64, features)
		for set := range score {
			for j := range want {
				if set>>j&1 == 0 {
					want[j] += (score[set|1<<j] - score[set]) / float64(features*choose(features-1, bits.OnesCount(uint(set))))
				}
			}
		}
		require.InDeltaSlice(t, want, Exact(m, f, background, row), 1e-9)
	}
}

func choose(n, k int) int {
	c := 1
	for i := range k {
		c = c * (n - i) / (i + 1)
	}
	return c
}

func TestErrorsAndSizesAreMeans(t *testing.T) {
	require.InDelta(t, 0.5, MeanError([][]float64{{1, 2}, {3, 3}}, [][]float64{{1, 3}, {3, 4}}), 1e-15)
	require.InDelta(t, 2, MeanSize([][]float64{{-1, 3}}), 1e-15)
}

func TestSampledValuesAreNearTheExactOnes(t *testing.T) {
	m, f := Draw(20, 60, 1)
	background := First(f, 40)
	v, err := explain.Sampled(t.Context(), m, f, background, explain.ShapleyOptions{Rows: []int{50, 55}, Permutations: 200, Seed: 1})
	require.NoError(t, err)
	exact := [][]float64{Exact(m, f, background, 50), Exact(m, f, background, 55)}
	require.Less(t, MeanError(v.Phi, exact), 0.02*MeanSize(exact))
}
