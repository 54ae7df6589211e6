package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

func TestOwnCodeIsStoredBeforeAnythingElse(t *testing.T) {
	l := newLifecycle(t)
	l.plan.Program, l.plan.TimeLimit, l.plan.Queue, l.plan.GPUs, l.plan.Priority, l.plan.Team = true, spec.Duration(2*time.Hour), "gpu", 2, 1, "risk"
	l.RegisterActivityWithOptions(func(context.Context, stage.PackageInput) (stage.Packaged, error) {
		return stage.Packaged{Code: ref("code"), Answer: stage.Answer{Summary: "code abc of 3 files"}}, l.did("package")
	}, activity.RegisterOptions{Name: stage.ActivityPackage})
	l.OnActivity(stage.ActivityTrain, mock.Anything, mock.Anything).Return(func(ctx context.Context, in stage.TrainInput) (stage.Trained, error) {
		info := activity.GetInfo(ctx)
		require.Equal(t, workflows.GPUTaskQueue(2), info.TaskQueue)
		require.Equal(t, "assay-gpu-x2", info.TaskQueue)
		require.Equal(t, ref("code"), in.Code)
		return stage.Trained{Model: ref("model"), Manifest: ref("manifest"), Answer: stage.Answer{Usage: stage.Usage{CPUSeconds: 3, GPUSeconds: 6}}}, nil
	})
	l.approve()
	l.start("manual")
	require.Equal(t, workflows.Deployed, l.result().Outcome)
	require.Equal(t, []string{"admit", "package", "ingest"}, l.done[:3])
	require.Contains(t, l.status().Stages[0].Summary, "code abc of 3 files")
	require.Equal(t, stage.Usage{CPUSeconds: 3, GPUSeconds: 6}, l.status().Stages[4].Usage)
}

// The host that trained has the model's files. Where it does not answer, any other does the work.
func TestAModelIsScoredWhereItsFilesAreOrAnywhere(t *testing.T) {
	for name, answers := range map[string]bool{"the host answers": true, "the host is gone": false} {
		t.Run(name, func(t *testing.T) {
			l := newLifecycle(t)
			host := workflows.HostTaskQueue("gpu-7")
			l.OnActivity(stage.ActivityTrain, mock.Anything, mock.Anything).Return(stage.Trained{Model: ref("model"), Manifest: ref("manifest"), Host: host}, nil)
			var queues []string
			l.OnActivity(stage.ActivityEvaluate, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ stage.AuditInput) (stage.Evaluated, error) {
				queue := activity.GetInfo(ctx).TaskQueue
				queues = append(queues, queue)
				if queue == host && !answers {
					return stage.Evaluated{}, temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_START, nil)
				}
				return stage.Evaluated{Predictions: ref("predictions"), Report: ref("evaluation")}, nil
			})
			l.approve()
			l.start("manual")
			require.Equal(t, workflows.Deployed, l.result().Outcome)
			if answers {
				require.Equal(t, []string{host}, queues)
			} else {
				require.Equal(t, workflows.TaskQueueCPU, queues[len(queues)-1])
			}
		})
	}
}

func TestProgressIsShownWhileTrainingRuns(t *testing.T) {
	l := newLifecycle(t)
	var seen string
	l.OnActivity(stage.ActivityTrain, mock.Anything, mock.Anything).Return(stage.Trained{Model: ref("model"), Manifest: artifact.Ref{}}, nil).After(time.Hour)
	l.RegisterDelayedCallback(func() {
		l.SignalWorkflow(workflows.SignalProgress, stage.TrainingProgress{Step: 7, Text: "step 7, loss 0.3"})
	}, 10*time.Minute)
	l.RegisterDelayedCallback(func() { seen = l.status().Stages[4].Summary }, 11*time.Minute)
	l.votes(2*time.Hour, vote("ada", "ethics", "reject"))
	l.start("manual")
	require.Equal(t, "step 7, loss 0.3", seen)
}
