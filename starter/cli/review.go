package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/review"
	"github.com/assay-ml/assay/workflows"
	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
)

// decisionCommand is approve, reject or request-changes.
func (a *app) decisionCommand(name string) *cobra.Command {
	var vote review.Vote
	var bySignal bool
	vote.Decision = strings.ReplaceAll(name, "-", "_")
	c := &cobra.Command{
		Use:   name + " ID --as NAME --role ROLE --reason TEXT",
		Short: map[string]string{"approve": "Approve a candidate", "reject": "Refuse a candidate", "request-changes": "Ask for changes to a candidate"}[name],
		Long: `The decision is bound to the digest of the dossier it was taken on. Without --dossier, it is bound to the one
under review now, and the digest is printed.`,
		Args: exactly(1, "a lifecycle id"),
		RunE: func(c *cobra.Command, args []string) error {
			if vote.Reviewer == "" || vote.Role == "" || vote.Reason == "" {
				return wrongUse("%s needs --as NAME, --role ROLE and --reason TEXT", name)
			}
			if vote.Dossier != "" {
				if _, err := artifact.ParseDigest(vote.Dossier); err != nil {
					return wrongUse("--dossier: %v", err)
				}
			}
			return a.decide(c, lifecycleID(args[0]), vote, bySignal)
		},
	}
	c.Flags().StringVar(&vote.Reviewer, "as", "", "who decides")
	c.Flags().StringVar(&vote.Role, "role", "", "in which role, e.g. ethics")
	c.Flags().StringVar(&vote.Reason, "reason", "", "why; it goes on the record")
	c.Flags().StringVar(&vote.Dossier, "dossier", "", "digest of the dossier the decision was taken on (default: the one under review)")
	c.Flags().BoolVar(&bySignal, "signal", false, "send as a signal, without waiting for the answer")
	return c
}

func (a *app) decide(c *cobra.Command, id string, vote review.Vote, bySignal bool) error {
	ctx := c.Context()
	t, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer t.Close()
	if vote.Dossier == "" {
		status, err := query(ctx, t, id)
		if err != nil {
			return err
		}
		if status.Review == nil {
			return fmt.Errorf("decide on %s: it is not under review (stage %s)", id, status.Stage)
		}
		vote.Dossier = status.Review.Dossier.String()
	}
	if bySignal {
		if err := t.SignalWorkflow(ctx, id, "", workflows.SignalDecision, vote); err != nil {
			return undelivered(ctx, t, id, "signal the decision to", err)
		}
		return a.show(map[string]string{"lifecycle": id, "sent": "signal", "dossier": vote.Dossier}, func(w io.Writer) {
			fmt.Fprintf(w, "sent as a signal to %s, on dossier %s; see its effect with: starter status %s\n", id, vote.Dossier, id)
		})
	}
	handle, err := t.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: workflows.UpdateDecision, Args: []any{vote}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return undelivered(ctx, t, id, "send the decision to", err)
	}
	var receipt workflows.Receipt
	if err := handle.Get(ctx, &receipt); err != nil {
		return fmt.Errorf("the decision was not accepted: %s", message(err))
	}
	return a.show(receipt, func(w io.Writer) {
		fmt.Fprintf(w, "%s (dossier %s)\n", receipt.Message, vote.Dossier)
	})
}
