package search

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/spec"
)

func early(trials, parallel, first, factor int) spec.Sweep {
	s := simple(trials, parallel)
	s.Method, s.EarlyStop = spec.SweepASHA, &spec.EarlyStop{First: first, Factor: factor}
	return s
}

func TestOnlyTheBestShareOfThoseSeenSoFarGoesOn(t *testing.T) {
	s, _ := begin(t, early(20, 10, 2, 3))
	for _, step := range []struct {
		trial Trial
		value float64
		stops bool
	}{
		{1, 0.5, false}, // the first one
		{2, 0.4, true},  // fewer than 3 were seen: only the best goes on
		{3, 0.6, false},
		{4, 0.55, true},
		{5, 0.9, false},
		{6, 0.7, false}, // second of 6, of which 2 go on
		{7, 0.65, true},
		{8, 0.7, false}, // ties with one that went on
	} {
		require.Empty(t, s.Advance(Reported{step.trial, 1, step.value}), "before the first look")
		actions := s.Advance(Reported{step.trial, 2, step.value})
		if !step.stops {
			require.Empty(t, actions, "trial %d", step.trial)
			continue
		}
		require.Len(t, actions, 1, "trial %d", step.trial)
		require.Equal(t, step.trial, actions[0].(Stop).Trial)
	}
	require.Equal(t, Stop{Trial: 9, Why: "0.1 at 2: 8 of the 9 values compared there are better, and one in 3 goes on"}, s.Advance(Reported{9, 3, 0.1})[0])
}

func TestLessIsBetterWhereTheGoalSaysSo(t *testing.T) {
	sweep := early(5, 5, 1, 2)
	sweep.Goal = spec.SweepMinimize
	s, _ := begin(t, sweep)
	require.Empty(t, s.Advance(Reported{1, 1, 0.5}))
	require.Len(t, s.Advance(Reported{2, 1, 0.6}), 1)
	require.Empty(t, s.Advance(Reported{3, 1, 0.4}))
}

func TestAReportBeyondSeveralLooksCountsAtEachOfThem(t *testing.T) {
	s, _ := begin(t, early(9, 9, 1, 3))
	require.Empty(t, s.Advance(Reported{1, 10, 0.5}))
	require.Equal(t, 3, s.running[0].rung)
	require.Empty(t, s.Advance(Reported{2, 1, 0.6}))
	stop := s.Advance(Reported{2, 9, 0.4})
	require.Contains(t, stop[0].(Stop).Why, "0.4 at 3:")
	require.Empty(t, s.Advance(Reported{2, 9, 0.4}), "it was told to stop")
}

func TestReportsToldTwiceOrLateCountOnce(t *testing.T) {
	s, _ := begin(t, early(9, 9, 1, 3))
	s.Advance(Reported{1, 3, 0.5})
	after := s.Snapshot()
	for _, resource := range []int{3, 1, 2, 4, 8} {
		require.Empty(t, s.Advance(Reported{1, resource, 0.1}))
	}
	require.Equal(t, after, s.Snapshot())
}

func TestTrialsThatAreAllAlikeAllGoOn(t *testing.T) {
	s, _ := begin(t, early(600, 1, 1, 4))
	for trial := Trial(1); trial <= 600; trial++ {
		require.Empty(t, s.Advance(Reported{trial, 1, 0.5}))
		s.Advance(Finished{Trial: trial, Value: 0.5})
	}
}

func TestAStoppedTrialMakesRoomWhenItsEndIsKnown(t *testing.T) {
	s, _ := begin(t, early(9, 2, 1, 2))
	s.Advance(Reported{1, 1, 0.5})
	require.Len(t, s.Advance(Reported{2, 1, 0.1}), 1)
	require.Equal(t, []Trial{1, 2}, s.Running())
	start := s.Advance(Stopped{Trial: 2, Value: new(0.1)})
	require.Equal(t, Trial(3), start[0].(Start).Trial)
	require.Equal(t, 1, s.Counts().Stopped)

	require.Len(t, s.Advance(Reported{3, 1, 0.1}), 1)
	s.Advance(Failed{Trial: 3, Reason: "exit status 143"})
	require.Equal(t, 2, s.Counts().Stopped, "a program may end with an error when it is told to end")
	require.Equal(t, 0, s.Counts().Failed)

	require.Len(t, s.Advance(Reported{4, 1, 0.05}), 1)
	s.Advance(Finished{Trial: 4, Value: 0.9})
	best, value, _ := s.Best()
	require.Equal(t, Trial(4), best, "it had finished before it could be stopped")
	require.Equal(t, 0.9, value)
}

func TestLooksEndBeforeNumbersDo(t *testing.T) {
	l := ladder{first: maxFirst, factor: maxFactor}
	at, ok := l.resource(3)
	require.True(t, ok)
	require.Equal(t, int(1e18), at)
	_, ok = l.resource(4)
	require.False(t, ok)
	l = ladder{first: 1, factor: 2}
	_, ok = l.resource(mostRungs)
	require.False(t, ok)

	s, _ := begin(t, early(9, 9, 1, 2))
	require.Empty(t, s.Advance(Reported{1, math.MaxInt, 0.5}))
	require.Len(t, s.ladder.rungs, mostRungs)
	require.Empty(t, s.Advance(Reported{1, math.MaxInt, 0.1}), "after the last look a trial runs to its end")
}

func TestExtremeValuesAreCompared(t *testing.T) {
	s, _ := begin(t, early(9, 9, 1, 2))
	require.Empty(t, s.Advance(Reported{1, 1, -math.MaxFloat64}))
	require.Empty(t, s.Advance(Reported{2, 1, math.MaxFloat64}))
	require.Len(t, s.Advance(Reported{3, 1, 0}), 1)
	reread(t, early(9, 9, 1, 2), s)
}

// Exact ranks while a rung is small: the rule against a plain list.
func TestALookIsExactUpToAFewHundredValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		factor := rapid.IntRange(2, 5).Draw(t, "factor")
		l := ladder{seed: rapid.Int64().Draw(t, "seed"), first: 1, factor: factor}
		var seen []float64
		for _, v := range rapid.SliceOfN(rapid.Float64Range(-1, 1), 1, mostOfRung).Draw(t, "values") {
			v = float64(float32(v))
			seen = append(seen, v)
			better := 0
			for _, u := range seen {
				if u > v {
					better++
				}
			}
			j := l.judge(0, v)
			require.Equal(t, judgement{better < max(len(seen)/factor, 1), better, len(seen)}, j)
		}
	})
}

func TestALargeRungKeepsAUniformSample(t *testing.T) {
	const n, bins = 3000, 10
	got, even := make([]float64, bins), make([]float64, bins)
	kept := 0
	for seed := range int64(60) {
		l := ladder{seed: seed, first: 1, factor: 3}
		for i := range n {
			l.judge(0, float64((i*1237)%n))
			if i%4 == 0 { // rungs that take room from the first one
				l.judge(1, float64(i))
				l.judge(2, float64(i))
			}
		}
		require.LessOrEqual(t, l.kept(), mostOfAllRungs)
		require.Equal(t, n, l.rungs[0].seen)
		for _, r := range l.rungs {
			require.True(t, slices.IsSortedFunc(r.values, worstLast))
			require.LessOrEqual(t, len(r.values), mostOfRung)
			require.Greater(t, len(r.values), mostOfAllRungs/3-30)
		}
		for _, v := range l.rungs[0].values {
			for i := range n { // when it came
				if float32((i*1237)%n) == v {
					got[i*bins/n]++
					kept++
					break
				}
			}
		}
	}
	for i := range even {
		even[i] = float64(kept) / bins
	}
	require.Less(t, stat.ChiSquare(got, even), distuv.ChiSquared{K: bins - 1}.Quantile(1-1e-4), "early and late values alike: %v", got)
}

func TestALargeRungPassesTheShareItShould(t *testing.T) {
	for _, factor := range []int{2, 3, 4} {
		l := ladder{seed: 9, first: 1, factor: factor}
		d := drawsFor(1, forPoints)
		passed, n := 0, 20_000
		for range n {
			if l.judge(0, d.unit()).goesOn {
				passed++
			}
		}
		require.InDelta(t, 1/float64(factor), float64(passed)/float64(n), 0.02)
	}
}

// Curves rise toward their end at different speeds, with noise, so that early values mislead.
func TestASHAUsesAFractionOfTheResourceAndFindsOneOfTheBest(t *testing.T) {
	const trials, epochs, repetitions = 300, 81, 20
	var shares, ranks []float64
	for seed := range int64(repetitions) {
		sweep := early(trials, 8, 1, 3)
		sweep.Seed = seed
		sweep.Parameters = map[string]spec.SweepRange{"a": between(-1, 1), "b": between(-1, 1)}
		w := newWorld(t, sweep, uint64(seed))
		w.value = func(p spec.Parameters) float64 {
			return 0.9 - 0.2*math.Pow(float(p, "a")-0.3, 2) - 0.1*math.Pow(float(p, "b")+0.2, 2)
		}
		w.at = func(final float64, resource int) float64 {
			speed := 0.15 + 0.1*w.dice.Float64()
			return final - 0.4*math.Exp(-speed*float64(resource)) + 0.005*w.dice.NormFloat64()
		}
		w.epochs = epochs
		end := w.run()
		rank := 0
		for _, p := range w.trials {
			if w.value(p) > end.Value {
				rank++
			}
		}
		shares = append(shares, float64(w.used)/(trials*epochs))
		ranks = append(ranks, float64(rank)/trials)
		c := w.s.Counts()
		require.Greater(t, c.Stopped, trials/2)
		require.Greater(t, c.Finished, 0)
	}
	t.Logf("share of the resource %.3f, at most %.3f; rank of the choice: mean %.4f, worst %.4f", stat.Mean(shares, nil), slices.Max(shares), stat.Mean(ranks, nil), slices.Max(ranks))
	require.Less(t, slices.Max(shares), 0.1)
	require.Less(t, stat.Mean(ranks, nil), 0.02)
	require.Less(t, slices.Max(ranks), 0.06)
}
