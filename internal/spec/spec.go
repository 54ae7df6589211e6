// Package spec is the YAML a user writes: its types, its strict reading, its schema.
//
// Reading happens once, at the edge; what other packages receive has been checked. Fields whose machinery does
// not exist yet are refused with "not available yet", never ignored.
package spec

import "time"

// APIVersion and Kind are the only values accepted at the head of a spec.
const (
	APIVersion = "assay/v1"
	Kind       = "Lifecycle"
)

// Spec describes one model's life.
type Spec struct {
	APIVersion string     `json:"apiVersion" yaml:"apiVersion"`
	Kind       string     `json:"kind" yaml:"kind"`
	Model      string     `json:"model" yaml:"model"` // lower-case letters, digits and hyphens
	Owner      string     `json:"owner" yaml:"owner"`
	Purpose    string     `json:"purpose" yaml:"purpose"` // what it is for, and what it is not for
	Data       Data       `json:"data" yaml:"data"`
	Train      Train      `json:"train" yaml:"train"`
	Serve      *Serve     `json:"serve,omitempty" yaml:"serve,omitempty"` // with train.trainer command, and only then
	Fairness   Fairness   `json:"fairness,omitzero" yaml:"fairness,omitempty"`
	Mitigation Mitigation `json:"mitigation,omitzero" yaml:"mitigation,omitempty"`
	Evaluate   Evaluate   `json:"evaluate,omitzero" yaml:"evaluate,omitempty"`
	Explain    Explain    `json:"explain,omitzero" yaml:"explain,omitempty"`
	Privacy    Privacy    `json:"privacy,omitzero" yaml:"privacy,omitempty"`
	Gates      Gates      `json:"gates,omitzero" yaml:"gates,omitempty"`
	Review     Review     `json:"review" yaml:"review"`
	Rollout    Rollout    `json:"rollout,omitzero" yaml:"rollout,omitempty"`
	Monitor    Monitor    `json:"monitor,omitzero" yaml:"monitor,omitempty"`
	Retrain    Retrain    `json:"retrain,omitzero" yaml:"retrain,omitempty"`
}

// Data says where examples come from and how they are to be read.
type Data struct {
	Source    Source        `json:"source" yaml:"source"`
	Target    Target        `json:"target" yaml:"target"`
	Protected []string      `json:"protected,omitempty" yaml:"protected,omitempty"` // columns whose groups are audited
	Exclude   []string      `json:"exclude,omitempty" yaml:"exclude,omitempty"`     // columns never given to the model
	Weight    string        `json:"weight,omitempty" yaml:"weight,omitempty"`       // column of sample weights; never a feature
	Transform string        `json:"transform,omitempty" yaml:"transform,omitempty"` // SQL over the table "data"
	Split     Split         `json:"split" yaml:"split"`
	Expect    []Expectation `json:"expect,omitempty" yaml:"expect,omitempty"`
}

// Source is a place rows are read from.
type Source struct {
	URI    string `json:"uri" yaml:"uri"`                           // path, file://, https://, synthetic://credit?rows=N&seed=S
	Format string `json:"format,omitempty" yaml:"format,omitempty"` // csv, parquet, jsonl; otherwise by extension
	CSV    CSV    `json:"csv,omitzero" yaml:"csv,omitempty"`
}

// CSV overrides what is otherwise detected.
type CSV struct {
	Separator string   `json:"separator,omitempty" yaml:"separator,omitempty"`
	Quote     string   `json:"quote,omitempty" yaml:"quote,omitempty"`
	Comment   string   `json:"comment,omitempty" yaml:"comment,omitempty"` // lines starting with this character are skipped
	Unknown   []string `json:"unknown,omitempty" yaml:"unknown,omitempty"` // texts that mean "missing", e.g. "?"
	Header    *bool    `json:"header,omitempty" yaml:"header,omitempty"`   // default true
	Columns   []string `json:"columns,omitempty" yaml:"columns,omitempty"` // names, when header is false
}

// Target is the column to predict, as what, and the value whose probability is the score.
type Target struct {
	Column   string `json:"column" yaml:"column"`
	Positive string `json:"positive,omitempty" yaml:"positive,omitempty"` // of a binary target, and only then
	Task     string `json:"task,omitempty" yaml:"task,omitempty"`         // binary (default, left empty), multiclass or regression; see TaskOf
}

// Split divides rows into training, validation and test parts.
type Split struct {
	By         string   `json:"by" yaml:"by"`                             // hash or time
	Column     string   `json:"column,omitempty" yaml:"column,omitempty"` // by time: the column to order by
	Key        []string `json:"key,omitempty" yaml:"key,omitempty"`       // by hash: rows equal in these columns stay together; default all columns
	Train      float64  `json:"train" yaml:"train"`                       // shares, summing to 1
	Validation float64  `json:"validation,omitempty" yaml:"validation,omitempty"`
	Test       float64  `json:"test,omitempty" yaml:"test,omitempty"`
	Seed       int64    `json:"seed,omitempty" yaml:"seed,omitempty"`
	TestSource *Source  `json:"test_source,omitempty" yaml:"test_source,omitempty"` // test rows come from here; then test must be 0
}

// Expectation is one check on the ingested data: on a column, on the table, or a SQL query that must answer true.
type Expectation struct {
	Name   string   `json:"name,omitempty" yaml:"name,omitempty"`
	Column string   `json:"column,omitempty" yaml:"column,omitempty"`
	Type   string   `json:"type,omitempty" yaml:"type,omitempty"` // integer, number, text, boolean, date, timestamp
	Min    *float64 `json:"min,omitempty" yaml:"min,omitempty"`
	Max    *float64 `json:"max,omitempty" yaml:"max,omitempty"`
	Nulls  *float64 `json:"nulls,omitempty" yaml:"nulls,omitempty"` // largest allowed share of missing values
	In     []string `json:"in,omitempty" yaml:"in,omitempty"`       // allowed values
	Unique bool     `json:"unique,omitempty" yaml:"unique,omitempty"`
	Rows   *Range   `json:"rows,omitempty" yaml:"rows,omitempty"`
	SQL    string   `json:"sql,omitempty" yaml:"sql,omitempty"` // one boolean, over the table "data"
}

// Range is a closed interval of counts; a nil end is open.
type Range struct {
	Min *int64 `json:"min,omitempty" yaml:"min,omitempty"`
	Max *int64 `json:"max,omitempty" yaml:"max,omitempty"`
}

// Evaluate says how scores become decisions and which slices are reported besides the protected groups.
type Evaluate struct {
	Threshold *float64 `json:"threshold,omitempty" yaml:"threshold,omitempty"` // predicted positive iff score >= threshold, default 0.5
	Slices    []string `json:"slices,omitempty" yaml:"slices,omitempty"`

	MinGroup int         `json:"min_group,omitempty" yaml:"min_group,omitempty"` // smaller intersections of groups are named, not measured; default 30
	Metrics  []OwnMetric `json:"metrics,omitempty" yaml:"metrics,omitempty"`     // the user's own
}

// Privacy says which columns could identify a person together, what must not be learnt about one, and which columns may hold
// personal data.
type Privacy struct {
	QuasiIdentifiers []string `json:"quasi_identifiers,omitempty" yaml:"quasi_identifiers,omitempty"` // default: the protected columns
	Sensitive        []string `json:"sensitive,omitempty" yaml:"sensitive,omitempty"`                 // besides the target
	PersonalData     string   `json:"personal_data,omitempty" yaml:"personal_data,omitempty"`         // review (default, left empty), refuse or off; see Handling
	Allow            []string `json:"allow,omitempty" yaml:"allow,omitempty"`                         // columns that people have declared fine
	Budget           *Budget  `json:"budget,omitempty" yaml:"budget,omitempty"`                       // nil: private trainings are not counted together
	Attack           Attack   `json:"attack,omitzero" yaml:"attack,omitempty"`
}

// Attack says how hard it is tried to tell the model's training rows from others.
type Attack struct {
	Rows    int `json:"rows,omitempty" yaml:"rows,omitempty"`       // of each kind, default 10,000
	Shadows int `json:"shadows,omitempty" yaml:"shadows,omitempty"` // models trained for it, default 8
}

// MostRows is Rows or its default.
func (a Attack) MostRows() int {
	if a.Rows == 0 {
		return 10_000
	}
	return a.Rows
}

// MostShadows is Shadows or its default.
func (a Attack) MostShadows() int {
	if a.Shadows == 0 {
		return 8
	}
	return a.Shadows
}

// Review says who must agree, by when.
type Review struct {
	Deadline    Duration  `json:"deadline" yaml:"deadline"` // without a quorum by then the candidate is refused
	Quorum      []Seat    `json:"quorum" yaml:"quorum"`
	Separate    []string  `json:"separate,omitempty" yaml:"separate,omitempty"` // requester: may not decide on their own request
	RemindEvery Duration  `json:"remind_every,omitzero" yaml:"remind_every,omitempty"`
	Escalate    *Escalate `json:"escalate,omitempty" yaml:"escalate,omitempty"`
}

// Seat is a number of approvals needed from a role.
type Seat struct {
	Role      string `json:"role" yaml:"role"`
	Approvals int    `json:"approvals" yaml:"approvals"`
}

// Escalate names roles told when a review has waited for long; they may decide in any seat's place only if they hold its role.
type Escalate struct {
	After Duration `json:"after" yaml:"after"`
	To    []string `json:"to" yaml:"to"`
}

// Rollout says how an approved version takes over.
type Rollout struct {
	Target string       `json:"target,omitempty" yaml:"target,omitempty"` // gateway
	Canary []CanaryStep `json:"canary,omitempty" yaml:"canary,omitempty"`
	Abort  []Abort      `json:"abort,omitempty" yaml:"abort,omitempty"`
}

// CanaryStep gives the candidate a share of traffic for a time.
type CanaryStep struct {
	Traffic float64  `json:"traffic" yaml:"traffic"` // percent of requests, above 0 and at most 100
	Hold    Duration `json:"hold" yaml:"hold"`
}

// Abort is a condition that must hold at every look during the canary; its failure rolls back.
type Abort struct {
	Condition string `json:"condition" yaml:"condition"` // on error_rate
}

// Monitor says how the champion is watched.
type Monitor struct {
	Every Duration `json:"every,omitzero" yaml:"every,omitempty"`
	Drift Drift    `json:"drift,omitzero" yaml:"drift,omitempty"`
}

// Drift sets the false-alarm rate of one check over all columns together.
type Drift struct {
	FalseAlarms float64 `json:"false_alarms,omitempty" yaml:"false_alarms,omitempty"` // default 0.01
	MinRows     int     `json:"min_rows,omitempty" yaml:"min_rows,omitempty"`         // default 50
	Correction  string  `json:"correction,omitempty" yaml:"correction,omitempty"`     // holm (default) or benjamini-hochberg
}

// Retrain says when a new lifecycle is started by itself, and how often at most.
type Retrain struct {
	When       When     `json:"when,omitzero" yaml:"when,omitempty"`
	Cooldown   Duration `json:"cooldown,omitzero" yaml:"cooldown,omitempty"`
	MaxPerWeek int      `json:"max_per_week,omitempty" yaml:"max_per_week,omitempty"`
}

// When lists reasons to retrain; any one suffices.
type When struct {
	Any []string `json:"any,omitempty" yaml:"any,omitempty"` // drift
}

// Duration is a time.Duration written as "72h", "10m" or "1h30m"; "3d" and "2w" are accepted as well.
type Duration time.Duration
