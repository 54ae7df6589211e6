package simulation

import (
	"math/rand/v2"
	"testing"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/stretchr/testify/require"
)

// slack is by how much methods that are approximations may miss more often than stated, in worlds of a few hundred rows.
const slack = 1.3

func TestVerdictsOnDrawnRowsAreWrongAtMostAsOftenAsStated(t *testing.T) {
	t.Parallel()
	const reliability, stated = 0.9, 0.1
	for _, s := range Scenes() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			worlds := 300
			if s.Task == stats.Regression {
				worlds = 120 // each takes two thousand resamples of every row
			}
			above, below, err := s.Ends(gate.Plan{Reliability: reliability}, worlds, 5)
			require.NoError(t, err)
			t.Logf("%s: all above in %.3f of %d worlds, all below in %.3f; stated at most %.1f", s.Condition(), above.Value(), worlds, below.Value(), stated)
			allowed := stated
			if !s.Guaranteed {
				allowed *= slack
			}
			if !s.Guaranteed && !s.Cautious {
				require.Greater(t, above.Value(), stated/4, "an interval that is never wrong is too long")
				require.Greater(t, below.Value(), stated/4, "an interval that is never wrong is too long")
			}
			require.True(t, above.Within(allowed), "all above in %d of %d worlds", above.Times, worlds)
			require.True(t, below.Within(allowed), "all below in %d of %d worlds", below.Times, worlds)
		})
	}
}

// What is said to be guaranteed is what the source says of it.
func TestScenesSayWhetherTheirMethodIsGuaranteed(t *testing.T) {
	t.Parallel()
	for _, s := range Scenes() {
		f, err := gate.Parse(s.Condition())
		require.NoError(t, err)
		source, err := evaluation.NewSource(s.Draw(generator(1)), evaluation.SourceOptions{})
		require.NoError(t, err)
		d, err := gate.DecideAll([]gate.Formula{f}, gate.Plan{Reliability: 0.9}, source)
		require.NoError(t, err)
		require.Len(t, d.Results[0].Units, 1, s.Name)
		require.Equal(t, s.Guaranteed, d.Results[0].Units[0].Measurement.Guaranteed, s.Name)
	}
}

// The calibration error adds up distances, so that noise can only lengthen it: with few rows it is estimated too high. The lower
// end of its interval makes up for that.
func TestTheCalibrationErrorIsHeldToTheStatedRateOnBothSides(t *testing.T) {
	t.Parallel()
	const excess, stated = 0.02, 0.1
	s := Scene{Name: "ece", Expression: "ece", Bound: excess, Task: stats.Binary, Rows: 1000, draw: func(r *rand.Rand, p *evaluation.Predictions) {
		for i := range p.Y {
			p.Score[i] = 0.05 + 0.9*r.Float64()
			if r.Float64() < p.Score[i]-excess {
				p.Y[i] = 1
			}
		}
	}}
	above, below, err := s.Ends(gate.Plan{Reliability: 1 - stated}, 200, 9)
	require.NoError(t, err)
	t.Logf("all above in %.3f, all below in %.3f", above.Value(), below.Value())
	require.True(t, below.Within(stated), "all below in %d worlds", below.Times)
	require.Less(t, above.Value(), 2*stated, "approximate: without the correction it is all above in most worlds")
}
