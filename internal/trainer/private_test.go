package trainer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/accountant"
	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// known is a source of noise that tests can repeat.
func known(seed uint64) *bytes.Reader {
	b := make([]byte, 32)
	binary.LittleEndian.PutUint64(b, seed)
	return bytes.NewReader(b)
}

// lending has two numbers and a category that tell the target's values apart for most rows.
func lending(n int, seed uint64) Input {
	r := rand.New(rand.NewPCG(seed, 1))
	var income, debt []float64
	var job, repaid []string
	for range n {
		x, y := r.NormFloat64(), r.NormFloat64()
		k := r.IntN(3)
		income, debt = append(income, 40+15*x), append(debt, 5+3*y)
		job = append(job, []string{"clerk", "nurse", "smith"}[k])
		value := "no"
		if r.Float64() < model.Sigmoid(3*x-3*y+2*float64(k-1)) {
			value = "yes"
		}
		repaid = append(repaid, value)
	}
	income[0], job[1] = nan, missing
	return Input{Frame: frame(numeric("income", income...), numeric("debt", debt...), categorical("job", job...), categorical("repaid", repaid...)),
		Features: []string{"income", "debt", "job"}, Target: "repaid", Positive: "yes"}
}

func declared(epsilon float64, seed uint64) Private {
	return Private{Epsilon: epsilon, Delta: 1e-5, Random: known(seed), Steps: 300,
		Bounds: map[string]Range{"income": {0, 80}, "debt": {-4, 14}},
		Levels: map[string][]string{"job": {"smith", "nurse", "clerk"}}}
}

func trainPrivate(t require.TestingT, in Input, p Private) Output {
	out, err := TrainPrivate(context.Background(), in, p, nil)
	require.NoError(t, err)
	return out
}

func TestPrivateTrainingLearnsAtEpsilonThreeAndHardlyAtATinyOne(t *testing.T) {
	in, test := lending(4000, 1), lending(4000, 2)
	auc := func(in Input, epsilon float64, trials uint64) float64 {
		total := 0.0
		for seed := range trials {
			out := trainPrivate(t, in, declared(epsilon, seed))
			total += stats.AUC(scoreOf(t, out.Predictor, test.Frame, "repaid", "yes"), 0.95).Value
		}
		return total / float64(trials)
	}
	plain, err := logistic{}.Train(t.Context(), in, nil)
	require.NoError(t, err)
	best := stats.AUC(scoreOf(t, plain.Predictor, test.Frame, "repaid", "yes"), 0.95).Value
	at3, tiny := auc(in, 3, 5), auc(lending(300, 1), 0.005, 40)
	t.Logf("AUC %.4f without privacy, %.4f at epsilon 3 of 4000 rows, %.4f at epsilon 0.005 of 300 rows", best, at3, tiny)
	require.Greater(t, at3, best-0.01)
	require.InDelta(t, 0.5, tiny, 0.15)
}

// A level that no row has moves by noise alone: in one step by a normal number of standard deviation
// rate * sigma * clip / (sample rate * rows).
func TestNoiseHasTheScaleThatWasPaidFor(t *testing.T) {
	in := lending(100, 1)
	p := declared(1, 1)
	p.Steps, p.Rate, p.Clip, p.LearningRate = 1, 0.5, 3, 0.1
	p.Levels["job"] = append(p.Levels["job"], "a", "b", "c", "d")
	zero := 0.0
	in.Settings.L2 = &zero
	m, err := p.Mechanism()
	require.NoError(t, err)
	square, n := 0.0, 0
	for seed := range uint64(1000) {
		p.Random = known(seed)
		for _, x := range trainPrivate(t, in, p).Predictor.(*model.Logistic).Terms[2].Categorical.Coefficients[:4] {
			square += x * x
			n++
		}
	}
	require.InEpsilon(t, 0.1*m.NoiseMultiplier*3/(0.5*100), math.Sqrt(square/float64(n)), 0.05)
}

func TestPrivateManifestGivesTheGuarantee(t *testing.T) {
	in := lending(2000, 1)
	p := declared(1, 1)
	out := trainPrivate(t, in, p)
	got := out.Manifest.Privacy
	m, err := p.Mechanism()
	require.NoError(t, err)
	require.Equal(t, m, accountant.Mechanism{NoiseMultiplier: got.NoiseMultiplier, SampleRate: got.SampleRate, Steps: got.Steps})
	again, err := accountant.Epsilon(got.Delta, m)
	require.NoError(t, err)
	require.Equal(t, again.Epsilon, got.Epsilon)
	require.Equal(t, again.Order, got.Order)
	require.LessOrEqual(t, got.Epsilon, 1.0)
	require.Greater(t, got.Epsilon, 0.9999, "no more noise than needed")
	require.Equal(t, 1.0, got.Clip)
	require.Equal(t, "add or remove one row", got.Neighbours)
	require.Equal(t, RandomnessGiven, got.Randomness)
	require.Len(t, got.NotCovered, 4)
	require.Equal(t, artifact.Sum(out.Model), out.Manifest.Model.Digest)
	require.Zero(t, out.Manifest.Fit.Objective, "it would show the data")
	require.Empty(t, out.Manifest.Warnings)
	_, err = artifact.EncodeJSON(out.Manifest)
	require.NoError(t, err)

	read, err := model.Decode(out.Model)
	require.NoError(t, err)
	require.Equal(t, out.Predictor, read)
	fitted := out.Predictor.(*model.Logistic)
	require.Equal(t, []string{"clerk", "nurse", "smith"}, fitted.Inputs.Features[2].Levels)
	require.Equal(t, 40.0, fitted.Terms[0].Numeric.Mean)
	require.Equal(t, 40.0, fitted.Terms[0].Numeric.SD)

	p.Random = nil
	secret := trainPrivate(t, in, p)
	require.Equal(t, RandomnessSystem, secret.Manifest.Privacy.Randomness)
	require.NotEqual(t, secret.Model, trainPrivate(t, in, p).Model, "nobody can repeat the noise")
	require.Equal(t, trainPrivate(t, in, declared(1, 1)).Model, out.Model)
}

// Which parameters there are, and how they are scaled, is no result of the data.
func TestShapeOfThePrivateModelDoesNotDependOnTheRows(t *testing.T) {
	small := Input{Frame: frame(numeric("income", 1e9, math.Inf(1), 3), numeric("debt", 1, 2, 3), categorical("job", "pilot", "pilot", "pilot"), categorical("repaid", "yes", "no", "no")),
		Features: []string{"income", "debt", "job"}, Target: "repaid", Positive: "yes"}
	p := declared(1, 1)
	p.Rate = 1
	a := trainPrivate(t, lending(500, 3), declared(1, 1)).Predictor.(*model.Logistic)
	b := trainPrivate(t, small, p).Predictor.(*model.Logistic)
	require.Equal(t, a.Inputs, b.Inputs)
	for i := range a.Terms {
		if n := a.Terms[i].Numeric; n != nil {
			require.Equal(t, []float64{n.Mean, n.SD}, []float64{b.Terms[i].Numeric.Mean, b.Terms[i].Numeric.SD})
			require.NotZero(t, b.Terms[i].Numeric.Missing, "there is noise where no row is")
		}
	}
}

func designOf(t require.TestingT, in Input, p Private) *privateDesign {
	l, err := readLabels(in)
	require.NoError(t, err)
	d, err := newPrivateDesign(in, p, l)
	require.NoError(t, err)
	return d
}

func TestOneRowMovesTheSumByAtMostTheClip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Float64Range(-1e3, 1e3), rapid.SampledFrom([]float64{nan, 1e300, -1e300, math.Inf(1)}))
		in := Input{Frame: frame(
			numeric("income", 1, 2, value.Draw(t, "income")), numeric("debt", 1, 2, value.Draw(t, "debt")),
			categorical("job", "clerk", "nurse", rapid.SampledFrom([]string{"clerk", "pilot", missing}).Draw(t, "job")),
			categorical("repaid", "yes", "no", rapid.SampledFrom([]string{"yes", "no"}).Draw(t, "repaid"))),
			Features: []string{"income", "debt", "job"}, Target: "repaid", Positive: "yes"}
		d := designOf(t, in, declared(1, 1))
		w := rapid.SliceOfN(rapid.Float64Range(-50, 50), d.width, d.width).Draw(t, "parameters")
		clip := rapid.Float64Range(1e-3, 10).Draw(t, "clip")
		with, without := make([]float64, d.width), make([]float64, d.width)
		for r := range d.rows {
			d.addGradient(with, w, r, clip)
			if r < d.rows-1 {
				d.addGradient(without, w, r, clip)
			}
		}
		square := 0.0
		for k := range with {
			square += (with[k] - without[k]) * (with[k] - without[k])
		}
		require.LessOrEqual(t, math.Sqrt(square), clip*(1+1e-12)+1e-14)
	})
}

// The gradient is the derivative of the loss of the model that is given out.
func TestGradientIsThatOfTheModelsLoss(t *testing.T) {
	in := lending(30, 5)
	d := designOf(t, in, declared(1, 1))
	r := rand.New(rand.NewPCG(1, 2))
	w := make([]float64, d.width)
	for k := range w {
		w[k] = r.NormFloat64()
	}
	loss := func(w []float64) float64 {
		scores, err := d.model(in, labels{negative: "no"}, w).Predict(t.Context(), in.Frame)
		require.NoError(t, err)
		sum := 0.0
		for i, p := range scores {
			if d.positive[i] {
				sum -= math.Log(p)
			} else {
				sum -= math.Log1p(-p)
			}
		}
		return sum
	}
	g := make([]float64, d.width)
	for i := range d.rows {
		d.addGradient(g, w, i, 1e9)
	}
	for k := range w {
		const h = 1e-5
		up, down := append([]float64(nil), w...), append([]float64(nil), w...)
		up[k] += h
		down[k] -= h
		require.InDelta(t, (loss(up)-loss(down))/(2*h), g[k], 1e-5, "parameter %d", k)
	}
}

func TestNoiseIsStandardNormalAndSamplingHasItsRate(t *testing.T) {
	source, err := newNoise(known(1))
	require.NoError(t, err)
	const n = 200_000
	sum, square, fourth, beyond := 0.0, 0.0, 0.0, 0
	for range n {
		x := source.normal()
		sum, square, fourth = sum+x, square+x*x, fourth+x*x*x*x
		if math.Abs(x) > 1.959964 {
			beyond++
		}
	}
	require.InDelta(t, 0, sum/n, 0.01)
	require.InDelta(t, 1, square/n, 0.015)
	require.InDelta(t, 3, fourth/n, 0.12)
	require.InDelta(t, 0.05, float64(beyond)/n, 0.0025)

	const rows, steps = 20, 20_000
	for _, rate := range []float64{0.01, 0.3, 1} {
		taken := make([]int, rows)
		both := 0
		for range steps {
			last := -1
			source.sample(rows, rate, func(r int) {
				require.Greater(t, r, last)
				if r == 1 && last == 0 {
					both++
				}
				last = r
				taken[r]++
			})
		}
		slack := 5*math.Sqrt(rate*(1-rate)/steps) + 1e-12
		for r := range taken {
			require.InDelta(t, rate, float64(taken[r])/steps, slack, "row %d", r)
		}
		require.InDelta(t, rate*rate, float64(both)/steps, slack, "rows take part independently")
	}
}

func TestLargeDeltaAndFewRowsAreWarnedOf(t *testing.T) {
	p := declared(1, 1)
	p.Delta, p.Rate = 0.1, 0.01
	out := trainPrivate(t, lending(50, 1), p)
	require.Len(t, out.Manifest.Warnings, 2)
	require.Contains(t, out.Manifest.Warnings[0], "delta 0.1 is above one over the 50 training rows")
	require.Contains(t, out.Manifest.Warnings[1], "most steps see none of the 50 rows")
}

func TestPrivateTrainingStopsAndTellsItsProgress(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var seen []Progress
	_, err := TrainPrivate(ctx, lending(100, 1), declared(1, 1), func(p Progress) {
		if seen = append(seen, p); len(seen) == 3 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, errors.As(err, new(*InputError)))
	require.Len(t, seen, 3)
	for i, p := range seen {
		require.Equal(t, i+1, p.Iteration)
		require.Zero(t, p.Objective)
		require.Positive(t, p.GradientNorm)
	}
}

func TestUnseenLevelsAndMissingValuesAreScored(t *testing.T) {
	out := trainPrivate(t, lending(500, 1), declared(3, 1))
	scores, err := out.Predictor.Predict(t.Context(), frame(numeric("income", nan), numeric("debt", nan), table.Column{Name: "job", Kind: table.Categorical, Codes: []int32{0}, Levels: []string{"pilot"}}))
	require.NoError(t, err)
	fitted := out.Predictor.(*model.Logistic)
	want := model.Sigmoid(fitted.Intercept + fitted.Terms[0].Numeric.Missing + fitted.Terms[1].Numeric.Missing + fitted.Terms[2].Categorical.Unseen)
	require.InDelta(t, want, scores[0], 1e-12)
}
