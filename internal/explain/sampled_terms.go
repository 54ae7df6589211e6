package explain

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/assay-ml/assay/internal/model"
)

// byTerms walks a logistic regression by adding and taking away effects, on all processors: each row has random numbers of its
// own, so that the result does not depend on how many there are.
func (s *sampling) byTerms(ctx context.Context, m *model.Logistic) error {
	of, err := effectsOf(m, s.of)
	if err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	behind, err := effectsOf(m, s.behind)
	if err != nil {
		return fmt.Errorf("background rows: %w", err)
	}
	t := terms{sampling: s, of: of, behind: behind, means: behind.means(), score: model.Sigmoid}
	if s.opt.Scale == LogOdds {
		t.score = func(logit float64) float64 { return logit }
	}
	scores := make([]float64, len(behind.logits))
	for i, logit := range behind.logits {
		scores[i] = t.score(logit)
	}
	s.ground(scores)
	if s.pairs = s.opt.Permutations / 2; s.pairs == 0 {
		s.pairs = DefaultFastPermutations / 2
	}
	values := make([]estimated, len(of.logits))
	var next atomic.Int64
	var workers sync.WaitGroup
	var reporting sync.Mutex
	done := 0
	for range min(runtime.GOMAXPROCS(0), len(values)) {
		workers.Go(func() {
			w := t.worker()
			for i := int(next.Add(1)) - 1; i < len(values) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				values[i] = w.walk(i)
				reporting.Lock()
				if done++; s.opt.Progress != nil {
					s.opt.Progress(done, len(values))
				}
				reporting.Unlock()
			}
		})
	}
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, e := range values {
		s.keep(i, t.score(of.logits[i]), e)
	}
	return nil
}

// terms are the effects that walks go through.
type terms struct {
	*sampling
	of, behind effects
	means      []float64 // of the effects over the background
	score      func(logit float64) float64
}

// worker keeps the memory that a row's walks need, for the next row.
type worker struct {
	terms
	c     controls
	step  []float64 // of the log-odds when a feature takes the row's value
	order []int     // features whose step is not 0
}

func (t terms) worker() *worker {
	d := t.of.width
	w := &worker{terms: t, step: make([]float64, d), order: make([]int, 0, d),
		c: controls{width: d, change: make([]float64, t.pairs*d), known: make([]float64, t.pairs*d), sameUnits: true, spread: t.out.Spread}}
	w.c.unseen = func(j int) float64 {
		others := 0
		for b := range t.behind.logits {
			if t.means[j]-t.behind.at(b)[j] != w.c.known[j] {
				others++
			}
		}
		return float64(others) / float64(len(t.behind.logits))
	}
	return w
}

func (w *worker) walk(i int) estimated {
	random := w.stream(w.opt.Rows[i])
	of, d := w.of.at(i), w.of.width
	clear(w.c.change)
	for k, b := range w.grounds(random) {
		change, known, behind := w.c.change[k*d:(k+1)*d], w.c.known[k*d:(k+1)*d], w.behind.at(b)
		w.order = w.order[:0]
		for j, x := range behind {
			known[j] = w.means[j] - x
			if w.step[j] = of[j] - x; w.step[j] != 0 {
				w.order = append(w.order, j)
			}
		}
		random.Shuffle(len(w.order), func(a, b int) { w.order[a], w.order[b] = w.order[b], w.order[a] })
		start := w.behind.logits[b]
		logit, before := start, w.base[b]
		for _, j := range w.order {
			logit += w.step[j]
			after := w.score(logit)
			change[j] += (after - before) / 2
			before = after
		}
		logit, before = start, w.base[b]
		for a := len(w.order) - 1; a >= 0; a-- {
			j := w.order[a]
			logit += w.step[j]
			after := w.score(logit)
			change[j] += (after - before) / 2
			before = after
		}
	}
	return w.c.estimate(w.score(w.of.logits[i]), w.out.Base)
}
