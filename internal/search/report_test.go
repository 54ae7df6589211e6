package search

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/spec"
)

func TestAReportReadsBackAsItWas(t *testing.T) {
	r := Report{Method: spec.SweepTPE, Metric: "validation_auc", Goal: spec.SweepMaximize, Budget: "2 trials", Chosen: 1, Started: 2, Finished: 1, Failed: 1, Reason: "all 2 trials were made",
		Trials: []TrialRecord{
			{Trial: 1, Parameters: spec.Parameters{"lr": spec.Number(0.01)}, Outcome: OutcomeFinished, Value: new(0.0), Resource: 9, Seconds: 3, CPUSeconds: 2.5, GPUSeconds: 1, Model: "sha256:ab"},
			{Trial: 2, Parameters: spec.Parameters{"lr": spec.Text("x")}, Outcome: OutcomeFailed, Reason: "exit status 1"},
		}}
	text, err := json.Marshal(r)
	require.NoError(t, err)
	var again Report
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, r, again)
	require.Contains(t, string(text), `{"trial":1,"parameters":{"lr":0.01},"outcome":"finished","value":0,"resource":9,"seconds":3,"cpu_seconds":2.5,"gpu_seconds":1,"model":"sha256:ab"}`,
		"a value of 0 is a value")
	require.Contains(t, string(text), `{"trial":2,"parameters":{"lr":"x"},"outcome":"failed","reason":"exit status 1","seconds":0,"cpu_seconds":0}`)
}
