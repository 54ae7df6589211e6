//go:build crash || python

package crash_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/tests/naivebayes"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

// program is the devstack under test.
var program string

// TestMain builds devstack, unless ASSAY_DEVSTACK names one that is built.
func TestMain(m *testing.M) {
	naivebayes.Main() // as a program of a worker
	os.Exit(withProgram(m))
}

func withProgram(m *testing.M) int {
	if program = os.Getenv("ASSAY_DEVSTACK"); program != "" {
		return m.Run()
	}
	folder, err := os.MkdirTemp("", "assay-crash-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a folder for the program under test:", err)
		return 1
	}
	defer os.RemoveAll(folder)
	program = filepath.Join(folder, "devstack")
	// The Makefile's flags, so that what `make build` compiled is found in Go's cache.
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "github.com/assay-ml/assay/infra/devstack")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build devstack: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// stack is a local stack: one state folder and one process after the other on it, always at the same addresses.
type stack struct {
	t       *testing.T
	state   string
	flags   []string // more of them
	port    int      // Temporal
	gateway int
	process *exec.Cmd       // nil while nothing runs
	client  client.Client   // nil unless the process answers
	store   *artifact.Dir   // read-only, and readable also while nothing runs
	starts  []time.Duration // from each start to readiness
}

// emptyStack is a stack on a new state folder that was never started.
func emptyStack(t *testing.T) *stack {
	s := &stack{t: t, state: filepath.Join(t.TempDir(), ".assay"), port: freePort(t), gateway: freePort(t)}
	t.Cleanup(s.cleanUp)
	return s
}

// newStack starts a stack on a new state folder.
func newStack(t *testing.T, flags ...string) *stack {
	s := emptyStack(t)
	s.flags = flags
	s.start()
	return s
}

// freePort looks outside the range that systems give to outgoing connections: the port must still be free when the
// stack comes back.
func freePort(t *testing.T) int {
	for range 100 {
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
	require.FailNow(t, "no free port from 20000 to 32000")
	return 0
}

func (s *stack) path(elements ...string) string {
	return filepath.Join(append([]string{s.state}, elements...)...)
}

// launch starts the process, and gives what it prints and what it complains of.
func (s *stack) launch() (out io.Reader, complaints *strings.Builder) {
	s.t.Helper()
	require.NoError(s.t, os.MkdirAll(s.state, 0o700))
	s.process = exec.Command(program, append(slices.Clone(s.flags), "--state", s.state, "--port", strconv.Itoa(s.port), "--ui-port", "0",
		"--gateway-address", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.gateway)), "--metrics-address", "",
		"--log-file", s.path("devstack.log"))...)
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	complaints = &strings.Builder{}
	s.process.Stderr = complaints
	out, err := s.process.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, s.process.Start())
	return out, complaints
}

// start starts the process and returns when it says that everything answers.
func (s *stack) start() {
	s.t.Helper()
	begun := time.Now()
	out, complaints := s.launch()
	stuck := time.AfterFunc(time.Minute, func() { _ = s.process.Process.Kill() })
	defer stuck.Stop()
	lines := bufio.NewScanner(out)
	ready := false
	for !ready && lines.Scan() {
		ready = strings.HasPrefix(lines.Text(), "state ") // the last line it prints, when everything answers
	}
	if !ready {
		err := s.process.Wait()
		s.process = nil
		require.FailNow(s.t, "the stack did not start", "%v: %s", err, complaints)
	}
	s.starts = append(s.starts, time.Since(begun))
	ctx, cancel := s.brief()
	defer cancel()
	var err error
	s.client, err = client.DialContext(ctx, client.Options{HostPort: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Logger: silent{}})
	require.NoError(s.t, err)
	s.store, err = artifact.OpenDirReadOnly(s.path("store"))
	require.NoError(s.t, err)
}

// kill ends the whole stack the way a power cut or the kernel's memory killer does: no handler runs, nothing is flushed.
func (s *stack) kill() {
	s.t.Helper()
	require.NoError(s.t, syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL))
	status := s.reap()
	require.True(s.t, status.Signaled() && status.Signal() == syscall.SIGKILL, "the stack had ended by itself before it was killed: %v", status)
}

// stop ends the stack the way a person does.
func (s *stack) stop() {
	s.t.Helper()
	require.NoError(s.t, s.process.Process.Signal(syscall.SIGTERM))
	status := s.reap()
	require.True(s.t, status.Exited() && status.ExitStatus() == 0, "a stack that is asked to stop ends with status 0, found %v", status)
}

// reap waits for the process that was told to end.
func (s *stack) reap() syscall.WaitStatus {
	var failed *exec.ExitError
	err := s.process.Wait()
	require.True(s.t, err == nil || errors.As(err, &failed), "wait for the stack: %v", err)
	status := s.process.ProcessState.Sys().(syscall.WaitStatus)
	s.process = nil
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
	return status
}

// cleanUp leaves no process behind, and tells of a failed test what the stack had logged.
func (s *stack) cleanUp() {
	if s.process != nil {
		_ = syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL)
		_ = s.process.Wait()
	}
	if !s.t.Failed() {
		return
	}
	logged, err := os.ReadFile(s.path("devstack.log"))
	if err != nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(string(logged)), "\n")
	s.t.Logf("the end of the stack's log:\n%s", strings.Join(lines[max(0, len(lines)-40):], "\n"))
}

// await asks until ok, and fails the test when that does not come to pass.
func await(t *testing.T, what string, every time.Duration, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	limit := time.NewTimer(3 * time.Minute)
	defer limit.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			require.FailNow(t, "this did not come to pass within three minutes: "+what)
		case <-t.Context().Done():
			require.FailNow(t, "the test ended while waiting for: "+what)
		}
	}
}

// silent drops the SDK's log lines: while the stack is down there would be many.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
