package functional

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

// requireRefused checks what is left of a candidate that was not accepted: a dossier to read why, no version, and a
// record that verifies.
func requireRefused(t *testing.T, model, outcome string, r result) {
	t.Helper()
	require.Equal(t, outcome, r.Outcome, r.Reason)
	require.Zero(t, r.Version)
	require.NotEmpty(t, r.Dossier.Digest)
	require.NotEmpty(t, r.Page.Digest)
	last := record(t, model)
	require.Equal(t, "refused", last[len(last)-1].Type)
	require.Equal(t, outcome, last[len(last)-1].Detail["outcome"])
	require.Equal(t, r.Reason, last[len(last)-1].Detail["reason"])
	require.Contains(t, starter(t, "verify", model).out, "is whole")
}

func TestRejectionByOneReviewer(t *testing.T) {
	t.Parallel()
	l := start(t, credit("rejected"))
	dossier := l.underReview()
	l.signal(vote("eva", "ethics", "approve", dossier))
	l.signal(vote("ron", "risk", "reject", dossier))
	r := l.ends()
	requireRefused(t, "rejected", "rejected", r)
	require.Contains(t, r.Reason, "ron (risk) rejected it: because it is a test")
	require.Equal(t, []string{"dossier", "decision", "decision", "refused"}, typesOf(record(t, "rejected")))
	s := l.status()
	require.Equal(t, "review", s.Stage)
	require.Equal(t, "stopped", s.Stages[11].State)
	require.Equal(t, "waiting", s.Stages[12].State, "nothing is registered")
}

func TestRequestForChanges(t *testing.T) {
	t.Parallel()
	l := start(t, credit("changes-requested"))
	receipt, err := l.update(vote("eva", "ethics", "request_changes", l.underReview()))
	require.NoError(t, err)
	require.Equal(t, "changes_requested", receipt.Outcome)
	requireRefused(t, "changes-requested", "changes_requested", l.ends())
}

func TestNoDecisionBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	l := start(t, credit("expired", with("review.deadline", "2s"), with("review.remind_every", "500ms"),
		with("review.escalate", document{"after": "1s", "to": []any{"risk-lead"}})))
	dossier := l.underReview()
	l.signal(vote("eva", "ethics", "approve", dossier))
	l.signal(vote("emil", "ethics", "approve", dossier))
	r := l.ends()
	requireRefused(t, "expired", "expired", r)
	require.Contains(t, r.Reason, "1 x risk", "the reason names the seat that stayed empty")
}

func TestGateFails(t *testing.T) {
	t.Parallel()
	l := start(t, credit("gate-fails", with("gates.conditions", []any{"auc > 0.7", "accuracy > 0.999"})))
	r := l.ends()
	requireRefused(t, "gate-fails", "gated", r)
	require.Contains(t, r.Reason, "accuracy")
	s := l.status()
	require.Equal(t, "fail", s.Verdict)
	require.Nil(t, s.Review, "nobody is asked")
}

func TestExpectationFails(t *testing.T) {
	t.Parallel()
	l := start(t, credit("expectation-fails", with("data.expect", []any{document{"rows": document{"min": 1000}}, document{"column": "age", "max": 60}})))
	r := l.ends()
	require.Equal(t, "gated", r.Outcome)
	require.Contains(t, r.Reason, "1 of 2 expectations failed")
	require.Contains(t, r.Reason, "above 60")
	s := l.status()
	require.Equal(t, "validate", s.Stage)
	require.Equal(t, "stopped", s.Stages[2].State)
	require.Equal(t, "waiting", s.Stages[3].State, "nothing is trained on such data")
}

func TestCancelDuringReview(t *testing.T) {
	t.Parallel()
	l := start(t, credit("cancelled"))
	l.underReview()
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), l.id, ""))
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, l.end(nil), &cancelled)
	var r result
	require.NoError(t, cancelled.Details(&r))
	requireRefused(t, "cancelled", "cancelled", r)
	require.Equal(t, r, *l.status().Result)
}

func TestLateAndRepeatedVotes(t *testing.T) {
	t.Parallel()
	// The canary gives a vote time to come late.
	l := start(t, credit("late-votes", with("rollout.canary", []any{document{"traffic": 50, "hold": "2s"}})))
	dossier := l.underReview()
	for range 3 {
		l.signal(vote("eva", "ethics", "approve", dossier))
	}
	l.signal(vote(" EVA ", "risk", "approve", dossier)) // the same person in another seat: her vote moves there
	s := l.waitFor("five votes are in", func(s status) bool { return len(s.Review.Decisions) == 2 })
	require.Equal(t, []seat{{"ethics", 2}}, s.Review.Missing, "one person counts once")

	l.signal(vote("emil", "ethics", "approve", dossier))
	l.signal(vote("edda", "ethics", "approve", dossier))
	l.waitFor("the rollout", func(s status) bool { return s.Stage == "rollout" })
	l.signal(vote("lara", "ethics", "reject", dossier))
	_, err := l.update(vote("leo", "risk", "reject", dossier))
	require.ErrorContains(t, err, "ended as approved")
	r := l.ends()
	require.Equal(t, "deployed", r.Outcome, "a late vote changes nothing: "+r.Reason)

	var standings []string
	for _, d := range l.status().Review.Decisions {
		standings = append(standings, d.Reviewer+" "+d.Standing)
	}
	require.Equal(t, []string{"eva replaced", "EVA counted", "emil counted", "edda counted", "lara late"}, standings)
	require.Contains(t, l.status().Review.Refusals[0].Reason, "ended as approved")
	late := decisionsOf(record(t, "late-votes"))
	require.Equal(t, map[string]string{"role": "ethics", "decision": "reject", "reason": "because it is a test", "standing": "late"}, late[len(late)-1].Detail)
	require.Contains(t, starter(t, "verify", "late-votes").out, "is whole")
}

func TestGarbageDoesNotDisturbAReview(t *testing.T) {
	t.Parallel()
	l := start(t, credit("garbage", oneReviewer))
	l.signal(vote("eager", "risk", "approve", "sha256:00")) // before there is anything to decide on
	dossier := l.underReview()
	for _, payload := range []any{
		"approve", 42, nil, true, []any{"approve"}, document{}, document{"reviewer": document{"name": "x"}},
		vote("eva", "finance", "approve", dossier), vote("Rita", "risk", "approve", dossier),
		func() document { v := vote("eva", "risk", "approve", dossier); v["weight"] = 3; return v }(),
		[]byte{0xff, 0xfe, 0x00},
	} {
		l.signal(payload)
	}
	require.NoError(t, local.Client.SignalWorkflow(t.Context(), l.id, "", "no-such-signal", "hello"))
	l.signal(vote("zed", "finance", "approve", dossier))
	s := l.waitFor("the last of the garbage was refused", func(s status) bool {
		n := len(s.Review.Refusals)
		return n > 0 && s.Review.Refusals[n-1].Reviewer == "zed"
	})
	require.Len(t, s.Review.Refusals, 10, "the last ten are shown")
	require.Equal(t, "open", s.Review.Outcome)
	require.Empty(t, s.Review.Decisions)
	for _, refusal := range s.Review.Refusals {
		require.NotEmpty(t, refusal.Reason)
	}
	l.signal(vote("ron", "risk", "approve", dossier))
	require.Equal(t, "deployed", l.ends().Outcome)
}
