package explain

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLocalShowsOnlyTheValuesThatMayBeShown(t *testing.T) {
	f := applicants(60)
	half := 0.5
	r, err := ExplainRows(t.Context(), interacting(), f, f, []int{10, 3}, ShapleyOptions{Permutations: 40},
		LocalOptions{ShowValues: map[string]bool{"sex": true, "spare": true}, Threshold: &half})
	require.NoError(t, err)
	require.Equal(t, 10, r.Rows[0].Row)
	require.Equal(t, 3, r.Rows[1].Row)
	for _, e := range r.Rows {
		sum := r.Base + e.Others + e.Residual
		require.Len(t, e.Parts, 4)
		last := math.Inf(1)
		for _, p := range e.Parts {
			sum += p.Value.Value
			require.LessOrEqual(t, math.Abs(p.Value.Value), last)
			last = math.Abs(p.Value.Value)
			require.Equal(t, MonteCarlo, p.Value.Method)
			require.Equal(t, 20, p.Value.N)
			switch {
			case p.Feature == "sex":
				text, _ := f.Columns[3].Text(e.Row)
				require.Equal(t, text, *p.Text)
			case p.Feature == "spare" && e.Row == 10:
				require.True(t, p.Missing)
				require.Nil(t, p.Text)
			case p.Feature != "spare":
				require.Nil(t, p.Text)
				require.False(t, p.Missing)
			}
		}
		require.InDelta(t, e.Score, sum, 1e-9)
		require.Equal(t, e.Score >= 0.5, *e.AtLeast)
	}
	b, err := json.Marshal(r)
	require.NoError(t, err)
	income, _ := f.Columns[1].Text(10)
	require.NotContains(t, string(b), income)
}

func TestLocalSumsUpTheFeaturesNotListed(t *testing.T) {
	m, f := drawnLogistic(rand.New(rand.NewPCG(1, 2)), 30, 50)
	v, err := Linear(m, f, f)
	require.NoError(t, err)
	r, err := v.Local(f, LocalOptions{Features: 4})
	require.NoError(t, err)
	for _, e := range r.Rows {
		require.Len(t, e.Parts, 4)
		require.Equal(t, 26, e.NotListed)
		sum := r.Base + e.Others
		for _, p := range e.Parts {
			sum += p.Value.Value
			require.Equal(t, p.Value.Low, p.Value.High, "it is exact")
		}
		require.InDelta(t, e.Score, sum, 1e-9)
		require.Nil(t, e.AtLeast)
	}
}

func TestLocalRefuses(t *testing.T) {
	m, f := drawnLogistic(rand.New(rand.NewPCG(1, 2)), 3, 5)
	v, err := Linear(m, f, f)
	require.NoError(t, err)
	nan := math.NaN()
	_, err = v.Local(f, LocalOptions{Threshold: &nan})
	require.ErrorContains(t, err, "the threshold is no finite number")
	_, err = v.Local(takeRows(f, []int{0}), LocalOptions{})
	require.ErrorContains(t, err, "row 1 is explained and the table has 1 rows")
	f.Columns[0].Name = "other"
	_, err = v.Local(f, LocalOptions{ShowValues: map[string]bool{"x000": true}})
	require.ErrorContains(t, err, `show the values of "x000"`)
}

func TestBorderlineRowsAreTheNearest(t *testing.T) {
	scores := []float64{0.9, 0.46, math.NaN(), 0.55, 0.5, 0.1, math.Inf(1)}
	require.Equal(t, []int{4, 1, 3}, Borderline(scores, 0.5, 3))
	require.Equal(t, []int{4, 1, 3, 0, 5, 6}, Borderline(scores, 0.5, 100))
	require.Equal(t, []int{1, 3}, Borderline([]float64{0, 0.25, 1, 0.75}, 0.5, 2), "the first of equally near ones")
	require.Empty(t, Borderline(scores, 0.5, -1))
	require.Empty(t, Borderline(nil, 0.5, 3))
	require.Empty(t, Borderline(scores, math.NaN(), 3))
}
