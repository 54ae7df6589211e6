package program

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// RefusalKind says why a program is not run.
type RefusalKind string

const (
	NotAllowed    RefusalKind = "not_allowed"    // the worker's operator does not allow it
	NotFound      RefusalKind = "not_found"      // there is no such file
	NotExecutable RefusalKind = "not_executable" // the file is there and cannot be executed
)

// Refusal is the error of a program that was not started.
type Refusal struct {
	Kind    RefusalKind
	Program string // as asked for
	Reason  string // what was expected, and what to do
}

func (r *Refusal) Error() string { return fmt.Sprintf("run program %q: %s", r.Program, r.Reason) }

// Resolve finds the executable that name means, and refuses what the policy does not allow.
//
//   - A bare name ("python3") is the first allowed path whose base name equals it, or, where the bare name itself is
//     allowed, what the PATH of the worker finds.
//   - An absolute path must match an allowed path or pattern, or be what PATH finds for an allowed name. Symbolic links
//     in it are kept: an interpreter finds its virtual environment by the link it was called through.
//   - A relative path with a slash is a file inside codeFolder, also after symbolic links are followed, and needs
//     AllowCode. The path returned has its links followed.
//
// Errors are *Refusal.
func (p Policy) Resolve(name, codeFolder string) (string, error) {
	var path string
	var err error
	switch {
	case name == "" || strings.ContainsRune(name, 0):
		return "", &Refusal{NotFound, name, "this is no name of a file; expected a program such as python3 or ./train.sh"}
	case isBare(name):
		path, err = p.resolveName(name)
	case filepath.IsAbs(name):
		path, err = p.resolvePath(name)
	default:
		path, err = p.resolveCode(name, codeFolder)
	}
	if err == nil {
		err = executable(name, path)
	}
	if err != nil {
		return "", err
	}
	return path, nil
}

func (p Policy) resolveName(name string) (string, error) {
	var missing string
	for _, allowed := range p.Allowed {
		switch {
		case allowed == AllowCode:
		case isBare(allowed):
			if allowed != name {
				continue
			}
			path, err := exec.LookPath(name)
			if err == nil && filepath.IsAbs(path) {
				return path, nil
			}
			missing = "no absolute folder in the worker's PATH holds such an executable"
		default:
			for _, path := range matches(allowed) {
				if filepath.Base(path) != name {
					continue
				}
				if _, err := os.Stat(path); err == nil {
					return path, nil
				}
				missing = path + ", which is allowed, is not there"
			}
		}
	}
	if missing != "" {
		return "", &Refusal{NotFound, name, missing + "; install it on the worker's machine or correct the name"}
	}
	return "", p.notAllowed(name, "a bare name must itself be allowed or be the base name of an allowed path")
}

// matches are the files of an allowed path; a path without wildcards stands for itself, whether it is there or not.
func matches(allowed string) []string {
	found, err := filepath.Glob(allowed)
	if err != nil || len(found) == 0 {
		return []string{filepath.Clean(allowed)}
	}
	return found
}

func (p Policy) resolvePath(name string) (string, error) {
	path := filepath.Clean(name)
	for _, allowed := range p.Allowed {
		switch {
		case allowed == AllowCode:
		case isBare(allowed):
			if found, err := exec.LookPath(allowed); err == nil && found == path {
				return path, nil
			}
		case filepath.Clean(allowed) == path:
			return path, nil
		default:
			if ok, err := filepath.Match(allowed, path); err == nil && ok {
				return path, nil
			}
		}
	}
	return "", p.notAllowed(name, "an absolute path must match an allowed path")
}

func (p Policy) resolveCode(name, codeFolder string) (string, error) {
	if !slices.Contains(p.Allowed, AllowCode) {
		return "", p.notAllowed(name, fmt.Sprintf("a path inside the code folder needs %q to be allowed", AllowCode))
	}
	if codeFolder == "" {
		return "", &Refusal{NotFound, name, "a relative path is a file of the code folder, and there is no code folder here; use an absolute path or a bare name"}
	}
	folder, err := filepath.EvalSymlinks(codeFolder)
	if err == nil {
		folder, err = filepath.Abs(folder)
	}
	if err != nil {
		return "", &Refusal{NotFound, name, fmt.Sprintf("cannot read the code folder: %v", err)}
	}
	outside := "a relative path must lead to a file inside the code folder, symbolic links followed, and this one leads out of it"
	if !filepath.IsLocal(name) {
		return "", p.notAllowed(name, outside)
	}
	path, err := filepath.EvalSymlinks(filepath.Join(folder, name))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", &Refusal{NotFound, name, "the code folder holds no such file; correct train.command.run or train.command.code"}
		}
		return "", &Refusal{NotFound, name, fmt.Sprintf("look into the code folder: %v", err)}
	}
	if !isBelow(folder, path) {
		return "", p.notAllowed(name, outside)
	}
	return path, nil
}

// isBelow is whether path is folder or lies inside it; both must be absolute and clean.
func isBelow(folder, path string) bool {
	rest, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rest)
}

func (p Policy) notAllowed(name, rule string) error {
	allows := "it allows no program"
	if len(p.Allowed) > 0 {
		allows = "it allows " + strings.Join(p.Allowed, ", ")
	}
	return &Refusal{NotAllowed, name, fmt.Sprintf("this worker does not allow it: %s; %s. The operator of the worker allows more with --allow-programs", rule, allows)}
}

// executable refuses what is no file that someone may execute.
func executable(name, path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Refusal{NotFound, name, fmt.Sprintf("%s is not there; install it on the worker's machine or correct the name", path)}
	case err != nil:
		return &Refusal{NotFound, name, fmt.Sprintf("look at it: %v", err)}
	case !info.Mode().IsRegular():
		return &Refusal{NotExecutable, name, path + " is no regular file; expected a program or a script"}
	case info.Mode().Perm()&0o111 == 0:
		return &Refusal{NotExecutable, name, fmt.Sprintf("%s is not executable; run chmod +x on it, or name its interpreter first, as in [python3, train.py]", path)}
	}
	return nil
}
