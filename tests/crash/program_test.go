//go:build crash || python

package crash_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/require"
)

// training is a lifecycle whose program trains for some seconds and writes a checkpoint many times meanwhile.
type training struct {
	file     string // spec
	set      []string
	programs []string // allowed
}

// killedThrice trains once undisturbed and once with three SIGKILLs of everything, worker, supervisor's parent and server
// alike, and compares what comes out.
func killedThrice(t *testing.T, tr training) {
	calmly := newStack(t, "--allow-programs", strings.Join(tr.programs, ","))
	calmly.begin(tr.file, "calm", tr.set...).trained()
	whole, _ := calmly.onlyModel()
	calmly.stop()

	s := newStack(t, "--allow-programs", strings.Join(tr.programs, ","))
	l := s.begin(tr.file, "killed", tr.set...)
	var seen []int
	for range 3 {
		last := 0
		if len(seen) > 0 {
			last = seen[len(seen)-1]
		}
		seen = append(seen, l.checkpoint(last+2))
		s.kill()
		s.noProgramIsLeft()
		s.start()
	}
	l.trained()
	killed, manifest := s.onlyModel()
	require.Equal(t, whole.Files, killed.Files, "the model is the same to the byte")

	require.Len(t, manifest.Program.Resumed, 3)
	logged, err := os.ReadFile(s.path("devstack.log"))
	require.NoError(t, err)
	for i, sentence := range manifest.Program.Resumed {
		var attempt, number int
		_, err := fmt.Sscanf(sentence, "attempt %d resumed from checkpoint %d", &attempt, &number)
		require.NoError(t, err, sentence)
		require.Equal(t, i+2, attempt)
		require.GreaterOrEqual(t, number, seen[i], "what was in the store when the kill came is not done again")
		t.Log(sentence)
	}
	require.Equal(t, 3, strings.Count(string(logged), "training resumes from a checkpoint"))
}

// trained waits until the training stage has ended.
func (l *life) trained() {
	l.t.Helper()
	l.status("the training has ended", func(s workflows.Status) bool {
		require.Nil(l.t, s.Result, "the lifecycle ended: %+v", s.Result)
		i := slices.Index(stage.Order, stage.Train)
		return !s.Stages[i].Finished.IsZero()
	})
}

// checkpoint waits until the store holds a checkpoint of at least that number and gives the number it found.
func (l *life) checkpoint(least int) int {
	l.t.Helper()
	found := 0
	await(l.t, fmt.Sprintf("checkpoint %d is in the store", least), calm, func() bool {
		names, err := l.store.List(l.t.Context(), "checkpoints")
		require.NoError(l.t, err)
		for _, name := range names {
			var record struct{ Checkpoint struct{ Number int } }
			_, err := artifact.GetJSON(l.t.Context(), l.store, name, &record)
			require.NoError(l.t, err)
			found = record.Checkpoint.Number
		}
		return found >= least
	})
	return found
}

// onlyModel reads what the one training of the stack has left.
func (s *stack) onlyModel() (model.Served, model.Manifest) {
	s.t.Helper()
	names, err := s.store.List(s.t.Context(), "cache/train")
	require.NoError(s.t, err)
	require.Len(s.t, names, 1)
	var answered struct{ Answer stage.Trained }
	_, err = artifact.GetJSON(s.t.Context(), s.store, names[0], &answered)
	require.NoError(s.t, err)
	b, err := artifact.ReadAll(s.t.Context(), s.store, answered.Answer.Model)
	require.NoError(s.t, err)
	served, err := model.DecodeServed(b)
	require.NoError(s.t, err)
	var manifest model.Manifest
	require.NoError(s.t, artifact.ReadJSON(s.t.Context(), s.store, answered.Answer.Manifest, &manifest))
	return served, manifest
}

// noProgramIsLeft waits until no process has the stack's state folder in its environment: programs die with their worker.
func (s *stack) noProgramIsLeft() {
	s.t.Helper()
	await(s.t, "the killed stack's programs are gone", calm, func() bool {
		processes, err := os.ReadDir("/proc")
		require.NoError(s.t, err)
		for _, p := range processes {
			env, err := os.ReadFile("/proc/" + p.Name() + "/environ")
			if err == nil && strings.Contains(string(env), s.state) && strings.Contains(string(env), "SM_MODEL_DIR=") {
				return false
			}
		}
		return true
	})
}

// writeSpec writes a spec as JSON, which is YAML too.
func writeSpec(t *testing.T, spec map[string]any) string {
	t.Helper()
	b, err := json.Marshal(spec)
	require.NoError(t, err)
	path := t.TempDir() + "/spec.yaml"
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}
