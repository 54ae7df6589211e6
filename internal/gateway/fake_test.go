package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/assay-ml/assay/internal/table"
)

// fakeSource serves predictors made by the test.
type fakeSource struct {
	mu       sync.Mutex
	serving  map[string]Serving
	versions map[attempt]model.Predictor
	err      error
	loads    int
}

func newSource(s Serving, predictors ...model.Predictor) *fakeSource {
	src := &fakeSource{serving: map[string]Serving{"credit": s}, versions: map[attempt]model.Predictor{}}
	for i, p := range predictors {
		src.versions[attempt{"credit", i + 1}] = p
	}
	return src
}

func (s *fakeSource) set(change func(*fakeSource)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *fakeSource) Models(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedKeys(s.serving), s.err
}

func (s *fakeSource) Serving(_ context.Context, name string) (Serving, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serving[name], nil
}

func (s *fakeSource) Load(_ context.Context, name string, number int) (model.Predictor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	if p := s.versions[attempt{name, number}]; p != nil {
		return p, nil
	}
	return nil, errors.New("no such bytes")
}

// fakePredictor scores age/100, or does what fn says.
type fakePredictor struct {
	features []model.Feature
	fn       func(context.Context, *table.Frame) ([]float64, error)
}

var ageAndSex = []model.Feature{{Name: "age", Kind: table.Numeric}, {Name: "sex", Kind: table.Categorical, Levels: []string{"Female", "Male"}}}

func (p *fakePredictor) Schema() model.Schema {
	features := p.features
	if features == nil {
		features = ageAndSex
	}
	return model.Schema{Features: features, Target: "repaid", Positive: "yes", Negative: "no"}
}

func (p *fakePredictor) Predict(ctx context.Context, f *table.Frame) ([]float64, error) {
	if p.fn != nil {
		return p.fn(ctx, f)
	}
	age, err := f.Column("age")
	if err != nil {
		return nil, err
	}
	scores := make([]float64, f.Rows)
	for i, a := range age.Numbers {
		if a == a {
			scores[i] = a / 100
		}
	}
	return scores, nil
}

func failing(err error) *fakePredictor {
	return &fakePredictor{fn: func(context.Context, *table.Frame) ([]float64, error) { return nil, err }}
}

// bench is a gateway behind real HTTP.
type bench struct {
	*Gateway
	t     *testing.T
	store *artifact.Dir
	url   string
}

func newBench(t *testing.T, src Source, change ...func(*Config)) *bench {
	t.Helper()
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	cfg := Config{Store: store, Spool: t.TempDir(), Source: src, SegmentAge: time.Hour, Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&cfg)
	}
	g, err := New(cfg)
	require.NoError(t, err)
	_ = g.Sync(t.Context())
	srv := httptest.NewServer(g.Handler())
	t.Cleanup(func() {
		srv.Close()
		_ = g.Close(context.Background())
	})
	return &bench{g, t, store, srv.URL}
}

type reply struct {
	code   int
	body   string
	header http.Header
}

func (b *bench) do(method, path, body string, headers ...string) reply {
	b.t.Helper()
	req, err := http.NewRequest(method, b.url+path, strings.NewReader(body))
	require.NoError(b.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return reply{resp.StatusCode, string(text), resp.Header}
}

func (b *bench) infer(body string, headers ...string) reply {
	b.t.Helper()
	return b.do(http.MethodPost, "/v2/models/credit/infer", body, headers...)
}

func (b *bench) answer(body string, headers ...string) inferResponse {
	b.t.Helper()
	r := b.infer(body, headers...)
	require.Equal(b.t, 200, r.code, r.body)
	return decoded[inferResponse](b.t, r.body)
}

func decoded[T any](t *testing.T, body string) T {
	t.Helper()
	var v T
	dec := json.NewDecoder(bytes.NewReader([]byte(body)))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&v), body)
	return v
}

func (r reply) problem(t *testing.T) string {
	t.Helper()
	require.Equal(t, "application/json", r.header.Get("Content-Type"))
	return decoded[map[string]string](t, r.body)["error"]
}

// log seals and reads what was recorded, with what differs between runs left out.
func (b *bench) log() []predictionlog.Record {
	b.t.Helper()
	require.NoError(b.t, b.Flush(b.t.Context()))
	return readLog(b.t, b.store)
}

func readLog(t *testing.T, store artifact.Store) []predictionlog.Record {
	t.Helper()
	var records []predictionlog.Record
	require.NoError(t, predictionlog.Read(t.Context(), store, "credit", time.Time{}, time.Time{}, func(r predictionlog.Record) error {
		records = append(records, r)
		return nil
	}))
	return records
}

func ids(records []predictionlog.Record) []string {
	var ids []string
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return slices.Sorted(slices.Values(ids))
}

const oneRow = `{"id": "r1", "instances": [{"age": 40, "sex": "Female"}]}`
