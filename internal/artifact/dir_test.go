package artifact_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/artifact/conformance"
)

// tamperedDir lets the conformance suite damage blobs.
type tamperedDir struct{ *artifact.Dir }

func (d tamperedDir) Tamper(t *testing.T, digest artifact.Digest, change func([]byte) []byte) {
	path := blobFile(d.String(), digest)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, change(data), 0o444))
}

func blobFile(root string, d artifact.Digest) string {
	return filepath.Join(root, "blobs", "sha256", d.Hex()[:2], d.Hex())
}

func openDir(t *testing.T) *artifact.Dir {
	t.Helper()
	d, err := artifact.OpenDir(filepath.Join(t.TempDir(), "store"))
	require.NoError(t, err)
	return d
}

func TestDirConforms(t *testing.T) {
	conformance.Run(t, func(t *testing.T) artifact.Store { return tamperedDir{openDir(t)} })
}

func TestBlobFilesAreReadOnlyAndNothingElseIsLeft(t *testing.T) {
	d := openDir(t)
	ref, err := d.Put(t.Context(), strings.NewReader("bytes"), artifact.MediaText)
	require.NoError(t, err)
	v, err := d.PutIfAbsent(t.Context(), "a.json", []byte("1"))
	require.NoError(t, err)
	_, err = d.PutIfMatch(t.Context(), "a.json", []byte("2"), v)
	require.NoError(t, err)
	_, err = d.PutIfAbsent(t.Context(), "a.json", []byte("3"))
	require.ErrorIs(t, err, artifact.ErrExists)

	info, err := os.Stat(blobFile(d.String(), ref.Digest))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o444), info.Mode().Perm())
	require.Empty(t, temporaryFiles(t, d.String()))
}

func temporaryFiles(t *testing.T, root string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, ".tmp"))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestOpenSweepsOnlyTemporaryFilesThatAreOldAndUnlocked(t *testing.T) {
	d := openDir(t)
	leave := func(name string, age time.Duration) *os.File {
		f, err := os.Create(filepath.Join(d.String(), ".tmp", name))
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		at := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(f.Name(), at, at))
		return f
	}
	leave("write-old", 2*time.Hour)
	leave("write-new", 0)
	locked := leave("write-old-locked", 2*time.Hour)
	require.NoError(t, unix.Flock(int(locked.Fd()), unix.LOCK_EX))

	_, err := artifact.OpenDir(d.String())
	require.NoError(t, err)
	require.Equal(t, []string{"write-new", "write-old-locked"}, temporaryFiles(t, d.String()))
}

func TestOpenErrorsNameTheFolderAndTheWayOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store")
	require.NoError(t, os.WriteFile(file, nil, 0o644))

	_, err := artifact.OpenDir(file)
	require.ErrorContains(t, err, file)
	require.ErrorContains(t, err, "name another folder or move that file away")
	_, err = artifact.OpenDirReadOnly(file)
	require.ErrorContains(t, err, "it is a file")
	_, err = artifact.OpenDirReadOnly(file + "-mistyped")
	require.ErrorContains(t, err, "expected the folder of an existing store")
	require.NoFileExists(t, file+"-mistyped")
}

func TestFolderWithoutWritePermission(t *testing.T) {
	d := openDir(t)
	for folder := filepath.Dir(d.String()); folder != filepath.Clean(os.TempDir()); folder = filepath.Dir(folder) {
		require.NoError(t, os.Chmod(folder, 0o755), "so that the ordinary user gets as far as the store")
	}
	ref, err := d.Put(t.Context(), strings.NewReader("kept"), artifact.MediaText)
	require.NoError(t, err)
	v, err := d.PutIfAbsent(t.Context(), "doc", []byte("kept"))
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(d.String(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		t.Cleanup(func() { os.Chmod(path, 0o755) })
		return os.Chmod(path, 0o555)
	}))

	asOrdinaryUser(t, func() {
		_, err := artifact.OpenDir(d.String())
		requireAdvice(t, err, d.String())
		_, err = d.Put(t.Context(), strings.NewReader("x"), artifact.MediaText)
		requireAdvice(t, err, d.String())
		_, err = d.PutIfAbsent(t.Context(), "new/doc", []byte("x"))
		requireAdvice(t, err, d.String())
		_, err = d.PutIfMatch(t.Context(), "doc", []byte("x"), v)
		requireAdvice(t, err, d.String())

		readable, err := artifact.OpenDirReadOnly(d.String())
		require.NoError(t, err)
		got, err := artifact.ReadAll(t.Context(), readable, ref)
		require.NoError(t, err)
		require.Equal(t, "kept", string(got))
		_, err = readable.Put(t.Context(), strings.NewReader("x"), artifact.MediaText)
		require.ErrorContains(t, err, "opened for reading only")
	})
}

func requireAdvice(t *testing.T, err error, folder string) {
	t.Helper()
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, folder)
	require.ErrorContains(t, err, "must be writable")
}

// asOrdinaryUser runs f without root's power to write everywhere. Linux keeps the user for file access per thread.
func asOrdinaryUser(t *testing.T, f func()) {
	if os.Geteuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	require.NoError(t, unix.Setfsuid(65534))
	defer unix.Setfsuid(0)
	f()
}

func TestReadersAreNotDisturbedByLaterWrites(t *testing.T) {
	d := openDir(t)
	data := bytes.Repeat([]byte("0123456789"), 50_000)
	ref, err := d.Put(t.Context(), bytes.NewReader(data), artifact.MediaText)
	require.NoError(t, err)
	r, err := d.Open(t.Context(), ref)
	require.NoError(t, err)
	defer r.Close()
	head := make([]byte, 10)
	_, err = io.ReadFull(r, head)
	require.NoError(t, err)

	_, err = d.Put(t.Context(), bytes.NewReader(data), artifact.MediaText)
	require.NoError(t, err)
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, append(head, rest...)))
}

func TestPutReportsADamagedBlobOfTheSameName(t *testing.T) {
	d := openDir(t)
	ref, err := d.Put(t.Context(), strings.NewReader("whole"), artifact.MediaText)
	require.NoError(t, err)
	tamperedDir{d}.Tamper(t, ref.Digest, func(b []byte) []byte { return b[:2] })
	_, err = d.Put(t.Context(), strings.NewReader("whole"), artifact.MediaText)
	require.ErrorIs(t, err, artifact.ErrCorrupt)
	require.ErrorContains(t, err, blobFile(d.String(), ref.Digest))
}

// TestFullDisk writes until a real file system of 512 KiB is full.
func TestFullDisk(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(mount, 0) })
	d, err := artifact.OpenDir(filepath.Join(mount, "store"))
	require.NoError(t, err)
	v, err := d.PutIfAbsent(t.Context(), "pointer", []byte("old"))
	require.NoError(t, err)

	var refs []artifact.Ref
	for i := 0; ; i++ {
		ref, err := d.Put(t.Context(), strings.NewReader(strings.Repeat(fmt.Sprint(i), 20_000)), artifact.MediaText)
		if err != nil {
			requireFull(t, err, d.String())
			break
		}
		refs = append(refs, ref)
	}
	require.NotEmpty(t, refs)
	_, err = d.PutIfMatch(t.Context(), "pointer", bytes.Repeat([]byte("new"), 50_000), v)
	requireFull(t, err, d.String())
	_, err = d.PutIfAbsent(t.Context(), "other", bytes.Repeat([]byte("new"), 50_000))
	requireFull(t, err, d.String())

	require.Empty(t, temporaryFiles(t, d.String()), "what could not be written gives its space back")
	for _, ref := range refs {
		_, err := artifact.ReadAll(t.Context(), d, ref)
		require.NoError(t, err)
	}
	_, _, err = d.Get(t.Context(), "other")
	require.ErrorIs(t, err, artifact.ErrNotFound)
	got, _, err := d.Get(t.Context(), "pointer")
	require.NoError(t, err)
	require.Equal(t, "old", string(got))
}

func requireFull(t *testing.T, err error, folder string) {
	t.Helper()
	require.Error(t, err)
	require.ErrorContains(t, err, "free space")
	require.ErrorContains(t, err, folder)
}
