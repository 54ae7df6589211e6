package functional

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/synthetic"
)

func TestGroupsAreComparedOnWhatCameOfTheAnswers(t *testing.T) {
	t.Parallel()
	const model, rows = "outcomes", 400
	start(t, credit(model, oneReviewer, with("rollout", nil))).deploys()
	require.Len(t, predict(t, model, "asked", applications(rows, 77, 0)).Outputs[0].Data, rows)
	var labels []document
	for a := range synthetic.Applications(synthetic.Options{Rows: rows, Seed: 77}) {
		labels = append(labels, document{"id": fmt.Sprintf("asked/%d", len(labels)), "label": map[bool]string{true: "yes", false: "no"}[a.Approved]})
	}
	code, body := post(t, "/v2/models/"+model+"/labels", document{"labels": labels})
	require.Equal(t, http.StatusAccepted, code, string(body))

	var found struct {
		Version, Answered, Labelled int
		Gaps                        []struct {
			Column, Gap   string
			Now, Approved struct{ Value, Low, High float64 }
		}
	}
	waitUntil(t, "answers and labels are in the store", func() bool {
		s := starter(t, "fairness", model, "-o", "json")
		return s.status == 0 && json.Unmarshal([]byte(s.out), &found) == nil && found.Labelled == rows
	})
	require.Equal(t, 1, found.Version)
	require.Equal(t, rows, found.Answered)
	require.Equal(t, "demographic_parity_difference", found.Gaps[0].Gap)
	require.Positive(t, found.Gaps[0].Approved.Value, "what the reviewers saw stands beside it")
	require.Less(t, found.Gaps[0].Now.Low, found.Gaps[0].Now.High)
	text := starter(t, "fairness", model)
	require.Contains(t, text.out, "400 answers, 400 with a label (100.0 %)")
	require.Contains(t, text.out, "WHEN APPROVED")
	requireSays(t, 2, []string{"--since", "168h"}, "fairness", model, "--since", "yesterday")
}
