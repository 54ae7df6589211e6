// Package workers runs Assay's processes: the workers of each task queue and the gateway, alone or together.
package workers

import (
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Role is something a worker process does.
type Role string

const (
	RoleWorkflow Role = "workflow" // workflow tasks, queue assay
	RoleCPU      Role = "cpu"      // activities, queues assay-cpu and assay-control
	RoleGPU      Role = "gpu"      // training on devices, queue assay-gpu
	RoleGateway  Role = "gateway"  // online predictions
)

// Roles are all roles, as the local stack runs them.
var Roles = []Role{RoleWorkflow, RoleCPU, RoleGPU, RoleGateway}

// ParseRoles reads a comma-separated list.
func ParseRoles(text string) ([]Role, error) {
	var roles []Role
	for _, name := range strings.Split(text, ",") {
		role := Role(strings.TrimSpace(name))
		if role == "console" {
			return nil, fmt.Errorf("role %q is not available yet; read dossiers with `starter dossier ID -f dossier.html`", role)
		}
		if !slices.Contains(Roles, role) {
			return nil, fmt.Errorf("unknown role %q; expected some of %s", name, joinRoles(Roles))
		}
		if !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	return roles, nil
}

func joinRoles(roles []Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

// Config says what a worker process does and with what.
type Config struct {
	Roles          []Role
	Address        string // Temporal frontend; empty takes Temporal's own settings
	Namespace      string
	Store          string // folder of the artifact store
	Keys           string // folder of the key that signs the chain
	Spool          string // folder of the gateway's open log segments
	Scratch        string // folder for temporary files
	GPUs           string // auto, none, N or cpu:N
	Slots          int    // activities at once on the CPU queue
	MemoryBytes    int64  // bound of one table operation
	Threads        int    // processors of one table operation
	GatewayAddress string
	MetricsAddress string // "" serves no metrics
	Logger         *slog.Logger
	// Ready is called once everything listens and polls.
	Ready func(Addresses)
}

// Addresses are where a running process listens.
type Addresses struct {
	Gateway string // URL, "" without that role
	Metrics string // URL, "" without metrics
}

// Defaults is a configuration for a worker beside a local stack.
func Defaults() Config {
	return Config{
		Roles: Roles, Namespace: "default",
		Store: ".assay/store", Keys: ".assay/keys", Spool: ".assay/spool", Scratch: "",
		GPUs: "auto", Slots: max(2, runtime.NumCPU()), MemoryBytes: 512 << 20, Threads: min(4, runtime.NumCPU()),
		GatewayAddress: "127.0.0.1:8080", MetricsAddress: "127.0.0.1:9090",
		Logger: slog.Default(),
	}
}

// Flags adds the flags that a worker and a local stack share.
func (c *Config) Flags(f *pflag.FlagSet) {
	f.StringVar(&c.GPUs, "gpus", c.GPUs, "devices for training: auto (nvidia-smi), none, N, or cpu:N simulated ones")
	f.IntVar(&c.Slots, "slots", c.Slots, "activities at once on the CPU queue")
	f.Int64Var(&c.MemoryBytes, "memory", c.MemoryBytes, "bytes of memory one table operation may take before it spills to disk")
	f.IntVar(&c.Threads, "threads", c.Threads, "processors one table operation may use")
	f.StringVar(&c.Scratch, "scratch", c.Scratch, "folder for temporary files (default: the system's; of a local stack: scratch in its state folder)")
	f.StringVar(&c.GatewayAddress, "gateway-address", c.GatewayAddress, "where the gateway listens")
	f.StringVar(&c.MetricsAddress, "metrics-address", c.MetricsAddress, "where metrics are served; empty: nowhere")
}
