package gate_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/gate"
)

// parse reads a condition that must be one.
func parse(t testing.TB, text string, own ...gate.Own) gate.Formula {
	t.Helper()
	f, err := gate.Parse(text, own...)
	require.NoError(t, err)
	return f
}

func parseAll(t testing.TB, texts ...string) []gate.Formula {
	t.Helper()
	var formulas []gate.Formula
	for _, text := range texts {
		formulas = append(formulas, parse(t, text))
	}
	return formulas
}

// where makes a slice of column and value pairs.
func where(pairs ...string) gate.Slice {
	var s gate.Slice
	for i := 0; i < len(pairs); i += 2 {
		s.Parts = append(s.Parts, gate.Part{Column: pairs[i], Value: pairs[i+1], HasValue: true})
	}
	return s
}

func columns(names ...string) gate.Slice {
	var s gate.Slice
	for _, name := range names {
		s.Parts = append(s.Parts, gate.Part{Column: name})
	}
	return s
}

func of(metric string, s gate.Slice) gate.Quantity {
	return gate.Quantity{Which: gate.New, Metric: metric, Slice: s}
}

func TestParseOneQuantity(t *testing.T) {
	for _, c := range []struct {
		text      string
		quantity  gate.Quantity
		op        gate.Op
		bound     float64
		canonical string
	}{
		{"accuracy > 0.8", of("accuracy", gate.Slice{}), gate.Greater, 0.8, "n > 0.8"},
		{"n > 0.8", of("accuracy", gate.Slice{}), gate.Greater, 0.8, "n > 0.8"},
		{"new.accuracy > 0.8", of("accuracy", gate.Slice{}), gate.Greater, 0.8, "n > 0.8"},
		{"o > 0.8", gate.Quantity{Which: gate.Old, Metric: "accuracy"}, gate.Greater, 0.8, "o > 0.8"},
		{"old.accuracy > 0.8", gate.Quantity{Which: gate.Old, Metric: "accuracy"}, gate.Greater, 0.8, "o > 0.8"},
		{"old.auc > 0.8", gate.Quantity{Which: gate.Old, Metric: "auc"}, gate.Greater, 0.8, "old.auc > 0.8"},
		{"d < .1", gate.Quantity{Which: gate.Both, Metric: "disagreement"}, gate.Less, 0.1, "d < 0.1"},
		{"disagreement[sex=Female] < .1", gate.Quantity{Which: gate.Both, Metric: "disagreement", Slice: where("sex", "Female")}, gate.Less, 0.1, "d[sex=Female] < 0.1"},
		{"  auc>=.85\n", of("auc", gate.Slice{}), gate.GreaterOrEqual, 0.85, "auc >= 0.85"},
		{"log_loss <= 1.5e0", of("log_loss", gate.Slice{}), gate.LessOrEqual, 1.5, "log_loss <= 1.5"},
		{"mcc > -0.25", of("mcc", gate.Slice{}), gate.Greater, -0.25, "mcc > -0.25"},
		{"mcc > -0", of("mcc", gate.Slice{}), gate.Greater, 0, "mcc > 0"},
		{"(recall) > 0.8", of("recall", gate.Slice{}), gate.Greater, 0.8, "recall > 0.8"},
		{"recall[sex=Female] > 0.6", of("recall", where("sex", "Female")), gate.Greater, 0.6, "recall[sex=Female] > 0.6"},
		{"recall [ sex = Female ] > 0.6", of("recall", where("sex", "Female")), gate.Greater, 0.6, "recall[sex=Female] > 0.6"},
		{"recall[sex=Female * race = Black] > 0.6", of("recall", where("sex", "Female", "race", "Black")), gate.Greater, 0.6, "recall[sex=Female*race=Black] > 0.6"},
		{"fpr[race=Amer-Indian-Eskimo] < 0.1", of("fpr", where("race", "Amer-Indian-Eskimo")), gate.Less, 0.1, "fpr[race=Amer-Indian-Eskimo] < 0.1"},
		{"ece[age_cat=25 - 45] < 0.1", of("ece", where("age_cat", "25 - 45")), gate.Less, 0.1, "ece[age_cat=25 - 45] < 0.1"},
		{"ece[age_group=>=60] < 0.1", of("ece", where("age_group", ">=60")), gate.Less, 0.1, "ece[age_group=>=60] < 0.1"},
		{"ece[native-country='Trinadad&Tobago'] < 0.1", of("ece", where("native-country", "Trinadad&Tobago")), gate.Less, 0.1, "ece[native-country=Trinadad&Tobago] < 0.1"},
		{`ece["a=b"="x] \"y\""] < 0.1`, of("ece", where("a=b", `x] "y"`)), gate.Less, 0.1, `ece["a=b"="x] \"y\""] < 0.1`},
		{`ece["a*b"="x*y"] < 0.1`, of("ece", where("a*b", "x*y")), gate.Less, 0.1, `ece["a*b"="x*y"] < 0.1`},
		{`ece[note=""] < 0.1`, of("ece", where("note", "")), gate.Less, 0.1, `ece[note=""] < 0.1`},
		{`ece[Straße=Süd] < 0.1`, of("ece", where("Straße", "Süd")), gate.Less, 0.1, `ece[Straße=Süd] < 0.1`},
		{"demographic_parity_difference[marital-status] < 0.2", of("demographic_parity_difference", columns("marital-status")), gate.Less, 0.2, "demographic_parity_difference[marital-status] < 0.2"},
		{"equalized_odds_difference[sex*race] < 0.2", of("equalized_odds_difference", columns("sex", "race")), gate.Less, 0.2, "equalized_odds_difference[sex*race] < 0.2"},
		{"k_anonymity >= 5", of("k_anonymity", gate.Slice{}), gate.GreaterOrEqual, 5, "k_anonymity >= 5"},
		{"latency_p99_ms < 250", of("latency_p99_ms", gate.Slice{}), gate.Less, 250, "latency_p99_ms < 250"},
		{"error_rate < 0.01", of("error_rate", gate.Slice{}), gate.Less, 0.01, "error_rate < 0.01"},
		{"r2 > -3", of("r2", gate.Slice{}), gate.Greater, -3, "r2 > -3"},
		{"brier < 1.5", of("brier", gate.Slice{}), gate.Less, 1.5, "brier < 1.5"},
		{"precision(setosa) > 0.9", gate.Quantity{Which: gate.New, Metric: "precision", Class: "setosa", HasClass: true}, gate.Greater, 0.9, "precision(setosa) > 0.9"},
		{
			`old.recall("a) b") [x=1] > 0.9`,
			gate.Quantity{Which: gate.Old, Metric: "recall", Class: "a) b", HasClass: true, Slice: where("x", "1")},
			gate.Greater, 0.9, `old.recall("a) b")[x=1] > 0.9`,
		},
	} {
		t.Run(c.text, func(t *testing.T) {
			f := parse(t, c.text)
			require.Equal(t, c.text, f.Text)
			require.Len(t, f.Clauses, 1)
			got := f.Clauses[0]
			require.Empty(t, cmp.Diff(gate.Expr{{Coefficient: 1, Quantity: c.quantity}}, got.Expr))
			require.Equal(t, c.op, got.Op)
			require.Equal(t, c.bound, got.Bound)
			require.Zero(t, got.Tolerance)
			require.Equal(t, strings.TrimSpace(c.text), got.Text)
			require.Equal(t, c.canonical, f.String())
		})
	}
}

func TestParseExpressionsAndFormulas(t *testing.T) {
	for _, c := range []struct{ text, canonical string }{
		{"n - o > 0.02 +/- 0.01", "n - o > 0.02 +/- 0.01"},
		{"n-o>0.02+/-0.01", "n - o > 0.02 +/- 0.01"},
		{"n - o > 0.02 ± 0.01", "n - o > 0.02 +/- 0.01"},
		{"n - 1.1*o > 0.01 +/- 0.01 /\\ d < 0.1 +/- 0.01", `n - 1.1*o > 0.01 +/- 0.01 /\ d < 0.1 +/- 0.01`},
		{"n - o * 1.1 > 0.01 and d<0.1", `n - 1.1*o > 0.01 /\ d < 0.1`},
		{"-n + o < 0.01", "-n + o < 0.01"},
		{"- -n > 0.5", "n > 0.5"},
		{"n - -o > 1", "n + o > 1"},
		{"2*(n - 0.5*(o - d)) > 0.1", "2*n - o + d > 0.1"},
		{"-(n - o)*0.5 < 0.1", "-0.5*n + 0.5*o < 0.1"},
		{"2*-3*n > -6", "-6*n > -6"},
		{"recall[sex=Female] - recall[sex=Male] > -0.1 +/- 0.05", "recall[sex=Female] - recall[sex=Male] > -0.1 +/- 0.05"},
		{"0.5*precision(a) + 0.5*precision(b) > 0.8", "0.5*precision(a) + 0.5*precision(b) > 0.8"},
		{"old.rmse - new.rmse > 3", "old.rmse - rmse > 3"},
		{"n > 0.8\n  and k_anonymity >= 5\n  and d < 0.2", `n > 0.8 /\ k_anonymity >= 5 /\ d < 0.2`},
		{"n + n > 1.5", "n + n > 1.5"},
		{"recall[and=/\\] > 0.5 and n > 0.5", `recall[and=/\] > 0.5 /\ n > 0.5`},
	} {
		t.Run(c.text, func(t *testing.T) {
			f := parse(t, c.text)
			require.Equal(t, c.canonical, f.String())
			again := parse(t, f.String())
			require.True(t, f.Equal(again), "%q reads back as %q", f, again)
		})
	}
}

func TestClausesKeepTheirOwnText(t *testing.T) {
	f := parse(t, "  accuracy  -  o > 0.02 +/- 0.01   /\\ d < 0.1 ")
	require.Len(t, f.Clauses, 2)
	require.Equal(t, "accuracy  -  o > 0.02 +/- 0.01", f.Clauses[0].Text)
	require.Equal(t, "accuracy  -  o", f.Clauses[0].Subject)
	require.Equal(t, "d < 0.1", f.Clauses[1].Text)
}

func TestParseRefusals(t *testing.T) {
	for _, c := range []struct {
		text    string
		column  int
		message string
	}{
		{"", 1, "expected a metric such as accuracy, found the end"},
		{"  recal > 0.6", 3, `unknown metric "recal"; did you mean "recall"?`},
		{"Accuracy > 0.6", 1, `unknown metric "Accuracy"; did you mean "accuracy"?`},
		{"equal_odds_difference[sex] < 0.1", 1, `did you mean "equalized_odds_difference"?`},
		{"zzz > 1", 1, `unknown metric "zzz"; expected one of accuracy, auc,`},
		{"n - old.recal > 0", 9, `unknown metric "recal"; did you mean "recall"?`},
		{"later.recall > 0", 1, `unknown metric "later"`},
		{strings.Repeat("x", 100) + " > 0", 1, `unknown metric "` + strings.Repeat("x", 40) + `..."`},
		{"recall 0.6", 8, `expected <, <=, > or >=, found "0.6"`},
		{"recall = 0.6", 8, `expected <, <=, > or >=, found "="`},
		{"recall >", 9, "expected a number such as 0.8, found the end"},
		{"recall > high", 10, `expected a number such as 0.8, found "high"`},
		{"recall > 1.2.3", 10, `"1.2.3" is not a decimal number`},
		{"log_loss < 1e999", 12, `"1e999" is not a decimal number`},
		{"recall > 60%", 12, "percent is not understood; write 0.6"},
		{"recall > 60", 10, "recall lies between 0 and 1; the bound is 60: for percent write 0.6"},
		{"recall > -0.1", 10, "recall lies between 0 and 1; the bound is -0.1"},
		{"log_loss < -1", 12, "log_loss is never below 0; the bound is -1"},
		{"r2 > 1.5", 6, "r2 is never above 1; the bound is 1.5"},
		{"recall > 0.6 please", 14, `expected the end of the condition, found "please"`},
		{"recall[sex] > 0.6", 7, "recall is taken on the rows that have a value; name it, as in recall[sex=...]"},
		{"recall[sex= ] > 0.6", 12, "expected a value, as in [sex=...]"},
		{"recall[] > 0.6", 8, "expected the name of a column"},
		{"recall[sex=Female*] > 0.6", 19, "expected the name of a column"},
		{"recall[sex=Female*sex=Male] > 0.6", 19, "the column sex stands twice"},
		{"recall[sex=Female > 0.6", 24, `expected "]", found the end`},
		{`recall[sex="Female] > 0.6`, 12, `the quoted name does not end; expected another "`},
		{`recall[sex="Female" or] > 0.6`, 21, `expected "]", found "or]"`},
		{"demographic_parity_ratio > 0.8", 26, "compares the groups of a column; name it, as in demographic_parity_ratio[sex]"},
		{"demographic_parity_ratio[sex*race=x] > 0.8", 30, "name the column alone: demographic_parity_ratio[race]"},
		{"k_anonymity[sex] > 5", 12, "k_anonymity is a number of the whole; write it without brackets"},
		{"accuracy(setosa) > 0.5", 9, "accuracy has no form for one class; write it without parentheses"},
		{"recall() > 0.5", 8, "expected the name of a class, as in recall(setosa)"},
		{"recall(setosa > 0.5", 20, `expected ")", found the end`},
		{"old.n > 0.5", 5, "n is the accuracy of the new or the old model already; write old.accuracy"},
		{"new.d > 0.5", 5, "disagreement compares the new model with the old one; write d"},
		{"old.k_anonymity > 5", 5, "k_anonymity is not measured of the old model; write it without old."},

		{"n > 0.8 +/- 0", 13, "the tolerance is 0; expected a number above 0, or leave it out"},
		{"n > 0.8 +/- -0.02", 13, "the tolerance is -0.02; expected a number above 0, or leave it out"},
		{"n > 0.8 +/-", 12, "expected a number such as 0.02, found the end"},
		{"n > 0.8 +/- 2", 13, "accuracy lies between 0 and 1, which a tolerance of 2 holds all of: for percent write 0.02"},
		{"n - o > 0.02 +/- 1%", 19, "percent is not understood; write 0.01"},
		{"n > 0.8 +- 0.02", 9, "write a tolerance as +/- 0.02"},
		{"n - o > 2", 9, "n - o lies between -1 and 1; the bound is 2: for percent write 0.02"},
		{"n - o > -3 +/- 0.01", 9, "n - o lies between -1 and 1; the bound is -3: for percent write -0.03"},
		{"n - 1.1*o > -1.2", 13, "n - 1.1*o lies between -1.1 and 1; the bound is -1.2"},
		{"2*k_anonymity + n > -1", 21, "2*k_anonymity + n is never below 0; the bound is -1"},
		{"n - n > 0", 1, "everything in n - n cancels, so there is nothing to measure"},
		{"d < 0.5 and 0.1*n + 0.2*n - 0.3*n > 0", 13, "cancels"},
		{"0*n > 0", 1, "n is multiplied by 0; expected a finite number other than 0"},
		{"1e300*(1e300*n) > 0", 1, "n is multiplied by +Inf; expected a finite number other than 0"},
		{"n - o + 0.01 > 0", 9, "a number alone cannot stand here; move it to the bound, as in n - o > 0.02"},
		{"n - 2*3 > 0", 5, "a number alone cannot stand here"},
		{"n*o > 0", 3, "metrics cannot be multiplied by one another; multiply one by a number, as in 1.1*o"},
		{"n/2 > 0", 2, "division is not understood; multiply by a number, as in 0.5*n"},
		{"2 n > 0", 3, `expected * between the number and "n"`},
		{"2(n - o) > 0", 2, `expected * between the number and "(n"`},
		{"(n - o > 0", 8, "parentheses hold sums and no comparisons; leave them out"},
		{"(n - o 2 > 0", 8, `expected ")", found "2"`},
		{"n - > 0", 5, `expected a metric such as accuracy, found ">"`},
		{strings.Repeat("(", 60) + "n", 51, "more than 50 parentheses stand within one another"},
		{"n > 0.5 " + strings.Repeat(" ", 5000), 4097, "the condition is longer than 4096 bytes"},
		{"recall > 0.5 * 2", 14, "write the bound as one number"},
		{"0.8 < recall", 1, "expected the metric first and the bound last, as in recall > 0.8"},
		{"recall > 0.8, auc > 0.8", 13, `join conditions by /\ or by "and", or write each as an item of its own`},
		{"recall > 0.8 AND auc > 0.8", 14, `join conditions by /\ or by "and"`},
		{"recall > 0.8 && auc > 0.8", 14, `join conditions by /\ or by "and"`},
		{"recall > 0.8 or auc > 0.8", 14, `conditions are joined by /\ or by "and" only: all of them must hold`},
		{`recall > 0.8 \/ auc > 0.8`, 14, "only: all of them must hold"},
		{`recall > 0.8 /\`, 16, "expected a metric such as accuracy, found the end"},
		{`n - o > 0.1 /\ recal > 0.8`, 16, `unknown metric "recal"; did you mean "recall"?`},
	} {
		t.Run(c.text[:min(len(c.text), 40)], func(t *testing.T) {
			_, err := gate.Parse(c.text)
			var syntax *gate.SyntaxError
			require.ErrorAs(t, err, &syntax)
			require.Contains(t, syntax.Message, c.message)
			require.Equal(t, c.column, syntax.Column, syntax.Message)
			require.Equal(t, c.text, syntax.Text)
		})
	}
}

func TestErrorsMarkThePlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`n - o > 0 /\ recal > 0.6`, "unknown metric \"recal\"; did you mean \"recall\"?\n    n - o > 0 /\\ recal > 0.6\n                 ^"},
		{"recall[Straße=Süd] > 60", "recall lies between 0 and 1; the bound is 60: for percent write 0.6\n    recall[Straße=Süd] > 60\n                         ^"},
		{"recall\n\t> x", "expected a number such as 0.8, found \"x\"\n    recall  > x\n              ^"},
		{"recall >", "expected a number such as 0.8, found the end\n    recall >\n            ^"},
	} {
		_, err := gate.Parse(c.text)
		require.EqualError(t, err, c.want)
	}

	_, err := gate.Parse("recall[sex=" + strings.Repeat("é", 200) + "] > 60 and " + strings.Repeat("n > 0.5 and ", 20))
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 3)
	require.True(t, strings.HasPrefix(lines[1], "    ...éé"), lines[1])
	require.True(t, strings.HasSuffix(lines[1], "..."), lines[1])
	place := strings.Index(lines[2], "^")
	require.Equal(t, "60 and", string([]rune(lines[1])[place:place+6]))
}

func TestConditionJSON(t *testing.T) {
	least := 0.0
	f := parse(t, "n - 1.1*recall[sex=Female] > 0.1 +/- 0.05 and cost < 3", gate.Own{Name: "cost", Least: &least})
	content, err := json.Marshal(f)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"text": "n - 1.1*recall[sex=Female] > 0.1 +/- 0.05 and cost < 3",
		"clauses": [
			{"text": "n - 1.1*recall[sex=Female] > 0.1 +/- 0.05", "subject": "n - 1.1*recall[sex=Female]", "op": ">", "bound": 0.1, "tolerance": 0.05, "expr": [
				{"coefficient": 1, "quantity": {"which": "new", "metric": "accuracy"}},
				{"coefficient": -1.1, "quantity": {"which": "new", "metric": "recall", "slice": {"parts": [{"column": "sex", "value": "Female", "has_value": true}]}}}]},
			{"text": "cost < 3", "subject": "cost", "op": "<", "bound": 3, "expr": [{"coefficient": 1, "quantity": {"which": "new", "metric": "cost"}}]}
		],
		"own": [{"name": "cost", "least": 0}]}`, string(content))
	var back gate.Formula
	require.NoError(t, json.Unmarshal(content, &back))
	require.Equal(t, f, back)
}
