package stats

import (
	"cmp"
	"math"
	"slices"
)

// Bins is the number of equal-width score bins of the calibration curve and of ECE.
const Bins = 10

// mostROCPoints keeps a curve drawable and its JSON small.
const mostROCPoints = 200

// Point is one point of the ROC curve: the rates when scores at or above the threshold are predicted positive.
// The first point has a threshold above 1, which no score reaches.
type Point struct {
	Threshold float64 `json:"threshold"`
	FPR       float64 `json:"fpr"`
	TPR       float64 `json:"tpr"`
}

// Bin is one bar of the calibration curve: the rows whose score lies in [Low, High), the last bin closed.
// In an empty bin MeanScore is zero and MeanY undefined.
type Bin struct {
	Low       float64  `json:"low"`
	High      float64  `json:"high"`
	N         int      `json:"n"`
	MeanScore float64  `json:"mean_score"`
	MeanY     Estimate `json:"mean_y"` // share of positives, with its Wilson interval
}

// binOf is the bin of a score in [0, 1]: min(floor(10 score), 9).
func binOf(score float64) int { return min(int(score*Bins), Bins-1) }

// calibration is the reliability diagram's data (Niculescu-Mizil and Caruana, 2005).
func calibration(s Sample, level float64) []Bin {
	var n, positives [Bins]int
	var score [Bins]float64
	for i, p := range s.Score {
		k := binOf(p)
		n[k]++
		score[k] += p
		if s.Y[i] {
			positives[k]++
		}
	}
	bins := make([]Bin, Bins)
	for k := range bins {
		bins[k] = Bin{
			Low: float64(k) / Bins, High: float64(k+1) / Bins, N: n[k],
			MeanY: Proportion(positives[k], n[k], level, "no scores in this bin"),
		}
		if n[k] > 0 {
			bins[k].MeanScore = score[k] / float64(n[k])
		}
	}
	return bins
}

// expectedCalibrationError is sum_k n_k/N |mean y - mean score| over the bins (Naeini, Cooper and Hauskrecht, 2015),
// from each bin's sum of y - score: the n_k cancel.
func expectedCalibrationError(excess *[Bins]float64, n int) float64 {
	sum := 0.0
	for _, e := range excess {
		sum += math.Abs(e)
	}
	return sum / float64(n)
}

// rocCurve goes from (0, 0) to (1, 1) over the distinct scores, thinned to at most 200 points evenly spaced along the
// curve. It is empty when a class is absent.
func rocCurve(s Sample) []Point {
	m := s.positives()
	n := s.N() - m
	if m == 0 || n == 0 {
		return nil
	}
	order := make([]int, s.N())
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.Score[b], s.Score[a]) })

	points := []Point{{Threshold: 1 + s.Score[order[0]]}}
	tp, fp := 0, 0
	for k, i := range order {
		if s.Y[i] {
			tp++
		} else {
			fp++
		}
		if k+1 == len(order) || s.Score[order[k+1]] != s.Score[i] {
			points = append(points, Point{
				Threshold: s.Score[i], FPR: float64(fp) / float64(n), TPR: float64(tp) / float64(m),
			})
		}
	}
	return thin(points)
}

// thin keeps the ends and, between them, the first point past each of equal steps along the curve's length FPR + TPR,
// which runs from 0 to 2.
func thin(points []Point) []Point {
	if len(points) <= mostROCPoints {
		return points
	}
	const step = 2.0 / (mostROCPoints - 1)
	kept := points[:1:1]
	for _, p := range points[1 : len(points)-1] {
		if p.FPR+p.TPR >= float64(len(kept))*step && len(kept) < mostROCPoints-1 {
			kept = append(kept, p)
		}
	}
	return append(kept, points[len(points)-1])
}
