package report

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/spec"
)

func TestTellingCurvesComeFirstAndTheRestIsNamed(t *testing.T) {
	g := curvesOf(trained(t))
	var titles []string
	for _, p := range g.Pictures {
		titles = append(titles, p.Title)
	}
	require.Equal(t, []string{"val_auc", "val_loss", "train_loss", "val_accuracy", "epoch_seconds", "grad_norm"}, titles)
	require.Equal(t, "2 further curves are left out: learning_rate and tokens_per_second. The dossier’s JSON holds them.", plain(g.Note))

	names := []string{"z", "train/acc", "validation/score", "eval_loss", "loss", "AUC"}
	slices.SortStableFunc(names, func(a, b string) int { return telling(a, b, nil) })
	require.Equal(t, []string{"validation/score", "eval_loss", "loss", "AUC", "train/acc", "z"}, names)
}

func TestCurveIsDescribedInWords(t *testing.T) {
	curve := func(values ...float64) model.Curve {
		c := model.Curve{Name: "loss"}
		for i, v := range values {
			c.Points = append(c.Points, model.Point{Step: float64(10 * (i + 1)), Value: v})
		}
		return c
	}
	for _, c := range []struct {
		name  string
		curve model.Curve
		want  string
	}{
		{"falling", curve(0.7, 0.25, 0.3), "Ended at 0.3 (step 30). Lowest 0.25 (step 20), highest 0.7 (step 10)."},
		{"constant", curve(0.5, 0.5), "0.5 throughout, 2 reports."},
		{"single", curve(0.5), "Reported once: 0.5 (step 10)."},
		{"over many decades", curve(20_000, 0.5), "Ended at 0.5 (step 20). Lowest 0.5 (step 20), highest 20,000 (step 10). The scale is logarithmic: equal heights are equal ratios."},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := curvePicture("curve-1", c.curve)
			require.Equal(t, c.want, plain(p.Caption))
			require.Contains(t, string(p.Picture), ">"+measured(c.curve.Points[len(c.curve.Points)-1].Value)+"</text>", "the last value is written out")
			require.Contains(t, string(p.Picture), ">step</text>")
		})
	}
}

func TestCurvesWithoutPointsAreNoPictures(t *testing.T) {
	require.Nil(t, curvesOf(Dossier{Curves: []model.Curve{{Name: "empty"}, {Name: "none", Points: []model.Point{{Step: 1, Value: math.NaN()}, {Step: math.Inf(1)}}}}}))
}

func TestBestValueDependsOnTheMetric(t *testing.T) {
	m := func(name string) model.Metric { return model.Metric{Name: name, Last: 2, Least: 1, Most: 3} }
	s := &search.Report{Metric: "score", Goal: spec.SweepMinimize}
	for name, want := range map[string][2]string{
		"val_loss": {"1", "lowest"}, "accuracy": {"3", "highest"}, "train.acc": {"3", "highest"}, "pace": {"1", "to 3"}, "score": {"1", "lowest"},
	} {
		c := bestOf(m(name), s)
		require.Equal(t, want, [2]string{c.Text, plain(c.Note)}, name)
	}
	s.Goal = spec.SweepMaximize
	require.Equal(t, "3", bestOf(m("score"), s).Text)
}
