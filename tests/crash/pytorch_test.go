//go:build python

package crash_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The weights of the PyTorch example do not depend on how often its worker was killed.
func TestKilledPytorchTrainingEndsWithTheSameWeights(t *testing.T) {
	python, err := filepath.Abs("../../.venv-examples/bin/python3")
	require.NoError(t, err)
	require.FileExists(t, python, "the examples need their virtual environment: run `make test-python`")
	killedThrice(t, training{
		file:     "../../examples/pytorch/spec.yaml",
		set:      []string{"train.parameters.step_delay=0.1", "train.parameters.checkpoint_every=10", "train.parameters.epochs=10"},
		programs: []string{python},
	})
}
