package gate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
)

// Scope is a place in the spec where conditions stand.
type Scope string

const (
	ScopeGate    Scope = "gate"    // gates.conditions: on a candidate before people are asked
	ScopeRollout Scope = "rollout" // rollout.abort: on live traffic during the canary
)

// ErrorRate is the share of requests the candidate failed to answer during the canary; it lives in ScopeRollout.
const ErrorRate = "error_rate"

// subject is what a metric is computed on, hence what may stand in brackets behind its name.
type subject int

const (
	ofRows      subject = iota // all rows, or one group: recall, recall[sex=Female]
	ofAttribute                // all groups of an attribute together: demographic_parity_difference[sex]
	ofTable                    // the whole table only: k_anonymity
)

type metric struct {
	name        string
	scope       Scope
	subject     subject
	least, most float64 // range of its values
}

var metrics = catalogue()

func catalogue() []metric {
	var all []metric
	for _, name := range stats.MetricNames() {
		m := metric{name, ScopeGate, ofRows, 0, 1}
		switch name {
		case stats.LogLoss:
			m.most = math.Inf(1)
		case stats.MCC:
			m.least = -1
		}
		all = append(all, m)
	}
	for _, name := range fairness.MetricNames() {
		all = append(all, metric{name, ScopeGate, ofAttribute, 0, 1})
	}
	for _, name := range privacy.MetricNames() {
		m := metric{name, ScopeGate, ofTable, 0, 1}
		if name == privacy.MetricKAnonymity {
			m.least, m.most = 0, math.Inf(1)
		}
		all = append(all, m)
	}
	return append(all, metric{ErrorRate, ScopeRollout, ofTable, 0, 1})
}

// MetricNames lists the metrics a condition may name in the scope.
func MetricNames(scope Scope) []string {
	var names []string
	for _, m := range metrics {
		if m.scope == scope {
			names = append(names, m.name)
		}
	}
	return names
}

func findMetric(name string) (metric, bool) {
	i := slices.IndexFunc(metrics, func(m metric) bool { return m.name == name })
	if i < 0 {
		return metric{}, false
	}
	return metrics[i], true
}

// checkBound refuses a bound the metric can never cross, which is a percentage more often than an intention.
func (m metric) checkBound(bound float64) error {
	if bound >= m.least && bound <= m.most {
		return nil
	}
	switch {
	case math.IsInf(m.most, 1):
		return fmt.Errorf("%s is never below %g; the bound is %g", m.name, m.least, bound)
	case bound > 1 && bound <= 100:
		return fmt.Errorf("%s lies between %g and %g; the bound is %g: for percent write %g", m.name, m.least, m.most, bound, bound/100)
	default:
		return fmt.Errorf("%s lies between %g and %g; the bound is %g", m.name, m.least, m.most, bound)
	}
}

// nearest is the name with the fewest edits from word, when these are few enough to be a slip.
func nearest(word string, names []string) (string, bool) {
	best, fewest := "", len(word)/3+2
	for _, name := range names {
		if d := editDistance(strings.ToLower(word), strings.ToLower(name)); d < fewest {
			best, fewest = name, d
		}
	}
	return best, best != ""
}

// editDistance is Levenshtein's, over bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// didYouMean ends a message about an unknown word.
func didYouMean(word string, names []string) string {
	if name, ok := nearest(word, names); ok {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return "expected one of " + strings.Join(names, ", ")
}
