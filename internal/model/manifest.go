package model

import (
	"runtime"
	"runtime/debug"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
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
	Positive       string          `json:"positive"`          // of a binary model, otherwise ""
	Task           stats.Task      `json:"task,omitempty"`    // "" is binary
	Classes        []string        `json:"classes,omitempty"` // multiclass: in the order of the scores
	Features       []string        `json:"features"`
	Parameters     spec.Parameters `json:"parameters"` // as used, defaults filled in
	Seed           int64           `json:"seed"`       // of all randomness in training; the logistic trainer uses none
	Training       Data            `json:"training"`
	Validation     *Data           `json:"validation,omitempty"`
	Fit            Fit             `json:"fit,omitzero"`      // of the built-in trainers
	Program        *Program        `json:"program,omitempty"` // of trainer command
	Privacy        *Privacy        `json:"privacy,omitempty"` // of a differentially private training
	Metrics        []Metric        `json:"metrics,omitempty"` // what training reported, sorted by name
	Curves         artifact.Ref    `json:"curves,omitzero"`   // JSON of []Curve: how the metrics went
	DeviceUse      *DeviceUse      `json:"device_use,omitempty"`
	Device         *device.Device  `json:"device,omitempty"`  // the accelerator held while training; absent on a CPU worker
	Devices        []device.Device `json:"devices,omitempty"` // all of them, where a job holds several
	Environment    Environment     `json:"environment"`
	Warnings       []string        `json:"warnings,omitempty"` // what a reviewer should know, in sentences
}

// Program is exactly what ran when a user's program trained the model.
type Program struct {
	Run         []string        `json:"run"`                   // as the spec has it
	Path        string          `json:"path"`                  // of the executable on the worker
	Executable  artifact.Digest `json:"executable"`            // of the executable's bytes
	Code        artifact.Ref    `json:"code"`                  // artifact.Folder: the folder the program ran in
	Interpreter string          `json:"interpreter,omitempty"` // name and version, when the program is one that Assay can ask
	Packages    []string        `json:"packages,omitempty"`    // name==version, sorted
	Output      artifact.Ref    `json:"output,omitzero"`       // what it printed, its middle left out when long
	OutputData  artifact.Ref    `json:"output_data,omitzero"`  // artifact.Folder: what it left in SM_OUTPUT_DATA_DIR
	Resumed     []string        `json:"resumed,omitempty"`     // one sentence an attempt that began from a checkpoint
}

// Privacy is the guarantee of a differentially private training: whoever sees the model, and knows every training row
// but one, learns about that one no more than (Epsilon, Delta)-differential privacy allows.
type Privacy struct {
	Mechanism       string   `json:"mechanism"`        // e.g. "dp-sgd: Poisson-subsampled Gaussian"
	Epsilon         float64  `json:"epsilon"`          // nats, what the steps cost at Delta; at most what was asked for
	Delta           float64  `json:"delta"`            // above 0, below 1
	NoiseMultiplier float64  `json:"noise_multiplier"` // standard deviation of the noise over Clip
	SampleRate      float64  `json:"sample_rate"`      // chance of a row to take part in a step
	Steps           int      `json:"steps"`
	Clip            float64  `json:"clip"`          // largest length of one row's gradient
	LearningRate    float64  `json:"learning_rate"` // it costs no privacy
	Order           float64  `json:"order"`         // the Renyi order that gave Epsilon
	Neighbours      string   `json:"neighbours"`    // what two data sets that must look alike differ in
	Randomness      string   `json:"randomness"`    // where the noise comes from
	NotCovered      []string `json:"not_covered"`   // what the guarantee does not speak of, in sentences
}

// Metric is a number that training reported under a name.
type Metric struct {
	Name  string  `json:"name"`
	Last  float64 `json:"last"`
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
	Count int     `json:"count"` // how often it was reported
}

// Curve is how a metric went. Long ones are thinned out evenly; the last point always stands.
type Curve struct {
	Name   string  `json:"name"`
	Points []Point `json:"points"`
}

// Point is a metric's value at a step: what the program called step or epoch, otherwise the count of reports from 1.
type Point struct {
	Step  float64 `json:"step"`
	Value float64 `json:"value"`
}

// DeviceUse is what the driver said of the devices while they were held. It is nil without a real device.
type DeviceUse struct {
	PeakMemoryBytes int64   `json:"peak_memory_bytes"` // largest sum over the devices seen
	Utilisation     float64 `json:"utilisation"`       // mean over samples and devices, 0 to 1
	Samples         int     `json:"samples"`
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
