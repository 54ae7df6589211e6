package serve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/program"
)

// unused is how long a cached folder that nobody opens is kept, and how old the remains of a killed fetch get.
const unused = 24 * time.Hour

const (
	lockSuffix = ".lock"
	partSuffix = ".part" // of artifact.GetFolder
	aliveFile  = "alive" // locked for as long as a run folder is in use
	runPrefix  = "serve-"
)

// runFolder is what one server has for itself; nobody else writes there or reads from there.
type runFolder struct {
	path  string
	code  string // the working directory
	files string // SM_MODEL_DIR
	alive *os.File
}

func newRunFolder(scratch string) (*runFolder, error) {
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return nil, err
	}
	removeAbandoned(scratch)
	path, err := os.MkdirTemp(scratch, runPrefix)
	if err != nil {
		return nil, err
	}
	r := &runFolder{path: path, code: filepath.Join(path, "code"), files: filepath.Join(path, "model")}
	if r.alive, err = os.OpenFile(filepath.Join(path, aliveFile), os.O_CREATE|os.O_RDWR, 0o600); err == nil {
		err = unix.Flock(int(r.alive.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(err, r.remove())
	}
	return r, nil
}

func (r *runFolder) remove() error {
	err := program.RemoveFolder(r.path)
	if r.alive != nil {
		err = errors.Join(err, r.alive.Close())
	}
	return err
}

// removeAbandoned removes the run folders of processes that were killed before a supervisor watched over them.
func removeAbandoned(scratch string) {
	found, _ := filepath.Glob(filepath.Join(scratch, runPrefix+"*", aliveFile))
	for _, alive := range found {
		f, err := os.OpenFile(alive, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.RemoveAll(filepath.Dir(alive))
		}
		f.Close()
	}
}

// copyOf puts a copy of a stored folder at path. The bytes come from the cache scratch/models/<digest>, which all
// processes with that scratch folder share and which is filled first when it has to be. Every file is verified against
// its digest on its way.
func (l *Loader) copyOf(ctx context.Context, ref artifact.Ref, scratch, path string) error {
	folder, err := artifact.ReadFolder(ctx, l.Store, ref)
	if err != nil {
		return err
	}
	models := filepath.Join(scratch, "models")
	if err := os.MkdirAll(models, 0o700); err != nil {
		return err
	}
	cached := filepath.Join(models, ref.Digest.Hex())
	unlock, err := lock(ctx, cached+lockSuffix)
	if err != nil {
		return fmt.Errorf("wait for the folder %s, which another process fetches: %w", cached, err)
	}
	defer unlock()
	if _, err := os.Stat(cached); err == nil {
		err := copyFolder(ctx, folder, cached, path)
		var changed *changedError
		if !errors.As(err, &changed) {
			return err
		}
		l.logger().Warn("serve: a cached folder was changed and is fetched anew from the store", "folder", cached, "file", changed.path, "found", changed.found)
		if err := errors.Join(os.RemoveAll(cached), os.RemoveAll(path)); err != nil {
			return err
		}
	}
	if _, err := artifact.GetFolder(ctx, l.Store, ref, cached); err != nil {
		return err
	}
	removeUnused(models, time.Now().Add(-unused))
	return copyFolder(ctx, folder, cached, path)
}

// changedError says that a cached folder is not what was fetched.
type changedError struct{ path, found string }

func (e *changedError) Error() string {
	return fmt.Sprintf("the cached file %q %s; nothing else may write there", e.path, e.found)
}

func copyFolder(ctx context.Context, folder artifact.Folder, from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, file := range folder.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := copyFile(ctx, file, from, to); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(ctx context.Context, file artifact.File, from, to string) (err error) {
	name := filepath.FromSlash(file.Path)
	if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o700); err != nil {
		return err
	}
	r, err := os.Open(filepath.Join(from, name))
	if errors.Is(err, fs.ErrNotExist) {
		return &changedError{file.Path, "is gone"}
	}
	if err != nil {
		return err
	}
	defer r.Close()
	mode := fs.FileMode(0o600)
	if file.Executable {
		mode = 0o700
	}
	w, err := os.OpenFile(filepath.Join(to, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, sum), untilEnd{ctx, r}); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != file.Ref.Digest.Hex() {
		return &changedError{file.Path, "does not match its digest"}
	}
	return nil
}

// untilEnd is a reader that stops when its context ends.
type untilEnd struct {
	ctx context.Context
	r   io.Reader
}

func (u untilEnd) Read(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(b)
}

// removeUnused makes room in the cache: folders that nobody opened since then, and what killed fetches left.
func removeUnused(models string, since time.Time) {
	entries, _ := os.ReadDir(models)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.ModTime().After(since) {
			continue
		}
		path := filepath.Join(models, e.Name())
		switch {
		case strings.HasSuffix(path, partSuffix):
			os.RemoveAll(path)
		case strings.HasSuffix(path, lockSuffix):
			removeFolder(path)
		}
	}
}

// removeFolder removes a cached folder and its lock file, unless someone is at it.
func removeFolder(lockFile string) {
	f, err := os.OpenFile(lockFile, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil || !isAt(f, lockFile) {
		return
	}
	if os.RemoveAll(strings.TrimSuffix(lockFile, lockSuffix)) == nil {
		os.Remove(lockFile)
	}
}

// lock takes a lock file, waiting for whoever has it, and notes the time of use in it.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := waitForLock(ctx, f); err != nil {
			f.Close()
			return nil, err
		}
		if isAt(f, path) {
			now := time.Now()
			return func() { f.Close() }, os.Chtimes(path, now, now)
		}
		f.Close() // it was removed while we waited: what we hold locks nobody out
	}
}

func waitForLock(ctx context.Context, f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond, nil); err != nil {
			return err
		}
	}
}

// isAt reports whether an open file is still the one of that name.
func isAt(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(opened, named)
}

// pause waits, or less when early is closed; it returns ctx's error when that ends first.
func pause(ctx context.Context, d time.Duration, early <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-early:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// allocated is how many bytes of disk the files below a folder take.
func allocated(folder string) (sum int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			sum += stat.Blocks * 512
		}
		return nil
	})
	return sum, err
}
