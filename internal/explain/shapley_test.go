package explain

import (
	"encoding/json"
	"math"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// enumerated are the Shapley values by their definition: over all sets of features, against every background row.
func enumerated(t testing.TB, p model.Predictor, f, background *table.Frame, row int, scale Scale, at int) []float64 {
	t.Helper()
	names, width := featureNames(p.Schema()), p.Schema().Width()
	d := len(names)
	worth := make([]float64, 1<<d)
	for set := range worth {
		mixed := &table.Frame{Rows: background.Rows}
		for j, name := range names {
			c, err := background.Column(name)
			require.NoError(t, err)
			of, err := f.Column(name)
			require.NoError(t, err)
			column := take(*c, drawn(background.Rows, background.Rows, nil))
			for i := range background.Rows {
				if set>>j&1 == 0 {
					continue
				}
				if c.Kind == table.Numeric {
					column.Numbers[i] = of.Numbers[row]
				} else {
					column.Codes[i] = of.Codes[row]
				}
			}
			mixed.Columns = append(mixed.Columns, column)
		}
		answers, err := p.Predict(t.Context(), mixed)
		require.NoError(t, err)
		for i := range background.Rows {
			worth[set] += scale.onto(answers[i*width+at]) / float64(background.Rows)
		}
	}
	factorial := func(n int) float64 { return math.Gamma(float64(n + 1)) }
	phi := make([]float64, d)
	for j := range phi {
		for set := range worth {
			if set>>j&1 == 0 {
				s := bits.OnesCount(uint(set))
				phi[j] += factorial(s) * factorial(d-s-1) / factorial(d) * (worth[set|1<<j] - worth[set])
			}
		}
	}
	return phi
}

// interacting is a model of applicants whose columns matter through each other only.
func interacting() answering {
	return answering{of: func(p person) []float64 {
		z := 0.0
		if p.age > 45 {
			z += 1.5
		}
		if p.age > 30 && p.sex == 1 {
			z -= 2
		}
		if math.IsNaN(p.spare) {
			z++
		} else {
			z += p.spare * math.Log(p.income/1000)
		}
		return []float64{model.Sigmoid(z)}
	}}
}

// hidden hides that a model is a logistic regression, so that it has to be asked.
type hidden struct{ model.Predictor }

func TestSampledAgreesWithEnumeration(t *testing.T) {
	people, _ := rows(60)
	crowd := applicants(60)
	for name, c := range map[string]struct {
		p     model.Predictor
		f     *table.Frame
		scale Scale
		class string
		at    int
	}{
		"asked":              {interacting(), crowd, Probability, "", 0},
		"asked, log-odds":    {interacting(), crowd, LogOdds, "", 0},
		"by terms":           {example(), people, Probability, "", 0},
		"by terms, log-odds": {example(), people, LogOdds, "", 0},
		"a class":            {species(), people, Probability, "y", 1},
		"numbers":            {price(), people, Number, "", 0},
		"asked as by terms":  {hidden{example()}, people, Probability, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			background := takeRows(c.f, drawn(40, 40, nil))
			opt := ShapleyOptions{Scale: c.scale, Class: c.class, Rows: []int{41, 44, 50, 59}, Permutations: 200, Seed: 3}
			v, err := Sampled(t.Context(), c.p, c.f, background, opt)
			require.NoError(t, err)
			require.Equal(t, opt.Rows, v.Rows)
			for i, row := range v.Rows {
				want := enumerated(t, c.p, c.f, background, row, c.scale, c.at)
				sum := v.Base
				for j, x := range v.Phi[i] {
					require.InDelta(t, want[j], x, 4*v.SE[i][j]+1e-9, "row %d, %s", row, v.Features[j])
					sum += x
				}
				require.InDelta(t, v.Scores[i], sum, 1e-9, "values add up")
				require.InDelta(t, 0, v.Residuals[i], 1e-9)
			}
			require.Equal(t, Sound, v.Summary().Verdict, v.Summary().Reading)
		})
	}
}

// Without the control variates the values miss the score by how far the drawn background rows lie from all of them.
func TestFewPairsMissTheScoreByTheirDraw(t *testing.T) {
	f := applicants(300)
	v, err := Sampled(t.Context(), interacting(), f, f, ShapleyOptions{Rows: []int{3}, Permutations: 4, Seed: 1})
	require.NoError(t, err)
	s := sampling{opt: ShapleyOptions{Seed: 1}, pairs: 2, used: drawn(300, 300, nil)}
	scores, err := interacting().Predict(t.Context(), f)
	require.NoError(t, err)
	drawnScores := 0.0
	for _, b := range s.grounds(s.stream(3)) {
		drawnScores += scores[b] / 2
	}
	require.InDelta(t, drawnScores-v.Base, v.Residuals[0], 1e-12)
	require.Greater(t, math.Abs(v.Residuals[0]), 0.01)
	r := v.Summary()
	require.Equal(t, Doubtful, r.Verdict)
	require.Contains(t, r.Reading, "times as many permutations would do")
}

func TestStatedErrorsAreThoseMade(t *testing.T) {
	f := applicants(200)
	row := []int{7}
	exact := enumerated(t, interacting(), f, f, 7, Probability, 0)
	squares, stated := make([]float64, 4), make([]float64, 4)
	const runs = 60
	for seed := range uint64(runs) {
		v, err := Sampled(t.Context(), interacting(), f, f, ShapleyOptions{Rows: row, Permutations: 64, Seed: seed})
		require.NoError(t, err)
		for j, x := range v.Phi[0] {
			squares[j] += (x - exact[j]) * (x - exact[j]) / runs
			stated[j] += v.SE[0][j] * v.SE[0][j] / runs
		}
	}
	for j := range squares {
		ratio := math.Sqrt(squares[j] / stated[j])
		t.Logf("feature %d: the error made is %.2f of the stated one", j, ratio)
		require.Less(t, ratio, 1.4)
		require.Greater(t, ratio, 0.5)
	}
}

func TestShapleyProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		d, n := rapid.IntRange(3, 8).Draw(t, "features"), rapid.IntRange(2, 30).Draw(t, "rows")
		m, f := drawnLogistic(random, d, n)
		// The last two features are alike, the first does nothing.
		m.Terms[0].Numeric.Coefficient, m.Terms[0].Numeric.Missing = 0, 0
		m.Terms[d-2], f.Columns[d-2].Numbers = m.Terms[d-1], f.Columns[d-1].Numbers
		opt := ShapleyOptions{Seed: random.Uint64(), Permutations: 2 * rapid.IntRange(2, 40).Draw(t, "pairs")}
		for _, p := range []model.Predictor{m, hidden{m}} {
			v, err := Sampled(t.Context(), p, f, f, opt)
			require.NoError(t, err)
			for i, phi := range v.Phi {
				require.Zero(t, phi[0], "a feature that does nothing")
				if opt.Permutations >= 2*leastControlled || p == model.Predictor(m) {
					require.Zero(t, v.SE[i][0], "fewer pairs may not have seen that it does nothing")
				}
				if opt.Permutations >= 2*leastControlled {
					// Few features have few orders, and one that is never drawn is in no standard error.
					require.InDelta(t, phi[d-2], phi[d-1], 6*(v.SE[i][d-2]+v.SE[i][d-1])+0.05*v.Spread+1e-9, "features that are alike")
					require.InDelta(t, 0, v.Residuals[i], 1e-9)
				}
			}
			b, err := json.Marshal(v.Summary())
			require.NoError(t, err, "no number that JSON has not")
			require.NotEmpty(t, b)
		}
	})
}

// The values of a sum of models are the sums of their values, walk by walk.
func TestValuesOfASumAreSumsOfValues(t *testing.T) {
	f := applicants(40)
	number := func(of func(p person) float64) answering {
		return answering{task: stats.Regression, of: func(p person) []float64 { return []float64{of(p)} }}
	}
	a, b := func(p person) float64 { return p.age * p.sex }, func(p person) float64 { return math.Log(p.income) * p.age / 10 }
	opt := ShapleyOptions{Permutations: 16, Seed: 5}
	var of [3]Values
	for k, g := range []func(p person) float64{a, b, func(p person) float64 { return a(p) + b(p) }} {
		v, err := Sampled(t.Context(), number(g), f, f, opt)
		require.NoError(t, err)
		of[k] = v
	}
	for i := range of[2].Phi {
		for j, x := range of[2].Phi[i] {
			require.InDelta(t, of[0].Phi[i][j]+of[1].Phi[i][j], x, 1e-9)
		}
	}
}

func TestSampledIsTheSameForASeedOnAnyNumberOfProcessors(t *testing.T) {
	f, _ := rows(300)
	opt := ShapleyOptions{MaxRows: 50, MaxBackground: 100, Permutations: 20, Seed: 9}
	first, err := Sampled(t.Context(), example(), f, f, opt)
	require.NoError(t, err)
	require.Len(t, first.Rows, 50)
	require.Contains(t, first.Notes[0], "a random sample of 100 of 300 background rows")
	require.Positive(t, first.BaseSE)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	again, err := Sampled(t.Context(), example(), f, f, opt)
	require.NoError(t, err)
	require.Equal(t, first, again)
	opt.Rows = []int{first.Rows[7]}
	alone, err := Sampled(t.Context(), example(), f, f, opt)
	require.NoError(t, err)
	require.Equal(t, first.Phi[7], alone.Phi[0], "a row's values do not depend on which others are explained")
	opt.Rows, opt.Seed = nil, 10
	other, err := Sampled(t.Context(), example(), f, f, opt)
	require.NoError(t, err)
	require.NotEqual(t, first.Rows, other.Rows)
}

func TestSampledByBatchesIsTheSame(t *testing.T) {
	f := applicants(50)
	opt := ShapleyOptions{Permutations: 10, MaxRows: 5, Seed: 2}
	whole, err := Sampled(t.Context(), interacting(), f, f, opt)
	require.NoError(t, err)
	opt.Batch = 7
	parts, err := Sampled(t.Context(), interacting(), f, f, opt)
	require.NoError(t, err)
	require.Equal(t, whole, parts)
	require.LessOrEqual(t, whole.Asked, 50+5*(1+10*3))
}

func TestLevelsOfOtherTablesAndUnknownOnes(t *testing.T) {
	f, _ := rows(30)
	background, _ := rows(30)
	strong, err := f.Column("strong")
	require.NoError(t, err)
	strong.Levels, strong.Codes[0], strong.Codes[1] = []string{"b", "new"}, 1, -1
	opt := ShapleyOptions{Rows: []int{0, 1, 2}, Permutations: 400, Scale: LogOdds}
	fast, err := Sampled(t.Context(), example(), f, background, opt)
	require.NoError(t, err)
	asked, err := Sampled(t.Context(), hidden{example()}, f, background, opt)
	require.NoError(t, err)
	exact, err := Linear(example(), f, background)
	require.NoError(t, err)
	for i := range opt.Rows {
		require.InDeltaSlice(t, exact.Phi[i], fast.Phi[i], 1e-9)
		require.InDeltaSlice(t, exact.Phi[i], asked.Phi[i], 1e-2)
		require.InDelta(t, exact.Scores[i], asked.Scores[i], 1e-9)
	}
}

func TestSummaryOrdersByMeanSize(t *testing.T) {
	f, _ := rows(500)
	v, err := Sampled(t.Context(), example(), f, f, ShapleyOptions{Permutations: 100})
	require.NoError(t, err)
	r := v.Summary()
	var names []string
	for _, a := range r.Features {
		names = append(names, a.Feature)
		require.LessOrEqual(t, a.Size.Low, a.MeanAbs)
		require.GreaterOrEqual(t, a.Size.High, a.MeanAbs)
		require.LessOrEqual(t, math.Abs(a.Mean), a.MeanAbs)
	}
	require.Equal(t, []string{"strong", "weak", "idle", "zero"}, names)
	require.Equal(t, stats.Exact(0, 500), r.Features[3].Size)
	require.Equal(t, Sound, r.Verdict)
	require.Positive(t, r.MeanError)
	require.Less(t, r.MeanError, 0.01)
}

func TestAConstantModelHasNoValues(t *testing.T) {
	f := applicants(20)
	v, err := Sampled(t.Context(), answering{of: func(person) []float64 { return []float64{0.25} }}, f, f, ShapleyOptions{})
	require.NoError(t, err)
	r := v.Summary()
	require.Equal(t, Sound, r.Verdict)
	require.Equal(t, 0.25, r.Base)
	require.Zero(t, r.Features[0].MeanAbs)
}

func TestNumbersTooLargeToBeAddedGiveAReport(t *testing.T) {
	f := applicants(20)
	for _, size := range []float64{1e150, 1e300, math.MaxFloat64} {
		p := answering{task: stats.Regression, of: func(p person) []float64 {
			if p.age > 40 {
				return []float64{size}
			}
			return []float64{-size}
		}}
		v, err := Sampled(t.Context(), p, f, f, ShapleyOptions{})
		require.NoError(t, err)
		_, err = json.Marshal(v)
		require.NoError(t, err)
		r := v.Summary()
		_, err = json.Marshal(r)
		require.NoError(t, err, "%g", size)
		if size > 1e200 {
			require.Equal(t, Doubtful, r.Verdict)
			require.Contains(t, r.Notes[0], "too large to be added")
		}
	}
	people, _ := rows(20)
	weak, err := people.Column("weak")
	require.NoError(t, err)
	weak.Numbers[0] = 1e308
	m := example()
	m.Terms[2].Numeric.Coefficient = 10
	_, err = Linear(m, people, people)
	require.ErrorContains(t, err, "feature \"weak\": the effect on row 0 is no finite number")
	_, err = Sampled(t.Context(), m, people, people, ShapleyOptions{})
	require.ErrorContains(t, err, "the effect on row 0 is no finite number")
	weak.Numbers[0] = math.Inf(1)
	_, err = Sampled(t.Context(), m, people, people, ShapleyOptions{})
	require.ErrorContains(t, err, "row 0 is infinite")
}

func TestSmallScalesAreJudgedByTheirSpread(t *testing.T) {
	f := applicants(200)
	p := answering{task: stats.Regression, of: func(p person) []float64 { return []float64{1e-14 * interacting().of(p)[0]} }}
	for permutations, want := range map[int]string{4: Doubtful, 400: Sound} {
		v, err := Sampled(t.Context(), p, f, f, ShapleyOptions{MaxRows: 10, Permutations: permutations})
		require.NoError(t, err)
		require.Equal(t, want, v.Summary().Verdict)
	}
}

func TestSampledRefuses(t *testing.T) {
	f, _ := rows(10)
	none := &table.Frame{Columns: takeRows(f, nil).Columns}
	for want, call := range map[string]func() error{
		"rows: there are no rows":            func() error { _, err := Sampled(t.Context(), example(), none, f, ShapleyOptions{}); return err },
		"background rows: there are no rows": func() error { _, err := Sampled(t.Context(), example(), f, none, ShapleyOptions{}); return err },
		"expected an even number": func() error {
			_, err := Sampled(t.Context(), example(), f, f, ShapleyOptions{Permutations: 5})
			return err
		},
		"row 10 is to be explained": func() error {
			_, err := Sampled(t.Context(), example(), f, f, ShapleyOptions{Rows: []int{10}})
			return err
		},
		"name at least one": func() error {
			_, err := Sampled(t.Context(), example(), f, f, ShapleyOptions{Rows: []int{}})
			return err
		},
		"the scale is \"number\"": func() error {
			_, err := Sampled(t.Context(), example(), f, f, ShapleyOptions{Scale: Number})
			return err
		},
		"the scale is \"odds\"": func() error {
			_, err := Sampled(t.Context(), example(), f, f, ShapleyOptions{Scale: "odds"})
			return err
		},
		"is none of the model's":                   func() error { _, err := Sampled(t.Context(), species(), f, f, ShapleyOptions{}); return err },
		"a class is named to be explained":         func() error { _, err := Sampled(t.Context(), example(), f, f, ShapleyOptions{Class: "x"}); return err },
		"linear Shapley values: rows: there are":   func() error { _, err := Linear(example(), none, f); return err },
		"linear Shapley values: background rows: ": func() error { _, err := Linear(example(), f, none); return err },
	} {
		require.ErrorContains(t, call(), want)
	}
}
