//go:build crash

package crash_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/tests/naivebayes"
	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/require"
)

// ownProgram is a spec whose program is this test's own binary.
func ownProgram(t *testing.T, train map[string]any) (file, self string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	code := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(code, "README"), []byte("the program is the test's own"), 0o600))
	train["trainer"] = "command"
	train["command"] = map[string]any{"code": code, "run": []string{self}, "environment": map[string]string{naivebayes.Role: "train"}}
	return writeSpec(t, map[string]any{
		"apiVersion": "assay/v1", "kind": "Lifecycle", "model": "own", "owner": "tests", "purpose": "A test. Not for decisions.",
		"data": map[string]any{
			"source": map[string]any{"uri": "synthetic://credit?rows=3000&seed=7"}, "target": map[string]any{"column": "approved", "positive": "yes"},
			"exclude": []string{"application_id"},
			"split":   map[string]any{"by": "hash", "train": 0.6, "validation": 0.2, "test": 0.2, "seed": 7},
		},
		"train":  train,
		"serve":  map[string]any{"run": []string{self}, "environment": map[string]string{naivebayes.Role: "serve"}},
		"review": map[string]any{"deadline": "1h", "quorum": []map[string]any{{"role": "risk", "approvals": 1}}},
	}), self
}

// A user's own program that is killed with its worker goes on from its last checkpoint, and trains the same model.
func TestKilledTrainingGoesOnFromItsCheckpoint(t *testing.T) {
	file, self := ownProgram(t, map[string]any{"parameters": map[string]any{"rows": 25, "delay": 0.15}})
	killedThrice(t, training{file: file, programs: []string{self}})
}

// A sweep that is killed with everything else repeats no trial that had finished, and makes all the others.
func TestKilledSweepRepeatsNoFinishedTrial(t *testing.T) {
	const trials = 12
	file, self := ownProgram(t, map[string]any{
		"parameters": map[string]any{"rows": 200, "delay": 0.1},
		"sweep": map[string]any{
			"method": "random", "metric": "validation_accuracy", "trials": trials, "parallel": 2, "seed": 11,
			"parameters": map[string]any{"smoothing": map[string]any{"min": 1e-5, "max": 1.0, "scale": "log"}},
		},
	})
	s := newStack(t, "--allow-programs", self)
	l := s.begin(file, "swept")
	sweep := workflows.SweepID(l.lifecycle)
	var before workflows.SweepStatus
	await(t, "four trials have finished", calm, func() bool { return s.ask(sweep, &before) && before.Counts.Finished >= 4 })
	s.kill()
	s.noProgramIsLeft()
	s.start()
	l.trained()

	all := s.activities(sweep)
	require.Equal(t, trials, count(all, stage.ActivityTrain))
	finished := map[search.Trial]bool{}
	for _, r := range before.Recent {
		finished[r.Trial] = true
	}
	trial := search.Trial(0)
	for _, a := range all {
		if a.name != stage.ActivityTrain {
			continue
		}
		trial++
		require.Equal(t, 1, a.answered, "trial %d", trial)
		if finished[trial] {
			require.EqualValues(t, 1, a.attempt, "trial %d had finished before the kill", trial)
		}
	}
	require.True(t, retried(all, stage.ActivityTrain), "the kill fell while trials ran")
	var after workflows.SweepStatus
	require.True(t, s.ask(sweep, &after))
	require.Equal(t, trials, after.Counts.Finished)
}
