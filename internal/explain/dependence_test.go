package explain

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// person is a row of the applicants below.
type person struct{ age, income, spare, sex float64 }

// answering is a model of applicants given by a function.
type answering struct {
	task    stats.Task
	classes []string
	of      func(p person) []float64
}

func (a answering) Schema() model.Schema {
	return model.Schema{Task: a.task, Classes: a.classes, Positive: "yes", Negative: "no", Features: []model.Feature{
		{Name: "age", Kind: table.Numeric}, {Name: "income", Kind: table.Numeric},
		{Name: "spare", Kind: table.Numeric}, {Name: "sex", Kind: table.Categorical},
	}}
}

func (a answering) Predict(_ context.Context, f *table.Frame) ([]float64, error) {
	var out []float64
	for i := range f.Rows {
		out = append(out, a.of(person{f.Columns[0].Numbers[i], f.Columns[1].Numbers[i], f.Columns[2].Numbers[i], float64(f.Columns[3].Codes[i])})...)
	}
	return out, nil
}

// applicants have whole ages of 18 to 80, incomes of any number, and one of three sexes; every tenth has no spare.
func applicants(n int) *table.Frame {
	random := rand.New(rand.NewPCG(5, 6))
	age, income, spare := table.Column{Name: "age", Kind: table.Numeric}, table.Column{Name: "income", Kind: table.Numeric}, table.Column{Name: "spare", Kind: table.Numeric}
	sex := table.Column{Name: "sex", Kind: table.Categorical, Levels: []string{"Female", "Male", "Other"}}
	for i := range n {
		age.Numbers = append(age.Numbers, float64(18+random.IntN(63)))
		income.Numbers = append(income.Numbers, 1000*math.Exp(random.NormFloat64()))
		spare.Numbers = append(spare.Numbers, random.Float64())
		if i%10 == 0 {
			spare.Numbers[i] = math.NaN()
		}
		sex.Codes = append(sex.Codes, int32(min(2, random.IntN(5)/2)))
	}
	return &table.Frame{Rows: n, Columns: []table.Column{age, income, spare, sex}}
}

func TestDependenceOfAnAdditiveModelIsTheEffect(t *testing.T) {
	f := applicants(300)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := rapid.Float64Range(-5, 5).Draw(t, "a"), rapid.Float64Range(-5, 5).Draw(t, "b"), rapid.Float64Range(-5, 5).Draw(t, "c")
		effect := func(age float64) float64 { return a*age + b*math.Sin(age) }
		p := answering{task: stats.Regression, of: func(x person) []float64 { return []float64{effect(x.age) + c*x.sex + x.income} }}
		d, err := PartialDependence(context.Background(), p, f, "age", DependenceOptions{MaxRows: 100, Curves: 3, Centred: true, Seed: rapid.Uint64().Draw(t, "seed")})
		require.NoError(t, err)
		require.Len(t, d.Points, MostDependencePoints)
		require.Equal(t, 2000, d.Predictions)
		for k, point := range d.Points {
			want := effect(*point.Number) - effect(*d.Points[0].Number)
			require.InDelta(t, want, d.Outputs[0].Mean[k].Value-d.Outputs[0].Mean[0].Value, 1e-8)
			require.InDelta(t, 0, d.Outputs[0].Heterogeneity[k], 1e-8)
			for _, curve := range d.Outputs[0].Curves {
				require.InDelta(t, want, curve.Values[k], 1e-8)
			}
		}
	})
}

func TestAFeatureNotUsedIsFlat(t *testing.T) {
	p := answering{of: func(x person) []float64 { return []float64{1 / (1 + math.Exp(-x.age/50+x.sex))} }}
	d, err := PartialDependence(t.Context(), p, applicants(200), "income", DependenceOptions{Curves: 2})
	require.NoError(t, err)
	for k, mean := range d.Outputs[0].Mean {
		require.InDelta(t, d.Outputs[0].Mean[0].Value, mean.Value, 1e-12)
		require.InDelta(t, 0, d.Outputs[0].Heterogeneity[k], 1e-12)
		require.Less(t, mean.Low, mean.Value)
	}
	require.InDelta(t, 0, d.Outputs[0].Spread, 1e-12)
}

// The effect of age is +1 a year for half of the rows and -1 for the others: the mean is flat, the rows are not. The sd of
// +-(x - mean) over rows is about |x - mean|.
func TestOppositeEffectsShowAsHeterogeneity(t *testing.T) {
	f := applicants(400)
	for i := range f.Rows {
		f.Columns[3].Codes[i] = int32(i % 2)
	}
	p := answering{task: stats.Regression, of: func(x person) []float64 { return []float64{x.age * (2*x.sex - 1)} }}
	d, err := PartialDependence(t.Context(), p, f, "age", DependenceOptions{})
	require.NoError(t, err)
	mean := 0.0
	for _, point := range d.Points {
		mean += *point.Number / float64(len(d.Points))
	}
	for k, point := range d.Points {
		require.InDelta(t, 0, d.Outputs[0].Mean[k].Value, 1e-9)
		require.InDelta(t, math.Abs(*point.Number-mean), d.Outputs[0].Heterogeneity[k], 0.1)
	}
	require.Greater(t, d.Outputs[0].MeanHeterogeneity, 10.0)
}

func TestPointsCountTheRowsNearThemAndShowGaps(t *testing.T) {
	f := applicants(8)
	f.Columns[2].Numbers = []float64{0, 1, 1, 2, 100, 100, math.NaN(), math.NaN()}
	p := answering{task: stats.Regression, of: func(x person) []float64 {
		if math.IsNaN(x.spare) {
			return []float64{-7}
		}
		return []float64{x.spare}
	}}
	d, err := PartialDependence(t.Context(), p, f, "spare", DependenceOptions{})
	require.NoError(t, err)
	var values []string
	var counts []int
	var gaps []float64
	for k, point := range d.Points {
		values, counts, gaps = append(values, point.Value), append(counts, point.Rows), append(gaps, point.Gap)
		want := -7.0
		if !point.Missing {
			want = *point.Number
		}
		require.Equal(t, stats.Exact(want, 8), d.Outputs[0].Mean[k], "no row differs")
	}
	require.Equal(t, []string{"0", "1", "2", "100", ""}, values)
	require.Equal(t, []int{1, 2, 1, 2, 2}, counts)
	require.Equal(t, []float64{0, 1, 1, 98, 0}, gaps)
	require.True(t, d.Points[4].Missing)
	require.Equal(t, 0.25, d.Points[4].Share)
}

func TestLevelsByFrequencyAndEachClassOfItsOwn(t *testing.T) {
	p := answering{task: stats.Multiclass, classes: []string{"a", "b"}, of: func(x person) []float64 { return []float64{x.sex / 4, 1 - x.sex/4} }}
	f := applicants(500)
	d, err := PartialDependence(t.Context(), p, f, "sex", DependenceOptions{Points: 2})
	require.NoError(t, err)
	require.Len(t, d.Points, 2)
	require.Equal(t, 1, d.OtherLevels)
	require.GreaterOrEqual(t, d.Points[0].Rows, d.Points[1].Rows)
	require.InDelta(t, 1, d.Points[0].Share+d.Points[1].Share+d.OtherShare, 1e-12)
	require.Equal(t, "a", d.Outputs[0].Class)
	for k, point := range d.Points {
		code := map[string]float64{"Female": 0, "Male": 1, "Other": 2}[point.Value]
		require.InDelta(t, code/4, d.Outputs[0].Mean[k].Value, 1e-12)
		require.InDelta(t, 1-code/4, d.Outputs[1].Mean[k].Value, 1e-12)
	}
}

func TestRareNamesAreNotAskedAbout(t *testing.T) {
	p := answering{task: stats.Binary, of: func(x person) []float64 { return []float64{0.5} }}
	f := applicants(500)
	all, err := PartialDependence(t.Context(), p, f, "sex", DependenceOptions{})
	require.NoError(t, err)
	rarest := all.Points[len(all.Points)-1]
	d, err := PartialDependence(t.Context(), p, f, "sex", DependenceOptions{LeastRows: rarest.Rows + 1})
	require.NoError(t, err)
	require.Len(t, d.Points, len(all.Points)-1)
	require.Equal(t, 1, d.OtherLevels)
	require.InDelta(t, rarest.Share, d.OtherShare, 1e-12)
	_, err = PartialDependence(t.Context(), p, f, "sex", DependenceOptions{LeastRows: 501})
	require.ErrorContains(t, err, "each of its names stands in fewer than 501 rows")
	require.NotContains(t, err.Error(), "Female")
}

// On Adult with scikit-learn's logistic regression the log-odds of one row move by coefficient/sd for each year.
func TestCurvesOfAdultFollowTheCoefficients(t *testing.T) {
	m := referenceModel(t)
	f, _ := adultTest(t, m)
	d, err := PartialDependence(t.Context(), m, f, "education-num", DependenceOptions{Curves: 5})
	require.NoError(t, err)
	term := m.Terms[1].Numeric
	logit := func(p float64) float64 { return math.Log(p / (1 - p)) }
	for _, c := range d.Outputs[0].Curves {
		for k, point := range d.Points {
			require.InDelta(t, term.Coefficient*(*point.Number-*d.Points[0].Number)/term.SD, logit(c.Values[k])-logit(c.Values[0]), 1e-6)
		}
	}
	require.Len(t, d.Points, 16, "education-num has 16 values")
	require.Contains(t, d.Method, "a random sample of 500 of")
}

func TestDependenceKeepsToItsPredictionsAndSeed(t *testing.T) {
	p := answering{task: stats.Regression, of: func(x person) []float64 { return []float64{x.age * x.income} }}
	f := applicants(300)
	text := func(seed uint64) string {
		d, err := PartialDependence(t.Context(), p, f, "age", DependenceOptions{MaxPredictions: 205, Seed: seed})
		require.NoError(t, err)
		require.Equal(t, 200, d.Predictions)
		require.Equal(t, 10, d.RowsUsed)
		b, err := json.Marshal(d)
		require.NoError(t, err)
		return string(b)
	}
	require.Equal(t, text(1), text(1))
	require.NotEqual(t, text(1), text(2))
}

func TestDependenceRefuses(t *testing.T) {
	fine := answering{task: stats.Regression, of: func(x person) []float64 { return []float64{x.age} }}
	nan := answering{task: stats.Regression, of: func(person) []float64 { return []float64{math.NaN()} }}
	huge := answering{task: stats.Regression, of: func(x person) []float64 { return []float64{math.Copysign(1.7e308, x.age-40)} }}
	f, empty := applicants(30), applicants(30)
	for i := range empty.Rows {
		empty.Columns[2].Numbers[i], empty.Columns[3].Codes[i] = math.NaN(), -1
	}
	for _, c := range []struct {
		p       answering
		f       *table.Frame
		feature string
		opt     DependenceOptions
		want    string
	}{
		{fine, &table.Frame{}, "age", DependenceOptions{}, "there are no rows"},
		{fine, f, "agee", DependenceOptions{}, `feature "agee": the model does not look at it; it looks at ["age"`},
		{fine, empty, "spare", DependenceOptions{}, "it is missing in every row"},
		{fine, empty, "sex", DependenceOptions{}, "it is missing in every row"},
		{fine, f, "age", DependenceOptions{Points: 21}, "21 points; expected 2 to 20"},
		{fine, f, "age", DependenceOptions{MaxPredictions: 30}, "expected room for 2 rows"},
		{nan, f, "age", DependenceOptions{}, "row 0: the answer is no finite number"},
		{huge, f, "age", DependenceOptions{}, "the answers are too large to be averaged"},
		{fine, &table.Frame{Rows: 30, Columns: f.Columns[1:]}, "age", DependenceOptions{}, `no column "age"`},
	} {
		_, err := PartialDependence(t.Context(), c.p, c.f, c.feature, c.opt)
		require.ErrorContains(t, err, c.want)
	}
	for i := range f.Rows {
		f.Columns[0].Numbers[i] = 5
	}
	d, err := PartialDependence(t.Context(), fine, f, "age", DependenceOptions{})
	require.NoError(t, err)
	require.Len(t, d.Points, 1)
	require.Contains(t, d.Note, "one value in all rows")
}
