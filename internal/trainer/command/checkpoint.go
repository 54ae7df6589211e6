package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
)

// keeper copies the checkpoint folder to the store whenever it holds a whole checkpoint:
//
//   - when the program says so, with a JSON line {"checkpoint": "name"};
//   - of a program that never says so, when the folder has changed, has then been the same at two looks, and no process
//     of the program has a file in it open for writing.
//
// A copy counts only if the folder was the same before and after it and the program still ran then, so no copy holds a
// file that was being written: what a program was writing when it was killed looks settled too, and nobody has it open.
// Names that end in .tmp or .part, or begin with a dot, are left out: programs write under such a name and rename.
//
// announce and lastChange may be called at any time and do not wait; the rest is for one goroutine at a time.
type keeper struct {
	store   artifact.Store
	folder  string
	writers func() (bool, error)   // whether a file in the folder is open for writing
	alive   func() bool            // whether the program itself runs
	text    func() string          // where training stands
	save    func(checkpoint) error // puts it on the record

	last    string // the folder as of the last copy
	seen    string // the folder at the last look
	number  int
	tells   atomic.Bool  // the program says when a checkpoint is complete
	pending atomic.Bool  // one that it announced is not in the store yet
	changed atomic.Int64 // when a look last found something new, in nanoseconds of the Unix time; 0: never
}

// occasion is why the folder is looked at.
type occasion int

const (
	byTheClock occasion = iota
	onNotice            // the program has just announced a checkpoint: what lies there is whole
	atTheEnd            // the program has ended in an orderly way, and so has finished what it was writing
)

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

// look copies the folder when it is time to.
func (k *keeper) look(ctx context.Context, why occasion) error {
	pending := k.pending.Swap(false) // what is announced from here on may be another checkpoint
	settled, err := k.settle(ctx, why, pending)
	if pending && !settled {
		k.pending.Store(true)
	}
	return err
}

// settle reports whether what lies in the folder is in the store now.
func (k *keeper) settle(ctx context.Context, why occasion, pending bool) (bool, error) {
	now, err := listing(k.folder)
	if err != nil {
		return false, fmt.Errorf("look at the checkpoint folder: %w", err)
	}
	same := now == k.seen
	if !same {
		k.seen = now
		k.changed.Store(time.Now().UnixNano())
	}
	if now == "" || now == k.last {
		return true, nil
	}
	whole, err := k.whole(why, pending, same)
	if err != nil || !whole {
		return false, err
	}
	return k.copy(ctx, now, why)
}

// whole tells whether what lies in the folder may be a whole checkpoint. same is whether it was so at the last look.
func (k *keeper) whole(why occasion, pending, same bool) (bool, error) {
	tells := k.tells.Load()
	switch {
	case why == onNotice:
		return true, nil
	case tells && !pending:
		return false, nil
	case why == atTheEnd:
		return true, nil
	case !tells && !same:
		return false, nil
	}
	// A program may be at its next checkpoint by the time that an announcement is tried again.
	open, err := k.writers()
	return !open, err
}

func (k *keeper) copy(ctx context.Context, before string, why occasion) (saved bool, err error) {
	at := k.text()
	ref, _, err := artifact.PutFolder(ctx, k.store, k.folder, artifact.FolderLimits{Files: mostModelFiles, Bytes: mostModelBytes, Skip: skipUnfinished})
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // the program has tidied up meanwhile
	}
	if err != nil {
		return false, fmt.Errorf("copy the checkpoint to the store: %w", err)
	}
	after, err := listing(k.folder)
	if err != nil || after != before || why == byTheClock && !k.alive() {
		return false, err
	}
	if err := k.save(checkpoint{Folder: ref, Text: at, Number: k.number + 1}); err != nil {
		return false, err
	}
	k.number++
	k.last = before
	return true, nil
}

// announce notes that a checkpoint is complete, and that the program tells so: from now on nothing else is believed.
func (k *keeper) announce() {
	k.tells.Store(true)
	k.pending.Store(true)
}

// lastChange is when the folder was last seen to change.
func (k *keeper) lastChange() time.Time {
	if at := k.changed.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// restore lays the last checkpoint where the program looks for it.
func restore(ctx context.Context, s artifact.Store, c checkpoint, folder string) error {
	if _, err := artifact.GetFolder(ctx, s, c.Folder, folder); err != nil {
		return fmt.Errorf("restore the checkpoint (%s): %w", c.Text, err)
	}
	return nil
}
