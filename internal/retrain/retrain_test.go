package retrain

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/spec"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func days(n float64) time.Time { return monday.Add(time.Duration(n * float64(24*time.Hour))) }

func policy() Policy {
	return Policy{Any: []string{Drift}, Cooldown: 24 * time.Hour, MaxPerWeek: 3}
}

func TestDecide(t *testing.T) {
	event := Event{Reason: Drift, Detail: "Drift in 2 of 30 columns"}
	for _, c := range []struct {
		name   string
		policy Policy
		state  State
		now    time.Time
		want   Decision
	}{
		{"never retrained", policy(), State{}, monday,
			Decision{Start: true, Reason: "drift: Drift in 2 of 30 columns"}},
		{"not asked for", Policy{}, State{}, monday,
			Decision{Reason: "drift does not start a lifecycle: the spec's retrain.when names no event"}},
		{"paused", policy(), State{Paused: true}, monday,
			Decision{Reason: "drift was seen, but retraining is paused; allowed again after resume"}},
		{"under way", policy(), State{Running: "lifecycle/credit/8", Starts: []time.Time{days(-3)}}, monday,
			Decision{Reason: "drift was seen, but the lifecycle lifecycle/credit/8 is under way; allowed again when it has ended"}},
		{"cooling down", policy(), State{Starts: []time.Time{days(0)}}, days(0.5),
			Decision{Reason: "drift was seen, but the last start was at 2026-03-02T09:00:00Z and the cooldown is 24h0m0s; allowed from 2026-03-03T09:00:00Z", Until: days(1)}},
		{"cooled down, to the moment", policy(), State{Starts: []time.Time{days(0)}}, days(1),
			Decision{Start: true, Reason: "drift: Drift in 2 of 30 columns"}},
		{"week used up", policy(), State{Starts: []time.Time{days(0), days(2), days(4)}}, days(5.5),
			Decision{Reason: "drift was seen, but 3 of at most 3 starts in seven days are used; allowed from 2026-03-09T09:00:00Z", Until: days(7)}},
		{"the week rolls on, to the moment", policy(), State{Starts: []time.Time{days(0), days(2), days(4)}}, days(7),
			Decision{Start: true, Reason: "drift: Drift in 2 of 30 columns"}},
		{"both refuse, the later counts: week", policy(), State{Starts: []time.Time{days(0), days(2), days(4)}}, days(4.5),
			Decision{Reason: "drift was seen, but 3 of at most 3 starts in seven days are used; allowed from 2026-03-09T09:00:00Z", Until: days(7)}},
		{"both refuse, the later counts: cooldown", policy(), State{Starts: []time.Time{days(0), days(2), days(6.5)}}, days(6.9),
			Decision{Reason: "drift was seen, but the last start was at 2026-03-08T21:00:00Z and the cooldown is 24h0m0s; allowed from 2026-03-09T21:00:00Z", Until: days(7.5)}},
		{"no limits", Policy{Any: []string{Drift}}, State{Starts: []time.Time{days(0), days(0), days(0)}}, days(0),
			Decision{Start: true, Reason: "drift: Drift in 2 of 30 columns"}},
		{"starts out of order", policy(), State{Starts: []time.Time{days(4), days(0), days(2)}}, days(5.5),
			Decision{Reason: "drift was seen, but 3 of at most 3 starts in seven days are used; allowed from 2026-03-09T09:00:00Z", Until: days(7)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Empty(t, cmp.Diff(c.want, Decide(c.policy, c.state, event, c.now)))
		})
	}
	require.Equal(t, "drift", Decide(policy(), State{}, Event{Reason: Drift}, monday).Reason, "without detail")
	require.Equal(t, "labels does not start a lifecycle: the spec's retrain.when names drift", Decide(policy(), State{}, Event{Reason: "labels"}, monday).Reason)
}

func TestFinished(t *testing.T) {
	s := State{}.Started(policy(), "a", monday)
	require.Equal(t, "a", s.Finished("b").Running, "another one")
	require.Empty(t, s.Finished("a").Running)
	require.Equal(t, []time.Time{monday}, s.Finished("a").Starts)
}

func TestPolicyFrom(t *testing.T) {
	p, err := PolicyFrom(spec.Retrain{When: spec.When{Any: []string{"drift"}}, Cooldown: spec.Duration(24 * time.Hour), MaxPerWeek: 3})
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(policy(), p))
	for says, s := range map[string]spec.Retrain{
		`"moon"`:       {When: spec.When{Any: []string{"moon"}}},
		"cooldown":     {Cooldown: -1},
		"max_per_week": {MaxPerWeek: -1},
	} {
		_, err := PolicyFrom(s)
		require.ErrorContains(t, err, says)
	}
}

// Over any course of events: the limits hold for every start, a refusal by time is lifted at the moment it names and not
// before, and a state that was stored decides the same.
func TestLimitsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{
			Any:        []string{Drift},
			Cooldown:   time.Duration(rapid.Int64Range(0, int64(10*24*time.Hour)).Draw(t, "cooldown")),
			MaxPerWeek: rapid.IntRange(0, 4).Draw(t, "max"),
		}
		var s State
		var starts []time.Time
		now, event := monday, Event{Reason: Drift}
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*24*time.Hour)).Draw(t, "pause")))
			s = stored(t, s)
			d := Decide(p, s, event, now)
			if d.Start {
				starts = append(starts, now)
				s = s.Started(p, "x", now).Finished("x")
				continue
			}
			require.True(t, d.Until.After(now))
			require.True(t, Decide(p, s, event, d.Until).Start)
			require.False(t, Decide(p, s, event, d.Until.Add(-1)).Start)
		}
		for i, at := range starts {
			if i > 0 {
				require.GreaterOrEqual(t, at.Sub(starts[i-1]), p.Cooldown)
			}
			if p.MaxPerWeek > 0 && i >= p.MaxPerWeek {
				require.GreaterOrEqual(t, at.Sub(starts[i-p.MaxPerWeek]), Week)
			}
		}
		if p.MaxPerWeek > 0 && p.Cooldown <= Week {
			require.LessOrEqual(t, len(s.Starts), p.MaxPerWeek+1, "old starts are forgotten")
		}
	})
}

func stored(t *rapid.T, s State) State {
	data, err := json.Marshal(s)
	require.NoError(t, err)
	var again State
	require.NoError(t, json.Unmarshal(data, &again))
	require.Empty(t, cmp.Diff(s, again))
	return again
}
