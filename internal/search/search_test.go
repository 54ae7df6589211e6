package search

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/spec"
)

func anyWorld(t *rapid.T) *world {
	w := newWorld(t, anySweep(t), rapid.Uint64().Draw(t, "dice"))
	w.value = func(p spec.Parameters) float64 {
		sum := 0.0
		for name := range w.sweep.Parameters {
			sum += math.Sin(float(p, name))
		}
		return sum
	}
	w.at = func(final float64, resource int) float64 { return final * (1 - 1/float64(resource+1)) }
	w.epochs = rapid.IntRange(0, 12).Draw(t, "epochs")
	w.gpuSeconds = rapid.Float64Range(0, 600).Draw(t, "gpu seconds")
	w.fails = rapid.SampledFrom([]float64{0, 0.2, 1}).Draw(t, "fails")
	w.repeats = rapid.SampledFrom([]float64{0, 0.3, 1}).Draw(t, "repeats")
	return w
}

func TestEverySearchKeepsItsPromisesAndEndsWhenTheBudgetIsSpent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		end := w.run()
		c := w.s.Counts()
		hoursOver := w.sweep.Hours > 0 && w.now >= w.sweep.Hours
		gpuOver := w.sweep.GPUHours > 0 && float64(c.Started)*w.gpuSeconds >= w.sweep.GPUHours*3600*(1-1e-9)
		gaveUp := c.Finished == 0 && c.Failed >= mostFailures
		if !hoursOver && !gpuOver && !gaveUp {
			require.Equal(t, w.s.Limit(), c.Started, end.Reason)
		}
		require.LessOrEqual(t, c.Started, w.s.Limit())
		require.NotEmpty(t, end.Reason)
		requireBest(t, w, end)
	})
}

func requireBest(t *rapid.T, w *world, end End) {
	best, value, found := Trial(0), 0.0, false
	for trial := Trial(1); int(trial) <= len(w.trials); trial++ {
		v, finished := w.done[trial]
		if finished && (!found || w.s.goodness(v) > w.s.goodness(value)) {
			best, value, found = trial, v, true
		}
	}
	require.Equal(t, best, end.Best)
	require.Equal(t, value, end.Value)
	trial, v, ok := w.s.Best()
	require.Equal(t, found, ok)
	require.Equal(t, best, trial)
	require.Equal(t, value, v)
}

func TestARestoredSearchHasTheSameFuture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		w.restores = 0.5
		w.run()
		require.Equal(t, w.s.Snapshot(), w.twin.Snapshot())
	})
}

func TestTheSameSeedMakesTheSameSearchAndAnotherAnother(t *testing.T) {
	for _, method := range []string{spec.SweepRandom, spec.SweepSobol, spec.SweepLatinHypercube, spec.SweepTPE, spec.SweepASHA} {
		t.Run(method, func(t *testing.T) {
			trials := func(seed int64) []spec.Parameters {
				w := newWorld(t, spec.Sweep{Method: method, Trials: 30, Seed: seed, Parameters: map[string]spec.SweepRange{"x": between(0, 1), "y": between(0, 1)}}, 1)
				w.value = func(p spec.Parameters) float64 { return float(p, "x") }
				w.run()
				return w.trials
			}
			require.Equal(t, trials(5), trials(5))
			a, b := trials(5), trials(6)
			for i := range a {
				require.NotEqual(t, a[i], b[i])
			}
		})
	}
}

func TestPointsDependOnTheNumberOfATrialOnly(t *testing.T) {
	for _, method := range []string{spec.SweepGrid, spec.SweepRandom, spec.SweepSobol, spec.SweepLatinHypercube, spec.SweepASHA} {
		t.Run(method, func(t *testing.T) {
			x := between(0, 1)
			if method == spec.SweepGrid {
				x.Points = 50
			}
			sweep := spec.Sweep{Method: method, Trials: 50, Parallel: 5, Parameters: map[string]spec.SweepRange{"x": x}}
			trials := func(dice uint64) []spec.Parameters {
				w := newWorld(t, sweep, dice)
				w.value = func(p spec.Parameters) float64 { return float(p, "x") }
				w.fails = 0.1
				w.run()
				return w.trials
			}
			require.Equal(t, trials(1), trials(2), "another order of events")
		})
	}
}

func simple(trials, parallel int) spec.Sweep {
	return spec.Sweep{Method: spec.SweepRandom, Trials: trials, Parallel: parallel, Parameters: map[string]spec.SweepRange{"x": between(0, 1)}}
}

func begin(t *testing.T, sweep spec.Sweep) (*Search, []Action) {
	t.Helper()
	s, err := New(sweep)
	require.NoError(t, err)
	return s, s.Advance(Begun{})
}

func requireEnd(t *testing.T, actions []Action) End {
	t.Helper()
	require.Len(t, actions, 1)
	require.IsType(t, End{}, actions[0])
	return actions[0].(End)
}

func TestNothingHappensBeforeTheBeginning(t *testing.T) {
	s, err := New(simple(3, 2))
	require.NoError(t, err)
	for _, e := range []Event{Elapsed{1}, Reported{1, 1, 0.5}, Finished{Trial: 1}, Failed{Trial: 1}, Stopped{Trial: 1}} {
		require.Empty(t, s.Advance(e))
	}
	require.Len(t, s.Advance(Begun{}), 2)
	require.Empty(t, s.Advance(Begun{}), "a second beginning")
	require.Equal(t, Counts{Started: 2}, s.Counts())
	require.Equal(t, []Trial{1, 2}, s.Running())
}

func TestTwoTrialsRunAtOnceWhereTheSweepDoesNotSay(t *testing.T) {
	_, actions := begin(t, simple(9, 0))
	require.Len(t, actions, 2)
}

func TestEventsToldTwiceChangeNothing(t *testing.T) {
	s, _ := begin(t, simple(5, 1))
	require.Len(t, s.Advance(Finished{Trial: 1, Value: 0.5, GPUSeconds: 3}), 1)
	after := s.Snapshot()
	for _, e := range []Event{Finished{Trial: 1, Value: 0.9, GPUSeconds: 3}, Failed{Trial: 1, Reason: "late"}, Stopped{Trial: 1}, Reported{1, 9, math.NaN()},
		Finished{Trial: 4, Value: 1}, Finished{Trial: -1}, Finished{Trial: 0}, Reported{2, 0, math.NaN()}, Reported{2, -3, 1}} {
		require.Empty(t, s.Advance(e), "%#v", e)
		require.Equal(t, after, s.Snapshot(), "%#v", e)
	}
}

func TestEqualValuesGoToTheSmallestNumber(t *testing.T) {
	for _, goal := range []string{spec.SweepMaximize, spec.SweepMinimize} {
		sweep := simple(3, 3)
		sweep.Goal = goal
		s, _ := begin(t, sweep)
		s.Advance(Finished{Trial: 3, Value: 0.5})
		s.Advance(Finished{Trial: 1, Value: 0.5})
		end := requireEnd(t, s.Advance(Finished{Trial: 2, Value: 0.5}))
		require.Equal(t, End{Best: 1, Value: 0.5, Reason: "all 3 trials were made"}, end)
	}
}

func TestTheGoalDecidesWhichValueIsBest(t *testing.T) {
	for goal, want := range map[string]Trial{"": 2, spec.SweepMaximize: 2, spec.SweepMinimize: 1} {
		sweep := simple(2, 2)
		sweep.Goal = goal
		s, _ := begin(t, sweep)
		s.Advance(Finished{Trial: 2, Value: -1})
		require.Equal(t, want, requireEnd(t, s.Advance(Finished{Trial: 1, Value: -2})).Best, goal)
	}
}

func TestAValueThatIsNotFiniteFailsTheTrial(t *testing.T) {
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		t.Run(fmt.Sprint(x), func(t *testing.T) {
			s, _ := begin(t, simple(4, 1))
			s.Advance(Finished{Trial: 1, Value: x})
			require.Equal(t, 1, s.Counts().Failed)
			trial, why := s.LastFailure()
			require.Equal(t, Trial(1), trial)
			require.Contains(t, why, number(x))
			_, _, any := s.Best()
			require.False(t, any)

			stop := s.Advance(Reported{2, 7, x})
			require.Len(t, stop, 1)
			require.Equal(t, Trial(2), stop[0].(Stop).Trial)
			require.Contains(t, stop[0].(Stop).Why, number(x)+" at 7")
			require.Empty(t, s.Advance(Reported{2, 8, 0.5}), "it was told to stop")
			require.Equal(t, []Trial{2}, s.Running(), "it takes a place until it ended")
			s = reread(t, simple(4, 1), s)
			for i, ending := range []Event{Stopped{Trial: 2, Value: new(0.5)}, Finished{Trial: 3, Value: 0.5}, Failed{Trial: 4, Reason: "exit status 1"}} {
				if i > 0 { // the first one was told before the search was restored
					s.Advance(Reported{trialOf(ending), 1, x})
				}
				s.Advance(ending)
				require.Equal(t, i+2, s.Counts().Failed)
				trial, why := s.LastFailure()
				require.Equal(t, trialOf(ending), trial)
				require.Contains(t, why, number(x))
			}
			require.True(t, s.Ended())
		})
	}
}

func TestFailuresWithoutASuccessEndTheSearchWithTheLastReason(t *testing.T) {
	s, _ := begin(t, simple(10_000, 3))
	var actions []Action
	for trial := Trial(1); len(s.Running()) > 0; trial++ {
		require.LessOrEqual(t, trial, Trial(7))
		actions = s.Advance(Failed{Trial: trial, Reason: fmt.Sprintf("metric auc never appeared in attempt %d", trial)})
	}
	end := requireEnd(t, actions)
	require.Equal(t, Trial(0), end.Best)
	require.Equal(t, "7 trials failed before any finished, so that no more were started; no trial finished; the last failure, of trial 7: metric auc never appeared in attempt 7", end.Reason)
}

func TestATrialThatFinishesAfterManyFailuresLetsTheSearchGoOn(t *testing.T) {
	s, _ := begin(t, simple(100, 2))
	for trial := Trial(2); trial <= 5; trial++ {
		require.Len(t, s.Advance(Failed{Trial: trial, Reason: "x"}), 1)
	}
	require.Empty(t, s.Advance(Failed{Trial: 6, Reason: "x"}), "the first trial may still tell")
	require.Equal(t, []Trial{1}, s.Running())
	require.Len(t, s.Advance(Finished{Trial: 1, Value: 0.5}), 2)
	for trial := Trial(7); trial <= 40; trial++ {
		require.Len(t, s.Advance(Failed{Trial: trial, Reason: "x"}), 1, "failures after a success are the parameters'")
	}
}

func TestASmallBudgetThatFailsWhollyQuotesTheLastReason(t *testing.T) {
	s, _ := begin(t, simple(2, 1))
	s.Advance(Failed{Trial: 1, Reason: "first"})
	end := requireEnd(t, s.Advance(Failed{Trial: 2, Reason: " \n"}))
	require.Equal(t, "all 2 trials were made; no trial finished; the last failure, of trial 2: no reason was given", end.Reason)
}

func TestALongReasonIsCutBetweenCharacters(t *testing.T) {
	for _, before := range []string{"", "x", "xx"} {
		s, _ := begin(t, simple(1, 1))
		s.Advance(Failed{Trial: 1, Reason: before + strings.Repeat("€", 500) + "\xff"})
		_, why := s.LastFailure()
		require.LessOrEqual(t, len(why), mostReason)
		require.Greater(t, len(why), mostReason-3)
		require.True(t, strings.HasSuffix(why, "€..."))
		require.True(t, utf8.ValidString(why))
	}
}

func TestNoTrialStartsWhenTheHoursAreOver(t *testing.T) {
	sweep := simple(0, 2)
	sweep.Hours = 2
	s, _ := begin(t, sweep)
	require.Empty(t, s.Advance(Elapsed{1.9}))
	require.Len(t, s.Advance(Finished{Trial: 1, Value: 1}), 1)
	require.Empty(t, s.Advance(Elapsed{2}))
	for _, hours := range []float64{1, -5, math.NaN(), math.Inf(1), math.Inf(-1)} {
		require.Empty(t, s.Advance(Elapsed{hours}), "time does not go back")
	}
	require.Empty(t, s.Advance(Finished{Trial: 2, Value: 2}))
	end := requireEnd(t, s.Advance(Finished{Trial: 3, Value: 3}))
	require.Equal(t, End{Best: 3, Value: 3, Reason: "2 hours have passed"}, end)
	require.Empty(t, s.Advance(Elapsed{3}))
}

func TestNoTrialStartsWhenTheDeviceTimeIsUsed(t *testing.T) {
	sweep := simple(0, 1)
	sweep.GPUHours = 0.5
	s, _ := begin(t, sweep)
	require.Len(t, s.Advance(Finished{Trial: 1, Value: 1, GPUSeconds: 600}), 1)
	require.Len(t, s.Advance(Failed{Trial: 2, Reason: "out of memory", GPUSeconds: 600}), 1)
	for trial, useless := range []float64{math.NaN(), -1, 0} {
		require.Len(t, s.Advance(Finished{Trial: Trial(trial + 3), Value: 1, GPUSeconds: useless}), 1)
	}
	end := requireEnd(t, s.Advance(Stopped{Trial: 6, GPUSeconds: 600}))
	require.Equal(t, End{Best: 1, Value: 1, Reason: "0.5 hours of device time are used"}, end)
}

func TestEndlessDeviceTimeEndsTheSearch(t *testing.T) {
	sweep := simple(0, 1)
	sweep.GPUHours = 0.5
	s, _ := begin(t, sweep)
	requireEnd(t, s.Advance(Finished{Trial: 1, Value: 1, GPUSeconds: math.Inf(1)}))
	reread(t, sweep, s)
}

func TestASearchWithoutANumberOfTrialsEndsAtTheMost(t *testing.T) {
	sweep := simple(0, 50)
	sweep.Hours = 1e9
	w := newWorld(t, sweep, 1)
	s := w.s
	s.Advance(Begun{})
	for trial := Trial(1); trial < MostTrials; trial++ {
		s.Advance(Finished{Trial: trial, Value: 1})
	}
	actions := s.Advance(Finished{Trial: MostTrials, Value: 2})
	require.Equal(t, End{Best: MostTrials, Value: 2, Reason: "100000 trials were made, the most of one search"}, requireEnd(t, actions))
}

func TestAStoppedTrialIsNeverTheBest(t *testing.T) {
	s, _ := begin(t, simple(2, 2))
	s.Advance(Stopped{Trial: 1, Value: new(0.99)})
	require.Equal(t, Trial(2), requireEnd(t, s.Advance(Finished{Trial: 2, Value: 0.1})).Best)
	require.Equal(t, Counts{Started: 2, Finished: 1, Stopped: 1}, s.Counts())
}

func TestTheBudgetIsSaidInWords(t *testing.T) {
	for want, sweep := range map[string]spec.Sweep{
		"1 trial":                         simple(1, 1),
		"40 trials, 2.5 hours":            {Method: spec.SweepTPE, Trials: 40, Hours: 2.5, Parameters: simple(1, 1).Parameters},
		"8 hours, 3 hours of device time": {Method: spec.SweepTPE, Hours: 8, GPUHours: 3, Parameters: simple(1, 1).Parameters},
		"3 trials":                        {Method: spec.SweepGrid, Parameters: map[string]spec.SweepRange{"x": integers(1, 3)}},
	} {
		s, err := New(sweep)
		require.NoError(t, err)
		require.Equal(t, want, s.Budget())
	}
}
