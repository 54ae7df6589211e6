package report

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

func TestConditionsInWords(t *testing.T) {
	for text, want := range map[string]string{
		"n - o > 0.02 +/- 0.01":                "Accuracy of the candidate minus accuracy of the serving version is to be more than 2 points",
		"n - 1.1*o >= -0.005":                  "Accuracy of the candidate minus 1.1 times accuracy of the serving version is to be at least −0.5 points",
		"d < 0.1 +/- 0.01":                     "Share of rows on which candidate and serving version differ is to be less than 10 %",
		"d[sex=f] < 0.1":                       "Share of rows on which candidate and serving version differ where sex is f is to be less than 10 %",
		"old.auc < 0.9":                        "AUC of the serving version is to be less than 0.9",
		"auc > 0.8525":                         "AUC is to be more than 0.8525",
		"recall > 0.6125":                      "Recall is to be more than 61.25 %",
		"recall[sex=f*race=] > 0.6":            "",
		`recall[sex=f*race=""] > 0.6`:          "Recall where sex is f and race is empty is to be more than 60 %",
		"recall[sex=f] - recall[sex=m] > -0.1": "Recall where sex is f minus recall where sex is m is to be more than −10 points",
		"precision(setosa) > 0.9":              "Precision for “setosa” is to be more than 90 %",
		"new.f1(setosa)[site=north] - old.f1(setosa)[site=north] >= 0": "F1 for “setosa” of the candidate where site is north minus F1 for “setosa” of the serving version where site is north is to be at least 0",
		"-1*log_loss + 2*brier > -3":                                   "Minus log loss plus 2 times Brier score is to be more than −3",
		"demographic_parity_difference[sex] < 0.2":                     "Demographic parity difference over sex is to be less than 20 points",
		"equalized_odds_ratio[sex*race] > 0.8":                         "Equalized odds ratio over the groups that sex and race make together is to be more than 0.8",
		"k_anonymity >= 5":                                             "k-anonymity is to be at least 5",
		"latency_p99_ms < 50":                                          "99th percentile of the time to answer is to be less than 50 ms",
		"train_cpu_seconds <= 3600":                                    "Processor time of the training is to be at most 3,600 s",
		"model_bytes < 25e6":                                           "Size of the model is to be less than 25 MB",
		"model_bytes < 1234567":                                        "Size of the model is to be less than 1,234,567 bytes",
		"rmse < 12500.5 +/- 100":                                       "Root mean squared error is to be less than 12,500.5",
		"r2 > 0.5":                                                     "R² is to be more than 0.5",
		"kappa > 0.4":                                                  "Cohen’s kappa is to be more than 0.4",
		"mcc > 0.4":                                                    "Matthews correlation is to be more than 0.4",
		"f1_weighted > 0.4":                                            "Mean F1, weighted by the classes’ cases is to be more than 0.4",
		"profit > 2.5 +/- 0.5":                                         "Mean of “profit” is to be more than 2.5",
		"new.profit[site=x] - old.profit[site=x] > 0":                  "Mean of “profit” of the candidate where site is x minus mean of “profit” of the serving version where site is x is to be more than 0",
		"recall - f1 > 0.1":                                            "Recall minus F1 is to be more than 0.1",
	} {
		t.Run(text, func(t *testing.T) {
			c, ok := understood(text)
			require.Equal(t, want != "", ok)
			if ok {
				require.Equal(t, want, plain(statement(c)))
			}
		})
	}
}

// Every metric that a condition may name has words, and the clause as the spec has it stands beside them.
func TestEveryConditionIsUnderstood(t *testing.T) {
	for _, name := range gate.MetricNames(gate.ScopeGate) {
		require.Contains(t, terms, name, "a condition may be on %s", name)
		require.NotContains(t, termOf(name).Name, "_")
	}
	d := rival(t)
	says(t, d, "conditions", `In the spec: n - 1.1*o > -0.2 +/- 0.02 /\ d < 0.3 +/- 0.01`, "In the spec: k_anonymity >= 1")
}

func TestPolicySaysWhatDoubtCountsAs(t *testing.T) {
	for policy, want := range map[gate.Policy][2]string{
		gate.CountAsPass: {"None is known to fail. By the spec the doubt counts as met.", "counts as met"},
		gate.CountAsFail: {"None is known to fail. By the spec the doubt counts as not met.", "counts as not met"},
		gate.AskPeople:   {"None is known to fail. People have to weigh what the data leaves open.", ""},
	} {
		t.Run(string(policy), func(t *testing.T) {
			d := loan(t)
			decideBy(t, &d, loanPredictions(), gate.Plan{Reliability: 0.95}, policy, "accuracy > 0.855 +/- 0.001", "auc > 0.5")
			require.Contains(t, plain(text(elements(parse(t, rendered(t, d)), "header")[0])), "1 of 2 conditions cannot be told from the data at hand "+want[0])
			require.NotEmpty(t, d.Gate.Sentence)
			says(t, d, "conditions", d.Gate.Sentence)
			v := verdictOf(d)
			if want[1] == "" {
				require.Empty(t, v.Conditions[0].Tags)
			} else {
				require.Equal(t, []string{want[1]}, v.Conditions[0].Tags)
			}
			require.Empty(t, v.Conditions[1].Tags)
		})
	}
	d := loan(t)
	decide(t, &d, loanPredictions(), "auc > 0.5")
	require.Empty(t, verdictOf(d).Policy, "without doubt there is nothing to count")
}

func TestDoubtNamesTheSampleThatWouldDecideIt(t *testing.T) {
	d := loan(t)
	decide(t, &d, loanPredictions(), "accuracy > 0.85 +/- 0.005")
	r := d.Gate.Results[0]
	require.Equal(t, gate.Inconclusive, r.Verdict)
	require.Positive(t, r.DecidedWith)
	way := map[bool]string{true: "met", false: "not met"}[r.Estimate.Value > 0.85]
	says(t, d, "conditions", "About "+plain(aboutRows(r.DecidedWith))+" of test data (there are 4,000) would decide it, as "+way+", if the measured value stays as it is.",
		"The tolerance asks for an interval of at most 0.5 points to each side; this needs about "+plain(aboutRows(r.RowsNeeded))+".")
	root := parse(t, rendered(t, d))
	found := false
	for _, p := range elements(root, "p") {
		found = found || attr(p, "class") == "needs"
	}
	require.True(t, found, "the sample is set off from the text")

	d.Evaluation.Labelled = 1000
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "conditions"), "there are", "some conditions count labelled rows and others all")

	for _, c := range []struct {
		name   string
		change func(*gate.Result)
		want   string
	}{
		{"fewer than there are", func(r *gate.Result) { r.DecidedWith = 10 }, "Few more rows of test data than there are (4,000) would decide it"},
		{"not to be said", func(r *gate.Result) { r.DecidedWith, r.RowsNeeded = 0, 0 }, "How many rows would decide it cannot be said."},
		{"the bound itself", func(r *gate.Result) { r.DecidedWith, r.Estimate.Value = 0, r.Bound }, "The measured value is the bound itself, so that no number of rows can be named that would decide it. About"},
		{"by the tolerance", func(r *gate.Result) { r.DecidedWith, r.RowsNeeded = 0, 8101 }, "About 8,200 rows (there are 4,000) would give the interval the length that the tolerance of 0.5 points asks for."},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := r
			c.change(&changed)
			require.Contains(t, plain(conditionOf(changed, 4000).Needs), c.want)
		})
	}
	decide(t, &d, loanPredictions(), "accuracy > 0.5 +/- 0.1", "accuracy > 0.99 +/- 0.001", "accuracy > 0.5")
	v := verdictOf(d)
	require.Equal(t, "The tolerance asks for an interval of at most 10 points to each side, and the sample gives it. Exact interval of a share (Clopper and Pearson, 1934). The error probability holds for every number of cases.", plain(v.Conditions[0].Note))
	require.Contains(t, plain(v.Conditions[1].Note), "at most 0.1 points to each side; this needs about")
	require.NotContains(t, v.Conditions[2].Note, "tolerance")
	for _, c := range v.Conditions {
		require.Empty(t, c.Needs, "what is decided needs nothing")
	}
}

func TestSkippedConditionIsSaidToBe(t *testing.T) {
	d := loan(t)
	decide(t, &d, loanPredictions(), "n - o > 0.02 +/- 0.01", "auc > 0.5")
	says(t, d, "conditions", "Accuracy of the candidate minus accuracy of the serving version is to be more than 2 points Skipped: no version serves yet to compare with. This counts as met.")
	header := func() string { return plain(text(elements(parse(t, rendered(t, d)), "header")[0])) }
	require.Contains(t, header(), "1 of 2 conditions is met, 1 is skipped No version serves yet to compare with.")
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "conditions"), "Met. no version")
	require.Equal(t, "none", verdictOf(d).Conditions[0].Class, "a skipped condition is not shown as one that was met")

	p := loanPredictions()
	p.Own = map[string][]float64{"profit": p.Score}
	decide(t, &d, p, "n - o > 0.02", "d < 0.5", "new.profit - old.profit > 1")
	require.Contains(t, header(), "No condition was tested They compare with a serving version, and none serves yet.")
	says(t, d, "conditions", "Mean of “profit” of the candidate minus mean of “profit” of the serving version is to be more than 1 Skipped:")
}

// The bar of a condition shows its interval, its bound and the field that the tolerance makes around it.
func TestBarShowsToleranceAroundTheBound(t *testing.T) {
	d := loan(t)
	decide(t, &d, loanPredictions(), "accuracy > 0.8 +/- 0.02", "accuracy > 0.8", "k_anonymity >= 1")
	v := verdictOf(d)
	bar := string(v.Conditions[0].Bar)
	field := regexp.MustCompile(`<rect class="tolerance" x="([0-9.]+)" y="0" width="([0-9.]+)"`).FindStringSubmatch(bar)
	require.NotNil(t, field)
	bound := regexp.MustCompile(`<line class="reference" x1="([0-9.]+)"`).FindStringSubmatch(bar)
	require.NotNil(t, bound)
	var from, width, at float64
	require.NoError(t, json.Unmarshal([]byte("["+field[1]+","+field[2]+","+bound[1]+"]"), &[]*float64{&from, &width, &at}))
	require.InDelta(t, from+width/2, at, 0.02, "the bound is in the middle of its tolerance")
	require.Equal(t, 1, strings.Count(bar, `class="whisker"`))
	require.NotContains(t, string(v.Conditions[1].Bar), "tolerance")
	require.Empty(t, v.Conditions[2].Bar, "what is counted has no interval")
	require.Equal(t, []string{"78 %", "88 %"}, []string{plain(v.Conditions[0].Ends[0]), plain(v.Conditions[0].Ends[1])})
}

func TestSurenessIsDividedInWords(t *testing.T) {
	facts := func(s gate.Split) string {
		var b strings.Builder
		for _, f := range splitFacts(s) {
			b.WriteString(f.Term + ": " + f.Detail + "\n")
		}
		return plain(b.String())
	}
	parsed := func(conditions ...string) []gate.Formula {
		var all []gate.Formula
		for _, text := range conditions {
			f, err := gate.Parse(text)
			require.NoError(t, err)
			all = append(all, f)
		}
		return all
	}
	split := func(p gate.Plan, conditions ...string) gate.Split {
		s, err := p.Split(parsed(conditions...))
		require.NoError(t, err)
		return s
	}
	one := facts(split(gate.Plan{Reliability: 0.95}, "auc > 0.8"))
	require.Contains(t, one, "Reliability: 95 %: with at least this probability no verdict says met where the truth is not")
	require.Contains(t, one, "This one alone.")
	require.Contains(t, one, "How it is divided: 5 % in all.")

	many := facts(split(gate.Plan{Reliability: 0.9999, Steps: 32, Adaptivity: gate.AdaptivityFull, Answers: 2}, "n - 1.1*o > 0 /\\ d < 0.1", "auc > 0.5"))
	require.Contains(t, many, "Reliability: 99.99 %")
	require.Contains(t, many, "32 decisions on the same test data.")
	require.Contains(t, many, "for every sequence of answers, of which there are 2 each time")
	require.Contains(t, many, "0.01 % in all; 1 in 42.9 trillion for each decision; 1 in 129 trillion for each of the 3 conditions that leave something to chance; at least 1 in 258 trillion for each interval")

	require.Contains(t, facts(split(gate.Plan{Reliability: 0.9, Steps: 10, Adaptivity: gate.AdaptivityFirstChange}, "auc > 0.5")), "the test data ends with the first candidate that passes")
	require.Contains(t, facts(split(gate.Plan{Reliability: 0.9, Steps: 10}, "auc > 0.5")), "learns nothing of the verdicts.\nHow it is divided: 10 % in all; 1 % for each decision.")
	require.Contains(t, facts(split(gate.Plan{Reliability: 0.9}, "k_anonymity > 3")), "no condition needs any of it, since everything was counted")
	require.Empty(t, splitFacts(gate.Split{}), "a dossier without a reliability claims none")
	says(t, rival(t), "conditions", "How sure these verdicts are Reliability 99 %")
	require.NotContains(t, section(t, parse(t, rendered(t, bare())), "conditions"), "How sure")
}

func TestMethodAndAssumptionStandBesideTheCondition(t *testing.T) {
	d := rival(t)
	says(t, d, "conditions",
		"Accuracy of the candidate minus accuracy of the serving version: interval of a difference on the same rows (Bennett’s inequality). "+
			"Accuracy of the serving version: exact interval of a share (Clopper and Pearson, 1934). The error probability holds for every number of cases.",
		"Interval of the difference of two AUCs on the same rows (DeLong and others, 1988). It takes for granted: The AUC is near enough to normal: both classes have many rows.")
	says(t, d, "limits", "Some intervals of the conditions take for granted what stands in the small print")
	decide(t, &d, rivalPredictions(), "accuracy > 0.5")
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "limits"), "take for granted")
	for _, method := range []string{
		stats.MethodWilson, stats.MethodClopperPearson, stats.MethodDeLong, stats.MethodDeLongLogit, stats.MethodWilsonMinClass, stats.MethodWilsonJaccard, stats.MethodNewcombe,
		stats.MethodStudent, stats.MethodBootstrap, stats.MethodExact, stats.MethodBennettDisagreement, stats.MethodNewcombePaired, stats.MethodExactDifference,
		stats.MethodDeLongPaired, stats.MethodBennettPairs, stats.MethodEmpiricalBernstein, stats.MethodHoeffding, stats.MethodOrderStatistics, stats.MethodBCa,
		stats.MethodBootstrapNormal, evaluation.MethodExactJaccard, fairness.MethodPairs, gate.MethodArithmetic,
	} {
		require.Contains(t, intervalMethods, method)
	}
	require.Equal(t, "some new way", intervalWords("some_new_way"))
}

func TestUndefinedPartIsNamed(t *testing.T) {
	d := rival(t)
	decide(t, &d, rivalPredictions(), "recall[sex=male] - 1.1*recall[sex=unknown] > 0")
	says(t, d, "conditions", "Cannot be told. Recall where sex is male minus recall where sex is unknown has no value on this data: no positive examples.")
}

// A value that the bound tells apart is never written as the bound, however near it is.
func TestNearValuesAreToldApartFromTheBound(t *testing.T) {
	for _, c := range []struct {
		form       form
		value      float64
		bound      float64
		want, past string
	}{
		{asPercent, 0.85004, 0.85, "85.004 %", "85 %"},
		{asPercent, 0.85, 0.85, "85.0 %", "85 %"},
		{asDecimal, 0.89999, 0.9, "0.89999", "0.9"},
		{asPoints, 0.0200004, 0.02, "2.00004 points", "2 points"},
		{asAmount, 12_500.4, 12_500, "12,500.4", "12,500"},
		{asCount, 5, 5, "5", "5"},
		{asMilliseconds, 50.0001, 50, "50.0001 ms", "50 ms"},
	} {
		e := stats.Estimate{Value: c.value, Low: c.value, High: c.value}
		require.Equal(t, c.want, plain(c.form.estimated(e, c.form.apart(c.bound, e))))
		require.Equal(t, c.past, plain(c.form.exactly(c.bound)))
	}
	forms := []form{asDecimal, asPercent, asPoints, asAmount, asMilliseconds, asSeconds}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(forms).Draw(t, "form")
		bound := math.Round(rapid.Float64Range(-100, 100).Draw(t, "bound")*1e4) / 1e4
		value := bound + rapid.Float64Range(1e-8, 1).Draw(t, "above")
		e := stats.Estimate{Value: value, Low: value - 1e-9, High: value + rapid.Float64Range(0, 1).Draw(t, "width")}
		shown := strings.TrimSuffix(f.estimated(e, f.apart(bound, e)), f.unit())
		require.True(t, f.differ(shown, value, bound), "%v is written as %s, the bound is %s", value, shown, f.exactly(bound))
	})
}

// What is written as a bound reads back as the bound.
func TestBoundsAreWrittenExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom([]form{asDecimal, asPercent, asPoints, asAmount, asCount}).Draw(t, "form")
		bound := float64(rapid.IntRange(-2_000_000, 2_000_000).Draw(t, "ten thousandths")) / 1e4
		written := strings.TrimSuffix(strings.TrimSuffix(f.exactly(bound), f.unit()), nbsp+"point")
		var read float64
		require.NoError(t, json.Unmarshal([]byte(strings.NewReplacer("−", "-", ",", "").Replace(written)), &read), written)
		require.InDelta(t, bound*f.scale(), read, 1e-9)
	})
	require.Equal(t, "1 point", plain(asPoints.exactly(0.01)))
	require.Equal(t, "1e−9", asDecimal.exactly(1e-9))
	require.Equal(t, notAvailable, asPercent.exactly(math.Inf(1)))
	require.Equal(t, "2 GB", plain(asBytes.exactly(2e9)))
}

func TestChancesForPeople(t *testing.T) {
	for p, want := range map[float64]string{
		0: "0 %", 1: "100 %", 0.5: "50 %", 0.125: "12.5 %", 0.05: "5 %", 0.0123: "1.2 %", 0.00016: "0.016 %", 0.00005: "1 in 20,000", 1e-6: "1 in 1 million",
		2.3e-10: "1 in 4.35 billion", 1e-13: "1 in 10 trillion", 1e-18: "1 in 1.0 × 10¹⁸", 1e-300: "1 in 1.0 × 10³⁰⁰", 5e-324: "less than 1 in 10³⁰⁰",
		-0.1: notAvailable, 1.5: notAvailable,
	} {
		require.Equal(t, want, plain(chance(p)))
	}
	require.Equal(t, notAvailable, chance(math.NaN()))
	for n, want := range map[int]string{1: "1 row", 7: "7 rows", 99: "99 rows", 101: "110 rows", 23_401: "24,000 rows", 1_900_000: "1,900,000 rows"} {
		require.Equal(t, want, plain(aboutRows(n)))
	}
}

func TestTinyTailsAreSaidAsProbabilities(t *testing.T) {
	e := stats.Estimate{Value: 0.5, Low: 0.4, High: 0.6, Level: 1, Method: stats.MethodClopperPearson, N: 100}
	require.Equal(t, "interval 40.0 to 60.0 %, with the truth beyond each end with a probability of at most 1 in 10 million; 100 cases", plain(certainty(asPercent, e, 1e-7, 0)))
	e.Level = 0.9998
	require.Equal(t, "99.98 % interval 40.0 to 60.0 %, 100 cases", plain(certainty(asPercent, e, 1e-4, 0)))
	e.Method, e.N = stats.MethodExact, 0
	require.Equal(t, "counted", certainty(asPercent, e, 0, 0))
}
