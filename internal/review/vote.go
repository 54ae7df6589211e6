package review

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/assay-ml/assay/internal/artifact"
)

// What a vote can decide.
const (
	Approve        = "approve"
	Reject         = "reject"
	RequestChanges = "request_changes"
)

// Longest texts of a vote, in bytes. They bound what one message adds to a workflow's history.
const (
	MaxName   = 200
	MaxReason = 4000
)

// Vote is one person's decision on a dossier, as a client sends it.
type Vote struct {
	Reviewer  string `json:"reviewer"`
	Role      string `json:"role"`
	Decision  string `json:"decision"` // approve, reject or request_changes
	Reason    string `json:"reason"`
	Dossier   string `json:"dossier"` // digest, sha256:...
	Signature string `json:"signature,omitempty"`
}

// ParseVote reads a vote from JSON and refuses unknown fields, naming them. It checks the form only; Check applies the rules.
func ParseVote(data []byte) (Vote, error) {
	const expected = "expected one JSON object with reviewer, role, decision, reason, dossier and optionally signature"
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var v *Vote
	if err := dec.Decode(&v); err != nil {
		return Vote{}, fmt.Errorf("read decision: %s; %s", strings.TrimPrefix(err.Error(), "json: "), expected)
	}
	if v == nil {
		return Vote{}, fmt.Errorf("read decision: it is null; %s", expected)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Vote{}, fmt.Errorf("read decision: there is more after the first JSON value; %s", expected)
	}
	return *v, nil
}

// Code names the rule that a refused vote broke; it is stable, for programs.
type Code string

// The rules a vote can break.
const (
	CodeReviewer  Code = "reviewer"  // no name, or one that cannot be shown
	CodeRole      Code = "role"      // not in the quorum
	CodeDecision  Code = "decision"  // none of the three
	CodeReason    Code = "reason"    // missing or too long
	CodeDossier   Code = "dossier"   // missing, malformed or another dossier
	CodeSignature Code = "signature" // not available yet
	CodeRequester Code = "requester" // voting on their own request
	CodeLate      Code = "late"      // the review has ended
)

// RefusedError says why a vote is not accepted. Message is a sentence for the person who sent it.
type RefusedError struct {
	Code    Code
	Message string
}

// Error implements error.
func (e *RefusedError) Error() string { return "decision refused: " + e.Message }

func refuse(code Code, format string, args ...any) error {
	return &RefusedError{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Effect is what Apply did with a vote.
type Effect struct {
	Kind    Kind    `json:"kind"`
	Outcome Outcome `json:"outcome"` // of the review, after the vote
	Closed  bool    `json:"closed"`  // this vote ended the review
	Missing []Seat  `json:"missing"` // approvals still needed
	Message string  `json:"message"` // one sentence for the person who voted
}

// Kind says how a vote was taken.
type Kind string

// The ways a vote can be taken.
const (
	KindCounted   Kind = "counted"   // a first vote of this person
	KindChanged   Kind = "changed"   // replaced their earlier vote
	KindDuplicate Kind = "duplicate" // the same as their current vote; nothing changed
	KindLate      Kind = "late"      // after the end; recorded, nothing changed
	KindRefused   Kind = "refused"   // broke a rule; counted as refused
)

// Check says why a vote would not be accepted at this time, as a *RefusedError, or nil when it would be. It changes nothing.
func (r *Review) Check(v Vote, now time.Time) error {
	v = r.canonical(v)
	if err := checkForm(v); err != nil {
		return err
	}
	if r.duplicate(v) {
		return nil
	}
	if outcome, ended := r.endedBy(now); outcome != Open {
		return refuse(CodeLate, "this review ended as %s at %s; the vote came at %s and changes nothing", outcome, stamp(ended), stamp(now))
	}
	return r.checkRules(v)
}

// Apply takes a vote. A vote that Check refuses is returned as the same *RefusedError together with its effect: late votes
// are recorded, others only counted as refused. A vote that comes at or after the deadline of an open review expires it.
func (r *Review) Apply(v Vote, now time.Time) (Effect, error) {
	v, now = r.canonical(v), now.UTC().Round(0)
	r.expire(now)
	if err := r.Check(v, now); err != nil {
		return r.refused(v, err, now), err
	}
	if r.duplicate(v) {
		return r.effect(KindDuplicate, false, "this vote was already counted; nothing changed"), nil
	}
	kind := KindCounted
	if i := r.current(v.Reviewer); i >= 0 {
		r.s.Decisions[i].Standing = Replaced
		kind = KindChanged
	}
	r.s.Decisions = append(r.s.Decisions, Decision{Vote: v, At: now, Standing: Counted})
	r.settle(v, now)
	return r.effect(kind, r.s.Outcome != Open, r.message(kind)), nil
}

// endedBy is how and when the review ended, counting a deadline that has come but was not noticed yet.
func (r *Review) endedBy(now time.Time) (Outcome, time.Time) {
	if r.s.Outcome == Open && !now.Before(r.deadline()) {
		return Expired, r.deadline()
	}
	return r.s.Outcome, r.s.Closed
}

// canonical trims what people type, and writes the role as the policy does.
func (r *Review) canonical(v Vote) Vote {
	v.Reviewer = strings.Join(strings.Fields(v.Reviewer), " ")
	v.Role = strings.TrimSpace(v.Role)
	v.Reason = strings.TrimSpace(v.Reason)
	v.Dossier = strings.TrimSpace(v.Dossier)
	if seat, ok := r.s.Policy.seat(v.Role); ok {
		v.Role = seat.Role
	}
	return v
}

// duplicate reports whether v repeats the person's current vote in every part.
func (r *Review) duplicate(v Vote) bool {
	i := r.current(v.Reviewer)
	if i < 0 {
		return false
	}
	v.Reviewer = r.s.Decisions[i].Reviewer
	return v == r.s.Decisions[i].Vote
}

// checkForm checks what can be said of a vote without knowing the review.
func checkForm(v Vote) error {
	switch {
	case v.Reviewer == "":
		return refuse(CodeReviewer, "it names no reviewer; expected the name of the person who decides")
	case len(v.Reviewer) > MaxName || len(v.Role) > MaxName:
		return refuse(CodeReviewer, "the reviewer or role is longer than %d bytes; expected names", MaxName)
	case !utf8.ValidString(v.Reviewer) || strings.ContainsFunc(v.Reviewer, func(c rune) bool { return !unicode.IsPrint(c) }):
		return refuse(CodeReviewer, "the reviewer %q holds characters that cannot be seen; expected a plain name", v.Reviewer)
	case v.Decision != Approve && v.Decision != Reject && v.Decision != RequestChanges:
		return refuse(CodeDecision, "the decision is %q; expected %s, %s or %s", cut(v.Decision), Approve, Reject, RequestChanges)
	case v.Reason == "":
		return refuse(CodeReason, "it gives no reason; expected why, in your own words")
	case len(v.Reason) > MaxReason || !utf8.ValidString(v.Reason):
		return refuse(CodeReason, "the reason has %d bytes; expected readable text of at most %d bytes", len(v.Reason), MaxReason)
	case v.Signature != "":
		return refuse(CodeSignature, "signatures are not available yet; send the vote without one")
	}
	return nil
}

// checkRules checks a well-formed vote against an open review.
func (r *Review) checkRules(v Vote) error {
	if _, ok := r.s.Policy.seat(v.Role); !ok {
		return refuse(CodeRole, "the role %q has no seat in this review; the roles are: %s", v.Role, r.s.Policy.roles())
	}
	if r.s.Policy.SeparateRequester && person(v.Reviewer) == person(r.s.Requester) {
		return refuse(CodeRequester, "%s asked for this lifecycle, and may not decide on their own request; another person has to", v.Reviewer)
	}
	if v.Dossier == "" {
		return refuse(CodeDossier, "it names no dossier; the dossier under review is %s: read it, then decide on that digest", r.s.Dossier)
	}
	d, err := artifact.ParseDigest(v.Dossier)
	if err != nil {
		return refuse(CodeDossier, "%s; the dossier under review is %s", cut(err.Error()), r.s.Dossier)
	}
	if d != r.s.Dossier {
		return refuse(CodeDossier, "it was taken on the dossier %s; the newer dossier under review is %s: read that one, then decide again", d, r.s.Dossier)
	}
	return nil
}

// refused records a vote that Check did not accept.
func (r *Review) refused(v Vote, err error, now time.Time) Effect {
	var why *RefusedError
	if errors.As(err, &why) && why.Code == CodeLate {
		r.s.Decisions = append(r.s.Decisions, Decision{Vote: v, At: now, Standing: Late})
		return r.effect(KindLate, false, why.Message)
	}
	r.s.Refused++
	return r.effect(KindRefused, false, err.Error())
}

// settle ends the review when the vote just counted decides it.
func (r *Review) settle(v Vote, now time.Time) {
	switch {
	case v.Decision == Reject:
		r.close(Rejected, fmt.Sprintf("%s (%s) rejected it: %s", v.Reviewer, v.Role, v.Reason), now)
	case v.Decision == RequestChanges:
		r.close(ChangesRequested, fmt.Sprintf("%s (%s) asked for changes: %s", v.Reviewer, v.Role, v.Reason), now)
	case len(r.missing()) == 0:
		r.close(Approved, "every seat of the quorum approved", now)
	}
}

func (r *Review) effect(kind Kind, closed bool, message string) Effect {
	return Effect{Kind: kind, Outcome: r.s.Outcome, Closed: closed, Missing: r.missing(), Message: message}
}

func (r *Review) message(kind Kind) string {
	took := "the vote is counted"
	if kind == KindChanged {
		took = "the vote replaces your earlier one"
	}
	if r.s.Outcome != Open {
		return fmt.Sprintf("%s; the review ended as %s", took, r.s.Outcome)
	}
	return fmt.Sprintf("%s; still needed: %s", took, Seats(r.missing()))
}

// Seats writes seats for people, e.g. "2 x ethics, 1 x risk".
func Seats(seats []Seat) string {
	parts := make([]string, len(seats))
	for i, s := range seats {
		parts[i] = fmt.Sprintf("%d x %s", s.Approvals, s.Role)
	}
	return strings.Join(parts, ", ")
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// cut shortens text a client sent before it is repeated to them.
func cut(s string) string {
	if len(s) <= MaxName {
		return s
	}
	return strings.ToValidUTF8(s[:MaxName], "") + "..."
}
