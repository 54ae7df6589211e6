package artifact

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// EncodeJSON is the form in which Assay stores JSON: one line, fields in the order of their declaration, maps sorted by
// key, <, > and & as they are, a newline at the end. Equal values give equal bytes.
func EncodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode %T as JSON: %w", v, err)
	}
	return b.Bytes(), nil
}

// PutJSON stores EncodeJSON(v) as a blob.
func PutJSON(ctx context.Context, s Store, mediaType string, v any) (Ref, error) {
	b, err := EncodeJSON(v)
	if err != nil {
		return Ref{}, err
	}
	return s.Put(ctx, bytes.NewReader(b), mediaType)
}

// ReadAll reads a whole blob into memory; use it for reports, not for data.
func ReadAll(ctx context.Context, s Store, ref Ref) ([]byte, error) {
	r, err := s.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// ReadJSON reads a blob that holds one JSON value into v, a pointer.
func ReadJSON(ctx context.Context, s Store, ref Ref, v any) error {
	b, err := ReadAll(ctx, s, ref)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read blob %s (%s) as %T: %w", ref.Digest, ref.MediaType, v, err)
	}
	return nil
}

// GetJSON reads a named document that holds one JSON value into v, a pointer, and returns the document's version.
func GetJSON(ctx context.Context, s Store, name string, v any) (Version, error) {
	b, version, err := s.Get(ctx, name)
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return "", fmt.Errorf("read document %q in store %q as %T: %w", name, s, v, err)
	}
	return version, nil
}
