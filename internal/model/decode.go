package model

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/assay-ml/assay/internal/artifact"
)

// Decode reads a model of any kind from its JSON. The field "kind" says which; unknown fields, trailing bytes and
// contradictions are refused.
func Decode(b []byte) (Predictor, error) {
	var head struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("decode model: expected a JSON object with a field \"kind\": %w", err)
	}
	switch head.Kind {
	case KindLogistic:
		return decodeLogistic(b)
	case "":
		return nil, fmt.Errorf("decode model: the field \"kind\" is missing; expected %q", KindLogistic)
	default:
		return nil, fmt.Errorf("decode model: unknown kind %q; this version of Assay reads %q", head.Kind, KindLogistic)
	}
}

// Load reads a model from the store, verified against its digest.
func Load(ctx context.Context, store artifact.Store, ref artifact.Ref) (Predictor, error) {
	if ref.MediaType != artifact.MediaModel {
		return nil, fmt.Errorf("load model %s: its media type is %q; expected %q", ref.Digest, ref.MediaType, artifact.MediaModel)
	}
	b, err := artifact.ReadAll(ctx, store, ref)
	if err != nil {
		return nil, fmt.Errorf("load model %s: %w", ref.Digest, err)
	}
	p, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("load model %s: %w", ref.Digest, err)
	}
	return p, nil
}

func decodeStrict(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("unexpected bytes after the JSON object")
	}
	return nil
}
