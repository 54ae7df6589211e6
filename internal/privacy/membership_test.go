package privacy_test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
)

// membership is a score file of members and non-members.
type membership struct {
	members, others privacy.Losses
	y               []bool
	score, loss     []float64
}

func readMembership(t *testing.T, model string) (m membership) {
	t.Helper()
	f, err := os.Open(sharedFile(t, "reference", "scores", "adult_"+model+"_membership.csv"))
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	for _, row := range rows[1:] {
		p, err := strconv.ParseFloat(row[3], 64)
		require.NoError(t, err)
		loss, err := strconv.ParseFloat(row[4], 64)
		require.NoError(t, err)
		l := &m.others
		if row[1] == "1" {
			l = &m.members
		}
		l.Values = append(l.Values, loss)
		if len(row) > 5 {
			l.Groups = append(l.Groups, row[5])
		}
		m.y, m.score, m.loss = append(m.y, row[2] == "1"), append(m.score, p), append(m.loss, loss)
	}
	return m
}

func storedAsJSON(t require.TestingT, r privacy.AttackReport) {
	_, err := json.Marshal(r)
	require.NoError(t, err)
}

func TestAttackOnRandomForestAgreesWithReference(t *testing.T) {
	m := readMembership(t, "rf")
	r, err := privacy.LossThreshold(m.members, m.others, privacy.AttackOptions{})
	require.NoError(t, err)
	require.InDelta(t, 0.62214652, r.AUC.Value, 1e-9)
	require.InDelta(t, 0.2172, r.Advantage.Value, 1e-9)
	require.InDelta(t, 0.6086, r.BalancedAccuracy, 1e-9)
	require.InDelta(t, 0.09105519281599671, r.MemberLoss.Value, 1e-9)
	require.InDelta(t, 0.3585790895834105, r.OtherLoss.Value, 1e-9)
	require.InDelta(t, 0.3585790895834105-0.09105519281599671, r.GeneralisationGap.Value, 1e-9)
	require.Greater(t, r.GeneralisationGap.Low, 0.2)
	require.Len(t, r.TPRAtFPR, 2)
	for _, at := range r.TPRAtFPR {
		require.Zero(t, at.TPR.Value)
		require.Nil(t, at.Threshold)
	}
	require.Equal(t, privacy.VerdictLeaks, r.Verdict)
	require.Len(t, r.Groups, 2)
	require.Equal(t, "Female", r.Groups[0].Group)
	require.InDelta(t, 0.5790880097931834, r.Groups[0].AUC.Value, 1e-9)
	require.Equal(t, "Male", r.Groups[1].Group)
	require.InDelta(t, 0.6559773278285154, r.Groups[1].AUC.Value, 1e-9)
	require.Equal(t, 0.025, r.Groups[0].FalseAlarm)
	storedAsJSON(t, r)
}

func TestAttackOnBoostedTreesAgreesWithReference(t *testing.T) {
	m := readMembership(t, "gbm")
	r, err := privacy.LossThreshold(m.members, m.others, privacy.AttackOptions{})
	require.NoError(t, err)
	require.InDelta(t, 0.57605875, r.AUC.Value, 1e-9)
	require.InDelta(t, 0.009090012559815652, (r.AUC.High-r.AUC.Low)/2/stats.NormalQuantileTail(0.025), 1e-9)
	require.InDelta(t, 0.2005, r.Advantage.Value, 1e-9)
	require.InDelta(t, 0.60025, r.BalancedAccuracy, 1e-9)
	require.InDelta(t, 0.0005, r.TPRAtFPR[0].TPR.Value, 1e-9)
	require.False(t, r.TPRAtFPR[0].TooFew)
	require.InDelta(t, 0.0095, r.TPRAtFPR[1].TPR.Value, 1e-9)
	require.InDelta(t, 0.044776051785, r.MemberLoss.Value, 1e-9)
	require.InDelta(t, 0.42037312043999997, r.OtherLoss.Value, 1e-9)
	require.Equal(t, privacy.VerdictLeaks, r.Verdict)
	require.Empty(t, r.Groups)

	losses, err := privacy.LogLosses(m.y, m.score, 1e-15)
	require.NoError(t, err)
	for i, loss := range losses {
		require.InDelta(t, m.loss[i], loss, 1e-5*(1+math.Exp(loss)), "row %d", i) // the file's scores have eight decimals
	}
}

func TestAttackWorkedExample(t *testing.T) {
	// Ordered by loss: M M O M | O M O O; the threshold after the first two finds half of the members and accuses nobody.
	members := privacy.Losses{Values: []float64{1, 2, 4, 6}}
	others := privacy.Losses{Values: []float64{3, 5, 7, 8}}
	r, err := privacy.LossThreshold(members, others, privacy.AttackOptions{FPRLimits: []float64{0.25, 0.2}})
	require.NoError(t, err)
	require.Equal(t, 13.0/16, r.AUC.Value)
	require.Equal(t, 0.5, r.Advantage.Value)
	require.Equal(t, 3, r.TPRAtFPR[0].TruePositives)
	require.Equal(t, 1, r.TPRAtFPR[0].FalsePositives)
	require.Equal(t, -4.0, *r.TPRAtFPR[0].Threshold)
	require.False(t, r.TPRAtFPR[0].TooFew)
	require.Equal(t, 4, r.TPRAtFPR[0].NonMembersNeeded)
	require.Equal(t, 2, r.TPRAtFPR[1].TruePositives)
	require.True(t, r.TPRAtFPR[1].TooFew)
	require.Equal(t, 5, r.TPRAtFPR[1].NonMembersNeeded)
	// Two members above all non-members: the two highest of eight exchangeable rows are members in 4/8 * 3/7 of the orders.
	require.InDelta(t, 3.0/14, r.TPRAtFPR[1].PValue, 1e-12)
	// Three members above the second non-member: four rows of which at most one is of four others.
	require.InDelta(t, (1+16.0)/70, r.TPRAtFPR[0].PValue, 1e-12)
	require.Equal(t, privacy.ROCPoint{FPR: 0, TPR: 0.5}, r.Curve[0])
	require.Equal(t, privacy.ROCPoint{FPR: 1, TPR: 1}, r.Curve[len(r.Curve)-1])
	require.Equal(t, privacy.VerdictUndecided, r.Verdict)
}

func uniform(random *rand.Rand, n int, cells float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		if values[i] = random.Float64(); cells > 0 {
			values[i] = math.Floor(values[i] * cells)
		}
	}
	return values
}

func TestFalseAlarmsAreAsRareAsStated(t *testing.T) {
	for name, c := range map[string]struct {
		m, n  int
		cells float64
	}{
		"as many members as others": {200, 200, 0}, "few others": {300, 40, 0}, "few members": {20, 400, 0}, "many ties": {150, 150, 5},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, 11))
			const times = 400
			alarms, missedZero, refuted := 0, 0, 0
			for k := range times {
				r, err := privacy.LossThreshold(privacy.Losses{Values: uniform(random, c.m, c.cells)},
					privacy.Losses{Values: uniform(random, c.n, c.cells)}, privacy.AttackOptions{Seed: uint64(k)})
				require.NoError(t, err)
				if r.Verdict == privacy.VerdictLeaks {
					alarms++
				}
				if r.Advantage.Low > 0 {
					missedZero++
				}
				if r.Epsilon.Low > 0 {
					refuted++
				}
			}
			require.LessOrEqual(t, stats.BinomialLower(alarms, times, 1e-3), 0.05, "%d alarms", alarms)
			require.LessOrEqual(t, stats.BinomialLower(missedZero, times, 1e-3), 0.025, "%d intervals", missedZero)
			require.LessOrEqual(t, stats.BinomialLower(refuted, times, 1e-3), 0.05, "%d bounds", refuted)
		})
	}
}

func TestAdvantageIntervalHoldsTheTrueMaximum(t *testing.T) {
	// Losses uniform on [0, 1] and on [0.2, 1.2]: the largest difference of distribution functions is 0.2, at many thresholds.
	random := rand.New(rand.NewPCG(3, 5))
	const times = 200
	low, high := 0, 0
	for range times {
		others := uniform(random, 150, 0)
		for i := range others {
			others[i] += 0.2
		}
		r, err := privacy.LossThreshold(privacy.Losses{Values: uniform(random, 150, 0)}, privacy.Losses{Values: others}, privacy.AttackOptions{})
		require.NoError(t, err)
		if r.Advantage.Low > 0.2 {
			low++
		}
		if r.Advantage.High < 0.2 {
			high++
		}
	}
	require.LessOrEqual(t, stats.BinomialLower(low, times, 1e-3), 0.025)
	require.LessOrEqual(t, stats.BinomialLower(high, times, 1e-3), 0.025)
}

func TestLeakOfFewMembersIsSeenThatAveragesHide(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	members, others := uniform(random, 2000, 0), uniform(random, 2000, 0)
	for i := range 25 {
		members[i] = -1
	}
	r, err := privacy.LossThreshold(privacy.Losses{Values: members}, privacy.Losses{Values: others}, privacy.AttackOptions{})
	require.NoError(t, err)
	require.Less(t, r.AUC.Low, 0.5)
	require.Zero(t, r.Advantage.Low)
	require.Less(t, r.TPRAtFPR[0].PValue, 1e-5)
	require.Equal(t, privacy.VerdictLeaks, r.Verdict)
}

func TestNothingToTellApart(t *testing.T) {
	same := make([]float64, 3000)
	r, err := privacy.LossThreshold(privacy.Losses{Values: same}, privacy.Losses{Values: same}, privacy.AttackOptions{})
	require.NoError(t, err)
	require.Equal(t, privacy.VerdictChance, r.Verdict)
	require.Equal(t, 0.5, r.AUC.Value)
	require.Zero(t, r.Advantage.Value)
	require.False(t, r.GeneralisationGap.Defined())
	storedAsJSON(t, r)

	for name, c := range map[string]struct{ members, others []float64 }{
		"no members": {nil, same}, "no non-members": {same, nil}, "no rows": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := privacy.LossThreshold(privacy.Losses{Values: c.members}, privacy.Losses{Values: c.others}, privacy.AttackOptions{})
			require.NoError(t, err)
			require.Equal(t, privacy.VerdictUnmeasured, r.Verdict)
			require.NotEmpty(t, r.Note)
			require.Equal(t, r.Note, r.AUC.Undefined)
			storedAsJSON(t, r)
		})
	}
}

func TestSmallGroupsAreNamed(t *testing.T) {
	members := privacy.Losses{Values: []float64{1, 2, 3, 4, 5}, Groups: words("a a b c a")}
	others := privacy.Losses{Values: []float64{3, 4, 5, 6}, Groups: words("a a b d")}
	r, err := privacy.LossThreshold(members, others, privacy.AttackOptions{MinGroup: 2})
	require.NoError(t, err)
	require.Len(t, r.Groups, 1)
	require.Equal(t, "a", r.Groups[0].Group)
	require.Equal(t, 3, r.Groups[0].Members)
	require.Equal(t, []privacy.SmallGroup{{"b", 1, 1}, {"c", 1, 0}, {"d", 0, 1}}, r.SmallGroups)
}

func TestUnusableLosses(t *testing.T) {
	good := privacy.Losses{Values: []float64{1, 2}}
	for name, c := range map[string]struct {
		members, others privacy.Losses
		o               privacy.AttackOptions
		says            string
	}{
		"not a number": {good, privacy.Losses{Values: []float64{1, math.NaN()}}, privacy.AttackOptions{}, "row 1 of the non-members"},
		"infinite":     {privacy.Losses{Values: []float64{math.Inf(1)}}, good, privacy.AttackOptions{}, "row 0 of the members"},
		"lengths":      {privacy.Losses{Values: []float64{1}, Groups: words("a b")}, good, privacy.AttackOptions{}, "1 losses and 2 groups"},
		"one-sided":    {privacy.Losses{Values: []float64{1}, Groups: words("a")}, good, privacy.AttackOptions{}, "both or neither"},
		"level":        {good, good, privacy.AttackOptions{Level: 95}, "such as 0.95"},
		"alarm":        {good, good, privacy.AttackOptions{FalseAlarm: math.NaN()}, "false alarm rate"},
		"tolerance":    {good, good, privacy.AttackOptions{Tolerance: -1}, "tolerance"},
		"limit":        {good, good, privacy.AttackOptions{FPRLimits: []float64{0}}, "such as 0.001"},
		"group":        {good, good, privacy.AttackOptions{MinGroup: -1}, "at least 1"},
		"delta":        {good, good, privacy.AttackOptions{Delta: 1}, "such as 1e-5"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := privacy.LossThreshold(c.members, c.others, c.o)
			require.ErrorContains(t, err, "attack the model by its losses: ")
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestAttackIsAboutOrderOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.SliceOfN(rapid.Map(rapid.IntRange(-6, 6), func(k int) float64 { return float64(k) }), 1, 60)
		members, others := draw.Draw(t, "members"), draw.Draw(t, "others")
		o := privacy.AttackOptions{FPRLimits: []float64{0.05, 0.3}}
		r, err := privacy.LossThreshold(privacy.Losses{Values: members}, privacy.Losses{Values: others}, o)
		require.NoError(t, err)
		storedAsJSON(t, r)
		require.LessOrEqual(t, r.Advantage.Low, r.Advantage.Value)
		require.LessOrEqual(t, r.Advantage.Value, r.Advantage.High)
		require.LessOrEqual(t, r.TPRAtFPR[0].TPR.Value, r.TPRAtFPR[1].TPR.Value)
		for k, limit := range o.FPRLimits {
			best := 0.0
			for _, threshold := range slices.Concat(members, others) {
				tp, fp := 0, 0
				for _, v := range members {
					tp += count(v <= threshold)
				}
				for _, v := range others {
					fp += count(v <= threshold)
				}
				if float64(fp)/float64(len(others)) <= limit {
					best = max(best, float64(tp)/float64(len(members)))
				}
			}
			require.Equal(t, best, r.TPRAtFPR[k].TPR.Value)
			require.True(t, r.TPRAtFPR[k].PValue >= 0 && r.TPRAtFPR[k].PValue <= 1)
		}
		for _, values := range [][]float64{members, others} {
			for i := range values {
				values[i] = math.Exp(values[i])
			}
			slices.Reverse(values)
		}
		stretched, err := privacy.LossThreshold(privacy.Losses{Values: members}, privacy.Losses{Values: others}, o)
		require.NoError(t, err)
		require.Equal(t, r.AUC, stretched.AUC)
		require.Equal(t, r.Advantage, stretched.Advantage)
		require.Equal(t, r.PValue, stretched.PValue)
		require.Equal(t, r.Curve, stretched.Curve)
	})
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}
