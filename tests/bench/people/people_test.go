package people_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/tests/bench/people"
)

func TestPredictionsAreValidTheSameEachTimeAndUnlikeByGroup(t *testing.T) {
	p := people.WithChampion(people.Predictions(20_000, 1), 1)
	require.NoError(t, p.Validate())
	require.Equal(t, p, people.WithChampion(people.Predictions(20_000, 1), 1))
	require.NotEqual(t, p.Score, people.Predictions(20_000, 2).Score)

	for _, column := range people.Columns() {
		rows, positive := map[string]float64{}, map[string]float64{}
		for i, group := range p.Groups[column] {
			rows[group]++
			positive[group] += p.Y[i]
		}
		require.Len(t, rows, len(people.Groups(column)))
		first, last := people.Groups(column)[0], people.Groups(column)[len(rows)-1]
		require.Greater(t, rows[last], 100.0)
		require.Greater(t, math.Abs(positive[first]/rows[first]-positive[last]/rows[last]), 0.01, column)
	}
	differ := 0
	for i := range p.Score {
		if (p.Score[i] >= people.Threshold) != (p.Old[i] >= people.Threshold) {
			differ++
		}
	}
	require.InDelta(t, 1.0/12, float64(differ)/20_000, 0.02)
}
