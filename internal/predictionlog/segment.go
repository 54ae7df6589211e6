package predictionlog

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

// segment is one spool file, held open and locked from its creation until it is in the store.
type segment struct {
	file   *os.File
	path   string
	day    string // YYYY-MM-DD
	name   string // unique within the day
	opened time.Time
	size   int64 // bytes acknowledged
	synced int64 // bytes known to be on disk
}

var segmentFile = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})-(\d{15}-[0-9a-f]{12})\.jsonl$`)

// createSegment makes a new file and locks it. Another process looking for leftovers may take the file in the
// instant between its creation and its lock; then another one is made.
func createSegment(dir string, now time.Time) (*segment, error) {
	for {
		seg, err := tryCreateSegment(dir, now)
		if err != nil || seg != nil {
			return seg, err
		}
	}
}

func tryCreateSegment(dir string, now time.Time) (*segment, error) {
	var unique [6]byte
	rand.Read(unique[:])
	seg := &segment{
		day:    now.Format(time.DateOnly),
		name:   fmt.Sprintf("%s%09d-%s", now.Format("150405"), now.Nanosecond(), hex.EncodeToString(unique[:])),
		opened: now,
	}
	seg.path = filepath.Join(dir, seg.day+"-"+seg.name+".jsonl")
	f, err := os.OpenFile(seg.path, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	seg.file = f
	alive, err := lock(f)
	if err != nil || !alive {
		f.Close()
		return nil, err
	}
	return seg, nil
}

// openLeftover takes over a file of a dead process. It gives nil when the file belongs to a living one or has gone.
func openLeftover(path string) (*segment, error) {
	parts := segmentFile.FindStringSubmatch(filepath.Base(path))
	if parts == nil {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	mine, err := lock(f)
	if err != nil || !mine {
		f.Close()
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &segment{file: f, path: path, day: parts[1], name: parts[2], opened: info.ModTime(), size: info.Size()}, nil
}

// lock takes the file's lock without waiting. It reports false when another holder lives, or when the file was
// unlinked before the lock was taken, which means that its content has been sealed already.
func lock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false, fmt.Errorf("inspect %s: %w", f.Name(), err)
	}
	return st.Nlink > 0, nil
}

// write appends whole lines. When it fails, the file is as long as before; when not even that can be had, broken
// is true and nothing may be appended any more.
func (s *segment) write(lines []byte) (broken bool, err error) {
	if _, err = s.file.Write(lines); err == nil {
		s.size += int64(len(lines))
		return false, nil
	}
	return s.file.Truncate(s.size) != nil, err
}

// sync brings what was acknowledged to the disk, the first time together with the file's name in its folder.
func (s *segment) sync(size int64) error {
	if s.synced == 0 {
		if err := syncFolder(filepath.Dir(s.path)); err != nil {
			return err
		}
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.synced = size
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// content reads the acknowledged bytes through the open file, which works even when somebody emptied the spool.
func (s *segment) content() ([]byte, error) {
	data := make([]byte, s.size)
	if _, err := s.file.ReadAt(data, 0); err != nil {
		return nil, fmt.Errorf("read spool file %s: %w", s.path, err)
	}
	return data, nil
}

// discard removes the file while its lock is held, so that nobody takes it for a leftover.
func (s *segment) discard() error {
	err := os.Remove(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, s.file.Close())
}
