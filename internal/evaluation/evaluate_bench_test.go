package evaluation_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// world draws predictions of two classes with three columns of groups, which are treated unlike.
func world(n int, seed uint64) evaluation.Predictions {
	r := rand.New(rand.NewPCG(seed, 1))
	p := evaluation.Predictions{
		Task: stats.Binary, Threshold: 0.5, Row: make([]int64, n), Y: make([]float64, n), Score: make([]float64, n),
		Groups: map[string][]string{"sex": make([]string, n), "race": make([]string, n), "age": make([]string, n)},
	}
	races, ages := []string{"a", "b", "c", "d", "e"}, make([]string, 8)
	for k := range ages {
		ages[k] = fmt.Sprintf("%d0s", k+1)
	}
	for i := range n {
		sex, race := r.IntN(2), min(r.IntN(9), r.IntN(9))*5/9
		p.Groups["sex"][i], p.Groups["race"][i], p.Groups["age"][i] = []string{"f", "m"}[sex], races[race], ages[r.IntN(8)]
		p.Row[i] = int64(i)
		p.Score[i] = math.Pow(r.Float64(), 1+0.5*float64(sex)+0.3*float64(race))
		if r.Float64() < 0.75*p.Score[i]+0.05 { // too sure of itself
			p.Y[i] = 1
		}
	}
	return p
}

func BenchmarkEvaluateMillionRows(b *testing.B) {
	p := world(1_000_000, 1)
	columns := []string{"sex", "race", "age"}
	b.ReportAllocs()
	for b.Loop() {
		r, err := evaluation.Evaluate(p, evaluation.Options{Seed: 1, Slices: columns, Crossed: columns})
		require.NoError(b, err)
		require.Len(b, r.Intersections, 3)
	}
}

func BenchmarkMeasureThousandUnits(b *testing.B) {
	p := rivals(16_000, 1)
	var units []gate.Unit
	for _, metric := range []string{stats.Accuracy, stats.Recall, stats.Precision, stats.F1, stats.AreaUnderROC, stats.Brier, stats.MCC} {
		for column, groups := range p.Groups {
			for _, group := range slices.Compact(slices.Sorted(slices.Values(groups))) {
				units = append(units, unit(metric, column, group), newLessOld(metric, column, group))
			}
		}
	}
	for len(units) < 1000 {
		units = append(units, units[:min(len(units), 1000-len(units))]...)
	}
	b.ReportAllocs()
	for b.Loop() {
		s, err := evaluation.NewSource(p, evaluation.SourceOptions{Seed: 1})
		require.NoError(b, err)
		for _, u := range units {
			_, err := s.Measure(u, 0.001)
			require.NoError(b, err)
		}
	}
}
