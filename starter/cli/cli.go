// Package cli is the starter: every command a person uses to start, watch, decide on, inspect and verify lifecycles.
//
// Exit status: 0 done, 1 failed, 2 wrong use, 3 refused by a gate or a reviewer.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"
)

// Exit statuses.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUse     = 2
	exitRefused = 3
)

// app holds what the commands share: where to write, how to write it, and where things are.
type app struct {
	out, err io.Writer
	output   string // text or json
	store    string // folder of the artifact store
	keys     string // folder of the chain's keys
	gateway  string // URL of the gateway
	begun    bool   // the command line was understood and a command runs
}

// exitError ends a command with a status of its own.
type exitError struct {
	status int
	err    error
}

func (e exitError) Error() string { return e.err.Error() }
func (e exitError) Unwrap() error { return e.err }

// Main runs one command and returns the exit status.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{out: stdout, err: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var exit exitError
	if !errors.As(err, &exit) {
		exit = exitError{exitFailed, err}
		if !a.begun {
			// Cobra's own: an unknown command, a wrong number of arguments.
			exit.status = exitUse
		}
	}
	if exit.err != nil && exit.err.Error() != "" {
		fmt.Fprintln(stderr, "starter:", exit.err)
	}
	return exit.status
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "starter",
		Short:         "Start, watch, decide on and verify machine-learning lifecycles",
		SilenceErrors: true,
		SilenceUsage:  true,
		Long: `starter talks to Assay's workflows on a Temporal server.

The connection is Temporal's own: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE,
TEMPORAL_API_KEY, TEMPORAL_TLS_... or a profile in temporal.toml. Default: 127.0.0.1:7233.

Exit status: 0 done, 1 failed, 2 wrong use, 3 refused by a gate or a reviewer.`,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			a.begun = true
			if a.output != "text" && a.output != "json" {
				return wrongUse("-o %q: expected text or json", a.output)
			}
			return nil
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.output, "output", "o", "text", "text or json")
	flags.StringVar(&a.store, "store", env("ASSAY_STORE", ".assay/store"), "folder of the artifact store (ASSAY_STORE)")
	flags.StringVar(&a.keys, "keys", env("ASSAY_KEYS", ".assay/keys"), "folder of the signing keys (ASSAY_KEYS)")
	flags.StringVar(&a.gateway, "gateway", env("ASSAY_GATEWAY", "http://127.0.0.1:8080"), "address of the gateway (ASSAY_GATEWAY)")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return wrongUse("%v; see %q", err, c.CommandPath()+" --help")
	})
	root.AddCommand(
		a.runCommand(), a.validateCommand(), a.schemaCommand(),
		a.listCommand(), a.statusCommand(), a.watchCommand(), a.cancelCommand(), a.dossierCommand(),
		a.decisionCommand("approve"), a.decisionCommand("reject"), a.decisionCommand("request-changes"),
		a.gateCommand(), a.testSetsCommand(), a.budgetsCommand(), a.fairnessCommand(), a.labelsCommand(),
		a.modelsCommand(), a.predictCommand(), a.monitorCommand(), a.scheduleCommand(), a.verifyCommand(), a.setupCommand(),
	)
	return root
}

// exactly checks the number of arguments and says what is wanted.
func exactly(n int, what string) cobra.PositionalArgs { return between(n, n, what) }

func between(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return wrongUse("%s takes %s; got %d arguments; see %q", c.Name(), what, len(args), c.CommandPath()+" --help")
		}
		return nil
	}
}

// optional is the only argument, or "" where it was left out.
func optional(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func wrongUse(format string, args ...any) error {
	return exitError{exitUse, fmt.Errorf(format, args...)}
}

// dial connects to Temporal with the settings Temporal's own tools use.
func (a *app) dial(ctx context.Context) (client.Client, error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, fmt.Errorf("read Temporal's connection settings: %w; look at TEMPORAL_ADDRESS and temporal.toml", err)
	}
	if options.HostPort == "" {
		options.HostPort = client.DefaultHostPort
	}
	options.Logger = log.NewStructuredLogger(slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelError})))
	options.Identity = "starter"
	dialCtx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := client.DialContext(dialCtx, options)
	if err != nil {
		return nil, fmt.Errorf("connect to Temporal at %s: %w; start a local stack with `make run`, or set TEMPORAL_ADDRESS", options.HostPort, err)
	}
	return c, nil
}

// connected gives a command the connection it needs, for as long as it runs.
func (a *app) connected(run func(c *cobra.Command, t client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		t, err := a.dial(c.Context())
		if err != nil {
			return err
		}
		defer t.Close()
		return run(c, t, args)
	}
}

// show prints v as JSON, or runs text, by the output flag.
func (a *app) show(v any, text func(w io.Writer)) error {
	if a.output == "json" {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}
	text(a.out)
	return nil
}

func env(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

// lifecycleID accepts "lifecycle/credit/x" and the shorter "credit/x".
func lifecycleID(arg string) string {
	if strings.HasPrefix(arg, "lifecycle/") {
		return arg
	}
	return "lifecycle/" + arg
}
