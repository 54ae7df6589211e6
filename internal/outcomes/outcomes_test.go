package outcomes_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/mitigation"
	"github.com/assay-ml/assay/internal/outcomes"
	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/assay-ml/assay/internal/spec"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// logged is a store with the answers and labels given.
func logged(t *testing.T, records []predictionlog.Record, labels []predictionlog.Label) artifact.Store {
	t.Helper()
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	quiet := predictionlog.Options{MaxAge: time.Hour, SyncEvery: time.Hour, Clock: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler)}
	w, err := predictionlog.OpenWriter(store, t.TempDir(), "credit", quiet)
	require.NoError(t, err)
	require.NoError(t, w.Append(records...))
	require.NoError(t, w.Close(context.Background()))
	l, err := predictionlog.OpenLabelWriter(store, t.TempDir(), "credit", quiet)
	require.NoError(t, err)
	require.NoError(t, l.Append(labels...))
	require.NoError(t, l.Close(context.Background()))
	return store
}

func answer(id, sex string, age, score float64) predictionlog.Record {
	return predictionlog.Record{Time: noon, ID: id, Version: 3, Role: predictionlog.Champion, Status: 200, Score: &score, Features: map[string]any{"sex": sex, "age": age}}
}

// treated are 200 answers: of 100 women 20 are selected, of 100 men 50; every second is truly so.
func treated() ([]predictionlog.Record, []predictionlog.Label) {
	var records []predictionlog.Record
	var labels []predictionlog.Label
	for i := range 200 {
		sex, score := "female", 0.4
		if i >= 100 {
			sex = "male"
		}
		if i < 20 || i >= 150 {
			score = 0.6
		}
		id := fmt.Sprint("p", i)
		records = append(records, answer(id, sex, float64(20+i%40), score))
		labels = append(labels, predictionlog.Label{Time: noon.Add(time.Hour), ID: id, Label: []string{"no", "yes"}[i%2]})
	}
	return records, labels
}

func specOf(t *testing.T) *spec.Spec {
	t.Helper()
	threshold := 0.5
	s := &spec.Spec{}
	s.Data.Target = spec.Target{Column: "approved", Positive: "yes"}
	s.Data.Protected = []string{"sex", "age"}
	s.Evaluate.Threshold = &threshold
	s.Fairness.Bands = []spec.Bands{{Column: "age", From: []float64{40}}}
	return s
}

var window = outcomes.Window{Model: "credit", Version: 3, Columns: []string{"sex", "age"}}

func TestGroupsAreComparedOnWhatTurnedOutToBeTrue(t *testing.T) {
	records, labels := treated()
	failed, other := answer("p200", "male", 30, 0.9), answer("p201", "male", 30, 0.9)
	failed.Status, other.Version = 503, 2
	silent := answer("p202", "male", 30, 0.9)
	labels = append(labels, predictionlog.Label{Time: noon, ID: "p0", Label: "yes"}, predictionlog.Label{Time: noon, ID: "p200", Label: "yes"}, predictionlog.Label{Time: noon, ID: "p201", Label: "yes"})
	o, err := outcomes.Read(t.Context(), logged(t, append(records, failed, other, silent), labels), window)
	require.NoError(t, err)
	require.Equal(t, 201, o.Answered, "without the failed one and that of another version")
	require.Len(t, o.Labels, 200)
	require.Equal(t, "no", o.Labels[0], "the label that came last counts")

	found, err := o.Fairness(specOf(t), nil)
	require.NoError(t, err)
	g, ok := found.Examination.Divisions[0].Gap(fairness.DemographicParityDifference)
	require.True(t, ok)
	require.InDelta(t, 0.3, g.Value, 1e-12)
	require.Equal(t, "male", g.Highest)
	require.Equal(t, []string{"40 and over", "under 40"}, []string{found.Examination.Divisions[1].Groups[0].Name, found.Examination.Divisions[1].Groups[1].Name})

	rule := &mitigation.Rule{Column: "sex", Fallback: 0.5, Thresholds: []mitigation.GroupThreshold{{Group: "female", Threshold: 0.3}}}
	found, err = o.Fairness(specOf(t), rule)
	require.NoError(t, err)
	g, _ = found.Examination.Divisions[0].Gap(fairness.DemographicParityDifference)
	require.InDelta(t, 0.5, g.Value, 1e-12, "all women reach their own threshold")
}

func TestNumbersAreComparedByTheirErrors(t *testing.T) {
	records, labels := treated()
	for i := range labels {
		labels[i].Label = fmt.Sprint(i % 5)
	}
	s := specOf(t)
	s.Data.Target = spec.Target{Column: "rent", Task: "regression"}
	o, err := outcomes.Read(t.Context(), logged(t, records, labels), window)
	require.NoError(t, err)
	found, err := o.Fairness(s, nil)
	require.NoError(t, err)
	require.Equal(t, 200, found.Numbers.Rows)
	o.Labels[7] = "much"
	_, err = o.Fairness(s, nil)
	require.ErrorContains(t, err, `the label of prediction "p7" is no number`)
}

func TestOutcomesThatCannotBeCompared(t *testing.T) {
	records, labels := treated()
	store := logged(t, records, nil)
	o, err := outcomes.Read(t.Context(), store, window)
	require.NoError(t, err)
	_, err = o.Fairness(specOf(t), nil)
	require.ErrorIs(t, err, outcomes.ErrNoOutcomes)
	require.ErrorContains(t, err, "200 answers were given; send labels")

	o, err = outcomes.Read(t.Context(), logged(t, records, labels), window)
	require.NoError(t, err)
	s := specOf(t)
	s.Data.Protected = []string{"faith"}
	_, err = o.Fairness(s, nil)
	require.ErrorContains(t, err, `no answer was logged with the column "faith", which the model is not given`)
	s.Data.Protected = nil
	_, err = o.Fairness(s, nil)
	require.ErrorContains(t, err, "names no protected columns")
	s.Data.Target.Task = "multiclass"
	_, err = o.Fairness(s, nil)
	require.ErrorContains(t, err, "most probable one only")
	o, err = outcomes.Read(t.Context(), store, outcomes.Window{Model: "credit", Version: 3, Since: noon.Add(time.Minute)})
	require.NoError(t, err)
	require.Zero(t, o.Answered, "before the window")
}
