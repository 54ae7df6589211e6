package functional

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// privately is a spec of private training on a data set's budget; what is declared of the columns is not looked up in the data.
func privately(model, dataset string, epsilon, budget float64, changes ...func(document)) document {
	all := append([]func(document){
		with("data.exclude", []any{"application_id", "age", "region_group", "employment", "years_employed", "housing", "purpose", "loan_amount", "credit_history_years"}),
		with("data.expect", []any{
			document{"column": "sex", "in": []any{"female", "male"}}, document{"column": "income", "min": -1e6, "max": 1e6},
			document{"column": "debt_to_income", "min": -5, "max": 5}, document{"column": "late_payments", "min": 0, "max": 20},
		}),
		with("train.private", document{"epsilon": epsilon, "delta": 1e-5, "steps": 50}),
		with("privacy.budget", document{"dataset": dataset, "epsilon": budget, "delta": 1e-5}),
		with("gates", nil), oneReviewer, with("rollout", nil),
	}, changes...)
	return credit(model, all...)
}

func TestPrivateTrainingIsPaidForOnceAndRefusedBeyondTheBudget(t *testing.T) {
	t.Parallel()
	const dataset = "functional-people"
	first := start(t, privately("private-one", dataset, 1, 1.2))
	first.underReview()
	page := starter(t, "dossier", first.id)
	require.Contains(t, page.out, "trained with differential privacy")
	spent := func() string {
		s := starter(t, "budgets", dataset)
		require.Zero(t, s.status, s.err)
		return s.out
	}
	before := spent()
	require.Contains(t, before, "1 training")

	// The same training in another lifecycle costs nothing, one with other parameters does not fit any more.
	start(t, privately("private-two", dataset, 1, 1.2)).underReview()
	require.Equal(t, before, spent())
	refused := start(t, privately("private-three", dataset, 1, 1.2, with("train.private.steps", 60))).ends()
	require.Equal(t, "gated", refused.Outcome)
	require.Contains(t, refused.Reason, dataset)
	require.Equal(t, before, spent(), "what is refused costs nothing")

	other := start(t, privately("private-four", dataset, 1, 5)).ends()
	require.Equal(t, "gated", other.Outcome, "a budget does not change")
	require.Contains(t, other.Reason, "1.2")
}

func TestColumnsOfPrivateTrainingMustBeDeclared(t *testing.T) {
	t.Parallel()
	failure := start(t, privately("undeclared", "undeclared", 1, 1, with("data.expect", []any{document{"column": "sex", "in": []any{"female", "male"}}}))).fails()
	require.ErrorContains(t, failure, "income")
}
