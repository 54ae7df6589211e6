package privacy_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/accountant"
	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/ledger/privacy"
)

// light costs so little that the budget lasts for some rounds.
var light = accountant.Mechanism{NoiseMultiplier: 4, SampleRate: 0.01, Steps: 1000}

// childRoot makes a test process another user of the ledger in the store of that folder.
const childRoot = "ASSAY_TEST_PRIVACY_LEDGER_ROOT"

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

// useUp pays for trainings drawn at random until the budget refuses one, and kills its own process after a few now and
// then. What the ledger confirmed it says on a line of its own.
func useUp(ctx context.Context, root string) error {
	s, err := artifact.OpenDir(root)
	if err != nil {
		return err
	}
	for {
		name := fmt.Sprint(rand.IntN(1000))
		_, err := privacy.Spend(ctx, s, dataset, three, request(name, light))
		if errors.Is(err, privacy.ErrBudget) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Println(key(name))
		if rand.IntN(6) == 0 {
			self, err := os.FindProcess(os.Getpid())
			if err != nil {
				return err
			}
			go func() { _ = self.Kill() }()
		}
	}
}

func TestKilledProcessesNeverOverspend(t *testing.T) {
	s := openStore(t)
	self, err := os.Executable()
	require.NoError(t, err)
	killed := 0
	for round := 0; ; round++ {
		require.Less(t, round, 100, "the budget is never used up")
		outputs, errs := make([][]byte, 3), make([]error, 3)
		var wg sync.WaitGroup
		for i := range outputs {
			wg.Go(func() {
				cmd := exec.Command(self)
				cmd.Env = append(os.Environ(), childRoot+"="+s.String())
				outputs[i], errs[i] = cmd.Output()
			})
		}
		wg.Wait()
		a, err := privacy.Read(t.Context(), s, dataset)
		require.NoError(t, err)
		require.LessOrEqual(t, a.Spent(), three.Epsilon)
		entries := map[string]int{}
		for _, e := range a.Entries {
			entries[e.Key]++
		}
		done := false
		for i, out := range outputs {
			for _, line := range strings.Fields(string(out)) {
				if len(line) == 64 { // a shorter one was cut by the kill
					require.Equal(t, 1, entries[line], "a training that was confirmed has one entry")
				}
			}
			var exit *exec.ExitError
			switch {
			case errs[i] == nil:
				done = true
			case errors.As(errs[i], &exit) && !exit.Exited():
				killed++
			default:
				t.Fatalf("a child failed: %v: %s", errs[i], exit.Stderr)
			}
		}
		if done {
			t.Logf("%d processes killed, %d trainings paid for, epsilon %.4f", killed, len(a.Entries), a.Spent())
			return
		}
	}
}
