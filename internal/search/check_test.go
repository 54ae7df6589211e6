package search

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/spec"
)

func TestASweepThatCannotBeSearchedIsRefusedWithItsField(t *testing.T) {
	with := func(change func(*spec.Sweep)) spec.Sweep {
		s := simple(5, 2)
		change(&s)
		return s
	}
	ranged := func(r spec.SweepRange) spec.Sweep { return with(func(s *spec.Sweep) { s.Parameters["x"] = r }) }
	gridded := func(r spec.SweepRange) spec.Sweep {
		return spec.Sweep{Method: spec.SweepGrid, Parameters: map[string]spec.SweepRange{"x": r}}
	}
	changed := func(r spec.SweepRange, change func(*spec.SweepRange)) spec.SweepRange { change(&r); return r }
	many := make([]spec.Value, mostValues+1)
	for i := range many {
		many[i] = spec.Number(float64(i))
	}
	for name, tc := range map[string]struct {
		sweep           spec.Sweep
		field, contains string
	}{
		"no method":               {with(func(s *spec.Sweep) { s.Method = "" }), "train.sweep.method", "expected one of grid, random"},
		"unknown method":          {with(func(s *spec.Sweep) { s.Method = "hyperband" }), "train.sweep.method", `found "hyperband"`},
		"unknown goal":            {with(func(s *spec.Sweep) { s.Goal = "max" }), "train.sweep.goal", "expected maximize or minimize"},
		"no budget":               {with(func(s *spec.Sweep) { s.Trials = 0 }), "train.sweep", "give trials, hours or gpu_hours"},
		"negative trials":         {with(func(s *spec.Sweep) { s.Trials = -1 }), "train.sweep.trials", "found -1"},
		"too many trials":         {with(func(s *spec.Sweep) { s.Trials = MostTrials + 1 }), "train.sweep.trials", "to 100000"},
		"negative hours":          {with(func(s *spec.Sweep) { s.Hours = -1 }), "train.sweep.hours", "above 0"},
		"hours not a number":      {with(func(s *spec.Sweep) { s.Hours = math.NaN() }), "train.sweep.hours", "above 0"},
		"endless device time":     {with(func(s *spec.Sweep) { s.GPUHours = math.Inf(1) }), "train.sweep.gpu_hours", "above 0"},
		"negative parallel":       {with(func(s *spec.Sweep) { s.Parallel = -1 }), "train.sweep.parallel", "to 64"},
		"too many at once":        {with(func(s *spec.Sweep) { s.Parallel = MostParallel + 1 }), "train.sweep.parallel", "to 64"},
		"a hypercube of any size": {with(func(s *spec.Sweep) { s.Method, s.Trials, s.Hours = spec.SweepLatinHypercube, 0, 2 }), "train.sweep.trials", "as many strata"},
		"no parameters":           {with(func(s *spec.Sweep) { s.Parameters = nil }), "train.sweep.parameters", "name at least one"},
		"a nameless parameter":    {with(func(s *spec.Sweep) { s.Parameters[" "] = between(0, 1) }), "train.sweep.parameters", "without a name"},
		"too many parameters": {with(func(s *spec.Sweep) {
			for j := range MostParameters {
				s.Parameters[fmt.Sprint("p", j)] = between(0, 1)
			}
		}), "train.sweep.parameters", "at most 20"},

		"nothing to choose from":      {ranged(spec.SweepRange{}), "train.sweep.parameters.x", "found no values"},
		"only min":                    {ranged(spec.SweepRange{Min: new(1.0)}), "train.sweep.parameters.x", "min without max"},
		"only max":                    {ranged(spec.SweepRange{Max: new(1.0)}), "train.sweep.parameters.x", "max without min"},
		"values and a range":          {ranged(spec.SweepRange{Min: new(1.0), Values: []spec.Value{spec.Number(1)}}), "train.sweep.parameters.x", "one or the other"},
		"a value twice":               {ranged(oneOf(spec.Text("a"), spec.Text("b"), spec.Text("a"))), "train.sweep.parameters.x", `"a" twice`},
		"values with a scale":         {ranged(changed(oneOf(spec.Number(1)), func(r *spec.SweepRange) { r.Scale = spec.ScaleLog })), "train.sweep.parameters.x", "scale"},
		"values with integer":         {ranged(changed(oneOf(spec.Number(1)), func(r *spec.SweepRange) { r.Integer = true })), "train.sweep.parameters.x", "integer"},
		"values with points":          {ranged(changed(oneOf(spec.Number(1)), func(r *spec.SweepRange) { r.Points = 2 })), "train.sweep.parameters.x", "points"},
		"too many values":             {ranged(oneOf(many...)), "train.sweep.parameters.x", "at most 10000"},
		"a reversed range":            {ranged(between(2, 1)), "train.sweep.parameters.x", "exchange them"},
		"an empty range":              {ranged(between(1, 1)), "train.sweep.parameters.x", "set the value under train.parameters"},
		"an endless range":            {ranged(between(0, math.Inf(1))), "train.sweep.parameters.x", "finite"},
		"a range that is not numbers": {ranged(between(math.NaN(), 1)), "train.sweep.parameters.x", "finite"},
		"a range wider than numbers":  {ranged(between(-1e308, 1e308)), "train.sweep.parameters.x", "finite"},
		"an unknown scale":            {ranged(changed(between(1, 2), func(r *spec.SweepRange) { r.Scale = "ln" })), "train.sweep.parameters.x", "expected linear or log"},
		"a log scale from 0":          {ranged(logBetween(0, 1)), "train.sweep.parameters.x", "expected min above 0"},
		"a log scale from below 0":    {ranged(logBetween(-1, 1)), "train.sweep.parameters.x", "expected min above 0"},
		"no whole number":             {ranged(integers(1.2, 1.8)), "train.sweep.parameters.x", "no whole number"},
		"integers without digits":     {ranged(integers(0, 1e16)), "train.sweep.parameters.x", "1e15"},
		"points without a grid":       {ranged(changed(between(1, 2), func(r *spec.SweepRange) { r.Points = 3 })), "train.sweep.parameters.x", "method: grid"},

		"a continuous grid":    {gridded(between(0, 1)), "train.sweep.parameters.x", "give points"},
		"negative points":      {gridded(changed(between(0, 1), func(r *spec.SweepRange) { r.Points = -1 })), "train.sweep.parameters.x", "found -1 points"},
		"too many points":      {gridded(changed(between(0, 1), func(r *spec.SweepRange) { r.Points = mostValues + 1 })), "train.sweep.parameters.x", "to 10000"},
		"too many integers":    {gridded(integers(0, 1e15)), "train.sweep.parameters.x", "give points"},
		"a grid beyond bounds": {spec.Sweep{Method: spec.SweepGrid, Parameters: map[string]spec.SweepRange{"x": integers(1, 400), "y": integers(1, 400)}}, "train.sweep.parameters", "more than 100000"},

		"early stop of a grid":   {spec.Sweep{Method: spec.SweepGrid, Parameters: map[string]spec.SweepRange{"x": integers(1, 4)}, EarlyStop: &spec.EarlyStop{}}, "train.sweep.early_stop", "method: random"},
		"a first look before 0":  {with(func(s *spec.Sweep) { s.EarlyStop = &spec.EarlyStop{First: -1} }), "train.sweep.early_stop.first", "found -1"},
		"a factor of 1":          {with(func(s *spec.Sweep) { s.EarlyStop = &spec.EarlyStop{Factor: 1} }), "train.sweep.early_stop.factor", "from 2"},
		"a factor beyond bounds": {with(func(s *spec.Sweep) { s.EarlyStop = &spec.EarlyStop{Factor: maxFactor + 1} }), "train.sweep.early_stop.factor", "to 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check(tc.sweep)
			var p *Problem
			require.True(t, errors.As(err, &p))
			require.Equal(t, tc.field, p.Field)
			require.ErrorContains(t, err, tc.contains)
			_, err = New(tc.sweep)
			require.ErrorContains(t, err, "plan search: "+p.Error())
		})
	}
}

func TestASoundSweepIsAccepted(t *testing.T) {
	require.NoError(t, Check(simple(1, 0)))
	for name, s := range map[string]spec.Sweep{
		"a grid without a budget":     {Method: spec.SweepGrid, Parameters: map[string]spec.SweepRange{"x": integers(1, 4)}},
		"a large grid cut by trials":  {Method: spec.SweepGrid, Trials: 10, Parameters: map[string]spec.SweepRange{"x": integers(1, 9999), "y": integers(1, 9999)}},
		"hours only":                  {Method: spec.SweepTPE, Hours: 1, Parameters: map[string]spec.SweepRange{"x": between(0, 1)}},
		"device time only":            {Method: spec.SweepSobol, GPUHours: 1, Parameters: map[string]spec.SweepRange{"x": between(0, 1)}},
		"one value":                   {Method: spec.SweepRandom, Trials: 1, Parameters: map[string]spec.SweepRange{"x": oneOf(spec.Text("adam"))}},
		"an integer range around one": {Method: spec.SweepRandom, Trials: 1, Parameters: map[string]spec.SweepRange{"x": integers(0.5, 1.5)}},
	} {
		require.NoError(t, Check(s), name)
	}
}

func TestAnySweepIsRefusedOrSearched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySweep(t)
		odd := rapid.SampledFrom([]float64{0, -1, 1, 0.5, math.NaN(), math.Inf(1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1e15, 1e17, -1e15})
		whole := rapid.SampledFrom([]int{0, -1, 1, 2, 3, math.MaxInt, math.MinInt})
		for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
			r := s.Parameters[name]
			if rapid.Bool().Draw(t, "odd range") {
				r = spec.SweepRange{Min: new(odd.Draw(t, "min")), Max: new(odd.Draw(t, "max")), Scale: rapid.SampledFrom([]string{"", spec.ScaleLog}).Draw(t, "scale"),
					Integer: rapid.Bool().Draw(t, "integer"), Points: whole.Draw(t, "points")}
			}
			s.Parameters[name] = r
		}
		switch rapid.IntRange(0, 4).Draw(t, "oddity") {
		case 0:
			s.Trials = whole.Draw(t, "trials")
		case 1:
			s.Hours, s.GPUHours = odd.Draw(t, "hours"), odd.Draw(t, "gpu hours")
		case 2:
			s.EarlyStop = &spec.EarlyStop{First: whole.Draw(t, "first"), Factor: whole.Draw(t, "factor")}
		}
		search, err := New(s)
		require.Equal(t, Check(s) == nil, err == nil)
		if err != nil {
			return
		}
		for _, a := range search.Advance(Begun{}) {
			requireInRange(t, s, a.(Start).Parameters)
		}
	})
}
