package workflows

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/assay-ml/assay/internal/rollout"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// RolloutInput is what a Rollout is started with. Snapshot carries its state over a continue-as-new.
type RolloutInput struct {
	Model     string          `json:"model"`
	Version   int             `json:"version"`
	Lifecycle string          `json:"lifecycle"`
	Rollout   spec.Rollout    `json:"rollout"`
	Snapshot  json.RawMessage `json:"snapshot,omitempty"`
}

// RolloutResult is how a rollout ended.
type RolloutResult struct {
	Promoted bool   `json:"promoted"`
	Reason   string `json:"reason"`
	Previous int    `json:"previous,omitempty"` // the champion before
	Steps    int    `json:"steps"`              // canary steps begun
}

// Outline is the line for the lifecycle's progress.
func (r RolloutResult) Outline() (summary string, cached bool) { return r.Reason, false }

// Rollout takes a registered version into service step by step, and back out when an abort condition fails. Its input
// is a RolloutInput as JSON.
func Rollout(ctx workflow.Context, input converter.RawValue) (RolloutResult, error) {
	r := &rolloutRun{}
	if err := workflow.SetQueryHandler(ctx, QueryStatus, r.status); err != nil {
		return RolloutResult{}, err
	}
	if err := decode(input, &r.input, `{"model": "...", "version": 1, "rollout": {...}}`); err != nil {
		return RolloutResult{}, err
	}
	if err := r.begin(ctx); err != nil {
		return RolloutResult{}, err
	}
	if err := r.run(ctx); err != nil {
		return RolloutResult{}, err
	}
	s := r.rollout.Status()
	result := RolloutResult{Promoted: s.State == rollout.Promoted, Reason: s.Reason, Previous: s.Champion, Steps: s.Step}
	if s.State == rollout.Cancelled {
		return result, temporal.NewCanceledError(result)
	}
	return result, nil
}

type rolloutRun struct {
	input   RolloutInput
	rollout *rollout.Rollout
}

func (r *rolloutRun) status() (rollout.Status, error) {
	if r.rollout == nil {
		return rollout.Status{State: rollout.Pending, Candidate: r.input.Version}, nil
	}
	return r.rollout.Status(), nil
}

// begin builds the state machine, anew or from the snapshot of the run before.
func (r *rolloutRun) begin(ctx workflow.Context) error {
	var err error
	if len(r.input.Snapshot) > 0 {
		r.rollout, err = rollout.Restore(r.input.Snapshot)
		return permanent(err)
	}
	policy, err := rollout.PolicyFrom(r.input.Rollout)
	if err != nil {
		return permanent(err)
	}
	champion, err := call[stage.Championed](quick(ctx, "who serves"), stage.ActivityChampion, stage.PromoteInput{Model: r.input.Model})
	if err != nil {
		return err
	}
	r.rollout, err = rollout.New(policy, r.input.Version, champion.Version, workflow.Now(ctx))
	return permanent(err)
}

// run carries out what the state machine asks for until it has ended. A cancellation, and an action that cannot be
// carried out, becomes a roll-back, which is then done on a context that is not cancelled: a candidate that nobody looks
// at keeps no traffic.
func (r *rolloutRun) run(ctx workflow.Context) error {
	doing, failure := ctx, error(nil)
	for !r.rollout.Ended() {
		if err := r.continueAsNew(ctx); err != nil {
			return err
		}
		err := r.step(doing)
		if err == nil {
			continue
		}
		if doing != ctx {
			return err
		}
		var done workflow.CancelFunc
		doing, done = workflow.NewDisconnectedContext(ctx)
		defer done()
		if temporal.IsCanceledError(err) {
			// Too late to cancel means that the promotion was asked for: it is finished, not left half done.
			if cancelErr := r.rollout.Cancel("its lifecycle was cancelled", workflow.Now(ctx)); cancelErr != nil {
				workflow.GetLogger(ctx).Info("the rollout goes on", "reason", cancelErr.Error())
			}
			continue
		}
		failure = err
		if r.rollout.Fail("the rollout cannot go on: "+explain(err), workflow.Now(ctx)) != nil {
			return errors.Join(failure, r.stopSplit(doing)) // the promotion itself failed
		}
	}
	return failure
}

// stopSplit takes the candidate's share away after a promotion that failed. Whether or not it had got as far as making the
// candidate champion, the champion then answers alone.
func (r *rolloutRun) stopSplit(ctx workflow.Context) error {
	none := stage.TrafficInput{Model: r.input.Model, Version: r.input.Version, Rollout: workflow.GetInfo(ctx).WorkflowExecution.ID}
	return workflow.ExecuteActivity(quick(ctx, "the promotion failed: no traffic"), stage.ActivitySetTraffic, none).Get(ctx, nil)
}

// step does what is due now, or sleeps until something is.
func (r *rolloutRun) step(ctx workflow.Context) error {
	actions := r.rollout.Next(workflow.Now(ctx))
	for _, action := range actions {
		if err := r.act(ctx, action); err != nil {
			return err
		}
	}
	r.show(ctx)
	at, ok := r.rollout.NextTimer()
	if len(actions) > 0 || !ok {
		return nil
	}
	timer := workflow.NewTimerWithOptions(ctx, at.Sub(workflow.Now(ctx)), workflow.TimerOptions{Summary: "next look at the candidate"})
	return timer.Get(ctx, nil)
}

func (r *rolloutRun) act(ctx workflow.Context, action rollout.Action) error {
	in, id := r.input, workflow.GetInfo(ctx).WorkflowExecution.ID
	change := stage.PromoteInput{Model: in.Model, Version: in.Version, Rollout: id, Time: workflow.Now(ctx).UTC(), Reason: action.Reason}
	switch action.Kind {
	case rollout.SetTraffic:
		summary := fmt.Sprintf("step %d: %g %% of traffic", action.Step, action.Percent)
		traffic := stage.TrafficInput{Model: in.Model, Version: in.Version, Percent: action.Percent, Rollout: id}
		if err := workflow.ExecuteActivity(splitting(ctx, action.Step, summary), stage.ActivitySetTraffic, traffic).Get(ctx, nil); err != nil {
			return err
		}
		return permanent(r.rollout.TrafficSet(workflow.Now(ctx)))
	case rollout.Observe:
		observed, err := call[stage.Observed](quick(ctx, "look at the candidate"), stage.ActivityObserve,
			stage.ObserveInput{Model: in.Model, Version: in.Version, Since: action.Since})
		if err != nil {
			return err
		}
		return permanent(r.rollout.Observed(rollout.Observation(observed), workflow.Now(ctx)))
	case rollout.Promote:
		if err := workflow.ExecuteActivity(quick(ctx, "promote"), stage.ActivityPromote, change).Get(ctx, nil); err != nil {
			return err
		}
	case rollout.RollBack:
		if err := workflow.ExecuteActivity(quick(ctx, "roll back"), stage.ActivityRollBack, change).Get(ctx, nil); err != nil {
			return err
		}
	}
	return permanent(r.rollout.Done(workflow.Now(ctx)))
}

// continueAsNew starts a fresh history for a canary of many hours; the state machine's snapshot goes along.
func (r *rolloutRun) continueAsNew(ctx workflow.Context) error {
	if workflow.GetInfo(ctx).GetCurrentHistoryLength() < longHistory {
		return nil
	}
	snapshot, err := r.rollout.Snapshot()
	if err != nil {
		return permanent(err)
	}
	next := r.input
	next.Snapshot = snapshot
	return workflow.NewContinueAsNewError(ctx, RolloutType, next)
}

func (r *rolloutRun) show(ctx workflow.Context) {
	s := r.rollout.Status()
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("**%s**: version %d has %g %% of the traffic, step %d of %d. %s", s.State, s.Candidate, s.Traffic, s.Step, s.Of, s.Reason))
}

// permanent makes an error of a state machine one that ends the workflow; nil stays nil.
func permanent(err error) error {
	if err == nil {
		return nil
	}
	return temporal.NewNonRetryableApplicationError(err.Error(), ErrorInvalidInput, nil)
}
