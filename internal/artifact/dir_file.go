package artifact

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// temp is a file being written, locked so that a sweep leaves it alone.
type temp struct{ file *os.File }

func (d *Dir) newTemp() (temp, error) {
	f, err := os.CreateTemp(d.path(tempFolder), "write-*")
	if err != nil {
		return temp{}, err
	}
	t := temp{file: f}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.discard()
		return temp{}, fmt.Errorf("lock %q: %w", f.Name(), err)
	}
	return t, nil
}

// discard removes the temporary name; bytes linked elsewhere stay.
func (t temp) discard() {
	os.Remove(t.file.Name())
	t.file.Close()
}

// seal sets the mode and brings the bytes to disk; what follows is publishing under the final name.
func (t temp) seal(mode fs.FileMode) error {
	if err := t.file.Chmod(mode); err != nil {
		return err
	}
	return t.file.Sync()
}

// link publishes the file under a new name. When the name is taken it returns fs.ErrExist, after making sure that
// the name that stands will survive a power cut, because the caller will act on it.
func (d *Dir) link(t temp, path string) error {
	err := os.Link(t.file.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return err
	}
	return err
}

// ensureFolder creates a folder below the root, or the root itself, and brings every folder above it to disk,
// once per process: a process killed in between may have left one that exists but is not yet durable.
func (d *Dir) ensureFolder(folder string) error {
	if _, ok := d.durable.Load(folder); ok {
		return nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for at := folder; len(at) > len(d.root); at = filepath.Dir(at) {
		if err := syncFolder(filepath.Dir(at)); err != nil {
			return err
		}
	}
	d.durable.Store(folder, true)
	return nil
}

func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}

// lock takes the lock of a document name against all goroutines and processes. It polls, because a blocking flock
// could not be cancelled.
func (d *Dir) lock(ctx context.Context, name string) (unlock func(), err error) {
	n := sha256.Sum256([]byte(name))[0]
	stripe := d.stripes[n]
	select {
	case stripe <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("lock document %q: %w", name, ctx.Err())
	}
	f, err := flock(ctx, d.path(locksFolder, fmt.Sprintf("%02x", n)))
	if err != nil {
		<-stripe
		return nil, fmt.Errorf("lock document %q: %w", name, err)
	}
	return func() {
		f.Close()
		<-stripe
	}, nil
}

func flock(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	const longest = 16 * time.Millisecond
	for wait := time.Millisecond / 4; ; wait = min(2*wait, longest) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		}
	}
}
