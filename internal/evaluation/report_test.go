package evaluation_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/stats"
)

func evaluate(t testing.TB, p evaluation.Predictions, opt evaluation.Options) evaluation.Report {
	t.Helper()
	r, err := evaluation.Evaluate(p, opt)
	require.NoError(t, err)
	return r
}

func TestSmallIntersectionsAreNamedWithTheirSize(t *testing.T) {
	p := world(300, 1)
	r := evaluate(t, p, evaluation.Options{Crossed: []string{"sex", "race", "age"}, MinGroup: 20})
	require.Len(t, r.Intersections, 3)
	for k, columns := range [][]string{{"sex", "race"}, {"sex", "age"}, {"race", "age"}} {
		crossed := r.Intersections[k]
		require.Equal(t, columns, crossed.Columns)
		require.Equal(t, 20, crossed.MinGroup)
		sizes := map[[2]string]int{}
		for i := range p.Row {
			sizes[[2]string{p.Groups[columns[0]][i], p.Groups[columns[1]][i]}]++
		}
		seen := map[[2]string]int{}
		for _, g := range crossed.Groups {
			require.GreaterOrEqual(t, g.Rows, 20)
			require.Equal(t, g.Rows, g.Binary.N)
			require.Empty(t, g.Binary.ROC)
			seen[[2]string(g.Values)] = g.Rows
		}
		for _, g := range crossed.Small {
			require.Less(t, g.Rows, 20)
			seen[[2]string(g.Values)] = g.Rows
		}
		require.Equal(t, sizes, seen, "every group with rows is there")
	}
	require.NotEmpty(t, r.Intersections[2].Small)
}

func TestReportsRestOnRepresentativeRows(t *testing.T) {
	p := withoutLabels(world(400, 2))
	full := world(400, 2)
	for i := range p.Row {
		switch {
		case p.Groups["sex"][i] == "f":
			p.Y[i], p.Known[i] = full.Y[i], evaluation.Chosen
		case i%2 == 0:
			p.Y[i], p.Known[i] = full.Y[i], evaluation.Representative
		}
	}
	var females, representative int
	for i := range p.Row {
		if p.Known[i] == evaluation.Representative {
			representative++
		}
		if p.Groups["sex"][i] == "f" {
			females++
		}
	}
	r := evaluate(t, p, evaluation.Options{Slices: []string{"sex"}})
	require.Equal(t, 400, r.Rows)
	require.Equal(t, representative, r.Labelled)
	require.Equal(t, females, r.Chosen)
	require.Equal(t, representative, r.Overall.Binary.N)
	require.Equal(t, females, r.Slices[0].Binary.N, "every label of the group is known")
	require.Equal(t, representative, r.Slices[1].Binary.N)
	require.Equal(t, 400-females, r.Slices[1].Rows)
}

func TestManyRowsAreEvaluatedAsFewAre(t *testing.T) {
	p := rivals(stats.MostResampledRows+1, 3)
	opt := evaluation.Options{Seed: 1, Slices: []string{"sex"}}
	got := evaluate(t, p, opt)
	s := stats.Sample{Score: p.Score}
	for _, y := range p.Y {
		s.Y = append(s.Y, y == 1)
	}
	want, err := stats.Evaluate(s, stats.Options{Threshold: 0.5, Seed: 1})
	require.NoError(t, err)
	groups, err := stats.EvaluateSlices(s, "sex", p.Groups["sex"], stats.Options{Threshold: 0.5, Seed: 1})
	require.NoError(t, err)
	require.Equal(t, want.ROC, got.Overall.Binary.ROC)
	require.Equal(t, want.Confusion, got.Overall.Binary.Confusion)
	near := func(want, got []stats.Metric) {
		for k, m := range want {
			require.Equal(t, m.Name, got[k].Name)
			require.Equal(t, m.Method, got[k].Method)
			require.InDelta(t, m.Value, got[k].Value, 1e-12, m.Name)
			apart := 1e-12
			if m.Method == stats.MethodBootstrap {
				apart = (m.High - m.Low) / 8
			}
			require.InDelta(t, m.Low, got[k].Low, apart, m.Name)
			require.InDelta(t, m.High, got[k].High, apart, m.Name)
		}
	}
	near(want.Metrics, got.Overall.Binary.Metrics)
	for k, g := range groups {
		require.Equal(t, g.Group, got.Slices[k].Group)
		near(g.Metrics, got.Slices[k].Binary.Metrics)
	}
	require.InDelta(t, want.Metrics[0].Value, got.Comparison.Differences[0].Value+got.Comparison.Champion.Binary.Metrics[0].Value, 1e-12)
}

func TestOptionsOutOfRangeAreRefused(t *testing.T) {
	for _, c := range []struct {
		opt  evaluation.Options
		want string
	}{
		{evaluation.Options{Level: 2}, "confidence level 2"},
		{evaluation.Options{Replicates: 3}, "3 bootstrap replicates; expected at least 200"},
		{evaluation.Options{MinGroup: -1}, "minimum group size -1; expected at least 1"},
		{evaluation.Options{Slices: []string{"sx"}}, `no column "sx" among those stored with the predictions: sex; did you mean "sex"?`},
		{evaluation.Options{Crossed: []string{"sex", "race"}}, `no column "race"`},
	} {
		_, err := evaluation.Evaluate(few(), c.opt)
		require.ErrorContains(t, err, c.want)
	}
}

func TestReportsOfClassesAndNumbersHaveGroupsAndComparisons(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const n = 400
	three := evaluation.Predictions{Task: stats.Multiclass, Classes: []string{"a", "b", "c"}, Groups: map[string][]string{"sex": make([]string, n)}}
	number := evaluation.Predictions{Task: stats.Regression, Groups: three.Groups}
	for i := range n {
		y := r.IntN(3)
		three.Groups["sex"][i] = []string{"f", "m"}[r.IntN(2)]
		for _, p := range []*evaluation.Predictions{&three, &number} {
			p.Row = append(p.Row, int64(i))
			p.Y = append(p.Y, float64(y))
		}
		for _, score := range []*[]float64{&three.Score, &three.Old} {
			total, drawn := 0.0, [3]float64{}
			for k := range drawn {
				drawn[k] = r.Float64()
				if k == y {
					drawn[k] += 0.5
				}
				total += drawn[k]
			}
			for _, v := range drawn {
				*score = append(*score, v/total)
			}
		}
		number.Score = append(number.Score, float64(y)+r.NormFloat64())
		number.Old = append(number.Old, float64(y)+2*r.NormFloat64())
	}
	for _, p := range []evaluation.Predictions{three, number} {
		got := evaluate(t, p, evaluation.Options{Seed: 1, Slices: []string{"sex"}})
		require.Len(t, got.Slices, 2)
		rows := 0
		for _, s := range got.Slices {
			rows += s.Rows
			require.Len(t, s.Metrics(), len(got.Overall.Metrics()))
		}
		require.Equal(t, n, rows)
		require.Len(t, got.Comparison.Differences, len(got.Overall.Metrics()))
		for k, m := range got.Comparison.Differences {
			own, champion := got.Overall.Metrics()[k], got.Comparison.Champion.Metrics()[k]
			require.True(t, m.Defined(), m.Name)
			require.InDelta(t, own.Value-champion.Value, m.Value, 1e-9, m.Name)
			require.Less(t, m.Low, m.Value, m.Name)
			require.Greater(t, m.High, m.Value, m.Name)
		}
		text, err := json.Marshal(got)
		require.NoError(t, err)
		var back evaluation.Report
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, got, back, "a report survives being stored")
	}
	c := evaluate(t, three, evaluation.Options{}).Comparison
	rows, right := 0, c.Right
	for _, row := range c.Answers {
		for _, cell := range row {
			rows += cell
		}
	}
	require.Equal(t, n, rows)
	require.Equal(t, n, right.Both+right.Neither+right.OnlyCandidate+right.OnlyChampion)
	require.False(t, math.IsNaN(right.McNemar.P))
}
