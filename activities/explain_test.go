package activities

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/serve"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
)

// touchy is a model of two columns that fails as the function says.
type touchy struct{ fails func(f *table.Frame) error }

func (touchy) Schema() model.Schema {
	return model.Schema{Features: []model.Feature{{Name: "income", Kind: table.Numeric}, {Name: "debts", Kind: table.Numeric}}, Positive: "yes"}
}

func (m touchy) Predict(_ context.Context, f *table.Frame) ([]float64, error) {
	if err := m.fails(f); err != nil {
		return nil, err
	}
	out := make([]float64, f.Rows)
	income, _ := f.Column("income")
	debts, _ := f.Column("debts")
	for i := range out {
		out[i] = 1 / (1 + math.Exp(debts.Numbers[i]-income.Numbers[i]))
	}
	return out, nil
}

// explainedBy runs the explanation of a model within an activity.
func explainedBy(t *testing.T, m touchy, cuts ...float64) (explain.Report, error) {
	t.Helper()
	threshold := 0.5
	s := &spec.Spec{}
	s.Data.Target, s.Evaluate.Threshold, s.Explain.Rows = spec.Target{Column: "y", Positive: "yes"}, &threshold, []int64{7, 10_000}
	test := &table.Frame{Rows: 120, Columns: []table.Column{{Name: columnRow, Kind: table.Numeric}, {Name: "income", Kind: table.Numeric}, {Name: "debts", Kind: table.Numeric}}}
	y := make([]float64, test.Rows)
	for i := range y {
		income, debts := float64(i%11)/5, float64(i%7)/4
		for k, v := range []float64{float64(i + 1), income, debts} {
			test.Columns[k].Numbers = append(test.Columns[k].Numbers, v)
		}
		if income > debts {
			y[i] = 1
		}
	}
	var found explain.Report
	var failed error
	suite := testsuite.WorkflowTestSuite{}
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(func(ctx context.Context) error {
		found, failed = explained(ctx, s, m, test, y, cuts)
		return nil
	})
	_, err := env.ExecuteActivity("func1")
	require.NoError(t, err)
	return found, failed
}

func TestAnswersAreDividedAmongColumnsAndSingleRowsExplained(t *testing.T) {
	found, err := explainedBy(t, touchy{func(*table.Frame) error { return nil }})
	require.NoError(t, err)
	require.Len(t, found.Features, 2)
	require.Equal(t, explain.Sound, found.Shapley.Verdict, found.Shapley.Reading)
	require.Nil(t, found.Exact, "it is no logistic regression that can be looked into")
	require.Equal(t, explain.Sound, found.Stability.Verdict)
	require.Equal(t, 7, found.Local.Rows[0].Row, "the row that the spec names comes first, by the source's number")
	require.Len(t, found.Local.Rows, 1+mostBorderline)
	require.LessOrEqual(t, math.Abs(found.Local.Rows[1].Score-0.5), 0.1, "then those next to the threshold")
	require.Contains(t, found.Notes, "Rows named by the spec that are no labelled test rows, and not explained: 10000.")
	for _, row := range found.Local.Rows {
		for _, p := range row.Parts {
			require.Nil(t, p.Text, "values of single rows are not shown unless the spec says so")
		}
	}
	require.LessOrEqual(t, found.Budget.Used, found.Budget.Predictions)
}

func TestRowsAreExplainedByTheThresholdOfTheirGroup(t *testing.T) {
	cuts := make([]float64, 120)
	for i := range cuts {
		cuts[i] = []float64{0.3, 0.8}[i%2]
	}
	found, err := explainedBy(t, touchy{func(*table.Frame) error { return nil }}, cuts...)
	require.NoError(t, err)
	own := func(row int) float64 { return cuts[row-1] }
	for _, r := range found.Local.Rows[1:] {
		require.InDelta(t, own(r.Row), r.Score, 0.1, "next to its own threshold")
		require.Equal(t, r.Score >= own(r.Row), *r.AtLeast)
	}
	require.NotEmpty(t, found.Counterfactuals.Results)
	for _, r := range found.Counterfactuals.Results {
		require.Less(t, r.Before, own(r.Row))
		for _, c := range r.Counterfactuals {
			require.GreaterOrEqual(t, c.After, own(r.Row))
		}
	}
}

func TestModelThatRefusesSomeRowsIsExplainedAsFarAsItAnswers(t *testing.T) {
	refuses := touchy{func(f *table.Frame) error {
		income, _ := f.Column("income")
		debts, _ := f.Column("debts")
		for i := range f.Rows {
			// No test row has both; shuffled ones do.
			if income.Numbers[i] == 2 && debts.Numbers[i] == 1.5 && i%7 != 6 {
				return &serve.RequestError{Status: 500, Body: "cannot divide"}
			}
		}
		return nil
	}}
	found, err := explainedBy(t, refuses)
	require.NoError(t, err)
	require.Empty(t, found.Features)
	require.Contains(t, fmt.Sprint(found.Notes), "the model's server answered with status 500")
	require.NotContains(t, fmt.Sprint(found.Notes), "cannot divide", "what a server says can hold what stands in a row")
	require.LessOrEqual(t, found.Budget.Used, found.Budget.Predictions)
	require.NotNil(t, found.Shapley, "walks that meet no such row do without")
}

func TestModelThatIsTooSlowIsExplainedAsFarAsItAnswers(t *testing.T) {
	slow := func(rows int) touchy {
		return touchy{func(f *table.Frame) error {
			if f.Rows > rows {
				return &serve.RequestError{Within: time.Second}
			}
			return nil
		}}
	}
	found, err := explainedBy(t, slow(200))
	require.NoError(t, err)
	require.Len(t, found.Features, 2, "it is quick enough for the test rows")
	require.Equal(t, explain.Sound, found.Shapley.Verdict, "walks are asked about in large batches, which are halved until it answers")
	require.Zero(t, found.Shapley.LeftOut)

	found, err = explainedBy(t, slow(119))
	require.ErrorContains(t, err, "no answer within 1s", "it does not even answer about the test rows, which it was evaluated on: another attempt may find it quicker")
	require.Empty(t, found.Features)
}

func TestModelThatFallsSilentWhileItIsExplainedIsAskedAgain(t *testing.T) {
	silent := false
	_, err := explainedBy(t, touchy{func(f *table.Frame) error {
		if silent = silent || f.Rows > 10 && f.Rows < 60; silent { // the first batch of this size is that of a walk
			return &serve.RequestError{Err: errors.New("connection refused")}
		}
		return nil
	}})
	require.ErrorContains(t, err, "fell silent")
	_, passes := serveFailure(err)
	require.True(t, passes, "another attempt may find it up")
}

func TestModelWhoseProgramEndedIsAskedAgainByAnotherAttempt(t *testing.T) {
	calls := 0
	for _, failure := range []error{&serve.RequestError{Err: errors.New("connection refused")}, &serve.RequestError{Status: 503}} {
		_, err := explainedBy(t, touchy{func(*table.Frame) error {
			if calls++; calls > 1 {
				return failure
			}
			return nil
		}})
		require.ErrorIs(t, err, failure)
		calls = 0
	}
}
