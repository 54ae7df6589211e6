package gate

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/assay-ml/assay/internal/stats"
)

// Decide compares the point estimate with the condition's bound, and shows the interval in the reason. An estimate without
// a value leaves the verdict inconclusive.
func Decide(c Condition, e stats.Estimate) Result {
	r := Result{Condition: c.Text, Verdict: Inconclusive, Estimate: e}
	if e.Defined() && (math.IsNaN(e.Value) || math.IsInf(e.Value, 0)) {
		r.Estimate = stats.NoValue(e.Level, e.N, "its computation gave no number")
	}
	if !r.Estimate.Defined() {
		r.Reason = fmt.Sprintf("%s has no value on this sample: %s. Provide examples that give it one, or drop the condition.",
			c.Subject(), r.Estimate.Undefined)
		return r
	}
	r.Verdict = Fail
	if c.Op.Holds(e.Value, c.Bound) {
		r.Verdict = Pass
	}
	digits := digitsApart(e.Value, c.Bound)
	r.Reason = fmt.Sprintf("%s is %s (%s); the condition asks for %s %s.",
		c.Subject(), formatValue(e.Value, digits), evidence(e, digits), c.Op.words(), formatNumber(c.Bound))
	return r
}

// evidence says how sure the value is.
func evidence(e stats.Estimate, digits int) string {
	examples := fmt.Sprintf("%d examples", e.N)
	if e.N == 1 {
		examples = "1 example"
	}
	if e.Method == stats.MethodExact {
		return "counted on " + examples
	}
	return fmt.Sprintf("%s%% interval %s to %s, %s",
		formatNumber(math.Round(e.Level*1e6)/1e4), formatValue(e.Low, digits), formatValue(e.High, digits), examples)
}

// digitsApart is how many decimals show on which side of the bound a value lies: three, or more where these agree.
func digitsApart(value, bound float64) int {
	const usual, most = 3, 15
	if value == bound {
		return usual
	}
	for digits := usual; digits < most; digits++ {
		shown, err := strconv.ParseFloat(strconv.FormatFloat(value, 'f', digits, 64), 64)
		if err == nil && shown != bound {
			return digits
		}
	}
	return most
}

func formatValue(x float64, digits int) string {
	if x == math.Trunc(x) && math.Abs(x) >= 2 && math.Abs(x) < 1e15 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}

// DecideAll decides every condition on the estimate lookup finds for it, in their order, and the verdict of all together: a
// single failure fails, otherwise a single doubt leaves doubt; no conditions pass. When estimates cannot be found, the
// error tells of every such condition.
func DecideAll(conditions []Condition, lookup func(Condition) (stats.Estimate, error)) ([]Result, Verdict, error) {
	results := make([]Result, 0, len(conditions))
	verdict := Pass
	var missing []error
	for _, c := range conditions {
		e, err := lookup(c)
		if err != nil {
			missing = append(missing, fmt.Errorf("decide condition %q: %w", c.Text, err))
			continue
		}
		r := Decide(c, e)
		results = append(results, r)
		verdict = verdict.And(r.Verdict)
	}
	if len(missing) > 0 {
		return nil, "", errors.Join(missing...)
	}
	return results, verdict, nil
}
