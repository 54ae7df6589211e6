package functional

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// monitorStatus is what the tests read of a monitor's status, by its public names.
type monitorStatus struct {
	Model   string    `json:"model"`
	Version int       `json:"version"`
	Every   string    `json:"every"`
	Paused  bool      `json:"paused"`
	Next    time.Time `json:"next"`
	Checks  int       `json:"checks"`
	Recent  []check   `json:"recent"`
}

type check struct {
	Number     int      `json:"number"`
	Version    int      `json:"version"`
	Verdict    string   `json:"verdict"`
	Rows       int      `json:"rows"`
	Drifted    []string `json:"drifted"`
	Summary    string   `json:"summary"`
	Report     ref      `json:"report"`
	Retraining string   `json:"retraining"`
}

func monitor(t *testing.T, model string) monitorStatus {
	t.Helper()
	value, err := local.Client.QueryWorkflow(t.Context(), "monitor/"+model, "", "status")
	require.NoError(t, err)
	var s monitorStatus
	require.NoError(t, value.Get(&s))
	return s
}

func tell(t *testing.T, model, signal string, payload any) {
	t.Helper()
	require.NoError(t, local.Client.SignalWorkflow(t.Context(), "monitor/"+model, "", signal, payload))
}

// checkNow asks for one check and gives it.
func checkNow(t *testing.T, model string) check {
	t.Helper()
	before := monitor(t, model).Checks
	tell(t, model, "check-now", nil)
	var s monitorStatus
	waitUntil(t, "the monitor has checked", func() bool { s = monitor(t, model); return s.Checks > before })
	return s.Recent[len(s.Recent)-1]
}

// send sends rows in one request, so that a check sees all of them or none.
func send(t *testing.T, model string, rows int, seed uint64, drift float64) {
	t.Helper()
	require.Len(t, predict(t, model, "", applications(rows, seed, drift)).Outputs[0].Data, rows)
}

// checkUntil asks for checks until one has seen what was sent: a check stays some seconds behind the present, and goes
// on gathering until there are enough rows.
func checkUntil(t *testing.T, model string, seen func(check) bool) check {
	t.Helper()
	var c check
	waitUntil(t, "a check sees the rows", func() bool {
		c = checkNow(t, model)
		return seen(c)
	})
	return c
}

func conclusive(c check) bool { return c.Verdict != "insufficient" }

func TestMonitor(t *testing.T) {
	t.Parallel()
	const model = "watched"
	// So few false alarms that rows of the training data's kind raise none.
	l := start(t, credit(model, oneReviewer, with("monitor", document{"every": "1h", "drift": document{"false_alarms": 1e-6, "min_rows": 50}}),
		with("retrain", document{"when": document{"any": []any{"drift"}}, "cooldown": "1h"})))
	l.deploys()
	s := monitor(t, model)
	require.Equal(t, monitorStatus{Model: model, Version: 1, Every: "1h0m0s", Next: s.Next}, s)
	require.WithinDuration(t, time.Now().Add(time.Hour), s.Next, 10*time.Minute)

	c := checkNow(t, model)
	require.Equal(t, "insufficient", c.Verdict)
	require.Contains(t, c.Summary, "50 more are needed")
	send(t, model, 20, 11, 0)
	c = checkUntil(t, model, func(c check) bool { return c.Rows == 20 })
	require.Equal(t, "insufficient", c.Verdict)
	require.Contains(t, c.Summary, "30 more are needed")

	send(t, model, 400, 12, 0)
	c = checkUntil(t, model, conclusive)
	require.Equal(t, "none", c.Verdict, c.Summary)
	require.Equal(t, 420, c.Rows, "the rows that were too few count as well")
	require.Empty(t, c.Retraining)

	send(t, model, 400, 13, 1)
	c = checkUntil(t, model, conclusive)
	require.Equal(t, "drift", c.Verdict, c.Summary)
	require.Equal(t, 400, c.Rows)
	require.Contains(t, c.Drifted, "income")
	require.NotEmpty(t, c.Report.Digest)
	requireRetraining(t, model, c)

	send(t, model, 400, 14, 1)
	c = checkUntil(t, model, conclusive)
	require.Equal(t, "drift", c.Verdict)
	require.Contains(t, c.Retraining, "not started: ")
	require.Contains(t, c.Retraining, "the cooldown is 1h0m0s")
	require.Contains(t, starter(t, "verify", model).out, "is whole")
}

// requireRetraining follows the lifecycle that a drift started: the data are the same, so the model is, too.
func requireRetraining(t *testing.T, model string, c check) {
	t.Helper()
	id := fmt.Sprintf("lifecycle/%s/drift-v1-check-%d", model, c.Number)
	require.Equal(t, id, c.Retraining)
	l := lifecycle{t, id, local.Client.GetWorkflow(t.Context(), id, "")}
	r := l.ends()
	require.Equal(t, "unchanged", r.Outcome, r.Reason)
	require.Equal(t, 1, r.Version)
	s := l.status()
	require.Equal(t, trigger{Kind: "drift", Reason: s.Trigger.Reason, Source: "monitor/" + model}, s.Trigger)
	require.Contains(t, s.Trigger.Reason, "income")
	for _, line := range s.Stages[1:10] {
		require.True(t, line.Cached, "%s is answered from the store", line.Stage)
	}
	types := strings.Join(typesOf(record(t, model)), " ")
	require.Contains(t, types, "promoted drift retraining dossier refused")
}

func TestMonitorPausesAndResumes(t *testing.T) {
	t.Parallel()
	const model = "paused"
	l := start(t, credit(model, oneReviewer, with("monitor", document{"every": "1h", "drift": document{"false_alarms": 1e-6}}),
		with("retrain", document{"when": document{"any": []any{"drift"}}})))
	l.deploys()
	tell(t, model, "pause", nil)
	waitUntil(t, "the monitor is paused", func() bool { return monitor(t, model).Paused })
	send(t, model, 400, 13, 1)
	c := checkUntil(t, model, conclusive)
	require.Equal(t, "drift", c.Verdict, "a check that is asked for is done also when paused")
	require.Contains(t, c.Retraining, "retraining is paused")
	before := monitor(t, model).Next
	tell(t, model, "resume", nil)
	waitUntil(t, "the monitor goes on", func() bool { return !monitor(t, model).Paused })
	require.True(t, monitor(t, model).Next.After(before), "the next check is planned anew")
}

func TestMonitorChecksByItself(t *testing.T) {
	t.Parallel()
	const model = "timed"
	start(t, credit(model, oneReviewer, with("monitor", document{"every": "200ms"}))).deploys()
	t.Cleanup(func() {
		require.NoError(t, local.Client.TerminateWorkflow(context.Background(), "monitor/"+model, "", "the test has ended"))
	})
	waitUntil(t, "two checks were made that nobody asked for", func() bool { return monitor(t, model).Checks >= 2 })
}

func TestMonitorIgnoresGarbage(t *testing.T) {
	t.Parallel()
	const model = "not-misled"
	start(t, credit(model, oneReviewer)).deploys()
	before := monitor(t, model)
	for _, payload := range []any{
		"version 2", 7, nil, []any{}, document{}, document{"model": "another", "version": 2}, document{"model": model, "version": "2"},
		document{"model": model, "version": -1},
	} {
		tell(t, model, "champion-changed", payload)
	}
	tell(t, model, "no-such-signal", "hello")
	tell(t, model, "pause", document{"unexpected": true})
	waitUntil(t, "the monitor has read all", func() bool { return monitor(t, model).Paused })
	tell(t, model, "resume", "garbage")
	waitUntil(t, "the monitor goes on", func() bool { return !monitor(t, model).Paused })
	after := monitor(t, model)
	after.Next = before.Next
	require.Equal(t, before, after)
	require.Equal(t, "insufficient", checkNow(t, model).Verdict)
}
