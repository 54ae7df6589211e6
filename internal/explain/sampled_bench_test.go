package explain

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/integrate/quad"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// gridStep is what the effects of latticeModel are multiples of.
const gridStep = 1.0 / 32

// latticeModel is a logistic regression on d whole numbers whose effects are multiples of gridStep, so that the sum of some of
// them takes few values.
func latticeModel(random *rand.Rand, d, n int) (*model.Logistic, *table.Frame) {
	m, f := drawnLogistic(random, d, n)
	for j := range d {
		m.Terms[j].Numeric.Coefficient = gridStep * float64(random.IntN(11)-5)
		m.Terms[j].Numeric.Missing = 0
		for i := range n {
			f.Columns[j].Numbers[i] = float64(min(max(int(math.Round(1.2*random.NormFloat64())), -3), 3))
		}
	}
	return m, f
}

// latticeExact are the Shapley values of latticeModel in probability, for any number of features: the value of a feature is the
// integral over q from 0 to 1 of the mean change of the score when it joins a set that each other feature is in with
// probability q (Owen 1972, Multilinear extensions of games). For effects on a grid the distribution of the
// set's sum is found by adding features one by one.
func latticeExact(t testing.TB, m *model.Logistic, f, background *table.Frame, row int) []float64 {
	t.Helper()
	of, err := effectsOf(m, f)
	require.NoError(t, err)
	behind, err := effectsOf(m, background)
	require.NoError(t, err)
	d := of.width
	const nodes = 8
	at, weight := make([]float64, nodes), make([]float64, nodes)
	quad.Legendre{}.FixedLocations(at, weight, 0, 1)
	phi, steps := make([]float64, d), make([]int, d)
	for b, start := range behind.logits {
		low, high := 0, 0
		for j := range steps {
			steps[j] = int(math.Round((of.at(row)[j] - behind.at(b)[j]) / gridStep))
			low, high = low+min(steps[j], 0), high+max(steps[j], 0)
		}
		size := high - low + 1
		// ahead[j][z] is the mean score when the sum is z before feature j joins or not, and all after it.
		ahead := make([][]float64, d+1)
		for j := range ahead {
			ahead[j] = make([]float64, size)
		}
		for z := range size {
			ahead[d][z] = model.Sigmoid(start + gridStep*float64(z+low))
		}
		for k, q := range at {
			within := func(z int) int { return min(max(z, 0), size-1) } // sums beyond have no probability
			for j := d - 1; j >= 0; j-- {
				for z := range size {
					ahead[j][z] = (1-q)*ahead[j+1][z] + q*ahead[j+1][within(z+steps[j])]
				}
			}
			sums := make([]float64, size)
			sums[-low] = 1
			for j, s := range steps {
				next := make([]float64, size)
				for z, p := range sums {
					if p == 0 {
						continue
					}
					phi[j] += weight[k] * p * (ahead[j+1][z+s] - ahead[j+1][z]) / float64(len(behind.logits))
					next[z] += (1 - q) * p
					next[z+s] += q * p
				}
				sums = next
			}
		}
	}
	return phi
}

func TestTheExactValuesOfAGridAreThoseOfEnumeration(t *testing.T) {
	m, f := latticeModel(rand.New(rand.NewPCG(3, 3)), 8, 20)
	for row := range 3 {
		require.InDeltaSlice(t, enumerated(t, m, f, f, row, Probability, 0), latticeExact(t, m, f, f, row), 1e-9)
	}
}

func TestSampledAgreesWithExactValuesOfManyFeatures(t *testing.T) {
	m, f := latticeModel(rand.New(rand.NewPCG(4, 4)), 100, 60)
	rows := []int{0, 1}
	v, err := Sampled(t.Context(), m, f, f, ShapleyOptions{Rows: rows, Permutations: 100, Seed: 1})
	require.NoError(t, err)
	off, stated := 0.0, v.Summary().MeanError
	for _, row := range rows {
		for j, want := range latticeExact(t, m, f, f, row) {
			require.InDelta(t, want, v.Phi[row][j], 5*v.SE[row][j]+1e-9)
			off += math.Abs(want-v.Phi[row][j]) / 200
		}
	}
	require.InEpsilon(t, stated, off, 0.5)
}

// BenchmarkSampledShapley explains 1,000 rows of 100 columns. mae is the mean absolute error of the values of three rows in
// probability against exact ones, stated that which the standard errors let expect over all rows.
func BenchmarkSampledShapley(b *testing.B) {
	m, f := latticeModel(rand.New(rand.NewPCG(5, 5)), 100, 1000)
	background := takeRows(f, drawn(200, 200, nil))
	rows := []int{300, 600, 900}
	var exact [][]float64
	for _, row := range rows {
		exact = append(exact, latticeExact(b, m, f, background, row))
	}
	for b.Loop() {
		v, err := Sampled(b.Context(), m, f, background, ShapleyOptions{Seed: 1})
		require.NoError(b, err)
		off, size := 0.0, 0.0
		for k, row := range rows {
			for j, want := range exact[k] {
				off += math.Abs(want-v.Phi[row][j]) / 300
				size += math.Abs(want) / 300
			}
		}
		b.ReportMetric(off, "mae")
		b.ReportMetric(v.Summary().MeanError, "stated")
		b.ReportMetric(size, "mean_size")
	}
}

// BenchmarkAskedShapley explains 100 rows of 20 columns by asking a model that costs little.
func BenchmarkAskedShapley(b *testing.B) {
	m, f := drawnLogistic(rand.New(rand.NewPCG(6, 6)), 20, 300)
	for b.Loop() {
		v, err := Sampled(b.Context(), hidden{m}, f, f, ShapleyOptions{Seed: 1, MaxRows: 100})
		require.NoError(b, err)
		b.ReportMetric(v.Summary().ErrorShare, "error_share")
		b.ReportMetric(float64(v.Asked), "asked")
	}
}
