package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
)

type monitor struct {
	*testsuite.TestWorkflowEnvironment
	t *testing.T
	*world
}

func newMonitor(t *testing.T) monitor {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	env := suite.NewTestWorkflowEnvironment()
	w := newWorld()
	w.register(env)
	m := monitor{env, t, w}
	m.at(0, workflows.SignalChampionChanged, stage.Watch{Model: "credit", Version: 1, Monitor: w.plan.Monitor, Retrain: w.plan.Retrain})
	return m
}

func (m monitor) at(after time.Duration, signal string, payload any) {
	m.RegisterDelayedCallback(func() { m.SignalWorkflow(signal, payload) }, after)
}

// runs lets the monitor watch for a time and returns what it says then.
func (m monitor) runs(d time.Duration) workflows.MonitorStatus {
	var s workflows.MonitorStatus
	m.RegisterDelayedCallback(func() {
		value, err := m.QueryWorkflow(workflows.QueryStatus)
		require.NoError(m.t, err)
		require.NoError(m.t, value.Get(&s))
		m.CancelWorkflow()
	}, d)
	m.SetTestTimeout(time.Minute)
	m.ExecuteWorkflow(workflows.MonitorType, workflows.MonitorInput{Model: "credit"})
	require.True(m.t, m.IsWorkflowCompleted())
	return s
}

func TestMonitorChecksOnItsTimer(t *testing.T) {
	s := newMonitor(t).runs(5*time.Hour + time.Minute)
	require.Equal(t, 5, s.Checks)
	require.Equal(t, "none", s.Recent[4].Verdict)
	require.Equal(t, s.Recent[3].Until, s.Recent[4].Since, "windows follow each other without gap or overlap")
}

func TestTooFewRowsWidenTheWindow(t *testing.T) {
	m := newMonitor(t)
	m.drift = []string{"insufficient", "insufficient", "none"}
	s := m.runs(3*time.Hour + time.Minute)
	require.Equal(t, s.Recent[0].Since, s.Recent[2].Since)
}

func TestCheckRightAfterAPromotionHasAnEmptyWindow(t *testing.T) {
	m := newMonitor(t)
	m.drift = []string{"insufficient"}
	m.at(time.Second, workflows.SignalCheckNow, nil)
	s := m.runs(10 * time.Second)
	require.Equal(t, 1, s.Checks)
	require.Equal(t, s.Recent[0].Since, s.Recent[0].Until)
}

func TestPausedMonitorChecksOnlyWhenAsked(t *testing.T) {
	m := newMonitor(t)
	m.at(30*time.Minute, workflows.SignalPause, nil)
	m.at(5*time.Hour, workflows.SignalCheckNow, nil)
	m.at(10*time.Hour, workflows.SignalResume, nil)
	s := m.runs(12*time.Hour + time.Minute)
	require.Equal(t, 3, s.Checks)
	require.False(t, s.Paused)
}

func TestDriftStartsOneRetrainingPerCooldown(t *testing.T) {
	m := newMonitor(t)
	m.drift = []string{"drift"}
	s := m.runs(25*time.Hour + time.Minute)
	require.Equal(t, 25, s.Checks)
	require.Len(t, m.retrained, 2, "at the first hour and a day later")
	require.Equal(t, "drift", m.retrained[0].Trigger.Kind)
	require.Equal(t, "monitor/credit", m.retrained[0].Trigger.Source[:len("monitor/credit")])
	require.Contains(t, s.Recent[0].Retraining, "cooldown")
	require.Equal(t, []string{stage.EventRetraining, stage.EventRetraining}, m.kinds())
}

func TestNoSecondRetrainingWhileOneRuns(t *testing.T) {
	m := newMonitor(t)
	m.drift, m.running = []string{"drift"}, true
	m.runs(50*time.Hour + time.Minute)
	require.Len(t, m.retrained, 1)
}

func TestNewChampionStartsANewWindow(t *testing.T) {
	m := newMonitor(t)
	m.at(90*time.Minute, workflows.SignalChampionChanged, stage.Watch{Model: "credit", Version: 2, Monitor: m.plan.Monitor})
	m.at(92*time.Minute, workflows.SignalChampionChanged, stage.Watch{Model: "credit", Version: 3})
	m.at(95*time.Minute, workflows.SignalChampionChanged, stage.Watch{Model: "other", Version: 9, Monitor: m.plan.Monitor})
	s := m.runs(3 * time.Hour)
	require.Equal(t, 2, s.Version)
	require.Equal(t, 2, s.Checks)
	require.Equal(t, 2, s.Recent[1].Version)
	require.Equal(t, 30*time.Minute, s.Recent[1].Since.Sub(s.Recent[0].Until).Round(time.Minute), "what version 1 answered in between is not version 2's")
}

func TestMonitorContinuesAsNewWithEverythingItKnows(t *testing.T) {
	m := newMonitor(t)
	m.RegisterDelayedCallback(func() {
		m.SetContinueAsNewSuggested(true)
		m.SignalWorkflow(workflows.SignalPause, nil) // comes with the same task that continues as new
	}, 90*time.Minute)
	m.SetTestTimeout(time.Minute)
	m.ExecuteWorkflow(workflows.MonitorType, workflows.MonitorInput{Model: "credit"})
	var next *workflow.ContinueAsNewError
	require.True(t, errors.As(m.GetWorkflowError(), &next))
	var input workflows.MonitorInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &input))
	require.Equal(t, "credit", input.Model)
	require.Equal(t, 1, input.State.Watch.Version)
	require.Equal(t, 1, input.State.Checks)
	require.True(t, input.State.Paused, "no signal is lost")
}
