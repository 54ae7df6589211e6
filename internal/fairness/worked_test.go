package fairness_test

import (
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

// group appends rows of one group given as its confusion matrix.
func group(s *stats.Sample, a *fairness.Column, name string, c stats.Confusion) {
	add := func(n int, y bool, score float64) {
		for range n {
			s.Y, s.Score, a.Groups = append(s.Y, y), append(s.Score, score), append(a.Groups, name)
		}
	}
	add(c.TP, true, 0.9)
	add(c.FN, true, 0.1)
	add(c.FP, false, 0.9)
	add(c.TN, false, 0.1)
}

func worked() (stats.Sample, fairness.Column) {
	var s stats.Sample
	a := fairness.Column{Name: "sex"}
	group(&s, &a, "Male", stats.Confusion{TP: 30, FN: 20, FP: 10, TN: 40}) // selection .40, TPR .6, FPR .2
	group(&s, &a, "Female", stats.Confusion{TP: 8, FN: 12, FP: 4, TN: 76}) // selection .12, TPR .4, FPR .05
	group(&s, &a, "Unknown", stats.Confusion{TP: 5, FN: 5, FP: 2, TN: 8})  // selection .35, TPR .5, FPR .2
	return s, a
}
