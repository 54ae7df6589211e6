package accountant

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/integrate/quad"
	"pgregory.net/rapid"
)

func integers(from, to int) []float64 {
	var all []float64
	for a := from; a < to; a++ {
		all = append(all, float64(a))
	}
	return all
}

// Values of tensorflow/privacy, privacy/analysis/rdp_accountant_test.py: test_compute_rdp_scalar,
// test_compute_rdp_no_sampling, test_compute_rdp_sequence.
func TestCurvesAreThoseOfTensorFlowPrivacy(t *testing.T) {
	c, err := compose([]float64{5}, []Mechanism{{2, 0.1, 10}})
	require.NoError(t, err)
	require.InDelta(t, 0.07737, c[0], 5e-6)

	c, err = compose([]float64{20}, []Mechanism{{10, 1, 1}})
	require.NoError(t, err)
	require.InDelta(t, 0.1, c[0], 1e-15)

	c, err = compose([]float64{1.5, 2.5, 5, 50, 100}, []Mechanism{{2.5, 0.01, 50}})
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{0.00065, 0.001085, 0.00218075, 0.023846, 167.416307}, []float64(c), 1e-5)
}

// Values of the same file: test_get_privacy_spent_check_target_delta, test_check_composition; their conversion is the
// classic one.
func TestClassicEpsilonsAreThoseOfTensorFlowPrivacy(t *testing.T) {
	at := integers(2, 33)
	c, err := compose(at, []Mechanism{{4, 0.01, 10000}})
	require.NoError(t, err)
	s, err := convert(at, c, 1e-5, Classic)
	require.NoError(t, err)
	require.InDelta(t, 1.258575, s.Epsilon, 5e-6)
	require.Equal(t, 20.0, s.Order)

	at = []float64{1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 64, 256}
	c, err = compose(at, []Mechanism{{0.4, 1e-4, 40000}, {2, 0.1, 100}})
	require.NoError(t, err)
	s, err = convert(at, c, 1e-5, Classic)
	require.NoError(t, err)
	require.InDelta(t, 8.509656, s.Epsilon, 5e-6)
	require.Equal(t, 2.5, s.Order)
}

// Values of tensorflow/privacy, privacy/analysis/compute_dp_sgd_privacy_test.py: the first version of the test used the
// classic conversion, the later ones (test_compute_dp_sgd_privacy, Test0 to Test2) the tight one. The orders are those
// of compute_dp_sgd_privacy_lib.
func TestDPSGDCostsWhatTensorFlowPrivacySays(t *testing.T) {
	at := append([]float64{1.25, 1.5, 1.75, 2, 2.25, 2.5, 3, 3.5, 4, 4.5}, integers(5, 64)...)
	at = append(at, 128, 256, 512)
	for _, c := range []struct {
		n, batch              float64
		noise                 float64
		epochs                float64
		delta                 float64
		tight, classic, order float64
	}{
		{60000, 150, 1.3, 15, 1e-5, 0.7242234026109595, 0.941870567, 19},
		{100000, 100, 1.0, 30, 1e-7, 1.4154988495444845, 1.70928734, 13},
		{100000000, 1024, 0.1, 10, 1e-7, 5907982.31138195, 5907984.81339406, 1.25},
	} {
		m := Mechanism{c.noise, c.batch / c.n, int(math.Ceil(c.epochs * c.n / c.batch))}
		curve, err := compose(at, []Mechanism{m})
		require.NoError(t, err)
		tight, err := convert(at, curve, c.delta, Tight)
		require.NoError(t, err)
		require.InEpsilon(t, c.tight, tight.Epsilon, 1e-7, "%v", tight)
		require.Equal(t, c.order, tight.Order)
		classic, err := convert(at, curve, c.delta, Classic)
		require.NoError(t, err)
		require.InEpsilon(t, c.classic, classic.Epsilon, 1e-7)

		own, err := Epsilon(c.delta, m)
		require.NoError(t, err)
		require.LessOrEqual(t, own.Epsilon, tight.Epsilon+1e-12, "more orders give no larger cost")
	}
}

// The table of tensorflow/privacy, tutorials/README.md: MNIST, batches of 256 of 60,000, delta 1e-5, classic conversion, whole batches only;
// orders of tutorials/mnist_dpsgd_tutorial.py.
func TestMNISTTutorialCostsWhatItsTableSays(t *testing.T) {
	at := integers(12, 64)
	for x := 1; x < 100; x++ {
		at = append(at, 1+float64(x)/10)
	}
	for _, c := range []struct{ noise, epochs, want float64 }{{1.12, 60, 2.92}, {0.6, 30, 9.74}, {1.2, 10, 1.20}} {
		curve, err := compose(at, []Mechanism{{c.noise, 256. / 60000, int(c.epochs) * (60000 / 256)}})
		require.NoError(t, err)
		s, err := convert(at, curve, 1e-5, Classic)
		require.NoError(t, err)
		t.Logf("noise %v: epsilon %.4f, the table has %.2f", c.noise, s.Epsilon, c.want)
		require.InDelta(t, c.want, s.Epsilon, 0.01)
	}
}

// integral is log A by Gauss-Legendre quadrature of N(0, sigma^2) times the likelihood ratio to the power of the order.
func integral(q, sigma, order float64) float64 {
	f := func(z float64) float64 {
		ratio := (1 - q) + q*math.Exp((2*z-1)/(2*sigma*sigma))
		return math.Exp(-z*z/(2*sigma*sigma)+order*math.Log(ratio)) / (sigma * math.Sqrt(2*math.Pi))
	}
	low, high := -12*sigma, order+12*sigma
	sum := 0.0
	const pieces = 200
	for i := range pieces {
		w := (high - low) / pieces
		sum += quad.Fixed(f, low+float64(i)*w, low+float64(i+1)*w, 20, nil, 0)
	}
	return math.Log(sum)
}

func TestMomentsAgreeWithNumericalIntegration(t *testing.T) {
	for _, q := range []float64{0.001, 0.01, 0.1, 0.5, 0.9, 0.99} {
		for _, sigma := range []float64{0.7, 1, 2.5, 8} {
			for _, order := range []float64{1.1, 1.25, 1.5, 2, 2.7, 4.3, 5, 8.9, 10.1, 16} {
				t.Run(fmt.Sprint(q, sigma, order), func(t *testing.T) {
					want := integral(q, sigma, order)
					require.InDelta(t, want, stepDivergence(q, sigma, order)*(order-1), 1e-8*want+1e-13)
				})
			}
		}
	}
}

func mechanism(t *rapid.T) Mechanism {
	return Mechanism{
		NoiseMultiplier: math.Exp(rapid.Float64Range(math.Log(0.3), math.Log(50)).Draw(t, "log noise")),
		SampleRate:      math.Exp(rapid.Float64Range(math.Log(1e-5), 0).Draw(t, "log rate")),
		Steps:           rapid.IntRange(1, 10_000).Draw(t, "steps"),
	}
}

func cost(t require.TestingT, delta float64, ms ...Mechanism) float64 {
	s, err := Epsilon(delta, ms...)
	require.NoError(t, err)
	require.GreaterOrEqual(t, s.Epsilon, 0.0)
	return s.Epsilon
}

func TestMoreNoiseCostsLessAndMoreUseCostsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := mechanism(t)
		delta := math.Pow(10, rapid.Float64Range(-12, -1).Draw(t, "log delta"))
		base := cost(t, delta, m)
		slack := 1e-9*base + 1e-12
		noisier, rarer, longer := m, m, m
		noisier.NoiseMultiplier *= 1.1
		rarer.SampleRate *= 0.9
		longer.Steps++
		require.LessOrEqual(t, cost(t, delta, noisier), base+slack)
		require.LessOrEqual(t, cost(t, delta, rarer), base+slack)
		require.GreaterOrEqual(t, cost(t, delta, longer), base-slack)
		require.LessOrEqual(t, cost(t, min(delta*2, 0.5), m), base+slack)
	})
}

func TestCompositionAddsCurvesWhateverTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := mechanism(t), mechanism(t)
		require.Equal(t, cost(t, 1e-5, a, b), cost(t, 1e-5, b, a))
		twice := a
		twice.Steps *= 2
		require.Equal(t, cost(t, 1e-5, twice), cost(t, 1e-5, a, a))
		require.GreaterOrEqual(t, cost(t, 1e-5, a, b), max(cost(t, 1e-5, a), cost(t, 1e-5, b)))
	})
}

func TestTightIsNeverAboveClassic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, err := Compose(mechanism(t))
		require.NoError(t, err)
		tight, err := c.Convert(1e-5, Tight)
		require.NoError(t, err)
		classic, err := c.Convert(1e-5, Classic)
		require.NoError(t, err)
		require.LessOrEqual(t, tight.Epsilon, classic.Epsilon)
	})
}

// The exact cost of the Gaussian mechanism (Balle, Wang: Improving the Gaussian Mechanism, ICML 2018, Theorem 8) is
// below what Renyi orders prove, by little.
func TestCostIsAboveTheExactOneOfTheGaussianMechanism(t *testing.T) {
	phi := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	for _, sigma := range []float64{0.8, 1.5, 4, 20} {
		s, err := Epsilon(1e-5, Mechanism{sigma, 1, 1})
		require.NoError(t, err)
		delta := phi(1/(2*sigma)-s.Epsilon*sigma) - math.Exp(s.Epsilon)*phi(-1/(2*sigma)-s.Epsilon*sigma)
		require.LessOrEqual(t, delta, 1e-5)
		require.Greater(t, delta, 1e-6, "sigma %v: the bound is loose", sigma)
	}
}

func TestNoiseIsTheSmallestThatKeepsTheBudget(t *testing.T) {
	for _, epsilon := range []float64{0.05, 0.5, 1, 3, 10} {
		for _, c := range []Mechanism{{0, 0.01, 1000}, {0, 1, 1}, {0, 0.2, 300}} {
			noise, err := Noise(epsilon, 1e-5, c.SampleRate, c.Steps)
			require.NoError(t, err)
			c.NoiseMultiplier = noise
			require.LessOrEqual(t, cost(t, 1e-5, c), epsilon)
			c.NoiseMultiplier = noise * (1 - 2e-6)
			require.Greater(t, cost(t, 1e-5, c), epsilon)
		}
	}
	noise, err := Noise(1e9, 1e-5, 0.01, 10)
	require.NoError(t, err)
	require.Equal(t, MinNoise, noise)
}

func TestCornersOfTheBoundsHaveACost(t *testing.T) {
	for _, noise := range []float64{MinNoise, 1, MaxNoise} {
		for _, rate := range []float64{MinRate, 1e-4, 1 - 1e-9, 1} {
			for _, steps := range []int{1, MaxSteps} {
				for _, delta := range []float64{1e-300, 1e-5, 0.999} {
					s, err := Epsilon(delta, Mechanism{noise, rate, steps})
					require.NoError(t, err)
					require.False(t, math.IsNaN(s.Epsilon) || math.IsInf(s.Epsilon, 0), "noise %v, rate %v, %d steps: %v", noise, rate, steps, s)
				}
			}
		}
	}
}

func TestWhatIsOutOfBoundsIsRefused(t *testing.T) {
	good := Mechanism{1, 0.1, 10}
	nothing, err := Epsilon(1e-5)
	require.NoError(t, err)
	require.Equal(t, Spent{Delta: 1e-5}, nothing)
	for _, delta := range []float64{0, 1, -1, math.NaN(), math.Inf(1)} {
		_, err := Epsilon(delta, good)
		require.ErrorContains(t, err, "expected a number above 0 and below 1")
		_, err = Noise(1, delta, 0.1, 10)
		require.ErrorContains(t, err, "expected a number above 0 and below 1")
	}
	for _, m := range []Mechanism{{0, 0.1, 1}, {math.NaN(), 0.1, 1}, {math.Inf(1), 0.1, 1}, {1, 0, 1}, {1, 1.1, 1}, {1, math.NaN(), 1}, {1, 0.1, 0}, {1, 0.1, MaxSteps + 1}} {
		_, err := Epsilon(1e-5, good, m)
		require.ErrorContains(t, err, "compose mechanism 2 of 2")
	}
	for _, epsilon := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		_, err := Noise(epsilon, 1e-5, 0.1, 10)
		require.ErrorContains(t, err, "expected a finite number above 0")
	}
	_, err = Noise(1, 1e-5, 2, 10)
	require.ErrorContains(t, err, "sample rate 2")
	_, err = Noise(1e-6, 1e-5, 0.1, 10)
	require.ErrorContains(t, err, "ask for a larger epsilon or delta")
	_, err = Curve{1}.Convert(1e-5, Tight)
	require.ErrorContains(t, err, "a curve of 1 values")
	c, err := Compose(good)
	require.NoError(t, err)
	_, err = c.Convert(1e-5, "other")
	require.ErrorContains(t, err, `conversion "other"`)
}
