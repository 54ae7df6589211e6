package program_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/program"
	"github.com/stretchr/testify/require"
)

func TestAProgramThatSucceeds(t *testing.T) {
	c := shell(t, `echo out; echo err >&2; pwd; read line || echo "no input"`)
	var out record
	out.to(&c)
	usage, err := run(t, c)
	require.NoError(t, err)
	require.Equal(t, []string{"out", "err", c.Dir, "no input"}, out.all(), "stdout and stderr in the order they were written; stdin is empty")
	require.Positive(t, usage.Wall)
	require.Positive(t, usage.CPU)
	require.Positive(t, usage.PeakMemoryBytes)
}

func TestArgumentsAndVariablesArriveByteForByte(t *testing.T) {
	c := shell(t, `printf '%s\n' "$@" "$VALUE"`)
	strange := []string{"", " a  b ", "\xff\xfe", "<&>", "ü", "--x=\"y\"", "a\tb"}
	c.Args = append(append(c.Args, "sh"), strange...)
	c.Env = append(c.Env, "VALUE=\xc3(")
	var out record
	out.to(&c)
	_, err := run(t, c)
	require.NoError(t, err)
	require.Equal(t, append(strange, "\xc3("), out.all())
}

func TestWaitAnswersEveryoneAlike(t *testing.T) {
	p := start(t, shell(t, "exit 3"))
	answers := make(chan error)
	for range 3 {
		go func() {
			_, err := p.Wait()
			answers <- err
		}()
	}
	for range 3 {
		ends(t, <-answers, program.Exited)
	}
	p.Stop(errEnough)
	p.Kill(errEnough)
	_, err := p.Wait()
	ends(t, err, program.Exited)
}

func TestAnExitStatusIsToldWithTheLastOutput(t *testing.T) {
	_, err := run(t, shell(t, "seq 100; echo 'no such column: age' >&2; exit 3"))
	end := ends(t, err, program.Exited)
	require.Equal(t, 3, end.Code)
	lines := strings.Split(end.Tail, "\n")
	require.Len(t, lines, 20)
	require.Equal(t, []string{"100", "no such column: age"}, lines[18:])
	require.ErrorContains(t, err, "status 3")
	require.ErrorContains(t, err, "no such column: age")
}

func TestASignalThatAssayDidNotSend(t *testing.T) {
	_, err := run(t, shell(t, "kill -SEGV $$"))
	end := ends(t, err, program.Signalled)
	require.Equal(t, syscall.SIGSEGV, end.Signal)
	require.ErrorContains(t, err, "wrote no output")
}

func TestStopAsksFirst(t *testing.T) {
	c := shell(t, `trap 'echo "saved a checkpoint"; exit 0' TERM; echo up; while :; do sleep 0.01; done`)
	var out record
	out.to(&c)
	p := start(t, c)
	eventually(t, "the program is up", func() bool { return out.holds("up") })
	p.Stop(errEnough)
	p.Stop(errors.New("a later reason"))
	_, err := p.Wait()
	end := ends(t, err, program.Stopped)
	require.ErrorIs(t, err, errEnough)
	require.Zero(t, end.Code)
	require.True(t, out.holds("saved a checkpoint"))
}

func TestStopWakesASuspendedProgram(t *testing.T) {
	c := shell(t, `trap 'exit 5' TERM; echo up; kill -STOP $$; while :; do sleep 0.01; done`)
	var out record
	out.to(&c)
	p := start(t, c)
	eventually(t, "the program is up", func() bool { return out.holds("up") })
	p.Stop(errEnough)
	_, err := p.Wait()
	require.Equal(t, 5, ends(t, err, program.Stopped).Code)
}

func TestAProgramThatIgnoresSIGTERMIsKilledAfterTheGrace(t *testing.T) {
	c := shell(t, `trap '' TERM; echo up; while :; do sleep 0.01; done`)
	c.Grace = 50 * time.Millisecond
	var out record
	out.to(&c)
	p := start(t, c)
	eventually(t, "the program is up", func() bool { return out.holds("up") })
	p.Stop(errEnough)
	usage, err := p.Wait()
	require.Equal(t, syscall.SIGKILL, ends(t, err, program.Stopped).Signal)
	require.GreaterOrEqual(t, usage.Wall, c.Grace)
}

func TestKillDoesNotWaitForTheGrace(t *testing.T) {
	c := shell(t, `trap '' TERM; echo up; while :; do sleep 0.01; done`)
	c.Grace = time.Hour
	var out record
	out.to(&c)
	p := start(t, c)
	eventually(t, "the program is up", func() bool { return out.holds("up") })
	p.Stop(errEnough)
	p.Kill(errors.New("a later reason"))
	_, err := p.Wait()
	ends(t, err, program.Stopped)
	require.ErrorIs(t, err, errEnough)
}

func TestTheEndOfTheContextStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	p, err := program.Start(ctx, shell(t, "sleep 1000"))
	require.NoError(t, err)
	cancel(errEnough)
	_, err = p.Wait()
	ends(t, err, program.Stopped)
	require.ErrorIs(t, err, errEnough)

	_, err = program.Start(ctx, shell(t, "true"))
	require.ErrorIs(t, err, errEnough)
}

// family starts children in the program's group, in a group and in a session of their own, and an orphan of that session.
const family = `
sleep 1000 & echo $! > child.pid
setsid sh -c 'echo $$ > daemon.pid; sleep 1000 & echo $! > daemons.pid; wait' &
(setsid sh -c 'echo $$ > orphan.pid; exec sleep 1000' </dev/null >/dev/null 2>&1 &)
`

func TestNoDescendantOutlivesTheProgram(t *testing.T) {
	need(t, "setsid")
	for name, how := range map[string]struct {
		then string
		end  func(*program.Process)
	}{
		"that ends by itself": {`while [ ! -s orphan.pid -o ! -s daemons.pid ]; do sleep 0.01; done`, func(*program.Process) {}},
		"that is stopped":     {`wait`, func(p *program.Process) { p.Stop(errEnough) }},
		"that is killed":      {`wait`, func(p *program.Process) { p.Kill(errEnough) }},
		"that dies":           {`wait`, func(p *program.Process) { _ = syscall.Kill(p.Pid(), syscall.SIGKILL) }},
	} {
		t.Run(name, func(t *testing.T) {
			c := shell(t, family+how.then)
			var out record
			out.to(&c)
			p := start(t, c)
			members := pids(t, c.Dir, 4)
			how.end(p)
			_, err := p.Wait()
			for _, pid := range members {
				require.True(t, dead(pid), "process %d lives", pid)
			}
			if name == "that ends by itself" {
				require.NoError(t, err)
				last := out.all()
				require.Contains(t, last[len(last)-1], "left processes running, which were killed: ")
				require.Contains(t, last[len(last)-1], "sleep (")
			} else {
				require.Error(t, err)
			}
		})
	}
}

func TestAProcessThatEndsSoonAfterTheProgramIsLeftToItself(t *testing.T) {
	c := shell(t, `(sleep 0.01; echo "cleaned up") & exit 0`)
	var out record
	out.to(&c)
	_, err := run(t, c)
	require.NoError(t, err)
	require.Equal(t, []string{"cleaned up"}, out.all())
}

func TestOnlyTheStandardFilesAreInherited(t *testing.T) {
	// A file that a C library of the worker left open for its children.
	leaked, err := syscall.Open("/etc/passwd", syscall.O_RDONLY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(leaked) })
	c := shell(t, `ls -l /proc/$$/fd; cat /proc/$$/fdinfo/1; true`)
	var out record
	out.to(&c)
	_, err = run(t, c)
	require.NoError(t, err)
	var held []string
	for _, line := range out.all() {
		if before, to, ok := strings.Cut(line, " -> "); ok {
			kind, _, _ := strings.Cut(to, ":")
			held = append(held, before[strings.LastIndexByte(before, ' ')+1:]+" "+kind)
		}
	}
	require.Equal(t, []string{"0 /dev/null", "1 pipe", "2 pipe"}, held)
	require.Contains(t, out.all(), "flags:\t01", "writing waits: few programs cope with a pipe that does not take everything")
}

func TestAProgramHasAGroupOfItsOwnAndNoTerminal(t *testing.T) {
	c := shell(t, `cut -d " " -f 5-7,19 /proc/$$/stat; cat /proc/self/oom_score_adj; grep NoNewPrivs /proc/self/status; ulimit -c; grep SigIgn /proc/self/status; sleep 1000`)
	var out record
	out.to(&c)
	p := start(t, c)
	eventually(t, "all is printed", func() bool { return len(out.all()) == 5 })
	lines := out.all()
	fields := strings.Fields(lines[0])
	require.Equal(t, strconv.Itoa(p.Pid()), fields[0], "its process group")
	stat, err := os.ReadFile("/proc/self/stat")
	require.NoError(t, err)
	own := strings.Fields(string(stat))
	require.NotEqual(t, own[5], fields[1], "its session is not the worker's")
	require.Equal(t, "0", fields[2], "its terminal")
	require.NotEqual(t, own[18], fields[3], "its priority is not the worker's")
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	require.Contains(t, string(status), lines[4]+"\n", "it ignores the signals that the worker ignores")
	score, err := strconv.Atoi(lines[1])
	require.NoError(t, err)
	require.GreaterOrEqual(t, score, 500, "the kernel takes the program before the worker")
	require.Equal(t, "NoNewPrivs:\t1", lines[2])
	require.Equal(t, "0", lines[3], "size of a memory dump")
	p.Kill(errEnough)
}

func TestMuchOutputTakesLittleMemory(t *testing.T) {
	need(t, "yes")
	const total = 250_000_000
	for name, script := range map[string]string{
		"lines":           "yes " + strings.Repeat("x", 99) + " | head -c 250000000",
		"an endless line": "yes " + strings.Repeat("x", 99) + ` | tr -d '\n' | head -c 250000000`,
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c := shell(t, script)
			var calls, taken int
			var cut bool
			c.Output = func(line []byte, truncated bool) {
				calls, taken, cut = calls+1, taken+len(line)+1, cut || truncated
			}
			_, err := run(t, c)
			require.NoError(t, err)
			runtime.ReadMemStats(&after)
			require.Less(t, after.Sys, before.Sys+32<<20)
			if name == "lines" {
				require.Equal(t, total, taken, "every line arrives")
				require.False(t, cut)
			} else {
				require.Equal(t, 1, calls)
				require.True(t, cut)
			}
		})
	}
}

func TestAProgramIsKilledWhileNobodyTakesItsOutput(t *testing.T) {
	c := shell(t, "echo $$ > main.pid; while :; do echo line; done")
	stuck, taken := make(chan struct{}), make(chan struct{}, 1)
	c.Output = func([]byte, bool) {
		select {
		case taken <- struct{}{}:
		default:
		}
		<-stuck
	}
	p := start(t, c)
	member := pids(t, c.Dir, 1)[0]
	<-taken
	p.Kill(errEnough)
	eventually(t, "the program is dead", func() bool { return dead(member) })
	close(stuck)
	_, err := p.Wait()
	ends(t, err, program.Stopped)
}

func TestOutputWithoutALineIsHeardOf(t *testing.T) {
	c := shell(t, `while [ ! -s go ]; do sleep 0.01; done; printf .; sleep 1000`)
	p := start(t, c)
	begun := p.LastOutput()
	require.WithinRange(t, begun, time.Now().Add(-patience), time.Now())
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "go"), []byte("on"), 0o600))
	eventually(t, "the output is heard of", func() bool { return p.LastOutput().After(begun) })
	p.Kill(errEnough)
	_, err := p.Wait()
	require.Equal(t, ".", ends(t, err, program.Stopped).Tail)
}

func TestAProgramThatCannotBeExecuted(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
		return path
	}
	for name, given := range map[string]struct {
		path string
		kind program.RefusalKind
	}{
		"that is not there":                         {filepath.Join(folder, "none"), program.NotFound},
		"whose interpreter is not there":            {write("a.sh", "#!/no/such/interpreter\n", 0o755), program.NotFound},
		"that is not executable":                    {write("b.sh", "#!/bin/sh\n", 0o644), program.NotExecutable},
		"that is neither a program nor a #! script": {write("c.sh", "echo\n", 0o755), program.NotExecutable},
	} {
		t.Run(name, func(t *testing.T) {
			c := shell(t, "")
			c.Path, c.Args = given.path, nil
			_, err := program.Start(t.Context(), c)
			var refusal *program.Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, given.kind, refusal.Kind, "%v", err)
		})
	}
}

func TestAProgramThatIsStillOpenForWritingIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "train")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho ran\n"), 0o755))
	writer, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	closed := time.AfterFunc(100*time.Millisecond, func() { _ = writer.Close() })
	defer closed.Stop()
	c := shell(t, "")
	c.Path, c.Args = path, nil
	_, err = run(t, c)
	require.NoError(t, err)
}

func TestACommandThatMakesNoSense(t *testing.T) {
	here, err := os.Getwd()
	require.NoError(t, err)
	for says, change := range map[string]func(*program.Command){
		"absolute path of an executable": func(c *program.Command) { c.Path = "sh" },
		"zero byte":                      func(c *program.Command) { c.Args = []string{"a\x00b"} },
		"NAME=value":                     func(c *program.Command) { c.Env = []string{"PATH"} },
		"working directory":              func(c *program.Command) { c.Dir = "/no/such/folder" },
		"is not absolute":                func(c *program.Command) { c.Folder = "run" },
		"would be removed":               func(c *program.Command) { c.Folder = filepath.Dir(here) },
		"no folder that could be":        func(c *program.Command) { c.Folder, c.Policy.DiskBytes = "", 1 },
		"expected 0 (no limit) or more":  func(c *program.Command) { c.Policy.MemoryBytes = -1 },
	} {
		t.Run(says, func(t *testing.T) {
			c := shell(t, "true")
			change(&c)
			_, err := program.Start(t.Context(), c)
			require.ErrorContains(t, err, says)
		})
	}
}

func TestWritesOpen(t *testing.T) {
	need(t, "setsid")
	// A grandchild in a session of its own holds the file open until the fifo is written to.
	c := shell(t, `mkdir checkpoints; mkfifo go
setsid sh -c 'exec 3>checkpoints/last; read line < go; exec 3>&-; exec 3<checkpoints/last; echo closed; sleep 1000' & echo begun; wait`)
	var out record
	out.to(&c)
	p := start(t, c)
	checkpoints := filepath.Join(c.Dir, "checkpoints")
	open := func() bool {
		yes, err := p.WritesOpen(checkpoints)
		return err == nil && yes
	}
	eventually(t, "the file is seen open", open)
	linked := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(checkpoints, linked))
	yes, err := p.WritesOpen(linked)
	require.NoError(t, err)
	require.True(t, yes, "through a symbolic link")
	other := filepath.Join(c.Dir, "check")
	require.NoError(t, os.Mkdir(other, 0o700))
	yes, err = p.WritesOpen(other)
	require.NoError(t, err)
	require.False(t, yes, "below a folder whose name begins alike")

	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "go"), []byte("on\n"), 0))
	eventually(t, "the file is closed", func() bool { return out.holds("closed") })
	yes, err = p.WritesOpen(checkpoints)
	require.NoError(t, err)
	require.False(t, yes, "open for reading only")
	_, err = p.WritesOpen(filepath.Join(c.Dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	p.Kill(errEnough)
}

func TestADeadWorkerTakesItsProgramsAndTheirFolderAlong(t *testing.T) {
	need(t, "setsid")
	self, err := os.Executable()
	require.NoError(t, err)
	folder := filepath.Join(t.TempDir(), "run")
	require.NoError(t, os.Mkdir(folder, 0o700))
	// The program ignores what can be ignored, and leaves a directory that cannot be emptied as it is.
	script := `trap '' TERM HUP INT; mkdir -p sealed/in; touch sealed/in/file; chmod 500 sealed/in; echo $$ > main.pid` + family + `wait`
	worker := exec.Command(self, "as", "worker", folder, script)
	require.NoError(t, worker.Start())
	members := pids(t, folder, 5)
	for _, pid := range members {
		require.False(t, dead(pid), "process %d is dead already", pid)
	}
	require.NoError(t, worker.Process.Kill())
	_ = worker.Wait()
	eventually(t, "all processes are dead", func() bool {
		for _, pid := range members {
			if !dead(pid) {
				return false
			}
		}
		return true
	})
	eventually(t, "the folder is gone", func() bool {
		_, err := os.Lstat(folder)
		return errors.Is(err, os.ErrNotExist)
	})
}

func TestNothingIsLeftWhenTheSupervisorIsKilled(t *testing.T) {
	need(t, "setsid")
	c := shell(t, family+`kill -TERM $PPID; kill -HUP $PPID; echo "asked it"; while [ ! -s go ]; do sleep 0.01; done; sleep 2; kill -KILL $PPID; sleep 1000`)
	var out record
	out.to(&c)
	p := start(t, c)
	members := append(pids(t, c.Dir, 4), p.Pid())
	eventually(t, "signals that can be refused are sent", func() bool { return out.holds("asked it") })
	require.False(t, dead(p.Pid()))
	// What was begun since the last look at the tree is found only in the supervisor's session; the program waits for some.
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "go"), []byte("on"), 0o600))
	_, err := p.Wait()
	ends(t, err, program.Signalled)
	require.ErrorContains(t, err, "its supervisor was killed")
	for _, pid := range members {
		require.True(t, dead(pid), "process %d lives", pid)
	}
}

func TestManyStarts(t *testing.T) {
	before := openFiles(t)
	for range 50 {
		_, err := run(t, shell(t, "exit 0"))
		require.NoError(t, err)
	}
	require.LessOrEqual(t, openFiles(t), before+3, "files are closed")
}

func openFiles(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(open)
}
