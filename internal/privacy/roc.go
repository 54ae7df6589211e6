package privacy

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

// MethodDKWHoeffding names the interval of the largest difference of two distribution functions, see advantageOf. It misses
// with at most half of what the level leaves at each end, for all numbers of rows and all distributions.
const MethodDKWHoeffding = "dkw_hoeffding"

// attackROC is what an attack does at each of its thresholds. A row is called a member when its score is at least the
// threshold; thresholds are the distinct scores, highest first.
type attackROC struct {
	members, others int
	threshold       []float64
	tp, fp          []int   // members and non-members at or above each threshold
	tied            float64 // sum of t^3 - t over the groups of t rows of equal score
	wins            float64 // pairs of a member and a non-member that the score orders rightly, ties counting one half
}

func newAttackROC(member, other []float64) attackROC {
	r := attackROC{members: len(member), others: len(other)}
	descending := func(a, b float64) int { return cmp.Compare(b, a) }
	member, other = slices.SortedFunc(slices.Values(member), descending), slices.SortedFunc(slices.Values(other), descending)
	for tp, fp := 0, 0; tp < len(member) || fp < len(other); {
		at := math.Inf(-1)
		if tp < len(member) {
			at = member[tp]
		}
		if fp < len(other) {
			at = max(at, other[fp])
		}
		tpBefore, fpBefore := tp, fp
		for tp < len(member) && member[tp] == at {
			tp++
		}
		for fp < len(other) && other[fp] == at {
			fp++
		}
		r.threshold, r.tp, r.fp = append(r.threshold, at), append(r.tp, tp), append(r.fp, fp)
		m, n := float64(tp-tpBefore), float64(fp-fpBefore)
		r.tied += (m + n) * ((m+n)*(m+n) - 1)
		r.wins += m * (n/2 + float64(len(other)-fp))
	}
	return r
}

// advantage is the largest TPR - FPR over all thresholds, one above all scores among them, so that it is never negative
// (Youden, 1950; the membership advantage of Yeom et al., 2018), and the index of the threshold; -1 for none.
func (r attackROC) advantage() (largest float64, at int) {
	at = -1
	for k := range r.threshold {
		if d := float64(r.tp[k])/float64(r.members) - float64(r.fp[k])/float64(r.others); d > largest {
			largest, at = d, k
		}
	}
	return largest, at
}

// advantageOf estimates the advantage that the best threshold has on rows not seen. The largest of many sample differences
// is above the largest true one on average, so the ends differ. Below, both empirical distribution functions are within
// sqrt(ln(2/tail)/(2 rows)) of the true ones at all thresholds at once, each but for half of the tail (Massart, 1990, corollary
// 1, of Dvoretzky, Kiefer and Wolfowitz, 1956), and these widths add. Above, the sample's maximum is no less than the
// difference at the truly best threshold, a fixed one, and Hoeffding (1963, theorem 2) bounds how far that lies too low:
// sqrt(ln(1/tail) (1/members + 1/others) / 2).
func (r attackROC) advantageOf(level float64) stats.Estimate {
	tail := (1 - level) / 2
	value, _ := r.advantage()
	m, n := float64(r.members), float64(r.others)
	return stats.Estimate{
		Value: value,
		Low:   max(value-math.Sqrt(math.Log(2/tail)/2)*(1/math.Sqrt(m)+1/math.Sqrt(n)), 0),
		High:  min(value+math.Sqrt(math.Log(1/tail)/2*(1/m+1/n)), 1),
		Level: level, Method: MethodDKWHoeffding, N: r.members + r.others,
	}
}

// advantageP is the smallest tail at which the interval of advantageOf excludes 0.
func (r attackROC) advantageP() float64 {
	value, _ := r.advantage()
	width := 1/math.Sqrt(float64(r.members)) + 1/math.Sqrt(float64(r.others))
	return min(2*math.Exp(-2*value*value/(width*width)), 1)
}

// aucP is the one-sided p-value of Mann and Whitney (1947) for an AUC above one half: normal, with the variance that holds when
// members and others have one distribution, corrected for ties (Lehmann, 1975) and for continuity.
func (r attackROC) aucP() float64 {
	m, n := float64(r.members), float64(r.others)
	rows := m + n
	variance := m * n / 12 * (rows + 1 - r.tied/(rows*(rows-1)))
	above := r.wins - m*n/2 - 0.5
	if !(variance > 0) || above <= 0 {
		return 1
	}
	return math.Erfc(above/math.Sqrt(2*variance)) / 2
}

// TPRAtFPR is what an attack finds while it accuses few non-members: the largest share of members called members among the
// thresholds (distinct scores) at which at most a given share of non-members are (Carlini et al., 2022). Averages
// such as the AUC hide attacks that are sure about a few people.
type TPRAtFPR struct {
	Limit          float64 `json:"limit"` // largest false positive rate allowed, in (0, 1)
	TruePositives  int     `json:"true_positives"`
	FalsePositives int     `json:"false_positives"`
	// TPR's interval is Clopper-Pearson's. The threshold depends on the non-members only, so members above it are counted at a
	// fixed threshold and the interval is exact.
	TPR stats.Estimate `json:"tpr"`
	// FPR is the false positive rate at the threshold. Its value is at most the limit by choice; the upper end says how large it may
	// be among people not seen.
	FPR       stats.Estimate `json:"fpr"`
	Threshold *float64       `json:"threshold,omitempty"` // absent when every threshold accuses too many
	PValue    float64        `json:"p_value"`             // see exceedanceP
	// NonMembersNeeded is the number of non-members of which one is the limit, ceil(1/limit).
	NonMembersNeeded int `json:"non_members_needed"`
	// TooFew: there are fewer non-members than that, so the threshold lies above all of them and the rate says little.
	TooFew bool `json:"too_few_non_members"`
}

func (r attackROC) tprAtFPR(limit, level float64) TPRAtFPR {
	t := TPRAtFPR{Limit: limit, NonMembersNeeded: int(math.Ceil(1/limit - 1e-9))}
	t.TooFew = r.others < t.NonMembersNeeded
	allowed := r.allowed(limit)
	for k := range r.threshold {
		if r.fp[k] > allowed {
			break
		}
		t.TruePositives, t.FalsePositives, t.Threshold = r.tp[k], r.fp[k], &r.threshold[k]
	}
	if t.TruePositives == 0 {
		t.FalsePositives, t.Threshold = 0, nil
	}
	t.TPR = stats.ExactShare(t.TruePositives, r.members, (1-level)/2, noMembers)
	t.FPR = stats.ExactShare(t.FalsePositives, r.others, (1-level)/2, noOthers)
	t.PValue = exceedanceP(t.TruePositives, r.members, allowed, r.others)
	return t
}

// allowed is the largest number of non-members whose share is at most the limit.
func (r attackROC) allowed(limit float64) int {
	n := int(limit * float64(r.others))
	if float64(n+1)/float64(r.others) <= limit {
		n++
	}
	return min(n, r.others)
}

// exceedanceP is the probability that at least found members score above the (allowed+1)-th highest non-member when members and
// others are exchangeable: the exceedance test of Gumbel and von Schelling (1950), which is exact for scores without ties. Ties
// only lower the count found. The found highest members then lie, in the joint order, before the (allowed+1)-th non-member,
// so the first found+allowed places hold at most allowed non-members: a hypergeometric tail.
func exceedanceP(found, members, allowed, others int) float64 {
	if found <= 0 || allowed >= others {
		return 1
	}
	p, places := 0.0, found+allowed
	whole := logChoose(members+others, places)
	for fp := max(0, places-members); fp <= min(allowed, others); fp++ {
		p += math.Exp(logChoose(others, fp) + logChoose(members, places-fp) - whole)
	}
	return min(p, 1)
}

func logChoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}

// ROCPoint is the share of members found where at most a share of non-members is accused.
type ROCPoint struct {
	FPR float64 `json:"fpr"`
	TPR float64 `json:"tpr"`
}

// curvePoints is the number of points of a stored curve: enough to draw it on logarithmic axes, whatever the number of rows.
const curvePoints = 60

// curve picks points of the ROC whose false positive rates lie evenly on a logarithmic scale from one non-member to all, after
// the point without false positives. Leaks show at the left end, which even steps of the rate would leave out.
func (r attackROC) curve() []ROCPoint {
	points := []ROCPoint{}
	k, last := 0, -1
	for step := range curvePoints {
		allowed := 0
		if step > 0 {
			allowed = int(math.Round(math.Pow(float64(r.others), float64(step-1)/(curvePoints-2))))
		}
		for k < len(r.fp) && r.fp[k] <= allowed {
			k++
		}
		if k == 0 || k-1 == last {
			continue
		}
		last = k - 1
		points = append(points, ROCPoint{
			FPR: float64(r.fp[last]) / float64(r.others), TPR: float64(r.tp[last]) / float64(r.members),
		})
	}
	return points
}

// asFinite reports the first value that is not a finite number.
func asFinite(what string, values []float64) error {
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("row %d of the %s has the value %g; expected a finite number: keep probabilities away from 0 and 1, "+
				"as LogLosses does", i, what, v)
		}
	}
	return nil
}
