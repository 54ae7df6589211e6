package gateway

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/assay-ml/assay/internal/table"
)

func TestMetadataAndHealth(t *testing.T) {
	src := newSource(Serving{Champion: 1, Candidate: 2, Traffic: 5}, &fakePredictor{}, &fakePredictor{})
	src.serving["unpromoted"] = Serving{}
	b := newBench(t, src)
	const tensors = `"platform":"assay_model","inputs":[{"name":"age","datatype":"FP64","shape":[-1]},{"name":"sex","datatype":"BYTES","shape":[-1]}],"outputs":[{"name":"score","datatype":"FP64","shape":[-1]}]}`
	for _, c := range []struct {
		path string
		code int
		body string
	}{
		{"/v2/health/live", 200, `{"live":true}`},
		{"/v2/health/ready", 200, `{"live":true,"ready":true}`},
		{"/v2/models/credit", 200, `{"name":"credit","versions":["1","2"],` + tensors},
		{"/v2/models/credit/versions/2", 200, `{"name":"credit","versions":["1","2"],` + tensors},
		{"/v2/models/credit/ready", 200, `{"name":"credit","ready":true}`},
		{"/v2/models/credit/versions/1/ready", 200, `{"name":"credit","ready":true}`},
		{"/v2/models/credit/versions/9", 404, `{"error":"version \"9\" of model \"credit\" does not serve; these do: 1, 2"}`},
		{"/v2/models/credit/versions/9/ready", 404, `{"error":"version \"9\" of model \"credit\" does not serve; these do: 1, 2"}`},
		{"/v2/models/debit", 404, `{"error":"there is no model \"debit\"; the models are credit, unpromoted"}`},
		{"/v2/models/unpromoted", 503, `{"error":"model \"unpromoted\" is registered, but no version of it has been promoted yet; approve one and let its rollout begin"}`},
		{"/v2/models/unpromoted/ready", 503, `{"error":"model \"unpromoted\" is registered, but no version of it has been promoted yet; approve one and let its rollout begin"}`},
		{"/v2/models/credit/infer", 405, `{"error":"/v2/models/credit/infer is answered to POST only"}`},
		{"/v1/models", 404, `{"error":"there is nothing at /v1/models; this is an Open Inference Protocol v2 server: ask /v2/models/{model}/infer, or /v2 for what it can do"}`},
	} {
		t.Run(c.path, func(t *testing.T) {
			r := b.do(http.MethodGet, c.path, "")
			require.Equal(t, c.code, r.code)
			require.Equal(t, c.body+"\n", r.body)
		})
	}
	server := decoded[serverMetadata](t, b.do(http.MethodGet, "/v2", "").body)
	require.Equal(t, "assay", server.Name)
	require.NotEmpty(t, server.Version)
	require.Equal(t, server, decoded[serverMetadata](t, b.do(http.MethodGet, "/v2/", "").body))
}

func TestBeforeTheFirstSyncNothingIsReady(t *testing.T) {
	src := newSource(Serving{Champion: 1}, &fakePredictor{})
	src.err = errors.New("the store is away")
	b := newBench(t, src)
	require.Equal(t, 503, b.do(http.MethodGet, "/v2/health/ready", "").code)
	r := b.infer(oneRow)
	require.Equal(t, 503, r.code)
	require.Contains(t, r.problem(t), "still reading the registry")
	src.set(func(s *fakeSource) { s.err = nil })
	require.NoError(t, b.Sync(t.Context()))
	require.Equal(t, 200, b.do(http.MethodGet, "/v2/health/ready", "").code)

	src.set(func(s *fakeSource) { s.err = errors.New("the store is away") })
	require.Error(t, b.Sync(t.Context()))
	require.Equal(t, 200, b.infer(oneRow).code, "what is loaded goes on serving")
}

func TestInfer(t *testing.T) {
	female, unknown := map[string]any{"age": 40.0, "sex": "Female"}, map[string]any{"age": nil, "sex": nil}
	for _, c := range []struct {
		name, body string
		scores     []float64
		logged     []map[string]any
	}{
		{"tensors", `{"id":"r","inputs":[{"name":"sex","shape":[2],"datatype":"BYTES","data":["Female",null]},{"name":"age","shape":[2],"datatype":"FP64","data":[40,null]}]}`,
			[]float64{0.4, 0}, []map[string]any{female, unknown}},
		{"columns of shape [n, 1], flat and nested", `{"id":"r","inputs":[{"name":"sex","shape":[2,1],"datatype":"BYTES","data":["Female",null]},{"name":"age","shape":[2,1],"datatype":"INT64","data":[[40],[null]]}]}`,
			[]float64{0.4, 0}, []map[string]any{female, unknown}},
		{"instances", `{"id":"r","instances":[{"age":40,"sex":"Female"},{"sex":null,"age":null}]}`,
			[]float64{0.4, 0}, []map[string]any{female, unknown}},
		{"one row keeps the request's id", `{"id":"r","instances":[{"age":40,"sex":"Female"}]}`, []float64{0.4}, []map[string]any{female}},
		{"an unseen category", `{"id":"r","instances":[{"age":40,"sex":"Ünseen"}]}`, []float64{0.4}, []map[string]any{{"age": 40.0, "sex": "Ünseen"}}},
		{"booleans", `{"id":"r","instances":[{"age":true,"sex":false}]}`, []float64{0.01}, []map[string]any{{"age": 1.0, "sex": "false"}}},
		{"boolean tensors", `{"id":"r","inputs":[{"name":"sex","shape":[1],"datatype":"BOOL","data":[true]},{"name":"age","shape":[1],"datatype":"BOOL","data":[false]}]}`,
			[]float64{0}, []map[string]any{{"age": 0.0, "sex": "true"}}},
		{"what is no feature is neither used nor recorded", `{"id":"r","extra":1,"instances":[{"age":40,"sex":"Female","race":"secret"}]}`, []float64{0.4}, []map[string]any{female}},
		{"the output asked for", `{"id":"r","parameters":{"a":1},"outputs":[{"name":"score"}],"instances":[{"age":40,"sex":"Female"}]}`, []float64{0.4}, []map[string]any{female}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, newSource(Serving{Champion: 1}, &fakePredictor{}))
			got := b.answer(c.body, keyHeader, "customer 17")
			want := inferResponse{
				ModelName: "credit", ModelVersion: "1", ID: "r", Parameters: inferParameters{Role: "champion"},
				Outputs: []outputTensor{{Name: "score", Shape: []int{len(c.scores)}, Datatype: "FP64", Data: c.scores}},
			}
			require.Empty(t, cmp.Diff(want, got))

			var logged []predictionlog.Record
			for i, f := range c.logged {
				id := "r"
				if len(c.logged) > 1 {
					id = fmt.Sprintf("r/%d", i)
				}
				logged = append(logged, predictionlog.Record{ID: id, Key: hashedKey("credit", "customer 17"), Version: 1, Role: "champion", Status: 200, Features: f, Score: &c.scores[i]})
			}
			require.Empty(t, cmp.Diff(logged, b.log(), cmpopts.IgnoreFields(predictionlog.Record{}, "Time", "LatencyMicros")))
		})
	}
}

func TestARequestWithoutIDGetsOne(t *testing.T) {
	b := newBench(t, newSource(Serving{Champion: 1}, &fakePredictor{}))
	first := b.answer(`{"instances":[{"age":1,"sex":"Male"}]}`)
	second := b.answer(`{"instances":[{"age":1,"sex":"Male"}]}`)
	require.NotEmpty(t, first.ID)
	require.NotEqual(t, first.ID, second.ID)
	require.ElementsMatch(t, []string{first.ID, second.ID}, ids(b.log()))
}

func TestBadRequests(t *testing.T) {
	tensor := func(age string) string {
		return `{"inputs":[{"name":"sex","shape":[1],"datatype":"BYTES","data":["s3cr3t"]},` + age + `]}`
	}
	for _, c := range []struct {
		name, body string
		code       int
		want       string
	}{
		{"empty", ``, 400, `model "credit": read the request: the body is empty; expected a JSON object`},
		{"not JSON", `{"id": s3cr3t}`, 400, `model "credit": read the request: the body is not JSON: it goes wrong at offset 8 of 14 bytes`},
		{"cut off", `{"instances": [`, 400, `model "credit": read the request: the body is not JSON: it goes wrong at offset 15 of 15 bytes`},
		{"two values", `{} {}`, 400, `model "credit": read the request: the body is not JSON: it goes wrong at offset 4 of 5 bytes`},
		{"not UTF-8", "{\"id\": \"\xff\"}", 400, `model "credit": read the request: the byte at offset 8 is not UTF-8; JSON must be UTF-8`},
		{"not an object", `["s3cr3t"]`, 400, `model "credit": read the request: expected a JSON object`},
		{"a field of the wrong kind", `{"inputs": "s3cr3t"}`, 400, `model "credit": read the request: "inputs" before offset 19: expected an array`},
		{"a shape that is no number", `{"inputs": [{"shape": ["s3cr3t"]}]}`, 400, `model "credit": read the request: "inputs.shape" before offset 31: expected a whole number`},
		{"too large", `{"id": "` + strings.Repeat("x", 2000) + `"}`, 413, `model "credit": read the request: its body is larger than 1500 bytes; send fewer rows at a time`},
		{"no rows", `{}`, 400, `model "credit": the request has no rows; expected "inputs" with one tensor per feature, or "instances" with one object per row`},
		{"both forms", `{"inputs":[{}],"instances":[{}]}`, 400, `model "credit": the request has both "inputs" and "instances"; expected one of them`},
		{"long id", `{"id":"` + strings.Repeat("x", 257) + `"}`, 400, `model "credit": the request's id is longer than 256 bytes`},
		{"unknown output", `{"outputs":[{"name":"label"}],"instances":[{}]}`, 400, `model "credit": there is no output "label"; a model has one output, "score"`},
		{"missing feature", `{"instances":[{"age":1,"sex":"s3cr3t"},{"age":1}]}`, 400, `model "credit": row 1: feature "sex" is missing; expected a string, or null where unknown`},
		{"null row", `{"instances":[null]}`, 400, `model "credit": row 0: feature "age" is missing; expected a number, or null where unknown`},
		{"text for a number", `{"instances":[{"age":"s3cr3t","sex":"a"}]}`, 400, `model "credit": row 0: feature "age": expected a number, or null where unknown`},
		{"a number for a text", `{"instances":[{"age":1,"sex":53.2}]}`, 400, `model "credit": row 0: feature "sex": expected a string, or null where unknown`},
		{"an array for a number", `{"instances":[{"age":[1],"sex":"a"}]}`, 400, `model "credit": row 0: feature "age": expected a number, or null where unknown`},
		{"a number beyond all numbers", `{"instances":[{"age":1e999,"sex":"a"}]}`, 400, `model "credit": row 0: feature "age": expected a number, or null where unknown`},
		{"missing tensor", tensor(`{"name":"Age","shape":[1],"datatype":"FP64","data":[1]}`), 400, `model "credit": feature "age" is missing; expected an input tensor of that name with datatype FP64, FP32, INT64, INT32, INT16, INT8, UINT64, UINT32, UINT16, UINT8, BOOL`},
		{"tensor of the wrong datatype", tensor(`{"name":"age","shape":[1],"datatype":"BYTES","data":["s3cr3t"]}`), 400, `model "credit": feature "age": its tensor has datatype "BYTES"; expected FP64, FP32, INT64, INT32, INT16, INT8, UINT64, UINT32, UINT16, UINT8, BOOL`},
		{"fraction in an integer tensor", tensor(`{"name":"age","shape":[1],"datatype":"INT64","data":[1.5]}`), 400, `model "credit": row 0: feature "age": expected a value of datatype INT64, or null where unknown`},
		{"integer out of range", tensor(`{"name":"age","shape":[1],"datatype":"INT8","data":[128]}`), 400, `model "credit": row 0: feature "age": expected a value of datatype INT8, or null where unknown`},
		{"negative unsigned", tensor(`{"name":"age","shape":[1],"datatype":"UINT8","data":[-1]}`), 400, `model "credit": row 0: feature "age": expected a value of datatype UINT8, or null where unknown`},
		{"FP32 out of range", tensor(`{"name":"age","shape":[1],"datatype":"FP32","data":[1e39]}`), 400, `model "credit": row 0: feature "age": expected a value of datatype FP32, or null where unknown`},
		{"number in a boolean tensor", tensor(`{"name":"age","shape":[1],"datatype":"BOOL","data":[1]}`), 400, `model "credit": row 0: feature "age": expected a value of datatype BOOL, or null where unknown`},
		{"boolean in a number tensor", tensor(`{"name":"age","shape":[1],"datatype":"FP64","data":[true]}`), 400, `model "credit": row 0: feature "age": expected a value of datatype FP64, or null where unknown`},
		{"the same tensor twice", tensor(`{"name":"sex","shape":[1],"datatype":"BYTES","data":["a"]}`), 400, `model "credit": input "sex" appears twice`},
		{"a matrix", tensor(`{"name":"age","shape":[1,2],"datatype":"FP64","data":[1,2]}`), 400, `model "credit": input "age": expected the shape [n] or [n, 1] with n of at least 1, one value per row`},
		{"no shape", tensor(`{"name":"age","datatype":"FP64","data":[1]}`), 400, `model "credit": input "age": expected the shape [n] or [n, 1] with n of at least 1, one value per row`},
		{"no data", tensor(`{"name":"age","shape":[1],"datatype":"FP64"}`), 400, `model "credit": input "age": its shape says 1 rows, its "data" holds 0`},
		{"unequal rows", tensor(`{"name":"age","shape":[2],"datatype":"FP64","data":[1,2]}`), 400, `model "credit": input "age" has 2 rows, input "sex" has 1; expected the same number in all`},
		{"two values in a row", tensor(`{"name":"age","shape":[1,1],"datatype":"FP64","data":[[1,2]]}`), 400, `model "credit": input "age", row 0: expected one value`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, newSource(Serving{Champion: 1}, &fakePredictor{}), func(cfg *Config) { cfg.MaxBody = 1500 })
			r := b.infer(c.body)
			require.Equal(t, c.code, r.code)
			require.Equal(t, c.want, r.problem(t))
			require.NotContains(t, r.body, "s3cr3t")
			require.Empty(t, b.log(), "a refused request says nothing about the model")
		})
	}
}

func TestModelsThatCannotAnswer(t *testing.T) {
	b := newBench(t, newSource(Serving{}))
	r := b.infer(oneRow)
	require.Equal(t, 503, r.code)
	require.Contains(t, r.problem(t), `no version of it has been promoted yet`)
	r = b.do(http.MethodPost, "/v2/models/debit/infer", oneRow)
	require.Equal(t, 404, r.code)
	require.Equal(t, `there is no model "debit"; the models are credit`, r.problem(t))

	empty := newBench(t, &fakeSource{})
	r = empty.infer(oneRow)
	require.Equal(t, 404, r.code)
	require.Contains(t, r.problem(t), `no model is registered yet`)
	require.Equal(t, 200, empty.do(http.MethodGet, "/v2/health/ready", "").code)
}

func TestACandidatesFailureIsAnsweredByTheChampionAndRecorded(t *testing.T) {
	score := func(s float64) *fakePredictor {
		return &fakePredictor{fn: func(_ context.Context, f *table.Frame) ([]float64, error) { return []float64{s}, nil }}
	}
	withCity := &fakePredictor{features: append([]model.Feature{{Name: "city", Kind: table.Categorical}}, ageAndSex...)}
	slow := &fakePredictor{fn: func(ctx context.Context, _ *table.Frame) ([]float64, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	for _, c := range []struct {
		name      string
		candidate model.Predictor
		reason    string
	}{
		{"error", failing(errors.New("broken weights")), "broken weights"},
		{"runtime panic", &fakePredictor{fn: func(context.Context, *table.Frame) ([]float64, error) {
			var none []float64
			return none[3:4], nil
		}}, "the predictor panicked: runtime error: slice bounds out of range [:4] with capacity 0"},
		{"panic with a value", &fakePredictor{fn: func(_ context.Context, f *table.Frame) ([]float64, error) { panic("row of s3cr3t") }}, "the predictor panicked with a string"},
		{"no number", score(math.NaN()), "the predictor gave a score for row 0 that is no probability"},
		{"no probability", score(1.5), "the predictor gave a score for row 0 that is no probability"},
		{"too few scores", &fakePredictor{fn: func(context.Context, *table.Frame) ([]float64, error) { return nil, nil }}, "the predictor gave 0 scores for 1 rows"},
		{"too slow", slow, "context deadline exceeded"},
		{"wants a feature callers do not send", withCity, `refused an input that version 1 takes: row 0: feature "city" is missing; expected a string, or null where unknown`},
		{"cannot be loaded", nil, `load version 2 of model "credit": no such bytes`},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := newSource(Serving{Champion: 1, Candidate: 2, Traffic: 100}, &fakePredictor{})
			if c.candidate != nil {
				src.versions[attempt{"credit", 2}] = c.candidate
			}
			b := newBench(t, src, func(cfg *Config) { cfg.Timeout = 500 * time.Millisecond })
			got := b.answer(oneRow)
			require.Equal(t, "1", got.ModelVersion)
			require.Equal(t, inferParameters{Role: "champion", Fallback: true}, got.Parameters)
			require.Equal(t, []float64{0.4}, got.Outputs[0].Data)

			log := b.log()
			require.Len(t, log, 2)
			require.Equal(t, []int{2, 1}, []int{log[0].Version, log[1].Version})
			require.Equal(t, []int{500, 200}, []int{log[0].Status, log[1].Status})
			require.Equal(t, "candidate", log[0].Role)
			require.Equal(t, c.reason, log[0].Error)
			require.Nil(t, log[0].Score)

			requests, errs, _, err := predictionlog.Count(t.Context(), b.store, "credit", 2, time.Time{})
			require.NoError(t, err)
			require.Equal(t, []int64{1, 1}, []int64{requests, errs})
		})
	}
}

func TestFailuresWithNobodyToFallBackOn(t *testing.T) {
	broken := failing(errors.New("broken weights"))
	for _, c := range []struct {
		name     string
		serving  Serving
		path     string
		role     string
		recorded int
	}{
		{"champion", Serving{Champion: 1}, "/infer", "champion", 1},
		{"candidate alone", Serving{Candidate: 1, Traffic: 0}, "/infer", "candidate", 1},
		{"candidate asked by version", Serving{Champion: 2, Candidate: 1}, "/versions/1/infer", "candidate", 1},
		{"both", Serving{Champion: 1, Candidate: 3, Traffic: 100}, "/infer", "champion", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, newSource(c.serving, broken, &fakePredictor{}, broken))
			r := b.do(http.MethodPost, "/v2/models/credit"+c.path, oneRow)
			require.Equal(t, 500, r.code)
			require.Equal(t, `version 1 of model "credit" failed on this request; the gateway's log says why, under id "r1"`, r.problem(t))
			log := b.log()
			require.Len(t, log, c.recorded)
			require.Equal(t, c.role, log[c.recorded-1].Role)
			require.Equal(t, 500, log[c.recorded-1].Status)
		})
	}
}

func TestWhenOnlyTheChampionRefusesTheCandidatesFailureStands(t *testing.T) {
	champion := &fakePredictor{features: append([]model.Feature{{Name: "city", Kind: table.Categorical}}, ageAndSex...)}
	b := newBench(t, newSource(Serving{Champion: 1, Candidate: 2, Traffic: 100}, champion, failing(errors.New("broken weights"))))
	r := b.infer(oneRow)
	require.Equal(t, 500, r.code)
	require.Contains(t, r.problem(t), "version 2")
	require.Len(t, b.log(), 1)

	r = b.infer(`{"instances":[{"age":1}]}`)
	require.Equal(t, 400, r.code, "both refuse: the request is at fault")
	require.Len(t, b.log(), 1)
}

func TestNoAnswerWithoutEvidence(t *testing.T) {
	b := newBench(t, newSource(Serving{Champion: 1}, &fakePredictor{}))
	spool := filepath.Join(b.cfg.Spool, "predictions", "credit")
	require.NoError(t, os.RemoveAll(spool))
	r := b.infer(oneRow)
	require.Equal(t, 503, r.code)
	require.Contains(t, r.problem(t), "the prediction could not be recorded and is not given without")
	require.Contains(t, b.do(http.MethodGet, "/metrics", "").body, `assay_gateway_log_failures_total{model="credit"} 1`)

	require.NoError(t, os.MkdirAll(spool, 0o700))
	require.Equal(t, 200, b.infer(oneRow).code)
	require.Len(t, b.log(), 1)
}

func TestRequestsBeyondTheLimitWaitAndAreThenTurnedAway(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	blocked := &fakePredictor{fn: func(context.Context, *table.Frame) ([]float64, error) {
		close(entered)
		<-release
		return []float64{0.5}, nil
	}}
	b := newBench(t, newSource(Serving{Champion: 1}, blocked), func(cfg *Config) { cfg.MaxConcurrent, cfg.Timeout = 1, 50*time.Millisecond })
	first := make(chan reply)
	go func() { defer close(first); first <- b.infer(oneRow) }()
	<-entered
	r := b.infer(oneRow)
	require.Equal(t, 503, r.code)
	require.Equal(t, "1", r.header.Get("Retry-After"))
	require.Equal(t, "the gateway worked on 1 other requests for 50ms; ask again in a moment", r.problem(t))
	close(release)
	require.Equal(t, 200, (<-first).code)
}
