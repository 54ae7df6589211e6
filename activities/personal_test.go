package activities

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
)

// people is a table that a careless hand has made: e-mail addresses, text with markup, and a number of its own for every row.
func people(t *testing.T) (*Data, table.Snapshot) {
	t.Helper()
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	var b strings.Builder
	b.WriteString("code,mail,remark,age,pay,y\n")
	for i := range 300 {
		fmt.Fprintf(&b, "row-%d,person%d@secret.example,<b>called on day %d and asked for more time</b>,%d,%d,%s\n", i, i, i, 20+i%50, 1000+i%9, []string{"yes", "no"}[i%2])
	}
	path := filepath.Join(t.TempDir(), "people.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	local, err := table.Fetch(t.Context(), spec.Source{URI: path}, t.TempDir())
	require.NoError(t, err)
	snap, err := table.Ingest(t.Context(), store, local, spec.Source{URI: path}, table.Limits{}, nil)
	require.NoError(t, err)
	return &Data{Store: store}, snap
}

func peopleSpec() *spec.Spec {
	s := &spec.Spec{}
	s.Data.Target = spec.Target{Column: "y", Positive: "yes"}
	s.Data.Split.Seed = 7
	return s
}

func TestPersonalDataIsReviewedRefusedOrNotLookedFor(t *testing.T) {
	d, snap := people(t)
	s := peopleSpec()
	found, err := d.personal(t.Context(), s, snap)
	require.NoError(t, err)
	kinds := map[string]privacy.PersonalKind{}
	for _, f := range found.Findings {
		kinds[f.Column] = f.Kind
	}
	require.Equal(t, map[string]privacy.PersonalKind{"mail": privacy.Email, "remark": privacy.FreeText, "code": privacy.Identifier}, kinds)
	stored, err := json.Marshal(found)
	require.NoError(t, err)
	for _, value := range []string{"secret.example", "called on", "row-1"} {
		require.NotContains(t, string(stored), value, "a value of a row")
	}
	summary, verdict := personalSummary(s, found)
	require.Equal(t, gate.Pass, verdict)
	require.Equal(t, `personal data in "mail" (e-mail addresses, certain)`, summary)

	s.Privacy.PersonalData = spec.PersonalRefuse
	summary, verdict = personalSummary(s, found)
	require.Equal(t, gate.Fail, verdict)
	for _, says := range []string{`"mail"`, "e-mail addresses", "data.exclude", "privacy.allow"} {
		require.Contains(t, summary, says)
	}

	passes := func(change func(*spec.Spec)) {
		t.Helper()
		s := peopleSpec()
		s.Privacy.PersonalData = spec.PersonalRefuse
		change(s)
		found, err := d.personal(t.Context(), s, snap)
		require.NoError(t, err)
		_, verdict := personalSummary(s, found)
		require.Equal(t, gate.Pass, verdict)
		require.Zero(t, found.Metrics[0].Value)
		require.Contains(t, fmt.Sprint(found.Findings), "mail", "what does not count is shown all the same")
	}
	passes(func(s *spec.Spec) { s.Data.Exclude = []string{"mail"} })
	passes(func(s *spec.Spec) { s.Privacy.Allow = []string{"mail"} })
	passes(func(s *spec.Spec) { s.Data.Transform = "select code, age, pay, y from data where age > 21" })
	passes(func(s *spec.Spec) {
		s.Data.Transform, s.Privacy.Allow = "select age, pay, y from data", []string{"mail", "remark"} // columns left behind can be declared fine too
	})

	s.Privacy = spec.Privacy{PersonalData: spec.PersonalOff}
	found, err = d.personal(t.Context(), s, snap)
	require.NoError(t, err)
	require.Nil(t, found)
}

func TestColumnsDeclaredFineExist(t *testing.T) {
	d, snap := people(t)
	s := peopleSpec()
	s.Privacy.Allow = []string{"mial"}
	_, err := d.personal(t.Context(), s, snap)
	require.ErrorContains(t, err, `privacy.allow names the column "mial"; the table has ["code" "mail" "remark" "age" "pay" "y"]; did you mean "mail"?`)
}

func TestWideTablesAreSearchedInFewerRows(t *testing.T) {
	require.Equal(t, []int{200_000, 200_000, 20_000, 1000}, []int{scannedRows(0), scannedRows(100), scannedRows(1000), scannedRows(1_000_000)})
}

func TestIdentifiabilityByBandsAndByExactNumbers(t *testing.T) {
	d, snap := people(t)
	s := peopleSpec()
	s.Privacy.QuasiIdentifiers, s.Privacy.Sensitive = []string{"age"}, []string{"pay"}
	s.Fairness.Bands = []spec.Bands{{Column: "age", From: []float64{45}}}
	a := &Audit{Store: d.Store}
	found, err := a.identifiability(t.Context(), s, snap.Data)
	require.NoError(t, err)
	require.Equal(t, 150, found.KMin)
	require.Equal(t, &privacy.ExactClasses{Columns: []string{"age"}, KMin: 6}, found.Exact)
	require.Equal(t, []string{"y", "pay"}, []string{found.Diversity[0].Sensitive, found.Diversity[1].Sensitive})
	require.Equal(t, []string{privacy.EqualDistance, privacy.OrderedDistance}, []string{found.Diversity[0].Distance, found.Diversity[1].Distance})
	l, ok := found.Metric(privacy.MetricLDiversity)
	require.True(t, ok)
	require.Equal(t, 2.0, l.Value, "that of the worse of both columns")

	s.Privacy.QuasiIdentifiers = []string{"code"} // every row alone
	found, err = a.identifiability(t.Context(), s, snap.Data)
	require.NoError(t, err)
	require.Equal(t, []any{1, 300, 300, 1.0}, []any{found.KMin, found.UniqueRows, found.Riskiest[0].UniqueRows, found.Riskiest[0].UniqueShare})
	require.Nil(t, found.Exact)

	s.Privacy.QuasiIdentifiers = nil // and no protected columns
	found, err = a.identifiability(t.Context(), s, snap.Data)
	require.NoError(t, err)
	require.NotEmpty(t, found.Note)
	require.Empty(t, found.Diversity)
	l, ok = found.Metric(privacy.MetricLDiversity)
	require.True(t, ok)
	require.False(t, l.Defined())
}
