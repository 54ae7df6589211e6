package program_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/program"
	"github.com/stretchr/testify/require"
)

// TestMain lets the test binary be started again as one of the parts below.
func TestMain(m *testing.M) {
	if runtime.GOOS != "linux" {
		fmt.Println("skipped: programs run on Linux only")
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "as" {
		os.Exit(parts[os.Args[2]](os.Args[3:]))
	}
	os.Exit(m.Run())
}

// parts are small programs whose behaviour a shell cannot be relied on to show.
var parts map[string]func(args []string) int

func init() {
	parts = map[string]func(args []string) int{"allocate": allocate, "spin": spin, "children": children, "worker": worker}
}

// allocate holds so many bytes until it is killed.
func allocate(args []string) int {
	n, _ := strconv.Atoi(args[0])
	held := make([]byte, n)
	for i := 0; i < n; i += 4096 {
		held[i] = 1
	}
	fmt.Println("allocated")
	<-time.After(time.Minute)
	runtime.KeepAlive(held)
	return 0
}

// spin takes at least so many milliseconds of processor time.
func spin(args []string) int {
	ms, _ := strconv.Atoi(args[0])
	var usage syscall.Rusage
	for time.Duration(usage.Utime.Nano()+usage.Stime.Nano()) < time.Duration(ms)*time.Millisecond {
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	}
	return 0
}

// children starts as many children as it is told, one that starts a session among them, and waits.
func children(args []string) int {
	n, _ := strconv.Atoi(args[0])
	for i := range n {
		c := exec.Command("/bin/sleep", "1000")
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: i == 0}
		if err := c.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println("all started")
	<-time.After(time.Minute)
	return 0
}

// worker runs a script as a worker does, in the folder it is told, and waits for it.
func worker(args []string) int {
	p, err := program.Start(context.Background(), program.Command{
		Path: "/bin/sh", Args: []string{"-c", args[1]}, Dir: args[0], Folder: args[0], Env: []string{"PATH=/usr/bin:/bin"}, Grace: patience,
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	_, err = p.Wait()
	fmt.Println(err)
	return 0
}

// patience is how long a test waits for what should happen at once.
const patience = 30 * time.Second

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 5*time.Millisecond, what)
}

// shell is a command that runs a script in a folder of its own.
func shell(t *testing.T, script string) program.Command {
	t.Helper()
	folder := t.TempDir()
	return program.Command{
		Path: "/bin/sh", Args: []string{"-c", script}, Dir: folder, Folder: folder,
		Env: program.Environment(program.Policy{}, folder, "/bin/sh", nil), Grace: patience,
	}
}

// part is a command that runs a part of this test binary.
func part(t *testing.T, args ...string) program.Command {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := shell(t, "")
	c.Path, c.Args = self, append([]string{"as"}, args...)
	return c
}

// record keeps the lines of output.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) to(c *program.Command) {
	c.Output = func(line []byte, _ bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lines = append(r.lines, string(line))
	}
}

func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines...)
}

func (r *record) holds(line string) bool {
	for _, l := range r.all() {
		if l == line {
			return true
		}
	}
	return false
}

func start(t *testing.T, c program.Command) *program.Process {
	t.Helper()
	p, err := program.Start(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Kill(errors.New("the test is over"))
		<-p.Done()
	})
	return p
}

func run(t *testing.T, c program.Command) (program.Usage, error) {
	t.Helper()
	return start(t, c).Wait()
}

func ends(t *testing.T, err error, kind program.EndKind) *program.End {
	t.Helper()
	var end *program.End
	require.ErrorAs(t, err, &end)
	require.Equal(t, kind, end.Kind, "%v", err)
	return end
}

// dead is whether no process of that number runs; one that is dead and that its parent has not asked for counts as dead.
func dead(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
	return strings.HasPrefix(state, "Z")
}

// pids reads the numbers that processes wrote into files of a folder, once there are n.
func pids(t *testing.T, folder string, n int) []int {
	t.Helper()
	var found []int
	eventually(t, "processes write their numbers", func() bool {
		found = nil
		files, err := filepath.Glob(filepath.Join(folder, "*.pid"))
		require.NoError(t, err)
		for _, f := range files {
			text, _ := os.ReadFile(f)
			if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
				found = append(found, pid)
			}
		}
		return len(found) == n
	})
	return found
}

func need(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("%s is missing", tool)
	}
}

var errEnough = errors.New("enough was seen")
