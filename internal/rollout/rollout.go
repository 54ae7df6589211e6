// Package rollout takes an approved version into service step by step. It is a pure state machine: observations and
// clock readings go in, actions come out, and its whole state is a JSON snapshot. It reads no clock, draws nothing at
// random and iterates over no map, so that a workflow can run it and replay it.
//
// The course of a rollout:
//
//   - Each canary step gives the candidate a share of traffic and holds it for a time. The hold begins when the split is in
//     place, not when it was asked for. Without steps the candidate is promoted at once.
//   - During a step the candidate is looked at every min(hold/4, 30 s), but at least 200 ms apart, and once more when the
//     hold is over; the observation counts since the start of the step.
//   - A look evaluates every abort condition on the error rate, with its Wilson interval. Two things roll back:
//     at any look, evidence: at least two errors, a point estimate that breaks the condition, and a 95 % Wilson interval
//     that lies wholly on the wrong side of the bound;
//     at the last look of a step, the point estimate alone, when the step saw at least 20 requests. A share that gets more
//     traffic must have met its condition, and not merely have escaped proof of the contrary.
//     One error alone is never evidence, and a rate from fewer than 20 requests is not held against the candidate.
//   - A step without requests passes and says that it is no evidence; so does a step with too few requests.
//   - Cancelling rolls back. It is refused once the promotion was asked for: from then on the candidate may already serve.
//   - Without a champion there is nothing to split traffic with: the candidate is the only server and gets every request in
//     every step. It is observed all the same, and rolling back leaves the model without a serving version.
//
// Repeated looks raise the chance that a sound candidate is rolled back above the 2.5 % of one look (the one-sided error
// of a 95 % interval); that side of the error is the safe one, and it is accepted.
package rollout

import (
	"errors"
	"fmt"
	"time"
)

// State is where a rollout stands.
type State string

// The states of a rollout. The last three are final.
const (
	Pending     State = "pending"      // nothing done yet
	Canary      State = "canary"       // in a canary step
	Promoting   State = "promoting"    // every step passed; promotion asked for
	RollingBack State = "rolling_back" // a condition failed or someone cancelled; rolling back asked for
	Promoted    State = "promoted"     // the candidate is the champion
	RolledBack  State = "rolled_back"  // an abort condition failed; the champion serves alone
	Cancelled   State = "cancelled"    // someone cancelled; the champion serves alone
)

// Kind says what an action asks for.
type Kind string

// The actions of a rollout. Each is idempotent for the caller to do, and is given again until it is acknowledged.
const (
	SetTraffic Kind = "set_traffic" // give the candidate Percent of requests; acknowledge with TrafficSet
	Observe    Kind = "observe"     // count the candidate's requests since Since; acknowledge with Observed
	Promote    Kind = "promote"     // make the candidate the champion; acknowledge with Done
	RollBack   Kind = "roll_back"   // give the champion all requests; acknowledge with Done
)

// Action is one thing to do now.
type Action struct {
	Kind      Kind      `json:"kind"`
	Candidate int       `json:"candidate"`
	Champion  int       `json:"champion"`          // 0: there is none
	Step      int       `json:"step,omitempty"`    // set_traffic and observe: the step's number, from 1
	Percent   float64   `json:"percent,omitempty"` // set_traffic: share of requests for the candidate
	Since     time.Time `json:"since,omitzero"`    // observe: start of the step
	Reason    string    `json:"reason,omitempty"`  // promote and roll_back: one sentence
}

// Rollout is the rollout of one candidate. It is not safe for concurrent use.
type Rollout struct{ s state }

// state is what a snapshot holds.
type state struct {
	Policy    Policy       `json:"policy"`
	Candidate int          `json:"candidate"`
	Champion  int          `json:"champion,omitempty"`
	State     State        `json:"state"`
	Cancelled bool         `json:"cancelled,omitempty"` // rolling back because of a cancellation
	Reason    string       `json:"reason,omitempty"`
	Started   time.Time    `json:"started"`
	Ended     time.Time    `json:"ended,omitzero"`
	LastLook  time.Time    `json:"last_look,omitzero"`
	Steps     []StepRecord `json:"steps,omitempty"` // begun steps; the last is the current one
}

// New begins a rollout of candidate in place of champion; champion 0 means that no version serves yet.
func New(policy Policy, candidate, champion int, started time.Time) (*Rollout, error) {
	if err := policy.check(); err != nil {
		return nil, fmt.Errorf("begin rollout: %w", err)
	}
	if candidate < 1 || champion < 0 || candidate == champion {
		return nil, fmt.Errorf("begin rollout: candidate %d, champion %d; expected a candidate of at least 1 that is not the champion", candidate, champion)
	}
	return &Rollout{state{
		Policy:    policy,
		Candidate: candidate,
		Champion:  champion,
		State:     Pending,
		Started:   started.UTC().Round(0),
	}}, nil
}

// Next gives what is to be done now: one action, or none while waiting and after the end. The same action is given again
// until it is acknowledged by TrafficSet, Observed or Done. A first call leaves Pending.
func (r *Rollout) Next(now time.Time) []Action {
	if r.s.State == Pending {
		r.advance("there are no canary steps: promoted at once", now)
	}
	switch r.s.State {
	case Canary:
		return r.nextInStep(now)
	case Promoting:
		return []Action{{Kind: Promote, Candidate: r.s.Candidate, Champion: r.s.Champion, Reason: r.s.Reason}}
	case RollingBack:
		return []Action{{Kind: RollBack, Candidate: r.s.Candidate, Champion: r.s.Champion, Reason: r.s.Reason}}
	}
	return nil
}

func (r *Rollout) nextInStep(now time.Time) []Action {
	step := r.step()
	if step.Started.IsZero() {
		return []Action{{Kind: SetTraffic, Candidate: r.s.Candidate, Champion: r.s.Champion, Step: len(r.s.Steps), Percent: step.Traffic}}
	}
	if now.Before(r.nextLook()) {
		return nil
	}
	return []Action{{Kind: Observe, Candidate: r.s.Candidate, Champion: r.s.Champion, Step: len(r.s.Steps), Since: step.Started}}
}

// NextTimer is when Next will have something to do if no event comes before; ok is false when it has already, and after the end.
func (r *Rollout) NextTimer() (at time.Time, ok bool) {
	if r.s.State != Canary || r.step().Started.IsZero() {
		return time.Time{}, false
	}
	return r.nextLook(), true
}

// TrafficSet says that the split of the current step is in place; the hold begins. Saying it again changes nothing.
func (r *Rollout) TrafficSet(now time.Time) error {
	if r.s.State != Canary {
		return r.unexpected("a traffic split")
	}
	if step := r.step(); step.Started.IsZero() {
		step.Started = now.UTC().Round(0)
		r.s.LastLook = step.Started
	}
	return nil
}

// Observed takes a look at the candidate. A malformed observation, or one that nobody asked for, changes nothing.
func (r *Rollout) Observed(o Observation, now time.Time) error {
	if err := o.check(); err != nil {
		return fmt.Errorf("take observation: %w", err)
	}
	if r.s.State != Canary || r.step().Started.IsZero() {
		return r.unexpected("an observation")
	}
	now = now.UTC().Round(0)
	step, last := r.step(), !now.Before(r.stepEnd())
	results, broken, err := look(r.s.Policy.Abort, o, last)
	if err != nil {
		return fmt.Errorf("take observation: %w", err)
	}
	r.s.LastLook = now
	step.take(o, results)
	switch {
	case broken != "":
		step.end(now, false, broken)
		r.rollBack(fmt.Sprintf("step %d (%g %% of traffic): %s", len(r.s.Steps), step.Traffic, broken))
	case last:
		step.end(now, true, step.evidence())
		r.advance("every canary step passed", now)
	}
	return nil
}

// Done says that the promotion or the rolling back has been carried out; the rollout has ended.
func (r *Rollout) Done(now time.Time) error {
	switch {
	case r.s.State == Promoting:
		r.s.State = Promoted
	case r.s.State == RollingBack && r.s.Cancelled:
		r.s.State = Cancelled
	case r.s.State == RollingBack:
		r.s.State = RolledBack
	default:
		return r.unexpected("the end")
	}
	r.s.Ended = now.UTC().Round(0)
	return nil
}

// ErrTooLate is returned by Cancel when the promotion was asked for already, or the rollout has ended.
var ErrTooLate = errors.New("too late to cancel")

// Cancel rolls back because somebody asked for it. A cancellation while rolling back changes nothing.
func (r *Rollout) Cancel(reason string, now time.Time) error {
	if reason == "" {
		reason = "no reason was given"
	}
	return r.withdraw("cancelled: "+reason, true, now)
}

// Fail rolls back because an action could not be carried out: a candidate that cannot be looked at is not promoted. The
// reason is a sentence. It returns ErrTooLate where Cancel does.
func (r *Rollout) Fail(reason string, now time.Time) error { return r.withdraw(reason, false, now) }

func (r *Rollout) withdraw(reason string, cancelled bool, now time.Time) error {
	switch r.s.State {
	case RollingBack:
		return nil
	case Promoting, Promoted, RolledBack, Cancelled:
		return fmt.Errorf("cancel rollout of version %d: it is %s: %w; to return to an earlier version, roll that one out", r.s.Candidate, r.s.State, ErrTooLate)
	}
	if r.s.State == Canary {
		r.step().end(now.UTC().Round(0), false, reason)
	}
	r.s.Cancelled = cancelled
	r.rollBack(reason)
	return nil
}

// advance begins the next step, or the promotion after the last one.
func (r *Rollout) advance(reason string, now time.Time) {
	n := len(r.s.Steps)
	if n == len(r.s.Policy.Steps) {
		r.s.State, r.s.Reason = Promoting, reason
		return
	}
	r.s.State = Canary
	next := StepRecord{Traffic: r.s.Policy.Steps[n].Traffic, Hold: r.s.Policy.Steps[n].Hold, Asked: now.UTC().Round(0)}
	if r.s.Champion == 0 {
		next.Traffic = 100
	}
	r.s.Steps = append(r.s.Steps, next)
}

func (r *Rollout) rollBack(reason string) { r.s.State, r.s.Reason = RollingBack, reason }

func (r *Rollout) step() *StepRecord { return &r.s.Steps[len(r.s.Steps)-1] }

func (r *Rollout) stepEnd() time.Time { return r.step().Started.Add(r.step().Hold) }

// nextLook is one interval after the last look, but never after the end of the hold.
func (r *Rollout) nextLook() time.Time {
	end := r.stepEnd()
	if next := r.s.LastLook.Add(interval(r.step().Hold)); next.Before(end) {
		return next
	}
	return end
}

func (r *Rollout) unexpected(what string) error {
	return fmt.Errorf("rollout of version %d: %s came while it is %s; expected it only where Next asked for it", r.s.Candidate, what, r.s.State)
}
