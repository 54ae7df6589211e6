package search

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/spec"
)

// world runs whole searches without a cluster: it starts the trials it is told to, lets them report, finish, fail and
// stop at times of its own, and tells some of it twice or late. It holds every search to its promises.
type world struct {
	t     require.TestingT
	sweep spec.Sweep
	s     *Search
	twin  *Search // the same search, restored from JSON again and again
	dice  *rand.Rand

	value      func(p spec.Parameters) float64           // of a finished trial
	at         func(final float64, resource int) float64 // of a trial on its way; nil: final
	epochs     int                                       // reports of a trial, 0: none
	hours      float64                                   // of a trial, on average
	gpuSeconds float64                                   // of a trial
	fails      float64                                   // share of trials that fail
	repeats    float64                                   // share of events told twice, the second time later
	restores   float64                                   // share of events after which the twin is restored

	now     float64 // hours
	coming  []arrival
	trials  []spec.Parameters
	running map[Trial]bool
	told    map[Trial]bool // to stop
	used    int            // epochs of all trials
	done    map[Trial]float64
	end     *End
}

type arrival struct {
	hour  float64
	event Event
	extra bool // told before
}

func newWorld(t require.TestingT, sweep spec.Sweep, seed uint64) *world {
	s, err := New(sweep)
	require.NoError(t, err)
	return &world{
		t: t, sweep: s.sweep, s: s, dice: rand.New(rand.NewPCG(seed, 17)), hours: 1,
		running: map[Trial]bool{}, told: map[Trial]bool{}, done: map[Trial]float64{},
	}
}

func (w *world) run() End {
	if w.restores > 0 {
		w.twin = reread(w.t, w.sweep, w.s)
	}
	w.send(Begun{})
	for w.end == nil {
		require.NotEmpty(w.t, w.coming, "the search waits although nothing runs")
		next := w.coming[0]
		w.coming = w.coming[1:]
		w.now = max(w.now, next.hour)
		w.send(Elapsed{w.now})
		if w.end == nil {
			w.arrive(next)
		}
	}
	require.Empty(w.t, w.s.Running())
	for _, late := range w.coming {
		require.Empty(w.t, w.s.Advance(late.event), "nothing follows End")
	}
	return *w.end
}

func (w *world) arrive(a arrival) {
	trial := trialOf(a.event)
	if !a.extra && !w.running[trial] {
		return // a trial that was stopped reports no more
	}
	if !a.extra {
		switch e := a.event.(type) {
		case Reported:
			w.used++
		case Finished:
			w.done[e.Trial] = e.Value
			delete(w.running, trial)
		default:
			delete(w.running, trial)
		}
		if w.dice.Float64() < w.repeats {
			w.later(arrival{w.now + 3*w.dice.Float64()*w.hours, a.event, true})
		}
	}
	w.send(a.event)
}

// later puts an event behind those that come before it.
func (w *world) later(a arrival) {
	at, _ := slices.BinarySearchFunc(w.coming, a.hour, func(b arrival, hour float64) int {
		if b.hour <= hour {
			return -1
		}
		return 1
	})
	w.coming = slices.Insert(w.coming, at, a)
}

// send is Advance with everything that must hold at any time.
func (w *world) send(e Event) {
	before := w.s.Counts()
	actions := w.s.Advance(e)
	if w.twin != nil {
		require.Equal(w.t, actions, w.twin.Advance(e), "a restored search acts as the one that went on")
		if w.dice.Float64() < w.restores {
			w.twin = reread(w.t, w.sweep, w.s)
		}
	}
	for _, a := range actions {
		require.Nil(w.t, w.end, "End is the last action")
		switch a := a.(type) {
		case Start:
			w.start(a)
		case Stop:
			w.stop(a)
		case End:
			w.end = &a
		}
	}
	c := w.s.Counts()
	require.LessOrEqual(w.t, len(w.s.Running()), w.sweep.Parallel)
	require.Equal(w.t, slices.Sorted(maps.Keys(w.running)), append([]Trial(nil), w.s.Running()...))
	require.Equal(w.t, c.Started, c.Finished+c.Failed+c.Stopped+len(w.running))
	require.GreaterOrEqual(w.t, c.Started, before.Started)
}

func (w *world) start(a Start) {
	require.Equal(w.t, Trial(len(w.trials)+1), a.Trial, "numbers are consecutive")
	requireInRange(w.t, w.sweep, a.Parameters)
	w.trials = append(w.trials, a.Parameters)
	w.running[a.Trial] = true
	final := w.value(a.Parameters)
	hours := w.hours * (0.5 + w.dice.Float64())
	fails := w.dice.Float64() < w.fails
	for e := 1; e <= w.epochs; e++ {
		value := final
		if w.at != nil {
			value = w.at(final, e)
		}
		hour := w.now + hours*float64(e)/float64(w.epochs+1)
		if fails && e > w.epochs/2 {
			break
		}
		w.later(arrival{hour, Reported{a.Trial, e, value}, false})
	}
	var last Event = Finished{a.Trial, final, w.gpuSeconds}
	if fails {
		last = Failed{a.Trial, fmt.Sprintf("exit status %d", a.Trial), w.gpuSeconds}
	}
	w.later(arrival{w.now + hours, last, false})
}

func (w *world) stop(a Stop) {
	require.True(w.t, w.running[a.Trial], "only what runs is stopped")
	require.False(w.t, w.told[a.Trial], "a trial is told to stop once")
	require.NotEmpty(w.t, a.Why)
	w.told[a.Trial] = true
	w.coming = slices.DeleteFunc(w.coming, func(c arrival) bool { return !c.extra && trialOf(c.event) == a.Trial })
	value := 0.25
	stopped := Stopped{Trial: a.Trial, GPUSeconds: w.gpuSeconds}
	if w.dice.Float64() < 0.8 {
		stopped.Value = &value
	}
	w.later(arrival{w.now + 0.01*w.dice.Float64(), stopped, false})
}

func trialOf(e Event) Trial {
	switch e := e.(type) {
	case Reported:
		return e.Trial
	case Finished:
		return e.Trial
	case Failed:
		return e.Trial
	case Stopped:
		return e.Trial
	}
	return 0
}

// reread takes a search through the JSON of its snapshot.
func reread(t require.TestingT, sweep spec.Sweep, s *Search) *Search {
	text, err := json.Marshal(s.Snapshot())
	require.NoError(t, err)
	var snap Snapshot
	require.NoError(t, json.Unmarshal(text, &snap))
	again, err := Restore(sweep, snap)
	require.NoError(t, err)
	return again
}

func requireInRange(t require.TestingT, sweep spec.Sweep, p spec.Parameters) {
	require.Equal(t, slices.Sorted(maps.Keys(sweep.Parameters)), slices.Sorted(maps.Keys(p)))
	for name, r := range sweep.Parameters {
		if len(r.Values) > 0 {
			require.Contains(t, r.Values, p[name])
			continue
		}
		x, ok := p[name].Float()
		require.True(t, ok)
		require.GreaterOrEqual(t, x, *r.Min, name)
		require.LessOrEqual(t, x, *r.Max, name)
		if r.Integer {
			require.Equal(t, math.Trunc(x), x, name)
		}
	}
}

func between(low, high float64) spec.SweepRange { return spec.SweepRange{Min: &low, Max: &high} }

func logBetween(low, high float64) spec.SweepRange {
	return spec.SweepRange{Min: &low, Max: &high, Scale: spec.ScaleLog}
}

func integers(low, high float64) spec.SweepRange {
	return spec.SweepRange{Min: &low, Max: &high, Integer: true}
}

func oneOf(values ...spec.Value) spec.SweepRange { return spec.SweepRange{Values: values} }

func float(p spec.Parameters, name string) float64 {
	x, _ := p[name].Float()
	return x
}

// anySweep draws sweeps of all methods over all kinds of parameters.
func anySweep(t *rapid.T) spec.Sweep {
	s := spec.Sweep{
		Method: rapid.SampledFrom(methods).Draw(t, "method"), Metric: "auc", Seed: rapid.Int64().Draw(t, "seed"),
		Goal:       rapid.SampledFrom([]string{"", spec.SweepMaximize, spec.SweepMinimize}).Draw(t, "goal"),
		Parallel:   rapid.IntRange(0, 7).Draw(t, "parallel"),
		Trials:     rapid.IntRange(1, 60).Draw(t, "trials"),
		Parameters: map[string]spec.SweepRange{},
	}
	if s.Method != spec.SweepGrid && rapid.Bool().Draw(t, "early") {
		s.EarlyStop = &spec.EarlyStop{First: rapid.IntRange(0, 3).Draw(t, "first"), Factor: rapid.SampledFrom([]int{0, 2, 3, 4}).Draw(t, "factor")}
	}
	if rapid.Bool().Draw(t, "timed") {
		s.Hours = rapid.Float64Range(0.5, 20).Draw(t, "hours")
	}
	if rapid.Bool().Draw(t, "metered") {
		s.GPUHours = rapid.Float64Range(0.01, 3).Draw(t, "gpu hours")
	}
	for j := range rapid.IntRange(1, 5).Draw(t, "parameters") {
		s.Parameters[fmt.Sprintf("p%d", j)] = anyRange(t, s.Method)
	}
	return s
}

func anyRange(t *rapid.T, method string) spec.SweepRange {
	var r spec.SweepRange
	low := rapid.Float64Range(1e-6, 100).Draw(t, "low")
	width := rapid.Float64Range(1e-3, 1e4).Draw(t, "width")
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return oneOf(spec.Text("adam"), spec.Text("sgd"), spec.Truth(true), spec.Number(3))
	case 1:
		r = between(-low, -low+width)
	case 2:
		r = logBetween(low, low+width)
	case 3:
		r = integers(-math.Ceil(low), width+1)
	default:
		r = logBetween(low, low+width+1)
		r.Integer = true
	}
	if method == spec.SweepGrid {
		r.Points = rapid.IntRange(1, 5).Draw(t, "points")
	}
	return r
}
