package report

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

func TestFirstScreenComesRightAfterTheVerdict(t *testing.T) {
	page := string(rendered(t, rival(t)))
	verdict, first, contents, ask := strings.Index(page, `class="verdict`), strings.Index(page, `id="summary"`), strings.Index(page, "<nav"), strings.Index(page, `id="ask"`)
	require.True(t, 0 < verdict && verdict < first && first < contents && contents < ask, "order %d %d %d %d", verdict, first, contents, ask)
}

func TestFirstScreenSaysWhatIsAtStake(t *testing.T) {
	says(t, rival(t), "summary",
		"Suggest to a loan officer whether an application should be approved.",
		"Each case of which the model says “approved: yes” or not. The data has 20,000 rows (people, where a row is one), 53.2 % of them truly so.",
		"Against version 3, which serves now: accuracy is better (+4.8 points, 95 % interval 3.0 to 6.5 points); AUC is better (+0.038, 95 % interval 0.031 to 0.044).",
		"6 in all: 4 met, 2 cannot be told.",
		"Cannot be told. Accuracy of the candidate minus accuracy of the serving version is to be more than 5 points; measured 4.8 points (interval −1.9 to 11.4 points).",
		"registered as a version of loan-approval and takes the place of version 3, in steps: 5 % of requests for 1 hour, 50 % of requests for 1 day, then all. "+
			"Taken back by itself unless the share of failed requests is less than 1 %.",
		"this candidate is not used, and version 3 goes on serving.")
	says(t, loan(t), "summary",
		"No version serves yet, so there is nothing to compare the candidate with.",
		"8 in all: 5 met, 1 not met, 2 cannot be told.",
		"Cannot be told. Demographic parity difference over age_band is to be less than 10 points; measured 1.8 points (interval 0.0 to 10.3 points).",
		"Not met. Recall where sex is female is to be more than 90 %; measured 83.2 % (interval 80.2 to 86.0 %).",
		"Cannot be told. Recall where sex is unknown is to be more than 50 %, but it has no value: no positive examples.",
		"“approved: yes” is said most and least of male and female (sex),", "(age_band)", "Nothing was done about it.",
		"registered as a version of loan-approval, the first one to serve.",
		"not used, and no version serves, as now.")
	says(t, bare(), "summary", "The spec states no purpose.", "What the model answers is not recorded.", "The spec names no protected groups.", "The spec sets no conditions.")
	says(t, prices(t), "summary", "Each case of which the model says “")
}

func TestFirstScreenStaysShort(t *testing.T) {
	d := rival(t)
	doubtful := d.Gate.Results[2]
	for range 40 {
		d.Gate.Results = append(d.Gate.Results, doubtful)
		d.Protected = append(d.Protected, "column")
		d.Rollout.Canary = append(d.Rollout.Canary, d.Rollout.Canary[1])
	}
	for i := range 500 {
		d.Validation.Groups[0].Groups = append(d.Validation.Groups[0].Groups, table.Group{Value: fmt.Sprint("group ", i)})
	}
	says(t, d, "summary", "46 in all: 4 met, 42 cannot be told.", "37 further ones are listed with all conditions below.", "38 further steps, then all")
	require.Less(t, len(section(t, parse(t, rendered(t, d)), "summary")), 3000)
}

func TestDifferenceInWords(t *testing.T) {
	of := func(name string, value, low, high float64) stats.Metric {
		return stats.Metric{Name: name, Estimate: stats.Estimate{Value: value, Low: low, High: high, Level: 0.95}}
	}
	for _, c := range []struct {
		metric stats.Metric
		want   string
	}{
		{of(stats.Accuracy, 0.02, 0.01, 0.03), "accuracy is better (+2.0 points, 95 % interval 1.0 to 3.0 points)"},
		{of(stats.Accuracy, -0.02, -0.03, -0.01), "accuracy is worse (−2.0 points, 95 % interval −3.0 to −1.0 points)"},
		{of(stats.Accuracy, 0.02, -0.01, 0.05), "whether accuracy is better or worse cannot be told (+2.0 points, 95 % interval −1.0 to 5.0 points)"},
		{of(stats.LogLoss, 0.02, 0.01, 0.03), "log loss is worse (+0.0200, 95 % interval 0.0100 to 0.0300)"},
		{of(stats.LogLoss, -0.02, -0.03, -0.01), "log loss is better (−0.0200, 95 % interval −0.0300 to −0.0100)"},
		{of(stats.SelectionRate, 0.02, 0.01, 0.03), "selection rate is another (+2.0 points, 95 % interval 1.0 to 3.0 points)"},
		{of(stats.Accuracy, 0, 0, 0), "accuracy is the same"},
		{of(stats.Accuracy, math.NaN(), 0, 0), "accuracy cannot be compared: there is no number"},
		{stats.Metric{Name: stats.Accuracy, Estimate: stats.NoValue(0.95, 0, "no row has a label.")}, "accuracy cannot be compared: no row has a label"},
	} {
		require.Equal(t, c.want, plain(differenceWords(c.metric)))
	}
}

func TestFirstScreenSaysWhyThereIsNoComparison(t *testing.T) {
	d := loan(t)
	d.Champion = &Champion{Version: 3}
	says(t, d, "summary", "Version 3 serves now, but the two were not compared: whether the candidate is better is not known.")
	d.NotCompared = "the model is gone."
	says(t, d, "summary", "Version 3 could not be asked about the test rows (the model is gone): whether the candidate is better is not known.")
}

func TestApprovalWithoutStepsTakesAllRequestsAtOnce(t *testing.T) {
	d := loan(t)
	d.Rollout = spec.Rollout{Target: "gateway"}
	says(t, d, "summary", "the first one to serve, at once for all requests.")
	d.Rollout.Canary = []spec.CanaryStep{{Traffic: 0.5, Hold: spec.Duration(90 * time.Minute)}}
	d.Rollout.Abort = []spec.Abort{{Condition: "latency_mean_ms < 50"}, {Condition: "something else"}}
	says(t, d, "summary", "in steps: 0.5 % of requests for 1 hour 30 minutes, then all. Taken back by itself unless the mean time to answer is less than 50 ms and something else.")
}

func TestDoubtfulConditionsAreListedOneByOne(t *testing.T) {
	d := rival(t)
	paragraph := undecidedWarning + ": it is put to the reviewers."
	for _, r := range d.Gate.Results {
		if r.Verdict == gate.Inconclusive {
			paragraph += " " + r.Condition + ": " + r.Reason
		}
	}
	d.Warnings = append(d.Warnings, paragraph)
	got := warnings(d)
	require.Len(t, got, 3)
	require.Equal(t, "Cannot be told: Accuracy of the candidate minus accuracy of the serving version is to be more than 5 points; measured 4.8 points (interval −1.9 to 11.4 points). "+
		"About 1,900,000 rows of test data (there are 4,000) would decide it, as not met, if the measured value stays as it is.", plain(got[0]))
	require.Contains(t, got[1], "Cannot be told: Recall where sex is female and age_band is 65+")
	require.Equal(t, "The device was simulated; training ran on the processor.", got[2])

	d.Gate.Policy = gate.CountAsFail
	require.Equal(t, d.Warnings, warnings(d), "a doubt that the spec settles is no question to the reviewers")
}

// The digest of a dossier is that of its JSON, so that one without a rollout has to keep its bytes.
func TestRolloutIsLeftOutWhereThereIsNone(t *testing.T) {
	b, _, err := Encode(loan(t))
	require.NoError(t, err)
	require.NotContains(t, string(b), `"rollout"`)
	b, _, err = Encode(rival(t))
	require.NoError(t, err)
	require.Contains(t, string(b), `"rollout"`)
}

func TestSealedFirstScreenKeepsTheSecret(t *testing.T) {
	d := rival(t)
	sealedSays(t, d, false, "summary", "Suggest to a loan officer", "Protected: sex (male, female, unknown)", "Shown to the roles ethics and risk only.",
		"6 conditions were asked for; how each came out is shown to the roles ethics and risk only.", "takes the place of version 3, in steps: 5 % of requests for 1 hour", "version 3 goes on serving")
	got := section(t, parse(t, sealed(t, d, false)), "summary")
	for _, secret := range []string{"4.8", "Cannot be told", "met", "better", "worse"} {
		require.NotContains(t, got, secret)
	}
}
