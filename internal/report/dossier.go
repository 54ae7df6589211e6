// Package report makes the dossier: everything a reviewer needs to decide on a candidate, as JSON and as one
// self-contained HTML page.
//
// A decision is bound to the digest of the dossier's JSON. The page is made from that JSON alone and shows the digest,
// so that what a reviewer read and what the decision names can be compared at any later time.
package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/mitigation"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
)

// Format is the version of the dossier's JSON. It is raised when a field changes its meaning or goes away.
const Format = 3

// Dossier is what was found about one candidate, by stage. Equal dossiers encode to equal bytes.
type Dossier struct {
	Format     int                    `json:"format"` // Format
	Model      string                 `json:"model"`
	Lifecycle  string                 `json:"lifecycle"` // workflow id; what the starter's commands take
	Purpose    string                 `json:"purpose"`
	Owner      string                 `json:"owner"`
	Requester  string                 `json:"requester"`
	Trigger    stage.Trigger          `json:"trigger"`
	Created    time.Time              `json:"created"` // the workflow's time, never a clock's, so that a retry gives the same bytes
	Spec       artifact.Digest        `json:"spec"`
	Target     spec.Target            `json:"target"`
	Protected  []string               `json:"protected"` // columns whose groups were audited
	Data       Data                   `json:"data"`
	Validation table.ValidationReport `json:"validation"`
	Prepared   table.Prepared         `json:"prepared"`
	Training   model.Manifest         `json:"training"`
	Curves     []model.Curve          `json:"curves,omitempty"` // how the metrics of training went
	Sweep      *search.Report         `json:"sweep,omitempty"`  // nil: the parameters were not searched
	Usage      []stage.StageUsage     `json:"usage,omitempty"`  // what the lifecycle has taken up to the dossier
	Evaluation evaluation.Report      `json:"evaluation"`       // how the candidate did on the test part; its Comparison is not used, see below
	Labels     *LabelsGiven           `json:"labels,omitempty"` // nil: every test row came with its label
	Fairness   Fairness               `json:"fairness"`         // between the groups of the protected columns
	Explain    explain.Report         `json:"explain"`
	Privacy    privacy.Report         `json:"privacy"`
	Gate       Gate                   `json:"gate"`
	Failing    string                 `json:"failing,omitempty"`    // what a candidate meets that fails the gate, see spec.Gates; empty is spec.FailingRefused
	TestSet    *TestSetUse            `json:"test_set,omitempty"`   // nil: uses of the test set are not counted
	Champion   *Champion              `json:"champion,omitempty"`   // nil: no version serves
	Drift      *Drift                 `json:"drift,omitempty"`      // nil: no version serves
	Reweighing *mitigation.Reweighing `json:"reweighing,omitempty"` // nil: training rows were not weighed for fairness
	Thresholds *mitigation.Rule       `json:"thresholds,omitempty"` // nil: one threshold for all
	Review     spec.Review            `json:"review"`
	Rollout    spec.Rollout           `json:"rollout,omitzero"`   // what an approval sets going
	Refs       []NamedRef             `json:"refs"`               // see Names
	Warnings   []string               `json:"warnings,omitempty"` // what a reviewer should know besides, in sentences

	// Comparison is the candidate against the version that serves, on the same test rows. It is nil when none serves, and
	// when the one that does could not be asked: then NotCompared says why.
	Comparison  *evaluation.Comparison `json:"comparison,omitempty"`
	NotCompared string                 `json:"not_compared,omitempty"`
}

// Data is where the rows came from. Digest is that of the bytes as they were read.
type Data struct {
	Source  string          `json:"source"`
	Digest  artifact.Digest `json:"digest"`
	Rows    int64           `json:"rows"`
	Columns int             `json:"columns"`
	Unknown []Unknown       `json:"unknown,omitempty"` // columns with values missing; see Unknowns
}

// Unknown says how many rows have no value in a column.
type Unknown struct {
	Column string `json:"column"`
	Rows   int64  `json:"rows"`
}

// Unknowns lists the columns of a profile that have values missing, in the profile's order.
func Unknowns(p table.Profile) []Unknown {
	var unknown []Unknown
	for _, c := range p.Columns {
		if c.Nulls > 0 {
			unknown = append(unknown, Unknown{c.Name, c.Nulls})
		}
	}
	return unknown
}

// Gate is the answer to the conditions: each of them, and all together.
type Gate struct{ gate.Decision }

// TestSetUse says which use of a test set the candidate's decision is, where uses are counted.
type TestSetUse struct {
	Adaptivity string   `json:"adaptivity"` // what the requester learns of verdicts, see gate.Adaptivity
	Step       int      `json:"step"`       // this decision, counted from 1
	Of         int      `json:"of"`         // decisions that the test set is good for
	ShowTo     []string `json:"show_to"`    // roles that may see what was measured on the test set
}

// LabelsGiven counts the test rows whose label people gave because the gate asked for it.
type LabelsGiven struct {
	Given          int `json:"given"`
	Representative int `json:"representative"` // picked without looking at the models' answers
	Chosen         int `json:"chosen"`         // picked for what they are: the models differ on them, or their group was wanted whole
}

// Champion is the version that serves while the candidate is examined.
type Champion struct {
	Version int `json:"version"`
}

// NamedRef is an artifact of the lifecycle under the name of what it is.
type NamedRef struct {
	Name string       `json:"name"`
	Ref  artifact.Ref `json:"ref"`
}

// Names turns a map of artifacts into the dossier's list: sorted by name, without those that are zero.
func Names(refs map[string]artifact.Ref) []NamedRef {
	named := make([]NamedRef, 0, len(refs))
	for name, ref := range refs {
		if !ref.IsZero() {
			named = append(named, NamedRef{name, ref})
		}
	}
	slices.SortFunc(named, func(a, b NamedRef) int { return cmp.Compare(a.Name, b.Name) })
	return named
}

// Encode gives the dossier's JSON, the same bytes for the same dossier, and their digest: what a decision names.
func Encode(d Dossier) ([]byte, artifact.Digest, error) {
	d.Created = d.Created.UTC()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // conditions such as "auc > 0.8" stay readable
	enc.SetIndent("", "  ")
	if err := enc.Encode(d); err != nil {
		return nil, artifact.Digest{}, fmt.Errorf("encode the dossier of %s: %w", d.Lifecycle, err)
	}
	return b.Bytes(), artifact.Sum(b.Bytes()), nil
}

// Decode reads what Encode wrote.
func Decode(b []byte) (Dossier, error) {
	var d Dossier
	if err := json.Unmarshal(b, &d); err != nil {
		return Dossier{}, fmt.Errorf("read a dossier: %w", err)
	}
	if d.Format != Format {
		return Dossier{}, fmt.Errorf("read a dossier: format %d; this program reads format %d: use the version of Assay that wrote it", d.Format, Format)
	}
	return d, nil
}
