package functional

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
)

// stages are all stages, in their order.
var stages = []string{"admit", "ingest", "validate", "prepare", "train", "evaluate", "fairness", "explain", "privacy", "gate", "dossier", "review", "register", "rollout"}

func TestDeployBySignals(t *testing.T) {
	t.Parallel()
	l := start(t, credit("by-signals"))
	followed := follow(t, l)
	dossier := l.underReview()
	l.signal(vote("eva", "ethics", "approve", dossier))
	l.signal(vote("emil", "ethics", "approve", dossier))
	l.signal(vote("ron", "risk", "approve", dossier))
	r := l.ends()
	followed()

	require.Equal(t, "deployed", r.Outcome, r.Reason)
	require.Equal(t, 1, r.Version)
	s := l.status()
	require.Equal(t, r, *s.Result)
	require.Equal(t, "pass", s.Verdict)
	require.Equal(t, "rollout/by-signals/1", s.Rollout)
	for _, line := range s.Stages {
		require.Equal(t, "done", line.State, line.Stage)
		require.NotEmpty(t, line.Summary, line.Stage)
		require.False(t, line.Finished.Before(line.Started), line.Stage)
	}
	requireInStore(t, "by-signals", 1, dossier)
	requireServed(t, "by-signals", 1)
}

// follow asks for the status from the start to the end: every query is answered, and the stage only goes forward.
func follow(t *testing.T, l lifecycle) (wait func()) {
	done := make(chan error, 1)
	go func() { done <- watch(t, l) }()
	return func() { require.NoError(t, <-done) }
}

func watch(t *testing.T, l lifecycle) error {
	var seen []string
	for {
		value, err := local.Client.QueryWorkflow(t.Context(), l.id, "", "status")
		if err != nil {
			return fmt.Errorf("the status query after the stages %q: %w", seen, err)
		}
		var s status
		if err := value.Get(&s); err != nil {
			return err
		}
		at := slices.Index(stages, s.Stage)
		if at < 0 && s.Stage != "" || len(seen) > 0 && at < slices.Index(stages, seen[len(seen)-1]) {
			return fmt.Errorf("stage %q came after %q", s.Stage, seen)
		}
		if !slices.Contains(seen, s.Stage) {
			seen = append(seen, s.Stage)
		}
		if s.Result != nil {
			return nil
		}
	}
}

// requireInStore checks what a deployed version leaves in the store.
func requireInStore(t *testing.T, model string, version int, dossier string) {
	t.Helper()
	manifest := manifestOf(t, model, version)
	require.Equal(t, "rita", manifest.Requester)
	require.Equal(t, "pass", manifest.Verdict)
	require.Len(t, manifest.Decisions, 3)
	require.Equal(t, dossier, manifest.Dossier.Digest.String())

	page, err := artifact.ReadAll(t.Context(), local.Store, manifest.Page)
	require.NoError(t, err)
	require.Contains(t, string(page), dossier, "the page shows the digest that decisions are bound to")

	var champion struct{ Version int }
	_, err = artifact.GetJSON(t.Context(), local.Store, "models/"+model+"/champion.json", &champion)
	require.NoError(t, err)
	require.Equal(t, version, champion.Version)

	types := []string{"dossier", "decision", "decision", "decision", "registered", "promoted"}
	require.Equal(t, types, typesOf(record(t, model)), "nothing is registered before the decisions are on the record")
	verified := starter(t, "verify", model)
	require.Zero(t, verified.status, verified.err)
	require.Contains(t, verified.out, "is whole")
}

// requireServed asks the gateway for a prediction and finds it in the log.
func requireServed(t *testing.T, model string, version int) {
	t.Helper()
	waitUntil(t, "the gateway has seen the promotion", func() bool {
		return predict(t, model, "", applications(1, 5, 0)).Parameters.Role == "champion"
	})
	answer := predict(t, model, "look-"+model, applications(1, 5, 0))
	require.Equal(t, fmt.Sprint(version), answer.Version)
	require.Len(t, answer.Outputs[0].Data, 1)
	require.Greater(t, answer.Outputs[0].Data[0], 0.0)
	require.Less(t, answer.Outputs[0].Data[0], 1.0)

	var found predictionlog.Record
	waitUntil(t, "the prediction is in the log", func() bool {
		err := predictionlog.Read(t.Context(), local.Store, model, time.Time{}, time.Time{}, func(r predictionlog.Record) error {
			if r.ID == "look-"+model {
				found = r
			}
			return nil
		})
		require.NoError(t, err)
		return found.ID != ""
	})
	require.Equal(t, version, found.Version)
	require.Equal(t, answer.Outputs[0].Data[0], *found.Score)
}

func TestDeployByUpdates(t *testing.T) {
	t.Parallel()
	l := start(t, credit("by-updates"))
	dossier := l.underReview()

	first, err := l.update(vote("eva", "ethics", "approve", dossier))
	require.NoError(t, err)
	require.Equal(t, receipt{
		Kind: "counted", Outcome: "open", Missing: []seat{{"ethics", 1}, {"risk", 1}}, Dossier: dossier,
		Message: "the vote is counted; still needed: 1 x ethics, 1 x risk",
	}, first)

	again, err := l.update(vote("eva", "ethics", "approve", dossier))
	require.NoError(t, err)
	require.Equal(t, "duplicate", again.Kind)
	require.Equal(t, first.Missing, again.Missing, "a vote sent twice counts once")

	_, err = l.update(vote("emil", "ethics", "approve", dossier))
	require.NoError(t, err)
	last, err := l.update(vote("ron", "risk", "approve", dossier))
	require.NoError(t, err)
	require.Equal(t, "approved", last.Outcome)
	require.True(t, last.Closed)
	require.Empty(t, last.Missing)

	r := l.ends()
	require.Equal(t, "deployed", r.Outcome, r.Reason)
	requireInStore(t, "by-updates", 1, dossier)
}

func TestRefusedUpdatesLeaveNoTrace(t *testing.T) {
	t.Parallel()
	l := start(t, credit("refused-updates"))
	dossier := l.underReview()
	other := "sha256:" + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	changed := func(key string, value any) document {
		v := vote("eva", "ethics", "approve", dossier)
		v[key] = value
		if value == nil {
			delete(v, key)
		}
		return v
	}
	before := historyLength(t, l.id)
	for name, c := range map[string]struct {
		payload any
		says    string
	}{
		"another dossier":        {changed("dossier", other), dossier},
		"no digest":              {changed("dossier", "the green one"), dossier},
		"no dossier":             {changed("dossier", nil), dossier},
		"unknown role":           {changed("role", "finance"), "ethics, risk"},
		"unknown field":          {changed("weight", 3), `"weight"`},
		"no reason":              {changed("reason", nil), "no reason"},
		"blank reason":           {changed("reason", "  "), "no reason"},
		"no reviewer":            {changed("reviewer", nil), "no reviewer"},
		"unknown decision":       {changed("decision", "maybe"), "approve, reject or request_changes"},
		"the requester":          {changed("reviewer", "Rita"), "may not decide on their own request"},
		"a number for a name":    {changed("reviewer", 7), "reviewer"},
		"a text for an object":   {"approve", "expected one JSON object"},
		"nothing":                {nil, "it is empty"},
		"a list":                 {[]any{1, 2}, "expected one JSON object"},
		"a reason of 5000 bytes": {changed("reason", string(bytes.Repeat([]byte("x"), 5000))), "4000"},
	} {
		_, err := l.update(c.payload)
		require.ErrorContains(t, err, c.says, name)
	}
	require.Equal(t, before, historyLength(t, l.id), "a refused update adds nothing to history")

	s := l.status()
	require.Empty(t, s.Review.Decisions)
	require.Empty(t, s.Review.Refusals)
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), l.id, ""))
}

// historyLength is the number of events of a run that waits on a timer: nothing else is under way.
func historyLength(t *testing.T, id string) int64 {
	t.Helper()
	var last *history.HistoryEvent
	waitUntil(t, id+" waits on a timer", func() bool {
		for _, e := range events(t, id) {
			last = e
		}
		return last.GetEventType() == enums.EVENT_TYPE_TIMER_STARTED
	})
	return last.GetEventId()
}
