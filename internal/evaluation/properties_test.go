package evaluation_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// anyBinary draws predictions of two models with many ties, two columns of groups, and labels known in any way.
func anyBinary(withChampion bool) *rapid.Generator[evaluation.Predictions] {
	return rapid.Custom(func(t *rapid.T) evaluation.Predictions {
		n := rapid.IntRange(2, 60).Draw(t, "n")
		p := evaluation.Predictions{Task: stats.Binary, Threshold: 0.5, Groups: map[string][]string{}}
		score := rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.IntRange(0, 16).Draw(t, "score")) / 16 })
		for i := range n {
			p.Row = append(p.Row, int64(i))
			p.Y = append(p.Y, float64(rapid.IntRange(0, 1).Draw(t, "y")))
			p.Score = append(p.Score, score.Draw(t, "new"))
			if withChampion {
				p.Old = append(p.Old, score.Draw(t, "old"))
			}
			p.Groups["sex"] = append(p.Groups["sex"], rapid.SampledFrom([]string{"f", "m"}).Draw(t, "sex"))
			p.Groups["race"] = append(p.Groups["race"], rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "race"))
		}
		return p
	})
}

var closedForms = []string{
	stats.Accuracy, stats.Recall, stats.Precision, stats.SelectionRate, stats.F1, stats.BalancedAccuracy, stats.AreaUnderROC, stats.MCC,
}

// shuffled is p with its rows in another order.
func shuffled(t *rapid.T, p evaluation.Predictions) evaluation.Predictions {
	order := rapid.Permutation(p.Row).Draw(t, "order")
	return rearranged(p, order)
}

func rearranged(p evaluation.Predictions, order []int64) evaluation.Predictions {
	q := p
	q.Row, q.Groups = order, map[string][]string{}
	of := func(values []float64) (out []float64) {
		if values == nil {
			return nil
		}
		for _, i := range order {
			out = append(out, values[i])
		}
		return out
	}
	q.Y, q.Score, q.Old = of(p.Y), of(p.Score), of(p.Old)
	for name, groups := range p.Groups {
		for _, i := range order {
			q.Groups[name] = append(q.Groups[name], groups[i])
		}
	}
	return q
}

func TestTheOrderOfRowsChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyBinary(true).Draw(t, "predictions")
		one, err := evaluation.NewSource(p, evaluation.SourceOptions{Seed: 3, Replicates: 200})
		require.NoError(t, err)
		other, err := evaluation.NewSource(shuffled(t, p), evaluation.SourceOptions{Seed: 3, Replicates: 200})
		require.NoError(t, err)
		for _, metric := range closedForms {
			for _, u := range []gate.Unit{unit(metric), unit(metric, "sex", "f"), newLessOld(metric), between(metric, "race", "a", "b")} {
				if (metric == stats.F1 || metric == stats.MCC || metric == stats.Precision) && u.Minus != nil {
					continue
				}
				requireNear(t, one, other, u)
			}
		}
		for _, metric := range fairness.GapNames() {
			requireNear(t, one, other, unit(metric, "race"))
		}
	})
}

func requireNear(t *rapid.T, one, other *evaluation.Source, u gate.Unit) {
	a, err := one.Measure(u, 0.05)
	require.NoError(t, err)
	b, err := other.Measure(u, 0.05)
	require.NoError(t, err)
	require.Equal(t, a.Undefined, b.Undefined, "%s", u)
	require.InDelta(t, a.Value, b.Value, 1e-12, "%s", u)
	require.InDelta(t, a.Low, b.Low, 1e-9, "%s", u)
	require.InDelta(t, a.High, b.High, 1e-9, "%s", u)
}

func TestTheSamePredictionsAreDecidedAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyBinary(true).Draw(t, "predictions")
		tails := []float64{0.2, 0.1, 1e-9}
		units := []gate.Unit{
			unit(stats.MCC), newLessOld(stats.F1), newLessOld(stats.Accuracy), unit("equalized_odds_difference", "sex"), unit(stats.ECE),
		}
		var runs [2][]gate.Measurement
		for k := range runs {
			s, err := evaluation.NewSource(p, evaluation.SourceOptions{Seed: 3, Replicates: 200})
			require.NoError(t, err)
			for _, u := range units {
				for at := range tails {
					if k == 1 {
						at = len(tails) - 1 - at // what is asked first changes nothing
					}
					m, err := s.Measure(u, tails[at])
					require.NoError(t, err)
					m.RowsFor = nil
					runs[k] = append(runs[k], m)
				}
			}
		}
		for k := range units {
			slices.Reverse(runs[1][k*len(tails) : (k+1)*len(tails)])
		}
		require.Equal(t, runs[0], runs[1])
	})
}

func TestGroupsAddUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyBinary(false).Draw(t, "predictions")
		columns := []string{"race", "sex"}
		r, err := evaluation.Evaluate(p, evaluation.Options{Replicates: 200, Slices: columns, Crossed: columns, MinGroup: 1})
		require.NoError(t, err)
		whole := r.Overall.Binary.Confusion
		sums := map[string]stats.Confusion{}
		add := func(key string, c stats.Confusion) {
			s := sums[key]
			sums[key] = stats.Confusion{TP: s.TP + c.TP, FP: s.FP + c.FP, FN: s.FN + c.FN, TN: s.TN + c.TN}
		}
		for _, s := range r.Slices {
			require.Equal(t, s.Rows, s.Binary.N)
			add(s.Column, s.Binary.Confusion)
		}
		for _, g := range r.Intersections[0].Groups {
			add("both", g.Binary.Confusion)
			add("race="+g.Values[0], g.Binary.Confusion)
		}
		require.Equal(t, whole, sums["race"])
		require.Equal(t, whole, sums["sex"])
		require.Equal(t, whole, sums["both"])
		for _, s := range r.Slices {
			if s.Column == "race" {
				require.Equal(t, s.Binary.Confusion, sums["race="+s.Group])
			}
		}
	})
}

func TestGapsAreThoseOfTheFairnessAudit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyBinary(false).Draw(t, "predictions")
		s, err := evaluation.NewSource(p, evaluation.SourceOptions{Replicates: 200})
		require.NoError(t, err)
		sample := stats.Sample{Score: p.Score}
		both := make([]string, p.N())
		for i, y := range p.Y {
			sample.Y = append(sample.Y, y == 1)
			both[i] = p.Groups["sex"][i] + p.Groups["race"][i]
		}
		audit, err := fairness.Examine(sample, fairness.Question{
			Columns:   []fairness.Column{{Name: "sex", Groups: p.Groups["sex"]}, {Name: "race", Groups: p.Groups["race"]}, {Name: "both", Groups: both}},
			Threshold: 0.5, MinGroup: 1, Crossed: [][]string{},
		})
		require.NoError(t, err)
		for _, metric := range fairness.GapNames() {
			for name, columns := range map[string][]string{"sex": {"sex"}, "race": {"race"}, "both": {"sex", "race"}} {
				q := gate.Quantity{Which: gate.New, Metric: metric}
				for _, column := range columns {
					q.Slice.Parts = append(q.Slice.Parts, gate.Part{Column: column})
				}
				got, err := s.Measure(gate.Unit{Quantity: q}, 0.025)
				require.NoError(t, err)
				d, ok := audit.Division(name)
				require.True(t, ok)
				want, ok := d.Gap(metric)
				require.True(t, ok)
				if want.Defined() && got.Defined() {
					require.InDelta(t, want.Value, got.Value, 1e-12, "%s[%s]", metric, name)
				}
			}
		}
	})
}

func TestAskedLabelsAreEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		full := anyBinary(true).Draw(t, "predictions")
		p := withoutLabels(full)
		for i := range p.Row {
			if rapid.Bool().Draw(t, "known") {
				p.Y[i], p.Known[i] = full.Y[i], rapid.SampledFrom([]evaluation.Knowledge{evaluation.Representative, evaluation.Chosen}).Draw(t, "how")
			}
		}
		u := rapid.SampledFrom([]gate.Unit{
			unit(stats.Accuracy), unit(stats.Recall, "sex", "f"), newLessOld(stats.Accuracy, "race", "a"), newLessOld(stats.F1),
		}).Draw(t, "unit")
		l, err := evaluation.RowsToLabel(p, []gate.Need{{Unit: u, Tail: 0.01}}, 5)
		require.NoError(t, err)
		for _, row := range l.Ask {
			require.Equal(t, evaluation.Unknown, p.Known[row])
		}
		some, err := evaluation.NewSource(answered(p, full.Y, l), evaluation.SourceOptions{Replicates: 200})
		require.NoError(t, err)
		all, err := evaluation.NewSource(full, evaluation.SourceOptions{Replicates: 200})
		require.NoError(t, err)
		requireNear(t, all, some, u)
	})
}
