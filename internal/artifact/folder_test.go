package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/artifact"
)

// tree lays out files by their slash paths.
func tree(t require.TestingT, root string, files map[string]string) string {
	for name, content := range files {
		p := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(content), 0o644))
	}
	return root
}

// contents are the files below root by their slash paths.
func contents(t require.TestingT, root string) map[string]string {
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(p string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(p)
		found[filepath.ToSlash(name)] = string(data)
		return err
	}))
	return found
}

func paths(f artifact.Folder) []string {
	var names []string
	for _, file := range f.Files {
		names = append(names, file.Path)
	}
	return names
}

func TestEqualContentsOfFoldersGiveEqualBytes(t *testing.T) {
	files := map[string]string{"b.txt": "b", "a/c.txt": "c", "a.txt": "", "a/b/d": "d"}
	one, other := tree(t, t.TempDir(), files), tree(t, t.TempDir(), files)
	require.NoError(t, os.Chtimes(filepath.Join(other, "b.txt"), time.Unix(1, 0), time.Unix(1, 0)))
	require.NoError(t, os.Chmod(filepath.Join(other, "b.txt"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(other, "empty"), 0o755))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(one, link))

	store := openDir(t)
	first, folder, err := artifact.PutFolder(t.Context(), store, one, artifact.FolderLimits{})
	require.NoError(t, err)
	require.Equal(t, artifact.MediaFolder, first.MediaType)
	require.Equal(t, []string{"a.txt", "a/b/d", "a/c.txt", "b.txt"}, paths(folder), "sorted, with slashes")
	require.EqualValues(t, 3, folder.Size())
	for _, p := range []string{other, link} {
		again, _, err := artifact.PutFolder(t.Context(), openDir(t), p, artifact.FolderLimits{})
		require.NoError(t, err)
		require.Equal(t, first, again, p)
	}

	require.NoError(t, os.Chmod(filepath.Join(other, "b.txt"), 0o700))
	changed, _, err := artifact.PutFolder(t.Context(), store, other, artifact.FolderLimits{})
	require.NoError(t, err)
	require.NotEqual(t, first.Digest, changed.Digest, "what can be executed is part of the content")
}

func TestAFolderComesBackAsItWasStored(t *testing.T) {
	store := openDir(t)
	name := rapid.StringMatching(`[a-zA-Z0-9 ._\\"ä\n-]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		files, executable := map[string]string{}, map[string]bool{}
		for range rapid.IntRange(0, 6).Draw(t, "files") {
			p := path.Join(rapid.SliceOfN(name, 1, 3).Draw(t, "path")...)
			taken := slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(q string) bool {
				return p == q || strings.HasPrefix(p, q+"/") || strings.HasPrefix(q, p+"/")
			})
			if !filepath.IsLocal(p) || p == "." || taken {
				continue
			}
			files[p] = string(rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "content"))
			executable[p] = rapid.Bool().Draw(t, "executable")
		}
		root, err := os.MkdirTemp("", "folder-")
		require.NoError(t, err)
		defer os.RemoveAll(root)
		from, to := filepath.Join(root, "from"), filepath.Join(root, "to")
		require.NoError(t, os.Mkdir(from, 0o755))
		tree(t, from, files)
		for p, is := range executable {
			if is {
				require.NoError(t, os.Chmod(filepath.Join(from, p), 0o755))
			}
		}
		ref, put, err := artifact.PutFolder(t.Context(), store, from, artifact.FolderLimits{})
		require.NoError(t, err)
		got, err := artifact.GetFolder(t.Context(), store, ref, to)
		require.NoError(t, err)
		require.Equal(t, put, got)
		require.Equal(t, files, contents(t, to))
		for p, is := range executable {
			info, err := os.Stat(filepath.Join(to, p))
			require.NoError(t, err)
			want := fs.FileMode(0o600)
			if is {
				want = 0o700
			}
			require.Equal(t, want, info.Mode().Perm(), p)
		}
		again, _, err := artifact.PutFolder(t.Context(), store, to, artifact.FolderLimits{})
		require.NoError(t, err)
		require.Equal(t, ref, again)
		entries, err := os.ReadDir(root)
		require.NoError(t, err)
		require.Len(t, entries, 2, "nothing is left beside it")
	})
}

func TestALinkIsFollowedInsideAFolderOnly(t *testing.T) {
	outside := tree(t, t.TempDir(), map[string]string{"secret": "secret"})
	for _, c := range []struct {
		name   string
		target func(root string) string
		want   string // content, or part of the error
		ok     bool
	}{
		{"a file beside it", func(string) string { return "real" }, "content", true},
		{"a file in another folder", func(string) string { return "deep/../deep/file" }, "deep content", true},
		{"a file outside, absolutely", func(string) string { return filepath.Join(outside, "secret") }, "by a relative path", false},
		{"a file inside, absolutely", func(root string) string { return filepath.Join(root, "real") }, "by a relative path", false},
		{"a file outside, relatively", func(root string) string {
			rel, err := filepath.Rel(root, filepath.Join(outside, "secret"))
			require.NoError(t, err)
			return rel
		}, `the link "link"`, false},
		{"a folder inside", func(string) string { return "deep" }, `"link" is no regular file`, false},
		{"nothing", func(string) string { return "gone" }, `the link "link"`, false},
		{"itself", func(string) string { return "link" }, `the link "link"`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := tree(t, t.TempDir(), map[string]string{"real": "content", "deep/file": "deep content"})
			require.NoError(t, os.Symlink(c.target(root), filepath.Join(root, "link")))
			store := openDir(t)
			ref, _, err := artifact.PutFolder(t.Context(), store, root, artifact.FolderLimits{})
			has, hasErr := store.Has(t.Context(), artifact.Sum([]byte("secret")))
			require.NoError(t, hasErr)
			require.False(t, has, "a file outside is never stored")
			if !c.ok {
				require.ErrorIs(t, err, artifact.ErrFolderEntry)
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			to := filepath.Join(t.TempDir(), "to")
			_, err = artifact.GetFolder(t.Context(), store, ref, to)
			require.NoError(t, err)
			info, err := os.Lstat(filepath.Join(to, "link"))
			require.NoError(t, err)
			require.True(t, info.Mode().IsRegular(), "a copy, no link")
			require.Equal(t, c.want, contents(t, to)["link"])
		})
	}
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, p string)
		want string
	}{
		{"a pipe, without waiting for it", func(t *testing.T, p string) { require.NoError(t, unix.Mkfifo(p, 0o600)) }, "is no regular file"},
		{"a socket", func(t *testing.T, p string) {
			l, err := net.Listen("unix", p)
			require.NoError(t, err)
			t.Cleanup(func() { _ = l.Close() })
		}, "is no regular file"},
		{"a name that JSON cannot hold", func(t *testing.T, p string) {
			require.NoError(t, os.WriteFile(p+"\xff", nil, 0o600))
		}, "is not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root, err := os.MkdirTemp("", "f") // the name of a socket must be short
			require.NoError(t, err)
			t.Cleanup(func() { _ = os.RemoveAll(root) })
			c.make(t, filepath.Join(root, "x"))
			_, _, err = artifact.PutFolder(t.Context(), openDir(t), root, artifact.FolderLimits{})
			require.ErrorIs(t, err, artifact.ErrFolderEntry)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, root)
		})
	}
	_, _, err := artifact.PutFolder(t.Context(), openDir(t), filepath.Join(t.TempDir(), "absent"), artifact.FolderLimits{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	file := filepath.Join(tree(t, t.TempDir(), map[string]string{"file": ""}), "file")
	_, _, err = artifact.PutFolder(t.Context(), openDir(t), file, artifact.FolderLimits{})
	require.ErrorContains(t, err, "it is no folder")
}

func TestLimitsAndSkippingOfAFolder(t *testing.T) {
	root := tree(t, t.TempDir(), map[string]string{"a": "12345", "b": "12345", "big/c": strings.Repeat("c", 100), "big/d": ""})
	put := func(l artifact.FolderLimits) (artifact.Folder, error) {
		_, f, err := artifact.PutFolder(t.Context(), openDir(t), root, l)
		return f, err
	}
	skipBig := func(p string, folder bool) bool { return p == "big" && folder }

	f, err := put(artifact.FolderLimits{Files: 4, Bytes: 110})
	require.NoError(t, err, "a limit may be reached")
	require.Len(t, f.Files, 4)
	_, err = put(artifact.FolderLimits{Files: 3})
	require.ErrorIs(t, err, artifact.ErrFolderLimit)
	require.ErrorContains(t, err, "more than 3 files")
	_, err = put(artifact.FolderLimits{Bytes: 109})
	require.ErrorIs(t, err, artifact.ErrFolderLimit)
	require.ErrorContains(t, err, `at "big/c"`)

	f, err = put(artifact.FolderLimits{Files: 2, Bytes: 10, Skip: skipBig})
	require.NoError(t, err, "what is skipped does not count")
	require.Equal(t, []string{"a", "b"}, paths(f))
	var seen []string
	f, err = put(artifact.FolderLimits{Skip: func(p string, folder bool) bool {
		seen = append(seen, p)
		return p == "big/c"
	}})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "big/d"}, paths(f))
	require.Equal(t, []string{"a", "b", "big", "big/c", "big/d"}, seen, "paths are relative, with slashes")
}

// growing appends to a file as soon as something is stored, as a program that still writes would.
type growing struct {
	artifact.Store
	file string
}

func (g growing) Put(ctx context.Context, r io.Reader, media string) (artifact.Ref, error) {
	f, err := os.OpenFile(g.file, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.Write(bytes.Repeat([]byte("x"), 1000))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return artifact.Ref{}, err
	}
	return g.Store.Put(ctx, r, media)
}

func TestAFileThatGrowsBeyondTheLimitIsNotCutShort(t *testing.T) {
	root := tree(t, t.TempDir(), map[string]string{"a": "12345"})
	_, _, err := artifact.PutFolder(t.Context(), growing{openDir(t), filepath.Join(root, "a")}, root, artifact.FolderLimits{Bytes: 100})
	require.ErrorIs(t, err, artifact.ErrFolderLimit)
}

func TestGettingAFolderIsAllOrNothing(t *testing.T) {
	store := openDir(t)
	ref, folder, err := artifact.PutFolder(t.Context(), store, tree(t, t.TempDir(), map[string]string{"a": "aaaa", "b": "bbbb"}), artifact.FolderLimits{})
	require.NoError(t, err)
	parent := t.TempDir()
	nothing := func(is error) {
		t.Helper()
		require.ErrorIs(t, err, is)
		require.ErrorContains(t, err, ref.Digest.Short())
		entries, err := os.ReadDir(parent)
		require.NoError(t, err)
		require.Empty(t, entries)
	}

	blob := blobFile(store.String(), folder.Files[1].Ref.Digest)
	require.NoError(t, os.Remove(blob))
	_, err = artifact.GetFolder(t.Context(), store, ref, filepath.Join(parent, "to"))
	nothing(artifact.ErrNotFound)
	require.NoError(t, os.WriteFile(blob, []byte("bbbx"), 0o444))
	_, err = artifact.GetFolder(t.Context(), store, ref, filepath.Join(parent, "to"))
	nothing(artifact.ErrCorrupt)

	require.NoError(t, os.Remove(blob))
	require.NoError(t, os.WriteFile(blob, []byte("bbbb"), 0o444))
	taken := tree(t, filepath.Join(parent, "to"), map[string]string{"mine": "mine"})
	_, err = artifact.GetFolder(t.Context(), store, ref, taken)
	require.Error(t, err)
	require.Equal(t, map[string]string{"to/mine": "mine"}, contents(t, parent), "what is there already stays as it is")
}

func TestAForgedFolderWritesNothingOutside(t *testing.T) {
	store := openDir(t)
	blob, err := store.Put(t.Context(), strings.NewReader("evil"), artifact.MediaText)
	require.NoError(t, err)
	for _, name := range []string{"../evil", "/tmp/evil", "a/../../evil", "..", "", "a\x00b"} {
		ref, err := artifact.PutJSON(t.Context(), store, artifact.MediaFolder, artifact.Folder{Files: []artifact.File{{Path: "fine", Ref: blob}, {Path: name, Ref: blob}}})
		require.NoError(t, err)
		_, err = artifact.ReadFolder(t.Context(), store, ref)
		require.ErrorContains(t, err, "leads out of it", "%q", name)
		parent := t.TempDir()
		_, err = artifact.GetFolder(t.Context(), store, ref, filepath.Join(parent, "deep"))
		require.ErrorContains(t, err, "leads out of it", "%q", name)
		require.Empty(t, contents(t, parent))
	}
	for name, files := range map[string][]string{"twice the same": {"a", "a"}, "a file that is a folder": {"a", "a/b"}, "the folder itself": {"."}} {
		var forged artifact.Folder
		for _, f := range files {
			forged.Files = append(forged.Files, artifact.File{Path: f, Ref: blob})
		}
		ref, err := artifact.PutJSON(t.Context(), store, artifact.MediaFolder, forged)
		require.NoError(t, err)
		parent := t.TempDir()
		_, err = artifact.GetFolder(t.Context(), store, ref, filepath.Join(parent, "deep"))
		require.Error(t, err, name)
		require.Empty(t, contents(t, parent), name)
	}
	other, err := artifact.PutJSON(t.Context(), store, artifact.MediaJSON, artifact.Folder{})
	require.NoError(t, err)
	_, err = artifact.ReadFolder(t.Context(), store, other)
	require.ErrorContains(t, err, `its media type is "application/json"`)
}
