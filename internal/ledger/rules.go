package ledger

import (
	"fmt"
	"slices"
	"strings"
)

// Adaptivity is what a requester learns of a verdict before the next candidate is tried on the same test set. It is the
// adaptivity of ease.ml/ci (Renggli et al., SysML 2019, section 3.2), in the words of a spec.
type Adaptivity string

// The adaptivities.
const (
	None        Adaptivity = "none"        // nothing
	FirstChange Adaptivity = "firstChange" // the verdict; the test set ends at the first pass
	Full        Adaptivity = "full"        // the verdict, every time
)

// MaxSteps bounds the steps of a test set, and with them the size of its ledger.
const MaxSteps = 10_000

// Rules say what a test set is good for. They hold from its first use on: the intervals of the decisions taken so far
// were made for them.
type Rules struct {
	Adaptivity  Adaptivity `json:"adaptivity"`
	Steps       int        `json:"steps"`       // decisions in all, 1 to MaxSteps
	Reliability float64    `json:"reliability"` // chance that none of the decisions is wrong, above 0 and below 1
	Answers     int        `json:"answers"`     // verdicts a requester can see: 2 (pass, fail) or 3 (inconclusive as well)
}

// Validate says what is wrong with the rules, and what was expected, or nil.
func (r Rules) Validate() error {
	if all := []Adaptivity{None, FirstChange, Full}; !slices.Contains(all, r.Adaptivity) {
		return fmt.Errorf("rules of a test set: adaptivity %q: expected none, firstChange or full", r.Adaptivity)
	}
	if r.Steps < 1 || r.Steps > MaxSteps {
		return fmt.Errorf("rules of a test set: steps %d: expected 1 to %d", r.Steps, MaxSteps)
	}
	if !(r.Reliability > 0 && r.Reliability < 1) {
		return fmt.Errorf("rules of a test set: reliability %v: expected a number above 0 and below 1, such as 0.999", r.Reliability)
	}
	if r.Answers != 2 && r.Answers != 3 {
		return fmt.Errorf("rules of a test set: answers %d: expected 2 (pass, fail) or 3 (pass, fail, inconclusive)", r.Answers)
	}
	return nil
}

// String shows the rules to people.
func (r Rules) String() string {
	return fmt.Sprintf("adaptivity %s, steps %d, reliability %v, answers %d", r.Adaptivity, r.Steps, r.Reliability, r.Answers)
}

// differences names the rules in which asked differs from r.
func (r Rules) differences(asked Rules) string {
	var d []string
	add := func(name string, standing, asked any) {
		if standing != asked {
			d = append(d, fmt.Sprintf("%s %v, not %v", name, standing, asked))
		}
	}
	add("adaptivity", r.Adaptivity, asked.Adaptivity)
	add("steps", r.Steps, asked.Steps)
	add("reliability", r.Reliability, asked.Reliability)
	add("answers", r.Answers, asked.Answers)
	return strings.Join(d, "; ")
}
