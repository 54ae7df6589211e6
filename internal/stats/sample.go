package stats

import (
	"fmt"
	"math"
)

// Sample is what a classifier said about examples whose truth is known: row i has label Y[i] (true is the
// positive class) and Score[i], the model's probability of the positive class, in [0, 1].
type Sample struct {
	Y     []bool
	Score []float64
	Cut   []float64 // the score from which each row is predicted positive; nil: the same threshold for all rows
}

// Predicted reports whether row i is predicted positive: iff its score is at least its own cut, or the threshold.
func (s Sample) Predicted(i int, threshold float64) bool {
	if s.Cut != nil {
		threshold = s.Cut[i]
	}
	return s.Score[i] >= threshold
}

// N is the number of rows.
func (s Sample) N() int { return len(s.Y) }

// Subset is the sample of the given rows, in the given order; a row may be named more than once.
// It panics, as slicing does, when an index is out of range.
func (s Sample) Subset(index []int) Sample {
	sub := Sample{Y: make([]bool, len(index)), Score: make([]float64, len(index))}
	for k, i := range index {
		sub.Y[k], sub.Score[k] = s.Y[i], s.Score[i]
	}
	if s.Cut != nil {
		sub.Cut = make([]float64, len(index))
		for k, i := range index {
			sub.Cut[k] = s.Cut[i]
		}
	}
	return sub
}

// Validate reports the first row that cannot be evaluated: labels and scores of unequal number, or a score that is
// not a number in [0, 1].
func (s Sample) Validate() error {
	if len(s.Y) != len(s.Score) {
		return fmt.Errorf("the sample has %d labels and %d scores; expected one of each per row", len(s.Y), len(s.Score))
	}
	if s.Cut != nil && len(s.Cut) != len(s.Y) {
		return fmt.Errorf("the sample has %d labels and %d cuts; expected a cut for every row, or none", len(s.Y), len(s.Cut))
	}
	for i, p := range s.Score {
		if math.IsNaN(p) || p < 0 || p > 1 {
			return fmt.Errorf("row %d: the score is %g; expected a probability between 0 and 1: check the model's predictions", i, p)
		}
	}
	return nil
}

func (s Sample) positives() int {
	n := 0
	for _, y := range s.Y {
		if y {
			n++
		}
	}
	return n
}

// Confusion counts rows by truth and prediction.
type Confusion struct {
	TP int `json:"tp"` // positive, predicted positive
	FP int `json:"fp"` // negative, predicted positive
	FN int `json:"fn"` // positive, predicted negative
	TN int `json:"tn"` // negative, predicted negative
}

// Confuse counts the sample's rows; see Predicted.
func Confuse(s Sample, threshold float64) Confusion {
	var c Confusion
	for i, y := range s.Y {
		switch predicted := s.Predicted(i, threshold); {
		case y && predicted:
			c.TP++
		case predicted:
			c.FP++
		case y:
			c.FN++
		default:
			c.TN++
		}
	}
	return c
}

// N is the number of rows counted.
func (c Confusion) N() int { return c.TP + c.FP + c.FN + c.TN }

// Positives is the number of rows whose label is positive.
func (c Confusion) Positives() int { return c.TP + c.FN }

// Negatives is the number of rows whose label is negative.
func (c Confusion) Negatives() int { return c.FP + c.TN }

// Predicted is the number of rows predicted positive.
func (c Confusion) Predicted() int { return c.TP + c.FP }
