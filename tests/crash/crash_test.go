//go:build crash

// Package crash_test kills the whole local stack with SIGKILL, again and again, and looks at what is left of a model's
// life: the same bytes, the same verdicts, nothing done twice, nothing lost that was acknowledged.
package crash_test

import (
	"slices"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/review"
	"github.com/assay-ml/assay/internal/rollout"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/synthetic"
	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflow/v1"
)

const (
	specFile = "testdata/credit.yaml"
	// fewest is how many of the points must have been hit where they were meant to be.
	fewest = 8
	// settling is a little more than drift checks stay behind the present (package workflows).
	settling = 5500 * time.Millisecond
)

// Documents of the store that appear once in a life.
const (
	firstVersion = "models/credit/versions/000001.json"
	champion     = "models/credit/champion.json"
)

func TestLifeGoesOnWhereverTheStackIsKilled(t *testing.T) {
	want := undisturbed(t)
	l := newStack(t).begin(specFile, "life")
	c := newCallers(l)

	hits := 0
	points := l.points(c)
	for _, p := range points {
		if l.strike(p) {
			hits++
		}
	}
	require.GreaterOrEqual(t, hits, fewest, "too few kills fell where they were meant to: the test has proved too little")

	retraining := l.requireDrift()
	l.requireNextCheck(c)
	c.requireOnRecord(l)
	l.requireSameLife(want, points)
	l.requireAnsweredFromStore(retraining)
	l.stop()
	l.requireEmpty("scratch")
	require.Equal(t, want.record, tellings(l.requireChain())[:len(want.record)])
	t.Logf("%d of %d points hit; the slowest of %d starts took %s", hits, len(points), len(l.starts), slices.Max(l.starts).Round(time.Millisecond))
}

// point is a moment of a life at which the stack is killed.
type point struct {
	name string
	lead func()      // what people and callers do to bring the moment about; nil: nothing
	now  func() bool // asked in quick succession: is the moment there, or gone?
	// The kill fell where it was meant to when hit, asked of the store of the dead stack, says so; or when Temporal,
	// asked by the stack that came back, shows that the workflow waits for an answer of the activity.
	hit                func() bool
	workflow, activity string
}

// points are the moments in the order in which a life comes to them.
func (l *life) points(c *callers) []point {
	var stopFlow func()
	during := func(name, activity string, now func() bool) point {
		return point{name: name, workflow: l.lifecycle, activity: activity, now: now}
	}
	return []point{
		during("ingest, while rows are being converted", stage.ActivityIngest, l.working(stage.Ingest, stage.ActivityIngest, "assay-table-*/data.parquet")),
		during("prepare, with the first of three parts stored", stage.ActivityPrepare, l.working(stage.Prepare, stage.ActivityPrepare, "assay-table-*/part-1.parquet")),
		during("training, between iterations", stage.ActivityTrain, l.progressing(stage.Train, stage.ActivityTrain)),
		during("an audit, between shuffles of its columns", stage.ActivityExplain, l.progressing(stage.Explain, stage.ActivityExplain)),
		{
			name: "review, with two of three votes in",
			lead: func() {
				l.approve("eva", "ethics")
				l.approveBySignal("emil", "ethics")
			},
			now: func() bool { return true },
			hit: func() bool { return !l.has(firstVersion) },
		},
		{
			name: "registering, with the version written and nothing promoted",
			lead: func() {
				s := l.status("both votes are in", func(s workflows.Status) bool { return s.Review != nil && len(s.Review.Decisions) == 2 })
				require.Equal(l.t, []review.Seat{{Role: "risk", Approvals: 1}}, s.Review.Missing)
				l.approve("rob", "risk")
			},
			now: func() bool { return l.has(firstVersion) },
			hit: func() bool { return !l.has(champion) },
		},
		{
			name: "canary, with requests on their way",
			lead: func() { stopFlow = c.flow("canary") },
			now: func() bool {
				var s rollout.Status
				return c.count() > 100 && l.ask(l.rollout(), &s) && s.State != rollout.Pending
			},
			hit: func() bool { return !l.has(champion) },
		},
		{
			name: "promotion, the moment the pointer has moved",
			now:  func() bool { return l.has(champion) },
			hit:  func() bool { return l.has(champion) },
		},
		{
			name: "a drift check",
			lead: func() {
				require.Equal(l.t, workflows.Deployed, l.result(l.lifecycle).Outcome)
				stopFlow()
				l.check(c, "drifted", synthetic.Options{Rows: 1000, Seed: 3003, Drift: 0.8})
			},
			now:      func() bool { return l.taken(l.monitor(), stage.ActivityCheckDrift) != nil },
			workflow: l.monitor(), activity: stage.ActivityCheckDrift,
		},
	}
}

// working waits for an activity that a worker has taken and that has come as far as a temporary file of that pattern.
func (l *life) working(name stage.Name, activity, file string) func() bool {
	return func() bool {
		return l.scratch(file) && l.taken(l.lifecycle, activity) != nil || l.answered(name)
	}
}

// progressing waits for an activity to tell of its progress.
func (l *life) progressing(name stage.Name, activity string) func() bool {
	return func() bool {
		return l.taken(l.lifecycle, activity).GetHeartbeatDetails() != nil || l.answered(name)
	}
}

// strike kills the stack at a point and starts it again. It reports whether the kill fell where it was meant to.
func (l *life) strike(p point) bool {
	l.t.Helper()
	if p.lead != nil {
		p.lead()
	}
	await(l.t, "the moment to kill: "+p.name, quick, p.now)
	l.kill()
	files := l.immutable()
	hit := p.hit != nil && p.hit()
	l.start()
	if p.activity != "" {
		hit = slices.ContainsFunc(l.pending(p.workflow), func(a *workflow.PendingActivityInfo) bool { return a.GetActivityType().GetName() == p.activity })
	}
	l.t.Logf("killed during %s: hit %t, pending then: %s; %d files stored; back after %s",
		p.name, hit, l.waiting(), len(files), l.starts[len(l.starts)-1].Round(time.Millisecond))
	requireUntouched(l.t, files, l.immutable())
	return hit
}

// outcome is what a life leaves, as far as every life from the same spec must leave the same.
type outcome struct {
	version    registry.Manifest
	record     []told
	activities []string // of the lifecycle
}

// undisturbed lives the same life on another state folder without a kill.
func undisturbed(t *testing.T) outcome {
	l := newStack(t).begin(specFile, "life")
	l.approve("eva", "ethics")
	l.approve("emil", "ethics")
	l.approve("rob", "risk")
	require.Equal(t, workflows.Deployed, l.result(l.lifecycle).Outcome)
	want := outcome{l.onlyVersion(), tellings(l.requireChain()), names(l.activities(l.lifecycle))}
	l.stop()
	return want
}

// requireSameLife compares what was left with what an undisturbed life left, and looks for anything done twice.
func (l *life) requireSameLife(want outcome, points []point) {
	l.t.Helper()
	requireSame(l.t, want.version, l.onlyVersion())
	lived := l.activities(l.lifecycle)
	requireDoneOnce(l.t, lived)
	require.Equal(l.t, want.activities, names(lived), "the same is asked for, in the same order")
	promoted := l.activities(l.rollout())
	for _, name := range []string{stage.ActivityChampion, stage.ActivityPromote} {
		require.Equal(l.t, 1, count(promoted, name), "%s is asked for once", name)
	}
	require.Equal(l.t, 2, count(promoted, stage.ActivitySetTraffic), "there are two canary steps")
	for _, p := range points {
		if p.activity != "" {
			require.True(l.t, retried(l.activities(p.workflow), p.activity), "%s was answered by a later attempt than the one that was killed", p.activity)
		}
	}
}

// check has callers send a window of applications and, as soon as it can be checked, the monitor check it.
func (l *life) check(c *callers, name string, o synthetic.Options) {
	l.t.Helper()
	c.send(name, o)
	await(l.t, "the predictions are old enough for a check", calm, func() bool { return time.Since(c.lastAnswer()) > settling })
	l.checkNow()
}

// checked waits for a drift check's answer.
func (l *life) checked(number int) workflows.Check {
	l.t.Helper()
	var s workflows.MonitorStatus
	await(l.t, "the drift check is done", calm, func() bool { return l.ask(l.monitor(), &s) && s.Checks >= number })
	require.Equal(l.t, number, s.Checks)
	require.Equal(l.t, 1, s.Version)
	return s.Recent[number-1]
}

// requireDrift checks that the check that was cut off was done, and gives the one lifecycle it started.
func (l *life) requireDrift() string {
	l.t.Helper()
	check := l.checked(1)
	require.Equal(l.t, "drift", check.Verdict, check.Summary)
	require.Equal(l.t, workflows.LifecycleID(l.model, "drift-v1-check-1"), check.Retraining)
	require.Equal(l.t, workflows.Unchanged, l.result(check.Retraining).Outcome)
	return check.Retraining
}

// requireNextCheck checks that the monitor still watches.
func (l *life) requireNextCheck(c *callers) {
	l.t.Helper()
	l.check(c, "steady", synthetic.Options{Rows: 500, Seed: 2002})
	check := l.checked(2)
	require.Equal(l.t, "none", check.Verdict, check.Summary)
	require.EqualValues(l.t, 500, check.Rows)
}

// requireAnsweredFromStore checks that a later lifecycle finds every answer that was computed between the kills.
func (l *life) requireAnsweredFromStore(id string) {
	l.t.Helper()
	var s workflows.Status
	require.True(l.t, l.ask(id, &s))
	for _, line := range s.Stages {
		switch line.Stage {
		case stage.Admit, stage.Dossier, stage.Review, stage.Register, stage.Rollout:
		default:
			require.True(l.t, line.Cached, "stage %s of %s", line.Stage, id)
		}
	}
}

func TestReviewOutlivesTheStack(t *testing.T) {
	s := newStack(t)
	small := []string{"data.source.uri=synthetic://credit?rows=5000&seed=7", "review.quorum=[{role: risk, approvals: 1}]", "rollout.canary=[{traffic: 50, hold: 500ms}]"}
	patient := s.begin(specFile, "patient", small...)
	asked := patient.underReview()
	hasty := s.begin(specFile, "hasty", append(small, "model=credit-hasty", "review.deadline=8s")...)
	deadline := hasty.underReview().Review.Deadline

	s.kill()
	await(t, "a deadline passes while nothing runs", calm, func() bool { return time.Now().After(deadline) })
	s.start()

	require.Equal(t, workflows.Expired, s.result(hasty.lifecycle).Outcome, "a deadline that passed while nothing ran never approves")
	require.False(t, s.has("models/credit-hasty/versions/000001.json"))
	require.Equal(t, asked.Review, patient.underReview().Review, "the review is as it was")
	require.Equal(t, asked.Dossier, patient.underReview().Dossier)

	patient.approve("rob", "risk")
	require.Equal(t, workflows.Deployed, s.result(patient.lifecycle).Outcome)
	require.Equal(t, asked.Dossier, patient.onlyVersion().Dossier, "the version is the one that was decided on")
	require.Equal(t, []string{stage.EventDossier, stage.EventDecision, stage.EventRegistered, stage.EventPromoted}, types(patient.requireChain()))
	s.stop()
}
