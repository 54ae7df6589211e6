package explain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// example is a model of two numbers that matter, one more than the other, and two columns that do not.
func example() *model.Logistic {
	return &model.Logistic{
		Kind: model.KindLogistic, Format: model.LogisticFormat,
		Inputs: model.Schema{
			Features: []model.Feature{
				{Name: "zero", Kind: table.Numeric}, {Name: "idle", Kind: table.Numeric},
				{Name: "weak", Kind: table.Numeric}, {Name: "strong", Kind: table.Categorical, Levels: []string{"a", "b"}},
			},
			Target: "y", Positive: "1", Negative: "0",
		},
		Terms: []model.Term{
			{Numeric: &model.NumericTerm{SD: 1}}, {Numeric: &model.NumericTerm{SD: 1}},
			{Numeric: &model.NumericTerm{SD: 1, Coefficient: 0.8}},
			{Categorical: &model.CategoricalTerm{Coefficients: []float64{-2, 2}}},
		},
	}
}

func rows(n int) (*table.Frame, []bool) {
	random := rand.New(rand.NewPCG(3, 4))
	numbers := func(name string) table.Column {
		c := table.Column{Name: name, Kind: table.Numeric}
		for range n {
			c.Numbers = append(c.Numbers, random.NormFloat64())
		}
		return c
	}
	strong := table.Column{Name: "strong", Kind: table.Categorical, Levels: []string{"a", "b"}}
	for range n {
		strong.Codes = append(strong.Codes, random.Int32N(2))
	}
	f := &table.Frame{Rows: n, Columns: []table.Column{strong, numbers("weak"), numbers("idle"), numbers("zero"), numbers("not in the model")}}
	scores, err := example().Predict(context.Background(), f)
	if err != nil {
		panic(err)
	}
	y := make([]bool, n)
	for i, p := range scores {
		y[i] = random.Float64() < p
	}
	return f, y
}

func TestImportanceFollowsWhatTheModelUses(t *testing.T) {
	f, y := rows(4000)
	r, err := Permutation(t.Context(), example(), f, y, Options{Seed: 7})
	require.NoError(t, err)

	var order []string
	for _, i := range r.Features {
		order = append(order, i.Feature)
	}
	require.Equal(t, []string{"strong", "weak", "idle", "zero"}, order, "ties by name")
	strong, weak, idle := r.Features[0], r.Features[1], r.Features[2]
	require.Greater(t, strong.AUCDrop.Low, weak.AUCDrop.High)
	require.Greater(t, weak.AUCDrop.Low, 0.0)
	require.Greater(t, weak.LogLossRise.Low, 0.0)
	require.Zero(t, idle.AUCDrop.Value)
	require.Zero(t, idle.LogLossRiseSD)

	require.Equal(t, 4000, r.RowsUsed)
	require.Equal(t, DefaultRepeats, r.Repeats)
	require.Greater(t, r.BaseAUC.Value, 0.8)
	require.Contains(t, r.Method, "all 4000 rows")
	require.Contains(t, r.Method, "shuffled among the rows 5 times")
}

// The interval is mean +/- t(0.975, 4) sd / sqrt(5), with t = 2.776445.
func TestIntervalIsStudents(t *testing.T) {
	e, sd := estimate([]float64{1, 2, 3, 4, 5}, 100)
	require.InDelta(t, math.Sqrt(2.5), sd, 1e-12)
	half := 2.7764451051977987 * sd / math.Sqrt(5)
	require.InDelta(t, 3-half, e.Low, 1e-9)
	require.InDelta(t, 3+half, e.High, 1e-9)
	require.Equal(t, stats.Estimate{Value: 3, Low: e.Low, High: e.High, Level: 0.95, Method: "student-t over shuffles", N: 100}, e)
}

func TestSameSeedSameBytesOtherSeedOtherShuffles(t *testing.T) {
	f, y := rows(300)
	report := func(seed uint64) string {
		r, err := Permutation(t.Context(), example(), f, y, Options{Seed: seed, MaxRows: 200})
		require.NoError(t, err)
		b, err := json.Marshal(r)
		require.NoError(t, err)
		return string(b)
	}
	require.Equal(t, report(1), report(1))
	require.NotEqual(t, report(1), report(2))
}

func TestFeaturesAreShuffledIndependently(t *testing.T) {
	f, y := rows(300)
	all, err := Permutation(t.Context(), example(), f, y, Options{})
	require.NoError(t, err)

	swapped := example()
	slices.Reverse(swapped.Inputs.Features)
	slices.Reverse(swapped.Terms)
	again, err := Permutation(t.Context(), swapped, f, y, Options{})
	require.NoError(t, err)
	for k := range all.Features {
		require.Equal(t, all.Features[k].Feature, again.Features[k].Feature)
		require.InDelta(t, all.Features[k].AUCDrop.Value, again.Features[k].AUCDrop.Value, 1e-12)
	}
}

func TestLargeTablesAreSampledAndSayso(t *testing.T) {
	f, y := rows(2000)
	before := slices.Clone(f.Columns[1].Numbers)
	r, err := Permutation(t.Context(), example(), f, y, Options{MaxRows: 500})
	require.NoError(t, err)
	require.Equal(t, 2000, r.Rows)
	require.Equal(t, 500, r.RowsUsed)
	require.Equal(t, 500, r.Features[0].AUCDrop.N)
	require.Contains(t, r.Method, "a random sample of 500 of 2000 rows")
	require.Equal(t, before, f.Columns[1].Numbers, "the table given is left as it is")
}

func TestOneClassLeavesTheAUCUndefined(t *testing.T) {
	f, _ := rows(50)
	r, err := Permutation(t.Context(), example(), f, make([]bool, 50), Options{})
	require.NoError(t, err)
	require.False(t, r.BaseAUC.Defined())
	for _, i := range r.Features {
		require.Equal(t, "no positive examples", i.AUCDrop.Undefined)
		require.True(t, i.LogLossRise.Defined())
	}
}

func TestProgressAndCancellation(t *testing.T) {
	f, y := rows(100)
	var seen []string
	_, err := Permutation(t.Context(), example(), f, y, Options{Repeats: 2, Progress: func(done, total int) { seen = append(seen, fmt.Sprintf("%d/%d", done, total)) }})
	require.NoError(t, err)
	require.Equal(t, []string{"1/8", "2/8", "3/8", "4/8", "5/8", "6/8", "7/8", "8/8"}, seen)

	ctx, cancel := context.WithCancelCause(t.Context())
	last := 0
	_, err = Permutation(ctx, example(), f, y, Options{Progress: func(done, _ int) {
		last = done
		if done == 3 {
			cancel(errors.New("the worker stops"))
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 3, last)
}

// broken answers what no predictor may.
type broken struct{ model.Predictor }

func (broken) Predict(_ context.Context, f *table.Frame) ([]float64, error) {
	return slices.Repeat([]float64{2}, f.Rows), nil
}

func TestPermutationRefuses(t *testing.T) {
	f, y := rows(10)
	without := &table.Frame{Rows: 10, Columns: f.Columns[1:]}
	short := &table.Frame{Rows: 10, Columns: slices.Clone(f.Columns)}
	short.Columns[1].Numbers = short.Columns[1].Numbers[:5]
	cases := []struct {
		name  string
		p     model.Predictor
		frame *table.Frame
		y     []bool
		opt   Options
		want  string
	}{
		{"labels for other rows", example(), f, y[:9], Options{}, "9 labels for 10 rows"},
		{"no rows", example(), &table.Frame{}, nil, Options{}, "there are no rows"},
		{"one shuffle", example(), f, y, Options{Repeats: 1}, "1 shuffles per feature; expected at least 2"},
		{"absent feature", example(), without, y, Options{}, `no column "strong"`},
		{"short column", example(), short, y, Options{}, `column "weak" does not have one value for each of the 10 rows`},
		{"scores that are none", broken{example()}, f, y, Options{}, "row 0: the score is 2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Permutation(t.Context(), c.p, c.frame, c.y, c.opt)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestReorderTakesValuesFromOtherRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "rows")
		f, _ := rows(n)
		order := rapid.Permutation(slices.Collect(func(yield func(int) bool) {
			for i := range n {
				yield(i)
			}
		})).Draw(t, "order")
		name := f.Columns[rapid.IntRange(0, len(f.Columns)-1).Draw(t, "column")].Name
		got, err := Reorder(f, name, order)
		require.NoError(t, err)
		for j, c := range got.Columns {
			if c.Name != name {
				require.Empty(t, cmp.Diff(f.Columns[j], c))
				continue
			}
			for i := range n {
				want, _ := f.Columns[j].Text(order[i])
				have, _ := c.Text(i)
				require.Equal(t, want, have)
			}
		}
	})
	f, _ := rows(3)
	_, err := Reorder(f, "weak", []int{0})
	require.ErrorContains(t, err, `reorder column "weak": an order of 1 rows for a table of 3`)
	_, err = Reorder(f, "absent", []int{0, 1, 2})
	require.ErrorContains(t, err, `no column "absent"`)
}
