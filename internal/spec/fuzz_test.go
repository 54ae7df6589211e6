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
			Parameters: Parameters{L2: new(rapid.Float64Range(0, 1e12).Draw(t, "l2")), Tolerance: rapid.Float64Range(1e-300, 1).Draw(t, "tolerance")}},
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
	return s
}

func TestLargeFilesAreReadQuickly(t *testing.T) {
	start := time.Now()
	refused(t, change(t, "    - auc > 0.8\n", strings.Repeat("    - auc > 0.8\n", 20_000)))
	for _, text := range []string{
		strings.Repeat("- ", 500_000), strings.Repeat("? ", 500_000), strings.Repeat("a: ", 300_000), strings.Repeat("x: 1\n", 15_000),
		"a: [" + strings.Repeat("b, ", 300_000) + "]", "a: " + strings.Repeat("&x ", 100_000), strings.Repeat("%", maxBytes), strings.Repeat(":", maxBytes),
	} {
		refused(t, text)
	}
	require.Less(t, time.Since(start), time.Minute)
}
