package trainer

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrivateTrainingRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Input, *Private)
		want   string
	}{
		"epsilon 0":        {func(_ *Input, p *Private) { p.Epsilon = 0 }, "epsilon is 0"},
		"epsilon NaN":      {func(_ *Input, p *Private) { p.Epsilon = nan }, "epsilon is NaN"},
		"delta 0":          {func(_ *Input, p *Private) { p.Delta = 0 }, "delta is 0"},
		"delta 1":          {func(_ *Input, p *Private) { p.Delta = 1 }, "delta is 1"},
		"clip":             {func(_ *Input, p *Private) { p.Clip = -1 }, "clip is -1"},
		"steps":            {func(_ *Input, p *Private) { p.Steps = -1 }, "steps is -1"},
		"rate":             {func(_ *Input, p *Private) { p.Rate = 1.5 }, "sample rate is 1.5"},
		"learning rate":    {func(_ *Input, p *Private) { p.LearningRate = nan }, "learning rate is NaN"},
		"too private":      {func(_ *Input, p *Private) { p.Epsilon = 1e-9 }, "ask for a larger epsilon"},
		"weights":          {func(in *Input, _ *Private) { in.Weight = "debt"; in.Features = []string{"income", "job"} }, "does not take weights"},
		"no bounds":        {func(_ *Input, p *Private) { delete(p.Bounds, "income") }, `column "income": private training must not look at the data for the scale of a number; declare its bounds`},
		"no levels":        {func(_ *Input, p *Private) { p.Levels = nil }, `column "job": private training must not look at the data for the values of a category; declare its levels`},
		"bounds crossed":   {func(_ *Input, p *Private) { p.Bounds["income"] = Range{1, 1} }, "bounds are 1 to 1"},
		"bounds infinite":  {func(_ *Input, p *Private) { p.Bounds["income"] = Range{0, math.Inf(1)} }, "two finite numbers"},
		"bounds too close": {func(_ *Input, p *Private) { p.Bounds["income"] = Range{0, 5e-324} }, "two finite numbers"},
		"empty levels":     {func(_ *Input, p *Private) { p.Levels["job"] = nil }, "levels are empty"},
		"level twice":      {func(_ *Input, p *Private) { p.Levels["job"] = []string{"a", "b", "a"} }, "declared twice"},
		"level no text":    {func(_ *Input, p *Private) { p.Levels["job"] = []string{"\xff"} }, "not valid UTF-8"},
		"levels of number": {func(_ *Input, p *Private) { p.Levels["income"] = []string{"a"} }, "it holds numbers"},
		"bounds of levels": {func(_ *Input, p *Private) { p.Bounds["job"] = Range{0, 1} }, "it holds categories"},
		"no such feature":  {func(_ *Input, p *Private) { p.Bounds["incone"] = Range{0, 1} }, `column "incone": bounds or levels are declared for it, but it is no feature`},
		"no column":        {func(in *Input, p *Private) { in.Features = append(in.Features, "age"); p.Bounds["age"] = Range{0, 1} }, "not in the training data"},
		"one class": {func(in *Input, _ *Private) {
			in.Frame = lending(0+2, 1).Frame
			in.Frame.Columns[3] = categorical("repaid", "yes", "yes")
		}, "same value"},
	} {
		t.Run(name, func(t *testing.T) {
			in, p := lending(50, 1), declared(1, 1)
			c.change(&in, &p)
			_, err := TrainPrivate(t.Context(), in, p, nil)
			require.ErrorAs(t, err, new(*InputError))
			require.ErrorContains(t, err, c.want)
		})
	}
	p := declared(1, 1)
	p.Random = strings.NewReader("short")
	_, err := TrainPrivate(t.Context(), lending(50, 1), p, nil)
	require.ErrorContains(t, err, "read 32 random bytes")
}
