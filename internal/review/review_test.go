package review

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
)

var (
	opened  = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	dossier = artifact.Sum([]byte("dossier"))
	older   = artifact.Sum([]byte("older dossier"))
)

func hours(n int) time.Time { return opened.Add(time.Duration(n) * time.Hour) }

func policy() Policy {
	return Policy{
		Seats:             []Seat{{"ethics", 2}, {"risk", 1}},
		SeparateRequester: true,
		Deadline:          72 * time.Hour,
		RemindEvery:       24 * time.Hour,
		EscalateAfter:     48 * time.Hour,
		EscalateTo:        []string{"risk-lead"},
	}
}

func open(t *testing.T) *Review {
	t.Helper()
	r, err := New(policy(), dossier, "Rita Requester", opened)
	require.NoError(t, err)
	return r
}

func vote(reviewer, role, decision string) Vote {
	return Vote{Reviewer: reviewer, Role: role, Decision: decision, Reason: "I read it", Dossier: dossier.String()}
}

func apply(t *testing.T, r *Review, v Vote, now time.Time) Effect {
	t.Helper()
	require.NoError(t, r.Check(v, now))
	e, err := r.Apply(v, now)
	require.NoError(t, err)
	return e
}

func TestApproval(t *testing.T) {
	r := open(t)
	require.Equal(t, Effect{KindCounted, Open, false, []Seat{{"ethics", 1}, {"risk", 1}}, "the vote is counted; still needed: 1 x ethics, 1 x risk"},
		apply(t, r, vote("Ann", "ethics", Approve), hours(1)))
	apply(t, r, vote("Bob", " Risk ", Approve), hours(2))
	require.Equal(t, Effect{KindCounted, Approved, true, []Seat{}, "the vote is counted; the review ended as approved"},
		apply(t, r, vote("Cy", "ethics", Approve), hours(3)))
	s := r.Status()
	require.Equal(t, hours(3), s.Closed)
	require.Equal(t, "risk", s.Decisions[1].Role, "written as in the policy")
	_, _, ok := r.NextTimer(hours(3))
	require.False(t, ok)
	require.Empty(t, r.Tick(hours(100)))
}

func TestRefusals(t *testing.T) {
	with := func(change func(*Vote)) Vote {
		v := vote("Ann", "ethics", Approve)
		change(&v)
		return v
	}
	for _, c := range []struct {
		name string
		vote Vote
		code Code
		says []string
	}{
		{"a role without a seat", with(func(v *Vote) { v.Role = "finance" }), CodeRole, []string{`"finance"`, "ethics, risk"}},
		{"the requester", with(func(v *Vote) { v.Reviewer = "  rita   REQUESTER " }), CodeRequester, []string{"own request"}},
		{"no reviewer", with(func(v *Vote) { v.Reviewer = " " }), CodeReviewer, []string{"names no reviewer"}},
		{"a name with unseen characters", with(func(v *Vote) { v.Reviewer = "Ann\u200b" }), CodeReviewer, []string{"cannot be seen"}},
		{"a name that is no text", with(func(v *Vote) { v.Reviewer = "Ann\xff" }), CodeReviewer, nil},
		{"an endless name", with(func(v *Vote) { v.Reviewer = strings.Repeat("a", 201) }), CodeReviewer, []string{"200"}},
		{"no reason", with(func(v *Vote) { v.Reason = "\n " }), CodeReason, []string{"no reason"}},
		{"an endless reason", with(func(v *Vote) { v.Reason = strings.Repeat("a", 4001) }), CodeReason, []string{"4000"}},
		{"another decision", with(func(v *Vote) { v.Decision = "yes" }), CodeDecision, []string{`"yes"`, "approve, reject or request_changes"}},
		{"no dossier", with(func(v *Vote) { v.Dossier = "" }), CodeDossier, []string{dossier.String()}},
		{"a malformed dossier", with(func(v *Vote) { v.Dossier = "sha256:12" }), CodeDossier, []string{"sha256:12", dossier.String()}},
		{"an older dossier", with(func(v *Vote) { v.Dossier = older.String() }), CodeDossier, []string{older.String(), "newer", dossier.String()}},
		{"a signature", with(func(v *Vote) { v.Signature = "c2ln" }), CodeSignature, []string{"not available yet"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t)
			before, err := r.Snapshot()
			require.NoError(t, err)
			var refused *RefusedError
			require.ErrorAs(t, r.Check(c.vote, hours(1)), &refused)
			require.Equal(t, c.code, refused.Code)
			for _, text := range c.says {
				require.ErrorContains(t, refused, text)
			}
			after, err := r.Snapshot()
			require.NoError(t, err)
			require.Equal(t, string(before), string(after), "Check changes nothing")

			e, err := r.Apply(c.vote, hours(1))
			require.Equal(t, refused, err)
			require.Equal(t, KindRefused, e.Kind)
			require.Equal(t, Open, e.Outcome)
			require.Equal(t, 1, r.Status().Refused)
			require.Empty(t, r.Status().Decisions)
		})
	}
}

func TestWithoutSeparationTheRequesterMayVote(t *testing.T) {
	p := policy()
	p.SeparateRequester = false
	r, err := New(p, dossier, "", opened)
	require.NoError(t, err)
	apply(t, r, vote("Rita Requester", "risk", Approve), hours(1))
}

func TestOnePersonCountsOnce(t *testing.T) {
	r := open(t)
	apply(t, r, vote("Ann", "ethics", Approve), hours(1))
	e := apply(t, r, vote(" ANN ", "risk", Approve), hours(2))
	require.Equal(t, KindChanged, e.Kind)
	require.Equal(t, []Seat{{"ethics", 2}}, e.Missing, "the seat moved with the person")
	require.Equal(t, []Standing{Replaced, Counted}, standings(r))
}

func TestDuplicatesChangeNothing(t *testing.T) {
	r := open(t)
	v := vote("Ann", "risk", Reject)
	apply(t, r, v, hours(1))
	before, err := r.Snapshot()
	require.NoError(t, err)
	v.Reviewer, v.Role = "ann", "RISK"
	require.Equal(t, KindDuplicate, apply(t, r, v, hours(100)).Kind, "also after the end, for a client that lost the answer")
	after, err := r.Snapshot()
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}

func TestChangingOnesMind(t *testing.T) {
	r := open(t)
	apply(t, r, vote("Ann", "ethics", Approve), hours(1))
	again := vote("Ann", "ethics", Approve)
	again.Reason = "and I read the appendix"
	require.Equal(t, KindChanged, apply(t, r, again, hours(2)).Kind)
	e := apply(t, r, vote("Ann", "ethics", Reject), hours(3))
	require.Equal(t, Effect{KindChanged, Rejected, true, []Seat{{"ethics", 2}, {"risk", 1}},
		"the vote replaces your earlier one; the review ended as rejected"}, e)
	require.Equal(t, []Standing{Replaced, Replaced, Counted}, standings(r))
}

func TestOneVoteEndsIt(t *testing.T) {
	for decision, outcome := range map[string]Outcome{Reject: Rejected, RequestChanges: ChangesRequested} {
		r := open(t)
		apply(t, r, vote("Ann", "ethics", Approve), hours(1))
		e := apply(t, r, vote("Bob", "risk", decision), hours(2))
		require.Equal(t, outcome, e.Outcome)
		require.True(t, e.Closed)
		require.Contains(t, r.Status().Reason, "Bob (risk)")
		require.Contains(t, r.Status().Reason, "I read it")
	}
}

func TestLateVotesAreRecorded(t *testing.T) {
	t.Run("after the end", func(t *testing.T) {
		r := open(t)
		apply(t, r, vote("Ann", "ethics", Reject), hours(1))
		e, err := r.Apply(vote("Bob", "risk", Approve), hours(2))
		require.ErrorContains(t, err, "ended as rejected at 2026-03-02T10:00:00Z")
		require.Equal(t, KindLate, e.Kind)
		require.Equal(t, Rejected, r.Outcome())
		require.Equal(t, []Standing{Counted, Late}, standings(r))
		require.Zero(t, r.Status().Refused)
	})
	t.Run("at the deadline, before any tick", func(t *testing.T) {
		r := open(t)
		apply(t, r, vote("Ann", "ethics", Approve), hours(1))
		apply(t, r, vote("Bob", "ethics", Approve), hours(2))
		require.NoError(t, r.Check(vote("Cy", "risk", Approve), hours(72).Add(-1)))
		require.ErrorContains(t, r.Check(vote("Cy", "risk", Approve), hours(72)), "ended as expired at 2026-03-05T09:00:00Z")
		e, err := r.Apply(vote("Cy", "risk", Approve), hours(72))
		require.Error(t, err)
		require.Equal(t, Effect{Kind: KindLate, Outcome: Expired, Missing: []Seat{{"risk", 1}}, Message: e.Message}, e)
		require.Equal(t, []Action{{Kind: Expire, Due: hours(72), Missing: []Seat{{"risk", 1}}}}, r.Tick(hours(72)), "told all the same")
		require.Empty(t, r.Tick(hours(73)), "once")
	})
}

func TestTimersOnTime(t *testing.T) {
	r := open(t)
	all := []Seat{{"ethics", 2}, {"risk", 1}}
	now := opened
	var told []string
	for {
		at, kind, ok := r.NextTimer(now)
		if !ok {
			break
		}
		require.True(t, at.After(now))
		now = at
		require.Empty(t, r.Tick(now.Add(-1)))
		for i, a := range r.Tick(now) {
			require.Equal(t, now, a.Due)
			require.Equal(t, all, a.Missing)
			if i == 0 {
				require.Equal(t, kind, a.Kind)
			}
			told = append(told, fmt.Sprintf("%s %s %v", a.Kind, now.Sub(opened), a.To))
		}
		require.Empty(t, r.Tick(now))
	}
	require.Equal(t, []string{"remind 24h0m0s []", "remind 48h0m0s []", "escalate 48h0m0s [risk-lead]", "expire 72h0m0s []"}, told)
	require.Equal(t, Expired, r.Outcome())
	require.Equal(t, "no quorum by the deadline, 2026-03-05T09:00:00Z; still needed: 2 x ethics, 1 x risk", r.Status().Reason)
}

func TestTimersLate(t *testing.T) {
	t.Run("missed reminders are told as one, then the rhythm goes on", func(t *testing.T) {
		r := open(t)
		at, kind, ok := r.NextTimer(hours(50))
		require.True(t, ok)
		require.Equal(t, hours(24), at)
		require.Equal(t, Remind, kind)
		kinds := []Timer{}
		for _, a := range r.Tick(hours(50)) {
			kinds = append(kinds, a.Kind)
		}
		require.Equal(t, []Timer{Remind, Escalate}, kinds)
		at, kind, _ = r.NextTimer(hours(50))
		require.Equal(t, hours(72), at)
		require.Equal(t, Expire, kind)
	})
	t.Run("after the deadline only the expiry is told", func(t *testing.T) {
		r := open(t)
		actions := r.Tick(hours(1000))
		require.Len(t, actions, 1)
		require.Equal(t, Expire, actions[0].Kind)
		require.Equal(t, hours(72), r.Status().Closed, "it ended at the deadline, whenever that was noticed")
	})
}

func standings(r *Review) []Standing {
	var all []Standing
	for _, d := range r.Status().Decisions {
		all = append(all, d.Standing)
	}
	return all
}

func TestParseVote(t *testing.T) {
	v, err := ParseVote([]byte(`{"reviewer":"Ann","role":"risk","decision":"approve","reason":"fine","dossier":"sha256:00","signature":"s"}`))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(Vote{"Ann", "risk", "approve", "fine", "sha256:00", "s"}, v))
	for name, c := range map[string]struct{ text, says string }{
		"unknown field": {`{"reviewer":"Ann","vote":"yes"}`, `unknown field "vote"`},
		"wrong type":    {`{"reviewer":7}`, "reviewer"},
		"no object":     {`"approve"`, "expected one JSON object"},
		"null":          {`null`, "null"},
		"nothing":       {``, "expected one JSON object"},
		"cut":           {`{"reviewer":`, "expected one JSON object"},
		"more":          {`{} {}`, "more after the first"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseVote([]byte(c.text))
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestPolicyFrom(t *testing.T) {
	good := spec.Review{
		Deadline:    spec.Duration(72 * time.Hour),
		Quorum:      []spec.Seat{{Role: "ethics", Approvals: 2}, {Role: "risk", Approvals: 1}},
		Separate:    []string{"requester"},
		RemindEvery: spec.Duration(24 * time.Hour),
		Escalate:    &spec.Escalate{After: spec.Duration(48 * time.Hour), To: []string{"risk-lead"}},
	}
	p, err := PolicyFrom(good)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(policy(), p))
	for name, c := range map[string]struct {
		change func(*spec.Review)
		says   string
	}{
		"no deadline":         {func(s *spec.Review) { s.Deadline = 0 }, "deadline"},
		"no quorum":           {func(s *spec.Review) { s.Quorum = nil }, "no seats"},
		"no approvals":        {func(s *spec.Review) { s.Quorum = []spec.Seat{{Role: "risk"}} }, "needs 0 approvals"},
		"a role twice":        {func(s *spec.Review) { s.Quorum[1].Role = "Ethics" }, "two seats"},
		"an unnamed role":     {func(s *spec.Review) { s.Quorum[1].Role = " " }, "seat 2"},
		"unknown separation":  {func(s *spec.Review) { s.Separate = []string{"owner"} }, `"owner"`},
		"escalate too late":   {func(s *spec.Review) { s.Escalate.After = s.Deadline }, "before the deadline"},
		"escalate at once":    {func(s *spec.Review) { s.Escalate.After = 0 }, "above 0"},
		"escalate to nobody":  {func(s *spec.Review) { s.Escalate.To = nil }, "nobody"},
		"negative reminders":  {func(s *spec.Review) { s.RemindEvery = -1 }, "remind_every"},
		"negative escalation": {func(s *spec.Review) { s.Escalate.After = -1 }, "escalate.after"},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			s.Quorum = append([]spec.Seat{}, good.Quorum...)
			escalate := *good.Escalate
			s.Escalate = &escalate
			c.change(&s)
			_, err := PolicyFrom(s)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestNewRefuses(t *testing.T) {
	_, err := New(policy(), artifact.Digest{}, "Rita", opened)
	require.ErrorContains(t, err, "no dossier digest")
	_, err = New(policy(), dossier, " ", opened)
	require.ErrorContains(t, err, "no requester is named")
	_, err = New(Policy{}, dossier, "Rita", opened)
	require.ErrorContains(t, err, "deadline")
}

func TestRestoreRefuses(t *testing.T) {
	for _, text := range []string{``, `{}`, `{"unknown":1}`, `{"policy":{"seats":[{"role":"r","approvals":1}],"deadline":1},"outcome":"maybe"}`} {
		_, err := Restore([]byte(text))
		require.ErrorContains(t, err, "read review snapshot")
	}
}
