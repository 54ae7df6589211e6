package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
)

// encodedDossier is the JSON of a dossier whose test set is for the role ethics, and its digest.
func encodedDossier(t *testing.T, adaptivity string) ([]byte, string) {
	t.Helper()
	b, digest, err := report.Encode(report.Dossier{
		Format: report.Format, Model: "credit", Lifecycle: "lifecycle/credit/first", Purpose: "Suggest to a clerk.",
		Target:  spec.Target{Column: "approved", Positive: "yes"},
		Explain: explain.Report{Features: []explain.Importance{{Feature: "income", AUCDrop: stats.Estimate{Value: 0.7351946, Low: 0.73, High: 0.74, Level: 0.95, Method: stats.MethodDeLong}}}},
		TestSet: &report.TestSetUse{Adaptivity: adaptivity, Step: 1, Of: 2, ShowTo: []string{"ethics"}},
	})
	require.NoError(t, err)
	return b, digest.String()
}

func TestDossierAsMarkdownNamesTheDigestOfItsJSON(t *testing.T) {
	b, digest := encodedDossier(t, spec.AdaptivityNone)
	text, err := markdownOf(b, false)
	require.NoError(t, err)
	require.Contains(t, string(text), "# credit\n")
	require.Contains(t, string(text), "Dossier `"+digest+"`")
	require.Contains(t, string(text), "0.735")
}

func TestSealedDossierAsMarkdownHidesItsFigures(t *testing.T) {
	for _, adaptivity := range []string{spec.AdaptivityNone, spec.AdaptivityFull} {
		b, digest := encodedDossier(t, adaptivity)
		text, err := markdownOf(b, true)
		require.NoError(t, err)
		require.Contains(t, string(text), "## What is sealed")
		require.Contains(t, string(text), "the role ethics")
		require.Contains(t, string(text), digest)
		require.NotContains(t, string(text), "0.73")
		require.Equal(t, adaptivity == spec.AdaptivityNone, strings.Contains(string(text), "The verdict is sealed"))
	}
}

func TestMarkdownOfWhatIsNoDossierIsAnError(t *testing.T) {
	_, err := markdownOf([]byte("{"), true)
	require.ErrorContains(t, err, "read a dossier")
}

func TestUnknownFormatOfADossierIsRefused(t *testing.T) {
	a := &app{output: "text"}
	c := a.dossierCommand()
	c.SetArgs([]string{"credit/first", "--format", "pdf"})
	c.SilenceErrors, c.SilenceUsage = true, true
	require.EqualError(t, c.Execute(), `--format "pdf": expected html, json, md`)
}
