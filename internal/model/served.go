package model

import (
	"encoding/json"
	"fmt"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
)

// KindServed is a model that a user's own program answers for; see Served.
const KindServed = "served"

// ServedFormat is the version of Served's JSON.
const ServedFormat = 1

// Served describes a model whose predictions a user's program gives over HTTP (package serve). Its bytes name the
// trained files and the code by digest, so two of them are equal exactly when both are.
type Served struct {
	Kind   string       `json:"kind"`   // KindServed
	Format int          `json:"format"` // ServedFormat
	Inputs Schema       `json:"schema"`
	Files  artifact.Ref `json:"files"` // artifact.Folder: what training left in SM_MODEL_DIR
	Code   artifact.Ref `json:"code"`  // artifact.Folder: where the program runs
	Serve  spec.Serve   `json:"serve"`
}

// Encode gives the model's bytes, the same for equal models.
func (m Served) Encode() ([]byte, error) {
	if m.Inputs.TaskOf() == stats.Binary {
		m.Inputs.Task = ""
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("encode model: %w", err)
	}
	return artifact.EncodeJSON(m)
}

// Schema is what the model takes and what its scores mean.
func (m Served) Schema() Schema { return m.Inputs }

func (m Served) check() error {
	switch {
	case m.Kind != KindServed || m.Format != ServedFormat:
		return fmt.Errorf("kind %q format %d: expected %q format %d", m.Kind, m.Format, KindServed, ServedFormat)
	case m.Files.MediaType != artifact.MediaFolder || m.Code.MediaType != artifact.MediaFolder:
		return fmt.Errorf("its files and code are %q and %q; expected %q", m.Files.MediaType, m.Code.MediaType, artifact.MediaFolder)
	case len(m.Serve.Run) == 0:
		return fmt.Errorf("it names no program to serve it")
	case m.Inputs.TaskOf() != stats.Binary && m.Serve.PositiveIndex != nil:
		return fmt.Errorf("serve.positive_index is given for a model of task %s, which has no positive class", m.Inputs.TaskOf())
	}
	return m.Inputs.check()
}

// DecodeServed reads a model of KindServed from its JSON, as strictly as Decode reads the others.
func DecodeServed(b []byte) (Served, error) {
	var m Served
	if err := decodeStrict(b, &m); err != nil {
		return Served{}, fmt.Errorf("decode served model: %w", err)
	}
	if err := m.check(); err != nil {
		return Served{}, fmt.Errorf("decode served model: %w", err)
	}
	return m, nil
}

// KindOf reads which kind of model b is the JSON of.
func KindOf(b []byte) (string, error) {
	var head struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return "", fmt.Errorf("decode model: expected a JSON object with a field \"kind\": %w", err)
	}
	return head.Kind, nil
}
