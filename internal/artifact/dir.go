package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Folders inside a directory store. The two that start with a dot are the store's own and never listed.
const (
	blobsFolder = "blobs"
	tempFolder  = ".tmp"
	locksFolder = ".locks"
)

// sweepAge is how long an unlocked temporary file is left alone. Its writer locks it right after creating it, so that
// only a writer killed long ago leaves one that is both old and unlocked.
const sweepAge = time.Hour

// lockStripes bounds the number of lock files: names whose digests share their first byte share a lock.
const lockStripes = 256

// Dir is a Store in a folder of a local file system. Any number of processes may use the same folder at once.
//
// Bytes reach their name only complete and synchronised: they are written to a temporary file in the same file system,
// fsynced, linked or renamed into place, and the folder is fsynced. Writers of new names need no lock, because link(2)
// fails when the name is taken; PutIfMatch compares and renames under flock(2), which the kernel releases when
// its holder dies.
type Dir struct {
	root     string // absolute
	readOnly bool
	durable  sync.Map                   // folders known to survive a power cut, by absolute path
	stripes  [lockStripes]chan struct{} // the locks within this process, so that waiting for one can be cancelled
}

var _ Store = (*Dir)(nil)

// OpenDir opens the store in the folder path for reading and writing, creating the folder when it does not exist, and
// removes what killed writers left behind long ago. The error of a folder that cannot be written names it
// and says what to do.
func OpenDir(path string) (*Dir, error) {
	d, err := newDir(path)
	if err != nil {
		return nil, err
	}
	if err := d.prepare(); err != nil {
		return nil, fmt.Errorf("open store %q: %w", path, d.explain(err))
	}
	if err := d.sweep(time.Now().Add(-sweepAge)); err != nil {
		return nil, fmt.Errorf("open store %q: remove old temporary files: %w", path, d.explain(err))
	}
	return d, nil
}

// OpenDirReadOnly opens an existing store for reading. Nothing is created or changed in it, so that a copy on
// read-only media can be verified and a mistyped path is an error; every Put fails.
func OpenDirReadOnly(path string) (*Dir, error) {
	d, err := newDir(path)
	if err != nil {
		return nil, err
	}
	d.readOnly = true
	info, err := os.Stat(d.root)
	if err != nil {
		return nil, fmt.Errorf("open store %q for reading: %w; expected the folder of an existing store", path, err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open store %q for reading: it is a file; expected the folder of an existing store", path)
	}
	return d, nil
}

func newDir(path string) (*Dir, error) {
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", path, err)
	}
	d := &Dir{root: root}
	for i := range d.stripes {
		d.stripes[i] = make(chan struct{}, 1)
	}
	return d, nil
}

// prepare creates the store's folders and tries out, before anything depends on it, that files can be made and linked.
func (d *Dir) prepare() error {
	for _, folder := range []string{d.root, d.path(tempFolder), d.path(locksFolder), d.path(blobsFolder)} {
		if err := d.ensureFolder(folder); err != nil {
			return err
		}
	}
	t, err := d.newTemp()
	if err != nil {
		return err
	}
	defer t.discard()
	probe := t.file.Name() + ".link"
	if err := os.Link(t.file.Name(), probe); err != nil {
		return err
	}
	return os.Remove(probe)
}

// sweep removes temporary files that were last written before the given time and that no writer holds.
func (d *Dir) sweep(before time.Time) error {
	entries, err := os.ReadDir(d.path(tempFolder))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := sweepFile(d.path(tempFolder, e.Name()), before); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func sweepFile(path string, before time.Time) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || !info.ModTime().Before(before) {
		return nil
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// String is the store's folder.
func (d *Dir) String() string { return d.root }

func (d *Dir) path(elements ...string) string {
	return filepath.Join(append([]string{d.root}, elements...)...)
}

// writable is checked before anything is written.
func (d *Dir) writable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.readOnly {
		return fmt.Errorf("store %q was opened for reading only", d.root)
	}
	return nil
}

// explain adds to an error of the operating system what a person can do about it.
func (d *Dir) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.EFBIG):
		return fmt.Errorf("%w; the disk or quota behind folder %q is used up: free space there or move the store; what was stored before is unchanged", err, d.root)
	case errors.Is(err, unix.EROFS), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; folder %q must be writable for this user, on a file system with hard links: change its owner or mode, or name another folder", err, d.root)
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EISDIR):
		return fmt.Errorf("%w; a file stands where folder %q needs a folder: name another folder or move that file away", err, d.root)
	default:
		return err
	}
}
