package spec

// Gates are the conditions a candidate must meet before people are asked, and what it costs to ask them.
type Gates struct {
	Reliability  float64  `json:"reliability,omitempty" yaml:"reliability,omitempty"`   // that no verdict is wrong, of all conditions together; default 0.95
	Inconclusive string   `json:"inconclusive,omitempty" yaml:"inconclusive,omitempty"` // pass, fail or review (default)
	Failing      string   `json:"failing,omitempty" yaml:"failing,omitempty"`           // what a candidate that does not meet a condition meets: FailingRefused (default) or FailingReviewed
	TestSet      *TestSet `json:"test_set,omitempty" yaml:"test_set,omitempty"`         // nil: uses of the test set are not counted
	Labels       *Labels  `json:"labels,omitempty" yaml:"labels,omitempty"`             // nil: every test row must have its label
	Conditions   []string `json:"conditions,omitempty" yaml:"conditions,omitempty"`
}

// What a candidate meets that does not meet a condition.
const (
	FailingRefused  = "refuse" // nobody is asked
	FailingReviewed = "review" // people decide, and are told which conditions are not met
)

// StatedReliability is Reliability or its default. The default is not filled in, so that equal specs keep equal digests over
// versions of Assay.
func (g Gates) StatedReliability() float64 {
	if g.Reliability == 0 {
		return 0.95
	}
	return g.Reliability
}

// SmallestGroup is MinGroup or its default, which is not filled in either.
func (e Evaluate) SmallestGroup() int {
	if e.MinGroup == 0 {
		return 30
	}
	return e.MinGroup
}

// Adaptivities: what a requester learns of a verdict before the next candidate is tried on the same test set.
const (
	AdaptivityNone        = "none"        // nothing: verdicts are shown to the roles of ShowTo alone
	AdaptivityFirstChange = "firstChange" // the verdict; the test set ends at the first pass
	AdaptivityFull        = "full"        // the verdict, every time
)

// TestSet makes the test set a budget: so many candidates may be decided on it, then a new one is needed.
type TestSet struct {
	Adaptivity string   `json:"adaptivity" yaml:"adaptivity"`
	Steps      int      `json:"steps" yaml:"steps"`                         // decisions the test set is good for
	ShowTo     []string `json:"show_to,omitempty" yaml:"show_to,omitempty"` // roles that may see figures; default: the roles of review.quorum
}

// Labels says that test rows may lack their label; the gate then asks people for those it needs.
type Labels struct {
	Deadline Duration `json:"deadline" yaml:"deadline"` // without them by then the candidate is refused
}

// OwnMetric is a metric of the user's: a program gives a number for every test row, and the metric is their mean.
type OwnMetric struct {
	Name        string            `json:"name" yaml:"name"`
	Code        string            `json:"code" yaml:"code"` // folder the program runs in
	Run         []string          `json:"run" yaml:"run"`
	Least       *float64          `json:"least,omitempty" yaml:"least,omitempty"` // range of a row's number; with both ends the bound is guaranteed
	Most        *float64          `json:"most,omitempty" yaml:"most,omitempty"`
	Environment map[string]string `json:"environment,omitempty" yaml:"environment,omitempty"`
	TimeLimit   Duration          `json:"time_limit,omitzero" yaml:"time_limit,omitempty"`
}
