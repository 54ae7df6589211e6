package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/tests/bench/figures"
	"github.com/assay-ml/assay/workflows"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"
)

const steps = 10 // activities of the bare workflow, one after another

// bare is the baseline: a workflow of trivial activities. They are not started eagerly, since a stage's activity, which
// runs on a queue of its own, cannot be either.
func bare(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute, TaskQueue: "bench", DisableEagerExecution: true})
	for range steps {
		if err := workflow.ExecuteActivity(ctx, "nothing").Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

// orchestration compares what lies between two stages of a lifecycle, apart from the work itself, with what lies between two
// activities of a bare workflow. Lifecycles whose stages are answered from the store are used, alternating with bare ones.
func (b *bench) orchestration() error {
	w := worker.New(b.client, "bench", worker.Options{})
	w.RegisterWorkflowWithOptions(bare, workflow.RegisterOptions{Name: "bare"})
	w.RegisterActivityWithOptions(func(context.Context) error { return nil }, activity.RegisterOptions{Name: "nothing"})
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	rounds := 30
	if b.quick {
		rounds = 8
	}
	if _, err := b.reviewable("bench-orchestration", "warm"); err != nil {
		return err
	}
	var stages, plain, ratios []float64
	for i := range rounds {
		run, err := b.client.ExecuteWorkflow(b.ctx, client.StartWorkflowOptions{TaskQueue: "bench"}, "bare")
		if err != nil {
			return err
		}
		if err := run.Get(b.ctx, nil); err != nil {
			return err
		}
		base, err := b.between(run.GetID())
		if err != nil {
			return err
		}
		id, err := b.reviewable("bench-orchestration", fmt.Sprintf("r%d", i))
		if err != nil {
			return err
		}
		ours, err := b.between(id)
		if err != nil {
			return err
		}
		plain, stages = append(plain, base...), append(stages, ours...)
		ratios = append(ratios, figures.Quantile(ours, 0.5)/figures.Quantile(base, 0.5))
	}
	note := fmt.Sprintf("%d lifecycles of stored stages against %d bare workflows of %d activities, alternating", rounds, rounds, steps)
	b.add("orchestration per stage, p50", fmt.Sprintf("%.1f ms", figures.Quantile(stages, 0.5)), "", note)
	b.add("orchestration per stage, p99", fmt.Sprintf("%.1f ms", figures.Quantile(stages, 0.99)), "<= 100 ms", "")
	b.add("bare activity round trip, p50 / p99", fmt.Sprintf("%.1f / %.1f ms", figures.Quantile(plain, 0.5), figures.Quantile(plain, 0.99)), "", "")
	b.add("ratio of the two, median over pairs", fmt.Sprintf("%.2f", figures.Quantile(ratios, 0.5)), "<= 1.5", "")
	return nil
}

// between gives, for consecutive activities, the milliseconds from one's scheduling to the next one's, less its own work.
func (b *bench) between(id string) ([]float64, error) {
	h, err := b.history(id)
	if err != nil {
		return nil, err
	}
	var gaps []float64
	var scheduled, started, completed time.Time
	for _, e := range h.Events {
		switch at := e.EventTime.AsTime(); e.EventType {
		case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			if !scheduled.IsZero() && completed.After(scheduled) {
				gaps = append(gaps, millis(at.Sub(scheduled)-completed.Sub(started)))
			}
			scheduled = at
		case enums.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			started = at
		case enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			completed = at
		}
	}
	return gaps, nil
}

// decision measures from the moment a decision is sent to the moment the next stage's activity starts.
func (b *bench) decision() error {
	rounds := 40
	if b.quick {
		rounds = 10
	}
	var waits []float64
	for i := range rounds {
		id, err := b.reviewable("bench-decision", fmt.Sprintf("d%d", i))
		if err != nil {
			return err
		}
		sent := time.Now()
		if err := b.approve(id); err != nil {
			return err
		}
		if err := b.client.GetWorkflow(b.ctx, id, "").Get(b.ctx, nil); err != nil {
			return err
		}
		h, err := b.history(id)
		if err != nil {
			return err
		}
		for _, e := range h.Events {
			if a := e.GetActivityTaskScheduledEventAttributes(); a != nil && a.ActivityType.Name == stage.ActivityRegister {
				for _, s := range h.Events {
					if t := s.GetActivityTaskStartedEventAttributes(); t != nil && t.ScheduledEventId == e.EventId {
						waits = append(waits, millis(s.EventTime.AsTime().Sub(sent)))
					}
				}
			}
		}
	}
	if len(waits) == 0 {
		return errors.New("no history shows the stage after a decision")
	}
	b.add("decision sent -> next stage running, p50", fmt.Sprintf("%.0f ms", figures.Quantile(waits, 0.5)), "", fmt.Sprintf("%d decisions by update; the decision is put on the chain in between", len(waits)))
	b.add("decision sent -> next stage running, p99", fmt.Sprintf("%.0f ms", figures.Quantile(waits, 0.99)), "<= 250 ms", "")
	return nil
}

// lifecycle runs whole lifecycles, everything computed anew, and measures them without the wait for people.
func (b *bench) lifecycle() error {
	credit := creditSpec("bench-credit")
	credit["data"].(map[string]any)["source"] = map[string]any{"uri": "synthetic://credit?rows=20000&seed=7"}
	if err := b.wholeLife("generated credit data (20,000 rows)", "bench-credit", credit, ""); err != nil {
		return err
	}
	adult, err := filepath.Abs("../shared/data/adult")
	if err != nil {
		return err
	}
	if _, err := os.Stat(adult); err != nil {
		b.add("lifecycle on UCI Adult", "not measured", "<= 10 s", "no ../shared/data/adult here")
		return nil
	}
	return b.wholeLife("UCI Adult (32,561 rows)", "bench-adult", adultSpec(adult), "<= 10 s")
}

func (b *bench) wholeLife(what, model string, s map[string]any, target string) error {
	id, err := b.begin(model, "whole", s)
	if err != nil {
		return err
	}
	if err := b.reachReview(id); err != nil {
		return err
	}
	if err := b.approve(id); err != nil {
		return err
	}
	if err := b.client.GetWorkflow(b.ctx, id, "").Get(b.ctx, nil); err != nil {
		return err
	}
	status, err := b.status(id)
	if err != nil {
		return err
	}
	total, perStage := time.Duration(0), ""
	for _, line := range status.Stages {
		if line.Stage == stage.Review {
			continue
		}
		total += line.Finished.Sub(line.Started)
		perStage += fmt.Sprintf("%s %.2f, ", line.Stage, line.Finished.Sub(line.Started).Seconds())
	}
	b.add("lifecycle on "+what, fmt.Sprintf("%.2f s", total.Seconds()), target, "without the wait for people; no canary; seconds: "+perStage[:len(perStage)-2])
	for _, line := range status.Stages {
		if line.Stage == stage.Evaluate {
			b.add("  its evaluation", line.Summary, "", "features: see the spec in tests/bench; on Adult all but fnlwgt, train file to train, test file to test, target AUC 0.9050 +/- 0.002")
		}
	}
	h, err := b.history(id)
	if err != nil {
		return err
	}
	b.add("  its history", fmt.Sprintf("%d events, %d bytes", len(h.Events), proto.Size(h)), "<= 200, <= 200 KB", "")
	return nil
}

// monitors measures what idle monitors cost between checks.
func (b *bench) monitors() error {
	n, watch := 300, 10*time.Second
	if b.quick {
		n, watch = 50, 5*time.Second
	}
	before, err := cpuOver(b.ctx, watch)
	if err != nil {
		return err
	}
	for i := range n {
		model := fmt.Sprintf("bench-idle-%d", i)
		_, err := b.client.SignalWithStartWorkflow(b.ctx, workflows.MonitorID(model), workflows.SignalChampionChanged,
			stage.Watch{Model: model, Version: 1, Monitor: spec.Monitor{Every: spec.Duration(24 * time.Hour)}},
			client.StartWorkflowOptions{TaskQueue: workflows.TaskQueue}, workflows.MonitorType, workflows.MonitorInput{Model: model})
		if err != nil {
			return err
		}
	}
	if _, err := cpuOver(b.ctx, 5*time.Second); err != nil { // the starts themselves are not idleness
		return err
	}
	after, err := cpuOver(b.ctx, watch)
	if err != nil {
		return err
	}
	note := "whole local stack; the difference drowns in its own use, so nothing can be extrapolated to 10,000 (target < 1 %)"
	if slope := (after - before) / float64(n); slope > 0 {
		note = fmt.Sprintf("whole local stack; by this slope, 10,000 would add %.1f %% of a core (target < 1 %%)", 100*slope*10000)
	}
	b.add(fmt.Sprintf("%d idle monitors, share of a core", n), fmt.Sprintf("%.2f %% (without them %.2f %%)", 100*after, 100*before), "", note)
	return nil
}

// cpuOver is the share of a core this process takes over a time.
func cpuOver(ctx context.Context, d time.Duration) (float64, error) {
	before, err := figures.ProcessorTime()
	if err != nil {
		return 0, err
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(d):
	}
	after, err := figures.ProcessorTime()
	return (after - before).Seconds() / d.Seconds(), err
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
