package serve

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
)

// countingStore counts the blobs that are read.
type countingStore struct {
	artifact.Store
	opened atomic.Int64
}

func (s *countingStore) Open(ctx context.Context, ref artifact.Ref) (io.ReadCloser, error) {
	s.opened.Add(1)
	return s.Store.Open(ctx, ref)
}

// cached is a loader over a stored folder of two files.
func cached(t *testing.T) (l *Loader, store *countingStore, ref artifact.Ref, scratch string) {
	t.Helper()
	dir, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	from := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(from, "bin"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(from, "weights"), []byte("0.25"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(from, "bin", "server"), []byte("#!/bin/sh\n"), 0o700))
	ref, _, err = artifact.PutFolder(t.Context(), dir, from, artifact.FolderLimits{})
	require.NoError(t, err)
	store, scratch = &countingStore{Store: dir}, t.TempDir()
	return &Loader{Store: store, Scratch: scratch}, store, ref, scratch
}

func requireCopy(t *testing.T, path string) {
	t.Helper()
	weights, err := os.ReadFile(filepath.Join(path, "weights"))
	require.NoError(t, err)
	require.Equal(t, "0.25", string(weights))
	info, err := os.Stat(filepath.Join(path, "bin", "server"))
	require.NoError(t, err)
	require.EqualValues(t, 0o700, info.Mode().Perm())
}

func TestAFolderIsFetchedOnce(t *testing.T) {
	l, store, ref, scratch := cached(t)
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	require.NoError(t, l.copyOf(t.Context(), ref, scratch, one))
	requireCopy(t, one)
	fetched := store.opened.Load()
	require.NoError(t, os.WriteFile(filepath.Join(one, "weights"), []byte("0.5"), 0o600))
	require.NoError(t, l.copyOf(t.Context(), ref, scratch, two))
	requireCopy(t, two)
	require.Equal(t, fetched+1, store.opened.Load(), "only the folder's index is read again")
}

func TestACachedFolderThatWasChangedIsFetchedAnewAndSaid(t *testing.T) {
	for name, change := range map[string]func(cached string) error{
		"other bytes":   func(c string) error { return os.WriteFile(filepath.Join(c, "weights"), []byte("0.26"), 0o600) },
		"a file is cut": func(c string) error { return os.WriteFile(filepath.Join(c, "weights"), nil, 0o600) },
		"a file is gone": func(c string) error {
			return os.Remove(filepath.Join(c, "bin", "server"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, _, ref, scratch := cached(t)
			var log bytes.Buffer
			l.Logger = textLogger(&log)
			to := filepath.Join(t.TempDir(), "to")
			require.NoError(t, l.copyOf(t.Context(), ref, scratch, to))
			require.Empty(t, log.String())
			require.NoError(t, os.RemoveAll(to))
			require.NoError(t, change(filepath.Join(scratch, "models", ref.Digest.Hex())))
			require.NoError(t, l.copyOf(t.Context(), ref, scratch, to))
			requireCopy(t, to)
			require.Contains(t, log.String(), "a cached folder was changed and is fetched anew")
		})
	}
}

func TestManyMayFetchTheSameFolderAtOnce(t *testing.T) {
	l, store, ref, scratch := cached(t)
	to := t.TempDir()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			own := *l // locks between processes are those between open files
			if err := own.copyOf(context.Background(), ref, scratch, filepath.Join(to, string(rune('a'+i)))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range 8 {
		requireCopy(t, filepath.Join(to, string(rune('a'+i))))
	}
	require.EqualValues(t, 8+1+2, store.opened.Load(), "the index for each, and once to fetch; each file once")
}

func TestWaitingForAFetchEndsWithTheContext(t *testing.T) {
	l, _, ref, scratch := cached(t)
	require.NoError(t, os.MkdirAll(filepath.Join(scratch, "models"), 0o700))
	unlock, err := lock(t.Context(), filepath.Join(scratch, "models", ref.Digest.Hex()+lockSuffix))
	require.NoError(t, err)
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, l.copyOf(ctx, ref, scratch, filepath.Join(t.TempDir(), "to")), context.DeadlineExceeded)
}

func TestFoldersThatNobodyOpensAreRemoved(t *testing.T) {
	l, _, ref, scratch := cached(t)
	models := filepath.Join(scratch, "models")
	long := time.Now().Add(-2 * unused)
	make := func(name string, age time.Time) string {
		path := filepath.Join(models, name)
		require.NoError(t, os.MkdirAll(path, 0o700))
		require.NoError(t, os.WriteFile(path+lockSuffix, nil, 0o600))
		require.NoError(t, os.Chtimes(path+lockSuffix, age, age))
		return path
	}
	old, recent, held := make("aa", long), make("bb", time.Now()), make("cc", long)
	part := filepath.Join(models, "dd-1.part")
	require.NoError(t, os.MkdirAll(part, 0o700))
	require.NoError(t, os.Chtimes(part, long, long))
	f, err := os.OpenFile(held+lockSuffix, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, waitForLock(t.Context(), f))

	require.NoError(t, l.copyOf(t.Context(), ref, scratch, filepath.Join(t.TempDir(), "to")))
	require.NoDirExists(t, old)
	require.NoFileExists(t, old+lockSuffix)
	require.NoDirExists(t, part)
	require.DirExists(t, recent)
	require.DirExists(t, held, "someone is at it")
	require.DirExists(t, filepath.Join(models, ref.Digest.Hex()))
}

func TestALockThatWasRemovedMeanwhileLocksNobodyOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x"+lockSuffix)
	unlock, err := lock(t.Context(), path)
	require.NoError(t, err)
	got := make(chan func())
	go func() {
		defer close(got)
		unlock, err := lock(context.Background(), path)
		if err != nil {
			t.Error(err)
			return
		}
		got <- unlock
	}()
	require.NoError(t, os.Remove(path))
	unlock()
	second := <-got
	require.FileExists(t, path, "the second holds the file of that name")
	second()
}

func TestRunFoldersOfTheDeadAreRemoved(t *testing.T) {
	scratch := t.TempDir()
	mine, err := newRunFolder(scratch)
	require.NoError(t, err)
	dead, err := newRunFolder(scratch)
	require.NoError(t, err)
	require.NoError(t, dead.alive.Close()) // as the kernel does for a killed process
	other, err := newRunFolder(scratch)
	require.NoError(t, err)
	require.NoDirExists(t, dead.path)
	require.DirExists(t, mine.path)
	require.NoError(t, mine.remove())
	require.NoError(t, other.remove())
	entries, err := os.ReadDir(scratch)
	require.NoError(t, err)
	require.Empty(t, entries)
}
