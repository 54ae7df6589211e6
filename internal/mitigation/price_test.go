package mitigation

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

// demonstration reads the scores of AIF360's reweighing demonstration on Adult.
func demonstration(t *testing.T) (y []bool, columns map[string][]float64) {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "reference", "scores", "aif360_adult_reweighing_test.csv")
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("the reference scores are not on this machine: %v", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	columns = map[string][]float64{}
	for k, name := range rows[0] {
		for _, row := range rows[1:] {
			v, err := strconv.ParseFloat(row[k], 64)
			require.NoError(t, err)
			columns[name] = append(columns[name], v)
		}
	}
	for _, v := range columns["y"] {
		y = append(y, v == 1)
	}
	return y, columns
}

func TestPriceOfReweighingIsThatOfTheAIF360Demonstration(t *testing.T) {
	type figures struct{ balanced, parity, impact, odds, opportunity float64 }
	y, columns := demonstration(t)
	for _, c := range []struct {
		column, after   string
		before, results figures
	}{
		{
			"male", "score_reweighed_sex",
			figures{0.7417386343170007, -0.3576312396990911, 0.27743892387326496, -0.3281238499263812, -0.40012340788591627},
			figures{0.7128087426124892, -0.09057306772515633, 0.7625027289001441, -0.026615072725805364, -0.05177290917585875},
		},
		{
			"white", "score_reweighed_race",
			figures{0.7417386343170007, -0.22785242697014324, 0.4422502574756825, -0.19909123441931503, -0.21650689735796114},
			figures{0.7443207946194103, -0.10499786509119113, 0.7429804325591465, -0.03951594484402551, -0.002221183072246946},
		},
	} {
		var groups []string
		for _, v := range columns[c.column] {
			groups = append(groups, strconv.Itoa(int(v)))
		}
		before, after := stats.Sample{Y: y, Score: columns["score_before"]}, stats.Sample{Y: y, Score: columns[c.after]}
		cost, err := Price(before, after, groups, 0.2673737373737374, 0)
		require.NoError(t, err)
		require.Equal(t, 7327, cost.Rows)
		read := func(all Outcome, of func(GroupCost) Outcome) figures {
			less, more := of(cost.Groups[0]), of(cost.Groups[1])
			tpr, fpr := less.TPR.Value-more.TPR.Value, less.FPR.Value-more.FPR.Value
			return figures{
				all.BalancedAccuracy.Value, less.SelectionRate.Value - more.SelectionRate.Value,
				less.SelectionRate.Value / more.SelectionRate.Value, (tpr + fpr) / 2, tpr,
			}
		}
		same := func(want, got figures) {
			require.InDelta(t, want.balanced, got.balanced, 1e-9)
			require.InDelta(t, want.parity, got.parity, 1e-9)
			require.InDelta(t, want.impact, got.impact, 1e-9)
			require.InDelta(t, want.odds, got.odds, 1e-9)
			require.InDelta(t, want.opportunity, got.opportunity, 1e-9)
		}
		same(c.before, read(cost.Before, func(g GroupCost) Outcome { return g.Before }))
		same(c.results, read(cost.After, func(g GroupCost) Outcome { return g.After }))
		require.Equal(t, fairness.DemographicParityDifference, cost.Gaps[0].Name)
		require.InDelta(t, math.Abs(c.before.parity), cost.Gaps[0].Before.Value, 1e-9)
		require.InDelta(t, math.Abs(c.results.parity), cost.Gaps[0].After.Value, 1e-9)
		require.InDelta(t, math.Abs(c.results.opportunity), cost.Gaps[1].After.Value, 1e-9)
		require.Less(t, cost.Gaps[0].After.High, cost.Gaps[0].Before.Low)
		require.InDelta(t, math.Abs(c.results.parity)-math.Abs(c.before.parity), cost.Gaps[0].Change.Value, 1e-9)
		require.Less(t, cost.Gaps[0].Change.High, 0.0)
	}
}

// rowsOf makes rows with a label and predictions before and after.
func rowsOf(before, after *stats.Sample, groups *[]string, group string, n int, y, predicted, then bool) {
	for range n {
		before.Y, after.Y = append(before.Y, y), append(after.Y, y)
		before.Score, after.Score = append(before.Score, float64(label(predicted))), append(after.Score, float64(label(then)))
		*groups = append(*groups, group)
	}
}

func TestPriceWorkedExample(t *testing.T) {
	var before, after stats.Sample
	var groups []string
	rowsOf(&before, &after, &groups, "a", 10, true, true, true)
	rowsOf(&before, &after, &groups, "a", 6, true, true, false) // lost and wrong now
	rowsOf(&before, &after, &groups, "a", 24, false, false, false)
	rowsOf(&before, &after, &groups, "b", 5, true, false, true) // gained and right now
	rowsOf(&before, &after, &groups, "b", 5, true, false, false)
	rowsOf(&before, &after, &groups, "b", 2, false, false, true) // gained and wrong now
	rowsOf(&before, &after, &groups, "b", 28, false, false, false)
	c, err := Price(before, after, groups, 0.5, 0.9)
	require.NoError(t, err)
	require.Equal(t, stats.Confusion{TP: 16, FN: 10, TN: 54}, c.Before.Confusion)
	require.Equal(t, stats.Confusion{TP: 15, FN: 11, FP: 2, TN: 52}, c.After.Confusion)
	require.Equal(t, 7, c.Gained)
	require.Equal(t, 6, c.Lost)
	require.InDelta(t, -3./80, c.Change.Value, 1e-12)
	paired := stats.PairedShare(5, 8, 13, 80, 0.05)
	require.InDelta(t, paired.Low, c.Change.Low, 1e-12)
	require.InDelta(t, paired.High, c.Change.High, 1e-12)
	require.Equal(t, 0.9, c.Change.Level)
	require.Equal(t, stats.McNemar(5, 8), c.McNemar)
	require.InDelta(t, (16./26+1)/2, c.Before.BalancedAccuracy.Value, 1e-12)
	// Recalls: 16 and then 15 of 26 positives, 54 and then 52 of 54 negatives.
	require.InDelta(t, (-1./26-2./54)/2, c.BalancedChange.Value, 1e-12)
	require.InDelta(t, c.After.BalancedAccuracy.Value-c.Before.BalancedAccuracy.Value, c.BalancedChange.Value, 1e-12)
	positive, negative := stats.PairedShare(5, 6, 11, 26, 0.025), stats.PairedShare(0, 2, 2, 54, 0.025)
	require.InDelta(t, (positive.Low+negative.Low)/2, c.BalancedChange.Low, 1e-12)
	require.InDelta(t, (positive.High+negative.High)/2, c.BalancedChange.High, 1e-12)
	require.Equal(t, MethodBalancedPairs, c.BalancedChange.Method)
	require.InDelta(t, -6./40, c.Groups[0].Change.Value, 1e-12)
	require.InDelta(t, 3./40, c.Groups[1].Change.Value, 1e-12)
	for i, want := range [][2]float64{{16. / 40, 10./40 - 7./40}, {1, 10./16 - 5./10}, {1, 10./16 - 5./10}} {
		require.InDelta(t, want[0], c.Gaps[i].Before.Value, 1e-12, c.Gaps[i].Name)
		require.InDelta(t, want[1], c.Gaps[i].After.Value, 1e-12, c.Gaps[i].Name)
		require.Equal(t, 80, c.Gaps[i].After.N)
		require.InDelta(t, want[1]-want[0], c.Gaps[i].Change.Value, 1e-12, c.Gaps[i].Name)
		require.Less(t, c.Gaps[i].Change.High, 0.0, "the gaps shrink by more than chance")
		require.Equal(t, 0.9, c.Gaps[i].Change.Level)
	}
}

func TestPriceAppliesARuleByItsCuts(t *testing.T) {
	s, groups := twoGroups(3000)
	rule, err := Thresholds(s, groups, Options{Column: "g", Constraint: DemographicParity, Threshold: 0.5, MinGroup: 30})
	require.NoError(t, err)
	after := s
	for _, g := range groups {
		after.Cut = append(after.Cut, rule.Cut(g))
	}
	c, err := Price(s, after, groups, 0.5, 0)
	require.NoError(t, err)
	for k, g := range c.Groups {
		require.InDelta(t, rule.Thresholds[k].Selected, g.After.SelectionRate.Value, 1e-12)
	}
	require.Less(t, c.Gaps[0].After.Value, 0.01)
	require.Greater(t, c.Gaps[0].Before.Low, 0.2)
}

func TestPriceOfNothingIsNothing(t *testing.T) {
	s, groups := twoGroups(300)
	c, err := Price(s, s, groups, 0.5, 0)
	require.NoError(t, err)
	require.Equal(t, c.Before, c.After)
	require.Zero(t, c.Change.Value)
	require.Less(t, c.Change.Low, 0.0, "rows not seen may differ")
	require.Equal(t, 1.0, c.McNemar.ExactP)
	require.Zero(t, c.BalancedChange.Value)
	require.Greater(t, c.BalancedChange.High, 0.0)
	require.Contains(t, c.Gaps[0].Change.Undefined, "0 rows are predicted differently")
}

func TestPriceIsWrittenWhateverTheRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		var before, after stats.Sample
		var groups []string
		for range n {
			rowsOf(&before, &after, &groups, rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "g"), 1,
				rapid.Bool().Draw(t, "y"), rapid.Bool().Draw(t, "before"), rapid.Bool().Draw(t, "after"))
		}
		c, err := Price(before, after, groups, 0.5, 0.95)
		require.NoError(t, err)
		_, err = json.Marshal(c)
		require.NoError(t, err)
		rows := 0
		for _, g := range c.Groups {
			rows += g.N
		}
		require.Equal(t, n, rows)
		require.Equal(t, c.After.Confusion.Predicted()-c.Before.Confusion.Predicted(), c.Gained-c.Lost)
		for _, g := range c.Gaps {
			for _, e := range []stats.Estimate{g.Before, g.After, g.Change, c.BalancedChange} {
				require.True(t, !e.Defined() || e.Low <= e.Value && e.Value <= e.High, "%+v", e)
			}
		}
	})
}

// TestPriceChangesOfGapsCover draws rows of two groups whose selection rates go from 0.5 and 0.2 to 0.45 and 0.35, so that the gap shrinks by 0.2.
func TestPriceChangesOfGapsCover(t *testing.T) {
	const sets = 300
	generator := rand.New(rand.NewPCG(3, 9))
	missed := 0
	for range sets {
		var before, after stats.Sample
		var groups []string
		for i := range 400 {
			// Of a, 0.5 are selected, and a tenth of them no longer; of b, 0.2, and 0.15 of all more.
			u, name, was, is := generator.Float64(), "a", false, false
			if i%2 == 0 {
				was, is = u < 0.5, u < 0.45
			} else {
				name, was, is = "b", u < 0.2, u < 0.35
			}
			rowsOf(&before, &after, &groups, name, 1, generator.Float64() < 0.5, was, is)
		}
		c, err := Price(before, after, groups, 0.5, 0)
		require.NoError(t, err)
		if change := c.Gaps[0].Change; change.Low > -0.2 || change.High < -0.2 {
			missed++
		}
	}
	t.Logf("missed %d of %d", missed, sets)
	require.Less(t, missed, sets*9/100)
	require.Greater(t, missed, 0, "not vacuous")
}

func TestPriceNamesGroupsWithoutARate(t *testing.T) {
	var before, after stats.Sample
	var groups []string
	rowsOf(&before, &after, &groups, "a", 5, true, true, true)
	rowsOf(&before, &after, &groups, "b", 5, false, true, false)
	c, err := Price(before, after, groups, 0.5, 0)
	require.NoError(t, err)
	require.Empty(t, c.Gaps[0].LeftOut)
	require.Equal(t, []string{"b"}, c.Gaps[1].LeftOut)
	require.Equal(t, []string{"a", "b"}, c.Gaps[2].LeftOut)
	require.Contains(t, c.Gaps[1].Before.Undefined, "fewer than two groups")
	require.Contains(t, c.Gaps[1].Change.Undefined, "fewer than two groups")
	require.Contains(t, c.Gaps[0].Change.Undefined, "5 rows are predicted differently")
	one, err := Price(stats.Sample{Y: before.Y[:5], Score: before.Score[:5]}, stats.Sample{Y: after.Y[:5], Score: after.Score[:5]}, groups[:5], 0.5, 0)
	require.NoError(t, err)
	require.Contains(t, one.BalancedChange.Undefined, "only one label")
	require.Contains(t, c.Groups[1].After.TPR.Undefined, "no positive rows")
	require.Contains(t, c.Groups[1].After.BalancedAccuracy.Undefined, "only one label")
}

func TestPriceRefuses(t *testing.T) {
	sample := func() (stats.Sample, stats.Sample, []string) {
		return stats.Sample{Y: []bool{true, false}, Score: []float64{1, 0}}, stats.Sample{Y: []bool{true, false}, Score: []float64{1, 0}}, []string{"a", "b"}
	}
	for want, spoil := range map[string]func(before, after *stats.Sample, groups *[]string, threshold, level *float64){
		"found no rows":            func(b, a *stats.Sample, g *[]string, _, _ *float64) { *b, *a, *g = stats.Sample{}, stats.Sample{}, nil },
		"2 rows before, 0 after":   func(_, a *stats.Sample, _ *[]string, _, _ *float64) { *a = stats.Sample{} },
		"2 after and 1 groups":     func(_, _ *stats.Sample, g *[]string, _, _ *float64) { *g = (*g)[:1] },
		"the score is NaN":         func(_, a *stats.Sample, _ *[]string, _, _ *float64) { a.Score[1] = math.NaN() },
		"row 1: the cut is not":    func(_, a *stats.Sample, _ *[]string, _, _ *float64) { a.Cut = []float64{0, math.NaN()} },
		"row 0: the labels before": func(_, a *stats.Sample, _ *[]string, _, _ *float64) { a.Y[0] = false },
		"the threshold is NaN":     func(_, _ *stats.Sample, _ *[]string, t, _ *float64) { *t = math.NaN() },
		"the level is 1":           func(_, _ *stats.Sample, _ *[]string, _, l *float64) { *l = 1 },
	} {
		before, after, groups := sample()
		threshold, level := 0.5, 0.95
		spoil(&before, &after, &groups, &threshold, &level)
		_, err := Price(before, after, groups, threshold, level)
		require.ErrorContains(t, err, want)
	}
	many := make([]string, 2001)
	for i := range many {
		many[i] = strconv.Itoa(i)
	}
	s := stats.Sample{Y: make([]bool, len(many)), Score: make([]float64, len(many))}
	_, err := Price(s, s, many, 0.5, 0)
	require.ErrorContains(t, err, "2001 groups")
}
