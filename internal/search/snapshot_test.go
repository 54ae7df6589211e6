package search

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/spec"
)

// mostSnapshot is what a snapshot may take, in bytes of JSON.
const mostSnapshot = 12_500

func size(t require.TestingT, s *Search) int {
	text, err := json.Marshal(s.Snapshot())
	require.NoError(t, err)
	return len(text)
}

func TestASnapshotStaysSmallHoweverManyTrials(t *testing.T) {
	for _, tc := range []struct {
		axes, parallel, trials int
		method                 string
	}{{2, 4, 10_000, spec.SweepTPE}, {MostParameters, MostParallel, 1500, spec.SweepTPE}, {8, MostParallel, MostTrials, spec.SweepASHA}} {
		t.Run(fmt.Sprintf("%s with %d parameters and %d at once of %d", tc.method, tc.axes, tc.parallel, tc.trials), func(t *testing.T) {
			t.Parallel()
			sweep := spec.Sweep{Method: tc.method, Trials: tc.trials, Parallel: tc.parallel, Parameters: map[string]spec.SweepRange{}, EarlyStop: &spec.EarlyStop{Factor: 2}}
			for j := range tc.axes {
				sweep.Parameters[fmt.Sprintf("p%d", j)] = between(0, 1)
			}
			s, err := New(sweep)
			require.NoError(t, err)
			s.Advance(Begun{})
			largest := 0
			for trial := Trial(1); int(trial) <= tc.trials-tc.parallel; trial++ {
				// Values grow, so that every trial goes on and all rungs fill.
				require.Empty(t, s.Advance(Reported{trial, 1 << 15, float64(trial) / 3}))
				if trial%3 == 0 {
					s.Advance(Failed{Trial: trial, Reason: strings.Repeat("<", 2*mostReason)})
				} else {
					s.Advance(Finished{Trial: trial, Value: float64(trial) / 3})
				}
				if trial%100 == 0 {
					for _, r := range s.Running() {
						s.Advance(Reported{r, 1 << 14, math.Inf(-1)})
					}
					largest = max(largest, size(t, s))
				}
			}
			t.Logf("at most %d bytes", largest)
			require.Less(t, largest, mostSnapshot)
		})
	}
}

func TestASnapshotIsOfOneSweepOnly(t *testing.T) {
	s, _ := begin(t, simple(5, 2))
	other := simple(5, 2)
	other.Seed = 1
	_, err := Restore(other, s.Snapshot())
	require.ErrorContains(t, err, "expected the sweep it was made of")
	filled := simple(5, 2)
	filled.Goal = spec.SweepMaximize
	_, err = Restore(filled, s.Snapshot())
	require.NoError(t, err, "a default that is written out is the same sweep")
	_, err = Restore(spec.Sweep{}, s.Snapshot())
	require.ErrorContains(t, err, "train.sweep.method")
}

func TestASnapshotDoesNotFollowTheSearch(t *testing.T) {
	s, _ := begin(t, everything())
	before := s.Snapshot()
	text, err := json.Marshal(before)
	require.NoError(t, err)
	for trial := Trial(1); trial < 20; trial++ {
		s.Advance(Reported{trial, 3, float64(trial)})
		s.Advance(Finished{Trial: trial, Value: float64(trial)})
	}
	after, err := json.Marshal(before)
	require.NoError(t, err)
	require.JSONEq(t, string(text), string(after))
}

// everything uses all parts of a snapshot.
func everything() spec.Sweep {
	return spec.Sweep{Method: spec.SweepTPE, Trials: 60, Parallel: 3, Parameters: map[string]spec.SweepRange{"x": between(0, 1), "y": integers(1, 5)},
		EarlyStop: &spec.EarlyStop{}}
}

func TestASnapshotThatNoSearchGaveIsRefused(t *testing.T) {
	s, _ := begin(t, everything())
	for trial := Trial(1); trial < 40; trial++ {
		s.Advance(Reported{trial, 3, float64(trial % 7)})
		if trial%5 == 0 {
			s.Advance(Failed{Trial: trial, Reason: "x"})
		} else {
			s.Advance(Finished{Trial: trial, Value: float64(trial % 7)})
		}
	}
	_, err := Restore(everything(), s.Snapshot())
	require.NoError(t, err)
	for name, spoil := range map[string]func(*Snapshot){
		"counts that do not add up":      func(s *Snapshot) { s.Counts.Finished++ },
		"a negative count":               func(s *Snapshot) { s.Counts.Finished, s.Counts.Failed = -1, s.Counts.Failed+s.Counts.Finished+1 },
		"more trials than the budget":    func(s *Snapshot) { s.Counts.Started, s.Counts.Finished = 61, s.Counts.Finished+61-s.Counts.Started },
		"trials before the beginning":    func(s *Snapshot) { s.Begun = false },
		"trials after the end":           func(s *Snapshot) { s.Ended = true },
		"a best trial that never was":    func(s *Snapshot) { s.Best = 99 },
		"no best trial":                  func(s *Snapshot) { s.Best = 0 },
		"a best value that is none":      func(s *Snapshot) { s.BestValue = math.NaN() },
		"a failure that never was":       func(s *Snapshot) { s.LastFailed = 99 },
		"a reason too long":              func(s *Snapshot) { s.LastFailure = strings.Repeat("x", mostReason+1) },
		"negative hours":                 func(s *Snapshot) { s.Hours = -1 },
		"endless device time":            func(s *Snapshot) { s.GPUSeconds = math.Inf(1) },
		"too many at once":               func(s *Snapshot) { s.Counts.Started += 9; s.Running = append(s.Running, make([]RunningTrial, 9)...) },
		"one trial twice":                func(s *Snapshot) { s.Running[1].Trial = s.Running[0].Trial },
		"a running trial from beyond":    func(s *Snapshot) { s.Running[len(s.Running)-1].Trial = 999 },
		"a look that is not there":       func(s *Snapshot) { s.Running[0].Rung = mostRungs + 1 },
		"an unknown ending":              func(s *Snapshot) { s.Running[0].Ending = "odd" },
		"half a place":                   func(s *Snapshot) { s.Running[0].At = s.Running[0].At[1:] },
		"too many looks":                 func(s *Snapshot) { s.Rungs = make([]Rung, mostRungs+1) },
		"half a value":                   func(s *Snapshot) { s.Rungs[0].Values = s.Rungs[0].Values[1:] },
		"more kept than seen":            func(s *Snapshot) { s.Rungs[0].Seen = 1 },
		"values out of order":            func(s *Snapshot) { s.Rungs[0].Values = append(s.Rungs[0].Values[4:], 0, 0, 128, 127) },
		"no observations":                func(s *Snapshot) { s.History = nil },
		"half an observation":            func(s *Snapshot) { s.History.Best = s.History.Best[1:] },
		"observations that went missing": func(s *Snapshot) { s.History.Best = nil },
		"more usable than there are":     func(s *Snapshot) { s.History.Usable = 99 },
		"more others than passed":        func(s *Snapshot) { s.History.Passed = -1 },
		"an observation that is not finite": func(s *Snapshot) {
			copy(s.History.Best[1:], []byte{0, 0, 0, 0, 0, 0, 0xf0, 0x7f})
		},
	} {
		t.Run(name, func(t *testing.T) {
			snap := s.Snapshot()
			spoil(&snap)
			_, err := Restore(everything(), snap)
			require.ErrorContains(t, err, "restore search: ")
			require.ErrorContains(t, err, "; expected what Snapshot gave")
		})
	}
}

func TestASpoiledSnapshotNeverPanics(t *testing.T) {
	s, _ := begin(t, everything())
	for trial := Trial(1); trial < 40; trial++ {
		s.Advance(Reported{trial, 3, float64(trial % 7)})
		s.Advance(Finished{Trial: trial, Value: float64(trial % 7)})
	}
	text, err := json.Marshal(s.Snapshot())
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		spoiled := []byte(string(text))
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			spoiled[rapid.IntRange(0, len(text)-1).Draw(t, "at")] = rapid.SampledFrom([]byte(`0189-,."{}[]AZaz+/`)).Draw(t, "by")
		}
		var snap Snapshot
		if json.Unmarshal(spoiled, &snap) != nil {
			return
		}
		again, err := Restore(everything(), snap)
		if err != nil {
			return
		}
		for trial := Trial(1); trial <= 60; trial++ {
			again.Advance(Reported{trial, 81, float64(trial % 5)})
			again.Advance(Finished{Trial: trial, Value: float64(trial % 5)})
		}
	})
}
