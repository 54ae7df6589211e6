package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

func (d *Dir) documentPath(name string) string { return d.path(filepath.FromSlash(name)) }

// Get implements Store. The version is the digest of the content.
func (d *Dir) Get(ctx context.Context, name string) ([]byte, Version, error) {
	if err := CheckName(name); err != nil {
		return nil, "", err
	}
	if err := ctx.Err(); err != nil {
		return nil, "", fmt.Errorf("read document %q: %w", name, err)
	}
	data, err := os.ReadFile(d.documentPath(name))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EISDIR) {
		return nil, "", fmt.Errorf("document %q in store %q: %w", name, d.root, ErrNotFound)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read document %q: %w", name, err)
	}
	return data, versionOf(data), nil
}

func versionOf(data []byte) Version { return Version(Sum(data).String()) }

// PutIfAbsent implements Store.
func (d *Dir) PutIfAbsent(ctx context.Context, name string, data []byte) (Version, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	if err := d.writable(ctx); err != nil {
		return "", fmt.Errorf("create document %q: %w", name, err)
	}
	err := d.create(d.documentPath(name), data)
	if errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("create document %q: %w", name, ErrExists)
	}
	if err != nil {
		return "", fmt.Errorf("create document %q: %w", name, d.explain(err))
	}
	return versionOf(data), nil
}

func (d *Dir) create(path string, data []byte) error {
	if err := d.ensureFolder(filepath.Dir(path)); err != nil {
		return err
	}
	t, err := d.writeTemp(data)
	if err != nil {
		return err
	}
	defer t.discard()
	return d.link(t, path)
}

// PutIfMatch implements Store.
func (d *Dir) PutIfMatch(ctx context.Context, name string, data []byte, v Version) (Version, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	if err := d.writable(ctx); err != nil {
		return "", fmt.Errorf("replace document %q: %w", name, err)
	}
	unlock, err := d.lock(ctx, name)
	if err != nil {
		return "", d.explain(err)
	}
	defer unlock()
	_, current, err := d.Get(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("replace document %q: %w: there is no such document", name, ErrConflict)
	}
	if err != nil {
		return "", err
	}
	if current != v {
		return "", fmt.Errorf("replace document %q: %w: expected version %s, found %s", name, ErrConflict, v, current)
	}
	if err := d.replace(d.documentPath(name), data); err != nil {
		return "", fmt.Errorf("replace document %q: %w", name, d.explain(err))
	}
	return versionOf(data), nil
}

func (d *Dir) replace(path string, data []byte) error {
	t, err := d.writeTemp(data)
	if err != nil {
		return err
	}
	defer t.file.Close()
	if err := os.Rename(t.file.Name(), path); err != nil {
		t.discard()
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func (d *Dir) writeTemp(data []byte) (temp, error) {
	t, err := d.newTemp()
	if err != nil {
		return temp{}, err
	}
	if _, err := t.file.Write(data); err != nil {
		t.discard()
		return temp{}, err
	}
	if err := t.seal(0o644); err != nil {
		t.discard()
		return temp{}, err
	}
	return t, nil
}

// List implements Store.
func (d *Dir) List(ctx context.Context, prefix string) ([]string, error) {
	if err := CheckName(prefix); err != nil {
		return nil, err
	}
	var names []string
	err := d.walk(ctx, prefix, &names)
	if err != nil {
		return nil, fmt.Errorf("list %q in store %q: %w", prefix, d.root, err)
	}
	slices.Sort(names)
	return names, nil
}

func (d *Dir) walk(ctx context.Context, folder string, names *[]string) error {
	entries, err := d.readFolder(ctx, folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := folder + "/" + e.Name()
		if !e.IsDir() {
			*names = append(*names, name)
			continue
		}
		if err := d.walk(ctx, name, names); err != nil {
			return err
		}
	}
	return nil
}

// Folders implements Store.
func (d *Dir) Folders(ctx context.Context, prefix string) ([]string, error) {
	if err := CheckName(prefix); err != nil {
		return nil, err
	}
	entries, err := d.readFolder(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("list folders of %q in store %q: %w", prefix, d.root, err)
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() {
			folders = append(folders, e.Name())
		}
	}
	return folders, nil
}

// readFolder gives the visible entries of a folder in the order of their names; none when it does not exist.
func (d *Dir) readFolder(ctx context.Context, folder string) ([]fs.DirEntry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(d.documentPath(folder))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") }), nil
}
