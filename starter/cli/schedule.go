package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/workflows"
	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

func (a *app) scheduleCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "schedule",
		Short: "Start lifecycles on a schedule",
		RunE: func(c *cobra.Command, _ []string) error {
			return wrongUse("schedule takes create, list, pause, resume, backfill or delete; see %q", c.CommandPath()+" --help")
		},
	}
	c.AddCommand(a.scheduleCreate(), a.scheduleList(), a.scheduleBackfill(),
		a.scheduleChange("pause", "Start nothing until resumed", func(ctx context.Context, h client.ScheduleHandle) error {
			return h.Pause(ctx, client.SchedulePauseOptions{Note: "paused with the starter"})
		}),
		a.scheduleChange("resume", "Start again", func(ctx context.Context, h client.ScheduleHandle) error {
			return h.Unpause(ctx, client.ScheduleUnpauseOptions{Note: "resumed with the starter"})
		}),
		a.scheduleChange("delete", "Remove the schedule; lifecycles it started go on", func(ctx context.Context, h client.ScheduleHandle) error {
			return h.Delete(ctx)
		}),
	)
	return c
}

func (a *app) scheduleCreate() *cobra.Command {
	var cron, zone, requester string
	var jitter time.Duration
	c := &cobra.Command{
		Use:   "create SPEC --cron \"0 3 * * 1\"",
		Short: "Start a lifecycle of this spec on a schedule; a schedule the model has already is replaced",
		Args:  exactly(1, "a spec file"),
		RunE: func(c *cobra.Command, args []string) error {
			if cron == "" {
				return wrongUse(`schedule create needs --cron, e.g. --cron "0 3 * * 1" for Mondays at three`)
			}
			s, err := spec.Load(args[0], spec.Options{})
			if err != nil {
				return exitError{exitUse, err}
			}
			t, err := a.dial(c.Context())
			if err != nil {
				return err
			}
			defer t.Close()
			id := workflows.ScheduleID(s.Model)
			created, err := createSchedule(c.Context(), t, id, s, requester, client.ScheduleSpec{CronExpressions: []string{cron}, TimeZoneName: zone, Jitter: jitter})
			if err != nil {
				return err
			}
			return a.show(map[string]any{"schedule": id, "created": created, "cron": cron}, func(w io.Writer) {
				what := "replaced"
				if created {
					what = "created"
				}
				fmt.Fprintf(w, "%s %s: a lifecycle of %s at %q\n", what, id, s.Model, cron)
			})
		},
	}
	c.Flags().StringVar(&cron, "cron", "", "when: minute hour day-of-month month day-of-week")
	c.Flags().StringVar(&zone, "time-zone", "UTC", "time zone of --cron, e.g. Europe/Berlin")
	c.Flags().DurationVar(&jitter, "jitter", 0, "start at a random moment within this time after each")
	c.Flags().StringVar(&requester, "requester", currentUser(), "who asks for these lifecycles")
	return c
}

// createSchedule makes the schedule, or replaces the one there is.
func createSchedule(ctx context.Context, t client.Client, id string, s *spec.Spec, requester string, when client.ScheduleSpec) (created bool, err error) {
	action := &client.ScheduleWorkflowAction{
		ID: workflows.LifecycleID(s.Model, "scheduled"), TaskQueue: workflows.TaskQueue, Workflow: workflows.LifecycleType,
		StaticSummary: s.Model + ", scheduled",
		Args: []any{workflows.LifecycleInput{
			Spec: json.RawMessage(s.Canonical()), Requester: requester,
			Trigger: stage.Trigger{Kind: "schedule", Reason: "scheduled: " + strings.Join(when.CronExpressions, ", "), Source: id},
		}},
	}
	_, err = t.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: id, Spec: when, Action: action,
		Overlap:        enums.SCHEDULE_OVERLAP_POLICY_SKIP, // the one before may still wait for people
		CatchupWindow:  time.Hour,                          // a night's outage must not start a week of lifecycles
		PauseOnFailure: true,
	})
	if err == nil {
		return true, nil
	}
	var badTimes *serviceerror.InvalidArgument
	if errors.As(err, &badTimes) {
		return false, wrongUse("create %s: %v; look at --cron and --time-zone", id, err)
	}
	var conflict *serviceerror.AlreadyExists
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) && !errors.As(err, &conflict) {
		return false, fmt.Errorf("create %s: %w", id, err)
	}
	err = t.ScheduleClient().GetHandle(ctx, id).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			next := in.Description.Schedule
			next.Spec, next.Action = &when, action
			return &client.ScheduleUpdate{Schedule: &next}, nil
		},
	})
	if err != nil {
		return false, fmt.Errorf("replace %s: %w", id, err)
	}
	return false, nil
}

func (a *app) scheduleList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the schedules",
		Args:  exactly(0, "no arguments"),
		RunE: a.connected(func(c *cobra.Command, t client.Client, _ []string) error {
			rows, err := schedules(c.Context(), t)
			if err != nil {
				return err
			}
			return a.show(rows, func(w io.Writer) {
				tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				fmt.Fprintln(tw, "SCHEDULE\tSTATE\tNEXT")
				for _, r := range rows {
					state, next := "active", "none"
					if r.Paused {
						state = "paused"
					}
					if !r.Next.IsZero() {
						next = r.Next.Local().Format(time.DateTime)
					}
					fmt.Fprintf(tw, "%s\t%s\t%s\n", r.Schedule, state, next)
				}
				tw.Flush()
			})
		}),
	}
}

type scheduleRow struct {
	Schedule string    `json:"schedule"`
	Paused   bool      `json:"paused"`
	Next     time.Time `json:"next,omitzero"`
}

func schedules(ctx context.Context, t client.Client) ([]scheduleRow, error) {
	all, err := t.ScheduleClient().List(ctx, client.ScheduleListOptions{PageSize: 100})
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	rows := []scheduleRow{}
	for all.HasNext() {
		s, err := all.Next()
		if err != nil {
			return nil, fmt.Errorf("list schedules: %w", err)
		}
		if !strings.HasPrefix(s.ID, "schedule/") {
			continue
		}
		row := scheduleRow{Schedule: s.ID, Paused: s.Paused}
		if len(s.NextActionTimes) > 0 {
			row.Next = s.NextActionTimes[0]
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (a *app) scheduleBackfill() *cobra.Command {
	var from, to string
	c := &cobra.Command{
		Use:   "backfill MODEL --from TIME --to TIME",
		Short: "Start the lifecycles a schedule would have started in a past interval, one after another",
		Args:  exactly(1, "a model"),
		RunE: func(c *cobra.Command, args []string) error {
			start, err := time.Parse(time.RFC3339, from)
			if err != nil {
				return wrongUse("--from %q: expected a time such as 2026-11-01T00:00:00Z", from)
			}
			end, err := time.Parse(time.RFC3339, to)
			if err != nil || !end.After(start) {
				return wrongUse("--to %q: expected a time after --from, such as 2026-11-08T00:00:00Z", to)
			}
			return a.onSchedule(c.Context(), args[0], "backfill", func(ctx context.Context, h client.ScheduleHandle) error {
				return h.Backfill(ctx, client.ScheduleBackfillOptions{Backfill: []client.ScheduleBackfill{{
					Start: start, End: end, Overlap: enums.SCHEDULE_OVERLAP_POLICY_BUFFER_ALL,
				}}})
			})
		},
	}
	c.Flags().StringVar(&from, "from", "", "beginning of the interval")
	c.Flags().StringVar(&to, "to", "", "end of the interval")
	return c
}

func (a *app) scheduleChange(name, short string, change func(context.Context, client.ScheduleHandle) error) *cobra.Command {
	return &cobra.Command{
		Use:   name + " MODEL",
		Short: short,
		Args:  exactly(1, "a model"),
		RunE:  func(c *cobra.Command, args []string) error { return a.onSchedule(c.Context(), args[0], name, change) },
	}
}

func (a *app) onSchedule(ctx context.Context, model, name string, change func(context.Context, client.ScheduleHandle) error) error {
	t, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer t.Close()
	id := workflows.ScheduleID(model)
	err = change(ctx, t.ScheduleClient().GetHandle(ctx, id))
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return wrongUse("there is no schedule for %s; see `starter schedule list`", model)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", name, id, err)
	}
	return a.show(map[string]string{"schedule": id, "done": name}, func(w io.Writer) { fmt.Fprintf(w, "%s: %s done\n", id, name) })
}
