// Package stacktest starts the real local stack inside a test binary: the Temporal server on a database file, every
// worker role and the gateway, on free ports, in a temporary state folder.
package stacktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-ml/assay/infra/devstack/stack"
	"github.com/assay-ml/assay/internal/artifact"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

const (
	starting = time.Minute // a cold machine boots the server in seconds
	stopping = time.Minute
	slots    = 4 // activities at once: tests run side by side, and most of them wait
)

// Stack is a running local stack with what a test needs to talk to it.
type Stack struct {
	stack.Addresses
	Client client.Client
	Store  artifact.Store

	stop    context.CancelFunc
	stopped chan error
}

// Start starts a stack with the devices named by gpus, as the flag --gpus takes them, which may run the given programs,
// and waits until it answers. When something keeps it from starting, nothing is left behind.
func Start(gpus string, programs ...string) (*Stack, error) {
	state, err := os.MkdirTemp("", "assay-stack-")
	if err != nil {
		return nil, err
	}
	cfg, err := config(state, gpus, programs)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(state))
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Stack{stop: stop, stopped: make(chan error, 1)}
	ready := make(chan stack.Addresses, 1)
	go func() { s.stopped <- stack.Run(ctx, cfg, func(a stack.Addresses) { ready <- a }) }()
	select {
	case s.Addresses = <-ready:
	case err := <-s.stopped:
		stop()
		return nil, errors.Join(fmt.Errorf("start a stack in %s: %w", state, err), os.RemoveAll(state))
	case <-time.After(starting):
		stop()
		return nil, fmt.Errorf("start a stack in %s: it did not answer within %s; its log is devstack.log there", state, starting)
	}
	if err := s.connect(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func config(state, gpus string, programs []string) (stack.Config, error) {
	cfg := stack.Defaults()
	port, err := FreePort()
	if err != nil {
		return cfg, err
	}
	cfg.State, cfg.Port, cfg.UIPort = state, port, 0
	cfg.LogFile = filepath.Join(state, "devstack.log")
	cfg.Worker.GPUs, cfg.Worker.Slots, cfg.Worker.Programs.Allowed = gpus, slots, programs
	cfg.Worker.GatewayAddress, cfg.Worker.MetricsAddress = "127.0.0.1:0", "127.0.0.1:0"
	return cfg, nil
}

func (s *Stack) connect(ctx context.Context) error {
	var err error
	if s.Store, err = artifact.OpenDir(s.StoreFolder()); err != nil {
		return err
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	s.Client, err = client.DialContext(ctx, client.Options{HostPort: s.Temporal, Logger: log.NewStructuredLogger(quiet)})
	return err
}

// StoreFolder is the folder of the artifact store.
func (s *Stack) StoreFolder() string { return filepath.Join(s.State, "store") }

// Environment is what the starter reads to find this stack and no other.
func (s *Stack) Environment() map[string]string {
	return map[string]string{
		"TEMPORAL_ADDRESS": s.Temporal, "TEMPORAL_NAMESPACE": "default",
		"TEMPORAL_CONFIG_FILE": filepath.Join(s.State, "temporal.toml"), // not there, so that a developer's own is not read
		"ASSAY_STORE":          s.StoreFolder(), "ASSAY_KEYS": filepath.Join(s.State, "keys"), "ASSAY_GATEWAY": s.Gateway,
	}
}

// Stop stops the stack and removes its state.
func (s *Stack) Stop() error {
	if s.Client != nil {
		s.Client.Close()
	}
	s.stop()
	select {
	case err := <-s.stopped:
		return errors.Join(err, os.RemoveAll(s.State))
	case <-time.After(stopping):
		return fmt.Errorf("stop the stack in %s: it still runs after %s; its log is devstack.log there", s.State, stopping)
	}
}

// FreePort is a port of 127.0.0.1 that nothing listened on a moment ago.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
