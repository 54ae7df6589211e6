package workflows

import (
	"errors"
	"fmt"
	"time"

	"github.com/assay-ml/assay/internal/stage"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Training says where and how training is to be scheduled.
type Training struct {
	Queue     string        `json:"queue"` // task queue
	Priority  int           `json:"priority,omitempty"`
	Team      string        `json:"team,omitempty"`
	TimeLimit time.Duration `json:"time_limit,omitempty"` // of one attempt of a user's program; 0: a built-in trainer
}

// aroundProgram is what an attempt may take besides the program's own time: fetching data, storing the model.
const aroundProgram = time.Hour

func trainingOf(p stage.Plan) Training {
	t := Training{Queue: TaskQueueCPU, Priority: p.Priority, Team: p.Team, TimeLimit: time.Duration(p.TimeLimit)}
	if p.Queue == "gpu" {
		t.Queue = GPUTaskQueue(p.GPUs)
	}
	return t
}

// options are those of a computing stage. Jobs of one team take turns with those of others, the urgent ones first; both
// are the server's to keep (Temporal's priority and fairness of task queues).
func (t Training) options(ctx workflow.Context, summary string) workflow.Context {
	ctx = computing(ctx, t.Queue, summary)
	options := workflow.GetActivityOptions(ctx)
	options.Priority = temporal.Priority{PriorityKey: t.Priority, FairnessKey: t.Team}
	if t.TimeLimit > 0 {
		options.StartToCloseTimeout = t.TimeLimit + aroundProgram
	}
	return workflow.WithActivityOptions(ctx, options)
}

// refusedByBudget reports whether the data set's budget of privacy does not allow a training.
func refusedByBudget(err error) bool {
	var failure *temporal.ApplicationError
	return errors.As(err, &failure) && failure.Type() == stage.ErrorPrivacyBudget
}

// train makes the candidate: with one training, or with a sweep of them.
func (l *lifecycle) train(ctx workflow.Context) (stage.Trained, error) {
	e := &l.evidence
	training := trainingOf(l.plan)
	return perform(ctx, l, stage.Train, func() (stage.Trained, error) {
		if l.plan.Queue == "gpu" {
			l.progress.note(ctx, stage.Train, fmt.Sprintf("waits for a device: a worker with --gpus must serve the queue %s", training.Queue))
		}
		if l.plan.Sweep == nil {
			return call[stage.Trained](training.options(ctx, "train on "+l.plan.Queue), stage.ActivityTrain,
				stage.TrainInput{Spec: e.Spec, Prepared: e.Prepared, Code: e.Code})
		}
		return l.sweep(ctx, training)
	})
}

// sweep runs the search as a child and takes what its best trial trained.
func (l *lifecycle) sweep(ctx workflow.Context, training Training) (stage.Trained, error) {
	e := &l.evidence
	id := SweepID(e.Lifecycle)
	l.progress.status.Sweep = id
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: id, TaskQueue: TaskQueue, ParentClosePolicy: enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL, WaitForCancellation: true,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, // after a reset of the lifecycle
		StaticSummary:         fmt.Sprintf("search parameters of %s", l.plan.Model),
	})
	var swept SweepResult
	err := workflow.ExecuteChildWorkflow(child, SweepType, SweepInput{
		Model: l.plan.Model, Sweep: *l.plan.Sweep, Spec: e.Spec, Prepared: e.Prepared, Code: e.Code, Training: training,
	}).Get(ctx, &swept)
	if err != nil {
		return stage.Trained{}, err
	}
	e.Sweep = swept.Report
	trained := swept.Best.Trained
	trained.Summary = swept.Summary + "; " + trained.Summary
	trained.Usage = swept.Usage
	return trained, nil
}

// followProgress takes what a training tells of itself now and then, and shows it.
func (l *lifecycle) followProgress(ctx workflow.Context) {
	told := workflow.GetSignalChannel(ctx, SignalProgress)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var p stage.TrainingProgress
			told.Receive(ctx, &p)
			if ctx.Err() != nil {
				return
			}
			if line := l.progress.line(stage.Train); line.State == Running {
				l.progress.note(ctx, stage.Train, p.Text)
			}
		}
	})
}

// onHost does a stage on the host that has the files already, or on any when that one does not answer soon.
func onHost[A any](ctx workflow.Context, host, summary, activity string, input any) (A, error) {
	if host != "" {
		near := computing(ctx, host, summary)
		options := workflow.GetActivityOptions(near)
		options.ScheduleToStartTimeout = hostPatience
		answer, err := call[A](workflow.WithActivityOptions(near, options), activity, input)
		if !neverStarted(err) {
			return answer, err
		}
	}
	return call[A](onCPU(ctx, summary), activity, input)
}

// hostPatience is how long a stage waits for the host that has its files: about what fetching them elsewhere takes.
const hostPatience = 10 * time.Second
