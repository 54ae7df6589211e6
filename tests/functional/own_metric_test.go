package functional

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/assay-ml/assay/tests/naivebayes"
	"github.com/stretchr/testify/require"
)

// profits adds a metric of the user's own: what the model's decisions earn.
func profits(t *testing.T) func(document) {
	t.Helper()
	code := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(code, "README"), []byte("what decisions earn"), 0o600))
	program, err := os.Executable()
	require.NoError(t, err)
	return with("evaluate.metrics", []any{document{
		"name": "profit", "code": code, "run": []any{program}, "environment": document{naivebayes.Role: "metric"}, "least": -5, "most": 1,
	}})
}

func TestAUsersOwnMetricDecides(t *testing.T) {
	t.Parallel()
	const model = "own-metric"
	own := profits(t)
	first := start(t, credit(model, oneReviewer, own, with("gates.conditions", []any{"profit > -1 +/- 0.5", "profit[sex=female] > -2 +/- 1"})))
	first.deploys()
	result := dossierOf(t, first.id).Gate.Results[0]
	require.Equal(t, "pass", result.Verdict, result.Reason)
	require.Less(t, result.Estimate.Value, 1.0)

	// On the same rows both models earn nearly the same, so that no loss of more than half a unit is certain.
	second := another(t, "t2", credit(model, oneReviewer, own, with("train.parameters", document{"l2": 5.0}), with("gates.conditions", []any{"new.profit - old.profit > -0.5 +/- 0.3"})))
	second.underReview()
	result = dossierOf(t, second.id).Gate.Results[0]
	require.Equal(t, "pass", result.Verdict, result.Reason)
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), second.id, ""))
}

func TestLatencyAndCostDecide(t *testing.T) {
	t.Parallel()
	l := start(t, credit("latency", oneReviewer, with("gates.conditions", []any{"latency_p95_ms < 1000 +/- 500", "model_bytes < 1000000", "train_cpu_seconds < 1000"})))
	l.underReview()
	require.Equal(t, "pass", l.status().Verdict, dossierOf(t, l.id).Gate.Results)
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), l.id, ""))

	slow := start(t, credit("latency-slow", oneReviewer, with("gates.conditions", []any{"latency_p50_ms < 0.0000001"})))
	r := slow.ends()
	require.Equal(t, "gated", r.Outcome, r.Reason)
}
