package functional

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/stretchr/testify/require"
)

// event is what one record of a model's chain says, read as an auditor's program reads it: a DSSE envelope around an
// in-toto statement.
type event struct {
	Type   string            `json:"type"`
	Actor  string            `json:"actor"`
	Detail map[string]string `json:"detail"`
}

// record reads a model's chain, oldest first.
func record(t *testing.T, model string) []event {
	t.Helper()
	names, err := local.Store.List(t.Context(), "models/"+model+"/chain")
	require.NoError(t, err)
	var events []event
	for _, name := range names {
		var envelope struct{ Payload string }
		_, err := artifact.GetJSON(t.Context(), local.Store, name, &envelope)
		require.NoError(t, err)
		payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
		require.NoError(t, err)
		var statement struct{ Predicate struct{ Event event } }
		require.NoError(t, json.Unmarshal(payload, &statement))
		events = append(events, statement.Predicate.Event)
	}
	require.NotEmpty(t, events, "the chain of "+model)
	return events
}

func typesOf(events []event) []string {
	types := make([]string, len(events))
	for i, e := range events {
		types[i] = e.Type
	}
	return types
}

func decisionsOf(events []event) []event {
	var decisions []event
	for _, e := range events {
		if e.Type == "decision" {
			decisions = append(decisions, e)
		}
	}
	return decisions
}
