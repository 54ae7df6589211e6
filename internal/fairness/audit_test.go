package fairness_test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

// group appends rows of one group given as its confusion matrix.
func group(s *stats.Sample, a *fairness.Attribute, name string, c stats.Confusion) {
	add := func(n int, y bool, score float64) {
		for range n {
			s.Y, s.Score, a.Groups = append(s.Y, y), append(s.Score, score), append(a.Groups, name)
		}
	}
	add(c.TP, true, 0.9)
	add(c.FN, true, 0.1)
	add(c.FP, false, 0.9)
	add(c.TN, false, 0.1)
}

func worked() (stats.Sample, fairness.Attribute) {
	var s stats.Sample
	a := fairness.Attribute{Name: "sex"}
	group(&s, &a, "Male", stats.Confusion{TP: 30, FN: 20, FP: 10, TN: 40}) // selection .40, TPR .6, FPR .2
	group(&s, &a, "Female", stats.Confusion{TP: 8, FN: 12, FP: 4, TN: 76}) // selection .12, TPR .4, FPR .05
	group(&s, &a, "Unknown", stats.Confusion{TP: 5, FN: 5, FP: 2, TN: 8})  // selection .35, TPR .5, FPR .2
	return s, a
}

var options = stats.Options{Threshold: 0.5, Seed: 42}

func gap(t *testing.T, r fairness.Report, name string) fairness.Gap {
	t.Helper()
	for _, g := range r.Attributes[0].Gaps {
		if g.Name == name {
			return g
		}
	}
	t.Fatalf("no gap %s", name)
	return fairness.Gap{}
}

func TestAuditWorkedExample(t *testing.T) {
	s, a := worked()
	r, err := fairness.Audit(s, []fairness.Attribute{a}, options)
	require.NoError(t, err)
	audited := r.Attributes[0]
	require.Len(t, audited.Groups, 3)
	female := audited.Groups[0]
	require.Equal(t, "Female", female.Name)
	require.Equal(t, 100, female.N)
	require.InDelta(t, 0.20, female.BaseRate.Value, 1e-12)
	require.InDelta(t, 0.12, female.SelectionRate.Value, 1e-12)
	require.InDelta(t, 0.40, female.TPR.Value, 1e-12)
	require.InDelta(t, 0.05, female.FPR.Value, 1e-12)
	require.InDelta(t, 0.84, female.Accuracy.Value, 1e-12)
	require.Equal(t, stats.MethodWilson, female.TPR.Method)
	require.Equal(t, 20, female.TPR.N)
	require.False(t, female.Small)
	require.True(t, audited.Groups[2].Small, "20 rows")
	require.Contains(t, audited.Note, "fewer than 30 rows")

	for _, want := range []struct {
		name                  string
		value                 float64
		rate, highest, lowest string
	}{
		{fairness.DemographicParityDifference, 0.28, "selection_rate", "Male", "Female"},
		{fairness.DemographicParityRatio, 0.3, "selection_rate", "Male", "Female"},
		{fairness.EqualizedOddsDifference, 0.2, "tpr", "Male", "Female"},
		{fairness.EqualizedOddsRatio, 0.25, "fpr", "Male", "Female"},
		{fairness.EqualOpportunityDifference, 0.2, "tpr", "Male", "Female"},
	} {
		g := gap(t, r, want.name)
		require.InDelta(t, want.value, g.Value, 1e-12, want.name)
		require.Equal(t, []string{want.rate, want.highest, want.lowest}, []string{g.Rate, g.Highest, g.Lowest}, want.name)
		require.Equal(t, stats.MethodBootstrap, g.Method, want.name)
		require.Less(t, g.Low, g.Value, want.name)
		require.Greater(t, g.High, g.Value, want.name)
		e, ok := r.Metric(want.name, "sex")
		require.True(t, ok)
		require.Equal(t, g.Estimate, e)
	}
	_, ok := r.Metric(fairness.DemographicParityRatio, "race")
	require.False(t, ok)
	_, ok = r.Metric("accuracy", "sex")
	require.False(t, ok)
}

func TestGapIntervalsAreThoseOfResampledRows(t *testing.T) {
	s, a := worked()
	r, err := fairness.Audit(s, []fairness.Attribute{a}, options)
	require.NoError(t, err)
	values := stats.Bootstrap(s.N(), stats.DefaultReplicates, options.Seed, func(index []int) (float64, bool) {
		groups := map[string][]int{}
		for _, i := range index {
			groups[a.Groups[i]] = append(groups[a.Groups[i]], i)
		}
		low, high := 1.0, 0.0
		for _, rows := range groups {
			c := stats.Confuse(s.Subset(rows), options.Threshold)
			rate := float64(c.TP+c.FP) / float64(c.N())
			low, high = min(low, rate), max(high, rate)
		}
		return high - low, len(groups) == 3
	})
	low, high, err := stats.PercentileInterval(values, stats.DefaultLevel)
	require.NoError(t, err)
	g := gap(t, r, fairness.DemographicParityDifference)
	require.InDelta(t, low, g.Low, 1e-12)
	require.InDelta(t, high, g.High, 1e-12)
}

func TestGapCoverage(t *testing.T) {
	// Selection rates of 0.3 and 0.5 in groups of 200, simulated; five standard errors allow for chance, and one per cent
	// for what a percentile bootstrap is known to miss at this size.
	const runs, perGroup = 1000, 200
	rng := rand.New(rand.NewPCG(20240229, 1))
	opt := stats.Options{Threshold: 0.5, Replicates: stats.MinReplicates}
	covered := 0
	for range runs {
		var s stats.Sample
		a := fairness.Attribute{Name: "sex"}
		for name, rate := range []float64{0.3, 0.5} {
			selected := 0
			for range perGroup {
				if rng.Float64() < rate {
					selected++
				}
			}
			group(&s, &a, strconv.Itoa(name), stats.Confusion{TP: selected, FN: perGroup - selected})
		}
		opt.Seed = rng.Uint64()
		r, err := fairness.Audit(s, []fairness.Attribute{a}, opt)
		require.NoError(t, err)
		if e, _ := r.Metric(fairness.DemographicParityDifference, "sex"); e.Low <= 0.2 && 0.2 <= e.High {
			covered++
		}
	}
	require.InDelta(t, 0.95, float64(covered)/runs, 5*math.Sqrt(0.95*0.05/runs)+0.01)
}

func TestGapsThatHaveNoValue(t *testing.T) {
	t.Run("one group", func(t *testing.T) {
		var s stats.Sample
		a := fairness.Attribute{Name: "sex"}
		group(&s, &a, "Male", stats.Confusion{TP: 1, TN: 1})
		r, err := fairness.Audit(s, []fairness.Attribute{a}, options)
		require.NoError(t, err)
		require.Equal(t, "there is only one group", gap(t, r, fairness.DemographicParityDifference).Undefined)
	})
	t.Run("no rows", func(t *testing.T) {
		r, err := fairness.Audit(stats.Sample{}, []fairness.Attribute{{Name: "sex"}}, options)
		require.NoError(t, err)
		require.Empty(t, r.Attributes[0].Groups)
		require.NotEmpty(t, gap(t, r, fairness.DemographicParityDifference).Undefined)
		requireJSON(t, r)
	})
	t.Run("a group without positives is left out of TPR", func(t *testing.T) {
		s, a := worked()
		group(&s, &a, "Other", stats.Confusion{FP: 10, TN: 40})
		r, err := fairness.Audit(s, []fairness.Attribute{a}, options)
		require.NoError(t, err)
		g := gap(t, r, fairness.EqualOpportunityDifference)
		require.InDelta(t, 0.2, g.Value, 1e-12)
		require.Equal(t, []string{"Other"}, g.LeftOut)
		require.Empty(t, gap(t, r, fairness.DemographicParityDifference).LeftOut)
	})
	t.Run("nobody selected", func(t *testing.T) {
		var s stats.Sample
		a := fairness.Attribute{Name: "sex"}
		group(&s, &a, "Female", stats.Confusion{FN: 20, TN: 20})
		group(&s, &a, "Male", stats.Confusion{FN: 20, TN: 20})
		r, err := fairness.Audit(s, []fairness.Attribute{a}, options)
		require.NoError(t, err)
		require.Contains(t, gap(t, r, fairness.DemographicParityRatio).Undefined, "selection_rate is zero in every group")
		g := gap(t, r, fairness.DemographicParityDifference)
		require.Zero(t, g.Value)
		require.Equal(t, stats.MethodNewcombe, g.Method)
		require.Greater(t, g.High, 0.05, "80 rows cannot show that the rates are equal")
	})
	t.Run("tiny groups", func(t *testing.T) {
		var s stats.Sample
		a := fairness.Attribute{Name: "sex"}
		for _, name := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
			group(&s, &a, name, stats.Confusion{TP: 1, FN: 1})
		}
		r, err := fairness.Audit(s, []fairness.Attribute{a}, options)
		require.NoError(t, err)
		require.Contains(t, gap(t, r, fairness.DemographicParityDifference).Undefined, "a group is too small for an interval")
		requireJSON(t, r)
	})
}

func TestIntervalsOfGroupsAtTheEnds(t *testing.T) {
	var s stats.Sample
	a := fairness.Attribute{Name: "sex"}
	group(&s, &a, "Female", stats.Confusion{FN: 5, TN: 5})
	group(&s, &a, "Male", stats.Confusion{TP: 30, FN: 20, FP: 10, TN: 40})
	r, err := fairness.Audit(s, []fairness.Attribute{a}, options)
	require.NoError(t, err)
	female, male := stats.Proportion(0, 10, 0.95, ""), stats.Proportion(40, 100, 0.95, "")
	low, high := stats.Newcombe(male, female)
	difference := gap(t, r, fairness.DemographicParityDifference)
	require.Equal(t, stats.Estimate{Value: 0.4, Low: low, High: high, Level: 0.95, Method: stats.MethodNewcombe, N: 110}, difference.Estimate)
	ratio := gap(t, r, fairness.DemographicParityRatio)
	require.Equal(t, fairness.MethodWilsonLimits, ratio.Method)
	require.Equal(t, []float64{0, 0}, []float64{ratio.Value, ratio.Low})
	require.InDelta(t, female.High/male.Low, ratio.High, 1e-12)
}

func TestRefusals(t *testing.T) {
	s, a := worked()
	_, err := fairness.Audit(s, []fairness.Attribute{{Name: "race", Groups: a.Groups[1:]}}, options)
	require.EqualError(t, err, `audit fairness by "race": 219 group names for 220 rows; expected one per row`)
	s.Score[3] = math.NaN()
	_, err = fairness.Audit(s, []fairness.Attribute{a}, options)
	require.ErrorContains(t, err, "audit fairness: row 3: the score is NaN")

	many := stats.Sample{Y: make([]bool, 20000), Score: make([]float64, 20000)}
	id := fairness.Attribute{Name: "id"}
	for i := range many.Y {
		id.Groups = append(id.Groups, strconv.Itoa(i))
	}
	_, err = fairness.Audit(many, []fairness.Attribute{id}, options)
	require.ErrorContains(t, err, `audit fairness by "id": 20000 groups; expected at most 16383`)
}

func requireJSON(t *testing.T, r fairness.Report) {
	t.Helper()
	_, err := json.Marshal(r)
	require.NoError(t, err)
}

func TestGapsLieInTheirIntervals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "n")
		s := stats.Sample{Y: make([]bool, n), Score: make([]float64, n)}
		a := fairness.Attribute{Name: "g", Groups: make([]string, n)}
		for i := range n {
			s.Y[i] = rapid.Bool().Draw(t, "y")
			s.Score[i] = rapid.Float64Range(0, 1).Draw(t, "score")
			a.Groups[i] = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "group")
		}
		opt := options
		opt.Replicates = stats.MinReplicates
		r, err := fairness.Audit(s, []fairness.Attribute{a}, opt)
		require.NoError(t, err)
		for k, g := range r.Attributes[0].Gaps {
			require.Equal(t, fairness.MetricNames()[k], g.Name)
			if g.Defined() {
				require.True(t, 0 <= g.Low && g.Low <= g.Value && g.Value <= g.High && g.High <= 1+1e-12, "%+v", g)
			}
		}
		_, err = json.Marshal(r)
		require.NoError(t, err)
	})
}

// referenceFile finds a file of the reference values beside the repository, or skips the test.
func referenceFile(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		require.NotEqual(t, dir, filepath.Dir(dir), "no go.mod above the test")
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, "..", "shared", "reference", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the reference values are not on this machine: %v", err)
	}
	return path
}

type reference struct {
	Bootstrap struct {
		B     int    `json:"B"`
		Seed  uint64 `json:"seed"`
		Stats map[string]struct {
			CI [2]float64 `json:"ci95"`
		} `json:"stats"`
	} `json:"bootstrap"`
	Fairness map[string]struct {
		Groups map[string]struct {
			N         int        `json:"n"`
			BaseRate  float64    `json:"base_rate"`
			Selection float64    `json:"selection_rate"`
			TPR       float64    `json:"tpr"`
			FPR       float64    `json:"fpr"`
			Accuracy  float64    `json:"accuracy"`
			TPRCI     [2]float64 `json:"tpr_wilson"`
		} `json:"groups"`
		DPDifference  float64 `json:"demographic_parity_difference"`
		DPRatio       float64 `json:"demographic_parity_ratio"`
		EODifference  float64 `json:"equalized_odds_difference"`
		EORatio       float64 `json:"equalized_odds_ratio"`
		TPRDifference float64 `json:"tpr_difference"`
	} `json:"fairness"`
}

func TestAuditAgreesWithReference(t *testing.T) {
	content, err := os.ReadFile(referenceFile(t, "values.json"))
	require.NoError(t, err)
	var all struct {
		Scores map[string]json.RawMessage `json:"scores"`
	}
	require.NoError(t, json.Unmarshal(content, &all))
	for _, set := range []string{"adult_test_lr", "adult_test_tree", "compas_test_lr"} {
		var want reference
		require.NoError(t, json.Unmarshal(all.Scores[set], &want))
		for attribute := range want.Fairness {
			t.Run(set+"/"+attribute, func(t *testing.T) { agree(t, set, attribute, want) })
		}
	}
}

func agree(t *testing.T, set, attribute string, all reference) {
	const tolerance = 1e-9
	s, groups := readScores(t, set, attribute)
	opt := stats.Options{Threshold: 0.5, Replicates: all.Bootstrap.B, Seed: all.Bootstrap.Seed}
	r, err := fairness.Audit(s, []fairness.Attribute{{Name: attribute, Groups: groups}}, opt)
	require.NoError(t, err)
	want := all.Fairness[attribute]
	require.Len(t, r.Attributes[0].Groups, len(want.Groups))
	for _, g := range r.Attributes[0].Groups {
		w := want.Groups[g.Name]
		require.Equal(t, w.N, g.N)
		require.InDelta(t, w.BaseRate, g.BaseRate.Value, tolerance)
		require.InDelta(t, w.Selection, g.SelectionRate.Value, tolerance)
		require.InDelta(t, w.TPR, g.TPR.Value, tolerance)
		require.InDelta(t, w.FPR, g.FPR.Value, tolerance)
		require.InDelta(t, w.Accuracy, g.Accuracy.Value, tolerance)
		require.InDelta(t, w.TPRCI[0], g.TPR.Low, tolerance)
		require.InDelta(t, w.TPRCI[1], g.TPR.High, tolerance)
	}
	for name, value := range map[string]float64{
		fairness.DemographicParityDifference: want.DPDifference, fairness.DemographicParityRatio: want.DPRatio,
		fairness.EqualizedOddsDifference: want.EODifference, fairness.EqualizedOddsRatio: want.EORatio,
		fairness.EqualOpportunityDifference: want.TPRDifference,
	} {
		e := gap(t, r, name)
		require.InDelta(t, value, e.Value, tolerance, name)
		// Where a group at an end has a rate of 0 or 1, the audit does not trust the bootstrap that the reference shows.
		if ci, ok := all.Bootstrap.Stats[name+"_"+attribute]; ok && e.Method == stats.MethodBootstrap {
			require.InDelta(t, ci.CI[0], e.Low, tolerance, name)
			require.InDelta(t, ci.CI[1], e.High, tolerance, name)
		}
	}
}

func readScores(t *testing.T, set, attribute string) (s stats.Sample, groups []string) {
	t.Helper()
	f, err := os.Open(referenceFile(t, filepath.Join("scores", set+"_scores.csv")))
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	at := map[string]int{}
	for k, name := range rows[0] {
		at[name] = k
	}
	for _, row := range rows[1:] {
		p, err := strconv.ParseFloat(row[at["score"]], 64)
		require.NoError(t, err)
		s.Y, s.Score = append(s.Y, row[at["y"]] == "1"), append(s.Score, p)
		groups = append(groups, row[at[attribute]])
	}
	return s, groups
}
