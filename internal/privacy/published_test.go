package privacy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/privacy"
)

// k-anonymity of all rows of Adult for three sets of quasi-identifiers, counted with pandas 1.5.3.
func TestKAnonymityOfAdultIsAsCounted(t *testing.T) {
	adult := readAdult(t)
	for _, want := range []struct {
		quasi                                                       []string
		classes, unique, below5, homogeneousClasses, homogeneousRow int
	}{
		{[]string{"age", "sex", "race"}, 575, 59, 365, 222, 3894},
		{[]string{"age", "sex", "race", "marital-status", "education", "native-country"}, 11095, 7152, 13103, 9503, 21246},
		{[]string{"age", "education", "sex", "hours-per-week", "native-country"}, 16078, 10966, 19629, 13922, 23191},
	} {
		var quasi []privacy.Column
		for _, name := range want.quasi {
			quasi = append(quasi, privacy.Column{Name: name, Values: adult[name]})
		}
		r, err := privacy.KAnonymity(quasi, adult["income"])
		require.NoError(t, err)
		require.Equal(t, 48842, r.Rows)
		require.Equal(t, 1, r.KMin)
		require.Equal(t, want.classes, r.Classes)
		require.Equal(t, want.unique, r.UniqueRows)
		require.Equal(t, want.below5, r.RowsInSmallClasses)
		require.Equal(t, want.homogeneousClasses, r.HomogeneousClasses)
		require.Equal(t, want.homogeneousRow, r.RowsInHomogeneous)
		require.InDelta(t, 48842/float64(want.classes), r.MeanClassSize, 1e-9)
	}
}
