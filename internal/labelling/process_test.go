package labelling_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/labelling"
)

// A test process started with these variables is a person who answers the request in the store of that folder.
const (
	childRoot    = "ASSAY_TEST_LABELS_ROOT"
	childRequest = "ASSAY_TEST_LABELS_REQUEST"
)

func TestMain(m *testing.M) {
	root := os.Getenv(childRoot)
	if root == "" {
		os.Exit(m.Run())
	}
	if err := label(context.Background(), root, os.Getenv(childRequest)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// pairs of rows are labelled together, with a number that nobody else gives: so a half, and a label of two, would show.
const pairs = 120

// label submits pairs at random until all rows have labels. What was kept it says on a line of its own: "PAIR NUMBER".
func label(ctx context.Context, root, id string) error {
	s, err := artifact.OpenDir(root)
	if err != nil {
		return err
	}
	r, err := labelling.Find(ctx, s, model, id)
	if err != nil {
		return err
	}
	for {
		pair, number := rand.Int64N(pairs), strconv.FormatUint(uint64(rand.Uint32()), 10)
		p, err := labelling.Submit(ctx, s, r, []labelling.Answer{{Row: 2*pair + 1, Label: number}, {Row: 2*pair + 2, Label: number}}, "ben", noon)
		if errors.As(err, new(*labelling.ConflictError)) {
			if p, err = labelling.Submit(ctx, s, r, nil, "ben", noon); err == nil && p.Missing == 0 {
				return nil
			}
			continue
		}
		if err != nil {
			return err
		}
		fmt.Println(pair, number)
	}
}

// run starts a child and gives all it said; after n lines it is killed with SIGKILL, unless n is 0.
func run(root, id string, n int) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childRoot+"="+root, childRequest+"="+id)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var said []string
	for reader := bufio.NewReader(out); ; {
		line, err := reader.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // a line without its end was not confirmed
		}
		if err != nil {
			return nil, err
		}
		if said = append(said, strings.TrimSpace(line)); len(said) == n {
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return nil, err
			}
		}
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && n > 0 && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return said, nil
	}
	if err != nil {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return said, err
}

func TestKilledPeopleLeaveWholeSubmissions(t *testing.T) {
	const rounds, processes = 5, 3
	s := openStore(t)
	r := numbers(t, s)
	r.Rows = nil
	for row := range int64(2 * pairs) {
		r.Rows = append(r.Rows, row+1)
	}
	r.Representative, r.Chosen = r.Rows, nil
	r = ask(t, s, r)
	var said []string
	kept := 0
	for round := 0; round < rounds && kept < pairs; round++ {
		lines := make([][]string, processes)
		errs := make([]error, processes)
		var wg sync.WaitGroup
		for i := range processes {
			n := 3 + rand.IntN(6)
			wg.Go(func() { lines[i], errs[i] = run(s.String(), r.ID, n) })
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs...))
		for _, l := range lines {
			said = append(said, l...)
		}
		labels := requireConfirmed(t, s, said)
		require.Greater(t, labels, kept, "round %d kept nothing: the test shows nothing", round)
		kept = labels
	}
	last, err := run(s.String(), r.ID, 0)
	require.NoError(t, err)
	require.Equal(t, 2*pairs, requireConfirmed(t, s, append(said, last...)))
}

// requireConfirmed counts the labels, and finds that every pair has one number, the one that was said.
func requireConfirmed(t *testing.T, s artifact.Store, said []string) int {
	t.Helper()
	labels := values(t, s)
	for pair := range int64(pairs) {
		require.Equal(t, labels[2*pair+1], labels[2*pair+2], "pair %d", pair)
	}
	for _, line := range said {
		pair, number, _ := strings.Cut(line, " ")
		n, err := strconv.ParseInt(pair, 10, 64)
		require.NoError(t, err)
		require.Equal(t, number, labels[2*n+1], line)
	}
	return len(labels)
}
