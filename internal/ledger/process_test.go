package ledger_test

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
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/ledger"
)

// childRoot makes a test process another user of the ledgers in the store of that folder.
const childRoot = "ASSAY_TEST_LEDGER_ROOT"

func TestMain(m *testing.M) {
	root := os.Getenv(childRoot)
	if root == "" {
		os.Exit(m.Run())
	}
	if err := useUp(context.Background(), root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// What the children share.
const decisions = 200

var crowded = ledger.Rules{Adaptivity: ledger.None, Steps: 150, Reliability: 0.99, Answers: 2}

// useUp takes steps for decisions drawn at random, and settles every second one, until the set has ended. What the
// ledger confirmed it says on a line of its own: "taken KEY STEP" or "settled KEY VERDICT".
func useUp(ctx context.Context, root string) error {
	s, err := artifact.OpenDir(root)
	if err != nil {
		return err
	}
	for {
		n := rand.IntN(decisions)
		k := key(fmt.Sprint(n))
		taken, err := ledger.Take(ctx, s, request(crowded, fmt.Sprint(n)))
		if errors.As(err, new(*ledger.EndedError)) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Println("taken", k, taken.Step)
		if n%2 == 1 {
			continue
		}
		v := verdictOf(n)
		if err := ledger.Settle(ctx, s, model, rows.Digest, k, v, noon); err != nil {
			return err
		}
		fmt.Println("settled", k, v)
	}
}

func verdictOf(n int) gate.Verdict { return []gate.Verdict{gate.Pass, gate.Fail}[n/2%2] }

// run starts a child and gives all it said; after n lines it is killed with SIGKILL, unless n is 0.
func run(root string, n int) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childRoot+"="+root)
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

func TestKilledProcessesTakeEveryStepOnce(t *testing.T) {
	const rounds, processes = 6, 3
	s := openStore(t)
	var said []string
	uses := 0
	for round := 0; round < rounds && uses < crowded.Steps/2; round++ {
		lines := make([][]string, processes)
		errs := make([]error, processes)
		var wg sync.WaitGroup
		for i := range processes {
			n := 5 + rand.IntN(10)
			wg.Go(func() { lines[i], errs[i] = run(s.String(), n) })
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs...))
		for _, l := range lines {
			said = append(said, l...)
		}
		set := requireConfirmed(t, s, said)
		require.Greater(t, len(set.Uses), uses, "round %d took nothing: the test shows nothing", round)
		uses = len(set.Uses)
	}
	last, err := run(s.String(), 0)
	require.NoError(t, err)
	set := requireConfirmed(t, s, append(said, last...))
	require.Len(t, set.Uses, crowded.Steps)
	require.Equal(t, ledger.Ended, set.State)
	require.Equal(t, ledger.Exhausted, set.Ended.Why)
}

// requireConfirmed reads the ledger, which checks that its steps and keys are in order, and finds in it what was said.
func requireConfirmed(t *testing.T, s artifact.Store, said []string) ledger.TestSet {
	t.Helper()
	set := find(t, s)
	require.LessOrEqual(t, len(set.Uses), crowded.Steps)
	uses := map[string]ledger.Use{}
	for _, u := range set.Uses {
		uses[u.Key] = u
	}
	require.Len(t, uses, len(set.Uses))
	for _, line := range said {
		word := strings.Fields(line)
		u, found := uses[word[1]]
		require.True(t, found, line)
		if word[0] == "taken" {
			require.Equal(t, word[2], fmt.Sprint(u.Step), line)
		} else {
			require.Equal(t, word[2], string(u.Verdict), line)
		}
	}
	return set
}
