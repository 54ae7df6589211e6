package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/internal/trainer/command"
	"go.temporal.io/sdk/activity"
)

// Package stores the user's code as it is now: that of the training, and that of their own metrics.
func (d *Data) Package(ctx context.Context, in stage.PackageInput) (stage.Packaged, error) {
	defer attend(ctx)()
	s, err := loadSpec(ctx, d.Store, in.Spec)
	if err != nil {
		return stage.Packaged{}, err
	}
	var packaged stage.Packaged
	var stored []string
	if s.Train.Command != nil {
		ref, folder, err := command.Pack(ctx, d.Store, s.Train.Command.Code)
		if err != nil {
			return stage.Packaged{}, err
		}
		packaged.Code = ref
		stored = append(stored, fmt.Sprintf("code %s of %d files", ref.Digest.Short(), len(folder.Files)))
	}
	for _, m := range s.Evaluate.Metrics {
		ref, folder, err := command.Pack(ctx, d.Store, m.Code)
		if err != nil {
			return stage.Packaged{}, fmt.Errorf("metric %s: %w", m.Name, err)
		}
		if packaged.Metrics == nil {
			packaged.Metrics = map[string]artifact.Ref{}
		}
		packaged.Metrics[m.Name] = ref
		stored = append(stored, fmt.Sprintf("metric %s, %s of %d files", m.Name, ref.Digest.Short(), len(folder.Files)))
	}
	if stored == nil {
		return stage.Packaged{}, fmt.Errorf("store the user's code: the spec has neither train.command nor evaluate.metrics")
	}
	packaged.Summary = strings.Join(stored, ", ")
	return packaged, nil
}

// runProgram trains with the user's own program.
func (t *Training) runProgram(ctx context.Context, s *spec.Spec, parts table.Prepared, in stage.TrainInput, p spec.Parameters) (stage.Trained, error) {
	held, release, err := t.hold(ctx)
	if err != nil {
		return stage.Trained{}, err
	}
	defer release()
	info := activity.GetInfo(ctx)
	job := command.Job{
		Command: *s.Train.Command, Parameters: p, Code: in.Code, Training: parts.Train, Validation: parts.Validation,
		Target: s.Data.Target, Classes: parts.Classes, Weight: weightOf(s, parts), Seed: s.Data.Split.Seed, Devices: held,
		Execution: strings.Join([]string{info.WorkflowExecution.ID, info.WorkflowExecution.RunID, info.ActivityID}, " "),
		Attempt:   info.Attempt, Begun: info.StartedTime, Watch: watchOf(s, in.Trial),
	}
	for _, f := range parts.Features {
		job.Columns = append(job.Columns, f.Name)
	}
	job.Columns = append(job.Columns, s.Data.Target.Column)
	if job.Weight != "" {
		job.Columns = append(job.Columns, job.Weight)
	}
	watch := newTrainingWatch(ctx, t, s, in.Trial, held)
	job.Observer = command.Observer{Progress: watch.progress, Reached: watch.reached}
	stop := watch.start()
	run := t.Programs
	run.Stop = activity.GetWorkerStopChannel(ctx)
	res, err := run.Run(ctx, job)
	use := stop()
	if err != nil {
		// A failure of its own, such as the worker's stop, comes again; only a stop asked for by the sweep is an answer.
		var failure *command.Failure
		if ctx.Err() != nil && in.Trial != nil && !errors.As(err, &failure) && !errors.Is(context.Cause(ctx), activity.ErrActivityPaused) {
			return stage.Trained{}, &stoppedTrial{stage.Trained{Answer: stage.Answer{Usage: res.Usage}, Metric: finite(res.Value), Resource: res.Resource, Reason: "stopped"}}
		}
		return stage.Trained{}, err
	}
	return t.fileProgram(ctx, s, parts, job, res, use, in)
}

// stoppedTrial is a trial that its sweep has stopped: what it had reached is its answer, and no other asks for it.
type stoppedTrial struct{ reached stage.Trained }

func (*stoppedTrial) Error() string { return "the trial was stopped" }

// watchOf is what a sweep wants to know of a trial's output.
func watchOf(s *spec.Spec, trial *stage.Trial) command.Watch {
	if trial == nil || s.Train.Sweep == nil {
		return command.Watch{}
	}
	w := command.Watch{Metric: s.Train.Sweep.Metric}
	if e := s.Train.Sweep.EarlyStop; e != nil {
		w.By = e.By
	}
	return w
}

// fileProgram stores the model that a program left, and where it came from.
func (t *Training) fileProgram(ctx context.Context, s *spec.Spec, parts table.Prepared, job command.Job, res command.Result, use *model.DeviceUse, in stage.TrainInput) (stage.Trained, error) {
	schema, err := t.schema(ctx, s, parts)
	if err != nil {
		return stage.Trained{}, err
	}
	served := model.Served{Kind: model.KindServed, Format: model.ServedFormat, Inputs: schema, Files: res.Files, Code: in.Code, Serve: *s.Serve}
	encoded, err := served.Encode()
	if err != nil {
		return stage.Trained{}, err
	}
	ref, err := t.Store.Put(ctx, bytes.NewReader(encoded), artifact.MediaModel)
	if err != nil {
		return stage.Trained{}, err
	}
	m := model.Manifest{
		Kind: model.KindServed, Trainer: spec.TrainerCommand, TrainerVersion: "1", Model: ref,
		Target: schema.Target, Positive: schema.Positive, Task: schema.Task, Classes: schema.Classes, Features: featureNames(parts), Parameters: job.Parameters, Seed: job.Seed,
		Training: model.Data{Ref: parts.Train, Rows: int(parts.Rows.Train)},
		Program:  &res.Program, Metrics: res.Metrics, Curves: res.Curves, DeviceUse: use,
		Environment: model.CurrentEnvironment(), Warnings: res.Warnings,
	}
	if !parts.Validation.IsZero() {
		m.Validation = &model.Data{Ref: parts.Validation, Rows: int(parts.Rows.Validation)}
	}
	m.Device, m.Devices = heldDevices(job.Devices)
	manifest, err := artifact.PutJSON(ctx, t.Store, artifact.MediaJSON, m)
	if err != nil {
		return stage.Trained{}, err
	}
	trained := stage.Trained{
		Answer: stage.Answer{Summary: programSummary(job, res, parts), Usage: res.Usage},
		Model:  ref, Manifest: manifest, Metric: finite(res.Value), Resource: res.Resource, Host: t.Host,
	}
	switch {
	case job.Watch.Metric == "" || trained.Metric != nil:
	case res.Value != nil:
		trained.Reason = fmt.Sprintf("the metric %q was %g at the end; expected a finite number", job.Watch.Metric, *res.Value)
	default:
		trained.Reason = missingMetric(job.Watch.Metric, res.Metrics)
	}
	return trained, nil
}

// finite is nil for what JSON, and so a message between activity and workflow, cannot hold.
func finite(value *float64) *float64 {
	if value == nil || math.IsNaN(*value) || math.IsInf(*value, 0) {
		return nil
	}
	return value
}

// missingMetric tells which metrics there were instead.
func missingMetric(name string, reported []model.Metric) string {
	if len(reported) == 0 {
		return fmt.Sprintf("the metric %q never appeared in the output, and no other did; print JSON lines such as {%q: 0.9}, or add train.command.metric_definitions", name, name)
	}
	names := make([]string, len(reported))
	for i, m := range reported {
		names[i] = m.Name
	}
	return fmt.Sprintf("the metric %q never appeared in the output; the program reported %s", name, table.Listed(names))
}

func programSummary(job command.Job, res command.Result, parts table.Prepared) string {
	summary := fmt.Sprintf("%s on %d rows, %d features", strings.Join(job.Command.Run, " "), parts.Rows.Train, len(parts.Features))
	for i, m := range res.Metrics {
		if i == 4 {
			break
		}
		summary += fmt.Sprintf(", %s %.4g", m.Name, m.Last)
	}
	summary += ", on " + deviceName(job.Devices)
	if n := len(res.Program.Resumed); n > 0 {
		summary += "; " + res.Program.Resumed[n-1]
	}
	return summary
}

func featureNames(parts table.Prepared) []string {
	names := make([]string, len(parts.Features))
	for i, f := range parts.Features {
		names[i] = f.Name
	}
	return names
}

// schema is what the model takes. Prepare has made sure that a binary target has two values.
func (t *Training) schema(ctx context.Context, s *spec.Spec, parts table.Prepared) (model.Schema, error) {
	out := model.Schema{Target: s.Data.Target.Column, Positive: s.Data.Target.Positive, Task: stats.Task(s.Data.Target.Task), Classes: parts.Classes}
	for _, f := range parts.Features {
		out.Features = append(out.Features, model.Feature{Name: f.Name, Kind: f.Kind})
	}
	if out.TaskOf() != stats.Binary {
		return out, nil
	}
	target, err := table.ReadFrame(ctx, t.Store, parts.Train, []table.Wanted{{Name: s.Data.Target.Column, Kind: table.Categorical}}, t.Limits)
	if err != nil {
		return out, err
	}
	for _, level := range target.Columns[0].Levels {
		if level != out.Positive {
			out.Negative = level
		}
	}
	return out, nil
}

// heldDevices is how a manifest names them: the first, and all where there are several.
func heldDevices(devices []device.Device) (*device.Device, []device.Device) {
	switch len(devices) {
	case 0:
		return nil, nil
	case 1:
		return &devices[0], nil
	}
	return &devices[0], devices
}

// withTrial gives the parameters of a training: those of the spec, overridden by the trial's.
func withTrial(p spec.Parameters, trial *stage.Trial) spec.Parameters {
	out := maps.Clone(p)
	if trial == nil {
		return out
	}
	if out == nil {
		out = spec.Parameters{}
	}
	maps.Copy(out, trial.Parameters)
	return out
}

// trainingWatch passes on what a training tells of itself: to heartbeats, metrics, the workflow, and the sweep.
type trainingWatch struct {
	ctx     context.Context
	t       *Training
	model   string
	trial   *stage.Trial
	looks   *spec.EarlyStop
	devices []device.Device

	mu       sync.Mutex
	latest   stage.TrainingProgress
	nextTell time.Time
	spacing  time.Duration
	nextLook int
	use      model.DeviceUse
	sum      float64
}

// firstTold is how long a training runs before its workflow hears of its progress; every further word comes after twice
// the time, because each stays in the history.
const firstTold = 10 * time.Second

func newTrainingWatch(ctx context.Context, t *Training, s *spec.Spec, trial *stage.Trial, devices []device.Device) *trainingWatch {
	w := &trainingWatch{ctx: ctx, t: t, model: s.Model, trial: trial, devices: devices, spacing: firstTold, nextTell: time.Now().Add(firstTold)}
	if trial != nil && s.Train.Sweep != nil && s.Train.Sweep.EarlyStop != nil {
		w.looks = s.Train.Sweep.EarlyStop
		w.nextLook = w.looks.First
	}
	return w
}

// start sends heartbeats and samples devices until the function it returns is called, which gives the devices' use.
// Heartbeats say that this process attends to the program; that the program itself goes on is watched by package
// command, which ends one that is silent.
func (w *trainingWatch) start() func() *model.DeviceUse {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				w.mu.Lock()
				latest := w.latest
				w.mu.Unlock()
				activity.RecordHeartbeat(w.ctx, latest)
			}
		}
	})
	if _, real := heldReal(w.devices); real > 0 {
		wg.Go(func() { w.sample(done, real) })
	}
	return func() *model.DeviceUse {
		close(done)
		wg.Wait()
		w.t.Metrics.forget(w.model)
		if w.use.Samples == 0 {
			return nil
		}
		w.use.Utilisation = w.sum / float64(w.use.Samples)
		return &w.use
	}
}

func heldReal(devices []device.Device) (all, real int) {
	for _, d := range devices {
		if !d.Simulated {
			real++
		}
	}
	return len(devices), real
}

// sampleEvery is how often the driver is asked.
const sampleEvery = 5 * time.Second

func (w *trainingWatch) sample(done <-chan struct{}, real int) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		loads, err := device.Sample(w.ctx, w.devices)
		if err != nil {
			activity.GetLogger(w.ctx).Debug("the devices' load is not known", "error", err)
		}
		var memory int64
		var busy float64
		for _, l := range loads {
			memory += l.MemoryBytes
			busy += l.Utilisation
			w.t.Metrics.device(l)
		}
		if len(loads) > 0 {
			w.use.PeakMemoryBytes = max(w.use.PeakMemoryBytes, memory)
			w.sum += busy / float64(real)
			w.use.Samples++
		}
		select {
		case <-done:
			return
		case <-tick.C:
		}
	}
}

// progress is told by the program's attendant, once a second.
func (w *trainingWatch) progress(p stage.TrainingProgress) {
	w.t.Metrics.training(w.model, p)
	w.mu.Lock()
	w.latest = p
	tell := w.trial == nil && p.Text != "" && time.Now().After(w.nextTell)
	if tell {
		w.spacing *= 2
		w.nextTell = time.Now().Add(w.spacing)
	}
	w.mu.Unlock()
	if tell {
		w.signal(stage.SignalProgress, p)
	}
}

// reached tells the sweep of the metric where early stopping looks.
func (w *trainingWatch) reached(resource int, value float64) {
	if w.looks == nil || resource < w.nextLook || finite(&value) == nil { // a trial that ends like that fails
		return
	}
	for resource >= w.nextLook {
		w.nextLook *= max(w.looks.Factor, 2)
	}
	w.signal(stage.SignalTrial, stage.TrialReport{Trial: w.trial.Number, Resource: resource, Value: value})
}

// signal tells the workflow. What is lost is only news: a sweep that misses a report judges the trial at the next one.
func (w *trainingWatch) signal(name string, payload any) {
	if w.t.Tell == nil {
		return
	}
	ctx, done := context.WithTimeout(w.ctx, 10*time.Second)
	defer done()
	execution := activity.GetInfo(w.ctx).WorkflowExecution
	if err := w.t.Tell(ctx, execution.ID, name, payload); err != nil && w.ctx.Err() == nil {
		activity.GetLogger(w.ctx).Warn("the workflow was not told of the training's progress", "error", err)
	}
}
