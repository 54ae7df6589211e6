package stats

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func f1OfCells(counts []int) (float64, bool) {
	v, reason := f1Of(Confusion{TP: counts[0], FP: counts[1], FN: counts[2], TN: counts[3]})
	return v, reason == ""
}

// spatial is the spatial perception data of 26 children, Efron and Tibshirani (1993), table 14.1, column A, whose variance
// is their example of the method: 171.5, with an acceleration of 0.061 and a 90 % interval of (115.8, 259.6).
var spatial = []float64{48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41}

func TestBCaPublishedExample(t *testing.T) {
	b := BCaRows(len(spatial), Resampling{Replicates: 20_000, Seed: 1}, func(index []int) (float64, bool) {
		sum, squares := 0.0, 0.0
		for _, i := range index {
			sum += spatial[i]
			squares += spatial[i] * spatial[i]
		}
		n := float64(len(index))
		return squares/n - sum*sum/n/n, true
	})
	require.InDelta(t, 0.061, b.acceleration, 5e-4)
	require.InDelta(t, 0.146, b.bias, 0.09, "theirs is from 2,000 replicates")
	e := b.Estimate(0.05)
	require.Equal(t, MethodBCa, e.Method)
	require.InDelta(t, 171.5, e.Value, 0.05)
	require.InDelta(t, 115.8, e.Low, 3)
	require.InDelta(t, 259.6, e.High, 6)
}

// The three ways to hand over a sample are one bootstrap.
func TestBCaOfCellsSumsAndRowsAgree(t *testing.T) {
	counts := []int{60, 25, 15, 100}
	var rows []float64
	var cell []int
	for k, c := range counts {
		for range c {
			row := make([]float64, 4)
			row[k] = 1
			rows, cell = append(rows, row...), append(cell, k)
		}
	}
	how := Resampling{Replicates: 4000, Seed: 7}
	ofCells := BCaCells(counts, how, f1OfCells)
	ofSums := BCaSums(rows, 4, how, func(sums []float64, n int) (float64, bool) {
		require.InDelta(t, float64(n), sums[0]+sums[1]+sums[2]+sums[3], 1e-9)
		return 2 * sums[0] / (2*sums[0] + sums[1] + sums[2]), true
	})
	ofRows := BCaRows(len(cell), how, func(index []int) (float64, bool) {
		drawn := make([]int, 4)
		for _, i := range index {
			drawn[cell[i]]++
		}
		return f1OfCells(drawn)
	})
	for _, other := range []Bootstrapped{ofSums, ofRows} {
		require.InDelta(t, ofCells.value, other.value, 1e-12)
		require.InDelta(t, ofCells.acceleration, other.acceleration, 1e-9)
		require.InEpsilon(t, ofCells.StandardError(), other.StandardError(), 0.06)
		require.InDelta(t, ofCells.bias, other.bias, 0.1)
		a, b := ofCells.Estimate(0.025), other.Estimate(0.025)
		require.InDelta(t, a.Low, b.Low, 0.01)
		require.InDelta(t, a.High, b.High, 0.01)
		require.Equal(t, 200, b.N)
	}
}

func TestBCaOfAMeanHasTheAccelerationOfItsSkewness(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	values := make([]float64, 5000)
	for i := range values {
		values[i] = rng.ExpFloat64()
	}
	mean, variance := meanAndVariance(values)
	third := 0.0
	for _, v := range values {
		third += (v - mean) * (v - mean) * (v - mean)
	}
	n := float64(len(values))
	want := third / n / math.Pow(variance*(n-1)/n, 1.5) / (6 * math.Sqrt(n))
	of := func(index []int) (float64, bool) {
		sum := 0.0
		for _, i := range index {
			sum += values[i]
		}
		return sum / float64(len(index)), true
	}
	how := Resampling{Replicates: 200}
	all := BCaSums(values, 1, how, func(sums []float64, n int) (float64, bool) { return sums[0] / float64(n), true })
	require.InEpsilon(t, want, all.acceleration, 1e-9)
	groups := BCaRows(len(values), how, of)
	require.InDelta(t, want, groups.acceleration, 4*0.4/jackknifeGroups, "groups leave a little noise")
	require.InEpsilon(t, math.Sqrt(variance/n), all.StandardError(), 0.2)
}

func TestBCaIsTheSameForASeedOnAnyNumberOfProcessors(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	values := make([]float64, 3*block+17)
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	run := func(seed uint64) []Bootstrapped {
		how := Resampling{Replicates: 200, Seed: seed}
		return []Bootstrapped{
			BCaSums(values, 1, how, func(sums []float64, n int) (float64, bool) { return sums[0] / float64(n), true }),
			BCaSums(values[:9000], 3, how, func(sums []float64, n int) (float64, bool) { return sums[0] * sums[2] / float64(n), true }),
			BCaRows(500, how, func(index []int) (float64, bool) { return values[index[0]] + values[index[499%len(index)]], true }),
			BCaCells([]int{30, 20, 10, 40}, how, f1OfCells),
		}
	}
	want := run(1)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	require.Equal(t, want, run(1))
	require.NotEqual(t, want[3], run(2)[3])
}

func TestSmallTailsTakeTheStandardErrorOfTheResamples(t *testing.T) {
	b := BCaCells([]int{600, 250, 150, 1000}, Resampling{Replicates: 2000}, f1OfCells)
	require.Equal(t, MethodBCa, b.Estimate(0.025).Method)
	previous := 0.0
	for _, tail := range []float64{0.3, 0.025, 0.008, 0.006, 0.0049, 1e-3, 1e-6, 1e-12, 1e-30} {
		e := b.Estimate(tail)
		if tail < 0.005 {
			require.Equal(t, MethodBootstrapNormal, e.Method, tail)
			require.LessOrEqual(t, e.Low, e.Value-NormalQuantileTail(tail)*b.StandardError())
			require.GreaterOrEqual(t, e.High, e.Value+NormalQuantileTail(tail)*b.StandardError())
		}
		require.Greater(t, e.High-e.Low, previous*0.999)
		previous = e.High - e.Low
	}
	require.InDelta(t, 2*11.464024688443616*b.StandardError(), previous, 1e-9)

	whole, cut := b.Estimate(1e-300), b.Estimate(1e-300).Within(0, 1)
	require.Greater(t, whole.High, 1.0)
	require.Equal(t, []float64{whole.Value, max(whole.Low, 0), 1}, []float64{cut.Value, cut.Low, cut.High})
	require.Equal(t, NoValue(0.9, 3, "none"), NoValue(0.9, 3, "none").Within(1, 2))
}

func TestWhatABootstrapCannotGive(t *testing.T) {
	how := Resampling{Seed: 1}
	none := func([]int) (float64, bool) { return 0, false }
	half := func(counts []int) (float64, bool) { return float64(counts[0]), counts[0] == 1 }
	for _, c := range []struct {
		want string
		got  Bootstrapped
	}{
		{"no examples", BCaCells(nil, how, f1OfCells)},
		{"no examples", BCaCells([]int{0, -3}, how, none)},
		{"no examples", BCaSums(nil, 1, how, nil)},
		{"no examples", BCaSums([]float64{1}, 0, how, nil)},
		{"no examples", BCaRows(0, how, none)},
		{"the sample gives no value", BCaCells([]int{1, 2}, how, none)},
		{"the sample gives no value", BCaCells([]int{1, 2}, how, func([]int) (float64, bool) { return math.NaN(), true })},
		{"every resample gives the same value", BCaCells([]int{0, 9}, how, func(c []int) (float64, bool) { return 0.1 + float64(c[0]), true })},
		{"every resample gives the same value", BCaSums(slices.Repeat([]float64{0.1}, 77), 1, how, func(s []float64, n int) (float64, bool) { return s[0] / float64(n), true })},
		{"only ", BCaCells([]int{1, 100_000}, Resampling{Replicates: 200}, half)},
	} {
		require.Contains(t, c.got.Estimate(0.025).Undefined, c.want)
	}
	ok := BCaCells([]int{60, 25, 15, 100}, how, f1OfCells)
	require.Contains(t, ok.Estimate(0).Undefined, "without any doubt")
	require.Len(t, BCaCells([]int{60, 25, 15, 100}, Resampling{Replicates: 3}, f1OfCells).sorted, MinReplicates)
}

// The draws of a binomial, by inversion, by rejection and mirrored, are compared with its probabilities.
func TestBinomialDrawsHaveTheirDistribution(t *testing.T) {
	const draws = 100_000
	for _, c := range []struct {
		n int
		p float64
	}{{7, 0.3}, {7, 0.9}, {1000, 0.004}, {40, 0.25}, {40, 0.26}, {25, 0.5}, {1000, 0.3}, {100_000, 0.002}, {100_000_000, 0.5}, {300, 0.97}} {
		generator := SplitMix64(uint64(c.n))
		mean, spread := float64(c.n)*c.p, math.Sqrt(float64(c.n)*c.p*(1-c.p))
		width := max(int(spread/10), 1)
		seen := map[int]float64{}
		for range draws {
			k := binomial(c.n, c.p, &generator)
			require.True(t, 0 <= k && k <= c.n)
			seen[k/width]++
		}
		chi, bins := 0.0, 0.0
		rest, restSeen := float64(draws), float64(draws)
		for at := int(max(mean-5*spread, 0)) / width; at*width <= int(mean+5*spread); at++ {
			// P(at width <= X < (at+1) width)
			p := math.Exp(logBinomialAtMost((at+1)*width-1, c.n, c.p)) - math.Exp(logBinomialAtMost(at*width-1, c.n, c.p))
			if expected := p * draws; expected >= 20 {
				d := seen[at] - expected
				chi += d * d / expected
				bins++
				rest -= expected
				restSeen -= seen[at]
			}
		}
		require.InDelta(t, bins, chi, 5*math.Sqrt(2*bins)+5, "%d trials at %g", c.n, c.p)
		require.InDelta(t, rest, restSeen, 5*math.Sqrt(max(rest, 1))+1, "%d trials at %g, far out", c.n, c.p)
	}
	generator := SplitMix64(1)
	require.Equal(t, []int{0, 0, 9}, []int{binomial(0, 0.5, &generator), binomial(9, 0, &generator), binomial(9, 1, &generator)})
}

func TestMultinomialCountsVaryTogetherAsDrawnRowsDo(t *testing.T) {
	counts := []int{500, 0, 300, 199, 1}
	const n, draws = 1000, 40_000
	generator := SplitMix64(3)
	drawn := make([]int, len(counts))
	sum := make([]float64, len(counts))
	var product [5][5]float64
	for range draws {
		multinomial(counts, n, drawn, &generator)
		total := 0
		for i, c := range drawn {
			total += c
			sum[i] += float64(c)
			for j, d := range drawn {
				product[i][j] += float64(c) * float64(d)
			}
		}
		require.Equal(t, n, total)
	}
	require.Zero(t, sum[1])
	for i, c := range counts {
		p := float64(c) / n
		require.InDelta(t, float64(c), sum[i]/draws, 5*math.Sqrt(n*p/draws)+1e-9)
		for j, d := range counts {
			q := float64(d) / n
			want := -n * p * q
			if i == j {
				want = n * p * (1 - p)
			}
			require.InDelta(t, want, product[i][j]/draws-sum[i]*sum[j]/draws/draws, 5*n*math.Sqrt(2*p*q/draws)+1e-6)
		}
	}
}

func BenchmarkBCaF1Of100000Rows(b *testing.B) {
	for b.Loop() {
		BCaCells([]int{20_000, 5_000, 7_000, 68_000}, Resampling{}, f1OfCells)
	}
}

func BenchmarkBCaRMSEOf100000Rows(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, 100_000)
	for i := range values {
		values[i] = rng.ExpFloat64()
	}
	for b.Loop() {
		BCaSums(values, 1, Resampling{}, func(sums []float64, n int) (float64, bool) { return math.Sqrt(sums[0] / float64(n)), true })
	}
}
