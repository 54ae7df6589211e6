package program

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/assay-ml/assay/internal/program/supervisor"
)

// WritesOpen is whether any process of the tree holds a file below folder open for writing. A file that is mapped into
// memory and closed is not seen.
func (p *Process) WritesOpen(folder string) (bool, error) {
	folder, err := filepath.EvalSymlinks(folder) // the kernel names open files by their real paths
	if err == nil {
		folder, err = filepath.Abs(folder)
	}
	if err != nil {
		return false, fmt.Errorf("look for open files: %w", err)
	}
	all, err := supervisor.Processes()
	if err != nil {
		return false, err
	}
	for _, m := range supervisor.Tree(all, p.head.Process.Pid, nil) {
		open, err := writesOpen("/proc/"+strconv.Itoa(m.PID), folder)
		if err != nil && !gone(err) {
			return false, fmt.Errorf("look for files that process %d (%s) holds open below %s: %w", m.PID, m.Name, folder, err)
		}
		if open {
			return true, nil
		}
	}
	return false, nil
}

// gone is an error about a process that has ended.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) }

// writesOpen looks at the open files of one process, by proc_pid_fd(5) and proc_pid_fdinfo(5).
func writesOpen(process, folder string) (bool, error) {
	open, err := os.ReadDir(process + "/fd")
	if err != nil {
		return false, err
	}
	for _, fd := range open {
		path, err := os.Readlink(process + "/fd/" + fd.Name())
		if err != nil {
			if gone(err) {
				continue
			}
			return false, err
		}
		if !filepath.IsAbs(path) || !isBelow(folder, path) {
			continue
		}
		info, err := os.ReadFile(process + "/fdinfo/" + fd.Name())
		if err != nil {
			if gone(err) {
				continue
			}
			return false, err
		}
		for line := range bytes.Lines(info) {
			octal, ok := bytes.CutPrefix(line, []byte("flags:"))
			if !ok {
				continue
			}
			if flags, err := strconv.ParseInt(string(bytes.TrimSpace(octal)), 8, 64); err == nil && flags&syscall.O_ACCMODE != syscall.O_RDONLY {
				return true, nil
			}
		}
	}
	return false, nil
}
