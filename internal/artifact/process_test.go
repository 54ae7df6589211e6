package artifact_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/artifact/conformance"
)

// A test process started with these variables acts as another user of the store in the folder.
const (
	childRole = "ASSAY_TEST_STORE_CHILD"
	childRoot = "ASSAY_TEST_STORE_ROOT"
)

func TestMain(m *testing.M) {
	role := os.Getenv(childRole)
	if role == "" {
		os.Exit(m.Run())
	}
	roles := map[string]func(context.Context, string) error{"write": writeForEver, "count": countUp, "limited": writeTooMuch}
	if err := roles[role](context.Background(), os.Getenv(childRoot)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(t *testing.T, role, root string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childRole+"="+role, childRoot+"="+root)
	return cmd
}

// pointers are the documents the writers replace; each holds a number written out many times, so that a part shows.
var pointers = []string{"models/a/champion.json", "models/b/champion.json"}

func pointerContent(n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%08d\n", n), 4000) }

func pointerNumber(data []byte) (int, error) {
	if len(data) < 8 {
		return 0, fmt.Errorf("a document of %d bytes", len(data))
	}
	n, err := strconv.Atoi(string(data[:8]))
	if err != nil || !bytes.Equal(data, pointerContent(n)) {
		return 0, fmt.Errorf("a document with a part of its content (%d bytes)", len(data))
	}
	return n, nil
}

// writeForEver puts blobs and documents until it is killed. After each write that the store confirmed it says so on a
// line of its own: "blob DIGEST", "document NAME" or "pointer NAME NUMBER".
func writeForEver(ctx context.Context, root string) error {
	d, err := artifact.OpenDir(root)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return putBlobs(ctx, d) })
	g.Go(func() error { return putDocuments(ctx, d) })
	for _, name := range pointers {
		g.Go(func() error { return movePointer(ctx, d, name) })
	}
	return g.Wait()
}

func putBlobs(ctx context.Context, d *artifact.Dir) error {
	for {
		data := bytes.Repeat(strconv.AppendUint(nil, rand.Uint64(), 16), 1+rand.IntN(20_000))
		ref, err := d.Put(ctx, bytes.NewReader(data), artifact.MediaText)
		if err != nil {
			return err
		}
		fmt.Println("blob", ref.Digest)
	}
}

func putDocuments(ctx context.Context, d *artifact.Dir) error {
	for {
		name := fmt.Sprintf("chain/%d/%d.json", rand.IntN(3), rand.Uint64())
		if _, err := d.PutIfAbsent(ctx, name, pointerContent(7)); err != nil {
			return err
		}
		fmt.Println("document", name)
	}
}

func movePointer(ctx context.Context, d *artifact.Dir, name string) error {
	for {
		data, v, err := d.Get(ctx, name)
		if err != nil {
			return err
		}
		n, err := pointerNumber(data)
		if err != nil {
			return err
		}
		if _, err := d.PutIfMatch(ctx, name, pointerContent(n+1), v); err != nil {
			return err
		}
		fmt.Println("pointer", name, n+1)
	}
}

func TestKilledWritersLeaveOldOrNewAndLoseNothingConfirmed(t *testing.T) {
	const kills = 30
	d := openDir(t)
	for _, name := range pointers {
		_, err := d.PutIfAbsent(t.Context(), name, pointerContent(0))
		require.NoError(t, err)
	}
	leftovers := 0
	for round := range kills {
		said := killAfterLines(t, child(t, "write", d.String()), 1+rand.IntN(40))
		require.NotEmpty(t, said, "round %d: the writer wrote nothing", round)
		requireConfirmed(t, d, said)
		requireWholeBlobs(t, d)
		leftovers = len(temporaryFiles(t, d.String()))
	}
	require.Positive(t, leftovers, "no kill struck in the middle of a write: the test shows nothing")
	names, err := d.List(t.Context(), "chain")
	require.NoError(t, err)
	for _, name := range names {
		data, _, err := d.Get(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, pointerContent(7), data, name)
	}
}

// killAfterLines starts a writer, kills it with SIGKILL once it has said n lines, and gives all it said.
func killAfterLines(t *testing.T, cmd *exec.Cmd, n int) []string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	var said []string
	reader := bufio.NewReader(out)
	for {
		line, err := reader.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // a line without its end was not confirmed
		}
		require.NoError(t, err)
		said = append(said, strings.TrimSpace(line))
		if len(said) == n {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), stderr.String())
	return said
}

func requireConfirmed(t *testing.T, d *artifact.Dir, said []string) {
	t.Helper()
	for _, line := range said {
		word := strings.Fields(line)
		switch word[0] {
		case "blob":
			digest, err := artifact.ParseDigest(word[1])
			require.NoError(t, err)
			_, err = artifact.ReadAll(t.Context(), d, artifact.Ref{Digest: digest, Size: artifact.SizeUnknown})
			require.NoError(t, err)
		case "document":
			_, _, err := d.Get(t.Context(), word[1])
			require.NoError(t, err)
		case "pointer":
			data, _, err := d.Get(t.Context(), word[1])
			require.NoError(t, err)
			found, err := pointerNumber(data)
			require.NoError(t, err)
			confirmed, err := strconv.Atoi(word[2])
			require.NoError(t, err)
			require.GreaterOrEqual(t, found, confirmed)
		}
	}
}

// requireWholeBlobs hashes every file in the blob folder, whoever wrote it.
func requireWholeBlobs(t *testing.T, d *artifact.Dir) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(filepath.Join(d.String(), "blobs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if found := artifact.Sum(data).Hex(); found != e.Name() {
			return fmt.Errorf("%s holds bytes of %s", path, found)
		}
		return nil
	}))
}

// Contention between processes: every child increments the counter, and creates the same documents as the others.
const (
	countTo     = 40
	raceLength  = 40
	countersDoc = "ledgers/counter"
)

func countUp(ctx context.Context, root string) error {
	d, err := artifact.OpenDir(root)
	if err != nil {
		return err
	}
	for range countTo {
		if err := conformance.Increment(ctx, d, countersDoc); err != nil {
			return err
		}
	}
	won := 0
	for i := range raceLength {
		_, err := d.PutIfAbsent(ctx, fmt.Sprintf("race/%d", i), []byte(strconv.Itoa(os.Getpid())))
		if err == nil {
			won++
		} else if !errors.Is(err, artifact.ErrExists) {
			return err
		}
	}
	fmt.Print(won)
	return nil
}

func TestProcessesDoNotLoseEachOthersWrites(t *testing.T) {
	const processes = 4
	d := openDir(t)
	_, err := d.PutIfAbsent(t.Context(), countersDoc, []byte("0"))
	require.NoError(t, err)

	won := make([]int, processes)
	errs := make([]error, processes)
	var wg sync.WaitGroup
	for i := range processes {
		cmd := child(t, "count", d.String())
		wg.Go(func() {
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				errs[i] = fmt.Errorf("%w: %s", err, stderr.String())
				return
			}
			won[i], errs[i] = strconv.Atoi(string(out))
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))

	total := 0
	for _, n := range won {
		total += n
	}
	require.Equal(t, raceLength, total, "each name has one winner")
	counter, _, err := d.Get(t.Context(), countersDoc)
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(processes*countTo), string(counter))
}

// writeTooMuch writes past the largest file the process may have, which looks to the store like a disk that fills up in the
// middle of a file.
func writeTooMuch(ctx context.Context, root string) error {
	d, err := artifact.OpenDir(root)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 50_000, Max: 50_000}); err != nil {
		return err
	}
	large := bytes.Repeat([]byte("x"), 100_000)
	_, old, err := d.Get(ctx, pointers[0])
	if err != nil {
		return err
	}
	_, blob := d.Put(ctx, bytes.NewReader(large), artifact.MediaText)
	_, created := d.PutIfAbsent(ctx, "new", large)
	_, replaced := d.PutIfMatch(ctx, pointers[0], large, old)
	for _, err := range []error{blob, created, replaced} {
		if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), "free space") {
			return fmt.Errorf("expected an error about space, got %w", err)
		}
	}
	return nil
}

func TestWritesThatDoNotFitLoseNothing(t *testing.T) {
	d := openDir(t)
	_, err := d.PutIfAbsent(t.Context(), pointers[0], pointerContent(1))
	require.NoError(t, err)
	out, err := child(t, "limited", d.String()).CombinedOutput()
	require.NoError(t, err, string(out))

	data, _, err := d.Get(t.Context(), pointers[0])
	require.NoError(t, err)
	require.Equal(t, pointerContent(1), data)
	_, _, err = d.Get(t.Context(), "new")
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.Empty(t, temporaryFiles(t, d.String()))
	requireWholeBlobs(t, d)
}
