package workflows

import (
	"fmt"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// SweepInput starts a Sweep. A lifecycle fills in the first part; the second is what a sweep hands to itself when it
// continues as new.
type SweepInput struct {
	Model    string       `json:"model"`
	Sweep    spec.Sweep   `json:"sweep"`
	Spec     artifact.Ref `json:"spec"`
	Prepared artifact.Ref `json:"prepared"`
	Code     artifact.Ref `json:"code,omitzero"`
	Training Training     `json:"training"`

	Carried *SweepState `json:"carried,omitempty"`
}

// SweepState is what outlives a run of a sweep. It is bounded, however many trials there were.
type SweepState struct {
	Search search.Snapshot      `json:"search"`
	Began  time.Time            `json:"began"`
	Held   []search.Start       `json:"held,omitempty"` // trials to start first
	Page   artifact.Ref         `json:"page,omitzero"`  // the last of the filed trials
	Recent []search.TrialRecord `json:"recent,omitempty"`
	Best   *SweepBest           `json:"best,omitempty"`
	Usage  stage.Usage          `json:"usage,omitzero"`
}

// SweepBest is the best trial so far with what it trained.
type SweepBest struct {
	Trial      int             `json:"trial"`
	Value      float64         `json:"value"`
	Parameters spec.Parameters `json:"parameters"`
	Trained    stage.Trained   `json:"trained"`
}

// SweepResult is what a Sweep answers.
type SweepResult struct {
	stage.Answer
	Report artifact.Ref `json:"report"` // JSON of a search.Report
	Best   SweepBest    `json:"best"`
}

// SweepStatus answers the status query of a Sweep.
type SweepStatus struct {
	Model   string               `json:"model"`
	Method  string               `json:"method"`
	Metric  string               `json:"metric"`
	Goal    string               `json:"goal"`
	Counts  search.Counts        `json:"counts"`
	Running []search.Trial       `json:"running,omitempty"`
	Best    *SweepBest           `json:"best,omitempty"`
	Recent  []search.TrialRecord `json:"recent,omitempty"` // those that ended last, in the order of their ends
	Usage   stage.Usage          `json:"usage,omitzero"`
	Ended   string               `json:"ended,omitempty"` // why, when it has
}

const (
	// filedAtOnce is how many trials go to the store in one activity: their records must stay a small payload.
	filedAtOnce = 25
	// mostRecent bounds the trials a status shows, and what a sweep carries along of them.
	mostRecent = 10
	// longSweep is the number of events after which a sweep starts a fresh history. Trials that run then are waited for:
	// an activity belongs to its run.
	longSweep = 1500
)

const sweepExample = `{"model": "...", "sweep": {...}, "spec": {...}, "prepared": {...}}`

// Sweep searches parameters: each trial is an activity that trains with its own, at most sweep.parallel of them at once.
// What to try next is decided by package search.
func Sweep(ctx workflow.Context, input converter.RawValue) (SweepResult, error) {
	s := &sweep{running: map[search.Trial]*runningTrial{}}
	if err := workflow.SetQueryHandler(ctx, QueryStatus, s.status); err != nil {
		return SweepResult{}, err
	}
	if err := decode(input, &s.input, sweepExample); err != nil {
		return SweepResult{}, err
	}
	if err := s.restore(ctx); err != nil {
		return SweepResult{}, invalidInput(err.Error(), sweepExample)
	}
	return s.run(ctx)
}

type sweep struct {
	input   SweepInput
	state   SweepState
	search  *search.Search
	running map[search.Trial]*runningTrial
	order   []search.Trial // of running, so that nothing depends on the order of a map
	unfiled []search.TrialRecord
	end     *search.End
}

type runningTrial struct {
	search.Start
	began    time.Time
	done     workflow.Future
	cancel   workflow.CancelFunc
	stopped  string // why, when the search stopped it
	resource int
}

func (s *sweep) restore(ctx workflow.Context) (err error) {
	if s.input.Carried == nil {
		s.state.Began = workflow.Now(ctx).UTC()
		s.search, err = search.New(s.input.Sweep)
		return err
	}
	s.state = *s.input.Carried
	s.search, err = search.Restore(s.input.Sweep, s.state.Search)
	return err
}

func (s *sweep) run(ctx workflow.Context) (SweepResult, error) {
	s.tag(ctx)
	reports := workflow.GetSignalChannel(ctx, SignalTrial)
	if s.input.Carried == nil {
		s.advance(ctx, search.Begun{})
	}
	held := s.state.Held
	s.state.Held = nil
	for _, start := range held {
		s.start(ctx, start)
	}
	for s.end == nil || len(s.running) > 0 {
		if len(s.running) == 0 { // those that ran have ended, and the history is long
			return SweepResult{}, s.continueAsNew(ctx, reports)
		}
		if err := s.wait(ctx, reports); err != nil {
			return SweepResult{}, err
		}
	}
	return s.finish(ctx)
}

// wait waits for one thing to happen, and does what follows from it.
func (s *sweep) wait(ctx workflow.Context, reports workflow.ReceiveChannel) error {
	selector := workflow.NewSelector(ctx)
	var failure error
	selector.AddReceive(reports, func(c workflow.ReceiveChannel, _ bool) {
		var r stage.TrialReport
		c.Receive(ctx, &r)
		s.report(ctx, r)
	})
	for _, number := range s.order {
		t := s.running[number]
		selector.AddFuture(t.done, func(f workflow.Future) { failure = s.ended(ctx, t, f) })
	}
	selector.Select(ctx)
	return failure
}

// report passes a running trial's value to the search. One that comes after its trial's end changes nothing.
func (s *sweep) report(ctx workflow.Context, r stage.TrialReport) {
	if t := s.running[search.Trial(r.Trial)]; t != nil {
		t.resource = max(t.resource, r.Resource)
	}
	s.advance(ctx, search.Reported{Trial: search.Trial(r.Trial), Resource: r.Resource, Value: r.Value})
}

// advance tells the search what happened and does what it says.
func (s *sweep) advance(ctx workflow.Context, e search.Event) {
	actions := s.search.Advance(search.Elapsed{Hours: workflow.Now(ctx).Sub(s.state.Began).Hours()})
	for _, a := range append(actions, s.search.Advance(e)...) {
		switch a := a.(type) {
		case search.Start:
			if s.long(ctx) {
				s.state.Held = append(s.state.Held, a)
				continue
			}
			s.start(ctx, a)
		case search.Stop:
			if t := s.running[a.Trial]; t != nil && t.stopped == "" {
				t.stopped = a.Why
				t.cancel()
			}
		case search.End:
			s.end = &a
		}
	}
}

func (s *sweep) long(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetCurrentHistoryLength() > longSweep || info.GetContinueAsNewSuggested()
}

func (s *sweep) start(ctx workflow.Context, start search.Start) {
	trial, cancel := workflow.WithCancel(ctx)
	in := stage.TrainInput{
		Spec: s.input.Spec, Prepared: s.input.Prepared, Code: s.input.Code,
		Trial: &stage.Trial{Number: int(start.Trial), Parameters: start.Parameters},
	}
	t := &runningTrial{Start: start, began: workflow.Now(ctx), cancel: cancel}
	t.done = workflow.ExecuteActivity(s.input.Training.options(trial, fmt.Sprintf("trial %d", start.Trial)), stage.ActivityTrain, in)
	s.running[start.Trial] = t
	s.order = append(s.order, start.Trial)
}

// ended takes a trial off those that run. A trial that failed is a result like any other; only a cancelled sweep ends.
func (s *sweep) ended(ctx workflow.Context, t *runningTrial, f workflow.Future) error {
	var trained stage.Trained
	err := f.Get(ctx, &trained)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	delete(s.running, t.Trial)
	for i, number := range s.order {
		if number == t.Trial {
			s.order = append(s.order[:i], s.order[i+1:]...)
			break
		}
	}
	r := search.TrialRecord{
		Trial: t.Trial, Parameters: t.Parameters, Value: trained.Metric, Resource: max(trained.Resource, t.resource),
		Seconds: workflow.Now(ctx).Sub(t.began).Seconds(), CPUSeconds: trained.Usage.CPUSeconds, GPUSeconds: trained.Usage.GPUSeconds,
	}
	s.state.Usage = s.state.Usage.Plus(trained.Usage)
	event := s.judge(&r, t, trained, err)
	s.state.Recent = append(s.state.Recent, r)
	if extra := len(s.state.Recent) - mostRecent; extra > 0 {
		s.state.Recent = s.state.Recent[extra:]
	}
	s.unfiled = append(s.unfiled, r)
	s.advance(ctx, event)
	if best, value, ok := s.search.Best(); ok && best == t.Trial {
		s.state.Best = &SweepBest{Trial: int(best), Value: value, Parameters: t.Parameters, Trained: trained}
	}
	if len(s.unfiled) >= filedAtOnce {
		return s.file(ctx)
	}
	return nil
}

// judge says what became of a trial.
func (s *sweep) judge(r *search.TrialRecord, t *runningTrial, trained stage.Trained, err error) search.Event {
	switch {
	case t.stopped != "" && (temporal.IsCanceledError(err) || err == nil && trained.Model.IsZero()):
		r.Outcome, r.Reason = search.OutcomeStopped, t.stopped
		return search.Stopped{Trial: t.Trial, Value: trained.Metric, GPUSeconds: r.GPUSeconds}
	case err != nil:
		r.Outcome, r.Reason = search.OutcomeFailed, brief(explain(err))
	case trained.Model.IsZero(): // it was stopped, and not by this sweep
		r.Outcome, r.Reason = search.OutcomeFailed, brief(trained.Reason)
	case trained.Metric == nil:
		r.Outcome, r.Reason = search.OutcomeFailed, brief(trained.Reason)
	default:
		r.Outcome, r.Model = search.OutcomeFinished, trained.Model.Digest.Short()
		return search.Finished{Trial: t.Trial, Value: *trained.Metric, GPUSeconds: r.GPUSeconds}
	}
	return search.Failed{Trial: t.Trial, Reason: r.Reason, GPUSeconds: r.GPUSeconds}
}

// brief bounds a reason that stands in many records.
func brief(reason string) string {
	const most = 300
	if len(reason) > most {
		reason = reason[:most] + "..."
	}
	return reason
}

// file puts the trials that ended on a page of the store.
func (s *sweep) file(ctx workflow.Context) error {
	if len(s.unfiled) == 0 {
		return nil
	}
	filed, err := call[stage.FiledTrials](quick(ctx, fmt.Sprintf("file %d trials", len(s.unfiled))), stage.ActivityFileTrials,
		stage.TrialsInput{Sweep: workflow.GetInfo(ctx).WorkflowExecution.ID, Previous: s.state.Page, Trials: s.unfiled})
	if err != nil {
		return err
	}
	s.state.Page, s.unfiled = filed.Page, nil
	return nil
}

// continueAsNew begins a fresh history with everything the sweep knows. No trial runs now.
func (s *sweep) continueAsNew(ctx workflow.Context, reports workflow.ReceiveChannel) error {
	if err := s.file(ctx); err != nil {
		return err
	}
	var late stage.TrialReport
	for reports.ReceiveAsync(&late) { // of trials that have ended
	}
	s.state.Search = s.search.Snapshot()
	next := s.input
	next.Carried = &s.state
	return workflow.NewContinueAsNewError(ctx, SweepType, next)
}

// finish has the report made and answers with the best trial.
func (s *sweep) finish(ctx workflow.Context) (SweepResult, error) {
	if err := s.file(ctx); err != nil {
		return SweepResult{}, err
	}
	counts := s.search.Counts()
	report, err := call[stage.SweptReport](quick(ctx, "report the sweep"), stage.ActivityReportSweep, stage.SweepReportInput{
		Page: s.state.Page, Report: search.Report{
			Method: s.input.Sweep.Method, Metric: s.input.Sweep.Metric, Goal: s.input.Sweep.Goal, Budget: s.search.Budget(), Chosen: s.end.Best,
			Started: counts.Started, Finished: counts.Finished, Failed: counts.Failed, Stopped: counts.Stopped, Reason: s.end.Reason,
		},
	})
	if err != nil {
		return SweepResult{}, err
	}
	best := s.state.Best
	if best == nil {
		return SweepResult{}, temporal.NewNonRetryableApplicationError("the sweep found nothing: "+s.end.Reason, ErrorSweepFailed, nil, report.Report)
	}
	r := SweepResult{Report: report.Report, Best: *best}
	r.Summary = fmt.Sprintf("trial %d of %d is best, %s %.6g; %d finished, %d stopped early, %d failed",
		best.Trial, counts.Started, s.input.Sweep.Metric, best.Value, counts.Finished, counts.Stopped, counts.Failed)
	r.Usage = s.state.Usage
	return r, nil
}

func (s *sweep) status() (SweepStatus, error) {
	st := SweepStatus{
		Model: s.input.Model, Method: s.input.Sweep.Method, Metric: s.input.Sweep.Metric, Goal: s.input.Sweep.Goal,
		Running: s.order, Best: s.state.Best, Recent: s.state.Recent, Usage: s.state.Usage,
	}
	if s.search != nil {
		st.Counts = s.search.Counts()
	}
	if s.end != nil && len(s.running) == 0 {
		st.Ended = s.end.Reason
	}
	return st, nil
}

// tag makes the sweep findable by its model.
func (s *sweep) tag(ctx workflow.Context) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttributeModel.ValueSet(s.input.Model)); err != nil {
		workflow.GetLogger(ctx).Error("search attributes were not set", "error", err)
	}
}
