//go:build crash || python

package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/review"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// calm is the time between two looks for what does not pass.
const calm = 100 * time.Millisecond

// life is one lifecycle on a stack, with the workflows it gives rise to.
type life struct {
	*stack
	model     string
	lifecycle string // workflow id
}

// begin starts a lifecycle as any client of Temporal would.
func (s *stack) begin(file, id string, set ...string) *life {
	s.t.Helper()
	read, err := spec.Load(file, spec.Options{Set: set})
	require.NoError(s.t, err)
	l := &life{stack: s, model: read.Model, lifecycle: workflows.LifecycleID(read.Model, id)}
	ctx, cancel := s.brief()
	defer cancel()
	_, err = s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: l.lifecycle, TaskQueue: workflows.TaskQueue},
		workflows.LifecycleType, workflows.LifecycleInput{Spec: json.RawMessage(read.Canonical()), Requester: "rita", Trigger: stage.Trigger{Kind: "manual"}})
	require.NoError(s.t, err)
	return l
}

// brief bounds one question to the server.
func (s *stack) brief() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.t.Context(), 15*time.Second)
}

func (l *life) rollout() string { return workflows.RolloutID(l.model, 1) }
func (l *life) monitor() string { return workflows.MonitorID(l.model) }

// ask sends the query status. It reports false while there is no such workflow or no worker that answers for it.
func (s *stack) ask(id string, into any) bool {
	ctx, cancel := s.brief()
	defer cancel()
	value, err := s.client.QueryWorkflow(ctx, id, "", workflows.QueryStatus)
	if err != nil {
		require.NoError(s.t, s.t.Context().Err())
		return false
	}
	require.NoError(s.t, value.Get(into))
	return true
}

// status waits for the lifecycle's status to be as wanted.
func (l *life) status(what string, ok func(workflows.Status) bool) workflows.Status {
	l.t.Helper()
	var s workflows.Status
	await(l.t, what, calm, func() bool {
		s = workflows.Status{}
		return l.ask(l.lifecycle, &s) && ok(s)
	})
	return s
}

// underReview waits until people are asked.
func (l *life) underReview() workflows.Status {
	l.t.Helper()
	return l.status("the review is open", func(s workflows.Status) bool { return s.Review != nil && s.Review.Outcome == review.Open })
}

func (l *life) vote(reviewer, role string) review.Vote {
	s := l.underReview()
	return review.Vote{Reviewer: reviewer, Role: role, Decision: review.Approve, Reason: "the evidence holds", Dossier: s.Review.Dossier.String()}
}

// approve sends a decision as an update and returns when it was taken.
func (l *life) approve(reviewer, role string) {
	l.t.Helper()
	vote := l.vote(reviewer, role)
	ctx, cancel := l.brief()
	defer cancel()
	update, err := l.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: l.lifecycle, UpdateName: workflows.UpdateDecision, Args: []any{vote}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(l.t, err)
	var receipt workflows.Receipt
	require.NoError(l.t, update.Get(ctx, &receipt))
	require.Equal(l.t, review.KindCounted, receipt.Kind)
}

// approveBySignal sends a decision as a signal and returns when the server has it.
func (l *life) approveBySignal(reviewer, role string) {
	l.t.Helper()
	vote := l.vote(reviewer, role)
	ctx, cancel := l.brief()
	defer cancel()
	require.NoError(l.t, l.client.SignalWorkflow(ctx, l.lifecycle, "", workflows.SignalDecision, vote))
}

// checkNow asks for a drift check.
func (l *life) checkNow() {
	l.t.Helper()
	ctx, cancel := l.brief()
	defer cancel()
	require.NoError(l.t, l.client.SignalWorkflow(ctx, l.monitor(), "", workflows.SignalCheckNow, nil))
}

// result waits for a lifecycle to end and gives its answer.
func (s *stack) result(id string) workflows.Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Minute)
	defer cancel()
	var r workflows.Result
	err := s.client.GetWorkflow(ctx, id, "").Get(ctx, &r)
	var failed *temporal.ApplicationError
	if errors.As(err, &failed) {
		require.FailNow(s.t, "the lifecycle failed", "%s: %s", id, failed.Message())
	}
	require.NoError(s.t, err)
	return r
}

// pending lists the activities a workflow waits for; none when there is no such workflow.
func (s *stack) pending(id string) []*workflow.PendingActivityInfo {
	ctx, cancel := s.brief()
	defer cancel()
	d, err := s.client.DescribeWorkflowExecution(ctx, id, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return nil
	}
	require.NoError(s.t, err)
	return d.GetPendingActivities()
}

// taken gives an activity that a worker has taken and not answered yet, or nil.
func (s *stack) taken(id, activity string) *workflow.PendingActivityInfo {
	for _, a := range s.pending(id) {
		if a.GetActivityType().GetName() == activity && a.GetState() == enums.PENDING_ACTIVITY_STATE_STARTED {
			return a
		}
	}
	return nil
}

// waiting tells what all workflows of the life wait for, for people.
func (l *life) waiting() string {
	var all []string
	for _, id := range []string{l.lifecycle, l.rollout(), l.monitor()} {
		for _, a := range l.pending(id) {
			state := strings.ToLower(strings.TrimPrefix(a.GetState().String(), "PENDING_ACTIVITY_STATE_"))
			all = append(all, fmt.Sprintf("%s %s (attempt %d)", a.GetActivityType().GetName(), state, a.GetAttempt()))
		}
	}
	if len(all) == 0 {
		return "no activity"
	}
	return strings.Join(all, ", ")
}

// history reads a workflow's events.
func (s *stack) history(id string) []*history.HistoryEvent {
	s.t.Helper()
	ctx, cancel := s.brief()
	defer cancel()
	var events []*history.HistoryEvent
	for h := s.client.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); h.HasNext(); {
		e, err := h.Next()
		require.NoError(s.t, err)
		events = append(events, e)
	}
	return events
}

// done is an activity in a history.
type done struct {
	name     string
	attempt  int32 // that was answered
	answered int   // completions
}

// activities lists a history's activities in the order in which they were asked for.
func (s *stack) activities(id string) []done {
	s.t.Helper()
	var all []done
	asked := map[int64]int{} // by the number of the event that asked
	for _, e := range s.history(id) {
		switch e.GetEventType() {
		case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			asked[e.GetEventId()] = len(all)
			all = append(all, done{name: e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()})
		case enums.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			a := e.GetActivityTaskStartedEventAttributes()
			all[asked[a.GetScheduledEventId()]].attempt = a.GetAttempt()
		case enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			all[asked[e.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()]].answered++
		case enums.EVENT_TYPE_ACTIVITY_TASK_FAILED, enums.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, enums.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
			enums.EVENT_TYPE_WORKFLOW_TASK_FAILED:
			require.FailNow(s.t, "a kill must cost time alone", "%s has the event %d, %s", id, e.GetEventId(), e.GetEventType())
		}
	}
	return all
}

// names are those of the activities, in order.
func names(all []done) []string {
	var out []string
	for _, a := range all {
		out = append(out, a.name)
	}
	return out
}

// count is how many activities have that name.
func count(all []done, name string) int {
	n := 0
	for _, a := range all {
		if a.name == name {
			n++
		}
	}
	return n
}

// retried reports whether an activity of that name was answered by a later attempt than the first.
func retried(all []done, name string) bool {
	return slices.ContainsFunc(all, func(a done) bool { return a.name == name && a.attempt > 1 })
}
