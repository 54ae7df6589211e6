package report

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// notAvailable stands wherever a number cannot be shown: NaN and infinities never reach the page.
const notAvailable = "not available"

// nbsp keeps a number and its unit on one line.
const nbsp = "\u00a0"

// count writes a whole number with thousands separated: 20,000.
func count[T int | int64](n T) string {
	digits := strconv.FormatInt(int64(n), 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "−", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// countOf writes a count with its noun in the right number: 1 row, 20,000 rows.
func countOf[T int | int64](n T, one, many string) string {
	if n == 1 {
		return "1" + nbsp + one
	}
	return count(n) + nbsp + many
}

// decimal writes a score to three places. What is not zero but would round to it is written as a bound,
// because "0.000" reads as "none at all".
func decimal(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return notAvailable
	case v == 0:
		return "0"
	case v > 0 && v < 0.0005:
		return "under" + nbsp + "0.001"
	case v < 0 && v > -0.0005:
		return "above" + nbsp + "−0.001"
	}
	return fixed(v, 3)
}

// percent writes a share in [0, 1] as 25.4 %. Shares that are neither none nor all are never rounded to them.
func percent(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return notAvailable
	case v == 0:
		return "0" + nbsp + "%"
	case v == 1:
		return "100" + nbsp + "%"
	case v > 0 && v < 0.0005:
		return "under" + nbsp + "0.1" + nbsp + "%"
	case v > 0.9995 && v < 1:
		return "over" + nbsp + "99.9" + nbsp + "%"
	}
	return fixed(100*v, 1) + nbsp + "%"
}

// points writes a difference of two shares in percentage points.
func points(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return notAvailable
	}
	return fixed(100*v, 1) + nbsp + "points"
}

// fixed writes a number to the given places; one of more digits than that is worth by its power of ten.
func fixed(v float64, places int) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return notAvailable
	case math.Abs(v) >= 1e15:
		return scientific(v, 3)
	}
	return signed(strconv.FormatFloat(v, 'f', places, 64))
}

// signed puts a true minus sign, and none before a zero.
func signed(s string) string {
	rest, negative := strings.CutPrefix(s, "-")
	if !negative {
		return s
	}
	if strings.Trim(rest, "0.") == "" {
		return rest
	}
	return "−" + rest
}

// general writes a parameter of any size in at most four significant digits.
func general(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return notAvailable
	}
	return signed(strconv.FormatFloat(v, 'g', 4, 64))
}

// moment writes a time for people, in UTC so that the page is the same wherever it is made.
func moment(t time.Time) string {
	if t.IsZero() {
		return notAvailable
	}
	return t.UTC().Format("Monday 2 January 2006, 15:04") + nbsp + "UTC"
}

// span writes a duration in the largest units that fit: 3 days, 1 day 12 hours, 10 minutes.
func span(d time.Duration) string {
	if d <= 0 {
		return "no time"
	}
	if d < time.Second {
		return "less than a second"
	}
	units := []struct {
		size      time.Duration
		one, many string
	}{
		{24 * time.Hour, "day", "days"}, {time.Hour, "hour", "hours"},
		{time.Minute, "minute", "minutes"}, {time.Second, "second", "seconds"},
	}
	var parts []string
	for _, u := range units {
		n := int64(d / u.size)
		d -= time.Duration(n) * u.size
		if n > 0 && len(parts) < 2 {
			parts = append(parts, countOf(n, u.one, u.many))
		}
	}
	return strings.Join(parts, " ")
}

// list joins words as people do: a, b and c.
func list(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
