package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

func TestModelCardHasThePartsOfThePaper(t *testing.T) {
	d := rival(t)
	says(t, d, "card", "M. Mitchell and others", "loan-approval, a logistic model, made by the trainer logistic 1 for consumer-credit on Thursday 25 June 2026",
		"Any other use was not examined.", "Groups by sex (male, female, unknown) and age_band", "Measured: accuracy, AUC, log loss", "when its score is at least 0.5.",
		"4,000 rows kept out of training", "12,014 rows from the same source; 8 columns are given to the model.", "for 7 groups by one column each",
		"The model is given protected columns: age_band.", "can narrow that person down to 1 row of the data")
	var titles []string
	for _, p := range cardOf(d, wholeContents).Parts {
		titles = append(titles, p.Title)
		require.NotEmpty(t, p.Text, p.Title)
		require.NotEmpty(t, p.Links, p.Title)
	}
	require.Equal(t, []string{
		"Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data", "Quantitative analyses", "Ethical considerations", "Caveats and recommendations",
	}, titles)
}

func TestModelCardOfASealedPageHasNoFigures(t *testing.T) {
	sealedSays(t, rival(t), true, "card", "What was measured on the test part is not shown here.", "Figures of the test part are not shown here.")
	require.NotContains(t, section(t, parse(t, sealed(t, rival(t), true)), "card"), "AUC")
}

// Whatever method an estimate of any dossier names has a description with its source.
func TestEveryMethodOfADossierIsDescribed(t *testing.T) {
	for name, d := range everyDossier(t) {
		for _, n := range methodsOf(d).Notes {
			if strings.Contains(n.Name, "<script>") {
				continue
			}
			require.NotContains(t, n.Note, "no description", "%s of %s", n.Name, name)
			require.True(t, n.Source != "" || n.Name == "Counted", "%s has no source", n.Name)
		}
	}
	for method := range intervalMethods {
		require.Contains(t, methodNotes, method)
	}
}

func TestMethodsAreThoseOfTheDossier(t *testing.T) {
	says(t, rival(t), "methods", "Interval of an AUC", "E. R. DeLong", "Bootstrap", "B. Efron", "McNemar’s exact test", "Permutation importance", "L. Breiman", "k-anonymity", "L. Sweeney",
		"Reliability of the conditions", "C. Renggli")
	require.NotContains(t, section(t, parse(t, rendered(t, loan(t))), "methods"), "McNemar")
	says(t, bare(), "methods", "No figures stand on this page that were estimated.")

	d := bare()
	d.Explain.BaseAUC = stats.Estimate{Value: 0.5, Low: 0.4, High: 0.6, Level: 0.95, Method: "brand_new"}
	says(t, d, "methods", "Brand new", "this page has no description of it")
	d.Explain.BaseAUC = stats.NoValue(0.95, 0, "nothing to measure")
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "methods"), "Brand new")
}

func TestSealedPageNamesNoMethodOfTheTestSet(t *testing.T) {
	got := section(t, parse(t, sealed(t, rival(t), true)), "methods")
	require.Contains(t, got, "k-anonymity")
	for _, secret := range []string{"AUC", "Bootstrap", "McNemar", "Permutation"} {
		require.NotContains(t, got, secret)
	}
}

func TestLineageFollowsTheDataToTheDossier(t *testing.T) {
	d := rival(t)
	d.Refs = append(d.Refs, NamedRef{"code", ref("code", 10)}, NamedRef{"prepared", ref("prepared", 10)})
	_, digest, err := Encode(d)
	require.NoError(t, err)
	var names []string
	for _, s := range lineageOf(d, digest).Steps {
		names = append(names, s.Name)
	}
	require.Equal(t, []string{"Source", "Snapshot", "Prepared", "Spec and code", "Model", "Predictions", "Reports", "Dossier"}, names)
	says(t, d, "lineage", "synthetic://credit", d.Data.Digest.String(), "snapshot "+ref("snapshot", 0).Digest.String(), "test part "+ref("test", 0).Digest.String(),
		"spec "+d.Spec.String(), "code "+ref("code", 0).Digest.String(), "model "+ref("model", 0).Digest.String(), "predictions "+ref("predictions", 0).Digest.String(),
		"evaluation "+ref("evaluation", 0).Digest.String(), "dossier "+digest.String())
	require.NotContains(t, section(t, parse(t, sealed(t, d, true)), "lineage"), ref("predictions", 0).Digest.String())
	require.Len(t, lineageOf(bare(), artifact.Sum(nil)).Steps, 1)
}

func TestThresholdPictureFollowsTheROC(t *testing.T) {
	r := stats.Report{
		N: 100, Positives: 25, Threshold: 0.5, Confusion: stats.Confusion{TP: 20, FN: 5, FP: 15, TN: 60},
		ROC: []stats.Point{{Threshold: 1.5}, {Threshold: 0.5, FPR: 0.2, TPR: 0.8}, {Threshold: 0, FPR: 1, TPR: 1}},
	}
	got := string(thresholdPicture(r, words{task: stats.Binary, outcome: "“paid: yes”"}).Picture)
	require.Contains(t, got, "At the threshold in use, 0.5, the model selects 35.0\u00a0% of all cases.")
	half := coordinate(plotX(0.5))
	require.Contains(t, got, "L"+half+" "+coordinate(plotY(0.25*0.8+0.75*0.2)), "share selected")
	require.Contains(t, got, `class="curve dashed" d="M`+coordinate(plotX(1))+" "+coordinate(plotY(0))+"L"+half+" "+coordinate(plotY(0.8)))
	require.Contains(t, got, `class="curve dotted" d="M`+coordinate(plotX(1))+" "+coordinate(plotY(0))+"L"+half+" "+coordinate(plotY(0.2)))
	for _, name := range []string{"selected, of all cases", "recall", "false alarms"} {
		require.Contains(t, got, name, "curves are named, not only coloured")
	}
	require.Contains(t, string(rendered(t, loan(t))), `id="thresholds-title"`)
	d := loan(t)
	d.Evaluation.Overall.Binary.ROC = nil
	require.NotContains(t, string(rendered(t, d)), `id="thresholds-title"`)
}

// manyGroups is a dossier with 500 groups in each of its protected columns.
func manyGroups(t *testing.T) Dossier {
	t.Helper()
	d := rival(t)
	for i := range d.Fairness.Examination.Divisions {
		a := &d.Fairness.Examination.Divisions[i]
		for k := range 500 {
			g := a.Groups[0]
			g.Name = fmt.Sprintf("a group with a name of its own %d", k)
			a.Groups = append(a.Groups, g)
		}
	}
	d.Evaluation.Slices = slices.Clone(d.Evaluation.Slices)
	for i := range d.Validation.Groups {
		for k := range 500 {
			d.Validation.Groups[i].Groups = append(d.Validation.Groups[i].Groups, table.Group{Value: fmt.Sprint("group ", k), Rows: 40, Share: 0.002})
		}
	}
	var slicesOf []evaluation.Slice
	for _, part := range byColumn(d.Evaluation.Slices) {
		slicesOf = append(slicesOf, part...)
		for k := range 500 {
			s := part[0]
			s.Group = fmt.Sprint("group ", k)
			slicesOf = append(slicesOf, s)
		}
	}
	d.Evaluation.Slices = slicesOf
	return d
}

func TestPageOfManyGroupsStaysSmall(t *testing.T) {
	d := manyGroups(t)
	require.Greater(t, len(d.Fairness.Examination.Divisions[0].Groups), 500)
	const most = 2 << 20
	page := rendered(t, d)
	require.Less(t, len(page), most)
	_, digest, err := Encode(d)
	require.NoError(t, err)
	text, err := Markdown(d, digest)
	require.NoError(t, err)
	require.Less(t, len(text), most)
	got := section(t, parse(t, page), "treatment")
	require.Contains(t, got, "403 smaller groups are not shown", "what is left out is counted")
	const listed = 2 * mostGroups // of two columns
	require.LessOrEqual(t, strings.Count(got, "a group with a name of its own"), listed*(2*2+1+3), "a row and a picture each for two rates, a row of further rates, and three of comparisons with the reference")
}
