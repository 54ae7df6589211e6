//go:build crash

// Package crash_test kills the whole local stack with SIGKILL, again and again, and looks at what is left of a model's
// life: the same bytes, the same verdicts, nothing done twice, nothing lost that was acknowledged.
package crash_test

import (
	"slices"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/synthetic"
	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/require"
)

const (
	specFile = "testdata/credit.yaml"
	// fewest is how many of the points must have been hit where they were meant to be.
	fewest = 8
	// settling is a little more than drift checks stay behind the present (package workflows).
	settling = 5500 * time.Millisecond
)

// small makes a life of the spec that is over in seconds.
var small = []string{
	"data.source.uri=synthetic://credit?rows=5000&seed=7", "review.quorum=[{role: risk, approvals: 1}]", "rollout.canary=[{traffic: 50, hold: 500ms}]",
}

func TestLifeGoesOnWhereverTheStackIsKilled(t *testing.T) {
	want := undisturbed(t)
	l := newStack(t).begin(specFile, "life")
	c := newCallers(l)

	points := l.points(c)
	var hits []point
	for _, p := range points {
		if l.strike(p) {
			hits = append(hits, p)
		}
	}

	retraining := l.requireDrift()
	l.requireNextCheck(c)
	c.requireOnRecord(l)
	c.requireAnswersOrPatience()
	l.requireSameLife(want, hits)
	l.requireAnsweredFromStore(retraining)
	l.stop()
	l.requireEmpty("scratch")
	l.requireEmpty("spool/predictions/credit")
	entries := l.requireChain()
	require.Equal(t, want.record, tellings(entries[:len(want.record)]), "every event of the life is on record, once and in order")
	require.ElementsMatch(t, []string{stage.EventDrift, stage.EventRetraining, stage.EventDossier, stage.EventRefused}, types(entries[len(want.record):]))
	require.GreaterOrEqual(t, len(hits), fewest, "too few kills fell where they were meant to: the test has proved too little")
	t.Logf("%d of %d points hit; the slowest of %d starts took %s", len(hits), len(points), len(l.starts), slices.Max(l.starts).Round(time.Millisecond))
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
func (l *life) requireSameLife(want outcome, hits []point) {
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
	for _, p := range hits {
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

func TestFirstStartCanBeKilled(t *testing.T) {
	s := emptyStack(t)
	for _, file := range []string{"temporal/temporal-*.db.new", "temporal/temporal-*.db", "temporal/temporal-*.db-wal", "store", "keys/chain.key"} {
		s.launch()
		await(t, file+" appears", onStore, func() bool { return s.exists(file) })
		s.kill()
	}
	s.start()
	l := s.begin(specFile, "life", small...)
	l.approve("rob", "risk")
	require.Equal(t, workflows.Deployed, s.result(l.lifecycle).Outcome)
	l.requireChain()
}

func TestReviewOutlivesTheStack(t *testing.T) {
	s := newStack(t)
	patient := s.begin(specFile, "patient", small...)
	asked := patient.underReview()
	hasty := s.begin(specFile, "hasty", slices.Concat(small, []string{"model=credit-hasty", "review.deadline=8s"})...)
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
