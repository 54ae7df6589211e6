package review

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/spec"
)

// Seat is a number of approvals needed from a role, by distinct persons.
type Seat struct {
	Role      string `json:"role"`
	Approvals int    `json:"approvals"`
}

// Policy says who must agree, and by when. Durations are in nanoseconds in JSON.
type Policy struct {
	Seats             []Seat        `json:"seats"`
	SeparateRequester bool          `json:"separate_requester,omitempty"` // the requester may not vote
	Deadline          time.Duration `json:"deadline"`                     // from opening to expiry, above 0
	RemindEvery       time.Duration `json:"remind_every,omitempty"`       // 0: no reminders
	EscalateAfter     time.Duration `json:"escalate_after,omitempty"`     // 0: no escalation
	EscalateTo        []string      `json:"escalate_to,omitempty"`        // roles or persons told once
}

const separateRequester = "requester"

// PolicyFrom reads the review part of a spec.
func PolicyFrom(s spec.Review) (Policy, error) {
	p := Policy{Deadline: time.Duration(s.Deadline), RemindEvery: time.Duration(s.RemindEvery)}
	for _, seat := range s.Quorum {
		p.Seats = append(p.Seats, Seat{Role: strings.TrimSpace(seat.Role), Approvals: seat.Approvals})
	}
	for _, who := range s.Separate {
		if who != separateRequester {
			return Policy{}, fmt.Errorf("read review policy: separate names %q; expected %q", who, separateRequester)
		}
		p.SeparateRequester = true
	}
	if s.Escalate != nil {
		p.EscalateAfter = time.Duration(s.Escalate.After)
		p.EscalateTo = append([]string(nil), s.Escalate.To...)
		if p.EscalateAfter <= 0 {
			return Policy{}, fmt.Errorf("read review policy: escalate.after is %s; expected a duration above 0", p.EscalateAfter)
		}
	}
	if err := p.check(); err != nil {
		return Policy{}, fmt.Errorf("read review policy: %w", err)
	}
	return p, nil
}

func (p Policy) check() error {
	switch {
	case p.Deadline <= 0:
		return fmt.Errorf("the deadline is %s; expected a duration above 0, such as 72h", p.Deadline)
	case p.RemindEvery < 0:
		return fmt.Errorf("remind_every is %s; expected a duration above 0, or none", p.RemindEvery)
	case p.EscalateAfter < 0:
		return fmt.Errorf("escalate.after is %s; expected a duration above 0, or none", p.EscalateAfter)
	case p.EscalateAfter >= p.Deadline:
		return fmt.Errorf("escalate.after is %s and the deadline is %s; expected to escalate before the deadline", p.EscalateAfter, p.Deadline)
	case p.EscalateAfter > 0 && len(p.EscalateTo) == 0:
		return errors.New("escalate names nobody to tell; expected at least one role in escalate.to")
	}
	return p.checkSeats()
}

func (p Policy) checkSeats() error {
	if len(p.Seats) == 0 {
		return errors.New("the quorum has no seats; expected at least one role with approvals, such as {role: risk, approvals: 1}")
	}
	for i, seat := range p.Seats {
		if strings.TrimSpace(seat.Role) == "" || seat.Role != strings.TrimSpace(seat.Role) {
			return fmt.Errorf("seat %d has the role %q; expected a name without surrounding blanks", i+1, seat.Role)
		}
		if seat.Approvals < 1 {
			return fmt.Errorf("the role %q needs %d approvals; expected at least 1", seat.Role, seat.Approvals)
		}
		for _, earlier := range p.Seats[:i] {
			if sameRole(earlier.Role, seat.Role) {
				return fmt.Errorf("the role %q has two seats in the quorum; expected one seat with the sum of approvals", seat.Role)
			}
		}
	}
	return nil
}

// seat finds the seat of a role.
func (p Policy) seat(role string) (Seat, bool) {
	for _, s := range p.Seats {
		if sameRole(s.Role, role) {
			return s, true
		}
	}
	return Seat{}, false
}

// roles lists the roles of the quorum for a message.
func (p Policy) roles() string {
	names := make([]string, len(p.Seats))
	for i, s := range p.Seats {
		names[i] = s.Role
	}
	return strings.Join(names, ", ")
}

func sameRole(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

// person is the form in which reviewers are compared. Upper case comes first because some letters share only that.
func person(name string) string {
	return strings.ToLower(strings.ToUpper(strings.Join(strings.Fields(name), " ")))
}
