package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/tests/bench/people"
)

// echo is a peer that gives exactly Assay's figures.
func echo(t *testing.T) (evaluation.Report, answer) {
	t.Helper()
	r, err := evaluation.Evaluate(people.Predictions(3000, 1), evaluation.Options{Replicates: 200, Slices: people.Columns(), Crossed: []string{"sex", "race"}})
	require.NoError(t, err)
	a := answer{Sets: map[string]map[string][]float64{}}
	put := func(rows string, result evaluation.Result) {
		a.Sets[rows] = map[string][]float64{}
		for _, m := range result.Metrics() {
			if m.Defined() {
				a.Sets[rows][m.Name] = []float64{m.Value, m.Low, m.High}
			}
		}
	}
	put("", r.Overall)
	for _, s := range r.Slices {
		put(s.Column+"="+s.Group, s.Result)
	}
	for _, g := range r.Intersections[0].Groups {
		put("sex="+g.Values[0]+",race="+g.Values[1], g.Result)
	}
	return r, a
}

func TestFiguresThatAreTheSameAgree(t *testing.T) {
	r, a := echo(t)
	got, err := compare(r, a)
	require.NoError(t, err)
	sets := 1 + 2 + 5 + 7 + 10
	require.Equal(t, sets*len(stats.MetricNames()), got.values)
	require.Equal(t, 3*sets, got.resampled)
	require.Equal(t, 2*12*sets, got.ends)
	require.Zero(t, got.value+got.end+got.apart)
}

func TestFiguresThatDifferAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(answer)
		says  string
	}{
		"a value":                 {func(a answer) { a.Sets["sex=male"][stats.Accuracy][0] += 2e-9 }, `accuracy of the rows "sex=male": the values differ`},
		"a value of a resampled":  {func(a answer) { a.Sets["sex=male"][stats.ECE][0] += 2e-9 }, "ece of the rows"},
		"an end by a formula":     {func(a answer) { a.Sets["age=20s"][stats.AreaUnderROC][2] += 2e-9 }, "the intervals differ"},
		"no value of one":         {func(a answer) { delete(a.Sets[""], stats.Recall) }, "one of the two has no value"},
		"rows that are missing":   {func(a answer) { delete(a.Sets, "race=a") }, "sets of rows"},
		"rows of another name":    {func(a answer) { a.Sets["race=z"] = a.Sets["race=a"]; delete(a.Sets, "race=a") }, `no rows "race=a"`},
		"an interval without end": {func(a answer) { a.Sets[""][stats.Brier][1] = -1 }, "the intervals differ"},
		"rows in another order of columns": {func(a answer) {
			a.Sets["race=a,sex=male"] = a.Sets["sex=male,race=a"]
			delete(a.Sets, "sex=male,race=a")
		}, `no rows "sex=male,race=a"`},
	} {
		t.Run(name, func(t *testing.T) {
			r, a := echo(t)
			c.spoil(a)
			_, err := compare(r, a)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestResampledIntervalsMayDiffer(t *testing.T) {
	r, a := echo(t)
	a.Sets[""][stats.F1][1] -= 0.001
	got, err := compare(r, a)
	require.NoError(t, err)
	require.Positive(t, got.apart)
}
