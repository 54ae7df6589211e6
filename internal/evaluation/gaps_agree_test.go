package evaluation_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// What the gate decides on and what reviewers see beside it are the same intervals, of every gap.
func TestGapsOfTheGateAreThoseOfTheAudit(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	const rows = 900
	p := evaluation.Predictions{Task: stats.Binary, Threshold: 0.5, Groups: map[string][]string{}}
	sample := stats.Sample{}
	for i := range rows {
		group, y, score := []string{"a", "b", "c"}[i%3], r.Float64() < 0.4, 0.2
		if r.Float64() < 0.3+0.1*float64(i%3) {
			score = 0.7
		}
		p.Row, p.Score, p.Groups["g"] = append(p.Row, int64(i+1)), append(p.Score, score), append(p.Groups["g"], group)
		p.Y = append(p.Y, map[bool]float64{true: 1}[y])
		sample.Y, sample.Score = append(sample.Y, y), append(sample.Score, score)
	}
	source, err := evaluation.NewSource(p, evaluation.SourceOptions{})
	require.NoError(t, err)
	for _, name := range fairness.GapNames() {
		f, err := gate.Parse(name + "[g] > 0.5")
		require.NoError(t, err)
		d, err := gate.DecideAll([]gate.Formula{f}, gate.Plan{Reliability: 0.9}, source)
		require.NoError(t, err)
		got := d.Results[0].Estimate
		e, err := fairness.Examine(sample, fairness.Question{Columns: []fairness.Column{{Name: "g", Groups: p.Groups["g"]}}, Threshold: 0.5, Level: got.Level})
		require.NoError(t, err)
		want, ok := e.Divisions[0].Gap(name)
		require.True(t, ok, name)
		require.InDeltaSlice(t, []float64{want.Value, want.Low, want.High}, []float64{got.Value, got.Low, got.High}, 1e-12, name)
	}
}
