package functional

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMitigationIsAStageAndNarrowsTheGapItIsFor(t *testing.T) {
	t.Parallel()
	const gap = "demographic_parity_difference[sex] < 0.9"
	split := with("data.split", document{"by": "hash", "train": 0.5, "validation": 0.2, "test": 0.3, "seed": 5})
	source := with("data.source", document{"uri": "synthetic://credit?rows=12000&seed=11"})
	plain := start(t, credit("as-it-is", source, split, oneReviewer, with("rollout", nil), with("gates", document{"conditions": []any{gap}})))
	weighed := start(t, credit("weighed", source, split, oneReviewer, with("rollout", nil), with("gates", document{"conditions": []any{gap}}),
		with("mitigation", document{"reweighing": []any{"sex"}})))
	both := start(t, credit("levelled", source, split, oneReviewer, with("rollout", nil), with("gates", document{"conditions": []any{gap}}),
		with("mitigation", document{"thresholds": document{"column": "sex", "constraint": "demographic_parity"}})))
	plain.underReview()
	weighed.underReview()
	levelled := both.underReview()

	stages := func(l lifecycle) (names []string) {
		for _, s := range l.status().Stages {
			names = append(names, s.Stage)
		}
		return names
	}
	require.NotContains(t, stages(plain), "reweigh")
	at := slices.Index(stages(weighed), "reweigh")
	require.Equal(t, []string{"prepare", "reweigh", "train"}, stages(weighed)[at-1:at+2])
	at = slices.Index(stages(both), "threshold")
	require.Equal(t, []string{"train", "threshold", "evaluate"}, stages(both)[at-1:at+2])

	value := func(l lifecycle) float64 { return dossierOf(t, l.id).Gate.Results[0].Estimate.Value }
	before := value(plain)
	require.Less(t, value(weighed), before)
	require.Less(t, value(both), before/2)
	page := starter(t, "dossier", both.id)
	require.Contains(t, page.out, "thresholds", "the dossier names the rule among what it rests on")

	// The champion keeps its own thresholds: the same model without them decides otherwise on some rows.
	both.signal(vote("ron", "risk", "approve", levelled))
	require.Equal(t, "deployed", both.ends().Outcome)
	next := another(t, "without", credit("levelled", source, split, oneReviewer, with("rollout", nil), with("gates", document{"conditions": []any{"d > 0"}})))
	next.underReview()
	require.Greater(t, dossierOf(t, next.id).Gate.Results[0].Estimate.Value, 0.0)
}

func TestAProtectedQuantityWithoutBandsIsRefused(t *testing.T) {
	t.Parallel()
	failure := start(t, credit("unbanded", with("data.protected", []any{"sex", "age"}))).fails()
	require.ErrorContains(t, failure, `data.protected names the column "age"`)
	require.ErrorContains(t, failure, "fairness.bands: [{column: age, from: [25, 45, 65]}]")
}
