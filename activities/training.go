package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/internal/trainer"
	"github.com/assay-ml/assay/internal/trainer/command"
	"go.temporal.io/sdk/activity"
)

// trainParams are what a model depends on. Where and how long a program may run is not among them.
type trainParams struct {
	Prepared artifact.Ref  `json:"prepared"`
	Train    spec.Train    `json:"train"`
	Target   spec.Target   `json:"target"`
	Weight   string        `json:"weight"` // of the spec; a weight that was computed stands in Prepared
	Code     artifact.Ref  `json:"code,omitzero"`
	Serve    *spec.Serve   `json:"serve,omitempty"`
	Watch    command.Watch `json:"watch,omitzero"`

	// Of private training: what is declared of the columns, and the data set that pays for it.
	Expect []spec.Expectation `json:"expect,omitempty"`
	Budget *spec.Budget       `json:"budget,omitempty"`
}

func trainParamsOf(s *spec.Spec, in stage.TrainInput, p spec.Parameters) trainParams {
	train := s.Train
	train.Parameters, train.Sweep, train.Priority, train.Team = p, nil, 0, ""
	if train.Command != nil {
		c := *train.Command
		c.Code, c.TimeLimit, c.Silence, c.Grace, c.Retry = "", 0, 0, 0, spec.Retry{} // in.Code names the code by digest
		train.Command = &c
	}
	params := trainParams{in.Prepared, train, s.Data.Target, s.Data.Weight, in.Code, s.Serve, watchOf(s, in.Trial), nil, nil}
	if train.Private != nil {
		params.Expect, params.Budget = s.Data.Expect, s.Privacy.Budget
	}
	return params
}

// Train trains the spec's model, or a trial of its sweep, on the training part. On a GPU worker it holds a job's devices
// of the pool meanwhile.
func (t *Training) Train(ctx context.Context, in stage.TrainInput) (stage.Trained, error) {
	s, err := loadSpec(ctx, t.Store, in.Spec)
	if err != nil {
		return stage.Trained{}, err
	}
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, t.Store, in.Prepared, &parts); err != nil {
		return stage.Trained{}, err
	}
	p := withTrial(s.Train.Parameters, in.Trial)
	trained, err := stored(ctx, t.Store, stage.Train, versionTrain, trainParamsOf(s, in, p), func() (stage.Trained, error) {
		if s.Train.Trainer == spec.TrainerCommand {
			return t.runProgram(ctx, s, parts, in, p)
		}
		return t.train(ctx, s, parts, in, p)
	})
	var stopped *stoppedTrial
	if errors.As(err, &stopped) {
		return stopped.reached, nil
	}
	return trained, err
}

// train uses a built-in trainer.
func (t *Training) train(ctx context.Context, s *spec.Spec, parts table.Prepared, in stage.TrainInput, p spec.Parameters) (stage.Trained, error) {
	held, release, err := t.hold(ctx)
	if err != nil {
		return stage.Trained{}, err
	}
	defer release()
	began := time.Now()
	run, err := trainer.New(s.Train.Trainer)
	if err != nil {
		return stage.Trained{}, err
	}
	settings, err := trainer.SettingsOf(p)
	if err != nil {
		return stage.Trained{}, err
	}
	stop := attend(ctx)
	frame, err := table.ReadFrame(ctx, t.Store, parts.Train, trainingColumns(s, parts), t.Limits)
	stop()
	if err != nil {
		return stage.Trained{}, err
	}
	names := featureNames(parts)
	first, all := heldDevices(held)
	beat := newBeat(ctx)
	input := trainer.Input{
		Frame: frame, Features: names, Target: s.Data.Target.Column, Positive: s.Data.Target.Positive, Weight: weightOf(s, parts),
		Settings: settings, Seed: s.Data.Split.Seed, Device: first,
		Training: parts.Train, Validation: parts.Validation, ValidationRows: int(parts.Rows.Validation),
	}
	var out trainer.Output
	if s.Train.Private == nil {
		out, err = run.Train(ctx, input, func(p trainer.Progress) { beat.progress(p) })
	} else {
		out, err = t.trainPrivately(ctx, s, in, input, func(p trainer.Progress) { beat.progress(p) })
	}
	if err != nil {
		return stage.Trained{}, err
	}
	model, err := t.Store.Put(ctx, bytes.NewReader(out.Model), artifact.MediaModel)
	if err != nil {
		return stage.Trained{}, err
	}
	out.Manifest.Model, out.Manifest.Devices = model, all
	trained := stage.Trained{Model: model}
	if in.Trial != nil {
		if err := t.validate(ctx, s, parts, out, &trained); err != nil {
			return stage.Trained{}, err
		}
	}
	if trained.Manifest, err = artifact.PutJSON(ctx, t.Store, artifact.MediaJSON, out.Manifest); err != nil {
		return stage.Trained{}, err
	}
	fit := out.Manifest.Fit
	trained.Summary = fmt.Sprintf("%s on %d rows, %d features, %d iterations, on %s", s.Train.Trainer, frame.Rows, len(names), fit.Iterations, deviceName(held))
	switch p := out.Manifest.Privacy; {
	case p != nil:
		trained.Summary += fmt.Sprintf("; private: epsilon %.3g at delta %.3g", p.Epsilon, p.Delta)
	case !fit.Converged:
		trained.Summary += "; it did not converge"
	}
	trained.Usage.GPUSeconds = time.Since(began).Seconds() * float64(len(held))
	return trained, nil
}

// validate gives a trial of a built-in trainer its metric, from the validation part.
func (t *Training) validate(ctx context.Context, s *spec.Spec, parts table.Prepared, out trainer.Output, trained *stage.Trained) error {
	stop := attend(ctx)
	defer stop()
	frame, err := table.ReadFrame(ctx, t.Store, parts.Validation, trainingColumns(s, parts), t.Limits)
	if err != nil {
		return err
	}
	scores, err := out.Predictor.Predict(ctx, frame)
	if err != nil {
		return fmt.Errorf("score the validation part: %w", err)
	}
	y, err := positives(frame, s.Data.Target)
	if err != nil {
		return err
	}
	found, err := stats.Points(stats.Sample{Y: y, Score: scores}, *s.Evaluate.Threshold)
	if err != nil {
		return err
	}
	if value, ok := found[strings.TrimPrefix(s.Train.Sweep.Metric, "validation_")]; ok {
		trained.Metric = &value
		return nil
	}
	trained.Reason = fmt.Sprintf("the metric %q has no value on the validation part", s.Train.Sweep.Metric)
	return nil
}

// hold takes a job's devices from the pool, or none on a CPU worker.
func (t *Training) hold(ctx context.Context) ([]device.Device, func(), error) {
	if t.Devices == nil {
		return nil, func() {}, nil
	}
	stop := attend(ctx)
	defer stop()
	held, release, err := t.Devices.Acquire(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("take a device: %w", err)
	}
	for _, d := range held {
		activity.GetLogger(ctx).Info("training holds a device", "device", d.Name, "index", d.Index, "simulated", d.Simulated)
	}
	return held, release, nil
}

func deviceName(held []device.Device) string {
	switch {
	case len(held) == 0:
		return "CPU"
	case len(held) > 1 && held[0].Simulated:
		return fmt.Sprintf("%d simulated devices", len(held))
	case len(held) > 1:
		return fmt.Sprintf("%d x %s", len(held), held[0].Name)
	case held[0].Simulated:
		return "a simulated device"
	default:
		return held[0].Name
	}
}

// trainingColumns are the features, the target as a name, and the weights.
func trainingColumns(s *spec.Spec, parts table.Prepared) []table.Wanted {
	columns := featureColumns(parts)
	columns = append(columns, table.Wanted{Name: s.Data.Target.Column, Kind: table.Categorical})
	if weight := weightOf(s, parts); weight != "" {
		columns = append(columns, table.Wanted{Name: weight, Kind: table.Numeric})
	}
	return columns
}

// weightOf is the column of weights to learn with: one that was computed, or the spec's.
func weightOf(s *spec.Spec, parts table.Prepared) string {
	if parts.Weight != "" {
		return parts.Weight
	}
	return s.Data.Weight
}

func featureColumns(parts table.Prepared) []table.Wanted {
	var columns []table.Wanted
	for _, f := range parts.Features {
		columns = append(columns, table.Wanted{Name: f.Name, Kind: f.Kind})
	}
	return columns
}

// positives reads a binary target. Prepare has made sure that it is there and has two values.
func positives(f *table.Frame, target spec.Target) ([]bool, error) {
	c, err := f.Column(target.Column)
	if err != nil {
		return nil, err
	}
	y := make([]bool, f.Rows)
	for i := range y {
		text, present := c.Text(i)
		if !present {
			return nil, fmt.Errorf("read labels: the target %q is missing in row %d of the part", target.Column, i+1)
		}
		y[i] = text == target.Positive
	}
	return y, nil
}
