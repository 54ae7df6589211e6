package functional

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/assay-ml/assay/internal/synthetic"
	"github.com/stretchr/testify/require"
)

// A client of the Open Inference Protocol knows nothing but the model's name: it asks for the metadata, sends tensors,
// and later the truth.
func TestOpenInferenceProtocol(t *testing.T) {
	t.Parallel()
	const model = "by-tensors"
	start(t, credit(model, oneReviewer)).deploys()
	rows := applications(3, 41, 0)
	byRows := predict(t, model, "", rows)

	require.Contains(t, page(t, local.Gateway+"/v2/health/live"), "true")
	require.Contains(t, page(t, local.Gateway+"/v2/models/"+model+"/ready"), `"ready":true`)
	var metadata struct {
		Versions []string
		Inputs   []struct{ Name, Datatype string }
	}
	require.NoError(t, json.Unmarshal([]byte(page(t, local.Gateway+"/v2/models/"+model)), &metadata))
	require.Equal(t, []string{"1"}, metadata.Versions)
	var inputs []any
	for _, in := range metadata.Inputs {
		require.NotEqual(t, "application_id", in.Name, "an excluded column is not asked for")
		var data []any
		for _, row := range rows {
			data = append(data, row[in.Name])
		}
		inputs = append(inputs, document{"name": in.Name, "datatype": in.Datatype, "shape": []int{len(rows)}, "data": data})
	}
	code, body := post(t, "/v2/models/"+model+"/versions/1/infer", document{"id": "tensors", "inputs": inputs})
	require.Equal(t, http.StatusOK, code, string(body))
	var byTensors prediction
	require.NoError(t, json.Unmarshal(body, &byTensors))
	require.Equal(t, "score", byTensors.Outputs[0].Name)
	require.Equal(t, byRows.Outputs[0].Data, byTensors.Outputs[0].Data)

	code, body = post(t, "/v2/models/"+model+"/labels", document{"labels": []any{document{"id": "tensors/0", "label": "yes"}, document{"id": "tensors/1", "label": "no"}}})
	require.Equal(t, http.StatusAccepted, code, string(body))
	code, body = post(t, "/v2/models/"+model+"/labels", document{"labels": []any{document{"id": "tensors/2", "label": "perhaps"}}})
	require.Equal(t, http.StatusBadRequest, code, string(body))
	var labels []string
	waitUntil(t, "the labels are in the log", func() bool {
		labels = nil
		require.NoError(t, predictionlog.ReadLabels(t.Context(), local.Store, model, time.Time{}, time.Time{}, func(l predictionlog.Label) error {
			labels = append(labels, l.ID+" "+l.Label)
			return nil
		}))
		return len(labels) > 0
	})
	require.Equal(t, []string{"tensors/0 yes", "tensors/1 no"}, labels)
}

// prediction is the gateway's answer.
type prediction struct {
	Version    string `json:"model_version"`
	ID         string `json:"id"`
	Parameters struct {
		Role string `json:"role"`
	} `json:"parameters"`
	Outputs []struct {
		Name string    `json:"name"`
		Data []float64 `json:"data"`
	} `json:"outputs"`
}

// predict asks for predictions; a gateway learns of a promotion a moment after it.
func predict(t *testing.T, model, id string, rows []document) prediction {
	t.Helper()
	var p prediction
	waitUntil(t, "the gateway answers for "+model, func() bool {
		code, body := post(t, "/v2/models/"+model+"/infer", document{"id": id, "instances": rows})
		if code == http.StatusNotFound || code == http.StatusServiceUnavailable {
			return false
		}
		require.Equal(t, http.StatusOK, code, string(body))
		require.NoError(t, json.Unmarshal(body, &p))
		return true
	})
	return p
}

func post(t *testing.T, path string, body any) (code int, answer []byte) {
	t.Helper()
	encoded, err := json.Marshal(body)
	require.NoError(t, err)
	response, err := http.Post(local.Gateway+path, "application/json", bytes.NewReader(encoded))
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, answer
}

// applications are rows as a caller of the model sends them: every column named, null where unknown.
func applications(rows int, seed uint64, drift float64) []document {
	var out []document
	for a := range synthetic.Applications(synthetic.Options{Rows: rows, Seed: seed, Drift: drift}) {
		row := document{}
		for _, name := range synthetic.Columns {
			row[name] = a.Values[name]
		}
		delete(row, "approved")
		out = append(out, row)
	}
	return out
}
