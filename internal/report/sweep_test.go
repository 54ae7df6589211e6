package report

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/spec"
)

func TestReviewerSeesHowTheParametersWereChosen(t *testing.T) {
	d := trained(t)
	says(t, d, "making",
		"For the highest val_auc a sweep searched depth, learning_rate and optimizer. It tried combinations drawn at random",
		"60 trials were begun: 39 finished, 13 were stopped early because others did better at the same point and 8 failed.",
		"Budget: 60 trials, 20 hours of devices. Why it ended: all 60 trials are started.",
		"Trial 11 was chosen and is the candidate: its val_auc is 0.9108, with depth 7, learning_rate 0.001885, optimizer adamw.",
		"Why trials failed: the program ended with exit status 1 (8 trials).",
		"The best of many trials looks better on the validation part than it will be", "The test part was not used for the choice",
		"The values of val_auc are what the program reported", "The best 10 trials", "Show 40 further trials",
		"10 trials are not listed here. The sweep’s report in the artifact store holds all of them.",
	)
	s := sweepOf(d)
	require.Len(t, s.Best.Rows, 10)
	require.Equal(t, "11", s.Best.Rows[0][0].Text)
	require.Equal(t, "chosen", s.Best.Rows[0][0].Note)
	require.Len(t, s.Others.Grid.Rows, 40)
	require.Len(t, s.Trials.Pictures, 3, "the trials, and two parameters that are numbers")
}

func TestTrialsAreToldApartByShape(t *testing.T) {
	s := sweepOf(trained(t))
	drawn := string(s.Trials.Pictures[0].Picture)
	require.Equal(t, 39+1, strings.Count(drawn, `class="dot"`), "finished, and one in the legend")
	require.Equal(t, 13+1, strings.Count(drawn, `class="open"`), "stopped")
	require.Equal(t, 2*(8+1), strings.Count(drawn, `class="cross"`), "failed: two strokes each")
	require.Equal(t, 1+1, strings.Count(drawn, `class="ring"`), "chosen")
	for _, word := range []string{"finished", "stopped early", "failed", "chosen", "best so far"} {
		require.Contains(t, drawn, ">"+word+"</text>")
	}
	byRate := s.Trials.Pictures[2]
	require.Contains(t, byRate.Caption, "logarithmic")
	require.Contains(t, string(byRate.Picture), ">0.001</text>")
	require.NotContains(t, s.Trials.Pictures[1].Caption, "logarithmic")
}

func TestSweepOfManyTrialsStaysSmall(t *testing.T) {
	d := hostileProgram(t)
	require.Less(t, len(rendered(t, d)), 600_000, "bytes of the page of 10,000 trials")
	s := sweepOf(d)
	require.Equal(t, "9,950 trials are not listed here. The sweep’s report in the artifact store holds all of them.", plain(s.Unlisted))
	require.Len(t, s.Trials.Pictures, 1+mostParameterPictures)
	require.Contains(t, plain(s.Trials.Note), "Of 10,000 trials the pictures show 40")
	require.Contains(t, plain(s.Trials.Note), "so much worse than most that the pictures show them at their edge. Without a picture:")
	require.Contains(t, plain(s.Paragraphs[2]), "; and 17 other reasons.")

	short := trials(10_000)
	short.Trials = short.Trials[:20]
	s = sweepOf(Dossier{Sweep: short})
	require.Contains(t, plain(s.Unlisted), "9,980 trials are not listed")
	require.Contains(t, plain(s.Trials.Note), "Of 10,000 trials the pictures show 20.")
}

func TestSweepThatCameToNothing(t *testing.T) {
	r := trials(14)
	for i := range r.Trials {
		r.Trials[i].Outcome, r.Trials[i].Value, r.Trials[i].Reason = search.OutcomeFailed, nil, ""
	}
	r.Finished, r.Stopped, r.Failed, r.Chosen = 0, 0, 14, 0
	s := sweepOf(Dossier{Sweep: r})
	require.Nil(t, s.Trials)
	require.Nil(t, s.Best)
	require.Len(t, s.Others.Grid.Rows, 14)
	require.Contains(t, plain(s.Paragraphs[0]), "14 trials were begun: 14 failed.")
	require.Equal(t, "No trial was chosen.", s.Paragraphs[1])
	require.Equal(t, "Why trials failed: no reason given (14 trials).", plain(s.Paragraphs[2]))

	empty := sweepOf(Dossier{Sweep: &search.Report{}})
	require.Contains(t, plain(empty.Paragraphs[0]), "a sweep searched the parameters. It tried the method (unnamed), each in a training of its own. 0 trials were begun.")
	require.NotContains(t, empty.Meaning, "best of many")
	require.Nil(t, sweepOf(Dossier{}))
}

func TestChosenIsFoundAmongTheLowestToo(t *testing.T) {
	r := trials(60)
	r.Goal, r.Metric = spec.SweepMinimize, "loss"
	for _, trial := range r.Trials {
		if trial.Value != nil {
			*trial.Value = 1 - *trial.Value
		}
	}
	s := sweepOf(Dossier{Sweep: r})
	require.Equal(t, "11", s.Best.Rows[0][0].Text)
	require.Contains(t, s.Paragraphs[0], "For the lowest loss")
}

func TestBestSoFarOnlyImproves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := search.Report{Goal: rapid.SampledFrom([]string{spec.SweepMaximize, spec.SweepMinimize}).Draw(t, "goal")}
		for i, v := range rapid.SliceOf(anyFinite()).Draw(t, "values") {
			outcome := rapid.SampledFrom([]string{search.OutcomeFinished, search.OutcomeStopped, search.OutcomeFailed}).Draw(t, "outcome")
			r.Trials = append(r.Trials, search.TrialRecord{Trial: search.Trial(i + 1), Outcome: outcome, Value: &v})
		}
		best := math.NaN()
		for _, trial := range r.Trials {
			if v := *trial.Value; trial.Outcome == search.OutcomeFinished && (math.IsNaN(best) || v > best == (r.Goal == spec.SweepMaximize)) {
				best = v
			}
		}
		line := bestSoFar(r)
		if math.IsNaN(best) {
			require.Empty(t, line, "stopped and failed trials are never the best")
			return
		}
		require.Equal(t, best, line[len(line)-1].Y)
		require.Equal(t, float64(len(r.Trials)), line[len(line)-1].X)
		for i := 1; i < len(line); i++ {
			require.Less(t, line[i-1].X, line[i].X)
			require.True(t, line[i].Y == line[i-1].Y || line[i].Y > line[i-1].Y == (r.Goal == spec.SweepMaximize))
		}
	})
}

func TestValuesFarOutDoNotPressTheRestTogether(t *testing.T) {
	values := []float64{0.30, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36, 0.37, 0.38, 40_000}
	a, beyond := fence(values, true)
	require.Equal(t, 1, beyond)
	require.Equal(t, 0.38, a.High)
	a, beyond = fence(values, false)
	require.Zero(t, beyond, "a better value is never left out")
	require.Equal(t, 40_000.0, a.High)

	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(anyFinite(), 1, 60).Draw(t, "values")
		minimize := rapid.Bool().Draw(t, "minimize")
		a, beyond := fence(values, minimize)
		best := values[0]
		for _, v := range values {
			if v < best == minimize {
				best = v
			}
		}
		require.Less(t, beyond, len(values))
		require.True(t, a.Low <= best && best <= a.High)
	})
}

func TestSearchedParametersAreThoseThatDiffer(t *testing.T) {
	record := func(p spec.Parameters) search.TrialRecord { return search.TrialRecord{Parameters: p} }
	one := spec.Number(1)
	require.Equal(t, []string{"a", "c"}, searchedNames([]search.TrialRecord{
		record(spec.Parameters{"a": one, "b": one, "c": one}), record(spec.Parameters{"a": spec.Text("1"), "b": one}),
	}))
	require.Empty(t, searchedNames(nil))
	require.False(t, isNumeric([]search.TrialRecord{record(spec.Parameters{"a": one}), record(spec.Parameters{"a": spec.Truth(true)})}, "a"))
}
