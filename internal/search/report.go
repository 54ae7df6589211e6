package search

import "github.com/assay-ml/assay/internal/spec"

// Report is what a dossier says about a search.
type Report struct {
	Method   string        `json:"method"`
	Metric   string        `json:"metric"`
	Goal     string        `json:"goal"`             // maximize or minimize
	Budget   string        `json:"budget"`           // in words, as Search.Budget gives it
	Trials   []TrialRecord `json:"trials,omitempty"` // in the order of their numbers
	Chosen   Trial         `json:"chosen"`           // 0: none
	Started  int           `json:"started"`
	Finished int           `json:"finished"`
	Failed   int           `json:"failed"`
	Stopped  int           `json:"stopped"`
	Reason   string        `json:"reason"` // why the search ended
}

// Outcomes of a trial.
const (
	OutcomeFinished = "finished" // ran to its end and has a value
	OutcomeStopped  = "stopped"  // ended early, worse than others at the same point
	OutcomeFailed   = "failed"   // ended without a model, or its metric was not a finite number
)

// TrialRecord is one trial of a report.
type TrialRecord struct {
	Trial      Trial           `json:"trial"`
	Parameters spec.Parameters `json:"parameters"`
	Outcome    string          `json:"outcome"`            // finished, stopped or failed
	Value      *float64        `json:"value,omitempty"`    // of the metric; nil: none was reported
	Resource   int             `json:"resource,omitempty"` // the last one reported, such as epochs done
	Reason     string          `json:"reason,omitempty"`   // why it was stopped or failed
	Seconds    float64         `json:"seconds"`            // from start to end
	CPUSeconds float64         `json:"cpu_seconds"`        // processor time of all its processes
	GPUSeconds float64         `json:"gpu_seconds,omitempty"`
	Model      string          `json:"model,omitempty"` // short digest of what it trained
}
