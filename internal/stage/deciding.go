package stage

import (
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
)

// Activities of deciding. Names are public API: never renamed.
const (
	ActivityScoreChampion = "ScoreChampion"
	ActivityAskLabels     = "AskLabels"
	ActivityUnseal        = "Unseal"
)

// SignalLabels tells a Lifecycle that the labels it waits for have been submitted.
const SignalLabels = "labels-landed"

// EventTestSet is the chain's record of a step taken from a test set.
const EventTestSet = "test-set-used"

// Rival is the version that serves, as the candidate is compared with it; the zero value: none serves.
type Rival struct {
	Version   int          `json:"version,omitempty"`   // 0: no version serves
	Scores    artifact.Ref `json:"scores,omitzero"`     // its answers on the candidate's test rows; absent when it could not be asked
	Threshold *float64     `json:"threshold,omitempty"` // of its own spec; nil: as the candidate's
	Rule      artifact.Ref `json:"rule,omitzero"`       // its thresholds by group, a mitigation.Rule
	Note      string       `json:"note,omitempty"`      // why it could not be asked
}

// Compared is the champion asked.
type Compared struct {
	Answer
	Rival
}

// Refs are the blobs the answer needs.
func (a Compared) Refs() []artifact.Ref { return []artifact.Ref{a.Scores} }

// LabelsAsked says which labels of test rows are missing.
type LabelsAsked struct {
	Answer
	Request string       `json:"request,omitempty"` // id of the request for them
	Rows    int          `json:"rows,omitempty"`    // asked for in that request
	Missing int          `json:"missing,omitempty"` // not answered yet; 0: the evaluation can begin
	Labels  artifact.Ref `json:"labels,omitzero"`   // the labels that people have given
}

// GateInput names what the conditions are about. With Predictions, every condition is decided from them.
type GateInput struct {
	Spec        artifact.Ref `json:"spec"`
	Evaluation  artifact.Ref `json:"evaluation"`
	Fairness    artifact.Ref `json:"fairness"`
	Privacy     artifact.Ref `json:"privacy"`
	Validation  artifact.Ref `json:"validation,omitzero"` // holds what was found of personal data
	Prepared    artifact.Ref `json:"prepared,omitzero"`
	Predictions artifact.Ref `json:"predictions,omitzero"`
	Model       artifact.Ref `json:"model,omitzero"`
	Champion    Rival        `json:"champion,omitzero"`
	Labels      artifact.Ref `json:"labels,omitzero"`
	Cost        Usage        `json:"cost,omitzero"` // of the training, whenever it was done
	Lifecycle   string       `json:"lifecycle,omitempty"`
	Requester   string       `json:"requester,omitempty"`
	Now         time.Time    `json:"now,omitzero"` // the workflow's

	MetricCode map[string]artifact.Ref `json:"metric_code,omitempty"` // folders of the user's own metrics, by name
}

// Gated is the answer to all conditions together.
type Gated struct {
	Answer
	Verdicts   artifact.Ref `json:"verdicts"`
	Comparison artifact.Ref `json:"comparison,omitzero"` // with the champion
	Verdict    gate.Verdict `json:"verdict"`             // empty while it is sealed
	Sealed     bool         `json:"sealed,omitempty"`    // the verdict is shown to some roles only, see Unseal
	Alarm      string       `json:"alarm,omitempty"`     // nothing was decided: a new test set is needed
	Counted    bool         `json:"counted,omitempty"`   // uses of the test set are counted
	Step       int          `json:"step,omitempty"`      // this decision's, from 1
	Left       int          `json:"left,omitempty"`      // steps left after it
}

// Refs are the blobs the answer needs.
func (a Gated) Refs() []artifact.Ref { return []artifact.Ref{a.Verdicts, a.Comparison} }

// UnsealInput names sealed verdicts that people have decided on.
type UnsealInput struct {
	Spec     artifact.Ref `json:"spec"`
	Verdicts artifact.Ref `json:"verdicts"`
}
