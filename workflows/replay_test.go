package workflows_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
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
				f, err := os.Open(file)
				require.NoError(t, err)
				defer f.Close()
				history, err := client.HistoryFromJSON(f, client.HistoryJSONOptions{})
				require.NoError(t, err)
				started := history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
				replayer := worker.NewWorkflowReplayer()
				workflows.Register(replayer)
				// Ids of children are made of the run's own.
				require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(quiet{}, history, worker.ReplayWorkflowHistoryOptions{
					OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId()},
				}))
			})
		}
	}
}
