package functional

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// adultFolder is where the UCI Adult data lie beside the checkout; the test is skipped without them.
func adultFolder(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("../../../shared/data/adult")
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(folder, "adult_train.csv")); err != nil {
		t.Skipf("the UCI Adult data are not there: %v", err)
	}
	return folder
}

// The documented way for other clients: the starter writes the example as JSON, and any client of Temporal starts it.
func TestAdultByAnotherClient(t *testing.T) {
	t.Parallel()
	folder := adultFolder(t)
	example, err := os.ReadFile("../../examples/adult.yaml")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "adult.yaml")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(example), "${ADULT_DIR}", folder)), 0o600))
	var spec document
	answers(t, 0, &spec, "validate", path)
	with("rollout.canary", []any{document{"traffic": 25, "hold": "200ms"}})(spec)

	l := start(t, spec)
	dossier := l.underReview()
	l.signal(vote("eva", "ethics", "approve", dossier))
	_, err = l.update(vote("ron", "risk", "approve", dossier))
	require.NoError(t, err)
	r := l.ends()
	require.Equal(t, "deployed", r.Outcome, r.Reason)
	m := manifestOf(t, "adult-income", 1)
	require.Equal(t, "fail", m.Verdict, "people approved a gap between men and women that fails the gate; that stays on the record")
	require.InDelta(t, 0.9050, m.Metrics["auc"], 0.002, "the published area under the curve of a logistic model")

	p := predict(t, "adult-income", "", []document{{
		"age": 39, "workclass": "State-gov", "education": "Bachelors", "education-num": 13, "marital-status": "Never-married",
		"occupation": "Adm-clerical", "relationship": "Not-in-family", "race": "White", "sex": "Male", "capital-gain": 2174, "capital-loss": 0,
		"hours-per-week": 40, "native-country": "United-States",
	}})
	require.Less(t, p.Outputs[0].Data[0], 0.5)
	require.Contains(t, starter(t, "verify", "adult-income").out, "is whole")
}
