package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/workflows"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// underWay is what a lifecycle or a sweep has given to workers and not got back.
type underWay struct {
	Retrying []retry                 `json:"retrying,omitempty"`
	Training *stage.TrainingProgress `json:"training,omitempty"` // of the training that runs, by its last heartbeat
}

// pending asks Temporal what a workflow's activities are doing.
func pending(ctx context.Context, t client.Client, id string) (underWay, error) {
	d, err := t.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return underWay{}, fmt.Errorf("look at %s: %w", id, err)
	}
	var u underWay
	for _, a := range d.GetPendingActivities() {
		name := a.GetActivityType().GetName()
		if name == stage.ActivityTrain && a.GetHeartbeatDetails() != nil {
			var p stage.TrainingProgress
			if converter.GetDefaultDataConverter().FromPayloads(a.GetHeartbeatDetails(), &p) == nil && p.Text != "" {
				u.Training = &p
			}
		}
		if a.GetLastFailure() == nil || a.GetAttempt() < 2 {
			continue
		}
		r := retry{Activity: name, Attempts: a.GetAttempt() - 1, Failure: a.GetLastFailure().GetMessage()}
		if next := a.GetNextAttemptScheduleTime(); next.IsValid() && next.AsTime().Unix() > 0 { // otherwise an attempt is under way
			r.Next = next.AsTime()
		}
		u.Retrying = append(u.Retrying, r)
	}
	return u, nil
}

// retry is work that failed and will be tried again: what a person may have to mend meanwhile, such as a full disk.
type retry struct {
	Activity string    `json:"activity"`
	Attempts int32     `json:"attempts"` // made so far
	Failure  string    `json:"failure"`  // of the last one
	Next     time.Time `json:"next,omitzero"`
}

func (r retry) String() string {
	if r.Next.IsZero() {
		return fmt.Sprintf("%s failed %s, and is being tried again: %s", r.Activity, times(r.Attempts), r.Failure)
	}
	return fmt.Sprintf("%s failed %s and is tried again at %s: %s", r.Activity, times(r.Attempts), r.Next.Local().Format(time.TimeOnly), r.Failure)
}

// progressText is a training's progress in a line, with a bar when the program says how far it has to go.
func progressText(p stage.TrainingProgress) string {
	text := p.Text
	if p.Total > 0 {
		const width = 20
		done := int(width * min(max(p.Step/p.Total, 0), 1))
		text = fmt.Sprintf("[%s%s] %s", strings.Repeat("#", done), strings.Repeat(".", width-done), text)
	}
	if p.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", p.Attempt)
	}
	if p.Checkpoint != "" {
		text += ", checkpoint " + p.Checkpoint
	}
	return text
}

// querySweep asks a sweep for its status.
func querySweep(ctx context.Context, t client.Client, id string) (workflows.SweepStatus, error) {
	var s workflows.SweepStatus
	value, err := t.QueryWorkflow(ctx, id, "", workflows.QueryStatus)
	if err != nil {
		return s, fmt.Errorf("ask %s for its status: %w", id, err)
	}
	return s, value.Get(&s)
}

// trialLine is one trial that has ended.
func trialLine(r search.TrialRecord, metric string) string {
	value := "no value"
	if r.Value != nil {
		value = fmt.Sprintf("%s %.6g", metric, *r.Value)
	}
	line := fmt.Sprintf("    trial %-5d %-8s %7.2f s  %s, %s", r.Trial, r.Outcome, r.Seconds, value, parametersText(r.Parameters))
	if r.Reason != "" {
		line += ": " + r.Reason
	}
	return line
}

func parametersText(p spec.Parameters) string {
	parts := make([]string, 0, len(p))
	for _, name := range slices.Sorted(maps.Keys(p)) {
		parts = append(parts, name+" "+p[name].String())
	}
	return strings.Join(parts, ", ")
}

// sweepLine is how far a sweep has come.
func sweepLine(s workflows.SweepStatus) string {
	c := s.Counts
	line := fmt.Sprintf("%s: %d trials started, %d finished, %d stopped early, %d failed", s.Method, c.Started, c.Finished, c.Stopped, c.Failed)
	if s.Best != nil {
		line += fmt.Sprintf("; best trial %d, %s %.6g (%s)", s.Best.Trial, s.Metric, s.Best.Value, parametersText(s.Best.Parameters))
	}
	return line
}

// usageText is what a stage took, for people; "" when it took next to nothing.
func usageText(u stage.Usage) string {
	var parts []string
	if u.CPUSeconds >= 0.01 {
		parts = append(parts, fmt.Sprintf("CPU %.2f s", u.CPUSeconds))
	}
	if u.GPUSeconds >= 0.01 {
		parts = append(parts, fmt.Sprintf("GPU %.2f s", u.GPUSeconds))
	}
	if u.PeakMemoryBytes > 0 {
		parts = append(parts, fmt.Sprintf("memory %d MiB", u.PeakMemoryBytes>>20))
	}
	return strings.Join(parts, ", ")
}

func times(n int32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
