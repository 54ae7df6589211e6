package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
)

// Whether the model sees a protected column or not, a quantity has to say where its groups begin, and a text has no such places.
func TestProtectedQuantitiesNeedBands(t *testing.T) {
	d, snap := people(t)
	for name, c := range map[string]struct {
		protected string
		exclude   []string
		banded    bool
		says      string
	}{
		"a feature":                {"age", nil, false, `data.protected names the column "age", which has 50 different numbers; say where its groups begin, as in fairness.bands: [{column: age, from: [25, 45, 65]}]`},
		"excluded":                 {"age", []string{"age"}, false, `data.protected names the column "age", which has 50 different numbers`},
		"banded":                   {"age", nil, true, ""},
		"excluded and banded":      {"age", []string{"age"}, true, ""},
		"few numbers":              {"pay", nil, false, ""},
		"few numbers, excluded":    {"pay", []string{"pay"}, false, ""},
		"bands of text":            {"mail", nil, true, `fairness.bands names the column "mail", which holds no numbers`},
		"bands of text, excluded":  {"mail", []string{"mail"}, true, `fairness.bands names the column "mail", which holds no numbers`},
		"many texts":               {"mail", nil, false, ""},
		"many texts, but excluded": {"mail", []string{"mail"}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := peopleSpec()
			s.Data.Split = spec.Split{By: "hash", Train: 1, Seed: 7}
			s.Data.Protected, s.Data.Exclude = []string{c.protected}, c.exclude
			if c.banded {
				s.Fairness.Bands = []spec.Bands{{Column: c.protected, From: []float64{25, 45}}}
			}
			parts, err := table.Prepare(t.Context(), d.Store, snap, nil, s.Data, d.Limits)
			require.NoError(t, err)
			err = d.checkBands(t.Context(), s, parts)
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestReferenceGroupsAreCheckedBeforeTraining(t *testing.T) {
	d, snap := people(t)
	s := peopleSpec()
	s.Data.Split = spec.Split{By: "hash", Train: 1, Seed: 7}
	s.Data.Protected = []string{"mail", "age"}
	s.Fairness.Bands = []spec.Bands{{Column: "age", From: []float64{25, 45}}}
	parts, err := table.Prepare(t.Context(), d.Store, snap, nil, s.Data, d.Limits)
	require.NoError(t, err)
	require.NoError(t, d.checkGroups(t.Context(), s, parts))
	s.Fairness.Reference = []spec.Reference{{Column: "age", Group: "25 to under 45"}}
	require.NoError(t, d.checkGroups(t.Context(), s, parts))
	s.Fairness.Reference[0].Group = "25 to under 46"
	require.ErrorContains(t, d.checkGroups(t.Context(), s, parts), `fairness.reference names the group "25 to under 46" of "age", which is in no row; did you mean "25 to under 45"?`)
}
