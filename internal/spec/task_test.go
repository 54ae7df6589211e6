package spec

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/stats"
)

// predicting is the spec of a program with a target, and without what only two classes have.
func predicting(t testing.TB, target string) string {
	t.Helper()
	const binary = `target: {column: approved, positive: "yes"}`
	require.Contains(t, program, binary)
	require.Contains(t, program, conditions)
	return strings.Replace(strings.Replace(program, binary, "target: "+target, 1), conditions, "", 1)
}

const conditions = "gates:\n  conditions:\n    - auc > 0.8\n"

func TestTargetsOfOtherTasksAreRead(t *testing.T) {
	s := parse(t, predicting(t, "{column: species, task: multiclass}"))
	require.Equal(t, Target{Column: "species", Task: "multiclass"}, s.Data.Target)
	require.Equal(t, stats.Multiclass, s.Data.Target.TaskOf())
	require.Nil(t, s.Evaluate.Threshold, "only two values are told apart by a threshold")
	require.Nil(t, s.Serve.PositiveIndex)
	again, err := ParseJSON(s.Canonical())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(s, again))
	require.NotContains(t, string(s.Canonical()), "positive")

	s = parse(t, predicting(t, "{column: price, task: regression}"))
	require.Equal(t, stats.Regression, s.Data.Target.TaskOf())
	require.Contains(t, string(s.Canonical()), `"target":{"column":"price","task":"regression"}`)
}

func TestABinaryTaskLeavesNoTrace(t *testing.T) {
	without := parse(t, minimal)
	with := parse(t, minimal, "data.target.task=binary")
	require.Equal(t, stats.Binary, without.Data.Target.TaskOf())
	require.Equal(t, without.Digest(), with.Digest())
	require.Contains(t, string(with.Canonical()), `"target":{"column":"approved","positive":"yes"}`)
	require.Equal(t, 0.5, *with.Evaluate.Threshold)
	require.Equal(t, 1, *parse(t, program).Serve.PositiveIndex)
}

func TestTasksThatContradictTheRestOfTheSpec(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{change(t, `, positive: "yes"`, ""), "a.yaml:8:12: data.target.positive: this field is missing; expected the value whose probability the score is; or write task: multiclass"},
		{change(t, `, positive: "yes"`, ", task: binary"), "data.target.positive: this field is missing"},
		{change(t, `, positive: "yes"`, `, positive: ""`), `data.target.positive: found ""; expected a text that is not empty`},
		{strings.Replace(change(t, `, positive: "yes"`, ", task: regression"), conditions, "", 1), "data.target.task: found task: regression with trainer: logistic; write trainer: command and train with a program of yours"},
		{change(t, `, positive: "yes"`, ", task: ranking"), `data.target.task: found "ranking"; expected one of binary, multiclass, regression`},
		{predicting(t, `{column: approved, positive: "yes", task: multiclass}`), "data.target.positive: found a positive value with task: multiclass; leave it out: only one of two values is the positive one"},
		{predicting(t, "{column: y, task: regression}") + "evaluate: {threshold: 0.5}\n", "evaluate.threshold: found a threshold with task: regression; leave it out"},
		{strings.Replace(predicting(t, "{column: y, task: multiclass}"), "serve:\n", "serve:\n  positive_index: 0\n", 1), "serve.positive_index: found positive_index with task: multiclass; leave it out"},
	} {
		got := refused(t, c.text)
		require.Len(t, got, 1)
		require.Contains(t, got[0], c.want)
	}
}

func TestTheSchemaKnowsWhichTasksHaveAPositiveValue(t *testing.T) {
	var schema map[string]any
	require.NoError(t, json.Unmarshal(Schema(), &schema))
	inSchema := func(text string) []string {
		var written any
		require.NoError(t, yaml.Unmarshal([]byte(text), &written))
		return violations(schema, schema, asJSON(t, written), "spec")
	}
	require.Empty(t, inSchema(minimal))
	require.Empty(t, inSchema(predicting(t, "{column: y, task: regression}")))
	require.Empty(t, inSchema(predicting(t, `{column: y, task: binary, positive: "1"}`)))
	require.Contains(t, inSchema(change(t, `, positive: "yes"`, "")), "spec.data.target.positive: missing")
	require.Contains(t, inSchema(predicting(t, `{column: y, task: regression, positive: "1"}`)), "spec.data.target.positive: unknown")
	require.Contains(t, inSchema(predicting(t, "{column: y, task: ranking}")), "spec.data.target.task: refused")
}
