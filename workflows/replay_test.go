package workflows_test

import (
	"path/filepath"
	"testing"

	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
)

// TestHistoriesOfDeployedCodeReplay fails when a change breaks executions that are under way. The answer is
// workflow.GetVersion around the change, never new fixtures for an old release.
func TestHistoriesOfDeployedCodeReplay(t *testing.T) {
	for _, pattern := range []string{"*-lifecycle-*.json", "*-rollout-*.json", "*-monitor-*.json", "*-sweep-*.json"} {
		files, err := filepath.Glob(filepath.Join("testdata", "replay", pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files, "no fixtures %s: run `make fixtures` on the deployed code", pattern)
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				replayer := worker.NewWorkflowReplayer()
				workflows.Register(replayer)
				require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(quiet{}, file))
			})
		}
	}
}
