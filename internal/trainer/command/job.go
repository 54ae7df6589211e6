// Package command trains a model with a user's own program, under the conventions of SageMaker's script mode: the
// program finds data, parameters and folders through its environment and arguments, prints its progress, and leaves the
// model in a folder.
//
// A training survives its worker. Whatever the program leaves in its checkpoint folder is copied to the store whole, and
// the next attempt, on this host or another, begins with the last whole copy. Only one attempt at a time may publish:
// each takes a lease in the store when it begins, and one that finds it taken by a later attempt ends without effect.
package command

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
)

// Job is one attempt at a training.
type Job struct {
	Command    spec.Command
	Parameters spec.Parameters
	Code       artifact.Ref // artifact.Folder
	Training   artifact.Ref // tables
	Validation artifact.Ref // zero when there is none
	Columns    []string     // what the program sees of them: features, target, weight
	Target     spec.Target
	Classes    []string // of a multiclass target, in the order in which its scores are wanted
	Weight     string   // a column, or ""
	Seed       int64
	Devices    []device.Device

	// Execution names the training over all its attempts. Its checkpoints and its lease are kept under it.
	Execution string
	Attempt   int32     // from 1
	Begun     time.Time // when the attempt was handed out, by the clock of whoever hands them out: later attempts have later times

	Watch    Watch
	Observer Observer
}

// Watch finds in the output how far a trial of a sweep has come; the zero value finds nothing.
type Watch struct {
	Metric string // name of the metric that is optimised
	By     string // field of the output that counts resources; "" counts the reports of the metric
}

// Observer is told what happens meanwhile, from one goroutine at a time. Its fields may be nil.
type Observer struct {
	Progress func(stage.TrainingProgress)
	// Reached is called with each report of the metric that is watched. Resources grow.
	Reached func(resource int, value float64)
}

// Runner is what a worker runs jobs with.
type Runner struct {
	Store   artifact.Store
	Policy  program.Policy
	Limits  table.Limits
	Scratch string // folder for working folders; "" is the system's for temporary files
	Logger  *slog.Logger
	// Stop is closed when the worker stops: programs then get their grace, as far as the worker has it, and their
	// last checkpoint is kept. nil never stops.
	Stop <-chan struct{}
	// StopGrace bounds the grace when the worker stops.
	StopGrace time.Duration

	every time.Duration // how often the checkpoint folder and the clock are looked at; 0: lookEvery
}

// Bounds on what a program may leave behind.
const (
	mostModelFiles  = 10_000
	mostModelBytes  = 64 << 30
	mostOutputFiles = 1_000
	mostOutputBytes = 1 << 30
)

// layout is the working folder of one attempt.
type layout struct {
	root, code, train, validation, config, model, output, checkpoints string
}

// newLayout makes the folders. code is made when the code is fetched.
func newLayout(scratch string, withValidation bool) (layout, error) {
	root, err := os.MkdirTemp(scratch, "assay-train-")
	if err != nil {
		return layout{}, fmt.Errorf("make a working folder for the program: %w; choose another with --scratch", err)
	}
	l := layout{
		root: root, code: filepath.Join(root, "code"), train: filepath.Join(root, "input", "data", "train"),
		config: filepath.Join(root, "input", "config"), model: filepath.Join(root, "model"),
		output: filepath.Join(root, "output", "data"), checkpoints: filepath.Join(root, "checkpoints"),
	}
	folders := []string{l.train, l.config, l.model, l.output, filepath.Join(root, "home"), filepath.Join(root, "tmp")}
	if withValidation {
		l.validation = filepath.Join(root, "input", "data", "validation")
		folders = append(folders, l.validation)
	}
	for _, folder := range folders {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return layout{}, errors.Join(fmt.Errorf("make a working folder for the program: %w", err), os.RemoveAll(root))
		}
	}
	return l, nil
}
