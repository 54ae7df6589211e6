package spec

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// minimal is a spec with the required fields and little more; the tests below change single lines of it.
const minimal = `apiVersion: assay/v1
kind: Lifecycle
model: credit
owner: team
purpose: sort applications
data:
  source: {uri: rows.csv}
  target: {column: approved, positive: "yes"}
  protected: [sex]
  split: {train: 0.6, validation: 0.2, test: 0.2}
train:
  trainer: logistic
gates:
  conditions:
    - auc > 0.8
review:
  deadline: 72h
  quorum: [{role: ethics, approvals: 2}]
rollout:
  canary: [{traffic: 5, hold: 10m}]
  abort: [{condition: "error_rate < 0.01"}]
`

var noEnv = func(string) (string, bool) { return "", false }

func parse(t testing.TB, text string, set ...string) *Spec {
	t.Helper()
	s, err := Parse("a.yaml", []byte(text), Options{Env: noEnv, Set: set})
	require.NoError(t, err)
	return s
}

// problemsOf gives the problems as lines without the head line.
func problemsOf(t testing.TB, err error) []string {
	t.Helper()
	var e *Error
	require.True(t, errors.As(err, &e), "an *Error, got %v", err)
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return lines
}

func refused(t testing.TB, text string, set ...string) []string {
	t.Helper()
	s, err := Parse("a.yaml", []byte(text), Options{Env: noEnv, Set: set})
	require.Error(t, err)
	require.Nil(t, s)
	return problemsOf(t, err)
}

func change(t testing.TB, old, new string) string {
	t.Helper()
	require.Contains(t, minimal, old)
	return strings.Replace(minimal, old, new, 1)
}

func TestParseReadsEveryPart(t *testing.T) {
	s := parse(t, `
apiVersion: assay/v1
kind: Lifecycle
model: adult-income
owner: people-analytics
purpose: |
  Two
  lines.
data:
  source: {uri: adult.data, format: csv, csv: {separator: ",", quote: '"', comment: "|", unknown: ["?"], header: false, columns: [age, sex, "a b", income]}}
  target: {column: income, positive: ">50K"}
  protected: &groups [sex]
  exclude: ["a b"]
  weight: w
  transform: select * from data where age >= 17
  split: {by: time, column: day, train: 0.9, validation: 0.1, test_source: {uri: "file:///tmp/t.parquet"}}
  expect:
    - {column: age, type: integer, min: 17, max: 100, nulls: 0}
    - {column: sex, in: [Male, Female], unique: false}
    - {rows: {min: 1000, max: 100000}}
    - {name: hours, sql: select true}
train: {trainer: logistic, queue: gpu, gpus: 2, parameters: {l2: 0, max_iterations: 50, tolerance: 1e-5}}
evaluate: {threshold: 0.3, slices: *groups}
privacy: {quasi_identifiers: [age, sex]}
gates: {inconclusive: fail, conditions: ["recall[sex=Male] >= 0.6"]}
review:
  deadline: 3d
  quorum: [{role: ethics, approvals: 2}, {role: risk, approvals: 1}]
  separate: [requester]
  remind_every: 1d12h
  escalate: {after: 48h, to: [risk-lead]}
rollout: {target: gateway, canary: [{traffic: 0.5, hold: 10s}, {traffic: 100, hold: 1m}], abort: [{condition: error_rate <= 0.01}]}
monitor: {every: 5m, drift: {false_alarms: 0.05, min_rows: 100, correction: benjamini-hochberg}}
retrain: {when: {any: [drift]}, cooldown: 1w, max_per_week: 2}
`)
	hour := Duration(time.Hour)
	want := &Spec{
		APIVersion: "assay/v1", Kind: "Lifecycle", Model: "adult-income", Owner: "people-analytics", Purpose: "Two\nlines.\n",
		Data: Data{
			Source: Source{URI: "adult.data", Format: "csv", CSV: CSV{Separator: ",", Quote: `"`, Comment: "|", Unknown: []string{"?"},
				Header: new(false), Columns: []string{"age", "sex", "a b", "income"}}},
			Target: Target{Column: "income", Positive: ">50K"}, Protected: []string{"sex"}, Exclude: []string{"a b"}, Weight: "w",
			Transform: "select * from data where age >= 17",
			Split:     Split{By: "time", Column: "day", Train: 0.9, Validation: 0.1, TestSource: &Source{URI: "file:///tmp/t.parquet"}},
			Expect: []Expectation{
				{Column: "age", Type: "integer", Min: new(17.0), Max: new(100.0), Nulls: new(0.0)},
				{Column: "sex", In: []string{"Male", "Female"}},
				{Rows: &Range{Min: new(int64(1000)), Max: new(int64(100000))}},
				{Name: "hours", SQL: "select true"},
			},
		},
		Train:    Train{Trainer: "logistic", Queue: "gpu", GPUs: 2, Parameters: Parameters{"l2": Number(0), "max_iterations": Number(50), "tolerance": Number(1e-5)}},
		Evaluate: Evaluate{Threshold: new(0.3), Slices: []string{"sex"}},
		Privacy:  Privacy{QuasiIdentifiers: []string{"age", "sex"}},
		Gates:    Gates{Inconclusive: "fail", Conditions: []string{"recall[sex=Male] >= 0.6"}},
		Review: Review{Deadline: 72 * hour, Quorum: []Seat{{"ethics", 2}, {"risk", 1}}, Separate: []string{"requester"},
			RemindEvery: 36 * hour, Escalate: &Escalate{After: 48 * hour, To: []string{"risk-lead"}}},
		Rollout: Rollout{Target: "gateway", Canary: []CanaryStep{{0.5, Duration(10 * time.Second)}, {100, Duration(time.Minute)}},
			Abort: []Abort{{"error_rate <= 0.01"}}},
		Monitor: Monitor{Every: hour / 12, Drift: Drift{FalseAlarms: 0.05, MinRows: 100, Correction: "benjamini-hochberg"}},
		Retrain: Retrain{When: When{Any: []string{"drift"}}, Cooldown: 168 * hour, MaxPerWeek: 2},
	}
	require.Empty(t, cmp.Diff(want, s))
}

func TestEveryProblemIsReportedInTheOrderOfTheFile(t *testing.T) {
	require.Equal(t, []string{
		`a.yaml:1:1: review: this field is missing; expected who must agree, by when`,
		`a.yaml:2:7: kind: found "Sweep"; not available yet: write kind: Lifecycle`,
		`a.yaml:3:8: model: found "Credit Model"; expected 1 to 63 lower-case letters, digits and hyphens`,
		`a.yaml:4:1: ownr: there is no field "ownr" here; did you mean "owner"?`,
		`a.yaml:5:10: purpose: found the number 3; expected a text that is not blank; if this is meant, put it in quotes: "3"`,
		`a.yaml:10:18: data.split.train: found "most"; expected a number above 0 and at most 1`,
		`a.yaml:12:3: train.trainer: this field is missing; expected the training program`,
	}, refused(t, `apiVersion: assay/v1
kind: Sweep
model: Credit Model
ownr: team
purpose: 3
data:
  source: {uri: rows.csv}
  target: {column: approved, positive: "yes"}
  protected: [sex]
  split: {train: most, validation: 0.2, test: 0.2}
train:
  queue: cpu
gates:
  conditions:
    - n - o > -0.01 +/- 0.02
`))
}

func TestErrorIsReadable(t *testing.T) {
	_, err := Parse("a.yaml", []byte(change(t, "model: credit", "model: Credit")), Options{})
	require.EqualError(t, err, "spec a.yaml: 1 problem\n  a.yaml:3:8: model: found \"Credit\"; expected 1 to 63 lower-case letters, digits and hyphens")

	_, err = Parse("a.yaml", []byte(strings.Repeat("x: 1\n", 60)), Options{})
	require.ErrorContains(t, err, "problems\n")
	require.ErrorContains(t, err, "\n  and ")
	require.Equal(t, shownProblems+2, len(strings.Split(err.Error(), "\n")))
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "spec.yaml")
	text := change(t, "test: 0.2}", `test_source: {uri: "../t.csv"}}`)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(text, "validation: 0.2", "validation: 0.4", 1)), 0o600))

	s, err := Load(file, Options{Env: noEnv})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "rows.csv"), s.Data.Source.URI)
	require.Equal(t, filepath.Join(filepath.Dir(dir), "t.csv"), s.Data.Split.TestSource.URI)

	s, err = Load(file, Options{Env: noEnv, Set: []string{"data.source.uri=https://example.org/x.csv"}})
	require.NoError(t, err)
	require.Equal(t, "https://example.org/x.csv", s.Data.Source.URI, "addresses stay as they are")

	_, err = Load(filepath.Join(dir, "absent.yaml"), Options{})
	require.ErrorContains(t, err, "absent.yaml")
	require.ErrorContains(t, err, "there is no such file; expected the path of a YAML file")

	_, err = Load(dir, Options{})
	require.ErrorContains(t, err, "is a directory")

	require.NoError(t, os.WriteFile(file, make([]byte, maxBytes+1), 0o600))
	_, err = Load(file, Options{})
	require.ErrorContains(t, err, "the file is too large")
}

func TestEnvironment(t *testing.T) {
	env := func(name string) (string, bool) {
		value, ok := map[string]string{"DIR": "/data: {x}", "SHARE": "0.6", "EMPTY": "", "SECRET": "hunter2", "HOLD": "10m", "BAD": "\xff"}[name]
		return value, ok
	}
	read := func(text string) (*Spec, error) { return Parse("a.yaml", []byte(text), Options{Env: env}) }

	s, err := read(change(t, "uri: rows.csv", `uri: "${DIR}/${EMPTY}rows.csv"`))
	require.NoError(t, err)
	require.Equal(t, "/data: {x}/rows.csv", s.Data.Source.URI, "a value never changes the structure")

	s, err = read(change(t, "purpose: sort applications", `purpose: costs $5, $${SECRET} and ${SHARE}`))
	require.NoError(t, err)
	require.Equal(t, "costs $5, ${SECRET} and 0.6", s.Purpose)

	s, err = read(strings.Replace(change(t, "{train: 0.6, validation: 0.2, test: 0.2}", "\n    train: ${SHARE}\n    test: 0.4"), "hold: 10m", `hold: "${HOLD}"`, 1))
	require.NoError(t, err)
	require.Equal(t, 0.6, s.Data.Split.Train)

	for text, want := range map[string]string{
		`uri: "${ABSENT}/x"`:  `a.yaml:7:17: data.source.uri: found "${ABSENT}/x"; the environment variable ABSENT is not set; set it, or write $${ABSENT} for the literal text`,
		`uri: "${not closed"`: `a.yaml:7:17: data.source.uri: found "${not closed"; expected ${NAME} with the name of an environment variable; write $${ for a literal ${`,
		`uri: "${BAD}"`:       `a.yaml:7:17: data.source.uri: found "${BAD}"; the environment variable BAD is not UTF-8 text`,
	} {
		_, err := read(change(t, "uri: rows.csv", text))
		require.Equal(t, []string{want}, problemsOf(t, err))
	}
}

func TestValuesOfVariablesAreNeverShown(t *testing.T) {
	env := func(string) (string, bool) { return "HUNTER 2", true }
	for old, new := range map[string]string{
		"model: credit":            "model: ${X}",
		"auc > 0.8":                "${X}",
		"train: 0.6":               `train: "${X}"`,
		"deadline: 72h":            "deadline: ${X}",
		`"error_rate < 0.01"`:      `"auc > 0.5 ${X}"`,
		"uri: rows.csv":            `uri: "ftp://${X}"`,
		"protected: [sex]":         `protected: ["${X}", "${X}"]`,
		"trainer: logistic":        "trainer: ${X}",
		"source: {uri: rows.csv}":  "source: ${X}",
		`{column: approved, posit`: `{column: "${X}", typo: "${X}", posit`,
	} {
		_, err := Parse("a.yaml", []byte(change(t, old, new)), Options{Env: env})
		require.Error(t, err, new)
		require.NotContains(t, strings.ToUpper(err.Error()), "HUNTER", new)
	}
	_, err := Parse("a.yaml", []byte(change(t, "uri: rows.csv", `uri: "ftp://user:hunter@host/p?token=hunter"`)), Options{})
	require.ErrorContains(t, err, `found "ftp://...@host/p?..."`)
	require.NotContains(t, err.Error(), "hunter")
}

func TestSetChangesOneField(t *testing.T) {
	s := parse(t, minimal, "model=other", "data.split.seed=8", "gates.conditions[0]=accuracy > 0.7", "gates.conditions[1]=recall[sex=a=b] > 0.5",
		"train.parameters.l2=0.5", "review.deadline=2d", "data.source.csv.header=true", "data.source.csv.unknown=[\"?\", n/a]",
		"rollout.canary=[{traffic: 50, hold: 1s}]", "rollout.canary[1].traffic=60", "rollout.canary[1].hold=2s",
		"data.target.positive=1", "purpose=>50K: yes", "monitor.every=1m")
	require.Equal(t, "other", s.Model)
	require.Equal(t, int64(8), s.Data.Split.Seed)
	require.Equal(t, []string{"accuracy > 0.7", "recall[sex=a=b] > 0.5"}, s.Gates.Conditions)
	require.Equal(t, Number(0.5), s.Train.Parameters["l2"])
	require.Equal(t, Duration(48*time.Hour), s.Review.Deadline)
	require.True(t, *s.Data.Source.CSV.Header)
	require.Equal(t, []string{"?", "n/a"}, s.Data.Source.CSV.Unknown)
	require.Equal(t, []CanaryStep{{50, Duration(time.Second)}, {60, Duration(2 * time.Second)}}, s.Rollout.Canary)
	require.Equal(t, "1", s.Data.Target.Positive, "text fields take the value as it stands")
	require.Equal(t, ">50K: yes", s.Purpose)

	for arg, want := range map[string]string{
		"model":                     `--set model: no = in it; expected PATH=VALUE`,
		"=x":                        `--set : the path "" has an empty part; expected PATH`,
		"data..x=1":                 `the path "data..x" has an empty part`,
		"gates.conditions[7]=a":     `there is no element [7]: the list has 1 (the next one is [1])`,
		"gates.conditions[x]=a":     `"x" in the path is not the number of a list element`,
		"gates.conditions[0=a":      `has a [ without its ]`,
		"model[0]=a":                `there is no element [0]: the spec has no list there`,
		"model.x=a":                 `there is no field "x" in it`,
		"modle=a":                   `--set modle: modle: there is no field "modle" here; did you mean "model"?`,
		"data.split.seed=x":         `--set data.split.seed: data.split.seed: found "x"; expected a whole number`,
		"data.split=[":              `found "["; expected YAML such as [a, b] or {key: value}`,
		"data.split={train: 2}":     `data.split.train: found the number 2; expected a number above 0 and at most 1`,
		"data.split.seed={}":        `found "{}"; expected a whole number`,
		"review.deadline=-1h":       `review.deadline: found "-1h"; expected a duration`,
		"data.source.csv.header=si": `found "si"; expected true or false`,
	} {
		require.Contains(t, strings.Join(refused(t, minimal, arg), "\n"), want, arg)
	}
}

func TestParseJSON(t *testing.T) {
	s := parse(t, minimal)
	again, err := ParseJSON(s.Canonical())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(s, again))

	for text, want := range map[string]string{
		``:                                     `input:1:1: the input is empty; expected a spec as a JSON object`,
		`{"model": "x"`:                        `input:1:13: not a JSON spec: unexpected end of JSON input`,
		`{"model": }`:                          `input:1:11: not a JSON spec: invalid character '}'`,
		`[1]`:                                  `input:1:1: found a list; expected a mapping with apiVersion`,
		`"x"`:                                  `input:1:1: found "x"; expected a mapping`,
		"{\n  \"model\": 7}":                   `input:2:12: model: found the number 7; expected 1 to 63 lower-case letters, digits and hyphens; if this is meant, put it in quotes: "7"`,
		"{\"model\":\"a\",\n\"model\":\"b\"}":  `input:2:1: the key "model" is written a second time (first on line 1); keep one of the two`,
		`{"modle": "x"}`:                       `input:1:2: modle: there is no field "modle" here; did you mean "model"?`,
		`{"review": null}`:                     `input:1:12: review: found nothing; expected a mapping with deadline, quorum`,
		`{"review": {"deadline": 60}}`:         `input:1:25: review.deadline: found the number 60; expected a duration such as "90s", "10m", "1h30m", "3d" or "2w": a number alone has no unit, write "60s"`,
		`{"model": "x"} {}`:                    `input:1:16: not a JSON spec: invalid character '{' after top-level value`,
		"{\"model\": \"\xff\"}":                `input:1:12: byte 0xff is not UTF-8`,
		`{"data": {"split": {"seed": 1e400}}}`: `data.split.seed: found the number 1e400; expected a whole number`,
		strings.Repeat("[", 100) + strings.Repeat("]", 100): `nested more than 32 levels deep`,
	} {
		_, err := ParseJSON([]byte(text))
		require.Contains(t, strings.Join(problemsOf(t, err), "\n"), want, text)
	}
}

func TestParseJSONLeavesVariablesAlone(t *testing.T) {
	t.Setenv("SECRET", "hunter2")
	s := parse(t, change(t, "purpose: sort applications", `purpose: "$${SECRET}"`))
	again, err := ParseJSON(s.Canonical())
	require.NoError(t, err)
	require.Equal(t, "${SECRET}", again.Purpose)
}

func TestDigestIsOfTheMeaning(t *testing.T) {
	a := parse(t, minimal)
	require.Equal(t, a.Digest(), parse(t, "# comment\n"+change(t, "deadline: 72h", "deadline: 3d")).Digest())
	require.Equal(t, a.Digest(), parse(t, minimal, "monitor.every=1h", "train.queue=cpu").Digest(), "a default written out")
	require.NotEqual(t, a.Digest(), parse(t, minimal, "data.split.seed=1").Digest())
	require.Contains(t, string(a.Canonical()), `"auc > 0.8"`)
	require.Contains(t, string(a.Canonical()), `"deadline":"72h"`)
	require.Contains(t, string(a.Canonical()), `"parameters":{"l2":1,"max_iterations":1000,"tolerance":1e-7}`)
	require.Equal(t, "sha256:e34cccbbb4edf550c8c27d147dec1efd3d44889fa1a553210f145620a3ff7b52", a.Digest().String(),
		"stored specs are found by their digest: a new field must not change the bytes of specs without it")
}
