package explain

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// moody answers as a model of applicants, but not about some of them.
type moody struct {
	answering
	fails func(p person) bool // an error for the whole call
	nan   func(p person) bool
	late  func(p person) bool // it waits until it may no longer
	calls *int
}

var errMoody = errors.New("cannot score this")

func (m moody) Predict(ctx context.Context, f *table.Frame) ([]float64, error) {
	if m.calls != nil {
		*m.calls++
	}
	answers, err := m.answering.Predict(ctx, f)
	if err != nil {
		return nil, err
	}
	for i := range f.Rows {
		p := person{f.Columns[0].Numbers[i], f.Columns[1].Numbers[i], f.Columns[2].Numbers[i], float64(f.Columns[3].Codes[i])}
		switch {
		case m.fails != nil && m.fails(p):
			return nil, errMoody
		case m.late != nil && m.late(p):
			<-ctx.Done()
			return nil, ctx.Err()
		case m.nan != nil && m.nan(p):
			answers[i] = math.NaN()
		}
	}
	return answers, nil
}

func TestAllowanceFindsTheRowsOnWhichTheModelFails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := applicants(rapid.IntRange(1, 60).Draw(t, "rows"))
		bad := rapid.SliceOfNDistinct(rapid.IntRange(0, f.Rows-1), 0, min(f.Rows, mostLostRows-1), rapid.ID[int]).Draw(t, "bad")
		for _, r := range bad {
			f.Columns[0].Numbers[r] = 99
		}
		old := func(p person) bool { return p.age == 99 }
		calls := 0
		b := NewAllowance(moody{answering: interacting(), fails: old, calls: &calls}, 0, 0)
		scores, err := b.Scores(t.Context(), f)
		require.NoError(t, err)
		want, err := interacting().Predict(t.Context(), f)
		require.NoError(t, err)
		for i, s := range scores {
			if slices.Contains(bad, i) {
				require.True(t, math.IsNaN(s))
			} else {
				require.Equal(t, want[i], s)
			}
		}
		require.Equal(t, Lost{Failed: len(bad)}, b.Lost())
		require.GreaterOrEqual(t, b.Used(), f.Rows)
		require.False(t, b.Silent())
	})
}

func TestAllowanceCountsAndBounds(t *testing.T) {
	f := applicants(10)
	calls := 0
	b := NewAllowance(moody{answering: interacting(), calls: &calls}, 25, 0)
	require.Equal(t, interacting().Schema(), b.Schema())
	for range 2 {
		_, err := b.Predict(t.Context(), f)
		require.NoError(t, err)
	}
	require.Equal(t, 20, b.Used())
	require.Equal(t, 5, b.Left())
	_, err := b.Predict(t.Context(), f)
	require.ErrorIs(t, err, ErrBudget)
	require.ErrorContains(t, err, "5 of 25 rows are left")
	_, err = b.Scores(t.Context(), f)
	require.ErrorIs(t, err, ErrBudget)
	require.Equal(t, 2, calls, "nothing is asked that the budget does not allow")
	require.Equal(t, 20, b.Used())
	require.Equal(t, math.MaxInt, NewAllowance(interacting(), 0, 0).Left())
}

func TestAModelThatAlwaysFailsIsGivenUpOn(t *testing.T) {
	f := applicants(1000)
	calls := 0
	b := NewAllowance(moody{answering: interacting(), fails: func(person) bool { return true }, calls: &calls}, 0, 0)
	for range mostLostCalls {
		require.False(t, b.Silent())
		scores, err := b.Scores(t.Context(), f)
		require.NoError(t, err)
		require.True(t, math.IsNaN(scores[0]) && math.IsNaN(scores[999]))
	}
	require.True(t, b.Silent())
	require.Equal(t, Lost{Failed: 3000}, b.Lost())
	require.Less(t, calls, 60)
}

func TestAnswersThatAreNoScoresAreLost(t *testing.T) {
	f := applicants(30)
	b := NewAllowance(broken{interacting()}, 0, 0)
	_, err := b.Scores(t.Context(), f)
	require.NoError(t, err)
	require.Equal(t, Lost{NoNumber: 30}, b.Lost())
	_, err = NewAllowance(tooFew{interacting()}, 0, 0).Predict(t.Context(), f)
	require.ErrorContains(t, err, "it gave 1 numbers; expected 30")
}

type tooFew struct{ model.Predictor }

func (tooFew) Predict(context.Context, *table.Frame) ([]float64, error) { return []float64{0.5}, nil }

func TestRowsTheModelFailsOnAreLeftOut(t *testing.T) {
	f := applicants(60)
	f.Columns[0].Numbers[3], f.Columns[0].Numbers[40] = 99, 99 // one explained, one of the background
	old := func(p person) bool { return p.age == 99 }
	background := takeRows(f, drawn(60, 60, nil)[20:])
	opt := ShapleyOptions{Rows: drawn(10, 10, nil), Permutations: 80, Seed: 4}
	for name, m := range map[string]moody{"fails": {answering: interacting(), fails: old}, "no number": {answering: interacting(), nan: old}} {
		v, err := Sampled(t.Context(), m, f, background, opt)
		require.NoError(t, err, name)
		require.Equal(t, []int{3}, v.LeftOut)
		require.Equal(t, []int{0, 1, 2, 4, 5, 6, 7, 8, 9}, v.Rows)
		require.Equal(t, 39, v.Background)
		require.Equal(t, 2, v.Lost.Total())
		r := v.Summary()
		require.Equal(t, Doubtful, r.Verdict)
		require.Equal(t, "1 of 10 rows could not be explained, more than 5%: what is left may not be like them.", r.Reading)
		require.Contains(t, r.Notes[0], "no score for 1 of 40 background rows")
		for i := range v.Rows {
			require.InDelta(t, 0, v.Residuals[i], 1e-9)
		}
	}
}

func TestWalksThroughRowsTheModelFailsOnAreLeftOut(t *testing.T) {
	f := applicants(60)
	// No applicant is like this, but walks from one to another pass by.
	mixed := func(p person) bool { return p.age > 70 && p.income < 500 && p.sex == 2 }
	for i := range f.Rows {
		if mixed(person{f.Columns[0].Numbers[i], f.Columns[1].Numbers[i], 0, float64(f.Columns[3].Codes[i])}) {
			f.Columns[0].Numbers[i] = 20
		}
	}
	v, err := Sampled(t.Context(), moody{answering: interacting(), nan: mixed}, f, f, ShapleyOptions{Permutations: 40})
	require.NoError(t, err)
	require.Len(t, v.Rows, 60)
	require.Positive(t, v.LostPairs)
	asked := 0
	for i := range v.Rows {
		asked += v.Pairs[i]
		if v.Pairs[i] >= leastControlled {
			require.InDelta(t, 0, v.Residuals[i], 1e-9)
		}
	}
	require.Equal(t, 60*20, asked+v.LostPairs)
	require.Contains(t, v.Summary().Notes[0], "pairs of walks of other rows are left out")
}

func TestAModelWithoutAnswersGivesAReport(t *testing.T) {
	f := applicants(40)
	always := func(person) bool { return true }
	for name, m := range map[string]moody{
		"fails": {answering: interacting(), fails: always}, "no number": {answering: interacting(), nan: always},
	} {
		v, err := Sampled(t.Context(), m, f, f, ShapleyOptions{Batch: 10})
		require.NoError(t, err, name)
		require.Empty(t, v.Rows)
		require.Len(t, v.LeftOut, 40)
		r := v.Summary()
		require.Equal(t, Doubtful, r.Verdict)
		require.Contains(t, r.Reading, "No row could be explained")
		require.NotEmpty(t, r.Features[0].Size.Undefined)
		_, err = json.Marshal(r)
		require.NoError(t, err)
		local, err := v.Local(f, LocalOptions{})
		require.NoError(t, err)
		require.Empty(t, local.Rows)
	}
}

func TestAModelThatAnswersTooLateGivesAReport(t *testing.T) {
	f := applicants(40)
	b := NewAllowance(moody{answering: interacting(), late: func(p person) bool { return true }}, 0, time.Millisecond)
	v, err := Sampled(t.Context(), b, f, f, ShapleyOptions{Batch: 5})
	require.NoError(t, err)
	require.Len(t, v.LeftOut, 40)
	require.Positive(t, v.Lost.Late)
	require.Zero(t, v.Lost.Failed)
	require.Contains(t, v.Notes, "The model stopped answering, and was not asked any more.")
	require.Equal(t, Doubtful, v.Summary().Verdict)
}

func TestTheEndOfTheContextIsAnError(t *testing.T) {
	f := applicants(40)
	ctx, cancel := context.WithCancel(t.Context())
	opt := ShapleyOptions{Progress: func(done, total int) {
		require.Equal(t, 40, total)
		if done == 3 {
			cancel()
		}
	}}
	_, err := Sampled(ctx, interacting(), f, f, opt)
	require.ErrorIs(t, err, context.Canceled)
	_, err = Sampled(ctx, example(), must(rows(20)), must(rows(20)), ShapleyOptions{})
	require.ErrorIs(t, err, context.Canceled)
	late, cancelLate := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancelLate()
	_, err = Sampled(late, moody{answering: interacting(), late: func(person) bool { return true }}, f, f, ShapleyOptions{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func must(f *table.Frame, _ []bool) *table.Frame { return f }

func TestABudgetDecidesHowManyPermutations(t *testing.T) {
	f := applicants(50)
	rows := drawn(10, 10, nil)
	b := NewAllowance(interacting(), 50+10*(1+20*3), 0)
	v, err := Sampled(t.Context(), b, f, f, ShapleyOptions{Rows: rows})
	require.NoError(t, err)
	require.Equal(t, 10, v.Pairs[0])
	require.LessOrEqual(t, b.Used(), 660)
	require.Equal(t, b.Used(), v.Asked)
	require.Contains(t, v.Notes, "The budget of predictions allowed 20 permutations a row, fewer than the usual 64.")

	b = NewAllowance(interacting(), 150, 0)
	_, err = Sampled(t.Context(), b, f, f, ShapleyOptions{Rows: rows})
	require.ErrorIs(t, err, ErrBudget)
	require.ErrorContains(t, err, "10 rows with 4 permutations against 50 background rows may need 180 predictions and 150 are left")
	require.Zero(t, b.Used())
	_, err = Sampled(t.Context(), NewAllowance(interacting(), 660, 0), f, f, ShapleyOptions{Rows: rows, Permutations: 22})
	require.ErrorContains(t, err, "may need 720 predictions and 660 are left")
}

func TestABudgetSpentOnFailuresLeavesRowsOut(t *testing.T) {
	f := applicants(50)
	mixed := func(p person) bool { return p.age > 60 && p.sex == 0 }
	b := NewAllowance(moody{answering: interacting(), fails: mixed}, 50+50*(1+20*3), 0)
	v, err := Sampled(t.Context(), b, f, f, ShapleyOptions{Permutations: 20})
	require.NoError(t, err)
	require.NotEmpty(t, v.Rows)
	require.NotEmpty(t, v.LeftOut)
	require.Len(t, append(v.Rows, v.LeftOut...), 50)
	require.Contains(t, v.Notes, "The budget of predictions ran out while rows were asked about again to find those on which the model fails.")
	require.Equal(t, Doubtful, v.Summary().Verdict)
	require.LessOrEqual(t, b.Used(), 50+50*61)
}
