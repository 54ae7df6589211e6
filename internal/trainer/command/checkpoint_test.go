package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/stretchr/testify/require"
)

// elsewhere is another worker with the same store.
func (b *bench) elsewhere(t *testing.T) *bench {
	t.Helper()
	other := *b
	other.runner.Scratch, other.sync = t.TempDir(), t.TempDir()
	return &other
}

func TestATrainingThatIsKilledThreeTimesGivesTheModelOfOneThatIsNot(t *testing.T) {
	for name, tells := range map[string]string{"a program that tells of its checkpoints": "yes", "one that does not": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			undisturbed := b.acts(t, "learn", "TELLS", tells)
			undisturbed.Execution = "undisturbed"
			want := b.succeeds(t, undisturbed)
			require.Empty(t, want.Program.Resumed)

			steps := []string{`"Step":3,`, `"Step":6,`, `"Step":10,`}
			var usage stage.Usage
			for n := 1; n <= 3; n++ {
				b = b.elsewhere(t)
				j := handedOut(b.acts(t, "learn", "TELLS", tells, "HANGS", "3,6,10"), n)
				j.Command.Retry.Attempts = 9
				var once sync.Once
				j.Observer.Progress = func(stage.TrainingProgress) {
					if c := b.record(t, j).Checkpoint; c.Number > 0 && strings.Contains(b.files(t, c.Folder)["state.json"], steps[n-1]) {
						once.Do(func() { kill(t, b.pid(t, "pid")) })
					}
				}
				res, err := b.run(t, t.Context(), j)
				failed(t, err, Signalled, true)
				require.Len(t, res.Program.Resumed, n-1)
				require.Greater(t, res.Usage.CPUSeconds, usage.CPUSeconds, "usage adds up over the attempts")
				usage = res.Usage
				require.Equal(t, usage, b.record(t, j).Usage)
				require.Equal(t, n, b.record(t, j).Failures)
			}
			b = b.elsewhere(t)
			j := handedOut(b.acts(t, "learn", "TELLS", tells), 4)
			got := b.succeeds(t, j)
			require.Equal(t, want.Files, got.Files, "the same model")
			require.Len(t, got.Program.Resumed, 3)
			for i := range steps {
				require.Regexp(t, fmt.Sprintf(`^attempt %d resumed from checkpoint \d+ \(step \d+\)$`, i+2), got.Program.Resumed[i])
			}
			require.Equal(t, "[assay] "+got.Program.Resumed[2], strings.SplitN(b.text(t, got.Program.Output), "\n", 2)[0])
			r := b.record(t, j)
			require.True(t, r.Done)
			require.Equal(t, got.Usage, r.Usage)
			require.Greater(t, got.Usage.CPUSeconds, usage.CPUSeconds)
		})
	}
}

// tears writes a whole checkpoint, and then half of the next in its place. sleep, which outlives the shell, has nothing
// open. The next attempt takes as its model what it finds.
const tears = `
if [ -e "$C/state" ]; then cp -r "$C" "$SM_MODEL_DIR"; exit 0; fi
printf whole > "$C/state"; printf x > "$C/state2.tmp"; printf x > "$C/.hidden"; mkdir "$C/next.part"; printf x > "$C/next.part/a"
await go
exec 3> "$C/state"; printf ha >&3; echo $$ > "$SYNC/half"
sleep 1000 3>&-
`

func TestATornCheckpointIsNeverRestored(t *testing.T) {
	whole := map[string]string{"state": "whole"}
	for _, c := range []struct {
		name   string
		change func(j *Job)
		end    func(t *testing.T, pid int, cancel context.CancelCauseFunc, stop chan struct{})
	}{
		{"killed", nil, func(t *testing.T, pid int, _ context.CancelCauseFunc, _ chan struct{}) { kill(t, pid) }},
		{"silent", func(j *Job) { j.Command.Silence = spec.Duration(400 * time.Millisecond) }, nil},
		{"over its time", func(j *Job) { j.Command.TimeLimit = spec.Duration(2 * time.Second) }, nil},
		{"cancelled", nil, func(_ *testing.T, _ int, cancel context.CancelCauseFunc, _ chan struct{}) { cancel(errEnough) }},
		{"on a worker that stops", nil, func(_ *testing.T, _ int, _ context.CancelCauseFunc, stop chan struct{}) { close(stop) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			stop := make(chan struct{})
			b.runner.Stop = stop
			j := b.script(t, tears)
			if c.change != nil {
				c.change(&j)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			done := b.begin(t, ctx, j)
			b.checkpointed(t, j, whole)
			b.signal(t, "go")
			pid := b.pid(t, "half")
			if c.end != nil {
				c.end(t, pid, cancel, stop)
			}
			require.Error(t, b.await(t, done).err)
			require.Equal(t, whole, b.files(t, b.record(t, j).Checkpoint.Folder))

			b = b.elsewhere(t)
			b.runner.Stop = nil
			j = handedOut(j, 2)
			j.Command.Silence, j.Command.TimeLimit = spec.Duration(patience), spec.Duration(2*patience)
			res := b.succeeds(t, j)
			require.Equal(t, map[string]string{"checkpoints/state": "whole"}, b.files(t, res.Files), "and nothing that was left unfinished")
		})
	}
}

func TestACheckpointWrittenWhenTheEndIsAnnouncedIsKept(t *testing.T) {
	const script = `
if [ -e "$C/last" ]; then cp -r "$C" "$SM_MODEL_DIR"; exit 0; fi
trap 'printf last > "$C/last"; ANNOUNCE exit STATUS' TERM
EARLY
touch "$SYNC/on"; while :; do sleep 0.05; done
`
	const early = `printf first > "$C/first"; echo '{"checkpoint": "first"}'`
	first := map[string]string{"first": "first"}
	for _, c := range []struct {
		name, status, announce, early string
		kept                          bool
	}{
		{name: "by a program that exits with 0", status: "0", kept: true},
		{name: "by one that exits as shells do of a command that was cut short", status: "143"},
		{name: "by one that exits as shells do and tells of it", status: "143", early: early, announce: `echo {\"checkpoint\": \"last\"};`, kept: true},
		{name: "by one that asks to be tried again", status: "75", kept: true},
		{name: "by one that tells of it", status: "0", early: early, announce: `echo {\"checkpoint\": \"last\"};`, kept: true},
		{name: "by one that tells of others and not of this", status: "0", early: early},
		{name: "by one that fails over it", status: "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.runner.every = patience // only announcements and the end have the folder looked at
			stop := make(chan struct{})
			b.runner.Stop = stop
			j := b.script(t, strings.NewReplacer("STATUS", c.status, "ANNOUNCE", c.announce, "EARLY", c.early).Replace(script))
			done := b.begin(t, t.Context(), j)
			b.seen(t, "on")
			want, number := map[string]string{}, 0
			if c.early != "" {
				b.checkpointed(t, j, first)
				want, number = maps.Clone(first), 1
			}
			close(stop)
			f := failed(t, b.await(t, done).err, Interrupted, true)
			r := b.record(t, j)
			require.Zero(t, r.Failures)
			if c.kept {
				want["last"] = "last"
				number++
			}
			require.Equal(t, number, r.Checkpoint.Number)
			if number == 0 {
				require.ErrorContains(t, f, "there is none, it begins anew")
				return
			}
			require.Equal(t, want, b.files(t, r.Checkpoint.Folder))
			at := fmt.Sprintf("%d (no progress was printed)", number)
			require.ErrorContains(t, f, "the worker stopped; training goes on from its last checkpoint: number "+at)
			if !c.kept {
				return
			}
			b = b.elsewhere(t)
			b.runner.Stop = nil
			res := b.succeeds(t, handedOut(j, 2))
			require.Len(t, b.files(t, res.Files), len(want))
			require.Equal(t, []string{"attempt 2 resumed from checkpoint " + at}, res.Program.Resumed)
		})
	}
}

func TestAProgramThatAsksToBeTriedAgainGoesOnFromWhereItWas(t *testing.T) {
	b := newBench(t)
	b.runner.every = patience
	j := b.script(t, `if [ -e "$C/state" ]; then model; exit 0; fi; printf done > "$C/state"; exit 75`)
	b.fails(t, j, Exited, true)
	require.Len(t, b.succeeds(t, handedOut(j, 2)).Program.Resumed, 1)
}

func TestAWorkerThatStopsWaitsNoLongerThanItMay(t *testing.T) {
	b := newBench(t)
	stop := make(chan struct{})
	b.runner.Stop, b.runner.StopGrace = stop, 100*time.Millisecond
	j := b.script(t, `trap "" TERM; touch "$SYNC/on"; while :; do sleep 1; done`)
	done := b.begin(t, t.Context(), j)
	b.seen(t, "on")
	close(stop)
	failed(t, b.await(t, done).err, Interrupted, true)
}

func TestOfAProgramThatTellsOnlyWhatItAnnouncedIsKept(t *testing.T) {
	b := newBench(t)
	j := b.script(t, `
printf 1 > "$C/state"; echo '{"step": 1, "checkpoint": "state"}'
await kept
printf 2 > "$C/state"; touch "$SYNC/changed"
await go
printf 3 > "$C/state"; echo '{"step": 3, "checkpoint": "state"}'
await end; model`)
	looks := make(chan struct{}, 1)
	j.Observer.Progress = func(stage.TrainingProgress) {
		select {
		case looks <- struct{}{}:
		default:
		}
	}
	done := b.begin(t, t.Context(), j)
	b.checkpointed(t, j, map[string]string{"state": "1"})
	b.signal(t, "kept")
	b.seen(t, "changed")
	for range 10 { // looks go on meanwhile
		<-looks
	}
	require.Equal(t, map[string]string{"state": "1"}, b.files(t, b.record(t, j).Checkpoint.Folder))
	b.signal(t, "go")
	b.checkpointed(t, j, map[string]string{"state": "3"})
	require.Equal(t, "step 3", b.record(t, j).Checkpoint.Text)
	b.signal(t, "end")
	require.NoError(t, b.await(t, done).err)
}

func TestAProgramMayPrintAndWriteCheckpointsAsFastAsItCan(t *testing.T) {
	b := newBench(t)
	b.runner.every = time.Millisecond
	j := b.script(t, `for i in $(seq 400); do printf $i > "$C/s.tmp"; mv "$C/s.tmp" "$C/s"; echo "{\"step\": $i, \"checkpoint\": \"s\"}"; done; cp "$C/s" "$SM_MODEL_DIR"`)
	j.Command.Silence = spec.Duration(patience)
	res := b.succeeds(t, j)
	require.Equal(t, map[string]string{"s": "400"}, b.files(t, res.Files))
}

func TestACheckpointThatIsDamagedInTheStoreStopsTheTraining(t *testing.T) {
	b := newBench(t)
	j := b.script(t, `printf state > "$C/state"; echo '{"checkpoint": "state"}'; await go; exit 75`)
	done := b.begin(t, t.Context(), j)
	b.checkpointed(t, j, map[string]string{"state": "state"})
	b.signal(t, "go")
	failed(t, b.await(t, done).err, Exited, true)
	digest := artifact.Sum([]byte("state"))
	blob := filepath.Join(b.store.String(), "blobs", "sha256", digest.Hex()[:2], digest.Hex())
	require.NoError(t, os.Chmod(blob, 0o600))
	require.NoError(t, os.WriteFile(blob, []byte("statx"), 0o600))
	_, err := b.run(t, t.Context(), handedOut(j, 2))
	require.ErrorIs(t, err, artifact.ErrCorrupt)
	require.ErrorContains(t, err, "restore the checkpoint (no progress was printed)")
}

// scene is a keeper with a folder whose program is played by the test.
type scene struct {
	*keeper
	open, dead bool
	kept       []map[string]string
	refuse     error
}

func newScene(t *testing.T) *scene {
	t.Helper()
	b := newBench(t)
	s := &scene{}
	s.keeper = &keeper{
		store: b.store, folder: t.TempDir(), text: func() string { return "here" },
		writers: func() (bool, error) { return s.open, nil }, alive: func() bool { return !s.dead },
		save: func(c checkpoint) error {
			if s.refuse != nil {
				return s.refuse
			}
			require.Equal(t, len(s.kept)+1, c.Number)
			s.kept = append(s.kept, b.files(t, c.Folder))
			return nil
		},
	}
	return s
}

func (s *scene) write(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(s.folder, name), []byte(content), 0o600))
}

func TestWhenACheckpointCounts(t *testing.T) {
	state := func(content string) []map[string]string { return []map[string]string{{"s": content}} }
	look := func(t *testing.T, s *scene, why occasion) {
		t.Helper()
		require.NoError(t, s.look(t.Context(), why))
	}
	for name, play := range map[string]func(t *testing.T, s *scene) []map[string]string{
		"an empty folder is none": func(t *testing.T, s *scene) []map[string]string {
			look(t, s, byTheClock)
			look(t, s, atTheEnd)
			require.Zero(t, s.lastChange())
			return nil
		},
		"after two equal looks": func(t *testing.T, s *scene) []map[string]string {
			s.write(t, "s", "1")
			look(t, s, byTheClock)
			require.Empty(t, s.kept)
			require.NotZero(t, s.lastChange())
			look(t, s, byTheClock)
			look(t, s, byTheClock)
			look(t, s, atTheEnd)
			return state("1")
		},
		"not while a file is open": func(t *testing.T, s *scene) []map[string]string {
			s.open = true
			s.write(t, "s", "1")
			for range 5 {
				look(t, s, byTheClock)
			}
			return nil
		},
		"not when the program is dead": func(t *testing.T, s *scene) []map[string]string {
			s.dead = true
			s.write(t, "s", "1")
			for range 5 {
				look(t, s, byTheClock)
			}
			return nil
		},
		"at once when it is announced": func(t *testing.T, s *scene) []map[string]string {
			s.write(t, "s", "1")
			s.announce()
			s.open = true // a log file, perhaps
			look(t, s, onNotice)
			return state("1")
		},
		"not what follows an announcement of nothing": func(t *testing.T, s *scene) []map[string]string {
			s.announce()
			look(t, s, onNotice)
			s.write(t, "s", "1")
			for range 5 {
				look(t, s, byTheClock)
			}
			look(t, s, atTheEnd)
			return nil
		},
		"not between announcements": func(t *testing.T, s *scene) []map[string]string {
			s.write(t, "s", "1")
			s.announce()
			look(t, s, onNotice)
			s.write(t, "s", "22")
			for range 5 {
				look(t, s, byTheClock)
			}
			look(t, s, atTheEnd)
			return state("1")
		},
		"later when the store did not take it": func(t *testing.T, s *scene) []map[string]string {
			s.write(t, "s", "1")
			s.announce()
			s.refuse = errEnough
			require.ErrorIs(t, s.look(t.Context(), onNotice), errEnough)
			s.refuse, s.open = nil, true
			look(t, s, byTheClock)
			require.Empty(t, s.kept, "the program may be at its next one")
			s.open = false
			look(t, s, byTheClock)
			return state("1")
		},
		"not what was written to during the copy": func(t *testing.T, s *scene) []map[string]string {
			s.write(t, "s", "1")
			s.announce()
			s.text = func() string { s.write(t, "s", "333"); return "" }
			look(t, s, onNotice)
			require.Empty(t, s.kept)
			s.text = func() string { return "" }
			look(t, s, byTheClock)
			return state("333")
		},
		"one announced during a copy comes later": func(t *testing.T, s *scene) []map[string]string {
			s.write(t, "s", "1")
			s.announce()
			s.text = func() string { s.announce(); return "" }
			look(t, s, onNotice)
			s.write(t, "s", "22")
			look(t, s, byTheClock)
			return append(state("1"), state("22")...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			require.Equal(t, play(t, s), s.kept)
		})
	}
}

func TestAnAnnouncementDoesNotWaitForACopy(t *testing.T) {
	s := newScene(t)
	s.write(t, "s", "1")
	s.save = func(checkpoint) error {
		s.announce() // would never return if a copy held what it needs
		_ = s.lastChange()
		return nil
	}
	require.NoError(t, s.look(t.Context(), onNotice))
}

func TestAListingTellsContentsApart(t *testing.T) {
	folder := t.TempDir()
	seen := map[string]string{}
	at := time.Unix(1, 0)
	for _, change := range []struct {
		what string
		do   func() error
	}{
		{"nothing", func() error { return nil }},
		{"a file", func() error { return os.WriteFile(filepath.Join(folder, "a"), []byte("1"), 0o600) }},
		{"its size", func() error { return os.WriteFile(filepath.Join(folder, "a"), []byte("22"), 0o600) }},
		{"its time", func() error { return os.Chtimes(filepath.Join(folder, "a"), at, at) }},
		{"its name", func() error { return os.Rename(filepath.Join(folder, "a"), filepath.Join(folder, "b")) }},
		{"its folder", func() error {
			return errors.Join(os.Mkdir(filepath.Join(folder, "d"), 0o700), os.Rename(filepath.Join(folder, "b"), filepath.Join(folder, "d", "b")))
		}},
	} {
		require.NoError(t, change.do(), change.what)
		now, err := listing(folder)
		require.NoError(t, err)
		require.NotContains(t, slices.Collect(maps.Keys(seen)), now, "%s is like %s", change.what, seen[now])
		seen[now] = change.what
	}
	before, err := listing(folder)
	require.NoError(t, err)
	for _, name := range []string{"x.tmp", "x.part", ".x"} {
		require.NoError(t, os.MkdirAll(filepath.Join(folder, name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(folder, name, "f"), nil, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "d", name), nil, 0o600))
	}
	after, err := listing(folder)
	require.NoError(t, err)
	require.Equal(t, before, after, "what is unfinished does not show")
}
