package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/assay-ml/assay/tests/stacktest"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

const builtStack = "bin/devstack"

// devstack is the built local stack in a process group of its own: one state folder, one process after the other on it.
type devstack struct {
	server  // connected between connect and the process's end
	state   string
	port    int
	allowed []string // programs
	process *exec.Cmd
}

func newDevstack(ctx context.Context, state string, allowed ...string) (*devstack, error) {
	if _, err := os.Stat(builtStack); err != nil {
		return nil, fmt.Errorf("there is no %s; run `make build` first", builtStack)
	}
	port, err := stacktest.FreePort()
	return &devstack{server: server{ctx: ctx}, state: state, port: port, allowed: allowed}, err
}

func (d *devstack) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(d.port)) }
func (d *devstack) log() string     { return filepath.Join(d.state, "devstack.log") }

// start returns when everything answers.
func (d *devstack) start() error {
	c := exec.Command(builtStack, "--state", d.state, "--port", strconv.Itoa(d.port), "--ui-port", "0", "--gateway-address", "127.0.0.1:0",
		"--metrics-address", "127.0.0.1:0", "--log-file", d.log(), "--allow-programs", strings.Join(d.allowed, ","))
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	d.process = c
	line, err := bufio.NewReader(out).ReadString('\n') // it prints its addresses when everything answers
	if err != nil || !strings.HasPrefix(line, "Temporal") {
		return fmt.Errorf("the stack printed %q: %w", line, errors.Join(err, d.kill()))
	}
	return nil
}

func (d *devstack) connect() error {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	d.client, err = client.DialContext(d.ctx, client.Options{HostPort: d.address(), Logger: log.NewStructuredLogger(quiet)})
	return err
}

// stop asks the process to end, as a person does.
func (d *devstack) stop() error {
	if d.process == nil {
		return nil
	}
	err := d.process.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(time.Minute, func() { _ = syscall.Kill(-d.process.Process.Pid, syscall.SIGKILL) })
	defer late.Stop()
	return errors.Join(err, d.reap())
}

// kill ends the whole process group with SIGKILL: no handler runs, nothing is flushed.
func (d *devstack) kill() error {
	if err := syscall.Kill(-d.process.Process.Pid, syscall.SIGKILL); err != nil {
		return err
	}
	var failed *exec.ExitError
	if err := d.reap(); !errors.As(err, &failed) {
		return fmt.Errorf("the stack had ended by itself before it was killed: %w", err)
	}
	return nil
}

func (d *devstack) reap() error {
	if d.client != nil {
		d.client.Close()
		d.client = nil
	}
	err := d.process.Wait()
	d.process = nil
	return err
}
