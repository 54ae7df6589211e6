// Package device is the pool of accelerators a worker owns. A training activity takes one device for as long as it
// computes and gives it back; no device is ever held by two at a time. The pool knows the devices of its own process
// only: two workers on one host must be given different devices by their operator.
package device

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Device is one accelerator.
type Device struct {
	Index       int    `json:"index"` // as the driver counts, from 0; what CUDA_VISIBLE_DEVICES takes
	Name        string `json:"name"`
	UUID        string `json:"uuid"`
	MemoryBytes int64  `json:"memory_bytes"` // 0 when the driver does not say
	Simulated   bool   `json:"simulated"`    // stands in for a device in tests and demonstrations; the work runs on the CPU
}

// ErrNone is returned by Acquire on an empty pool, where waiting would never end.
var ErrNone = errors.New("this worker owns no device; start it with --gpus auto, --gpus N or --gpus cpu:N")

// Pool hands out devices, a fixed number of them to one holder at a time. It is safe for concurrent use.
type Pool struct {
	free   chan []Device
	perJob int
	origin string
}

func newPool(devices []Device, origin string) *Pool {
	return group(devices, 1, origin)
}

// group gives each job so many devices, in their order; a rest that is too small for a job is left out.
func group(devices []Device, perJob int, origin string) *Pool {
	jobs := len(devices) / perJob
	p := &Pool{free: make(chan []Device, jobs), perJob: perJob, origin: origin}
	for i := range jobs {
		p.free <- devices[i*perJob : (i+1)*perJob]
	}
	return p
}

// PerJob gives a pool of the same devices that hands out n at a time. The pool it is made from, which must be unused,
// must not be used any more. An error says that there are too few devices for one job; an empty pool stays empty.
func (p *Pool) PerJob(n int) (*Pool, error) {
	if n < 1 {
		return nil, fmt.Errorf("--gpus-per-job %d: expected 1 or more", n)
	}
	devices := p.all()
	if len(devices) > 0 && len(devices) < n {
		return nil, fmt.Errorf("--gpus-per-job %d: this worker has %d devices (%s); expected at least as many as one job takes", n, len(devices), p.origin)
	}
	origin := p.origin
	if rest := len(devices) % n; rest > 0 {
		origin += fmt.Sprintf("; %d left over, as a job takes %d", rest, n)
	}
	return group(devices, n, origin), nil
}

func (p *Pool) all() []Device {
	var devices []Device
	for range cap(p.free) {
		devices = append(devices, <-p.free...)
	}
	return devices
}

// Acquire waits until a job's devices are free, or for ctx to end. They are the caller's until release, which may be
// called more than once. On an empty pool it returns ErrNone at once.
func (p *Pool) Acquire(ctx context.Context) (devices []Device, release func(), err error) {
	if p.Jobs() == 0 {
		return nil, nil, ErrNone
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, p.notAcquired(err)
	}
	select {
	case devices := <-p.free:
		return devices, sync.OnceFunc(func() { p.free <- devices }), nil
	case <-ctx.Done():
		return nil, nil, p.notAcquired(ctx.Err())
	}
}

func (p *Pool) notAcquired(err error) error {
	return fmt.Errorf("wait for %d of %d devices: %w", p.perJob, p.Size(), err)
}

// Jobs is the number of jobs that can hold their devices at once.
func (p *Pool) Jobs() int { return cap(p.free) }

// JobDevices is the number of devices one job holds.
func (p *Pool) JobDevices() int { return p.perJob }

// Size is the number of devices the pool hands out.
func (p *Pool) Size() int { return cap(p.free) * p.perJob }

// InUse is the number of devices held now.
func (p *Pool) InUse() int { return (cap(p.free) - len(p.free)) * p.perJob }

// Origin says in a sentence how the devices were found, for the worker's log.
func (p *Pool) Origin() string { return p.origin }
