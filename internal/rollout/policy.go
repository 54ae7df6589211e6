package rollout

import (
	"fmt"
	"math"
	"time"

	"github.com/assay-ml/assay/internal/spec"
)

// Step gives the candidate a share of traffic for a time.
type Step struct {
	Traffic float64       `json:"traffic"` // percent of requests, above 0 and at most 100
	Hold    time.Duration `json:"hold"`    // nanoseconds in JSON; 0: one look and on
}

// Policy is the course of a rollout.
type Policy struct {
	Steps []Step   `json:"steps,omitempty"`
	Abort []string `json:"abort,omitempty"` // conditions on error_rate that must hold, e.g. "error_rate < 0.01"
}

// PolicyFrom reads the rollout part of a spec. No canary steps means promotion at once.
func PolicyFrom(s spec.Rollout) (Policy, error) {
	var p Policy
	for _, c := range s.Canary {
		p.Steps = append(p.Steps, Step{Traffic: c.Traffic, Hold: time.Duration(c.Hold)})
	}
	for _, a := range s.Abort {
		p.Abort = append(p.Abort, a.Condition)
	}
	if err := p.check(); err != nil {
		return Policy{}, fmt.Errorf("read rollout policy: %w", err)
	}
	return p, nil
}

func (p Policy) check() error {
	for i, s := range p.Steps {
		if math.IsNaN(s.Traffic) || s.Traffic <= 0 || s.Traffic > 100 {
			return fmt.Errorf("canary step %d has traffic %g; expected a percentage above 0 and at most 100", i+1, s.Traffic)
		}
		if s.Hold < 0 {
			return fmt.Errorf("canary step %d holds for %s; expected 0 or more", i+1, s.Hold)
		}
	}
	for _, text := range p.Abort {
		if _, err := spec.ParseAbort(text); err != nil {
			return fmt.Errorf("abort: %w", err)
		}
	}
	return nil
}

// The bounds of the time between two looks.
const (
	longestInterval  = 30 * time.Second
	shortestInterval = 200 * time.Millisecond
)

// interval is the time between two looks in a step of that hold.
func interval(hold time.Duration) time.Duration {
	return max(min(hold/4, longestInterval), shortestInterval)
}
