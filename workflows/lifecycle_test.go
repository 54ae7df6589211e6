package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

func TestApprovedCandidateIsDeployed(t *testing.T) {
	l := newLifecycle(t)
	l.champion = 3
	l.approve()
	l.start("manual")

	r := l.result()
	require.Equal(t, workflows.Deployed, r.Outcome)
	require.Equal(t, 4, r.Version)
	require.Equal(t, []float64{5, 25}, l.traffic)
	require.Equal(t, 1, l.count("register"))
	require.Equal(t, 1, l.count("promote"))
	require.Equal(t, 1, l.count("tell monitor"))
	require.Equal(t, []string{"dossier", "decision", "decision", "decision"}, l.kinds())
	for _, line := range l.status().Stages {
		require.Equal(t, workflows.Done, line.State, line.Stage)
	}
}

func TestOneRejectionEndsTheLifecycle(t *testing.T) {
	for decision, outcome := range map[string]workflows.Outcome{"reject": workflows.Rejected, "request_changes": workflows.ChangesRequested} {
		t.Run(decision, func(t *testing.T) {
			l := newLifecycle(t)
			l.votes(time.Hour, vote("ada", "ethics", decision))
			l.start("manual")
			require.Equal(t, outcome, l.result().Outcome)
			require.Zero(t, l.count("register"))
			require.Equal(t, []string{"dossier", "decision", "refused"}, l.kinds())
		})
	}
}

func TestSilenceExpiresAfterRemindersAndOneEscalation(t *testing.T) {
	l := newLifecycle(t)
	l.votes(time.Hour, vote("ada", "ethics", "approve"))
	l.start("manual")
	require.Equal(t, workflows.Expired, l.result().Outcome, "the deadline refuses, whatever votes are in")
	require.Zero(t, l.count("register"))
	require.Len(t, l.announcements("request"), 1)
	require.Len(t, l.announcements("reminder"), 2)
	require.Contains(t, l.announcements("reminder")[0].Text, "1 x ethics, 1 x risk")
	require.Equal(t, []string{"risk-lead"}, l.announcements("escalation")[0].To)
}

func TestVotesThatDoNotCountAreShownWithTheirReason(t *testing.T) {
	l := newLifecycle(t)
	other := vote("ada", "ethics", "approve")
	other["dossier"] = ref("another").Digest.String()
	l.votes(time.Second, other)
	l.votes(2*time.Second, vote("req", "ethics", "approve"))
	l.votes(3*time.Second, vote("eve", "finance", "approve"))
	l.votes(4*time.Second, "not an object")
	unknown := vote("ada", "ethics", "approve")
	unknown["vote"] = "yes"
	l.votes(5*time.Second, unknown)
	l.approve()
	l.start("manual")
	require.Equal(t, workflows.Deployed, l.result().Outcome)
	refusals := l.status().Review.Refusals
	require.Len(t, refusals, 5)
	for i, reason := range []string{"dossier", "req", "finance", "", "vote"} {
		require.Contains(t, refusals[i].Reason, reason)
	}
}

func TestLateVoteIsRecordedAndChangesNothing(t *testing.T) {
	l := newLifecycle(t)
	l.approve()
	l.votes(5*time.Minute, vote("dan", "risk", "reject"))
	l.start("manual")
	require.Equal(t, workflows.Deployed, l.result().Outcome)
	last := l.events[len(l.events)-1]
	require.Equal(t, "decision", last.Type)
	require.Equal(t, "late", last.Detail["standing"])
}

func TestUpdateAnswersAtOnce(t *testing.T) {
	l := newLifecycle(t)
	answers := map[string]any{}
	send := func(after time.Duration, name string, v any) {
		l.RegisterDelayedCallback(func() {
			l.UpdateWorkflow(workflows.UpdateDecision, name, &updateCallback{
				reject:   func(err error) { answers[name] = err },
				complete: func(r any, err error) { answers[name] = r },
			}, v)
		}, after)
	}
	send(time.Second, "stranger", vote("eve", "finance", "approve"))
	send(2*time.Second, "ada", vote("ada", "ethics", "approve"))
	send(3*time.Second, "ben", vote("ben", "ethics", "approve"))
	send(4*time.Second, "cleo", vote("cleo", "risk", "approve"))
	l.start("manual")
	require.Equal(t, workflows.Deployed, l.result().Outcome)
	require.ErrorContains(t, answers["stranger"].(error), "finance")
	require.Equal(t, "counted", string(answers["ada"].(workflows.Receipt).Kind))
	require.True(t, answers["cleo"].(workflows.Receipt).Closed)
}

type updateCallback struct {
	reject   func(error)
	complete func(any, error)
}

func (c *updateCallback) Accept()                   {}
func (c *updateCallback) Reject(err error)          { c.reject(err) }
func (c *updateCallback) Complete(r any, err error) { c.complete(r, err) }

func TestGateRefusesBeforePeopleAreAsked(t *testing.T) {
	for _, c := range []struct {
		verdict      gate.Verdict
		inconclusive string
		failing      string
		outcome      workflows.Outcome
	}{
		{gate.Fail, "review", "", workflows.Gated},
		{gate.Fail, "review", "refuse", workflows.Gated},
		{gate.Fail, "fail", "review", workflows.Deployed},
		{gate.Inconclusive, "fail", "", workflows.Gated},
		{gate.Inconclusive, "fail", "review", workflows.Gated},
		{gate.Inconclusive, "review", "", workflows.Deployed},
		{gate.Inconclusive, "pass", "", workflows.Deployed},
	} {
		t.Run(string(c.verdict)+" "+c.inconclusive+" "+c.failing, func(t *testing.T) {
			l := newLifecycle(t)
			l.verdict, l.plan.Inconclusive, l.plan.Failing = c.verdict, c.inconclusive, c.failing
			l.approve()
			l.start("manual")
			require.Equal(t, c.outcome, l.result().Outcome)
			require.False(t, l.result().Dossier.IsZero(), "who made the candidate wants to see why")
			require.Equal(t, c.outcome == workflows.Gated, len(l.announced) == 0)
			for _, line := range l.status().Stages {
				require.Equal(t, c.outcome == workflows.Gated && line.Stage == stage.Gate, line.State == workflows.Stopped, line.Stage)
			}
		})
	}
}

func TestRetrainingThatChangesNothingAsksNobody(t *testing.T) {
	l := newLifecycle(t)
	l.champion = 2
	l.start("drift")
	require.Equal(t, workflows.Unchanged, l.result().Outcome)
	require.Empty(t, l.announced)
}

func TestFailingStageFailsTheWorkflowWithItsReason(t *testing.T) {
	l := newLifecycle(t)
	l.fail["train"] = temporal.NewNonRetryableApplicationError("the target has one class", "InvalidData", nil)
	l.start("manual")
	var app *temporal.ApplicationError
	require.True(t, errors.As(l.GetWorkflowError(), &app))
	require.Equal(t, workflows.ErrorLifecycleFailed, app.Type())
	require.Equal(t, 1, l.count("train"), "not tried again")
	var r workflows.Result
	require.NoError(t, app.Details(&r))
	require.Equal(t, workflows.Failed, r.Outcome)
	require.Equal(t, "the target has one class", r.Reason)
	require.Equal(t, []string{"refused"}, l.kinds())
}

func TestPassingTroubleIsTriedAgain(t *testing.T) {
	l := newLifecycle(t)
	l.fail["explain"] = temporal.NewApplicationError("the disk is full", "Unavailable")
	l.RegisterDelayedCallback(func() { delete(l.fail, "explain") }, 10*time.Minute)
	l.votes(time.Hour, vote("ada", "ethics", "reject"))
	l.start("manual")
	require.Equal(t, workflows.Rejected, l.result().Outcome)
	require.Greater(t, l.count("explain"), 3)
	require.Equal(t, 1, l.count("evaluate"))
}

func TestMalformedInputFailsClearly(t *testing.T) {
	for name, input := range map[string][]any{
		"text":           {"hello"},
		"number":         {7},
		"list":           {[]int{1}},
		"none":           {},
		"misspelt field": {map[string]any{"speck": map[string]any{}}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLifecycle(t)
			l.ExecuteWorkflow(workflows.LifecycleType, input...)
			var app *temporal.ApplicationError
			require.True(t, errors.As(l.GetWorkflowError(), &app), "%v", l.GetWorkflowError())
			require.Equal(t, workflows.ErrorInvalidInput, app.Type())
			require.Contains(t, app.Message(), `{"spec": {...}`)
		})
	}
}

func TestCancellationDuringReview(t *testing.T) {
	l := newLifecycle(t)
	l.RegisterDelayedCallback(l.CancelWorkflow, time.Hour)
	l.start("manual")
	require.True(t, temporal.IsCanceledError(l.GetWorkflowError()))
	require.Equal(t, "cancelled", l.events[len(l.events)-1].Detail["outcome"])
}

func TestFailingCanaryIsRolledBack(t *testing.T) {
	l := newLifecycle(t)
	l.champion = 1
	l.observed = stage.Observed{Requests: 1000, Errors: 300}
	l.approve()
	l.start("manual")
	r := l.result()
	require.Equal(t, workflows.Gated, r.Outcome)
	require.Equal(t, 2, r.Version)
	require.Contains(t, r.Reason, "rolled back")
	require.Equal(t, []float64{5}, l.traffic)
	require.Equal(t, 1, l.count("roll back"))
	require.Zero(t, l.count("promote"))
}

func TestFailedPromotionLeavesTheCandidateNoTraffic(t *testing.T) {
	l := newLifecycle(t)
	l.champion = 1
	l.fail["promote"] = temporal.NewNonRetryableApplicationError("the manifest is damaged", "Corrupt", nil)
	l.approve()
	l.start("manual")
	require.ErrorContains(t, l.GetWorkflowError(), "the manifest is damaged")
	require.Equal(t, []float64{5, 25, 0}, l.traffic)
}

func TestCancellationDuringTheCanaryRollsBack(t *testing.T) {
	l := newLifecycle(t)
	l.champion = 1
	l.approve()
	l.RegisterDelayedCallback(l.CancelWorkflow, 8*time.Minute)
	l.start("manual")
	require.True(t, temporal.IsCanceledError(l.GetWorkflowError()), "%v", l.GetWorkflowError())
	require.Equal(t, 1, l.count("roll back"))
	require.Zero(t, l.count("promote"))
	require.Zero(t, l.count("tell monitor"))
}
