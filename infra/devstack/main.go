// Command devstack runs everything Assay needs on one machine in one process: a Temporal server with its web interface,
// the workers of all roles, and the gateway. "devstack demo" also runs a whole lifecycle in it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/assay-ml/assay/infra/devstack/stack"
	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "devstack:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	cfg := stack.Defaults()
	root := &cobra.Command{
		Use:           "devstack",
		Short:         "Run Assay and Temporal on this machine, in one process",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			return stack.Run(c.Context(), cfg, func(a stack.Addresses) { a.Print(c.OutOrStdout()) })
		},
	}
	cfg.Flags(root.PersistentFlags())
	root.AddCommand(demoCommand(&cfg))
	return root
}
