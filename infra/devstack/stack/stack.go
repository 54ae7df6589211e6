// Package stack starts the local stack: Temporal, every worker role and the gateway, in one process under one context.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/assay-ml/assay/infra/devstack/temporal"
	"github.com/assay-ml/assay/internal/gateway"
	"github.com/assay-ml/assay/workers"
	"github.com/assay-ml/assay/workflows"
	"github.com/spf13/pflag"
)

// Config says where the stack keeps its state and where it listens.
type Config struct {
	State   string // folder of everything durable
	Port    int    // Temporal's frontend
	UIPort  int    // Temporal's web interface; 0 leaves it out
	LogFile string // "" logs to standard error
	Worker  workers.Config
}

// Defaults are the addresses and folders the documentation names.
func Defaults() Config {
	return Config{State: ".assay", Port: 7233, UIPort: 8233, Worker: workers.Defaults()}
}

// Flags adds the stack's flags.
func (c *Config) Flags(f *pflag.FlagSet) {
	f.StringVar(&c.State, "state", c.State, "folder of the database, the store, the keys and the logs")
	f.IntVar(&c.Port, "port", c.Port, "port of Temporal's frontend")
	f.IntVar(&c.UIPort, "ui-port", c.UIPort, "port of Temporal's web interface; 0 leaves it out")
	f.StringVar(&c.LogFile, "log-file", c.LogFile, "log here instead of to standard error")
	c.Worker.Flags(f)
}

// Addresses are where the parts listen.
type Addresses struct {
	Temporal string // host:port
	UI       string // URL, "" when left out
	Gateway  string // URL
	Metrics  string // URL
	State    string // folder
}

// Print writes the addresses for people.
func (a Addresses) Print(w io.Writer) {
	fmt.Fprintf(w, "Temporal   %s\n", a.Temporal)
	if a.UI != "" {
		fmt.Fprintf(w, "Temporal's web interface   %s\n", a.UI)
	}
	fmt.Fprintf(w, "gateway    %s\n", a.Gateway)
	if a.Metrics != "" {
		fmt.Fprintf(w, "metrics    %s\n", a.Metrics)
	}
	fmt.Fprintf(w, "state      %s\n", a.State)
}

// Run runs the stack until ctx ends. ready is called once, when everything answers.
func Run(ctx context.Context, cfg Config, ready func(Addresses)) error {
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		return fmt.Errorf("make the state folder: %w; choose another with --state", err)
	}
	log, closeLog, err := cfg.logger()
	if err != nil {
		return err
	}
	defer closeLog()
	if err := cfg.checkPorts(); err != nil {
		return err
	}
	server, err := temporal.Start(ctx, temporal.Config{
		Folder: filepath.Join(cfg.State, "temporal"), Port: cfg.Port, UIPort: cfg.UIPort,
		SearchAttributes: workflows.SearchAttributes(), Logger: quieter(log),
	})
	if err != nil {
		return err
	}
	defer server.Stop()
	worker := cfg.Worker
	worker.Roles, worker.Address, worker.Namespace, worker.Logger = workers.Roles, server.Addr, temporal.Namespace, log
	worker.Store, worker.Keys, worker.Spool = filepath.Join(cfg.State, "store"), filepath.Join(cfg.State, "keys"), filepath.Join(cfg.State, "spool")
	if worker.Scratch == "" {
		if worker.Scratch, err = emptyScratch(cfg.State); err != nil {
			return err
		}
	}
	worker.Ready = func(a workers.Addresses) {
		ready(Addresses{Temporal: server.Addr, UI: server.UIAddr, Gateway: a.Gateway, Metrics: a.Metrics, State: cfg.State})
	}
	return workers.Run(ctx, worker)
}

// emptyScratch makes the state's folder for temporary files and removes what is in it. The server's lock makes this
// process the only one that uses the state, so that was left by one that was killed: up to the whole source, rows of
// people among it.
func emptyScratch(state string) (string, error) {
	folder, err := filepath.Abs(filepath.Join(state, "scratch"))
	if err == nil {
		err = errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o700))
	}
	if err != nil {
		return "", fmt.Errorf("empty the folder for temporary files: %w; choose another with --scratch", err)
	}
	return folder, nil
}

// checkPorts looks before the server starts: its own message for a port in use names no flag, and the workers would
// find theirs in use only once it is up.
func (c Config) checkPorts() error {
	local := func(port int) string {
		if port == 0 {
			return ""
		}
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	for _, p := range []struct{ address, flag string }{
		{local(c.Port), "--port"}, {local(c.UIPort), "--ui-port"},
		{c.Worker.GatewayAddress, "--gateway-address"}, {c.Worker.MetricsAddress, "--metrics-address"},
	} {
		if p.address == "" {
			continue
		}
		l, err := gateway.Listen(p.address, p.flag)
		if err != nil {
			return err
		}
		l.Close()
	}
	return nil
}

func (c Config) logger() (*slog.Logger, func(), error) {
	if c.LogFile == "" {
		return workers.NewLogger(os.Stderr, false, c.Worker.LogLevel), func() {}, nil
	}
	f, err := os.OpenFile(c.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the log: %w; choose another file with --log-file", err)
	}
	return workers.NewLogger(f, false, c.Worker.LogLevel), func() { f.Close() }, nil
}

// quieter keeps the server's errors and drops the rest, which is about the server's own insides.
func quieter(log *slog.Logger) *slog.Logger { return slog.New(errorsOnly{log.Handler()}) }

type errorsOnly struct{ slog.Handler }

func (h errorsOnly) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }

func (h errorsOnly) WithAttrs(attrs []slog.Attr) slog.Handler {
	return errorsOnly{h.Handler.WithAttrs(attrs)}
}

func (h errorsOnly) WithGroup(name string) slog.Handler { return errorsOnly{h.Handler.WithGroup(name)} }
