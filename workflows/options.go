package workflows

import (
	"errors"
	"time"

	"github.com/assay-ml/assay/internal/stage"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// retries are the same for every activity but the first of a rollout: errors that will not go away by trying again are marked so where they
// arise (package activities), everything else is tried for about an hour and a half before a person must look.
var retries = &temporal.RetryPolicy{InitialInterval: 500 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 5 * time.Minute, MaximumAttempts: 25}

const (
	// workLimit bounds one attempt of a stage that computes.
	workLimit = 12 * time.Hour
	// silence is how long such a stage may show no progress before its attempt is replaced.
	silence = 20 * time.Second
	// quickLimit bounds one attempt of an activity that only reads or writes documents.
	quickLimit = time.Minute
	// absence is how long nothing may be heard of the process that does such an activity before another takes over.
	absence = 10 * time.Second
	// longHistory is the number of events after which a workflow that goes on starts a fresh history.
	longHistory = 1000
)

// onCPU gives the options of a computing stage on the CPU queue.
func onCPU(ctx workflow.Context, summary string) workflow.Context {
	return computing(ctx, TaskQueueCPU, summary)
}

func computing(ctx workflow.Context, queue, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: queue, StartToCloseTimeout: workLimit, HeartbeatTimeout: silence, WaitForCancellation: true,
		RetryPolicy: retries, Summary: summary,
	})
}

// quick gives the options of an activity that reads or writes documents.
func quick(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: TaskQueueControl, StartToCloseTimeout: quickLimit, HeartbeatTimeout: absence, RetryPolicy: retries, Summary: summary,
	})
}

// splitting gives the options of the activity that gives a candidate its share. A cancellation waits until it has ended:
// rolling back comes after it. For the first step it is tried without end: another rollout of the model may be under way
// for as long as it likes.
func splitting(ctx workflow.Context, step int, summary string) workflow.Context {
	options := workflow.GetActivityOptions(quick(ctx, summary))
	options.WaitForCancellation = true
	if step == 1 {
		patient := *retries
		patient.MaximumAttempts = 0
		options.RetryPolicy = &patient
	}
	return workflow.WithActivityOptions(ctx, options)
}

// call runs an activity and waits for its answer.
func call[A any](ctx workflow.Context, activity string, input any) (A, error) {
	var answer A
	err := workflow.ExecuteActivity(ctx, activity, input).Get(ctx, &answer)
	return answer, err
}

// record puts an event on the model's chain.
func record(ctx workflow.Context, e stage.Event) error {
	return workflow.ExecuteActivity(quick(ctx, "record: "+e.Type), stage.ActivityRecord, e).Get(ctx, nil)
}

// neverStarted reports whether no worker took an activity in the time it was given for that.
func neverStarted(err error) bool {
	var late *temporal.TimeoutError
	return errors.As(err, &late) && late.TimeoutType() == enums.TIMEOUT_TYPE_SCHEDULE_TO_START
}
