package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
)

// trained is the loan dossier as it is when the requester's own program trained the model on two devices, and a sweep of
// sixty trials chose its parameters.
func trained(t *testing.T) Dossier {
	t.Helper()
	d := loan(t)
	d.Warnings = nil
	h100 := device.Device{Name: "NVIDIA H100 80GB HBM3", UUID: "GPU-1", MemoryBytes: 85_520_809_984}
	second := h100
	second.Index, second.UUID = 1, "GPU-2"
	packages := make([]string, 0, 143)
	for i := range 143 {
		packages = append(packages, fmt.Sprintf("package-%03d==%d.%d.0", i, i%7, i%11))
	}
	m := &d.Training
	m.Kind, m.Trainer, m.Fit, m.Device = model.KindServed, spec.TrainerCommand, model.Fit{}, nil
	m.Parameters = spec.Parameters{
		"learning_rate": spec.Number(0.0031622776601683794), "depth": spec.Number(6), "optimizer": spec.Text("adamw"),
		"epochs": spec.Number(40), "amp": spec.Truth(true), "note": spec.Text(""),
	}
	m.Program = &model.Program{
		Run: []string{"python", "train.py", "--data dir", "it's"}, Path: "/usr/bin/python3.12", Executable: artifact.Sum([]byte("python")),
		Code: ref("code", 48_213), Interpreter: "Python 3.12.3", Packages: packages, Output: ref("output", 9_000), OutputData: ref("files", 120_000),
		Resumed: []string{"attempt 2 resumed from checkpoint 12 (epoch 12)", "attempt 3 resumed from checkpoint 24 (epoch 24)."},
	}
	m.Devices = []device.Device{h100, second}
	m.DeviceUse = &model.DeviceUse{PeakMemoryBytes: 41_200_000_000, Utilisation: 0.873, Samples: 1204}
	d.Curves = trainingCurves()
	for _, c := range d.Curves {
		metric := model.Metric{Name: c.Name, Least: math.Inf(1), Most: math.Inf(-1), Count: len(c.Points)}
		for _, p := range c.Points {
			metric.Last, metric.Least, metric.Most = p.Value, min(metric.Least, p.Value), max(metric.Most, p.Value)
		}
		m.Metrics = append(m.Metrics, metric)
	}
	d.Sweep = trials(60)
	d.Usage = []stage.StageUsage{
		{Stage: stage.Ingest, Usage: stage.Usage{CPUSeconds: 1.4}},
		{Stage: stage.Validate, Usage: stage.Usage{CPUSeconds: 0.2}},
		{Stage: stage.Prepare},
		{Stage: stage.Train, Usage: stage.Usage{CPUSeconds: 31_200, GPUSeconds: 48_240, PeakMemoryBytes: 12_300_000_000}},
		{Stage: stage.Evaluate, Usage: stage.Usage{CPUSeconds: 410, PeakMemoryBytes: 900_000_000}},
	}
	return d
}

// trainingCurves are eight metrics over forty epochs, in the order of their names.
func trainingCurves() []model.Curve {
	random := rand.New(rand.NewPCG(3, 5))
	curve := func(name string, from, to, speed float64) model.Curve {
		c := model.Curve{Name: name}
		for epoch := range 40 {
			v := (to + (from-to)*math.Exp(-speed*float64(epoch))) * (1 + 0.01*random.NormFloat64())
			c.Points = append(c.Points, model.Point{Step: float64(epoch + 1), Value: v})
		}
		return c
	}
	return []model.Curve{
		curve("epoch_seconds", 30, 28, 0.1), curve("grad_norm", 90_000, 0.4, 0.9), curve("learning_rate", 0.003, 0.00001, 0.1),
		curve("train_loss", 0.69, 0.28, 0.2), curve("tokens_per_second", 182_000, 190_000, 0.5), curve("val_accuracy", 0.5, 0.83, 0.3),
		curve("val_auc", 0.52, 0.912, 0.25), curve("val_loss", 0.7, 0.39, 0.25),
	}
}

// trials is a sweep of n trials over two numbers and a text; every seventh fails and every fourth is stopped.
func trials(n int) *search.Report {
	random := rand.New(rand.NewPCG(9, 13))
	r := &search.Report{
		Method: spec.SweepASHA, Metric: "val_auc", Goal: spec.SweepMaximize, Budget: fmt.Sprintf("%d trials, 20 hours of devices", n),
		Started: n, Reason: fmt.Sprintf("all %d trials are started", n),
	}
	best := 0.0
	for i := range n {
		rate, depth := math.Pow(10, -5+4*random.Float64()), float64(2+random.IntN(8))
		value := 0.912 - 0.06*math.Pow(math.Log10(rate)+2.5, 2) - 0.004*math.Abs(depth-6) + 0.004*random.NormFloat64()
		record := search.TrialRecord{
			Trial: search.Trial(i + 1), Outcome: search.OutcomeFinished, Value: &value, Resource: 40, Seconds: 640 + 30*random.Float64(),
			CPUSeconds: 500, GPUSeconds: 1280, Model: "sha256:0123456789ab",
			Parameters: spec.Parameters{"learning_rate": spec.Number(rate), "depth": spec.Number(depth), "optimizer": spec.Text([]string{"adamw", "sgd"}[i%2])},
		}
		switch {
		case i%7 == 6:
			record.Outcome, record.Value, record.Reason, record.Seconds = search.OutcomeFailed, nil, "the program ended with exit status 1", 3
			r.Failed++
		case i%4 == 3:
			worse := value - 0.05
			record.Outcome, record.Value, record.Resource, record.Reason = search.OutcomeStopped, &worse, 9, "worse than two thirds at epoch 9"
			r.Stopped++
		default:
			r.Finished++
			if value > best {
				best, r.Chosen = value, record.Trial
			}
		}
		r.Trials = append(r.Trials, record)
	}
	return r
}

// hostileProgram is a dossier whose program reports whatever it can think of: names that try to be markup, values at the
// ends of what numbers hold, curves of no, one and equal points, and ten thousand trials over twenty parameters.
func hostileProgram(t *testing.T) Dossier {
	t.Helper()
	d := trained(t)
	long := strings.Repeat("averylongnamewithoutanyblank", 40)
	m := &d.Training
	m.Trainer, m.Kind = script, script
	m.Program.Run = []string{script, long, "", "a b"}
	m.Program.Path, m.Program.Interpreter = "/"+long+script, script+long
	m.Program.Resumed = []string{script, "", long}
	m.Devices[0].Name = script
	m.DeviceUse = &model.DeviceUse{PeakMemoryBytes: math.MaxInt64, Utilisation: 1e300, Samples: -1}
	m.Program.Packages = []string{script, long}
	for i := range 3000 {
		m.Program.Packages = append(m.Program.Packages, fmt.Sprintf("%s%d", script, i))
	}
	m.Parameters = spec.Parameters{script: spec.Text(script), long: spec.Text(long), "huge": spec.Number(math.MaxFloat64), "least": spec.Number(math.SmallestNonzeroFloat64)}
	for i := range 200 {
		m.Parameters[fmt.Sprintf("p%d", i)] = spec.Number(float64(i))
		m.Metrics = append(m.Metrics, model.Metric{Name: long, Last: -math.MaxFloat64, Least: -math.MaxFloat64, Most: math.MaxFloat64, Count: i})
	}
	d.Curves = []model.Curve{
		{Name: "empty"}, {}, {Name: "loss once " + script, Points: []model.Point{{Step: 1, Value: 2}}},
		{Name: "loss huge", Points: []model.Point{{Step: -math.MaxFloat64, Value: -math.MaxFloat64}, {Step: math.MaxFloat64, Value: math.MaxFloat64}}},
		{Name: "loss tiny", Points: []model.Point{{Step: 0, Value: math.SmallestNonzeroFloat64}, {Step: math.SmallestNonzeroFloat64, Value: 0}}},
		{Name: "loss wide", Points: []model.Point{{Step: 1, Value: math.MaxFloat64}, {Step: 1, Value: math.SmallestNonzeroFloat64}}},
		{Name: "loss constant", Points: []model.Point{{Step: 1, Value: -7e22}, {Step: 2, Value: -7e22}}},
		{Name: long, Points: []model.Point{{Step: 1, Value: 1}}},
	}
	steps := model.Curve{Name: "loss of " + long}
	for i := range 20_000 {
		steps.Points = append(steps.Points, model.Point{Step: float64(i), Value: math.Sin(float64(i)) * 1e17})
	}
	d.Curves = append(d.Curves, steps)

	d.Sweep = trials(10_000)
	d.Sweep.Metric, d.Sweep.Reason, d.Sweep.Budget, d.Sweep.Method, d.Sweep.Goal = script+long, script, script, script, "minimize"
	for i := range d.Sweep.Trials {
		r := &d.Sweep.Trials[i]
		r.Reason = fmt.Sprintf("%s%d", script, i%20)
		r.Parameters[script] = spec.Text(fmt.Sprint(script, long[:100], i%2))
		r.Parameters[long[:100]] = spec.Number(math.Ldexp(1, i%2000-1000))
		for k := range 15 {
			r.Parameters[fmt.Sprintf("p%d", k)] = spec.Number(float64(i % (k + 2)))
		}
		if i%1000 == 0 && r.Value != nil {
			*r.Value = math.MaxFloat64
		}
	}
	d.Usage = []stage.StageUsage{
		{Stage: script, Usage: stage.Usage{CPUSeconds: math.MaxFloat64, GPUSeconds: 0.01, PeakMemoryBytes: math.MaxInt64}},
		{Usage: stage.Usage{CPUSeconds: math.MaxFloat64, GPUSeconds: -1}},
	}
	return d
}
