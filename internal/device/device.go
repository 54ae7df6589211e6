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

// Pool hands out devices one holder at a time. It is safe for concurrent use.
type Pool struct {
	free   chan Device
	origin string
}

func newPool(devices []Device, origin string) *Pool {
	p := &Pool{free: make(chan Device, len(devices)), origin: origin}
	for _, d := range devices {
		p.free <- d
	}
	return p
}

// Acquire waits for a free device, or for ctx to end. The device is the caller's until release, which may be called
// more than once. On an empty pool it returns ErrNone at once.
func (p *Pool) Acquire(ctx context.Context) (d Device, release func(), err error) {
	if p.Size() == 0 {
		return Device{}, nil, ErrNone
	}
	if err := ctx.Err(); err != nil {
		return Device{}, nil, p.notAcquired(err)
	}
	select {
	case d := <-p.free:
		return d, sync.OnceFunc(func() { p.free <- d }), nil
	case <-ctx.Done():
		return Device{}, nil, p.notAcquired(ctx.Err())
	}
}

func (p *Pool) notAcquired(err error) error {
	return fmt.Errorf("wait for one of %d devices: %w", p.Size(), err)
}

// Size is the number of devices the pool owns.
func (p *Pool) Size() int { return cap(p.free) }

// InUse is the number of devices held now.
func (p *Pool) InUse() int { return cap(p.free) - len(p.free) }

// Origin says in a sentence how the devices were found, for the worker's log.
func (p *Pool) Origin() string { return p.origin }
