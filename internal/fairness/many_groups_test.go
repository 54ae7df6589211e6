package fairness_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/fairness"
)

// Five hundred groups that are alike: everything that is said of people has a figure for each, none is called different, and it
// takes seconds at most.
func TestPeopleOfFiveHundredGroupsAreDescribed(t *testing.T) {
	const rows, count = 20_000, 500
	s, columns := drawn(rows, 9, count)
	groups := columns[0].Groups
	labels := make([]string, rows)
	for i, y := range s.Y {
		labels[i] = fmt.Sprint(y)
	}
	r := rand.New(rand.NewPCG(9, 9))
	gone := fairness.MissingColumn{Name: "income", Missing: make([]bool, rows)}
	for i := range gone.Missing {
		gone.Missing[i] = r.Float64() < 0.1
	}
	population := map[string]float64{}
	for k := range count {
		population[fmt.Sprintf("g%03d", k)] = 1. / count
	}
	written := func(report any, err error) {
		t.Helper()
		require.NoError(t, err)
		_, err = json.Marshal(report)
		require.NoError(t, err)
	}
	began := time.Now()

	who, err := fairness.Representation(groups, population, 0)
	written(who, err)
	require.Len(t, who.Groups, count)
	require.False(t, slices.ContainsFunc(who.Groups, func(g fairness.RepresentationGroup) bool {
		return g.Word == fairness.Under || g.Word == fairness.Over
	}))
	require.Greater(t, who.P, 0.001)

	distribution, err := fairness.LabelDistribution(labels, groups, 0)
	written(distribution, err)
	require.Len(t, distribution.Groups, count)
	require.Greater(t, distribution.P, 0.001)

	missing, err := fairness.Missingness([]fairness.MissingColumn{gone}, groups, 0)
	written(missing, err)
	require.Len(t, missing.Columns[0].Groups, count)
	require.Zero(t, missing.Columns[0].Gap.Low)
	require.Greater(t, missing.Columns[0].Gap.Value, 0.2, "chance alone makes a gap between the extremes")

	inequality, err := fairness.Inequality(s, groups, fairness.InequalityQuestion{Threshold: 0.5, Replicates: 200})
	written(inequality, err)
	require.Len(t, inequality.Groups, count)

	bias, err := fairness.LabelBias(s.Y[:5000], groups[:5000], "", nil)
	written(bias, err)
	require.Len(t, bias.Groups, count)

	// What is too much to compare is refused in words that name a way out.
	wide := slices.Repeat([]fairness.MissingColumn{gone}, 17)
	_, err = fairness.Missingness(wide, groups, 0)
	require.ErrorContains(t, err, "500 groups and 17 columns")
	require.ErrorContains(t, err, "take coarser groups, or fewer columns")
	require.Less(t, time.Since(began), 30*time.Second)
}
