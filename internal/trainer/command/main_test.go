package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
	"github.com/stretchr/testify/require"
)

// act is the variable that turns this test binary into one of the programs below.
const act = "ACT"

func TestMain(m *testing.M) {
	if runtime.GOOS != "linux" {
		fmt.Println("skipped: programs run on Linux only")
		return
	}
	if name := os.Getenv(act); name != "" {
		if err := programs[name](); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// programs are those whose behaviour a shell cannot be relied on to show.
var programs = map[string]func() error{"tell": tell, "flood": flood, "allocate": allocate, "learn": learn}

// told is what a program found.
type told struct {
	Environment []string
	Arguments   []string
	Folder      string
	Files       map[string]string
}

// tell leaves as its model what it finds.
func tell() error {
	found := told{Environment: os.Environ(), Arguments: os.Args[1:], Files: map[string]string{}}
	var err error
	if found.Folder, err = os.Getwd(); err != nil {
		return err
	}
	root := filepath.Dir(os.Getenv("SM_MODEL_DIR"))
	err = filepath.WalkDir(root, func(p string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		name, _ := filepath.Rel(root, p)
		found.Files[name] = string(data)
		return err
	})
	if err != nil {
		return err
	}
	return save("told.json", found)
}

// flood prints so many bytes: in lines, or as one line without an end.
func flood() error {
	left, err := strconv.Atoi(os.Getenv("BYTES"))
	if err != nil {
		return err
	}
	line := []byte("{\"loss\": 0.5, \"text\": \"" + strings.Repeat("x", 9000) + "\"}\n")
	if os.Getenv("ENDLESS") != "" {
		line = line[:len(line)-3]
	}
	for ; left > 0; left -= len(line) {
		if _, err := os.Stdout.Write(line); err != nil {
			return err
		}
	}
	return save("model", "flooded")
}

// allocate holds so many bytes until it is killed.
func allocate() error {
	n, err := strconv.Atoi(os.Getenv("BYTES"))
	if err != nil {
		return err
	}
	held := make([]byte, n)
	for i := 0; i < n; i += 4096 {
		held[i] = 1
	}
	fmt.Println("allocated")
	<-time.After(time.Minute)
	runtime.KeepAlive(held)
	return nil
}

// learn goes through twelve steps, each of which depends on all before, with a checkpoint after each. It stays at the step
// that HANGS names for the attempt, until it is killed.
func learn() error {
	var state struct {
		Step int
		Sum  artifact.Digest
	}
	file := filepath.Join(os.Getenv("ASSAY_CHECKPOINT_DIR"), "state.json")
	if b, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(b, &state); err != nil {
			return err
		}
	}
	attempt, err := strconv.Atoi(os.Getenv("ASSAY_ATTEMPT"))
	if err != nil {
		return err
	}
	hangs := strings.Split(os.Getenv("HANGS"), ",")
	if err := os.WriteFile(filepath.Join(os.Getenv("SYNC"), "pid"), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return err
	}
	for state.Step < 12 {
		state.Step++
		state.Sum = artifact.Sum(fmt.Appendf(nil, "%s %d", state.Sum, state.Step))
		b, err := json.Marshal(state)
		if err == nil {
			err = os.WriteFile(file+".tmp", b, 0o600)
		}
		if err == nil {
			err = os.Rename(file+".tmp", file)
		}
		if err != nil {
			return err
		}
		if os.Getenv("TELLS") != "" {
			fmt.Printf("{\"checkpoint\": \"state.json\", \"step\": %d}\n", state.Step)
		} else {
			fmt.Printf("{\"step\": %d}\n", state.Step)
		}
		if attempt <= len(hangs) && hangs[attempt-1] == strconv.Itoa(state.Step) {
			<-time.After(time.Minute)
		}
	}
	return save("model.json", state)
}

func save(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(os.Getenv("SM_MODEL_DIR"), name), b, 0o600)
}

// patience is how long a test waits for what should happen at once.
const patience = 60 * time.Second

// bench is a worker with a store, and a folder through which tests and programs talk.
type bench struct {
	runner Runner
	store  artifact.Store
	sync   string
	self   string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	store, err := artifact.OpenDir(filepath.Join(t.TempDir(), "store"))
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	b := &bench{store: store, sync: t.TempDir(), self: self}
	b.runner = Runner{
		Store: store, Policy: program.Policy{Allowed: []string{self, "/bin/sh"}}, Limits: table.Limits{Threads: 1},
		Scratch: t.TempDir(), Logger: slog.New(slog.DiscardHandler), StopGrace: patience, every: 20 * time.Millisecond,
	}
	return b
}

// frame is a small table of which "secret" is no column of the job.
var frame = &table.Frame{Rows: 3, Columns: []table.Column{
	{Name: "age", Kind: table.Numeric, Numbers: []float64{41, 0.5, math.NaN()}},
	{Name: "secret", Kind: table.Numeric, Numbers: []float64{7, 7, 7}},
	{Name: "job", Kind: table.Categorical, Codes: []int32{0, -1, 1}, Levels: []string{"cook", "cook, \"chief\""}},
	{Name: "income", Kind: table.Categorical, Codes: []int32{1, 0, 1}, Levels: []string{"<=50K", ">50K"}},
}}

// job is the first attempt at a training by run, with no data.
func (b *bench) job(t *testing.T, run ...string) Job {
	t.Helper()
	code := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(code, "program.txt"), []byte("code"), 0o600))
	ref, _, err := Pack(t.Context(), b.store, code)
	require.NoError(t, err)
	return handedOut(Job{
		Command: spec.Command{
			Run: run, Data: "csv", Environment: map[string]string{"SYNC": b.sync},
			TimeLimit: spec.Duration(2 * patience), Silence: spec.Duration(patience), Grace: spec.Duration(patience),
			Retry: spec.Retry{Attempts: 3, On: []string{spec.RetrySignal, spec.RetrySilence}},
		},
		Code: ref, Target: spec.Target{Column: "income", Positive: ">50K"}, Seed: 7, Execution: "training " + t.Name(),
	}, 1)
}

// script is a job of a shell script. go, half, ... are files in $SYNC.
func (b *bench) script(t *testing.T, script string) Job {
	t.Helper()
	const functions = `
await() { while [ ! -e "$SYNC/$1" ]; do sleep 0.02; done; }
model() { echo model > "$SM_MODEL_DIR/model"; }
C=$ASSAY_CHECKPOINT_DIR
`
	return b.job(t, "/bin/sh", "-c", functions+script, "sh")
}

// acts is a job of one of the programs of this binary.
func (b *bench) acts(t *testing.T, name string, environment ...string) Job {
	t.Helper()
	j := b.job(t, b.self)
	j.Command.Environment[act] = name
	for i := 0; i < len(environment); i += 2 {
		j.Command.Environment[environment[i]] = environment[i+1]
	}
	return j
}

// attempt is the job as it is handed out the n-th time.
func handedOut(j Job, n int) Job {
	j.Attempt, j.Begun = int32(n), time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC)
	return j
}

// run runs a job, which must leave nothing behind.
func (b *bench) run(t *testing.T, ctx context.Context, j Job) (Result, error) {
	t.Helper()
	res, err := b.runner.Run(ctx, j)
	left, listErr := os.ReadDir(b.runner.Scratch)
	require.NoError(t, listErr)
	require.Empty(t, left, "the working folder is gone")
	return res, err
}

// succeeds runs a job to its model.
func (b *bench) succeeds(t *testing.T, j Job) Result {
	t.Helper()
	res, err := b.run(t, t.Context(), j)
	require.NoError(t, err)
	return res
}

// fails runs a job to a failure of a kind.
func (b *bench) fails(t *testing.T, j Job, kind Kind, again bool) *Failure {
	t.Helper()
	_, err := b.run(t, t.Context(), j)
	return failed(t, err, kind, again)
}

func failed(t *testing.T, err error, kind Kind, again bool) *Failure {
	t.Helper()
	var f *Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, kind, f.Kind, "%v", err)
	require.Equal(t, again, f.Again, "%v", err)
	return f
}

// ending is what a job that runs in the background ended with.
type ending struct {
	res Result
	err error
}

func (b *bench) begin(t *testing.T, ctx context.Context, j Job) <-chan ending {
	done := make(chan ending, 1)
	runner := b.runner
	go func() {
		res, err := runner.Run(ctx, j)
		done <- ending{res, err}
	}()
	return done
}

func (b *bench) await(t *testing.T, done <-chan ending) ending {
	t.Helper()
	select {
	case e := <-done:
		left, err := os.ReadDir(b.runner.Scratch)
		require.NoError(t, err)
		require.Empty(t, left, "the working folder is gone")
		return e
	case <-time.After(patience):
		require.Fail(t, "the training does not end")
		panic("not reached")
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 5*time.Millisecond, what)
}

// signal tells the program to go on, and seen waits for what it tells.
func (b *bench) signal(t *testing.T, name string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(b.sync, name), nil, 0o600))
}

func (b *bench) seen(t *testing.T, name string) {
	t.Helper()
	eventually(t, "the program comes to "+name, func() bool {
		_, err := os.Stat(filepath.Join(b.sync, name))
		return err == nil
	})
}

// pid reads the number that a process wrote into a file.
func (b *bench) pid(t *testing.T, name string) int {
	t.Helper()
	var pid int
	eventually(t, "a process writes its number", func() bool {
		text, _ := os.ReadFile(filepath.Join(b.sync, name))
		var err error
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil && bytes.HasSuffix(text, []byte("\n")) // whole
	})
	return pid
}

// alive is whether a process runs; one that is dead and that its parent has not asked for counts as dead.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')'):]), " ")
	return !strings.HasPrefix(state, "Z")
}

// record is what the store keeps of a training.
func (b *bench) record(t *testing.T, j Job) record {
	t.Helper()
	var r record
	_, err := artifact.GetJSON(t.Context(), b.store, "checkpoints/"+artifact.Sum([]byte(j.Execution)).Hex()+".json", &r)
	if !errors.Is(err, artifact.ErrNotFound) {
		require.NoError(t, err)
	}
	return r
}

// files are the contents of a stored folder.
func (b *bench) files(t *testing.T, ref artifact.Ref) map[string]string {
	t.Helper()
	folder, err := artifact.ReadFolder(t.Context(), b.store, ref)
	require.NoError(t, err)
	found := map[string]string{}
	for _, f := range folder.Files {
		found[f.Path] = b.text(t, f.Ref)
	}
	return found
}

func (b *bench) text(t *testing.T, ref artifact.Ref) string {
	t.Helper()
	data, err := artifact.ReadAll(t.Context(), b.store, ref)
	require.NoError(t, err)
	return string(data)
}

// kill ends the program itself, as something outside of Assay would.
func kill(t *testing.T, pid int) {
	t.Helper()
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
}

// checkpointed waits until a checkpoint with these files is on the record.
func (b *bench) checkpointed(t *testing.T, j Job, want map[string]string) {
	t.Helper()
	eventually(t, "a checkpoint is kept", func() bool {
		c := b.record(t, j).Checkpoint
		return c.Number > 0 && maps.Equal(b.files(t, c.Folder), want)
	})
}
