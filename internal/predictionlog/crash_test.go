package predictionlog_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/predictionlog"
)

// The test binary doubles as the process that is killed: with childMode set it writes until it dies.
const childMode = "PREDICTIONLOG_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childMode) {
	case "":
		os.Exit(m.Run())
	case "write":
		writeForever()
	case "full":
		writeToFullDisk()
	}
}

func childWriter(opt predictionlog.Options) *predictionlog.Writer {
	store, err := artifact.OpenDir(os.Getenv("STORE"))
	if err != nil {
		panic(err)
	}
	opt.Logger = slog.New(slog.DiscardHandler)
	w, err := predictionlog.OpenWriter(store, os.Getenv("SPOOL"), "credit", opt)
	if err != nil {
		panic(err)
	}
	return w
}

// writeForever acknowledges each record on its output once it is logged, sealing all the while.
func writeForever() {
	w := childWriter(predictionlog.Options{MaxBytes: 2000, MaxAge: time.Millisecond, SyncEvery: time.Millisecond})
	prefix := os.Getenv("PREFIX")
	for i := 0; ; i++ {
		r := record(fmt.Sprintf("%s-%d", prefix, i))
		r.Time = time.Now()
		if err := w.Append(r); err != nil {
			panic(err)
		}
		fmt.Println(r.ID)
	}
}

func child(t *testing.T, mode, store, spool, prefix string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"="+mode, "STORE="+store, "SPOOL="+spool, "PREFIX="+prefix)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestAKillLosesNothingAcknowledgedAndDoublesNothing(t *testing.T) {
	store, spool := newStore(t), t.TempDir()
	acknowledged := map[string]bool{}
	for round, acks := range []int{1, 7, 60, 150, 300, 1000} {
		cmd := child(t, "write", store.String(), spool, fmt.Sprint("round", round))
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			acknowledged[lines.Text()] = true
			if n+1 == acks {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait(), "killed")
	}
	require.NoError(t, predictionlog.Recover(t.Context(), store, spool))
	require.Empty(t, spoolFiles(t, spool))

	seen := map[string]int{}
	for _, id := range readIDs(t, store, time.Time{}, time.Time{}) {
		seen[id]++
		require.Equal(t, 1, seen[id], "record %s", id)
	}
	for id := range acknowledged {
		require.Equal(t, 1, seen[id], "acknowledged record %s", id)
	}
}

// writeToFullDisk logs under a limit on the size of files, which cuts a write short as a full disk does, reports
// each outcome, and goes on after the limit has been lifted.
func writeToFullDisk() {
	signal.Ignore(unix.SIGXFSZ)
	w := childWriter(predictionlog.Options{MaxAge: time.Hour, SyncEvery: time.Hour})
	limit := func(bytes uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}); err != nil {
			panic(err)
		}
	}
	limit(1000)
	for i := range 20 {
		if err := w.Append(record(fmt.Sprintf("%d/0", i)), record(fmt.Sprintf("%d/1", i))); err != nil {
			fmt.Println("refused", err)
			continue
		}
		fmt.Printf("%d/0\n%d/1\n", i, i)
	}
	limit(unix.RLIM_INFINITY)
	if err := w.Append(record("after")); err != nil {
		panic(err)
	}
	fmt.Println("after")
}

func TestAFullDiskRefusesWholeAppendsAndKeepsTheLogSound(t *testing.T) {
	store, spool := newStore(t), t.TempDir()
	out, err := child(t, "full", store.String(), spool, "").Output()
	require.NoError(t, err)
	var acknowledged []string
	refused := 0
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "refused") {
			require.Contains(t, line, "make room in the spool "+spool)
			refused++
			continue
		}
		acknowledged = append(acknowledged, strings.TrimSpace(line))
	}
	require.Positive(t, refused)
	require.Greater(t, len(acknowledged), 2)
	require.NoError(t, predictionlog.Recover(t.Context(), store, spool))
	require.Equal(t, acknowledged, readIDs(t, store, time.Time{}, time.Time{}))
}
