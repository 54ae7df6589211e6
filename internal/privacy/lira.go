package privacy

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/assay-ml/assay/internal/stats"
)

// Bound is the largest advantage, TPR - FPR, that any membership attack can have against training which is (epsilon, delta)
// differentially private: (e^epsilon - 1 + 2 delta)/(e^epsilon + 1), in [0, 1] (Kairouz, Oh and Viswanath, 2015, "The
// composition theorem for differential privacy"; Humphries et al., 2023, "Investigating membership inference attacks under data
// dependencies"). Numbers that promise nothing, such as a negative epsilon, give 1.
func Bound(epsilon, delta float64) float64 {
	if !promises(epsilon, delta) {
		return 1
	}
	// (e^x - 1)/(e^x + 1) is tanh(x/2), which does not overflow.
	return min(math.Tanh(epsilon/2)+2*delta/(math.Exp(epsilon)+1), 1)
}

// BoundTPR is the largest true positive rate that any membership attack with the false positive rate can have against training
// which is (epsilon, delta) differentially private: the lesser of e^epsilon FPR + delta and 1 - e^-epsilon (1 - delta - FPR)
// (Kairouz, Oh and Viswanath, 2015), in [0, 1]. Numbers that promise nothing give 1.
func BoundTPR(epsilon, delta, fpr float64) float64 {
	if !promises(epsilon, delta) || !(fpr >= 0 && fpr <= 1) {
		return 1
	}
	rising := delta
	if fpr > 0 { // an infinite factor of no false positives is none
		rising += math.Exp(epsilon) * fpr
	}
	return min(max(min(rising, 1-math.Exp(-epsilon)*(1-delta-fpr)), 0), 1)
}

func promises(epsilon, delta float64) bool { return epsilon >= 0 && delta >= 0 && delta <= 1 }

// EpsilonAudit is how small the epsilon of a differentially private training can be, given what an attack found: a claim of
// a smaller epsilon is refuted at the level. Low of 0 refutes nothing. The counts come from a threshold that was chosen on
// other rows. See EpsilonLower for what the bound rests on.
type EpsilonAudit struct {
	Low            float64 `json:"low"` // of epsilon, at least 0
	Level          float64 `json:"level"`
	Delta          float64 `json:"delta"`
	Members        int     `json:"members"` // rows counted
	Others         int     `json:"non_members"`
	TruePositives  int     `json:"true_positives"`
	FalsePositives int     `json:"false_positives"`
	Note           string  `json:"note,omitempty"`
}

const oneTraining = "all counts come from one training, so they depend on each other: the bound takes rows as independent, which holds for separate trainings"

// EpsilonLower is a lower bound on epsilon, at least 0, that misses with at most the probability tail, in (0, 0.5], from an
// attack's counts at a threshold chosen without these rows (Jagielski, Ullman and Oprea, 2020, "Auditing differentially
// private machine learning: how private is private SGD?"): the greatest of ln((TPR - delta)/FPR), ln((TNR - delta)/FNR) and
// both with the attack's answers turned round, with Clopper-Pearson limits in place of the rates. There are four limits, each
// with a quarter of the tail, so that all together keep it. It takes counts as independent, as they are when each comes from a training of its own. Counts from
// many rows of one training depend on each other, and the bound is then no proof. Counts that cannot be, no rows, or a delta
// outside [0, 1) give 0.
func EpsilonLower(truePositives, members, falsePositives, others int, delta, tail float64) float64 {
	if truePositives < 0 || truePositives > members || falsePositives < 0 || falsePositives > others ||
		members == 0 || others == 0 || !(delta >= 0 && delta < 1) || !(tail > 0) {
		return 0
	}
	quarter := min(tail, 0.5) / 4
	tprLow, tprHigh := stats.ClopperPearsonTail(truePositives, members, quarter)
	fprLow, fprHigh := stats.ClopperPearsonTail(falsePositives, others, quarter)
	low := 0.0
	for _, d := range [][2]float64{{tprLow - delta, fprHigh}, {1 - fprHigh - delta, 1 - tprLow}, {fprLow - delta, tprHigh}, {1 - tprHigh - delta, 1 - fprLow}} {
		if d[0] > 0 && d[1] > 0 {
			low = max(low, math.Log(d[0]/d[1]))
		}
	}
	return low
}

// auditEpsilon chooses the threshold on a random half of the rows, that with the largest bound, and counts on the other half:
// the best of many thresholds on the same rows would refute true claims.
func auditEpsilon(member, other []float64, o AttackOptions) EpsilonAudit {
	a := EpsilonAudit{Level: o.Level, Delta: o.Delta, Note: oneTraining}
	if len(member) < 2 || len(other) < 2 {
		a.Note = "fewer than two members or non-members: none are left to choose the threshold on"
		return a
	}
	random := rand.New(rand.NewPCG(o.Seed, 0x9e3779b97f4a7c15))
	memberFirst, memberSecond := halves(member, random)
	otherFirst, otherSecond := halves(other, random)
	choice, tail := newAttackROC(memberFirst, otherFirst), 1-o.Level
	threshold, best := math.Inf(1), 0.0
	for _, k := range choice.candidates() {
		if e := EpsilonLower(choice.tp[k], choice.members, choice.fp[k], choice.others, o.Delta, tail); e > best {
			threshold, best = choice.threshold[k], e
		}
	}
	a.Members, a.Others = len(memberSecond), len(otherSecond)
	a.TruePositives, a.FalsePositives = countFrom(memberSecond, threshold), countFrom(otherSecond, threshold)
	a.Low = EpsilonLower(a.TruePositives, a.Members, a.FalsePositives, a.Others, o.Delta, tail)
	return a
}

// candidates are about 200 thresholds at most, close together where few rows lie on one side, since exact limits take a while.
func (r attackROC) candidates() []int {
	const most = 100
	var picked []int
	last := -1
	for k := range r.threshold {
		above := r.tp[k] + r.fp[k]
		rows := r.members + r.others
		near := math.Log(float64(min(above, rows-above) + 1))
		slot := int(near / math.Log(float64(rows)/2+1) * most)
		if slot != last {
			picked, last = append(picked, k), slot
		}
	}
	return picked
}

func halves(values []float64, random *rand.Rand) (first, second []float64) {
	for k, i := range random.Perm(len(values)) {
		if k%2 == 0 {
			first = append(first, values[i])
		} else {
			second = append(second, values[i])
		}
	}
	return first, second
}

func countFrom(values []float64, threshold float64) int {
	n := 0
	for _, v := range values {
		if v >= threshold {
			n++
		}
	}
	return n
}

// perExampleShadows is the number of shadow models from which each row has spreads of its own. With fewer, one spread of all
// rows is less noisy (Carlini et al., 2022).
const perExampleShadows = 64

// leastSpread keeps the likelihood ratio finite where shadow models agree, on the scale of the log odds.
const leastSpread = 1e-2

// logOdds is phi(p) = ln(p/(1-p)), whose values over trainings are near to normal (Carlini et al., 2022, section V). p is kept
// clip away from 0 and 1.
func logOdds(p, clip float64) float64 {
	p = min(max(p, clip), 1-clip)
	return math.Log(p) - math.Log1p(-p)
}

// twoSums are a row's log odds under shadow models trained with it (1) and without it (0).
type twoSums struct {
	n         [2]float64
	mean, sqr [2]float64 // sqr: sum of squares about the mean
}

// add updates by Welford (1962), which keeps its digits where values are alike.
func (s *twoSums) add(with int, phi float64) {
	s.n[with]++
	d := phi - s.mean[with]
	s.mean[with] += d / s.n[with]
	s.sqr[with] += d * (phi - s.mean[with])
}

// lira scores each row by the log likelihood ratio of the target's log odds under a normal distribution fitted to the shadows
// trained with the row and one fitted to those without (Carlini et al., 2022, section V, algorithm 1). Unlike the paper's
// published code, the spread of all rows is pooled within rows: how much rows differ from each other is no uncertainty of one.
func lira(sums []twoSums, target []float64, perExample bool) []float64 {
	var pooled [2]float64
	for with := range pooled {
		sqr, freedom := 0.0, 0.0
		for i := range sums {
			sqr, freedom = sqr+sums[i].sqr[with], freedom+sums[i].n[with]-1
		}
		pooled[with] = math.Sqrt(sqr / max(freedom, 1))
	}
	score := make([]float64, len(target))
	for i, phi := range target {
		var logDensity [2]float64
		for with := range logDensity {
			sd := pooled[with]
			if perExample {
				sd = math.Sqrt(sums[i].sqr[with] / (sums[i].n[with] - 1))
			}
			sd = max(sd, leastSpread)
			z := (phi - sums[i].mean[with]) / sd
			logDensity[with] = -z*z/2 - math.Log(sd)
		}
		score[i] = logDensity[1] - logDensity[0]
	}
	return score
}

const leastLogLossClip = 1e-15

func asClip(clip float64) (float64, error) {
	if clip == 0 {
		return leastLogLossClip, nil
	}
	if !(clip > 0 && clip < 0.5) {
		return 0, fmt.Errorf("the clip is %g; expected a number between 0 and 0.5, or 0 for %g", clip, leastLogLossClip)
	}
	return clip, nil
}

// LogLosses are the negative log-likelihoods of labels (true is the positive class) under scores, the probabilities of the
// positive class, which are kept clip away from 0 and 1; 0 means 1e-15, as in the log loss of package stats.
func LogLosses(y []bool, score []float64, clip float64) ([]float64, error) {
	clip, err := asClip(clip)
	if err != nil {
		return nil, fmt.Errorf("compute log losses: %w", err)
	}
	if err := (stats.Sample{Y: y, Score: score}).Validate(); err != nil {
		return nil, fmt.Errorf("compute log losses: %w", err)
	}
	losses := make([]float64, len(y))
	for i, p := range score {
		p = min(max(p, clip), 1-clip)
		if losses[i] = -math.Log(p); !y[i] {
			losses[i] = -math.Log1p(-p)
		}
	}
	return losses, nil
}

// ClassLosses are the negative log-likelihoods of the true classes of a classifier with several classes; see LogLosses for the
// clip.
func ClassLosses(s stats.MulticlassSample, clip float64) ([]float64, error) {
	clip, err := asClip(clip)
	if err != nil {
		return nil, fmt.Errorf("compute losses of classes: %w", err)
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("compute losses of classes: %w", err)
	}
	losses := make([]float64, s.N())
	for i, class := range s.Y {
		losses[i] = -math.Log(min(max(s.Row(i)[class], clip), 1-clip))
	}
	return losses, nil
}

// SquaredErrors are the losses of a regression model, in the target's unit squared.
func SquaredErrors(y, predicted []float64) ([]float64, error) {
	if len(y) != len(predicted) {
		return nil, fmt.Errorf("compute squared errors: %d values and %d predictions; expected one of each per row", len(y), len(predicted))
	}
	losses := make([]float64, len(y))
	for i := range y {
		d := y[i] - predicted[i]
		if losses[i] = d * d; math.IsNaN(losses[i]) || math.IsInf(losses[i], 0) {
			return nil, fmt.Errorf("compute squared errors: row %d has no finite error; expected finite values and predictions: leave rows "+
				"without a value out, or scale the target", i)
		}
	}
	return losses, nil
}
