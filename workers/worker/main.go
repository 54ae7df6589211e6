// Command worker runs Assay's roles against a Temporal server.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/assay-ml/assay/workers"
	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	cfg := workers.Defaults()
	var roles string
	var asJSON bool
	c := &cobra.Command{
		Use:           "worker",
		Short:         "Run Assay's workers and gateway against a Temporal server",
		Long:          "The connection is Temporal's own: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, TLS and API key settings.",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if cfg.Roles, err = workers.ParseRoles(roles); err != nil {
				return err
			}
			cfg.Logger = workers.NewLogger(os.Stderr, asJSON, cfg.LogLevel)
			cfg.Ready = func(a workers.Addresses) {
				cfg.Logger.Info("ready", "roles", roles, "gateway", a.Gateway, "metrics", a.Metrics)
			}
			return workers.Run(c.Context(), cfg)
		},
	}
	f := c.Flags()
	f.StringVar(&roles, "roles", "workflow,cpu,gpu,gateway", "what this process does")
	f.StringVar(&cfg.Store, "store", cfg.Store, "folder of the artifact store")
	f.StringVar(&cfg.Keys, "keys", cfg.Keys, "folder of the key that signs the chain; made on first use")
	f.StringVar(&cfg.Spool, "spool", cfg.Spool, "folder of the gateway's open log segments, on a local disk")
	f.BoolVar(&asJSON, "log-json", true, "log as JSON lines")
	cfg.Flags(f)
	return c
}
