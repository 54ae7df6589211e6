package program

import (
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/assay-ml/assay/internal/program/supervisor"
)

// claims counts the programs of this worker on each processor.
var claims = struct {
	sync.Mutex
	on map[int]int
}{on: map[int]int{}}

// claimCPUs chooses n processors for a program, those with the fewest programs of this worker on them, so that two
// programs share a processor only when there are too few. Workers on one machine do not know of each other; each begins
// at another processor. None means all: n is 0, or there are no more than n. release gives them back, once.
func claimCPUs(n int) (cpus []int, release func(), err error) {
	if n <= 0 {
		return nil, func() {}, nil
	}
	usable, err := supervisor.UsableCPUs()
	if err != nil {
		return nil, nil, fmt.Errorf("ask the kernel which processors the worker may use: %w", err)
	}
	if n >= len(usable) {
		return nil, func() {}, nil
	}
	first := os.Getpid() % len(usable)
	usable = append(usable[first:], usable[:first]...)

	claims.Lock()
	defer claims.Unlock()
	slices.SortStableFunc(usable, func(a, b int) int { return claims.on[a] - claims.on[b] })
	cpus = usable[:n]
	for _, c := range cpus {
		claims.on[c]++
	}
	return cpus, sync.OnceFunc(func() {
		claims.Lock()
		defer claims.Unlock()
		for _, c := range cpus {
			claims.on[c]--
		}
	}), nil
}
