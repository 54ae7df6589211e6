// Package review decides, from the votes of people, whether a candidate may go on. It is a pure state machine: votes and
// clock readings go in, effects and timers come out, and its whole state is a JSON snapshot. It reads no clock, draws
// nothing at random and iterates over no map, so that a workflow can run it and replay it.
//
// The rules:
//
//   - Seats. The policy names roles and how many approvals each needs. A review is approved at the moment every seat is
//     filled; there is no other way to approval. A role outside the policy is refused, and the refusal lists the roles.
//     Roles are compared without regard to case and surrounding blanks.
//   - Persons. A reviewer is a name, compared without regard to case and with runs of blanks as one. One person counts once
//     in the whole review, also when they hold two roles: their latest vote is the one that counts, in the role it names.
//     With requester separation the person who asked for the lifecycle may not vote at all.
//   - Evidence. A vote needs a reason and the digest of the dossier it was taken on. A vote on any other digest is refused,
//     and the refusal names the digest under review.
//   - Changing one's mind. While the review is open a later vote of the same person replaces their earlier one; both stay
//     in the record. The same vote sent again is acknowledged as a duplicate and changes nothing, also after the end, so
//     that a client may repeat a vote whose answer it lost.
//   - Ending. One rejection by a holder of a seat's role ends the review as rejected at once; one request for changes ends
//     it as changes_requested. An ended review never changes: later votes are recorded as late.
//   - Deadline. A review that is still open at opened + deadline is expired. The deadline itself is already too late.
//     Expiry never approves, whatever votes are in.
//   - Telling people. Reminders fall due at opened + k x remind_every, naming the seats still open. Escalation falls due
//     once, at opened + escalate_after. When a tick comes late, reminders that were missed are told as one, and after the
//     deadline only the expiry is told. Whoever is told by escalation gains no seat: they vote only in a role they hold.
//
// Names and roles are claims: this package does not establish who sent a vote.
package review

import (
	"fmt"
	"slices"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
)

// Outcome is where a review stands. Only Open can change.
type Outcome string

// The outcomes of a review.
const (
	Open             Outcome = "open"
	Approved         Outcome = "approved"
	Rejected         Outcome = "rejected"
	ChangesRequested Outcome = "changes_requested"
	Expired          Outcome = "expired" // the deadline passed without a quorum
)

// Standing is what became of one recorded vote.
type Standing string

// The standings of a recorded vote.
const (
	Counted  Standing = "counted"  // the person's current vote
	Replaced Standing = "replaced" // superseded by a later vote of the same person
	Late     Standing = "late"     // came after the end, changed nothing
)

// Decision is a vote as it stands in the record.
type Decision struct {
	Vote
	At       time.Time `json:"at"`
	Standing Standing  `json:"standing"`
}

// Review is one review of one dossier. It is not safe for concurrent use.
type Review struct{ s state }

// state is what a snapshot holds.
type state struct {
	Policy    Policy          `json:"policy"`
	Dossier   artifact.Digest `json:"dossier"`
	Requester string          `json:"requester"`
	Opened    time.Time       `json:"opened"`
	Outcome   Outcome         `json:"outcome"`
	Reason    string          `json:"reason,omitempty"`
	Closed    time.Time       `json:"closed,omitzero"`
	Decisions []Decision      `json:"decisions,omitempty"`
	Refused   int             `json:"refused,omitempty"`
	Reminded  int64           `json:"reminded,omitempty"` // reminder periods already told
	Escalated bool            `json:"escalated,omitempty"`
	Announced bool            `json:"announced,omitempty"` // expiry already told
}

// New opens a review of a dossier at the given time. requester is who asked for the lifecycle; it may be empty only when
// the policy does not separate the requester.
func New(policy Policy, dossier artifact.Digest, requester string, opened time.Time) (*Review, error) {
	if err := policy.check(); err != nil {
		return nil, fmt.Errorf("open review: %w", err)
	}
	if dossier.IsZero() {
		return nil, fmt.Errorf("open review: there is no dossier digest; expected the digest of the dossier the reviewers are to read")
	}
	if policy.SeparateRequester && person(requester) == "" {
		return nil, fmt.Errorf("open review: the policy separates the requester, but no requester is named; name who asked for this lifecycle")
	}
	return &Review{state{
		Policy:    policy,
		Dossier:   dossier,
		Requester: requester,
		Opened:    opened.UTC().Round(0),
		Outcome:   Open,
	}}, nil
}

// Status is a review as people see it.
type Status struct {
	Outcome   Outcome         `json:"outcome"`
	Reason    string          `json:"reason,omitempty"` // one sentence; empty while open
	Dossier   artifact.Digest `json:"dossier"`
	Requester string          `json:"requester"`
	Opened    time.Time       `json:"opened"`
	Deadline  time.Time       `json:"deadline"`
	Closed    time.Time       `json:"closed,omitzero"`
	Missing   []Seat          `json:"missing"`   // approvals still needed, by role; empty when every seat is filled
	Decisions []Decision      `json:"decisions"` // in the order they came
	Refused   int             `json:"refused"`   // votes that broke a rule, late ones not included
}

// Status reports where the review stands. The value shares nothing with the review.
func (r *Review) Status() Status {
	return Status{
		Outcome:   r.s.Outcome,
		Reason:    r.s.Reason,
		Dossier:   r.s.Dossier,
		Requester: r.s.Requester,
		Opened:    r.s.Opened,
		Deadline:  r.deadline(),
		Closed:    r.s.Closed,
		Missing:   r.missing(),
		Decisions: append([]Decision{}, r.s.Decisions...),
		Refused:   r.s.Refused,
	}
}

// Outcome reports where the review stands; see Status for the rest.
func (r *Review) Outcome() Outcome { return r.s.Outcome }

func (r *Review) deadline() time.Time { return r.s.Opened.Add(r.s.Policy.Deadline) }

// missing lists the approvals each seat still needs, in the policy's order.
func (r *Review) missing() []Seat {
	missing := []Seat{}
	for _, seat := range r.s.Policy.Seats {
		if open := seat.Approvals - r.approvals(seat.Role); open > 0 {
			missing = append(missing, Seat{Role: seat.Role, Approvals: open})
		}
	}
	return missing
}

// approvals counts the persons whose current vote approves in a role. A person has at most one counted vote.
func (r *Review) approvals(role string) int {
	n := 0
	for _, d := range r.s.Decisions {
		if d.Standing == Counted && d.Decision == Approve && d.Role == role {
			n++
		}
	}
	return n
}

// current is the index of a person's counted vote, or -1.
func (r *Review) current(reviewer string) int {
	return slices.IndexFunc(r.s.Decisions, func(d Decision) bool {
		return d.Standing == Counted && person(d.Reviewer) == person(reviewer)
	})
}

func (r *Review) close(outcome Outcome, reason string, at time.Time) {
	r.s.Outcome, r.s.Reason, r.s.Closed = outcome, reason, at
}
