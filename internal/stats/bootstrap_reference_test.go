package stats_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/stats"
)

// referenceBootstrap is what the reference says of every statistic it resampled.
type referenceBootstrap struct {
	B     int    `json:"B"`
	Seed  uint64 `json:"seed"`
	Stats map[string]struct {
		CI    [2]float64 `json:"ci95"`
		Mean  float64    `json:"mean"`
		SE    float64    `json:"se_ddof1"`
		Used  int        `json:"used"`
		First []float64  `json:"first3"`
	} `json:"stats"`
}

func readReferenceBootstrap(t *testing.T, name string) referenceBootstrap {
	t.Helper()
	content, err := os.ReadFile(referenceFile(t, "values.json"))
	require.NoError(t, err)
	var all struct {
		Scores map[string]json.RawMessage `json:"scores"`
	}
	require.NoError(t, json.Unmarshal(content, &all))
	var set struct {
		Bootstrap referenceBootstrap `json:"bootstrap"`
	}
	require.NoError(t, json.Unmarshal(all.Scores[name], &set))
	return set.Bootstrap
}

// Every statistic of the reference is computed here as its definition reads, from resamples that Bootstrap draws by
// row and BootstrapCounts by cell.
func TestBootstrapReproducesEveryStatisticOfTheReference(t *testing.T) {
	for set, attribute := range map[string]string{"adult_test_lr": "sex", "adult_test_tree": "sex", "compas_test_lr": "race"} {
		t.Run(set, func(t *testing.T) {
			want := readReferenceBootstrap(t, set)
			s, columns := readScores(t, set)
			groups := slices.Compact(slices.Sorted(slices.Values(columns[attribute])))
			cell := make([]uint16, s.N())
			for i, y := range s.Y {
				g, _ := slices.BinarySearch(groups, columns[attribute][i])
				cell[i] = uint16(4 * g)
				if y {
					cell[i] += 2
				}
				if s.Score[i] >= 0.5 {
					cell[i]++
				}
			}
			got := map[string][]float64{}
			add := func(name string, value float64) {
				if !math.IsNaN(value) {
					got[name] = append(got[name], value)
				}
			}
			stats.BootstrapCounts(cell, 4*len(groups), want.B, want.Seed, func(counts []int) {
				c := confusions(counts)
				var all stats.Confusion
				for _, g := range c {
					all = stats.Confusion{TP: all.TP + g.TP, FP: all.FP + g.FP, FN: all.FN + g.FN, TN: all.TN + g.TN}
				}
				add("accuracy", share(all.TP+all.TN, all.N()))
				add("f1", share(2*all.TP, 2*all.TP+all.FP+all.FN))
				add("demographic_parity_difference_"+attribute, gapOf(c, func(c stats.Confusion) float64 { return share(c.Predicted(), c.N()) }))
				tpr := gapOf(c, func(c stats.Confusion) float64 { return share(c.TP, c.Positives()) })
				fpr := gapOf(c, func(c stats.Confusion) float64 { return share(c.FP, c.Negatives()) })
				if math.IsNaN(fpr) {
					fpr = 0 // the reference drops a resample where a group has no positives, and looks at those alone where it has no negatives
				}
				add("equalized_odds_difference_"+attribute, max(tpr, fpr))
			})
			ranks := rankScores(s)
			stats.Bootstrap(s.N(), want.B, want.Seed, func(index []int) (float64, bool) {
				auc, ok := aucByRank(s, ranks, index)
				require.True(t, ok)
				add("roc_auc", auc)
				brier, logLoss := 0.0, 0.0
				var excess [10]float64
				for _, i := range index {
					p, y := s.Score[i], 0.0
					if s.Y[i] {
						y = 1
					}
					brier += (p - y) * (p - y)
					p = min(max(p, 1e-15), 1-1e-15)
					logLoss -= y*math.Log(p) + (1-y)*math.Log1p(-p)
					excess[min(int(s.Score[i]*10), 9)] += y - s.Score[i]
				}
				ece := 0.0
				for _, e := range excess {
					ece += math.Abs(e)
				}
				n := float64(len(index))
				add("brier", brier/n)
				add("log_loss", logLoss/n)
				add("ece", ece/n)
				return 0, true
			})

			require.Len(t, got, len(want.Stats))
			for name, reference := range want.Stats {
				values := got[name]
				require.Len(t, values, reference.Used, name)
				require.InDeltaSlice(t, reference.First, values[:3], tolerance, name)
				mean, squares := 0.0, 0.0
				for _, v := range values {
					mean += v / float64(len(values))
				}
				for _, v := range values {
					squares += (v - mean) * (v - mean)
				}
				require.InDelta(t, reference.Mean, mean, tolerance, name)
				require.InDelta(t, reference.SE, math.Sqrt(squares/float64(len(values)-1)), tolerance, name)
				low, high, err := stats.PercentileInterval(values, 0.95)
				require.NoError(t, err)
				require.InDelta(t, reference.CI[0], low, tolerance, name)
				require.InDelta(t, reference.CI[1], high, tolerance, name)
			}
		})
	}
}

// confusions reads cells of 4 group + 2 positive + predicted.
func confusions(counts []int) []stats.Confusion {
	c := make([]stats.Confusion, len(counts)/4)
	for g := range c {
		c[g] = stats.Confusion{TN: counts[4*g], FP: counts[4*g+1], FN: counts[4*g+2], TP: counts[4*g+3]}
	}
	return c
}

// share is NaN of no rows.
func share(k, n int) float64 { return float64(k) / float64(n) }

// gapOf is NaN where a group gives no rate.
func gapOf(groups []stats.Confusion, rate func(stats.Confusion) float64) float64 {
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range groups {
		r := rate(c)
		low, high = min(low, r), max(high, r)
	}
	return high - low
}

func TestTailIntervalsAgreeWithReference(t *testing.T) {
	for _, set := range referenceSets {
		t.Run(set, func(t *testing.T) {
			want := readReference(t, set)
			s, columns := readScores(t, set)
			c := stats.Confuse(s, 0.5)
			requireInterval(t, want.DeLongCI, stats.AUCTail(s, 0.025), "auc")
			requireInterval(t, want.AccuracyClopperPearson, stats.ExactShare(c.TP+c.TN, c.N(), 0.025, ""), "accuracy, exact")
			requireWilson(t, want.AccuracyWilson, c.TP+c.TN, c.N())
			requireWilson(t, want.RecallWilson, c.TP, c.Positives())
			requireWilson(t, want.FPRWilson, c.FP, c.Negatives())
			for attribute, table := range want.Fairness {
				for group, rates := range table.Groups {
					var rows []int
					for i, g := range columns[attribute] {
						if g == group {
							rows = append(rows, i)
						}
					}
					c := stats.Confuse(s.Subset(rows), 0.5)
					requireWilson(t, rates.SelectionCI, c.Predicted(), c.N())
					requireWilson(t, rates.AccuracyCI, c.TP+c.TN, c.N())
					requireWilson(t, rates.TPRCI, c.TP, c.Positives())
					requireWilson(t, rates.FPRCI, c.FP, c.Negatives())
				}
			}
		})
	}
}

func requireWilson(t *testing.T, want [2]float64, k, n int) {
	t.Helper()
	if n == 0 {
		return
	}
	low, high := stats.WilsonTail(k, n, 0.025)
	require.InDelta(t, want[0], low, tolerance)
	require.InDelta(t, want[1], high, tolerance)
}

// The bootstrap by counts draws other resamples of the same distribution, so its standard errors are the reference's up to
// what B replicates leave to chance.
func TestStandardErrorsOfTheFastBootstrapAreThoseOfTheReference(t *testing.T) {
	for _, set := range referenceSets {
		want := readReferenceBootstrap(t, set)
		s, _ := readScores(t, set)
		c := stats.Confuse(s, 0.5)
		b := stats.BCaCells([]int{c.TP, c.FP, c.FN, c.TN}, stats.Resampling{Seed: 1}, func(c []int) (float64, bool) {
			return share(2*c[0], 2*c[0]+c[1]+c[2]), true
		})
		require.InEpsilon(t, want.Stats["f1"].SE, b.StandardError(), 5*math.Sqrt(0.5/float64(want.B)), set)
		e := b.Estimate(0.025)
		require.InDelta(t, want.Stats["f1"].CI[0], e.Low, want.Stats["f1"].SE/2, set)
		require.InDelta(t, want.Stats["f1"].CI[1], e.High, want.Stats["f1"].SE/2, set)
	}
}
