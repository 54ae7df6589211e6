package explain

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/model"
)

// Numbers of Adult have long tails (capital gains are 0 but for few), and countries that few rows have, which is hard for
// sampling: the error of a value that rests on few background rows is known less well than the normal distribution has it.
func TestSampledAgreesWithEnumerationOnAdult(t *testing.T) {
	m := referenceModel(t)
	f, _ := adultTest(t, m)
	background := takeRows(f, drawn(f.Rows, 150, generator(1, "")))
	rows := []int{0, 1, 2, 3, 7}
	var exact [][]float64
	for _, row := range rows {
		exact = append(exact, enumerated(t, m, f, background, row, Probability, 0))
	}
	for name, p := range map[string]model.Predictor{"by terms": m, "asked": hidden{m}} {
		made, stated, beyond, far, n := 0.0, 0.0, 0, 0, 0
		for seed := range uint64(20) {
			v, err := Sampled(t.Context(), p, f, background, ShapleyOptions{Rows: rows, Permutations: 120, Seed: seed})
			require.NoError(t, err)
			for i := range rows {
				for j, want := range exact[i] {
					off, se := math.Abs(want-v.Phi[i][j]), v.SE[i][j]
					made, stated = made+off*off, stated+se*se
					n++
					if off > 2*se+1e-9 {
						beyond++
					}
					if off > 6*se+1e-9 {
						far++
					}
				}
			}
		}
		t.Logf("%s: the squared errors made are %.2f of those stated; of %d, %d are beyond two standard errors, %d beyond six", name, made/stated, n, beyond, far)
		require.Less(t, made, 1.2*stated)
		require.Less(t, float64(beyond), 0.08*float64(n))
		require.Less(t, float64(far), 0.005*float64(n))
	}
}

func TestImportancesOfAdultAreStable(t *testing.T) {
	m := referenceModel(t)
	f, _ := adultTest(t, m)
	r, err := Stability(t.Context(), m, f, f, ShapleyOptions{Seed: 1, Permutations: 100, MaxRows: 500, MaxBackground: 500}, StabilityOptions{})
	require.NoError(t, err)
	require.Equal(t, Sound, r.Verdict, r.Reading)
	require.Equal(t, "marital-status", r.Ranks[0].Feature)
	t.Log(r.Reading)
}
