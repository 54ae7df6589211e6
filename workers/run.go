package workers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/assay-ml/assay/activities"
	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/chain"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/gateway"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/ownmetric"
	"github.com/assay-ml/assay/internal/serve"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/internal/trainer/command"
	"github.com/assay-ml/assay/workflows"
	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"golang.org/x/sync/errgroup"
)

// stopping is how long work in progress may take to end when the process is asked to stop.
const stopping = 10 * time.Second

// beatsPassed is how often heartbeats of an activity go to the server at most.
const beatsPassed = 3 * time.Second

// Run does what cfg says until ctx ends or a part fails. Parts stop in the order gateway, workers.
func Run(ctx context.Context, cfg Config) error {
	p := &process{cfg: cfg, registry: newRegistry()}
	defer p.close()
	if err := p.open(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	if p.metricsListener != nil {
		group.Go(func() error { return serveMetrics(ctx, p.metricsListener, p.registry) })
	}
	if p.gateway != nil {
		group.Go(func() error { return p.serveGateway(ctx) })
	}
	for _, w := range p.workers {
		if err := w.Start(); err != nil {
			stop()
			return errors.Join(fmt.Errorf("start a worker: %w", err), group.Wait()) // the gateway has logs to seal
		}
		defer w.Stop()
	}
	if cfg.Ready != nil {
		cfg.Ready(p.addresses())
	}
	group.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case err := <-p.fatal:
			return fmt.Errorf("a worker stopped: %w", err)
		}
	})
	return group.Wait()
}

// process holds the parts of a running worker process.
type process struct {
	cfg             Config
	registry        *prometheus.Registry
	store           artifact.Store
	client          client.Client
	workers         []worker.Worker
	gateway         *gateway.Gateway
	gatewayListener net.Listener
	metricsListener net.Listener
	fatal           chan error
}

func (p *process) has(r Role) bool { return slices.Contains(p.cfg.Roles, r) }

// open makes everything that can fail before the first task is taken.
func (p *process) open(ctx context.Context) error {
	p.fatal = make(chan error, len(Roles))
	store, err := artifact.OpenDir(p.cfg.Store)
	if err != nil {
		return err
	}
	p.store = store
	if p.metricsListener, err = listen(p.cfg.MetricsAddress, "--metrics-address"); err != nil {
		return err
	}
	if p.has(RoleGateway) {
		if err := p.openGateway(); err != nil {
			return err
		}
	}
	if !p.has(RoleWorkflow) && !p.has(RoleCPU) && !p.has(RoleGPU) {
		return nil
	}
	if err := p.dial(ctx); err != nil {
		return err
	}
	return p.openWorkers(ctx)
}

func (p *process) openWorkers(ctx context.Context) error {
	options := worker.Options{
		WorkerStopTimeout: stopping,
		Interceptors:      []interceptor.WorkerInterceptor{activities.NewInterceptor(p.registry)},
		OnFatalError:      func(err error) { p.fatal <- err },
		// A training's progress is in its heartbeats: people who look at it want it as it is now.
		MaxHeartbeatThrottleInterval: beatsPassed,
	}
	if p.has(RoleWorkflow) {
		w := worker.New(p.client, workflows.TaskQueue, options)
		workflows.Register(w)
		p.workers = append(p.workers, w)
		registerWaiting(p.registry, p.client, p.cfg.Logger)
	}
	if !p.has(RoleCPU) && !p.has(RoleGPU) {
		return nil
	}
	w := p.newWork()
	if p.has(RoleCPU) {
		if err := p.openCPU(options, w); err != nil {
			return err
		}
	}
	if p.has(RoleGPU) {
		if err := p.openGPU(ctx, options, w); err != nil {
			return err
		}
	}
	p.openHost(options, w)
	return nil
}

// work is what the activities of several queues share.
type work struct {
	limits   table.Limits
	training activities.Training // without devices
	audit    *activities.Audit
}

func (p *process) newWork() work {
	limits := table.Limits{MemoryBytes: p.cfg.MemoryBytes, Threads: p.cfg.Threads, TempDir: p.cfg.Scratch}
	w := work{limits: limits}
	w.training = activities.Training{
		Store: p.store, Limits: limits, Metrics: activities.NewTrainingMetrics(p.registry),
		Programs: command.Runner{
			Store: p.store, Policy: p.cfg.Programs, Limits: limits, Scratch: p.cfg.Scratch, Logger: p.cfg.Logger, StopGrace: stopping - 2*time.Second,
		},
		Tell: func(ctx context.Context, workflowID, signal string, payload any) error {
			return p.client.SignalWorkflow(ctx, workflowID, "", signal, payload)
		},
	}
	if p.cfg.Host != "" {
		w.training.Host = workflows.HostTaskQueue(p.cfg.Host)
	}
	w.audit = &activities.Audit{
		Store: p.store, Limits: limits, Verdicts: activities.NewVerdicts(p.registry), Alarms: activities.NewTestSetAlarms(p.registry), Models: p.models(),
		Programs: ownmetric.Runner{Store: p.store, Policy: p.cfg.Programs, Scratch: p.cfg.Scratch, Logger: p.cfg.Logger},
	}
	return w
}

// models opens models of any kind, also those that a user's program answers for.
func (p *process) models() *serve.Loader {
	return &serve.Loader{Store: p.store, Policy: p.cfg.Programs, Scratch: p.cfg.Scratch, Logger: p.cfg.Logger}
}

func (p *process) openCPU(options worker.Options, w work) error {
	signer, err := chain.LoadOrCreateKey(p.cfg.Keys)
	if err != nil {
		return err
	}
	control := &activities.Control{Store: p.store, Temporal: p.client}
	w.audit.Signer, w.training.Signer = signer, signer
	does := activities.CPU{
		Data:      &activities.Data{Store: p.store, Limits: w.limits},
		Training:  &w.training,
		Audit:     w.audit,
		Registry:  &activities.Registry{Store: p.store, Signer: signer, Running: control.LifecycleRunning},
		Watching:  &activities.Watching{Store: p.store, Signer: signer, Metrics: activities.NewWatchMetrics(p.registry)},
		Control:   control,
		Reviewers: &activities.Reviewers{Logger: p.cfg.Logger},
	}
	options.DisableWorkflowWorker = true
	documents := worker.New(p.client, workflows.TaskQueueControl, options)
	does.RegisterControl(documents)
	options.MaxConcurrentActivityExecutionSize = p.cfg.Slots
	computing := worker.New(p.client, workflows.TaskQueueCPU, options)
	does.RegisterComputing(computing)
	p.workers = append(p.workers, documents, computing)
	return nil
}

// openGPU polls the queue of its kind of jobs only when there are devices: a task taken without one would wait here while
// another worker is free.
func (p *process) openGPU(ctx context.Context, options worker.Options, w work) error {
	pool, err := device.Parse(ctx, p.cfg.GPUs)
	if err != nil {
		return err
	}
	if pool, err = pool.PerJob(p.cfg.GPUsPerJob); err != nil {
		return err
	}
	registerDevices(p.registry, pool)
	queue := workflows.GPUTaskQueue(pool.JobDevices())
	if pool.Size() == 0 {
		p.cfg.Logger.Info("no devices: training on the queue "+queue+" is left to other workers", "gpus", p.cfg.GPUs, "found", pool.Origin())
		return nil
	}
	options.DisableWorkflowWorker = true
	options.MaxConcurrentActivityExecutionSize = pool.Jobs()
	options.MaxConcurrentActivityTaskPollers = 2
	training := w.training
	training.Devices = pool
	gpu := worker.New(p.client, queue, options)
	training.Register(gpu)
	p.workers = append(p.workers, gpu)
	return nil
}

// openHost polls this host's own queue, for steps that want a model's files where they are.
func (p *process) openHost(options worker.Options, w work) {
	if w.training.Host == "" {
		return
	}
	options.DisableWorkflowWorker = true
	options.MaxConcurrentActivityExecutionSize = p.cfg.Slots
	near := worker.New(p.client, w.training.Host, options)
	w.audit.RegisterOnHost(near)
	p.workers = append(p.workers, near)
}

func (p *process) dial(ctx context.Context) error {
	options := client.Options{HostPort: p.cfg.Address, Namespace: p.cfg.Namespace}
	var err error
	if p.cfg.Address == "" {
		if options, err = envconfig.LoadDefaultClientOptions(); err != nil {
			return fmt.Errorf("read Temporal's connection settings: %w; look at TEMPORAL_ADDRESS and temporal.toml", err)
		}
	}
	if options.HostPort == "" {
		options.HostPort = client.DefaultHostPort
	}
	if options.MetricsHandler, err = sdkMetrics(p.registry, p.cfg.Logger); err != nil {
		return err
	}
	options.Logger = log.NewStructuredLogger(p.cfg.Logger)
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if p.client, err = client.DialContext(ctx, options); err != nil {
		return fmt.Errorf("connect to Temporal at %s: %w; start a server, or set TEMPORAL_ADDRESS", options.HostPort, err)
	}
	return nil
}

func (p *process) openGateway() error {
	var err error
	if p.gatewayListener, err = listen(p.cfg.GatewayAddress, "--gateway-address"); err != nil {
		return err
	}
	models := p.models()
	p.gateway, err = gateway.New(gateway.Config{
		Source: gateway.Registry(p.store, func(ctx context.Context, ref artifact.Ref) (model.Predictor, error) { return models.Open(ctx, ref) }), Store: p.store, Spool: p.cfg.Spool,
		Logger: p.cfg.Logger, Registerer: p.registry,
	})
	return err
}

// serveGateway follows the registry and answers until ctx ends, then finishes the requests in flight and seals the logs.
func (p *process) serveGateway(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.gateway.Run(ctx) })
	group.Go(func() error { return p.gateway.Serve(ctx, p.gatewayListener, stopping) })
	return group.Wait()
}

func (p *process) addresses() Addresses {
	var a Addresses
	if p.gatewayListener != nil {
		a.Gateway = "http://" + p.gatewayListener.Addr().String()
	}
	if p.metricsListener != nil {
		a.Metrics = "http://" + p.metricsListener.Addr().String() + "/metrics"
	}
	return a
}

func (p *process) close() {
	for _, l := range []net.Listener{p.gatewayListener, p.metricsListener} {
		if l != nil {
			l.Close()
		}
	}
	if p.client != nil {
		p.client.Close()
	}
}

// listen takes an address, or nothing for "". A port in use is named with the flag that changes it.
func listen(address, flag string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	return gateway.Listen(address, flag)
}
