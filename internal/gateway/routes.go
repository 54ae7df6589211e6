package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// statusClientClosed marks, in metrics only, requests whose caller did not wait for the answer.
const statusClientClosed = 499

var (
	errNoJournal    = errors.New("the log could not be opened")
	errShuttingDown = problem(http.StatusServiceUnavailable, "the gateway is shutting down; ask again in a moment")
)

// Handler answers the endpoints listed in the package's documentation.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range []struct {
		method, path string
		handler      http.HandlerFunc
	}{
		{http.MethodGet, "/v2", g.serverMetadata},
		{http.MethodGet, "/v2/{$}", g.serverMetadata},
		{http.MethodGet, "/v2/health/live", g.live},
		{http.MethodGet, "/v2/health/ready", g.ready},
		{http.MethodGet, "/v2/models/{model}", g.modelMetadata},
		{http.MethodGet, "/v2/models/{model}/ready", g.modelReady},
		{http.MethodGet, "/v2/models/{model}/versions/{version}", g.modelMetadata},
		{http.MethodGet, "/v2/models/{model}/versions/{version}/ready", g.modelReady},
		{http.MethodPost, "/v2/models/{model}/infer", g.infer},
		{http.MethodPost, "/v2/models/{model}/versions/{version}/infer", g.infer},
		{http.MethodPost, "/v2/models/{model}/labels", g.labels},
		{http.MethodGet, "/metrics", g.metricsHandler().ServeHTTP},
	} {
		mux.HandleFunc(route.method+" "+route.path, route.handler)
		mux.HandleFunc(route.path, wrongMethod(route.method))
	}
	mux.HandleFunc("/", noSuchPath)
	return mux
}

func (g *Gateway) metricsHandler() http.Handler {
	gatherer, ok := g.cfg.Registerer.(prometheus.Gatherer)
	if !ok {
		gatherer = prometheus.DefaultGatherer
	}
	return promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{})
}

func wrongMethod(want string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", want)
		writeProblem(w, problem(http.StatusMethodNotAllowed, "%s is answered to %s only", r.URL.Path, want))
	}
}

func noSuchPath(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, problem(http.StatusNotFound, "there is nothing at %s; this is an Open Inference Protocol v2 server: ask /v2/models/{model}/infer, or /v2 for what it can do", r.URL.Path))
}

func (g *Gateway) serverMetadata(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, serverMetadata{Name: serverName, Version: buildVersion(), Extensions: extensions})
}

func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func (g *Gateway) live(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]bool{"live": true})
}

// ready is true when every promoted model can answer, as the protocol has it.
func (g *Gateway) ready(w http.ResponseWriter, _ *http.Request) {
	st, release := g.hold()
	defer release()
	ready := st != nil && !g.draining.Load()
	for _, name := range readNames(st) {
		d := st.models[name]
		ready = ready && (len(d.versions()) == 0 || d.ready())
	}
	code := http.StatusOK
	if !ready {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, map[string]bool{"live": true, "ready": ready})
}

func readNames(st *state) []string {
	if st == nil {
		return nil
	}
	return st.names()
}

func (g *Gateway) modelReady(w http.ResponseWriter, r *http.Request) {
	st, release := g.hold()
	defer release()
	d, vs, err := g.named(st, r)
	if err != nil {
		writeProblem(w, err)
		return
	}
	if d.journal == nil || !slices.ContainsFunc(vs, (*version).loaded) {
		writeJSON(w, http.StatusServiceUnavailable, modelReady{Name: d.model})
		return
	}
	writeJSON(w, http.StatusOK, modelReady{Name: d.model, Ready: true})
}

func (g *Gateway) modelMetadata(w http.ResponseWriter, r *http.Request) {
	st, release := g.hold()
	defer release()
	d, vs, err := g.named(st, r)
	if err != nil {
		writeProblem(w, err)
		return
	}
	at := slices.IndexFunc(vs, (*version).loaded)
	if at < 0 {
		writeProblem(w, d.unloadable(vs[0]))
		return
	}
	numbers := make([]string, 0, 2)
	for _, v := range d.versions() {
		numbers = append(numbers, strconv.Itoa(v.number))
	}
	writeJSON(w, http.StatusOK, modelMetadata{
		Name: d.model, Versions: numbers, Platform: platform,
		Inputs:  tensorsOf(vs[at].instance.predictor.Schema()),
		Outputs: outputsOf(vs[at].instance.predictor.Schema()),
	})
}

// named finds the model of a path, and the version in it or, without one, all that serve: at least one.
func (g *Gateway) named(st *state, r *http.Request) (*deployment, []*version, error) {
	d, err := g.deployed(st, r.PathValue("model"))
	if err != nil {
		return nil, nil, err
	}
	if number := r.PathValue("version"); number != "" {
		v, err := d.version(number)
		return d, []*version{v}, err
	}
	if len(d.versions()) == 0 {
		return nil, nil, d.notPromoted()
	}
	return d, d.versions(), nil
}

func (g *Gateway) deployed(st *state, name string) (*deployment, error) {
	if st == nil && g.draining.Load() {
		return nil, errShuttingDown
	}
	if st == nil {
		return nil, problem(http.StatusServiceUnavailable, "the gateway has just started and is still reading the registry; ask again in a moment")
	}
	if d := st.models[name]; d != nil {
		return d, nil
	}
	if len(st.models) == 0 {
		return nil, problem(http.StatusNotFound, "there is no model %q; no model is registered yet: run a lifecycle that ends in an approved version", name)
	}
	return nil, problem(http.StatusNotFound, "there is no model %q; the models are %s", name, strings.Join(st.names(), ", "))
}

func (d *deployment) version(number string) (*version, error) {
	var have []string
	for _, v := range d.versions() {
		if strconv.Itoa(v.number) == number {
			return v, nil
		}
		have = append(have, strconv.Itoa(v.number))
	}
	if have == nil {
		return nil, d.notPromoted()
	}
	return nil, problem(http.StatusNotFound, "version %q of model %q does not serve; these do: %s", number, d.model, strings.Join(have, ", "))
}

func (d *deployment) notPromoted() error {
	return problem(http.StatusServiceUnavailable, "model %q is registered, but no version of it has been promoted yet; approve one and let its rollout begin", d.model)
}

func (d *deployment) unloadable(v *version) error {
	if v.loading() {
		return problem(http.StatusServiceUnavailable, "version %d of model %q is still being loaded; ask again in a moment", v.number, d.model)
	}
	return problem(http.StatusServiceUnavailable, "version %d of model %q cannot be loaded; the gateway's log says why", v.number, d.model)
}

// problemError is an answer other than 200.
type problemError struct {
	status int
	text   string
}

func (p *problemError) Error() string { return p.text }

func problem(status int, format string, args ...any) error {
	return &problemError{status, fmt.Sprintf(format, args...)}
}

// about puts the model in front of a problem.
func about(model string, err error) error {
	var p *problemError
	if !errors.As(err, &p) {
		return err
	}
	return &problemError{p.status, fmt.Sprintf("model %q: %s", model, p.text)}
}

// isRefusal reports whether the request, rather than a version, is at fault.
func isRefusal(err error) bool {
	var p *problemError
	return errors.As(err, &p) && p.status < http.StatusInternalServerError
}

func writeProblem(w http.ResponseWriter, err error) int {
	code := http.StatusInternalServerError
	var p *problemError
	if errors.As(err, &p) {
		code = p.status
	}
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, code, map[string]string{"error": err.Error()})
	return code
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // fails only when the caller has gone
}
