package gate

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/stats"
)

// undefinedReason says what has no value.
func undefinedReason(c Clause, units []UnitResult) string {
	for _, u := range units {
		m := u.Measurement
		if m.Defined() {
			continue
		}
		subject := c.Subject
		if len(units) > 1 {
			subject = u.Unit.String()
		}
		return fmt.Sprintf("%s has no value on this sample: %s. Provide examples that give it one, or drop the condition.", subject, strings.TrimSuffix(m.Undefined, "."))
	}
	return fmt.Sprintf("%s has no value: multiplied by its coefficients it is no number any more.", c.Subject)
}

// reason says what was measured and what is asked for, and what leaves doubt where there is any.
func (r *Result) reason(c Clause) string {
	e := r.Estimate
	digits := digitsApart(e.Value, c.Bound)
	var b strings.Builder
	fmt.Fprintf(&b, "%s is %s (%s); the condition asks for %s %s.",
		c.Subject, formatValue(e.Value, digits), evidence(e, r.Delta, digits), c.Op.words(), formatNumber(c.Bound))
	if r.Verdict == Inconclusive {
		b.WriteString(" The interval holds values on both sides of that, so this sample cannot tell.")
		switch {
		case r.DecidedWith > 0 && r.DecidedWith <= e.N: // an interval that is longer to one side
			b.WriteString(" Few more rows than these would decide it if the estimate stays as it is.")
		case r.DecidedWith > 0:
			way := "as not met"
			if c.Op.Holds(e.Value, c.Bound) {
				way = "as met"
			}
			fmt.Fprintf(&b, " About %s would decide it, %s, if the estimate stays as it is.", rows(r.DecidedWith), way)
		}
	}
	if r.Tolerance > 0 && !r.Powered {
		fmt.Fprintf(&b, " The interval is longer than the tolerance of %s asks for", formatNumber(r.Tolerance))
		if r.RowsNeeded > 0 {
			fmt.Fprintf(&b, "; it would need about %s", rows(r.RowsNeeded))
		}
		b.WriteString(".")
	}
	return b.String()
}

// evidence says how sure the value is; tail is the probability beyond each end of the interval.
func evidence(e stats.Estimate, tail float64, digits int) string {
	examples := grouped(e.N) + " examples"
	if e.N == 1 {
		examples = "1 example"
	}
	if e.Method == stats.MethodExact {
		if e.N == 0 {
			return "counted"
		}
		return "counted on " + examples
	}
	low, high := formatValue(e.Low, digits), formatValue(e.High, digits)
	const manyNines = 5e-6 // above, a level in percent says more
	if tail > 0 && tail < manyNines {
		return fmt.Sprintf("interval %s to %s, missed with probability %s at each end, %s", low, high, formatProbability(tail), examples)
	}
	return fmt.Sprintf("%s%% interval %s to %s, %s", levelWords(e.Level), low, high, examples)
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

// formatProbability shows three digits that count.
func formatProbability(p float64) string { return strconv.FormatFloat(p, 'g', 3, 64) }

// rows is a number of rows as a person says it: two digits that count, rounded up.
func rows(n int) string {
	scale := 1
	for n/scale >= 100 {
		scale *= 10
	}
	n = (n-1)/scale*scale + scale
	if n == 1 {
		return "1 row"
	}
	return grouped(n) + " rows"
}

// grouped writes a number of at least 0 with commas between thousands.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// levelWords is a level in percent with as many digits as tell it from 100.
func levelWords(level float64) string {
	percent := math.Round(level*1e4) / 1e2
	if percent > 99.9 {
		percent = math.Round(level*1e6) / 1e4
	}
	return formatNumber(percent)
}
