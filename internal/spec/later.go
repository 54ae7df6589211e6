package spec

import (
	"fmt"
	"strings"
)

// unavailable is a field, or a value of a field, that the design has and the machinery does not yet. It is refused, so
// that nobody believes in a protection that is not there.
type unavailable struct {
	path    string            // of the field; [] is any element of a list
	value   string            // which values, in words; empty: the field itself
	match   func(string) bool // those values
	instead string            // what to do today
}

// later is every such field. Remove a row together with the work that makes it available.
var later = []unavailable{
	{"kind", "other than Lifecycle", func(v string) bool { return v != Kind }, "write kind: Lifecycle"},
	{"data.source.uri", "s3://...", hasScheme("s3", "s3a", "gs"), "copy the object to a file, or give a presigned https:// address"},
	{"data.source.uri", "postgres://...", hasScheme("postgres", "postgresql"), "export the query to CSV or Parquet and give the file"},
	{"data.source.query", "", nil, "export the query to CSV or Parquet and give the file"},
	{"data.split.test_source.uri", "s3://...", hasScheme("s3", "s3a", "gs"), "copy the object to a file, or give a presigned https:// address"},
	{"data.split.test_source.uri", "postgres://...", hasScheme("postgres", "postgresql"), "export the query to CSV or Parquet and give the file"},
	{"data.split.test_source.query", "", nil, "export the query to CSV or Parquet and give the file"},
	{"review.signatures", "", nil, "leave it out; decisions are recorded with name and role in the signed chain"},
	{"rollout.target", "kserve, sagemaker", equals("kserve", "sagemaker"), "write target: gateway"},
	{"rollout.shadow", "", nil, "begin rollout.canary with a small share, such as {traffic: 1, hold: 10m}"},
	{"rollout.abort[].condition", "with a tolerance (+/-)", hasTolerance, "leave the tolerance out, as in error_rate < 0.01"},
	{"monitor.performance", "", nil, "leave it out; drift of the columns and of the scores is watched"},
	{"retrain.when.any[].new_rows", "", nil, "leave it out and use drift, or starter schedule create"},
	{"retrain.when.any[].schedule", "", nil, "leave it out and use starter schedule create"},
}

func (u unavailable) String() string { return "not available yet: " + u.instead }

// notYet finds the row for a field and, where one stands there, its value.
func notYet(path, value string) (unavailable, bool) {
	pattern := anyElement(path)
	for _, u := range later {
		if u.path == pattern && (u.match == nil || u.match(value)) {
			return u, true
		}
	}
	return unavailable{}, false
}

// anyElement turns review.quorum[3].role into review.quorum[].role.
func anyElement(path string) string {
	var b strings.Builder
	inside := false
	for _, c := range path {
		switch {
		case c == '[':
			inside = true
			b.WriteString("[]")
		case c == ']':
			inside = false
		case !inside:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func equals(values ...string) func(string) bool {
	return func(v string) bool {
		for _, w := range values {
			if v == w {
				return true
			}
		}
		return false
	}
}

func hasScheme(schemes ...string) func(string) bool {
	return func(v string) bool {
		scheme, _, ok := strings.Cut(v, "://")
		return ok && equals(schemes...)(strings.ToLower(scheme))
	}
}

func hasTolerance(v string) bool { return strings.Contains(v, "+/-") || strings.Contains(v, "±") }

func (u unavailable) found() string {
	if u.value == "" {
		return "this field is known"
	}
	return fmt.Sprintf("this value (%s) is known", u.value)
}
