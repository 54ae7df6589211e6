package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/assay-ml/assay/infra/devstack/demo"
	"github.com/assay-ml/assay/infra/devstack/stack"
	"github.com/spf13/cobra"
)

// demoCommand runs a stack, a lifecycle in it with demonstration reviewers and traffic, and stops.
func demoCommand(cfg *stack.Config) *cobra.Command {
	return &cobra.Command{
		Use:   "demo [SPEC]",
		Short: "Run one model's whole life unattended, with demonstration reviewers and generated traffic",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			spec := "examples/credit.yaml"
			if len(args) == 1 {
				spec = args[0]
			}
			if cfg.LogFile == "" {
				cfg.LogFile = filepath.Join(cfg.State, "devstack.log")
			}
			return runDemo(c.Context(), *cfg, demo.Config{
				Spec: spec, Out: c.OutOrStdout(), Err: c.ErrOrStderr(), Begun: time.Now(), LogFile: cfg.LogFile,
			})
		},
	}
}

func runDemo(ctx context.Context, cfg stack.Config, script demo.Config) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready := make(chan stack.Addresses, 1)
	stopped := make(chan error, 1)
	go func() { stopped <- stack.Run(ctx, cfg, func(a stack.Addresses) { ready <- a }) }()
	select {
	case err := <-stopped:
		return err
	case script.Stack = <-ready:
	}
	played := make(chan error, 1)
	go func() { played <- demo.Play(ctx, script) }()
	select {
	case err := <-stopped:
		return errors.Join(errors.New("the stack stopped during the demonstration"), err)
	case err := <-played:
		stop()
		return errors.Join(err, <-stopped)
	}
}
