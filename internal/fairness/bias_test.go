package fairness_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

func metricOf(t require.TestingT, b fairness.Bias, name string) stats.Estimate {
	for _, m := range b.Metrics {
		if m.Name == name {
			return m.Estimate
		}
	}
	require.Fail(t, "no metric "+name)
	return stats.Estimate{}
}

// berkeley is who was admitted to the six largest departments of Berkeley in 1973 (Bickel, Hammel and O'Connell, 1975).
func berkeley() (y []bool, groups, strata []string) {
	for department, c := range map[string][4]int{
		"A": {512, 313, 89, 19}, "B": {353, 207, 17, 8}, "C": {120, 205, 202, 391},
		"D": {138, 279, 131, 244}, "E": {53, 138, 94, 299}, "F": {22, 351, 24, 317},
	} {
		for k, n := range c {
			for range n {
				y, groups, strata = append(y, k%2 == 0), append(groups, []string{"men", "women"}[k/2]), append(strata, department)
			}
		}
	}
	return y, groups, strata
}

func TestLabelBiasOfBerkeleyTurnsRoundWithinDepartments(t *testing.T) {
	y, groups, strata := berkeley()
	r, err := fairness.LabelBias(y, groups, "", strata)
	require.NoError(t, err)
	require.Equal(t, 4526, r.Rows)
	require.Equal(t, 1755, r.Positives)
	require.Equal(t, "men", r.Reference, "the larger group")
	women := r.Groups[1]
	require.Nil(t, r.Groups[0].Reference)
	require.InDelta(t, 557./1835, women.Share.Value, 1e-12)
	for name, want := range map[string]float64{
		fairness.ClassImbalance: 0.18912947414935927, fairness.LabelProportions: 0.14164542824654186,
		fairness.KullbackLeibler: 0.044344120049609526, fairness.JensenShannon: 0.010756915021637961, fairness.LpNorm: math.Sqrt2 * 0.14164542824654186,
		fairness.TotalVariation: 0.14164542824654186, fairness.KolmogorovSmirnov: 0.14164542824654186,
		fairness.LabelDisparity: 1278./2771 - 557./1755,
	} {
		got := metricOf(t, women.Rest, name)
		require.InDelta(t, want, got.Value, 1e-12, name)
		require.Less(t, got.Low, got.Value, name)
		require.Less(t, got.Value, got.High, name)
		require.Greater(t, got.Low, 0.0, name+": women are fewer and less often admitted")
		require.Equal(t, got, metricOf(t, *women.Reference, name), "two groups: the rest is the reference")
	}
	within := metricOf(t, women.Rest, fairness.ConditionalDisparity)
	require.InDelta(t, -0.019283267035269232, within.Value, 1e-12, "women apply where fewer are admitted")
	require.Less(t, within.High, metricOf(t, women.Rest, fairness.LabelDisparity).Low)
	again, err := fairness.LabelBias(y, groups, "", strata)
	require.NoError(t, err)
	require.Equal(t, r, again)
}

func TestLabelBiasIsAgainstTheRestAndAgainstTheReference(t *testing.T) {
	var y []bool
	var groups []string
	add := func(group string, positive, negative int) {
		for i := range positive + negative {
			y, groups = append(y, i < positive), append(groups, group)
		}
	}
	add("a", 30, 30)
	add("b", 10, 30)
	add("c", 0, 20)
	r, err := fairness.LabelBias(y, groups, "b", nil)
	require.NoError(t, err)
	a := r.Groups[0]
	require.InDelta(t, 10./60-0.5, metricOf(t, a.Rest, fairness.LabelProportions).Value, 1e-12)
	require.InDelta(t, 0.25-0.5, metricOf(t, *a.Reference, fairness.LabelProportions).Value, 1e-12)
	require.Equal(t, stats.NewcombeShares(10, 40, 30, 60, (1-stats.DefaultLevel)/2, "").Low, metricOf(t, *a.Reference, fairness.LabelProportions).Low)
	require.Equal(t, 40, a.Reference.N)
	require.InDelta(t, 0, metricOf(t, a.Rest, fairness.ClassImbalance).Value, 1e-12)
	require.Contains(t, metricOf(t, a.Rest, fairness.ConditionalDisparity).Undefined, "no strata")
	// KL(b || c) has a label that c lacks; Jensen-Shannon stays finite: (KL((.25,.75) || (.125,.875)) + ln(1/.875)) / 2.
	c := *r.Groups[2].Reference
	require.Contains(t, metricOf(t, c, fairness.KullbackLeibler).Undefined, "infinite")
	require.InDelta(t, (0.25*math.Log(2)+0.75*math.Log(0.75/0.875)-math.Log(0.875))/2, metricOf(t, c, fairness.JensenShannon).Value, 1e-12)
}

func TestStrataOfOneLabelTakeNoPart(t *testing.T) {
	y := []bool{true, false, true, false, true, true, true}
	groups := []string{"a", "b", "b", "a", "a", "b", "b"}
	strata := []string{"1", "1", "1", "1", "2", "2", "2"}
	r, err := fairness.LabelBias(y, groups, "", strata)
	require.NoError(t, err)
	b := r.Groups[0].Rest
	require.Equal(t, 1, b.StrataLeftOut)
	require.Equal(t, 3, b.RowsOneLabel)
	require.Equal(t, 0.0, metricOf(t, b, fairness.ConditionalDisparity).Value)
}

func TestLabelBiasIsWrittenWhateverTheRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "n")
		y, groups, strata := make([]bool, n), make([]string, n), make([]string, n)
		for i := range n {
			y[i], groups[i] = rapid.Bool().Draw(t, "y"), rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "g")
			strata[i] = rapid.SampledFrom([]string{"x", "y"}).Draw(t, "s")
		}
		r, err := fairness.LabelBias(y, groups, "", strata)
		require.NoError(t, err)
		_, err = json.Marshal(r)
		require.NoError(t, err)
		for _, g := range r.Groups {
			require.Len(t, g.Rest.Metrics, len(fairness.LabelBiasNames()))
			for _, m := range g.Rest.Metrics {
				require.True(t, !m.Defined() || m.Low <= m.Value && m.Value <= m.High, "%+v", m)
			}
		}
	})
}

func TestOneGroupHasNothingToBeComparedWith(t *testing.T) {
	r, err := fairness.LabelBias([]bool{true, false}, []string{"a", "a"}, "", nil)
	require.NoError(t, err)
	for _, m := range r.Groups[0].Rest.Metrics {
		require.Contains(t, m.Undefined, "no rows to compare with", m.Name)
	}
}

func TestLabelBiasByClassIsThatOfEachClassAgainstTheRest(t *testing.T) {
	labels := []string{"low", "mid", "high", "mid", "low", "low", "mid", "high", "high", "mid"}
	groups := []string{"a", "a", "a", "a", "a", "b", "b", "b", "b", "a"}
	all, err := fairness.LabelBiasByClass(labels, groups, "a", nil)
	require.NoError(t, err)
	require.Len(t, all, 3)
	require.Equal(t, []string{"high", "low", "mid"}, []string{all[0].Class, all[1].Class, all[2].Class})
	sum := 0.0
	for _, c := range all {
		y := make([]bool, len(labels))
		for i, l := range labels {
			y[i] = l == c.Class
		}
		want, err := fairness.LabelBias(y, groups, "a", nil)
		require.NoError(t, err)
		require.Equal(t, want, c.Bias)
		sum += metricOf(t, c.Bias.Groups[1].Rest, fairness.LabelProportions).Value
	}
	require.InDelta(t, 0, sum, 1e-12, "what one class has more, others have less")
	require.InDelta(t, 1./6-1./2, metricOf(t, all[0].Bias.Groups[1].Rest, fairness.LabelProportions).Value, 1e-12)

	_, err = fairness.LabelBiasByClass(nil, nil, "", nil)
	require.ErrorContains(t, err, "found no rows")
	_, err = fairness.LabelBiasByClass(labels, groups, "c", nil)
	require.ErrorContains(t, err, `reference group "c" has no rows`)
	many := make([]string, 60)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	_, err = fairness.LabelBiasByClass(many, many, "", nil)
	require.ErrorContains(t, err, "60 classes")
}

func TestLabelBiasRefuses(t *testing.T) {
	_, err := fairness.LabelBias(nil, nil, "", nil)
	require.ErrorContains(t, err, "found no rows")
	_, err = fairness.LabelBias([]bool{true}, nil, "", nil)
	require.ErrorContains(t, err, "1 labels, 0 groups")
	_, err = fairness.LabelBias([]bool{true}, []string{"a"}, "", []string{"x", "y"})
	require.ErrorContains(t, err, "2 strata")
	_, err = fairness.LabelBias([]bool{true}, []string{"a"}, "b", nil)
	require.ErrorContains(t, err, `reference group "b" has no rows`)
	many := make([]string, 2000)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	_, err = fairness.LabelBias(make([]bool, 2000), many, "", nil)
	require.ErrorContains(t, err, "2000 groups")
}
