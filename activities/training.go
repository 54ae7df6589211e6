package activities

import (
	"bytes"
	"context"
	"fmt"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/internal/trainer"
	"go.temporal.io/sdk/activity"
)

// Train trains the spec's model on the training part. On a GPU worker it holds one device of the pool meanwhile.
func (t *Training) Train(ctx context.Context, in stage.TrainInput) (stage.Trained, error) {
	s, err := loadSpec(ctx, t.Store, in.Spec)
	if err != nil {
		return stage.Trained{}, err
	}
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, t.Store, in.Prepared, &parts); err != nil {
		return stage.Trained{}, err
	}
	params := struct {
		Prepared artifact.Ref `json:"prepared"`
		Train    spec.Train   `json:"train"`
		Target   spec.Target  `json:"target"`
		Weight   string       `json:"weight"`
	}{in.Prepared, s.Train, s.Data.Target, s.Data.Weight}
	return stored(ctx, t.Store, stage.Train, versionTrain, params, func() (stage.Trained, error) {
		return t.train(ctx, s, parts)
	})
}

func (t *Training) train(ctx context.Context, s *spec.Spec, parts table.Prepared) (stage.Trained, error) {
	held, release, err := t.hold(ctx)
	if err != nil {
		return stage.Trained{}, err
	}
	defer release()
	run, err := trainer.New(s.Train.Trainer)
	if err != nil {
		return stage.Trained{}, err
	}
	stop := attend(ctx)
	frame, err := table.ReadFrame(ctx, t.Store, parts.Train, trainingColumns(s, parts), t.Limits)
	stop()
	if err != nil {
		return stage.Trained{}, err
	}
	names := make([]string, len(parts.Features))
	for i, f := range parts.Features {
		names[i] = f.Name
	}
	beat := newBeat(ctx)
	out, err := run.Train(ctx, trainer.Input{
		Frame: frame, Features: names, Target: s.Data.Target.Column, Positive: s.Data.Target.Positive, Weight: s.Data.Weight,
		Parameters: s.Train.Parameters, Seed: s.Data.Split.Seed, Device: held,
		Training: parts.Train, Validation: parts.Validation, ValidationRows: int(parts.Rows.Validation),
	}, func(p trainer.Progress) { beat.progress(p) })
	if err != nil {
		return stage.Trained{}, err
	}
	model, err := t.Store.Put(ctx, bytes.NewReader(out.Model), artifact.MediaModel)
	if err != nil {
		return stage.Trained{}, err
	}
	out.Manifest.Model = model
	manifest, err := artifact.PutJSON(ctx, t.Store, artifact.MediaJSON, out.Manifest)
	if err != nil {
		return stage.Trained{}, err
	}
	fit := out.Manifest.Fit
	summary := fmt.Sprintf("%s on %d rows, %d features, %d iterations, on %s", s.Train.Trainer, frame.Rows, len(names), fit.Iterations, deviceName(held))
	if !fit.Converged {
		summary += "; it did not converge"
	}
	return stage.Trained{Answer: stage.Answer{Summary: summary}, Model: model, Manifest: manifest}, nil
}

// hold takes a device from the pool, or none on a CPU worker.
func (t *Training) hold(ctx context.Context) (*device.Device, func(), error) {
	if t.Devices == nil {
		return nil, func() {}, nil
	}
	d, release, err := t.Devices.Acquire(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("take a device: %w", err)
	}
	activity.GetLogger(ctx).Info("training holds a device", "device", d.Name, "index", d.Index, "simulated", d.Simulated)
	return &d, release, nil
}

func deviceName(d *device.Device) string {
	switch {
	case d == nil:
		return "CPU"
	case d.Simulated:
		return "a simulated device"
	default:
		return d.Name
	}
}

// trainingColumns are the features, the target as a name, and the weights.
func trainingColumns(s *spec.Spec, parts table.Prepared) []table.Wanted {
	columns := featureColumns(parts)
	columns = append(columns, table.Wanted{Name: s.Data.Target.Column, Kind: table.Categorical})
	if s.Data.Weight != "" {
		columns = append(columns, table.Wanted{Name: s.Data.Weight, Kind: table.Numeric})
	}
	return columns
}

func featureColumns(parts table.Prepared) []table.Wanted {
	var columns []table.Wanted
	for _, f := range parts.Features {
		columns = append(columns, table.Wanted{Name: f.Name, Kind: f.Kind})
	}
	return columns
}
