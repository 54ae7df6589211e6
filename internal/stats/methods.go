package stats

// Names of the ways an interval is made, as they stand in Estimate.Method.
const (
	MethodWilson         = "wilson"           // score interval of a proportion, Wilson (1927)
	MethodClopperPearson = "clopper_pearson"  // exact interval of a proportion, Clopper and Pearson (1934)
	MethodDeLong         = "delong"           // normal interval from placements, DeLong et al. (1988)
	MethodWilsonMinClass = "wilson_min_class" // of an AUC without observed variance, see AUC
	MethodWilsonJaccard  = "wilson_jaccard"   // of an F1 without observed variance, see Evaluate
	MethodNewcombe       = "newcombe"         // square-and-add of two Wilson intervals, see Newcombe
	MethodStudent        = "student_t"        // of a mean, from the sample's standard deviation
	MethodBootstrap      = "bootstrap"        // percentile bootstrap over rows, Efron (1979), see Bootstrap
	MethodExact          = "exact"            // a count of the data at hand, which no sampling blurs

	MethodBennettDisagreement = "bennett_disagreement" // of a paired difference of shares, see PairedShare
	MethodNewcombePaired      = "newcombe_paired"      // square-and-add for pairs, Newcombe (1998b), see NewcombePaired
	MethodExactDifference     = "exact_difference"     // of independent shares, from two exact limits, see ExactDifference
	MethodDeLongPaired        = "delong_paired"        // of two AUCs on the same rows, DeLong et al. (1988), see PairedAUC
	MethodDeLongLogit         = "delong_logit"         // of an AUC on the scale of the log odds, see AUCLogit
	MethodBennettPairs        = "bennett_pairs"        // of two AUCs without observed variance, see PairedAUC
	MethodEmpiricalBernstein  = "empirical_bernstein"  // of a mean in a known range, Maurer and Pontil (2009)
	MethodHoeffding           = "hoeffding"            // of a mean in a known range, Hoeffding (1963)
	MethodOrderStatistics     = "order_statistics"     // of a quantile, distribution free, see QuantileInterval
	MethodBCa                 = "bca"                  // bias-corrected and accelerated bootstrap, Efron (1987)
	MethodBootstrapNormal     = "bootstrap_normal"     // normal, with the standard error of the bootstrap, see Bootstrapped
)

// Guaranteed reports whether intervals of the method miss with at most their tail at each end for every number of rows and
// every distribution, given only that the rows are independent draws from it.
func Guaranteed(method string) bool {
	switch method {
	case MethodExact, MethodClopperPearson, MethodBennettDisagreement, MethodExactDifference, MethodBennettPairs,
		MethodEmpiricalBernstein, MethodHoeffding, MethodOrderStatistics:
		return true
	}
	return false
}

// Assumption says in a sentence what the intervals of a method rest on besides independent rows; empty for a guaranteed
// method, or one that this package does not make.
func Assumption(method string) string {
	switch method {
	case MethodWilson, MethodWilsonMinClass, MethodWilsonJaccard, MethodNewcombe, MethodNewcombePaired:
		return "The count is near enough to normal: the share's rows and those outside it are both many."
	case MethodDeLong, MethodDeLongLogit, MethodDeLongPaired:
		return "The AUC is near enough to normal: both classes have many rows."
	case MethodStudent:
		return "The mean is near enough to normal: there are many rows, and their values have a finite variance."
	case MethodBootstrap, MethodBCa:
		return "The rows are many enough for resamples of them to vary as new rows would."
	case MethodBootstrapNormal:
		return "The tail is too small for the number of resamples, so the statistic is taken as normal with the standard error " +
			"of the resamples."
	}
	return ""
}
