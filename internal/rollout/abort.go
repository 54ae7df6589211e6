package rollout

import (
	"fmt"
	"strings"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// MinRequests is how many requests a step must have seen for its point estimate to be held against the candidate.
const MinRequests = 20

// minErrors is how many errors are evidence at the least. With a bound of 1 %, the Wilson interval of a single error lies
// above the bound in any step of up to 17 requests, where a sound candidate meets one error by chance in one step of six.
const minErrors = 2

// level is that of the Wilson interval.
const level = 0.95

// look evaluates the abort conditions on an observation. broken is empty when the candidate may stay, and otherwise says
// why it may not; last says that the hold is over.
func look(abort []string, o Observation, last bool) (results []gate.Result, broken string, err error) {
	rate := stats.Proportion(int(o.Errors), int(o.Requests), level, "no requests were seen")
	var reasons []string
	for _, text := range abort {
		c, err := gate.Parse(text)
		if err != nil {
			return nil, "", err
		}
		r := gate.Decide(c, rate)
		results = append(results, r)
		if r.Verdict == gate.Fail && (proves(c, rate, o) || last && o.Requests >= MinRequests) {
			reasons = append(reasons, fmt.Sprintf("abort condition %q is broken: %s", c.Text, r.Reason))
		}
	}
	return results, strings.Join(reasons, " "), nil
}

// proves reports whether the interval lies wholly on the wrong side of the condition's bound.
func proves(c gate.Condition, rate stats.Estimate, o Observation) bool {
	return o.Errors >= minErrors && !c.Op.Holds(rate.Low, c.Bound) && !c.Op.Holds(rate.High, c.Bound)
}
