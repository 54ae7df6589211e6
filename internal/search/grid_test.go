package search

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/spec"
)

func pointed(r spec.SweepRange, points int) spec.SweepRange {
	r.Points = points
	return r
}

func numbers(xs ...float64) []spec.Value {
	var v []spec.Value
	for _, x := range xs {
		v = append(v, spec.Number(x))
	}
	return v
}

func TestPointsOfAGridAreEvenOnTheirScale(t *testing.T) {
	logWhole := logBetween(1, 1000)
	logWhole.Integer = true
	for name, tc := range map[string]struct {
		r    spec.SweepRange
		want []spec.Value
	}{
		"linear":                          {pointed(between(-1, 1), 5), numbers(-1, -0.5, 0, 0.5, 1)},
		"log":                             {pointed(logBetween(1e-4, 1), 5), numbers(1e-4, 1e-3, 1e-2, 0.1, 1)},
		"ends keep all their digits":      {pointed(between(0.123456789, 1.23456789), 3), numbers(0.123456789, 0.679012, 1.23456789)},
		"one point is the middle":         {pointed(logBetween(1e-4, 1), 1), numbers(1e-2)},
		"every integer":                   {integers(-1.5, 2.9), numbers(-1, 0, 1, 2)},
		"some integers":                   {pointed(integers(0, 100), 3), numbers(0, 50, 100)},
		"integers on a log scale":         {pointed(logWhole, 4), numbers(1, 10, 100, 1000)},
		"more points than integers":       {pointed(integers(1, 3), 50), numbers(1, 2, 3)},
		"negative integers":               {pointed(integers(-10, -5), 3), numbers(-10, -8, -5)},
		"listed values as they are given": {oneOf(spec.Text("b"), spec.Text("a"), spec.Truth(false)), []spec.Value{spec.Text("b"), spec.Text("a"), spec.Truth(false)}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, axisOf(tc.r).list(tc.r.Points)) })
	}
}

func TestAGridIsTriedOnceInTheOrderOfTheProduct(t *testing.T) {
	sweep := spec.Sweep{Method: spec.SweepGrid, Parameters: map[string]spec.SweepRange{
		"optimizer": oneOf(spec.Text("sgd"), spec.Text("adam")), "depth": integers(1, 3), "lr": pointed(logBetween(0.01, 1), 3),
	}}
	w := newWorld(t, sweep, 1)
	w.value = func(p spec.Parameters) float64 { return float(p, "depth") }
	require.Equal(t, "all 18 trials were made", w.run().Reason)
	require.Len(t, w.trials, 18)
	i := 0
	for _, depth := range numbers(1, 2, 3) {
		for _, lr := range numbers(0.01, 0.1, 1) {
			for _, optimizer := range []spec.Value{spec.Text("sgd"), spec.Text("adam")} {
				require.Equal(t, spec.Parameters{"depth": depth, "lr": lr, "optimizer": optimizer}, w.trials[i])
				i++
			}
		}
	}
}

func TestTrialsCutAGridShortAndNeverMakeItLonger(t *testing.T) {
	for trials, want := range map[int]int{0: 9, 4: 4, 50: 9} {
		s, err := New(spec.Sweep{Method: spec.SweepGrid, Trials: trials, Parameters: map[string]spec.SweepRange{"x": integers(1, 3), "y": integers(1, 3)}})
		require.NoError(t, err)
		require.Equal(t, want, s.Limit())
	}
}

func TestAGridBeyondAllNumbersCanBeCut(t *testing.T) {
	parameters := map[string]spec.SweepRange{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		parameters[name] = integers(1, mostValues)
	}
	s, actions := begin(t, spec.Sweep{Method: spec.SweepGrid, Trials: 3, Parameters: parameters})
	require.Equal(t, 3, s.Limit())
	require.Equal(t, spec.Number(1), actions[0].(Start).Parameters["g"])
	require.Equal(t, spec.Number(2), actions[1].(Start).Parameters["g"])
	require.Equal(t, spec.Number(1), actions[1].(Start).Parameters["a"])
}
