package fairness

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/stats"
)

var (
	unequalSizes  = []int{40, 40, 75, 120, 300, 600, 1500, 4000}
	unequalShares = []float64{0.05, 0.5, 0.1, 0.3, 0.2, 0.05, 0.4, 0.15}
)

func TestAllGroupsIntervalsCoverTogetherAtTheLevel(t *testing.T) {
	const worlds, level = 1500, 0.95
	r := rand.New(rand.NewPCG(1, 1))
	covered := 0
	for range worlds {
		all := true
		for k, x := range draw(r, unequalShares, unequalSizes) {
			e := shareTogether(x, unequalSizes[k], len(unequalSizes), level, "")
			all = all && e.Low <= unequalShares[k] && unequalShares[k] <= e.High
		}
		if all {
			covered++
		}
	}
	require.GreaterOrEqual(t, float64(covered)/worlds, level)
	require.Less(t, float64(covered)/worlds, 0.995, "and are not needlessly wide")
}

// The counts of crossed groups hang together with those of their columns, and the sizes of groups are drawn too.
func TestRatesOfCrossedGroupsCoverTogetherAtTheLevel(t *testing.T) {
	t.Parallel()
	const worlds, rows, level = 1500, 500, 0.95
	r := rand.New(rand.NewPCG(2, 1))
	chance := func(sex, race int) float64 { return 0.08 + 0.15*float64(sex) + 0.07*float64(race) }
	for range 3 {
		r.Uint64()
	}
	covered := 0
	for range worlds {
		var groups [8]stats.Confusion
		for range rows {
			sex := r.IntN(2)
			race := min(r.IntN(4+2*sex), 3)
			g, selected := &groups[4*sex+race], r.Float64() < chance(sex, race)
			positive := selected != (r.Float64() < 0.3)
			switch outcomeOf(positive, selected) {
			case 0:
				g.TN++
			case 1:
				g.FP++
			case 2:
				g.FN++
			default:
				g.TP++
			}
		}
		all := true
		c := countsOf(examined[atTPR].rate, groups[:])
		for k := range groups {
			p := chance(k/4, k%4)
			tpr := 0.7 * p / (0.7*p + 0.3*(1-p))
			e := shareTogether(c.successes[k], c.n[k], c.known, level, "none")
			all = all && (!e.Defined() || e.Low <= tpr && tpr <= e.High)
		}
		if all {
			covered++
		}
	}
	require.GreaterOrEqual(t, float64(covered)/worlds, level)
}

func TestDisparitiesCoverTogetherAtTheLevel(t *testing.T) {
	t.Parallel()
	const worlds, level = 400, 0.95
	r := rand.New(rand.NewPCG(3, 1))
	large := []bool{true, true, true, true, true, true, true, true}
	d := division{groups: make([][]string, len(unequalSizes)), reference: 7}
	place := map[string]int{}
	for k := range d.groups {
		d.groups[k] = []string{string(rune('a' + k))}
		place[d.groups[k][0]] = k
	}
	rows, hits := 0, 0.0
	for k, n := range unequalSizes {
		rows, hits = rows+n, hits+float64(n)*unequalShares[k]
	}
	missed := map[string]int{}
	for range worlds {
		c := counts{successes: draw(r, unequalShares, unequalSizes), n: unequalSizes, known: len(unequalSizes)}
		wrong := map[string]bool{}
		for k, disparities := range d.compare(examined[atSelection], c, large, level) {
			for _, p := range disparities {
				other := hits / float64(rows)
				if p.Group != "" {
					other = unequalShares[place[p.Group]]
				}
				for e, truth := range map[stats.Estimate]float64{p.Difference: unequalShares[k] - other, p.Ratio: unequalShares[k] / other} {
					if truth < e.Low-1e-12 || truth > e.High+1e-12 {
						wrong[p.Against] = true
					}
				}
			}
		}
		for against := range wrong {
			missed[against]++
		}
	}
	for _, against := range []string{AgainstReference, AgainstBest, AgainstOverall} {
		require.LessOrEqual(t, float64(missed[against])/worlds, 1-level, against)
	}
}

func TestTheTrueGapLiesWithinExactLimits(t *testing.T) {
	t.Parallel()
	const worlds, tail = 500, 0.025
	r := rand.New(rand.NewPCG(4, 1))
	var over, under int
	for range worlds {
		_, low, high, _, _, _ := GapOfShares(draw(r, unequalShares, unequalSizes), unequalSizes, false, tail)
		if low > 0.45 {
			over++
		}
		if high < 0.45 {
			under++
		}
	}
	require.LessOrEqual(t, float64(over)/worlds, tail)
	require.LessOrEqual(t, float64(under)/worlds, tail)
}

func TestLimitsOfLargeGroupsAreSquareAndAdd(t *testing.T) {
	_, low, high := differenceOf(sideOf(40000, 100000, 0.025), sideOf(30000, 100000, 0.025))
	se := math.Sqrt(0.24/1e5 + 0.21/1e5)
	require.InEpsilon(t, 0.1-1.96*se, low, 0.001)
	require.InEpsilon(t, 0.1+1.96*se, high, 0.001)
	_, low, high = ratioOf(sideOf(40000, 100000, 0.025), sideOf(30000, 100000, 0.025))
	half := 1.96 * math.Sqrt(0.6/4e4+0.7/3e4)
	require.InEpsilon(t, 4./3*math.Exp(-half), low, 0.001)
	require.InEpsilon(t, 4./3*math.Exp(half), high, 0.001)
}

func TestConditionalDisparityCoversAndTellsAlikeGroupsApartSeldom(t *testing.T) {
	t.Parallel()
	const worlds, level = 1000, 0.95
	r := rand.New(rand.NewPCG(5, 1))
	d := division{groups: [][]string{{"a"}, {"b"}, {"c"}}, of: []int32{0, 1, 2}}
	large := []bool{true, true, true}
	apart, missed := 0, 0
	for range worlds {
		// Groups are chosen alike within the strata, though not over all: strata select 20 and 60 per cent.
		s := stratified{selected: make([]int, 2), refused: make([]int, 2)}
		for stratum, share := range []float64{0.2, 0.6} {
			for cell := range 3 {
				n := []int{60, 200, 300}[(cell+stratum)%3]
				x := draw(r, []float64{share}, []int{n})[0]
				s.parts = append(s.parts, stratumPart{int32(stratum), int32(cell), x, n - x})
				s.selected[stratum] += x
				s.refused[stratum] += n - x
			}
		}
		members := make([]Member, 3)
		g := d.conditional(members, &s, large, level, &StrataUse{})
		if g.Low > 0 {
			apart++
		}
		for _, m := range members {
			if m.Conditional.Low > 0 || m.Conditional.High < 0 {
				missed++
				break
			}
		}
	}
	require.LessOrEqual(t, float64(apart)/worlds, (1-level)/2)
	require.LessOrEqual(t, float64(missed)/worlds, 1-level)
}
