package serve

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"github.com/assay-ml/assay/internal/program/supervisor"
)

// listens reports whether a process of the program's tree listens on a port. Between the look for a free port and the
// program's own attempt another program may have taken it, a server of another worker for example, and its answers would
// pass for this model's. Where the kernel does not say who listens, it is taken for the program.
func listens(pid, port int) bool {
	sockets := listeners(port)
	if len(sockets) == 0 {
		return true
	}
	all, err := supervisor.Processes()
	if err != nil {
		return true
	}
	for _, m := range all {
		if m.PID != pid {
			continue
		}
		for _, member := range supervisor.Tree(all, m.Parent, nil) { // the parent watches over the whole tree
			if holds(member.PID, sockets) {
				return true
			}
		}
	}
	return false
}

// listeners are the sockets that listen on a port of any address, as links in /proc/<pid>/fd name them: proc_pid_net(5).
func listeners(port int) map[string]bool {
	const (
		local  = 1 // fields of a line
		state  = 3
		inode  = 9
		listen = "0A"
	)
	suffix := []byte(":" + string(hex4(port)))
	found := map[string]bool{}
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range bytes.Lines(b) {
			fields := bytes.Fields(line)
			if len(fields) > inode && bytes.HasSuffix(fields[local], suffix) && string(fields[state]) == listen {
				found["socket:["+string(fields[inode])+"]"] = true
			}
		}
	}
	return found
}

func hex4(port int) []byte {
	digits := bytes.ToUpper(strconv.AppendInt(nil, int64(port), 16))
	return append(bytes.Repeat([]byte("0"), 4-len(digits)), digits...)
}

// holds reports whether a process has one of the sockets open, or may have: it does not let us look.
func holds(pid int, sockets map[string]bool) bool {
	folder := "/proc/" + strconv.Itoa(pid) + "/fd/"
	open, err := os.ReadDir(folder)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ESRCH)
	}
	for _, fd := range open {
		if name, err := os.Readlink(folder + fd.Name()); err == nil && sockets[name] {
			return true
		}
	}
	return false
}
