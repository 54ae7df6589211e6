package program

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Command is one run of a program.
type Command struct {
	Path string   // the executable, as Policy.Resolve returned it
	Args []string // without the program itself
	Dir  string   // working directory
	// Folder is an absolute path below which the run writes everything. It is measured for the disk quota, and removed
	// with all it holds when the worker dies while the program runs. Empty: no folder, and then no quota.
	Folder    string
	Env       []string // the complete environment, see Environment
	Policy    Policy
	TimeLimit time.Duration // of the spec; the policy's is used where it is shorter; 0: the policy's
	Grace     time.Duration // between SIGTERM to the program's group and SIGKILL of the whole tree; 0: at once
	// Output gets each line of stdout and stderr, without what ended it, at most LongestLine bytes; truncated says that
	// the line was longer. It is never called by two goroutines at once, and not after Done. The slice is its own during
	// the call only. While it does not return, the program waits as soon as the pipe is full. It may be nil.
	Output func(line []byte, truncated bool)
}

// check refuses a command that could not be run, or whose folder must not be removed.
func (c Command) check() error {
	if !filepath.IsAbs(c.Path) {
		return fmt.Errorf("start program %q: expected the absolute path of an executable, as Policy.Resolve returns it", c.Path)
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("start program %s: %w", c.Path, fmt.Errorf(format, args...))
	}
	if err := c.Policy.Check(); err != nil {
		return fail("%w", err)
	}
	for _, text := range append([]string{c.Path, c.Dir}, c.Args...) {
		if strings.ContainsRune(text, 0) {
			return fail("%q holds a zero byte, which no argument or path can hold", text)
		}
	}
	for _, v := range c.Env {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" || strings.ContainsRune(v, 0) {
			return fail("a variable of its environment is no NAME=value without zero bytes; its name begins %.40q", name)
		}
	}
	if info, err := os.Stat(c.Dir); err != nil {
		return fail("look at its working directory: %w", err)
	} else if !info.IsDir() {
		return fail("its working directory %s is no directory", c.Dir)
	}
	if c.Folder == "" {
		if c.Policy.DiskBytes > 0 {
			return fail("the policy limits its disk, and the run has no folder that could be measured")
		}
		return nil
	}
	return c.checkFolder(fail)
}

func (c Command) checkFolder(fail func(string, ...any) error) error {
	if !filepath.IsAbs(c.Folder) {
		return fail("its folder %q is not absolute", c.Folder)
	}
	if info, err := os.Lstat(c.Folder); err != nil {
		return fail("look at its folder: %w", err)
	} else if !info.IsDir() {
		return fail("its folder %s is no directory", c.Folder)
	}
	// The folder goes when the worker dies. A slip in the caller's path must not take the worker's own files with it.
	here, err := os.Getwd()
	if err != nil {
		return fail("find the worker's working directory: %w", err)
	}
	home, _ := os.UserHomeDir()
	for _, kept := range []string{here, home} {
		if filepath.IsAbs(kept) && isBelow(filepath.Clean(c.Folder), filepath.Clean(kept)) {
			return fail("its folder %s holds %s, and it would be removed if the worker died; expected a folder of the run's own", c.Folder, kept)
		}
	}
	return nil
}

// makeFolders makes the folders that HOME and TMPDIR name, where they are below the run's folder.
func (c Command) makeFolders() error {
	for _, v := range c.Env {
		name, folder, _ := strings.Cut(v, "=")
		if name != "HOME" && name != "TMPDIR" || c.Folder == "" || !filepath.IsAbs(folder) || !isBelow(filepath.Clean(c.Folder), filepath.Clean(folder)) {
			continue
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("start program %s: make the folder of its variable %s: %w", c.Path, name, err)
		}
	}
	return nil
}
