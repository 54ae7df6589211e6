package cli

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/assay-ml/assay/internal/ledger"
	"github.com/spf13/cobra"
)

func (a *app) testSetsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test-sets [MODEL]",
		Short: "Show how often test sets were used, and which have ended",
		Long: `A test set is good for a number of decisions (gates.test_set). One that has ended is released as validation data: its rows are
the Parquet file in the store that is named here.`,
		Args: between(0, 1, "at most a model"),
		RunE: func(c *cobra.Command, args []string) error {
			model := optional(args)
			store, err := a.openStore()
			if err != nil {
				return err
			}
			sets, err := ledger.List(c.Context(), store, model)
			if err != nil {
				return err
			}
			if sets == nil {
				sets = []ledger.TestSet{}
			}
			return a.show(sets, func(w io.Writer) { printTestSets(w, sets) })
		},
	}
}

func printTestSets(w io.Writer, sets []ledger.TestSet) {
	if len(sets) == 0 {
		fmt.Fprintln(w, "no uses of a test set are counted; see gates.test_set in docs/spec.md")
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "MODEL\tTEST SET\tROWS\tADAPTIVITY\tUSED\tLEFT\tSTATE\tLAST USE")
	for _, s := range sets {
		last := ""
		if n := len(s.Uses); n > 0 {
			last = s.Uses[n-1].Time.Local().Format(time.DateTime)
		}
		fmt.Fprintf(tw, "%s\t%s\t%d\t%s\t%d of %d\t%d\t%s\t%s\n", s.Model, s.TestSet.Short(), s.Rows, s.Rules.Adaptivity, len(s.Uses), s.Rules.Steps, s.Left(), s.State, last)
	}
	tw.Flush()
	for _, s := range sets {
		if data, released := s.Released(); released {
			hex := data.Digest.Hex()
			fmt.Fprintf(w, "%s: %s Released as validation data: blobs/sha256/%s/%s (%s)\n", s.TestSet.Short(), s.Ended.Reason, hex[:2], hex, data.MediaType)
		}
	}
}
