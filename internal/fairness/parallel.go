package fairness

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// inParallel does n independent pieces of work, each writing to places of its own, on all processors.
func inParallel(n int, work func(i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(i)
			}
		})
	}
	wait.Wait()
}
