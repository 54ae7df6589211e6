package privacy

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

// Names of the attacks, as they stand in AttackReport.Attack.
const (
	AttackLossThreshold = "loss_threshold" // Yeom et al. (2018), see LossThreshold
	AttackLiRA          = "lira"           // Carlini et al. (2022), see Shadow
)

// What an attack's figures come to, as it stands in AttackReport.Verdict.
const (
	VerdictLeaks      = "tells members apart"
	VerdictChance     = "no better than chance"
	VerdictUndecided  = "undecided"    // chance is not excluded, but neither is a leak above the tolerance
	VerdictUnmeasured = "not measured" // no members or no non-members, see AttackReport.Note
)

const (
	noMembers = "no members: rows that the model was trained on are needed"
	noOthers  = "no non-members: rows that the model was not trained on are needed"

	// MethodWelch names the interval of a difference of two means from their own variances (Welch, 1947).
	MethodWelch = "welch_t"
)

// Losses are the model's losses on rows, all of which it was trained on (members) or none.
type Losses struct {
	Values []float64 // finite; higher is worse; see LogLosses, SquaredErrors and ClassLosses
	Groups []string  // the group of each row; nil: groups are not told apart
}

// AttackOptions say how an attack is judged. The zero value is a sensible one.
type AttackOptions struct {
	Level      float64   // of every interval, in (0, 1); 0 means 0.95
	FalseAlarm float64   // largest probability that a model which leaks nothing is said to leak, in (0, 0.5]; 0 means 0.05
	Tolerance  float64   // AUC above 0.5 that counts as chance if it cannot be excluded, in (0, 0.5]; 0 means 0.05
	FPRLimits  []float64 // false positive rates at which members found are counted, each in (0, 1); nil means 0.001 and 0.01
	MinGroup   int       // fewest members, and fewest non-members, of a group that is attacked on its own; 0 means 30
	Delta      float64   // delta of the lower bound on epsilon, in [0, 1)
	Seed       uint64    // of the halves that the lower bound on epsilon is found on
}

// AttackReport says how well an attack tells the rows a model was trained on (members) from others. It holds no values of rows
// but the attack's thresholds.
type AttackReport struct {
	Attack  string `json:"attack"`
	Members int    `json:"members"`
	Others  int    `json:"non_members"`
	Note    string `json:"note,omitempty"` // why there is nothing to report

	Verdict    string  `json:"verdict"`
	Rule       string  `json:"rule"`        // when the verdict is which
	PValue     float64 `json:"p_value"`     // smallest false alarm rate at which the verdict would be that members are told apart
	FalseAlarm float64 `json:"false_alarm"` // see AttackOptions; of a group's verdict, its share of it

	AUC              stats.Estimate `json:"auc"`               // DeLong's interval, see stats.AUC
	Advantage        stats.Estimate `json:"advantage"`         // largest TPR - FPR over all thresholds, MethodDKWHoeffding
	BalancedAccuracy float64        `json:"balanced_accuracy"` // (1 + advantage) / 2: of the best threshold, members and others weighing alike
	TPRAtFPR         []TPRAtFPR     `json:"tpr_at_fpr"`        // in the order of the options
	Curve            []ROCPoint     `json:"curve"`

	MemberLoss        stats.Estimate `json:"member_mean_loss"`
	OtherLoss         stats.Estimate `json:"non_member_mean_loss"`
	GeneralisationGap stats.Estimate `json:"generalisation_gap"` // mean loss of non-members less that of members

	Epsilon EpsilonAudit `json:"epsilon"` // what the attack says about a claim of differential privacy

	Groups      []GroupAttack `json:"groups,omitempty"`       // by name
	SmallGroups []SmallGroup  `json:"small_groups,omitempty"` // groups with too few rows to attack, by name
	Shadows     *ShadowRuns   `json:"shadows,omitempty"`      // of attacks with shadow models
}

// GroupAttack is the attack on the rows of one group, with a threshold of its own.
type GroupAttack struct {
	Group string `json:"group"`
	AttackReport
}

// SmallGroup is a group that was not attacked on its own.
type SmallGroup struct {
	Group   string `json:"group"`
	Members int    `json:"members"`
	Others  int    `json:"non_members"`
}

// LossThreshold attacks a model through its losses: rows with a low loss are called members (Yeom, Giacomelli, Fredrikson and
// Jha, 2018, "Privacy risk in machine learning: analyzing the connection to overfitting"), at every threshold.
// The non-members must come from the same source as the members: an attack also succeeds when the two differ for another
// reason, such as their age. A model that resists this attack may fall to a stronger one, see Shadow.
//
// Without members or without others the report's verdict is VerdictUnmeasured and its estimates are undefined. It is an error
// when a loss is not finite, groups and losses differ in number, or an option is out of range.
func LossThreshold(members, others Losses, o AttackOptions) (AttackReport, error) {
	score := func(l Losses) []float64 {
		s := make([]float64, len(l.Values))
		for i, v := range l.Values {
			s[i] = -v
		}
		return s
	}
	r, err := attack(AttackLossThreshold, members, others, score(members), score(others), o)
	if err != nil {
		return AttackReport{}, fmt.Errorf("attack the model by its losses: %w", err)
	}
	return r, nil
}

// attack judges any score that is higher for rows which look like members.
func attack(name string, members, others Losses, memberScore, otherScore []float64, o AttackOptions) (AttackReport, error) {
	o, err := o.checked()
	if err != nil {
		return AttackReport{}, err
	}
	for k, l := range []Losses{members, others} {
		if l.Groups != nil && len(l.Groups) != len(l.Values) {
			return AttackReport{}, fmt.Errorf("the %s have %d losses and %d groups; expected a group for every row, or none",
				[]string{"members", "non-members"}[k], len(l.Values), len(l.Groups))
		}
	}
	if (members.Groups == nil) != (others.Groups == nil) && len(members.Values) > 0 && len(others.Values) > 0 {
		return AttackReport{}, fmt.Errorf("groups are given for %d members and %d non-members; expected them for both or neither",
			len(members.Groups), len(others.Groups))
	}
	if err := asFinite("members", members.Values); err != nil {
		return AttackReport{}, err
	}
	if err := asFinite("non-members", others.Values); err != nil {
		return AttackReport{}, err
	}
	r := judge(name, members.Values, others.Values, memberScore, otherScore, o)
	r.byGroup(members, others, memberScore, otherScore, o)
	return r, nil
}

func (o AttackOptions) checked() (AttackOptions, error) {
	if o.Level == 0 {
		o.Level = 0.95
	}
	if o.FalseAlarm == 0 {
		o.FalseAlarm = 0.05
	}
	if o.Tolerance == 0 {
		o.Tolerance = 0.05
	}
	if o.FPRLimits == nil {
		o.FPRLimits = []float64{0.001, 0.01}
	}
	if o.MinGroup == 0 {
		o.MinGroup = 30
	}
	switch {
	case !(o.Level > 0 && o.Level < 1):
		return o, fmt.Errorf("the level is %g; expected a number between 0 and 1, such as 0.95", o.Level)
	case !(o.FalseAlarm > 0 && o.FalseAlarm <= 0.5):
		return o, fmt.Errorf("the false alarm rate is %g; expected a number above 0, at most 0.5, such as 0.05", o.FalseAlarm)
	case !(o.Tolerance > 0 && o.Tolerance <= 0.5):
		return o, fmt.Errorf("the tolerance is %g; expected an AUC above one half by more than 0, at most 0.5, such as 0.05", o.Tolerance)
	case o.MinGroup < 1:
		return o, fmt.Errorf("the smallest group is %d rows; expected at least 1", o.MinGroup)
	case !(o.Delta >= 0 && o.Delta < 1):
		return o, fmt.Errorf("delta is %g; expected a probability below 1, such as 1e-5", o.Delta)
	}
	for _, limit := range o.FPRLimits {
		// Below one in 10^9 the number of non-members it takes is no number anyone has.
		if !(limit >= 1e-9 && limit < 1) {
			return o, fmt.Errorf("a limit of the false positive rate is %g; expected a share between 1e-9 and 1, such as 0.001", limit)
		}
	}
	return o, nil
}

func judge(name string, memberLoss, otherLoss, memberScore, otherScore []float64, o AttackOptions) AttackReport {
	m, n := len(memberScore), len(otherScore)
	r := AttackReport{
		Attack: name, Members: m, Others: n, FalseAlarm: o.FalseAlarm, PValue: 1, BalancedAccuracy: 0.5,
		TPRAtFPR: []TPRAtFPR{}, Curve: []ROCPoint{}, Rule: verdictRule(o),
		MemberLoss: meanLoss(memberLoss, o.Level, noMembers), OtherLoss: meanLoss(otherLoss, o.Level, noOthers),
	}
	if m == 0 || n == 0 {
		if r.Note = noOthers; m == 0 {
			r.Note = noMembers
		}
		none := stats.NoValue(o.Level, m+n, r.Note)
		r.Verdict, r.AUC, r.Advantage, r.GeneralisationGap = VerdictUnmeasured, none, none, none
		r.Epsilon = EpsilonAudit{Delta: o.Delta, Note: r.Note}
		return r
	}
	roc := newAttackROC(memberScore, otherScore)
	labels, scores := make([]bool, m+n), slices.Concat(memberScore, otherScore)
	for i := range m {
		labels[i] = true
	}
	r.AUC = stats.AUC(stats.Sample{Y: labels, Score: scores}, o.Level)
	r.Advantage = roc.advantageOf(o.Level)
	r.BalancedAccuracy = (1 + r.Advantage.Value) / 2
	r.Curve = roc.curve()
	r.GeneralisationGap = welch(otherLoss, memberLoss, o.Level)
	smallest := min(roc.aucP(), roc.advantageP())
	for _, limit := range o.FPRLimits {
		t := roc.tprAtFPR(limit, o.Level)
		r.TPRAtFPR = append(r.TPRAtFPR, t)
		smallest = min(smallest, t.PValue)
	}
	r.PValue = min(smallest*float64(2+len(o.FPRLimits)), 1)
	switch {
	case r.PValue <= o.FalseAlarm:
		r.Verdict = VerdictLeaks
	case r.AUC.High <= 0.5+o.Tolerance:
		r.Verdict = VerdictChance
	default:
		r.Verdict = VerdictUndecided
	}
	r.Epsilon = auditEpsilon(memberScore, otherScore, o)
	return r
}

// verdictRule states the verdict's conditions. Tests are one-sided and joined by Bonferroni's inequality, so that looking at
// several figures raises no more false alarms than stated.
func verdictRule(o AttackOptions) string {
	tests := 2 + len(o.FPRLimits)
	return fmt.Sprintf("%q when chance is excluded by any of %d one-sided tests at %.3g each, %.3g together: of the AUC above 0.5 "+
		"(Mann-Whitney), of the advantage above 0 (Dvoretzky-Kiefer-Wolfowitz), of members above the highest non-members (exceedances). "+
		"Otherwise %q when the AUC's interval ends at or below %.3g, and %q when it does not.",
		VerdictLeaks, tests, o.FalseAlarm/float64(tests), o.FalseAlarm, VerdictChance, 0.5+o.Tolerance, VerdictUndecided)
}

// byGroup attacks each group on its own. Groups share the false alarm rate, so that all of them together raise no more.
func (r *AttackReport) byGroup(members, others Losses, memberScore, otherScore []float64, o AttackOptions) {
	if members.Groups == nil || others.Groups == nil {
		return
	}
	memberRows, otherRows := rowsOfGroups(members.Groups), rowsOfGroups(others.Groups)
	all := maps.Clone(memberRows)
	maps.Copy(all, otherRows)
	var large []string
	for _, group := range slices.Sorted(maps.Keys(all)) {
		if m, n := len(memberRows[group]), len(otherRows[group]); min(m, n) < o.MinGroup {
			r.SmallGroups = append(r.SmallGroups, SmallGroup{Group: group, Members: m, Others: n})
			continue
		}
		large = append(large, group)
	}
	o.FalseAlarm /= float64(max(len(large), 1))
	for _, group := range large {
		m, n := memberRows[group], otherRows[group]
		r.Groups = append(r.Groups, GroupAttack{group, judge(r.Attack, pick(members.Values, m), pick(others.Values, n),
			pick(memberScore, m), pick(otherScore, n), o)})
	}
}

func rowsOfGroups(groups []string) map[string][]int {
	rows := map[string][]int{}
	for i, g := range groups {
		rows[g] = append(rows[g], i)
	}
	return rows
}

func pick(values []float64, rows []int) []float64 {
	picked := make([]float64, len(rows))
	for k, i := range rows {
		picked[k] = values[i]
	}
	return picked
}

func meanLoss(losses []float64, level float64, none string) stats.Estimate {
	if len(losses) == 0 {
		return stats.NoValue(level, 0, none)
	}
	return storable(stats.StudentMean(losses, (1-level)/2))
}

// welch estimates the mean of a less that of b, with degrees of freedom after Welch (1947) and Satterthwaite (1946).
func welch(a, b []float64, level float64) stats.Estimate {
	if len(a) < 2 || len(b) < 2 {
		return stats.NoValue(level, len(a)+len(b), "fewer than two members or non-members: a mean's uncertainty cannot be seen")
	}
	meanA, errorA := meanAndSquaredError(a)
	meanB, errorB := meanAndSquaredError(b)
	e := stats.Estimate{Value: meanA - meanB, Level: level, Method: MethodWelch, N: len(a) + len(b)}
	variance := errorA + errorB
	if variance == 0 {
		return stats.NoValue(level, len(a)+len(b), "all losses of members are equal, and so are those of others: their spread is unknown")
	}
	// Shares of the variance, since squares of tiny ones vanish.
	p, q := errorA/variance, errorB/variance
	nu := 1 / (p*p/float64(len(a)-1) + q*q/float64(len(b)-1))
	half := stats.StudentQuantileTail(nu, (1-level)/2) * math.Sqrt(variance)
	e.Low, e.High = e.Value-half, e.Value+half
	return storable(e)
}

func meanAndSquaredError(values []float64) (mean, squaredError float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		squaredError += (v - mean) * (v - mean) / (n * (n - 1))
	}
	return mean, squaredError
}

// storable replaces an estimate that is too large for a number of JSON by an undefined one.
func storable(e stats.Estimate) stats.Estimate {
	for _, v := range []float64{e.Value, e.Low, e.High} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return stats.NoValue(e.Level, e.N, "too large for a number")
		}
	}
	return e
}
