package report

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
)

// says checks that a section of the page contains each text.
func says(t *testing.T, d Dossier, id string, texts ...string) {
	t.Helper()
	got := plain(section(t, parse(t, rendered(t, d)), id))
	for _, want := range texts {
		require.Contains(t, got, want)
	}
}

func TestReviewerIsToldWhatIsAsked(t *testing.T) {
	d := loan(t)
	_, digest, err := Encode(d)
	require.NoError(t, err)
	says(t, d, "ask",
		"may become the first version of loan-approval to serve", "Mara Lindqvist", "consumer-credit",
		"Sunday 28 June 2026, 14:05 UTC", "3 days after this dossier was made", "silence never approves",
		"2 approvals in the role ethics and 1 approval in the role risk. Each person counts once.",
		"Mara Lindqvist, who asked for this, may not decide on it.", "After 2 days risk-lead is told.",
		"A decision is bound to this dossier by its digest", digest.String(),
		"starter approve lifecycle/loan-approval/2026-06-25-k3 --as NAME --role ROLE --dossier "+digest.String()+" --reason TEXT",
		"starter reject lifecycle/loan-approval/2026-06-25-k3 --as NAME --role ROLE --dossier "+digest.String()+" --reason TEXT",
		"starter request-changes lifecycle/loan-approval/2026-06-25-k3 --as NAME --role ROLE --dossier "+digest.String()+" --reason TEXT",
		"ROLE is the role you decide in: ethics or risk.",
		"The device was simulated; training ran on the processor.",
	)

	d.Champion = &Champion{Version: 3}
	d.Review = spec.Review{Deadline: spec.Duration(time.Hour), Quorum: []spec.Seat{{Role: "chief risk officer", Approvals: 1}}}
	d.Trigger = stage.Trigger{Kind: "drift", Reason: "income drifted"}
	d.Validation.Warnings = []string{"a group is small", "a group is small"}
	says(t, d, "ask", "may take the place of version 3 of loan-approval", "1 approval in the role chief risk officer. What ends it",
		"--role 'chief risk officer' --dossier sha256:", "has drifted", "income drifted", "a group is small")
	says(t, d, "limits", "The candidate was not compared with the version that serves")
	ask := section(t, parse(t, rendered(t, d)), "ask")
	require.Equal(t, 1, strings.Count(ask, "a group is small"))
	require.NotContains(t, ask, "may not decide")
}

func TestVerdictsAreWordsAndShapes(t *testing.T) {
	d := loan(t)
	require.Equal(t, gate.Fail, d.Gate.Verdict)
	says(t, d, "conditions",
		"AUC is to be more than 0.85 Met. Measured 0.935 (98.57 % interval 0.926 to 0.944, 4,000 cases).",
		"Recall where sex is female is to be more than 90 % Not met. Measured 83.2 % (98.57 % interval 80.2 to 86.0 %, 1,032 cases).",
		"Demographic parity difference over age_band is to be less than 10 points", "Log loss is to be less than 0.6 Met. Measured 0.325 (98.57 % interval 0.305 to 0.346, 4,000 cases).",
		"Recall where sex is unknown is to be more than 50 % Cannot be told. It has no value on this data: no positive examples.",
		"k-anonymity is to be at least 1 Met. Measured 1 (counted on 4,000 rows).")

	shapes := map[gate.Verdict]string{gate.Pass: "<circle", gate.Fail: "<rect", gate.Inconclusive: "<path class=\"shape\""}
	for verdict, shape := range shapes {
		drawn := string(mark(string(verdict), verdictWords[verdict]))
		require.Contains(t, drawn, shape)
		require.Contains(t, drawn, "<title>"+verdictWords[verdict]+"</title>")
	}
}

func TestHeadline(t *testing.T) {
	for _, c := range []struct {
		conditions []string
		want       string
	}{
		{nil, "No conditions were set"},
		{[]string{"auc > 0.5"}, "The condition is met"},
		{[]string{"auc > 0.5", "accuracy > 0.5"}, "All 2 conditions are met"},
		{[]string{"auc > 0.5", "accuracy > 0.999"}, "1 of 2 conditions is not met"},
		{[]string{"auc > 0.999", "accuracy > 0.999", "recall[sex=unknown] > 0.1"}, "2 of 3 conditions are not met"},
		{[]string{"recall[sex=unknown] > 0.1", "auc > 0.5"}, "1 of 2 conditions cannot be told from the data at hand"},
	} {
		t.Run(c.want, func(t *testing.T) {
			d := loan(t)
			decide(t, &d, loanPredictions(), c.conditions...)
			require.Contains(t, text(elements(parse(t, rendered(t, d)), "header")[0]), c.want)
		})
	}
}

func TestConditionThatCannotBeReadIsShownAsWritten(t *testing.T) {
	d := loan(t)
	d.Gate = Gate{gate.Decision{Verdict: gate.Fail, Results: []gate.Result{{Condition: "n minus o > 0.02", Verdict: gate.Fail, Reason: "The new model is not better."}}}}
	says(t, d, "conditions", "n minus o > 0.02 Not met. The new model is not better.")
}

func TestMeasuresAreExplainedInTermsOfTheTarget(t *testing.T) {
	d := loan(t)
	says(t, d, "quality",
		"Recall Of the cases that truly are “approved: yes”, the share the model also calls so.",
		"Calling every case “approved: yes” would have been right in", "2 test rows stand also in the training part", "95 % intervals", "The same by sex")
	for _, c := range []struct {
		dossier Dossier
		names   []string
	}{{d, stats.MetricNames()}, {species(t), stats.MulticlassMetricNames()}, {prices(t), stats.RegressionMetricNames()}} {
		quality := plain(section(t, parse(t, rendered(t, c.dossier)), "quality"))
		for _, name := range c.names {
			meaning := wordsOf(c.dossier.Target).meaning(name)
			require.NotEmpty(t, meaning, name)
			require.Contains(t, quality, termOf(name).Name+" "+meaning, "%s of a %s model", name, c.dossier.Evaluation.Task)
			require.NotEqual(t, name, termOf(name).Name)
		}
	}
	for _, name := range stats.ClassMetricNames() {
		require.NotEmpty(t, wordsOf(species(t).Target).meaning(name), name)
	}
	for _, name := range gate.MetricNames(gate.ScopeGate) {
		require.Contains(t, terms, name, "a condition may be on %s", name)
	}
}

func TestGroupsAreComparedAndSmallOnesMarked(t *testing.T) {
	says(t, loan(t), "treatment", "By sex", "By age_band", "unknown small group", "Gaps between the groups of sex", "18-24 highest, 65+ lowest", "points apart")
	says(t, bare(), "treatment", "names no protected columns")
}

func TestProtectedColumnsTheModelUsesAreMarked(t *testing.T) {
	d := loan(t)
	says(t, d, "reliance", "age_band protected", "The model is given protected columns directly: age_band.", "channel cannot be told from no reliance")
	d.Protected = []string{"sex"}
	says(t, d, "reliance", "The protected columns (sex) are not given to the model")

	for range 30 {
		d.Explain.Features = append(d.Explain.Features, d.Explain.Features[7])
	}
	d.Explain.Features = append(d.Explain.Features, d.Explain.Features[3])
	d.Protected = []string{"age_band"}
	got := section(t, parse(t, rendered(t, d)), "reliance")
	require.Equal(t, 2, strings.Count(got, "age_band protected"), "a protected column is shown however little it weighs")
	require.Contains(t, plain(got), "18 columns with less weight not shown.")
}

func TestDataAndPrivacyInWords(t *testing.T) {
	d := loan(t)
	says(t, d, "data", "1 of 4 checks on the data failed.", "Failed: 3 rows", "synthetic://credit?rows=20000&seed=7", "20,000",
		"12,014 to train on, 3,986 to validate, 4,000 to test.", "2 of test in training", "years_employed 2.1 % (412 rows)",
		"Who is in the data, by sex", "(unknown)", "2 smaller groups are not shown.")
	d.Validation.Rows = 19000
	says(t, d, "data", "20,000 as read, 19,000 after the spec’s transformation")
	says(t, d, "privacy", "Someone who knows a person’s sex and age_band can narrow that person down to 1 row", "k = 1")
	says(t, bare(), "data", "no checks", "No row equals another.", "None: every row has a value in every column.")
	says(t, bare(), "privacy", "It was not measured")
}

func TestMakingNamesTheDevice(t *testing.T) {
	d := loan(t)
	says(t, d, "making", "CPU stand-in 0, simulated: no accelerator took part", "Converged after 23 iterations.", "L2 penalty 1", "predictions", d.Spec.String())
	d.Training.Device = &device.Device{Name: "NVIDIA H100"}
	d.Training.Fit.Converged = false
	says(t, d, "making", "NVIDIA H100 Columns used", "without converging")
	d.Training.Device = nil
	says(t, d, "making", "processor (CPU)")
}

func TestShellWordsCanBePasted(t *testing.T) {
	for in, want := range map[string]string{
		"lifecycle/m/1": "lifecycle/m/1", "chief risk": "'chief risk'", "it's": `'it'\''s'`, "$(rm)": "'$(rm)'", "": "''",
	} {
		require.Equal(t, want, shellWord(in))
	}
}

var variable = regexp.MustCompile(`--([a-z]+): (#[0-9a-f]{6})`)

// Text must stand out from its ground by 4.5 to 1 (WCAG 2.2, success criterion 1.4.3, level AA), in light and in dark.
func TestContrast(t *testing.T) {
	schemes := strings.SplitN(style, "prefers-color-scheme: dark", 2)
	require.Len(t, schemes, 2)
	for i, scheme := range []string{schemes[0], schemes[1][:strings.Index(schemes[1], "}")]} {
		colour := map[string]string{}
		for _, m := range variable.FindAllStringSubmatch(scheme, -1) {
			colour[m[1]] = m[2]
		}
		for _, ink := range []string{"ink", "muted", "accent", "pass", "fail", "doubt"} {
			require.GreaterOrEqual(t, contrast(t, colour[ink], colour["paper"]), 4.5, "scheme %d: %s on paper", i, ink)
		}
		for _, pair := range [][2]string{{"ink", "panel"}, {"ink", "wash"}, {"muted", "wash"}, {"ink", "band"}, {"sign", "pass"}, {"sign", "fail"}, {"sign", "doubt"}} {
			require.GreaterOrEqual(t, contrast(t, colour[pair[0]], colour[pair[1]]), 4.5, "scheme %d: %s on %s", i, pair[0], pair[1])
		}
	}
}

// contrast is the ratio of relative luminances defined in WCAG 2.2.
func contrast(t *testing.T, a, b string) float64 {
	luminance := func(colour string) float64 {
		require.Len(t, colour, 7)
		sum := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			v, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
			require.NoError(t, err)
			c := float64(v) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			sum += weight * c
		}
		return sum
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}
