package artifact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// StageKey names the answer of a stage by everything the answer depends on: the stage's name, the version of
// its code and its parameters, which include the digests of its inputs.
type StageKey struct {
	stage  string
	digest Digest
}

// NewStageKey makes the key of a stage's answer: the SHA-256 of the JSON of {stage, version, params} with the fields of
// every object sorted by name. Params must hold all inputs and parameters of the stage and nothing that
// changes between attempts, such as a time.
func NewStageKey(stage string, version int, params any) (StageKey, error) {
	if stage == "" || strings.Trim(stage, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return StageKey{}, fmt.Errorf("stage key: stage %q: expected lower-case letters, digits and hyphens", stage)
	}
	canonical, err := sortFields(map[string]any{"stage": stage, "version": version, "params": params})
	if err != nil {
		return StageKey{}, fmt.Errorf("stage key of %s: %w", stage, err)
	}
	return StageKey{stage: stage, digest: Sum(canonical)}, nil
}

// sortFields encodes v so that a struct and a map with the same fields give the same bytes.
func sortFields(v any) ([]byte, error) {
	b, err := EncodeJSON(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber() // a float64 would merge large integers
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	return EncodeJSON(tree)
}

// Name is the document that holds the answer.
func (k StageKey) Name() string { return "cache/" + k.stage + "/" + k.digest.Hex() + ".json" }

// Hex is the whole digest, which names what is answered.
func (k StageKey) Hex() string { return k.digest.Hex() }

// String is the stage and the beginning of the digest, for people.
func (k StageKey) String() string { return k.stage + "/" + k.digest.Short() }

// Referrer is an answer that points at blobs. When one of them is gone the answer is of no use and the
// stage is done again.
type Referrer interface {
	Refs() []Ref // zero refs are ignored
}

// answer is the stored form. The digest makes a damaged answer an error instead of a wrong result.
type answer struct {
	Stage  string          `json:"stage"`
	Digest Digest          `json:"digest"` // of the bytes of Answer
	Answer json.RawMessage `json:"answer"`
}

// Lookup reads the answer of an identical stage done before into v and reports whether there is one. If T or *T is a
// Referrer, an answer whose blobs are not all present counts as none. On false, v is unchanged.
func Lookup[T any](ctx context.Context, s Store, key StageKey, v *T) (bool, error) {
	found, _, complete, err := standing[T](ctx, s, key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil || !complete {
		return false, err
	}
	*v = found
	return true, nil
}

// Publish stores a stage's answer and returns the one that stands: v, or the answer of another attempt that
// published first and whose blobs are present, so that all attempts go on with the same answer.
func Publish[T any](ctx context.Context, s Store, key StageKey, v T) (T, error) {
	var zero T
	doc, err := encodeAnswer(key, v)
	if err != nil {
		return zero, err
	}
	for {
		_, err := s.PutIfAbsent(ctx, key.Name(), doc)
		if err == nil {
			return v, nil
		}
		if !errors.Is(err, ErrExists) {
			return zero, fmt.Errorf("publish the answer of stage %s: %w", key, err)
		}
		first, version, complete, err := standing[T](ctx, s, key)
		if err != nil {
			return zero, err
		}
		if complete {
			return first, nil
		}
		_, err = s.PutIfMatch(ctx, key.Name(), doc, version)
		if err == nil {
			return v, nil
		}
		if !errors.Is(err, ErrConflict) {
			return zero, fmt.Errorf("publish the answer of stage %s: %w", key, err)
		}
	}
}

func encodeAnswer(key StageKey, v any) ([]byte, error) {
	b, err := EncodeJSON(v)
	if err != nil {
		return nil, fmt.Errorf("publish the answer of stage %s: %w", key, err)
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	return EncodeJSON(answer{Stage: key.stage, Digest: Sum(b), Answer: b})
}

func standing[T any](ctx context.Context, s Store, key StageKey) (v T, version Version, complete bool, err error) {
	var doc answer
	version, err = GetJSON(ctx, s, key.Name(), &doc)
	if err != nil {
		return v, "", false, fmt.Errorf("look up the answer of stage %s: %w", key, err)
	}
	if found := Sum(doc.Answer); found != doc.Digest {
		return v, "", false, fmt.Errorf("look up the answer of stage %s: document %q in store %q: %w: expected %s, found %s; remove it to do the stage again",
			key, key.Name(), s, ErrCorrupt, doc.Digest, found)
	}
	if err := json.Unmarshal(doc.Answer, &v); err != nil {
		return v, "", false, fmt.Errorf("look up the answer of stage %s: document %q in store %q: %w", key, key.Name(), s, err)
	}
	complete, err = blobsPresent(ctx, s, &v)
	return v, version, complete, err
}

// blobsPresent takes a pointer, whose method set holds the methods of the value as well.
func blobsPresent(ctx context.Context, s Store, v any) (bool, error) {
	r, ok := v.(Referrer)
	if !ok {
		return true, nil
	}
	for _, ref := range r.Refs() {
		if ref.IsZero() {
			continue
		}
		if has, err := s.Has(ctx, ref.Digest); err != nil || !has {
			return false, err
		}
	}
	return true, nil
}
