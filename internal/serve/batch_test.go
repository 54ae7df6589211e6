package serve

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/table"
)

// asked is one request of a batcher: the values of each part, and how the test answers.
type asked struct {
	ctx    context.Context
	parts  [][]float64
	once   bool
	answer chan error // nil: scores are the values
}

// newBatcher is a batcher whose requests the test answers one by one.
func newBatcher(batchRows, inFlight int) (*batcher, chan asked) {
	requests := make(chan asked)
	b := &batcher{batchRows: batchRows, inFlight: inFlight, width: 1}
	b.ask = func(ctx context.Context, parts []rows, once bool) ([]float64, error) {
		a := asked{ctx: ctx, once: once, answer: make(chan error)}
		var scores []float64
		for _, p := range parts {
			a.parts = append(a.parts, p.columns[0].Numbers[p.from:p.to])
			scores = append(scores, p.columns[0].Numbers[p.from:p.to]...)
		}
		requests <- a
		if err := <-a.answer; err != nil {
			return nil, err
		}
		return scores, nil
	}
	return b, requests
}

func view(values ...float64) rows {
	return rows{[]*table.Column{{Kind: table.Numeric, Numbers: values}}, 0, len(values)}
}

type outcome struct {
	scores []float64
	err    error
}

// ask asks in the background and returns when the rows wait for a place, or are at work.
func (b *batcher) askLater(t *testing.T, ctx context.Context, waiting int, values ...float64) chan outcome {
	t.Helper()
	done := make(chan outcome, 1)
	go func() {
		scores, err := b.score(ctx, view(values...))
		done <- outcome{scores, err}
	}()
	require.Eventually(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.waiting) == waiting
	}, 10*time.Second, time.Millisecond)
	return done
}

func TestRowsThatMustWaitAreJoined(t *testing.T) {
	b, requests := newBatcher(5, 1)
	ctx := t.Context()
	first := b.askLater(t, ctx, 0, 1)
	at := <-requests
	require.Equal(t, [][]float64{{1}}, at.parts, "rows that need not wait go at once")
	require.False(t, at.once)
	var later []chan outcome
	for i, values := range [][]float64{{2}, {3, 4}, {5, 6, 7}, {8}, {9}} {
		later = append(later, b.askLater(t, ctx, i+1, values...))
	}
	at.answer <- nil
	require.Equal(t, outcome{scores: []float64{1}}, <-first)
	at = <-requests
	require.Equal(t, [][]float64{{2}, {3, 4}, {8}, {9}}, at.parts, "what fits goes together")
	require.True(t, at.once)
	at.answer <- nil
	at = <-requests
	require.Equal(t, [][]float64{{5, 6, 7}}, at.parts)
	at.answer <- nil
	for i, want := range [][]float64{{2}, {3, 4}, {5, 6, 7}, {8}, {9}} {
		require.Equal(t, outcome{scores: want}, <-later[i])
	}
}

func TestOneCallersBadRowDoesNotFailAnothers(t *testing.T) {
	for _, bad := range []error{&AnswerError{Row: 1}, &RequestError{Status: 400}, &RequestError{Status: 500}, &RequestError{Err: errors.New("EOF")}} {
		b, requests := newBatcher(10, 1)
		first := b.askLater(t, t.Context(), 0, 1)
		at := <-requests
		good, faulty, last := b.askLater(t, t.Context(), 1, 2), b.askLater(t, t.Context(), 2, 3), b.askLater(t, t.Context(), 3, 4)
		at.answer <- nil
		<-first
		at = <-requests
		require.Len(t, at.parts, 3)
		at.answer <- bad
		for range 3 {
			at = <-requests
			require.Len(t, at.parts, 1, "each is asked alone")
			require.False(t, at.once)
			if at.parts[0][0] == 3 {
				at.answer <- bad
			} else {
				at.answer <- nil
			}
		}
		require.Equal(t, outcome{scores: []float64{2}}, <-good)
		require.Equal(t, outcome{err: bad}, <-faulty)
		require.Equal(t, outcome{scores: []float64{4}}, <-last)
	}
}

func TestAServerThatIsGivenUpFailsAllAtOnce(t *testing.T) {
	b, requests := newBatcher(10, 1)
	b.askLater(t, t.Context(), 0, 1)
	at := <-requests
	one, two := b.askLater(t, t.Context(), 1, 2), b.askLater(t, t.Context(), 2, 3)
	at.answer <- nil
	at = <-requests
	gone := &StartError{Kind: GaveUp}
	at.answer <- gone
	require.Equal(t, outcome{err: gone}, <-one)
	require.Equal(t, outcome{err: gone}, <-two)
}

func TestABatchGoesOnForThoseWhoStay(t *testing.T) {
	b, requests := newBatcher(10, 1)
	first := b.askLater(t, t.Context(), 0, 1)
	at := <-requests
	leaving, leave := context.WithCancel(t.Context())
	gone, goneBefore := context.WithCancel(t.Context())
	left, stays, early := b.askLater(t, leaving, 1, 2), b.askLater(t, t.Context(), 2, 3), b.askLater(t, gone, 3, 4)
	goneBefore()
	require.ErrorIs(t, (<-early).err, context.Canceled)
	at.answer <- nil
	<-first
	at = <-requests
	require.Equal(t, [][]float64{{2}, {3}}, at.parts, "nobody waits for the other row any more")
	leave()
	require.ErrorIs(t, (<-left).err, context.Canceled)
	require.NoError(t, at.ctx.Err(), "one still waits")
	at.answer <- nil
	require.Equal(t, outcome{scores: []float64{3}}, <-stays)
}

func TestABatchEndsWhenNobodyWaitsForIt(t *testing.T) {
	b, requests := newBatcher(10, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := b.askLater(t, ctx, 0, 1)
	at := <-requests
	cancel()
	require.ErrorIs(t, (<-done).err, context.Canceled)
	<-at.ctx.Done()
	at.answer <- at.ctx.Err()
	b.batches.Wait()
}

func TestAFrameIsCutAndPutTogetherInOrder(t *testing.T) {
	b, requests := newBatcher(3, 2)
	done := make(chan outcome, 1)
	values := []float64{1, 2, 3, 4, 5, 6, 7}
	go func() {
		scores, err := b.score(t.Context(), view(values...))
		done <- outcome{scores, err}
	}()
	one, two := <-requests, <-requests
	select {
	case <-requests:
		t.Fatal("more at once than may be")
	default:
	}
	two.answer <- nil
	three := <-requests
	three.answer <- nil
	one.answer <- nil
	require.Equal(t, outcome{scores: values}, <-done)

	go func() {
		scores, err := b.score(t.Context(), view(values...))
		done <- outcome{scores, err}
	}()
	one, two = <-requests, <-requests
	bad := &AnswerError{Row: 2}
	if one.parts[0][0] != 4 {
		one, two = two, one
	}
	one.answer <- bad
	got := <-done
	require.Nil(t, got.scores)
	require.Equal(t, 5, bad.Row, "counted in the whole frame")
	<-two.ctx.Done()
	two.answer <- two.ctx.Err()
	b.batches.Wait()
}

func TestManyCallersAtOnce(t *testing.T) {
	const batchRows, inFlight = 8, 3
	b := &batcher{batchRows: batchRows, inFlight: inFlight, width: 1}
	var atWork, joined atomic.Int64
	crowded := make(chan struct{}) // closed when callers wait, so that there is something to join
	b.ask = func(ctx context.Context, parts []rows, once bool) ([]float64, error) {
		if n := atWork.Add(1); n > inFlight {
			t.Errorf("%d requests at once", n)
		}
		defer atWork.Add(-1)
		<-crowded
		var scores []float64
		for _, p := range parts {
			scores = append(scores, p.columns[0].Numbers[p.from:p.to]...)
		}
		if len(scores) > batchRows {
			t.Errorf("%d rows in a request", len(scores))
		}
		if once {
			joined.Add(1)
			if rand.IntN(4) == 0 {
				return nil, &AnswerError{Row: -1}
			}
		}
		return scores, nil
	}
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for range 100 {
				values := make([]float64, 1+rand.IntN([]int{2, 3 * batchRows}[rand.IntN(2)]))
				for i := range values {
					values[i] = rand.Float64()
				}
				got, err := b.score(t.Context(), view(values...))
				if err != nil || !equal(got, values) {
					t.Errorf("%v instead of %v, %v", got, values, err)
				}
			}
		})
	}
	require.Eventually(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.waiting) >= 16-inFlight
	}, 10*time.Second, time.Millisecond)
	close(crowded)
	callers.Wait()
	b.batches.Wait()
	require.Positive(t, joined.Load())
	require.Empty(t, b.waiting)
}

func equal(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
