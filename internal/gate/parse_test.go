package gate_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
)

func TestParse(t *testing.T) {
	group := func(attribute, name string) gate.Slice {
		return gate.Slice{Attribute: attribute, Group: name, HasGroup: true}
	}
	for _, c := range []struct {
		text      string
		metric    string
		slice     gate.Slice
		op        gate.Op
		bound     float64
		canonical string
	}{
		{"accuracy > 0.8", "accuracy", gate.Slice{}, gate.Greater, 0.8, "accuracy > 0.8"},
		{"  auc>=.85\n", "auc", gate.Slice{}, gate.GreaterOrEqual, 0.85, "auc >= 0.85"},
		{"log_loss <= 1.5e0", "log_loss", gate.Slice{}, gate.LessOrEqual, 1.5, "log_loss <= 1.5"},
		{"mcc > -0.25", "mcc", gate.Slice{}, gate.Greater, -0.25, "mcc > -0.25"},
		{"mcc > -0", "mcc", gate.Slice{}, gate.Greater, 0, "mcc > 0"},
		{"recall[sex=Female] > 0.6", "recall", group("sex", "Female"), gate.Greater, 0.6, "recall[sex=Female] > 0.6"},
		{"recall [ sex = Female ] > 0.6", "recall", group("sex", "Female"), gate.Greater, 0.6, "recall[sex=Female] > 0.6"},
		{"fpr[race=Amer-Indian-Eskimo] < 0.1", "fpr", group("race", "Amer-Indian-Eskimo"), gate.Less, 0.1, "fpr[race=Amer-Indian-Eskimo] < 0.1"},
		{"ece[age_cat=25 - 45] < 0.1", "ece", group("age_cat", "25 - 45"), gate.Less, 0.1, "ece[age_cat=25 - 45] < 0.1"},
		{"ece[age_group=>=60] < 0.1", "ece", group("age_group", ">=60"), gate.Less, 0.1, "ece[age_group=>=60] < 0.1"},
		{"ece[native-country='Trinadad&Tobago'] < 0.1", "ece", group("native-country", "Trinadad&Tobago"), gate.Less, 0.1, "ece[native-country=Trinadad&Tobago] < 0.1"},
		{`ece["a=b"="x] \"y\""] < 0.1`, "ece", group("a=b", `x] "y"`), gate.Less, 0.1, `ece["a=b"="x] \"y\""] < 0.1`},
		{`ece[note=""] < 0.1`, "ece", group("note", ""), gate.Less, 0.1, `ece[note=""] < 0.1`},
		{`ece[Straße=Süd] < 0.1`, "ece", group("Straße", "Süd"), gate.Less, 0.1, `ece[Straße=Süd] < 0.1`},
		{"demographic_parity_difference[marital-status] < 0.2", "demographic_parity_difference", gate.Slice{Attribute: "marital-status"}, gate.Less, 0.2, "demographic_parity_difference[marital-status] < 0.2"},
		{"k_anonymity >= 5", "k_anonymity", gate.Slice{}, gate.GreaterOrEqual, 5, "k_anonymity >= 5"},
		{"error_rate < 0.01", "error_rate", gate.Slice{}, gate.Less, 0.01, "error_rate < 0.01"},
	} {
		t.Run(c.text, func(t *testing.T) {
			got, err := gate.Parse(c.text)
			require.NoError(t, err)
			want := gate.Condition{Text: c.text, Metric: c.metric, Slice: c.slice, Op: c.op, Bound: c.bound}
			require.Empty(t, cmp.Diff(want, got))
			require.Equal(t, c.canonical, got.String())
		})
	}
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
		{"recall > 0.6 please", 14, `expected the end of the condition, found "please"`},
		{"recall[sex] > 0.6", 7, "recall is taken on one group; name it, as in recall[sex=...]"},
		{"recall[sex= ] > 0.6", 12, "expected the name of a group, as in [sex=...]"},
		{"recall[] > 0.6", 8, "expected the name of an attribute"},
		{"recall[sex=Female > 0.6", 24, `expected "]", found the end`},
		{`recall[sex="Female] > 0.6`, 12, `the quoted name does not end; expected another "`},
		{`recall[sex="Female" or] > 0.6`, 21, `expected "]", found "or]"`},
		{"demographic_parity_ratio > 0.8", 26, "compares the groups of an attribute; name it, as in demographic_parity_ratio[sex]"},
		{"demographic_parity_ratio[sex=Female] > 0.8", 25, "name the attribute alone: demographic_parity_ratio[sex]"},
		{"k_anonymity[sex] > 5", 12, "k_anonymity is a number of the whole; write it without brackets"},

		{"n > 0.8", 1, "n (the new model's accuracy) is not available yet; write accuracy"},
		{"n - o > 0.02 +/- 0.01", 1, "not available yet; write accuracy"},
		{"o > 0.8", 1, "o (the old model's accuracy) is not available yet"},
		{"d < 0.1", 1, "d (the share of predictions that changed) is not available yet"},
		{"accuracy > 0.8 +/- 0.02", 16, "a tolerance is not available yet; write accuracy > 0.8"},
		{"accuracy > 0.8 ± 0.02", 16, "a tolerance is not available yet; write accuracy > 0.8"},
		{"recall[sex=Female] - recall[sex=Male] > 0", 20, "arithmetic is not available yet; write a condition on recall[sex=Female] alone"},
		{"recall > 0.5 * 2", 14, "arithmetic is not available yet; write the bound as one number"},
		{"2 * recall > 0.5", 1, "expected the metric first, as in accuracy > 0.8; arithmetic is not available yet"},
		{"0.8 < recall", 1, "expected the metric first"},
		{"(recall) > 0.8", 1, "arithmetic is not available yet"},
		{`recall > 0.8 /\ auc > 0.8`, 14, "joining conditions is not available yet; write each as an item of its own, the first as recall > 0.8"},
		{"recall > 0.8 and auc > 0.8", 14, "joining conditions is not available yet"},
		{"recall > 0.8, auc > 0.8", 13, "joining conditions is not available yet"},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, err := gate.Parse(c.text)
			var syntax *gate.SyntaxError
			require.ErrorAs(t, err, &syntax)
			require.Equal(t, c.column, syntax.Column, syntax.Message)
			require.Contains(t, syntax.Message, c.message)
			require.Contains(t, err.Error(), "condition ")
		})
	}
}

func TestMetricsOfScopes(t *testing.T) {
	var all []string
	all = append(all, stats.MetricNames()...)
	all = append(all, fairness.MetricNames()...)
	all = append(all, privacy.MetricNames()...)
	require.Equal(t, all, gate.MetricNames(gate.ScopeGate))
	require.Equal(t, []string{"error_rate"}, gate.MetricNames(gate.ScopeRollout))

	live, err := gate.Parse("error_rate < 0.01")
	require.NoError(t, err)
	require.NoError(t, live.Require(gate.ScopeRollout))
	require.ErrorContains(t, live.Require(gate.ScopeGate), `condition "error_rate < 0.01": error_rate cannot be measured here; expected one of accuracy,`)
	offline, err := gate.Parse("auc > 0.8")
	require.NoError(t, err)
	require.NoError(t, offline.Require(gate.ScopeGate))
	require.EqualError(t, offline.Require(gate.ScopeRollout), `condition "auc > 0.8": auc cannot be measured here; expected one of error_rate`)
}

func TestConditionJSON(t *testing.T) {
	c, err := gate.Parse("recall[sex=Female] > 0.6")
	require.NoError(t, err)
	content, err := json.Marshal(c)
	require.NoError(t, err)
	require.JSONEq(t, `{"text":"recall[sex=Female] > 0.6","metric":"recall","slice":{"attribute":"sex","group":"Female","has_group":true},"op":">","bound":0.6}`, string(content))
	var back gate.Condition
	require.NoError(t, json.Unmarshal(content, &back))
	require.Equal(t, c, back)
}

// conditions draws conditions that Parse could have given, with names as odd as they come.
func conditions() *rapid.Generator[gate.Condition] {
	return rapid.Custom(func(t *rapid.T) gate.Condition {
		c := gate.Condition{
			Metric: rapid.SampledFrom(append(gate.MetricNames(gate.ScopeGate), gate.MetricNames(gate.ScopeRollout)...)).Draw(t, "metric"),
			Op:     rapid.SampledFrom([]gate.Op{gate.Less, gate.LessOrEqual, gate.Greater, gate.GreaterOrEqual}).Draw(t, "op"),
			Bound:  rapid.Float64Range(0, 1).Draw(t, "bound"),
		}
		name := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune(`ab-=]["'\ <>`))))
		attribute := name.Filter(func(s string) bool { return s != "" }).Draw(t, "attribute")
		_, rows := (stats.Report{Metrics: named(stats.MetricNames())}).Metric(c.Metric)
		_, gap := (stats.Report{Metrics: named(fairness.MetricNames())}).Metric(c.Metric)
		switch {
		case gap:
			c.Slice = gate.Slice{Attribute: attribute}
		case rows && rapid.Bool().Draw(t, "sliced"):
			c.Slice = gate.Slice{Attribute: attribute, Group: name.Draw(t, "group"), HasGroup: true}
		}
		return c
	})
}

func named(names []string) []stats.Metric {
	var metrics []stats.Metric
	for _, name := range names {
		metrics = append(metrics, stats.Metric{Name: name})
	}
	return metrics
}

func TestCanonicalFormReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := conditions().Draw(t, "condition")
		got, err := gate.Parse(want.String())
		require.NoError(t, err)
		require.Equal(t, want.String(), got.Text)
		got.Text = ""
		require.Equal(t, want, got)
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"accuracy > 0.8", `recall[sex="Fe\"male"] >= .6`, "demographic_parity_difference[sex] < 1e-1", "n - o > 0.02 +/- 0.01",
		"recall[a=b=c] < 1", "ece['x'='']<0", "k_anonymity >= 5 /\\ d < 1", "fpr[\xff=\x00]<1", "recall[ = ] > ",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := gate.Parse(text)
		if err != nil {
			var syntax *gate.SyntaxError
			if !errors.As(err, &syntax) || syntax.Column < 1 || syntax.Column > len(text)+1 || strings.TrimSpace(syntax.Message) == "" {
				t.Fatalf("a refusal without its place: %#v", err)
			}
			return
		}
		if math.IsNaN(c.Bound) || math.IsInf(c.Bound, 0) {
			t.Fatalf("bound %g", c.Bound)
		}
		again, err := gate.Parse(c.String())
		if err != nil {
			t.Fatalf("%q reads as %q, which is refused: %v", text, c, err)
		}
		again.Text = c.Text
		if again != c {
			t.Fatalf("%q reads as %+v, its canonical form as %+v", text, c, again)
		}
	})
}
