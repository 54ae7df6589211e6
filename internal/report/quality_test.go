package report

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

func TestQualityOfClasses(t *testing.T) {
	d := species(t)
	r := d.Evaluation.Overall.Multiclass
	says(t, d, "quality",
		"On 2,500 test cases kept out of training, the model put 81.6 % into the right one of 4 classes. Always saying “heron”, the most common one, would have been right in 42.6 %.",
		"What it said, and what was true", "In truth heron egret spoonbill bittern heron 1,065 cases",
		"Most often taken for another class", "heron egret 183 17.2 % of the class", "2 rarer mistakes are not listed.",
		"of the answers given with 70 % confidence, 70 % are right", "Class by class", "Class Cases Called so Precision Recall F1 AUC heron 1,065 915 93.7 %", "bittern 404 447 78.1 %",
		"Mean F1 of the classes", "Cohen’s kappa", "Accuracy of the two most probable classes", "The model’s answer is the class with the largest score.")
	root := parse(t, rendered(t, d))
	var cells []string
	for _, table := range elements(root, "table") {
		if attr(table, "class") != "matrix" {
			continue
		}
		for _, td := range elements(table, "td") {
			cells = append(cells, text(td)+" "+attr(td, "class"))
		}
	}
	require.Len(t, cells, 16)
	for k := range 4 {
		for j := range 4 {
			cell := cells[4*k+j]
			require.True(t, strings.HasPrefix(cell, count(r.Confusion[k][j])+" number shade-"), cell)
			require.Equal(t, j == k, strings.HasSuffix(cell, " right"), "what it got right is framed: %s", cell)
		}
	}
	require.NotContains(t, section(t, root, "quality"), "threshold", "classes have none")
}

func TestShadesFollowTheShareOfTheRow(t *testing.T) {
	for n, want := range map[int]string{0: "shade-0", -3: "shade-0", 1: "shade-1", 19: "shade-1", 20: "shade-2", 59: "shade-3", 79: "shade-4", 80: "shade-5", 100: "shade-5", 200: "shade-5"} {
		require.Equal(t, want, shade(n, 100))
	}
	require.Equal(t, "shade-0", shade(3, 0))
	for step := range 6 {
		require.Contains(t, style, fmt.Sprintf(".matrix .shade-%d", step))
	}
}

func TestManyClassesStayReadable(t *testing.T) {
	d := letters(t)
	quality := plain(section(t, parse(t, rendered(t, d)), "quality"))
	require.NotContains(t, quality, "by what the model says (columns)", "a matrix of 45 classes is no table for people")
	require.Contains(t, quality, "Most often taken for another class")
	require.Contains(t, quality, "The 40 classes with the most cases; 5 others are in the dossier’s JSON.")

	numbered := matrixGrid(*hostileClasses(t).Evaluation.Overall.Multiclass)
	require.Contains(t, numbered.Note, "Columns are numbered as the rows.")
	require.Equal(t, "12", numbered.Head[12].Text)
	require.Equal(t, "12. k", numbered.Rows[11][0].Text)
	require.Equal(t, "5. (empty)", numbered.Rows[4][0].Text)
	for _, row := range numbered.Rows {
		require.LessOrEqual(t, len([]rune(row[0].Text)), classLetters+4)
	}
}

func TestQualityOfNumbers(t *testing.T) {
	d := prices(t)
	says(t, d, "quality",
		"On 1,200 test cases kept out of training, what the model says of “rent” is off by 61.8 on average. Its root mean squared error is 81.3; always saying the mean of these cases, 1,323, would have one of 418.5.",
		"these figures rest on 1,200 of 3,000 rows, picked without looking at the model’s answers. 300 further rows were labelled for what they are",
		"Furthest off: where it said 2,052 on average, the truth was 1,967.", "On 1,200 cases, in the units of “rent”",
		"Mean error Prediction minus truth on average; in the units of “rent”. Above 0 the model says too much, below 0 too little. 6.9 2.3 to 11.5",
		"Share of the cases Prediction minus truth is at most 1 % −202.1", "50 % (median) 6.035", "99 % 229.6", "flat 2,420 969 labelled")
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "quality"), "AUC")
}

// The answer that needs no model has the error that the formula says: the root of the mean squared distance from the mean.
func TestConstantAnswerHasTheErrorOfTheMean(t *testing.T) {
	y := []float64{1, 2, 4, 9}
	r, err := stats.EvaluateRegression(stats.RegressionSample{Y: y, Predicted: []float64{4, 4, 4, 4}}, stats.Options{Replicates: stats.MinReplicates})
	require.NoError(t, err)
	rmse, ok := r.Metric(stats.RMSE)
	require.True(t, ok)
	require.InDelta(t, rmse.Value, constantError(r), 1e-12, "all predictions are the mean")
}

var dot = regexp.MustCompile(`<circle class="dot" cx="([0-9.]+)" cy="([0-9.]+)"`)

func TestDecilesOnTheDiagonalAreDrawnOnIt(t *testing.T) {
	var deciles []stats.Decile
	for _, v := range []float64{-5000, 120, 900, 4000} {
		deciles = append(deciles, stats.Decile{N: 50, MeanPredicted: v, MeanY: stats.Estimate{Value: v, Low: v, High: v}})
	}
	drawn := string(decileChart("c", "t", "d", deciles))
	line := regexp.MustCompile(`<line class="chance" x1="([0-9.]+)" y1="([0-9.]+)" x2="([0-9.]+)" y2="([0-9.]+)"`).FindStringSubmatch(drawn)
	require.NotNil(t, line)
	var x1, y1, x2, y2 float64
	_, err := fmt.Sscan(strings.Join(line[1:], " "), &x1, &y1, &x2, &y2)
	require.NoError(t, err)
	dots := dot.FindAllStringSubmatch(drawn, -1)
	require.Len(t, dots, 4)
	for _, m := range dots {
		var x, y float64
		_, err := fmt.Sscan(m[1], &x)
		require.NoError(t, err)
		_, err = fmt.Sscan(m[2], &y)
		require.NoError(t, err)
		require.InDelta(t, y1+(y2-y1)*(x-x1)/(x2-x1), y, 0.05)
	}
}

func TestResidualsAreDrawnAroundNoError(t *testing.T) {
	r := stats.Residuals{}
	for i, share := range []float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99} {
		r.Quantiles = append(r.Quantiles, stats.Quantile{Share: share, Value: 10 + float64(i)})
	}
	drawn := string(residualChart("r", "t", "d", r))
	at := func(pattern string) float64 {
		m := regexp.MustCompile(pattern).FindStringSubmatch(drawn)
		require.NotNil(t, m, pattern)
		var x float64
		_, err := fmt.Sscan(m[1], &x)
		require.NoError(t, err)
		return x
	}
	none, median, box := at(`<line class="chance" x1="([0-9.]+)"`), at(`<line class="median" x1="([0-9.]+)"`), at(`<rect class="box" x="([0-9.]+)"`)
	require.Less(t, none, box, "every prediction is too high, and no error is still in the picture")
	require.Less(t, box, median)
}

func TestNothingMeasuredIsSaid(t *testing.T) {
	for _, d := range []Dossier{bare(), {Format: Format, Evaluation: evaluation.Report{Task: stats.Regression, Overall: evaluation.Result{Regression: &stats.RegressionReport{}}}}} {
		says(t, d, "quality", "There were no test cases to measure the model on.")
		require.NotContains(t, section(t, parse(t, rendered(t, d)), "quality"), "Measures on the test data")
	}
}

func TestGroupsOfEveryTask(t *testing.T) {
	says(t, loan(t), "quality", "The same by sex sex Cases Accuracy AUC Precision Recall female 1,899")
	says(t, species(t), "quality", "The same by region region Cases Accuracy Balanced accuracy Mean F1 of the classes Log loss coast 1,272")
	says(t, prices(t), "quality", "The same by kind kind Cases Mean absolute error Root mean squared error Mean error R² flat 2,420")

	says(t, species(t), "treatment", "By observer Accuracy is highest for ranger (83.9 %) and lowest for visitor (75.7 %), among the groups with at least 30 cases.",
		"delta small group 25 cases", "The dashed line is that of all cases, 81.6 %.")
	says(t, prices(t), "treatment", "Mean error is highest for flat (12.31) and lowest for house (−15.67)", "isle 47 cases", "what “rent” means for the person")
	require.NotContains(t, section(t, parse(t, rendered(t, species(t))), "treatment"), "Demographic parity")

	d := species(t)
	p := speciesPredictions()
	y := make([]int32, p.N())
	for i, v := range p.Y {
		y[i] = int32(v)
	}
	classes, err := fairness.ExamineClasses(len(p.Classes), y, p.Score, p.Classes, fairness.Question{Columns: []fairness.Column{{Name: "observer", Groups: p.Groups["observer"]}}})
	require.NoError(t, err)
	d.Fairness.Classes = &classes
	says(t, d, "treatment", "Gaps between the groups of observer, by class", "How often it is found", p.Classes[0]+" ", "highest,")
	q := pricePredictions()
	var rent, suggested []float64
	kinds := fairness.Column{Name: "kind"}
	for i, v := range q.Y {
		if !math.IsNaN(v) {
			rent, suggested, kinds.Groups = append(rent, v), append(suggested, q.Score[i]), append(kinds.Groups, q.Groups["kind"][i])
		}
	}
	numbers, err := fairness.ExamineNumbers(rent, suggested, fairness.Question{Columns: []fairness.Column{kinds}, Replicates: 200})
	require.NoError(t, err)
	ofNumbers := prices(t)
	ofNumbers.Fairness.Numbers = &numbers
	says(t, ofNumbers, "treatment", "Gaps between the groups of kind", "prediction less truth 27.7", "flat highest, house lowest")

	d.Evaluation.Slices = nil
	says(t, d, "treatment", "The groups of region and observer were not compared. That is no sign that the model treats them alike.")
}

func TestIntersectionsAreMeasuredAndSmallOnesNamed(t *testing.T) {
	says(t, loan(t), "treatment", "By sex and age_band together", "sex and age_band Cases Selection rate Recall False positive rate Accuracy female, 18-24 203",
		"Too small to be measured: 4 groups have fewer than 30 rows in the test data. Nothing is known of how the model treats them. unknown, 18-24: 1 row unknown, 25-39: 1 row unknown, 40-64: 2 rows unknown, 65+: 1 row")
	says(t, prices(t), "treatment", "kind and city Cases Mean absolute error", "1 group has fewer than 30 rows in the test data", "house, isle: 6 rows")
	says(t, hostileClasses(t), "treatment", "further groups are named in the dossier’s JSON.")
	says(t, loan(t), "limits", "by one protected column at a time and measured by two together, not by three or more")
	d := loan(t)
	d.Evaluation.Intersections = nil
	says(t, d, "limits", "one protected column at a time, not their combinations")
}

func TestLargestGroupsAreShownInTheirOrder(t *testing.T) {
	d := loan(t)
	d.Evaluation.Slices = nil
	for i := range mostGroups + 7 {
		d.Evaluation.Slices = append(d.Evaluation.Slices, evaluation.Slice{Column: "branch", Group: fmt.Sprintf("branch %03d", i), Rows: 1 + (i*37)%(mostGroups+7)})
	}
	g := sliceGrids(d)
	require.Len(t, g, 1)
	require.Len(t, g[0].Rows, mostGroups)
	require.Equal(t, "7 smaller groups are not shown; the dossier’s JSON holds all.", plain(g[0].Note))
	for i, row := range g[0].Rows {
		require.True(t, i == 0 || g[0].Rows[i-1][0].Text < row[0].Text)
		require.NotContains(t, []string{"1", "2", "3", "4", "5", "6", "7"}, row[1].Text, "the smallest are left out")
	}
}

func TestComparisonWithTheServingVersion(t *testing.T) {
	d := rival(t)
	says(t, d, "compared", "Version 3, which serves now, was asked about the same test rows", "Their answers differ on 13.8 % of the rows (95 % interval 12.7 to 14.9 %, 4,000 rows).",
		"both 3,061 76.5 % the candidate alone 371 9.3 % the serving version alone 181 4.5 % neither 387 9.7 %",
		"On 552 rows one of them alone is right: the candidate on 371, the serving version on 181.", "with a probability of 1 in 2.2 × 10¹⁵ (McNemar’s exact test). So chance alone is an unlikely explanation.",
		"Accuracy the candidate is better Accuracy: +4.8 points, 3.0 to 6.5 points", "False negative rate the candidate is better", "Calibration error cannot be told apart", "Selection rate lower for the candidate",
		"Base rate the same", "Both side by side", "Measure Candidate Serving version Accuracy 85.8 % 84.7 to 86.8 % 81.0 % 79.8 to 82.2 %",
		"Which answers change", "“approved: yes” not “approved: yes” 315")
	says(t, d, "limits", "compared on this test data alone. If the version that serves was trained on some of these rows, it looks better here than it is.")
	says(t, species(t), "compared", "Version 2, which serves now", "egret heron 161", "Cohen’s kappa the candidate is better", "2 rarer changes are not listed.")
	numbers := plain(section(t, parse(t, rendered(t, prices(t))), "compared"))
	require.Contains(t, numbers, "Root mean squared error the candidate is better Root mean squared error: −25.8, ")
	require.Contains(t, numbers, "Mean error cannot be told apart")
	require.NotContains(t, numbers, "Who is right where", "a number is not right or wrong")
}

func TestDifferencesOfOneKindShareAScale(t *testing.T) {
	for of, d := range map[string]Dossier{"classes": species(t), "numbers": prices(t)} {
		t.Run(of, func(t *testing.T) {
			c := changesTable(d, *d.Comparison)
			require.Len(t, c.Ends, 3)
			require.Equal(t, "0", c.Ends[1])
			require.Equal(t, "−"+c.Ends[2], c.Ends[0], "no difference stands in the middle")
			for _, row := range c.Rows {
				amount := map[string]bool{"Log loss": true, "Brier score": true, "Mean absolute error": true, "Root mean squared error": true, "Mean error": true}[row.Name]
				require.Equal(t, amount == (of == "numbers"), row.Bar != "", "%s is of the scale's kind", row.Name)
				if row.Bar != "" {
					require.Contains(t, string(row.Bar), `<line class="reference" x1="50"`)
				}
			}
		})
	}
}

func TestWhoIsBetterDependsOnTheMetric(t *testing.T) {
	above, below, around := stats.Estimate{Value: 0.2, Low: 0.1, High: 0.3}, stats.Estimate{Value: -0.2, Low: -0.3, High: -0.1}, stats.Estimate{Value: 0.1, Low: -0.1, High: 0.3}
	for _, c := range []struct {
		metric string
		e      stats.Estimate
		want   string
	}{
		{stats.Accuracy, above, "the candidate is better"}, {stats.Accuracy, below, "the serving version is better"}, {stats.Accuracy, around, "cannot be told apart"},
		{stats.LogLoss, above, "the serving version is better"}, {stats.RMSE, below, "the candidate is better"}, {stats.FPR, below, "the candidate is better"},
		{stats.SelectionRate, above, "higher for the candidate"}, {stats.MeanError, below, "lower for the candidate"}, {stats.BaseRate, stats.Estimate{}, "the same"},
		{stats.Accuracy, stats.Estimate{Undefined: "no examples"}, ""}, {stats.Accuracy, stats.Estimate{Value: math.NaN()}, ""},
	} {
		require.Equal(t, c.want, whoIsBetter(c.e, termOf(c.metric).Better), c.metric)
	}
}

func TestMcNemarInWords(t *testing.T) {
	words := func(candidate, champion int) string {
		return plain(mcNemarWords(evaluation.Right{OnlyCandidate: candidate, OnlyChampion: champion, McNemar: stats.McNemar(candidate, champion)}))
	}
	require.Equal(t, "They are right on exactly the same rows.", words(0, 0))
	require.Contains(t, words(12, 11), "chance would nearly always bring a difference as large as this one (McNemar’s exact test). So chance alone may well explain it.")
	require.Contains(t, words(30, 10), "with a probability of 0.22 %")
	require.Contains(t, words(1, 0), "On 1 row one of them alone is right: the candidate on 1, the serving version on 0.")
}

func TestWithoutAComparisonThePageSaysSo(t *testing.T) {
	d := loan(t)
	says(t, d, "compared", "No version serves yet, so there is nothing to compare the candidate with.")
	says(t, d, "limits", "There was no serving version to compare with")
	says(t, letters(t), "compared", "Version 9 could not be asked about the test rows: its program answered no request within 2m. Nothing on this page says whether the candidate is better")
	says(t, letters(t), "limits", "The candidate was not compared with the version that serves")
	d.Champion = &Champion{Version: 4}
	says(t, d, "compared", "Version 4 serves now, but the two were not compared.")
}

func TestUsesOfTheTestDataAreSaid(t *testing.T) {
	says(t, loan(t), "limits", "Uses of this test data are not counted, so the stated reliability holds for its first candidate only.")
	d := loan(t)
	for adaptivity, want := range map[gate.Adaptivity]string{
		gate.AdaptivityNone:        "This is decision 3 of 16 on this test data. The reliability holds for all 16 together as long as whoever asks for candidates learns neither verdicts nor figures.",
		gate.AdaptivityFirstChange: "This is decision 3 of 16 on this test data, which ends with the first candidate that passes.",
		gate.AdaptivityFull:        "This is decision 3 of 16 on this test data. The reliability holds for all 16 together, even though whoever asks for candidates sees the verdicts",
	} {
		d.TestSet = &TestSetUse{Adaptivity: string(adaptivity), Step: 3, Of: 16}
		says(t, d, "limits", want)
		require.NotContains(t, section(t, parse(t, rendered(t, d)), "limits"), "not counted")
	}
}

func TestRelianceIsMeasuredByTheTask(t *testing.T) {
	says(t, loan(t), "reliance", "The more the AUC falls without a column", "Unshuffled, the AUC is 0.935 on 4,000 cases.", "Fall of the AUC", "income income: 0.143, 0.137 to 0.149")
	says(t, species(t), "reliance", "The more the accuracy falls without a column", "Unshuffled, the accuracy is 81.6 %", "income income: 14.3 points, 13.7 to 14.9 points")
	says(t, prices(t), "reliance", "The more the root mean squared error grows without a column", "Unshuffled, the root mean squared error is 81.31", "channel cannot be told from no reliance")
}

func TestDataOfEveryTask(t *testing.T) {
	says(t, loan(t), "data", "53.2 % of the rows are “approved: yes”.", "female 53.6 % of them “approved: yes”")
	says(t, species(t), "data", "4 classes of “species”: heron 25.4 %, egret 25.1 %, spoonbill 24.9 %, bittern 24.6 %.")
	says(t, prices(t), "data", "“rent” is 1,318 on average, with a standard deviation of 412.7.", "female “rent” 1,310 on average",
		"People labelled 240 rows of the test part for this decision: 200 picked by lot, and 40 for what they are")
	says(t, letters(t), "data", ", 33 further classes.")
	require.NotContains(t, section(t, parse(t, rendered(t, species(t))), "data"), "positive")
}
