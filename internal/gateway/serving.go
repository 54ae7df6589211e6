package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/assay-ml/assay/internal/predictionlog"
)

// state is everything requests are answered from. It never changes; Sync puts a new one in its place, and requests
// at work hold the one they started with, which is why a swap drops none. What is part of no state that anyone holds is
// closed.
type state struct {
	models  map[string]*deployment
	holders atomic.Int64 // requests at work, and one more while the state is in force
}

// names lists the models, sorted.
func (s *state) names() []string { return sortedKeys(s.models) }

// deployment is one model's versions. champion and candidate may both be nil: registered, not promoted.
type deployment struct {
	model     string
	want      Serving // what the source asked for when it was last heard
	champion  *version
	candidate *version
	traffic   float64
	journal   *journal // nil when it could not be opened: then nothing is answered
}

// version is one version in its role. At most one of instance and err is set; neither is while it is being loaded for
// the first time.
type version struct {
	number   int
	role     string
	instance *instance
	err      error // why it could not be loaded
}

func (v *version) loaded() bool { return v != nil && v.instance != nil }

func (v *version) loading() bool { return v != nil && v.instance == nil && v.err == nil }

// versions lists those that serve or are about to, champion first.
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

// Sync asks the source once, serves what it says, and returns when every version has been loaded or could not be.
// What is loaded first serves first. On an error it has done what it could: models it could not ask about, or champions
// it could not load, stay as they were. Loads go on when ctx ends.
func (g *Gateway) Sync(ctx context.Context) error {
	for {
		next, err := g.pass(ctx)
		if next == nil {
			return err
		}
		select {
		case <-next:
		case <-ctx.Done():
			return errors.Join(err, fmt.Errorf("wait for versions to be loaded: %w", ctx.Err()))
		}
	}
}

// pass asks the source and serves what there is, without waiting for a version to be loaded. next is closed when
// another pass may serve more; nil when nothing is being loaded.
func (g *Gateway) pass(ctx context.Context) (next <-chan struct{}, err error) {
	g.syncing.Lock()
	defer g.syncing.Unlock()
	if g.draining.Load() {
		return nil, nil
	}
	names, err := g.cfg.Source.Models(ctx)
	if err != nil {
		return g.atWork(), fmt.Errorf("list models: %w", err)
	}
	before := g.state.Load()
	if before == nil {
		before = &state{}
	}
	now := &state{models: make(map[string]*deployment, len(names))}
	wanted := map[attempt]bool{}
	var errs []error
	for _, name := range names {
		d, err := g.deploy(ctx, name, before.models[name])
		errs = append(errs, err)
		if d != nil {
			now.models[name] = d
			wanted[attempt{name, d.want.Champion}] = true
			wanted[attempt{name, d.want.Candidate}] = true
			g.metrics.deployed(before.models[name], d)
		}
	}
	for _, name := range before.names() {
		if now.models[name] == nil {
			g.metrics.removed(name)
		}
	}
	g.publish(now)
	g.forget(wanted)
	return g.atWork(), errors.Join(errs...)
}

// deploy gives what serves for a model now. When the source cannot be asked, that is what it asked for before.
func (g *Gateway) deploy(ctx context.Context, name string, before *deployment) (*deployment, error) {
	var errs []error
	want, err := g.cfg.Source.Serving(ctx, name)
	if err != nil {
		err = fmt.Errorf("model %q: find what is to serve: %w", name, err)
		if before == nil {
			return nil, err
		}
		want = before.want
		errs = append(errs, err)
	}
	d := &deployment{model: name, want: want, traffic: want.Traffic}
	d.journal, err = g.openJournal(name)
	errs = append(errs, err)

	d.champion = g.bring(attempt{name, want.Champion}, predictionlog.Champion, before, d)
	d.candidate = g.bring(attempt{name, want.Candidate}, predictionlog.Candidate, before, d)
	for _, v := range d.versions() {
		if v.err != nil {
			errs = append(errs, v.err)
		}
	}
	if d.champion != nil && !d.champion.loaded() && before != nil && before.champion.loaded() && before.champion.instance.failed() == nil {
		d.champion = before.champion
	}
	return d, errors.Join(errs...)
}

// bring gives a version in a role, taken over from the deployments where it is loaded already; nil for version 0. One
// that has broken is loaded anew.
func (g *Gateway) bring(a attempt, role string, deployments ...*deployment) *version {
	if a.version == 0 {
		return nil
	}
	var broken error
	for _, d := range deployments {
		if d == nil {
			continue
		}
		for _, v := range d.versions() {
			if v.number != a.version || !v.loaded() {
				continue
			}
			if broken = v.instance.failed(); broken == nil {
				return &version{number: a.version, role: role, instance: v.instance}
			}
		}
	}
	i, err := g.arriving(a, broken)
	return &version{number: a.version, role: role, instance: i, err: err}
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
