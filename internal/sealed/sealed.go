// Package sealed keeps one JSON value in a named document of a store, beside the digest of its bytes, and changes it by
// compare-and-swap only.
//
// A store verifies blobs by their name; a document that changes has no such name. The digest inside makes every damage
// to its bytes an error naming the document, and never another value. It does not keep out somebody who may write to the
// store: that takes a signature elsewhere.
package sealed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/assay-ml/assay/internal/artifact"
)

// Document is a named document that holds a T.
type Document[T any] struct {
	Store artifact.Store
	Name  string
	Check func(T) error // what makes a value impossible under this name; nil: nothing does
}

// form is how a document is stored.
type form struct {
	Digest  artifact.Digest `json:"digest"` // of the bytes of Content
	Content json.RawMessage `json:"content"`
}

// Get reads the value and the version of the document. The error wraps artifact.ErrNotFound when there is none, and
// artifact.ErrCorrupt when the bytes are not exactly what this package writes for a value that Check accepts.
func (d Document[T]) Get(ctx context.Context) (T, artifact.Version, error) {
	var zero T
	data, version, err := d.Store.Get(ctx, d.Name)
	if err != nil {
		return zero, "", err
	}
	v, err := d.decode(data)
	if err != nil {
		return zero, "", fmt.Errorf("document %q in store %q: %w: %w; restore it from a backup", d.Name, d.Store, artifact.ErrCorrupt, err)
	}
	return v, version, nil
}

// Create writes the first value; the error wraps artifact.ErrExists when the document is there already.
func (d Document[T]) Create(ctx context.Context, v T) error { return d.swap(ctx, v, "") }

// Change replaces the value by what change makes of it, trying again on the value that another writer put there first.
// change is given the standing value, or the zero value and false when there is no document; it says whether next is to
// be written, and may run several times. Its error ends the attempt with nothing written. When Change returns an error of
// the store, the value may have been written all the same.
func (d Document[T]) Change(ctx context.Context, change func(standing T, found bool) (next T, write bool, err error)) error {
	for {
		standing, version, err := d.Get(ctx)
		if err != nil && !errors.Is(err, artifact.ErrNotFound) {
			return err
		}
		next, write, err := change(standing, version != "")
		if err != nil || !write {
			return err
		}
		err = d.swap(ctx, next, version)
		if !errors.Is(err, artifact.ErrExists) && !errors.Is(err, artifact.ErrConflict) {
			return err
		}
	}
}

// swap writes v in place of the version that was read; "" means that there was none.
func (d Document[T]) swap(ctx context.Context, v T, read artifact.Version) error {
	data, err := d.encode(v)
	if err != nil {
		return fmt.Errorf("write document %q: %w", d.Name, err)
	}
	if read == "" {
		_, err = d.Store.PutIfAbsent(ctx, d.Name, data)
		return err
	}
	_, err = d.Store.PutIfMatch(ctx, d.Name, data, read)
	return err
}

// encode refuses what decode would not read, so that nothing is written that nobody can read again.
func (d Document[T]) encode(v T) ([]byte, error) {
	data, err := spell(v)
	if err != nil {
		return nil, err
	}
	_, err = d.decode(data)
	return data, err
}

func spell(v any) ([]byte, error) {
	content, err := artifact.EncodeJSON(v)
	if err != nil {
		return nil, err
	}
	content = bytes.TrimSuffix(content, []byte("\n"))
	return artifact.EncodeJSON(form{Digest: artifact.Sum(content), Content: content})
}

func (d Document[T]) decode(data []byte) (v T, err error) {
	var f form
	if err := strict(data, &f); err != nil {
		return v, fmt.Errorf("expected a JSON object with digest and content: %w", err)
	}
	if found := artifact.Sum(f.Content); found != f.Digest {
		return v, fmt.Errorf("expected content with the digest %q, found %s", f.Digest, found)
	}
	if err := strict(f.Content, &v); err != nil {
		return v, err
	}
	again, err := spell(v)
	if err != nil {
		return v, err
	}
	if !bytes.Equal(again, data) {
		return v, errors.New("the bytes are not how this content is written")
	}
	if d.Check != nil {
		err = d.Check(v)
	}
	return v, err
}

// strict refuses a field this program does not know, because it could change the meaning of the others.
func strict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the value")
	}
	return nil
}
