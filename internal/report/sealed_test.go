package report

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
)

// sealed is a dossier's page for everyone but the holders of two roles.
func sealed(t *testing.T, d Dossier, verdict bool) []byte {
	t.Helper()
	_, digest, err := Encode(d)
	require.NoError(t, err)
	page, err := RenderSealed(d, digest, Seal{ShowTo: []string{"ethics", "risk"}, Verdict: verdict})
	require.NoError(t, err)
	return page
}

// remeasured replaces everything in the dossier that was measured on the test rows.
func remeasured(d *Dossier, by distortion) {
	distort(&d.Evaluation, by)
	distort(&d.Comparison, by)
	distort(&d.Labels, by)
	distort(&d.Fairness, by)
	distort(&d.Explain, by)
	for i := range d.Gate.Results {
		r := &d.Gate.Results[i]
		distort(&r.Estimate, by)
		distort(&r.Units, by)
		distort(&r.Reason, by)
		distort(&r.Delta, by)
		distort(&r.RowsNeeded, by)
		distort(&r.DecidedWith, by)
		r.Skipped, r.Powered = !r.Skipped, !r.Powered
		r.Verdict, r.Settled = map[gate.Verdict]gate.Verdict{gate.Pass: gate.Fail, gate.Fail: gate.Inconclusive, gate.Inconclusive: gate.Pass}[r.Verdict], ""
	}
	distort(&d.Gate.Sentence, by)
	distort(&d.NotCompared, by)
	if by.text != nil {
		d.Warnings = append(d.Warnings, *by.text)
	}
	for i := range d.Refs {
		if slices.Contains(measuredRefs, d.Refs[i].Name) {
			d.Refs[i].Ref = artifact.Ref{Digest: artifact.Sum([]byte("other bytes")), Size: int64(*by.count)}
		}
	}
	d.Refs = append(d.Refs, NamedRef{"verdicts", artifact.Ref{Digest: artifact.Sum([]byte("verdicts")), Size: int64(*by.count)}})
}

// The test has no list of figures: pages of dossiers that differ in all that was measured must be the same bytes.
func TestSealedPageDoesNotDependOnWhatWasMeasured(t *testing.T) {
	for name, d := range everyDossier(t) {
		for _, verdict := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, verdict sealed: %t", name, verdict), func(t *testing.T) {
				_, digest, err := Encode(d)
				require.NoError(t, err)
				seal := Seal{ShowTo: []string{"ethics"}, Verdict: verdict}
				before, err := RenderSealed(d, digest, seal)
				require.NoError(t, err)

				b, _, err := Encode(d)
				require.NoError(t, err)
				other, err := Decode(b)
				require.NoError(t, err)
				count, text := 7351946, "measuredtext"
				remeasured(&other, distortion{number: 0.7351946, count: &count, text: &text})
				if verdict {
					other.Gate.Verdict, other.Gate.Settled, other.Gate.Policy = "other", "another", "yet another"
				}
				after, err := RenderSealed(other, digest, seal)
				require.NoError(t, err)
				require.Equal(t, string(before), string(after))
			})
		}
	}
}

var (
	digests = regexp.MustCompile(`sha256:[0-9a-f]+`)
	// planted is any way in which 0.7351946 or 7,351,946 could be written on a page.
	planted = regexp.MustCompile(`measuredtext|73\.5|0\.735|7[,.]?3[,.]?5[,.]?1|7\.35|7\.4e6`)
)

func TestSealedPageHasNoMeasuredFigure(t *testing.T) {
	count, text := 7351946, "measuredtext"
	for name, by := range map[string]distortion{"numbers": {number: 0.7351946, count: &count}, "reasons": {number: 0.7351946, count: &count, text: &text}} {
		for of, d := range map[string]Dossier{"outcome": rival(t), "classes": species(t), "prices": prices(t)} {
			t.Run(name+" of "+of, func(t *testing.T) {
				_, digest, err := Encode(d)
				require.NoError(t, err)
				remeasured(&d, by)
				full, err := Render(d, digest)
				require.NoError(t, err)
				require.Greater(t, len(planted.FindAllString(string(full), -1)), 20, "the full page shows what was planted")
				for _, verdict := range []bool{true, false} {
					page, err := RenderSealed(d, digest, Seal{ShowTo: []string{"ethics", "risk"}, Verdict: verdict})
					require.NoError(t, err)
					require.Empty(t, planted.FindAllString(digests.ReplaceAllString(string(page), ""), -1))
				}
			})
		}
	}
}

func TestSealedPageIsWhole(t *testing.T) {
	for name, d := range everyDossier(t) {
		t.Run(name, func(t *testing.T) {
			root := parse(t, sealed(t, d, true))
			var sections, links []string
			ids := map[string]bool{}
			for n := range root.Descendants() {
				if id := attr(n, "id"); id != "" {
					require.False(t, ids[id], "id %q stands twice", id)
					ids[id] = true
				}
			}
			for _, s := range elements(root, "section") {
				sections = append(sections, attr(s, "id"))
			}
			for _, a := range elements(elements(root, "nav")[0], "a") {
				links = append(links, attr(a, "href")[1:])
			}
			require.Equal(t, []string{"summary", "ask", "sealed", "data", "privacy", "making", "limits", "card", "methods", "lineage"}, sections)
			require.Equal(t, sections[1:], links, "the contents are those of the page")
			for _, a := range elements(root, "a") {
				require.True(t, ids[attr(a, "href")[1:]], "link to %q leads nowhere", attr(a, "href"))
			}
			for _, s := range elements(root, "section") {
				require.True(t, ids[attr(s, "aria-labelledby")])
			}
		})
	}
}

// sealedSays checks that a section of the sealed page contains each text.
func sealedSays(t *testing.T, d Dossier, verdict bool, id string, texts ...string) {
	t.Helper()
	got := plain(section(t, parse(t, sealed(t, d, verdict)), id))
	for _, want := range texts {
		require.Contains(t, got, want)
	}
}

func TestSealedPageShowsWhatIsNoSecret(t *testing.T) {
	d := rival(t)
	_, digest, err := Encode(d)
	require.NoError(t, err)
	sealedSays(t, d, true, "ask", "may take the place of version 3 of loan-approval", "Mara Lindqvist", digest.String())
	sealedSays(t, d, true, "sealed", "shown to the roles ethics and risk alone, until the test set is used up",
		"Accuracy of the candidate minus accuracy of the serving version is to be more than 5 points In the spec: n - o > 0.05 +/- 0.02",
		"starter dossier lifecycle/loan-approval/2026-06-25-k3 --as NAME --role ROLE")
	sealedSays(t, d, true, "data", "12,014 to train on", "synthetic://credit")
	sealedSays(t, d, true, "making", "L2 penalty 1", "snapshot")
	making := section(t, parse(t, sealed(t, d, true)), "making")
	require.NotContains(t, making, ref("predictions", 0).Digest.String(), "what was measured can be found by its digest")
	require.Contains(t, section(t, parse(t, rendered(t, d)), "making"), ref("predictions", 0).Digest.String())

	d.Training.Warnings, d.Warnings = []string{"the program printed nothing"}, []string{"the verdict is inconclusive"}
	sealedSays(t, d, true, "ask", "the program printed nothing")
	require.NotContains(t, string(sealed(t, d, true)), "the verdict is inconclusive")
}

func TestSealedLimitsSayWhatIsLeftOut(t *testing.T) {
	sealedSays(t, rival(t), true, "limits", "nothing of how well the candidate does on the test data", "This is decision 5 of 32 on the test data.")
	sealedSays(t, rival(t), false, "limits", "The verdict is of all conditions together. Which of them it is of, and how near it was, is sealed.")
	require.NotContains(t, section(t, parse(t, sealed(t, rival(t), true)), "limits"), "The verdict is of")
	sealedSays(t, trained(t), true, "limits", "The program that trained the model is the requester’s own.")
	require.NotContains(t, section(t, parse(t, sealed(t, loan(t), true)), "limits"), "of 0 on the test data")
}

// A requester who may see pass and fail only must not see that there was doubt: the error probability is divided over two answers.
func TestSealedPageShowsWhatTheVerdictCountsAs(t *testing.T) {
	header := func(d Dossier, verdict bool) string {
		return plain(text(elements(parse(t, sealed(t, d, verdict)), "header")[0]))
	}
	const pass, fail, doubt, secret = "The gate lets the candidate pass", "The gate does not let the candidate pass", "The gate cannot tell from the test data", "The verdict is sealed"
	for _, c := range []struct {
		verdict gate.Verdict
		policy  gate.Policy
		want    string
	}{
		{gate.Pass, gate.AskPeople, pass}, {gate.Fail, gate.AskPeople, fail}, {gate.Inconclusive, gate.AskPeople, doubt},
		{gate.Inconclusive, gate.CountAsPass, pass}, {gate.Inconclusive, gate.CountAsFail, fail}, {gate.Pass, gate.CountAsFail, pass}, {"", gate.AskPeople, "There is no verdict"},
	} {
		t.Run(fmt.Sprint(c.verdict, " under ", c.policy), func(t *testing.T) {
			d := rival(t)
			d.Gate.Verdict = c.verdict
			d.Gate.Settle(c.policy)
			got := header(d, false)
			require.Contains(t, got, c.want+" The figures behind it are shown to the roles ethics and risk only.")
			if c.want != doubt {
				require.NotContains(t, got, "cannot")
			}
			got = header(d, true)
			require.Contains(t, got, secret+" It is shown to the roles ethics and risk only.")
			for _, told := range []string{pass, fail, doubt} {
				require.NotContains(t, got, told)
			}
		})
	}
	require.Contains(t, header(bare(), false), "No conditions were set")
}

func TestSealedPageNeedsADigest(t *testing.T) {
	var none artifact.Digest
	_, err := RenderSealed(rival(t), none, Seal{})
	require.ErrorContains(t, err, "no digest")
	d := rival(t)
	_, digest, err := Encode(d)
	require.NoError(t, err)
	page, err := RenderSealed(d, digest, Seal{Verdict: true})
	require.NoError(t, err)
	require.Contains(t, plain(section(t, parse(t, page), "sealed")), "shown to the reviewers alone")
}

// The list of artifacts that are left out is complete when every other one is of a stage before the test rows were asked.
func TestSealedPageKeepsTheArtifactsOfEarlierStages(t *testing.T) {
	d := loan(t)
	named := map[string]artifact.Ref{}
	for _, name := range []string{
		"spec", "snapshot", "test_snapshot", "validation", "prepared", "model", "model_manifest", "privacy", "code", "sweep",
		"predictions", "evaluation", "fairness", "explain", "verdicts", "champion_scores", "comparison", "labels",
	} {
		named[name] = ref(name, 1000)
	}
	d.Refs = Names(named)
	var kept []string
	for _, r := range unmeasured(d).Refs {
		kept = append(kept, r.Name)
	}
	require.Equal(t, []string{"code", "model", "model_manifest", "prepared", "privacy", "snapshot", "spec", "sweep", "test_snapshot", "validation"}, kept)
	require.Len(t, d.Refs, len(slices.Collect(maps.Keys(named))), "the dossier keeps all of them")
}
