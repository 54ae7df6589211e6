package naivebayes

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// linear is least squares by the normal equations, on the numeric columns brought to mean 0 and standard deviation 1. A
// missing value counts as the mean.
type linear struct {
	Columns []scaled  `json:"columns"`
	Rows    float64   `json:"rows"`
	Sum     float64   `json:"sum"`    // of the target
	Cross   []float64 `json:"cross"`  // Z'Z, row by row
	Target  []float64 `json:"target"` // Z'y
	Sums    []float64 `json:"sums"`   // of the columns of Z
	Weights []float64 `json:"weights,omitempty"`
	Bias    float64   `json:"bias,omitempty"`
}

// scaled is a column and what brings it to scale.
type scaled struct {
	Name string  `json:"name"`
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
}

func newLinear(rows []row) *linear {
	columns := map[string]*scaled{}
	counts := map[string]float64{}
	for _, r := range rows {
		for name, v := range r.values {
			if columns[name] == nil {
				columns[name] = &scaled{Name: name}
			}
			counts[name]++
			columns[name].Mean += v
		}
	}
	for name, c := range columns {
		c.Mean /= counts[name]
	}
	for _, r := range rows {
		for name, v := range r.values {
			columns[name].SD += (v - columns[name].Mean) * (v - columns[name].Mean)
		}
	}
	l := &linear{}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		if c := *columns[name]; c.SD > 0 {
			c.SD = math.Sqrt(c.SD / counts[name])
			l.Columns = append(l.Columns, c)
		}
	}
	k := len(l.Columns)
	l.Cross, l.Target, l.Sums = make([]float64, k*k), make([]float64, k), make([]float64, k)
	return l
}

func (l *linear) scale(values map[string]float64) []float64 {
	z := make([]float64, len(l.Columns))
	for i, c := range l.Columns {
		if v, ok := values[c.Name]; ok {
			z[i] = (v - c.Mean) / c.SD
		}
	}
	return z
}

func (l *linear) add(r row) {
	z := l.scale(r.values)
	l.Rows++
	l.Sum += r.target
	for i := range z {
		l.Sums[i] += z[i]
		l.Target[i] += z[i] * r.target
		for j := range z {
			l.Cross[i*len(z)+j] += z[i] * z[j]
		}
	}
}

func (l *linear) mean() float64 { return l.Sum / l.Rows }

// solve finds the weights. A small multiple of the rows on the diagonal lets columns say the same.
func (l *linear) solve(smoothing float64) error {
	k := len(l.Columns)
	if l.Rows == 0 || k == 0 {
		return errors.New("linear regression: there are no rows or no columns of numbers")
	}
	cross, target := mat.NewSymDense(k, nil), mat.NewVecDense(k, nil)
	for i := range k {
		target.SetVec(i, l.Target[i]-l.Sums[i]*l.Sum/l.Rows)
		for j := i; j < k; j++ {
			cross.SetSym(i, j, l.Cross[i*k+j]-l.Sums[i]*l.Sums[j]/l.Rows)
		}
		cross.SetSym(i, i, cross.At(i, i)+smoothing*l.Rows)
	}
	var factors mat.Cholesky
	if !factors.Factorize(cross) {
		return errors.New("linear regression: columns say the same; raise smoothing")
	}
	var weights mat.VecDense
	if err := factors.SolveVecTo(&weights, target); err != nil {
		return fmt.Errorf("linear regression: %w", err)
	}
	l.Weights, l.Bias = weights.RawVector().Data, l.mean()
	for i, w := range l.Weights {
		l.Bias -= w * l.Sums[i] / l.Rows
	}
	return nil
}

func (l *linear) predict(values map[string]float64) float64 {
	y := l.Bias
	for i, z := range l.scale(values) {
		y += l.Weights[i] * z
	}
	return y
}

func (l *linear) rmse(rows []row) float64 {
	total := 0.0
	for _, r := range rows {
		d := l.predict(r.values) - r.target
		total += d * d
	}
	return math.Sqrt(total / float64(len(rows)))
}
