package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
)

// keeper copies the checkpoint folder to the store whenever it holds a whole checkpoint:
//
//   - when the program says so, with a JSON line {"checkpoint": "name"};
//   - of a program that never says so, when the folder has changed, has then been the same at two looks, and no process
//     of the program has a file in it open for writing.
//
// A copy counts only if the folder was the same before and after it, so no copy holds a file that was being written.
// Names that end in .tmp or .part, or begin with a dot, are left out: programs write under such a name and rename.
type keeper struct {
	store   artifact.Store
	folder  string
	writers func() (bool, error)   // whether a file in the folder is open for writing
	text    func() string          // where training stands
	save    func(checkpoint) error // puts it on the record; from one goroutine at a time

	mu        sync.Mutex
	last      string // the folder as of the last copy
	seen      string // the folder at the last look
	announced bool   // the program says when a checkpoint is complete
	pending   bool   // one that it announced is not in the store yet
	number    int
	changed   time.Time // when a look last found something new
}

// listing describes the files of a folder: equal listings have equal names, sizes and times.
func listing(folder string) (string, error) {
	var b strings.Builder
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // renamed or removed meanwhile: the next look will tell
		}
		if err != nil || path == folder {
			return err
		}
		if unfinished(entry.Name()) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) || entry.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		return nil
	})
	return b.String(), err
}

func unfinished(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".part")
}

func skipUnfinished(path string, _ bool) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), unfinished)
}

// look copies the folder when it is time to. complete says that the program has just announced a checkpoint, or has ended
// in an orderly way, so that what lies there is whole.
func (k *keeper) look(ctx context.Context, complete bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, err := listing(k.folder)
	if err != nil {
		return fmt.Errorf("look at the checkpoint folder: %w", err)
	}
	settled := now == k.seen
	if !settled {
		k.seen, k.changed = now, time.Now()
	}
	if now == "" || now == k.last {
		return nil
	}
	k.pending = k.pending || complete
	if !k.pending {
		if k.announced || !settled {
			return nil
		}
		if open, err := k.writers(); err != nil || open {
			return err
		}
	}
	return k.copy(ctx, now)
}

func (k *keeper) copy(ctx context.Context, before string) error {
	at := k.text()
	ref, _, err := artifact.PutFolder(ctx, k.store, k.folder, artifact.FolderLimits{Files: mostModelFiles, Bytes: mostModelBytes, Skip: skipUnfinished})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the program has tidied up meanwhile
	}
	if err != nil {
		return fmt.Errorf("copy the checkpoint to the store: %w", err)
	}
	after, err := listing(k.folder)
	if err != nil || after != before {
		return err // written to meanwhile: not whole
	}
	if err := k.save(checkpoint{Folder: ref, Text: at, Number: k.number + 1}); err != nil {
		return err
	}
	k.number++
	k.last, k.pending = before, false
	return nil
}

// announce notes that the program tells when its checkpoints are complete: from now on nothing else is believed.
func (k *keeper) announce() {
	k.mu.Lock()
	k.announced = true
	k.mu.Unlock()
}

// lastChange is when the folder was last seen to change.
func (k *keeper) lastChange() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changed
}

// restore lays the last checkpoint where the program looks for it.
func restore(ctx context.Context, s artifact.Store, c checkpoint, folder string) error {
	if _, err := artifact.GetFolder(ctx, s, c.Folder, folder); err != nil {
		return fmt.Errorf("restore the checkpoint (%s): %w", c.Text, err)
	}
	return nil
}
