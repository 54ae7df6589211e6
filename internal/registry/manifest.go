package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
)

// Manifest says what a version is and how it came to be. It is written once and never changed.
type Manifest struct {
	Model     string    `json:"model"`
	Version   int       `json:"version"`   // 1, 2, ... without gaps
	Lifecycle string    `json:"lifecycle"` // workflow id of the lifecycle; registers once
	RunID     string    `json:"run_id,omitzero"`
	Created   time.Time `json:"created"`

	Requester string `json:"requester,omitzero"`
	Owner     string `json:"owner,omitzero"`
	Purpose   string `json:"purpose,omitzero"`
	Trigger   string `json:"trigger,omitzero"` // kind: manual, schedule, drift or data
	Reason    string `json:"reason,omitzero"`

	Spec          artifact.Ref `json:"spec,omitzero"`
	Data          artifact.Ref `json:"data,omitzero"`
	Profile       artifact.Ref `json:"profile,omitzero"` // of the training data; drift is measured against it
	TrainData     artifact.Ref `json:"train_data,omitzero"`
	TestData      artifact.Ref `json:"test_data,omitzero"`
	ModelArtifact artifact.Ref `json:"model_artifact,omitzero"`
	ModelManifest artifact.Ref `json:"model_manifest,omitzero"`
	Thresholds    artifact.Ref `json:"thresholds,omitzero"`  // by group, a mitigation.Rule: whoever acts on scores applies them
	Predictions   artifact.Ref `json:"predictions,omitzero"` // on the test data
	Evaluation    artifact.Ref `json:"evaluation,omitzero"`
	Fairness      artifact.Ref `json:"fairness,omitzero"`
	Explain       artifact.Ref `json:"explain,omitzero"`
	Privacy       artifact.Ref `json:"privacy,omitzero"`
	Verdicts      artifact.Ref `json:"verdicts,omitzero"`
	Dossier       artifact.Ref `json:"dossier,omitzero"` // the JSON the decisions are bound to
	DossierPage   artifact.Ref `json:"dossier_page,omitzero"`

	Code  artifact.Ref `json:"code,omitzero"`  // artifact.Folder: the user's own training code
	Sweep artifact.Ref `json:"sweep,omitzero"` // report of the sweep that chose the parameters
	Usage []StageUsage `json:"usage,omitempty"`

	Verdict     string             `json:"verdict,omitzero"` // of all gate conditions together: pass, fail or inconclusive
	Decisions   []Decision         `json:"decisions,omitempty"`
	Parameters  map[string]string  `json:"parameters,omitempty"`  // of the trainer
	Environment map[string]string  `json:"environment,omitempty"` // what it was trained with: code version, platform, device
	Metrics     map[string]float64 `json:"metrics,omitempty"`     // point estimates on the test data, by name
}

// StageUsage is what one stage took; see stage.Usage.
type StageUsage struct {
	Stage           string  `json:"stage"`
	CPUSeconds      float64 `json:"cpu_seconds,omitempty"`
	GPUSeconds      float64 `json:"gpu_seconds,omitempty"`
	PeakMemoryBytes int64   `json:"peak_memory_bytes,omitempty"`
}

// Decision is one reviewer's accepted vote.
type Decision struct {
	Reviewer string          `json:"reviewer"`
	Role     string          `json:"role"`
	Decision string          `json:"decision"` // approve, reject or request_changes
	Reason   string          `json:"reason,omitzero"`
	Time     time.Time       `json:"time"`
	Dossier  artifact.Digest `json:"dossier"` // what the reviewer saw
}

// check reports what makes m unfit to be registered.
func (m Manifest) check() error {
	if err := CheckName(m.Model); err != nil {
		return err
	}
	if m.Lifecycle == "" {
		return errors.New("the manifest names no lifecycle; expected the id of the workflow that asks")
	}
	if m.Version != 0 {
		return fmt.Errorf("the manifest has version %d already; expected 0, the registry numbers versions", m.Version)
	}
	return m.CheckDecisions()
}

// CheckDecisions reports a decision that was taken on another dossier than the manifest's.
func (m Manifest) CheckDecisions() error {
	for _, d := range m.Decisions {
		if d.Dossier != m.Dossier.Digest {
			return fmt.Errorf("the decision of %s (%s) was taken on dossier %q, but the manifest's dossier is %q", d.Reviewer, d.Role, d.Dossier, m.Dossier.Digest)
		}
	}
	return nil
}

// decode is strict: a field this program does not know could change the meaning of the others.
func decode(doc []byte) (Manifest, error) {
	var m Manifest
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("not a manifest: %w", err)
	}
	return m, nil
}
