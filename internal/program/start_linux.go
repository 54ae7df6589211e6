package program

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/assay-ml/assay/internal/program/supervisor"
)

// drain is how long output is read on after all processes are dead: only a process that was handed the pipe by other
// means than its birth can hold it then.
const drain = 5 * time.Second

// Start runs a program and returns when it runs. The end of ctx means Stop with the cause of that end. A program that
// could not be executed gives a *Refusal. Whoever starts a process must wait for its Done.
func Start(ctx context.Context, c Command) (*Process, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("start program %s: %w", c.Path, context.Cause(ctx))
	}
	if err := c.makeFolders(); err != nil {
		return nil, err
	}
	cpus, release, err := claimCPUs(c.Policy.CPUs)
	if err != nil {
		return nil, fmt.Errorf("start program %s: %w", c.Path, err)
	}
	p, err := launch(c, cpus)
	if err != nil {
		release()
		return nil, err
	}
	p.release = release
	stopTimer := func() bool { return false }
	if limit := c.Policy.timeLimit(c.TimeLimit); limit > 0 {
		stopTimer = time.AfterFunc(limit, func() {
			p.end(&End{Kind: TimeLimit, Limit: fmt.Sprintf("it ran longer than %s", limit)}, supervisor.Stop)
		}).Stop
	}
	forget := context.AfterFunc(ctx, func() { p.Stop(context.Cause(ctx)) })
	p.watched.Go(p.watch)
	go p.readOutput()
	go func() {
		end, lost := p.follow()
		stopTimer()
		forget()
		p.finish(end, lost)
	}()
	return p, nil
}

// launch starts a supervisor and has it start the program.
func launch(c Command, cpus []int) (_ *Process, err error) {
	var ours, theirs []*os.File
	defer func() {
		closeAll(theirs)
		if err != nil {
			closeAll(ours)
		}
	}()
	var pipes [3][2]*os.File // orders, reports, output
	for i := range pipes {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, fmt.Errorf("start program %s: make a pipe: %w", c.Path, err)
		}
		pipes[i] = [2]*os.File{r, w}
		if i == 0 {
			r, w = w, r
		}
		ours, theirs = append(ours, r), append(theirs, w)
	}
	p := &Process{
		command: c, requests: ours[0], reportsIn: ours[1], output: ours[2], ooms: oomKills(),
		read: make(chan struct{}), over: make(chan struct{}), done: make(chan struct{}),
		head: &exec.Cmd{
			Path: "/proc/self/exe", Args: []string{supervisor.Name},
			// A program can read the environment of the supervisor, which is another process of the same user.
			Env:    []string{},
			Stdout: theirs[2], Stderr: theirs[2], ExtraFiles: theirs[:2],
			// A session of its own has no terminal: an interrupt typed there reaches the worker only.
			SysProcAttr: &syscall.SysProcAttr{Setsid: true},
		},
	}
	if err := p.head.Start(); err != nil {
		return nil, fmt.Errorf("start program %s: start this executable again as its supervisor: %w", c.Path, err)
	}
	p.reports = json.NewDecoder(p.reportsIn)
	p.heard.Store(time.Now().UnixNano())
	_ = json.NewEncoder(p.requests).Encode(supervisor.Order{
		Path: []byte(c.Path), Args: raw(append([]string{c.Path}, c.Args...)), Dir: []byte(c.Dir), Env: raw(c.Env),
		Folder: []byte(c.Folder), CPUs: cpus, Grace: c.Grace,
	}) // an error means that the supervisor is gone, and then there is no report either
	var first supervisor.Report
	switch err := p.reports.Decode(&first); {
	case err != nil:
		_ = p.head.Process.Kill()
		_ = p.head.Wait()
		return nil, fmt.Errorf("start program %s: its supervisor ended before it answered (%v): %v", c.Path, p.head.ProcessState, err)
	case first.Pid == 0:
		_ = p.head.Wait()
		return nil, notStarted(c, first.Failed)
	}
	p.pid = first.Pid
	return p, nil
}

func raw(texts []string) [][]byte {
	all := make([][]byte, len(texts))
	for i, t := range texts {
		all[i] = []byte(t)
	}
	return all
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// notStarted is the error of a program that the kernel would not execute.
func notStarted(c Command, errno syscall.Errno) error {
	switch errno {
	case syscall.ENOENT:
		return &Refusal{NotFound, c.Path, "the file, or the interpreter its first line names, is not there"}
	case syscall.EACCES:
		return &Refusal{NotExecutable, c.Path, "this user may not execute it; look at its permissions, and whether its file system is mounted noexec"}
	case syscall.ENOEXEC:
		return &Refusal{NotExecutable, c.Path, "it is no program of this machine; a script needs a first line such as #!/bin/sh"}
	case syscall.E2BIG:
		return fmt.Errorf("start program %s: its arguments and environment are longer than the kernel takes: %w", c.Path, errno)
	}
	return fmt.Errorf("start program %s: %w", c.Path, errno)
}

// follow waits until every process is dead. lost says that the supervisor died before it could report.
func (p *Process) follow() (e supervisor.Ended, lost bool) {
	var last supervisor.Report
	if err := p.reports.Decode(&last); err != nil || last.Ended == nil {
		lost = true
	} else {
		e = *last.Ended
	}
	close(p.over)
	p.watched.Wait()
	if lost {
		_ = p.head.Process.Kill()
		p.killAbandoned()
	}
	_ = p.head.Wait()
	p.mu.Lock()
	_ = p.requests.Close()
	p.requests = nil
	p.mu.Unlock()
	_ = p.reportsIn.Close()
	_ = p.output.SetReadDeadline(time.Now().Add(drain))
	<-p.read
	_ = p.output.Close()
	p.release()
	return e, lost
}

// finish sums up, once nothing of the program is left.
func (p *Process) finish(e supervisor.Ended, lost bool) {
	if len(e.Strays) > 0 {
		p.line([]byte("assay: the program ended and left processes running, which were killed: "+strings.Join(e.Strays, ", ")), false)
	}
	p.usage = Usage{CPU: e.CPU, PeakMemoryBytes: max(p.peak, e.Resident), Wall: e.Wall}
	p.mu.Lock()
	reason := p.ending
	p.mu.Unlock()
	if end := judge(reason, e, lost, oomKills() > p.ooms); end != nil {
		end.Tail = p.tail.String()
		p.err = end
	}
	close(p.done)
}
