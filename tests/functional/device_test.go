package functional

import (
	"fmt"
	"testing"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/stretchr/testify/require"
)

func TestTrainingOnADevice(t *testing.T) {
	t.Parallel()
	l := start(t, credit("on-a-device", oneReviewer, with("train", document{"trainer": "logistic", "queue": "gpu", "gpus": 1, "parameters": document{"l2": 3.0}})))
	l.deploys()
	require.Contains(t, l.status().Stages[4].Summary, "on a simulated device")
	device := manifestOf(t, "on-a-device", 1)
	require.Equal(t, "true", device.Environment["device_simulated"])
	var trained struct {
		Device struct{ Simulated bool }
	}
	require.NoError(t, artifact.ReadJSON(t.Context(), local.Store, device.ModelManifest, &trained))
	require.True(t, trained.Device.Simulated, "a simulated device says so")

	start(t, credit("on-a-processor", oneReviewer, with("train.parameters", document{"l2": 3.0}))).deploys()
	processor := manifestOf(t, "on-a-processor", 1)
	require.Equal(t, "cpu", processor.Environment["device"])
	require.Equal(t, processor.ModelArtifact.Digest, device.ModelArtifact.Digest, "the model does not depend on where it was trained")
}

// manifest is what the tests read of a version's manifest.
type manifest struct {
	Requester     string             `json:"requester"`
	Verdict       string             `json:"verdict"`
	Decisions     []decision         `json:"decisions"`
	Dossier       artifact.Ref       `json:"dossier"`
	Page          artifact.Ref       `json:"dossier_page"`
	ModelArtifact artifact.Ref       `json:"model_artifact"`
	ModelManifest artifact.Ref       `json:"model_manifest"`
	Sweep         artifact.Ref       `json:"sweep"`
	Parameters    map[string]string  `json:"parameters"`
	Environment   map[string]string  `json:"environment"`
	Metrics       map[string]float64 `json:"metrics"`
}

func manifestOf(t *testing.T, model string, version int) manifest {
	t.Helper()
	var m manifest
	_, err := artifact.GetJSON(t.Context(), local.Store, fmt.Sprintf("models/%s/versions/%06d.json", model, version), &m)
	require.NoError(t, err)
	return m
}
