package model

import (
	"runtime"
	"runtime/debug"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/spec"
)

// Manifest says where a model came from: data, parameters, how the training ended, on what it ran. It is stored beside
// the model, never inside it: Device and Environment may differ between two runs whose model bytes are equal. It holds
// no times; two runs on the same machine and device give equal manifests.
type Manifest struct {
	Kind           string          `json:"kind"` // of the model, e.g. KindLogistic
	Trainer        string          `json:"trainer"`
	TrainerVersion string          `json:"trainer_version"` // raised whenever equal input may give other model bytes
	Model          artifact.Ref    `json:"model"`
	Target         string          `json:"target"`
	Positive       string          `json:"positive"`
	Features       []string        `json:"features"`
	Parameters     spec.Parameters `json:"parameters"` // as used, defaults filled in
	Seed           int64           `json:"seed"`       // of all randomness in training; the logistic trainer uses none
	Training       Data            `json:"training"`
	Validation     *Data           `json:"validation,omitempty"`
	Fit            Fit             `json:"fit"`
	Device         *device.Device  `json:"device,omitempty"` // the accelerator held while training; absent on a CPU worker
	Environment    Environment     `json:"environment"`
	Warnings       []string        `json:"warnings,omitempty"` // what a reviewer should know, in sentences
}

// Data is a set of rows that took part.
type Data struct {
	Ref  artifact.Ref `json:"ref,omitzero"`
	Rows int          `json:"rows"`
}

// Fit is how an optimisation ended.
type Fit struct {
	Iterations   int     `json:"iterations"`
	Objective    float64 `json:"objective"`     // final value, divided by the sum of weights
	GradientNorm float64 `json:"gradient_norm"` // largest absolute entry of the objective's gradient there
	Converged    bool    `json:"converged"`     // GradientNorm fell below the tolerance
}

// Environment is the program that trained.
type Environment struct {
	Go    string `json:"go"`
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	Assay string `json:"assay"` // module version, and the commit when the build knows it
}

// CurrentEnvironment describes the running program.
func CurrentEnvironment() Environment {
	return Environment{Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Assay: assayVersion()}
}

func assayVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return version + " " + s.Value
		}
	}
	return version
}
