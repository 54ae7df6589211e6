// Package artifact stores the bytes a lifecycle produces and the small named documents that point at them.
//
// Two kinds of thing live in a store:
//
//	blobs/sha256/ab/abcd...        immutable bytes, addressed by their SHA-256
//	<name>                         a small document (cache answer, manifest, pointer, chain record), addressed by name
//
// Invariants every backend keeps (package conformance tests them):
//   - a blob is either absent or complete: its bytes hash to its name;
//   - a reader learns of bytes that do not match their digest before it sees the end of them;
//   - PutIfAbsent and PutIfMatch are atomic against every other writer, also in other processes;
//   - after a kill at any instruction the store holds the old state or the new one, never a part.
//
// Nothing here repairs silently: a mismatch is an error naming the file.
package artifact

import (
	"context"
	"errors"
	"io"
)

// Errors a Store returns, always wrapped with the name or digest concerned. Test with errors.Is.
var (
	ErrNotFound = errors.New("not found in the store")
	ErrExists   = errors.New("already exists in the store")
	ErrConflict = errors.New("changed by another writer")
	ErrCorrupt  = errors.New("bytes do not match their digest")
)

// Media types of the artifacts Assay writes.
const (
	MediaJSON    = "application/json"
	MediaParquet = "application/vnd.apache.parquet"
	MediaHTML    = "text/html; charset=utf-8"
	MediaYAML    = "application/yaml"
	MediaModel   = "application/vnd.assay.model+json"
	MediaText    = "text/plain; charset=utf-8"
)

// Ref points at immutable bytes in a store. It is what activities exchange instead of data.
type Ref struct {
	Digest    Digest `json:"digest"`
	Size      int64  `json:"size"` // bytes
	MediaType string `json:"media_type"`
}

// SizeUnknown in Ref.Size means that only the digest is known; Open and Local then check the digest alone.
const SizeUnknown = -1

// IsZero reports whether the ref points at nothing.
func (r Ref) IsZero() bool { return r.Digest.IsZero() }

// Version identifies the content of a named document; PutIfMatch succeeds only against the current one.
type Version string

// Store keeps blobs and named documents. All methods are safe for concurrent use by many processes.
type Store interface {
	// Put writes the bytes of r as a blob and returns its ref. Writing bytes that are present already succeeds and
	// changes nothing.
	Put(ctx context.Context, r io.Reader, mediaType string) (Ref, error)

	// Open reads a blob. When the bytes do not match ref, Open or a Read returns ErrCorrupt before the last byte is
	// handed out.
	Open(ctx context.Context, ref Ref) (io.ReadCloser, error)

	// Has reports whether a blob is present; it does not verify it.
	Has(ctx context.Context, d Digest) (bool, error)

	// Local gives a path to a verified, read-only copy of the blob on this machine, for libraries that
	// open files themselves. The path is valid until release is called.
	Local(ctx context.Context, ref Ref) (path string, release func(), err error)

	// Get reads a named document and its version; ErrNotFound when there is none.
	Get(ctx context.Context, name string) ([]byte, Version, error)

	// PutIfAbsent writes a named document; ErrExists, with nothing written, when the name is taken.
	PutIfAbsent(ctx context.Context, name string, data []byte) (Version, error)

	// PutIfMatch replaces a named document; ErrConflict, with nothing written, when its version is not v or when
	// there is no such document.
	PutIfMatch(ctx context.Context, name string, data []byte, v Version) (Version, error)

	// List returns the names of documents at any depth under a folder such as "models/credit/chain", sorted. A folder
	// that does not exist holds none.
	List(ctx context.Context, prefix string) ([]string, error)

	// Folders returns the last path elements of the folders directly under a folder, sorted, without visiting
	// what is in them. Every folder that holds a document is returned; an empty one may be.
	Folders(ctx context.Context, prefix string) ([]string, error)

	// String names the store for people, e.g. its folder or bucket.
	String() string
}
