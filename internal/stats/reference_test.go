package stats_test

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/stats"
)

// tolerance is how near this package must come to values computed with scikit-learn, scipy and numpy.
const tolerance = 1e-9

// referenceFile finds a file of the reference values beside the repository, or skips the test.
func referenceFile(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, dir, parent, "no go.mod above the test")
		dir = parent
	}
	path := filepath.Join(dir, "..", "shared", "reference", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the reference values are not on this machine: %v", err)
	}
	return path
}

type referenceRates struct {
	N           int        `json:"n"`
	TP          int        `json:"tp"`
	FP          int        `json:"fp"`
	FN          int        `json:"fn"`
	TN          int        `json:"tn"`
	BaseRate    float64    `json:"base_rate"`
	Selection   float64    `json:"selection_rate"`
	TPR         float64    `json:"tpr"`
	FPR         float64    `json:"fpr"`
	FNR         float64    `json:"fnr"`
	TNR         float64    `json:"tnr"`
	PPV         *float64   `json:"ppv"`
	Accuracy    float64    `json:"accuracy"`
	Brier       float64    `json:"brier"`
	ECE         float64    `json:"ece"`
	AUC         *float64   `json:"roc_auc"`
	SelectionCI [2]float64 `json:"selection_rate_wilson"`
	TPRCI       [2]float64 `json:"tpr_wilson"`
	FPRCI       [2]float64 `json:"fpr_wilson"`
	AccuracyCI  [2]float64 `json:"accuracy_wilson"`
}

type referenceScores struct {
	N         int             `json:"n"`
	Positives int             `json:"positives"`
	Confusion stats.Confusion `json:"confusion"`

	Accuracy         float64      `json:"accuracy"`
	Precision        float64      `json:"precision"`
	Recall           float64      `json:"recall"`
	Specificity      float64      `json:"specificity"`
	F1               float64      `json:"f1"`
	BalancedAccuracy float64      `json:"balanced_accuracy"`
	MCC              float64      `json:"mcc"`
	AUC              float64      `json:"roc_auc"`
	LogLoss          float64      `json:"log_loss"`
	Brier            float64      `json:"brier"`
	ECE              float64      `json:"ece"`
	Prevalence       float64      `json:"prevalence"`
	Bins             [][4]float64 `json:"ece_bins_index_n_meanscore_meany"`

	AccuracyWilson         [2]float64 `json:"accuracy_wilson"`
	AccuracyClopperPearson [2]float64 `json:"accuracy_clopper_pearson"`
	RecallWilson           [2]float64 `json:"recall_wilson"`
	FPRWilson              [2]float64 `json:"fpr_wilson"`
	DeLongCI               [2]float64 `json:"auc_delong_ci"`

	Bootstrap struct {
		B     int    `json:"B"`
		Seed  uint64 `json:"seed"`
		First []int  `json:"first5_indices"`
		Stats map[string]struct {
			CI    [2]float64 `json:"ci95"`
			Used  int        `json:"used"`
			First []float64  `json:"first3"`
		} `json:"stats"`
	} `json:"bootstrap"`
	Fairness map[string]struct {
		Groups map[string]referenceRates `json:"groups"`
	} `json:"fairness"`
}

func readReference(t *testing.T, name string) referenceScores {
	t.Helper()
	content, err := os.ReadFile(referenceFile(t, "values.json"))
	require.NoError(t, err)
	var all struct {
		Scores map[string]json.RawMessage `json:"scores"`
	}
	require.NoError(t, json.Unmarshal(content, &all))
	var want referenceScores
	require.NoError(t, json.Unmarshal(all.Scores[name], &want))
	return want
}

// readScores reads a score file: the sample, and every other column by name.
func readScores(t *testing.T, name string) (stats.Sample, map[string][]string) {
	t.Helper()
	f, err := os.Open(referenceFile(t, filepath.Join("scores", name+"_scores.csv")))
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	columns := map[string][]string{}
	for k, column := range rows[0] {
		for _, row := range rows[1:] {
			columns[column] = append(columns[column], row[k])
		}
	}
	var s stats.Sample
	for i, score := range columns["score"] {
		p, err := strconv.ParseFloat(score, 64)
		require.NoError(t, err)
		s.Score = append(s.Score, p)
		s.Y = append(s.Y, columns["y"][i] == "1")
	}
	return s, columns
}

var referenceSets = []string{"adult_test_lr", "adult_test_tree", "compas_test_lr"}

func estimate(t *testing.T, r stats.Report, name string) stats.Estimate {
	t.Helper()
	e, ok := r.Metric(name)
	require.True(t, ok, name)
	require.Empty(t, e.Undefined, name)
	return e
}

func requireInterval(t *testing.T, want [2]float64, e stats.Estimate, what string) {
	t.Helper()
	require.InDelta(t, want[0], e.Low, tolerance, "%s low", what)
	require.InDelta(t, want[1], e.High, tolerance, "%s high", what)
}

func TestMetricsAgreeWithReference(t *testing.T) {
	for _, set := range referenceSets {
		t.Run(set, func(t *testing.T) {
			want := readReference(t, set)
			s, _ := readScores(t, set)
			got, err := stats.Evaluate(s, stats.Options{Threshold: 0.5, Seed: want.Bootstrap.Seed, Replicates: want.Bootstrap.B})
			require.NoError(t, err)
			require.Equal(t, want.N, got.N)
			require.Equal(t, want.Positives, got.Positives)
			require.Equal(t, want.Confusion, got.Confusion)
			for name, value := range map[string]float64{
				stats.Accuracy: want.Accuracy, stats.AreaUnderROC: want.AUC, stats.LogLoss: want.LogLoss,
				stats.Brier: want.Brier, stats.ECE: want.ECE, stats.Precision: want.Precision,
				stats.Recall: want.Recall, stats.Specificity: want.Specificity, stats.F1: want.F1,
				stats.BalancedAccuracy: want.BalancedAccuracy, stats.BaseRate: want.Prevalence, stats.MCC: want.MCC,
				stats.FNR: 1 - want.Recall, stats.FPR: 1 - want.Specificity,
			} {
				require.InDelta(t, value, estimate(t, got, name).Value, tolerance, name)
			}
			requireInterval(t, want.AccuracyWilson, estimate(t, got, stats.Accuracy), "accuracy")
			requireInterval(t, want.RecallWilson, estimate(t, got, stats.Recall), "recall")
			requireInterval(t, want.FPRWilson, estimate(t, got, stats.FPR), "fpr")
			requireInterval(t, want.DeLongCI, estimate(t, got, stats.AreaUnderROC), "auc")
			requireInterval(t, want.Bootstrap.Stats["f1"].CI, estimate(t, got, stats.F1), "f1")
			requireInterval(t, want.Bootstrap.Stats["ece"].CI, estimate(t, got, stats.ECE), "ece")

			c := got.Confusion
			low, high := stats.ClopperPearson(c.TP+c.TN, c.N(), 0.95)
			require.InDelta(t, want.AccuracyClopperPearson[0], low, tolerance)
			require.InDelta(t, want.AccuracyClopperPearson[1], high, tolerance)

			for _, bin := range want.Bins {
				b := got.Calibration[int(bin[0])]
				require.EqualValues(t, bin[1], b.N)
				require.InDelta(t, bin[2], b.MeanScore, tolerance)
				require.InDelta(t, bin[3], b.MeanY.Value, tolerance)
			}
		})
	}
}

func TestSlicesAgreeWithReference(t *testing.T) {
	for _, set := range referenceSets {
		want := readReference(t, set)
		s, columns := readScores(t, set)
		for attribute, table := range want.Fairness {
			t.Run(set+"/"+attribute, func(t *testing.T) {
				slices, err := stats.EvaluateSlices(s, attribute, columns[attribute], stats.Options{Threshold: 0.5})
				require.NoError(t, err)
				require.Len(t, slices, len(table.Groups))
				for _, slice := range slices {
					requireRates(t, table.Groups[slice.Group], slice)
				}
			})
		}
	}
}

func requireRates(t *testing.T, want referenceRates, got stats.Slice) {
	t.Helper()
	require.Equal(t, want.N, got.N)
	require.Equal(t, stats.Confusion{TP: want.TP, FP: want.FP, FN: want.FN, TN: want.TN}, got.Confusion)
	metric := func(name string) stats.Estimate { return estimate(t, got.Report, name) }
	require.InDelta(t, want.BaseRate, metric(stats.BaseRate).Value, tolerance)
	require.InDelta(t, want.Accuracy, metric(stats.Accuracy).Value, tolerance)
	require.InDelta(t, want.Selection, metric(stats.SelectionRate).Value, tolerance)
	requireInterval(t, want.AccuracyCI, metric(stats.Accuracy), "accuracy")
	requireInterval(t, want.SelectionCI, metric(stats.SelectionRate), "selection rate")
	require.InDelta(t, want.ECE, metric(stats.ECE).Value, tolerance)
	if want.N > 1 {
		require.InDelta(t, want.Brier, metric(stats.Brier).Value, tolerance)
	}
	if want.TP+want.FN > 0 {
		require.InDelta(t, want.TPR, metric(stats.Recall).Value, tolerance)
		require.InDelta(t, want.FNR, metric(stats.FNR).Value, tolerance)
		requireInterval(t, want.TPRCI, metric(stats.Recall), "tpr")
	}
	if want.FP+want.TN > 0 {
		require.InDelta(t, want.FPR, metric(stats.FPR).Value, tolerance)
		require.InDelta(t, want.TNR, metric(stats.Specificity).Value, tolerance)
		requireInterval(t, want.FPRCI, metric(stats.FPR), "fpr")
	}
	if want.TP+want.FP > 0 {
		require.InDelta(t, *want.PPV, metric(stats.Precision).Value, tolerance)
	}
	if want.AUC != nil {
		require.InDelta(t, *want.AUC, metric(stats.AreaUnderROC).Value, tolerance)
	}
}

func TestBootstrapReproducesReferenceReplicates(t *testing.T) {
	for _, set := range referenceSets {
		t.Run(set, func(t *testing.T) {
			want := readReference(t, set).Bootstrap
			s, _ := readScores(t, set)
			ranks := rankScores(s)
			for name, statistic := range map[string]func(index []int) (float64, bool){
				"accuracy": func(index []int) (float64, bool) {
					c := stats.Confuse(s.Subset(index), 0.5)
					return float64(c.TP+c.TN) / float64(c.N()), true
				},
				"brier": func(index []int) (float64, bool) {
					sum := 0.0
					for _, i := range index {
						d := s.Score[i]
						if s.Y[i] {
							d--
						}
						sum += d * d
					}
					return sum / float64(len(index)), true
				},
				"roc_auc": func(index []int) (float64, bool) { return aucByRank(s, ranks, index) },
			} {
				values := stats.Bootstrap(s.N(), want.B, want.Seed, statistic)
				reference := want.Stats[name]
				require.Len(t, values, reference.Used)
				require.InDeltaSlice(t, reference.First, values[:3], tolerance, name)
				low, high, err := stats.PercentileInterval(values, 0.95)
				require.NoError(t, err)
				require.InDelta(t, reference.CI[0], low, tolerance, name)
				require.InDelta(t, reference.CI[1], high, tolerance, name)
			}
			var first []int
			stats.Bootstrap(s.N(), 1, want.Seed, func(index []int) (float64, bool) {
				first = append(first, index[:5]...)
				return 0, true
			})
			require.Equal(t, want.First, first)
		})
	}
}

// rankScores numbers the distinct scores in order, so that a resample's AUC needs counting only.
func rankScores(s stats.Sample) []int {
	distinct := slices.Compact(slices.Sorted(slices.Values(s.Score)))
	ranks := make([]int, s.N())
	for i, p := range s.Score {
		ranks[i], _ = slices.BinarySearchFunc(distinct, p, cmp.Compare[float64])
	}
	return ranks
}

func aucByRank(s stats.Sample, ranks, index []int) (float64, bool) {
	positives, negatives := make([]float64, len(ranks)), make([]float64, len(ranks))
	m, n := 0.0, 0.0
	for _, i := range index {
		if s.Y[i] {
			positives[ranks[i]]++
			m++
		} else {
			negatives[ranks[i]]++
			n++
		}
	}
	won, below := 0.0, 0.0
	for r := range positives {
		won += positives[r] * (below + negatives[r]/2)
		below += negatives[r]
	}
	return won / (m * n), !math.IsNaN(won / (m * n))
}
