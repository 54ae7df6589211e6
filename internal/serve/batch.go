package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// batcher shares a server's few places among callers. Rows that must wait for a place are joined with others that wait; rows
// that need not wait are sent at once and alone.
type batcher struct {
	batchRows int // most rows of a request
	inFlight  int // most requests at once
	width     int // numbers of one row's answer
	// ask sends rows in one request and gives their scores in order, width for each row. once: it is not tried again when it fails.
	ask func(ctx context.Context, parts []rows, once bool) ([]float64, error)

	mu      sync.Mutex
	waiting []*task
	atWork  int
	batches sync.WaitGroup
}

// task is at most batchRows rows of one caller.
type task struct {
	ctx   context.Context
	rows  rows
	alone bool // a batch with these and others' rows failed
	done  chan answer
}

type answer struct {
	scores []float64
	err    error
}

// score gives the scores of r's rows in order, and returns as soon as ctx ends. A caller has at most inFlight requests
// in the queue at once, so that one with many rows does not hold up those with few.
func (b *batcher) score(ctx context.Context, r rows) ([]float64, error) {
	if r.count() <= b.batchRows {
		return b.wait(ctx, r)
	}
	scores := make([]float64, r.count()*b.width)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.inFlight)
	for from := r.from; from < r.to && ctx.Err() == nil; from += b.batchRows {
		group.Go(func() error {
			part, err := b.wait(ctx, rows{r.columns, from, min(from+b.batchRows, r.to)})
			copy(scores[(from-r.from)*b.width:], part)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return scores, nil
}

func (b *batcher) wait(ctx context.Context, r rows) ([]float64, error) {
	t := &task{ctx: ctx, rows: r, done: make(chan answer, 1)}
	b.mu.Lock()
	b.waiting = append(b.waiting, t)
	b.dispatch()
	b.mu.Unlock()
	select {
	case a := <-t.done:
		return a.scores, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("ask the model's server: %w", ctx.Err())
	}
}

// dispatch fills the places that are free; b.mu is held.
func (b *batcher) dispatch() {
	for b.atWork < b.inFlight {
		batch := b.take()
		if batch == nil {
			return
		}
		b.atWork++
		b.batches.Add(1)
		go b.run(batch)
	}
}

// take gives the first task that waits, and with it those that fit into the same request. Tasks that nobody waits for any
// more are dropped.
func (b *batcher) take() []*task {
	var batch, rest []*task
	room := b.batchRows
	for _, t := range b.waiting {
		switch {
		case t.ctx.Err() != nil:
		case batch == nil, !t.alone && !batch[0].alone && t.rows.count() <= room:
			batch = append(batch, t)
			room -= t.rows.count()
		default:
			rest = append(rest, t)
		}
	}
	b.waiting = rest
	return batch
}

func (b *batcher) run(batch []*task) {
	defer b.batches.Done()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var left atomic.Int64 // callers who still wait
	left.Store(int64(len(batch)))
	parts := make([]rows, len(batch))
	for i, t := range batch {
		parts[i] = t.rows
		stop := context.AfterFunc(t.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})
		defer stop()
	}
	scores, err := b.ask(ctx, parts, len(batch) > 1)

	b.mu.Lock()
	defer b.mu.Unlock()
	b.atWork--
	if len(batch) > 1 && isFault(err) {
		// One caller's rows may have done it; the others must not suffer for them.
		for _, t := range batch {
			t.alone = true
		}
		b.waiting = slices.Concat(batch, b.waiting)
	} else {
		b.deliver(batch, scores, err)
	}
	b.dispatch()
}

// isFault reports whether a failure may come from what was asked.
func isFault(err error) bool {
	var answer *AnswerError
	var request *RequestError
	return errors.As(err, &answer) || errors.As(err, &request)
}

func (b *batcher) deliver(batch []*task, scores []float64, err error) {
	var faulty *AnswerError
	if errors.As(err, &faulty) && faulty.Row >= 0 {
		faulty.Row += batch[0].rows.from
	}
	for _, t := range batch {
		if err != nil {
			t.done <- answer{err: err}
			continue
		}
		n := t.rows.count() * b.width
		t.done <- answer{scores: scores[:n:n]}
		scores = scores[n:]
	}
}
