package mitigation

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/stats"
)

// AIF360's reweighing demonstration on Adult by the counts of its 7,327 test rows: what the model predicts at the threshold
// 0.2673737373737374 before and after reweighing.
func TestAIF360DemonstrationFromItsCounts(t *testing.T) {
	type cell struct {
		privileged, y, before, after bool
		rows                         int
	}
	type figures struct{ balanced, parity, impact, odds, opportunity float64 }
	for name, c := range map[string]struct {
		cells         []cell
		before, after figures
	}{
		"sex": {
			[]cell{
				{false, false, false, false, 1657}, {false, false, false, true, 319}, {false, false, true, true, 231},
				{false, true, false, false, 99}, {false, true, false, true, 61}, {false, true, true, true, 109},
				{true, false, false, false, 2165}, {true, false, true, false, 373}, {true, false, true, true, 849},
				{true, true, false, false, 285}, {true, true, true, false, 178}, {true, true, true, true, 1001},
			},
			figures{0.7417386343170007, -0.3576312396990911, 0.27743892387326496, -0.3281238499263812, -0.40012340788591627},
			figures{0.7128087426124892, -0.09057306772515633, 0.7625027289001441, -0.026615072725805364, -0.05177290917585875},
		},
		"race": {
			[]cell{
				{false, false, false, false, 728}, {false, false, false, true, 97}, {false, false, true, true, 100},
				{false, true, false, false, 43}, {false, true, false, true, 39}, {false, true, true, true, 100},
				{true, false, false, false, 3316}, {true, false, true, true, 1353}, {true, true, false, false, 363}, {true, true, true, true, 1188},
			},
			figures{0.7417386343170007, -0.22785242697014324, 0.4422502574756825, -0.19909123441931503, -0.21650689735796114},
			figures{0.7443207946194103, -0.10499786509119113, 0.7429804325591465, -0.03951594484402551, -0.002221183072246946},
		},
	} {
		var before, after stats.Sample
		var groups []string
		for _, k := range c.cells {
			group := "less"
			if k.privileged {
				group = "more"
			}
			rowsOf(&before, &after, &groups, group, k.rows, k.y, k.before, k.after)
		}
		cost, err := Price(before, after, groups, 0.5, 0)
		require.NoError(t, err)
		require.Equal(t, 7327, cost.Rows)
		require.Equal(t, "less", cost.Groups[0].Group)
		for _, side := range []struct {
			want       figures
			all        Outcome
			less, more Outcome
		}{
			{c.before, cost.Before, cost.Groups[0].Before, cost.Groups[1].Before},
			{c.after, cost.After, cost.Groups[0].After, cost.Groups[1].After},
		} {
			less, more := side.less, side.more
			require.InDelta(t, side.want.balanced, side.all.BalancedAccuracy.Value, 1e-9, name)
			require.InDelta(t, side.want.parity, less.SelectionRate.Value-more.SelectionRate.Value, 1e-9, name)
			require.InDelta(t, side.want.impact, less.SelectionRate.Value/more.SelectionRate.Value, 1e-9, name)
			require.InDelta(t, side.want.odds, (less.TPR.Value-more.TPR.Value+less.FPR.Value-more.FPR.Value)/2, 1e-9, name)
			require.InDelta(t, side.want.opportunity, less.TPR.Value-more.TPR.Value, 1e-9, name)
		}
		require.Less(t, cost.Gaps[0].Change.High, 0.0, "reweighing narrows the gap")
	}
}
