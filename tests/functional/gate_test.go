package functional

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// slightlyBetter writes rows on which a candidate that looks at the column rare is right in half a percent more of all rows
// than one that does not: y is 1 with probability 0.9 where sign is 1 and 0.1 where it is 0, but for one row in a hundred
// where rare is 1, sign is 0 and y is 1 with probability 0.75.
func slightlyBetter(t *testing.T, name string, rows int, seed uint64) string {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	b.WriteString("id,sign,rare,noise,y\n")
	for i := range rows {
		sign, rare, p := 0, 0, 0.1
		switch u := r.Float64(); {
		case u < 0.01:
			rare, p = 1, 0.75
		case u < 0.505:
			sign, p = 1, 0.9
		}
		y := "no"
		if r.Float64() < p {
			y = "yes"
		}
		fmt.Fprintf(&b, "%s-%d,%d,%d,%.3f,%s\n", name, i, sign, rare, r.Float64(), y)
	}
	path := filepath.Join(t.TempDir(), name+".csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// compares is the spec of a candidate whose test rows come from a file of their own.
func compares(model, train, test string, exclude []any, conditions ...any) document {
	return credit(model,
		with("data.source", document{"uri": train}), with("data.target", document{"column": "y", "positive": "yes"}), with("data.protected", nil),
		with("data.exclude", exclude), with("data.expect", nil),
		with("data.split", document{"by": "hash", "train": 0.9, "validation": 0.1, "test_source": document{"uri": test}}),
		with("gates", gatesOf(conditions)), oneReviewer, with("rollout", nil))
}

func gatesOf(conditions []any) any {
	if len(conditions) == 0 {
		return nil
	}
	return document{"conditions": conditions}
}

// dossierOf reads the dossier of a lifecycle as JSON.
func dossierOf(t *testing.T, id string, more ...string) dossier {
	t.Helper()
	s := starter(t, append([]string{"dossier", id, "--json"}, more...)...)
	require.Zero(t, s.status, s.err)
	var d dossier
	require.NoError(t, json.Unmarshal([]byte(s.out), &d))
	return d
}

// dossier is what the tests read of one.
type dossier struct {
	Gate struct {
		Verdict string `json:"verdict"`
		Results []struct {
			Condition string `json:"condition"`
			Verdict   string `json:"verdict"`
			Skipped   bool   `json:"skipped"`
			Estimate  struct {
				Value float64 `json:"value"`
				Low   float64 `json:"low"`
				High  float64 `json:"high"`
			} `json:"estimate"`
			Reason string `json:"reason"`
		} `json:"results"`
	} `json:"gate"`
}

func TestACandidateThatIsSlightlyBetterNeedsEnoughRows(t *testing.T) {
	t.Parallel()
	const model = "slightly-better"
	train := slightlyBetter(t, "train", 20_000, 1)
	few, many := slightlyBetter(t, "few", 2000, 2), slightlyBetter(t, "many", 20_000, 3)
	const better = "n - o > 0 +/- 0.004"

	first := start(t, compares(model, train, few, []any{"id", "rare"}, better))
	dossier := first.underReview()
	require.True(t, dossierOf(t, first.id).Gate.Results[0].Skipped, "there is no champion to compare with")
	first.signal(vote("ron", "risk", "approve", dossier))
	require.Equal(t, "deployed", first.ends().Outcome)

	undecided := another(t, "few", compares(model, train, few, []any{"id"}, better))
	undecided.underReview()
	require.Equal(t, "inconclusive", undecided.status().Verdict)
	result := dossierOf(t, undecided.id).Gate.Results[0]
	require.Equal(t, "inconclusive", result.Verdict)
	require.Regexp(t, `about [0-9,]+ rows`, result.Reason, "the reviewers are told which sample would decide it")
	require.Less(t, result.Estimate.Low, 0.0)
	require.Greater(t, result.Estimate.High, 0.005)
	page := starter(t, "dossier", undecided.id)
	require.Contains(t, page.out, "would decide it", "and so does the page they read")
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), undecided.id, ""))

	decided := another(t, "many", compares(model, train, many, []any{"id"}, better))
	decided.underReview()
	require.Equal(t, "pass", decided.status().Verdict)
	result = dossierOf(t, decided.id).Gate.Results[0]
	require.Greater(t, result.Estimate.Low, 0.0)
	require.InDelta(t, 0.005, result.Estimate.Value, 0.003)
}

// ledgered makes the test set a budget.
func ledgered(adaptivity string, steps int, more ...func(document)) func(document) {
	return func(s document) {
		with("gates.test_set", document{"adaptivity": adaptivity, "steps": steps})(s)
		for _, change := range more {
			change(s)
		}
	}
}

func TestTheLastStepOfATestSetIsTheLast(t *testing.T) {
	t.Parallel()
	const model, steps = "budget", 32
	// Every candidate fails its condition: a lifecycle ends at the gate.
	candidate := func(id string, l2 float64) lifecycle {
		return another(t, id, credit(model, with("data.source", document{"uri": "synthetic://credit?rows=800&seed=7"}), with("data.expect", nil),
			ledgered("full", steps, with("gates.conditions", []any{"auc > 0.99 +/- 0.005"}), with("train.parameters", document{"l2": l2}))))
	}
	refused := 0
	wave := func(from, to int) {
		var all []lifecycle
		for i := from; i < to; i++ {
			all = append(all, candidate(fmt.Sprintf("t%d", i), 1+float64(i)/10))
		}
		for _, l := range all {
			r := l.ends()
			require.Equal(t, "gated", r.Outcome, r.Reason)
			if strings.HasPrefix(r.Reason, "new test set needed") {
				refused++
				require.Contains(t, r.Reason, "released as validation data")
			}
		}
	}
	for i := 0; i < steps-2; i += 6 {
		wave(i, min(i+6, steps-2))
	}
	require.Zero(t, refused)
	wave(steps-2, steps+1)
	require.Equal(t, 1, refused, "three ask at once for the last two steps")

	again := candidate("again", 1)
	r := again.ends()
	require.NotContains(t, r.Reason, "new test set needed", "the same candidate as before is answered from the store and takes no step")

	var sets []struct {
		State string `json:"state"`
		Uses  []struct {
			Step int `json:"step"`
		} `json:"uses"`
	}
	answers(t, 0, &sets, "test-sets", model)
	require.Len(t, sets, 1)
	require.Equal(t, "ended", sets[0].State)
	require.Len(t, sets[0].Uses, steps)
}

func TestFiguresOfATestSetAreForSomeRolesOnly(t *testing.T) {
	t.Parallel()
	const model = "sealed"
	l := start(t, credit(model, ledgered("none", 4), oneReviewer))
	digest := l.underReview()

	value, err := local.Client.QueryWorkflow(t.Context(), l.id, "", "status")
	require.NoError(t, err)
	var raw json.RawMessage
	require.NoError(t, value.Get(&raw))
	require.NotContains(t, string(raw), "auc")
	require.NotContains(t, string(raw), `"verdict":"pass"`)
	for _, args := range [][]string{{"status", l.id}, {"dossier", l.id}} {
		s := starter(t, args...)
		require.Zero(t, s.status, s.err)
		require.NotContains(t, s.out, "conditions are met")
		require.NotContains(t, s.out, "gate verdict: pass")
		require.NotRegexp(t, `0\.[789][0-9]`, s.out, "no figure of the test rows")
	}
	requireSays(t, 3, []string{"not shown to rita"}, "dossier", l.id, "--as", "rita", "--role", "risk")
	requireSays(t, 3, []string{"not to the role marketing"}, "dossier", l.id, "--as", "mia", "--role", "marketing")
	require.Equal(t, "pass", dossierOf(t, l.id, "--as", "ron", "--role", "risk").Gate.Verdict)

	l.signal(vote("ron", "risk", "approve", digest))
	require.Equal(t, "deployed", l.ends().Outcome)
	require.Equal(t, "pass", l.status().Verdict, "after the decision there is nothing to keep")
}

func TestASealedFailureHoldsAgainstAnApproval(t *testing.T) {
	t.Parallel()
	l := start(t, credit("sealed-failure", ledgered("none", 4), oneReviewer, with("gates.conditions", []any{"auc > 0.99 +/- 0.005"})))
	l.signal(vote("ron", "risk", "approve", l.underReview()))
	r := l.ends()
	require.Equal(t, "gated", r.Outcome)
	require.Contains(t, r.Reason, "fail")
}

// withoutLabels empties the last field of the lines that are chosen.
func withoutLabels(t *testing.T, path string, chosen func(line int) bool) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	for i := range lines {
		if i > 0 && chosen(i) {
			lines[i] = lines[i][:strings.LastIndex(lines[i], ",")+1]
		}
	}
	out := filepath.Join(t.TempDir(), "unlabelled.csv")
	require.NoError(t, os.WriteFile(out, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return out
}

// request is what the tests read of a request for labels.
type request struct {
	Request struct {
		ID   string  `json:"id"`
		Rows []int64 `json:"rows"`
	} `json:"request"`
	Given   int `json:"given"`
	Missing int `json:"missing"`
}

func TestTheGateAsksForExactlyTheLabelsItNeeds(t *testing.T) {
	t.Parallel()
	const model = "labels"
	train, test := slightlyBetter(t, "train", 20_000, 1), slightlyBetter(t, "test", 10_000, 4)
	unlabelled := withoutLabels(t, test, func(int) bool { return true })
	labels := with("gates.labels", document{"deadline": "1h"})

	first := start(t, compares(model, train, test, []any{"id", "rare"}))
	first.deploys()

	spec := compares(model, train, unlabelled, []any{"id"}, "n - o > 0 +/- 0.004")
	labels(spec)
	l := another(t, "t2", spec)
	l.waitFor("labels are asked for", func(s status) bool { return s.Labels != nil })
	var open []request
	answers(t, 0, &open, "labels", "list", model)
	require.Len(t, open, 1)
	asked := open[0].Request
	require.NotEmpty(t, asked.Rows)
	require.Less(t, len(asked.Rows), 300, "of 10,000 rows only those on which the models differ are needed")

	sheet := filepath.Join(t.TempDir(), "sheet.csv")
	s := starter(t, "labels", "get", asked.ID, "-f", sheet)
	require.Zero(t, s.status, s.err)
	filled := filepath.Join(t.TempDir(), "labels.csv")
	truth := labelsOf(t, test)
	write := func(label func(row int64) string) {
		var b strings.Builder
		b.WriteString("row,label\n")
		for _, row := range asked.Rows {
			fmt.Fprintf(&b, "%d,%s\n", row, label(row))
		}
		require.NoError(t, os.WriteFile(filled, []byte(b.String()), 0o600))
	}
	write(func(row int64) string { return "perhaps" })
	requireSays(t, 2, []string{"perhaps"}, "labels", "submit", asked.ID, "--file", filled, "--as", "lara")
	write(func(row int64) string { return truth[row] })
	s = starter(t, "labels", "submit", asked.ID, "--file", filled, "--as", "lara")
	require.Zero(t, s.status, s.err)
	first0 := asked.Rows[0]
	write(func(row int64) string {
		if row == first0 {
			return map[string]string{"yes": "no", "no": "yes"}[truth[row]]
		}
		return truth[row]
	})
	requireSays(t, 2, []string{fmt.Sprint(first0)}, "labels", "submit", asked.ID, "--file", filled, "--as", "lara")

	l.underReview()
	require.Equal(t, "pass", l.status().Verdict)
	result := dossierOf(t, l.id).Gate.Results[0]
	require.Greater(t, result.Estimate.Low, 0.0)
}

// labelsOf reads the labels of a file of slightlyBetter by row, from 1.
func labelsOf(t *testing.T, path string) map[int64]string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	out := map[int64]string{}
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		out[int64(i)] = line[strings.LastIndex(line, ",")+1:]
	}
	return out
}

func TestLabelsThatDoNotArriveInTimeRefuse(t *testing.T) {
	t.Parallel()
	train := slightlyBetter(t, "train", 2000, 1)
	unlabelled := withoutLabels(t, slightlyBetter(t, "test", 500, 4), func(line int) bool { return line%2 == 0 })
	spec := compares("late-labels", train, unlabelled, []any{"id"}, "accuracy > 0.5")
	with("gates.labels", document{"deadline": "1s"})(spec)
	r := start(t, spec).ends()
	require.Equal(t, "expired", r.Outcome)
	require.Contains(t, r.Reason, "labels")
}

func TestAConditionOnAGroupThatHasNoRowsIsInconclusive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "loans.csv")
	require.NoError(t, os.WriteFile(path, []byte(loans(2000)), 0o600))
	l := start(t, loanSpec("no-such-group", path, with("evaluate", document{"slices": []any{"city"}}), with("gates", document{"conditions": []any{"recall[city=Rome] > 0.5 +/- 0.1"}})))
	l.underReview()
	require.Equal(t, "inconclusive", l.status().Verdict)
	require.Contains(t, dossierOf(t, l.id).Gate.Results[0].Reason, "Rome")
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), l.id, ""))
}

func TestCountedTestRowsCannotBeUsedUncounted(t *testing.T) {
	t.Parallel()
	const model = "counted"
	l := start(t, credit(model, ledgered("full", 2), oneReviewer))
	l.underReview()
	failure := another(t, "t2", credit(model, oneReviewer)).fails()
	require.Contains(t, failure.Message(), "leaves gates.test_set out")
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), l.id, ""))
}

// A champion is compared as it serves: with the threshold of its own spec.
func TestTheChampionIsComparedAtItsOwnThreshold(t *testing.T) {
	t.Parallel()
	const model = "own-threshold"
	start(t, credit(model, oneReviewer)).deploys()
	same := another(t, "same", credit(model, oneReviewer, with("gates.conditions", []any{"d < 0.05 +/- 0.04"})))
	same.underReview()
	require.Zero(t, dossierOf(t, same.id).Gate.Results[0].Estimate.Value, "the same model at the same threshold answers the same")
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), same.id, ""))

	stricter := another(t, "stricter", credit(model, oneReviewer, with("evaluate.threshold", 0.9), with("gates.conditions", []any{"d < 0.05 +/- 0.04"})))
	r := stricter.ends()
	require.Equal(t, "gated", r.Outcome, r.Reason)
	require.Contains(t, r.Reason, "d is 0.")
}

func TestAChampionThatPredictsSomethingElseLeavesDoubt(t *testing.T) {
	t.Parallel()
	const model = "something-else"
	start(t, credit(model, oneReviewer)).deploys()
	l := another(t, "t2", credit(model, oneReviewer, with("data.target", document{"column": "approved", "positive": "no"}), with("gates.conditions", []any{"n - o > -0.5 +/- 0.1"})))
	l.underReview()
	result := dossierOf(t, l.id).Gate.Results[0]
	require.Equal(t, "inconclusive", result.Verdict, "it is neither met nor skipped")
	require.Contains(t, result.Reason, "version 1 predicts something else")
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), l.id, ""))
}
