package gate_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
)

func TestMetricsOfScopes(t *testing.T) {
	offline := gate.MetricNames(gate.ScopeGate)
	for _, names := range [][]string{stats.MetricNames(), fairness.GapNames(), privacy.MetricNames()} {
		for _, name := range names {
			require.Contains(t, offline, name)
		}
	}
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(offline))), len(offline), "a metric stands twice")
	require.Equal(t, []string{"error_rate", "latency_mean_ms"}, gate.MetricNames(gate.ScopeRollout))

	live := parse(t, "error_rate < 0.01")
	require.NoError(t, live.Require(gate.ScopeRollout))
	require.ErrorContains(t, live.Require(gate.ScopeGate), `condition "error_rate < 0.01": error_rate cannot be measured here; expected one of accuracy,`)
	auc := parse(t, "auc > 0.8")
	require.NoError(t, auc.Require(gate.ScopeGate))
	require.EqualError(t, auc.Require(gate.ScopeRollout), `condition "auc > 0.8": auc cannot be measured here; expected one of error_rate, latency_mean_ms`)
	require.Error(t, parse(t, "n > 0.5 and error_rate < 0.1").Require(gate.ScopeGate))
}

func TestMetricsOfTasks(t *testing.T) {
	classes := []string{"setosa", "versicolor", "virginica"}
	for _, c := range []struct {
		text    string
		task    stats.Task
		message string // empty: the task has it
	}{
		{"f1 > 0.5 and demographic_parity_ratio[sex] > 0.8", stats.Binary, ""},
		{"n - o > 0 and d < 0.1 and brier < 1.5 and f1_macro > 0.5 and precision(setosa) > 0.5", stats.Multiclass, ""},
		{"rmse < 3 and mae < 2 and r2 > 0 and mean_error < 1 and k_anonymity > 2 and latency_p95_ms < 20", stats.Regression, ""},
		{"cost < 3", stats.Regression, ""},
		{"f1 > 0.5", stats.Regression, `condition "f1 > 0.5": f1 is not defined for regression; expected one of rmse, mae, r2, mean_error, k_anonymity`},
		{"n > 0.5", stats.Regression, "accuracy is not defined for regression; expected one of"},
		{"d < 0.5", stats.Regression, "disagreement is not defined for regression"},
		{"rmse < 5", stats.Binary, "rmse is not defined for binary; expected one of accuracy,"},
		{"kappa > 0.5", stats.Binary, "kappa is not defined for binary"},
		{"demographic_parity_ratio[sex] > 0.8", stats.Multiclass, "demographic_parity_ratio is of one class, and the model tells several apart; name one, as in demographic_parity_ratio(setosa)"},
		{"recall > 0.5", stats.Multiclass, "recall is of one class, and the model tells several apart; name one, as in recall(setosa)"},
		{"recall(setoza) > 0.5", stats.Multiclass, `recall(setoza) speaks of a class that there is not; did you mean "setosa"?`},
		{"recall(setosa) > 0.5", stats.Binary, "recall(setosa) names a class, which only models of several classes have; write it without one"},
		{"brier < 1.5", stats.Binary, "brier lies between 0 and 1; the bound is 1.5"},
	} {
		f := parse(t, c.text, gate.Own{Name: "cost"})
		err := f.For(c.task, classes...)
		if c.message == "" {
			require.NoError(t, err, c.text)
			continue
		}
		require.ErrorContains(t, err, c.message)
		require.ErrorContains(t, err, `condition "`+c.text+`": `)
	}
	require.NoError(t, parse(t, "recall(x) > 0.5").For(stats.Multiclass), "without classes any is accepted")
}

func TestEveryMetricIsInATaskOfItsScope(t *testing.T) {
	for _, scope := range []gate.Scope{gate.ScopeGate, gate.ScopeRollout} {
		for _, name := range gate.MetricNames(scope) {
			found := false
			for _, task := range []stats.Task{stats.Binary, stats.Multiclass, stats.Regression} {
				names := gate.TaskMetricNames(scope, task)
				found = found || slices.Contains(names, name) || slices.Contains(names, name+"(...)")
			}
			require.True(t, found, name)
			m, ok := gate.FindMetric(name)
			require.True(t, ok)
			least, most := m.Range("")
			require.Less(t, least, most)
		}
	}
}

func TestOwnMetrics(t *testing.T) {
	zero, ten := 0.0, 10.0
	own := []gate.Own{{Name: "money_lost", Least: &zero, Most: &ten}, {Name: "regret"}}
	f := parse(t, "money_lost[sex=Female] - old.money_lost[sex=Female] < -1 +/- 0.5", own...)
	require.Equal(t, own[:1], f.Own)
	require.Equal(t, gate.Mean, f.Metric(f.Quantities()[0]).Kind)
	require.NoError(t, f.Require(gate.ScopeGate))
	require.NoError(t, parse(t, "regret < -5000", own...).Require(gate.ScopeGate))

	for text, message := range map[string]string{
		"money_lost < 11":     "money_lost lies between 0 and 10; the bound is 11",
		"mony_lost < 1":       `did you mean "money_lost"?`,
		"money_lost[sex] < 1": "money_lost is taken on the rows that have a value",
		"money_lost(x) < 1":   "has no form for one class",
	} {
		_, err := gate.Parse(text, own...)
		require.ErrorContains(t, err, message)
	}
	_, err := gate.Parse("money_lost < 1")
	require.ErrorContains(t, err, `unknown metric "money_lost"`)

	nan := math.NaN()
	for _, c := range []struct {
		own     gate.Own
		message string
	}{
		{gate.Own{Name: ""}, "the name is not lower-case letters"},
		{gate.Own{Name: "Cost"}, "the name is not lower-case letters"},
		{gate.Own{Name: "1st"}, "the name is not lower-case letters"},
		{gate.Own{Name: "a-b"}, "the name is not lower-case letters"},
		{gate.Own{Name: "recall"}, "conditions know this name already"},
		{gate.Own{Name: "n"}, "conditions know this name already"},
		{gate.Own{Name: "cost", Least: &ten, Most: &zero}, "its range is 10 to 0; expected the smaller number first"},
		{gate.Own{Name: "cost", Least: &zero, Most: &zero}, "expected the smaller number first"},
		{gate.Own{Name: "cost", Least: &nan}, "its range ends at NaN; expected a number"},
	} {
		require.ErrorContains(t, c.own.Check(), c.message)
	}
	require.NoError(t, own[0].Check())
	require.NoError(t, gate.Own{Name: "cost", Most: &ten}.Check())
}

func TestWhatComparesModels(t *testing.T) {
	for text, want := range map[string]bool{
		"n > 0.5": false, "k_anonymity > 2 and auc > 0.5": false, "d < 0.5": true, "o > 0.5": true,
		"old.auc > 0.5": true, "n > 0.5 and d < 0.5": true, "n - o > 0": true,
	} {
		require.Equal(t, want, parse(t, text).Compares(), text)
	}
}

func TestQuantitiesStandOnceEach(t *testing.T) {
	f := parse(t, "n - o > 0 and recall[a=1*b=2] + n > 0.5 and recall[b=2*a=1] - n < 0.5 and d < 0.1")
	var names []string
	for _, q := range f.Quantities() {
		names = append(names, q.String())
	}
	require.Equal(t, []string{"n", "o", "recall[a=1*b=2]", "d"}, names)
}

// formulas draws formulas that Parse could have given, with names as odd as they come.
func formulas() *rapid.Generator[gate.Formula] {
	names := append(gate.MetricNames(gate.ScopeGate), gate.MetricNames(gate.ScopeRollout)...)
	name := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune(`ab-=]["'\ <>*()`))))
	column := name.Filter(func(s string) bool { return s != "" })
	quantity := rapid.Custom(func(t *rapid.T) gate.Quantity {
		m, _ := gate.FindMetric(rapid.SampledFrom(names).Draw(t, "metric"))
		q := gate.Quantity{Which: gate.New, Metric: m.Name}
		if m.Name == stats.Disagreement {
			q.Which = gate.Both
		} else if m.Subject != gate.OfTable && rapid.Bool().Draw(t, "old") {
			q.Which = gate.Old
		}
		if m.PerClass() && rapid.Bool().Draw(t, "of a class") {
			q.Class, q.HasClass = name.Draw(t, "class"), true
		}
		least := 0
		if m.Subject == gate.OfGaps {
			least = 1
		}
		if m.Subject == gate.OfTable {
			return q
		}
		for _, c := range rapid.SliceOfNDistinct(column, least, 3, rapid.ID[string]).Draw(t, "columns") {
			p := gate.Part{Column: c}
			if m.Subject == gate.OfRows {
				p.Value, p.HasValue = name.Draw(t, "value"), true
			}
			q.Slice.Parts = append(q.Slice.Parts, p)
		}
		return q
	})
	clause := rapid.Custom(func(t *rapid.T) gate.Clause {
		var e gate.Expr
		for range rapid.IntRange(1, 4).Draw(t, "terms") {
			c := rapid.OneOf(rapid.Just(1.0), rapid.Just(-1.0), rapid.Float64Range(0.001, 100), rapid.Float64Range(-100, -0.001)).Draw(t, "coefficient")
			e = append(e, gate.Term{Coefficient: c, Quantity: quantity.Draw(t, "quantity")})
		}
		c := gate.Clause{
			Expr: e, Op: rapid.SampledFrom([]gate.Op{gate.Less, gate.LessOrEqual, gate.Greater, gate.GreaterOrEqual}).Draw(t, "op"),
			Bound: rapid.Float64Range(-200, 200).Draw(t, "bound") + 0, // -0 reads as 0
		}
		if rapid.Bool().Draw(t, "with tolerance") {
			c.Tolerance = rapid.Float64Range(1e-9, 1).Draw(t, "tolerance")
		}
		return c
	})
	return rapid.Custom(func(t *rapid.T) gate.Formula {
		return gate.Formula{Clauses: rapid.SliceOfN(clause, 1, 3).Draw(t, "clauses")}
	})
}

func TestCanonicalFormReadsBack(t *testing.T) {
	read := 0
	rapid.Check(t, func(t *rapid.T) {
		want := formulas().Draw(t, "formula")
		got, err := gate.Parse(want.String())
		if err != nil { // drawn bounds may lie outside of the range, and drawn terms may cancel
			require.Regexp(t, "the bound is|tolerance of|cancels|longer than", err.Error())
			return
		}
		read++
		require.Equal(t, want.String(), got.Text)
		require.True(t, want.Equal(got), "%q reads as %q", want, got)
		for i, c := range got.Clauses {
			require.Equal(t, want.Clauses[i].Expr, c.Expr)
		}
		require.Equal(t, want.String(), got.String())
	})
	require.Positive(t, read)
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"accuracy > 0.8", `recall[sex="Fe\"male"] >= .6`, "demographic_parity_difference[sex*race] < 1e-1", "n - o > 0.02 +/- 0.01",
		"recall[a=b=c] < 1", "ece['x'='']<0", "k_anonymity >= 5 /\\ d < 1", "fpr[\xff=\x00]<1", "recall[ = ] > ",
		"2*(n - -1.1*o) > 0.1 ± 0.01 and precision(a)[x=1*y=2] <= 0.5", "-((n))*2e-3 > 0", "cost - old.cost < 0", "n>1e-9+/-1e-9/\\o<1",
	} {
		f.Add(seed)
	}
	own := gate.Own{Name: "cost"}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := gate.Parse(text, own)
		if err != nil {
			var syntax *gate.SyntaxError
			if !errors.As(err, &syntax) || syntax.Column < 1 || syntax.Column > len(text)+1 || strings.TrimSpace(syntax.Message) == "" {
				t.Fatalf("a refusal without its place: %#v", err)
			}
			if lines := strings.Split(err.Error(), "\n"); len(lines) != 3 || strings.TrimSpace(lines[2]) != "^" {
				t.Fatalf("a refusal without its mark: %q", err)
			}
			return
		}
		for _, clause := range c.Clauses {
			if math.IsNaN(clause.Bound) || math.IsInf(clause.Bound, 0) || !(clause.Tolerance >= 0) || len(clause.Expr) == 0 {
				t.Fatalf("clause %+v", clause)
			}
		}
		again, err := gate.Parse(c.String(), own)
		if err != nil {
			if len(c.String()) > len(text) && strings.Contains(err.Error(), "longer than") {
				return // multiplied out
			}
			t.Fatalf("%q reads as %q, which is refused: %v", text, c, err)
		}
		if !again.Equal(c) || again.String() != c.String() {
			t.Fatalf("%q reads as %q, its canonical form as %q", text, c, again)
		}
	})
}
