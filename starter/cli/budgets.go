package cli

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	privacyledger "github.com/assay-ml/assay/internal/ledger/privacy"
	"github.com/spf13/cobra"
)

func (a *app) budgetsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "budgets [DATASET]",
		Short: "Show how much privacy private trainings have spent, by data set",
		Long: `Every private training (train.private) on a data set with a budget (privacy.budget) costs some of it, over all models and
lifecycles. All trainings together cost less than the sum of their epsilons.`,
		Args: between(0, 1, "at most a data set"),
		RunE: func(c *cobra.Command, args []string) error {
			store, err := a.openStore()
			if err != nil {
				return err
			}
			accounts := []privacyledger.Account{}
			if dataset := optional(args); dataset != "" {
				account, err := privacyledger.Read(c.Context(), store, dataset)
				if err != nil {
					return err
				}
				accounts = append(accounts, account)
			} else {
				all, err := privacyledger.List(c.Context(), store)
				if err != nil {
					return err
				}
				accounts = append(accounts, all...)
			}
			return a.show(accounts, func(w io.Writer) { printBudgets(w, accounts, len(args) == 1) })
		},
	}
}

func printBudgets(w io.Writer, accounts []privacyledger.Account, whole bool) {
	if len(accounts) == 0 {
		fmt.Fprintln(w, "no private training was paid for; see privacy.budget in docs/spec.md")
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "DATA SET\tBUDGET\tSPENT\tLEFT\tPAID FOR\tLAST")
	for _, s := range accounts {
		n := len(s.Entries)
		trainings := fmt.Sprintf("%d trainings", n)
		if n == 1 {
			trainings = "1 training"
		}
		fmt.Fprintf(tw, "%s\tepsilon %.4g at delta %.3g\t%.4g\t%.4g\t%s\t%s\n", s.Dataset, s.Budget.Epsilon, s.Budget.Delta, s.Spent(), s.Left(), trainings, s.Entries[n-1].Time.Local().Format(time.DateTime))
	}
	if whole {
		fmt.Fprintln(tw, "\nTRAINING\tASKED BY\tEPSILON ALONE\tTOTAL\tNOISE\tRATE\tSTEPS")
		for _, e := range accounts[0].Entries {
			fmt.Fprintf(tw, "%s\t%s\t%.4g\t%.4g\t%.4g\t%.4g\t%d\n", e.Key[:12], e.Lifecycle, e.Epsilon, e.Total, e.Mechanism.NoiseMultiplier, e.Mechanism.SampleRate, e.Mechanism.Steps)
		}
	}
	tw.Flush()
}
