package command

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
)

// Bounds on training code. Data and models do not belong there.
const (
	mostCodeFiles = 5_000
	mostCodeBytes = 256 << 20
)

// ignoreFile in a code folder holds patterns of what is not code, one a line, as path.Match takes them.
const ignoreFile = ".assayignore"

// neverCode are names of files and folders that tools leave beside code.
var neverCode = []string{".git", ".hg", ".svn", "__pycache__", "*.pyc", ".venv", "venv", ".ipynb_checkpoints", "node_modules", ".assay", "mlruns", ".DS_Store"}

// Pack stores a code folder as it is now. What its .assayignore and neverCode name is left out. Its errors are about the
// folder, in the words of the spec, or about the store.
func Pack(ctx context.Context, s artifact.Store, folder string) (artifact.Ref, artifact.Folder, error) {
	var none artifact.Folder
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return artifact.Ref{}, none, fmt.Errorf("train.command.code: there is no folder %s on this worker; expected the folder that holds the training program", folder)
	case err != nil:
		return artifact.Ref{}, none, fmt.Errorf("train.command.code: %w", err)
	case !info.IsDir():
		return artifact.Ref{}, none, fmt.Errorf("train.command.code: %s is a file; expected the folder that holds it", folder)
	}
	ignored, err := readIgnored(filepath.Join(folder, ignoreFile))
	if err != nil {
		return artifact.Ref{}, none, err
	}
	ref, content, err := artifact.PutFolder(ctx, s, folder, artifact.FolderLimits{Files: mostCodeFiles, Bytes: mostCodeBytes, Skip: func(name string, _ bool) bool {
		return matches(neverCode, name) || matches(ignored, name)
	}})
	switch {
	case errors.Is(err, artifact.ErrFolderLimit):
		return ref, none, fmt.Errorf("train.command.code: %w (at most %d files and %d MiB); name what is not code in %s, or give a folder of its own",
			err, mostCodeFiles, mostCodeBytes>>20, ignoreFile)
	case err != nil:
		return ref, none, fmt.Errorf("train.command.code: %w", err)
	case len(content.Files) == 0:
		return ref, none, fmt.Errorf("train.command.code: the folder %s holds no file; expected the training program", folder)
	}
	return ref, content, nil
}

func readIgnored(file string) ([]string, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("train.command.code: %w", err)
	}
	var patterns []string
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		line := strings.TrimSuffix(strings.TrimSpace(lines.Text()), "/")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if _, err := path.Match(line, ""); err != nil {
			return nil, fmt.Errorf("train.command.code: %s: the pattern %q is malformed; expected names such as data or *.csv", ignoreFile, line)
		}
		patterns = append(patterns, line)
	}
	return patterns, nil
}

// matches looks at the whole path and at its last element.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		whole, _ := path.Match(p, name)
		last, _ := path.Match(p, path.Base(name))
		return whole || last
	})
}
