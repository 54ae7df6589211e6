package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/workflows"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

// TellMonitor tells a model's monitor that the champion changed, and starts the monitor when there is none. A version that
// was replaced meanwhile is not told: its successor's lifecycle tells of the successor.
func (c *Control) TellMonitor(ctx context.Context, watch stage.Watch) error {
	id := workflows.MonitorID(watch.Model)
	champion, err := registry.GetChampion(ctx, c.Store, watch.Model)
	if err != nil {
		return fmt.Errorf("tell monitor %s of version %d: %w", id, watch.Version, err)
	}
	if champion.Version != watch.Version {
		return nil
	}
	_, err = c.Temporal.SignalWithStartWorkflow(ctx, id, workflows.SignalChampionChanged, watch, client.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.TaskQueue, StaticSummary: "watches the champion of " + watch.Model,
	}, workflows.MonitorType, workflows.MonitorInput{Model: watch.Model})
	if err != nil {
		return fmt.Errorf("tell monitor %s of version %d: %w", id, watch.Version, err)
	}
	return nil
}

// StartRetraining starts a lifecycle from the champion's own spec. The id makes a repeated attempt find its lifecycle.
func (c *Control) StartRetraining(ctx context.Context, in stage.RetrainInput) (stage.Retraining, error) {
	manifest, _, err := registry.Get(ctx, c.Store, in.Model, in.Version)
	if err != nil {
		return stage.Retraining{}, fmt.Errorf("retrain %s: %w", in.Model, err)
	}
	spec, err := artifact.ReadAll(ctx, c.Store, manifest.Spec)
	if err != nil {
		return stage.Retraining{}, fmt.Errorf("retrain %s: read the spec of version %d: %w", in.Model, in.Version, err)
	}
	_, err = c.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: in.ID, TaskQueue: workflows.TaskQueue, WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            fmt.Sprintf("%s, retraining after %s", in.Model, in.Trigger.Kind), // Temporal takes 400 bytes; the reason may have more
	}, workflows.LifecycleType, workflows.LifecycleInput{
		Spec: json.RawMessage(spec), Requester: in.Trigger.Source, Trigger: in.Trigger,
	})
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if err != nil && !errors.As(err, &started) {
		return stage.Retraining{}, fmt.Errorf("retrain %s: start %s: %w", in.Model, in.ID, err)
	}
	return stage.Retraining{Lifecycle: in.ID}, nil
}

// LifecycleRunning reports whether a workflow, by its id, has not ended. One that Temporal no longer keeps has.
func (c *Control) LifecycleRunning(ctx context.Context, id string) (bool, error) {
	d, err := c.Temporal.DescribeWorkflowExecution(ctx, id, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at %s: %w", id, err)
	}
	return d.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}
