// Package activities does the work that workflows order: each activity reads refs, calls one of the packages under
// internal, and leaves refs. The structs' fields are their dependencies; nothing is global.
//
// Effects are idempotent. A computing stage is keyed by its inputs, parameters and version, and its answer is put into
// the store once: an identical stage, whether a retry, another lifecycle or a restart after a kill, finds it there.
package activities

import (
	"context"
	"log/slog"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/chain"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/ownmetric"
	"github.com/assay-ml/assay/internal/serve"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/internal/trainer/command"
	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

// Versions of the stages. Raise one when the stage would answer differently for the same inputs: answers under the old
// version are then no longer used.
const (
	versionIngest   = 1
	versionValidate = 2
	versionPrepare  = 2
	versionReweigh  = 1
	versionTrain    = 1
	versionCut      = 1
	versionEvaluate = 2
	versionFairness = 4
	versionExplain  = 3
	versionPrivacy  = 3
	versionGate     = 4
)

// Data reads, checks and prepares tables.
type Data struct {
	Store  artifact.Store
	Limits table.Limits
}

// Training trains candidates, on a device of the pool when there is one.
type Training struct {
	Store    artifact.Store
	Limits   table.Limits
	Devices  *device.Pool   // nil on a CPU worker
	Programs command.Runner // for users' own programs
	Host     string         // task queue of this host, "" when it has none
	Metrics  *TrainingMetrics
	Signer   *chain.Key // of the worker; nil on a host's own and on device queues
	// Tell signals a workflow; nil tells nothing.
	Tell func(ctx context.Context, workflowID, signal string, payload any) error
}

// Audit measures a candidate and answers the gate's conditions.
type Audit struct {
	Store    artifact.Store
	Limits   table.Limits
	Signer   *chain.Key             // of the steps taken from test sets; nil on a host's own queue, which takes none
	Verdicts *prometheus.CounterVec // see NewVerdicts
	Alarms   *prometheus.CounterVec // see NewTestSetAlarms
	Models   *serve.Loader
	Programs ownmetric.Runner // of users' own metrics
}

// Registry keeps versions, the champion and the chain.
type Registry struct {
	Store   artifact.Store
	Signer  *chain.Key
	Running func(ctx context.Context, workflowID string) (bool, error) // whether a workflow has not ended
}

// Watching observes what the gateway answered.
type Watching struct {
	Store   artifact.Store
	Signer  *chain.Key
	Metrics *WatchMetrics
}

// Control starts and tells other workflows.
type Control struct {
	Store    artifact.Store
	Temporal client.Client
}

// Reviewers tells people that something waits for them.
type Reviewers struct{ Logger *slog.Logger }

// CPU is what the role cpu does: computing on the queue assay-cpu, documents on the queue assay-control.
type CPU struct {
	Data      *Data
	Training  *Training
	Audit     *Audit
	Registry  *Registry
	Watching  *Watching
	Control   *Control
	Reviewers *Reviewers
}

// RegisterComputing makes the activities of the queue assay-cpu known to a worker under their public names.
func (c CPU) RegisterComputing(r worker.ActivityRegistry) {
	register(r, map[string]any{
		stage.ActivityIngest: c.Data.Ingest, stage.ActivityValidate: c.Data.Validate, stage.ActivityPrepare: c.Data.Prepare,
		stage.ActivityPackage:  c.Data.Package,
		stage.ActivityReweigh:  c.Data.Reweigh,
		stage.ActivityTrain:    c.Training.Train,
		stage.ActivityCut:      c.Audit.ChooseThresholds,
		stage.ActivityEvaluate: c.Audit.Evaluate, stage.ActivityFairness: c.Audit.Fairness, stage.ActivityExplain: c.Audit.Explain,
		stage.ActivityPrivacy: c.Audit.Privacy, stage.ActivityGate: c.Audit.Gate, stage.ActivityDossier: c.Audit.Dossier,
		stage.ActivityScoreChampion: c.Audit.ScoreChampion, stage.ActivityAskLabels: c.Audit.AskLabels,
		stage.ActivityCheckDrift: c.Watching.CheckDrift,
	})
}

// RegisterControl does the same for the queue assay-control.
func (c CPU) RegisterControl(r worker.ActivityRegistry) {
	register(r, map[string]any{
		stage.ActivityAdmit:      c.Data.Admit,
		stage.ActivityUnseal:     c.Audit.Unseal,
		stage.ActivityFileTrials: c.Audit.FileTrials, stage.ActivityReportSweep: c.Audit.ReportSweep,
		stage.ActivityRegister: c.Registry.Register, stage.ActivityRecord: c.Registry.Record, stage.ActivityChampion: c.Registry.Champion,
		stage.ActivitySetTraffic: c.Registry.SetTraffic, stage.ActivityPromote: c.Registry.Promote, stage.ActivityRollBack: c.Registry.RollBack,
		stage.ActivityObserve:     c.Watching.Observe,
		stage.ActivityTellMonitor: c.Control.TellMonitor, stage.ActivityStartRetraining: c.Control.StartRetraining, stage.ActivityLifecycleRunning: c.Control.LifecycleRunning,
		stage.ActivityAnnounce: c.Reviewers.Announce,
	})
}

func register(r worker.ActivityRegistry, byName map[string]any) {
	for name, f := range byName {
		r.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
}

// RegisterOnHost makes the activities that want a model's files known to a worker of its host's queue.
func (a *Audit) RegisterOnHost(r worker.ActivityRegistry) {
	register(r, map[string]any{stage.ActivityCut: a.ChooseThresholds, stage.ActivityEvaluate: a.Evaluate, stage.ActivityExplain: a.Explain})
}

// Register makes training known to a worker of a queue for jobs with devices, which does nothing else.
func (t *Training) Register(r worker.ActivityRegistry) {
	r.RegisterActivityWithOptions(t.Train, activity.RegisterOptions{Name: stage.ActivityTrain})
}

// loadSpec reads a spec that Admit stored.
func loadSpec(ctx context.Context, s artifact.Store, ref artifact.Ref) (*spec.Spec, error) {
	b, err := artifact.ReadAll(ctx, s, ref)
	if err != nil {
		return nil, err
	}
	return spec.ParseJSON(b)
}

// stored answers a stage from the store, or computes the answer and stores it. The first of several attempts to publish
// wins, and the others return its answer.
func stored[A any, P interface {
	*A
	FromStore()
	Spend(stage.Usage)
}](ctx context.Context, s artifact.Store, name stage.Name, version int, params any, compute func() (A, error)) (A, error) {
	var answer A
	key, err := artifact.NewStageKey(string(name), version, params)
	if err != nil {
		return answer, err
	}
	found, err := artifact.Lookup(ctx, s, key, &answer)
	if err != nil {
		return answer, err
	}
	if found {
		P(&answer).FromStore()
		return answer, nil
	}
	if answer, err = compute(); err != nil {
		return answer, err
	}
	P(&answer).Spend(stage.Usage{CPUSeconds: cpuSeconds(ctx)})
	return artifact.Publish(ctx, s, key, answer)
}
