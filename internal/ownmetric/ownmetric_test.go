package ownmetric

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
)

func TestNumbersRoundTripThroughAProgram(t *testing.T) {
	b := newBench(t)
	xs := []float64{
		0, 1, -1, 0.1, 1.0 / 3, 1e6, 1e15, 1<<53 - 1, -123456789, 1e300, -1e-300, 5e-324, math.MaxFloat64, -math.MaxFloat64,
		math.Nextafter(1, 2), math.Nextafter(0.3, 1), math.Pi, 2.5e-7,
	}
	values, usage, err := b.measure(t, b.metric([]string{b.self}, act, "copy"), numbered(xs...))
	require.NoError(t, err)
	require.Equal(t, xs, values, "each in the place of its row, though the program wrote them in the opposite order")
	require.Positive(t, usage.Wall)
	require.Positive(t, usage.PeakMemoryBytes)
}

func TestWhatAProgramFinds(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "worker's")
	t.Setenv("HTTPS_PROXY", "http://proxy")
	b := newBench(t)
	b.Policy.PassEnv, b.Policy.CPUs = []string{"HTTPS_PROXY"}, 1
	m := b.metric([]string{b.self, "--by", "a b"}, act, "tell", "COSTS", "5", "ASSAY_VALUES", "/elsewhere")
	for range 2 { // the first changes its code
		values, _, err := b.measure(t, m, frame())
		require.NoError(t, err)
		require.Equal(t, []float64{1, 1, 1}, values)

		var found told
		text, err := os.ReadFile(filepath.Join(b.sync, "told.json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &found))
		root := filepath.Dir(found.Folder)
		require.Equal(t, b.Scratch, filepath.Dir(root))
		require.Equal(t, "code", found.Code)
		require.Equal(t, []string{"--by", "a b"}, found.Arguments)
		require.Equal(t, []string{
			"ACT=tell", "ASSAY_ROWS=" + root + "/rows.csv", "ASSAY_VALUES=" + root + "/values.csv", "COSTS=5", "CUDA_VISIBLE_DEVICES=",
			"HOME=" + root + "/home", "HTTPS_PROXY=http://proxy", "LANG=C.UTF-8", "MKL_NUM_THREADS=1", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1",
			"PATH=" + filepath.Dir(b.self) + ":/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED=1", "SYNC=" + b.sync, "TMPDIR=" + root + "/tmp",
		}, found.Environment)
		require.Equal(t, [][]string{
			{"job", "row", "x", "label"}, {`cook, "secret"`, "4", "7331", "1"}, {"", "2", "", "0"}, {"", "9", "0.1", "1"},
		}, found.Rows)
	}
	require.Equal(t, "5", m.Environment["COSTS"])
	require.Equal(t, "/elsewhere", m.Environment["ASSAY_VALUES"], "the spec's own map is left as it is")
}

// costs gives every row its number, times ten.
const costs = `{ echo row,value; tail -n +2 "$ASSAY_ROWS" | while IFS=, read -r row x; do echo "$row,${row}0"; done; } > "$ASSAY_VALUES"`

func TestAProgramOfTheCodeFolder(t *testing.T) {
	b := newBench(t)
	b.Policy.Allowed = []string{program.AllowCode}
	b.store(t, map[string]string{"cost.sh": "#!/bin/sh\n" + costs})
	values, _, err := b.measure(t, b.metric([]string{"./cost.sh"}), numbered(7, 7))
	require.NoError(t, err)
	require.Equal(t, []float64{10, 20}, values)
}

func TestMeasurementsAtOnceDoNotMix(t *testing.T) {
	b := newBench(t)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			xs := []float64{float64(i), float64(i) / 3, -float64(i)}
			values, _, err := Measure(t.Context(), b.Runner, b.metric([]string{b.self}, act, "copy"), b.code, numbered(xs...))
			if err != nil || !slices.Equal(xs, values) {
				t.Errorf("%v %v %v", xs, values, err)
			}
		})
	}
	all.Wait()
	b.nothingLeft(t)
}

func TestWithoutRowsNoProgramRuns(t *testing.T) {
	b := newBench(t)
	values, usage, err := b.measure(t, b.script(`exit 3`), numbered())
	require.NoError(t, err)
	require.Empty(t, values)
	require.NotNil(t, values)
	require.Zero(t, usage)
}

func TestARelativeScratchFolder(t *testing.T) {
	b := newBench(t)
	t.Chdir(filepath.Dir(b.Scratch))
	b.Scratch = filepath.Base(b.Scratch)
	_, _, err := b.measure(t, b.script(costs), numbered(1))
	require.NoError(t, err)
}

func TestAProgramThatIsRefused(t *testing.T) {
	for name, given := range map[string]struct {
		run     []string
		allowed []string
		kind    program.RefusalKind
	}{
		"no program is allowed":           {[]string{"/bin/sh"}, nil, program.NotAllowed},
		"another one is allowed":          {[]string{"/bin/sh"}, []string{"/bin/true"}, program.NotAllowed},
		"a file outside the code":         {[]string{"../cost.sh"}, []string{program.AllowCode}, program.NotAllowed},
		"a file that the code has not":    {[]string{"./none.sh"}, []string{program.AllowCode}, program.NotFound},
		"a file that is not executable":   {[]string{"./plain.sh"}, []string{program.AllowCode}, program.NotExecutable},
		"a script without an interpreter": {[]string{"./lost.sh"}, []string{program.AllowCode}, program.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.store(t, map[string]string{"plain.sh": "echo", "lost.sh": "#!/no/such/interpreter\n"})
			b.Policy.Allowed = given.allowed
			_, usage, err := b.measure(t, b.metric(given.run), numbered(1))
			e := failed(t, err, Refused)
			require.False(t, e.Transient())
			var refusal *program.Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, given.kind, refusal.Kind)
			require.ErrorContains(t, err, `measure "cost"`)
			require.Zero(t, usage)
		})
	}
}

func TestAProgramThatEndsBadly(t *testing.T) {
	for name, given := range map[string]struct {
		script    string
		change    func(*bench, *spec.OwnMetric)
		kind      program.EndKind
		transient bool
		says      string
	}{
		"with a status":                    {script: costs + `; echo "no column label" >&2; exit 3`, kind: program.Exited, says: "no column label"},
		"with the status to try again":     {script: `exit 75`, kind: program.Exited, transient: true, says: "status 75"},
		"killed":                           {script: costs + `; kill -KILL $$`, kind: program.Signalled, transient: true, says: "signal 9"},
		"by a crash":                       {script: costs + `; kill -SEGV $$`, kind: program.Signalled, transient: true, says: "signal 11"},
		"after the metric's time":          {script: `sleep 1000`, change: func(_ *bench, m *spec.OwnMetric) { m.TimeLimit = spec.Duration(50 * time.Millisecond) }, kind: program.TimeLimit, says: "50ms"},
		"after the operator's time":        {script: `sleep 1000`, change: func(b *bench, _ *spec.OwnMetric) { b.Policy.WallTime = 50 * time.Millisecond }, kind: program.TimeLimit, says: "50ms"},
		"over the operator's disk":         {script: `while :; do head -c 1000000 /dev/zero >> big; sleep 0.01; done`, change: func(b *bench, _ *spec.OwnMetric) { b.Policy.DiskBytes = 5e6 }, kind: program.DiskQuota, says: "4.8 MiB"},
		"over the operator's processes":    {script: `for i in 1 2 3; do sleep 1000 & done; wait`, change: func(b *bench, _ *spec.OwnMetric) { b.Policy.Processes = 3 }, kind: program.TooManyProcesses, says: "allows 3"},
		"over the operator's memory":       {script: `head -c 100000000 /dev/zero | tail -n 1 | sleep 1000`, change: func(b *bench, _ *spec.OwnMetric) { b.Policy.MemoryBytes = 40e6 }, kind: program.OutOfMemory, says: "38.1 MiB"},
		"leaving what cannot be emptied":   {script: `mkdir -p a/b; touch a/b/c; chmod 500 a/b a; exit 1`, kind: program.Exited, says: "status 1"},
		"having removed its own directory": {script: `rm -rf "$PWD"; exit 1`, kind: program.Exited, says: "status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			m := b.script(given.script)
			if given.change != nil {
				given.change(b, &m)
			}
			values, usage, err := b.measure(t, m, numbered(1, 2))
			require.Nil(t, values, "what it wrote before counts for nothing")
			e := failed(t, err, Ended)
			require.Equal(t, given.transient, e.Transient())
			var end *program.End
			require.ErrorAs(t, err, &end)
			require.Equal(t, given.kind, end.Kind, "%v", err)
			require.ErrorContains(t, err, given.says)
			require.ErrorContains(t, err, "exit with status 0")
			require.Positive(t, usage.Wall)
		})
	}
}

func TestMemoryThatTheMachineLacksIsTransient(t *testing.T) {
	require.True(t, (&Error{Kind: Ended, Err: &program.End{Kind: program.OutOfMemory}}).Transient())
	require.False(t, (&Error{Kind: Ended, Err: &program.End{Kind: program.OutOfMemory, Limit: "its processes took too much"}}).Transient())
	require.False(t, (&Error{Kind: Refused, Err: &program.End{Kind: program.Signalled}}).Transient())
}

func TestTheEndOfTheContextEndsTheProgramAndRemovesItsFolder(t *testing.T) {
	b := newBench(t)
	enough := errors.New("enough was seen")
	ctx, cancel := context.WithCancelCause(t.Context())
	m := b.script(`echo $$ > "$SYNC/main.pid"; sleep 1000 & echo $! > "$SYNC/child.pid"; wait`)
	done := make(chan error, 1)
	go func() {
		_, _, err := Measure(ctx, b.Runner, m, b.code, numbered(1))
		done <- err
	}()
	members := []int{b.pid(t, "main.pid"), b.pid(t, "child.pid")}
	cancel(enough)
	select {
	case err := <-done:
		require.ErrorIs(t, err, enough)
		var e *Error
		require.False(t, errors.As(err, &e), "this is no fault of the metric")
	case <-time.After(patience):
		require.Fail(t, "the measurement does not end")
	}
	for _, pid := range members {
		require.False(t, alive(pid), "process %d lives", pid)
	}
	b.nothingLeft(t)

	_, _, err := Measure(ctx, b.Runner, m, b.code, numbered(1))
	require.ErrorIs(t, err, enough, "also before the program starts")
	b.nothingLeft(t)
}

func TestNoDescendantOutlivesTheProgram(t *testing.T) {
	b := newBench(t)
	_, _, err := b.measure(t, b.script(`(sleep 1000 >/dev/null 2>&1 & echo $! > "$SYNC/orphan.pid"); `+costs), numbered(1))
	require.NoError(t, err)
	require.False(t, alive(b.pid(t, "orphan.pid")))
}

func TestWhatAProgramPrintsIsLoggedForDebuggingOnly(t *testing.T) {
	for level, shown := range map[slog.Level]bool{slog.LevelDebug: true, slog.LevelInfo: false} {
		b := newBench(t)
		var log bytes.Buffer
		b.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level}))
		_, _, err := b.measure(t, b.script("echo 'the costs are 5'; "+costs), numbered(1))
		require.NoError(t, err)
		require.Equal(t, shown, strings.Contains(log.String(), "the costs are 5"))
	}
	b := newBench(t)
	b.Logger = nil
	_, _, err := b.measure(t, b.script("echo printed; "+costs), numbered(1))
	require.NoError(t, err)
}

func TestWhatIsNoRegularFileIsNotRead(t *testing.T) {
	for name, script := range map[string]string{
		"nothing":          `true`,
		"a file elsewhere": `printf 'row,value\n1,1\n' > values.csv`,
		"a link":           `printf 'row,value\n1,1\n' > v; ln -s "$PWD/v" "$ASSAY_VALUES"`,
		"a pipe":           `mkfifo "$ASSAY_VALUES"`,
		"a folder":         `mkdir "$ASSAY_VALUES"`,
		"a dangling link":  `ln -s /no/such/file "$ASSAY_VALUES"`,
		"no folder at all": `rm -rf "$(dirname "$ASSAY_VALUES")"`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			_, usage, err := b.measure(t, b.script(script), numbered(1))
			e := failed(t, err, NoValues)
			require.False(t, e.Transient())
			require.ErrorContains(t, err, "ASSAY_VALUES")
			require.Positive(t, usage.Wall)
		})
	}
}

func TestASocketIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "values.csv")
	s, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer func() { _ = syscall.Close(s) }()
	require.NoError(t, syscall.Bind(s, &syscall.SockaddrUnix{Name: path}))
	_, err = readValues(path, []int64{1}, bounds{math.Inf(-1), math.Inf(1)})
	failed(t, err, NoValues)
}

func TestAFileThatMayNotBeReadIsTheProgramsFault(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("a user other than root is missing: root may read everything")
	}
	b := newBench(t)
	_, _, err := b.measure(t, b.script(costs+`; chmod 0 "$ASSAY_VALUES"`), numbered(1))
	failed(t, err, NoValues)
}

func TestAFileThatIsTooLargeIsNotRead(t *testing.T) {
	b := newBench(t)
	_, _, err := b.measure(t, b.script(costs+`; truncate -s 1T "$ASSAY_VALUES" || dd if=/dev/zero of="$ASSAY_VALUES" bs=1 count=0 seek=100000000`), numbered(1))
	failed(t, err, TooLarge)
	require.ErrorContains(t, err, "expected at most 66048 for 1 rows")
}

func TestAFrameThatCannotBeMeasured(t *testing.T) {
	b := newBench(t)
	for says, change := range map[string]func(*table.Frame){
		`no column "_row"`:         func(f *table.Frame) { f.Columns = f.Columns[2:] },
		"is categorical":           func(f *table.Frame) { f.Columns[1].Kind, f.Columns[1].Codes = table.Categorical, []int32{-1, -1, -1} },
		"names row 4 twice":        func(f *table.Frame) { f.Columns[1].Numbers[2] = 4 },
		"position 1 no whole":      func(f *table.Frame) { f.Columns[1].Numbers[1] = 2.5 },
		"position 2 no whole":      func(f *table.Frame) { f.Columns[1].Numbers[2] = math.NaN() },
		"position 0 no whole":      func(f *table.Frame) { f.Columns[1].Numbers[0] = math.Inf(1) },
		"2 values for 3 rows":      func(f *table.Frame) { f.Columns[2].Numbers = f.Columns[2].Numbers[:2] },
		"0 values for 3 rows":      func(f *table.Frame) { f.Columns[0].Codes = nil },
		"no level that it knows":   func(f *table.Frame) { f.Columns[0].Codes[0] = 2 },
		"has at position 1 no lev": func(f *table.Frame) { f.Columns[0].Codes[1] = -2 },
	} {
		t.Run(says, func(t *testing.T) {
			f := frame()
			change(f)
			_, _, err := b.measure(t, b.script(costs), f)
			require.ErrorContains(t, err, says)
			var e *Error
			require.False(t, errors.As(err, &e))
		})
	}
	_, _, err := b.measure(t, b.script(costs), nil)
	require.ErrorContains(t, err, "no table")
}

func TestColumnsThatAProgramCouldNotTellApart(t *testing.T) {
	b := newBench(t)
	for name, says := range map[string]string{"row": "data.exclude", "label": `two columns of the rows are named "label"`} {
		f := frame()
		f.Columns[0].Name = name
		_, _, err := b.measure(t, b.script(costs), f)
		require.False(t, failed(t, err, Columns).Transient())
		require.ErrorContains(t, err, says)
	}
}

func TestAMetricThatMakesNoSense(t *testing.T) {
	b := newBench(t)
	_, _, err := b.measure(t, b.metric(nil), numbered(1))
	require.ErrorContains(t, err, "no program")
	m := b.script(costs)
	m.Least, m.Most = new(2.0), new(1.0)
	_, _, err = b.measure(t, m, numbered(1))
	require.ErrorContains(t, err, "from 2 to 1")
	m.Least, m.Most = new(math.NaN()), nil
	_, _, err = b.measure(t, m, numbered(1))
	require.ErrorContains(t, err, "least to be no more than most")
}

func TestCodeThatTheStoreLacks(t *testing.T) {
	b := newBench(t)
	b.code = artifact.Ref{Digest: artifact.Sum([]byte("none")), Size: 4, MediaType: artifact.MediaFolder}
	_, _, err := b.measure(t, b.script(costs), numbered(1))
	require.ErrorIs(t, err, artifact.ErrNotFound)
	b.Scratch = filepath.Join(b.Scratch, "none")
	_, _, err = Measure(t.Context(), b.Runner, b.script(costs), b.code, numbered(1))
	require.ErrorContains(t, err, "--scratch")
}
