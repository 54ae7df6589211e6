package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
)

func l2(v float64) Settings { return Settings{L2: &v} }

// generated draws rows from a known logistic model: log-odds -0.5 + 1.2 (x - 3)/2 + effect of colour.
func generated(rows int) *table.Frame {
	effect := map[string]float64{"blue": -0.8, "green": 0.1, "red": 0.7}
	colours := []string{"blue", "green", "red"}
	random := rand.New(rand.NewPCG(11, 12))
	var x []float64
	var colour, label []string
	for range rows {
		xi, ci := 3+2*random.NormFloat64(), colours[random.IntN(3)]
		y := "no"
		if random.Float64() < model.Sigmoid(-0.5+1.2*(xi-3)/2+effect[ci]) {
			y = "yes"
		}
		x, colour, label = append(x, xi), append(colour, ci), append(label, y)
	}
	return frame(numeric("x", x...), categorical("colour", colour...), categorical("label", label...))
}

func input(f *table.Frame, features ...string) Input {
	return Input{Frame: f, Features: features, Target: "label", Positive: "yes"}
}

func train(t *testing.T, in Input) Output {
	t.Helper()
	out, err := logistic{}.Train(t.Context(), in, nil)
	require.NoError(t, err)
	return out
}

func terms(out Output) []model.Term { return out.Predictor.(*model.Logistic).Terms }

func TestRecoversTheCoefficientsOfGeneratedData(t *testing.T) {
	out := train(t, input(generated(100_000), "x", "colour"))
	require.True(t, out.Manifest.Fit.Converged)
	x, colour := terms(out)[0].Numeric, terms(out)[1].Categorical
	require.InDelta(t, 3, x.Mean, 0.03)
	require.InDelta(t, 2, x.SD, 0.03)
	require.InDelta(t, 1.2, x.Coefficient, 0.04)
	require.InDelta(t, -0.9, colour.Coefficients[0]-colour.Coefficients[1], 0.06)
	require.InDelta(t, 0.6, colour.Coefficients[2]-colour.Coefficients[1], 0.06)
}

func TestSameBytesAgainAndOnAnyNumberOfProcessors(t *testing.T) {
	in := input(generated(20_000), "x", "colour")
	want := train(t, in)
	require.Equal(t, want.Model, train(t, in).Model)
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	for _, processors := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(processors)
		again := train(t, in)
		require.Equal(t, string(want.Model), string(again.Model), "GOMAXPROCS=%d", processors)
		require.Equal(t, want.Manifest, again.Manifest)
	}
}

func TestOutputHoldsTheSameModelThreeTimes(t *testing.T) {
	in := input(generated(500), "x", "colour")
	in.Training = artifact.Ref{Digest: artifact.Sum([]byte("rows")), Size: 4, MediaType: artifact.MediaParquet}
	in.Device = &device.Device{Name: "simulated device (CPU)", Simulated: true}
	in.Seed = 7
	out := train(t, in)

	read, err := model.Decode(out.Model)
	require.NoError(t, err)
	require.Equal(t, out.Predictor, read)
	require.Equal(t, model.Schema{
		Features: []model.Feature{{Name: "x", Kind: table.Numeric}, {Name: "colour", Kind: table.Categorical, Levels: []string{"blue", "green", "red"}}},
		Target:   "label", Positive: "yes", Negative: "no",
	}, read.Schema())

	m := out.Manifest
	require.Equal(t, artifact.Ref{Digest: artifact.Sum(out.Model), Size: int64(len(out.Model)), MediaType: artifact.MediaModel}, m.Model)
	require.Equal(t, model.Data{Ref: in.Training, Rows: 500}, m.Training)
	require.Nil(t, m.Validation)
	require.Equal(t, spec.Number(1), m.Parameters["l2"])
	require.Equal(t, spec.Number(1000), m.Parameters["max_iterations"])
	require.True(t, m.Device.Simulated)
	require.Contains(t, m.Warnings, "the logistic trainer computes on the CPU; the device was held and not used")
	require.NotContains(t, string(out.Model), "simulated")
}

// The gradient that the optimiser follows is the objective's, on any table.
func TestGradientMatchesFiniteDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(2, 30).Draw(t, "rows")
		value := rapid.Custom(func(t *rapid.T) float64 {
			if rapid.IntRange(0, 5).Draw(t, "missing") == 0 {
				return nan
			}
			return rapid.Float64Range(-50, 50).Draw(t, "value")
		})
		f := frame(
			numeric("x", rapid.SliceOfN(value, rows, rows).Draw(t, "x")...),
			categorical("c", rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", missing}), rows, rows).Draw(t, "c")...),
			numeric("w", rapid.SliceOfN(rapid.Float64Range(0.1, 5), rows, rows).Draw(t, "w")...),
			categorical("label", append([]string{"yes", "no"}, rapid.SliceOfN(rapid.SampledFrom([]string{"yes", "no"}), rows-2, rows-2).Draw(t, "y")...)...),
		)
		in := input(f, "x", "c")
		in.Weight = "w"
		l, err := readLabels(in)
		require.NoError(t, err)
		d, err := newDesign(in, l)
		require.NoError(t, err)
		o := newObjective(d, l, rapid.Float64Range(0, 10).Draw(t, "l2"))
		at := rapid.SliceOfN(rapid.Float64Range(-3, 3), d.intercept+1, d.intercept+1).Draw(t, "at")

		o.evaluate(at)
		slope := append([]float64(nil), o.slope...)
		const h = 1e-5
		for k := range at {
			x := append([]float64(nil), at...)
			x[k] = at[k] + h
			o.evaluate(x)
			up := o.value
			x[k] = at[k] - h
			o.evaluate(x)
			require.InDelta(t, (up-o.value)/(2*h), slope[k], 1e-6*(1+math.Abs(slope[k])))
		}
	})
}

// Weight k says what k equal rows say, and weight 0 what no row says.
func TestWeightsCountAsCopies(t *testing.T) {
	weighted := frame(numeric("x", 1, 2, 3, 4, 99), categorical("c", "a", "b", "b", "a", "z"), numeric("w", 1, 2, 3, 1, 0), categorical("label", "no", "yes", "no", "yes", "yes"))
	copied := frame(numeric("x", 1, 2, 2, 3, 3, 3, 4), categorical("c", "a", "b", "b", "b", "b", "b", "a"), categorical("label", "no", "yes", "yes", "no", "no", "no", "yes"))
	in := input(weighted, "x", "c")
	in.Weight = "w"
	a, b := train(t, in), train(t, input(copied, "x", "c"))
	require.Contains(t, a.Manifest.Warnings, "1 of 5 training rows have weight 0 and do not count")
	require.Equal(t, a.Predictor.Schema(), b.Predictor.Schema())
	pa, err := a.Predictor.Predict(t.Context(), copied)
	require.NoError(t, err)
	pb, err := b.Predictor.Predict(t.Context(), copied)
	require.NoError(t, err)
	require.InDeltaSlice(t, pb, pa, 1e-6)
}

func TestUnseenCategoriesAreNeutralAndMissingOnesLearnt(t *testing.T) {
	f := frame(
		numeric("x", 1, 2, nan, 4, nan, nan, 3, 2),
		categorical("c", "a", "a", "a", "b", missing, missing, missing, "b"),
		categorical("label", "no", "no", "yes", "no", "yes", "yes", "yes", "yes"),
	)
	out := train(t, input(f, "x", "c"))
	x, c := terms(out)[0].Numeric, terms(out)[1].Categorical
	require.Greater(t, x.Missing, 0.0, "rows without x are mostly positive")
	require.Greater(t, c.Missing, c.Coefficients[0])
	require.InDelta(t, (3*c.Coefficients[0]+2*c.Coefficients[1]+3*c.Missing)/8, c.Unseen, 1e-12, "the mean effect over the training rows")
}

func TestFeaturesThatCannotHelpHaveNoEffectAndAreNamed(t *testing.T) {
	f := frame(
		numeric("constant", 7, 7, 7, 7), numeric("empty", nan, nan, nan, nan),
		categorical("one", "a", "a", "a", "a"), categorical("none", missing, missing, missing, missing),
		categorical("label", "no", "yes", "yes", "yes"),
	)
	out := train(t, input(f, "constant", "empty", "one", "none"))
	require.True(t, out.Manifest.Fit.Converged)
	require.Equal(t, []string{
		`feature "constant" has the same value in all training rows; the model does not use it`,
		`feature "empty" has no value in any training row; the model does not use it`,
		`feature "one" has the same value in all training rows; the model does not use it`,
		`feature "none" has no value in any training row; the model does not use it`,
	}, out.Manifest.Warnings)

	other := frame(numeric("constant", 1e9), numeric("empty", 5), categorical("one", "b"), categorical("none", "b"))
	scores, err := out.Predictor.Predict(t.Context(), other)
	require.NoError(t, err)
	require.InDelta(t, 0.75, scores[0], 1e-9)
}

func TestDifficultDataStillTrains(t *testing.T) {
	many := make([]string, 10_000)
	labels := make([]string, len(many))
	for i := range many {
		many[i], labels[i] = fmt.Sprintf("id-%05d", i), []string{"no", "yes"}[i%2]
	}
	cases := []struct {
		name       string
		frame      *table.Frame
		parameters Settings
	}{
		{"separable", frame(numeric("f", 1, 2, 3, 4), categorical("label", "no", "no", "yes", "yes")), Settings{}},
		{"separable, hardly penalised", frame(numeric("f", 1, 2, 3, 4), categorical("label", "no", "no", "yes", "yes")), l2(1e-9)},
		{"crushing penalty", frame(numeric("f", 1, 2, 3, 4), categorical("label", "no", "yes", "no", "yes")), l2(1e300)},
		{"10,000 categories", frame(categorical("f", many...), categorical("label", labels...)), Settings{}},
		{"two rows", frame(numeric("f", 1, 2), categorical("label", "no", "yes")), Settings{}},
		{"huge numbers", frame(numeric("f", 1e307, 2e307, -8e307, 3e307), categorical("label", "no", "yes", "no", "yes")), Settings{}},
		{"tiny numbers", frame(numeric("f", 1e-300, 2e-300, 3e-300, 4e-310), categorical("label", "no", "yes", "no", "yes")), Settings{}},
		{"large offset", frame(numeric("f", 1e15+1, 1e15+2, 1e15+3, 1e15+4), categorical("label", "no", "yes", "no", "yes")), Settings{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := input(c.frame, "f")
			in.Settings = c.parameters
			out := train(t, in)
			t.Log(out.Manifest.Fit, out.Manifest.Warnings)
			require.Equal(t, out.Manifest.Fit.Converged, len(out.Manifest.Warnings) == 0)
			scores, err := out.Predictor.Predict(t.Context(), c.frame)
			require.NoError(t, err)
			for _, p := range scores {
				require.True(t, p >= 0 && p <= 1)
			}
		})
	}
}

func TestSeparableDataWithoutPenaltyIsSaid(t *testing.T) {
	in := input(frame(numeric("f", 1, 2, 3, 4), categorical("label", "no", "no", "yes", "yes")), "f")
	in.Settings = l2(0)
	require.Contains(t, strings.Join(train(t, in).Manifest.Warnings, "\n"), "the features tell the classes apart without error")

	in = input(generated(500), "x", "colour")
	in.Settings = l2(0)
	require.Empty(t, train(t, in).Manifest.Warnings)
}

func TestStoppingEarlyIsSaid(t *testing.T) {
	in := input(generated(2000), "x", "colour")
	in.Settings = Settings{MaxIterations: 2}
	out := train(t, in)
	require.False(t, out.Manifest.Fit.Converged)
	require.Equal(t, 2, out.Manifest.Fit.Iterations)
	require.Len(t, out.Manifest.Warnings, 1)
	require.Contains(t, out.Manifest.Warnings[0], "training did not converge: the limit of 2 iterations was reached")
}

func TestProgressReachesTheManifestsEnd(t *testing.T) {
	var seen []Progress
	out, err := logistic{}.Train(t.Context(), input(generated(2000), "x", "colour"), func(p Progress) { seen = append(seen, p) })
	require.NoError(t, err)
	for i, p := range seen {
		require.Equal(t, i, p.Iteration)
		if i > 0 {
			require.LessOrEqual(t, p.Objective, seen[i-1].Objective)
		}
	}
	fit := out.Manifest.Fit
	require.Equal(t, Progress{fit.Iterations, fit.Objective, fit.GradientNorm}, seen[len(seen)-1])
	require.Less(t, fit.GradientNorm, 1e-7)
}

func TestCancellationStopsWithinOneIteration(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	last := 0
	_, err := logistic{}.Train(ctx, input(generated(2000), "x", "colour"), func(p Progress) {
		last = p.Iteration
		if p.Iteration == 2 {
			cancel(errors.New("the worker stops"))
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.LessOrEqual(t, last, 3)
}

func TestBadInputIsRefusedForGood(t *testing.T) {
	good := func() *table.Frame {
		return frame(numeric("x", 1, 2, 3), categorical("c", "a", "b", "a"), numeric("w", 1, 1, 1), categorical("label", "no", "yes", "no"))
	}
	with := func(c table.Column) *table.Frame {
		f := good()
		for j := range f.Columns {
			if f.Columns[j].Name == c.Name {
				f.Columns[j] = c
			}
		}
		return f
	}
	cases := []struct {
		name  string
		frame *table.Frame
		spoil func(*Input)
		want  string
	}{
		{"infinite number", with(numeric("x", 1, math.Inf(-1), 3)), nil, `column "x": row 1 is infinite; expected finite numbers`},
		{"span beyond float64", with(numeric("x", -1.5e308, 1.5e308, 3)), nil, `column "x": its numbers span more than a float64 can hold`},
		{"one class", with(categorical("label", "no", "no", "no")), nil, `column "label": all 3 training rows have the same value`},
		{"three classes", with(categorical("label", "no", "yes", "maybe")), nil, `column "label": it has 3 different values; expected two`},
		{"no positive", with(categorical("label", "no", "YES", "no")), nil, `no row has the positive value "yes"; the values are ["YES" "no"]; correct data.target.positive`},
		{"missing target", with(categorical("label", "no", missing, "yes")), nil, `column "label": the target of row 1 is missing`},
		{"negative weight", with(numeric("w", 1, -1, 1)), nil, `column "w": the weight of row 1 is negative, missing or infinite`},
		{"missing weight", with(numeric("w", 1, 1, nan)), nil, `column "w": the weight of row 2 is negative, missing or infinite`},
		{"infinite weight", with(numeric("w", math.Inf(1), 1, 1)), nil, `column "w": the weight of row 0 is negative, missing or infinite`},
		{"overflowing weights", with(numeric("w", 1e308, 1e308, 1e308)), nil, `column "w": the sum of weights overflows`},
		{"all weights zero", with(numeric("w", 0, 0, 0)), nil, `there are no rows to train on`},
		{"one class has weight", with(numeric("w", 1, 0, 1)), nil, `all 2 training rows have the same value`},
		{"weights are names", with(categorical("w", "a", "b", "c")), nil, `column "w": weights must be numbers`},
		{"not UTF-8", with(categorical("c", "a", "b", "\xff")), nil, `column "c": it has a value that is not valid UTF-8`},
		{"no rows", frame(numeric("x"), categorical("c"), numeric("w"), categorical("label")), nil, `there are no rows to train on`},
		{"no feature", good(), func(in *Input) { in.Features = nil }, `there is no feature to learn from`},
		{"absent feature", good(), func(in *Input) { in.Features = []string{"y"} }, `column "y": it is not in the training data`},
		{"absent target", good(), func(in *Input) { in.Target = "t" }, `column "t": it is not in the training data`},
		{"absent weight", good(), func(in *Input) { in.Weight = "v" }, `column "v": it is not in the training data`},
		{"target as feature", good(), func(in *Input) { in.Features = []string{"x", "label"} }, `column "label": the target is listed as a feature`},
		{"weight as feature", good(), func(in *Input) { in.Features = []string{"w"} }, `column "w": the weight is listed as a feature`},
		{"feature twice", good(), func(in *Input) { in.Features = []string{"x", "x"} }, `column "x": it is listed twice`},
		{"negative penalty", good(), func(in *Input) { in.Settings = l2(-1) }, `train.parameters.l2 is -1; give a finite number of 0 or more`},
		{"penalty is no number", good(), func(in *Input) { in.Settings = l2(nan) }, `train.parameters.l2 is NaN`},
		{"negative limit", good(), func(in *Input) { in.Settings.MaxIterations = -1 }, `train.parameters.max_iterations is -1`},
		{"negative tolerance", good(), func(in *Input) { in.Settings.Tolerance = -1 }, `train.parameters.tolerance is -1`},
		{"short column", with(numeric("x", 1, 2)), nil, `column "x": it has 2 values for 3 rows`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := input(c.frame, "x", "c")
			in.Weight = "w"
			if c.spoil != nil {
				c.spoil(&in)
			}
			_, err := logistic{}.Train(t.Context(), in, nil)
			var bad *InputError
			require.ErrorAs(t, err, &bad)
			require.Contains(t, err.Error(), c.want)
			require.Contains(t, err.Error(), "; ", "the error says what to do")
		})
	}
}

func TestNumericTargetsAreReadAsText(t *testing.T) {
	in := input(frame(numeric("x", 1, 2, 3, 4), numeric("label", 0, 1, 0, 1)), "x")
	in.Positive = "1"
	require.Equal(t, "0", train(t, in).Predictor.Schema().Negative)
}

func TestNew(t *testing.T) {
	trainer, err := New("logistic")
	require.NoError(t, err)
	require.NotNil(t, trainer)
	for name, want := range map[string]string{"command": "not available yet", "forest": `unknown trainer "forest"`} {
		_, err := New(name)
		var bad *InputError
		require.ErrorAs(t, err, &bad)
		require.True(t, strings.Contains(err.Error(), want), err)
	}
}

func BenchmarkTrain(b *testing.B) {
	in := input(generated(32_000), "x", "colour")
	for b.Loop() {
		if _, err := (logistic{}).Train(b.Context(), in, nil); err != nil {
			b.Fatal(err)
		}
	}
}
