package evaluation_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

func formulas(t *testing.T, texts ...string) []gate.Formula {
	t.Helper()
	var all []gate.Formula
	for _, text := range texts {
		f, err := gate.Parse(text, gate.Own{Name: "cost", Least: new(0.0), Most: new(2.0)})
		require.NoError(t, err)
		require.NoError(t, f.For(stats.Binary))
		all = append(all, f)
	}
	return all
}

func TestConditionsAreDecidedOnPredictions(t *testing.T) {
	old := binaryPredictions(t, "adult_test_tree", "sex", "race")
	p, err := binaryPredictions(t, "adult_test_lr", "sex", "race").WithChampion(old.Row, old.Score)
	require.NoError(t, err)
	s := newSource(t, p, evaluation.SourceOptions{Seed: 1})
	conditions := []struct {
		text    string
		verdict gate.Verdict
	}{
		{"n > 0.80 +/- 0.02", gate.Pass},
		{"n - o > 0.05 +/- 0.05", gate.Fail},
		{`n - o > -0.01 +/- 0.02 /\ d < 0.2 +/- 0.02`, gate.Inconclusive},
		{"auc > 0.85 +/- 0.02", gate.Pass},
		{"recall[sex=Female*race=Black] > 0.9", gate.Fail},
		{"recall[sex=Male] - recall[sex=Female] < 0.3", gate.Pass},
		{"demographic_parity_difference[sex] < 0.25 +/- 0.04", gate.Pass},
		{"recall[sex=Femal] > 0.6", gate.Inconclusive},
		{"2 * f1 - mcc > 0.5", gate.Pass},
	}
	for _, c := range conditions {
		d, err := gate.DecideAll(formulas(t, c.text), gate.Plan{Reliability: 0.999}, s)
		require.NoError(t, err, c.text)
		require.Equal(t, c.verdict, d.Verdict, "%s: %+v", c.text, d.Results)
	}
	alone := newSource(t, binaryPredictions(t, "adult_test_lr"), evaluation.SourceOptions{Seed: 1})
	d, err := gate.DecideAll(formulas(t, "n - o > 0.02 +/- 0.01"), gate.Plan{Reliability: 0.999}, alone)
	require.NoError(t, err)
	require.True(t, d.Results[0].Skipped)
	_, err = gate.DecideAll(formulas(t, "recall[country=x] > 0.6"), gate.Plan{Reliability: 0.999}, s)
	require.ErrorContains(t, err, `no column "country" among those stored with the predictions: race, sex`)
}

func TestAPlanAsksForTheLabelsThatDecideIt(t *testing.T) {
	full := rivals(20_000, 8)
	p := withoutLabels(full)
	conditions := formulas(t, `n - o > -0.2 +/- 0.02 /\ d < 0.5 +/- 0.02`, "n > 0.5 +/- 0.05")
	plan := gate.Plan{Reliability: 0.99}
	needs, err := plan.Needs(conditions)
	require.NoError(t, err)
	l, err := evaluation.RowsToLabel(p, needs, 1)
	require.NoError(t, err)
	require.Less(t, len(l.Ask), 5000)
	d, err := gate.DecideAll(conditions, plan, newSource(t, answered(p, full.Y, l), evaluation.SourceOptions{}))
	require.NoError(t, err)
	require.Equal(t, gate.Pass, d.Verdict)
	for _, r := range d.Results {
		require.True(t, r.Powered, "%s: %+v", r.Clause, r.Estimate)
	}
}
