package functional

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assay-ml/assay/infra/devstack/stack"
	"github.com/assay-ml/assay/tests/stacktest"
	"github.com/assay-ml/assay/workers"
	"github.com/stretchr/testify/require"
)

// inUse is an address something listens on, and its port.
func inUse(t *testing.T) (address string, port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), l.Addr().(*net.TCPAddr).Port
}

func stackConfig(t *testing.T) stack.Config {
	t.Helper()
	port, err := stacktest.FreePort()
	require.NoError(t, err)
	cfg := stack.Defaults()
	cfg.State, cfg.Port, cfg.UIPort = t.TempDir(), port, 0
	cfg.LogFile = filepath.Join(t.TempDir(), "log")
	return cfg
}

func neverReady(t *testing.T) func(stack.Addresses) {
	return func(stack.Addresses) { t.Error("the stack started") }
}

func TestPortInUseIsNamedWithItsFlag(t *testing.T) {
	t.Parallel()
	_, port := inUse(t)
	for flag, set := range map[string]func(*stack.Config){
		"--port":    func(c *stack.Config) { c.Port = port },
		"--ui-port": func(c *stack.Config) { c.UIPort = port },
	} {
		cfg := stackConfig(t)
		set(&cfg)
		err := stack.Run(t.Context(), cfg, neverReady(t))
		require.ErrorContains(t, err, fmt.Sprint(port))
		require.ErrorContains(t, err, flag)
	}
	address, _ := inUse(t)
	for flag, set := range map[string]func(*workers.Config){
		"--gateway-address": func(c *workers.Config) { c.GatewayAddress = address },
		"--metrics-address": func(c *workers.Config) { c.MetricsAddress = address },
	} {
		cfg := workers.Defaults()
		folder := t.TempDir()
		cfg.Store, cfg.Keys, cfg.Spool = filepath.Join(folder, "store"), filepath.Join(folder, "keys"), filepath.Join(folder, "spool")
		cfg.GatewayAddress, cfg.MetricsAddress = "127.0.0.1:0", ""
		set(&cfg)
		err := workers.Run(t.Context(), cfg)
		require.ErrorContains(t, err, address)
		require.ErrorContains(t, err, flag)
	}
}

func TestStateFolderThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	cfg := stackConfig(t)
	cfg.State = local.State
	err := stack.Run(t.Context(), cfg, neverReady(t))
	require.ErrorContains(t, err, local.State)
	require.ErrorContains(t, err, "in use by another process")
	require.ErrorContains(t, err, "--state")

	cfg = stackConfig(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	cfg.State = filepath.Join(file, "state")
	err = stack.Run(t.Context(), cfg, neverReady(t))
	require.ErrorContains(t, err, file)
	require.ErrorContains(t, err, "--state")

	cfg = stackConfig(t)
	cfg.LogFile = filepath.Join(file, "log")
	require.ErrorContains(t, stack.Run(t.Context(), cfg, neverReady(t)), "--log-file")
}

// Not parallel: it changes the environment, which all commands of the starter read.
func TestTemporalUnreachable(t *testing.T) {
	port, err := stacktest.FreePort()
	require.NoError(t, err)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	t.Setenv("TEMPORAL_ADDRESS", address)
	begun := time.Now()
	requireSays(t, 1, []string{"connect to Temporal at " + address, "make run", "TEMPORAL_ADDRESS"}, "list")
	require.Less(t, time.Since(begun), 20*time.Second, "a command does not hang")

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cfg := workers.Defaults()
	folder := t.TempDir()
	cfg.Roles = []workers.Role{workers.RoleWorkflow}
	cfg.Store, cfg.MetricsAddress = filepath.Join(folder, "store"), ""
	err = workers.Run(ctx, cfg)
	require.ErrorContains(t, err, "connect to Temporal at "+address)
	require.ErrorContains(t, err, "TEMPORAL_ADDRESS")
}

// Not parallel, for the same reason.
func TestProfileThatIsNotThere(t *testing.T) {
	t.Setenv("TEMPORAL_PROFILE", "production")
	requireSays(t, 1, []string{"read Temporal's connection settings", "production", "temporal.toml"}, "list")
}
