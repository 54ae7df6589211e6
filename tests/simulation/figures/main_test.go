package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/stretchr/testify/require"
)

func TestPicturesAreDrawnFromTheSimulations(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "figures")
	var printed bytes.Buffer
	require.NoError(t, figures(&printed, folder, 8))
	for name, texts := range map[string][]string{
		"wrong-verdicts.svg": {"stated: at most 0.1", "guaranteed", "share of 8 worlds"},
		"adversary.svg":      {"Assay, 32 steps, adaptivity full", "share of worlds with a wrong pass"},
		"rows-needed.svg":    {"Bennett, as in ease.ml/ci", "test rows needed"},
	} {
		svg, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		for _, text := range texts {
			require.Contains(t, string(svg), text)
		}
		require.NoError(t, wellFormed(svg), name)
	}
	require.Contains(t, printed.String(), "| Assay, 32 steps, adaptivity full | 0.000 |")
}

func wellFormed(document []byte) error {
	d := xml.NewDecoder(bytes.NewReader(document))
	for {
		if _, err := d.Token(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// What the page says of samples is what the gate computes, and the pictures it shows are there.
func TestDocsShowTheSamplesThatAreComputed(t *testing.T) {
	page, err := os.ReadFile("../../../docs/statistics.md")
	require.NoError(t, err)
	lines := append(rowLines(gate.Plan{Reliability: confident, Steps: manySteps, Adaptivity: gate.AdaptivityNone}), paperLines()...)
	for _, line := range lines {
		require.Contains(t, string(page), line)
	}
	for _, picture := range []string{"wrong-verdicts.svg", "adversary.svg", "rows-needed.svg"} {
		require.Contains(t, string(page), "](figures/"+picture+")")
		require.FileExists(t, filepath.Join("../../../docs/figures", picture))
	}
}

func TestMistakesAreRefused(t *testing.T) {
	require.ErrorContains(t, figures(io.Discard, t.TempDir(), 0), "expected at least 1")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Error(t, figures(io.Discard, file, 1))
}
