package main

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/tests/bench/lattice"
)

func someRows(t *testing.T) *explained {
	t.Helper()
	m, f := lattice.Draw(explainedFeatures, 40, 1)
	e := &explained{m: m, f: f, background: lattice.First(f, 30), rows: []int{30, 39}}
	require.NoError(t, e.solve())
	return e
}

func TestFewerPermutationsDoForALargerError(t *testing.T) {
	e := someRows(t)
	for _, scale := range []explain.Scale{explain.Probability, explain.LogOdds} {
		size := lattice.MeanSize(e.exact[scale])
		rough, err := e.within(t.Context(), e.m, scale, 0.2*size)
		require.NoError(t, err)
		fine, err := e.within(t.Context(), asked{e.m}, scale, 0.02*size)
		require.NoError(t, err)
		require.LessOrEqual(t, rough.wrong, 0.2*size)
		require.LessOrEqual(t, fine.wrong, 0.02*size)
		require.Less(t, rough.permutations, fine.permutations)
		require.Positive(t, fine.seconds)
	}
}

func TestLinearValuesThatDifferAreRefused(t *testing.T) {
	e := someRows(t)
	a := attributionAnswer{}
	for _, row := range e.exact[explain.LogOdds] {
		a.Values, a.Linear = append(a.Values, row), append(a.Linear, slices.Clone(row))
	}
	require.NoError(t, e.agree(a))
	a.Linear[1][7] += 2e-9
	require.ErrorContains(t, e.agree(a), "linear SHAP of row 1, feature 7")
	a.Linear = a.Linear[:1]
	require.ErrorContains(t, e.agree(a), "the peer explained 1 rows; expected 2 of 100 features")
}

func TestTheModelIsHandedOver(t *testing.T) {
	e, folder := someRows(t), t.TempDir()
	require.NoError(t, e.write(folder))
	b, err := os.ReadFile(filepath.Join(folder, "rows.npy"))
	require.NoError(t, err)
	b = b[len(b)-8*2*explainedFeatures:]
	require.Equal(t, e.f.Columns[3].Numbers[39], math.Float64frombits(binary.LittleEndian.Uint64(b[8*(explainedFeatures+3):])))
	var written struct {
		Intercept    float64
		Coefficients []float64
	}
	encoded, err := os.ReadFile(filepath.Join(folder, "model.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(encoded, &written))
	require.Equal(t, e.m.Intercept, written.Intercept)
	require.Equal(t, e.m.Terms[99].Numeric.Coefficient, written.Coefficients[99])
}
