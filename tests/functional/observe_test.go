package functional

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
)

// page reads an address as text.
func page(t *testing.T, address string) string {
	t.Helper()
	answer, err := http.Get(address)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(body)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	const model = "measured"
	waiting := start(t, credit("measured-waiting"))
	waiting.underReview()
	start(t, credit(model, oneReviewer, with("monitor", document{"drift": document{"false_alarms": 1e-6}}), with("train", document{"trainer": "logistic", "queue": "gpu"}))).deploys()
	waitUntil(t, "the champion answers", func() bool { return predict(t, model, "", applications(1, 5, 0)).Parameters.Role == "champion" })
	send(t, model, 300, 31, 0)
	checkUntil(t, model, conclusive)

	for _, series := range []string{
		`assay_activity_seconds_count\{activity="Ingest",end="(done|stored)"\} [1-9]`,
		`assay_gate_verdicts_total\{.*verdict="pass".*\} [1-9]`,
		`assay_reviews_waiting [1-9]`,
		`assay_drift_psi\{column="income",model="measured"\} 0\.\d`,
		`assay_drift_checks_total\{model="measured",verdict="none"\} 1`,
		`assay_drift_columns\{model="measured"\} 0`,
		`assay_device_slots 1`,
		`assay_device_slots_used [01]`,
		`assay_gateway_requests_total\{code="200",model="measured",role="champion",version="1"\} [1-9]`,
		`assay_gateway_serving_version\{model="measured",role="champion"\} 1`,
		`temporal_activity_schedule_to_start_latency\w*_count\{.*activity_type="Ingest".*\} [1-9]`,
		`temporal_workflow_completed_total\{.*workflow_type="Lifecycle".*\} [1-9]`,
		`temporal_worker_task_slots_used\{.*\} \d`,
	} {
		waitUntil(t, "the metric "+series, func() bool { return regexp.MustCompile(`(?m)^` + series).MatchString(page(t, local.Metrics)) })
	}
	require.Contains(t, page(t, local.Gateway+"/metrics"), "assay_gateway_requests_total")
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), waiting.id, ""))
}

func TestSearchAttributes(t *testing.T) {
	t.Parallel()
	const model = "searchable"
	l := start(t, credit(model, oneReviewer))
	dossier := l.underReview()
	find(t, "AssayModel = 'searchable' AND AssayStage = 'review' AND AssayRequester = 'rita' AND ExecutionStatus = 'Running'", l.id)
	l.signal(vote("ron", "risk", "approve", dossier))
	require.Equal(t, "deployed", l.ends().Outcome)
	attributes := find(t, "AssayModel = 'searchable' AND AssayOutcome = 'deployed' AND AssayVersion = 1", l.id)
	require.Equal(t, map[string]any{
		"AssayModel": model, "AssayStage": "rollout", "AssayRequester": "rita", "AssayOutcome": "deployed", "AssayVersion": 1.0,
	}, attributes)
}

// find waits until a query of Temporal's visibility finds exactly the lifecycle, and gives its search attributes. What
// can be searched follows what happened after a moment.
func find(t *testing.T, query, id string) map[string]any {
	t.Helper()
	attributes := map[string]any{}
	waitUntil(t, "the query finds it: "+query, func() bool {
		answer, err := local.Client.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: "default", Query: query})
		require.NoError(t, err)
		if len(answer.Executions) == 0 {
			return false
		}
		require.Len(t, answer.Executions, 1)
		require.Equal(t, id, answer.Executions[0].Execution.WorkflowId)
		for name, value := range answer.Executions[0].SearchAttributes.GetIndexedFields() {
			if !strings.HasPrefix(name, "Assay") {
				continue // Temporal's own
			}
			var v any
			require.NoError(t, converter.GetDefaultDataConverter().FromPayload(value, &v))
			attributes[name] = v
		}
		return true
	})
	return attributes
}
