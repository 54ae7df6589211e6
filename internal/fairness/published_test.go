package fairness_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

// confusions makes rows of a protected column from the counts of its groups.
func confusions(column string, counts map[string]stats.Confusion) (stats.Sample, fairness.Column) {
	var s stats.Sample
	a := fairness.Column{Name: column}
	for name, c := range counts {
		group(&s, &a, name, c)
	}
	return s, a
}

// compas are the counts of the COMPAS demonstration of Aequitas (Saleiro et al. 2018), from ProPublica's file of two years: whoever is
// scored Medium or High is predicted to offend again.
var compas = map[string]stats.Confusion{
	"African-American": {TP: 1369, FP: 805, FN: 532, TN: 990},
	"Asian":            {TP: 6, FP: 2, FN: 3, TN: 21},
	"Caucasian":        {TP: 505, FP: 349, FN: 461, TN: 1139},
	"Hispanic":         {TP: 103, FP: 87, FN: 129, TN: 318},
	"Native American":  {TP: 9, FP: 3, FN: 1, TN: 5},
	"Other":            {TP: 43, FP: 36, FN: 90, TN: 208},
}

func TestAequitasTableOfCOMPASFromItsCounts(t *testing.T) {
	s, a := confusions("race", compas)
	q := question(a)
	q.Reference = map[string]string{"race": "Caucasian"}
	d := examine(t, s, q)
	require.Len(t, d.Groups, 6)
	// ProPublica (Larson et al. 2016), in per cent.
	for name, published := range map[string][2]float64{"African-American": {44.85, 27.99}, "Caucasian": {23.45, 47.72}} {
		m, _ := d.Member(name)
		fpr, _ := m.Rate(stats.FPR)
		fnr, _ := m.Rate(stats.FNR)
		require.InDelta(t, published[0], 100*fpr.Value, 0.005, name)
		require.InDelta(t, published[1], 100*fnr.Value, 0.005, name)
	}
	// The metrics of Aequitas: tpr, tnr, fomr, fdr, fpr, fnr, npv, precision, predicted prevalence and prevalence of each group.
	rates := []string{fairness.TPR, fairness.TNR, fairness.FOR, fairness.FDR, stats.FPR, stats.FNR, fairness.NPV, fairness.PPV, stats.SelectionRate, stats.BaseRate}
	for name, published := range map[string][]float64{
		"African-American": {0.7201472909, 0.551532033426, 0.349540078844, 0.370285188592, 0.448467966574, 0.2798527091, 0.650459921156, 0.629714811408, 0.588203463203, 0.51433982684},
		"Asian":            {0.666666666667, 0.913043478261, 0.125, 0.25, 0.086956521739, 0.333333333333, 0.875, 0.75, 0.25, 0.28125},
		"Caucasian":        {0.522774327122, 0.765456989247, 0.288125, 0.408665105386, 0.234543010753, 0.477225672878, 0.711875, 0.591334894614, 0.348003259984, 0.393643031785},
		"Hispanic":         {0.443965517241, 0.785185185185, 0.288590604027, 0.457894736842, 0.214814814815, 0.556034482759, 0.711409395973, 0.542105263158, 0.298273155416, 0.36420722135},
		"Native American":  {0.9, 0.625, 0.166666666667, 0.25, 0.375, 0.1, 0.833333333333, 0.75, 0.666666666667, 0.555555555556},
		"Other":            {0.323308270677, 0.852459016393, 0.302013422819, 0.455696202532, 0.147540983607, 0.676691729323, 0.697986577181, 0.544303797468, 0.209549071618, 0.352785145889},
	} {
		m, _ := d.Member(name)
		for k, rate := range rates {
			requireRate(t, m, rate, published[k])
		}
	}
	// Disparities against Caucasian, as ratios.
	for name, published := range map[string]map[string]float64{
		"African-American": {stats.FPR: 1.912092648315, stats.FNR: 0.586415871998, fairness.FDR: 0.906084673519, fairness.FOR: 1.213154286659, stats.SelectionRate: 1.690224003163},
		"Hispanic":         {stats.FPR: 0.915886660299, stats.FNR: 1.165139501833, fairness.FDR: 1.120464484995, fairness.FOR: 1.001615979269, stats.SelectionRate: 0.857098739334},
		"Other":            {stats.FPR: 0.629057259618, stats.FNR: 1.41797008791, fairness.FDR: 1.115084690436, fairness.FOR: 1.048202769002, stats.SelectionRate: 0.602146863877},
	} {
		m, _ := d.Member(name)
		for rate, want := range published {
			got := disparity(t, m, rate, fairness.AgainstReference).Ratio
			require.InDelta(t, want, got.Value, 1e-9, "%s of %s", rate, name)
			require.Less(t, got.Low, got.Value)
			require.Less(t, got.Value, got.High)
		}
	}
	few, _ := d.Member("Native American")
	require.True(t, few.Small, "eighteen people make no gap")
}

// The same people where only the score High predicts, and Medium does not (score_text of ProPublica's file).
func TestCOMPASWhereOnlyHighScoresPredict(t *testing.T) {
	s, a := confusions("race", map[string]stats.Confusion{
		"African-American": {TP: 741, FP: 284, FN: 532 + 628, TN: 990 + 521},
		"Caucasian":        {TP: 195, FP: 81, FN: 461 + 310, TN: 1139 + 268},
	})
	q := question(a)
	q.Reference = map[string]string{"race": "Caucasian"}
	d := examine(t, s, q)
	for name, want := range map[string][4]float64{
		"African-American": {284. / 1795, 1160. / 1901, 741. / 1025, 1025. / 3696},
		"Caucasian":        {81. / 1488, 771. / 966, 195. / 276, 276. / 2454},
	} {
		m, _ := d.Member(name)
		for k, rate := range []string{stats.FPR, stats.FNR, fairness.PPV, stats.SelectionRate} {
			requireRate(t, m, rate, want[k])
		}
	}
	black, _ := d.Member("African-American")
	fpr := disparity(t, black, stats.FPR, fairness.AgainstReference)
	require.InDelta(t, 2.906509852471, fpr.Ratio.Value, 1e-9)
	require.Greater(t, fpr.Ratio.Low, 2.0)
}

// quickstart are the counts of the decision tree of Fairlearn's quick start on all rows of Adult (DecisionTreeClassifier with leaves of
// ten rows and four levels).
var quickstart = map[string]stats.Confusion{
	"Female": {TP: 793, FP: 236, FN: 976, TN: 14187}, "Male": {TP: 5251, FP: 1723, FN: 4667, TN: 21009},
}

func TestFairlearnQuickstartFromItsCounts(t *testing.T) {
	s, a := confusions("sex", quickstart)
	d := examine(t, s, question(a))
	require.InDelta(t, 0.8443552680070431, overall(t, d, stats.Accuracy).Value, 1e-9)
	require.InDelta(t, 0.23928176569346055, overall(t, d, stats.BaseRate).Value, 1e-9)
	for name, want := range map[string]map[string]float64{
		"Female": {
			stats.BaseRate: 0.10925148221343874, stats.SelectionRate: 0.06354990118577075, stats.Accuracy: 0.9251482213438735,
			fairness.TPR: 0.4482758620689655, stats.FPR: 0.01636275393468765, stats.FNR: 0.5517241379310345, fairness.TNR: 0.9836372460653123,
			fairness.PPV: 0.7706511175898931, fairness.NPV: 0.9356327903449185,
		},
		"Male": {
			stats.BaseRate: 0.3037672281776417, stats.SelectionRate: 0.21359877488514548, stats.Accuracy: 0.8042879019908117,
			fairness.TPR: 0.5294414196410566, stats.FPR: 0.07579623438324828, stats.FNR: 0.4705585803589433, fairness.TNR: 0.9242037656167517,
			fairness.PPV: 0.7529394895325495, fairness.NPV: 0.8182349275588098,
		},
	} {
		m, _ := d.Member(name)
		for rate, value := range want {
			requireRate(t, m, rate, value)
		}
	}
	for name, want := range map[string]float64{
		fairness.DemographicParityDifference: 0.21359877488514548 - 0.06354990118577075,
		fairness.DemographicParityRatio:      0.06354990118577075 / 0.21359877488514548,
		fairness.EqualizedOddsDifference:     0.5294414196410566 - 0.4482758620689655,
		fairness.EqualizedOddsRatio:          0.01636275393468765 / 0.07579623438324828,
	} {
		require.InDelta(t, want, gapOf(t, d, name).Value, 1e-9, name)
	}
}

// The labels of Adult by themselves, as AIF360 measures a data set before reweighing: the mean difference, and the disparate impact,
// which is the ratio of what is selected where labels are taken for predictions.
func TestLabelsOfAdultAreBiasedAsAIF360Says(t *testing.T) {
	s, a := confusions("sex", map[string]stats.Confusion{"Female": {TP: 1769, TN: 14423}, "Male": {TP: 9918, TN: 22732}})
	b, err := fairness.LabelBias(s.Y, a.Groups, "Male", nil)
	require.NoError(t, err)
	require.Equal(t, "Female", b.Groups[0].Group)
	require.InDelta(t, 0.19451574596420296, metricOf(t, *b.Groups[0].Reference, fairness.LabelProportions).Value, 1e-9)
	require.InDelta(t, 0.3596552625800337, gapOf(t, examine(t, s, question(a)), fairness.DemographicParityRatio).Value, 1e-9)
}

// AIF360's reweighing demonstration on Adult by the counts of its 7,327 test rows at the threshold 0.2673737373737374: the Theil index
// before, and after reweighing by sex and by race. The groups are of no consequence for the whole index.
func TestTheilIndexOfAIF360FromItsCounts(t *testing.T) {
	for theil, c := range map[float64]stats.Confusion{
		0.11276859058961063: {TP: 1288, FN: 445, FP: 1453, TN: 4141},
		0.12939019185770614: {TP: 1171, FN: 562, FP: 1399, TN: 4195},
		0.10857787301678871: {TP: 1327, FN: 406, FP: 1550, TN: 4044},
	} {
		var s stats.Sample
		a := fairness.Column{Name: "sex"}
		group(&s, &a, "all", c)
		require.Len(t, s.Y, 7327)
		r, err := fairness.Inequality(s, a.Groups, fairness.InequalityQuestion{Threshold: 0.5, Alphas: []float64{1}, Replicates: 200})
		require.NoError(t, err)
		require.Equal(t, fairness.TheilIndex, r.Indices[0].Name)
		require.InDelta(t, theil, r.Indices[0].Total.Value, 1e-9)
	}
}
