// Package supervisor is the process between a worker and a program. The worker's executable is started again under
// the name Name; an init function of this package sees that, supervises and exits, so that a supervisor neither
// initialises a worker nor can become one.
//
// Packages are initialised in the order of their import paths as soon as all they import are. This one therefore
// imports nothing that comes late in that order (os/exec, os/signal, path/filepath, golang.org/x/...): a supervisor
// would initialise most of a worker's dependencies first, which takes longer than all else it does.
package supervisor

import (
	"syscall"
	"time"
)

// Name is what os.Args[0] of a supervisor is.
const Name = "assay-supervisor"

// Order is what a supervisor runs. Paths, arguments and variables are bytes, because they need not be UTF-8, and JSON
// strings must.
type Order struct {
	Path   []byte        `json:"path"`
	Args   [][]byte      `json:"args"` // the program's name first
	Dir    []byte        `json:"dir"`
	Env    [][]byte      `json:"env"`
	Folder []byte        `json:"folder,omitempty"`
	CPUs   []int         `json:"cpus,omitempty"` // processors to stay on; none: all
	Grace  time.Duration `json:"grace"`
}

// Request is what the worker asks of a supervisor later.
type Request string

const (
	Stop Request = "stop" // SIGTERM, then after the grace Kill
	Kill Request = "kill" // SIGKILL of every descendant
)

// Report is what a supervisor tells: first the program's pid or why it was not started, and once, at last, how it ended.
type Report struct {
	Pid    int           `json:"pid,omitempty"`
	Failed syscall.Errno `json:"failed,omitempty"`
	Ended  *Ended        `json:"ended,omitempty"`
}

// Ended is how a program ended, and what all its processes took.
type Ended struct {
	Status   syscall.WaitStatus `json:"status"` // of the program itself
	CPU      time.Duration      `json:"cpu"`    // of all
	Resident int64              `json:"resident"`
	Wall     time.Duration      `json:"wall"`
	Asked    bool               `json:"asked"` // a request or its grace's end came before the program ended
	Strays   []string           `json:"strays,omitempty"`
}
