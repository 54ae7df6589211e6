package fairness_test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

// sharedTable reads a file of the shared data column by column, or skips the test.
func sharedTable(t *testing.T, name string) map[string][]string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", name))
	require.NoError(t, err)
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("the reference data are not on this machine: %v", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	out := map[string][]string{}
	for k, column := range rows[0] {
		for _, row := range rows[1:] {
			out[column] = append(out[column], row[k])
		}
	}
	return out
}

func sampleOf(t *testing.T, table map[string][]string, y, score string) stats.Sample {
	t.Helper()
	var s stats.Sample
	for i := range table[y] {
		v, err := strconv.ParseFloat(table[score][i], 64)
		require.NoError(t, err)
		s.Y, s.Score = append(s.Y, table[y][i] == "1"), append(s.Score, v)
	}
	return s
}

func requireRate(t *testing.T, m fairness.Member, name string, want float64) {
	t.Helper()
	e, ok := m.Rate(name)
	require.True(t, ok, name)
	require.InDelta(t, want, e.Value, 1e-9, "%s of %s", name, m.Name)
}

func disparity(t *testing.T, m fairness.Member, rate, against string) fairness.Disparity {
	t.Helper()
	for _, d := range m.Disparities {
		if d.Rate == rate && d.Against == against {
			return d
		}
	}
	t.Fatalf("%s has no disparity of %s against %s", m.Name, rate, against)
	return fairness.Disparity{}
}

func TestCOMPASAsPublished(t *testing.T) {
	table := sharedTable(t, "data/compas/compas_for_aequitas.csv")
	e, err := fairness.Examine(sampleOf(t, table, "label_value", "score"), fairness.Question{
		Columns:   []fairness.Column{{Name: "race", Groups: table["race"]}, {Name: "sex", Groups: table["sex"]}},
		Reference: map[string]string{"race": "Caucasian"}, Threshold: 0.5,
	})
	require.NoError(t, err)
	d, ok := e.Division("race")
	require.True(t, ok)
	// The counts of the Aequitas demonstration, and the rates of ProPublica's article.
	for name, c := range map[string]stats.Confusion{
		"African-American": {TN: 990, FP: 805, FN: 532, TP: 1369},
		"Caucasian":        {TN: 1139, FP: 349, FN: 461, TP: 505},
	} {
		m, ok := d.Member(name)
		require.True(t, ok)
		require.Equal(t, c, m.Confusion)
	}
	black, _ := d.Member("African-American")
	white, _ := d.Member("Caucasian")
	requireRate(t, black, stats.FPR, 805./1795)
	requireRate(t, black, stats.FNR, 532./1901)
	for _, published := range []struct {
		m         fairness.Member
		rate      string
		inPercent float64
	}{
		{black, stats.FPR, 44.85}, {black, stats.FNR, 27.99}, {white, stats.FPR, 23.45}, {white, stats.FNR, 47.72},
	} {
		e, _ := published.m.Rate(published.rate)
		require.InDelta(t, published.inPercent, 100*e.Value, 0.005)
		require.Less(t, e.Low, e.Value)
		require.Greater(t, e.High, e.Value)
	}
	fpr := disparity(t, black, stats.FPR, fairness.AgainstReference)
	require.Equal(t, "Caucasian", fpr.Group)
	require.InDelta(t, 805./1795/(349./1488), fpr.Ratio.Value, 1e-9)
	require.InDelta(t, 1.912093, fpr.Ratio.Value, 5e-7, "as Aequitas publishes it")
	require.Greater(t, fpr.Ratio.Low, 1.6)
	require.InDelta(t, 805./1795-349./1488, fpr.Difference.Value, 1e-9)
	require.Greater(t, fpr.Difference.Low, 0.15)
	require.InDelta(t, 532./1901/(461./966), disparity(t, black, stats.FNR, fairness.AgainstReference).Ratio.Value, 1e-9)
	for _, d := range white.Disparities {
		require.NotEqual(t, fairness.AgainstReference, d.Against, "the reference is not compared with itself")
	}

	crossed, ok := e.Division("race & sex")
	require.True(t, ok)
	rows := 0
	for _, m := range crossed.Groups {
		rows += m.N
	}
	require.Equal(t, 7214, rows)
	require.Equal(t, "African-American & Male", crossed.Reference, "sex has no reference of its own: the largest")
	require.Contains(t, crossed.Small, fairness.SmallCount{Name: "Asian & Female", N: 2})
}

type referenceGroup struct {
	N, TP, FP, FN, TN int
	BaseRate          float64 `json:"base_rate"`
	SelectionRate     float64 `json:"selection_rate"`
	TPR, FPR, FNR     float64
	TNR, PPV, NPV     float64
	Accuracy          float64
	MeanScore         float64 `json:"mean_score"`
	AUC               float64 `json:"roc_auc"`
}

func (g referenceGroup) rates() map[string]float64 {
	return map[string]float64{
		stats.BaseRate: g.BaseRate, stats.SelectionRate: g.SelectionRate, fairness.TPR: g.TPR, stats.FPR: g.FPR, stats.FNR: g.FNR,
		fairness.TNR: g.TNR, fairness.PPV: g.PPV, fairness.NPV: g.NPV, stats.Accuracy: g.Accuracy,
		fairness.FDR: 1 - g.PPV, fairness.FOR: 1 - g.NPV,
	}
}

func referenceValues(t *testing.T, into any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "reference", "values.json"))
	if err != nil {
		t.Skipf("the reference values are not on this machine: %v", err)
	}
	require.NoError(t, json.Unmarshal(content, into))
}

func TestFairlearnQuickstartTreeFromItsConfusion(t *testing.T) {
	var values struct {
		Tree struct {
			Accuracy float64
			BySex    map[string]referenceGroup `json:"by_sex"`
		} `json:"adult_fairlearn_quickstart_tree"`
	}
	referenceValues(t, &values)
	var s stats.Sample
	var a fairness.Column
	for _, name := range []string{"Female", "Male"} {
		g := values.Tree.BySex[name]
		group(&s, &a, name, stats.Confusion{TP: g.TP, FP: g.FP, FN: g.FN, TN: g.TN})
	}
	e, err := fairness.Examine(s, fairness.Question{Columns: []fairness.Column{{Name: "sex", Groups: a.Groups}}, Threshold: 0.5})
	require.NoError(t, err)
	d := e.Divisions[0]
	require.InDelta(t, values.Tree.Accuracy, overall(t, d, stats.Accuracy).Value, 1e-9)
	require.InDelta(t, 0.8443552680070431, overall(t, d, stats.Accuracy).Value, 1e-9)
	for name, g := range values.Tree.BySex {
		m, _ := d.Member(name)
		for rate, want := range g.rates() {
			requireRate(t, m, rate, want)
		}
	}
	female, _ := d.Member("Female")
	requireRate(t, female, stats.SelectionRate, 0.06354990118577075)
	require.InDelta(t, 976./236, female.ErrorRatio.Value, 1e-9)
	treatment, ok := d.Gap(fairness.TreatmentEqualityDifference)
	require.True(t, ok)
	require.InDelta(t, 976./236-4667./1723, treatment.Value, 1e-9)
	require.Equal(t, []string{"Female", "Male"}, []string{treatment.Highest, treatment.Lowest})
	require.Greater(t, treatment.Low, 0.0)
}

func overall(t *testing.T, d fairness.Division, name string) stats.Estimate {
	t.Helper()
	for _, r := range d.Overall {
		if r.Name == name {
			return r.Estimate
		}
	}
	t.Fatalf("no overall %s", name)
	return stats.Estimate{}
}

func TestScoreFilesAgreeWithScikitLearn(t *testing.T) {
	var values struct {
		Scores map[string]struct {
			Fairness map[string]json.RawMessage
		}
	}
	referenceValues(t, &values)
	for file, columns := range map[string][]string{"adult_test_lr": {"sex", "race", "age_group"}, "compas_test_lr": {"race", "sex"}} {
		table := sharedTable(t, "reference/scores/"+file+"_scores.csv")
		q := fairness.Question{Threshold: 0.5, MinGroup: 1}
		for _, name := range columns {
			q.Columns = append(q.Columns, fairness.Column{Name: name, Groups: table[name]})
		}
		e, err := fairness.Examine(sampleOf(t, table, "y", "score"), q)
		require.NoError(t, err)
		for _, name := range columns {
			var want struct {
				Groups   map[string]referenceGroup
				DP       *float64 `json:"demographic_parity_difference"`
				DPRatio  *float64 `json:"demographic_parity_ratio"`
				EO       *float64 `json:"equalized_odds_difference"`
				EORatio  *float64 `json:"equalized_odds_ratio"`
				TPR      *float64 `json:"tpr_difference"`
				FPR      *float64 `json:"fpr_difference"`
				Accuracy *float64 `json:"accuracy_difference"`
			}
			raw, ok := values.Scores[file].Fairness[name]
			if !ok {
				continue
			}
			require.NoError(t, json.Unmarshal(raw, &want))
			require.NotEmpty(t, want.Groups)
			d, _ := e.Division(name)
			for name, g := range want.Groups {
				m, ok := d.Member(name)
				require.True(t, ok, name)
				require.Equal(t, stats.Confusion{TP: g.TP, FP: g.FP, FN: g.FN, TN: g.TN}, m.Confusion)
				require.InDelta(t, g.MeanScore, m.Calibration.MeanScore, 1e-9)
				require.InDelta(t, g.MeanScore-g.BaseRate, m.Calibration.Difference.Value, 1e-9)
				require.InDelta(t, g.AUC, m.AUC.Value, 1e-9)
				for rate, w := range g.rates() {
					if estimate, _ := m.Rate(rate); estimate.Defined() {
						requireRate(t, m, rate, w)
					}
				}
			}
			for gap, w := range map[string]*float64{
				fairness.DemographicParityDifference: want.DP, fairness.DemographicParityRatio: want.DPRatio,
				fairness.EqualizedOddsDifference: want.EO, fairness.EqualizedOddsRatio: want.EORatio,
				fairness.EqualOpportunityDifference: want.TPR, fairness.PredictiveEqualityDifference: want.FPR,
				fairness.AccuracyDifference: want.Accuracy,
			} {
				if w == nil {
					continue
				}
				g, ok := d.Gap(gap)
				require.True(t, ok)
				require.InDelta(t, *w, g.Value, 1e-9, "%s of %s in %s", gap, name, file)
				require.LessOrEqual(t, g.Low, g.Value)
				require.GreaterOrEqual(t, g.High, g.Value)
			}
		}
	}
}

func TestAreasOfGroupsHaveDeLongsVariance(t *testing.T) {
	table := sharedTable(t, "reference/scores/compas_test_lr_scores.csv")
	s := sampleOf(t, table, "y", "score")
	e, err := fairness.Examine(s, fairness.Question{Columns: []fairness.Column{{Name: "sex", Groups: table["sex"]}}, Threshold: 0.5})
	require.NoError(t, err)
	level := 0.95
	for _, m := range e.Divisions[0].Groups {
		var rows []int
		for i, g := range table["sex"] {
			if g == m.Name {
				rows = append(rows, i)
			}
		}
		want := stats.AUCLogit(s.Subset(rows), (1-math.Sqrt(level))/2)
		require.InDelta(t, want.Value, m.AUC.Value, 1e-12)
		require.InDelta(t, want.Low, m.AUC.Low, 1e-12)
		require.InDelta(t, want.High, m.AUC.High, 1e-12)
	}
}
