package serve

import (
	"context"
	"errors"
	"math"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/spec"
)

func TestAProgramThatDiesInABatchIsStartedAgain(t *testing.T) {
	fx := newFixture(t, "serves")
	m := fx.open()
	fx.do(func(call) string {
		if len(fx.seen()) == 1 {
			return "die"
		}
		return "good"
	})
	got, err := m.Predict(t.Context(), frame([]float64{7}))
	require.NoError(t, err)
	require.Equal(t, []float64{0.257}, got)
	require.Equal(t, 1, m.Restarts())
	calls := fx.seen()
	require.NotEqual(t, calls[0].Pid, calls[1].Pid)
}

func TestAProgramThatDiesWhileIdleIsStartedAgain(t *testing.T) {
	t.Parallel()
	fx := newFixture(t, "serves")
	m := fx.open()
	for range 2 {
		_, err := m.Predict(t.Context(), frame([]float64{7}))
		require.NoError(t, err)
		calls := fx.seen()
		require.NoError(t, syscall.Kill(calls[len(calls)-1].Pid, syscall.SIGKILL))
	}
	require.Eventually(t, func() bool { return m.Restarts() == 2 }, 10*time.Second, time.Millisecond)
	got, err := m.Predict(t.Context(), frame([]float64{7}))
	require.NoError(t, err)
	require.Equal(t, []float64{0.257}, got)
}

func TestAProgramThatDiesInEveryBatchIsGivenUp(t *testing.T) {
	t.Parallel()
	fx := newFixture(t, "serves")
	m := fx.open()
	fx.do(func(call) string { return "die" })
	_, err := m.Predict(t.Context(), frame([]float64{7}))
	var failed *RequestError
	require.ErrorAs(t, err, &failed)
	require.True(t, failed.Transient())
	require.ErrorContains(t, err, "ended in the middle of the request, 3 times in a row")
	require.ErrorContains(t, err, "the weights are on fire")
	require.Len(t, fx.seen(), 3, "two tries more")

	_, err = m.Predict(t.Context(), frame([]float64{7}))
	require.Error(t, err)
	var start *StartError
	require.Eventually(t, func() bool { return errors.As(m.Failed(), &start) }, 60*time.Second, time.Millisecond)
	require.Equal(t, GaveUp, start.Kind)
	require.False(t, start.Transient())
	require.Equal(t, mostRestarts, m.Restarts())
	_, err = m.Predict(t.Context(), frame([]float64{7}))
	require.ErrorAs(t, err, &start)
	require.ErrorContains(t, err, "was started 6 times without answering one batch")
	require.ErrorContains(t, err, "the weights are on fire")
}

func TestARequestThatTakesTooLongEnds(t *testing.T) {
	t.Parallel()
	fx := newFixture(t, "serves", func(fx *fixture) { fx.served.Serve.TimeLimit = spec.Duration(3 * time.Second) })
	m := fx.open()
	release := make(chan struct{})
	fx.do(func(call) string {
		<-release
		return "good"
	})
	_, err := m.Predict(t.Context(), frame([]float64{7}))
	var failed *RequestError
	require.ErrorAs(t, err, &failed)
	require.True(t, failed.Transient())
	require.ErrorContains(t, err, "no answer within 3s. Lower serve.batch_rows or raise serve.time_limit.")
	require.Len(t, fx.seen(), 1, "it is not asked again")
	close(release)
	_, err = m.Predict(t.Context(), frame([]float64{7}))
	require.NoError(t, err)
	require.Zero(t, m.Restarts(), "it answers /ping, so it goes on")
}

func TestAProgramThatHangsIsEndedAndStartedAgain(t *testing.T) {
	t.Parallel()
	fx := newFixture(t, "serves", func(fx *fixture) { fx.served.Serve.TimeLimit = spec.Duration(3 * time.Second) })
	m := fx.open()
	fx.do(func(call) string { return "hang" })
	_, err := m.Predict(t.Context(), frame([]float64{7}))
	require.ErrorContains(t, err, "no answer within 3s")
	fx.do(func(call) string { return "good" })
	require.Eventually(t, func() bool { return m.Restarts() == 1 }, 30*time.Second, time.Millisecond)
	_, err = m.Predict(t.Context(), frame([]float64{7}))
	require.NoError(t, err)
}

func TestACallerWhoGoesAwayReturnsAtOnce(t *testing.T) {
	fx := newFixture(t, "serves", func(fx *fixture) { fx.served.Serve.BatchRows = 2 })
	m := fx.open()
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	fx.do(func(call) string {
		cancel()
		<-release
		return "good"
	})
	_, err := m.Predict(ctx, frame(numbered(100)))
	require.ErrorIs(t, err, context.Canceled)
	require.LessOrEqual(t, len(fx.seen()), 2, "nothing more is asked")
	close(release)
	_, err = m.Predict(t.Context(), frame(numbered(4)))
	require.NoError(t, err)
}

func TestManyCallersShareOneServer(t *testing.T) {
	t.Parallel()
	fx := newFixture(t, "serves", func(fx *fixture) { fx.served.Serve.BatchRows = 16 })
	m := fx.open()
	fx.do(func(c call) string {
		if c.First == 13 {
			return "status 400 unlucky"
		}
		return "good"
	})
	var callers sync.WaitGroup
	for caller := range 12 {
		callers.Go(func() {
			for i := range 15 {
				xs := []float64{float64(caller*20 + i)}
				if caller == 0 {
					xs = numbered(70)
					xs[0], xs[16], xs[32], xs[48], xs[64] = 1, 2, 3, 4, 5
				}
				got, err := m.Predict(t.Context(), frame(xs))
				var failed *RequestError
				switch {
				case xs[0] == 13:
					if !errors.As(err, &failed) {
						t.Errorf("%v", err)
					}
				case err != nil || !near(got, wanted(xs)):
					t.Errorf("%v, %v", got, err)
				}
			}
		})
	}
	callers.Wait()
	for _, c := range fx.seen() {
		require.LessOrEqual(t, c.Rows, 16)
	}
}

func near(a, b []float64) bool {
	for i := range a {
		if math.Abs(a[i]-b[i]) > 1e-12 {
			return false
		}
	}
	return len(a) == len(b)
}

func TestCloseDrains(t *testing.T) {
	fx := newFixture(t, "serves")
	m, err := fx.loader.Open(t.Context(), fx.store())
	require.NoError(t, err)
	entered, release := make(chan struct{}), make(chan struct{})
	fx.do(func(c call) string {
		if c.First == 7 {
			close(entered)
			<-release
		}
		return "good"
	})
	type result struct {
		scores []float64
		err    error
	}
	answered := make(chan result, 1)
	go func() {
		scores, err := m.Predict(context.Background(), frame([]float64{7}))
		answered <- result{scores, err}
	}()
	<-entered
	closed := make(chan error, 2)
	for range 2 {
		go func() { closed <- m.Close() }()
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	require.Eventually(t, func() bool {
		_, err := m.Predict(gone, frame([]float64{8}))
		return errors.Is(err, ErrClosed)
	}, 10*time.Second, time.Millisecond)
	select {
	case <-closed:
		t.Fatal("closed while a request was at work")
	default:
	}
	close(release)
	require.Equal(t, result{scores: []float64{0.257}}, <-answered)
	require.NoError(t, <-closed)
	require.NoError(t, <-closed)
	fx.nothingLeft()
	require.ErrorIs(t, syscall.Kill(fx.seen()[0].Pid, 0), syscall.ESRCH)
	usage := m.Usage()
	require.Positive(t, usage.CPU)
	require.Positive(t, usage.PeakMemoryBytes)
	require.Positive(t, usage.Wall)
}

func TestCloseEndsAProgramThatIgnoresSIGTERM(t *testing.T) {
	t.Parallel()
	fx := newFixture(t, "deaf")
	m := fx.open()
	_, err := m.Predict(t.Context(), frame([]float64{7}))
	require.NoError(t, err)
	require.NoError(t, m.Close())
	require.ErrorIs(t, syscall.Kill(fx.seen()[0].Pid, 0), syscall.ESRCH)
	require.Zero(t, m.Restarts())
}

func TestCloseDuringARestart(t *testing.T) {
	fx := newFixture(t, "serves")
	m := fx.open()
	_, err := m.Predict(t.Context(), frame([]float64{7}))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(fx.seen()[0].Pid, syscall.SIGKILL))
	require.NoError(t, m.Close())
	_, err = m.Predict(t.Context(), frame([]float64{7}))
	require.ErrorIs(t, err, ErrClosed)
}
