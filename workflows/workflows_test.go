package workflows_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
)

// world stands in for the activities: it answers like them and remembers what it was asked. Time is the test
// environment's, which skips waiting.
type world struct {
	mu        sync.Mutex
	plan      stage.Plan
	verdict   gate.Verdict
	champion  int
	drift     []string // verdicts of the drift checks to come, the last one for ever
	fail      map[string]error
	announced []stage.Announcement
	events    []stage.Event
	traffic   []float64
	done      []string // activities that change something, in order
	retrained []stage.RetrainInput
	running   bool // the lifecycle started last
	observed  stage.Observed
}

func newWorld() *world {
	return &world{
		verdict: gate.Pass,
		plan: stage.Plan{
			Model: "credit", Owner: "lending", Queue: "cpu", Inconclusive: "review",
			Review: spec.Review{
				Deadline: spec.Duration(72 * time.Hour), RemindEvery: spec.Duration(24 * time.Hour), Separate: []string{"requester"},
				Quorum:   []spec.Seat{{Role: "ethics", Approvals: 2}, {Role: "risk", Approvals: 1}},
				Escalate: &spec.Escalate{After: spec.Duration(48 * time.Hour), To: []string{"risk-lead"}},
			},
			Rollout: spec.Rollout{
				Target: "gateway", Canary: []spec.CanaryStep{{Traffic: 5, Hold: spec.Duration(10 * time.Minute)}, {Traffic: 25, Hold: spec.Duration(time.Hour)}},
				Abort: []spec.Abort{{Condition: "error_rate < 0.01"}},
			},
			Monitor: spec.Monitor{Every: spec.Duration(time.Hour)},
			Retrain: spec.Retrain{When: spec.When{Any: []string{"drift"}}, Cooldown: spec.Duration(24 * time.Hour)},
		},
		drift:    []string{"none"},
		fail:     map[string]error{},
		observed: stage.Observed{Requests: 1000},
	}
}

func ref(name string) artifact.Ref { return artifact.Ref{Digest: artifact.Sum([]byte(name)), Size: 1} }

// did notes an activity and returns the error the test wants from it.
func (w *world) did(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = append(w.done, name)
	return w.fail[name]
}

func (w *world) register(env *testsuite.TestWorkflowEnvironment) {
	workflows.Register(env)
	for name, f := range map[string]any{
		stage.ActivityAdmit: func(context.Context, stage.AdmitInput) (stage.Admitted, error) {
			return stage.Admitted{Spec: ref("spec"), Plan: w.plan}, w.did("admit")
		},
		stage.ActivityIngest: func(context.Context, stage.IngestInput) (stage.Ingested, error) {
			return stage.Ingested{Snapshot: ref("snapshot")}, w.did("ingest")
		},
		stage.ActivityValidate: func(context.Context, stage.ValidateInput) (stage.Validated, error) {
			return stage.Validated{Report: ref("validation"), Verdict: gate.Pass}, w.did("validate")
		},
		stage.ActivityPrepare: func(context.Context, stage.PrepareInput) (stage.Prepared, error) {
			return stage.Prepared{Prepared: ref("prepared")}, w.did("prepare")
		},
		stage.ActivityTrain: func(context.Context, stage.TrainInput) (stage.Trained, error) {
			return stage.Trained{Model: ref("model"), Manifest: ref("manifest")}, w.did("train")
		},
		stage.ActivityEvaluate: func(context.Context, stage.AuditInput) (stage.Evaluated, error) {
			return stage.Evaluated{Predictions: ref("predictions"), Report: ref("evaluation")}, w.did("evaluate")
		},
		stage.ActivityFairness: w.audit("fairness"), stage.ActivityExplain: w.audit("explain"), stage.ActivityPrivacy: w.audit("privacy"),
		stage.ActivityGate: func(context.Context, stage.GateInput) (stage.Gated, error) {
			return stage.Gated{Answer: stage.Answer{Summary: string(w.verdict)}, Verdicts: ref("verdicts"), Verdict: w.verdict}, w.did("gate")
		},
		stage.ActivityDossier: func(context.Context, stage.DossierInput) (stage.Compiled, error) {
			return stage.Compiled{Dossier: ref("dossier"), Page: ref("page"), Unchanged: w.champion}, w.did("dossier")
		},
		stage.ActivityAnnounce: func(_ context.Context, a stage.Announcement) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.announced = append(w.announced, a)
			return nil
		},
		stage.ActivityRecord: func(_ context.Context, e stage.Event) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
			return nil
		},
		stage.ActivityRegister: func(context.Context, stage.RegisterInput) (stage.Registered, error) {
			return stage.Registered{Version: w.champion + 1}, w.did("register")
		},
		stage.ActivityChampion: func(context.Context, stage.PromoteInput) (stage.Championed, error) {
			return stage.Championed{Version: w.champion}, nil
		},
		stage.ActivitySetTraffic: func(_ context.Context, in stage.TrafficInput) error {
			w.traffic = append(w.traffic, in.Percent)
			return w.did("set traffic")
		},
		stage.ActivityObserve:     func(context.Context, stage.ObserveInput) (stage.Observed, error) { return w.observed, nil },
		stage.ActivityPromote:     func(context.Context, stage.PromoteInput) error { return w.did("promote") },
		stage.ActivityRollBack:    func(context.Context, stage.PromoteInput) error { return w.did("roll back") },
		stage.ActivityTellMonitor: func(context.Context, stage.Watch) error { return w.did("tell monitor") },
		stage.ActivityCheckDrift: func(_ context.Context, in stage.DriftInput) (stage.DriftChecked, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			verdict := w.drift[0]
			if len(w.drift) > 1 {
				w.drift = w.drift[1:]
			}
			return stage.DriftChecked{Verdict: verdict, Rows: 100, Answer: stage.Answer{Summary: verdict}}, nil
		},
		stage.ActivityStartRetraining: func(_ context.Context, in stage.RetrainInput) (stage.Retraining, error) {
			w.retrained = append(w.retrained, in)
			return stage.Retraining{Lifecycle: in.ID}, nil
		},
		stage.ActivityLifecycleRunning: func(context.Context, string) (bool, error) { return w.running, nil },
	} {
		env.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
}

func (w *world) audit(name string) func(context.Context, stage.AuditInput) (stage.Audited, error) {
	return func(context.Context, stage.AuditInput) (stage.Audited, error) {
		return stage.Audited{Report: ref(name)}, w.did(name)
	}
}

// kinds lists the types of the events on the chain.
func (w *world) kinds() []string {
	var kinds []string
	for _, e := range w.events {
		kinds = append(kinds, e.Type)
	}
	return kinds
}

// count is how often an activity was done.
func (w *world) count(name string) int {
	n := 0
	for _, d := range w.done {
		if d == name {
			n++
		}
	}
	return n
}

func vote(reviewer, role, decision string) map[string]any {
	return map[string]any{"reviewer": reviewer, "role": role, "decision": decision, "reason": "read it", "dossier": ref("dossier").Digest.String()}
}

// lifecycle is a test environment with a lifecycle that is started by start.
type lifecycle struct {
	*testsuite.TestWorkflowEnvironment
	t *testing.T
	*world
}

func newLifecycle(t *testing.T) lifecycle {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	env := suite.NewTestWorkflowEnvironment()
	w := newWorld()
	w.register(env)
	return lifecycle{env, t, w}
}

// votes sends a decision by signal after a time.
func (l lifecycle) votes(after time.Duration, v any) {
	l.RegisterDelayedCallback(func() { l.SignalWorkflow(workflows.SignalDecision, v) }, after)
}

func (l lifecycle) approve() {
	l.votes(time.Minute, vote("ada", "ethics", "approve"))
	l.votes(2*time.Minute, vote("ben", "ethics", "approve"))
	l.votes(3*time.Minute, vote("cleo", "risk", "approve"))
}

func (l lifecycle) start(trigger string) {
	l.ExecuteWorkflow(workflows.LifecycleType, workflows.LifecycleInput{
		Spec: json.RawMessage(`{}`), Requester: "req", Trigger: stage.Trigger{Kind: trigger},
	})
	require.True(l.t, l.IsWorkflowCompleted())
}

func (l lifecycle) result() workflows.Result {
	var r workflows.Result
	require.NoError(l.t, l.GetWorkflowError())
	require.NoError(l.t, l.GetWorkflowResult(&r))
	return r
}

func (l lifecycle) status() workflows.Status {
	value, err := l.QueryWorkflow(workflows.QueryStatus)
	require.NoError(l.t, err)
	var s workflows.Status
	require.NoError(l.t, value.Get(&s))
	return s
}

func (l lifecycle) announcements(kind string) []stage.Announcement {
	return slices.DeleteFunc(slices.Clone(l.announced), func(a stage.Announcement) bool { return a.Kind != kind })
}

// quiet keeps the test environment's own log out of the output.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
