package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/assay-ml/assay/internal/review"
	"github.com/assay-ml/assay/workflows"
	"github.com/spf13/cobra"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

func (a *app) listCommand() *cobra.Command {
	var model string
	var limit int
	c := &cobra.Command{
		Use:   "list",
		Short: "List lifecycles: those that run first, then the latest to end",
		Args:  exactly(0, "no arguments"),
		RunE: a.connected(func(c *cobra.Command, t client.Client, _ []string) error {
			rows, err := list(c.Context(), t, model, limit)
			if err != nil {
				return err
			}
			return a.show(rows, func(w io.Writer) {
				tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				fmt.Fprintln(tw, "LIFECYCLE\tSTAGE\tOUTCOME\tSTARTED\tREQUESTER")
				for _, r := range rows {
					fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", r.Lifecycle, r.Stage, r.Outcome, r.Started.Local().Format(time.DateTime), r.Requester)
				}
				tw.Flush()
			})
		}),
	}
	c.Flags().StringVar(&model, "model", "", "only lifecycles of this model")
	c.Flags().IntVar(&limit, "limit", 20, "at most so many")
	return c
}

type listed struct {
	Lifecycle string    `json:"lifecycle"`
	Stage     string    `json:"stage"`
	Outcome   string    `json:"outcome,omitempty"` // empty while it runs
	Started   time.Time `json:"started"`
	Requester string    `json:"requester"`
}

func list(ctx context.Context, t client.Client, model string, limit int) ([]listed, error) {
	q := fmt.Sprintf("WorkflowType = '%s'", workflows.LifecycleType)
	if model != "" {
		if strings.ContainsAny(model, `'"\`) {
			return nil, wrongUse("--model %q: a model's name has lower-case letters, digits and hyphens", model)
		}
		q += fmt.Sprintf(" AND %s = '%s'", workflows.AttributeModel.GetName(), model)
	}
	answer, err := t.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{PageSize: int32(limit), Query: q})
	if err != nil {
		return nil, fmt.Errorf("list lifecycles: %w; run `starter setup` once on a new cluster", err)
	}
	rows := []listed{}
	for _, e := range answer.Executions {
		text := func(name string) string {
			var s string
			if p, ok := e.GetSearchAttributes().GetIndexedFields()[name]; ok {
				_ = converter.GetDefaultDataConverter().FromPayload(p, &s)
			}
			return s
		}
		row := listed{
			Lifecycle: e.Execution.WorkflowId, Stage: text(workflows.AttributeStage.GetName()),
			Outcome: text(workflows.AttributeOutcome.GetName()), Started: e.StartTime.AsTime(), Requester: text(workflows.AttributeRequester.GetName()),
		}
		if row.Outcome == "" && e.CloseTime != nil {
			row.Outcome = strings.ToLower(e.Status.String())
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status ID",
		Short: "Show how far a lifecycle has come and what it waits for",
		Args:  exactly(1, "a lifecycle id"),
		RunE: a.connected(func(c *cobra.Command, t client.Client, args []string) error {
			s, err := query(c.Context(), t, lifecycleID(args[0]))
			if err != nil {
				return err
			}
			under, err := pending(c.Context(), t, s.Lifecycle)
			if err != nil {
				return err
			}
			var sweep *workflows.SweepStatus
			if s.Sweep != "" {
				if found, err := querySweep(c.Context(), t, s.Sweep); err == nil {
					sweep = &found
				}
			}
			return a.show(struct {
				workflows.Status
				underWay
				Search *workflows.SweepStatus `json:"search,omitempty"`
			}{s, under, sweep}, func(w io.Writer) {
				printStatus(w, s)
				if sweep != nil && s.Result == nil {
					fmt.Fprintln(w, sweepLine(*sweep))
				}
				if under.Training != nil {
					fmt.Fprintln(w, "training: "+progressText(*under.Training))
				}
				for _, r := range under.Retrying {
					fmt.Fprintln(w, r)
				}
			})
		}),
	}
}

func printStatus(w io.Writer, s workflows.Status) {
	fmt.Fprintf(w, "%s, asked for by %s\n", s.Lifecycle, s.Requester)
	for _, line := range s.Stages {
		switch {
		case !line.Finished.IsZero():
			fmt.Fprintln(w, stageLine(line))
			if used := usageText(line.Usage); used != "" {
				fmt.Fprintf(w, "%30s%s\n", "", used)
			}
		case line.State == workflows.Running:
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-9s running since %s  %s", line.Stage, line.Started.Local().Format(time.DateTime), line.Summary), " "))
		}
	}
	switch {
	case s.Verdict != "":
		fmt.Fprintf(w, "gate verdict: %s\n", s.Verdict)
	case s.Sealed != nil && s.Sealed.Verdict:
		fmt.Fprintf(w, "gate verdict: shown to %s only\n", strings.Join(s.Sealed.ShowTo, ", "))
	}
	if use := s.TestSet; use != nil {
		fmt.Fprintf(w, "test set: step %d of %d\n", use.Step, use.Of)
	}
	if s.Alarm != "" {
		fmt.Fprintf(w, "alarm: %s\n", s.Alarm)
	}
	if l := s.Labels; l != nil {
		fmt.Fprintf(w, "waiting until %s for %d of %d labels: starter labels get %s -f labels.csv, fill in, starter labels submit %s --file labels.csv --as NAME\n",
			l.Deadline.Local().Format(time.DateTime), l.Missing, l.Rows, l.Request, l.Request)
	}
	if s.Review != nil {
		for _, d := range s.Review.Decisions {
			standing := ""
			if d.Standing != review.Counted {
				standing = ", " + string(d.Standing)
			}
			fmt.Fprintf(w, "decision%s: %s by %s (%s): %s\n", standing, d.Decision, d.Reviewer, d.Role, d.Reason)
		}
		for _, r := range s.Review.Refusals {
			fmt.Fprintf(w, "not counted: %s\n", r.Reason)
		}
	}
	if s.Result != nil {
		fmt.Fprintf(w, "%s: %s\n", s.Result.Outcome, s.Result.Reason)
		return
	}
	fmt.Fprint(w, requestText(s))
}

func (a *app) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel ID",
		Short: "Cancel a lifecycle; a rollout in progress is rolled back",
		Args:  exactly(1, "a lifecycle id"),
		RunE: a.connected(func(c *cobra.Command, t client.Client, args []string) error {
			id := lifecycleID(args[0])
			if err := t.CancelWorkflow(c.Context(), id, ""); err != nil {
				return undelivered(c.Context(), t, id, "cancel", err)
			}
			return a.show(map[string]string{"lifecycle": id, "requested": "cancel"}, func(w io.Writer) {
				fmt.Fprintf(w, "asked %s to stop; see: starter watch %s\n", id, id)
			})
		}),
	}
}

// message is what a person should read of an error that came through Temporal.
func message(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	return err.Error()
}
