// Package stage names the steps of a lifecycle and the messages between the workflow that orders them and the
// activities that do them. Messages hold refs, counts and sentences; data stays in the store.
package stage

import (
	"encoding/json"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/spec"
)

// Name is a step of a lifecycle.
type Name string

const (
	Admit    Name = "admit" // the spec is read and checked
	Ingest   Name = "ingest"
	Validate Name = "validate"
	Prepare  Name = "prepare"
	Reweigh  Name = "reweigh" // only when the spec asks for it
	Train    Name = "train"
	Cut      Name = "threshold" // only when the spec asks for thresholds by group
	Evaluate Name = "evaluate"
	Fairness Name = "fairness"
	Explain  Name = "explain"
	Privacy  Name = "privacy"
	Gate     Name = "gate"
	Dossier  Name = "dossier"
	Review   Name = "review"
	Register Name = "register"
	Rollout  Name = "rollout"
)

// Order is the order in which a lifecycle goes through its stages; those of Optional only when its plan has them.
var Order = []Name{Admit, Ingest, Validate, Prepare, Reweigh, Train, Cut, Evaluate, Fairness, Explain, Privacy, Gate, Dossier, Review, Register, Rollout}

// Optional are the stages that most lifecycles do not have.
var Optional = []Name{Reweigh, Cut}

// Activity names, as registered with Temporal. They are public API: never renamed.
const (
	ActivityAdmit            = "Admit"
	ActivityPackage          = "Package"
	ActivityIngest           = "Ingest"
	ActivityValidate         = "Validate"
	ActivityPrepare          = "Prepare"
	ActivityReweigh          = "Reweigh"
	ActivityTrain            = "Train"
	ActivityFileTrials       = "FileTrials"
	ActivityReportSweep      = "ReportSweep"
	ActivityCut              = "ChooseThresholds"
	ActivityEvaluate         = "Evaluate"
	ActivityFairness         = "Fairness"
	ActivityExplain          = "Explain"
	ActivityPrivacy          = "Privacy"
	ActivityGate             = "Gate"
	ActivityDossier          = "Dossier"
	ActivityAnnounce         = "Announce"
	ActivityRecord           = "Record"
	ActivityRegister         = "Register"
	ActivityChampion         = "Champion"
	ActivitySetTraffic       = "SetTraffic"
	ActivityObserve          = "Observe"
	ActivityPromote          = "Promote"
	ActivityRollBack         = "RollBack"
	ActivityTellMonitor      = "TellMonitor"
	ActivityCheckDrift       = "CheckDrift"
	ActivityStartRetraining  = "StartRetraining"
	ActivityLifecycleRunning = "LifecycleRunning"
)

// Answer is what every stage reports besides its refs.
type Answer struct {
	Cached  bool   `json:"cached,omitempty"` // answered from the store: an identical stage was done before
	Summary string `json:"summary"`          // one line for people
	Usage   Usage  `json:"usage,omitzero"`   // what computing the answer took; nothing when it came from the store
	Cost    Usage  `json:"cost,omitzero"`    // of an answer from the store: what computing it took back then
}

// Outline is the line and whether the answer came from the store.
func (a Answer) Outline() (summary string, cached bool) { return a.Summary, a.Cached }

// FromStore marks an answer that was not computed anew.
func (a *Answer) FromStore() { a.Cached, a.Cost, a.Usage = true, a.Usage, Usage{} }

// Spent is what computing the answer took.
func (a Answer) Spent() Usage { return a.Usage }

// Spend notes what computing the answer took.
func (a *Answer) Spend(u Usage) { a.Usage = a.Usage.Plus(u) }

// Trigger says why a lifecycle was started.
type Trigger struct {
	Kind   string `json:"kind"` // manual, schedule, drift or data
	Reason string `json:"reason,omitempty"`
	Source string `json:"source,omitempty"` // workflow or schedule that started it
}

// AdmitInput is a spec as it arrived, unchecked.
type AdmitInput struct {
	Spec json.RawMessage `json:"spec"`
}

// Plan is what the workflow itself needs of a checked spec.
type Plan struct {
	Model     string        `json:"model"`
	Owner     string        `json:"owner"`
	Queue     string        `json:"queue"` // cpu or gpu
	GPUs      int           `json:"gpus,omitempty"`
	Priority  int           `json:"priority,omitempty"` // 1 (first) to 5; 0 is the queue's own
	Team      string        `json:"team,omitempty"`
	Program   bool          `json:"program,omitempty"`   // a user's program trains; its code is packaged first
	TimeLimit spec.Duration `json:"time_limit,omitzero"` // of one attempt of such a program
	Sweep     *spec.Sweep   `json:"sweep,omitempty"`
	Metrics   bool          `json:"metrics,omitempty"` // the user has metrics of their own, whose code is packaged first

	// Decides says that conditions are decided from the stored predictions, beside the champion's; false in lifecycles admitted
	// before that was so.
	Decides bool          `json:"decides,omitempty"`
	TestSet *spec.TestSet `json:"test_set,omitempty"`
	Labels  *spec.Labels  `json:"labels,omitempty"`

	Reweighing bool `json:"reweighing,omitempty"` // training rows are weighed first
	Private    bool `json:"private,omitempty"`    // training is private, and may be refused by a budget
	Thresholds bool `json:"thresholds,omitempty"` // each group of a column gets its own

	TestSource   bool         `json:"test_source"`
	Inconclusive string       `json:"inconclusive"`
	Failing      string       `json:"failing,omitempty"` // see spec.Gates; empty is spec.FailingRefused
	Review       spec.Review  `json:"review"`
	Rollout      spec.Rollout `json:"rollout"`
	Monitor      spec.Monitor `json:"monitor"`
	Retrain      spec.Retrain `json:"retrain"`
}

// Admitted is a checked spec, stored.
type Admitted struct {
	Answer
	Spec artifact.Ref `json:"spec"`
	Plan Plan         `json:"plan"`
}

// IngestInput names the spec whose source is read; Test selects the test source.
type IngestInput struct {
	Spec artifact.Ref `json:"spec"`
	Test bool         `json:"test,omitempty"`
}

// Ingested is an immutable snapshot of a source.
type Ingested struct {
	Answer
	Snapshot artifact.Ref `json:"snapshot"` // JSON of a table.Snapshot
	Data     artifact.Ref `json:"data"`     // the rows
	Profile  artifact.Ref `json:"profile"`
	Source   string       `json:"source"`
	Rows     int64        `json:"rows"`
}

// Refs are the blobs the answer needs.
func (a Ingested) Refs() []artifact.Ref { return []artifact.Ref{a.Snapshot, a.Data, a.Profile} }

// ValidateInput names a snapshot to check against the spec's expectations.
type ValidateInput struct {
	Spec     artifact.Ref `json:"spec"`
	Snapshot artifact.Ref `json:"snapshot"`
}

// Validated is the answer to the expectations.
type Validated struct {
	Answer
	Report  artifact.Ref `json:"report"`
	Verdict gate.Verdict `json:"verdict"`
}

// Refs are the blobs the answer needs.
func (a Validated) Refs() []artifact.Ref { return []artifact.Ref{a.Report} }

// PrepareInput names the snapshots to split; TestSnapshot is zero unless the spec has a test source.
type PrepareInput struct {
	Spec         artifact.Ref `json:"spec"`
	Snapshot     artifact.Ref `json:"snapshot"`
	TestSnapshot artifact.Ref `json:"test_snapshot,omitzero"`
}

// Prepared is the data in its parts.
type Prepared struct {
	Answer
	Prepared artifact.Ref   `json:"prepared"` // JSON of a table.Prepared
	Parts    []artifact.Ref `json:"parts"`    // the blobs it names
}

// Refs are the blobs the answer needs.
func (a Prepared) Refs() []artifact.Ref { return append([]artifact.Ref{a.Prepared}, a.Parts...) }

// ReweighInput names the parts whose rows are weighed for training.
type ReweighInput struct {
	Spec     artifact.Ref `json:"spec"`
	Prepared artifact.Ref `json:"prepared"`
}

// Reweighed is the parts with a weight for each row to learn from, and how the weights were found.
type Reweighed struct {
	Prepared
	Report artifact.Ref `json:"report"`
}

// Refs are the blobs the answer needs.
func (a Reweighed) Refs() []artifact.Ref { return append(a.Prepared.Refs(), a.Report) }

// AuditInput names what an audit looks at. Fields an audit does not need may be zero.
type AuditInput struct {
	Spec        artifact.Ref `json:"spec"`
	Prepared    artifact.Ref `json:"prepared"`
	Model       artifact.Ref `json:"model"`
	Predictions artifact.Ref `json:"predictions,omitzero"`
	Champion    Rival        `json:"champion,omitzero"`
	Labels      artifact.Ref `json:"labels,omitzero"` // that people have given since the data was read

	MetricCode map[string]artifact.Ref `json:"metric_code,omitempty"` // folders of the user's own metrics, by name
	Thresholds artifact.Ref            `json:"thresholds,omitzero"`   // JSON of a mitigation.Rule: thresholds by group
}

// Evaluated is the stored predictions on the test part and the metrics computed from them.
type Evaluated struct {
	Answer
	Predictions artifact.Ref `json:"predictions"`
	Report      artifact.Ref `json:"report"`
}

// Refs are the blobs the answer needs.
func (a Evaluated) Refs() []artifact.Ref { return []artifact.Ref{a.Predictions, a.Report} }

// Audited is the report of a fairness, explanation or privacy audit.
type Audited struct {
	Answer
	Report artifact.Ref `json:"report"`
}

// Refs are the blobs the answer needs.
func (a Audited) Refs() []artifact.Ref { return []artifact.Ref{a.Report} }

// Evidence collects the refs of one lifecycle; the dossier and the version manifest are made from it.
type Evidence struct {
	Lifecycle     string       `json:"lifecycle"` // workflow id
	Run           string       `json:"run"`       // original run id: stable across resets
	Model         string       `json:"model"`
	Requester     string       `json:"requester"`
	Trigger       Trigger      `json:"trigger"`
	Spec          artifact.Ref `json:"spec"`
	Snapshot      artifact.Ref `json:"snapshot"`
	TestSnapshot  artifact.Ref `json:"test_snapshot,omitzero"`
	Validation    artifact.Ref `json:"validation"`
	Prepared      artifact.Ref `json:"prepared"`
	Reweighing    artifact.Ref `json:"reweighing,omitzero"`
	Thresholds    artifact.Ref `json:"thresholds,omitzero"`
	ModelArtifact artifact.Ref `json:"model_artifact"`
	ModelManifest artifact.Ref `json:"model_manifest"`
	Predictions   artifact.Ref `json:"predictions"`
	Evaluation    artifact.Ref `json:"evaluation"`
	Fairness      artifact.Ref `json:"fairness"`
	Explain       artifact.Ref `json:"explain"`
	Privacy       artifact.Ref `json:"privacy"`
	Verdicts      artifact.Ref `json:"verdicts"`
	Verdict       gate.Verdict `json:"verdict"`
	Code          artifact.Ref `json:"code,omitzero"`  // of trainer command
	Sweep         artifact.Ref `json:"sweep,omitzero"` // JSON of a search.Report
	Usage         []StageUsage `json:"usage,omitempty"`

	Champion   Rival                   `json:"champion,omitzero"`
	Comparison artifact.Ref            `json:"comparison,omitzero"` // of candidate and champion
	Step       int                     `json:"step,omitempty"`      // that the decision took from its test set
	Labels     artifact.Ref            `json:"labels,omitzero"`     // labels that people gave to test rows
	MetricCode map[string]artifact.Ref `json:"metric_code,omitempty"`
}

// DossierInput asks for the dossier of a lifecycle; Created is the workflow's time.
type DossierInput struct {
	Evidence Evidence  `json:"evidence"`
	Created  time.Time `json:"created"`
}

// Compiled is a dossier: the JSON a decision is bound to, and the page people read.
type Compiled struct {
	Answer
	Dossier artifact.Ref `json:"dossier"`
	Page    artifact.Ref `json:"page"`
	Public  artifact.Ref `json:"public,omitzero"` // the page without figures of the test set, when these are for some roles only
	// Unchanged is the champion's version when the candidate's model is the same to the byte, otherwise 0.
	Unchanged int `json:"unchanged,omitempty"`
}

// Decision is one person's accepted vote as it goes into manifest and chain.
type Decision struct {
	Reviewer string          `json:"reviewer"`
	Role     string          `json:"role"`
	Decision string          `json:"decision"`
	Reason   string          `json:"reason"`
	Dossier  artifact.Digest `json:"dossier"`
	Time     time.Time       `json:"time"`
}

// Announcement tells reviewers that something waits for them, or has ended.
type Announcement struct {
	Kind      string          `json:"kind"` // request, reminder, escalation or outcome
	Lifecycle string          `json:"lifecycle"`
	Model     string          `json:"model"`
	Dossier   artifact.Digest `json:"dossier"`
	To        []string        `json:"to,omitempty"` // roles
	Text      string          `json:"text"`
}

// Event is something that goes on the model's chain; the same key goes on it once.
type Event struct {
	Model    string            `json:"model"`
	Key      string            `json:"key"`
	Type     string            `json:"type"`
	Time     time.Time         `json:"time"`
	Actor    string            `json:"actor"`
	Subjects []Subject         `json:"subjects,omitempty"`
	Detail   map[string]string `json:"detail,omitempty"`
}

// Subject is something an event is about: a blob, under any name without a slash, or a document of the store.
type Subject struct {
	Name   string          `json:"name"`
	Digest artifact.Digest `json:"digest"`
}

// Types of chain events.
const (
	EventDossier    = "dossier"     // a dossier was compiled and put before reviewers
	EventDecision   = "decision"    // a reviewer decided
	EventRefused    = "refused"     // a lifecycle ended without a version
	EventRegistered = "registered"  // a version manifest was written
	EventPromoted   = "promoted"    // a version became champion
	EventRolledBack = "rolled-back" // a version was withdrawn during its rollout
	EventDrift      = "drift"       // a check raised the alarm
	EventRetraining = "retraining"  // a lifecycle was started by the monitor
)

// RegisterInput asks for a version of an approved candidate.
type RegisterInput struct {
	Evidence  Evidence     `json:"evidence"`
	Dossier   artifact.Ref `json:"dossier"`
	Page      artifact.Ref `json:"page"`
	Decisions []Decision   `json:"decisions"`
	Created   time.Time    `json:"created"`
}

// Registered is a version in the registry.
type Registered struct {
	Answer
	Version  int             `json:"version"`
	Manifest artifact.Digest `json:"manifest"`
}

// TrafficInput gives a candidate a share of the traffic.
type TrafficInput struct {
	Model   string  `json:"model"`
	Version int     `json:"version"`
	Percent float64 `json:"percent"`
	Rollout string  `json:"rollout"` // workflow id of the rollout
}

// ObserveInput asks how a version has done since a time.
type ObserveInput struct {
	Model   string    `json:"model"`
	Version int       `json:"version"`
	Since   time.Time `json:"since"`
}

// Observed counts the answers of a version.
type Observed struct {
	Requests          int64   `json:"requests"`
	Errors            int64   `json:"errors"`
	MeanLatencyMillis float64 `json:"mean_latency_millis"`
}

// PromoteInput makes a version the champion, or withdraws it.
type PromoteInput struct {
	Model   string    `json:"model"`
	Version int       `json:"version"`
	Rollout string    `json:"rollout"`
	Time    time.Time `json:"time"`
	Reason  string    `json:"reason,omitempty"`
}

// Championed says which version serves; 0 means none.
type Championed struct {
	Version  int `json:"version"`
	Previous int `json:"previous,omitempty"`
}

// Watch tells a monitor what it watches.
type Watch struct {
	Model   string       `json:"model"`
	Version int          `json:"version"`
	Since   time.Time    `json:"since,omitzero"` // when the version was promoted; zero: when the monitor hears of it
	Monitor spec.Monitor `json:"monitor"`
	Retrain spec.Retrain `json:"retrain"`
}

// DriftInput asks for a drift check of what was predicted in [Since, Until).
type DriftInput struct {
	Model   string     `json:"model"`
	Version int        `json:"version"`
	Drift   spec.Drift `json:"drift"`
	Since   time.Time  `json:"since"`
	Until   time.Time  `json:"until"`
	Key     string     `json:"key"` // names this check on the chain
}

// DriftChecked is the outcome of a drift check.
type DriftChecked struct {
	Answer
	Report  artifact.Ref `json:"report,omitzero"`
	Verdict string       `json:"verdict"` // drift, none or insufficient
	Rows    int64        `json:"rows"`
	Drifted []string     `json:"drifted,omitempty"` // columns, at most ten, the strongest first
}

// RetrainInput asks for a new lifecycle from the champion's spec.
type RetrainInput struct {
	Model   string  `json:"model"`
	Version int     `json:"version"`
	ID      string  `json:"id"` // workflow id of the lifecycle to start
	Trigger Trigger `json:"trigger"`
}

// Retraining is the lifecycle that was started.
type Retraining struct {
	Lifecycle string `json:"lifecycle"`
}
