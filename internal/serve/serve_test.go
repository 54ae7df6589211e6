package serve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
)

func TestEveryFormatIsAnswered(t *testing.T) {
	nan := math.NaN()
	for _, format := range []string{"", spec.ServeCSV, spec.ServeCSVNoHeader, spec.ServeDataframeSplit, spec.ServeDataframeRecords, spec.ServeInstances} {
		t.Run("format "+format, func(t *testing.T) {
			t.Parallel()
			fx := newFixture(t, "serves", func(fx *fixture) { fx.served.Serve.Format = format })
			m := fx.open()
			require.Equal(t, fx.served.Inputs, m.Schema())
			got, err := m.Predict(t.Context(), frame([]float64{100, nan, 0.5, 1e-7}, awkward, "", "b", awkward))
			require.NoError(t, err)
			require.InDeltaSlice(t, []float64{0.3501, 0.5, 0.2505, 0.2501000001}, got, 1e-12)
			got, err = m.Predict(t.Context(), frame(nil))
			require.NoError(t, err)
			require.Empty(t, got)
			require.Zero(t, m.Restarts())
			require.NoError(t, m.Failed())
		})
	}
}

func TestTheProgramGetsWhatItNeeds(t *testing.T) {
	fx := newFixture(t, "serves", func(fx *fixture) {
		fx.loader.Devices = "3"
		fx.loader.Policy.CPUs = 1
		fx.loader.Policy.WallTime = time.Nanosecond // of training, not of serving
		fx.served.Serve.Environment["PORT"] = "1"
		fx.served.Serve.Environment["OWN"] = "value"
	})
	t.Setenv("SECRET_OF_THE_WORKER", "hidden")
	m := fx.open()
	_, err := m.Predict(t.Context(), frame([]float64{1}))
	require.NoError(t, err)
	c := fx.seen()[0]
	require.Equal(t, "text/csv", c.Type)
	require.Len(t, c.Args, 2)
	port, dir := c.Args[0], strings.TrimPrefix(c.Args[1], "--model=")
	for _, want := range []string{"PORT=" + port, "SAGEMAKER_BIND_TO_PORT=" + port, "SM_MODEL_DIR=" + dir, "SM_NUM_CPUS=1", "CUDA_VISIBLE_DEVICES=3", "OWN=value"} {
		require.Contains(t, c.Env, want)
	}
	require.NotContains(t, strings.Join(c.Env, "\n"), "hidden")
	require.FileExists(t, filepath.Join(dir, "offset"))
	require.FileExists(t, filepath.Join(c.Dir, "package", "code.txt"), "it runs in its code")
	require.True(t, strings.HasPrefix(dir, fx.scratch))
}

func TestAModelInProcessNeedsNoProgram(t *testing.T) {
	fx := newFixture(t, "serves")
	one := &model.Logistic{
		Kind: model.KindLogistic, Format: model.LogisticFormat,
		Inputs: model.Schema{Features: []model.Feature{{Name: "x", Kind: table.Numeric}}, Target: "y", Positive: "yes", Negative: "no"},
		Terms:  []model.Term{{Numeric: &model.NumericTerm{Mean: 0, SD: 1, Coefficient: 1}}},
	}
	b, err := one.Encode()
	require.NoError(t, err)
	ref, err := fx.loader.Store.Put(t.Context(), strings.NewReader(string(b)), artifact.MediaModel)
	require.NoError(t, err)
	m, err := fx.loader.Open(t.Context(), ref)
	require.NoError(t, err)
	got, err := m.Predict(t.Context(), frame([]float64{0}))
	require.NoError(t, err)
	require.Equal(t, []float64{0.5}, got)
	require.NoError(t, m.Close())
	require.NoError(t, m.Failed())
	require.Zero(t, m.Usage())
}

func TestOpenRefusesWhatIsNoModel(t *testing.T) {
	fx := newFixture(t, "serves")
	put := func(content, mediaType string) artifact.Ref {
		ref, err := fx.loader.Store.Put(t.Context(), strings.NewReader(content), mediaType)
		require.NoError(t, err)
		return ref
	}
	for content, want := range map[string]string{
		`{}`:                  `the field "kind" is missing`,
		`[]`:                  "expected a JSON object",
		`{"kind":"served"}`:   "expected \"served\" format 1",
		`{"kind":"unheard"}`:  "unknown kind",
		`{"kind":"served"} 1`: "decode model",
	} {
		_, err := fx.loader.Open(t.Context(), put(content, artifact.MediaModel))
		require.ErrorContains(t, err, want)
	}
	_, err := fx.loader.Open(t.Context(), put(`{}`, artifact.MediaJSON))
	require.ErrorContains(t, err, "media type")
	fx.served.Serve.Format = "xml"
	_, err = fx.loader.Open(t.Context(), fx.store())
	require.ErrorContains(t, err, `serve.format is "xml"; expected csv, csv_no_header`)
	fx.nothingLeft()
}

func TestAProgramThatDoesNotServeIsSaid(t *testing.T) {
	for _, c := range []struct {
		name, mode string
		change     func(*fixture)
		kind       StartKind
		transient  bool
		text       []string
	}{
		{"ends at once", "ends", nil, Ended, false, []string{"exited with status 3", "cannot read the weights", "Try serve.run by hand"}},
		{"ends well", "exits well", nil, Ended, false, []string{"exited with status 0 before it was ready", "stay in the foreground"}},
		{"crashes", "crashes", nil, Ended, true, []string{"signal 9"}},
		{"never ready", "never ready", func(fx *fixture) { fx.served.Serve.ReadyWithin = spec.Duration(3 * time.Second) }, NotReady, false,
			[]string{"within 3s", "the last one gave status 503", "raise serve.ready_within", "still reading the weights"}},
		{"its port is always taken", "finds its port taken", nil, Ended, true, []string{"Address already in use"}},
		{"not allowed", "serves", func(fx *fixture) { fx.loader.Policy.Allowed = nil }, Refused, false, []string{"--allow-programs"}},
		{"not there", "serves", func(fx *fixture) {
			fx.loader.Policy.Allowed = []string{"/nowhere/server"}
			fx.served.Serve.Run[0] = "server"
		}, Refused, false, []string{"/nowhere/server, which is allowed, is not there"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fx := newFixture(t, c.mode, func(fx *fixture) {
				if c.change != nil {
					c.change(fx)
				}
			})
			_, err := fx.loader.Open(t.Context(), fx.store())
			var start *StartError
			require.ErrorAs(t, err, &start)
			require.Equal(t, c.kind, start.Kind)
			require.Equal(t, c.transient, start.Transient())
			for _, text := range c.text {
				require.ErrorContains(t, err, text)
			}
			var refusal *program.Refusal
			require.Equal(t, c.kind == Refused, errors.As(err, &refusal))
			fx.nothingLeft()
		})
	}
}

func TestAPortThatWasTakenMeanwhileIsReplaced(t *testing.T) {
	m := newFixture(t, "finds its port taken once").open()
	got, err := m.Predict(t.Context(), frame([]float64{1}))
	require.NoError(t, err)
	require.Equal(t, []float64{0.251}, got)
	require.Zero(t, m.Restarts())
}

func TestAnAnswerOfAnotherProgramIsNoReadiness(t *testing.T) {
	fx := newFixture(t, "listens nowhere", func(fx *fixture) { fx.served.Serve.ReadyWithin = spec.Duration(4 * time.Second) })
	fx.do(func(c call) string {
		ln, err := net.Listen("tcp", "127.0.0.1:"+c.Args[0])
		if err != nil {
			t.Error(err)
			return ""
		}
		other := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
		go func() { _ = other.Serve(ln) }()
		t.Cleanup(func() { other.Close() })
		return ""
	})
	_, err := fx.loader.Open(t.Context(), fx.store())
	var start *StartError
	require.ErrorAs(t, err, &start)
	require.Equal(t, NotReady, start.Kind)
	require.ErrorContains(t, err, "another program answers on the port it was given")
}

func TestOpenEndsWithItsContext(t *testing.T) {
	fx := newFixture(t, "never ready")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := fx.loader.Open(ctx, fx.store())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	fx.nothingLeft()
}

func TestFramesThatDoNotFit(t *testing.T) {
	m := newFixture(t, "serves").open()
	good := frame([]float64{1})
	for _, c := range []struct {
		name  string
		frame *table.Frame
		want  string
	}{
		{"a feature is missing", &table.Frame{Rows: 1, Columns: good.Columns[:1]}, `no column "x"`},
		{"of another kind", &table.Frame{Rows: 1, Columns: []table.Column{good.Columns[0], {Name: "x", Kind: table.Categorical, Codes: []int32{-1}}}}, `column "x" is categorical; the model was trained on it as numeric`},
		{"too short", &table.Frame{Rows: 2, Columns: good.Columns}, "has 1 values for 2 rows"},
		{"infinite", frame([]float64{math.Inf(1)}), `column "x" is infinite in row 0`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := m.Predict(t.Context(), c.frame)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestFailuresOfRequests(t *testing.T) {
	for _, c := range []struct {
		name, order string
		requests    int
		transient   bool
		want        string
	}{
		{"refused", "status 400 unknown column", 1, false, "POST /invocations gave status 400 Bad Request, and said: unknown column. It does not take the rows as they were sent"},
		{"wrong format", "status 415 text/csv?", 1, false, "Choose another serve.format."},
		{"busy", "status 429 later", 1, true, "gave status 429"},
		{"broken", "status 500 " + strings.Repeat("é", 400), 3, true, "gave status 500 Internal Server Error, and said: " + strings.Repeat("é", 150) + ". The worker's log"},
		{"silent", "status 503 ", 3, true, "and said nothing"},
		{"moved", "status 302 ", 1, false, "Expected status 200."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fx := newFixture(t, "serves")
			m := fx.open()
			fx.do(func(call) string { return c.order })
			_, err := m.Predict(t.Context(), frame([]float64{1}))
			var failed *RequestError
			require.ErrorAs(t, err, &failed)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, c.transient, failed.Transient())
			require.Len(t, fx.seen(), c.requests)
			fx.do(func(call) string { return "good" })
			_, err = m.Predict(t.Context(), frame([]float64{1}))
			require.NoError(t, err)
		})
	}
}

func TestAServerThatFailsOnceIsAskedAgain(t *testing.T) {
	t.Parallel()
	fx := newFixture(t, "serves")
	m := fx.open()
	fx.do(func(call) string {
		if len(fx.seen()) < 3 {
			return "status 500 not yet"
		}
		return "good"
	})
	got, err := m.Predict(t.Context(), frame([]float64{1}))
	require.NoError(t, err)
	require.Equal(t, []float64{0.251}, got)
}

func TestBadAnswersNameTheRowOfTheFrame(t *testing.T) {
	fx := newFixture(t, "serves", func(fx *fixture) { fx.served.Serve.BatchRows = 4 })
	m := fx.open()
	fx.do(func(c call) string {
		if c.First == 4 {
			return `raw {"predictions": [0.1, 0.2, 1.5, 0.4]}`
		}
		return "good"
	})
	_, err := m.Predict(t.Context(), frame(numbered(12)))
	var answer *AnswerError
	require.ErrorAs(t, err, &answer)
	require.Equal(t, 6, answer.Row)
	require.False(t, answer.Transient())
	require.ErrorContains(t, err, "row 6 is a number outside [0, 1]")

	fx.do(func(call) string { return "endless" })
	_, err = m.Predict(t.Context(), frame([]float64{1}))
	require.ErrorAs(t, err, &answer)
	require.ErrorContains(t, err, "it is larger than 1052672 bytes for 1 rows")
}

func TestTheOutputGoesToTheLog(t *testing.T) {
	fx := newFixture(t, "ends")
	_, err := fx.loader.Open(t.Context(), fx.store())
	require.Error(t, err)
	require.Contains(t, fx.log.String(), `msg="model server: cannot read the weights"`)
}

func TestWhatAProgramChangesIsSeenByNobodyElse(t *testing.T) {
	fx := newFixture(t, "serves")
	m := fx.open()
	_, err := m.Predict(t.Context(), frame([]float64{1}))
	require.NoError(t, err)
	first := fx.seen()[0]
	files := strings.TrimPrefix(first.Args[1], "--model=")
	require.NoError(t, os.WriteFile(filepath.Join(files, "offset"), []byte("0.5"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(first.Dir, "package", "code.txt"), []byte("changed"), 0o600))

	other := fx.open()
	got, err := other.Predict(t.Context(), frame([]float64{1}))
	require.NoError(t, err)
	require.Equal(t, []float64{0.251}, got)
	second := fx.seen()[1]
	require.NotEqual(t, first.Dir, second.Dir)
	content, err := os.ReadFile(filepath.Join(second.Dir, "package", "code.txt"))
	require.NoError(t, err)
	require.Equal(t, "code", string(content))
}

func TestTheDiskQuotaCountsWhatTheProgramWrites(t *testing.T) {
	fx := newFixture(t, "serves", func(fx *fixture) { fx.loader.Policy.DiskBytes = 1 })
	s := fx.open().(*server)
	given, err := allocated(s.folder.path)
	require.NoError(t, err)
	require.Positive(t, given)
	require.LessOrEqual(t, s.command.Policy.DiskBytes, given+ownFolders+1)
	_, err = s.Predict(t.Context(), frame([]float64{1}))
	require.NoError(t, err)
}

func ExampleStartError() {
	err := &StartError{Kind: Ended, Program: "server.py", Err: &program.End{Kind: program.Exited, Code: 1, Tail: "ModuleNotFoundError: No module named 'xgboost'"}}
	fmt.Println(err, err.Transient())
	// Output:
	// start the model's server "server.py": the program exited with status 1; expected 0. Its last output:
	// ModuleNotFoundError: No module named 'xgboost'
	// It must serve until it is stopped. Try serve.run by hand on the model's files. false
}
