// Package people draws predictions about people, who belong to groups of three columns that are treated unlike. The same
// number of rows and the same seed give the same predictions.
package people

import (
	"math"
	"math/rand/v2"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/stats"
)

// Columns are the protected columns, of 2, 5 and 7 groups.
func Columns() []string { return []string{"sex", "race", "age"} }

// Groups are the groups of a column, in order; none of a column that there is not.
func Groups(column string) []string {
	switch column {
	case "sex":
		return []string{"female", "male"}
	case "race":
		return []string{"a", "b", "c", "d", "e"}
	case "age":
		return []string{"10s", "20s", "30s", "40s", "50s", "60s", "70s"}
	}
	return nil
}

// Threshold from which on a score means a positive prediction.
const Threshold = 0.5

// Predictions draws n rows of two classes, about two in five of them positive. Scores lie in [0.001, 0.999] and are too sure of
// themselves; groups are unlike in size, in scores and in how the scores are off.
func Predictions(n int, seed uint64) evaluation.Predictions {
	r := rand.New(rand.NewPCG(seed, 1))
	p := evaluation.Predictions{
		Task: stats.Binary, Threshold: Threshold,
		Row: make([]int64, n), Y: make([]float64, n), Score: make([]float64, n), Groups: map[string][]string{},
	}
	codes := make([][]uint8, 3)
	for k, column := range Columns() {
		codes[k] = make([]uint8, n)
		names, groups := make([]string, n), Groups(column)
		for i := range n {
			code := min(r.IntN(len(groups)), r.IntN(len(groups)+k))
			codes[k][i], names[i] = uint8(code), groups[code]
		}
		p.Groups[column] = names
	}
	for i := range n {
		sex, race, age := float64(codes[0][i]), float64(codes[1][i]), float64(codes[2][i])
		p.Row[i] = int64(i)
		p.Score[i] = 0.001 + 0.998*math.Pow(r.Float64(), 1+0.3*sex+0.1*race)
		if r.Float64() < 0.1+0.02*age+0.7*p.Score[i] {
			p.Y[i] = 1
		}
	}
	return p
}

// WithChampion adds the answers of a model that differs on about one row in twelve.
func WithChampion(p evaluation.Predictions, seed uint64) evaluation.Predictions {
	r := rand.New(rand.NewPCG(seed, 2))
	p.Old = make([]float64, p.N())
	for i, score := range p.Score {
		p.Old[i] = min(max(score+0.4*(r.Float64()-0.5), 0), 1)
	}
	return p
}
