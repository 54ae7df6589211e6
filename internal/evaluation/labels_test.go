package evaluation_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// withoutLabels takes all labels away.
func withoutLabels(p evaluation.Predictions) evaluation.Predictions {
	p.Y, p.Known = slices.Clone(p.Y), make([]evaluation.Knowledge, p.N())
	for i := range p.Y {
		p.Y[i] = unlabelled
	}
	p.Own, p.OwnOld = nil, nil
	return p
}

// answered is p with the labels of truth on the rows that were asked for.
func answered(p evaluation.Predictions, truth []float64, l evaluation.Labels) evaluation.Predictions {
	at := map[int64]int{}
	for i, row := range p.Row {
		at[row] = i
	}
	p.Y, p.Known = slices.Clone(p.Y), slices.Clone(p.Known)
	for _, row := range l.Chosen {
		p.Known[at[row]] = evaluation.Chosen
	}
	for _, row := range l.Representative {
		p.Known[at[row]] = evaluation.Representative
	}
	for _, row := range l.Ask {
		p.Y[at[row]] = truth[at[row]]
	}
	return p
}

func needs(t *testing.T, p evaluation.Predictions, needs ...gate.Need) evaluation.Labels {
	t.Helper()
	l, err := evaluation.RowsToLabel(p, needs, 7)
	require.NoError(t, err)
	require.True(t, slices.IsSorted(l.Ask) && slices.IsSorted(l.Chosen) && slices.IsSorted(l.Representative))
	return l
}

func need(u gate.Unit, halfWidth float64) gate.Need {
	return gate.Need{Unit: u, Tail: 0.01, HalfWidth: halfWidth}
}

func TestUnitsWithoutLabelsNeedNone(t *testing.T) {
	p := withoutLabels(rivals(300, 1))
	for _, u := range []gate.Unit{
		unit(stats.Disagreement), unit(stats.SelectionRate), unit(stats.SelectionRate, "sex", "f"), newLessOld(stats.SelectionRate),
		unit("demographic_parity_difference", "sex"), newLessOld("demographic_parity_ratio", "race"), newLessOld(stats.BaseRate),
		between(stats.SelectionRate, "sex", "f", "m"), unit("latency_p95_ms"),
	} {
		require.Empty(t, needs(t, p, need(u, 0), need(u, 0.01)), "%s", u)
		s := newSource(t, p, evaluation.SourceOptions{New: evaluation.Figures{LatencyMS: latencies(500, 1)}})
		require.True(t, measure(t, s, u, 0.01).Defined(), "%s", u)
	}
}

func TestAccuracyAgainstTheChampionNeedsTheRowsOnWhichTheyDiffer(t *testing.T) {
	full := rivals(500, 2)
	p := withoutLabels(full)
	var want []int64
	for i := range p.Row {
		if p.Groups["sex"][i] == "f" && (p.Score[i] >= 0.5) != (p.Old[i] >= 0.5) {
			want = append(want, p.Row[i])
		}
	}
	u := newLessOld(stats.Accuracy, "sex", "f")
	l := needs(t, p, need(u, 0.01))
	require.Equal(t, evaluation.Labels{Chosen: want, Ask: want}, l)

	few := answered(p, full.Y, l)
	got := measure(t, newSource(t, few, evaluation.SourceOptions{}), u, 0.01)
	all := measure(t, newSource(t, full, evaluation.SourceOptions{}), u, 0.01)
	require.Equal(t, all.Estimate, got.Estimate, "the labels of rows on which both agree change nothing")
	require.Empty(t, needs(t, few, need(u, 0.01)).Ask, "labels are not asked for again")

	plain := measure(t, newSource(t, few, evaluation.SourceOptions{}), unit(stats.Accuracy), 0.01)
	require.NotEmpty(t, plain.Undefined, "rows chosen because the models differ say nothing of accuracy")
	require.Empty(t, needs(t, withoutLabels(world(100, 1)), need(u, 0)), "nothing to compare with")
}

func TestEnoughRowsArePickedByLotForATolerance(t *testing.T) {
	full := rivals(20_000, 3)
	p := withoutLabels(full)
	for _, c := range []struct {
		need   gate.Need
		least  int
		most   int  // of labels
		within bool // the half width is reached
	}{
		{need: need(unit(stats.Accuracy), 0.05), least: 500, most: 700, within: true},
		{need: need(unit(stats.Precision), 0.05), least: 1000, most: 4000, within: true},
		{need: need(unit(stats.Recall), 0.05), least: 1000, most: 6000, within: true},
		{need: need(newLessOld(stats.Recall), 0.05), least: 500, most: 6000, within: true},
		{need: need(unit(stats.Brier), 0.1), least: 300, most: 1500, within: true},
		{need: need(unit(stats.AreaUnderROC), 0.05), least: 20_000, most: 20_000},
		{need: need(unit(stats.Accuracy), 0), least: 20_000, most: 20_000},
		{need: need(unit("equalized_odds_difference", "sex"), 0.05), least: 20_000, most: 20_000},
	} {
		t.Run(c.need.Unit.String(), func(t *testing.T) {
			l := needs(t, p, c.need)
			require.Empty(t, l.Chosen)
			require.Equal(t, l.Representative, l.Ask)
			require.GreaterOrEqual(t, len(l.Ask), c.least)
			require.LessOrEqual(t, len(l.Ask), c.most)
			few := answered(p, full.Y, l)
			m := measure(t, newSource(t, few, evaluation.SourceOptions{}), c.need.Unit, c.need.Tail)
			require.True(t, m.Defined())
			if c.within {
				require.LessOrEqual(t, (m.High-m.Low)/2, 1.1*c.need.HalfWidth)
			}
			again := needs(t, few, c.need).Ask
			require.Less(t, len(again), len(l.Ask)/2, "how frequent a class is may turn out unlike the scores")
		})
	}
}

func TestMoreLabelsAreTheOldOnesAndMore(t *testing.T) {
	full := rivals(5000, 4)
	p := withoutLabels(full)
	rough := needs(t, p, need(unit(stats.Accuracy), 0.1))
	fine := needs(t, p, need(unit(stats.Accuracy), 0.05))
	require.Subset(t, fine.Ask, rough.Ask)
	again := needs(t, answered(p, full.Y, rough), need(unit(stats.Accuracy), 0.05))
	require.ElementsMatch(t, fine.Ask, slices.Concat(rough.Ask, again.Ask))
}

func TestASmallGroupIsTakenWholeWhereThatIsCheaper(t *testing.T) {
	full := rivals(20_000, 5)
	for i := range full.Row {
		full.Groups["sex"][i] = "m"
		if i%100 == 0 {
			full.Groups["sex"][i] = "f"
		}
	}
	p := withoutLabels(full)
	small, whole := need(unit(stats.Accuracy, "sex", "f"), 0.09), need(unit(stats.Accuracy), 0.05)
	l := needs(t, p, small, whole)
	require.Less(t, len(l.Ask), 1000)
	for _, row := range l.Chosen {
		require.Zero(t, row%100, "chosen rows are of the small group")
	}
	require.Greater(t, len(l.Chosen), 150)

	few := newSource(t, answered(p, full.Y, l), evaluation.SourceOptions{})
	require.Equal(t, 200, measure(t, few, small.Unit, 0.01).N, "all of the group")
	require.Equal(t, len(l.Representative), measure(t, few, whole.Unit, 0.01).N, "the group's other rows are not representative of all")
}

func TestChosenRowsThatTheLotPicksBecomeRepresentative(t *testing.T) {
	full := rivals(3000, 6)
	p := withoutLabels(full)
	chosen := answered(p, full.Y, needs(t, p, need(newLessOld(stats.Accuracy), 0)))
	l := needs(t, chosen, need(unit(stats.Accuracy), 0.05))
	require.Less(t, len(l.Ask), len(l.Representative), "some are known already")
	one := measure(t, newSource(t, answered(chosen, full.Y, l), evaluation.SourceOptions{}), unit(stats.Accuracy), 0.01)
	other := measure(t, newSource(t, answered(p, full.Y, needs(t, p, need(unit(stats.Accuracy), 0.05))), evaluation.SourceOptions{}), unit(stats.Accuracy), 0.01)
	require.Equal(t, other.Estimate, one.Estimate)
}

func TestTheLotIsTheGeneratorsOutput(t *testing.T) {
	p := withoutLabels(world(50, 1))
	r := rand.New(rand.NewPCG(1, 1))
	for i := range p.Row {
		p.Row[i] = int64(i)*3 + r.Int64N(3)
	}
	const seed = 42
	var outputs []uint64
	g := stats.SplitMix64(seed)
	for range 200 {
		outputs = append(outputs, g.Uint64())
	}
	slices.SortFunc(p.Row, func(a, b int64) int {
		if outputs[a] < outputs[b] {
			return -1
		}
		return 1
	})
	// The half width of one share among k rows, so that exactly k rows are needed, gives the first k in the lot's order.
	l, err := evaluation.RowsToLabel(p, []gate.Need{{Unit: unit(stats.Accuracy), Tail: 0.2, HalfWidth: 0.2}}, seed)
	require.NoError(t, err)
	require.Greater(t, len(l.Ask), 2)
	require.Less(t, len(l.Ask), 40)
	require.ElementsMatch(t, p.Row[:len(l.Ask)], l.Ask)
}

func TestNeedsThatCannotBeMeasuredAreRefused(t *testing.T) {
	_, err := evaluation.RowsToLabel(few(), []gate.Need{need(unit(stats.Recall, "country", "x"), 0)}, 1)
	require.ErrorContains(t, err, `decide which rows recall[country=x] needs a label of: no column "country"`)
	bad := few()
	bad.Score[0] = math.NaN()
	_, err = evaluation.RowsToLabel(bad, nil, 1)
	require.ErrorContains(t, err, "row 11")
}
