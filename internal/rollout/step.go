package rollout

import (
	"fmt"
	"math"
	"time"
)

// Observation counts what the candidate answered since the start of the current step.
type Observation struct {
	Requests          int64   `json:"requests"`
	Errors            int64   `json:"errors"`              // of Requests, those not answered with a prediction
	MeanLatencyMillis float64 `json:"mean_latency_millis"` // 0 when there were no requests
}

func (o Observation) check() error {
	if o.Requests < 0 || o.Errors < 0 || o.Errors > o.Requests {
		return fmt.Errorf("%d errors in %d requests; expected errors between 0 and requests", o.Errors, o.Requests)
	}
	if math.IsNaN(o.MeanLatencyMillis) || math.IsInf(o.MeanLatencyMillis, 0) || o.MeanLatencyMillis < 0 {
		return fmt.Errorf("a mean latency of %g ms; expected a finite number of at least 0", o.MeanLatencyMillis)
	}
	return nil
}

// StepRecord is what happened in one canary step, for the dossier and the status.
type StepRecord struct {
	Traffic     float64       `json:"traffic"` // percent given to the candidate; 100 when there is no champion
	Hold        time.Duration `json:"hold"`
	Asked       time.Time     `json:"asked"`            // when the split was first asked for
	Started     time.Time     `json:"started,omitzero"` // when the split was in place
	Ended       time.Time     `json:"ended,omitzero"`
	Looks       int           `json:"looks,omitempty"`
	Observation Observation   `json:"observation"`          // at the last look
	Conditions  []Answer      `json:"conditions,omitempty"` // at the last look
	Passed      bool          `json:"passed"`
	Note        string        `json:"note,omitempty"` // one sentence, once the step has ended
}

func (s *StepRecord) take(o Observation, answers []Answer) {
	s.Looks++
	s.Observation, s.Conditions = o, answers
}

func (s *StepRecord) end(now time.Time, passed bool, note string) {
	s.Ended, s.Passed, s.Note = now, passed, note
}

// evidence says what a passed step is worth.
func (s *StepRecord) evidence() string {
	o := s.Observation
	switch {
	case o.Requests == 0:
		return "no requests were seen: this step is no evidence"
	case o.Requests < MinRequests:
		return fmt.Sprintf("%d errors in %d requests: fewer than %d requests are no evidence", o.Errors, o.Requests, MinRequests)
	default:
		return fmt.Sprintf("%d errors in %d requests", o.Errors, o.Requests)
	}
}

// Status is a rollout as people see it.
type Status struct {
	State     State        `json:"state"`
	Reason    string       `json:"reason,omitempty"`
	Candidate int          `json:"candidate"`
	Champion  int          `json:"champion,omitempty"` // 0: there is none
	Step      int          `json:"step"`               // the current or last step's number, from 1; 0 before the first
	Of        int          `json:"of"`                 // steps in all
	Traffic   float64      `json:"traffic"`            // percent the candidate gets now
	Started   time.Time    `json:"started"`
	Ended     time.Time    `json:"ended,omitzero"`
	Steps     []StepRecord `json:"steps"`
}

// Status reports where the rollout stands. The value shares nothing with the rollout.
func (r *Rollout) Status() Status {
	return Status{
		State:     r.s.State,
		Reason:    r.s.Reason,
		Candidate: r.s.Candidate,
		Champion:  r.s.Champion,
		Step:      len(r.s.Steps),
		Of:        len(r.s.Policy.Steps),
		Traffic:   r.traffic(),
		Started:   r.s.Started,
		Ended:     r.s.Ended,
		Steps:     append([]StepRecord{}, r.s.Steps...),
	}
}

// State reports where the rollout stands; see Status for the rest.
func (r *Rollout) State() State { return r.s.State }

// Ended reports whether the state is final.
func (r *Rollout) Ended() bool { return !r.s.Ended.IsZero() }

// traffic is the share in place, as far as it was acknowledged.
func (r *Rollout) traffic() float64 {
	if r.s.State == Promoted {
		return 100
	}
	if r.s.State == RolledBack || r.s.State == Cancelled {
		return 0
	}
	for i := len(r.s.Steps) - 1; i >= 0; i-- {
		if !r.s.Steps[i].Started.IsZero() {
			return r.s.Steps[i].Traffic
		}
	}
	return 0
}
