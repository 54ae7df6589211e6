package fairness_test

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

func question(a fairness.Column) fairness.Question {
	return fairness.Question{Columns: []fairness.Column{{Name: a.Name, Groups: a.Groups}}, Threshold: 0.5}
}

func examine(t *testing.T, s stats.Sample, q fairness.Question) fairness.Division {
	t.Helper()
	e, err := fairness.Examine(s, q)
	require.NoError(t, err)
	_, err = json.Marshal(e)
	require.NoError(t, err, "no infinite number is reported")
	return e.Divisions[0]
}

func gapOf(t *testing.T, d fairness.Division, name string) fairness.Gap {
	t.Helper()
	g, ok := d.Gap(name)
	require.True(t, ok, name)
	return g
}

func TestExamineWorkedExample(t *testing.T) {
	s, a := worked()
	d := examine(t, s, question(a))
	require.Equal(t, "sex", d.Name)
	require.Equal(t, "Female", d.Reference, "the first by name of the two largest")
	require.Equal(t, []fairness.SmallCount{{Name: "Unknown", N: 20}}, d.Small)
	require.NotEmpty(t, d.Note)
	require.Len(t, d.Groups, 3, "the small group is reported")
	require.True(t, d.Groups[2].Small)
	require.Less(t, d.Groups[2].Rates[0].Low, 0.35)

	names := make([]string, 0, len(d.Gaps))
	for _, g := range d.Gaps {
		names = append(names, g.Name)
	}
	require.Equal(t, fairness.ExaminedGapNames(), names)
	for name, want := range map[string]float64{
		fairness.DemographicParityDifference:  0.28,
		fairness.DemographicParityRatio:       0.3,
		fairness.EqualOpportunityDifference:   0.2,
		fairness.EqualOpportunityRatio:        0.4 / 0.6,
		fairness.EqualizedOddsDifference:      0.2,
		fairness.EqualizedOddsRatio:           0.25,
		fairness.PredictiveParityDifference:   30./40 - 8./12,
		fairness.PredictiveEqualityDifference: 0.15,
		fairness.PredictiveEqualityRatio:      0.25,
		fairness.AccuracyDifference:           0.14,
		fairness.TreatmentEqualityDifference:  12./4 - 20./10,
	} {
		g := gapOf(t, d, name)
		require.InDelta(t, want, g.Value, 1e-12, name)
		require.Less(t, g.Low, g.Value, name)
		require.Greater(t, g.High, g.Value, name)
		require.NotContains(t, []string{g.Highest, g.Lowest}, "Unknown", "small groups make no gap")
	}
	male, _ := d.Member("Male")
	require.InDelta(t, 0.4/0.12, disparity(t, male, stats.SelectionRate, fairness.AgainstReference).Ratio.Value, 1e-12)
	toAll := disparity(t, male, stats.SelectionRate, fairness.AgainstOverall)
	require.InDelta(t, 0.4-59./220, toAll.Difference.Value, 1e-12)
	require.InDelta(t, 0.4/(59./220), toAll.Ratio.Value, 1e-12)
	require.Equal(t, "Female", disparity(t, male, stats.FPR, fairness.AgainstBest).Group, "fewer false positives are better")
	female, _ := d.Member("Female")
	require.Equal(t, "Male", disparity(t, female, fairness.TPR, fairness.AgainstBest).Group)

	q := question(a)
	q.MinGroup = 10
	require.Empty(t, examine(t, s, q).Small)
	q.Reference = map[string]string{"sex": "Unknown"}
	require.Equal(t, "Unknown", examine(t, s, q).Reference)
}

func TestAGroupWithoutPositivesIsLeftOutOfGapsByName(t *testing.T) {
	s, a := worked()
	group(&s, &a, "None", stats.Confusion{FP: 10, TN: 40})
	d := examine(t, s, question(a))
	g := gapOf(t, d, fairness.EqualOpportunityDifference)
	require.Equal(t, []string{"None"}, g.LeftOut)
	require.InDelta(t, 0.2, g.Value, 1e-12)
	require.Equal(t, []string{"None"}, gapOf(t, d, fairness.EqualizedOddsRatio).LeftOut)
	require.Empty(t, gapOf(t, d, fairness.DemographicParityDifference).LeftOut)
	m, _ := d.Member("None")
	tpr, _ := m.Rate(fairness.TPR)
	require.Contains(t, tpr.Undefined, "no positive examples")
	require.False(t, disparity(t, m, fairness.TPR, fairness.AgainstReference).Ratio.Defined())
	require.False(t, m.AUC.Defined())
}

func TestAllPredictionsEqualAndPerfectSeparation(t *testing.T) {
	var s stats.Sample
	var a fairness.Column
	group(&s, &a, "a", stats.Confusion{FN: 30, TN: 50})
	group(&s, &a, "b", stats.Confusion{FN: 20, TN: 50})
	for i := range s.Score {
		s.Score[i] = 0.25
	}
	d := examine(t, s, question(a))
	require.Zero(t, gapOf(t, d, fairness.DemographicParityDifference).Value)
	require.Contains(t, gapOf(t, d, fairness.DemographicParityRatio).Undefined, "zero in every group")
	require.Contains(t, gapOf(t, d, fairness.PredictiveParityDifference).Undefined, "ppv")
	require.InDelta(t, 0.5, d.Groups[0].AUC.Value, 1e-15)
	require.Less(t, d.Groups[0].AUC.Low, 0.4)
	require.Greater(t, d.Groups[0].AUC.High, 0.6)

	s, a = stats.Sample{}, fairness.Column{}
	group(&s, &a, "a", stats.Confusion{TP: 30, TN: 50})
	group(&s, &a, "b", stats.Confusion{TP: 20, TN: 50})
	d = examine(t, s, question(a))
	require.Equal(t, 1.0, d.Groups[0].AUC.Value)
	require.Less(t, d.Groups[0].AUC.Low, 0.95)
	odds := gapOf(t, d, fairness.EqualizedOddsDifference)
	require.Zero(t, odds.Value)
	require.Zero(t, odds.Low)
	require.Greater(t, odds.High, 0.05)
	require.Equal(t, []string{"a", "b"}, gapOf(t, d, fairness.TreatmentEqualityDifference).LeftOut)
}

func TestOneGroupHasNoGap(t *testing.T) {
	var s stats.Sample
	var a fairness.Column
	group(&s, &a, "a", stats.Confusion{TP: 20, FP: 5, FN: 10, TN: 50})
	d := examine(t, s, question(a))
	for _, g := range d.Gaps {
		require.Contains(t, g.Undefined, "fewer than two groups", g.Name)
	}
	require.False(t, disparity(t, d.Groups[0], fairness.TPR, fairness.AgainstOverall).Ratio.Defined())
}

func TestWhatCannotBeExaminedIsRefused(t *testing.T) {
	s, a := worked()
	few := question(a)
	few.Columns[0].Groups = a.Groups[1:]
	many := fairness.Column{Name: "id"}
	for i := range 3000 {
		many.Groups = append(many.Groups, fmt.Sprint(i))
	}
	wide := stats.Sample{Y: make([]bool, 3000), Score: make([]float64, 3000)}
	with := func(change func(q *fairness.Question)) fairness.Question {
		q := question(a)
		change(&q)
		return q
	}
	bad := stats.Sample{Y: s.Y, Score: append([]float64{math.NaN()}, s.Score[1:]...)}
	for name, c := range map[string]struct {
		s    stats.Sample
		q    fairness.Question
		want string
	}{
		"score that is no number": {bad, question(a), "row 0: the score is NaN"},
		"groups of other rows":    {s, few, "219 groups for 220 rows"},
		"scores of other rows":    {stats.Sample{Y: s.Y, Score: s.Score[1:]}, question(a), "220 labels and 219 scores"},
		"no column":               {s, fairness.Question{}, "no protected column"},
		"no rows":                 {stats.Sample{}, fairness.Question{Columns: []fairness.Column{{Name: "a"}}}, "no rows"},
		"too many groups":         {wide, fairness.Question{Columns: []fairness.Column{many}}, "3000 groups"},
		"level":                   {s, with(func(q *fairness.Question) { q.Level = 1 }), "level is 1"},
		"threshold":               {s, with(func(q *fairness.Question) { q.Threshold = math.NaN() }), "threshold is NaN"},
		"thresholds":              {s, with(func(q *fairness.Question) { q.Thresholds = []float64{1} }), "1 cuts"},
		"strata":                  {s, with(func(q *fairness.Question) { q.Strata = []string{"x"} }), "1 strata for 220 rows"},
		"reference column":        {s, with(func(q *fairness.Question) { q.Reference = map[string]string{"race": "x"} }), `"race"`},
		"reference group":         {s, with(func(q *fairness.Question) { q.Reference = map[string]string{"sex": "x"} }), "is in no row"},
		"crossing":                {s, with(func(q *fairness.Question) { q.Crossed = [][]string{{"sex", "race"}} }), `"race"`},
		"crossing of one":         {s, with(func(q *fairness.Question) { q.Crossed = [][]string{{"sex"}} }), "fewer than two"},
		"column twice":            {s, with(func(q *fairness.Question) { q.Columns = append(q.Columns, q.Columns[0]) }), "named twice"},
	} {
		_, err := fairness.Examine(c.s, c.q)
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestFiveHundredGroups(t *testing.T) {
	s, columns := drawn(20_000, 5, 500)
	d := examine(t, s, fairness.Question{Columns: columns, Threshold: 0.5})
	require.Len(t, d.Groups, 500)
	require.NotEmpty(t, d.Small)
	g := gapOf(t, d, fairness.DemographicParityDifference)
	require.Zero(t, g.Low, "groups are alike")
	require.Greater(t, g.Value, 0.2)
}

func TestCrossingsAreAllPairsAndTheTriple(t *testing.T) {
	s, columns := drawn(2000, 3, 2, 3, 2)
	e, err := fairness.Examine(s, fairness.Question{Columns: columns, Threshold: 0.5})
	require.NoError(t, err)
	var names []string
	for _, d := range e.Divisions {
		names = append(names, d.Name)
		n := 0
		for _, m := range d.Groups {
			n += m.N
		}
		require.Equal(t, 2000, n)
	}
	require.Equal(t, []string{"c0", "c1", "c2", "c0 & c1", "c0 & c2", "c1 & c2", "c0 & c1 & c2"}, names)
	e, err = fairness.Examine(s, fairness.Question{Columns: columns, Threshold: 0.5, Crossed: [][]string{{"c2", "c0"}}})
	require.NoError(t, err)
	require.Len(t, e.Divisions, 4)
	require.Equal(t, "c2 & c0", e.Divisions[3].Name)
	e, err = fairness.Examine(s, fairness.Question{Columns: columns, Threshold: 0.5, Crossed: [][]string{}})
	require.NoError(t, err)
	require.Len(t, e.Divisions, 3)

	s, columns = drawn(4000, 3, 60, 60)
	e, err = fairness.Examine(s, fairness.Question{Columns: columns, Threshold: 0.5, MinGroup: 200})
	require.NoError(t, err)
	require.Len(t, e.LeftOut, 1)
	require.Equal(t, []string{"c0", "c1"}, e.LeftOut[0].Columns)
}

func TestExaminationDoesNotDependOnProcessors(t *testing.T) {
	s, columns := drawn(400, 9, 2, 3)
	q := fairness.Question{Columns: columns, Threshold: 0.5}
	want, err := fairness.Examine(s, q)
	require.NoError(t, err)
	numbers, err := fairness.ExamineNumbers(s.Score, s.Score[:400], q)
	require.NoError(t, err)
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	got, err := fairness.Examine(s, q)
	require.NoError(t, err)
	require.Equal(t, want, got)
	again, err := fairness.ExamineNumbers(s.Score, s.Score[:400], q)
	require.NoError(t, err)
	require.Equal(t, numbers, again)
}

func TestRowsOwnThresholds(t *testing.T) {
	s, a := worked()
	q := question(a)
	q.Thresholds = make([]float64, s.N())
	for i, g := range a.Groups {
		q.Thresholds[i] = 0.5
		if g == "Female" {
			q.Thresholds[i] = 0
		}
	}
	e, err := fairness.Examine(s, q)
	require.NoError(t, err)
	require.True(t, e.OwnThresholds)
	female, _ := e.Divisions[0].Member("Female")
	requireRate(t, female, stats.SelectionRate, 1)
	male, _ := e.Divisions[0].Member("Male")
	requireRate(t, male, stats.SelectionRate, 0.4)
}

func TestConditionalDemographicDisparityWorkedExample(t *testing.T) {
	// Berkeley-like: in each department women are refused as often as men, over both they are refused more often.
	var s stats.Sample
	var a fairness.Column
	var strata []string
	add := func(stratum, sex string, selected, refused int) {
		group(&s, &a, sex, stats.Confusion{TP: selected, TN: refused})
		for range selected + refused {
			strata = append(strata, stratum)
		}
	}
	add("hard", "f", 40, 160)
	add("hard", "m", 10, 40)
	add("easy", "f", 30, 20)
	add("easy", "m", 120, 80)
	add("all", "m", 10, 0)
	q := question(a)
	q.Strata = strata
	d := examine(t, s, q)
	female, _ := d.Member("f")
	require.InDelta(t, 0, female.Conditional.Value, 1e-12)
	require.Equal(t, &fairness.StrataUse{Strata: 3, LeftOut: 1, RowsLeftOut: 10}, d.Strata)
	require.Zero(t, gapOf(t, d, fairness.ConditionalDemographicDisparity).Low)

	q.Strata = make([]string, s.N())
	d = examine(t, s, q)
	female, _ = d.Member("f")
	require.InDelta(t, 180./300-70./210, female.Conditional.Value, 1e-12, "share of the refused less share of the selected")
	require.Greater(t, female.Conditional.Low, 0.1)
	g := gapOf(t, d, fairness.ConditionalDemographicDisparity)
	require.InDelta(t, 2*(180./300-70./210), g.Value, 1e-12)
	require.Equal(t, []string{"f", "m"}, []string{g.Highest, g.Lowest})
}

func TestExaminationHangsTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, columns := drawn(rapid.IntRange(1, 80).Draw(t, "rows"), rapid.Uint64().Draw(t, "seed"), 3, rapid.IntRange(1, 3).Draw(t, "groups"))
		for i := range s.Score {
			s.Score[i] = math.Round(4*s.Score[i]) / 4
		}
		q := fairness.Question{Columns: columns, Threshold: 0.5, MinGroup: rapid.IntRange(1, 40).Draw(t, "least"), Strata: columns[0].Groups}
		e, err := fairness.Examine(s, q)
		require.NoError(t, err)
		_, err = json.Marshal(e)
		require.NoError(t, err)
		within := func(e stats.Estimate) {
			if e.Defined() {
				require.LessOrEqual(t, e.Low, e.Value+1e-12)
				require.GreaterOrEqual(t, e.High, e.Value-1e-12)
			}
		}
		for _, d := range e.Divisions {
			for _, m := range d.Groups {
				require.Equal(t, m.N < q.MinGroup, m.Small)
				within(m.AUC)
				within(m.ErrorRatio)
				within(m.Calibration.Difference)
				within(*m.Conditional)
				for _, r := range m.Rates {
					within(r.Estimate)
				}
				for _, p := range m.Disparities {
					within(p.Difference)
					within(p.Ratio)
				}
			}
			for _, g := range d.Gaps {
				within(g.Estimate)
			}
		}
	})
}
