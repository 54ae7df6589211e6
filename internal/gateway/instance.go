package gateway

import (
	"io"
	"sync/atomic"

	"github.com/assay-ml/assay/internal/model"
)

// Failer is a predictor that can break for good, such as one whose program does not stay up.
type Failer interface {
	// Failed says why no answer will ever come again; nil while answers may come.
	Failed() error
}

// instance is a loaded version. Every state it is part of holds it, and who lets go of it last has it closed.
type instance struct {
	predictor model.Predictor
	holders   atomic.Int64
	close     func() // called once, when nobody holds it any more; does not wait
}

// failed is why the predictor can never answer again, or nil.
func (i *instance) failed() error {
	if f, ok := i.predictor.(Failer); ok {
		return f.Failed()
	}
	return nil
}

func (i *instance) hold() { i.holders.Add(1) }

func (i *instance) letGo() {
	if i.holders.Add(-1) == 0 {
		i.close()
	}
}

// newInstance takes a predictor that a load has brought; the load has been counted in g.open.
func (g *Gateway) newInstance(a attempt, p model.Predictor) *instance {
	return &instance{predictor: p, close: func() { go g.closePredictor(a, p) }}
}

// closePredictor ends what a predictor keeps open. That may take seconds, because it drains.
func (g *Gateway) closePredictor(a attempt, p model.Predictor) {
	defer g.open.Done()
	c, ok := p.(io.Closer)
	if !ok {
		return
	}
	if err := c.Close(); err != nil {
		g.cfg.Logger.Error("gateway: closing a version that no longer serves failed", "model", a.model, "version", a.version, "error", err)
	}
}

// hold gives the state to answer a request from, nil before the first Sync and after Close. Nothing in it is closed
// before release is called.
func (g *Gateway) hold() (st *state, release func()) {
	for {
		st := g.state.Load()
		if st == nil {
			return nil, func() {}
		}
		if st.enter() {
			return st, st.leave
		}
		// The state was replaced and let go of between the two lines above.
	}
}

// enter counts one more holder, unless the last one has gone.
func (s *state) enter() bool {
	for {
		n := s.holders.Load()
		if n == 0 {
			return false
		}
		if s.holders.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *state) leave() {
	if s.holders.Add(-1) > 0 {
		return
	}
	for _, i := range s.instances() {
		i.letGo()
	}
}

// instances lists what the state holds, each as often as it holds it.
func (s *state) instances() []*instance {
	var all []*instance
	for _, d := range s.models {
		for _, v := range d.versions() {
			if v.loaded() {
				all = append(all, v.instance)
			}
		}
	}
	return all
}

// publish puts a state in force and lets go of the one before; nil puts none in force. The new one takes hold first,
// so that what both have is never closed.
func (g *Gateway) publish(next *state) {
	if next != nil {
		next.holders.Store(1)
		for _, i := range next.instances() {
			i.hold()
		}
	}
	if before := g.state.Swap(next); before != nil {
		before.leave()
	}
}
