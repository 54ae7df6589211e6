package simulation

import (
	"math"
	"testing"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/stretchr/testify/require"
)

// A model that treats eight groups of unequal sizes exactly alike is refused no more often than the reliability says, whatever the
// gate asks of its gaps and however many conditions it has: also where the bound is the true value itself, 0 for a difference and 1
// for a ratio.
func TestAFairModelIsRefusedAtMostAsOftenAsStated(t *testing.T) {
	t.Parallel()
	const worlds, rows, reliability = 250, 1600, 0.9
	var conditions []gate.Formula
	for _, text := range []string{
		"demographic_parity_difference[g] <= 0", "demographic_parity_ratio[g] >= 1", "equalized_odds_difference[g] <= 0",
		"equal_opportunity_difference[g] <= 0", "predictive_parity_difference[g] <= 0",
	} {
		f, err := gate.Parse(text)
		require.NoError(t, err)
		conditions = append(conditions, f)
	}
	r := generator(11)
	alone, together := make([]int, len(conditions)), 0
	for range worlds {
		p := evaluation.Predictions{
			Task: stats.Binary, Threshold: 0.5, Row: make([]int64, rows), Y: make([]float64, rows), Score: make([]float64, rows),
			Groups: map[string][]string{"g": make([]string, rows)},
		}
		for i := range rows {
			p.Row[i] = int64(i + 1)
			p.Groups["g"][i] = string(rune('a' + int(8*math.Pow(r.Float64(), 1.5)))) // the first has a quarter of the rows, the last a twelfth
			if r.Float64() < 0.3 {
				p.Y[i] = 1
			}
			if p.Score[i] = 0.2; r.Float64() < 0.15+0.6*p.Y[i] {
				p.Score[i] = 0.8
			}
		}
		source, err := evaluation.NewSource(p, evaluation.SourceOptions{Seed: r.Uint64()})
		require.NoError(t, err)
		d, err := gate.DecideAll(conditions, gate.Plan{Reliability: reliability}, source)
		require.NoError(t, err)
		if d.Verdict == gate.Fail {
			together++
		}
		for k, f := range conditions {
			d, err := gate.DecideAll([]gate.Formula{f}, gate.Plan{Reliability: reliability}, source)
			require.NoError(t, err)
			require.NotEqual(t, gate.Pass, d.Verdict, "no sample shows that a gap is exactly nothing")
			if d.Verdict == gate.Fail {
				alone[k]++
			}
		}
	}
	t.Logf("of %d worlds, refused by each condition %v, by all together %d; stated at most %.1f", worlds, alone, together, worlds*(1-reliability))
	require.True(t, Rate{together, worlds}.Within(1-reliability), together)
	for k, times := range alone {
		require.True(t, Rate{times, worlds}.Within(1-reliability), conditions[k].String())
	}
}
