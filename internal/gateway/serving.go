package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/predictionlog"
)

// state is everything requests are answered from. It never changes; Sync puts a new one in its place, and requests
// at work keep the one they started with, which is why a swap drops none.
type state struct {
	models map[string]*deployment
}

// names lists the models, sorted.
func (s *state) names() []string { return sortedKeys(s.models) }

// deployment is one model's versions. champion and candidate may both be nil: registered, not promoted.
type deployment struct {
	model     string
	champion  *version
	candidate *version
	traffic   float64
	journal   *journal // nil when it could not be opened: then nothing is answered
}

// version is one version in its role. Exactly one of predictor and err is set.
type version struct {
	number    int
	role      string
	predictor model.Predictor
	err       error // why it could not be loaded
}

func (v *version) loaded() bool { return v != nil && v.err == nil }

// versions lists those that serve, champion first.
func (d *deployment) versions() []*version {
	var vs []*version
	for _, v := range []*version{d.champion, d.candidate} {
		if v != nil {
			vs = append(vs, v)
		}
	}
	return vs
}

// ready reports whether a promoted model can answer.
func (d *deployment) ready() bool {
	return d.journal != nil && slices.ContainsFunc(d.versions(), (*version).loaded)
}

// attempt and failure keep a version that cannot be loaded from being tried at every poll.
type attempt struct {
	model   string
	version int
}

type failure struct {
	err   error
	again time.Time
	wait  time.Duration
}

const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// Sync asks the source once and serves what it says. On an error it has done what it could: models it could not
// ask about, or champions it could not load, stay as they were.
func (g *Gateway) Sync(ctx context.Context) error {
	g.syncing.Lock()
	defer g.syncing.Unlock()
	if g.draining.Load() {
		return nil
	}
	names, err := g.cfg.Source.Models(ctx)
	if err != nil {
		return fmt.Errorf("list models: %w", err)
	}
	before := g.state.Load()
	if before == nil {
		before = &state{}
	}
	next := &state{models: make(map[string]*deployment, len(names))}
	var errs []error
	for _, name := range names {
		d, err := g.deploy(ctx, name, before.models[name])
		errs = append(errs, err)
		if d != nil {
			next.models[name] = d
			g.metrics.deployed(before.models[name], d)
		}
	}
	for _, name := range before.names() {
		if next.models[name] == nil {
			g.metrics.removed(name)
		}
	}
	g.state.Store(next)
	return errors.Join(errs...)
}

func (g *Gateway) deploy(ctx context.Context, name string, before *deployment) (*deployment, error) {
	want, err := g.cfg.Source.Serving(ctx, name)
	if err != nil {
		return before, fmt.Errorf("model %q: find what is to serve: %w", name, err)
	}
	d := &deployment{model: name, traffic: want.Traffic}
	var errs []error
	d.journal, err = g.openJournal(name)
	errs = append(errs, err)

	d.champion = g.bring(ctx, name, want.Champion, predictionlog.Champion, before)
	d.candidate = g.bring(ctx, name, want.Candidate, predictionlog.Candidate, before)
	for _, v := range d.versions() {
		if v.err != nil {
			errs = append(errs, v.err)
		}
	}
	if d.champion != nil && d.champion.err != nil && before != nil && before.champion.loaded() {
		d.champion = before.champion
	}
	return d, errors.Join(errs...)
}

// bring gives a version in a role, taken over from before where it is loaded already; nil for version 0.
func (g *Gateway) bring(ctx context.Context, name string, number int, role string, before *deployment) *version {
	if number == 0 {
		return nil
	}
	if before != nil {
		for _, v := range before.versions() {
			if v.number == number && v.loaded() {
				return &version{number: number, role: role, predictor: v.predictor}
			}
		}
	}
	p, err := g.load(ctx, attempt{name, number})
	return &version{number: number, role: role, predictor: p, err: err}
}

func (g *Gateway) load(ctx context.Context, a attempt) (model.Predictor, error) {
	f := g.failures[a]
	if f != nil && g.cfg.Now().Before(f.again) {
		return nil, f.err
	}
	p, err := g.cfg.Source.Load(ctx, a.model, a.version)
	if err == nil {
		delete(g.failures, a)
		return p, nil
	}
	if f == nil {
		f = &failure{wait: firstRetry / 2}
		g.failures[a] = f
	}
	g.metrics.loadFailures.WithLabelValues(a.model).Inc()
	f.err = fmt.Errorf("load version %d of model %q: %w", a.version, a.model, err)
	f.wait = min(2*f.wait, lastRetry)
	f.again = g.cfg.Now().Add(f.wait)
	return nil, f.err
}

// journal is the pair of logs of a model.
type journal struct {
	predictions *predictionlog.Writer
	labels      *predictionlog.LabelWriter
}

func (g *Gateway) openJournal(name string) (*journal, error) {
	if j := g.journals[name]; j != nil {
		return j, nil
	}
	opt := predictionlog.Options{MaxAge: g.cfg.SegmentAge, Clock: g.cfg.Now, Logger: g.cfg.Logger}
	opt.OnSeal = g.metrics.sealed.WithLabelValues("predictions", name).Inc
	p, err := predictionlog.OpenWriter(g.cfg.Store, g.cfg.Spool, name, opt)
	if err != nil {
		return nil, err
	}
	opt.OnSeal = g.metrics.sealed.WithLabelValues("labels", name).Inc
	l, err := predictionlog.OpenLabelWriter(g.cfg.Store, g.cfg.Spool, name, opt)
	if err != nil {
		return nil, errors.Join(err, p.Close(context.Background()))
	}
	g.journals[name] = &journal{p, l}
	return g.journals[name], nil
}

func (j *journal) flush(ctx context.Context) error {
	return errors.Join(j.predictions.Flush(ctx), j.labels.Flush(ctx))
}

func (j *journal) close(ctx context.Context) error {
	return errors.Join(j.predictions.Close(ctx), j.labels.Close(ctx))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
