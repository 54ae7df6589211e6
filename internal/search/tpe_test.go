package search

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/spec"
)

// wins counts the repetitions in which a search by tpe finds a better value than random search with the same seed, whose
// first points are the same.
func wins(t *testing.T, repetitions int, sweep spec.Sweep, value func(spec.Parameters) float64) int {
	t.Helper()
	best := func(method string, seed int64) float64 {
		sweep.Method, sweep.Seed = method, seed
		w := newWorld(t, sweep, uint64(seed))
		w.value = value
		return w.s.goodness(w.run().Value)
	}
	won := 0
	for seed := range int64(repetitions) {
		if best(spec.SweepTPE, seed) > best(spec.SweepRandom, seed) {
			won++
		}
	}
	t.Logf("%d of %d won", won, repetitions)
	return won
}

// If tpe were no better than random search, it would win fewer than this many with a probability of 1 - 1e-6.
func byChance(repetitions int) int {
	b := distuv.Binomial{N: float64(repetitions), P: 0.5}
	for k := range repetitions {
		if b.Survival(float64(k)) < 1e-6 {
			return k + 1
		}
	}
	return repetitions
}

func TestTPEBeatsRandomSearch(t *testing.T) {
	const repetitions = 50
	for name, tc := range map[string]struct {
		sweep spec.Sweep
		value func(spec.Parameters) float64
	}{
		"on a smooth hill, one trial at a time": {
			spec.Sweep{Trials: 60, Parallel: 1, Parameters: map[string]spec.SweepRange{"a": between(-5, 5), "b": between(0, 10), "c": logBetween(1e-5, 1)}},
			func(p spec.Parameters) float64 {
				a, b, c := float(p, "a")-1.3, (float(p, "b")-7)/2, math.Log10(float(p, "c"))+3.2
				return -a*a - b*b - c*c
			},
		},
		"on a smooth valley, eight trials at a time": {
			spec.Sweep{Trials: 80, Parallel: 8, Goal: spec.SweepMinimize, Parameters: map[string]spec.SweepRange{"a": between(-5, 10), "b": between(0, 15)}},
			branin,
		},
		"with integers and names": {
			spec.Sweep{Trials: 60, Parallel: 2, Parameters: map[string]spec.SweepRange{"lr": logBetween(1e-5, 1), "layers": integers(1, 12), "units": logIntegers(8, 1024),
				"optimizer": oneOf(spec.Text("sgd"), spec.Text("adam"), spec.Text("lion"), spec.Text("adagrad"))}},
			func(p spec.Parameters) float64 {
				lr, layers, units := math.Log10(float(p, "lr"))+2.7, (float(p, "layers")-4)/3, math.Log2(float(p, "units")/128)
				loss := lr*lr + layers*layers + units*units/4
				if p["optimizer"] != spec.Text("adam") {
					loss += 0.5
				}
				return -loss
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.GreaterOrEqual(t, wins(t, repetitions, tc.sweep, tc.value), byChance(repetitions))
		})
	}
}

func logIntegers(low, high float64) spec.SweepRange {
	r := logBetween(low, high)
	r.Integer = true
	return r
}

// branin is the function of Branin and Hoo (1972), with three least values of 0.397887.
func branin(p spec.Parameters) float64 {
	x, y := float(p, "a"), float(p, "b")
	bend := y - 5.1/(4*math.Pi*math.Pi)*x*x + 5/math.Pi*x - 6
	return bend*bend + 10*(1-1/(8*math.Pi))*math.Cos(x) + 10
}

func TestTPEKeepsAwayFromWhereTrialsFail(t *testing.T) {
	m := tpe{1, space{axisOf(between(0, 1))}}
	beyond := func(failures int) int {
		h := newHistory(1, 1, 2)
		for i := range 40 { // the best are found close to where trials begin to fail
			u := 0.5 * float64(i) / 40
			h.add(observation{levelFinished, u, []uint16{place(u)}})
		}
		for i := range failures {
			h.add(observation{level: levelUnusable, at: []uint16{place(0.5 + 0.5*float64(i)/float64(failures))}})
		}
		n := 0
		for trial := Trial(1); trial <= 1000; trial++ {
			if coordinate(m.propose(trial, &h, nil)[0]) > 0.5 {
				n++
			}
		}
		return n
	}
	before, after := beyond(0), beyond(20)
	t.Logf("%d of 1000 beyond, %d after failures there", before, after)
	require.Greater(t, before, 2*after)
}

func TestTrialsThatRunTogetherAreSpreadOut(t *testing.T) {
	h := newHistory(1, 1, 8)
	for i := range 40 {
		h.add(observation{levelFinished, -math.Abs(float64(i)/40 - 0.5), []uint16{place(float64(i) / 40)}})
	}
	m := tpe{1, space{axisOf(between(0, 1))}}
	near := func(running [][]uint16) int {
		n := 0
		for trial := Trial(1); trial <= 200; trial++ {
			if u := coordinate(m.propose(trial, &h, running)[0]); math.Abs(u-0.5) < 0.01 {
				n++
			}
		}
		return n
	}
	middle := [][]uint16{{place(0.5)}, {place(0.5)}, {place(0.505)}, {place(0.495)}}
	alone, together := near(nil), near(middle)
	t.Logf("%d of 200 in the middle alone, %d together", alone, together)
	require.Greater(t, alone, 2*together)
}

func TestADensityIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seen := rapid.SliceOfN(rapid.Float64Range(0, math.Nextafter(1, 0)), 0, 30).Draw(t, "seen")
		continuous := newEstimator(axisOf(between(0, 1)), seen)
		total := 0.0
		for i := range 400 { // the narrowest normal is 1/100 wide
			total += quad.Fixed(continuous.density, float64(i)/400, float64(i+1)/400, 4, nil, 0)
		}
		require.InDelta(t, 1, total, 1e-6)
		for _, r := range []spec.SweepRange{integers(1, 7), logIntegers(1, 40), oneOf(numbers(1, 2, 3)...)} {
			a := axisOf(r)
			e, sum := newEstimator(a, seen), 0.0
			for u := 0.0; u < 1-1e-9; {
				from, to := a.cell(u + 1e-9)
				sum += e.density((from + to) / 2)
				u = to
			}
			require.InDelta(t, 1, sum, 1e-9)
		}
	})
}

func TestDrawsFollowTheDensity(t *testing.T) {
	seen := []float64{0.1, 0.12, 0.3, 0.9, 0.999}
	for name, r := range map[string]spec.SweepRange{"continuous": between(0, 1), "values": oneOf(numbers(1, 2, 3, 4, 5)...)} {
		t.Run(name, func(t *testing.T) {
			const n, bins = 20_000, 20
			e := newEstimator(axisOf(r), seen)
			d := drawsFor(3, forParzen)
			got, want := make([]float64, bins), make([]float64, bins)
			for range n {
				u := e.draw(&d)
				require.GreaterOrEqual(t, u, 0.0)
				require.Less(t, u, 1.0)
				got[int(u*bins)]++
			}
			if f, ok := e.(frequencies); ok {
				for i, share := range f {
					require.InDelta(t, n*share, got[4*i+2], 4*math.Sqrt(n*share))
				}
				return
			}
			for i := range want {
				want[i] = n * quad.Fixed(e.density, float64(i)/bins, float64(i+1)/bins, 200, nil, 0)
			}
			require.Less(t, stat.ChiSquare(got, want), distuv.ChiSquared{K: bins - 1}.Quantile(1-1e-4))
		})
	}
}

func TestTheBestTrialsAreRememberedAndTheOthersEvenly(t *testing.T) {
	const trials = 5000
	kept := make([]int, 10)
	for seed := range int64(40) {
		h := newHistory(seed, 1, 2)
		require.Equal(t, mostObserved, h.capacity)
		for i := range trials {
			h.add(observation{levelFinished, float64((i * 1237) % trials), []uint16{uint16(i * places / trials)}})
		}
		require.Len(t, h.best, mostBest)
		for i, o := range h.best {
			require.Equal(t, float64(trials-1-i), o.goodness)
		}
		require.Len(t, h.others, mostObserved-mostBest)
		for _, o := range h.others {
			kept[int(coordinate(o.at[0])*10)]++
		}
	}
	var got, even []float64
	for _, n := range kept {
		got, even = append(got, float64(n)), append(even, 40*(mostObserved-mostBest)/10)
	}
	require.Less(t, stat.ChiSquare(got, even), distuv.ChiSquared{K: 9}.Quantile(1-1e-4), "early and late trials alike: %v", kept)
}

func TestTrialsAreRankedByHowFarTheyCameAndThenByValue(t *testing.T) {
	h := newHistory(1, 1, 2)
	for i, o := range []observation{{level: levelUnusable}, {level: 1, goodness: 9}, {level: 3, goodness: -5}, {level: levelFinished, goodness: -100}, {level: 3, goodness: 2}, {level: levelFinished, goodness: 7}} {
		o.at = []uint16{uint16(i)}
		h.add(o)
	}
	var order []uint16
	for _, o := range h.best {
		order = append(order, o.at[0])
	}
	require.Equal(t, []uint16{5, 3, 4, 2, 1, 0}, order)
	require.Equal(t, 5, h.usable)
}

func TestTPEWithEarlyStopLearnsFromStoppedTrials(t *testing.T) {
	const repetitions = 30
	won := 0
	for seed := range int64(repetitions) {
		best := map[string]float64{}
		for _, method := range []string{spec.SweepTPE, spec.SweepRandom} {
			w := newWorld(t, spec.Sweep{Method: method, Trials: 120, Parallel: 4, Seed: seed, EarlyStop: &spec.EarlyStop{},
				Parameters: map[string]spec.SweepRange{"x": between(0, 1), "y": between(0, 1), "z": between(0, 1)}}, uint64(seed))
			w.value = func(p spec.Parameters) float64 {
				return 1 - math.Pow(float(p, "x")-0.3, 2) - math.Pow(float(p, "y")-0.8, 2) - math.Pow(float(p, "z")-0.5, 2)
			}
			w.at = func(final float64, resource int) float64 { return final - 1/float64(resource) }
			w.epochs = 27
			best[method] = w.run().Value
		}
		if best[spec.SweepTPE] > best[spec.SweepRandom] {
			won++
		}
	}
	t.Logf("%d of %d won", won, repetitions)
	require.GreaterOrEqual(t, won, byChance(repetitions))
}

func TestATPESearchOfManyTrialsStaysGood(t *testing.T) {
	w := newWorld(t, spec.Sweep{Method: spec.SweepTPE, Trials: 3000, Parallel: 4, Goal: spec.SweepMinimize,
		Parameters: map[string]spec.SweepRange{"a": between(-5, 10), "b": between(0, 15)}}, 1)
	w.value = branin
	end := w.run()
	require.InDelta(t, 0.397887, end.Value, 0.01)
	var late []float64
	for _, p := range w.trials[1000:] {
		late = append(late, branin(p))
	}
	slices.Sort(late)
	require.Less(t, stat.Quantile(0.5, stat.Empirical, late, nil), 10.0, "at random the median is about 35")
}
