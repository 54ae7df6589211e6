package functional

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// specFile writes a spec where a user would have it. JSON is YAML.
func specFile(t *testing.T, spec document) string {
	t.Helper()
	text, err := json.MarshalIndent(spec, "", "  ")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "spec.yaml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}
