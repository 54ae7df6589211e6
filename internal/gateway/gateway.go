// Package gateway serves models over the Open Inference Protocol v2 (REST), splits traffic between a champion and a
// candidate, and records every prediction it gives.
//
// # Endpoints
//
//	GET  /v2                                           server metadata
//	GET  /v2/health/live, /v2/health/ready             ready: every promoted model can answer
//	GET  /v2/models/{model}[/versions/{version}]        model metadata
//	GET  /v2/models/{model}[/versions/{version}]/ready
//	POST /v2/models/{model}[/versions/{version}]/infer
//	POST /v2/models/{model}/labels                     {"labels": [{"id": "...", "label": "yes"}]}
//	GET  /metrics                                      Prometheus
//
// Errors have the protocol's shape {"error": "..."}; they name features, rows and expected kinds, never values.
//
// # Requests
//
// An inference request has one input tensor per feature, named as in training, of shape [n] or [n, 1]. Numeric features
// take FP32, FP64, INT8 to INT64, UINT8 to UINT64 and BOOL (as 0 and 1); categorical ones take BYTES and BOOL (as "true" and
// "false"). Two extensions, named in the server's metadata:
//
//   - null_is_missing: null in a tensor's data is a missing value.
//   - instances: {"instances": [{"age": 39, "sex": "Female"}]} in place of inputs, one object per row.
//
// Every feature must be named; inputs that are no features are ignored and not recorded. The answer's output is
// "score", the probability of the model's positive class. The answer's id is the request's, or one made here; the
// prediction of row i is known to the log and to labels as "<id>" when the request has one row, otherwise as "<id>/<i>".
// Its parameters say which role answered, and "fallback": true when the champion answered in the candidate's place.
//
// # Traffic
//
// A request's key is the header X-Assay-Key, else its id, else random. The key and the model's name give a point in
// [0, 100), and requests whose point is below the candidate's traffic go to the candidate: the same key always goes
// the same way, and raising traffic moves keys to the candidate and none back. A candidate without a champion serves alone.
// A version named in the path is asked as it is.
//
// When a candidate fails (it cannot be loaded, returns an error, panics, gives a score that is no probability, or
// refuses an input that the champion takes) the champion answers, and the log holds a record with status 500 for the
// candidate, so that the rollout sees what the caller does not.
//
// # Versions come and go
//
// Versions are loaded in the background, since one that a program answers for takes as long as that program needs to start.
// Until a new champion is loaded the old one serves; a first one is answered 503 for. A candidate takes no traffic before it
// is loaded, and that is no failure of it. A version that has left service is closed when the last request that began
// before has ended; one that has broken for good (Failer) is closed and loaded anew.
//
// # Evidence
//
// An answer is given only when it has been recorded (package predictionlog); when the spool cannot be written, infer answers
// 503. Keys are recorded as hashes. Refused requests (4xx) say nothing about a model and are counted, not recorded.
package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/predictionlog"
)

// Serving is which versions of a model answer. 0 is none.
type Serving struct {
	Champion  int
	Candidate int
	Traffic   float64 // percent of requests for the candidate, in [0, 100]
}

// Source tells which models there are and gives their versions.
type Source interface {
	// Models names every registered model, promoted or not.
	Models(ctx context.Context) ([]string, error)
	// Serving gives the versions that answer for a model; both are 0 when none has been promoted.
	Serving(ctx context.Context, model string) (Serving, error)
	// Load gives a version, verified and ready to answer. It is called in the background and may take minutes; it
	// returns soon after ctx ends. A predictor that is an io.Closer is closed, once, when it has left service and the
	// last request that began while it served has ended; its Schema is asked only before. One that is a Failer and has
	// failed is closed and loaded anew.
	Load(ctx context.Context, model string, version int) (model.Predictor, error)
}

// Config of a gateway. Store and Spool are required; other zero values give the defaults named.
type Config struct {
	Store  artifact.Store // takes the sealed segments of the logs
	Spool  string         // folder on a local disk for open segments
	Source Source         // default Registry(Store, nil)

	Poll          time.Duration         // how often the source is asked; default 200 ms
	SegmentAge    time.Duration         // how old an open segment of a log gets; default 2 s
	MaxBody       int64                 // bytes of a request; default 8 MiB
	MaxConcurrent int                   // requests worked on at once, others wait; default 64
	Timeout       time.Duration         // for one request, waiting included; default 10 s
	Now           func() time.Time      // default time.Now
	Logger        *slog.Logger          // default slog.Default()
	Registerer    prometheus.Registerer // default a registry of its own; /metrics shows it when it is a Gatherer too
}

func (c Config) withDefaults() Config {
	if c.Source == nil {
		c.Source = Registry(c.Store, nil)
	}
	c.Poll = cmp.Or(c.Poll, 200*time.Millisecond)
	c.SegmentAge = cmp.Or(c.SegmentAge, 2*time.Second)
	c.MaxBody = cmp.Or(c.MaxBody, 8<<20)
	c.MaxConcurrent = cmp.Or(c.MaxConcurrent, 64)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	return c
}

// Gateway serves models. Make it with New; its methods are safe for concurrent use.
type Gateway struct {
	cfg     Config
	metrics *metrics
	state   atomic.Pointer[state] // nil until the first Sync
	slots   chan struct{}         // one per request being worked on

	syncing  sync.Mutex // guards what follows
	journals map[string]*journal
	loads    map[attempt]*load
	ended    chan struct{} // closed, and replaced, whenever a load ends

	open sync.WaitGroup // loads at work and instances not closed yet

	gate     sync.RWMutex // held for reading by requests at work; Close takes it
	draining atomic.Bool
	closed   bool // guarded by gate
}

// New makes a gateway and seals what dead gateways left in the spool. It serves nothing until Sync or Run.
func New(cfg Config) (*Gateway, error) {
	if cfg.Store == nil || cfg.Spool == "" {
		return nil, errors.New("make gateway: a store and a spool folder are required")
	}
	cfg = cfg.withDefaults()
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("make gateway: register metrics: %w", err)
	}
	if err := predictionlog.Probe(cfg.Spool); err != nil {
		return nil, fmt.Errorf("make gateway: %w", err)
	}
	if err := predictionlog.Recover(context.Background(), cfg.Store, cfg.Spool); err != nil {
		cfg.Logger.Error("sealing what an earlier gateway left in the spool failed, will be tried again", "error", err)
	}
	return &Gateway{
		cfg: cfg, metrics: m,
		slots:    make(chan struct{}, cfg.MaxConcurrent),
		journals: map[string]*journal{},
		loads:    map[attempt]*load{},
		ended:    make(chan struct{}),
	}, nil
}

// Run keeps what is served in step with the source until ctx ends, and then returns nil. A source that fails
// changes nothing: the versions loaded last go on serving. A version that takes long to load holds up no other.
func (g *Gateway) Run(ctx context.Context) error {
	tick := time.NewTicker(g.cfg.Poll)
	defer tick.Stop()
	var last string
	for {
		loaded, err := g.pass(ctx)
		if err != nil && ctx.Err() == nil {
			if err.Error() != last {
				g.cfg.Logger.Error("gateway: bringing models up to date failed, will be tried again", "error", err)
			}
			last = err.Error()
		} else {
			last = ""
		}
		select {
		case <-ctx.Done():
			return nil
		case <-loaded:
		case <-tick.C:
		}
	}
}

// Flush seals the logs of all models, so that readers of the store see every answer given before.
func (g *Gateway) Flush(ctx context.Context) error {
	g.syncing.Lock()
	defer g.syncing.Unlock()
	var errs []error
	for _, name := range sortedKeys(g.journals) {
		errs = append(errs, g.journals[name].flush(ctx))
	}
	return errors.Join(errs...)
}

// Close refuses new requests, waits for those at work, seals the logs, and closes every version. When ctx ends first,
// it closes the logs without waiting any longer: what could not be sealed stays in the spool, and a version is closed as
// soon as the last request that uses it has ended.
func (g *Gateway) Close(ctx context.Context) error {
	g.draining.Store(true)
	idle := make(chan struct{})
	go func() {
		g.gate.Lock()
		g.closed = true
		g.gate.Unlock()
		close(idle)
	}()
	var errs []error
	select {
	case <-idle:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("close gateway: requests were still at work: %w", ctx.Err()))
	}
	errs = append(errs, g.retire(ctx))
	closed := make(chan struct{})
	go func() {
		g.open.Wait()
		close(closed)
	}()
	select {
	case <-closed:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("close gateway: versions were still being closed: %w", ctx.Err()))
	}
	return errors.Join(errs...)
}

// retire takes everything out of service and seals the logs.
func (g *Gateway) retire(ctx context.Context) error {
	g.syncing.Lock()
	defer g.syncing.Unlock()
	g.publish(nil)
	g.forget(nil)
	var errs []error
	for _, name := range sortedKeys(g.journals) {
		errs = append(errs, g.journals[name].close(ctx))
	}
	return errors.Join(errs...)
}
