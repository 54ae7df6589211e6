// Package gate answers conditions on metrics with a verdict.
package gate

import "github.com/assay-ml/assay/internal/stats"

// Verdict is a gate's answer. The zero value is not a verdict.
type Verdict string

const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Inconclusive Verdict = "inconclusive" // the sample cannot tell
)

// And is the verdict of two conditions together: one failure fails, otherwise one doubt leaves doubt.
func (v Verdict) And(w Verdict) Verdict {
	switch {
	case v == Fail || w == Fail:
		return Fail
	case v == Inconclusive || w == Inconclusive:
		return Inconclusive
	default:
		return Pass
	}
}

// Result is one condition answered: its verdict and the evidence for it.
type Result struct {
	Condition string         `json:"condition"` // as written by the user
	Verdict   Verdict        `json:"verdict"`
	Estimate  stats.Estimate `json:"estimate"`
	Reason    string         `json:"reason"` // one sentence for a person who does not read code
}
