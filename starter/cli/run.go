package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/user"
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

func (a *app) runCommand() *cobra.Command {
	var watch bool
	var set []string
	var requester, id, reason string
	c := &cobra.Command{
		Use:   "run SPEC",
		Short: "Start a lifecycle from a spec file",
		Args:  exactly(1, "a spec file"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := spec.Load(args[0], spec.Options{Set: set})
			if err != nil {
				return exitError{exitUse, err}
			}
			if id == "" {
				id = newID(time.Now())
			}
			return a.start(c.Context(), s, id, requester, reason, watch)
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "stay and show progress until the lifecycle ends")
	c.Flags().StringArrayVar(&set, "set", nil, "override a field of the spec, e.g. --set train.parameters.l2=0.5")
	c.Flags().StringVar(&requester, "requester", currentUser(), "who asks for this lifecycle")
	c.Flags().StringVar(&id, "id", "", "last part of the workflow id lifecycle/<model>/<id> (default: time and chance)")
	c.Flags().StringVar(&reason, "reason", "", "why it is started, for the record")
	return c
}

func (a *app) start(ctx context.Context, s *spec.Spec, id, requester, reason string, watch bool) error {
	t, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer t.Close()
	workflowID := workflows.LifecycleID(s.Model, id)
	run, err := t.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: workflowID, TaskQueue: workflows.TaskQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		// Otherwise the client gives the run there is, and nobody learns that this spec was not run.
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StaticSummary:                            fmt.Sprintf("%s, asked for by %s", s.Model, requester),
		StaticDetails:                            s.Purpose,
	}, workflows.LifecycleType, workflows.LifecycleInput{
		Spec: json.RawMessage(s.Canonical()), Requester: requester, Trigger: stage.Trigger{Kind: "manual", Reason: reason},
	})
	var taken *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case errors.As(err, &taken):
		return wrongUse("start %s: there is a lifecycle with this id already; choose another --id, or see it with `starter status %s`", workflowID, workflowID)
	case err != nil:
		return fmt.Errorf("start %s: %w", workflowID, err)
	}
	if watch {
		if a.output == "text" {
			fmt.Fprintf(a.out, "started %s\n", workflowID)
		}
		return a.follow(ctx, t, workflowID)
	}
	return a.show(map[string]string{"lifecycle": workflowID, "run": run.GetRunID()}, func(w io.Writer) {
		fmt.Fprintf(w, "started %s\nfollow it with: starter watch %s\n", workflowID, workflowID)
	})
}

func (a *app) validateCommand() *cobra.Command {
	var set []string
	c := &cobra.Command{
		Use:   "validate SPEC",
		Short: "Check a spec file without starting anything",
		Args:  exactly(1, "a spec file"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := spec.Load(args[0], spec.Options{Set: set})
			if err != nil {
				return exitError{exitUse, err}
			}
			return a.show(s, func(w io.Writer) {
				fmt.Fprintf(w, "%s is a valid spec for model %s\n", args[0], s.Model)
			})
		},
	}
	c.Flags().StringArrayVar(&set, "set", nil, "override a field of the spec, e.g. --set train.parameters.l2=0.5")
	return c
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the spec, for editors",
		Args:  exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(spec.Schema())
			return err
		},
	}
}

func (a *app) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch ID",
		Short: "Show a lifecycle's progress until it ends",
		Args:  exactly(1, "a lifecycle id"),
		RunE: a.connected(func(c *cobra.Command, t client.Client, args []string) error {
			return a.follow(c.Context(), t, lifecycleID(args[0]))
		}),
	}
}

// follow shows progress until the lifecycle ends, and ends with the status its outcome has.
func (a *app) follow(ctx context.Context, t client.Client, id string) error {
	ended := make(chan error, 1)
	var result workflows.Result
	go func() { ended <- t.GetWorkflow(ctx, id, "").Get(ctx, &result) }()
	view := newView(a)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for ticks := 0; ; {
		select {
		case err := <-ended:
			if ctx.Err() != nil {
				return exitError{exitFailed, fmt.Errorf("stopped watching; %s goes on: starter watch %s", id, id)}
			}
			if status, queryErr := query(ctx, t, id); queryErr == nil {
				view.update(status)
			}
			view.close()
			return a.conclude(id, result, err)
		case <-tick.C:
			status, err := query(ctx, t, id)
			if err != nil {
				view.trouble(err)
				continue
			}
			view.update(status)
			if status.Sweep != "" && (status.Stage == stage.Train || !view.swept) {
				if s, err := querySweep(ctx, t, status.Sweep); err == nil { // it may not have started yet
					view.sweep(s)
				}
			}
			if ticks++; ticks%pendingTicks == 0 {
				if under, err := pending(ctx, t, id); err == nil { // the next tick says when Temporal is away
					view.underWay(under)
				}
			}
		}
	}
}

// pendingTicks is after how many looks at the status the work that is under way is looked at.
const pendingTicks = 4

// conclude prints how a lifecycle ended.
func (a *app) conclude(id string, result workflows.Result, err error) error {
	var app *temporal.ApplicationError
	var cancelled *temporal.CanceledError
	var ended *temporal.WorkflowExecutionError
	var missing *serviceerror.NotFound
	switch {
	case errors.As(err, &missing):
		return wrongUse("there is no lifecycle %s; see `starter list`", id)
	case err != nil && !errors.As(err, &ended):
		return fmt.Errorf("wait for %s: %w; it goes on without being watched: starter watch %s", id, err, id)
	case errors.As(err, &cancelled):
		if cancelled.HasDetails() {
			_ = cancelled.Details(&result)
		}
		result.Outcome = workflows.Cancelled
	case errors.As(err, &app):
		result.Outcome, result.Reason = workflows.Failed, app.Message()
		if app.HasDetails() {
			_ = app.Details(&result)
		}
	case err != nil:
		result.Outcome, result.Reason = workflows.Failed, err.Error()
	}
	if showErr := a.show(struct {
		Lifecycle string `json:"lifecycle"`
		workflows.Result
	}{id, result}, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s\n", result.Outcome, result.Reason)
	}); showErr != nil {
		return showErr
	}
	return exitError{statusOf(result.Outcome), errors.New("")}.orNil()
}

func (e exitError) orNil() error {
	if e.status == exitDone {
		return nil
	}
	return e
}

func statusOf(o workflows.Outcome) int {
	switch o {
	case workflows.Deployed, workflows.Unchanged:
		return exitDone
	case workflows.Failed, workflows.Cancelled:
		return exitFailed
	default:
		return exitRefused
	}
}

// query asks a lifecycle for its status.
func query(ctx context.Context, t client.Client, id string) (workflows.Status, error) {
	var status workflows.Status
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	value, err := t.QueryWorkflow(ctx, id, "", workflows.QueryStatus)
	var missing *serviceerror.NotFound
	switch {
	case errors.As(err, &missing):
		return status, wrongUse("there is no lifecycle %s; see `starter list`", id)
	case err != nil:
		return status, fmt.Errorf("ask %s for its status: %w; is a worker with the role workflow running?", id, err)
	}
	return status, value.Get(&status)
}

// undelivered says why a lifecycle did not take a message: there is none of this id, or it has ended.
func undelivered(ctx context.Context, t client.Client, id, doing string, err error) error {
	var missing *serviceerror.NotFound
	if !errors.As(err, &missing) {
		return fmt.Errorf("%s %s: %w", doing, id, err)
	}
	s, err := query(ctx, t, id)
	if err != nil {
		return err
	}
	if s.Result == nil {
		return fmt.Errorf("%s %s: it has ended", doing, id)
	}
	return fmt.Errorf("%s %s: it has ended: %s: %s", doing, id, s.Result.Outcome, s.Result.Reason)
}

// newID names a run by its second and 32 bits of chance.
func newID(now time.Time) string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return now.UTC().Format("20060102-150405-") + hex.EncodeToString(b)
}

func currentUser() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "unknown"
}
