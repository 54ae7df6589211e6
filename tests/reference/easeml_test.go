// Package reference_test reproduces numbers that others have published.
package reference_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/gate"
)

// The numbers are those of Renggli, Karlas, Ding, Liu, Schawinski, Wu and Zhang, "Continuous Integration of Machine Learning
// Models with ease.ml/ci", SysML 2019: the table of section 3.5 and the examples of the text.

// paper is a decision as the paper has it: one formula, two answers that can be seen.
func paper(reliability float64, steps int, adaptivity gate.Adaptivity) gate.Plan {
	return gate.Plan{Reliability: reliability, Steps: steps, Adaptivity: adaptivity, Answers: 2}
}

// rowsBy is the sample that a clause of the formula needs by a bound, the largest over its clauses.
func rowsBy(t *testing.T, bound, formula string, plan gate.Plan, opt gate.EstimateOptions) int {
	t.Helper()
	sample := estimate(t, formula, plan, opt)
	rows := 0
	for _, c := range sample.Clauses {
		for _, s := range c.Sizes {
			if s.Bound == bound {
				rows = max(rows, s.Rows)
			}
		}
	}
	require.Positive(t, rows, "%s does not apply to %s", bound, formula)
	return rows
}

func estimate(t *testing.T, formula string, plan gate.Plan, opt gate.EstimateOptions) gate.Sample {
	t.Helper()
	f, err := gate.Parse(formula)
	require.NoError(t, err)
	sample, err := gate.Estimate([]gate.Formula{f}, plan, opt)
	require.NoError(t, err)
	return sample
}

func TestEaseMLTableOfSampleSizes(t *testing.T) {
	const steps = 32
	cells := 0
	for _, row := range []struct {
		reliability, tolerance             float64
		oneNone, oneFull, twoNone, twoFull int
	}{
		{0.99, 0.1, 404, 1340, 1753, 5496},
		{0.99, 0.05, 1615, 5358, 7012, 21984},
		{0.99, 0.025, 6457, 21429, 28045, 87933},
		{0.99, 0.01, 40355, 133930, 175282, 549581},
		{0.999, 0.1, 519, 1455, 2214, 5957},
		{0.999, 0.05, 2075, 5818, 8854, 23826},
		{0.999, 0.025, 8299, 23271, 35414, 95302},
		{0.999, 0.01, 51868, 145443, 221333, 595633},
		{0.9999, 0.1, 634, 1570, 2674, 6417},
		{0.9999, 0.05, 2536, 6279, 10696, 25668},
		{0.9999, 0.025, 10141, 25113, 42782, 102670},
		{0.9999, 0.01, 63381, 156956, 267385, 641684},
		{0.99999, 0.1, 749, 1685, 3135, 6878},
		{0.99999, 0.05, 2996, 6739, 12538, 27510},
		{0.99999, 0.025, 11983, 26955, 50150, 110038},
		{0.99999, 0.01, 74894, 168469, 313437, 687736},
	} {
		one, two := fmt.Sprintf("n > 0.5 +/- %g", row.tolerance), fmt.Sprintf("n - o > 0 +/- %g", row.tolerance)
		for _, cell := range []struct {
			formula    string
			adaptivity gate.Adaptivity
			want       int
		}{
			{one, gate.AdaptivityNone, row.oneNone}, {one, gate.AdaptivityFull, row.oneFull},
			{two, gate.AdaptivityNone, row.twoNone}, {two, gate.AdaptivityFull, row.twoFull},
		} {
			plan := paper(row.reliability, steps, cell.adaptivity)
			require.Equal(t, cell.want, rowsBy(t, gate.BoundHoeffding, cell.formula, plan, gate.EstimateOptions{}), "%s at %g, %s", cell.formula, row.reliability, cell.adaptivity)
			if cell.adaptivity == gate.AdaptivityNone {
				plan.Adaptivity = gate.AdaptivityFirstChange
				require.Equal(t, cell.want, rowsBy(t, gate.BoundHoeffding, cell.formula, plan, gate.EstimateOptions{}), "firstChange asks for as many as none")
			}
			cells++
		}
	}
	require.Equal(t, 64, cells)
}

func TestEaseMLWorkedValues(t *testing.T) {
	const (
		one      = "n > 0.5 +/- 0.01"
		better   = "n - o > 0.02 +/- 0.01"
		conjoint = "n - 1.1*o > 0.01 +/- 0.01 /\\ d < 0.1 +/- 0.01"
	)
	differ := gate.EstimateOptions{Disagreement: 0.1}
	for _, c := range []struct {
		formula, bound string
		steps          int
		adaptivity     gate.Adaptivity
		opt            gate.EstimateOptions
		want           int
	}{
		{one, gate.BoundHoeffding, 1, gate.AdaptivityNone, gate.EstimateOptions{}, 46052},
		{one, gate.BoundHoeffding, 32, gate.AdaptivityNone, gate.EstimateOptions{}, 63381},
		{one, gate.BoundHoeffding, 32, gate.AdaptivityFull, gate.EstimateOptions{}, 156956},
		{better, gate.BoundHoeffding, 1, gate.AdaptivityNone, gate.EstimateOptions{}, 198070},
		{better, gate.BoundHoeffding, 32, gate.AdaptivityNone, gate.EstimateOptions{}, 267385},
		{better, gate.BoundHoeffding, 32, gate.AdaptivityFull, gate.EstimateOptions{}, 641684},
		{better, gate.BoundBennett, 32, gate.AdaptivityNone, differ, 29048},
		{better, gate.BoundBennett, 32, gate.AdaptivityFull, differ, 67706},
		{conjoint, gate.BoundHoeffding, 1, gate.AdaptivityNone, gate.EstimateOptions{}, 233656},
	} {
		require.Equal(t, c.want, rowsBy(t, c.bound, c.formula, paper(0.9999, c.steps, c.adaptivity), c.opt), "%s by %s, %d steps, %s", c.formula, c.bound, c.steps, c.adaptivity)
	}

	active := estimate(t, better, paper(0.9999, 32, gate.AdaptivityNone), differ)
	require.Equal(t, 2189, active.LabelsEach)
	require.Equal(t, 2189, active.Clauses[0].LabelsEach)
	require.True(t, active.Practical)

	whole := estimate(t, conjoint, paper(0.9999, 1, gate.AdaptivityNone), gate.EstimateOptions{})
	require.Equal(t, 233656, whole.Rows)
	require.Equal(t, 233656, whole.Labels)
	require.False(t, whole.Practical)
	require.InDelta(t, 4.06, whole.Days, 0.01, "two labels a second for eight hours are 57,600 a day")
}

// The filter d < A +/- B bounds the disagreement by A + 2B, and is a clause of its own.
func TestEaseMLDisagreementOfAClause(t *testing.T) {
	byClause := rowsBy(t, gate.BoundBennett, "n - o > 0.02 +/- 0.01 /\\ d < 0.08 +/- 0.01", paper(0.9999, 32, gate.AdaptivityNone), gate.EstimateOptions{})
	require.Equal(t, 29048, byClause, "0.08 and twice 0.01 are the 0.1 of the worked value")
}

// At p = 1 the bound of Bennett is worse than that of Hoeffding, which is chosen then.
func TestEaseMLTakesTheSmallestBound(t *testing.T) {
	plan := paper(0.9999, 32, gate.AdaptivityNone)
	always := gate.EstimateOptions{Disagreement: 1}
	require.Greater(t, rowsBy(t, gate.BoundBennett, "n - o > 0 +/- 0.1", plan, always), rowsBy(t, gate.BoundHoeffding, "n - o > 0 +/- 0.1", plan, always))
	require.NotEqual(t, gate.BoundBennett, estimate(t, "n - o > 0 +/- 0.1", plan, always).Clauses[0].Chosen)
}
