package command

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func begun(n int) time.Time { return handedOut(Job{}, n).Begun }

func TestALaterAttemptTakesATrainingOver(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"from one that keeps a checkpoint", `printf 1 > "$C/s"; echo '{"checkpoint": "s"}'; touch "$SYNC/on"; await go; printf 22 > "$C/s"; echo '{"checkpoint": "s"}'; sleep 1000`},
		{"from one that leaves a model", `printf 1 > "$C/s"; echo '{"checkpoint": "s"}'; touch "$SYNC/on"; await go; model`},
		{"from one that fails", `printf 1 > "$C/s"; echo '{"checkpoint": "s"}'; touch "$SYNC/on"; await go; exit 3`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			j := b.script(t, c.script)
			done := b.begin(t, t.Context(), j)
			b.seen(t, "on")
			b.checkpointed(t, j, map[string]string{"s": "1"})
			later, err := takeLease(t.Context(), b.store, j.Execution, 2, begun(2))
			require.NoError(t, err)
			require.Equal(t, 1, later.record.Checkpoint.Number, "it goes on from the checkpoint")
			b.signal(t, "go")
			f := failed(t, b.await(t, done).err, LostLease, true)
			require.ErrorContains(t, f, "a later attempt of this training has taken over; this one ends without effect")
			r := b.record(t, j)
			require.Equal(t, later.record, r, "the earlier one has published nothing")
			require.NoError(t, later.update(t.Context(), func(r *record) { r.Done = true }))

			b.fails(t, j, LostLease, true)
			b.fails(t, handedOut(j, 1), LostLease, true)
			require.True(t, b.record(t, j).Done)
		})
	}
}

func TestUsageAddsUpOverAttempts(t *testing.T) {
	b := newBench(t)
	j := b.script(t, `i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; if [ "$ASSAY_ATTEMPT" = 2 ]; then model; else exit 75; fi`)
	j.Devices = []device.Device{{Simulated: true}, {Index: 1, Simulated: true}}
	first, err := b.run(t, t.Context(), j)
	failed(t, err, Exited, true)
	require.Positive(t, first.Usage.CPUSeconds)
	require.Positive(t, first.Usage.PeakMemoryBytes)
	require.Greater(t, first.Usage.GPUSeconds, first.Usage.CPUSeconds, "two devices were held while it ran")
	require.Equal(t, first.Usage, b.record(t, j).Usage)
	second := b.succeeds(t, handedOut(j, 2))
	require.Greater(t, second.Usage.CPUSeconds, first.Usage.CPUSeconds)
	require.Greater(t, second.Usage.GPUSeconds, first.Usage.GPUSeconds)
	require.GreaterOrEqual(t, second.Usage.PeakMemoryBytes, first.Usage.PeakMemoryBytes)
	require.Equal(t, second.Usage, b.record(t, j).Usage)
}

func TestOfConcurrentTakersTheLatestHoldsTheLease(t *testing.T) {
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	training := 0
	rapid.Check(t, func(t *rapid.T) {
		training++
		execution := fmt.Sprint("training ", training)
		order := rapid.Permutation([]int{1, 2, 3, 4}).Draw(t, "order")
		held := make([]*lease, len(order)+1)
		var takers sync.WaitGroup
		for _, n := range order {
			takers.Go(func() {
				l, err := takeLease(context.Background(), store, execution, int32(n), begun(n))
				if err == nil {
					held[n] = l
				} else {
					require.ErrorIs(t, err, errLostLease)
				}
			})
		}
		takers.Wait()
		holders := 0
		for n, l := range held {
			if l == nil {
				continue
			}
			if err := l.update(context.Background(), func(r *record) { r.Failures++ }); err != nil {
				require.ErrorIs(t, err, errLostLease)
				continue
			}
			holders++
			require.Equal(t, len(order), n, "the latest")
		}
		require.Equal(t, 1, holders)
		_, err := takeLease(context.Background(), store, execution, 3, begun(3))
		require.ErrorIs(t, err, errLostLease, "an earlier one comes too late")
	})
}

func TestAttemptsThatBeganAtTheSameTimeAreOneHolder(t *testing.T) {
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	var held [8]*lease
	var takers sync.WaitGroup
	for i := range held {
		takers.Go(func() {
			held[i], _ = takeLease(t.Context(), store, "training", 1, begun(1))
		})
	}
	takers.Wait()
	holders := 0
	for _, l := range held {
		require.NotNil(t, l)
		if l.update(t.Context(), func(r *record) { r.Failures++ }) == nil {
			holders++
		}
	}
	require.Equal(t, 1, holders)
}

// unanswered is a store that does what it is asked to and whose answer gets lost, so that it is asked again.
type unanswered struct {
	artifact.Store
	lose int
}

func (u *unanswered) PutIfMatch(ctx context.Context, name string, data []byte, v artifact.Version) (artifact.Version, error) {
	version, err := u.Store.PutIfMatch(ctx, name, data, v)
	if err == nil && u.lose > 0 {
		u.lose--
		return u.Store.PutIfMatch(ctx, name, data, v)
	}
	return version, err
}

func TestAnAttemptDoesNotTakeItsOwnTraceForAnother(t *testing.T) {
	dir, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	store := &unanswered{Store: dir}
	l, err := takeLease(t.Context(), store, "training", 1, time.Now())
	require.NoError(t, err)
	for n := range 3 {
		store.lose = n % 2
		require.NoError(t, l.update(t.Context(), func(r *record) { r.Failures++; r.Usage = r.Usage.Plus(stage.Usage{CPUSeconds: 1}) }))
	}
	require.Equal(t, 3, l.record.Failures)

	store.lose = 1
	_, err = takeLease(t.Context(), store, "training", 2, time.Now())
	require.NoError(t, err)
	require.ErrorIs(t, l.update(t.Context(), func(r *record) { r.Done = true }), errLostLease)
	var r record
	_, err = artifact.GetJSON(t.Context(), dir, l.name, &r)
	require.NoError(t, err)
	require.Equal(t, 3, r.Failures, "nothing counts twice")
	require.False(t, r.Done)
}

func TestALeaseOfADocumentThatIsGoneIsLost(t *testing.T) {
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	l, err := takeLease(t.Context(), store, "training", 1, begun(1))
	require.NoError(t, err)
	l.name = "checkpoints/gone.json"
	require.ErrorIs(t, l.update(t.Context(), func(*record) {}), errLostLease)
	_, err = store.PutIfAbsent(t.Context(), "checkpoints/"+artifact.Sum([]byte("other")).Hex()+".json", []byte("no JSON"))
	require.NoError(t, err)
	_, err = takeLease(t.Context(), store, "other", 1, begun(1))
	require.ErrorContains(t, err, "take over the training: read document")
}
