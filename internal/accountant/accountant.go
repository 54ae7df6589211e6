// Package accountant says how much privacy a differentially private training costs.
//
// The mechanism is the Poisson-subsampled Gaussian: every row takes part in a step with probability q, independently;
// the sum of the rows' contributions, each of length at most C, is released with Gaussian noise of standard deviation
// sigma*C on every coordinate. Two data sets are neighbours when one has one row more than the other.
//
// Costs are kept as curves of Renyi differential privacy (Mironov: Renyi Differential Privacy, CSF 2017), because these
// add up exactly: Mironov, Talwar, Zhang: Renyi Differential Privacy of the Sampled Gaussian Mechanism, 2019,
// arXiv:1908.10530, section 3.3, gives the curve of one step. A composed curve is turned into (epsilon, delta) at the end.
package accountant

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// Bounds of what the accountant takes.
const (
	MinNoise = 0.1
	MaxNoise = 1e6
	MinRate  = 1e-9
	MaxSteps = 1_000_000_000
)

// Mechanism is a number of steps of the Poisson-subsampled Gaussian mechanism.
type Mechanism struct {
	NoiseMultiplier float64 `json:"noise_multiplier"` // sigma: the noise's standard deviation over the sensitivity, MinNoise to MaxNoise
	SampleRate      float64 `json:"sample_rate"`      // q: the chance of a row to take part in a step, MinRate to 1
	Steps           int     `json:"steps"`            // 1 to MaxSteps
}

// Check says what is wrong with the mechanism, and what was expected, or nil.
func (m Mechanism) Check() error {
	if !(m.NoiseMultiplier >= MinNoise && m.NoiseMultiplier <= MaxNoise) {
		return fmt.Errorf("noise multiplier %v: expected a number from %v to %v", m.NoiseMultiplier, MinNoise, float64(MaxNoise))
	}
	return checkSampling(m.SampleRate, m.Steps)
}

func checkSampling(rate float64, steps int) error {
	if !(rate >= MinRate && rate <= 1) {
		return fmt.Errorf("sample rate %v: expected a number from %v to 1", rate, MinRate)
	}
	if steps < 1 || steps > MaxSteps {
		return fmt.Errorf("steps %d: expected 1 to %d", steps, MaxSteps)
	}
	return nil
}

// orders holds those of TensorFlow Privacy and of Opacus, and larger ones, which small epsilons need.
var orders = func() []float64 {
	var all []float64
	for x := 11; x < 110; x++ {
		all = append(all, float64(x)/10)
	}
	all = append(all, 1.25, 1.75, 2.25)
	for a := 11; a <= 64; a++ {
		all = append(all, float64(a))
	}
	all = append(all, 80, 96, 128, 160, 192, 256, 384, 512, 768, 1024, 2048, 4096)
	slices.Sort(all)
	return slices.Compact(all)
}()

// Orders are the Renyi orders at which curves are kept, all above 1, ascending.
func Orders() []float64 { return slices.Clone(orders) }

// Curve is the Renyi divergence bound at each of Orders, in nats. It may hold +Inf at large orders.
type Curve []float64

// known holds curves of one step at orders. A ledger composes the same mechanisms again and again.
var known = struct {
	sync.Mutex
	curves map[[2]float64]Curve
}{curves: map[[2]float64]Curve{}}

const mostKnown = 2048

func stepCurve(at []float64, q, sigma float64) Curve {
	compute := func() Curve {
		c := make(Curve, len(at))
		for i, order := range at {
			c[i] = stepDivergence(q, sigma, order)
		}
		return c
	}
	if &at[0] != &orders[0] {
		return compute()
	}
	kind := [2]float64{q, sigma}
	known.Lock()
	c, ok := known.curves[kind]
	known.Unlock()
	if ok {
		return c
	}
	c = compute()
	known.Lock()
	defer known.Unlock()
	if len(known.curves) >= mostKnown {
		clear(known.curves)
	}
	known.curves[kind] = c
	return c
}

// Compose gives the curve of all the mechanisms run on the same data, each possibly chosen after seeing the results of
// those before it (Mironov 2017, Proposition 1). No mechanism costs nothing.
func Compose(ms ...Mechanism) (Curve, error) { return compose(orders, ms) }

func compose(at []float64, ms []Mechanism) (Curve, error) {
	steps := map[[2]float64]float64{}
	var kinds [][2]float64
	for i, m := range ms {
		if err := m.Check(); err != nil {
			return nil, fmt.Errorf("compose mechanism %d of %d: %w", i+1, len(ms), err)
		}
		kind := [2]float64{m.NoiseMultiplier, m.SampleRate}
		if steps[kind] == 0 {
			kinds = append(kinds, kind)
		}
		steps[kind] += float64(m.Steps)
	}
	// Sums of floats depend on their order; the order of mechanisms must not.
	slices.SortFunc(kinds, func(a, b [2]float64) int { return slices.Compare(a[:], b[:]) })
	c := make(Curve, len(at))
	for _, kind := range kinds {
		step := stepCurve(at, kind[1], kind[0])
		for i := range at {
			c[i] += steps[kind] * step[i]
		}
	}
	return c, nil
}

// Conversion is a theorem that turns a Renyi curve into (epsilon, delta).
type Conversion string

// The conversions.
const (
	// Tight is Proposition 12 of Canonne, Kamath, Steinke: The Discrete Gaussian for Differential Privacy, NeurIPS 2020,
	// arXiv:2004.00010, the form of Balle et al., AISTATS 2020, Theorem 21, that TensorFlow Privacy and Opacus use:
	// epsilon = rdp + log(1 - 1/order) - (log delta + log order) / (order - 1).
	Tight Conversion = "tight"
	// Classic is Proposition 3 of Mironov 2017, epsilon = rdp - log(delta) / (order - 1). It is never smaller than Tight.
	Classic Conversion = "classic"
)

// Spent is a guarantee of (Epsilon, Delta)-differential privacy.
type Spent struct {
	Epsilon float64 `json:"epsilon"` // nats, at least 0
	Delta   float64 `json:"delta"`
	Order   float64 `json:"order"` // the Renyi order that gave it; 0 when nothing was run
}

// Epsilon is what the mechanisms together cost at delta, by the conversion Tight. It fails when a mechanism is out of
// its bounds or delta is not above 0 and below 1.
func Epsilon(delta float64, ms ...Mechanism) (Spent, error) {
	if err := checkDelta(delta); err != nil {
		return Spent{}, err
	}
	c, err := Compose(ms...)
	if err != nil {
		return Spent{}, err
	}
	if len(ms) == 0 {
		return Spent{Delta: delta}, nil
	}
	return convert(orders, c, delta, Tight)
}

// Convert is the cost of a curve from Compose at delta.
func (c Curve) Convert(delta float64, by Conversion) (Spent, error) {
	if err := checkDelta(delta); err != nil {
		return Spent{}, err
	}
	if len(c) != len(orders) {
		return Spent{}, fmt.Errorf("a curve of %d values: expected one for each of %d orders", len(c), len(orders))
	}
	return convert(orders, c, delta, by)
}

func checkDelta(delta float64) error {
	if !(delta > 0 && delta < 1) {
		return fmt.Errorf("delta %v: expected a number above 0 and below 1, such as one over the square of the number of rows", delta)
	}
	return nil
}

func convert(at, rdp []float64, delta float64, by Conversion) (Spent, error) {
	if by != Tight && by != Classic {
		return Spent{}, fmt.Errorf("conversion %q: expected %s or %s", by, Tight, Classic)
	}
	best := Spent{Epsilon: math.Inf(1), Delta: delta}
	for i, order := range at {
		e := rdp[i] - math.Log(delta)/(order-1)
		if by == Tight {
			e += math.Log1p(-1/order) - math.Log(order)/(order-1)
		}
		if e = max(e, 0); e < best.Epsilon {
			best.Epsilon, best.Order = e, order
		}
	}
	if math.IsInf(best.Epsilon, 1) {
		return Spent{}, fmt.Errorf("the cost has no bound at any of %d orders; use more noise or fewer steps", len(at))
	}
	return best, nil
}

// Noise is the smallest noise multiplier with which steps at the sample rate cost at most epsilon at delta, found by
// bisection to a relative 1e-6 and rounded up: Epsilon of the answer never exceeds epsilon. It fails when no noise up to
// MaxNoise is enough; the error says what the least cost is.
func Noise(epsilon, delta, rate float64, steps int) (float64, error) {
	if !(epsilon > 0) || math.IsInf(epsilon, 1) {
		return 0, fmt.Errorf("epsilon %v: expected a finite number above 0, such as 1", epsilon)
	}
	if err := checkDelta(delta); err != nil {
		return 0, err
	}
	if err := checkSampling(rate, steps); err != nil {
		return 0, err
	}
	cost := func(noise float64) float64 {
		s, err := Epsilon(delta, Mechanism{NoiseMultiplier: noise, SampleRate: rate, Steps: steps})
		if err != nil {
			return math.Inf(1)
		}
		return s.Epsilon
	}
	if cost(MinNoise) <= epsilon {
		return MinNoise, nil
	}
	low, high := MinNoise, 1.0
	for cost(high) > epsilon {
		if high >= MaxNoise {
			return 0, fmt.Errorf("epsilon %v at delta %v: even a noise multiplier of %v costs %v with %d steps at sample rate %v; ask for a larger epsilon or delta",
				epsilon, delta, high, cost(high), steps, rate)
		}
		low, high = high, min(high*2, MaxNoise)
	}
	for high-low > 1e-6*high {
		if mid := low + (high-low)/2; cost(mid) > epsilon {
			low = mid
		} else {
			high = mid
		}
	}
	return high, nil
}
