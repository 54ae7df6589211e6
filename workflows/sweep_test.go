package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
)

// sweepWorld answers like the activities of a sweep: a trial's value is that of its parameter x.
type sweepWorld struct {
	t       *testing.T
	mu      sync.Mutex
	env     *testsuite.TestWorkflowEnvironment
	long    int // a run's history is long after so many trials; 0: never
	inRun   int
	trained map[int]int // how often, by trial
	running int
	most    int // trials at once
	pages   map[artifact.Digest]stage.TrialsInput
	report  stage.SweepReportInput
	train   func(context.Context, stage.Trial) (stage.Trained, error)
	largest int // bytes of an input of the next run
	runs    int
}

func newSweepWorld(t *testing.T) *sweepWorld {
	return &sweepWorld{t: t, trained: map[int]int{}, pages: map[artifact.Digest]stage.TrialsInput{}, train: func(_ context.Context, trial stage.Trial) (stage.Trained, error) {
		value, _ := trial.Parameters["x"].Float()
		return stage.Trained{Model: ref(fmt.Sprint(trial.Number)), Manifest: ref("manifest"), Metric: &value}, nil
	}}
}

func sweepOf(change func(*spec.Sweep)) spec.Sweep {
	s := spec.Sweep{
		Method: spec.SweepRandom, Metric: "auc", Goal: spec.SweepMaximize, Trials: 40, Parallel: 4, Seed: 1,
		Parameters: map[string]spec.SweepRange{"x": {Min: new(0.0), Max: new(1.0)}},
	}
	if change != nil {
		change(&s)
	}
	return s
}

func (w *sweepWorld) environment() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	workflows.Register(env)
	for name, f := range map[string]any{
		stage.ActivityTrain: func(ctx context.Context, in stage.TrainInput) (stage.Trained, error) {
			w.mu.Lock()
			w.trained[in.Trial.Number]++
			w.running++
			w.most = max(w.most, w.running)
			if w.inRun++; w.long > 0 && w.inRun > w.long {
				env.SetCurrentHistoryLength(5000)
			}
			w.mu.Unlock()
			defer func() {
				w.mu.Lock()
				w.running--
				w.mu.Unlock()
			}()
			return w.train(ctx, *in.Trial)
		},
		stage.ActivityFileTrials: func(_ context.Context, in stage.TrialsInput) (stage.FiledTrials, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			b, err := json.Marshal(in)
			page := artifact.Ref{Digest: artifact.Sum(b), Size: int64(len(b))}
			w.pages[page.Digest] = in
			return stage.FiledTrials{Page: page}, err
		},
		stage.ActivityReportSweep: func(_ context.Context, in stage.SweepReportInput) (stage.SweptReport, error) {
			w.report = in
			return stage.SweptReport{Report: ref("report")}, nil
		},
	} {
		env.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
	w.env, w.inRun = env, 0
	return env
}

// runs takes a sweep through all its runs.
func (w *sweepWorld) sweep(s spec.Sweep) (workflows.SweepResult, error) {
	in := workflows.SweepInput{Model: "credit", Sweep: s, Spec: ref("spec"), Prepared: ref("prepared"), Training: workflows.Training{Queue: "assay-cpu"}}
	for {
		w.runs++
		env := w.environment()
		env.ExecuteWorkflow(workflows.SweepType, in)
		require.True(w.t, env.IsWorkflowCompleted())
		err := env.GetWorkflowError()
		var next *workflow.ContinueAsNewError
		if !errors.As(err, &next) {
			var r workflows.SweepResult
			if err == nil {
				err = env.GetWorkflowResult(&r)
			}
			return r, err
		}
		payload := next.Input.GetPayloads()[0].GetData()
		w.largest = max(w.largest, len(payload))
		in = workflows.SweepInput{}
		require.NoError(w.t, json.Unmarshal(payload, &in))
	}
}

// filed lists the trials on all pages, the newest page first.
func (w *sweepWorld) filed() []search.TrialRecord {
	var all []search.TrialRecord
	for at := w.report.Page; !at.IsZero(); at = w.pages[at.Digest].Previous {
		all = append(all, w.pages[at.Digest].Trials...)
	}
	return all
}

func TestASweepAnswersWithItsBestTrial(t *testing.T) {
	w := newSweepWorld(t)
	r, err := w.sweep(sweepOf(nil))
	require.NoError(t, err)
	require.Len(t, w.trained, 40)
	require.LessOrEqual(t, w.most, 4)
	require.Len(t, w.filed(), 40)
	best := w.filed()[0]
	for _, trial := range w.filed() {
		if *trial.Value > *best.Value {
			best = trial
		}
	}
	require.Equal(t, int(best.Trial), r.Best.Trial)
	require.Equal(t, ref(fmt.Sprint(r.Best.Trial)), r.Best.Trained.Model)
	require.Equal(t, search.Trial(r.Best.Trial), w.report.Report.Chosen)
}

// A sweep of any length keeps a history of bounded length and hands a bounded state to its next run; no trial is lost
// or repeated on the way.
func TestALongSweepContinuesAsNew(t *testing.T) {
	for _, method := range []string{spec.SweepRandom, spec.SweepTPE} {
		t.Run(method, func(t *testing.T) {
			w := newSweepWorld(t)
			w.long = 60
			const trials = 1000
			r, err := w.sweep(sweepOf(func(s *spec.Sweep) { s.Trials, s.Parallel, s.Method = trials, 8, method }))
			require.NoError(t, err)
			require.Greater(t, w.runs, 10)
			require.Len(t, w.trained, trials)
			for trial, times := range w.trained {
				require.Equal(t, 1, times, "trial %d", trial)
			}
			require.Len(t, w.filed(), trials)
			require.LessOrEqual(t, w.most, 8)
			require.Less(t, w.largest, 16<<10, "what a run hands to the next is a payload")
			require.Greater(t, r.Best.Value, 0.99)
		})
	}
}

func TestATrialThatIsWorseThanOthersIsStopped(t *testing.T) {
	w := newSweepWorld(t)
	w.train = func(ctx context.Context, trial stage.Trial) (stage.Trained, error) {
		value, _ := trial.Parameters["x"].Float()
		w.mu.Lock()
		env := w.env
		w.mu.Unlock()
		for step := 1; step <= 9; step *= 3 {
			env.SignalWorkflow(workflows.SignalTrial, stage.TrialReport{Trial: trial.Number, Resource: step, Value: value})
			env.SignalWorkflow(workflows.SignalTrial, stage.TrialReport{Trial: trial.Number, Resource: step, Value: value}) // at least once
			select {
			case <-ctx.Done():
				return stage.Trained{Metric: &value, Resource: step, Reason: "stopped"}, nil
			case <-time.After(20 * time.Millisecond): // the time a step takes
			}
		}
		return stage.Trained{Model: ref("model"), Metric: &value, Resource: 9}, nil
	}
	_, err := w.sweep(sweepOf(func(s *spec.Sweep) {
		s.Method, s.Trials, s.EarlyStop = spec.SweepASHA, 30, &spec.EarlyStop{First: 1, Factor: 3}
	}))
	require.NoError(t, err)
	c := w.report.Report
	require.Equal(t, 30, c.Stopped+c.Finished)
	require.Positive(t, c.Stopped)
	require.Positive(t, c.Finished)
	for _, trial := range w.filed() {
		if trial.Outcome == search.OutcomeStopped {
			require.Contains(t, trial.Reason, "are better")
			require.Empty(t, trial.Model)
		}
	}
}

func TestTrialsThatFailAreResultsLikeAnyOther(t *testing.T) {
	w := newSweepWorld(t)
	train := w.train
	w.train = func(ctx context.Context, trial stage.Trial) (stage.Trained, error) {
		if trial.Number%3 == 0 {
			return stage.Trained{}, temporal.NewNonRetryableApplicationError("the program exited with status 1", "ProgramExit", nil)
		}
		return train(ctx, trial)
	}
	_, err := w.sweep(sweepOf(nil))
	require.NoError(t, err)
	require.Equal(t, 13, w.report.Report.Failed)
	require.Equal(t, 27, w.report.Report.Finished)
}

func TestASweepInWhichEverythingFailsEndsSoonAndSaysWhy(t *testing.T) {
	w := newSweepWorld(t)
	w.train = func(context.Context, stage.Trial) (stage.Trained, error) {
		return stage.Trained{Model: ref("model"), Reason: `the metric "auc" never appeared in the output`}, nil
	}
	_, err := w.sweep(sweepOf(func(s *spec.Sweep) { s.Trials = 10_000 }))
	var failed *temporal.ApplicationError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, workflows.ErrorSweepFailed, failed.Type())
	require.Contains(t, failed.Message(), `the metric "auc" never appeared`)
	require.Less(t, len(w.trained), 20)
}

// A trial without a model must not be chosen, whatever its metric.
func TestATrialThatWasStoppedByOthersIsNeverTheBest(t *testing.T) {
	w := newSweepWorld(t)
	train := w.train
	w.train = func(ctx context.Context, trial stage.Trial) (stage.Trained, error) {
		if trial.Number == 7 {
			return stage.Trained{Metric: new(2.0), Reason: "stopped"}, nil
		}
		return train(ctx, trial)
	}
	r, err := w.sweep(sweepOf(nil))
	require.NoError(t, err)
	require.NotEqual(t, 7, r.Best.Trial)
	require.False(t, r.Best.Trained.Model.IsZero())
	require.Equal(t, 1, w.report.Report.Failed)
}

func TestASweepThatCannotBeIsRefused(t *testing.T) {
	_, err := newSweepWorld(t).sweep(sweepOf(func(s *spec.Sweep) {
		s.Parameters = map[string]spec.SweepRange{"x": {Min: new(2.0), Max: new(1.0)}}
	}))
	require.ErrorContains(t, err, "parameters.x")
}

func TestALifecycleWithASweepTakesItsBestModel(t *testing.T) {
	l := newLifecycle(t)
	l.plan.Sweep = new(sweepOf(nil))
	w := newSweepWorld(t)
	l.RegisterActivityWithOptions(func(context.Context, stage.TrialsInput) (stage.FiledTrials, error) {
		return stage.FiledTrials{Page: ref("page")}, nil
	}, activity.RegisterOptions{Name: stage.ActivityFileTrials})
	l.RegisterActivityWithOptions(func(context.Context, stage.SweepReportInput) (stage.SweptReport, error) {
		return stage.SweptReport{Report: ref("sweep")}, nil
	}, activity.RegisterOptions{Name: stage.ActivityReportSweep})
	l.OnActivity(stage.ActivityTrain, mock.Anything, mock.Anything).Return(func(ctx context.Context, in stage.TrainInput) (stage.Trained, error) {
		return w.train(ctx, *in.Trial)
	})
	l.approve()
	l.start("manual")
	require.Equal(t, workflows.Deployed, l.result().Outcome)
	require.Contains(t, l.status().Stages[4].Summary, "of 40 is best")
	require.Equal(t, "sweep/default-test-workflow-id", l.status().Sweep)
}
