// Package stats computes the metrics of classifiers and regression models, each with an interval, and the intervals and tests
// that verdicts rest on.
package stats

// Estimate is a metric's value on a sample together with the uncertainty that sample leaves.
// When the sample cannot give a value (no positives, an empty slice), Undefined says why, and value and
// interval are zero.
type Estimate struct {
	Value     float64 `json:"value"`
	Low       float64 `json:"low"`    // lower end of the interval
	High      float64 `json:"high"`   // upper end of the interval
	Level     float64 `json:"level"`  // confidence level, e.g. 0.95
	Method    string  `json:"method"` // how the interval was made: wilson, delong, bootstrap, ...
	N         int     `json:"n"`      // examples the value was computed from
	Undefined string  `json:"undefined,omitempty"`
}

// Defined reports whether the sample gave a value.
func (e Estimate) Defined() bool { return e.Undefined == "" }

// Within is the estimate with its interval cut to the values that the metric can take, such as 0 to 1 of an F1.
func (e Estimate) Within(least, most float64) Estimate {
	if e.Defined() {
		e.Low, e.High = max(e.Low, least), min(e.High, most)
	}
	return e
}
