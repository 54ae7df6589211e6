package activities

import (
	"context"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
)

// beatEvery is how often progress is passed on; the SDK thins it out further.
const beatEvery = 2 * time.Second

// beat passes observed progress on as heartbeats. Work that goes silent sends none, and its attempt is replaced.
type beat struct {
	ctx  context.Context
	last atomic.Int64 // unix nanoseconds
}

func newBeat(ctx context.Context) *beat { return &beat{ctx: ctx} }

// progress is called by the work whenever it has advanced.
func (b *beat) progress(detail any) {
	now := time.Now().UnixNano()
	last := b.last.Load()
	if now-last >= int64(beatEvery) && b.last.CompareAndSwap(last, now) {
		activity.RecordHeartbeat(b.ctx, detail)
	}
}

// attend sends heartbeats while work that cannot report progress, such as one SQL statement, is being done in this
// process: they say that the process lives. Call the function it returns when the work has ended.
func attend(ctx context.Context) (stop func()) {
	ctx, stop = context.WithCancel(ctx)
	go func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return stop
}
