package functional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// Inputs as another client may get them wrong. Each run ends at once, with an error type and a message that says what
// was expected; none waits in retries.
func TestMalformedInputs(t *testing.T) {
	t.Parallel()
	good := credit("malformed")
	for name, c := range map[string]struct {
		input []any
		kind  string   // error type
		says  []string // in the message
	}{
		"no input":         {nil, "InvalidInput", []string{"there is none", `{"spec"`}},
		"null":             {[]any{nil}, "InvalidInput", []string{"there is none", `{"spec"`}},
		"a text":           {[]any{"credit.yaml"}, "InvalidInput", []string{"string", `{"spec"`}},
		"a number":         {[]any{7}, "InvalidInput", []string{"number", `{"spec"`}},
		"a list":           {[]any{[]any{good}}, "InvalidInput", []string{"array", `{"spec"`}},
		"bytes":            {[]any{[]byte("spec")}, "InvalidInput", []string{`{"spec"`}},
		"no spec":          {[]any{document{"requester": "rita"}}, "InvalidInput", []string{"spec"}},
		"a mistyped part":  {[]any{document{"spec": good, "requester": 7}}, "InvalidInput", []string{"requester"}},
		"an unknown part":  {[]any{document{"spec": good, "requestor": "rita"}}, "InvalidInput", []string{`"requestor"`}},
		"no requester":     {[]any{document{"spec": good}}, "LifecycleFailed", []string{"names no requester", "review.separate"}},
		"a long requester": {[]any{document{"spec": good, "requester": strings.Repeat("x", 5000)}}, "InvalidInput", []string{"requester", "5000 bytes", "200"}},
		"an unknown trigger": {
			[]any{document{"spec": good, "requester": "rita", "trigger": document{"kind": "moon"}}}, "InvalidInput", []string{`"moon"`, "manual, schedule, drift or data"},
		},
		"a text as spec": {[]any{document{"spec": "model: credit", "requester": "rita"}}, "LifecycleFailed", []string{`found "model: credit"`, "a mapping"}},
		"an empty spec":  {[]any{document{"spec": document{}, "requester": "rita"}}, "LifecycleFailed", []string{"apiVersion"}},
		"an unknown field of the spec": {
			[]any{document{"spec": credit("malformed", with("gates.condition", []any{"auc > 0.7"})), "requester": "rita"}},
			"LifecycleFailed", []string{"gates.condition", "conditions"},
		},
		"a mistyped field of the spec": {
			[]any{document{"spec": credit("malformed", with("review.deadline", 72)), "requester": "rita"}}, "LifecycleFailed", []string{"review.deadline", "found the number 72", "a duration"},
		},
		"a field whose time has not come": {
			[]any{document{"spec": credit("malformed", with("review.signatures", "required")), "requester": "rita"}},
			"LifecycleFailed", []string{"review.signatures", "not available yet"},
		},
		"an unknown metric": {
			[]any{document{"spec": credit("malformed", with("gates.conditions", []any{"acuracy > 0.7"})), "requester": "rita"}},
			"LifecycleFailed", []string{"acuracy"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failure := startAs(t, "lifecycle/malformed/"+name, c.input...).fails()
			require.Equal(t, c.kind, failure.Type(), failure.Message())
			for _, text := range c.says {
				require.Contains(t, failure.Message(), text)
			}
		})
	}
}

// The other workflow types are as public as Lifecycle.
func TestMalformedInputsOfOtherTypes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		workflow string
		input    []any
		says     string
	}{
		"rollout without input":     {"Rollout", nil, "there is none"},
		"rollout of a text":         {"Rollout", []any{"credit"}, "string"},
		"rollout of nothing":        {"Rollout", []any{document{}}, "model"},
		"rollout of an unknown one": {"Rollout", []any{document{"model": "nobody", "version": 1}}, "nobody"},
		"monitor without input":     {"Monitor", nil, "there is none"},
		"monitor of a number":       {"Monitor", []any{5}, "number"},
		"monitor of nothing":        {"Monitor", []any{document{}}, "model"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := fmt.Sprintf("malformed %s", name)
			run, err := local.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "assay"}, c.workflow, c.input...)
			require.NoError(t, err)
			var failure *temporal.ApplicationError
			require.ErrorAs(t, lifecycle{t, id, run}.end(nil), &failure)
			require.Contains(t, failure.Message(), c.says)
			require.NotEmpty(t, failure.Type())
		})
	}
}
