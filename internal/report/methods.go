package report

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/mitigation"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
)

// methodNote is how a figure of the dossier was made, and where the method is described.
type methodNote struct {
	Name, Note, Source string
}

// methodNotes describe the methods that estimates name.
var methodNotes = map[string]methodNote{
	stats.MethodWilson: {"Score interval of a share", "Holds the shares that a test of the measured one would not refuse. It stays within 0 and 100 %, and is close to its level for few cases too.",
		"E. B. Wilson: Probable inference, the law of succession, and statistical inference. JASA 22, 1927."},
	stats.MethodClopperPearson: {"Exact interval of a share", "Made from the binomial distribution itself: it misses the truth no more often than stated, whatever the number of cases.",
		"C. J. Clopper and E. S. Pearson: The use of confidence or fiducial limits illustrated in the case of the binomial. Biometrika 26, 1934."},
	stats.MethodDeLong: {"Interval of an AUC", "Estimates from the cases themselves how much an AUC varies from sample to sample.",
		"E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson: Comparing the areas under two or more correlated receiver operating characteristic curves. Biometrics 44, 1988."},
	stats.MethodDeLongLogit: {"Interval of an AUC on the scale of the log odds", "The same, taken on a scale on which it stays within 0 and 1 and holds its level near the ends.",
		"DeLong and others, 1988, as above; M. S. Pepe: The statistical evaluation of medical tests for classification and prediction, section 4.3.3. Oxford, 2003."},
	stats.MethodDeLongPaired: {"Interval of the difference of two AUCs on the same rows", "Takes into account that both models answered the same cases.", "DeLong and others: Biometrics 44, 1988."},
	stats.MethodWilsonMinClass: {"Interval of an AUC that no case varies", "Where all cases of one outcome score above all of the other, the score interval of a share of as many cases as the smaller class has.",
		"Wilson, 1927, for the share."},
	stats.MethodWilsonJaccard: {"Interval of an F1 that no case varies", "The score interval of a share, turned into one of F1, which grows with that share.", "Wilson, 1927, for the share."},
	evaluation.MethodExactJaccard: {"Exact interval of an F1", "The exact interval of the share of hits among hits and mistakes, turned into one of F1, which grows with that share.",
		"Clopper and Pearson, 1934, for the share."},
	stats.MethodNewcombe: {"Interval of a difference of two shares", "Puts the score intervals of both sides together.",
		"R. G. Newcombe: Interval estimation for the difference between independent proportions. Statistics in Medicine 17, 1998."},
	stats.MethodNewcombePaired: {"Interval of a difference of two shares of the same rows", "Puts the score intervals of both sides together, less what both have in common.",
		"R. G. Newcombe: Improved confidence intervals for the difference between binomial proportions based on paired data. Statistics in Medicine 17, 1998."},
	stats.MethodExactDifference: {"Interval of a difference from two exact ones", "Puts an exact limit of each side together, each with half of the error probability.", "Clopper and Pearson, 1934, for each side."},
	stats.MethodStudent: {"Interval of a mean", "From the spread of the values, as if their mean were normally distributed, which it nearly is for many cases.",
		"Student: The probable error of a mean. Biometrika 6, 1908."},
	stats.MethodBootstrap: {"Bootstrap", "Draws the rows anew many times, with the same seed always, and takes the middle of what comes out.",
		"B. Efron: Bootstrap methods: another look at the jackknife. Annals of Statistics 7, 1979."},
	stats.MethodBCa: {"Bootstrap, corrected for bias and skew", "Draws the rows anew many times and moves the ends for a skewed distribution.",
		"B. Efron: Better bootstrap confidence intervals. JASA 82, 1987."},
	stats.MethodBootstrapNormal: {"Normal interval with the spread of a bootstrap", "Draws the rows anew many times for the spread, and takes the distribution for a normal one.",
		"B. Efron and R. J. Tibshirani: An introduction to the bootstrap, chapter 13. Chapman and Hall, 1993."},
	stats.MethodBennettDisagreement: {"Interval of a difference on the same rows", "Rests on the share of rows on which the two models differ, and misses the truth no more often than stated.",
		"G. Bennett: Probability inequalities for the sum of independent random variables. JASA 57, 1962; C. Renggli and others: Continuous integration of machine learning models with ease.ml/ci. MLSys, 2019."},
	stats.MethodBennettPairs: {"Interval of the difference of two AUCs that no case varies", "The same inequality, over pairs of a case of each outcome.", "Bennett, 1962."},
	stats.MethodEmpiricalBernstein: {"Interval of a mean in a known range, by its spread", "Misses the truth no more often than stated, and is short where the values hardly vary.",
		"A. Maurer and M. Pontil: Empirical Bernstein bounds and sample variance penalization. COLT, 2009."},
	stats.MethodHoeffding: {"Interval of a mean in a known range", "Misses the truth no more often than stated, whatever the distribution.",
		"W. Hoeffding: Probability inequalities for sums of bounded random variables. JASA 58, 1963."},
	stats.MethodOrderStatistics: {"Interval of a percentile", "Its ends are two of the sorted values; whatever the distribution, it misses the truth no more often than stated.",
		"H. A. David and H. N. Nagaraja: Order statistics, section 7.1. Wiley, 2003."},
	stats.MethodExact: {"Counted", "A count of the data at hand, without an interval: nothing about it is left to chance.", ""},
	fairness.MethodPairs: {"Interval of a gap between groups, from all pairs", "Covers all pairs of groups together, so that picking the two furthest apart does not flatter it.",
		"O. J. Dunn: Multiple comparisons among means. JASA 56, 1961; C. J. Clopper and E. S. Pearson, 1934, for each group."},
	fairness.MethodExactSidak: {"Exact intervals of the shares of several groups", "Exact intervals that hold for all groups together: the more groups, the wider each. They stay right for few cases and for shares near 0 and 100 %.",
		"Clopper and Pearson, 1934; Z. Sidak: Rectangular confidence regions for the means of multivariate normal distributions. JASA 62, 1967."},
	fairness.MethodExactSquareAndAdd: {"Interval of a difference or ratio of two groups", "Puts exact limits of both groups together, for all compared groups at once.",
		"Clopper and Pearson, 1934, for each group; R. G. Newcombe, Statistics in Medicine 17, 1998, and G. Y. Zou and A. Donner: Construction of confidence limits about effect measures. Statistics in Medicine 27, 2008, for putting them together."},
	fairness.MethodExactOdds: {"Exact interval of a ratio of two kinds of mistakes", "The exact interval of a share, turned into one of its odds.", "Clopper and Pearson, 1934, for the share; Sidak, 1967, for all groups together."},
	fairness.MethodDeLongSidak: {"Intervals of the AUCs of several groups", "Intervals on a scale on which they stay within 0 and 1, which hold for all groups together.",
		"DeLong and others, 1988; Pepe, 2003, section 4.3.3; Sidak, 1967."},
	fairness.MethodLimits: {"Interval of a largest gap, from limits of all groups", "Holds every value that the largest gap can take while each group's figure stays within its limits, which hold together.",
		"Sidak, 1967, for the limits that hold together."},
	fairness.MethodMaxT: {"Bootstrap for the means of several groups together", "Draws the rows of each group anew many times, and makes the intervals as wide as the largest deviation of any group asks for.",
		"P. H. Westfall and S. S. Young: Resampling-based multiple testing, section 2.3. Wiley, 1993; Efron and Tibshirani, 1993, section 12.5."},
	fairness.MethodMaxTPairs:      {"Bootstrap for the differences of all pairs of groups together", "The same for all differences between two groups.", "Westfall and Young, 1993, section 2.3; Welch, 1947."},
	fairness.MethodStudentSidak:   {"Intervals of the means of several groups", "From the spread of the values within each group; they hold for all groups together.", "Student, 1908; Sidak, 1967."},
	fairness.MethodWilsonTogether: {"Score intervals of the shares of several groups", "Score intervals that hold for all groups together: the more groups, the wider each.", "Wilson, 1927; O. J. Dunn, JASA 56, 1961."},
	fairness.MethodBenefitLimits: {"Limits of an inequality that few cases make", "The extremes over exact limits of the shares of wrong yes and wrong no. It stands where too few cases differ for drawing anew to be believed.",
		"Clopper and Pearson, 1934, for the shares."},
	fairness.MethodJackknifeLogit: {"Jackknife on the scale of the log odds", "From what the figure becomes without each case in turn, whose place among the neighbours of others the next takes.",
		"B. Efron and C. Stein: The jackknife estimate of variance. Annals of Statistics 9, 1981."},
	mitigation.MethodBalancedPairs: {"Interval of a change of balanced accuracy on the same rows", "Rests on the share of rows of each outcome that are predicted differently, and misses the truth no more often than stated.", "Bennett, 1962."},
	fairness.MethodStrataSum: {"Interval of a sum over strata", "Puts the exact limits of the shares in each stratum together.",
		"G. Y. Zou, W. Huang and X. Zhang: A note on confidence interval estimation for a linear function of binomial proportions. CSDA 53, 2009."},
	privacy.MethodDKWHoeffding: {"Interval of the largest lead of an attack", "Covers every threshold the attack could take, at every number of rows.",
		"P. Massart: The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality. Annals of Probability 18, 1990; W. Hoeffding, 1963."},
	privacy.MethodWelch: {"Interval of a difference of two means", "From the spread of each side, which may differ.",
		"B. L. Welch: The generalization of “Student’s” problem when several different population variances are involved. Biometrika 34, 1947."},
	gate.MethodArithmetic: {"Interval of a sum", "Adds up the ends of several intervals, each with its part of the error probability.",
		"R. E. Moore: Interval analysis. Prentice-Hall, 1966."},
	explain.MonteCarlo: {"Interval of a part of an answer", "From the spread over the orders of columns that were tried; it says how much other orders would change.",
		"R. Mitchell, J. Cooper, E. Frank and G. Holmes: Sampling permutations for Shapley value estimation. JMLR 23, 2022."},
	explain.IntervalMethod: {"Interval over shuffles", "From the spread over repeated shuffles of a column; it says how much the shuffling varies, and not how much other cases would.",
		"Student, 1908."},
}

// methods is the section on how figures were made.
type methods struct {
	Lead  string
	Notes []methodNote
}

// methodsOf lists the methods that stand in the dossier's estimates, and those behind its sections, by name.
func methodsOf(d Dossier) methods {
	names := map[string]bool{}
	collectMethods(reflect.ValueOf(d), names)
	var notes []methodNote
	for name := range names {
		note, ok := methodNotes[name]
		if !ok {
			note = methodNote{Name: opening(strings.ReplaceAll(name, "_", " ")), Note: "Named by the dossier; this page has no description of it."}
		}
		notes = append(notes, note)
	}
	notes = append(notes, sectionMethods(d)...)
	slices.SortFunc(notes, func(a, b methodNote) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Note, b.Note)) })
	if len(notes) == 0 {
		return methods{Lead: "No figures stand on this page that were estimated."}
	}
	return methods{"The methods behind the figures of this page, and where they are described.", notes}
}

var estimateType = reflect.TypeFor[stats.Estimate]()

// collectMethods finds every estimate with a value, wherever it stands, so that evidence of a new kind is listed by itself.
func collectMethods(v reflect.Value, names map[string]bool) {
	if v.IsValid() && v.Type() == estimateType {
		if e := v.Interface().(stats.Estimate); e.Defined() && e.Method != "" {
			names[e.Method] = true
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			collectMethods(v.Elem(), names)
		}
	case reflect.Slice, reflect.Array:
		if k := v.Type().Elem().Kind(); k == reflect.Uint8 || k == reflect.String || k == reflect.Float64 || k == reflect.Int || k == reflect.Int64 {
			return
		}
		for i := range v.Len() {
			collectMethods(v.Index(i), names)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			collectMethods(v.MapIndex(key), names)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				collectMethods(v.Field(i), names)
			}
		}
	}
}

// sectionMethods are those that no estimate names.
func sectionMethods(d Dossier) []methodNote {
	var notes []methodNote
	if len(d.Explain.Features) > 0 {
		notes = append(notes, methodNote{"Permutation importance", "Shuffles a column among the rows and measures how much worse the model does.",
			"L. Breiman: Random forests, section 10. Machine Learning 45, 2001; A. Fisher, C. Rudin and F. Dominici: All models are wrong, but many are useful. JMLR 20, 2019."})
	}
	if d.Explain.Shapley != nil {
		notes = append(notes, methodNote{"Shapley values", "Divide an answer among the columns: the mean of what each changes, over all orders in which the columns could become known. Estimated from some of the orders, each with its reverse; how exact that is stands beside them.",
			"L. S. Shapley: A value for n-person games, 1953; E. Strumbelj and I. Kononenko: Explaining prediction models and individual predictions with feature contributions. Knowledge and Information Systems 41, 2014; S. M. Lundberg and S.-I. Lee: A unified approach to interpreting model predictions. NeurIPS, 2017."})
	}
	if d.Privacy.Rows > 0 && d.Privacy.Note == "" {
		notes = append(notes, methodNote{"k-anonymity", "The smallest number of rows that share their values in the columns by which a person could be found.",
			"L. Sweeney: k-anonymity: a model for protecting privacy. International Journal of Uncertainty, Fuzziness and Knowledge-Based Systems 10, 2002."})
	}
	notes = append(notes, personalMethods(d)...)
	notes = append(notes, driftMethods(d)...)
	if d.Fairness.Examination != nil {
		notes = append(notes, methodNote{"Gaps between groups", "Compare how often groups are selected, and how often each is recognised rightly.",
			"M. Hardt, E. Price and N. Srebro: Equality of opportunity in supervised learning. NeurIPS, 2016; S. Barocas, M. Hardt and A. Narayanan: Fairness and machine learning, chapter 3. MIT Press, 2023."})
	}
	if len(d.Fairness.Inequality) > 0 {
		notes = append(notes, methodNote{"Generalised entropy", "How unequally benefits are spread: 0 when all are alike. It is the sum of what lies between groups and what lies within them.",
			"T. Speicher and others: A unified approach to quantifying algorithmic unfairness. KDD, 2018."})
	}
	if d.Fairness.Consistency != nil {
		notes = append(notes, methodNote{"Consistency", "One less the mean difference between a case’s decision and those of the cases nearest to it.",
			"R. Zemel and others: Learning fair representations. ICML, 2013."})
	}
	if len(d.Fairness.People) > 0 {
		notes = append(notes, methodNote{"Bias of labels", "How labels differ between groups before anything is learnt from them.",
			"M. Hardt and others: Amazon SageMaker Clarify: machine learning bias detection and explainability in the cloud. KDD, 2021."},
			methodNote{"Pearson’s test", "Compares counts with those that chance alone would make.", "K. Pearson: On the criterion that a given system of deviations. Philosophical Magazine 50, 1900."})
	}
	if d.Comparison != nil && d.Comparison.Right != nil {
		notes = append(notes, methodNote{"McNemar’s exact test", "Compares on how many rows one of two models alone is right.",
			"Q. McNemar: Note on the sampling error of the difference between correlated proportions or percentages. Psychometrika 12, 1947."})
	}
	if s := d.Gate.Split.Reliability; s > 0 && s < 1 {
		notes = append(notes, methodNote{"Reliability of the conditions", "Divides the probability of a wrong verdict over all conditions, and over all candidates decided on the same test rows.",
			"C. Renggli and others: Continuous integration of machine learning models with ease.ml/ci. MLSys, 2019."})
	}
	if d.Evaluation.Overall.Binary != nil && hasCases(d.Evaluation.Overall.Binary.Calibration) {
		notes = append(notes, methodNote{"Calibration", "Compares scores with what happened, in bins of scores.",
			"M. P. Naeini, G. F. Cooper and M. Hauskrecht: Obtaining well calibrated probabilities using Bayesian binning. AAAI, 2015."})
	}
	return notes
}
