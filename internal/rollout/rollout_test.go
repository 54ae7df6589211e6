package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/spec"
)

var started = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func minutes(n float64) time.Time { return started.Add(time.Duration(n * float64(time.Minute))) }

func policy() Policy {
	return Policy{
		Steps: []Step{{5, 10 * time.Minute}, {25, time.Minute}},
		Abort: []string{"error_rate < 0.01"},
	}
}

func begin(t *testing.T, p Policy, champion int) *Rollout {
	t.Helper()
	r, err := New(p, 7, champion, started)
	require.NoError(t, err)
	return r
}

// only is the one thing to do.
func only(t require.TestingT, r *Rollout, now time.Time) Action {
	actions := r.Next(now)
	require.Len(t, actions, 1)
	require.Equal(t, actions, r.Next(now), "asked for until it is acknowledged")
	return actions[0]
}

func TestEveryStepPasses(t *testing.T) {
	r := begin(t, policy(), 6)
	require.Equal(t, Pending, r.State())
	require.Equal(t, Action{Kind: SetTraffic, Candidate: 7, Champion: 6, Step: 1, Percent: 5}, only(t, r, started))
	require.Zero(t, r.Status().Traffic, "not in place yet")
	require.NoError(t, r.TrafficSet(minutes(1)))
	require.Equal(t, 5.0, r.Status().Traffic)

	require.Empty(t, r.Next(minutes(1)))
	at, ok := r.NextTimer()
	require.True(t, ok)
	require.Equal(t, minutes(1.5), at, "30 s after the hold began")
	require.Equal(t, Action{Kind: Observe, Candidate: 7, Champion: 6, Step: 1, Since: minutes(1)}, only(t, r, at))
	require.NoError(t, r.Observed(Observation{Requests: 40, MeanLatencyMillis: 3}, at))
	require.Empty(t, r.Next(at))

	require.Equal(t, Observe, only(t, r, minutes(11)).Kind, "the last look, after 10 minutes of hold")
	require.NoError(t, r.Observed(Observation{Requests: 1000, Errors: 4, MeanLatencyMillis: 3}, minutes(11)))
	require.Equal(t, Action{Kind: SetTraffic, Candidate: 7, Champion: 6, Step: 2, Percent: 25}, only(t, r, minutes(11)))
	require.NoError(t, r.TrafficSet(minutes(11)))
	at, _ = r.NextTimer()
	require.Equal(t, minutes(11.25), at, "a quarter of a short hold")

	require.Equal(t, Observe, only(t, r, minutes(12)).Kind)
	require.NoError(t, r.Observed(Observation{}, minutes(12)))
	require.Equal(t, Action{Kind: Promote, Candidate: 7, Champion: 6, Reason: "every canary step passed"}, only(t, r, minutes(12)))
	require.False(t, r.Ended())
	require.NoError(t, r.Done(minutes(12)))
	require.True(t, r.Ended())
	require.Empty(t, r.Next(minutes(13)))

	s := r.Status()
	require.Equal(t, Promoted, s.State)
	require.Equal(t, 100.0, s.Traffic)
	require.Equal(t, "4 errors in 1000 requests", s.Steps[0].Note)
	require.Equal(t, 2, s.Steps[0].Looks)
	require.Equal(t, gate.Pass, s.Steps[0].Conditions[0].Verdict)
	require.Equal(t, "wilson", s.Steps[0].Conditions[0].Estimate.Method)
	require.Equal(t, "no requests were seen: this step is no evidence", s.Steps[1].Note)
	require.Equal(t, gate.Inconclusive, s.Steps[1].Conditions[0].Verdict)
	require.True(t, s.Steps[1].Passed)
}

func TestNoStepsPromotesAtOnce(t *testing.T) {
	r := begin(t, Policy{}, 6)
	require.Equal(t, Promote, only(t, r, started).Kind)
	require.NoError(t, r.Done(started))
	require.Equal(t, Promoted, r.State())
}

func TestWithoutChampionTheCandidateServesAlone(t *testing.T) {
	r := begin(t, policy(), 0)
	require.Equal(t, Action{Kind: SetTraffic, Candidate: 7, Step: 1, Percent: 100}, only(t, r, started))
	require.NoError(t, r.TrafficSet(started))
	require.NoError(t, r.Observed(Observation{Requests: 100, Errors: 50}, minutes(1)))
	require.Equal(t, RollBack, only(t, r, minutes(1)).Kind, "observed all the same")
}

func TestWhatALookMakesOfErrors(t *testing.T) {
	for _, c := range []struct {
		name             string
		requests, errors int64
		middle, end      bool // rolls back at a look in the middle, at the last look
	}{
		{"no requests", 0, 0, false, false},
		{"no errors", 1000, 0, false, false},
		{"fewer than the bound", 1000, 9, false, false},
		{"one error alone is never evidence", 1, 1, false, false},
		{"two errors of two", 2, 2, true, true},
		{"two errors of nineteen", 19, 2, true, true},
		{"one error of nineteen: too few requests for the point estimate", 19, 1, false, false},
		{"one error of twenty: the point estimate counts at the end", 20, 1, false, true},
		{"above the bound without proof", 1000, 12, false, true},
		{"at the bound, which is not below it", 1000, 10, false, true},
		{"above the bound with proof", 1000, 20, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Observation{Requests: c.requests, Errors: c.errors}
			for at, broken := range map[float64]bool{5: c.middle, 10: c.end} {
				r := begin(t, policy(), 6)
				only(t, r, started)
				require.NoError(t, r.TrafficSet(started))
				require.NoError(t, r.Observed(o, minutes(at)))
				require.Equal(t, broken, r.State() == RollingBack, "after %g minutes", at)
			}
		})
	}
}

func TestFailing(t *testing.T) {
	r := begin(t, policy(), 6)
	only(t, r, started)
	require.NoError(t, r.TrafficSet(started))
	require.NoError(t, r.Fail("the log is damaged", minutes(1)))
	require.Equal(t, Action{Kind: RollBack, Candidate: 7, Champion: 6, Reason: "the log is damaged"}, only(t, r, minutes(1)))
	require.NoError(t, r.Done(minutes(2)))
	require.Equal(t, RolledBack, r.State(), "nobody cancelled it")
	require.ErrorIs(t, r.Fail("again", minutes(3)), ErrTooLate)
}

func TestRollingBack(t *testing.T) {
	r := begin(t, policy(), 6)
	only(t, r, started)
	require.NoError(t, r.TrafficSet(started))
	require.NoError(t, r.Observed(Observation{Requests: 200, Errors: 30}, minutes(1)))
	a := only(t, r, minutes(1))
	require.Equal(t, RollBack, a.Kind)
	for _, text := range []string{"step 1 (5 % of traffic)", `"error_rate < 0.01"`, "0.150", "95% interval", "200 requests"} {
		require.Contains(t, a.Reason, text)
	}
	require.NoError(t, r.Cancel("too late", minutes(1)), "rolling back already")
	require.NoError(t, r.Done(minutes(2)))
	s := r.Status()
	require.Equal(t, RolledBack, s.State)
	require.False(t, s.Steps[0].Passed)
	require.Equal(t, minutes(1), s.Steps[0].Ended)
	require.Zero(t, s.Traffic)
}

func TestCancel(t *testing.T) {
	t.Run("before anything", func(t *testing.T) {
		r := begin(t, policy(), 6)
		require.NoError(t, r.Cancel("", started))
		require.Equal(t, "cancelled: no reason was given", only(t, r, started).Reason)
		require.NoError(t, r.Done(started))
		require.Equal(t, Cancelled, r.State())
	})
	t.Run("in a step", func(t *testing.T) {
		r := begin(t, policy(), 6)
		only(t, r, started)
		require.NoError(t, r.TrafficSet(started))
		require.NoError(t, r.Cancel("wrong release", minutes(1)))
		require.Equal(t, RollBack, only(t, r, minutes(1)).Kind)
		require.NoError(t, r.Done(minutes(1)))
		require.Equal(t, Cancelled, r.State())
		require.Equal(t, "cancelled: wrong release", r.Status().Steps[0].Note)
	})
	t.Run("once promotion was asked for", func(t *testing.T) {
		r := begin(t, Policy{}, 6)
		only(t, r, started)
		require.ErrorIs(t, r.Cancel("hm", started), ErrTooLate)
		require.NoError(t, r.Done(started))
		require.ErrorIs(t, r.Cancel("hm", started), ErrTooLate)
	})
}

func TestEventsNobodyAskedFor(t *testing.T) {
	r := begin(t, policy(), 6)
	require.ErrorContains(t, r.TrafficSet(started), "pending")
	require.ErrorContains(t, r.Observed(Observation{}, started), "pending")
	require.ErrorContains(t, r.Done(started), "pending")
	only(t, r, started)
	require.ErrorContains(t, r.Observed(Observation{}, started), "Next asked for it", "the hold has not begun")
	require.NoError(t, r.TrafficSet(started))
	for _, o := range []Observation{{Requests: -1}, {Errors: 1}, {Requests: 1, MeanLatencyMillis: -1}} {
		require.ErrorContains(t, r.Observed(o, minutes(1)), "take observation")
	}
	require.NoError(t, r.TrafficSet(minutes(5)))
	require.Equal(t, started, r.Status().Steps[0].Started, "said again, nothing changes")
}

func TestLooksOfShortHolds(t *testing.T) {
	for hold, want := range map[time.Duration]time.Duration{
		0:                      0,
		100 * time.Millisecond: 100 * time.Millisecond,
		400 * time.Millisecond: 200 * time.Millisecond,
		4 * time.Second:        time.Second,
		time.Hour:              30 * time.Second,
	} {
		r := begin(t, Policy{Steps: []Step{{5, hold}}}, 6)
		only(t, r, started)
		require.NoError(t, r.TrafficSet(started))
		at, ok := r.NextTimer()
		require.True(t, ok)
		require.Equal(t, want, at.Sub(started), "hold %s", hold)
	}
}

func TestALookThatComesLateEndsTheStep(t *testing.T) {
	r := begin(t, policy(), 6)
	only(t, r, started)
	require.NoError(t, r.TrafficSet(started))
	require.Equal(t, Observe, only(t, r, minutes(600)).Kind)
	require.NoError(t, r.Observed(Observation{Requests: 10000}, minutes(600)))
	require.Equal(t, 2, r.Status().Step)
}

func TestPolicyFrom(t *testing.T) {
	p, err := PolicyFrom(spec.Rollout{
		Canary: []spec.CanaryStep{{Traffic: 5, Hold: spec.Duration(10 * time.Minute)}, {Traffic: 25, Hold: spec.Duration(time.Minute)}},
		Abort:  []spec.Abort{{Condition: "error_rate < 0.01"}},
	})
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(policy(), p))
	for name, c := range map[string]struct {
		spec spec.Rollout
		says string
	}{
		"no traffic":       {spec.Rollout{Canary: []spec.CanaryStep{{}}}, "canary step 1 has traffic 0"},
		"too much traffic": {spec.Rollout{Canary: []spec.CanaryStep{{Traffic: 101}}}, "at most 100"},
		"a negative hold":  {spec.Rollout{Canary: []spec.CanaryStep{{Traffic: 1, Hold: -1}}}, "0 or more"},
		"no condition":     {spec.Rollout{Abort: []spec.Abort{{Condition: "errors < 1"}}}, "errors"},
		"another metric":   {spec.Rollout{Abort: []spec.Abort{{Condition: "accuracy > 0.5"}}}, "error_rate"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := PolicyFrom(c.spec)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range [][2]int{{0, 0}, {3, 3}, {3, -1}} {
		_, err := New(policy(), c[0], c[1], started)
		require.ErrorContains(t, err, "expected a candidate")
	}
	_, err := New(Policy{Abort: []string{"x"}}, 1, 0, started)
	require.ErrorContains(t, err, "begin rollout")
}

func TestRestoreRefuses(t *testing.T) {
	for _, text := range []string{``, `{}`, `{"unknown":1}`, `{"state":"canary"}`, `{"state":"promoting","policy":{"abort":["x"]}}`} {
		_, err := Restore([]byte(text))
		require.ErrorContains(t, err, "read rollout snapshot")
	}
}

// Whatever comes, a rollout ends, promotes only after every step has passed, and a stored one goes on as if it had not been stored.
func TestAnyCourseOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{Abort: []string{"error_rate < 0.05"}}
		for range rapid.IntRange(0, 3).Draw(t, "steps") {
			p.Steps = append(p.Steps, Step{rapid.Float64Range(0.1, 100).Draw(t, "traffic"), time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "hold"))})
		}
		r, err := New(p, 2, rapid.IntRange(0, 1).Draw(t, "champion"), started)
		require.NoError(t, err)
		now := started
		for looks := 0; !r.Ended(); {
			require.Less(t, looks, 10000, "it never ends")
			r = restored(t, r)
			if rapid.IntRange(0, 200).Draw(t, "cancel") == 0 {
				_ = r.Cancel("test", now)
			}
			actions := r.Next(now)
			if len(actions) == 0 {
				at, ok := r.NextTimer()
				require.True(t, ok)
				require.True(t, at.After(now))
				now = at.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "late")))
				continue
			}
			switch actions[0].Kind {
			case SetTraffic:
				require.NoError(t, r.TrafficSet(now))
			case Observe:
				looks++
				n := rapid.Int64Range(0, 1000).Draw(t, "requests")
				require.NoError(t, r.Observed(Observation{Requests: n, Errors: n / 200}, now))
			default:
				require.NoError(t, r.Done(now))
			}
		}
		s := r.Status()
		if s.State == Promoted {
			require.Len(t, s.Steps, len(p.Steps))
			for _, step := range s.Steps {
				require.True(t, step.Passed)
				require.GreaterOrEqual(t, step.Ended.Sub(step.Started), step.Hold)
			}
			return
		}
		require.Equal(t, Cancelled, s.State, "an error rate of half a percent breaks nothing")
	})
}

func restored(t *rapid.T, r *Rollout) *Rollout {
	data, err := r.Snapshot()
	require.NoError(t, err)
	again, err := Restore(data)
	require.NoError(t, err)
	same, err := again.Snapshot()
	require.NoError(t, err)
	require.Equal(t, string(data), string(same))
	require.False(t, strings.Contains(string(data), "NaN"))
	return again
}
