package stage

import (
	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/spec"
)

// PackageInput names the spec whose training code is stored.
type PackageInput struct {
	Spec artifact.Ref `json:"spec"`
}

// Packaged is the training code as it was when the lifecycle began.
type Packaged struct {
	Answer
	Code    artifact.Ref            `json:"code"`              // artifact.Folder; zero when a built-in trainer trains
	Metrics map[string]artifact.Ref `json:"metrics,omitempty"` // the same of the user's own metrics, by name
}

// TrainInput names the parts to train on.
type TrainInput struct {
	Spec     artifact.Ref `json:"spec"`
	Prepared artifact.Ref `json:"prepared"`
	Code     artifact.Ref `json:"code,omitzero"` // of trainer command
	Trial    *Trial       `json:"trial,omitempty"`
}

// Trial is one training of a sweep.
type Trial struct {
	Number     int             `json:"number"`
	Parameters spec.Parameters `json:"parameters"` // override those of the spec
}

// Trained is a candidate model.
type Trained struct {
	Answer
	Model    artifact.Ref `json:"model"`
	Manifest artifact.Ref `json:"manifest"`
	Metric   *float64     `json:"metric,omitempty"`   // of a trial: the sweep's metric, nil when it never appeared
	Resource int          `json:"resource,omitempty"` // of a trial: how far it came, as the sweep counts
	Reason   string       `json:"reason,omitempty"`   // of a trial: why it gave no model
	Host     string       `json:"host,omitempty"`     // task queue of the host that has the model's files
}

// Refs are the blobs the answer needs.
func (a Trained) Refs() []artifact.Ref { return []artifact.Ref{a.Model, a.Manifest} }

// ErrorPrivacyBudget is the type of the error with which a training ends that the data set's budget of privacy does not allow. It is
// public API: never renamed.
const ErrorPrivacyBudget = "PrivacyBudgetRefused"

// Signals that a training sends to its workflow. They are public API: never renamed.
const (
	SignalProgress = "progress" // to a Lifecycle: a TrainingProgress
	SignalTrial    = "trial"    // to a Sweep: a TrialReport
)

// TrainingProgress is how far a training has come: what heartbeats carry, and what is sent to the workflow now and then.
type TrainingProgress struct {
	Step       float64            `json:"step"`            // what the program called step, epoch or iteration; otherwise its reports counted
	Total      float64            `json:"total,omitempty"` // the step at which it will be done, when the program says so
	Metrics    map[string]float64 `json:"metrics,omitempty"`
	Attempt    int32              `json:"attempt"`
	Checkpoint string             `json:"checkpoint,omitempty"` // the last one in the store, for people
	Text       string             `json:"text"`                 // one line for people
}

// TrialReport tells a sweep how far a running trial has come.
type TrialReport struct {
	Trial    int     `json:"trial"`
	Resource int     `json:"resource"`
	Value    float64 `json:"value"`
}

// TrialsInput asks for records of trials to be filed; they are linked to those filed before.
type TrialsInput struct {
	Sweep    string               `json:"sweep"` // workflow id
	Previous artifact.Ref         `json:"previous,omitzero"`
	Trials   []search.TrialRecord `json:"trials"`
}

// FiledTrials is the last of the linked pages.
type FiledTrials struct {
	Page artifact.Ref `json:"page"`
}

// SweepReportInput asks for the report of a sweep that has ended.
type SweepReportInput struct {
	Page   artifact.Ref  `json:"page,omitzero"`
	Report search.Report `json:"report"` // without the trials, which the pages hold
}

// SweptReport is what a sweep found, stored.
type SweptReport struct {
	Answer
	Report artifact.Ref `json:"report"` // JSON of a search.Report
}
