package trainer

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// declareAdult declares what the census codebook says; levels are those of adult.names.
func declareAdult(f *table.Frame, in Input, p Private) Private {
	p.Bounds = map[string]Range{
		"age": {17, 90}, "education-num": {1, 16}, "capital-gain": {0, 10000}, "capital-loss": {0, 4356}, "hours-per-week": {1, 99},
	}
	p.Levels = map[string][]string{}
	for _, c := range f.Columns {
		for _, name := range in.Features {
			if c.Name == name && c.Kind == table.Categorical {
				p.Levels[name] = c.Levels
			}
		}
	}
	return p
}

func TestAdultIsLearntPrivately(t *testing.T) {
	train, test := readAdult(t, "adult_train.csv"), readAdult(t, "adult_test.csv")
	in := adultInput(train, "fnlwgt")
	for _, c := range []struct{ epsilon, least float64 }{{0.3, 0.895}, {1, 0.9}, {3, 0.9}} {
		p := declareAdult(train, in, Private{Epsilon: c.epsilon, Delta: 1e-6})
		p.Random = bytes.NewReader(bytes.Repeat([]byte{byte(10 * c.epsilon)}, 32))
		out, err := TrainPrivate(t.Context(), in, p, nil)
		require.NoError(t, err)
		auc := stats.AUC(scoreOf(t, out.Predictor, test, "income", ">50K"), 0.95)
		t.Logf("epsilon %.4f at delta 1e-6, noise multiplier %.3f: AUC %.4f", out.Manifest.Privacy.Epsilon, out.Manifest.Privacy.NoiseMultiplier, auc.Value)
		require.LessOrEqual(t, out.Manifest.Privacy.Epsilon, c.epsilon)
		require.Greater(t, auc.Value, c.least)
	}
}
