package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/table"
)

func TestASwapUnderLoadDropsNoRequest(t *testing.T) {
	const versions = 30
	predictors := make([]model.Predictor, versions)
	for i := range predictors {
		p := &closable{}
		p.fn = func(context.Context, *table.Frame) ([]float64, error) { return []float64{float64(i+1) / 100}, nil }
		predictors[i] = p
	}
	src := newSource(Serving{Champion: 1}, predictors...)
	b := newBench(t, src, func(cfg *Config) { cfg.Poll = time.Millisecond })
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- b.Run(ctx) }()

	var oldest, newest, answers atomic.Int64
	oldest.Store(1)
	newest.Store(1)
	var callers sync.WaitGroup
	done := make(chan struct{})
	for caller := range 4 {
		callers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				low := oldest.Load()
				resp, err := http.Post(b.url+"/v2/models/credit/infer", "application/json", strings.NewReader(fmt.Sprintf(`{"id":"%d-%d","instances":[{"age":1,"sex":null}]}`, caller, i)))
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("%d %s %v", resp.StatusCode, body, err)
					return
				}
				high := newest.Load()
				got := decoded[inferResponse](t, string(body))
				var v int64
				fmt.Sscan(got.ModelVersion, &v)
				if v < low || v > high {
					t.Errorf("version %d answered while %d to %d served", v, low, high)
				}
				if got.Outputs[0].Data[0] != float64(v)/100 {
					t.Errorf("version %d is said to have given %v", v, got.Outputs[0].Data)
				}
				answers.Add(1)
			}
		})
	}
	// Each swap waits until it is in force and has been answered under, so that every version meets the load.
	for v := 2; v <= versions; v++ {
		newest.Store(int64(v))
		src.set(func(s *fakeSource) { s.serving["credit"] = Serving{Champion: v} })
		require.Eventually(t, func() bool { return b.state.Load().models["credit"].champion.number == v }, 10*time.Second, time.Millisecond)
		oldest.Store(int64(v))
		before := answers.Load()
		require.Eventually(t, func() bool { return answers.Load() > before+4 }, 10*time.Second, time.Millisecond)
	}
	close(done)
	callers.Wait()
	stop()
	require.NoError(t, <-ran)
	require.Len(t, b.log(), int(answers.Load()), "one record for each answer")
	require.Contains(t, b.do(http.MethodGet, "/metrics", "").body, fmt.Sprintf(`assay_gateway_swaps_total{model="credit"} %d`, versions))
	require.NoError(t, b.Close(t.Context()))
	for i, p := range predictors {
		p := p.(*closable)
		require.EqualValues(t, []int64{1, 0}, []int64{p.closed.Load(), p.askedLate.Load()}, "version %d is closed once, and not while it is asked", i+1)
	}
}

func TestAChampionThatCannotBeLoadedLeavesTheOldOneServing(t *testing.T) {
	start, later := time.Now(), atomic.Int64{}
	src := newSource(Serving{Champion: 1}, &fakePredictor{})
	b := newBench(t, src, func(cfg *Config) {
		cfg.Now = func() time.Time { return start.Add(time.Duration(later.Load())) }
	})
	src.set(func(s *fakeSource) { s.serving["credit"] = Serving{Champion: 2} })
	require.ErrorContains(t, b.Sync(t.Context()), `load version 2 of model "credit": no such bytes`)
	require.Equal(t, "1", b.answer(oneRow).ModelVersion)

	loads := src.loads
	require.Error(t, b.Sync(t.Context()))
	require.Equal(t, loads, src.loads, "a failed load is not tried again at every poll")

	src.set(func(s *fakeSource) { s.versions[attempt{"credit", 2}] = &fakePredictor{} })
	later.Store(int64(firstRetry))
	require.NoError(t, b.Sync(t.Context()))
	require.Equal(t, "2", b.answer(oneRow).ModelVersion)
}

func TestAFirstChampionThatCannotBeLoadedIsNotReady(t *testing.T) {
	b := newBench(t, newSource(Serving{Champion: 1}))
	require.Equal(t, 503, b.do(http.MethodGet, "/v2/health/ready", "").code)
	require.Equal(t, 503, b.do(http.MethodGet, "/v2/models/credit/ready", "").code)
	r := b.do(http.MethodGet, "/v2/models/credit", "")
	require.Equal(t, 503, r.code)
	require.Equal(t, `version 1 of model "credit" cannot be loaded; the gateway's log says why`, r.problem(t))
	require.Equal(t, 500, b.infer(oneRow).code)
}

func TestAPromotionTakesTheLoadedPredictorOver(t *testing.T) {
	src := newSource(Serving{Champion: 1, Candidate: 2, Traffic: 5}, &fakePredictor{}, &fakePredictor{})
	b := newBench(t, src)
	src.set(func(s *fakeSource) { s.serving["credit"] = Serving{Champion: 2} })
	require.NoError(t, b.Sync(t.Context()))
	require.Equal(t, 2, src.loads)
	got := b.answer(oneRow)
	require.Equal(t, []string{"2", "champion"}, []string{got.ModelVersion, got.Parameters.Role})

	src.set(func(s *fakeSource) { delete(s.serving, "credit") })
	require.NoError(t, b.Sync(t.Context()))
	require.Equal(t, 404, b.infer(oneRow).code)
	require.NotContains(t, b.do(http.MethodGet, "/metrics", "").body, "assay_gateway_serving_version{")
}

func TestServeFinishesRequestsAtWorkAndSealsTheLog(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	slow := &fakePredictor{fn: func(context.Context, *table.Frame) ([]float64, error) {
		close(entered)
		<-release
		return []float64{0.5}, nil
	}}
	b := newBench(t, newSource(Serving{Champion: 1}, slow))
	ln, err := Listen("127.0.0.1:0", "--gateway")
	require.NoError(t, err)
	b.url = "http://" + ln.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx, ln, time.Minute) }()

	first := make(chan reply)
	go func() { defer close(first); first <- b.infer(oneRow) }()
	<-entered
	stop()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond, "new connections are refused")
	close(release)
	require.Equal(t, 200, (<-first).code)
	require.NoError(t, <-served)
	require.Equal(t, []string{"r1"}, ids(readLog(t, b.store)))
}

func TestAClosedGatewayTurnsRequestsAway(t *testing.T) {
	b := newBench(t, newSource(Serving{Champion: 1}, &fakePredictor{}))
	require.Equal(t, 200, b.infer(oneRow).code)
	require.NoError(t, b.Close(t.Context()))
	require.Len(t, readLog(t, b.store), 1)
	require.Equal(t, 503, b.do(http.MethodGet, "/v2/health/ready", "").code)
	r := b.infer(oneRow)
	require.Equal(t, 503, r.code)
	require.Contains(t, r.problem(t), "shutting down")
}

func TestListenNamesThePortAndTheFlag(t *testing.T) {
	ln, err := Listen("127.0.0.1:0", "--gateway-address")
	require.NoError(t, err)
	defer ln.Close()
	_, err = Listen(ln.Addr().String(), "--gateway-address")
	require.EqualError(t, err, "listen on "+ln.Addr().String()+": the port is in use by another program; stop that program or choose another address with --gateway-address")
	_, err = Listen("nowhere", "--gateway-address")
	require.ErrorContains(t, err, "expected host:port of this machine, set with --gateway-address")
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	_, err := New(Config{})
	require.ErrorContains(t, err, "a store and a spool folder are required")
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	_, err = New(Config{Store: store, Spool: "/dev/null/spool"})
	require.ErrorContains(t, err, "/dev/null/spool")
}

func TestLabels(t *testing.T) {
	b := newBench(t, newSource(Serving{Champion: 1}, &fakePredictor{}))
	send := func(body string) reply { return b.do(http.MethodPost, "/v2/models/credit/labels", body) }
	r := send(`{"labels":[{"id":"a","label":"yes"},{"id":"b/1","label":"no"}]}`)
	require.Equal(t, 202, r.code)
	require.Equal(t, `{"accepted":2}`+"\n", r.body)
	for _, c := range []struct{ body, want string }{
		{`{}`, `model "credit": the request has no labels; expected {"labels": [{"id": "...", "label": "..."}]}`},
		{`{"labels":[{"id":"c","label":"yes"},{"label":"yes"}]}`, `model "credit": label 1: expected an "id", that of a prediction`},
		{`{"labels":[{"id":"c","label":"s3cr3t"}]}`, `model "credit": label 0: expected a "label" of the target's two values, "no" or "yes"`},
		{`{"labels":[{"id":"c","label":1}]}`, `model "credit": label 0: expected a "label" of the target's two values, "no" or "yes"`},
		{`{"labels":`, `model "credit": read the request: the body is not JSON: it goes wrong at offset 10 of 10 bytes`},
	} {
		r := send(c.body)
		require.Equal(t, 400, r.code)
		require.Equal(t, c.want, r.problem(t))
	}
	require.Equal(t, 404, b.do(http.MethodPost, "/v2/models/debit/labels", `{}`).code)
	require.NoError(t, b.Flush(t.Context()))
	var got []string
	require.NoError(t, predictionlog.ReadLabels(t.Context(), b.store, "credit", time.Time{}, time.Time{}, func(l predictionlog.Label) error {
		got = append(got, l.ID+"="+l.Label)
		return nil
	}))
	require.Equal(t, []string{"a=yes", "b/1=no"}, got)
	require.Contains(t, b.do(http.MethodGet, "/metrics", "").body, `assay_gateway_labels_total{model="credit"} 2`)
}

func TestMetrics(t *testing.T) {
	b := newBench(t, newSource(Serving{Champion: 1, Candidate: 2, Traffic: 100}, &fakePredictor{}, failing(errors.New("broken"))))
	b.infer(oneRow)
	b.infer(`{}`)
	b.do(http.MethodPost, "/v2/models/credit/versions/2/infer", oneRow)
	b.do(http.MethodPost, "/v2/models/invented-by-a-caller/infer", oneRow)
	b.log()
	got := b.do(http.MethodGet, "/metrics", "").body
	for _, want := range []string{
		`assay_gateway_requests_total{code="200",model="credit",role="champion",version="1"} 1`,
		`assay_gateway_requests_total{code="400",model="credit",role="",version=""} 1`,
		`assay_gateway_requests_total{code="500",model="credit",role="candidate",version="2"} 1`,
		`assay_gateway_requests_total{code="404",model="",role="",version=""} 1`,
		`assay_gateway_request_duration_seconds_count{model="credit",version="1"} 1`,
		`assay_gateway_fallbacks_total{model="credit"} 1`,
		`assay_gateway_segments_sealed_total{log="predictions",model="credit"} 1`,
		`assay_gateway_serving_version{model="credit",role="champion"} 1`,
		`assay_gateway_serving_version{model="credit",role="candidate"} 2`,
		`assay_gateway_candidate_traffic_percent{model="credit"} 100`,
	} {
		require.Contains(t, got, want)
	}
	require.NotContains(t, got, "invented-by-a-caller")
}

// A real model, registered and promoted in a real store, answers as it does when asked directly.
func TestARegisteredModelServes(t *testing.T) {
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	b := newBench(t, Registry(store, nil))
	require.Equal(t, 404, b.infer(oneRow).code)

	register := func(lifecycle string, intercept float64) (*model.Logistic, int) {
		m := &model.Logistic{
			Kind: model.KindLogistic, Format: model.LogisticFormat, Intercept: intercept,
			Inputs: model.Schema{Features: ageAndSex, Target: "repaid", Positive: "yes", Negative: "no"},
			Terms: []model.Term{
				{Numeric: &model.NumericTerm{Mean: 38, SD: 12, Coefficient: 0.7, Missing: 0.1}},
				{Categorical: &model.CategoricalTerm{Coefficients: []float64{0.25, -0.25}, Missing: 0.05, Unseen: -0.01}},
			},
		}
		bytes, err := m.Encode()
		require.NoError(t, err)
		ref, err := store.Put(t.Context(), strings.NewReader(string(bytes)), artifact.MediaModel)
		require.NoError(t, err)
		manifest, _, err := registry.Register(t.Context(), store, registry.Manifest{Model: "credit", Lifecycle: lifecycle, ModelArtifact: ref})
		require.NoError(t, err)
		return m, manifest.Version
	}
	old, one := register("lifecycle/credit/1", 0.5)
	require.NoError(t, b.Sync(t.Context()))
	require.Contains(t, b.infer(oneRow).problem(t), "no version of it has been promoted yet")

	_, err = registry.Promote(t.Context(), store, "credit", one, "rollout/credit/1", time.Now())
	require.NoError(t, err)
	next, two := register("lifecycle/credit/2", -0.5)
	require.NoError(t, registry.SetCandidate(t.Context(), store, "credit", registry.Candidate{Version: two, Traffic: 50, Rollout: "rollout/credit/2"}))
	require.NoError(t, b.Sync(t.Context()))

	for i := range 20 {
		got := b.answer(`{"inputs":[{"name":"age","shape":[3],"datatype":"FP64","data":[20,null,65.5]},{"name":"sex","shape":[3],"datatype":"BYTES","data":["Male","other",null]}]}`, keyHeader, fmt.Sprint(i))
		direct := old
		if got.ModelVersion == "2" {
			direct = next
		}
		frame, err := predictionlog.Frame([]predictionlog.Record{
			{Features: map[string]any{"age": 20.0, "sex": "Male"}}, {Features: map[string]any{"sex": "other"}}, {Features: map[string]any{"age": 65.5}},
		}, ageAndSex)
		require.NoError(t, err)
		want, err := direct.Predict(t.Context(), frame)
		require.NoError(t, err)
		require.Equal(t, want, got.Outputs[0].Data)
	}
	require.Len(t, b.log(), 60)
}
