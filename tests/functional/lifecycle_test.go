package functional

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// The bound of every wait. Tests share two cores, and the first lifecycles of the binary compute their stages.
const patience = 90 * time.Second

const look = 50 * time.Millisecond // between two looks of a wait

// document is JSON as a client builds it.
type document = map[string]any

// status is what the tests read of a lifecycle's status, by its public names.
type status struct {
	Lifecycle string  `json:"lifecycle"`
	Model     string  `json:"model"`
	Requester string  `json:"requester"`
	Trigger   trigger `json:"trigger"`
	Stage     string  `json:"stage"`
	Stages    []struct {
		Stage    string    `json:"stage"`
		State    string    `json:"state"`
		Cached   bool      `json:"cached"`
		Started  time.Time `json:"started"`
		Finished time.Time `json:"finished"`
		Summary  string    `json:"summary"`
	} `json:"stages"`
	Verdict string `json:"verdict"`
	Review  *struct {
		Outcome   string     `json:"outcome"`
		Dossier   string     `json:"dossier"`
		Missing   []seat     `json:"missing"`
		Decisions []decision `json:"decisions"`
		Refusals  []struct {
			Reviewer string `json:"reviewer"`
			Reason   string `json:"reason"`
		} `json:"refusals"`
	} `json:"review"`
	Labels *struct {
		Request string `json:"request"`
		Missing int    `json:"missing"`
	} `json:"labels"`
	Rollout string  `json:"rollout"`
	Version int     `json:"version"`
	Result  *result `json:"result"`
	Dossier ref     `json:"dossier"`
	Page    ref     `json:"page"`
}

type trigger struct {
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	Source string `json:"source"`
}

type seat struct {
	Role      string `json:"role"`
	Approvals int    `json:"approvals"`
}

type decision struct {
	Reviewer string `json:"reviewer"`
	Role     string `json:"role"`
	Decision string `json:"decision"`
	Reason   string `json:"reason"`
	Standing string `json:"standing"`
}

type ref struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// result is what a lifecycle answers.
type result struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Model   string `json:"model"`
	Version int    `json:"version"`
	Dossier ref    `json:"dossier"`
	Page    ref    `json:"page"`
}

// credit is a spec for generated applications that a lifecycle takes through in seconds. Two people of the role ethics
// and one of risk decide.
func credit(model string, changes ...func(document)) document {
	var spec document
	text := fmt.Sprintf(`{
		"apiVersion": "assay/v1", "kind": "Lifecycle", "model": %q, "owner": "tests", "purpose": "A test. Not for decisions.",
		"data": {
			"source": {"uri": "synthetic://credit?rows=3000&seed=7"},
			"target": {"column": "approved", "positive": "yes"},
			"protected": ["sex"], "exclude": ["application_id"],
			"split": {"by": "hash", "train": 0.6, "validation": 0.2, "test": 0.2, "seed": 7},
			"expect": [{"rows": {"min": 1000}}]
		},
		"train": {"trainer": "logistic"},
		"gates": {"conditions": ["auc > 0.7"]},
		"review": {"deadline": "1h", "quorum": [{"role": "ethics", "approvals": 2}, {"role": "risk", "approvals": 1}], "separate": ["requester"]},
		"rollout": {"canary": [{"traffic": 20, "hold": "200ms"}, {"traffic": 60, "hold": "200ms"}], "abort": [{"condition": "error_rate < 0.5"}]}
	}`, model)
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		panic(err) // the text above is fixed
	}
	for _, change := range changes {
		change(spec)
	}
	return spec
}

// with sets a field, given by its path; nil removes it.
func with(path string, value any) func(document) {
	return func(spec document) {
		keys := strings.Split(path, ".")
		at := spec
		for _, key := range keys[:len(keys)-1] {
			next, ok := at[key].(document)
			if !ok {
				next = document{}
				at[key] = next
			}
			at = next
		}
		if value == nil {
			delete(at, keys[len(keys)-1])
			return
		}
		at[keys[len(keys)-1]] = value
	}
}

// oneReviewer makes a single approval of the role risk enough.
var oneReviewer = with("review.quorum", []any{document{"role": "risk", "approvals": 1}})

// lifecycle is a run that a test has started.
type lifecycle struct {
	t   *testing.T
	id  string
	run client.WorkflowRun
}

// start starts a lifecycle as any client of Temporal does.
func start(t *testing.T, spec document) lifecycle {
	t.Helper()
	model, _ := spec["model"].(string)
	return startAs(t, "lifecycle/"+model+"/t1", document{"spec": spec, "requester": "rita", "trigger": document{"kind": "manual"}})
}

func startAs(t *testing.T, id string, input ...any) lifecycle {
	t.Helper()
	run, err := local.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "assay"}, "Lifecycle", input...)
	require.NoError(t, err)
	return lifecycle{t, id, run}
}

// status asks the lifecycle for its status.
func (l lifecycle) status() status {
	l.t.Helper()
	var s status
	l.query(&s)
	return s
}

func (l lifecycle) query(into any) {
	l.t.Helper()
	value, err := local.Client.QueryWorkflow(l.t.Context(), l.id, "", "status")
	require.NoError(l.t, err, "ask %s for its status", l.id)
	require.NoError(l.t, value.Get(into))
}

// waitFor waits until the status is as wanted. A lifecycle that ends first fails the test with its reason.
func (l lifecycle) waitFor(what string, wanted func(status) bool) status {
	l.t.Helper()
	var s status
	waitUntil(l.t, what, func() bool {
		s = l.status()
		if !wanted(s) && s.Result != nil {
			require.Fail(l.t, l.id+" ended before "+what, "%s: %s", s.Result.Outcome, s.Result.Reason)
		}
		return wanted(s)
	})
	return s
}

// underReview waits until people are asked, and gives the dossier they decide on.
func (l lifecycle) underReview() (dossier string) {
	l.t.Helper()
	return l.waitFor("the review is open", func(s status) bool { return s.Review != nil && s.Review.Outcome == "open" }).Review.Dossier
}

func vote(reviewer, role, decision, dossier string) document {
	return document{"reviewer": reviewer, "role": role, "decision": decision, "reason": "because it is a test", "dossier": dossier}
}

func (l lifecycle) signal(payload any) {
	l.t.Helper()
	require.NoError(l.t, local.Client.SignalWorkflow(l.t.Context(), l.id, "", "decision", payload))
}

// receipt answers a decision that was sent as an update.
type receipt struct {
	Kind    string `json:"kind"`
	Outcome string `json:"outcome"`
	Closed  bool   `json:"closed"`
	Missing []seat `json:"missing"`
	Message string `json:"message"`
	Dossier string `json:"dossier"`
}

func (l lifecycle) update(payload any) (receipt, error) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	handle, err := local.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: l.id, UpdateName: "decision", Args: []any{payload}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(l.t, err)
	var r receipt
	err = handle.Get(ctx, &r)
	return r, err
}

// ends waits for the end and gives the result of a lifecycle that was done, whatever its outcome.
func (l lifecycle) ends() result {
	l.t.Helper()
	var r result
	require.NoError(l.t, l.end(&r))
	return r
}

// fails waits for the end and gives the error of a lifecycle that could not be done.
func (l lifecycle) fails() *temporal.ApplicationError {
	l.t.Helper()
	var failure *temporal.ApplicationError
	require.ErrorAs(l.t, l.end(nil), &failure)
	return failure
}

func (l lifecycle) end(into any) error {
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	return l.run.Get(ctx, into)
}

// deploys takes a lifecycle with one reviewer to the end.
func (l lifecycle) deploys() result {
	l.t.Helper()
	dossier := l.underReview()
	l.signal(vote("ron", "risk", "approve", dossier))
	r := l.ends()
	require.Equal(l.t, "deployed", r.Outcome, r.Reason)
	return r
}

// waitUntil looks again and again until done, and fails the test when that takes too long.
func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			require.Fail(t, "waited too long", "after %s still not: %s", patience, what)
		case <-tick.C:
		}
	}
}
