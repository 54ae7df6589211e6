package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/assay-ml/assay/internal/model"
)

// attempt names a version that is being loaded.
type attempt struct {
	model   string
	version int
}

// load is a version on its way into service: a program behind it may take minutes to start, so it is brought in the
// background. It also keeps a version that cannot be loaded from being tried at every poll. g.syncing guards it.
type load struct {
	cancel   context.CancelFunc // nil when nothing is at work
	instance *instance          // what the load brought, until a state takes it
	err      error              // of the last try that ended
	again    time.Time
	wait     time.Duration
}

const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// arriving gives the instance of a version when a load has brought it; otherwise it sees to it that one is at work, or
// will be when it is time to try again, and err is that of the last try. Both are nil while the first try lasts.
func (g *Gateway) arriving(a attempt, broken error) (*instance, error) {
	l := g.loads[a]
	if l == nil {
		l = &load{wait: firstRetry / 2}
		g.loads[a] = l
		if broken != nil {
			g.failed(a, l, fmt.Errorf("version %d of model %q broke: %w", a.version, a.model, broken))
		}
	}
	switch {
	case l.instance != nil:
		delete(g.loads, a)
		return l.instance, nil
	case l.cancel == nil && !g.cfg.Now().Before(l.again):
		g.begin(a, l)
	}
	return nil, l.err
}

func (g *Gateway) begin(a attempt, l *load) {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	g.open.Add(1)
	go func() {
		p, err := g.cfg.Source.Load(ctx, a.model, a.version)
		cancel()
		g.arrived(a, l, p, err)
	}()
}

func (g *Gateway) arrived(a attempt, l *load, p model.Predictor, err error) {
	g.syncing.Lock()
	defer g.syncing.Unlock()
	wanted := g.loads[a] == l
	l.cancel = nil
	switch {
	case err == nil && wanted:
		l.instance = g.newInstance(a, p)
	case err == nil:
		go g.closePredictor(a, p)
	default:
		g.open.Done()
		if wanted {
			g.failed(a, l, fmt.Errorf("load version %d of model %q: %w", a.version, a.model, err))
		}
	}
	close(g.ended)
	g.ended = make(chan struct{})
}

func (g *Gateway) failed(a attempt, l *load, err error) {
	g.metrics.loadFailures.WithLabelValues(a.model).Inc()
	l.err = err
	l.wait = min(2*l.wait, lastRetry)
	l.again = g.cfg.Now().Add(l.wait)
}

// forget ends the loads of versions that are no longer wanted and closes what they brought.
func (g *Gateway) forget(wanted map[attempt]bool) {
	for a, l := range g.loads {
		if wanted[a] {
			continue
		}
		delete(g.loads, a)
		switch {
		case l.cancel != nil:
			l.cancel()
		case l.instance != nil:
			l.instance.close()
		}
	}
}

// atWork is closed when the next load ends; nil when none is at work.
func (g *Gateway) atWork() <-chan struct{} {
	for _, l := range g.loads {
		if l.cancel != nil {
			return g.ended
		}
	}
	return nil
}
