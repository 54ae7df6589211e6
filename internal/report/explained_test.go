package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/mitigation"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// withEvidence is the loan dossier with what explanations, attacks and mitigation leave behind.
func withEvidence(t *testing.T) Dossier {
	t.Helper()
	d := loan(t)
	ten, twenty := 10.0, 20.0
	mean := func(v float64) stats.Estimate {
		return stats.Estimate{Value: v, Low: v - 0.01, High: v + 0.01, Level: 0.95, Method: stats.MethodStudent, N: 100}
	}
	d.Explain.Dependence = []explain.Dependence{
		{
			Feature: "income", Kind: table.Numeric, Task: stats.Binary, RowsUsed: 100,
			Points:  []explain.DependencePoint{{Value: "10", Number: &ten, Rows: 50}, {Value: "20", Number: &twenty, Rows: 45}, {Missing: true, Rows: 5}},
			Outputs: []explain.DependenceOutput{{Mean: []stats.Estimate{mean(0.2), mean(0.4), mean(0.3)}, Spread: 0.1, MeanHeterogeneity: 0.2}},
		},
		{
			Feature: "housing <b>", Kind: table.Categorical, Task: stats.Binary, RowsUsed: 100,
			Points:  []explain.DependencePoint{{Value: "own", Rows: 60}, {Value: "rent", Rows: 40}},
			Outputs: []explain.DependenceOutput{{Mean: []stats.Estimate{mean(0.6), mean(0.5)}}}, OtherLevels: 2, OtherShare: 0.03,
		},
	}
	d.Explain.Surrogate = &explain.Surrogate{
		Method: "A tree.", Task: stats.Binary, Depth: 2, R2: mean(0.91), Agreement: stats.Proportion(95, 100, 0.95, ""), Baseline: stats.Proportion(70, 100, 0.95, ""),
		Verdict: explain.Faithful, Reading: "The rules can be read.",
		Rules: []explain.SurrogateRule{{When: "income < 15", Answers: []float64{0.1}, Decision: "no", Share: 0.4}, {When: "income >= 15", Answers: []float64{0.8}, Decision: "yes", Share: 0.6}},
	}
	d.Explain.Counterfactuals = &explain.CounterfactualReport{
		Method: "Searched.", Rows: 20, Found: stats.Proportion(18, 20, 0.95, ""), MeanChanges: 1.5,
		Columns: []explain.ChangedColumn{{Column: "income", Rows: 12, Up: 12}, {Column: "housing <b>", Rows: 6}},
	}
	d.Explain.Budget = &explain.Budget{Predictions: 500_000, Used: 123_456}
	d.Privacy.Membership = []privacy.AttackReport{
		{Attack: privacy.AttackLossThreshold, Verdict: privacy.VerdictChance, Members: 1000, Others: 900, AUC: mean(0.502)},
		{Attack: privacy.AttackLiRA, Verdict: privacy.VerdictLeaks, Members: 1000, Others: 900, AUC: mean(0.66), TPRAtFPR: []privacy.TPRAtFPR{{Limit: 0.01, TPR: mean(0.05)}}},
	}
	d.Reweighing = &mitigation.Reweighing{Columns: []string{"sex"}, Rows: 100, Cells: []mitigation.Cell{{Group: "female", Positive: true, Rows: 20, Weight: 1.25}, {Group: "x"}}}
	before := stats.Sample{Y: make([]bool, 400), Score: make([]float64, 400)}
	groups := make([]string, 400)
	for i := range before.Y {
		before.Y[i], before.Score[i], groups[i] = i%4 < 2, 0.2+0.4*float64((i+i/7)%2), []string{"female", "male"}[i%2]
	}
	after := before
	after.Cut = make([]float64, 400)
	for i := range after.Cut {
		after.Cut[i] = []float64{0.1, 0.5}[i%2]
	}
	cost, err := mitigation.Price(before, after, groups, 0.5, 0)
	require.NoError(t, err)
	d.Fairness.Price = &mitigation.Priced{Columns: []string{"sex"}, Thresholds: true, Cost: cost}
	d.Fairness.NotPriced = "What the weights cost is not known."
	d.Thresholds = &mitigation.Rule{
		Column: "sex", Constraint: mitigation.EqualOpportunity, Fallback: 0.5, Small: []string{"other"},
		Thresholds: []mitigation.GroupThreshold{{Group: "female", Threshold: 0.41, Rows: 200, Selected: 0.4, TPR: 0.8, FPR: 0.1}},
	}
	return d
}

func TestExplanationsInWordsAndPictures(t *testing.T) {
	d := withEvidence(t)
	says(t, d, "reliance",
		"Without a value: 0.3 (5 cases)", "do not read it as the effect in one case", "2 rarer values of 3.0 % of the cases not shown",
		"explains 91.0 % of how the answers vary", "decides as the model does in 95.0 % of them; always taking the more frequent decision would agree in 70.0 %",
		"Income >= 15", "For 18 of 20 cases one was found, of 1.5 columns changed on average", "12 raised", "another name",
		"the model was asked 123,456 times, of 500,000 allowed")
	page := string(rendered(t, d))
	require.NotContains(t, page, "<b>", "names of columns stay text")
	d.Explain.Surrogate.Verdict, d.Explain.Surrogate.Reading = explain.Unfaithful, "Do not read the rules."
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "reliance"), "Income >= 15", "rules that do not hold are not shown")
}

func TestAttacksAreSaidInWords(t *testing.T) {
	d := withEvidence(t)
	says(t, d, "privacy", "by how well the model answers each row is no better than chance",
		"with models trained on purpose, some with a row and some without tells rows of the training data from others; of 1 % wrongly accused, it finds 5.0 % of the trained rows")
}

func TestMitigationIsShownWithItsWarning(t *testing.T) {
	d := withEvidence(t)
	says(t, d, "treatment", "What was done about differences", "A legal warning", "Civil Rights Act of 1991", "equal shares found of those truly so",
		"other had too few rows and the threshold of all, 0.500", "1.25")
	c := d.Fairness.Price.Cost
	says(t, d, "treatment", "What it costs and gains", "with one threshold for all", plain(percent(c.Before.Accuracy.Value)), plain(percent(c.After.Accuracy.Value)),
		"cases got a yes only because of it, and 0 cases a no", "Accuracy of female", "What the weights cost is not known.")
	says(t, d, "summary", "This changed accuracy by "+plain(asPoints.signedFigure(c.Change)))
	says(t, d, "summary", "Training rows were weighed by sex and groups of sex have thresholds of their own, which the law forbids for some uses.")
	says(t, d, "quality", "when its score is at least that of its group of sex (female 0.410).", "The curves are of one threshold for all")
	says(t, d, "card", "when its score is at least that of its group of sex")
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "quality"), "upright line is the threshold in use")
	says(t, d, "summary", "widened the demographic parity difference from 1.5 points to 56.5 points")
	d.Thresholds = nil
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "treatment"), "legal warning", "weights alone treat equal scores alike")
	text := markdownFor(t, withEvidence(t))
	for _, words := range []string{"A legal warning", "The model in a few rules", "Telling rows of the training data from others", "Thresholds by sex"} {
		require.Contains(t, text, words)
	}
}

func TestSealedPagesHideAttacksOnTestRows(t *testing.T) {
	d := withEvidence(t)
	_, digest, err := Encode(d)
	require.NoError(t, err)
	page, err := RenderSealed(d, digest, Seal{ShowTo: []string{"risk"}})
	require.NoError(t, err)
	for _, words := range []string{"no better than chance", "The model in a few rules", "123,456"} {
		require.False(t, strings.Contains(string(page), words), words)
	}
}

func TestWhoTheModelLearntFrom(t *testing.T) {
	d, p := loan(t), loanPredictions()
	y, outcomes := make([]bool, p.N()), make([]string, p.N())
	for i, v := range p.Y {
		y[i], outcomes[i] = v == 1, []string{"no", "yes"}[int(v)]
	}
	for _, column := range d.Protected {
		d.Fairness.People = append(d.Fairness.People, peopleBy(t, column, p.Groups[column], y, outcomes))
	}
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "data"), "Who is in the data, by sex", "the rows it learnt from are shown in their place")
	says(t, d, "data", "Who it learnt from, by sex", "Rows it learnt from, by sex", "of them “approved: yes”", "of the population", "Without any row: nobody.",
		"a smaller share of the rows", "Missing values, by sex", "female (10.", "Labels of each group against all others, by age_band", "with probability 0.050 (Pearson’s test)")
	says(t, d, "treatment", "How unequally decisions serve people, whoever they are: generalised entropy", "Theil’s index", "lies between the groups of sex",
		"Cases that are alike are decided alike in 93.0 %")
	d.Fairness.People[0].Missing, d.Fairness.People[0].Notes = nil, []string{"Not computed: too many groups."}
	says(t, d, "data", "Not computed: too many groups.")
	require.Contains(t, markdownFor(t, d), "Who it learnt from, by sex")
}

// attributions are what Explain leaves behind of a model with two columns and two cases.
func attributions(d *Dossier) {
	part := func(name string, v float64) explain.Part {
		return explain.Part{Feature: name, Value: stats.Estimate{Value: v, Low: v - 0.01, High: v + 0.01, Level: 0.95, Method: explain.MonteCarlo, N: 16}}
	}
	size := stats.Estimate{Value: 0.12, Low: 0.1, High: 0.14, Level: 0.95, Method: stats.MethodStudent, N: 200}
	d.Explain.Shapley = &explain.ShapleyReport{
		Scale: explain.Probability, Base: 0.43, Rows: 200, Background: 150, Verdict: explain.Sound, Reading: "The Monte Carlo error is small.",
		Features: []explain.Attribution{{Feature: "income", MeanAbs: 0.12, Size: size}, {Feature: "sex", MeanAbs: 0.12, Size: size}},
	}
	d.Explain.Exact = &explain.ShapleyReport{Scale: explain.LogOdds, Verdict: explain.Sound, Features: []explain.Attribution{{Feature: "income"}, {Feature: "sex"}}}
	d.Explain.Stability = &explain.StabilityReport{Runs: 5, Verdict: explain.Sound, Reading: "The order does not depend on the seed."}
	above, below, held := true, false, "40 <i>"
	shown := part("income", 0.09)
	shown.Text = &held
	d.Explain.Local = &explain.LocalReport{
		Scale: explain.Probability, Verdict: explain.Sound, LeftOut: []int{9},
		Rows: []explain.LocalExplanation{
			{Row: 4711, Score: 0.501, AtLeast: &above, Parts: []explain.Part{shown, part("sex", -0.02)}, Others: 0.004, NotListed: 3},
			{Row: 12, Score: 0.49, AtLeast: &below, Parts: []explain.Part{part("sex", 0.06)}},
		},
	}
}

func TestPartsOfAnswersAreShownWhenTheyAreExactEnough(t *testing.T) {
	d := loan(t)
	attributions(&d)
	says(t, d, "reliance", "away from its mean over 150 cases, 43.0 %", "How far a column moves the answers", "12.0 points", "protected",
		"known without chance (linear SHAP). There they rank income and sex first.", "Computed 5 times over with other seeds: The order does not depend on the seed.",
		"4,711", "50.1 % reaches the threshold", "income = 40 <i> +9.0 points; sex −2.0 points; 3 other columns together +0.4 points", "49.0 % below the threshold", "1 case could not be explained")
	require.NotContains(t, string(rendered(t, d)), "<i>", "what stands in a row stays text")
	require.Contains(t, markdownFor(t, d), "What moves the answers")

	d.Explain.Shapley.Verdict, d.Explain.Shapley.Reading = explain.Doubtful, "The Monte Carlo error is large."
	d.Explain.Local.Verdict, d.Explain.Local.Reading = explain.Doubtful, "Too few orders."
	says(t, d, "reliance", "too inexact to be read, and are not shown. The Monte Carlo error is large.", "Single cases are not shown. Too few orders.")
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "reliance"), "4,711")
}

func TestModelThatCouldNotBeShuffledIsExplainedOtherwise(t *testing.T) {
	d := loan(t)
	attributions(&d)
	d.Explain.Features, d.Explain.Notes = nil, []string{"What the model relies on was not measured by shuffling: it refused."}
	says(t, d, "reliance", "It was not measured how much worse the model does without a column.", "How far a column moves the answers", "it refused")
}

func TestRefusedCandidateAsksNothingOfAnyone(t *testing.T) {
	d := loan(t)
	says(t, d, "ask", "Not met, and put to you all the same: Recall where sex is female", "--dossier sha256:")
	d.Failing = ""
	says(t, d, "ask", "Nothing is asked of anyone: the spec refuses a candidate that does not meet its conditions")
	says(t, d, "summary", "Nobody is asked", "This candidate is not used, and no version serves, as now.")
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "ask"), "To approve")
	require.NotContains(t, markdownFor(t, d), "To approve")
}
