package functional

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// trainedApart is what the tests read of how the data changed since the serving version was trained.
type trainedApart struct {
	Drift *struct {
		Version int  `json:"version"`
		Same    bool `json:"same"`
		Check   *struct {
			Verdict string  `json:"verdict"`
			Alpha   float64 `json:"alpha"`
			Columns []struct {
				Name    string `json:"name"`
				Drifted bool   `json:"drifted"`
			} `json:"columns"`
		} `json:"check"`
	} `json:"drift"`
}

func TestTheDossierTellsHowTheDataChangedSinceTheLastTraining(t *testing.T) {
	t.Parallel()
	const model = "trained-apart"
	says := func(l lifecycle, words string) trainedApart {
		t.Helper()
		l.underReview()
		page := starter(t, "dossier", l.id)
		require.Zero(t, page.status, page.err)
		require.Contains(t, page.out, words)
		var found trainedApart
		require.NoError(t, json.Unmarshal([]byte(starter(t, "dossier", l.id, "--json").out), &found))
		return found
	}
	first := start(t, credit(model, oneReviewer))
	require.Nil(t, says(first, `<section id="data"`).Drift, "nothing served before")
	first.deploys()

	other := another(t, "t2", credit(model, oneReviewer, with("train.parameters", document{"l2": 50.0})))
	found := says(other, "the candidate was trained on the same")
	require.True(t, found.Drift.Same)
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), other.id, ""))

	changed := another(t, "t3", credit(model, oneReviewer, with("data.source.uri", "synthetic://credit?rows=3000&seed=8&drift=1"), with("gates.conditions", []any{"auc > 0.5"})))
	found = says(changed, "How the data changed since version 1 was trained")
	require.Equal(t, 1, found.Drift.Version)
	require.Equal(t, "drift", found.Drift.Check.Verdict)
	require.Equal(t, 0.01, found.Drift.Check.Alpha)
	drifted := map[string]bool{}
	for _, c := range found.Drift.Check.Columns {
		drifted[c.Name] = c.Drifted
	}
	require.True(t, drifted["income"], drifted)
	require.False(t, drifted["sex"], drifted)
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), changed.id, ""))
}
