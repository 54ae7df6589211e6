package model

import (
	"context"
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/artifact"
)

// ReadSchema reads what a stored model of any kind takes and answers, without opening it.
func ReadSchema(ctx context.Context, store artifact.Store, ref artifact.Ref) (Schema, error) {
	b, err := artifact.ReadAll(ctx, store, ref)
	if err != nil {
		return Schema{}, fmt.Errorf("read the schema of model %s: %w", ref.Digest, err)
	}
	kind, err := KindOf(b)
	if err != nil {
		return Schema{}, fmt.Errorf("read the schema of model %s: %w", ref.Digest, err)
	}
	if kind == KindServed {
		m, err := DecodeServed(b)
		return m.Schema(), err
	}
	p, err := Decode(b)
	if err != nil {
		return Schema{}, fmt.Errorf("read the schema of model %s: %w", ref.Digest, err)
	}
	return p.Schema(), nil
}

// SameAnswers reports whether the answers of two models mean the same, so that they can be compared row by row. What the
// models look at may differ.
func (s Schema) SameAnswers(t Schema) bool {
	return s.Target == t.Target && s.TaskOf() == t.TaskOf() && s.Positive == t.Positive && slices.Equal(s.Classes, t.Classes)
}
