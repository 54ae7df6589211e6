// Package lattice draws logistic regressions on whole numbers, whose Shapley values are known exactly for any number of
// features. The same sizes and the same seed give the same model and rows.
package lattice

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/integrate/quad"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// step is what the effects on the log-odds are multiples of.
const step = 1.0 / 32

// Draw gives a model of so many features and so many rows for it: whole numbers from -3 to 3, coefficients from -5 to 5
// times 1/32, none missing.
func Draw(features, rows int, seed uint64) (*model.Logistic, *table.Frame) {
	r := rand.New(rand.NewPCG(seed, 1))
	m := &model.Logistic{Kind: model.KindLogistic, Format: model.LogisticFormat, Intercept: r.NormFloat64() / 2,
		Inputs: model.Schema{Target: "y", Positive: "1", Negative: "0"}}
	f := &table.Frame{Rows: rows}
	for j := range features {
		name := fmt.Sprintf("x%03d", j)
		m.Inputs.Features = append(m.Inputs.Features, model.Feature{Name: name, Kind: table.Numeric})
		m.Terms = append(m.Terms, model.Term{Numeric: &model.NumericTerm{SD: 1, Coefficient: step * float64(r.IntN(11)-5)}})
		c := table.Column{Name: name, Kind: table.Numeric, Numbers: make([]float64, rows)}
		for i := range c.Numbers {
			c.Numbers[i] = float64(min(max(int(math.Round(1.2*r.NormFloat64())), -3), 3))
		}
		f.Columns = append(f.Columns, c)
	}
	return m, f
}

// First are the first n rows of f, which Draw gave.
func First(f *table.Frame, n int) *table.Frame {
	out := &table.Frame{Rows: n}
	for _, c := range f.Columns {
		c.Numbers = c.Numbers[:n]
		out.Columns = append(out.Columns, c)
	}
	return out
}

// Exact are the Shapley values in probability of a row of f against background, one a feature: the integral over q from 0 to 1
// of the mean change of the score when the feature joins a set that each other feature is in with probability q (Owen 1972,
// Multilinear extensions of games). Effects lie on a grid, so the distribution of the set's sum is found by adding features
// one by one. The integral is by eight Gauss-Legendre nodes. m, f and background are of one Draw.
func Exact(m *model.Logistic, f, background *table.Frame, row int) []float64 {
	const nodes = 8
	at, weight := make([]float64, nodes), make([]float64, nodes)
	quad.Legendre{}.FixedLocations(at, weight, 0, 1)
	phi, moves := make([]float64, len(m.Terms)), make([]int, len(m.Terms))
	for b := range background.Rows {
		start, low, high := m.Intercept, 0, 0
		for j, t := range m.Terms {
			x := background.Columns[j].Numbers[b]
			start += t.Numeric.Coefficient * x
			moves[j] = int(math.Round(t.Numeric.Coefficient * (f.Columns[j].Numbers[row] - x) / step))
			low, high = low+min(moves[j], 0), high+max(moves[j], 0)
		}
		w := walk{moves: moves, low: low, size: high - low + 1, start: start}
		for k, q := range at {
			w.add(phi, q, weight[k]/float64(background.Rows))
		}
	}
	return phi
}

// walk is from one background row to the row: a sum of moves, z of them steps from start, with z from low on.
type walk struct {
	moves     []int
	low, size int
	start     float64 // log-odds of the background row
}

// add adds to phi the mean changes when each feature is in the set with probability q.
func (w walk) add(phi []float64, q, weight float64) {
	within := func(z int) int { return min(max(z, 0), w.size-1) } // sums beyond have no probability
	// ahead[j][z] is the mean score when the sum is z before feature j joins or not, and all after it.
	ahead := make([][]float64, len(w.moves)+1)
	for j := len(w.moves); j >= 0; j-- {
		ahead[j] = make([]float64, w.size)
		for z := range ahead[j] {
			if j == len(w.moves) {
				ahead[j][z] = model.Sigmoid(w.start + step*float64(z+w.low))
			} else {
				ahead[j][z] = (1-q)*ahead[j+1][z] + q*ahead[j+1][within(z+w.moves[j])]
			}
		}
	}
	sums := make([]float64, w.size)
	sums[-w.low] = 1
	for j, move := range w.moves {
		next := make([]float64, w.size)
		for z, p := range sums {
			if p > 0 {
				phi[j] += weight * p * (ahead[j+1][z+move] - ahead[j+1][z])
				next[z] += (1 - q) * p
				next[z+move] += q * p
			}
		}
		sums = next
	}
}

// MeanError is the mean absolute difference of two tables of as many numbers.
func MeanError(values, exact [][]float64) float64 {
	sum, n := 0.0, 0
	for i := range exact {
		for j, want := range exact[i] {
			sum, n = sum+math.Abs(values[i][j]-want), n+1
		}
	}
	return sum / float64(max(n, 1))
}

// MeanSize is the mean absolute number of a table.
func MeanSize(values [][]float64) float64 {
	nothing := make([][]float64, len(values))
	for i := range values {
		nothing[i] = make([]float64, len(values[i]))
	}
	return MeanError(nothing, values)
}
