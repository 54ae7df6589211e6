package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/table"
)

// closable counts how often it is closed and how often it is asked afterwards.
type closable struct {
	fakePredictor
	closed, askedLate atomic.Int64
	broken            atomic.Pointer[error]
}

func (c *closable) Predict(ctx context.Context, f *table.Frame) ([]float64, error) {
	scores, err := c.fakePredictor.Predict(ctx, f)
	if c.closed.Load() > 0 {
		c.askedLate.Add(1)
	}
	return scores, err
}

func (c *closable) Close() error {
	c.closed.Add(1)
	return nil
}

func (c *closable) Failed() error {
	if err := c.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// slowSource holds loads back until the test lets them through.
type slowSource struct {
	*fakeSource
	doors map[attempt]chan struct{}
	deaf  bool // goes on loading when it is told to stop
	asked chan attempt
	ended atomic.Int64
}

func newSlowSource(src *fakeSource, held ...attempt) *slowSource {
	s := &slowSource{fakeSource: src, doors: map[attempt]chan struct{}{}, asked: make(chan attempt, 100)}
	for _, a := range held {
		s.doors[a] = make(chan struct{})
	}
	return s
}

func (s *slowSource) Load(ctx context.Context, name string, number int) (model.Predictor, error) {
	defer s.ended.Add(1)
	a := attempt{name, number}
	s.asked <- a
	if door := s.doors[a]; door != nil {
		end := ctx.Done()
		if s.deaf {
			end = nil
		}
		select {
		case <-door:
		case <-end:
			return nil, ctx.Err()
		}
	}
	return s.fakeSource.Load(ctx, name, number)
}

// run keeps the bench's gateway in step in the background until the test ends.
func (b *bench) run() {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = b.Run(ctx) })
	b.t.Cleanup(func() {
		stop()
		running.Wait()
	})
}

func (b *bench) eventually(holds func() bool, what string) {
	b.t.Helper()
	require.Eventually(b.t, holds, 10*time.Second, time.Millisecond, what)
}

// newRunning is a bench whose gateway follows the source in the background.
func newRunning(t *testing.T, src Source) *bench {
	source := &struct{ Source }{&fakeSource{}} // the bench's own Sync would wait for loads that are held back
	b := newBench(t, source)
	b.cfg.Poll = time.Millisecond
	b.cfg.Source = src
	b.run()
	return b
}

func TestAVersionIsClosedAfterTheLastRequestThatBeganOnIt(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	old, next := &closable{}, &closable{}
	old.fn = func(context.Context, *table.Frame) ([]float64, error) {
		close(entered)
		<-release
		return []float64{0.5}, nil
	}
	src := newSource(Serving{Champion: 1}, old, next)
	b := newBench(t, src)
	first := make(chan reply)
	go func() { defer close(first); first <- b.infer(oneRow) }()
	<-entered

	src.set(func(s *fakeSource) { s.serving["credit"] = Serving{Champion: 2} })
	require.NoError(t, b.Sync(t.Context()))
	require.NoError(t, b.Sync(t.Context()))
	require.Equal(t, "2", b.answer(oneRow).ModelVersion)
	require.Zero(t, old.closed.Load(), "a request is still at work on it")
	close(release)
	require.Equal(t, 200, (<-first).code)
	b.eventually(func() bool { return old.closed.Load() == 1 }, "the old version is closed")

	require.Zero(t, next.closed.Load())
	require.NoError(t, b.Close(t.Context()))
	require.Equal(t, []int64{1, 1, 0, 0}, []int64{old.closed.Load(), next.closed.Load(), old.askedLate.Load(), next.askedLate.Load()})
	require.Equal(t, 503, b.do(http.MethodGet, "/v2/models/credit", "").code)
}

func TestAPromotedCandidateIsNotClosed(t *testing.T) {
	old, next := &closable{}, &closable{}
	src := newSource(Serving{Champion: 1, Candidate: 2, Traffic: 5}, old, next)
	b := newBench(t, src)
	src.set(func(s *fakeSource) { s.serving["credit"] = Serving{Champion: 2} })
	require.NoError(t, b.Sync(t.Context()))
	b.eventually(func() bool { return old.closed.Load() == 1 }, "the old champion is closed")
	require.Zero(t, next.closed.Load())
	src.set(func(s *fakeSource) { delete(s.serving, "credit") })
	require.NoError(t, b.Sync(t.Context()))
	b.eventually(func() bool { return next.closed.Load() == 1 }, "a model that is gone is closed")
}

func TestAModelThatTakesLongToLoadHoldsUpNoOther(t *testing.T) {
	slow := attempt{"slow", 1}
	fast := newSource(Serving{Champion: 1}, &closable{}, &closable{})
	fast.serving["slow"] = Serving{Champion: 1}
	fast.versions[slow] = &closable{}
	src := newSlowSource(fast, slow)
	b := newRunning(t, src)
	champion := func(name string) int {
		st := b.state.Load()
		if st == nil || st.models[name] == nil {
			return 0
		}
		return st.models[name].champion.numberOrZero()
	}
	for v := 1; v <= 2; v++ {
		src.set(func(s *fakeSource) { s.serving["credit"] = Serving{Champion: v} })
		b.eventually(func() bool { return champion("credit") == v }, "the other model is swapped")
		require.Equal(t, 200, b.infer(oneRow).code)
	}
	const text = `version 1 of model "slow" is still being loaded; ask again in a moment`
	for _, path := range []string{"/infer", "/versions/1/infer"} {
		r := b.do(http.MethodPost, "/v2/models/slow"+path, oneRow)
		require.Equal(t, 503, r.code)
		require.Equal(t, text, r.problem(t))
		require.Equal(t, "1", r.header.Get("Retry-After"))
	}
	require.Equal(t, text, b.do(http.MethodGet, "/v2/models/slow", "").problem(t))
	require.Equal(t, 503, b.do(http.MethodGet, "/v2/models/slow/ready", "").code)
	require.Equal(t, 503, b.do(http.MethodGet, "/v2/health/ready", "").code)
	require.Contains(t, b.do(http.MethodGet, "/metrics", "").body, `assay_gateway_serving_version{model="slow",role="champion"} 0`)

	close(src.doors[slow])
	b.eventually(func() bool { return champion("slow") == 1 }, "the slow model serves")
	require.Equal(t, 200, b.do(http.MethodPost, "/v2/models/slow/infer", oneRow).code)
	require.Equal(t, 200, b.do(http.MethodGet, "/v2/health/ready", "").code)
}

func TestACandidateStillBeingLoadedGetsNoTraffic(t *testing.T) {
	candidate := attempt{"credit", 2}
	src := newSlowSource(newSource(Serving{Champion: 1, Candidate: 2, Traffic: 100}, &closable{}, &closable{}), candidate)
	b := newRunning(t, src)
	b.eventually(func() bool { return b.do(http.MethodGet, "/v2/models/credit/versions/1/ready", "").code == 200 }, "the champion serves")
	for range 3 {
		got := b.answer(oneRow)
		require.Equal(t, []any{"1", false}, []any{got.ModelVersion, got.Parameters.Fallback})
	}
	require.Len(t, b.log(), 3, "that it is being loaded is no failure of the candidate")
	require.Contains(t, b.do(http.MethodGet, "/metrics", "").body, `assay_gateway_candidate_traffic_percent{model="credit"} 0`)
	close(src.doors[candidate])
	b.eventually(func() bool { return b.answer(oneRow).ModelVersion == "2" }, "the candidate answers")
	require.Contains(t, b.do(http.MethodGet, "/metrics", "").body, `assay_gateway_candidate_traffic_percent{model="credit"} 100`)
}

func TestACandidateIsNoChampionWhileTheChampionIsBeingLoaded(t *testing.T) {
	src := newSlowSource(newSource(Serving{Champion: 1, Candidate: 2, Traffic: 0}, &closable{}, &closable{}), attempt{"credit", 1})
	b := newRunning(t, src)
	b.eventually(func() bool { return b.do(http.MethodGet, "/v2/models/credit/versions/2/ready", "").code == 200 }, "the candidate is there")
	require.Contains(t, b.infer(oneRow).problem(t), `version 1 of model "credit" is still being loaded`)
	src.set(func(s *fakeSource) { s.serving["credit"] = Serving{Champion: 1, Candidate: 2, Traffic: 100} })
	b.eventually(func() bool { return b.infer(oneRow).code == 200 }, "the candidate takes its share")
	require.Equal(t, "2", b.answer(oneRow).ModelVersion)
}

func TestAChampionStillBeingLoadedLeavesTheOldOneServing(t *testing.T) {
	next := attempt{"credit", 2}
	old := &closable{}
	src := newSlowSource(newSource(Serving{Champion: 1}, old, &closable{}), next)
	b := newRunning(t, src)
	b.eventually(func() bool { return b.infer(oneRow).code == 200 }, "the first champion serves")
	src.set(func(s *fakeSource) { s.serving["credit"] = Serving{Champion: 2} })
	for asked := (attempt{}); asked != next; asked = <-src.asked {
	}
	require.Equal(t, "1", b.answer(oneRow).ModelVersion)
	require.Zero(t, old.closed.Load())
	close(src.doors[next])
	b.eventually(func() bool { return b.answer(oneRow).ModelVersion == "2" }, "the new champion serves")
	b.eventually(func() bool { return old.closed.Load() == 1 }, "the old champion is closed")
}

func TestALoadThatNobodyWantsAnyMoreIsEnded(t *testing.T) {
	for name, deaf := range map[string]bool{"one that heeds it": false, "one that comes all the same": true} {
		t.Run(name, func(t *testing.T) {
			candidate, late := attempt{"credit", 2}, &closable{}
			src := newSlowSource(newSource(Serving{Champion: 1, Candidate: 2, Traffic: 5}, &closable{}, late), candidate)
			src.deaf = deaf
			b := newRunning(t, src)
			for asked := (attempt{}); asked != candidate; asked = <-src.asked {
			}
			src.set(func(s *fakeSource) { s.serving["credit"] = Serving{Champion: 1} })
			if deaf {
				b.eventually(func() bool { return b.do(http.MethodGet, "/v2/models/credit/versions/2/ready", "").code == 404 }, "the candidate is withdrawn")
				close(src.doors[candidate])
				b.eventually(func() bool { return late.closed.Load() == 1 }, "what came too late is closed")
			}
			b.eventually(func() bool { return src.ended.Load() == 2 }, "the load ends")
			require.Equal(t, 200, b.infer(oneRow).code)
			require.NoError(t, b.Close(t.Context()))
		})
	}
}

func TestCloseEndsLoadsAtWork(t *testing.T) {
	candidate := attempt{"credit", 2}
	champion := &closable{}
	src := newSlowSource(newSource(Serving{Champion: 1, Candidate: 2, Traffic: 5}, champion, &closable{}), candidate)
	b := newRunning(t, src)
	for asked := (attempt{}); asked != candidate; asked = <-src.asked {
	}
	b.eventually(func() bool { return b.infer(oneRow).code == 200 }, "the champion serves")
	require.NoError(t, b.Close(t.Context()))
	require.EqualValues(t, 2, src.ended.Load())
	require.EqualValues(t, 1, champion.closed.Load())
	require.NoError(t, b.Sync(t.Context()))
	require.EqualValues(t, 2, src.ended.Load(), "a closed gateway loads nothing")
}

func TestSyncStopsWaitingForALoadWhenItsContextEnds(t *testing.T) {
	src := newSlowSource(newSource(Serving{Champion: 1}, &closable{}), attempt{"credit", 1})
	b := newBench(t, &fakeSource{})
	b.cfg.Source = src
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-src.asked
		cancel()
	}()
	require.ErrorIs(t, b.Sync(ctx), context.Canceled)
	close(src.doors[attempt{"credit", 1}])
	require.NoError(t, b.Sync(t.Context()))
	require.Equal(t, 200, b.infer(oneRow).code)
}

func TestAPredictorThatBrokeForGoodIsLoadedAnew(t *testing.T) {
	start, later := time.Now(), atomic.Int64{}
	dead, fresh := &closable{}, &closable{}
	src := newSource(Serving{Champion: 1}, dead)
	b := newBench(t, src, func(cfg *Config) {
		cfg.Now = func() time.Time { return start.Add(time.Duration(later.Load())) }
	})
	why := errors.New("its program does not stay up")
	dead.broken.Store(&why)
	src.set(func(s *fakeSource) { s.versions[attempt{"credit", 1}] = fresh })
	require.EqualError(t, b.Sync(t.Context()), `version 1 of model "credit" broke: its program does not stay up`)
	b.eventually(func() bool { return dead.closed.Load() == 1 }, "the broken one is closed")
	require.Equal(t, 500, b.infer(oneRow).code)
	require.Equal(t, 503, b.do(http.MethodGet, "/v2/health/ready", "").code)

	later.Store(int64(firstRetry))
	require.NoError(t, b.Sync(t.Context()))
	require.Equal(t, 200, b.infer(oneRow).code)
	require.NoError(t, b.Close(t.Context()))
	require.EqualValues(t, 1, fresh.closed.Load())
}

// deafSource can name the models but not say which versions serve.
type deafSource struct {
	*slowSource
	away atomic.Bool
}

func (s *deafSource) Serving(ctx context.Context, name string) (Serving, error) {
	if s.away.Load() {
		return Serving{}, errors.New("the store is away")
	}
	return s.slowSource.Serving(ctx, name)
}

func TestAVersionArrivesWhileTheSourceCannotBeAsked(t *testing.T) {
	src := &deafSource{slowSource: newSlowSource(newSource(Serving{Champion: 1}, &closable{}), attempt{"credit", 1})}
	b := newRunning(t, src)
	<-src.asked
	b.eventually(func() bool { return b.do(http.MethodGet, "/v2/models/credit/ready", "").code == 503 }, "it is being loaded")
	src.away.Store(true)
	close(src.doors[attempt{"credit", 1}])
	b.eventually(func() bool { return b.infer(oneRow).code == 200 }, "it serves")
}

func TestTheRegistryOpensModelsAsItIsTold(t *testing.T) {
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	ref, err := store.Put(t.Context(), strings.NewReader("a model"), artifact.MediaModel)
	require.NoError(t, err)
	m, _, err := registry.Register(t.Context(), store, registry.Manifest{Model: "credit", Lifecycle: "lifecycle/credit/1", ModelArtifact: ref})
	require.NoError(t, err)
	_, err = registry.Promote(t.Context(), store, "credit", m.Version, "rollout/credit/1", time.Now())
	require.NoError(t, err)

	opened := &closable{}
	b := newBench(t, Registry(store, func(_ context.Context, got artifact.Ref) (model.Predictor, error) {
		require.Equal(t, ref, got)
		return opened, nil
	}))
	require.Equal(t, 200, b.infer(oneRow).code)
	require.NoError(t, b.Close(t.Context()))
	require.EqualValues(t, 1, opened.closed.Load())
}
