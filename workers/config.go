// Package workers runs Assay's processes: the workers of each task queue and the gateway, alone or together.
package workers

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/program"
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
	GPUsPerJob     int    // devices of one training job: which queue is served
	Host           string // name of this host, for the queue of steps that want files that are here; "" serves none
	Programs       program.Policy
	Slots          int   // activities at once on the CPU queue
	MemoryBytes    int64 // bound of one table operation
	Threads        int   // processors of one table operation
	GatewayAddress string
	MetricsAddress string // "" serves no metrics
	Logger         *slog.Logger
	LogLevel       slog.Level // from which lines are logged, for whoever makes Logger
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
		GPUs: "auto", GPUsPerJob: 1, Host: hostName(), Slots: max(2, runtime.NumCPU()), MemoryBytes: 512 << 20, Threads: min(4, runtime.NumCPU()),
		GatewayAddress: "127.0.0.1:8080", MetricsAddress: "127.0.0.1:9090",
		Logger: slog.Default(),
	}
}

// hostName is the machine's name where it can be part of a queue's name.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || len(name) > 63 {
		return ""
	}
	return name
}

// Flags adds the flags that a worker and a local stack share.
func (c *Config) Flags(f *pflag.FlagSet) {
	f.StringVar(&c.GPUs, "gpus", c.GPUs, "devices for training: auto (nvidia-smi), none, N, or cpu:N simulated ones")
	f.IntVar(&c.GPUsPerJob, "gpus-per-job", c.GPUsPerJob, "devices of one training job: this worker serves the queue of jobs with train.gpus of that number")
	f.StringVar(&c.Host, "host", c.Host, "name of this host's own queue, for steps that want files that are here already; empty: none")
	c.programFlags(f)
	f.IntVar(&c.Slots, "slots", c.Slots, "activities at once on the CPU queue")
	f.Int64Var(&c.MemoryBytes, "memory", c.MemoryBytes, "bytes of memory one table operation may take before it spills to disk")
	f.IntVar(&c.Threads, "threads", c.Threads, "processors one table operation may use")
	f.StringVar(&c.Scratch, "scratch", c.Scratch, "folder for temporary files (default: the system's; of a local stack: scratch in its state folder)")
	f.StringVar(&c.GatewayAddress, "gateway-address", c.GatewayAddress, "where the gateway listens")
	f.TextVar(&c.LogLevel, "log-level", c.LogLevel, "least level that is logged: debug (with the output of users' servers), info, warn or error")
	f.StringVar(&c.MetricsAddress, "metrics-address", c.MetricsAddress, "where metrics are served; empty: nowhere")
}

// programFlags are the limits of users' own training and serving programs.
func (c *Config) programFlags(f *pflag.FlagSet) {
	p := &c.Programs
	f.StringSliceVar(&p.Allowed, "allow-programs", p.Allowed, "programs that specs may run: absolute paths (with * patterns), names looked up in PATH, or code for executables in the code folder; none unless given")
	f.StringSliceVar(&p.PassEnv, "pass-env", p.PassEnv, "environment variables of this worker that programs get too, by name; otherwise they get none")
	f.Int64Var(&p.MemoryBytes, "program-memory", p.MemoryBytes, "bytes of memory a program with its children may take; 0: no limit")
	f.IntVar(&p.CPUs, "program-cpus", p.CPUs, "processors a program may use; 0: all")
	f.DurationVar(&p.WallTime, "program-time", p.WallTime, "longest time of one run of a training program; 0: the spec's limit alone")
	f.Int64Var(&p.DiskBytes, "program-disk", p.DiskBytes, "bytes a program's working folder may take; 0: no limit")
	f.IntVar(&p.Processes, "program-processes", p.Processes, "processes a program may have at once; 0: no limit")
}
