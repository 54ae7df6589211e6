package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/stretchr/testify/require"
)

func TestTheEndOfAProgramSaysWhatHappenedAndWhetherItIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		script string
		change func(b *bench, j *Job)
		kind   Kind
		again  bool
		want   []string
	}{
		{"an exit status", "echo first; echo the last words >&2; model; exit 3", nil, Exited, false,
			[]string{"exited with status 3", "the last words", "It is not tried again: train.command.retry.on does not name exit; a program that exits with status 75 is tried again."}},
		{"an exit status that the spec has tried again", "exit 3", func(_ *bench, j *Job) { j.Command.Retry.On = []string{spec.RetryExit} }, Exited, true, []string{"status 3"}},
		{"an exit status after the last attempt", "exit 3", func(_ *bench, j *Job) { j.Command.Retry = spec.Retry{Attempts: 1, On: []string{spec.RetryExit}} }, Exited, false,
			[]string{"it has failed 1 times, and train.command.retry.attempts is 1."}},
		{"a temporary failure", "echo busy; exit 75", nil, Exited, true, []string{"status 75", "busy"}},
		{"a temporary failure after the last attempt", "exit 75", func(_ *bench, j *Job) { j.Command.Retry.Attempts = 1 }, Exited, false, []string{"attempts is 1"}},
		{"a signal", "echo before; kill -SEGV $$", nil, Signalled, true, []string{"signal 11", "Assay did not send it", "before"}},
		{"a signal that the spec does not have tried again", "kill -KILL $$", func(_ *bench, j *Job) { j.Command.Retry.On = nil }, Signalled, false, []string{"retry.on does not name signal"}},
		{"the time limit", "echo working; while :; do sleep 0.05; echo on; done", func(_ *bench, j *Job) { j.Command.TimeLimit = spec.Duration(300 * time.Millisecond) }, TimeLimit, false,
			[]string{"it ran longer than 300ms", "retry.on does not name time_limit"}},
		{"the time limit that the spec has tried again", "sleep 100", func(_ *bench, j *Job) {
			j.Command.TimeLimit, j.Command.Retry.On = spec.Duration(200*time.Millisecond), []string{spec.RetryTimeLimit}
		}, TimeLimit, true, nil},
		{"the operator's time limit", "sleep 100", func(b *bench, _ *Job) { b.runner.Policy.WallTime = 200 * time.Millisecond }, TimeLimit, false, []string{"longer than 200ms"}},
		{"silence", "echo started; sleep 100", func(_ *bench, j *Job) { j.Command.Silence = spec.Duration(300 * time.Millisecond) }, Silence, true,
			[]string{"it showed no progress for 300ms: no output and no checkpoint; print progress more often, or raise train.command.silence", "started"}},
		{"silence that the spec does not have tried again", "sleep 100", func(_ *bench, j *Job) {
			j.Command.Silence, j.Command.Retry.On = spec.Duration(200*time.Millisecond), []string{}
		}, Silence, false, []string{"retry.on does not name silence"}},
		{"disk", `head -c 60000000 /dev/zero > "$SM_MODEL_DIR/big"; sleep 100`, func(b *bench, _ *Job) { b.runner.Policy.DiskBytes = 20 << 20 }, DiskQuota, false,
			[]string{"its folder grew to", "the worker allows 20.0 MiB"}},
		{"processes", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 100 & done; wait", func(b *bench, _ *Job) { b.runner.Policy.Processes = 5 }, Processes, false, []string{"the worker allows 5"}},
		{"no model", "echo all is well", nil, NoModel, false, []string{"exited with status 0 and left no file in the folder that SM_MODEL_DIR names", "all is well"}},
		{"no model and no word", `mkdir -p "$SM_MODEL_DIR/empty/folder"`, nil, NoModel, false, []string{"(none)"}},
		{"a model that leads elsewhere", `ln -s /etc/hostname "$SM_MODEL_DIR/model"`, nil, NoModel, false, []string{`the link "model"`, "inside the folder"}},
		{"a model that is a pipe", `mkfifo "$SM_MODEL_DIR/model"`, nil, NoModel, false, []string{`"model" is no regular file`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			j := b.script(t, c.script)
			if c.change != nil {
				c.change(b, &j)
			}
			f := b.fails(t, j, c.kind, c.again)
			for _, want := range c.want {
				require.ErrorContains(t, f, want)
			}
			if c.again {
				require.NotContains(t, f.Error(), "It is not tried again")
			}
			require.Equal(t, 1, b.record(t, j).Failures)
			require.False(t, b.record(t, j).Done)
		})
	}
}

func TestTooMuchMemoryEndsAProgram(t *testing.T) {
	b := newBench(t)
	b.runner.Policy.MemoryBytes = 400 << 20
	f := b.fails(t, b.acts(t, "allocate", "BYTES", strconv.Itoa(800<<20)), OutOfMemory, false)
	require.ErrorContains(t, f, "the worker allows 400.0 MiB")
	require.ErrorContains(t, f, "retry.on does not name out_of_memory")
	j := handedOut(b.acts(t, "allocate", "BYTES", strconv.Itoa(800<<20)), 2)
	j.Command.Retry.On = []string{spec.RetryOutOfMemory}
	b.fails(t, j, OutOfMemory, true)
}

func TestAProgramThatShowsAnythingIsNotSilent(t *testing.T) {
	for name, sign := range map[string]string{
		"lines": "echo on", "dots without a line's end": "printf .", "a progress bar": `printf '50%%\r'`, "errors": "echo on >&2",
		"checkpoints": `echo $i > "$C/state"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			j := b.script(t, "for i in 1 2 3 4 5 6 7 8; do sleep 0.25; "+sign+"; done; model")
			j.Command.Silence = spec.Duration(time.Second)
			b.succeeds(t, j)
		})
	}
}

func TestAProgramThatMayNotOrCannotRunIsRefused(t *testing.T) {
	b := newBench(t)
	plain := filepath.Join(t.TempDir(), "plain.sh")
	require.NoError(t, os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o600))
	broken := filepath.Join(t.TempDir(), "broken")
	require.NoError(t, os.WriteFile(broken, []byte("neither a script nor a program"), 0o700))
	b.runner.Policy.Allowed = append(b.runner.Policy.Allowed, plain, broken, "/no/such/program")
	for i, c := range []struct {
		name, run string
		want      []string
	}{
		{"not allowed", "/bin/cat", []string{`run program "/bin/cat"`, "this worker does not allow it", "--allow-programs"}},
		{"a name that is not allowed", "python3", []string{`run program "python3"`, "--allow-programs"}},
		{"a file of the code, which is not allowed", "./program.txt", []string{"--allow-programs"}},
		{"not found", "/no/such/program", []string{"/no/such/program is not there"}},
		{"not executable", plain, []string{"is not executable", "chmod +x"}},
		{"no program", broken, []string{"it is no program of this machine"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := b.fails(t, handedOut(b.job(t, c.run), i+1), Refused, false)
			require.True(t, strings.HasPrefix(f.Error(), "train.command.run: "), "%v", f)
			for _, want := range c.want {
				require.ErrorContains(t, f, want)
			}
		})
	}
	b.runner.Policy.Allowed = []string{program.AllowCode}
	f := b.fails(t, handedOut(b.job(t, "./program.txt"), 9), Refused, false)
	require.ErrorContains(t, f, "is not executable")
	b.fails(t, handedOut(b.job(t, "./gone.sh"), 10), Refused, false)
	b.fails(t, handedOut(b.job(t, "../program.txt"), 11), Refused, false)
}

var errEnough = errors.New("enough was seen")

func TestACancelledTrainingLeavesNoProcessAlive(t *testing.T) {
	const children = `
sleep 1000 & echo $! > "$SYNC/child"
setsid sh -c 'trap "" TERM; echo $$ > "$SYNC/session"; sleep 1000' &
(setsid sh -c 'echo $$ > "$SYNC/orphan"; sleep 1000' &)
`
	for _, c := range []struct {
		name, script string
		grace        time.Duration
	}{
		{"one that ends on SIGTERM", `echo '{"auc": 0.5}'; echo $$ > "$SYNC/main"; wait`, patience},
		{"one that ignores SIGTERM", `trap "" TERM; echo '{"auc": 0.5}'; echo $$ > "$SYNC/main"; while :; do sleep 1; done`, 200 * time.Millisecond},
		{"one that answers SIGTERM with success", `trap 'model; exit 0' TERM; echo '{"auc": 0.5}'; echo $$ > "$SYNC/main"; while :; do sleep 0.05; done`, patience},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			j := b.script(t, children+c.script)
			j.Command.Grace, j.Watch = spec.Duration(c.grace), Watch{Metric: "auc"}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			done := b.begin(t, ctx, j)
			var pids []int
			for _, name := range []string{"main", "child", "session", "orphan"} {
				pids = append(pids, b.pid(t, name))
				require.True(t, alive(pids[len(pids)-1]), name)
			}
			cancel(errEnough)
			e := b.await(t, done)
			require.ErrorIs(t, e.err, errEnough)
			var f *Failure
			require.NotErrorAs(t, e.err, &f, "the program is not at fault")
			for _, pid := range pids {
				require.False(t, alive(pid))
			}
			require.InDelta(t, 0.5, *e.res.Value, 0, "what was reported until then is known")
			require.Positive(t, e.res.Usage.PeakMemoryBytes)
			r := b.record(t, j)
			require.Zero(t, r.Failures)
			require.False(t, r.Done)
			require.Equal(t, e.res.Usage, r.Usage)
		})
	}
}

func TestProcessesThatOutliveTheProgramAreKilledAndTheModelCounts(t *testing.T) {
	b := newBench(t)
	res := b.succeeds(t, b.script(t, `setsid sleep 1000 & echo $! > "$SYNC/stray"; model`))
	require.False(t, alive(b.pid(t, "stray")))
	require.Contains(t, b.text(t, res.Program.Output), "left processes running, which were killed: sleep")
}

func TestFailuresCountOverAllAttempts(t *testing.T) {
	b := newBench(t)
	j := b.script(t, "exit 75")
	b.fails(t, handedOut(j, 1), Exited, true)

	stop := make(chan struct{})
	b.runner.Stop = stop
	hanging := b.script(t, `touch "$SYNC/on"; sleep 1000`)
	done := b.begin(t, t.Context(), handedOut(hanging, 2))
	b.seen(t, "on")
	close(stop)
	failed(t, b.await(t, done).err, Interrupted, true)
	b.runner.Stop = nil
	require.Equal(t, 1, b.record(t, j).Failures, "a worker that stops is no failure of the program")

	b.fails(t, handedOut(j, 3), Exited, true)
	f := b.fails(t, handedOut(j, 4), Exited, false)
	require.ErrorContains(t, f, "it has failed 3 times, and train.command.retry.attempts is 3.")
}

func TestWhatAProgramLeavesBesideItsModelIsKeptOrSaidNotToBe(t *testing.T) {
	b := newBench(t)
	res := b.succeeds(t, b.script(t, `model; chmod +x "$SM_MODEL_DIR/model"; mkdir -p "$SM_MODEL_DIR/a/b"; echo deep > "$SM_MODEL_DIR/a/b/c"
echo plot > "$SM_OUTPUT_DATA_DIR/plot.svg"; mkdir -m 0500 "$HOME/sealed"`))
	require.Equal(t, map[string]string{"model": "model\n", "a/b/c": "deep\n"}, b.files(t, res.Files))
	require.Equal(t, map[string]string{"plot.svg": "plot\n"}, b.files(t, res.Program.OutputData))
	require.Empty(t, res.Warnings)

	n := 1
	for name, c := range map[string][2]string{
		"many":  {fmt.Sprintf(`cd "$SM_OUTPUT_DATA_DIR" && seq %d | xargs touch`, mostOutputFiles+1), "more than 1000 files"},
		"large": {fmt.Sprintf(`truncate -s %d "$SM_OUTPUT_DATA_DIR/large"`, mostOutputBytes+1), `at "large"`},
		"pipe":  {`mkfifo "$SM_OUTPUT_DATA_DIR/pipe"`, `"pipe" is no regular file`},
		"link":  {`ln -s /etc/hostname "$SM_OUTPUT_DATA_DIR/link"`, `the link "link"`},
	} {
		n++
		res := b.succeeds(t, handedOut(b.script(t, "model; "+c[0]), n))
		require.True(t, res.Program.OutputData.IsZero(), name)
		require.False(t, res.Files.IsZero(), name)
		require.Len(t, res.Warnings, 1)
		require.Contains(t, res.Warnings[0], "what the program left in SM_OUTPUT_DATA_DIR was not kept")
		require.Contains(t, res.Warnings[0], c[1])
	}
}

func TestAFolderThatTheProgramSealedIsRemoved(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("a user other than root is missing: read-only directories do not hinder root")
	}
	b := newBench(t)
	b.succeeds(t, b.script(t, `model; mkdir "$HOME/cache"; echo x > "$HOME/cache/file"; chmod 0500 "$HOME/cache"`))
}
