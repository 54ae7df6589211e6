//go:build crash

package crash_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/assay-ml/assay/tests/naivebayes"
	"github.com/stretchr/testify/require"
)

// A user's own program that is killed with its worker goes on from its last checkpoint, and trains the same model.
func TestKilledTrainingGoesOnFromItsCheckpoint(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	code := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(code, "README"), []byte("the program is the test's own"), 0o600))
	file := writeSpec(t, map[string]any{
		"apiVersion": "assay/v1", "kind": "Lifecycle", "model": "killed", "owner": "tests", "purpose": "A test. Not for decisions.",
		"data": map[string]any{
			"source": map[string]any{"uri": "synthetic://credit?rows=3000&seed=7"}, "target": map[string]any{"column": "approved", "positive": "yes"},
			"exclude": []string{"application_id"},
			"split":   map[string]any{"by": "hash", "train": 0.6, "validation": 0.2, "test": 0.2, "seed": 7},
		},
		"train": map[string]any{
			"trainer": "command", "parameters": map[string]any{"rows": 25, "delay": 0.15},
			"command": map[string]any{"code": code, "run": []string{self}, "environment": map[string]string{naivebayes.Role: "train"}},
		},
		"serve":  map[string]any{"run": []string{self}, "environment": map[string]string{naivebayes.Role: "serve"}},
		"review": map[string]any{"deadline": "1h", "quorum": []map[string]any{{"role": "risk", "approvals": 1}}},
	})
	killedThrice(t, training{file: file, programs: []string{self}})
}
