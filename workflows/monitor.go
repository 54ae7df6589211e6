package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/retrain"
	"github.com/assay-ml/assay/internal/stage"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

const (
	// settling is how far a check stays behind the present: the gateway seals what it answered within this time, and
	// a record sealed after its window was read would be seen by no check.
	settling = 5 * time.Second
	// widestWindow bounds how long predictions are gathered when they are too few to check.
	widestWindow = 30 * 24 * time.Hour
	// keptChecks is how many checks the status shows.
	keptChecks = 10
)

// MonitorInput is what a Monitor is started with. State carries its memory over a continue-as-new; a starter leaves
// it out.
type MonitorInput struct {
	Model string       `json:"model"`
	State MonitorState `json:"state,omitzero"`
}

// MonitorState is everything a monitor remembers.
type MonitorState struct {
	Watch     stage.Watch   `json:"watch,omitzero"`
	Paused    bool          `json:"paused,omitempty"`
	Since     time.Time     `json:"since,omitzero"` // start of the window the next check looks at
	NextCheck time.Time     `json:"next_check,omitzero"`
	Checks    int           `json:"checks"` // done so far
	Recent    []Check       `json:"recent,omitempty"`
	Retrain   retrain.State `json:"retrain,omitzero"`
}

// Check is one drift check as people see it.
type Check struct {
	Number     int          `json:"number"`
	Version    int          `json:"version"`
	Since      time.Time    `json:"since"`
	Until      time.Time    `json:"until"`
	Verdict    string       `json:"verdict"` // drift, none or insufficient; error when the check could not be done
	Rows       int64        `json:"rows"`
	Drifted    []string     `json:"drifted,omitempty"`
	Summary    string       `json:"summary"`
	Report     artifact.Ref `json:"report,omitzero"`
	Retraining string       `json:"retraining,omitempty"` // the lifecycle it started, or why it started none
}

// MonitorStatus answers the status query of a Monitor.
type MonitorStatus struct {
	Model   string        `json:"model"`
	Version int           `json:"version"`
	Every   string        `json:"every"`
	Paused  bool          `json:"paused"`
	Next    time.Time     `json:"next,omitzero"`
	Since   time.Time     `json:"since,omitzero"`
	Checks  int           `json:"checks"`
	Recent  []Check       `json:"recent,omitempty"` // the last ten, newest last
	Retrain retrain.State `json:"retrain"`
}

// Monitor watches a model's champion for as long as there is one: a durable timer for drift checks, signals for what
// happens in between, and a fresh history every so often. Its input is a MonitorInput as JSON.
func Monitor(ctx workflow.Context, raw converter.RawValue) error {
	m := &monitor{}
	if err := workflow.SetQueryHandler(ctx, QueryStatus, m.status); err != nil {
		return err
	}
	if err := m.read(raw); err != nil {
		return err
	}
	m.open(ctx)
	for {
		m.receive(ctx)
		if m.due(workflow.Now(ctx)) {
			if err := m.check(ctx); err != nil {
				return err
			}
			continue
		}
		info := workflow.GetInfo(ctx)
		if info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() >= longHistory {
			// Nothing has yielded since receive: every signal that came is in the state, and none is lost.
			return workflow.NewContinueAsNewError(ctx, MonitorType, MonitorInput{Model: m.model, State: m.state})
		}
		if err := m.wait(ctx); err != nil {
			return err
		}
	}
}

type monitor struct {
	model    string
	state    MonitorState
	checkNow bool

	championChanged, checks, pauses, resumes workflow.ReceiveChannel
}

func (m *monitor) read(raw converter.RawValue) error {
	const example = `{"model": "..."}`
	var input MonitorInput
	if err := decode(raw, &input, example); err != nil {
		return err
	}
	if input.Model == "" {
		return invalidInput("it names no model", example)
	}
	m.model, m.state = input.Model, input.State
	return nil
}

func (m *monitor) status() (MonitorStatus, error) {
	s := m.state
	return MonitorStatus{
		Model: m.model, Version: s.Watch.Version, Every: time.Duration(s.Watch.Monitor.Every).String(), Paused: s.Paused,
		Next: s.NextCheck, Since: s.Since, Checks: s.Checks, Recent: s.Recent, Retrain: s.Retrain,
	}, nil
}

// open opens the channels of the signals.
func (m *monitor) open(ctx workflow.Context) {
	m.championChanged = workflow.GetSignalChannel(ctx, SignalChampionChanged)
	m.checks = workflow.GetSignalChannel(ctx, SignalCheckNow)
	m.pauses = workflow.GetSignalChannel(ctx, SignalPause)
	m.resumes = workflow.GetSignalChannel(ctx, SignalResume)
}

// receive takes every signal that has come, without waiting.
func (m *monitor) receive(ctx workflow.Context) {
	for watch := (stage.Watch{}); m.championChanged.ReceiveAsync(&watch); watch = (stage.Watch{}) {
		m.changeChampion(ctx, watch)
	}
	for m.checks.ReceiveAsync(nil) {
		m.checkNow = true
	}
	for m.pauses.ReceiveAsync(nil) {
		m.state.Paused = true
	}
	for m.resumes.ReceiveAsync(nil) {
		m.state.Paused = false
		m.plan(workflow.Now(ctx))
	}
}

// changeChampion starts a new window: what the version before answered says nothing about this one.
func (m *monitor) changeChampion(ctx workflow.Context, watch stage.Watch) {
	if watch.Version < 1 || watch.Model != m.model || watch.Monitor.Every <= 0 { // without an interval it would check without a pause
		workflow.GetLogger(ctx).Warn("a champion-changed signal was ignored", "model", watch.Model, "version", watch.Version, "every", time.Duration(watch.Monitor.Every))
		return
	}
	if watch.Version == m.state.Watch.Version {
		return // told twice
	}
	now := workflow.Now(ctx).UTC()
	m.state.Watch, m.state.Since = watch, now
	if !watch.Since.IsZero() && watch.Since.Before(now) {
		m.state.Since = watch.Since // what was asked before the monitor heard of it counts
	}
	m.plan(now)
}

func (m *monitor) plan(now time.Time) {
	m.state.NextCheck = now.Add(time.Duration(m.state.Watch.Monitor.Every)).UTC()
}

// due reports whether a check is to be done now.
func (m *monitor) due(now time.Time) bool {
	if m.state.Watch.Version == 0 {
		return false
	}
	return m.checkNow || !m.state.Paused && !now.Before(m.state.NextCheck)
}

// wait sleeps until the next check is due or a signal has come; receive takes it.
func (m *monitor) wait(ctx workflow.Context) error {
	signalled := func() bool {
		return m.championChanged.Len()+m.checks.Len()+m.pauses.Len()+m.resumes.Len() > 0
	}
	if m.state.Watch.Version == 0 || m.state.Paused {
		return workflow.Await(ctx, signalled)
	}
	timerCtx, stop := workflow.WithCancel(ctx)
	defer stop()
	timer := workflow.NewTimerWithOptions(timerCtx, m.state.NextCheck.Sub(workflow.Now(ctx)), workflow.TimerOptions{Summary: "next drift check"})
	if err := workflow.Await(ctx, func() bool { return timer.IsReady() || signalled() }); err != nil {
		return err
	}
	return ctx.Err() // a cancellation makes the timer ready, and Await then says nothing of it
}

// check looks at one window. A check that cannot be done is shown and does not end the monitor.
func (m *monitor) check(ctx workflow.Context) error {
	m.checkNow = false
	watch := m.state.Watch
	now := workflow.Now(ctx).UTC()
	until := now.Add(-settling)
	if until.Before(m.state.Since) {
		until = m.state.Since // right after a promotion the window is empty
	}
	m.plan(now)
	number := m.state.Checks + 1
	check := Check{Number: number, Version: watch.Version, Since: m.state.Since, Until: until}
	checked, err := call[stage.DriftChecked](onCPU(ctx, fmt.Sprintf("drift check %d of version %d", number, watch.Version)), stage.ActivityCheckDrift, stage.DriftInput{
		Model: m.model, Version: watch.Version, Drift: watch.Monitor.Drift, Since: check.Since, Until: until,
		Key: fmt.Sprintf("%s/check/%d/%d", MonitorID(m.model), watch.Version, until.UnixMilli()),
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		check.Verdict, check.Summary = "error", explain(err)
	} else {
		check.Verdict, check.Rows, check.Drifted, check.Summary, check.Report = checked.Verdict, checked.Rows, checked.Drifted, checked.Summary, checked.Report
	}
	m.state.Since = m.nextWindow(check)
	if check.Verdict == "drift" {
		check.Retraining, err = m.retrain(ctx, check)
		if err != nil {
			return err
		}
	}
	m.keep(ctx, check)
	return nil
}

// nextWindow goes on gathering when there were too few rows, within bounds.
func (m *monitor) nextWindow(check Check) time.Time {
	switch {
	case check.Verdict == "drift" || check.Verdict == "none":
		return check.Until
	case check.Until.Sub(check.Since) > widestWindow:
		return check.Until.Add(-widestWindow)
	default:
		return check.Since
	}
}

func (m *monitor) keep(ctx workflow.Context, check Check) {
	m.state.Checks = check.Number
	m.state.Recent = append(m.state.Recent, check)
	if extra := len(m.state.Recent) - keptChecks; extra > 0 {
		m.state.Recent = m.state.Recent[extra:]
	}
	var b strings.Builder
	b.WriteString(fmt.Sprintf("Watching version %d, next check %s.\n\n| check | verdict | rows | |\n|---|---|---|---|\n", m.state.Watch.Version, m.state.NextCheck.Format(time.RFC3339)))
	for _, c := range m.state.Recent {
		b.WriteString(fmt.Sprintf("| %d | %s | %d | %s |\n", c.Number, c.Verdict, c.Rows, strings.ReplaceAll(c.Summary, "|", "\\|")))
	}
	workflow.SetCurrentDetails(ctx, b.String())
}

// retrain starts a lifecycle when the spec's rules allow it, and says what it did.
func (m *monitor) retrain(ctx workflow.Context, check Check) (string, error) {
	policy, err := retrain.PolicyFrom(m.state.Watch.Retrain)
	if err != nil {
		return err.Error(), nil
	}
	if err := m.forgetEnded(ctx); err != nil {
		return "", err
	}
	now := workflow.Now(ctx).UTC()
	state := m.state.Retrain
	state.Paused = m.state.Paused
	decision := retrain.Decide(policy, state, retrain.Event{Reason: retrain.Drift, Detail: check.Summary}, now)
	if !decision.Start {
		return "not started: " + decision.Reason, nil
	}
	id := LifecycleID(m.model, fmt.Sprintf("drift-v%d-check-%d", check.Version, check.Number))
	started, err := call[stage.Retraining](quick(ctx, "start retraining"), stage.ActivityStartRetraining, stage.RetrainInput{
		Model: m.model, Version: check.Version, ID: id,
		Trigger: stage.Trigger{Kind: "drift", Reason: decision.Reason, Source: MonitorID(m.model)},
	})
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "not started: " + explain(err), nil
	}
	m.state.Retrain = state.Started(policy, started.Lifecycle, now)
	err = record(ctx, stage.Event{
		Model: m.model, Key: started.Lifecycle + "/started", Type: stage.EventRetraining, Time: now, Actor: MonitorID(m.model),
		Detail: map[string]string{"lifecycle": started.Lifecycle, "reason": decision.Reason},
	})
	if err != nil && ctx.Err() == nil {
		return started.Lifecycle + ", which could not be recorded: " + explain(err), nil
	}
	return started.Lifecycle, ctx.Err()
}

// forgetEnded finds out whether the lifecycle started last has ended.
func (m *monitor) forgetEnded(ctx workflow.Context) error {
	id := m.state.Retrain.Running
	if id == "" {
		return nil
	}
	running, err := call[bool](quick(ctx, "is the last retraining under way"), stage.ActivityLifecycleRunning, id)
	if err == nil && !running {
		m.state.Retrain = m.state.Retrain.Finished(id)
	}
	return ctx.Err()
}
