//go:build !linux

package program

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Start refuses.
func Start(_ context.Context, c Command) (*Process, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("start program %s: %s gives no way to make sure that no process of a program outlives the worker; run the worker that trains or serves with programs on Linux, for instance in a container", c.Path, runtime.GOOS)
}

// WritesOpen cannot be told here, where no process is started.
func (p *Process) WritesOpen(string) (bool, error) {
	return false, errors.New("look for open files of a program: this works on Linux only")
}
