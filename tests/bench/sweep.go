package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/assay-ml/assay/workflows"
	"google.golang.org/protobuf/proto"
)

// sweep searches l2 of the built-in trainer with very many trivial trials, and measures what they take of a local stack.
func (b *bench) sweep() error {
	const rows, parallel = 200, 8
	s := creditOf("bench-sweep", rows)
	s["train"] = map[string]any{"trainer": "logistic", "sweep": map[string]any{
		"method": "random", "metric": "validation_log_loss", "goal": "minimize", "trials": b.trials, "parallel": parallel, "seed": 5,
		"parameters": map[string]any{"l2": map[string]any{"min": 0.0001, "max": 10000, "scale": "log"}},
	}}
	debug.FreeOSMemory() // what earlier measurements have left
	before, err := memory("VmRSS")
	if err != nil {
		return err
	}
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // sets VmHWM to what is resident now
		return fmt.Errorf("reset the peak of the resident memory: %w", err)
	}
	id, err := b.begin("bench-sweep", "only", s)
	if err != nil {
		return err
	}
	line, err := b.trained(id, 2*time.Hour, time.Second)
	if err != nil {
		return err
	}
	peak, err := memory("VmHWM")
	if err != nil {
		return err
	}
	status, err := b.sweepStatus(id)
	if err != nil {
		return err
	}
	if status.Counts.Finished != b.trials {
		return fmt.Errorf("of %d trials %d finished and %d failed", b.trials, status.Counts.Finished, status.Counts.Failed)
	}
	runs, err := b.runsOf(id)
	if err != nil {
		return err
	}
	took := line.Finished.Sub(line.Started).Seconds()
	b.add(fmt.Sprintf("sweep of %d trivial trials", b.trials), fmt.Sprintf("%.1f trials/s", float64(b.trials)/took), "",
		fmt.Sprintf("%.0f s; built-in trainer on %d rows; %d in flight, 4 at once", took, rows, parallel))
	b.add("  largest resident memory", fmt.Sprintf("%.0f MiB", peak), "", fmt.Sprintf("server, workers and the bench in one process; %.0f MiB before", before))
	b.add("  largest history of its runs", fmt.Sprintf("%d events, %d bytes", runs.events, runs.bytes), "<= 2000 events", fmt.Sprintf("of %d, each continued as new from the one before", runs.count))
	return nil
}

func (b *bench) sweepStatus(lifecycle string) (workflows.SweepStatus, error) {
	var st workflows.SweepStatus
	value, err := b.client.QueryWorkflow(b.ctx, workflows.SweepID(lifecycle), "", workflows.QueryStatus)
	if err != nil {
		return st, err
	}
	return st, value.Get(&st)
}

// sweepRuns are the runs of a sweep; events and bytes are those of its largest history, each by itself.
type sweepRuns struct{ count, events, bytes int }

// runsOf goes from the run that the lifecycle started to the last, by the run id in which each ends.
func (b *bench) runsOf(lifecycle string) (sweepRuns, error) {
	var r sweepRuns
	h, err := b.history(lifecycle)
	if err != nil {
		return r, err
	}
	run := ""
	for _, e := range h.Events {
		if a := e.GetChildWorkflowExecutionStartedEventAttributes(); a != nil {
			run = a.WorkflowExecution.RunId
		}
	}
	if run == "" {
		return r, errors.New("the lifecycle's history shows no sweep")
	}
	for run != "" {
		h, err := b.historyOf(workflows.SweepID(lifecycle), run)
		if err != nil {
			return r, err
		}
		r.count, r.events, r.bytes = r.count+1, max(r.events, len(h.Events)), max(r.bytes, proto.Size(h))
		run = h.Events[len(h.Events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
	return r, nil
}

// memory is an entry of this process's status, such as VmRSS, in MiB.
func memory(entry string) (float64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && name == entry {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no %s", entry)
}
