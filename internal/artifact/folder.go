package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// MediaFolder is the media type of a Folder.
const MediaFolder = "application/vnd.assay.folder+json"

// Folder is the content of a folder: its files, each a blob of its own, sorted by path. Equal contents give equal bytes,
// wherever and whenever they were made: times, owners and empty folders are left out.
type Folder struct {
	Files []File `json:"files"`
}

// File is one regular file of a Folder.
type File struct {
	Path       string `json:"path"` // relative, with slashes
	Executable bool   `json:"executable,omitempty"`
	Ref        Ref    `json:"ref"`
}

// Size is the sum of the files' sizes in bytes.
func (f Folder) Size() int64 {
	var sum int64
	for _, file := range f.Files {
		sum += file.Ref.Size
	}
	return sum
}

// FolderLimits bound what PutFolder takes; 0 is no limit.
type FolderLimits struct {
	Files int
	Bytes int64
	// Skip leaves out a file or a whole folder by its path relative to the root, with slashes. nil leaves out nothing.
	Skip func(path string, folder bool) bool
}

// ErrFolderLimit is returned by PutFolder, wrapped with what was exceeded.
var ErrFolderLimit = errors.New("the folder is larger than it may be")

// ErrFolderEntry is returned by PutFolder, wrapped with what the folder holds that cannot be stored.
var ErrFolderEntry = errors.New("expected files and folders only")

// PutFolder stores the regular files below path and returns the ref of their Folder. A link is followed when it points to
// a file inside the folder by a relative path, and refused otherwise: what is stored must not depend on the rest of the
// machine, and a program must not be able to publish a file of its worker. Sockets, pipes and devices are refused too, and
// names that are not UTF-8. A file that changes while it is read gives either content; whoever needs one moment of a folder
// in use must make sure that nobody writes.
func PutFolder(ctx context.Context, s Store, path string, limits FolderLimits) (Ref, Folder, error) {
	names, err := filesBelow(path, limits)
	if err != nil {
		return Ref{}, Folder{}, fmt.Errorf("store the folder %s: %w", path, err)
	}
	root, err := os.OpenRoot(path) // no name can leave it, also when a link changes under our hands
	if err != nil {
		return Ref{}, Folder{}, fmt.Errorf("store the folder: %w", err)
	}
	defer root.Close()
	folder := Folder{Files: make([]File, 0, len(names))}
	for _, name := range names {
		file, err := putFile(ctx, s, root, name, limits.Bytes-folder.Size(), limits.Bytes > 0)
		if err != nil {
			return Ref{}, Folder{}, fmt.Errorf("store the folder %s: %w", path, err)
		}
		folder.Files = append(folder.Files, file)
	}
	ref, err := PutJSON(ctx, s, MediaFolder, folder)
	return ref, folder, err
}

func putFile(ctx context.Context, s Store, root *os.Root, name string, room int64, bounded bool) (File, error) {
	if !utf8.ValidString(name) {
		return File{}, fmt.Errorf("the name %q is not UTF-8: %w", name, ErrFolderEntry)
	}
	f, info, err := openRegular(root, name)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	var r io.Reader = f
	if bounded {
		if info.Size() > room {
			return File{}, fmt.Errorf("%w: at %q", ErrFolderLimit, name)
		}
		r = io.LimitReader(f, room+1) // one more tells of a file that has grown
	}
	ref, err := s.Put(ctx, r, "application/octet-stream")
	if err == nil && bounded && ref.Size > room {
		err = fmt.Errorf("%w: at %q", ErrFolderLimit, name)
	}
	return File{Path: filepath.ToSlash(name), Executable: info.Mode()&0o111 != 0, Ref: ref}, err
}

// openRegular opens a regular file, or what a link leads to, inside root.
func openRegular(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	special := fmt.Errorf("%q is no regular file: %w", name, ErrFolderEntry)
	info, err := root.Stat(name)
	if err != nil {
		return nil, nil, notOpened(root, name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, special
	}
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe that took its place must not be waited for
	if err != nil {
		return nil, nil, notOpened(root, name, err)
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = special
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

func notOpened(root *os.Root, name string, err error) error {
	if entry, e := root.Lstat(name); e == nil && entry.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("the link %q: %w; it must lead to a file inside the folder by a relative path: %w", name, err, ErrFolderEntry)
	}
	return fmt.Errorf("%q: %w", name, err)
}

// filesBelow lists what is not a folder, sorted by path.
func filesBelow(path string, limits FolderLimits) ([]string, error) {
	path, err := filepath.EvalSymlinks(path) // WalkDir does not follow a link that it begins with
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, errors.New("it is no folder")
	}
	var names []string
	err = filepath.WalkDir(path, func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(path, p)
		if err != nil || name == "." {
			return err
		}
		if limits.Skip != nil && limits.Skip(filepath.ToSlash(name), entry.IsDir()) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		if names = append(names, name); limits.Files > 0 && len(names) > limits.Files {
			return fmt.Errorf("%w: more than %d files", ErrFolderLimit, limits.Files)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// ReadFolder reads the index that PutFolder wrote and checks that every path stays inside the folder it will be put in.
func ReadFolder(ctx context.Context, s Store, ref Ref) (Folder, error) {
	if ref.MediaType != MediaFolder {
		return Folder{}, fmt.Errorf("read folder %s: its media type is %q; expected %q", ref.Digest, ref.MediaType, MediaFolder)
	}
	var folder Folder
	if err := ReadJSON(ctx, s, ref, &folder); err != nil {
		return Folder{}, fmt.Errorf("read folder %s: %w", ref.Digest, err)
	}
	for _, file := range folder.Files {
		if !filepath.IsLocal(filepath.FromSlash(file.Path)) || strings.ContainsRune(file.Path, 0) {
			return Folder{}, fmt.Errorf("read folder %s: the path %q leads out of it", ref.Digest, file.Path)
		}
	}
	return folder, nil
}

// GetFolder writes a stored folder to path, which must not exist yet. Every file is verified against its digest. It
// appears under its name only when it is complete, so that a kill leaves no half of it; what it leaves beside has a name
// that starts with the folder's and ends in ".part".
func GetFolder(ctx context.Context, s Store, ref Ref, path string) (Folder, error) {
	folder, err := ReadFolder(ctx, s, ref)
	if err != nil {
		return Folder{}, err
	}
	part, err := os.MkdirTemp(filepath.Dir(path), filepath.Base(path)+"-*.part")
	if err != nil {
		return Folder{}, fmt.Errorf("fetch folder %s: %w", ref.Digest.Short(), err)
	}
	defer os.RemoveAll(part)
	for _, file := range folder.Files {
		if err := getFile(ctx, s, file, filepath.Join(part, filepath.FromSlash(file.Path))); err != nil {
			return Folder{}, fmt.Errorf("fetch folder %s: %w", ref.Digest.Short(), err)
		}
	}
	if err := os.Rename(part, path); err != nil {
		return Folder{}, fmt.Errorf("fetch folder %s: %w", ref.Digest.Short(), err)
	}
	return folder, nil
}

func getFile(ctx context.Context, s Store, file File, path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	r, err := s.Open(ctx, file.Ref)
	if err != nil {
		return err
	}
	defer r.Close()
	mode := fs.FileMode(0o600)
	if file.Executable {
		mode = 0o700
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(f, contextReader{ctx, r})
	return err
}
