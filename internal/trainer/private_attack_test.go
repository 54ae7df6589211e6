package trainer

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/model"
)

// An attacker who knows every row but one asks whether that one was there. The row is the only one with its level, so
// the level's coefficient tells best. No attack beats (e^epsilon - 1 + 2 delta) / (e^epsilon + 1) (Humphries et al.:
// Investigating Membership Inference Attacks under Data Dependencies, CSF 2023, Theorem 3.1).
func TestNoAttackOnOneRowBeatsTheGuarantee(t *testing.T) {
	const trials, n = 300, 40
	job := make([]string, n+1)
	repaid := make([]string, n+1)
	for i := range job {
		job[i], repaid[i] = "clerk", []string{"yes", "no"}[i%2]
	}
	job[n], repaid[n] = "smith", "yes"
	data := func(rows int) Input {
		return Input{Frame: frame(categorical("job", job[:rows]...), categorical("repaid", repaid[:rows]...)), Features: []string{"job"}, Target: "repaid", Positive: "yes"}
	}
	advantage := func(epsilon float64) float64 {
		present, absent := 0, 0
		for i := range uint64(trials) {
			p := Private{Epsilon: epsilon, Delta: 1e-5, Clip: 0.1, Steps: 20, Rate: 1, Levels: map[string][]string{"job": {"clerk", "smith"}}}
			says := func(in Input, seed uint64) bool {
				p.Random = known(seed)
				return trainPrivate(t, in, p).Predictor.(*model.Logistic).Terms[0].Categorical.Coefficients[1] > 0.025
			}
			if says(data(n+1), 2*i) {
				present++
			}
			if says(data(n), 2*i+1) {
				absent++
			}
		}
		return float64(present-absent) / trials
	}
	for _, epsilon := range []float64{0.5, 1} {
		got := advantage(epsilon)
		bound := (math.Exp(epsilon) - 1 + 2e-5) / (math.Exp(epsilon) + 1)
		t.Logf("epsilon %v: the attack's advantage is %.3f, the bound %.3f", epsilon, got, bound)
		require.Less(t, got, bound+3*math.Sqrt(0.5/trials))
	}
	weak := advantage(200)
	t.Logf("epsilon 200: the attack's advantage is %.3f", weak)
	require.Greater(t, weak, 0.9, "the attack works where there is no protection")
}

// Rows that took part have no smaller loss than others, by more than the guarantee allows (Yeom et al.: Privacy Risk in
// Machine Learning, CSF 2018, Adversary 1: a row whose loss is below the mean training loss is said to be a member).
func TestLossThresholdAttackStaysBelowTheGuarantee(t *testing.T) {
	const epsilon, trials = 1.0, 20
	members, others, rows := 0, 0, 0
	for i := range uint64(trials) {
		in, out := lending(100, 10+2*i), lending(100, 11+2*i)
		p := declared(epsilon, i)
		p.Rate = 0.2
		m := trainPrivate(t, in, p).Predictor
		losses := func(in Input) []float64 {
			s := scoreOf(t, m, in.Frame, "repaid", "yes")
			for k, y := range s.Y {
				if !y {
					s.Score[k] = 1 - s.Score[k]
				}
				s.Score[k] = -math.Log(s.Score[k])
			}
			return s.Score
		}
		inside, outside := losses(in), losses(out)
		mean := 0.0
		for _, x := range inside {
			mean += x / float64(len(inside))
		}
		for k := range inside {
			rows++
			if inside[k] < mean {
				members++
			}
			if outside[k] < mean {
				others++
			}
		}
	}
	advantage := float64(members-others) / float64(rows)
	bound := (math.Exp(epsilon) - 1 + 2e-5) / (math.Exp(epsilon) + 1)
	t.Logf("advantage %.4f, bound %.4f", advantage, bound)
	require.Less(t, advantage, bound)
}
