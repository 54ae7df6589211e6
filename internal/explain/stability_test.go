package explain

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRankCorrelationsWorkedExample(t *testing.T) {
	// IQ and hours of television of ten people: Spearman's is -29/165.
	iq := []float64{106, 100, 86, 101, 99, 103, 97, 113, 112, 110}
	hours := []float64{7, 27, 2, 50, 28, 29, 20, 12, 6, 17}
	require.InDelta(t, -29.0/165, spearman(ranked(iq), ranked(hours)), 1e-12)
	// scipy.stats.kendalltau([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]) of its documentation.
	require.InDelta(t, -0.47140452079103173, kendall([]float64{12, 2, 1, 12, 2}, []float64{1, 4, 7, 1, 0}), 1e-12)
	require.Equal(t, []float64{1.5, 3.5, 5, 1.5, 3.5}, ranked([]float64{12, 2, 1, 12, 2}))
	require.True(t, math.IsNaN(spearman([]float64{1.5, 1.5}, []float64{1, 2})))
	require.True(t, math.IsNaN(kendall([]float64{1, 1}, []float64{1, 2})))
}

func TestRankCorrelationsStayInTheirRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "features")
		number := rapid.Float64Range(0, 3)
		a, b := rapid.SliceOfN(number, n, n).Draw(t, "a"), rapid.SliceOfN(number, n, n).Draw(t, "b")
		features := make([]string, n)
		for j := range features {
			features[j] = string(rune('a' + j))
		}
		r, err := StabilityOf(features, [][]float64{a, b}, StabilityOptions{})
		require.NoError(t, err)
		for _, x := range []Agreement{r.Spearman, r.Kendall, r.Overlap} {
			require.GreaterOrEqual(t, x.Mean, -1.0)
			require.LessOrEqual(t, x.Mean, 1.0)
			require.LessOrEqual(t, x.Least, x.Mean)
		}
		same, err := StabilityOf(features, [][]float64{a, a}, StabilityOptions{})
		require.NoError(t, err)
		require.Equal(t, 1.0, same.Overlap.Mean)
		if same.Spearman.N > 0 {
			require.InDelta(t, 1, same.Spearman.Mean, 1e-12)
			require.InDelta(t, 1, same.Kendall.Mean, 1e-12)
			require.Equal(t, Sound, same.Verdict)
		}
		_, err = json.Marshal(r)
		require.NoError(t, err)
	})
}

func TestImportancesOfEnoughWalksAreStable(t *testing.T) {
	f, _ := rows(300)
	r, err := Stability(t.Context(), example(), f, f, ShapleyOptions{MaxRows: 100, Permutations: 40, Seed: 1}, StabilityOptions{Top: 2})
	require.NoError(t, err)
	require.Equal(t, 5, r.Runs)
	require.Equal(t, 10, r.Spearman.N, "all pairs of five")
	require.Equal(t, Sound, r.Verdict)
	require.InDelta(t, 1, r.Spearman.Least, 1e-12)
	require.Equal(t, RankRange{Feature: "strong", Mean: 1, Best: 1, Worst: 1, InTop: 5}, r.Ranks[0])
	require.Equal(t, 3.5, r.Ranks[3].Mean, "two features do nothing")
	again, err := Stability(t.Context(), example(), f, f, ShapleyOptions{MaxRows: 100, Permutations: 40, Seed: 1}, StabilityOptions{Top: 2})
	require.NoError(t, err)
	require.Equal(t, r, again)
}

func TestOrdersByChanceAreNotRead(t *testing.T) {
	features := []string{"a", "b", "c", "d", "e", "f"}
	r, err := StabilityOf(features, [][]float64{{1, 2, 3, 4, 5, 6}, {6, 5, 4, 3, 2, 1}, {1, 6, 2, 5, 3, 4}}, StabilityOptions{Top: 3})
	require.NoError(t, err)
	require.Equal(t, Doubtful, r.Verdict)
	require.Contains(t, r.Reading, "The order of the features changes with the seed")
	require.Equal(t, -1.0, r.Spearman.Least)
	require.Zero(t, r.Overlap.Least)
	// Nearly the same order over many features, another one in the lead.
	r, err = StabilityOf(features, [][]float64{{6, 5, 4, 3, 2, 1}, {5, 6, 4, 3, 2, 1}}, StabilityOptions{Top: 1})
	require.NoError(t, err)
	require.Equal(t, Doubtful, r.Verdict)
	require.Contains(t, r.Reading, "Which features lead changes with the seed")
}

func TestStabilityWithoutRunsHasNoVerdict(t *testing.T) {
	r, err := StabilityOf([]string{"a", "b"}, [][]float64{{1, 2}}, StabilityOptions{})
	require.NoError(t, err)
	require.Equal(t, Doubtful, r.Verdict)
	require.Contains(t, r.Reading, "at least 2 are needed")
	r, err = StabilityOf([]string{"a", "b"}, [][]float64{{0, 0}, {0, 0}}, StabilityOptions{})
	require.NoError(t, err)
	require.Contains(t, r.Reading, "No run tells the features apart")
	_, err = StabilityOf(nil, nil, StabilityOptions{})
	require.NoError(t, err)
	_, err = StabilityOf([]string{"a", "b"}, [][]float64{{1}}, StabilityOptions{})
	require.ErrorContains(t, err, "run 1 has 1 for 2 features")
	_, err = StabilityOf([]string{"a"}, [][]float64{{math.NaN()}}, StabilityOptions{})
	require.ErrorContains(t, err, "no finite number")

	f := applicants(20)
	failing := moody{answering: interacting(), fails: func(person) bool { return true }}
	r, err = Stability(t.Context(), failing, f, f, ShapleyOptions{}, StabilityOptions{})
	require.NoError(t, err)
	require.Equal(t, Doubtful, r.Verdict)
	require.Len(t, r.Notes, 5)
}

func TestStabilityDividesItsBudget(t *testing.T) {
	f := applicants(30)
	b := NewAllowance(interacting(), 5*(30+30*(1+10*3)), 0)
	r, err := Stability(t.Context(), b, f, f, ShapleyOptions{}, StabilityOptions{})
	require.NoError(t, err)
	require.Equal(t, 5, r.Runs)
	require.LessOrEqual(t, b.Used(), 5*960)
	require.Contains(t, r.Notes[0], "Run 1: ")
	_, err = Stability(t.Context(), NewAllowance(interacting(), 100, 0), f, f, ShapleyOptions{}, StabilityOptions{})
	require.ErrorIs(t, err, ErrBudget)
}
