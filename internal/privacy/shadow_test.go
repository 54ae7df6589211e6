package privacy_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/privacy"
)

// memoriser is an overfitted histogram: rows share cells, a cell predicts the smoothed share of its training labels. A quarter of
// the labels are flipped, and these are hard to fit without having seen them.
type memoriser struct {
	cell []int
	y    []bool
}

func newMemoriser(n, cells int, seed uint64) memoriser {
	random := rand.New(rand.NewPCG(seed, 1))
	m := memoriser{make([]int, n), make([]bool, n)}
	for i := range n {
		m.cell[i] = random.IntN(cells)
		m.y[i] = (m.cell[i]%2 == 0) != (random.Float64() < 0.25)
	}
	return m
}

func (m memoriser) train(_ context.Context, rows []int) (privacy.Predictor, error) {
	var seen, positive = map[int]float64{}, map[int]float64{}
	for _, i := range rows {
		seen[m.cell[i]]++
		positive[m.cell[i]] += float64(count(m.y[i]))
	}
	return func(rows []int) ([]float64, error) {
		confidence := make([]float64, len(rows))
		for k, i := range rows {
			confidence[k] = (positive[m.cell[i]] + 0.1) / (seen[m.cell[i]] + 0.2)
			if !m.y[i] {
				confidence[k] = 1 - confidence[k]
			}
		}
		return confidence, nil
	}, nil
}

// target trains on a random half.
func (m memoriser) target(t *testing.T, seed uint64) ([]bool, privacy.Predictor) {
	t.Helper()
	member := make([]bool, len(m.y))
	var rows []int
	for _, i := range rand.New(rand.NewPCG(seed, 2)).Perm(len(m.y))[:len(m.y)/2] {
		member[i] = true
		rows = append(rows, i)
	}
	slices.Sort(rows)
	predict, err := m.train(t.Context(), rows)
	require.NoError(t, err)
	return member, predict
}

func TestShadowModelsFindMembersThatLossesDoNot(t *testing.T) {
	m := newMemoriser(4000, 800, 1)
	member, target := m.target(t, 1)
	for _, shadows := range []int{16, 64} {
		r, err := privacy.Shadow(t.Context(), privacy.ShadowOptions{Shadows: shadows}, member, target, m.train)
		require.NoError(t, err)
		storedAsJSON(t, r)

		var losses [2]privacy.Losses
		for i, is := range member {
			p, err := target([]int{i})
			require.NoError(t, err)
			losses[count(!is)].Values = append(losses[count(!is)].Values, -math.Log(p[0]))
		}
		byLoss, err := privacy.LossThreshold(losses[0], losses[1], privacy.AttackOptions{})
		require.NoError(t, err)
		t.Logf("%d shadows: AUC %.4f, by loss %.4f; TPR at 1 %% %.4f, by loss %.4f", shadows, r.AUC.Value, byLoss.AUC.Value,
			r.TPRAtFPR[1].TPR.Value, byLoss.TPRAtFPR[1].TPR.Value)
		require.Greater(t, r.AUC.Low, byLoss.AUC.High)
		require.Greater(t, r.TPRAtFPR[1].TPR.Value, byLoss.TPRAtFPR[1].TPR.Value)
		require.Equal(t, privacy.AttackLiRA, r.Attack)
		require.Equal(t, privacy.VerdictLeaks, r.Verdict)
		require.InDelta(t, byLoss.GeneralisationGap.Value, r.GeneralisationGap.Value, 1e-12)
		spread := "pooled"
		if shadows == 64 {
			spread = "per_row"
		}
		require.Equal(t, &privacy.ShadowRuns{Asked: shadows, Used: shadows, Rows: 4000, Spread: spread}, r.Shadows)
	}
}

func constant(rows []int) ([]float64, error) {
	return slices.Repeat([]float64{0.7}, len(rows)), nil
}

func trainConstant(context.Context, []int) (privacy.Predictor, error) { return constant, nil }

func TestConstantModelIsAtChance(t *testing.T) {
	member, _ := newMemoriser(4000, 50, 3).target(t, 3)
	r, err := privacy.Shadow(t.Context(), privacy.ShadowOptions{}, member, constant, trainConstant)
	require.NoError(t, err)
	require.Equal(t, 0.5, r.AUC.Value)
	require.Zero(t, r.Advantage.Value)
	require.Equal(t, privacy.VerdictChance, r.Verdict)
	storedAsJSON(t, r)
}

func TestModelThatForgetsIsSeldomAccused(t *testing.T) {
	// The target is trained on other rows altogether, so who is called a member is chance.
	m := newMemoriser(1000, 60, 4)
	alarms := 0
	for seed := range uint64(60) {
		member, _ := m.target(t, seed)
		_, unrelated := m.target(t, seed+1000)
		r, err := privacy.Shadow(t.Context(), privacy.ShadowOptions{Shadows: 4, AttackOptions: privacy.AttackOptions{Seed: seed}}, member, unrelated, m.train)
		require.NoError(t, err)
		alarms += count(r.Verdict == privacy.VerdictLeaks)
	}
	require.LessOrEqual(t, alarms, 10) // of 60 at 5 %, more than 10 come with a probability below 1e-3
}

func TestEachRowIsInHalfOfTheShadows(t *testing.T) {
	m := newMemoriser(101, 10, 5)
	member, target := m.target(t, 5)
	var lock sync.Mutex
	in := make([]int, 101)
	_, err := privacy.Shadow(t.Context(), privacy.ShadowOptions{Shadows: 8}, member, target, func(ctx context.Context, rows []int) (privacy.Predictor, error) {
		lock.Lock()
		defer lock.Unlock()
		require.True(t, slices.IsSorted(rows))
		for _, i := range rows {
			in[i]++
		}
		return m.train(ctx, rows)
	})
	require.NoError(t, err)
	require.Equal(t, slices.Repeat([]int{4}, 101), in)
}

func TestReportDependsOnTheSeedAlone(t *testing.T) {
	m := newMemoriser(600, 100, 6)
	member, target := m.target(t, 6)
	run := func(o privacy.ShadowOptions) privacy.AttackReport {
		o.MaxRows = 400
		r, err := privacy.Shadow(t.Context(), o, member, target, m.train)
		require.NoError(t, err)
		return r
	}
	var seen []int
	first := run(privacy.ShadowOptions{Parallel: 1, Progress: func(done, of int) {
		require.Equal(t, 16, of)
		seen = append(seen, done)
	}})
	require.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, seen)
	require.Equal(t, 200, first.Members)
	require.Equal(t, 200, first.Others)
	require.Equal(t, 200, first.Shadows.LeftOut)
	require.Equal(t, first, run(privacy.ShadowOptions{Parallel: 8}))
	require.NotEqual(t, first.AUC, run(privacy.ShadowOptions{AttackOptions: privacy.AttackOptions{Seed: 1}}).AUC)
}

func TestTimeThatEndsEarlyGivesTheReportOfTheModelsDone(t *testing.T) {
	m := newMemoriser(400, 80, 7)
	member, target := m.target(t, 7)
	stopAfter := func(done int) (privacy.AttackReport, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		trained := 0
		return privacy.Shadow(ctx, privacy.ShadowOptions{Parallel: 1}, member, target, func(ctx context.Context, rows []int) (privacy.Predictor, error) {
			if trained++; trained > done {
				cancel()
				return nil, ctx.Err()
			}
			return m.train(ctx, rows)
		})
	}
	r, err := stopAfter(7)
	require.NoError(t, err)
	require.Equal(t, 16, r.Shadows.Asked)
	require.Equal(t, 6, r.Shadows.Used)
	require.Contains(t, r.Shadows.Note, "6 of 16")
	asked, err := privacy.Shadow(t.Context(), privacy.ShadowOptions{Shadows: 6}, member, target, m.train)
	require.NoError(t, err)
	require.Equal(t, asked.AUC, r.AUC)
	require.Equal(t, asked.TPRAtFPR, r.TPRAtFPR)

	_, err = stopAfter(3)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "only 2 of 16 shadow models")
}

func TestBudgetEndsTrainings(t *testing.T) {
	member, target := newMemoriser(40, 8, 8).target(t, 8)
	_, err := privacy.Shadow(t.Context(), privacy.ShadowOptions{Budget: 1}, member, target, func(ctx context.Context, _ []int) (privacy.Predictor, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestNobodyToTellApartFromIsNotTrainedFor(t *testing.T) {
	r, err := privacy.Shadow(t.Context(), privacy.ShadowOptions{}, []bool{true, true}, constant, func(context.Context, []int) (privacy.Predictor, error) {
		t.Error("trained in vain")
		return constant, nil
	})
	require.NoError(t, err)
	require.Equal(t, privacy.VerdictUnmeasured, r.Verdict)
	require.Equal(t, 2, r.Members)
	storedAsJSON(t, r)
}

func TestShadowAttackByGroup(t *testing.T) {
	m := newMemoriser(400, 80, 9)
	member, target := m.target(t, 9)
	groups := make([]string, 400)
	for i := range groups {
		groups[i] = []string{"a", "b"}[m.cell[i]%2]
	}
	groups[0] = "c"
	r, err := privacy.Shadow(t.Context(), privacy.ShadowOptions{Shadows: 4, Groups: groups}, member, target, m.train)
	require.NoError(t, err)
	require.Len(t, r.Groups, 2)
	require.Len(t, r.SmallGroups, 1)
	require.Equal(t, 399, r.Groups[0].Members+r.Groups[0].Others+r.Groups[1].Members+r.Groups[1].Others)
}

func TestUnusableShadows(t *testing.T) {
	member := []bool{true, false, true, false}
	answers := func(confidence ...float64) privacy.Trainer {
		return func(context.Context, []int) (privacy.Predictor, error) {
			return func([]int) ([]float64, error) { return confidence, nil }, nil
		}
	}
	bad := errors.New("no space left")
	for name, c := range map[string]struct {
		o      privacy.ShadowOptions
		target privacy.Predictor
		train  privacy.Trainer
		says   string
	}{
		"odd":       {privacy.ShadowOptions{Shadows: 5}, constant, trainConstant, "even number"},
		"few":       {privacy.ShadowOptions{Shadows: 2}, constant, trainConstant, "at least 4"},
		"rows":      {privacy.ShadowOptions{MaxRows: 1}, constant, trainConstant, "at most 1 rows"},
		"parallel":  {privacy.ShadowOptions{Parallel: -1}, constant, trainConstant, "at once"},
		"budget":    {privacy.ShadowOptions{Budget: -1}, constant, trainConstant, "budget"},
		"clip":      {privacy.ShadowOptions{Clip: 0.5}, constant, trainConstant, "clip"},
		"groups":    {privacy.ShadowOptions{Groups: words("a")}, constant, trainConstant, "1 groups for 4 rows"},
		"level":     {privacy.ShadowOptions{AttackOptions: privacy.AttackOptions{Level: 2}}, constant, trainConstant, "the level is 2"},
		"target":    {privacy.ShadowOptions{}, nil, trainConstant, "no target"},
		"trainer":   {privacy.ShadowOptions{}, constant, nil, "no trainer"},
		"asked":     {privacy.ShadowOptions{}, func([]int) ([]float64, error) { return nil, bad }, trainConstant, "ask the target: no space left"},
		"shorter":   {privacy.ShadowOptions{}, constant, answers(0.5), "1 confidences for 4 rows"},
		"no number": {privacy.ShadowOptions{}, constant, answers(0.5, 0.5, math.NaN(), 0.5), "row 2 has the confidence NaN"},
		"no model":  {privacy.ShadowOptions{}, constant, func(context.Context, []int) (privacy.Predictor, error) { return nil, nil }, "gave no model"},
		"failing":   {privacy.ShadowOptions{}, constant, func(context.Context, []int) (privacy.Predictor, error) { return nil, bad }, "of 16: train: no space left"},
		"panicking": {privacy.ShadowOptions{}, constant, func(context.Context, []int) (privacy.Predictor, error) { panic("index") }, "panicked: index"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := privacy.Shadow(t.Context(), c.o, member, c.target, c.train)
			require.ErrorContains(t, err, "attack the model by shadow models: ")
			require.ErrorContains(t, err, c.says)
		})
	}
}
