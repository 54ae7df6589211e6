package spec

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever the bytes: no panic, and either a spec that survives its canonical form or problems that say where.
func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("a: &a [*a]\nb: ${X} $${Y}\n? x\n: !!int 1e5"))
	f.Add([]byte(program))
	f.Add([]byte(strings.Replace(program, "MODE: fast", `"A.B": ${X}\n      PATH: x`, 1)))
	f.Add([]byte(strings.Replace(program, "{values: [2, 4, 8]}", "{values: [1e400, .nan, 9007199254740993, true, [], ~]}", 1)))
	f.Add([]byte("x: |\n  a\n y: >-\n - 0x1F\n - .inf\n - 'a''b'\n<<: {}"))
	for _, file := range exampleFiles(f) {
		raw, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("f.yaml", data, Options{Env: exampleEnv})
		if err == nil {
			again, err := ParseJSON(s.Canonical())
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(s, again))
			return
		}
		var e *Error
		require.True(t, errors.As(err, &e))
		require.NotEmpty(t, e.Problems)
		for _, p := range e.Problems {
			require.Positive(t, p.Line, p)
			require.Positive(t, p.Column, p)
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	f.Add(parse(f, program).Canonical())
	f.Add([]byte(`{"train": {"trainer": "logistic", "parameters": {"l2": "x\u0000", "": 1, "a.b": -0.0}}}`))
	f.Add([]byte(`{"model": "x", "data": {"expect": [{"rows": {"min": 1e3}}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := ParseJSON(data); err == nil {
			again, err := ParseJSON(s.Canonical())
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(s, again))
		}
	})
}

func FuzzSet(f *testing.F) {
	f.Add("gates.conditions[0]=auc > 0.8")
	f.Add("data.split={by: time}")
	f.Add("train.parameters.l2=1")
	f.Add("train.parameters.a.b[0]=x")
	f.Add("train.sweep.parameters.a.b.values[0]=x")
	f.Add("train.command.environment={A: ~}")
	f.Fuzz(func(t *testing.T, arg string) {
		_, _ = Parse("f.yaml", []byte(minimal), Options{Env: noEnv, Set: []string{arg, arg}})
	})
}

// Reading the canonical form gives the same spec and the same bytes, as JSON and as the YAML that JSON is.
func TestCanonicalRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t)
		fromJSON, err := ParseJSON(s.Canonical())
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(s.WithDefaults(), *fromJSON))
		require.Equal(t, string(s.Canonical()), string(fromJSON.Canonical()))

		fromYAML, err := Parse("c.yaml", s.Canonical(), Options{Env: noEnv})
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(*fromJSON, *fromYAML))
	})
}

// drawSpec draws from the legal specs; texts hold what YAML and JSON give a meaning to, but no ${.
func drawSpec(t *rapid.T) *Spec {
	word := rapid.StringMatching(`[a-zA-Z0-9_:#>*&!|'"%@,é-][a-zA-Z0-9_:#>*&!|'"%@, é-]{0,12}[a-z]`)
	columns := slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(word, 4, 8).Draw(t, "columns"))))
	duration := func(name string, most int64) Duration {
		return Duration(rapid.Int64Range(1, most).Draw(t, name)) * Duration(time.Millisecond)
	}
	s := &Spec{
		APIVersion: APIVersion, Kind: Kind,
		Model: rapid.StringMatching(modelPattern).Draw(t, "model"), Owner: word.Draw(t, "owner"),
		Purpose: word.Draw(t, "line") + "\n\t" + word.Draw(t, "line"),
		Data: Data{
			Source: Source{URI: word.Draw(t, "uri"), Format: rapid.SampledFrom([]string{"", "csv", "parquet", "jsonl"}).Draw(t, "format")},
			Target: Target{Column: columns[0], Positive: rapid.SampledFrom([]string{"1", "true", ">50K", "null", "~", "1e5", " x "}).Draw(t, "positive")},
			Split:  Split{By: "hash", Train: 0.5, Validation: 0.25, Test: 0.25, Seed: rapid.Int64().Draw(t, "seed")},
		},
		Train: Train{Trainer: "logistic", Queue: rapid.SampledFrom([]string{"", "cpu", "gpu"}).Draw(t, "queue"),
			Parameters: Parameters{"l2": Number(rapid.Float64Range(0, 1e12).Draw(t, "l2")), "tolerance": Number(rapid.Float64Range(1e-300, 1).Draw(t, "tolerance"))}},
		Review: Review{Deadline: duration("deadline", 1e12) + 1, Quorum: []Seat{{word.Draw(t, "role"), rapid.IntRange(1, 100).Draw(t, "approvals")}}},
	}
	if len(columns) > 1 {
		s.Data.Protected = columns[1:]
		s.Gates.Conditions = []string{fmt.Sprintf("auc > %v", rapid.Float64Range(0, 1).Draw(t, "bound"))}
	}
	if rapid.Bool().Draw(t, "time") {
		s.Data.Split = Split{By: "time", Column: word.Draw(t, "column"), Train: 1, TestSource: &Source{URI: word.Draw(t, "test")}}
	}
	if low := rapid.Float64().Draw(t, "low") + 0; rapid.Bool().Draw(t, "expect") {
		s.Data.Expect = []Expectation{{Column: columns[0], Min: &low, In: []string{"", word.Draw(t, "in")}}, {SQL: "select '" + word.Draw(t, "sql") + "'"}}
	}
	traffic := 0.0
	for range rapid.IntRange(0, 3).Draw(t, "steps") {
		traffic += rapid.Float64Range(0.001, 33).Draw(t, "traffic")
		s.Rollout.Canary = append(s.Rollout.Canary, CanaryStep{Traffic: traffic, Hold: duration("hold", 1e9)})
	}
	if rapid.Bool().Draw(t, "command") {
		drawProgram(t, s, word)
	}
	return s
}

// drawProgram makes a program of the user's train and answer.
func drawProgram(t *rapid.T, s *Spec, word *rapid.Generator[string]) {
	variables := rapid.MapOfN(rapid.StringMatching(`[A-RT-Z_][A-Z0-9_]{0,3}[b-z]`), word, 0, 3)
	parameter := rapid.StringMatching(parameterPattern)
	scalar := rapid.OneOf(rapid.Map(rapid.Float64(), Number), rapid.Map(rapid.Int64(), func(i int64) Value { return Number(float64(i)) }),
		rapid.Map(rapid.SampledFrom([]string{"", "1", "true", "null", "~", "1e5", ".inf", " x ", "<&>\u2028"}), Text), rapid.Map(rapid.Bool(), Truth))
	orNone := func(m map[string]string) map[string]string {
		if len(m) == 0 {
			return nil
		}
		return m
	}
	s.Train.Trainer, s.Train.Parameters = TrainerCommand, nil
	if p := rapid.MapOfN(parameter, scalar, 0, 5).Draw(t, "parameters"); len(p) > 0 {
		s.Train.Parameters = p
	}
	s.Train.Priority = rapid.IntRange(0, 5).Draw(t, "priority")
	s.Train.Command = &Command{
		Code: word.Draw(t, "code"), Run: []string{word.Draw(t, "program"), "", "{port}\n"}, Environment: orNone(variables.Draw(t, "environment")),
		TimeLimit: Duration(rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour}).Draw(t, "limit")),
		Retry:     Retry{Attempts: rapid.IntRange(0, 20).Draw(t, "attempts")},
	}
	s.Serve = &Serve{Run: []string{word.Draw(t, "server")}, Environment: orNone(variables.Draw(t, "serve environment"))}
	if rapid.Bool().Draw(t, "index") {
		s.Serve.PositiveIndex = new(rapid.IntRange(0, 1000).Draw(t, "positive"))
	}
	if task := rapid.SampledFrom([]string{"", "multiclass", "regression"}).Draw(t, "task"); task != "" {
		s.Data.Target.Positive, s.Data.Target.Task = "", task
		s.Serve.PositiveIndex, s.Gates.Conditions = nil, nil
	}
	if rapid.Bool().Draw(t, "sweep") {
		low := rapid.Float64Range(1e-9, 1e9).Draw(t, "min")
		s.Train.Sweep = &Sweep{
			Method: rapid.SampledFrom([]string{SweepRandom, SweepASHA, SweepGrid}).Draw(t, "method"), Metric: word.Draw(t, "metric"), Trials: 5,
			Parameters: map[string]SweepRange{
				parameter.Draw(t, "values"): {Values: []Value{scalar.Draw(t, "value")}},
				"low":                       {Min: &low, Max: new(low * 2), Scale: ScaleLog},
				"whole":                     {Min: new(-3.0), Max: new(5.0), Integer: true},
			},
		}
		if s.Train.Sweep.Method == SweepGrid {
			s.Train.Sweep.Parameters["low"] = SweepRange{Min: &low, Max: new(low * 2), Points: 3}
			s.Train.Sweep.Trials = 0
		}
	}
}

func TestLargeFilesAreReadQuickly(t *testing.T) {
	start := time.Now()
	refused(t, change(t, "    - auc > 0.8\n", strings.Repeat("    - auc > 0.8\n", 20_000)))
	var names, variables strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&names, "    p%d: 1\n", i)
		fmt.Fprintf(&variables, "      SM_%d: x\n", i)
	}
	refused(t, change(t, "trainer: logistic\n", "trainer: logistic\n  parameters:\n"+names.String()))
	refused(t, changeProgram(t, "      MODE: fast\n", variables.String()))
	for _, text := range []string{
		strings.Repeat("- ", 500_000), strings.Repeat("? ", 500_000), strings.Repeat("a: ", 300_000), strings.Repeat("x: 1\n", 15_000),
		"a: [" + strings.Repeat("b, ", 300_000) + "]", "a: " + strings.Repeat("&x ", 100_000), strings.Repeat("%", maxBytes), strings.Repeat(":", maxBytes),
	} {
		refused(t, text)
	}
	require.Less(t, time.Since(start), 5*time.Minute) // takes seconds on an idle machine
}
