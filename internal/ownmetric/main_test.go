package ownmetric

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
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

// programs are those that read the rows as a user's program would.
var programs = map[string]func() error{"copy": copyColumn, "tell": tell}

// copyColumn gives each row the number in column x, parsed and written with 17 digits, in the opposite order.
func copyColumn() error {
	lines, err := readRows()
	if err != nil {
		return err
	}
	row, x := slices.Index(lines[0], "row"), slices.Index(lines[0], "x")
	if row < 0 || x < 0 {
		return fmt.Errorf("no row or x in %q", lines[0])
	}
	slices.Reverse(lines[1:])
	out := [][]string{{"row", "value"}}
	for _, line := range lines[1:] {
		v, err := strconv.ParseFloat(line[x], 64)
		if err != nil {
			return err
		}
		out = append(out, []string{line[row], strconv.FormatFloat(v, 'e', 16, 64)})
	}
	return writeValues(out)
}

// told is what a program found.
type told struct {
	Environment []string
	Arguments   []string
	Folder      string
	Code        string
	Rows        [][]string
}

// tell leaves what it finds in $SYNC, changes its code and gives each row 1.
func tell() error {
	found := told{Environment: os.Environ(), Arguments: os.Args[1:]}
	var err error
	if found.Folder, err = os.Getwd(); err != nil {
		return err
	}
	code, err := os.ReadFile("code.txt")
	if err != nil {
		return err
	}
	found.Code = string(code)
	if found.Rows, err = readRows(); err != nil {
		return err
	}
	b, err := json.Marshal(found)
	if err != nil {
		return err
	}
	out := [][]string{{"row", "value"}}
	for _, line := range found.Rows[1:] {
		out = append(out, []string{line[slices.Index(found.Rows[0], "row")], "1"})
	}
	return errors.Join(os.WriteFile(filepath.Join(os.Getenv("SYNC"), "told.json"), b, 0o600), os.WriteFile("code.txt", []byte("changed"), 0o600), writeValues(out))
}

func readRows() ([][]string, error) {
	f, err := os.Open(os.Getenv("ASSAY_ROWS"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return csv.NewReader(f).ReadAll()
}

func writeValues(lines [][]string) error {
	f, err := os.Create(os.Getenv("ASSAY_VALUES"))
	if err != nil {
		return err
	}
	return errors.Join(csv.NewWriter(f).WriteAll(lines), f.Close())
}

// patience is how long a test waits for what should happen at once.
const patience = time.Minute

// bench is a worker with a store, and a folder through which tests and programs talk.
type bench struct {
	Runner
	code artifact.Ref
	sync string
	self string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	store, err := artifact.OpenDir(filepath.Join(t.TempDir(), "store"))
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	b := &bench{sync: t.TempDir(), self: self, Runner: Runner{
		Store: store, Policy: program.Policy{Allowed: []string{self, "/bin/sh"}}, Scratch: t.TempDir(), Logger: slog.New(slog.DiscardHandler),
	}}
	b.store(t, map[string]string{"code.txt": "code"})
	return b
}

// store makes files the code; those that begin with #! can be executed.
func (b *bench) store(t *testing.T, files map[string]string) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		mode := os.FileMode(0o600)
		if strings.HasPrefix(text, "#!") {
			mode = 0o700
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), mode))
	}
	ref, _, err := artifact.PutFolder(t.Context(), b.Store, folder, artifact.FolderLimits{})
	require.NoError(t, err)
	b.code = ref
}

// metric runs a program, the variables of which are its environment.
func (b *bench) metric(run []string, variables ...string) spec.OwnMetric {
	m := spec.OwnMetric{Name: "cost", Code: "metrics", Run: run, Environment: map[string]string{"SYNC": b.sync}, TimeLimit: spec.Duration(patience)}
	for i := 0; i < len(variables); i += 2 {
		m.Environment[variables[i]] = variables[i+1]
	}
	return m
}

// script is a metric whose program is a shell script.
func (b *bench) script(text string, variables ...string) spec.OwnMetric {
	return b.metric([]string{"/bin/sh", "-c", text, "sh"}, variables...)
}

// measure measures, which must leave nothing behind.
func (b *bench) measure(t *testing.T, m spec.OwnMetric, rows *table.Frame) ([]float64, program.Usage, error) {
	t.Helper()
	values, usage, err := Measure(t.Context(), b.Runner, m, b.code, rows)
	b.nothingLeft(t)
	return values, usage, err
}

func (b *bench) nothingLeft(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(b.Scratch)
	require.NoError(t, err)
	require.Empty(t, left, "the working folder is gone")
}

func failed(t *testing.T, err error, kind Kind) *Error {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, kind, e.Kind, "%v", err)
	require.NotContains(t, err.Error(), "%!")
	return e
}

// frame is rows named 4, 2, 9 with what must never be shown.
func frame() *table.Frame {
	return &table.Frame{Rows: 3, Columns: []table.Column{
		{Name: "job", Kind: table.Categorical, Codes: []int32{1, -1, 0}, Levels: []string{"", "cook, \"secret\""}},
		{Name: table.RowColumn, Kind: table.Numeric, Numbers: []float64{4, 2, 9}},
		{Name: "x", Kind: table.Numeric, Numbers: []float64{7331, math.NaN(), 0.1}},
		{Name: "label", Kind: table.Numeric, Numbers: []float64{1, 0, 1}},
	}}
}

// numbered is a frame of rows 1, 2, ... with a column x.
func numbered(xs ...float64) *table.Frame {
	rows := make([]float64, len(xs))
	for i := range rows {
		rows[i] = float64(i + 1)
	}
	return &table.Frame{Rows: len(xs), Columns: []table.Column{
		{Name: table.RowColumn, Kind: table.Numeric, Numbers: rows}, {Name: "x", Kind: table.Numeric, Numbers: xs},
	}}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 5*time.Millisecond, what)
}

// pid reads the number that a process wrote, whole.
func (b *bench) pid(t *testing.T, name string) int {
	t.Helper()
	var pid int
	eventually(t, "a process writes its number", func() bool {
		text, _ := os.ReadFile(filepath.Join(b.sync, name))
		var err error
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil && strings.HasSuffix(string(text), "\n")
	})
	return pid
}

// alive is whether a process runs; one that is dead and that its parent has not asked for counts as dead.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
	return !strings.HasPrefix(state, "Z")
}
