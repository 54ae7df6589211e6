package spec

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDurationReadsAndWrites(t *testing.T) {
	for text, want := range map[string]struct {
		value   time.Duration
		written string
	}{
		"72h":      {72 * time.Hour, "72h"},
		"72h0m0s":  {72 * time.Hour, "72h"},
		"3d":       {72 * time.Hour, "72h"},
		"2w":       {336 * time.Hour, "336h"},
		"1w1d2h3m": {194*time.Hour + 3*time.Minute, "194h3m"},
		"10m":      {10 * time.Minute, "10m"},
		"90s":      {90 * time.Second, "1m30s"},
		"1.5s":     {1500 * time.Millisecond, "1.5s"},
		"20m0s":    {20 * time.Minute, "20m"},
		"10s":      {10 * time.Second, "10s"},
		"0s":       {0, "0s"},
	} {
		d, err := ParseDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, Duration(want.value), d, text)
		require.Equal(t, want.written, d.String(), text)
	}
}

func TestDurationRefuses(t *testing.T) {
	for _, text := range []string{"", "72", "h", "-1h", "1.5d", "1 h", "1y", "1h1d", "1d ", "999999999999999w", "9223372036854775807d", "9999999999h", "15250w9999999h"} {
		_, err := ParseDuration(text)
		require.Error(t, err, text)
	}
}

func TestDurationRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(rapid.Int64Min(0).Draw(t, "nanoseconds"))
		type doc struct {
			D Duration `json:"d,omitzero" yaml:"d,omitempty"`
		}
		j, err := json.Marshal(doc{d})
		require.NoError(t, err)
		var fromJSON doc
		require.NoError(t, json.Unmarshal(j, &fromJSON))
		require.Equal(t, d, fromJSON.D)
		y, err := yaml.Marshal(doc{d})
		require.NoError(t, err)
		var fromYAML doc
		require.NoError(t, yaml.Unmarshal(y, &fromYAML))
		require.Equal(t, d, fromYAML.D)
	})
}

func TestDurationOmitsZeroAndRefusesNumbers(t *testing.T) {
	j, err := json.Marshal(Retrain{})
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(j))
	require.Error(t, json.Unmarshal([]byte(`3600`), new(Duration)))
}
