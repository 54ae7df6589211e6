package main

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/tests/bench/people"
)

func TestRowsAreWrittenInNumPysFormat(t *testing.T) {
	folder := t.TempDir()
	p := people.Predictions(1234, 1)
	require.NoError(t, writeRows(folder, p, evaluation.Options{MinGroup: 30, Replicates: 500, Seed: 7}))

	score := array(t, filepath.Join(folder, "score.npy"), "<f8")
	require.Len(t, score, 8*p.N())
	for i, want := range p.Score {
		require.Equal(t, math.Float64bits(want), binary.LittleEndian.Uint64(score[8*i:]))
	}
	y, race := array(t, filepath.Join(folder, "y.npy"), "|u1"), array(t, filepath.Join(folder, "race.npy"), "|u1")
	require.Len(t, race, p.N())
	for i := range p.Row {
		require.Equal(t, p.Y[i], float64(y[i]))
		require.Equal(t, p.Groups["race"][i], people.Groups("race")[race[i]])
	}

	settings, err := os.ReadFile(filepath.Join(folder, "settings.json"))
	require.NoError(t, err)
	require.True(t, json.Valid(settings))
	require.Contains(t, string(settings), `"groups":{"sex":["female","male"],"race":["a","b","c","d","e"],"age":[`)
	require.Contains(t, string(settings), `"seed":7`)
}

// array reads the values of a .npy file by its description (NumPy Enhancement Proposal 1).
func array(t *testing.T, file, kind string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "\x93NUMPY\x01\x00", string(b[:8]))
	values := 10 + int(binary.LittleEndian.Uint16(b[8:]))
	require.Zero(t, values%64, "values that begin at a multiple of 64 bytes")
	header := string(b[10:values])
	require.Contains(t, header, "'descr': '"+kind+"'")
	require.Contains(t, header, "'shape': (1234,)")
	require.True(t, strings.HasSuffix(header, "\n"))
	return b[values:]
}
