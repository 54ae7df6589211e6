// Package program runs other people's programs for a worker: only those its operator allowed, in a clean environment, in
// a process group of their own, within limits, and never longer than the worker lives.
//
// A small process of the worker's own executable, the supervisor, stands between the worker and the program. Every
// descendant that loses its parent becomes the supervisor's child, so that none escapes by starting a session of its
// own; and when the worker is gone, even by SIGKILL, the supervisor ends them all and removes their folder.
//
// This is housekeeping, not a sandbox. A program runs as the user the worker runs as and reaches the files and the
// network that this user reaches. Memory, disk and processes are looked at four times a second; between two looks a
// program may exceed its limits. A worker that runs programs of people it does not trust needs a container around it.
//
// A program has a lower priority than the worker (5 more in nice) and is the first that the kernel ends when memory runs
// out; it dumps no core and gains no rights from set-user-ID files such as sudo. Its stdin is /dev/null.
//
// Programs run on Linux. Elsewhere Start refuses, because the promise that none outlives the worker cannot be kept.
package program

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// AllowCode in Policy.Allowed stands for every executable inside the code folder of a spec.
const AllowCode = "code"

// Policy is what the operator of a worker allows. The zero Policy allows no program.
type Policy struct {
	// Allowed are the programs: absolute paths, which may be patterns of filepath.Match; bare names, which mean what
	// the PATH of the worker finds; or AllowCode.
	Allowed     []string
	PassEnv     []string      // names of variables of the worker's environment that a program gets too
	MemoryBytes int64         // of the whole process tree; 0: no limit
	CPUs        int           // processors the program may use; 0: all
	WallTime    time.Duration // of one run; a spec's own limit may be shorter, never longer; 0: no limit
	DiskBytes   int64         // of the working folder, as allocated on disk; 0: no limit
	Processes   int           // at once in the tree; 0: no limit
}

// Check says what is wrong with a policy, so that a worker refuses it at its start and not at the first program.
func (p Policy) Check() error {
	for _, a := range p.Allowed {
		if err := checkAllowed(a); err != nil {
			return fmt.Errorf("read --allow-programs: %w", err)
		}
	}
	for _, name := range p.PassEnv {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return fmt.Errorf("read the variables that programs get: %q is no name of a variable; expected a name such as HTTPS_PROXY", name)
		}
	}
	for _, limit := range []struct {
		of    string
		value int64
	}{
		{"memory", p.MemoryBytes}, {"processors", int64(p.CPUs)}, {"time", int64(p.WallTime)}, {"disk", p.DiskBytes}, {"processes", int64(p.Processes)},
	} {
		if limit.value < 0 {
			return fmt.Errorf("read the limit of %s for programs: it is %d; expected 0 (no limit) or more", limit.of, limit.value)
		}
	}
	return nil
}

func checkAllowed(entry string) error {
	switch {
	case entry == "":
		return fmt.Errorf("an entry is empty; expected an absolute path, a name such as python3, or %s", AllowCode)
	case isBare(entry):
		if strings.ContainsAny(entry, `*?[\`) {
			return fmt.Errorf("%q is a pattern of names; patterns are for absolute paths, such as /usr/bin/python3*", entry)
		}
		return nil
	case !filepath.IsAbs(entry):
		return fmt.Errorf("%q is a relative path; expected an absolute path, a name such as python3, or %s", entry, AllowCode)
	}
	if _, err := filepath.Match(entry, "/"); err != nil {
		return fmt.Errorf("%q is no valid pattern: %w", entry, err)
	}
	return nil
}

// isBare tells a name that PATH is searched for from a path.
func isBare(name string) bool { return !strings.ContainsRune(name, filepath.Separator) }

// timeLimit is the shorter of the operator's and the spec's limit; 0: none.
func (p Policy) timeLimit(spec time.Duration) time.Duration {
	if spec <= 0 || p.WallTime > 0 && p.WallTime < spec {
		return p.WallTime
	}
	return spec
}
