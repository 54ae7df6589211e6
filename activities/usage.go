package activities

import (
	"context"
	"sync"
	"syscall"
	"time"
)

// accountant divides this process's processor time equally over the activities that it is doing: the system does not
// tell what each of them takes. Programs are children and are counted by themselves.
type accountant struct {
	mu      sync.Mutex
	last    time.Duration
	running map[*account]struct{}
}

// account is what one attempt of an activity has taken.
type account struct {
	owner *accountant
	cpu   time.Duration
}

func newAccountant() *accountant { return &accountant{running: map[*account]struct{}{}} }

func (a *accountant) open() *account {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle()
	account := &account{owner: a}
	a.running[account] = struct{}{}
	return account
}

// settle divides what was taken since the last time.
func (a *accountant) settle() {
	now := processTime()
	if n := len(a.running); n > 0 {
		share := (now - a.last) / time.Duration(n)
		for account := range a.running {
			account.cpu += share
		}
	}
	a.last = now
}

// soFar is what the attempt has taken until now.
func (c *account) soFar() time.Duration {
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	c.owner.settle()
	return c.cpu
}

func (c *account) close() {
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	c.owner.settle()
	delete(c.owner.running, c)
}

// processTime is the user and system time of this process.
func processTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

type accountKey struct{}

// cpuSeconds is what the activity of ctx has taken of this process until now; 0 outside an activity.
func cpuSeconds(ctx context.Context) float64 {
	if c, ok := ctx.Value(accountKey{}).(*account); ok {
		return c.soFar().Seconds()
	}
	return 0
}
