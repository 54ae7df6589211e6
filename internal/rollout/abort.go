package rollout

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
)

// MinRequests is how many requests a step must have seen for its point estimate to be held against the candidate.
const MinRequests = 20

// minErrors is how many errors are evidence at the least. With a bound of 1 %, the Wilson interval of a single error lies
// above the bound in any step of up to 17 requests, where a sound candidate meets one error by chance in one step of six.
const minErrors = 2

// level is that of the Wilson interval.
const level = 0.95

// Answer is an abort condition at a look.
type Answer struct {
	Condition string         `json:"condition"` // as written by the user
	Verdict   gate.Verdict   `json:"verdict"`
	Estimate  stats.Estimate `json:"estimate"`
	Reason    string         `json:"reason"` // one sentence for a person who does not read code
}

// look evaluates the abort conditions on an observation. broken is empty when the candidate may stay, and otherwise says
// why it may not; last says that the hold is over.
func look(abort []string, o Observation, last bool) (answers []Answer, broken string, err error) {
	var reasons []string
	for _, text := range abort {
		c, err := spec.ParseAbort(text)
		if err != nil {
			return nil, "", err
		}
		e := o.estimate(c.Metric)
		r := answerTo(c, e)
		answers = append(answers, r)
		if r.Verdict == gate.Fail && (proves(c, e, o) || last && o.Requests >= MinRequests) {
			reasons = append(reasons, fmt.Sprintf("abort condition %q is broken: %s", c.Text, r.Reason))
		}
	}
	return answers, strings.Join(reasons, " "), nil
}

// estimate is a live metric as the observation gives it. A mean latency has no interval: single times are not kept.
func (o Observation) estimate(metric string) stats.Estimate {
	if metric == gate.LatencyMean {
		if o.Requests == 0 {
			return stats.NoValue(level, 0, "no requests were seen")
		}
		return stats.Exact(o.MeanLatencyMillis, int(o.Requests))
	}
	return stats.Proportion(int(o.Errors), int(o.Requests), level, "no requests were seen")
}

// answerTo compares the estimate with the bound.
func answerTo(c spec.AbortCondition, e stats.Estimate) Answer {
	r := Answer{Condition: c.Text, Verdict: gate.Inconclusive, Estimate: e}
	if !e.Defined() {
		r.Reason = fmt.Sprintf("%s has no value yet: %s.", c.Metric, e.Undefined)
		return r
	}
	r.Verdict = gate.Fail
	if c.Op.Holds(e.Value, c.Bound) {
		r.Verdict = gate.Pass
	}
	interval := ""
	if e.Method != stats.MethodExact {
		interval = fmt.Sprintf("%g%% interval %s to %s, ", 100*e.Level, short(e.Low), short(e.High))
	}
	r.Reason = fmt.Sprintf("%s is %s (%s%d requests); the condition asks for %s %g.", c.Metric, short(e.Value), interval, e.N, c.Op, c.Bound)
	return r
}

// short writes a measured value with three decimals, or three digits where these are all nought.
func short(x float64) string {
	if x != 0 && math.Abs(x) < 0.001 {
		return strconv.FormatFloat(x, 'g', 3, 64)
	}
	return strconv.FormatFloat(x, 'f', 3, 64)
}

// proves reports whether the interval of the error rate lies wholly on the wrong side of the condition's bound.
func proves(c spec.AbortCondition, e stats.Estimate, o Observation) bool {
	return c.Metric == gate.ErrorRate && o.Errors >= minErrors && !c.Op.Holds(e.Low, c.Bound) && !c.Op.Holds(e.High, c.Bound)
}
