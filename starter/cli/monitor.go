package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/assay-ml/assay/workflows"
	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

func (a *app) monitorCommand() *cobra.Command {
	signals := map[string]string{"check": workflows.SignalCheckNow, "pause": workflows.SignalPause, "resume": workflows.SignalResume}
	return &cobra.Command{
		Use:   "monitor MODEL [check|pause|resume]",
		Short: "Show what a model's monitor has seen, or tell it something",
		Args:  between(1, 2, "a model, and at most one of check, pause and resume"),
		RunE: a.connected(func(c *cobra.Command, t client.Client, args []string) error {
			id := workflows.MonitorID(args[0])
			if len(args) == 2 {
				name, known := signals[args[1]]
				if !known {
					return wrongUse("monitor %s %s: expected check, pause or resume", args[0], args[1])
				}
				if err := t.SignalWorkflow(c.Context(), id, "", name, nil); err != nil {
					return noMonitor(args[0], err)
				}
				return a.show(map[string]string{"monitor": id, "sent": name}, func(w io.Writer) {
					fmt.Fprintf(w, "sent %s to %s\n", name, id)
				})
			}
			value, err := t.QueryWorkflow(c.Context(), id, "", workflows.QueryStatus)
			if err != nil {
				return noMonitor(args[0], err)
			}
			var s workflows.MonitorStatus
			if err := value.Get(&s); err != nil {
				return fmt.Errorf("read the status of %s: %w", id, err)
			}
			return a.show(s, func(w io.Writer) { printMonitor(w, s) })
		}),
	}
}

func noMonitor(model string, err error) error {
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return wrongUse("nothing watches %s: a monitor starts with the first promoted version; see `starter models`", model)
	}
	return fmt.Errorf("ask the monitor of %s: %w", model, err)
}

func printMonitor(w io.Writer, s workflows.MonitorStatus) {
	state := "next check " + s.Next.Local().Format(time.DateTime)
	if s.Paused {
		state = "paused"
	}
	fmt.Fprintf(w, "%s version %d, every %s, %s, %d checks\n", s.Model, s.Version, s.Every, state, s.Checks)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range s.Recent {
		fmt.Fprintf(tw, "%d\t%s\t%s\t%d rows\t%s\n", c.Number, c.Until.Local().Format(time.DateTime), c.Verdict, c.Rows, c.Summary)
		if c.Retraining != "" {
			fmt.Fprintf(tw, "\t\t\t\tretraining %s\n", c.Retraining)
		}
	}
	tw.Flush()
}
