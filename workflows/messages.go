// Package workflows holds Assay's durable orchestration: Lifecycle, Sweep, Rollout and Monitor.
//
// Nothing here reads a clock, a file or a socket: time comes from the workflow, work is done by activities, and
// decisions are taken by pure state machines (packages review, rollout, retrain and search). Type, signal, update, query and
// error-type names are public API and never renamed; logic that running executions depend on changes only behind
// workflow.GetVersion.
package workflows

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/review"
	"github.com/assay-ml/assay/internal/stage"
	"go.temporal.io/sdk/temporal"
)

// Workflow types.
const (
	LifecycleType = "Lifecycle"
	RolloutType   = "Rollout"
	MonitorType   = "Monitor"
	SweepType     = "Sweep"
)

// Task queues. Workflow tasks go to TaskQueue, activities that compute to TaskQueueCPU and TaskQueueGPU. Those that only
// read or write documents have a queue of their own: a candidate that fails must be withdrawn also while every slot trains.
const (
	TaskQueue        = "assay"
	TaskQueueControl = "assay-control"
	TaskQueueCPU     = "assay-cpu"
	TaskQueueGPU     = "assay-gpu"
)

// GPUTaskQueue is the queue of training jobs that need so many devices each: assay-gpu, assay-gpu-x2, ...
func GPUTaskQueue(devices int) string {
	if devices < 2 {
		return TaskQueueGPU
	}
	return fmt.Sprintf("%s-x%d", TaskQueueGPU, devices)
}

// HostTaskQueue is the queue of one host, for steps that want the files that are there already.
func HostTaskQueue(host string) string { return "assay-host-" + host }

// Signals, updates and queries. SignalDecision and UpdateDecision take the same JSON.
const (
	SignalDecision        = "decision"
	UpdateDecision        = "decision"
	SignalChampionChanged = "champion-changed"
	SignalCheckNow        = "check-now"
	SignalPause           = "pause"
	SignalResume          = "resume"
	SignalLabels          = stage.SignalLabels   // to a Lifecycle: labels it waits for were submitted
	SignalProgress        = stage.SignalProgress // to a Lifecycle: how far its training has come
	SignalTrial           = stage.SignalTrial    // to a Sweep: a running trial's metric
	QueryStatus           = "status"
)

// Error types of failed workflows. Activity error types are those of package activities.
const (
	ErrorInvalidInput    = "InvalidInput"    // the workflow's input is not what its type takes
	ErrorLifecycleFailed = "LifecycleFailed" // a stage failed for good; details hold the Result
	ErrorDecisionRefused = "DecisionRefused" // an update was rejected; the message says why
	ErrorSweepFailed     = "SweepFailed"     // no trial of a sweep gave a model; details hold the ref of its report
)

// Search attributes; "starter setup" registers them on a cluster.
var (
	AttributeModel     = temporal.NewSearchAttributeKeyKeyword("AssayModel")
	AttributeStage     = temporal.NewSearchAttributeKeyKeyword("AssayStage")
	AttributeOutcome   = temporal.NewSearchAttributeKeyKeyword("AssayOutcome")
	AttributeRequester = temporal.NewSearchAttributeKeyKeyword("AssayRequester")
	AttributeVersion   = temporal.NewSearchAttributeKeyInt64("AssayVersion")
)

// LifecycleInput is what a Lifecycle is started with, as plain JSON.
type LifecycleInput struct {
	Spec      json.RawMessage `json:"spec"`
	Requester string          `json:"requester"`
	Trigger   stage.Trigger   `json:"trigger"`
}

// Outcome is how a lifecycle ended.
type Outcome string

const (
	Deployed         Outcome = "deployed"          // the candidate is champion
	Rejected         Outcome = "rejected"          // a reviewer refused it
	ChangesRequested Outcome = "changes_requested" // a reviewer wants something changed first
	Expired          Outcome = "expired"           // no quorum before the deadline
	Gated            Outcome = "gated"             // a check of the data, a gate condition or the canary refused it
	Unchanged        Outcome = "unchanged"         // retraining gave the champion's model again
	Failed           Outcome = "failed"            // a stage could not be done
	Cancelled        Outcome = "cancelled"         // somebody cancelled it
)

// Result is what a Lifecycle answers. Failed and cancelled runs end as failed and cancelled workflows; their Result
// is in the error's details and in the status query.
type Result struct {
	Outcome  Outcome      `json:"outcome"`
	Reason   string       `json:"reason"`
	Model    string       `json:"model,omitempty"`
	Version  int          `json:"version,omitempty"`
	Dossier  artifact.Ref `json:"dossier,omitzero"`
	Page     artifact.Ref `json:"page,omitzero"`
	Verdicts artifact.Ref `json:"verdicts,omitzero"`
}

// StageState says how far a stage has come.
type StageState string

const (
	Waiting StageState = "waiting"
	Running StageState = "running"
	Done    StageState = "done"
	Stopped StageState = "stopped" // it failed or refused; nothing after it is done
)

// StageStatus is one line of a lifecycle's progress.
type StageStatus struct {
	Stage    stage.Name  `json:"stage"`
	State    StageState  `json:"state"`
	Cached   bool        `json:"cached,omitempty"` // answered from the store
	Started  time.Time   `json:"started,omitzero"`
	Finished time.Time   `json:"finished,omitzero"`
	Summary  string      `json:"summary,omitempty"`
	Usage    stage.Usage `json:"usage,omitzero"`
}

// Status answers the status query of a Lifecycle.
type Status struct {
	Lifecycle string        `json:"lifecycle"`
	Model     string        `json:"model,omitempty"`
	Requester string        `json:"requester"`
	Trigger   stage.Trigger `json:"trigger"`
	Stage     stage.Name    `json:"stage"`
	Stages    []StageStatus `json:"stages"`
	Verdict   gate.Verdict  `json:"verdict,omitempty"`
	Sealed    *Sealed       `json:"sealed,omitempty"` // figures of the test set are for some roles only
	Alarm     string        `json:"alarm,omitempty"`  // a new test set is needed
	TestSet   *TestSetUse   `json:"test_set,omitempty"`
	Labels    *LabelsStatus `json:"labels,omitempty"` // set while it waits for labels
	Review    *ReviewStatus `json:"review,omitempty"`
	Sweep     string        `json:"sweep,omitempty"`   // workflow id of the sweep
	Rollout   string        `json:"rollout,omitempty"` // workflow id of the rollout
	Result    *Result       `json:"result,omitempty"`  // set when the lifecycle has ended
	Dossier   artifact.Ref  `json:"dossier,omitzero"`
	Page      artifact.Ref  `json:"page,omitzero"`
	Public    artifact.Ref  `json:"public,omitzero"` // of a sealed dossier: the page without figures
	Verdicts  artifact.Ref  `json:"verdicts,omitzero"`
	Version   int           `json:"version,omitempty"`
}

// Sealed says who may see figures of the test set, so that who asks for candidates cannot fit them to it.
type Sealed struct {
	Verdict bool     `json:"verdict"` // the verdict is sealed as well
	ShowTo  []string `json:"show_to"` // roles
}

// TestSetUse is the step this lifecycle's decision took from its test set.
type TestSetUse struct {
	Step int `json:"step"`
	Of   int `json:"of"`
}

// ReviewStatus says who has decided and who is still needed.
type ReviewStatus struct {
	review.Status
	Refusals []RefusedVote `json:"refusals,omitempty"` // the last ten votes that did not count, with reasons
}

// RefusedVote is a vote that did not count.
type RefusedVote struct {
	Reviewer string    `json:"reviewer,omitempty"`
	Reason   string    `json:"reason"`
	Time     time.Time `json:"time"`
}

// Receipt answers a decision sent as an update.
type Receipt struct {
	review.Effect
	Dossier artifact.Digest `json:"dossier"` // what the decision was bound to
}
