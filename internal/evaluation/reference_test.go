package evaluation_test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// tolerance is how near figures must come to values computed with scikit-learn, scipy and numpy.
const tolerance = 1e-9

// referenceFile finds a file of the reference values beside the repository, or skips the test.
func referenceFile(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "reference", name))
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the reference values are not on this machine: %v", err)
	}
	return path
}

// reference reads one block of the reference scores.
func reference(t testing.TB, name string, into any) {
	t.Helper()
	content, err := os.ReadFile(referenceFile(t, "values.json"))
	require.NoError(t, err)
	var all struct {
		Scores map[string]json.RawMessage `json:"scores"`
	}
	require.NoError(t, json.Unmarshal(content, &all))
	require.NoError(t, json.Unmarshal(all.Scores[name], into))
}

// scoreFile reads a score file, column by column.
func scoreFile(t testing.TB, name string) map[string][]string {
	t.Helper()
	f, err := os.Open(referenceFile(t, filepath.Join("scores", name)))
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
	return columns
}

func numbers(t testing.TB, texts []string) []float64 {
	t.Helper()
	out := make([]float64, len(texts))
	for i, text := range texts {
		v, err := strconv.ParseFloat(text, 64)
		require.NoError(t, err)
		out[i] = v
	}
	return out
}

func rowNumbers(t testing.TB, texts []string) []int64 {
	t.Helper()
	out := make([]int64, len(texts))
	for i, text := range texts {
		v, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
		out[i] = v
	}
	return out
}

// binaryPredictions are those of a score file with the given columns of groups.
func binaryPredictions(t testing.TB, name string, groups ...string) evaluation.Predictions {
	t.Helper()
	columns := scoreFile(t, name+"_scores.csv")
	id := columns["row"]
	if id == nil {
		id = columns["id"]
	}
	p := evaluation.Predictions{
		Task: stats.Binary, Row: rowNumbers(t, id), Y: numbers(t, columns["y"]), Score: numbers(t, columns["score"]),
		Threshold: 0.5, Groups: map[string][]string{},
	}
	for _, g := range groups {
		p.Groups[g] = columns[g]
	}
	return p
}

type referenceGroup struct {
	N         int      `json:"n"`
	Accuracy  float64  `json:"accuracy"`
	Selection float64  `json:"selection_rate"`
	TPR       float64  `json:"tpr"`
	FPR       float64  `json:"fpr"`
	Brier     float64  `json:"brier"`
	ECE       float64  `json:"ece"`
	AUC       *float64 `json:"roc_auc"`
}

type referenceFairness struct {
	Groups                      map[string]referenceGroup `json:"groups"`
	DemographicParityDifference float64                   `json:"demographic_parity_difference"`
	DemographicParityRatio      float64                   `json:"demographic_parity_ratio"`
	EqualizedOddsDifference     float64                   `json:"equalized_odds_difference"`
	EqualizedOddsRatio          float64                   `json:"equalized_odds_ratio"`
	TPRDifference               float64                   `json:"tpr_difference"`
}

type referenceBinary struct {
	Accuracy         float64                      `json:"accuracy"`
	Precision        float64                      `json:"precision"`
	Recall           float64                      `json:"recall"`
	Specificity      float64                      `json:"specificity"`
	F1               float64                      `json:"f1"`
	BalancedAccuracy float64                      `json:"balanced_accuracy"`
	MCC              float64                      `json:"mcc"`
	AUC              float64                      `json:"roc_auc"`
	AUCSE            float64                      `json:"auc_delong_se"`
	AUCInterval      [2]float64                   `json:"auc_delong_ci"`
	LogLoss          float64                      `json:"log_loss"`
	Brier            float64                      `json:"brier"`
	ECE              float64                      `json:"ece"`
	Exact            [2]float64                   `json:"accuracy_clopper_pearson"`
	Fairness         map[string]referenceFairness `json:"fairness"`
}

// binarySets are the score files of two classes with the columns of their groups.
var binarySets = map[string][]string{
	"adult_test_lr": {"sex", "race"}, "adult_test_tree": {"sex", "race"}, "compas_test_lr": {"race", "sex"},
}

func TestBinaryReportIsThatOfStats(t *testing.T) {
	for name, columns := range binarySets {
		t.Run(name, func(t *testing.T) {
			p := binaryPredictions(t, name, columns...)
			got, err := evaluation.Evaluate(p, evaluation.Options{Seed: 42, Slices: columns})
			require.NoError(t, err)
			s := stats.Sample{Score: p.Score}
			for _, y := range p.Y {
				s.Y = append(s.Y, y == 1)
			}
			opt := stats.Options{Threshold: 0.5, Seed: 42}
			want, err := stats.Evaluate(s, opt)
			require.NoError(t, err)
			require.Equal(t, want, *got.Overall.Binary)
			require.Nil(t, got.Comparison)

			var slices []stats.Slice
			for _, column := range columns {
				of, err := stats.EvaluateSlices(s, column, p.Groups[column], opt)
				require.NoError(t, err)
				slices = append(slices, of...)
			}
			require.Len(t, got.Slices, len(slices))
			for k, slice := range slices {
				require.Equal(t, slice.Attribute, got.Slices[k].Column)
				require.Equal(t, slice.Group, got.Slices[k].Group)
				require.Equal(t, slice.Report, *got.Slices[k].Binary)
			}
		})
	}
}

func measure(t testing.TB, s *evaluation.Source, u gate.Unit, tail float64) gate.Measurement {
	t.Helper()
	m, err := s.Measure(u, tail)
	require.NoError(t, err, "%s", u)
	return m
}

// candidate is a metric of the new model on the groups given as column and value in turn; a column alone is one to compare.
func candidate(metric string, groups ...string) gate.Quantity {
	q := gate.Quantity{Which: gate.New, Metric: metric}
	if metric == stats.Disagreement {
		q.Which = gate.Both
	}
	if len(groups) == 1 {
		q.Slice.Parts = []gate.Part{{Column: groups[0]}}
		return q
	}
	for k := 0; k+1 < len(groups); k += 2 {
		q.Slice.Parts = append(q.Slice.Parts, gate.Part{Column: groups[k], Value: groups[k+1], HasValue: true})
	}
	return q
}

func unit(metric string, groups ...string) gate.Unit {
	return gate.Unit{Quantity: candidate(metric, groups...)}
}

// newLessOld is the difference of a metric between the candidate and the champion.
func newLessOld(metric string, groups ...string) gate.Unit {
	q, minus := candidate(metric, groups...), candidate(metric, groups...)
	minus.Which = gate.Old
	return gate.Unit{Quantity: q, Minus: &minus}
}

func TestBinaryMeasurementsAgreeWithReference(t *testing.T) {
	for name, columns := range binarySets {
		t.Run(name, func(t *testing.T) {
			var want referenceBinary
			reference(t, name, &want)
			s, err := evaluation.NewSource(binaryPredictions(t, name, columns...), evaluation.SourceOptions{Seed: 1})
			require.NoError(t, err)
			for metric, value := range map[string]float64{
				stats.Accuracy: want.Accuracy, stats.Precision: want.Precision, stats.Recall: want.Recall,
				stats.Specificity: want.Specificity, stats.F1: want.F1, stats.BalancedAccuracy: want.BalancedAccuracy,
				stats.MCC: want.MCC, stats.AreaUnderROC: want.AUC, stats.LogLoss: want.LogLoss, stats.Brier: want.Brier,
				stats.ECE: want.ECE, stats.FPR: 1 - want.Specificity, stats.FNR: 1 - want.Recall,
			} {
				m := measure(t, s, unit(metric), 0.025)
				require.InDelta(t, value, m.Value, tolerance, metric)
				require.Less(t, m.Low, m.Value, metric)
				require.Greater(t, m.High, m.Value, metric)
			}
			exact := measure(t, s, unit(stats.Accuracy), 0.025)
			require.InDelta(t, want.Exact[0], exact.Low, tolerance)
			require.InDelta(t, want.Exact[1], exact.High, tolerance)
			// The same variance on the scale of the log odds: both ends there are as far from the value as the published ones here.
			auc := measure(t, s, unit(stats.AreaUnderROC), 0.025)
			odds := func(a float64) float64 { return math.Log(a / (1 - a)) }
			half := (want.AUCInterval[1] - want.AUCInterval[0]) / 2 / (want.AUC * (1 - want.AUC))
			require.InDelta(t, odds(want.AUC)-half, odds(auc.Low), 1e-7)
			require.InDelta(t, odds(want.AUC)+half, odds(auc.High), 1e-7)
		})
	}
}

func TestGroupMeasurementsAgreeWithReference(t *testing.T) {
	for name, columns := range binarySets {
		t.Run(name, func(t *testing.T) {
			var want referenceBinary
			reference(t, name, &want)
			s, err := evaluation.NewSource(binaryPredictions(t, name, columns...), evaluation.SourceOptions{Seed: 1})
			require.NoError(t, err)
			value := func(u gate.Unit) float64 { return measure(t, s, u, 0.025).Value }
			for column, f := range want.Fairness {
				if column != columns[0] && column != columns[1] {
					continue
				}
				for group, g := range f.Groups {
					require.Equal(t, g.N, measure(t, s, unit(stats.Accuracy, column, group), 0.025).N)
					for metric, v := range map[string]float64{
						stats.Accuracy: g.Accuracy, stats.SelectionRate: g.Selection, stats.Recall: g.TPR, stats.FPR: g.FPR,
						stats.Brier: g.Brier, stats.ECE: g.ECE,
					} {
						require.InDelta(t, v, value(unit(metric, column, group)), tolerance, "%s of %s", metric, group)
					}
					if g.AUC != nil {
						require.InDelta(t, *g.AUC, value(unit(stats.AreaUnderROC, column, group)), tolerance)
					}
				}
				for metric, v := range map[string]float64{
					"demographic_parity_difference": f.DemographicParityDifference,
					"demographic_parity_ratio":      f.DemographicParityRatio,
					"equalized_odds_difference":     f.EqualizedOddsDifference,
					"equalized_odds_ratio":          f.EqualizedOddsRatio,
					"equal_opportunity_difference":  f.TPRDifference,
				} {
					require.InDelta(t, v, value(unit(metric, column)), tolerance, "%s[%s]", metric, column)
				}
			}
		})
	}
}

func TestComparisonAgreesWithReference(t *testing.T) {
	var want struct {
		NewOnly    int     `json:"lr_right_tree_wrong"`
		OldOnly    int     `json:"lr_wrong_tree_right"`
		ChiSquared float64 `json:"chi2_cc"`
		P          float64 `json:"p_cc"`
		ExactP     float64 `json:"p_exact"`
		Difference float64 `json:"accuracy_difference"`
	}
	reference(t, "adult_lr_vs_tree_mcnemar", &want)
	var lr, tree referenceBinary
	reference(t, "adult_test_lr", &lr)
	reference(t, "adult_test_tree", &tree)

	old := binaryPredictions(t, "adult_test_tree")
	p, err := binaryPredictions(t, "adult_test_lr").WithChampion(old.Row, old.Score)
	require.NoError(t, err)
	got, err := evaluation.Evaluate(p, evaluation.Options{})
	require.NoError(t, err)

	c := got.Comparison
	require.Equal(t, want.NewOnly, c.Right.OnlyCandidate)
	require.Equal(t, want.OldOnly, c.Right.OnlyChampion)
	require.Equal(t, len(p.Row), c.Right.Both+c.Right.Neither+want.NewOnly+want.OldOnly)
	require.InDelta(t, want.ChiSquared, c.Right.McNemar.ChiSquared, tolerance)
	require.InDelta(t, want.P, c.Right.McNemar.P, tolerance)
	require.InDelta(t, want.ExactP, c.Right.McNemar.ExactP, tolerance)
	require.InDelta(t, float64(want.NewOnly+want.OldOnly)/float64(len(p.Row)), c.Disagreement.Value, tolerance)
	require.Equal(t, want.NewOnly+want.OldOnly, c.Answers[0][1]+c.Answers[1][0])
	difference := map[string]float64{
		stats.Accuracy: want.Difference, stats.AreaUnderROC: lr.AUC - tree.AUC, stats.LogLoss: lr.LogLoss - tree.LogLoss,
		stats.Brier: lr.Brier - tree.Brier, stats.ECE: lr.ECE - tree.ECE, stats.F1: lr.F1 - tree.F1, stats.MCC: lr.MCC - tree.MCC,
		stats.Precision: lr.Precision - tree.Precision, stats.Recall: lr.Recall - tree.Recall,
	}
	champion, _ := c.Champion.Metric(stats.Accuracy)
	require.InDelta(t, tree.Accuracy, champion.Value, tolerance)
	for _, m := range c.Differences {
		require.True(t, m.Defined(), m.Name)
		if v, ok := difference[m.Name]; ok {
			require.InDelta(t, v, m.Value, tolerance, m.Name)
			require.Less(t, m.Low, m.Value, m.Name)
			require.Greater(t, m.High, m.Value, m.Name)
		}
	}
	require.Len(t, c.Differences, len(stats.MetricNames()))
}

// digits are predictions of ten classes.
func digits(t testing.TB) evaluation.Predictions {
	t.Helper()
	columns := scoreFile(t, "digits_test_lr_scores.csv")
	p := evaluation.Predictions{Task: stats.Multiclass, Row: rowNumbers(t, columns["row"]), Y: numbers(t, columns["y"])}
	scores := make([][]float64, 10)
	for k := range scores {
		p.Classes = append(p.Classes, strconv.Itoa(k))
		scores[k] = numbers(t, columns["p"+strconv.Itoa(k)])
	}
	for i := range p.Row {
		for k := range scores {
			p.Score = append(p.Score, scores[k][i])
		}
	}
	return p
}

func TestMulticlassAgreesWithReference(t *testing.T) {
	var want struct {
		N              int       `json:"n"`
		Accuracy       float64   `json:"accuracy"`
		Confusion      [][]int   `json:"confusion"`
		F1Macro        float64   `json:"f1_macro"`
		F1Weighted     float64   `json:"f1_weighted"`
		PrecisionMacro float64   `json:"precision_macro"`
		RecallMacro    float64   `json:"recall_macro"`
		F1             []float64 `json:"f1_per_class"`
		LogLoss        float64   `json:"log_loss_not_renormalised"`
		Brier          float64   `json:"brier_multiclass_sum"`
		AUC            float64   `json:"roc_auc_ovr_macro"`
		ECE            float64   `json:"ece_confidence_10bins"`
		MCC            float64   `json:"mcc"`
		Kappa          float64   `json:"cohen_kappa"`
		Top2           float64   `json:"top2_accuracy"`
	}
	reference(t, "digits_test_lr", &want)
	p := digits(t)
	got, err := evaluation.Evaluate(p, evaluation.Options{Seed: 1})
	require.NoError(t, err)
	s, err := evaluation.NewSource(p, evaluation.SourceOptions{Seed: 1})
	require.NoError(t, err)

	require.Equal(t, want.N, got.Overall.Multiclass.N)
	require.Equal(t, want.Confusion, got.Overall.Multiclass.Confusion)
	values := map[string]float64{
		stats.Accuracy: want.Accuracy, stats.F1Macro: want.F1Macro, stats.F1Weighted: want.F1Weighted,
		stats.PrecisionMacro: want.PrecisionMacro, stats.RecallMacro: want.RecallMacro, stats.BalancedAccuracy: want.RecallMacro,
		stats.LogLoss: want.LogLoss, stats.Brier: want.Brier, stats.AUCMacro: want.AUC, stats.ECE: want.ECE, stats.MCC: want.MCC,
		stats.Kappa: want.Kappa, stats.Top2Accuracy: want.Top2,
	}
	require.Len(t, values, len(stats.MulticlassMetricNames()))
	for metric, value := range values {
		e, ok := got.Overall.Metric(metric)
		require.True(t, ok, metric)
		m := measure(t, s, unit(metric), 0.025)
		for _, e := range []stats.Estimate{e, m.Estimate} {
			require.InDelta(t, value, e.Value, tolerance, metric)
			require.Less(t, e.Low, e.Value, metric)
			require.Greater(t, e.High, e.Value, metric)
		}
		require.Equal(t, m.Guaranteed, m.Assumption == "", metric)
		require.Greater(t, m.RowsFor((m.High-m.Low)/4), want.N, metric)
	}
	for k, f1 := range want.F1 {
		e, ok := got.Overall.Multiclass.Class(p.Classes[k], stats.F1)
		require.True(t, ok)
		require.InDelta(t, f1, e.Value, tolerance)
		q := candidate(stats.F1)
		q.Class, q.HasClass = p.Classes[k], true
		require.InDelta(t, f1, measure(t, s, gate.Unit{Quantity: q}, 0.025).Value, tolerance)
	}
}

func TestRegressionAgreesWithReference(t *testing.T) {
	var want struct {
		N         int     `json:"n"`
		MAE       float64 `json:"mae"`
		RMSE      float64 `json:"rmse"`
		R2        float64 `json:"r2"`
		MeanError float64 `json:"mean_error"`
	}
	reference(t, "bike_2012_ols", &want)
	columns := scoreFile(t, "bike_2012_ols_pred.csv")
	p := evaluation.Predictions{
		Task: stats.Regression, Row: rowNumbers(t, columns["instant"]), Y: numbers(t, columns["y"]), Score: numbers(t, columns["pred"]),
	}
	got, err := evaluation.Evaluate(p, evaluation.Options{Seed: 1})
	require.NoError(t, err)
	s, err := evaluation.NewSource(p, evaluation.SourceOptions{Seed: 1})
	require.NoError(t, err)
	require.Equal(t, want.N, got.Overall.Regression.N)
	for metric, value := range map[string]float64{
		stats.MAE: want.MAE, stats.RMSE: want.RMSE, stats.R2: want.R2,
		stats.MeanError: -want.MeanError, // the reference takes truth less prediction
	} {
		e, ok := got.Overall.Metric(metric)
		require.True(t, ok, metric)
		for _, e := range []stats.Estimate{e, measure(t, s, unit(metric), 0.025).Estimate} {
			require.InDelta(t, value, e.Value, tolerance*max(1, math.Abs(value)), metric)
			require.Less(t, e.Low, e.Value, metric)
			require.Greater(t, e.High, e.Value, metric)
		}
	}
	r := got.Overall.Regression
	require.InDelta(t, -want.MeanError, r.Residuals.Mean, tolerance*want.MeanError)
	require.Len(t, r.Calibration, 10)
	n := 0
	for _, d := range r.Calibration {
		n += d.N
		require.GreaterOrEqual(t, d.MeanPredicted, d.Low)
		require.LessOrEqual(t, d.MeanPredicted, d.High)
	}
	require.Equal(t, want.N, n)
}
