package program

import (
	"io/fs"
	"os"
	"path/filepath"
)

// RemoveFolder removes a folder that a program worked in, also directories that it made read-only, as package caches are.
func RemoveFolder(path string) error {
	if os.RemoveAll(path) == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(path string, entry fs.DirEntry, _ error) error {
		if entry != nil && entry.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}
