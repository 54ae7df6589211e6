package spec

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// durationPattern is what the JSON Schema shows and UnmarshalText accepts: weeks and days as whole numbers, then the
// units of time.ParseDuration.
const durationPattern = `^([0-9]+[wd])*([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs|ns))*$`

var (
	durationRE   = regexp.MustCompile(durationPattern)
	longUnitsRE  = regexp.MustCompile(`[0-9]+[wd]`)
	hoursPerUnit = map[byte]int64{'d': 24, 'w': 7 * 24}
)

const durationExpected = `a duration such as "90s", "10m", "1h30m", "3d" or "2w"`

// ParseDuration reads a duration such as "90s", "1h30m", "3d" or "2w1d". A day is 24 hours. Negative durations are
// refused.
func ParseDuration(text string) (Duration, error) {
	if text == "" || !durationRE.MatchString(text) {
		return 0, fmt.Errorf("duration %q: expected %s", text, durationExpected)
	}
	rest := text
	var long time.Duration
	for _, term := range longUnitsRE.FindAllString(text, -1) {
		n, err := strconv.ParseInt(term[:len(term)-1], 10, 64)
		unit := hoursPerUnit[term[len(term)-1]]
		if err != nil || n > int64(1<<63-1-long)/(unit*int64(time.Hour)) {
			return 0, fmt.Errorf("duration %q: too long; expected at most 292 years", text)
		}
		long += time.Duration(n*unit) * time.Hour
		rest = rest[len(term):]
	}
	if rest == "" {
		return Duration(long), nil
	}
	short, err := time.ParseDuration(rest)
	if err != nil || short > 1<<63-1-long {
		return 0, fmt.Errorf("duration %q: too long; expected at most 292 years", text)
	}
	return Duration(long + short), nil
}

// String is the shortest form ParseDuration reads: "72h", "1h30m", "1.5s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// IsZero reports whether no duration was given.
func (d Duration) IsZero() bool { return d == 0 }

// MarshalText writes String, so that JSON and YAML show "72h".
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDuration reads; JSON and YAML numbers are refused because they carry no unit.
func (d *Duration) UnmarshalText(text []byte) error {
	p, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = p
	return nil
}
