package artifact

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

func (d *Dir) blobPath(digest Digest) string {
	return d.path(blobsFolder, "sha256", digest.Hex()[:2], digest.Hex())
}

// Put implements Store.
func (d *Dir) Put(ctx context.Context, r io.Reader, mediaType string) (Ref, error) {
	if err := d.writable(ctx); err != nil {
		return Ref{}, fmt.Errorf("write blob: %w", err)
	}
	ref, err := d.put(ctx, r, mediaType)
	if err != nil {
		return Ref{}, fmt.Errorf("write blob to store %q: %w", d.root, d.explain(err))
	}
	return ref, nil
}

func (d *Dir) put(ctx context.Context, r io.Reader, mediaType string) (Ref, error) {
	t, err := d.newTemp()
	if err != nil {
		return Ref{}, err
	}
	defer t.discard()
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(t.file, sum), contextReader{ctx, r})
	if err != nil {
		return Ref{}, err
	}
	if err := t.seal(0o444); err != nil {
		return Ref{}, err
	}
	ref := Ref{Digest: digestOf([sha256.Size]byte(sum.Sum(nil))), Size: size, MediaType: mediaType}
	return ref, d.publishBlob(t, ref)
}

func (d *Dir) publishBlob(t temp, ref Ref) error {
	path := d.blobPath(ref.Digest)
	if err := d.ensureFolder(filepath.Dir(path)); err != nil {
		return err
	}
	err := d.link(t, path)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() != ref.Size {
		return corruptSize(path, info.Size(), ref)
	}
	return nil
}

// Open implements Store.
func (d *Dir) Open(ctx context.Context, ref Ref) (io.ReadCloser, error) {
	return d.open(ctx, ref)
}

func (d *Dir) open(ctx context.Context, ref Ref) (*verifiedFile, error) {
	if ref.IsZero() {
		return nil, fmt.Errorf("open blob in store %q: the ref has no digest", d.root)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open blob %s: %w", ref.Digest, err)
	}
	f, err := os.Open(d.blobPath(ref.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s in store %q: %w", ref.Digest, d.root, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", ref.Digest, err)
	}
	v, err := verify(ctx, f, ref)
	if err != nil {
		f.Close()
		return nil, err
	}
	return v, nil
}

// Has implements Store.
func (d *Dir) Has(ctx context.Context, digest Digest) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if digest.IsZero() {
		return false, nil
	}
	_, err := os.Stat(d.blobPath(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for blob %s: %w", digest, err)
	}
	return true, nil
}

// Local implements Store. The path is the blob's own file, whose mode forbids writing; release does nothing.
func (d *Dir) Local(ctx context.Context, ref Ref) (string, func(), error) {
	f, err := d.open(ctx, ref)
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	if _, err := io.Copy(io.Discard, f); err != nil {
		return "", nil, err
	}
	return f.file.Name(), func() {}, nil
}

// verifiedFile reads a blob and withholds its last bytes until all of them are known to match the digest, so that even a
// reader that stops at the expected length without asking for io.EOF has seen verified bytes.
type verifiedFile struct {
	ctx    context.Context
	file   *os.File
	ref    Ref
	size   int64 // of the file when it was opened
	done   int64
	sum    hash.Hash
	failed error
}

func verify(ctx context.Context, f *os.File, ref Ref) (*verifiedFile, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", ref.Digest, err)
	}
	if ref.Size >= 0 && info.Size() != ref.Size {
		return nil, corruptSize(f.Name(), info.Size(), ref)
	}
	v := &verifiedFile{ctx: ctx, file: f, ref: ref, size: info.Size(), sum: sha256.New()}
	if v.size == 0 {
		return v, v.check()
	}
	return v, nil
}

// Read implements io.Reader.
func (v *verifiedFile) Read(p []byte) (int, error) {
	if v.failed != nil {
		return 0, v.failed
	}
	if err := v.ctx.Err(); err != nil {
		return 0, fmt.Errorf("read blob %s: %w", v.ref.Digest, err)
	}
	left := v.size - v.done
	if left == 0 {
		return 0, io.EOF
	}
	n, err := v.file.Read(p[:min(int64(len(p)), left)])
	v.sum.Write(p[:n])
	v.done += int64(n)
	switch {
	case v.done == v.size:
		v.failed = v.check()
	case errors.Is(err, io.EOF):
		v.failed = corruptSize(v.file.Name(), v.done, v.ref)
	case err != nil:
		v.failed = fmt.Errorf("read blob %s: %w", v.ref.Digest, err)
	}
	if v.failed != nil {
		return 0, v.failed
	}
	return n, nil
}

func (v *verifiedFile) check() error {
	found := digestOf([sha256.Size]byte(v.sum.Sum(nil)))
	if found == v.ref.Digest {
		return nil
	}
	return fmt.Errorf("blob file %q: %w: expected %s, found %s; restore it from a copy", v.file.Name(), ErrCorrupt, v.ref.Digest, found)
}

// Close implements io.Closer.
func (v *verifiedFile) Close() error { return v.file.Close() }

func corruptSize(path string, found int64, ref Ref) error {
	return fmt.Errorf("blob file %q: %w: expected %d bytes of %s, found %d; restore it from a copy", path, ErrCorrupt, ref.Size, ref.Digest, found)
}

// contextReader stops a long copy when the work it belongs to is cancelled.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
