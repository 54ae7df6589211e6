package explain

import (
	"fmt"
	"math"

	"github.com/assay-ml/assay/internal/stats"
)

// quality is how good scores are, by the measures of the model's task.
type quality struct {
	auc      stats.Estimate
	logLoss  float64
	accuracy float64
	rmse     float64
}

// truth is what is known of rows.
type truth interface {
	task() stats.Task
	rows() int
	of(rows []int) truth                       // some of the rows, in the order given
	quality(scores []float64) (quality, error) // of the predictions for all rows
	shown() string                             // what is measured, for a person
}

type binaryTruth []bool

func (binaryTruth) task() stats.Task { return stats.Binary }
func (y binaryTruth) rows() int      { return len(y) }
func (y binaryTruth) of(rows []int) truth {
	return binaryTruth(pick(y, rows))
}
func (binaryTruth) shown() string {
	return "the mean fall of the AUC and the mean rise of the log-loss"
}

func (y binaryTruth) quality(scores []float64) (quality, error) {
	s := stats.Sample{Y: y, Score: scores}
	if err := s.Validate(); err != nil {
		return quality{}, err
	}
	sum := 0.0
	for i, positive := range s.Y {
		p := clipped(s.Score[i])
		if !positive {
			p = 1 - p
		}
		sum -= math.Log(p)
	}
	return quality{auc: stats.AUC(s, Level), logLoss: sum / float64(s.N())}, nil
}

// classTruth is the rows' classes, as indices.
type classTruth struct {
	y       []int32
	classes int
}

func (classTruth) task() stats.Task { return stats.Multiclass }
func (y classTruth) rows() int      { return len(y.y) }
func (y classTruth) of(rows []int) truth {
	return classTruth{pick(y.y, rows), y.classes}
}
func (classTruth) shown() string {
	return "the mean fall of the accuracy and the mean rise of the log-loss"
}

func (y classTruth) quality(scores []float64) (quality, error) {
	s := stats.MulticlassSample{Classes: y.classes, Y: y.y, Score: scores}
	if err := s.Validate(); err != nil {
		return quality{}, err
	}
	right, sum := 0, 0.0
	for i, class := range s.Y {
		if stats.MostProbable(s.Row(i)) == int(class) {
			right++
		}
		sum -= math.Log(clipped(s.Row(i)[class]))
	}
	n := float64(s.N())
	return quality{accuracy: float64(right) / n, logLoss: sum / n}, nil
}

// numberTruth is the rows' true numbers.
type numberTruth []float64

func (numberTruth) task() stats.Task { return stats.Regression }
func (y numberTruth) rows() int      { return len(y) }
func (y numberTruth) of(rows []int) truth {
	return numberTruth(pick(y, rows))
}
func (numberTruth) shown() string { return "the mean rise of the root mean squared error" }

func (y numberTruth) quality(predicted []float64) (quality, error) {
	if len(predicted) != len(y) {
		return quality{}, fmt.Errorf("the sample has %d numbers and %d predictions; expected one per row", len(y), len(predicted))
	}
	sum := 0.0
	for i, x := range predicted {
		d := x - y[i]
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return quality{}, fmt.Errorf("row %d: the prediction or the truth is not a finite number", i)
		}
		sum += d * d
	}
	if math.IsInf(sum, 0) {
		return quality{}, fmt.Errorf("the squared errors are too large to be added; predict in larger units")
	}
	return quality{rmse: math.Sqrt(sum / float64(len(y)))}, nil
}

func pick[T any](values []T, rows []int) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = values[r]
	}
	return out
}

// smallest keeps the log-loss of a certain and wrong score finite; the usual clip of scikit-learn 1.2.
const smallest = 1e-15

func clipped(p float64) float64 { return min(max(p, smallest), 1-smallest) }
