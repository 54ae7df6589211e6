package stats_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/stats"
)

func TestPairedShareWorkedExample(t *testing.T) {
	// By hand: no row counts for one model alone in 1,000, so p is 1 - 0.0025^(1/1000), and w the root of 1000 p h(w/p) =
	// ln(1/0.0225).
	e := stats.PairedShare(0, 0, 7, 1000, 0.025)
	p := -math.Expm1(math.Log(0.0025) / 1000)
	u := e.High / p
	require.InDelta(t, -math.Log(0.0225), 1000*p*((1+u)*math.Log1p(u)-u), 1e-9)
	require.Equal(t, stats.Estimate{
		Low: -e.High, High: e.High, Level: 0.95, Method: stats.MethodBennettDisagreement, N: 1000,
	}, e)
	require.InDelta(t, 0.0079, e.High, 5e-5)

	// Where the models nearly always differ, Hoeffding's is the shorter.
	e = stats.PairedShare(500, 480, 990, 1000, 0.025)
	require.InDelta(t, 0.02, e.Value, 1e-15)
	require.InDelta(t, 0.02+math.Sqrt(2*-math.Log(0.0225)/1000), e.High, 1e-12)
}

// The misses of the trinomial distribution are counted over every outcome, so this holds without chance.
func TestPairedShareMissesAtMostItsTailForEveryOutcome(t *testing.T) {
	for _, n := range []int{1, 4, 25, 60} {
		for _, tail := range []float64{0.2, 0.025, 1e-4, 1e-9} {
			ends := map[[2]int]stats.Estimate{}
			for b := range n + 1 {
				for c := range n + 1 - b {
					ends[[2]int{b, c}] = stats.PairedShare(b, c, b+c, n, tail)
				}
			}
			for _, p := range [][2]float64{{0.3, 0.3}, {0.02, 0.01}, {0.6, 0.1}, {0.9, 0.05}, {0.001, 0.2}, {0.5, 0.5}} {
				below, above := 0.0, 0.0
				for counts, e := range ends {
					switch mean := p[0] - p[1]; {
					case mean < e.Low:
						below += trinomial(counts[0], counts[1], n, p)
					case mean > e.High:
						above += trinomial(counts[0], counts[1], n, p)
					}
				}
				require.LessOrEqual(t, below, tail, "n %d, p %v", n, p)
				require.LessOrEqual(t, above, tail, "n %d, p %v", n, p)
			}
		}
	}
}

func trinomial(b, c, n int, p [2]float64) float64 {
	factorial := func(k int) float64 {
		g, _ := math.Lgamma(float64(k + 1))
		return g
	}
	rest := max(1-p[0]-p[1], 0)
	return math.Exp(factorial(n)-factorial(b)-factorial(c)-factorial(n-b-c)) *
		math.Pow(p[0], float64(b)) * math.Pow(p[1], float64(c)) * math.Pow(rest, float64(n-b-c))
}

func TestPairedShareNarrowsWithAgreementAndWidensWithDoubt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1_000_000).Draw(t, "n")
		b := rapid.IntRange(0, n).Draw(t, "new only")
		c := rapid.IntRange(0, n-b).Draw(t, "old only")
		previous := 0.0
		for _, tail := range tails {
			e := stats.PairedShare(b, c, b+c, n, tail)
			require.True(t, -1 <= e.Low && e.Low <= e.Value && e.Value <= e.High && e.High <= 1)
			width := e.High - e.Low
			require.Greater(t, width, 0.0)
			require.GreaterOrEqual(t, width, previous)
			require.LessOrEqual(t, e.High-e.Value, math.Sqrt(2*-math.Log(0.9*tail)/float64(n))+1e-12, "never longer than Hoeffding's")
			swapped := stats.PairedShare(c, b, b+c, n, tail)
			require.InDelta(t, -e.High, swapped.Low, 1e-15)
			previous = width
			if b > 0 {
				fewer := stats.PairedShare(b-1, c, b+c-1, n, tail)
				require.LessOrEqual(t, fewer.High-fewer.Value, max(e.High-e.Value, 1-fewer.Value)+1e-12)
			}
		}
	})
}

func TestPairedShareRefusesCountsThatCannotBe(t *testing.T) {
	require.Equal(t, "no examples", stats.PairedShare(0, 0, 0, 0, 0.1).Undefined)
	for _, c := range [][4]int{{-1, 0, 3, 9}, {0, -1, 3, 9}, {2, 2, 3, 9}, {2, 2, 10, 9}} {
		e := stats.PairedShare(c[0], c[1], c[2], c[3], 0.1)
		require.Contains(t, e.Undefined, "expected parts that add up to no more than the whole", c)
	}
	e := stats.PairedShare(1, 0, 1, 9, 0)
	require.Equal(t, []float64{-1, 1}, []float64{e.Low, e.High})
}

func TestPairedShareRowsIsTheFewest(t *testing.T) {
	for _, tail := range []float64{0.05, 1e-4, 1e-12} {
		n := stats.PairedShareRows(0.1, 0.01, tail)
		half := func(n int) float64 {
			e := stats.PairedShare(n/20, n/20, n/10, n, tail)
			return e.High
		}
		require.LessOrEqual(t, half(n/20*20), 0.01*1.001)
		require.Greater(t, half(n/20*20-400), 0.01)
	}
	require.Less(t, stats.PairedShareRows(0.01, 0.01, 1e-4)*4, stats.PairedShareRows(0.5, 0.01, 1e-4))
	require.Zero(t, stats.PairedShareRows(0.1, 0, 0.1))
	require.Zero(t, stats.PairedShareRows(-0.1, 0.1, 0.1))
	require.Zero(t, stats.PairedShareRows(0.1, 0.1, 0))
}

func TestNewcombePairedPublishedExamples(t *testing.T) {
	// Airway hyper-responsiveness before and after stem cell transplantation: Fagerland, Lydersen and Laake (2014),
	// "Recommended tests and confidence intervals for paired binomial proportions"; and Altman et al. (2000), Statistics with
	// Confidence, table 6.2.
	for _, c := range []struct {
		both, newOnly, oldOnly, neither int
		low, high                       float64
	}{{1, 1, 7, 12, -0.507, -0.026}, {14, 5, 0, 22, 0.011, 0.226}} {
		e := stats.NewcombePaired(c.both, c.newOnly, c.oldOnly, c.neither, 0.025)
		require.InDelta(t, c.low, e.Low, 5e-4)
		require.InDelta(t, c.high, e.High, 5e-4)
	}
}

func TestNewcombePairedIsShorterThanTheGuaranteedOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		both, neither := rapid.IntRange(500, 5000).Draw(t, "both"), rapid.IntRange(100, 5000).Draw(t, "neither")
		b, c := rapid.IntRange(0, 300).Draw(t, "new only"), rapid.IntRange(0, 300).Draw(t, "old only")
		e := stats.NewcombePaired(both, b, c, neither, 1e-3)
		guaranteed := stats.PairedShare(b, c, b+c, both+b+c+neither, 1e-3)
		require.Equal(t, guaranteed.Value, e.Value)
		require.LessOrEqual(t, e.High-e.Low, guaranteed.High-guaranteed.Low)
		swapped := stats.NewcombePaired(both, c, b, neither, 1e-3)
		require.InDelta(t, -e.High, swapped.Low, 1e-12)
	})
	require.Equal(t, "no examples", stats.NewcombePaired(0, 0, 0, 0, 0.1).Undefined)
	require.Contains(t, stats.NewcombePaired(0, -1, 0, 0, 0.1).Undefined, "expected none below 0")
	all := stats.NewcombePaired(10, 0, 0, 0, 0.025)
	require.True(t, all.Low < 0 && all.High > 0, "a width remains where both are always right")
	unsure := stats.NewcombePaired(10, 1, 0, 0, 0)
	require.Equal(t, []float64{-1, 1}, []float64{unsure.Low, unsure.High})
}

func TestMcNemarAgreesWithReference(t *testing.T) {
	content, err := os.ReadFile(referenceFile(t, "values.json"))
	require.NoError(t, err)
	var all struct {
		Scores struct {
			Test struct {
				NewOnly    int     `json:"lr_right_tree_wrong"`
				OldOnly    int     `json:"lr_wrong_tree_right"`
				ChiSquared float64 `json:"chi2_cc"`
				P          float64 `json:"p_cc"`
				ExactP     float64 `json:"p_exact"`
				Difference float64 `json:"accuracy_difference"`
			} `json:"adult_lr_vs_tree_mcnemar"`
		} `json:"scores"`
	}
	require.NoError(t, json.Unmarshal(content, &all))
	want := all.Scores.Test
	logistic, _ := readScores(t, "adult_test_lr")
	tree, _ := readScores(t, "adult_test_tree")
	newOnly, oldOnly, differ := 0, 0, 0
	for i, y := range logistic.Y {
		newRight, oldRight := (logistic.Score[i] >= 0.5) == y, (tree.Score[i] >= 0.5) == y
		switch {
		case newRight && !oldRight:
			newOnly++
		case oldRight && !newRight:
			oldOnly++
		}
		if newRight != oldRight {
			differ++
		}
	}
	got := stats.McNemar(newOnly, oldOnly)
	require.Equal(t, []int{want.NewOnly, want.OldOnly}, []int{got.NewOnly, got.OldOnly})
	require.InDelta(t, want.ChiSquared, got.ChiSquared, tolerance)
	require.InDelta(t, want.P, got.P, tolerance)
	require.InDelta(t, want.ExactP, got.ExactP, tolerance)
	require.InDelta(t, want.Difference, stats.PairedShare(newOnly, oldOnly, differ, logistic.N(), 0.025).Value, tolerance)
}

func TestMcNemarWorkedExamples(t *testing.T) {
	// 2 (1 + 8)/2^8 for 1 against 7, whose chi-squared is 25/8.
	got := stats.McNemar(1, 7)
	require.InDelta(t, 25./8, got.ChiSquared, 1e-12)
	require.InDelta(t, 18./256, got.ExactP, 1e-12)
	require.Equal(t, stats.McNemarTest{NewOnly: 4, OldOnly: 4, P: 1, ExactP: 1}, stats.McNemar(4, 4))
	require.Equal(t, stats.McNemarTest{P: 1, ExactP: 1}, stats.McNemar(0, 0))
	require.InEpsilon(t, math.Pow(2, -199), stats.McNemar(0, 200).ExactP, 1e-9)
	require.Equal(t, 1.0, stats.McNemar(-1, 3).P)
}
