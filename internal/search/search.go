// Package search looks for the best parameters of a training: it says which trials to start, which to stop, and when to
// end. It is a pure state machine: events go in, actions come out, and its whole state is a snapshot of bounded size. It
// reads no clock, starts no goroutine and takes every number that looks like chance from the seed, so that a workflow can
// run it, replay it and continue as new with it. The shape is that of determined-ai's master/pkg/searcher.
//
// What holds for every search:
//
//   - Trials are numbered from 1 without gaps. Where trial i is depends on the seed and i alone, except with tpe, where it
//     depends on what is known by then as well.
//   - At most sweep.parallel trials run. A budget ends the search when its number of trials is started, its hours are over
//     or its device time is used: from then on no trial starts, and End follows the end of the last one that runs. Trials
//     that fail or are stopped count. Without a number of trials the search ends at MostTrials.
//   - The best trial is the finished one with the best value; among equal values the smallest number. A stopped trial is
//     never the best: it was ended before its model was complete.
//   - A value that is not finite makes a trial a failed one. It is stopped if it still runs.
//   - When 5 trials failed and none finished, no more are started. If one of those that still run finishes, the search goes
//     on; otherwise it ends and quotes the last failure. A metric that never appears does not use up the budget.
//   - Events about trials that do not run, second ones and late ones change nothing: activities deliver at least once.
//
// In a small space (few values, few integers) all methods but grid may try the same parameters twice.
package search

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/assay-ml/assay/internal/spec"
)

// Search is one search. It is not safe for use by several goroutines.
type Search struct {
	sweep   spec.Sweep // with defaults
	space   space
	grid    grid
	sampler sampler // of the methods without memory
	limit   int     // trials

	begun, ended bool
	counts       Counts
	running      []run // in the order of their numbers
	best         Trial
	bestValue    float64
	hours        float64
	gpuSeconds   float64
	lastFailed   Trial
	lastFailure  string
	ladder       ladder
	history      history
}

// Counts are numbers of trials; those started and not in another count run.
type Counts struct {
	Started  int `json:"started"`
	Finished int `json:"finished"`
	Failed   int `json:"failed"`
	Stopped  int `json:"stopped"`
}

// run is a trial that runs.
type run struct {
	trial  Trial
	rung   int      // the next look of early stopping
	ending string   // empty; worse, where it was stopped; or the value that is not finite, and for which it was stopped
	at     []uint16 // method tpe: where it is
}

const worse = "worse"

// New makes a search. Its error is a *Problem, wrapped, that names the field of the sweep.
func New(sweep spec.Sweep) (*Search, error) {
	if err := Check(sweep); err != nil {
		return nil, fmt.Errorf("plan search: %w", err)
	}
	s := &Search{sweep: withDefaults(sweep)}
	s.space = newSpace(sweep.Parameters)
	s.limit = MostTrials
	if sweep.Trials > 0 {
		s.limit = sweep.Trials
	}
	switch axes := len(s.space); sweep.Method {
	case spec.SweepGrid:
		s.grid = newGrid(s.space, sweep.Parameters)
		s.limit = s.grid.size(s.limit)
	case spec.SweepSobol:
		s.sampler = newSobol(sweep.Seed, axes)
	case spec.SweepLatinHypercube:
		s.sampler = newLatinHypercube(sweep.Seed, axes, sweep.Trials)
	case spec.SweepTPE:
		s.history = newHistory(sweep.Seed, axes, s.sweep.Parallel)
	default:
		s.sampler = randomly{sweep.Seed, axes}
	}
	if e := s.sweep.EarlyStop; e != nil {
		s.ladder = ladder{seed: sweep.Seed, first: e.First, factor: e.Factor}
	}
	return s, nil
}

// Advance takes one event and gives what is to be done because of it, in this order. End comes once, and last.
func (s *Search) Advance(e Event) []Action {
	if s.ended {
		return nil
	}
	var actions []Action
	switch e := e.(type) {
	case Begun:
		s.begun = true
	case Elapsed:
		if !math.IsInf(e.Hours, 1) {
			s.hours = max(s.hours, zeroUnless(e.Hours > 0, e.Hours))
		}
	case Reported:
		actions = s.reported(e)
	case Finished:
		s.finished(e)
	case Failed:
		s.failed(e)
	case Stopped:
		s.stopped(e)
	}
	if !s.begun {
		return actions
	}
	return append(actions, s.goOn()...)
}

// goOn starts trials, or ends the search.
func (s *Search) goOn() []Action {
	var actions []Action
	why := s.spent()
	for ; why == "" && len(s.running) < s.sweep.Parallel; why = s.spent() {
		actions = append(actions, s.start())
	}
	if why == "" || len(s.running) > 0 {
		return actions
	}
	s.ended = true
	return append(actions, End{Best: s.best, Value: s.bestValue, Reason: s.reason(why)})
}

func (s *Search) start() Start {
	s.counts.Started++
	r := run{trial: Trial(s.counts.Started)}
	var p spec.Parameters
	switch s.sweep.Method {
	case spec.SweepGrid:
		p = s.grid.parameters(r.trial)
	case spec.SweepTPE:
		var others [][]uint16
		for _, other := range s.running {
			others = append(others, other.at)
		}
		r.at = tpe{s.sweep.Seed, s.space}.propose(r.trial, &s.history, others)
		p = s.space.values(coordinates(r.at))
	default:
		p = s.space.values(s.sampler.point(r.trial))
	}
	s.running = append(s.running, r)
	return Start{Trial: r.trial, Parameters: p}
}

// mostFailures without a single trial that finished say that something is wrong with all of them.
const mostFailures = 5

// spent says why no trial may start; it is empty while one may.
func (s *Search) spent() string {
	switch {
	case s.counts.Started >= s.limit && s.sweep.Trials == 0 && s.sweep.Method != spec.SweepGrid:
		return fmt.Sprintf("%d trials were made, the most of one search", s.limit)
	case s.counts.Started >= s.limit && s.limit == 1:
		return "its only trial was made"
	case s.counts.Started >= s.limit:
		return fmt.Sprintf("all %d trials were made", s.limit)
	case s.sweep.Hours > 0 && s.hours >= s.sweep.Hours:
		return fmt.Sprintf("%s hours have passed", number(s.sweep.Hours))
	case s.sweep.GPUHours > 0 && s.gpuSeconds >= s.sweep.GPUHours*3600:
		return fmt.Sprintf("%s hours of device time are used", number(s.sweep.GPUHours))
	case s.counts.Failed >= mostFailures && s.counts.Finished == 0:
		return fmt.Sprintf("%d trials failed before any finished, so that no more were started", s.counts.Failed)
	}
	return ""
}

func (s *Search) reason(why string) string {
	if s.counts.Finished > 0 {
		return why
	}
	why += "; no trial finished"
	if s.lastFailed > 0 {
		why += fmt.Sprintf("; the last failure, of trial %d: %s", s.lastFailed, s.lastFailure)
	}
	return why
}

func (s *Search) find(t Trial) (int, bool) {
	return slices.BinarySearchFunc(s.running, t, func(r run, t Trial) int { return int(r.trial - t) })
}

func (s *Search) reported(e Reported) []Action {
	i, ok := s.find(e.Trial)
	if !ok || s.running[i].ending != "" || e.Resource < 1 {
		return nil
	}
	r := &s.running[i]
	if !finite(e.Value) {
		r.ending = number(e.Value)
		return []Action{Stop{Trial: e.Trial, Why: fmt.Sprintf("the metric is %s at %d; expected a finite number", r.ending, e.Resource)}}
	}
	if s.sweep.EarlyStop == nil {
		return nil
	}
	for {
		at, ok := s.ladder.resource(r.rung)
		if !ok || e.Resource < at {
			return nil
		}
		j := s.ladder.judge(r.rung, s.goodness(e.Value))
		r.rung++
		if !j.goesOn {
			r.ending = worse
			return []Action{Stop{Trial: e.Trial, Why: fmt.Sprintf("%s at %d: %d of the %d values compared there are better, and one in %d goes on", number(e.Value), at, j.better, j.of, s.ladder.factor)}}
		}
	}
}

func (s *Search) finished(e Finished) {
	r, ok := s.end(e.Trial, e.GPUSeconds)
	if !ok {
		return
	}
	if !finite(e.Value) {
		s.fail(r, fmt.Sprintf("the metric is %s at the end; expected a finite number", number(e.Value)))
		return
	}
	if r.ending != "" && r.ending != worse {
		s.fail(r, notFinite(r.ending))
		return
	}
	s.counts.Finished++
	better := s.goodness(e.Value) - s.goodness(s.bestValue)
	if s.best == 0 || better > 0 || better == 0 && e.Trial < s.best {
		s.best, s.bestValue = e.Trial, e.Value
	}
	s.observe(observation{levelFinished, s.goodness(e.Value), r.at})
}

func (s *Search) failed(e Failed) {
	r, ok := s.end(e.Trial, e.GPUSeconds)
	switch {
	case !ok:
	case r.ending == worse:
		// A program may well end with an error when it is told to end.
		s.countStopped(r, nil)
	case r.ending != "":
		s.fail(r, notFinite(r.ending))
	default:
		s.fail(r, e.Reason)
	}
}

func (s *Search) stopped(e Stopped) {
	r, ok := s.end(e.Trial, e.GPUSeconds)
	switch {
	case !ok:
	case r.ending != "" && r.ending != worse:
		s.fail(r, notFinite(r.ending))
	default:
		s.countStopped(r, e.Value)
	}
}

func notFinite(value string) string { return "the metric was " + value + "; expected a finite number" }

// end takes a trial off those that run.
func (s *Search) end(t Trial, gpuSeconds float64) (run, bool) {
	i, ok := s.find(t)
	if !ok {
		return run{}, false
	}
	r := s.running[i]
	s.running = slices.Delete(s.running, i, i+1)
	s.gpuSeconds = min(s.gpuSeconds+zeroUnless(gpuSeconds > 0, gpuSeconds), math.MaxFloat64)
	return r, true
}

func (s *Search) countStopped(r run, value *float64) {
	s.counts.Stopped++
	if value == nil || !finite(*value) {
		s.observe(observation{level: levelUnusable, at: r.at})
		return
	}
	s.observe(observation{uint8(max(r.rung, 1)), s.goodness(*value), r.at})
}

// mostReason bounds what is kept of a failure, in bytes.
const mostReason = 200

func (s *Search) fail(r run, reason string) {
	reason = strings.TrimSpace(strings.ToValidUTF8(reason, "?"))
	if reason == "" {
		reason = "no reason was given"
	}
	if len(reason) > mostReason {
		cut := mostReason - len("...")
		for !utf8.RuneStart(reason[cut]) {
			cut--
		}
		reason = reason[:cut] + "..."
	}
	s.counts.Failed++
	s.lastFailed, s.lastFailure = r.trial, reason
	s.observe(observation{level: levelUnusable, at: r.at})
}

func (s *Search) observe(o observation) {
	if s.sweep.Method == spec.SweepTPE {
		s.history.add(o)
	}
}

// goodness turns a value so that more is better.
func (s *Search) goodness(value float64) float64 {
	if s.sweep.Goal == spec.SweepMinimize {
		return -value
	}
	return value
}

// zeroUnless is x where it is so, and 0 otherwise.
func zeroUnless(so bool, x float64) float64 {
	if so {
		return x
	}
	return 0
}

// Best is the best trial so far and its value; false while no trial finished.
func (s *Search) Best() (Trial, float64, bool) { return s.best, s.bestValue, s.best > 0 }

// Counts are the numbers of trials so far.
func (s *Search) Counts() Counts { return s.counts }

// Running lists the trials that run, in the order of their numbers; one that was told to stop runs until its end is known.
func (s *Search) Running() []Trial {
	running := make([]Trial, len(s.running))
	for i, r := range s.running {
		running[i] = r.trial
	}
	return running
}

// LastFailure is the trial that failed last and why; 0 while none did. After an event it tells whether the trial of the
// event counts as failed, which it does when its metric is not finite.
func (s *Search) LastFailure() (Trial, string) { return s.lastFailed, s.lastFailure }

// Ended reports whether End was given.
func (s *Search) Ended() bool { return s.ended }

// Limit is the most trials that will start: those of the sweep, of the grid, or MostTrials.
func (s *Search) Limit() int { return s.limit }

// Budget is what ends the search, in words.
func (s *Search) Budget() string {
	var parts []string
	switch {
	case s.limit == 1:
		parts = append(parts, "1 trial")
	case s.sweep.Trials > 0 || s.sweep.Method == spec.SweepGrid:
		parts = append(parts, fmt.Sprintf("%d trials", s.limit))
	}
	if s.sweep.Hours > 0 {
		parts = append(parts, number(s.sweep.Hours)+" hours")
	}
	if s.sweep.GPUHours > 0 {
		parts = append(parts, number(s.sweep.GPUHours)+" hours of device time")
	}
	return strings.Join(parts, ", ")
}
