// Package retrain decides whether a new lifecycle is started by itself. It is pure: a policy, a state and an event go in,
// a decision comes out, with the reason and, for a refusal that time alone lifts, the moment from which it no longer holds.
//
// The rules, in the order in which they are asked; the first that refuses gives the reason:
//
//  1. the event is one the policy names;
//  2. retraining is not paused;
//  3. no lifecycle that was started by itself is under way;
//  4. the cooldown since the last start and the number of starts in the last seven days (a rolling week, not a calendar
//     week) allow one more. When both refuse, the later moment counts.
//
// A limit is lifted at the moment it names, not after it.
package retrain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/spec"
)

// Drift is the event of a drift check that found drift.
const Drift = "drift"

// Week is the window over which starts are counted.
const Week = 7 * 24 * time.Hour

// Policy says which events start a lifecycle, and how often at most. Durations are in nanoseconds in JSON.
type Policy struct {
	Any        []string      `json:"any,omitempty"`          // events, any of which suffices; none: never retrain
	Cooldown   time.Duration `json:"cooldown,omitempty"`     // least time between two starts; 0: none
	MaxPerWeek int           `json:"max_per_week,omitempty"` // most starts in any seven days; 0: no limit
}

// PolicyFrom reads the retrain part of a spec.
func PolicyFrom(s spec.Retrain) (Policy, error) {
	for _, event := range s.When.Any {
		if event != Drift {
			return Policy{}, fmt.Errorf("read retrain policy: when.any names %q; expected %q", event, Drift)
		}
	}
	if s.Cooldown < 0 {
		return Policy{}, fmt.Errorf("read retrain policy: the cooldown is %s; expected 0 or more", time.Duration(s.Cooldown))
	}
	if s.MaxPerWeek < 0 {
		return Policy{}, fmt.Errorf("read retrain policy: max_per_week is %d; expected 0 (no limit) or more", s.MaxPerWeek)
	}
	return Policy{
		Any:        append([]string(nil), s.When.Any...),
		Cooldown:   time.Duration(s.Cooldown),
		MaxPerWeek: s.MaxPerWeek,
	}, nil
}

// State is what has happened so far; it is its own snapshot, as JSON. The zero value is a model never retrained.
type State struct {
	Paused  bool        `json:"paused,omitempty"`
	Running string      `json:"running,omitempty"` // id of the lifecycle under way, empty when none is
	Starts  []time.Time `json:"starts,omitempty"`  // oldest first; those that no rule can still need are dropped
}

// Started is the state after a lifecycle was started.
func (s State) Started(p Policy, id string, now time.Time) State {
	now = now.UTC().Round(0)
	horizon := now.Add(-max(Week, p.Cooldown))
	starts := make([]time.Time, 0, len(s.Starts)+1)
	for _, t := range s.Starts {
		if t.After(horizon) {
			starts = append(starts, t)
		}
	}
	starts = append(starts, now)
	slices.SortFunc(starts, time.Time.Compare)
	return State{Paused: s.Paused, Running: id, Starts: starts}
}

// Finished is the state after the lifecycle of that id ended, however it ended. Another id changes nothing.
func (s State) Finished(id string) State {
	if s.Running == id {
		s.Running = ""
	}
	return s
}

// Event is a reason to think of retraining.
type Event struct {
	Reason string `json:"reason"`           // drift
	Detail string `json:"detail,omitempty"` // one sentence of evidence, carried into the decision
}

// Decision says whether to start, and why.
type Decision struct {
	Start  bool      `json:"start"`
	Reason string    `json:"reason"`         // one sentence
	Until  time.Time `json:"until,omitzero"` // refused: allowed from then on; zero when something other than time must happen, which Reason names
}

// Decide answers an event. It changes nothing; after starting, record it with State.Started.
func Decide(p Policy, s State, e Event, now time.Time) Decision {
	if !slices.Contains(p.Any, e.Reason) {
		return refusal(time.Time{}, "%s does not start a lifecycle: the spec's retrain.when names %s", e.Reason, events(p.Any))
	}
	if s.Paused {
		return refusal(time.Time{}, "%s was seen, but retraining is paused; allowed again after resume", e.Reason)
	}
	if s.Running != "" {
		return refusal(time.Time{}, "%s was seen, but the lifecycle %s is under way; allowed again when it has ended", e.Reason, s.Running)
	}
	cool, week := p.cooledDown(s), p.weekAllows(s)
	if now.Before(cool) && !cool.Before(week) {
		return refusal(cool, "%s was seen, but the last start was at %s and the cooldown is %s; allowed from %s",
			e.Reason, stamp(last(s)), p.Cooldown, stamp(cool))
	}
	if now.Before(week) {
		return refusal(week, "%s was seen, but %d of at most %d starts in seven days are used; allowed from %s",
			e.Reason, p.usedAt(s, now), p.MaxPerWeek, stamp(week))
	}
	if e.Detail == "" {
		return Decision{Start: true, Reason: e.Reason}
	}
	return Decision{Start: true, Reason: e.Reason + ": " + e.Detail}
}

// cooledDown is the moment from which the cooldown allows a start.
func (p Policy) cooledDown(s State) time.Time {
	if p.Cooldown <= 0 || len(s.Starts) == 0 {
		return time.Time{}
	}
	return last(s).Add(p.Cooldown)
}

// weekAllows is the moment from which fewer than MaxPerWeek starts lie in the last seven days.
func (p Policy) weekAllows(s State) time.Time {
	if p.MaxPerWeek <= 0 || len(s.Starts) < p.MaxPerWeek {
		return time.Time{}
	}
	starts := slices.SortedFunc(slices.Values(s.Starts), time.Time.Compare)
	return starts[len(starts)-p.MaxPerWeek].Add(Week)
}

func (p Policy) usedAt(s State, now time.Time) int {
	n := 0
	for _, t := range s.Starts {
		if t.After(now.Add(-Week)) {
			n++
		}
	}
	return n
}

func last(s State) time.Time { return slices.MaxFunc(s.Starts, time.Time.Compare) }

func refusal(until time.Time, format string, args ...any) Decision {
	return Decision{Reason: fmt.Sprintf(format, args...), Until: until}
}

func events(any []string) string {
	if len(any) == 0 {
		return "no event"
	}
	return strings.Join(any, ", ")
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
