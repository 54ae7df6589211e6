package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// DefaultBCaReplicates is how many resamples a zero Resampling takes: enough for tails down to 0.005.
const DefaultBCaReplicates = 2000

// Resampling says how rows are drawn again.
type Resampling struct {
	Replicates int    // at least 200; 0 means 2000, and fewer than 200 mean 200
	Seed       uint64 // each replicate has its own generator, made from this: the same seed gives the same replicates on any number of processors
}

func (r Resampling) replicates() int {
	if r.Replicates == 0 {
		return DefaultBCaReplicates
	}
	return max(r.Replicates, MinReplicates)
}

// generators gives the state that each replicate's generator starts from.
func (r Resampling) generators() []SplitMix64 {
	first := SplitMix64(r.Seed)
	all := make([]SplitMix64, r.replicates())
	for k := range all {
		all[k] = SplitMix64(first.Uint64())
	}
	return all
}

// Bootstrapped is a statistic of a sample and of resamples of its rows, from which intervals for any number of tails are
// read. Resamples that give no value are dropped. Make one with BCaCells, BCaSums or BCaRows.
type Bootstrapped struct {
	value        float64
	undefined    string
	n            int
	sorted       []float64
	spread       float64 // standard deviation of the resampled values
	bias         float64 // z0 of Efron: the normal quantile of the share of resampled values below the sample's
	acceleration float64 // a of Efron: how the standard error changes with the value, from the jackknife
}

// leastBeyond is how many resampled values must lie beyond an end for their quantile to be taken for it.
const leastBeyond = 10

// Estimate is the sample's value with an interval that leaves about the probability tail, in (0, 0.5], beyond each end: the
// bias-corrected and accelerated one of Efron (1987), "Better bootstrap confidence intervals", widened to the value where a
// strongly biased bootstrap leaves it outside.
//
// A tail so small that fewer than ten resampled values lie beyond it, before or after the correction, takes the normal
// quantile times the standard deviation of the resampled values instead (MethodBootstrapNormal), and at least the
// quantiles that the tail, or ten values, leave beyond.
//
// It is undefined when the sample gives no value, when fewer than 100 resamples do, and when all of those agree, so that they
// say nothing of the spread.
func (b Bootstrapped) Estimate(tail float64) Estimate {
	level, count := levelOf(tail), float64(len(b.sorted))
	switch {
	case b.undefined != "":
		return NoValue(level, b.n, b.undefined)
	case len(b.sorted) < leastReplicates:
		return NoValue(level, b.n, fmt.Sprintf("too few examples for an interval: only %d resamples gave a value; expected at least %d",
			len(b.sorted), leastReplicates))
	case b.spread == 0:
		return NoValue(level, b.n, "every resample gives the same value, so the spread is unknown")
	case asTail(tail) == 0:
		return NoValue(level, b.n, "no number of resamples gives an interval without any doubt")
	}
	e := Estimate{Value: b.value, Level: level, Method: MethodBCa, N: b.n}
	low, high, supported := b.corrected(asTail(tail))
	if !supported {
		e.Method = MethodBootstrapNormal
		half := NormalQuantileTail(asTail(tail)) * b.spread
		least := min(max(asTail(tail), leastBeyond/count), 0.5)
		low, high = quantile(b.sorted, least), quantile(b.sorted, 1-least)
		low, high = min(low, b.value-half), max(high, b.value+half)
	}
	e.Low, e.High = min(low, b.value), max(high, b.value)
	return e
}

// EstimateAboveTruth is Estimate of a statistic that is never negative and that chance moves up, such as a sum of absolute
// differences: resamples of the rows lie above the sample as the sample lies above the truth. So its lower end is at most
// the basic bootstrap's, the value less the distance from the value to the upper quantile of the resamples (Davison and
// Hinkley, 1997, equation 5.6), cut at 0.
func (b Bootstrapped) EstimateAboveTruth(tail float64) Estimate {
	e := b.Estimate(tail)
	if !e.Defined() {
		return e
	}
	least := min(max(asTail(tail), leastBeyond/float64(len(b.sorted))), 0.5)
	e.Low = max(min(e.Low, 2*e.Value-quantile(b.sorted, 1-least)), 0)
	return e
}

// corrected is the BCa interval, and whether enough resampled values lie beyond each of its ends.
func (b Bootstrapped) corrected(tail float64) (low, high float64, supported bool) {
	z, count := NormalQuantileTail(tail), float64(len(b.sorted))
	lowSide, lowOK := b.shifted(-z)
	highSide, highOK := b.shifted(z)
	supported = lowOK && highOK && min(tail, lowSide, highSide)*count >= leastBeyond
	if !supported {
		return 0, 0, false
	}
	return quantile(b.sorted, lowSide), quantile(b.sorted, 1-highSide), true
}

// shifted is equation 14.10 of Efron and Tibshirani (1993): the share of resampled values to leave beyond the end at z, on
// the side that z is on. Past the pole of the acceleration there is none.
func (b Bootstrapped) shifted(z float64) (share float64, ok bool) {
	w := b.bias + z
	pole := 1 - b.acceleration*w
	if pole <= 0 {
		return 0, false
	}
	x := b.bias + w/pole
	if z > 0 {
		x = -x
	}
	return math.Erfc(-x/math.Sqrt2) / 2, true
}

// StandardError is the standard deviation of the resampled values.
func (b Bootstrapped) StandardError() float64 { return b.spread }

// newBootstrapped sorts the replicates and measures them; those that are not finite gave no value.
func newBootstrapped(value float64, defined bool, n int, replicates []float64, acceleration float64) Bootstrapped {
	b := Bootstrapped{value: value, n: n, acceleration: acceleration}
	if !defined || !isFinite(value) {
		b.undefined = "the sample gives no value"
		return b
	}
	b.sorted = slices.DeleteFunc(replicates, func(v float64) bool { return !isFinite(v) })
	slices.Sort(b.sorted)
	if len(b.sorted) < leastReplicates {
		return b
	}
	_, variance := meanAndVariance(b.sorted)
	b.spread = math.Sqrt(variance)
	below, tied := 0.0, 0.0
	for _, v := range b.sorted {
		switch {
		case v < value:
			below++
		case v == value:
			tied++
		}
	}
	count := float64(len(b.sorted))
	share := min(max((below+tied/2)/count, 0.5/count), 1-0.5/count)
	b.bias = -NormalQuantileTail(share)
	return b
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// jackknifed is the acceleration sum d^3/(6 (sum d^2)^(3/2)), d being by how much leaving a row out lowers the statistic below
// the mean of such values (Efron, 1987, equation 7.3); weight[k] rows give values[k]. Values that are not finite are left out.
func jackknifed(values, weight []float64) float64 {
	sum, total := 0.0, 0.0
	for k, v := range values {
		if isFinite(v) {
			sum += weight[k] * v
			total += weight[k]
		}
	}
	mean := sum / total
	squares, cubes := 0.0, 0.0
	for k, v := range values {
		if isFinite(v) {
			d := mean - v
			squares += weight[k] * d * d
			cubes += weight[k] * d * d * d
		}
	}
	if !(squares > 0) {
		return 0
	}
	return cubes / (6 * squares * math.Sqrt(squares))
}

func numberOf(value float64, ok bool) float64 {
	if !ok {
		return math.NaN()
	}
	return value
}

// BCaCells bootstraps a statistic of counts: counts[k] of the sample's rows fall into cell k, and the statistic says false where
// they give no value. The counts of a resample are drawn as a whole, from the multinomial distribution that drawing
// row by row gives them, so that the time does not depend on the number of rows: 2,000 replicates of four cells take about
// a millisecond. The counts handed to the statistic are reused: it must not keep or change them. Negative counts are
// taken as none.
func BCaCells(counts []int, how Resampling, statistic func(counts []int) (float64, bool)) Bootstrapped {
	sample := make([]int, len(counts))
	n := 0
	for k, c := range counts {
		sample[k] = max(c, 0)
		n += sample[k]
	}
	if n == 0 {
		return Bootstrapped{undefined: noExamples}
	}
	value, defined := statistic(slices.Clone(sample))

	drawn := make([]int, len(sample))
	var replicates []float64
	for _, generator := range how.generators() {
		multinomial(sample, n, drawn, &generator)
		replicates = append(replicates, numberOf(statistic(drawn)))
	}

	var without, weight []float64
	for k, c := range sample {
		if c > 0 {
			copy(drawn, sample)
			drawn[k]--
			without, weight = append(without, numberOf(statistic(drawn))), append(weight, float64(c))
		}
	}
	return newBootstrapped(value, defined, n, replicates, jackknifed(without, weight))
}

// BCaSums bootstraps a statistic of sums over rows, such as a root mean squared error, an R2 or a calibration error: row i adds
// rows[i*width : (i+1)*width] to the sums. The statistic gets the sums of n rows and says false where they give no value; it
// must not keep or change them. Rows are drawn on all processors, at about 5 ns for each row and replicate, and 2 ns more for
// each sum.
func BCaSums(rows []float64, width int, how Resampling, statistic func(sums []float64, n int) (float64, bool)) Bootstrapped {
	if width < 1 || len(rows) < width {
		return Bootstrapped{undefined: noExamples}
	}
	n := len(rows) / width
	total := make([]float64, width)
	for i := range n {
		addTo(total, rows[i*width:(i+1)*width])
	}
	value, defined := statistic(slices.Clone(total), n)

	generators := how.generators()
	sums := make([]float64, width*len(generators))
	inParallel(len(generators), func() func(k int) {
		drawer := sumDrawer{rows: rows, width: width, sums: make([]float64, width)}
		return func(k int) { copy(sums[k*width:], drawer.draw(&generators[k])) }
	})
	replicates := make([]float64, len(generators))
	for k := range replicates {
		replicates[k] = numberOf(statistic(sums[k*width:(k+1)*width], n))
	}

	without, weight := make([]float64, n), make([]float64, n)
	rest := make([]float64, width)
	for i := range n {
		for j, v := range rows[i*width : (i+1)*width] {
			rest[j] = total[j] - v
		}
		without[i], weight[i] = numberOf(statistic(rest, n-1)), 1
	}
	b := newBootstrapped(value, defined, n, replicates, jackknifed(without, weight))
	if slices.Equal(rows[:len(rows)-width], rows[width:]) {
		b.spread = 0 // sums of equal rows differ by their rounding only
	}
	return b
}

// jackknifeGroups is how many groups of rows are left out in turn where leaving out each row would take longer than the
// resamples do. The formula for the acceleration holds for groups as for rows.
const jackknifeGroups = 500

// BCaRows bootstraps any statistic of n rows, given as indices; it says false where they give no value. It is called from
// several goroutines at once, and must not keep or change the indices, which are reused. Beyond 500 rows the jackknife leaves
// out one of 500 random groups of rows at a time.
func BCaRows(n int, how Resampling, statistic func(index []int) (float64, bool)) Bootstrapped {
	if n < 1 {
		return Bootstrapped{undefined: noExamples}
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	value, defined := statistic(slices.Clone(all))

	generators := how.generators()
	replicates := make([]float64, len(generators))
	inParallel(len(generators), func() func(k int) {
		index := make([]int, n)
		return func(k int) {
			for i := range index {
				index[i] = int(below(&generators[k], n))
			}
			replicates[k] = numberOf(statistic(index))
		}
	})

	// Files are often sorted, so groups of neighbours would be unlike.
	shuffled := slices.Clone(all)
	rand.New(rand.NewPCG(how.Seed, 0)).Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	groups := min(n, jackknifeGroups)
	without, weight := make([]float64, groups), make([]float64, groups)
	inParallel(groups, func() func(g int) {
		rest := make([]int, 0, n)
		return func(g int) {
			first, last := g*n/groups, (g+1)*n/groups
			rest = append(append(rest[:0], shuffled[:first]...), shuffled[last:]...)
			without[g], weight[g] = numberOf(statistic(rest)), 1
		}
	})
	return newBootstrapped(value, defined, n, replicates, jackknifed(without, weight))
}

// inParallel does work 0..n-1 on all processors, each by a worker of its own.
func inParallel(n int, worker func() func(k int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		group.Go(func() {
			work := worker()
			for k := int(next.Add(1)) - 1; k < n; k = int(next.Add(1)) - 1 {
				work(k)
			}
		})
	}
	group.Wait()
}
