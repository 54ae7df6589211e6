package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// RegressionSample is what a model predicted of examples whose number is known.
type RegressionSample struct {
	Y         []float64
	Predicted []float64
}

// N is the number of rows.
func (s RegressionSample) N() int { return len(s.Y) }

// Validate reports the first row that cannot be evaluated.
func (s RegressionSample) Validate() error {
	if len(s.Y) != len(s.Predicted) {
		return fmt.Errorf("the sample has %d labels and %d predictions; expected one of each per row", len(s.Y), len(s.Predicted))
	}
	for i := range s.Y {
		for _, v := range []float64{s.Y[i], s.Predicted[i]} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("row %d: the label or the prediction is no finite number; check the target's column and the model's predictions", i)
			}
		}
	}
	return nil
}

// RegressionMetricNames lists the metrics in the order of RegressionReport.Metrics.
func RegressionMetricNames() []string { return []string{RMSE, MAE, R2, MeanError} }

// RegressionReport is a sample of numbers evaluated.
type RegressionReport struct {
	N           int       `json:"n"`
	Metrics     []Metric  `json:"metrics"` // in the order of RegressionMetricNames
	Residuals   Residuals `json:"residuals"`
	Calibration []Decile  `json:"calibration,omitempty"` // at most 10, by the prediction
}

// Metric finds an estimate by the metric's name.
func (r RegressionReport) Metric(name string) (Estimate, bool) {
	return Report{Metrics: r.Metrics}.Metric(name)
}

// Residuals sum up prediction minus truth, in the target's units. All are zero without rows.
type Residuals struct {
	Mean      float64    `json:"mean"`
	SD        float64    `json:"sd"` // with n-1
	Quantiles []Quantile `json:"quantiles,omitempty"`
	TruthMean float64    `json:"truth_mean"` // of the target, to compare the residuals with
	TruthSD   float64    `json:"truth_sd"`
}

// Quantile is the value that the given share of the values does not exceed, interpolated between neighbours.
type Quantile struct {
	Share float64 `json:"share"`
	Value float64 `json:"value"`
}

// Decile compares prediction with truth among the rows whose prediction lies in [Low, High]. Rows of equal predictions stay
// together, so there may be fewer than ten.
type Decile struct {
	Low           float64  `json:"low"`
	High          float64  `json:"high"`
	N             int      `json:"n"`
	MeanPredicted float64  `json:"mean_predicted"`
	MeanY         Estimate `json:"mean_y"` // Student's t
}

// EvaluateRegression computes every metric of a sample of numbers, with intervals, its residuals and its calibration.
//
// Intervals: Student's t for the means mae and mean_error; BCa (Efron, 1987) for rmse and r2. An R2 of a constant truth is
// undefined.
func EvaluateRegression(s RegressionSample, opt Options) (RegressionReport, error) {
	opt, err := opt.Resolve()
	if err == nil {
		err = s.Validate()
	}
	if err != nil {
		return RegressionReport{}, fmt.Errorf("evaluate predicted numbers: %w", err)
	}
	residuals, absolute := make([]float64, s.N()), make([]float64, s.N())
	for i, y := range s.Y {
		residuals[i] = s.Predicted[i] - y
		absolute[i] = math.Abs(residuals[i])
	}
	return RegressionReport{
		N: s.N(),
		Metrics: []Metric{
			{RMSE, rmseEstimate(s, opt)},
			{MAE, meanEstimate(absolute, opt.Level, 0, math.Inf(1))},
			{R2, r2Estimate(s, opt)},
			{MeanError, meanEstimate(residuals, opt.Level, math.Inf(-1), math.Inf(1))},
		},
		Residuals:   summarise(residuals, s.Y),
		Calibration: deciles(s, opt.Level),
	}, nil
}

func summarise(residuals, truth []float64) Residuals {
	if len(residuals) == 0 {
		return Residuals{}
	}
	var r Residuals
	r.Mean, r.SD = meanAndSD(residuals)
	r.TruthMean, r.TruthSD = meanAndSD(truth)
	sorted := slices.Sorted(slices.Values(residuals))
	for _, share := range []float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99} {
		r.Quantiles = append(r.Quantiles, Quantile{share, quantile(sorted, share)})
	}
	return r
}

func meanAndSD(values []float64) (mean, sd float64) {
	for _, v := range values {
		mean += v
	}
	n := float64(len(values))
	mean /= n
	squares := 0.0
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	if n > 1 {
		sd = math.Sqrt(squares / (n - 1))
	}
	return mean, sd
}

func deciles(s RegressionSample, level float64) []Decile {
	order := make([]int, s.N())
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.Predicted[a], s.Predicted[b]) })
	var out []Decile
	for start, k := 0, 1; start < len(order); {
		for k*len(order)/10 <= start {
			k++
		}
		end := k * len(order) / 10
		for end < len(order) && s.Predicted[order[end]] == s.Predicted[order[end-1]] {
			end++
		}
		d := Decile{Low: s.Predicted[order[start]], High: s.Predicted[order[end-1]], N: end - start}
		truth := make([]float64, 0, d.N)
		for _, i := range order[start:end] {
			d.MeanPredicted += s.Predicted[i] / float64(d.N)
			truth = append(truth, s.Y[i])
		}
		d.MeanY = meanEstimate(truth, level, math.Inf(-1), math.Inf(1))
		out = append(out, d)
		start = end
	}
	return out
}
