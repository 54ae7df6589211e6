package cli

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
)

// retry is work that failed and will be tried again: what a person may have to mend meanwhile, such as a full disk.
type retry struct {
	Activity string    `json:"activity"`
	Attempts int32     `json:"attempts"` // made so far
	Failure  string    `json:"failure"`  // of the last one
	Next     time.Time `json:"next,omitzero"`
}

func (r retry) String() string {
	return fmt.Sprintf("%s failed %d times and is tried again at %s: %s", r.Activity, r.Attempts, r.Next.Local().Format(time.TimeOnly), r.Failure)
}

// retries lists the work of a lifecycle that waits to be tried again.
func retries(ctx context.Context, t client.Client, id string) ([]retry, error) {
	d, err := t.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", id, err)
	}
	var waiting []retry
	for _, a := range d.GetPendingActivities() {
		if a.GetLastFailure() == nil || a.GetAttempt() < 2 {
			continue
		}
		r := retry{Activity: a.GetActivityType().GetName(), Attempts: a.GetAttempt() - 1, Failure: a.GetLastFailure().GetMessage()}
		if next := a.GetNextAttemptScheduleTime(); next != nil {
			r.Next = next.AsTime()
		}
		waiting = append(waiting, r)
	}
	return waiting, nil
}
