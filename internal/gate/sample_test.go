package gate_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

func estimate(t *testing.T, plan gate.Plan, opt gate.EstimateOptions, conditions ...string) gate.Sample {
	t.Helper()
	s, err := gate.Estimate(parseAll(t, conditions...), plan, opt)
	require.NoError(t, err)
	return s
}

// rowsBy is the size by a bound, or 0 when it does not apply.
func rowsBy(c gate.ClauseSample, bound string) int {
	for _, s := range c.Sizes {
		if s.Bound == bound {
			return s.Rows
		}
	}
	return 0
}

func TestExactSampleOfOneShareIsTheSmallestThatSuffices(t *testing.T) {
	for _, c := range []struct{ reliability, tolerance float64 }{{0.95, 0.1}, {0.999, 0.05}, {0.99999, 0.03}} {
		plan := gate.Plan{Reliability: c.reliability}
		text := "n > 0.5 +/- " + map[float64]string{0.1: "0.1", 0.05: "0.05", 0.03: "0.03"}[c.tolerance]
		got := estimate(t, plan, gate.EstimateOptions{}, text).Clauses[0]
		require.Equal(t, gate.BoundExactBinomial, got.Chosen)
		require.Less(t, got.Rows, rowsBy(got, gate.BoundHoeffding))

		powered := func(rows, right int) bool {
			return decideOne(t, text, plan, gate.Counts{Rows: rows, NewRight: &right}).Powered
		}
		for right := range got.Rows + 1 {
			require.True(t, powered(got.Rows, right), "%d of %d", right, got.Rows)
		}
		require.False(t, powered(got.Rows-2, got.Rows/2-1), "two rows fewer do not suffice for every count")
	}
}

func TestExactSampleAtAnExpectedShare(t *testing.T) {
	plan := gate.Plan{Reliability: 0.999}
	any := estimate(t, plan, gate.EstimateOptions{}, "n > 0.9 +/- 0.02").Clauses[0]
	expected := estimate(t, plan, gate.EstimateOptions{Expected: 0.95}, "n > 0.9 +/- 0.02").Clauses[0]
	require.Less(t, expected.Rows, any.Rows/3)
	require.Contains(t, expected.Why, "at the share of 0.95 that is expected")
	right := int(math.Round(0.95 * float64(expected.Rows)))
	require.InDelta(t, 0.02, halfWidth(decideOne(t, "n > 0.9 +/- 0.02", plan, gate.Counts{Rows: expected.Rows, NewRight: &right}).Estimate), 0.0002)
}

func halfWidth(e stats.Estimate) float64 { return (e.High - e.Low) / 2 }

func TestSampleOfADifferenceWithKnownDisagreement(t *testing.T) {
	plan := gate.Plan{Reliability: 0.999}
	c := estimate(t, plan, gate.EstimateOptions{Disagreement: 0.05}, "n - o > 0 +/- 0.01").Clauses[0]
	require.Less(t, c.Rows, rowsBy(c, gate.BoundHoeffding)/5)
	require.Less(t, c.LabelsEach, c.Labels)

	paired := rowsBy(c, gate.BoundExactPaired)
	alone := paired / 40 // each model alone, together a share of 0.05
	r := decideOne(t, "n - o > 0 +/- 0.01", plan, gate.Counts{Rows: paired, NewOnlyRight: &alone, OldOnlyRight: &alone})
	require.InDelta(t, 0.01, halfWidth(r.Estimate), 0.0001)

	halved := estimate(t, plan, gate.EstimateOptions{Disagreement: 0.05}, "2*n - 2*o > 0 +/- 0.02").Clauses[0]
	require.Equal(t, c.Rows, halved.Rows, "twice the difference at twice the tolerance")
	require.Equal(t, c.LabelsEach, halved.LabelsEach)
}

func TestWhichDisagreementCounts(t *testing.T) {
	plan := gate.Plan{Reliability: 0.999}
	applies := func(opt gate.EstimateOptions, conditions ...string) bool {
		return rowsBy(estimate(t, plan, opt, conditions...).Clauses[0], gate.BoundBennett) > 0
	}
	known := gate.EstimateOptions{Disagreement: 0.1}
	none := gate.EstimateOptions{}
	require.True(t, applies(known, "n - o > 0 +/- 0.01"))
	require.True(t, applies(known, "o - n < 0 +/- 0.01"))
	require.True(t, applies(none, "n - o > 0 +/- 0.01 and d < 0.1 +/- 0.01"))
	require.True(t, applies(none, "n - o > 0 +/- 0.01", "2*d <= 0.1 +/- 0.01"))
	require.True(t, applies(none, "n[s=1] - o[s=1] > 0 +/- 0.01 and d[s=1] < 0.1 +/- 0.01"))
	require.False(t, applies(none, "n - o > 0 +/- 0.01"))
	require.False(t, applies(none, "n - o > 0 +/- 0.01 and d < 0.1"), "how sure the filter is is not known")
	require.False(t, applies(none, "n - o > 0 +/- 0.01 and d > 0.1 +/- 0.01"), "no upper bound")
	require.False(t, applies(none, "n[s=1] - o[s=1] > 0 +/- 0.01 and d < 0.1 +/- 0.01"), "a slice may hold all that differ")
	require.False(t, applies(known, "n[s=1] - o[s=1] > 0 +/- 0.01"))
	require.False(t, applies(known, "n - 1.1*o > 0 +/- 0.01"), "no difference")
	require.False(t, applies(known, "recall - old.recall > 0 +/- 0.01"), "rows of a class may hold all that differ")
	require.False(t, applies(known, "n > 0.5 +/- 0.01"))

	both := estimate(t, plan, known, "n - o > 0 +/- 0.01 and d < 0.02 +/- 0.01").Clauses[0]
	require.Contains(t, both.Why, "at most 0.04 of the rows", "the smaller one")
	both = estimate(t, plan, known, "n - o > 0 +/- 0.01 and d < 0.2 +/- 0.01").Clauses[0]
	require.Contains(t, both.Why, "said to differ on at most 0.1 of the rows")
}

func TestWhatHasNoSampleInAdvance(t *testing.T) {
	plan := gate.Plan{Reliability: 0.999}
	for text, why := range map[string]string{
		"auc > 0.8 +/- 0.02":                          "The sample for auc cannot be told in advance",
		"n + f1 > 0.8 +/- 0.02":                       "The sample for n + f1 cannot be told in advance",
		"log_loss < 0.8 +/- 0.02":                     "The sample for log_loss cannot be told in advance",
		"latency_p99_ms < 30 +/- 2":                   "The sample for latency_p99_ms cannot be told in advance",
		"n > 0.8":                                     "Without a tolerance there is no half width to aim at; add one, as in n > 0.8 +/- 0.02.",
		"n - 5*o > 0 +/- 1e-9":                        "A tolerance of 1e-09 asks for more rows than can be counted",
		"demographic_parity_ratio[sex] > 0.8 +/- 0.1": "cannot be told in advance",
	} {
		s := estimate(t, plan, gate.EstimateOptions{}, text)
		require.Contains(t, s.Clauses[0].Why, why)
		require.Zero(t, s.Rows)
		require.False(t, s.Complete)
		require.Equal(t, "How many rows are needed cannot be told in advance; an evaluation tells.", s.Sentence)
	}
	s := estimate(t, plan, gate.EstimateOptions{}, "k_anonymity > 5")
	require.True(t, s.Complete)
	require.Equal(t, "Everything is counted, so that no sample is needed.", s.Sentence)

	s = estimate(t, plan, gate.EstimateOptions{}, "n > 0.8 +/- 0.02", "auc > 0.5 +/- 0.01")
	require.Positive(t, s.Rows)
	require.False(t, s.Complete)
	require.Contains(t, s.Sentence, "Some conditions need more or less than that, which only an evaluation tells.")
}

func TestRangesOfMeansCount(t *testing.T) {
	plan := gate.Plan{Reliability: 0.999}
	brier := func(task stats.Task) int {
		return estimate(t, plan, gate.EstimateOptions{Task: task}, "brier < 0.2 +/- 0.02").Rows
	}
	require.InDelta(t, 4, float64(brier(stats.Multiclass))/float64(brier(stats.Binary)), 0.01, "twice the range asks for four times the rows")
	require.Equal(t, brier(stats.Multiclass), brier(""), "without a task the range is that of all")

	ten := 10.0
	least := -10.0
	f := parse(t, "cost < 3 +/- 0.4", gate.Own{Name: "cost", Least: &least, Most: &ten})
	s, err := gate.Estimate([]gate.Formula{f}, plan, gate.EstimateOptions{})
	require.NoError(t, err)
	require.Equal(t, brier(stats.Binary), s.Rows, "20 times the range at 20 times the tolerance")
}

func TestLabelsThatAreNeeded(t *testing.T) {
	plan := gate.Plan{Reliability: 0.999}
	for text, want := range map[string]bool{
		"n > 0.5 +/- 0.05": true, "recall > 0.5 +/- 0.05": true, "base_rate < 0.5 +/- 0.05": true,
		"d < 0.1 +/- 0.05": false, "selection_rate < 0.5 +/- 0.05": false, "error_rate < 0.5 +/- 0.05": false,
	} {
		s := estimate(t, plan, gate.EstimateOptions{}, text)
		require.Positive(t, s.Rows)
		require.Equal(t, want, s.Labels > 0, text)
		if !want {
			require.Contains(t, s.Sentence, "none with a label")
			require.True(t, s.Practical)
		}
	}
	s := estimate(t, plan, gate.EstimateOptions{}, "n > 0.5 +/- 0.05 and d < 0.1 +/- 0.01")
	require.Less(t, s.Labels, s.Rows)
	require.Contains(t, s.Sentence, "of them with labels")

	s = estimate(t, plan, gate.EstimateOptions{}, "n > 0.5 +/- 0.001")
	require.False(t, s.Practical)
	require.InDelta(t, float64(s.Labels)/57600, s.Days, 1e-9)
	require.Contains(t, s.Sentence, "more than a day of labelling, which is not practical")
	require.Contains(t, estimate(t, plan, gate.EstimateOptions{}, "recall[sex=Female] > 0.5 +/- 0.05").Clauses[0].Why, "rows that bear on each of its metrics")
}

func TestEstimateRefusals(t *testing.T) {
	for _, opt := range []gate.EstimateOptions{{Disagreement: 1.1}, {Disagreement: -0.1}, {Disagreement: math.NaN()}, {Expected: 1}, {Expected: -0.1}, {Expected: math.NaN()}} {
		_, err := gate.Estimate(parseAll(t, "n > 0.5 +/- 0.1"), plan95, opt)
		require.ErrorContains(t, err, "estimate a sample: ")
	}
}

func TestSampleJSON(t *testing.T) {
	s := estimate(t, gate.Plan{Reliability: 0.999}, gate.EstimateOptions{Disagreement: 0.1}, "n - o > 0 +/- 0.01 and auc > 0.5")
	content, err := json.Marshal(s)
	require.NoError(t, err)
	var back gate.Sample
	require.NoError(t, json.Unmarshal(content, &back))
	require.Equal(t, s, back)
}

func TestBoundsAtExtremeTolerances(t *testing.T) {
	plan := gate.Plan{Reliability: 0.999}
	for _, text := range []string{"n - o > 0 +/- 0.000001", "n - o > 0 +/- 0.9", "n > 0.5 +/- 0.9"} {
		c := estimate(t, plan, gate.EstimateOptions{Disagreement: 1e-6}, text).Clauses[0]
		require.Positive(t, c.Rows, text)
		for _, s := range c.Sizes {
			require.Positive(t, s.Rows, s.Bound)
		}
	}
}
