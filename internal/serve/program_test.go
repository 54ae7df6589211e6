package serve

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
)

// The test binary doubles as the program that serves a model. The variable says how it starts; what it does with a
// request it asks the test, at the address in callback.
const (
	programMode = "MODEL_SERVER"
	callback    = "CALLBACK"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(programMode); mode != "" {
		serveModel(mode)
	}
	os.Exit(m.Run())
}

// call is what the program tells the test of a request.
type call struct {
	Pid   int
	Rows  int
	Args  []string
	Dir   string
	Env   []string
	Type  string
	First float64 // x of the first row
}

func serveModel(mode string) {
	switch mode {
	case "ends":
		fmt.Println("cannot read the weights")
		os.Exit(3)
	case "exits well":
		os.Exit(0)
	case "crashes":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "finds its port taken once":
		if _, err := os.Stat("tried"); err != nil {
			_ = os.WriteFile("tried", nil, 0o600)
			fmt.Println("OSError: [Errno 98] Address already in use")
			os.Exit(1)
		}
	case "finds its port taken":
		fmt.Println("OSError: [Errno 98] Address already in use")
		os.Exit(1)
	case "listens nowhere":
		_, _ = http.Post(os.Getenv(callback), "application/json", strings.NewReader(`{"Args": ["`+os.Args[1]+`"]}`))
		select {}
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
	}
	var stuck sync.WaitGroup // never done once a request hangs
	http.HandleFunc("GET /ping", func(w http.ResponseWriter, r *http.Request) {
		stuck.Wait()
		if mode == "never ready" {
			fmt.Println("still reading the weights")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("POST /invocations", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		xs, cs, err := decodeRows(r.Header.Get("Content-Type"), body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		switch order, rest := ask(r, xs); order {
		case "", "good":
			good(w, xs, cs)
		case "status":
			code, said, _ := strings.Cut(rest, " ")
			status, _ := strconv.Atoi(code)
			http.Error(w, said, status)
		case "raw":
			_, _ = w.Write([]byte(rest))
		case "endless":
			for {
				if _, err := w.Write(bytes.Repeat([]byte("0.5\n"), 1<<14)); err != nil {
					return
				}
			}
		case "die":
			fmt.Println("the weights are on fire")
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case "hang":
			stuck.Add(1)
			select {}
		}
	})
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}

// ask tells the test of a request and takes its order.
func ask(r *http.Request, xs []float64) (order, rest string) {
	if os.Getenv(callback) == "" {
		return "good", ""
	}
	dir, _ := os.Getwd()
	c := call{Pid: os.Getpid(), Rows: len(xs), Args: os.Args[1:], Dir: dir, Env: os.Environ(), Type: r.Header.Get("Content-Type")}
	if c.First = xs[0]; c.First != c.First {
		c.First = -1
	}
	b, _ := json.Marshal(c)
	resp, err := http.Post(os.Getenv(callback), "application/json", bytes.NewReader(b))
	if err != nil {
		return "status", "500 the test is gone"
	}
	defer resp.Body.Close()
	b, _ = io.ReadAll(resp.Body)
	order, rest, _ = strings.Cut(string(b), " ")
	return order, rest
}

// good answers the offset in the model's files plus a thousandth of x, 0.5 where x is missing, and 0.0001 more where c is
// exactly awkward.
func good(w http.ResponseWriter, xs []float64, cs []any) {
	offset, err := os.ReadFile(filepath.Join(os.Getenv("SM_MODEL_DIR"), "offset"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	base, _ := strconv.ParseFloat(string(offset), 64)
	scores := make([]float64, len(xs))
	for i, x := range xs {
		scores[i] = base + x/1000
		if x != x {
			scores[i] = 0.5
		}
		if cs[i] == awkward {
			scores[i] += 0.0001
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"predictions": scores})
}

// decodeRows reads a request as a careful server would.
func decodeRows(contentType string, body []byte) (xs []float64, cs []any, err error) {
	var cells [][]any
	if contentType == "text/csv" {
		lines, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
		if err != nil {
			return nil, nil, err
		}
		if len(lines) > 0 && lines[0][0] == "x" {
			if lines[0][1] != textColumn {
				return nil, nil, fmt.Errorf("unexpected header %q", lines[0])
			}
			lines = lines[1:]
		}
		for _, line := range lines {
			row := []any{nil, nil}
			if line[0] != "" {
				v, err := strconv.ParseFloat(line[0], 64)
				if err != nil {
					return nil, nil, err
				}
				row[0] = v
			}
			if line[1] != "" {
				row[1] = line[1]
			}
			cells = append(cells, row)
		}
	} else {
		var request struct {
			Split struct {
				Columns []string `json:"columns"`
				Data    [][]any  `json:"data"`
			} `json:"dataframe_split"`
			Records   []map[string]any `json:"dataframe_records"`
			Instances []map[string]any `json:"instances"`
		}
		if err := json.Unmarshal(body, &request); err != nil {
			return nil, nil, err
		}
		cells = request.Split.Data
		for _, object := range append(request.Records, request.Instances...) {
			cells = append(cells, []any{object["x"], object[textColumn]})
		}
	}
	for _, row := range cells {
		x, ok := row[0].(float64)
		if !ok {
			x = math.NaN()
		}
		xs, cs = append(xs, x), append(cs, row[1])
	}
	if len(xs) == 0 {
		return nil, nil, fmt.Errorf("no rows in the request")
	}
	return xs, cs, nil
}

const (
	textColumn = `c, "quoted"`
	awkward    = "a \"b\", c\n<é>"
)

// fixture is a stored model and what opens it.
type fixture struct {
	t       *testing.T
	loader  *Loader
	served  model.Served
	scratch string
	log     *bytes.Buffer // after the model is closed

	mu    sync.Mutex
	calls []call
	order func(call) string
}

func newFixture(t *testing.T, mode string, change ...func(*fixture)) *fixture {
	t.Helper()
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	exe, err := os.Executable()
	require.NoError(t, err)
	fx := &fixture{t: t, scratch: t.TempDir(), log: &bytes.Buffer{}, order: func(call) string { return "good" }}
	tell := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var c call
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			t.Error(err)
		}
		fx.mu.Lock()
		fx.calls = append(fx.calls, c)
		order := fx.order
		fx.mu.Unlock()
		_, _ = io.WriteString(w, order(c))
	}))
	t.Cleanup(func() {
		tell.Close()
		fx.nothingLeft()
	})
	folder := func(files map[string]string) artifact.Ref {
		dir := t.TempDir()
		for name, content := range files {
			path := filepath.Join(dir, name)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		}
		ref, _, err := artifact.PutFolder(t.Context(), store, dir, artifact.FolderLimits{})
		require.NoError(t, err)
		return ref
	}
	fx.loader = &Loader{
		Store: store, Scratch: fx.scratch, Policy: program.Policy{Allowed: []string{exe}},
		Logger: textLogger(fx.log),
	}
	fx.served = model.Served{
		Kind: model.KindServed, Format: model.ServedFormat,
		Inputs: model.Schema{
			Features: []model.Feature{{Name: "x", Kind: table.Numeric}, {Name: textColumn, Kind: table.Categorical, Levels: []string{"a", "b"}}},
			Target:   "y", Positive: "yes", Negative: "no",
		},
		Files: folder(map[string]string{"offset": "0.25"}),
		Code:  folder(map[string]string{"package/code.txt": "code"}),
		Serve: spec.Serve{
			Run:         []string{exe, "{port}", "--model={model_dir}"},
			Environment: map[string]string{programMode: mode, callback: tell.URL},
		},
	}
	for _, c := range change {
		c(fx)
	}
	return fx
}

func (fx *fixture) do(order func(call) string) {
	fx.mu.Lock()
	defer fx.mu.Unlock()
	fx.order = order
}

func (fx *fixture) seen() []call {
	fx.mu.Lock()
	defer fx.mu.Unlock()
	return append([]call{}, fx.calls...)
}

func (fx *fixture) store() artifact.Ref {
	fx.t.Helper()
	b, err := fx.served.Encode()
	require.NoError(fx.t, err)
	ref, err := fx.loader.Store.Put(fx.t.Context(), bytes.NewReader(b), artifact.MediaModel)
	require.NoError(fx.t, err)
	return ref
}

// open opens the model and closes it when the test ends.
func (fx *fixture) open() Model {
	fx.t.Helper()
	m, err := fx.loader.Open(fx.t.Context(), fx.store())
	require.NoError(fx.t, err)
	fx.t.Cleanup(func() { require.NoError(fx.t, m.Close()) })
	return m
}

// nothingLeft checks that no run folder stays behind.
func (fx *fixture) nothingLeft() {
	fx.t.Helper()
	left, err := filepath.Glob(filepath.Join(fx.scratch, runPrefix+"*"))
	require.NoError(fx.t, err)
	require.Empty(fx.t, left)
}

// frame has a column x of numbers, NaN where missing, and a column of texts, "" where missing.
func frame(xs []float64, texts ...string) *table.Frame {
	text := table.Column{Name: textColumn, Kind: table.Categorical, Levels: []string{awkward, "b"}}
	for i := range xs {
		code := int32(-1)
		if i < len(texts) && texts[i] != "" {
			code = 0
			if texts[i] == "b" {
				code = 1
			}
		}
		text.Codes = append(text.Codes, code)
	}
	return &table.Frame{Rows: len(xs), Columns: []table.Column{text, {Name: "x", Kind: table.Numeric, Numbers: xs}}}
}

func numbered(n int) []float64 {
	xs := make([]float64, n)
	for i := range xs {
		xs[i] = float64(i % 500)
	}
	return xs
}

// wanted is what good answers.
func wanted(xs []float64) []float64 {
	scores := make([]float64, len(xs))
	for i, x := range xs {
		scores[i] = 0.25 + x/1000
	}
	return scores
}

func textLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
