package functional

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

// another starts one more lifecycle of a model, whose candidate differs from the version before.
func another(t *testing.T, id string, spec document) lifecycle {
	t.Helper()
	return startAs(t, fmt.Sprintf("lifecycle/%s/%s", spec["model"], id), document{"spec": spec, "requester": "rita", "trigger": document{"kind": "manual"}})
}

// answered tells which versions answered which of so many keys.
func answered(t *testing.T, model string, keys int) map[string]string {
	t.Helper()
	rows := applications(1, 21, 0)
	by := map[string]string{}
	for i := range keys {
		key := fmt.Sprintf("customer-%d", i)
		by[key] = predict(t, model, key, rows).Version
	}
	return by
}

func shareOf(version string, by map[string]string) float64 {
	n := 0
	for _, v := range by {
		if v == version {
			n++
		}
	}
	return float64(n) / float64(len(by))
}

func TestSecondVersion(t *testing.T) {
	t.Parallel()
	const model = "second-version"
	start(t, credit(model, oneReviewer)).deploys()

	// The second candidate is cancelled in its canary.
	l := another(t, "t2", credit(model, oneReviewer, with("train.parameters", document{"l2": 50.0}), with("rollout.canary", []any{document{"traffic": 40, "hold": "1h"}})))
	l.signal(vote("ron", "risk", "approve", l.underReview()))
	l.waitFor("the canary", func(s status) bool { return s.Rollout == "rollout/"+model+"/2" })
	waitUntil(t, "the candidate answers", func() bool { return shareOf("2", answered(t, model, 10)) > 0 })
	split := answered(t, model, 200)
	require.InDelta(t, 0.4, shareOf("2", split), 0.12)
	require.Equal(t, split, answered(t, model, 200), "a key goes the same way each time")

	require.NoError(t, local.Client.CancelWorkflow(t.Context(), l.id, ""))
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, l.end(nil), &cancelled)
	var r result
	require.NoError(t, cancelled.Details(&r))
	require.Equal(t, "cancelled", r.Outcome)
	require.Equal(t, 2, r.Version, "the version is registered, and does not serve")
	requireWithdrawn(t, model)

	// The third is promoted.
	l = another(t, "t3", credit(model, oneReviewer, with("train.parameters", document{"l2": 20.0})))
	require.Equal(t, 3, l.deploys().Version)
	waitUntil(t, "the new champion answers", func() bool { return shareOf("3", answered(t, model, 10)) == 1 })
	waitUntil(t, "the monitor watches the new champion", func() bool { return monitor(t, model).Version == 3 })
	var champion struct{ Version, Previous int }
	_, err := artifact.GetJSON(t.Context(), local.Store, "models/"+model+"/champion.json", &champion)
	require.NoError(t, err)
	require.Equal(t, 3, champion.Version)
	require.Equal(t, 1, champion.Previous)
	require.Contains(t, starter(t, "verify", model).out, "3 versions")
}

// requireWithdrawn checks that the candidate of a cancelled rollout is out of service, and that the record says so.
func requireWithdrawn(t *testing.T, model string) {
	t.Helper()
	waitUntil(t, "the champion answers alone", func() bool { return shareOf("1", answered(t, model, 20)) == 1 })
	var candidate struct {
		Version int
		State   string
	}
	_, err := artifact.GetJSON(t.Context(), local.Store, "models/"+model+"/candidate.json", &candidate)
	require.NoError(t, err)
	require.Zero(t, candidate.Version)
	require.Equal(t, "rolled back", candidate.State)
	types := strings.Join(typesOf(record(t, model)), " ")
	require.Contains(t, types, "registered rolled-back refused")
	require.Contains(t, starter(t, "verify", model).out, "is whole")

	value, err := local.Client.QueryWorkflow(t.Context(), "rollout/"+model+"/2", "", "status")
	require.NoError(t, err)
	var s struct {
		State   string
		Traffic float64
	}
	require.NoError(t, value.Get(&s))
	require.Equal(t, "cancelled", s.State)
	require.Zero(t, s.Traffic)
}

// The log holds what every gateway saw of the candidate; here, another one saw it fail.
func TestCanaryWithErrors(t *testing.T) {
	t.Parallel()
	const model = "failing-canary"
	start(t, credit(model, oneReviewer)).deploys()
	l := another(t, "t2", credit(model, oneReviewer, with("train.parameters", document{"l2": 50.0}), with("rollout.canary", []any{document{"traffic": 50, "hold": "12s"}}),
		with("rollout.abort", []any{document{"condition": "error_rate < 0.01"}})))
	l.signal(vote("ron", "risk", "approve", l.underReview()))
	waitUntil(t, "the candidate answers", func() bool { return shareOf("2", answered(t, model, 10)) > 0 })

	log, err := predictionlog.OpenWriter(local.Store, t.TempDir(), model, predictionlog.Options{})
	require.NoError(t, err)
	for range 30 {
		require.NoError(t, log.Append(predictionlog.Record{Time: time.Now().UTC(), ID: "x", Version: 2, Role: "candidate", Status: http.StatusInternalServerError}))
	}
	require.NoError(t, log.Close(t.Context()))
	r := l.ends()
	require.Equal(t, "gated", r.Outcome)
	require.Contains(t, r.Reason, "rolled back during the canary: step 1")
	require.Contains(t, r.Reason, "error_rate < 0.01")
	waitUntil(t, "the champion answers alone", func() bool { return shareOf("1", answered(t, model, 20)) == 1 })
	require.Contains(t, strings.Join(typesOf(record(t, model)), " "), "registered rolled-back refused")
	require.Equal(t, 3, starter(t, "watch", l.id).status)
}

// Who terminates a lifecycle gives it no chance to clean up; its rollout is cancelled all the same.
func TestTerminateInTheCanary(t *testing.T) {
	t.Parallel()
	const model = "terminated"
	start(t, credit(model, oneReviewer)).deploys()
	l := another(t, "t2", credit(model, oneReviewer, with("train.parameters", document{"l2": 50.0}), with("rollout.canary", []any{document{"traffic": 50, "hold": "1h"}})))
	l.signal(vote("ron", "risk", "approve", l.underReview()))
	waitUntil(t, "the candidate answers", func() bool { return shareOf("2", answered(t, model, 10)) > 0 })
	require.NoError(t, local.Client.TerminateWorkflow(t.Context(), l.id, "", "a test"))
	waitUntil(t, "the champion answers alone", func() bool { return shareOf("1", answered(t, model, 20)) == 1 })
}

// A candidate that cannot be looked at gets no traffic: here, the log it is judged by is damaged.
func TestCanaryThatCannotBeObserved(t *testing.T) {
	t.Parallel()
	const model = "unobservable"
	l := start(t, credit(model, oneReviewer, with("rollout.canary", []any{document{"traffic": 50, "hold": "8s"}})))
	l.signal(vote("ron", "risk", "approve", l.underReview()))
	predict(t, model, "", applications(10, 5, 0))
	var segment string
	waitUntil(t, "the log is in the store", func() bool {
		files, err := filepath.Glob(filepath.Join(local.StoreFolder(), "predictions", model, "*", "*.jsonl"))
		require.NoError(t, err)
		if len(files) > 0 {
			segment = files[0]
		}
		return len(files) > 0
	})
	require.NoError(t, os.WriteFile(segment, []byte("damaged"), 0o600))
	failure := l.fails()
	require.Contains(t, failure.Message(), filepath.Base(segment))
	waitUntil(t, "nothing serves", func() bool {
		code, _ := post(t, "/v2/models/"+model+"/infer", document{"instances": applications(1, 5, 0)})
		return code == http.StatusServiceUnavailable
	})
	require.Contains(t, strings.Join(typesOf(record(t, model)), " "), "registered rolled-back refused")
}

func TestLifecyclesOfOneModelAtOnce(t *testing.T) {
	t.Parallel()
	const model = "at-once"
	var all []lifecycle
	for i := range 4 {
		all = append(all, another(t, fmt.Sprintf("t%d", i), credit(model, oneReviewer, with("train.parameters", document{"l2": float64(i + 2)}))))
	}
	versions := map[int]bool{}
	for _, l := range all {
		l.signal(vote("ron", "risk", "approve", l.underReview()))
	}
	for _, l := range all {
		r := l.ends()
		require.Equal(t, "deployed", r.Outcome, r.Reason)
		versions[r.Version] = true
	}
	require.Equal(t, map[int]bool{1: true, 2: true, 3: true, 4: true}, versions)
	require.Contains(t, starter(t, "verify", model).out, "4 versions")
	var models []struct {
		Model    string
		Champion int
	}
	answers(t, 0, &models, "models")
	for _, m := range models {
		if m.Model == model {
			waitUntil(t, "the monitor watches the champion", func() bool { return monitor(t, model).Version == m.Champion })
		}
	}
}

// A first version has no champion to fall back to: when its rollout is cancelled, nothing serves.
func TestCancelInTheFirstCanary(t *testing.T) {
	t.Parallel()
	const model = "first-cancelled"
	l := start(t, credit(model, oneReviewer, with("rollout.canary", []any{document{"traffic": 10, "hold": "1h"}})))
	l.signal(vote("ron", "risk", "approve", l.underReview()))
	require.Equal(t, "1", predict(t, model, "", applications(1, 5, 0)).Version, "without a champion the candidate answers all")
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), l.id, ""))
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, l.end(nil), &cancelled)
	waitUntil(t, "nothing serves", func() bool {
		code, _ := post(t, "/v2/models/"+model+"/infer", document{"instances": applications(1, 5, 0)})
		return code == http.StatusServiceUnavailable
	})
	require.Contains(t, strings.Join(typesOf(record(t, model)), " "), "registered rolled-back refused")
	require.Contains(t, starter(t, "verify", model).out, "is whole")
	require.Equal(t, "cancelled during rollout", l.status().Result.Reason)
}
