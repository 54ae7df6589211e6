package review

import (
	"fmt"
	"time"
)

// Timer is what falls due at a time.
type Timer string

// The timers of a review; also the kinds of the actions that Tick gives.
const (
	Remind   Timer = "remind"
	Escalate Timer = "escalate"
	Expire   Timer = "expire"
)

// Action is something to tell people. Doing it twice is up to the caller to avoid; the review gives it once.
type Action struct {
	Kind    Timer     `json:"kind"`
	Due     time.Time `json:"due"`          // when it fell due, which may be before the tick
	Missing []Seat    `json:"missing"`      // approvals still needed
	To      []string  `json:"to,omitempty"` // escalate: whom to tell
}

// NextTimer is the next thing that falls due. at may lie before now when ticks came late: Tick is due at once then.
// ok is false when nothing is left to wait for.
func (r *Review) NextTimer(now time.Time) (at time.Time, kind Timer, ok bool) {
	if r.s.Outcome == Expired && !r.s.Announced {
		return r.deadline(), Expire, true
	}
	if r.s.Outcome != Open {
		return time.Time{}, "", false
	}
	at, kind = r.deadline(), Expire
	if !now.Before(at) {
		return at, kind, true
	}
	if due, ok := r.reminder(); ok && due.Before(at) {
		at, kind = due, Remind
	}
	if due, ok := r.escalation(); ok && due.Before(at) {
		at, kind = due, Escalate
	}
	return at, kind, true
}

// Tick gives everything that has fallen due and was not given before, in the order it fell due. At or after the deadline
// of an open review it expires the review, and then gives the expiry alone.
func (r *Review) Tick(now time.Time) []Action {
	r.expire(now)
	if r.s.Outcome == Expired && !r.s.Announced {
		r.s.Announced = true
		return []Action{{Kind: Expire, Due: r.deadline(), Missing: r.missing()}}
	}
	if r.s.Outcome != Open {
		return nil
	}
	var due []Action
	if at, ok := r.reminder(); ok && !now.Before(at) {
		r.s.Reminded = int64(now.Sub(r.s.Opened) / r.s.Policy.RemindEvery)
		due = append(due, Action{Kind: Remind, Due: at, Missing: r.missing()})
	}
	if at, ok := r.escalation(); ok && !now.Before(at) {
		r.s.Escalated = true
		a := Action{Kind: Escalate, Due: at, Missing: r.missing(), To: append([]string{}, r.s.Policy.EscalateTo...)}
		if len(due) > 0 && at.Before(due[0].Due) {
			return []Action{a, due[0]}
		}
		due = append(due, a)
	}
	return due
}

// reminder is when the next reminder falls due.
func (r *Review) reminder() (time.Time, bool) {
	every := r.s.Policy.RemindEvery
	if every <= 0 {
		return time.Time{}, false
	}
	// Compared as a count of periods: a product of the two could overflow for a deadline of centuries.
	if r.s.Reminded >= int64(r.s.Policy.Deadline/every) {
		return time.Time{}, false
	}
	return r.s.Opened.Add(time.Duration(r.s.Reminded+1) * every), true
}

// escalation is when the escalation falls due, unless it was told.
func (r *Review) escalation() (time.Time, bool) {
	if r.s.Policy.EscalateAfter <= 0 || r.s.Escalated {
		return time.Time{}, false
	}
	return r.s.Opened.Add(r.s.Policy.EscalateAfter), true
}

// expire ends an open review whose deadline has come.
func (r *Review) expire(now time.Time) {
	if r.s.Outcome != Open || now.Before(r.deadline()) {
		return
	}
	r.close(Expired, fmt.Sprintf("no quorum by the deadline, %s; still needed: %s", stamp(r.deadline()), Seats(r.missing())), r.deadline())
}
