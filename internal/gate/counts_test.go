package gate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

func count(n int) *int { return &n }

func TestDecidingOnCounts(t *testing.T) {
	full := gate.Counts{Rows: 10000, NewRight: count(9200), OldRight: count(9000), Differ: count(420), NewOnlyRight: count(300), OldOnlyRight: count(100)}
	d, err := gate.DecideAll(parseAll(t, "n > 0.9 +/- 0.02", "o < 0.95", "n - o > 0.005 +/- 0.02", "d < 0.1 +/- 0.02", "n - o > 0.02 +/- 0.001"), gate.Plan{Reliability: 0.999}, full)
	require.NoError(t, err)
	for i, want := range []struct {
		verdict gate.Verdict
		value   float64
		method  string
		powered bool
	}{
		{gate.Pass, 0.92, stats.MethodClopperPearson, true},
		{gate.Pass, 0.9, stats.MethodClopperPearson, false},
		{gate.Pass, 0.02, stats.MethodBennettDisagreement, true},
		{gate.Pass, 0.042, stats.MethodClopperPearson, true},
		{gate.Inconclusive, 0.02, stats.MethodBennettDisagreement, false},
	} {
		r := d.Results[i]
		require.Equal(t, want.verdict, r.Verdict, r.Reason)
		require.InDelta(t, want.value, r.Estimate.Value, 1e-12)
		require.Equal(t, want.method, r.Estimate.Method)
		require.Equal(t, want.powered, r.Powered, r.Condition)
		require.True(t, r.Units[0].Measurement.Guaranteed)
	}
	needed := d.Results[4].RowsNeeded
	require.Greater(t, needed, 100_000)
	more := gate.Counts{Rows: needed, NewOnlyRight: count(needed * 3 / 100), OldOnlyRight: count(needed / 100)}
	r := decideOne(t, "n - o > 0.02 +/- 0.001", gate.Plan{Reliability: 0.9998}, more)
	require.InDelta(t, 0.001, halfWidth(r.Estimate), 0.00002, "as many rows as were said to be needed")
}

func TestCountsThatAreMissing(t *testing.T) {
	alone := gate.Counts{Rows: 100, NewRight: count(90)}
	d, err := gate.DecideAll(parseAll(t, "n > 0.5", "n - o > 0.1", "d < 0.1"), plan95, alone)
	require.NoError(t, err)
	require.Equal(t, []bool{false, true, true}, []bool{d.Results[0].Skipped, d.Results[1].Skipped, d.Results[2].Skipped}, "nothing is known of an old model")

	for text, message := range map[string]string{
		"n > 0.5":     "the count new_right is missing",
		"d < 0.5":     "the count differ is missing",
		"n - o > 0":   "n - o needs the counts new_only_right and old_only_right, or new_right, old_right and differ",
		"auc > 0.5":   "auc cannot be told from counts; expected a condition on n, o, d or n - o",
		"n[a=1] > .5": "n[a=1] cannot be told from counts",
	} {
		_, err := gate.DecideAll(parseAll(t, text), plan95, gate.Counts{Rows: 100, OldRight: count(90)})
		require.ErrorContains(t, err, message)
	}
}

func TestADifferenceFromMargins(t *testing.T) {
	plan := gate.Plan{Reliability: 0.99}
	two := decideOne(t, "n - o > 0", plan, gate.Counts{Rows: 1000, NewRight: count(900), OldRight: count(880), Differ: count(60)})
	parts := decideOne(t, "n - o > 0", plan, gate.Counts{Rows: 1000, NewOnlyRight: count(40), OldOnlyRight: count(20)})
	require.Equal(t, parts.Estimate, two.Estimate, "with two classes one of them is right wherever they differ")

	odd := decideOne(t, "n - o > 0", plan, gate.Counts{Rows: 1000, NewRight: count(900), OldRight: count(880), Differ: count(61)})
	require.Equal(t, parts.Estimate, odd.Estimate, "on one of 61 rows both are wrong, at least")
	less := decideOne(t, "n - o < 0", plan, gate.Counts{Rows: 1000, NewRight: count(880), OldRight: count(900), Differ: count(61)})
	require.InDelta(t, -parts.Estimate.High, less.Estimate.Low, 1e-15)
}

func TestCountsThatContradictOneAnother(t *testing.T) {
	for _, c := range []struct {
		counts  gate.Counts
		message string
	}{
		{gate.Counts{}, "0 rows; expected at least 1"},
		{gate.Counts{Rows: -5}, "-5 rows; expected at least 1"},
		{gate.Counts{Rows: 10, NewRight: count(11)}, "new_right is 11; expected 0 to 10, the number of rows"},
		{gate.Counts{Rows: 10, Differ: count(-1)}, "differ is -1; expected 0 to 10"},
		{gate.Counts{Rows: 10, NewOnlyRight: count(6), OldOnlyRight: count(5)}, "new_only_right is 6 and old_only_right 5; expected at most 10 together"},
		{gate.Counts{Rows: 10, Differ: count(4), NewOnlyRight: count(3), OldOnlyRight: count(2)}, "the models differ on 4 rows, and one of them alone is right on 5"},
		{gate.Counts{Rows: 10, NewRight: count(8), OldRight: count(7), NewOnlyRight: count(3), OldOnlyRight: count(3)}, "new_right less old_right is 1, new_only_right less old_only_right 0; expected the same number"},
		{gate.Counts{Rows: 10, NewRight: count(2), NewOnlyRight: count(3)}, "new_only_right is 3 and new_right 2; expected no more alone than in all"},
		{gate.Counts{Rows: 10, OldRight: count(2), OldOnlyRight: count(3)}, "old_only_right is 3 and old_right 2"},
		{gate.Counts{Rows: 10, NewRight: count(8), OldRight: count(5), Differ: count(2)}, "they differ on 2 rows; expected at least 3"},
		{gate.Counts{Rows: 10, NewRight: count(9), OldRight: count(9), Differ: count(3)}, "they differ on 3 rows, and are wrong 2 times together"},
	} {
		require.ErrorContains(t, c.counts.Validate(), c.message)
		_, err := gate.DecideAll(parseAll(t, "n > 0.5"), plan95, c.counts)
		require.ErrorContains(t, err, "counts: ")
	}
}
