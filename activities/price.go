package activities

import (
	"context"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/mitigation"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/internal/trainer"
)

// price compares the candidate on the test rows with what it would have been without the mitigation: the same scores at one threshold
// for all, and where rows were weighed the scores of a twin that was trained without the weights.
func (a *Audit) price(ctx context.Context, s *spec.Spec, in stage.AuditInput, p evaluation.Predictions, places []int, found *report.Fairness) error {
	m := s.Mitigation
	if p.Task != stats.Binary || len(m.Reweighing) == 0 && m.Thresholds == nil {
		return nil
	}
	after := stats.Sample{Y: make([]bool, len(places)), Score: at(p.Score, places)}
	for k, i := range places {
		after.Y[k] = p.Y[i] == 1
	}
	if p.Cut != nil {
		after.Cut = at(p.Cut, places)
	}
	before := stats.Sample{Y: after.Y, Score: after.Score}
	price := mitigation.Priced{Columns: m.Reweighing, Weights: len(m.Reweighing) > 0, Thresholds: m.Thresholds != nil}
	if m.Thresholds != nil {
		price.Columns = []string{m.Thresholds.Column}
	}
	if price.Weights {
		scores, why, err := a.unweighted(ctx, s, in)
		switch {
		case err != nil:
			return err
		case scores != nil:
			before.Score = at(scores, places)
		default:
			found.NotPriced = why
			if price.Weights = false; !price.Thresholds {
				return nil
			}
		}
	}
	groups := pick(p.Groups[price.Columns[0]], places)
	for _, column := range price.Columns[1:] {
		for k, value := range pick(p.Groups[column], places) {
			groups[k] = strings.Join([]string{groups[k], value}, ", ")
		}
	}
	cost, err := mitigation.Price(before, after, groups, threshold(s), 0)
	if err != nil {
		found.NotPriced = notComputed(err)
		return nil
	}
	price.Cost, found.Price = cost, &price
	return nil
}

// unweighted are the scores of the test rows by a model that was trained as the candidate was, but for the weights of the
// reweighing; without one, why there is none.
func (a *Audit) unweighted(ctx context.Context, s *spec.Spec, in stage.AuditInput) (scores []float64, why string, err error) {
	switch {
	case s.Train.Trainer != spec.TrainerLogistic:
		return nil, "What the weights cost is not known: the program would have to be run again without them.", nil
	case s.Train.Private != nil:
		return nil, "What the weights cost is not known: another private training would have to be paid for.", nil
	case s.Train.Sweep != nil:
		return nil, "What the weights cost is not known: the parameters would have to be searched again without them.", nil
	}
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
		return nil, "", err
	}
	parts.Weight = ""
	frame, err := table.ReadFrame(ctx, a.Store, parts.Train, trainingColumns(s, parts), a.Limits)
	if err != nil {
		return nil, "", err
	}
	test, err := table.ReadFrame(ctx, a.Store, parts.Test, featureColumns(parts), a.Limits)
	if err != nil {
		return nil, "", err
	}
	run, err := trainer.New(s.Train.Trainer)
	if err != nil {
		return nil, "", err
	}
	settings, err := trainer.SettingsOf(s.Train.Parameters)
	if err != nil {
		return nil, "", err
	}
	twin, err := run.Train(ctx, trainer.Input{
		Frame: frame, Features: featureNames(parts), Target: s.Data.Target.Column, Positive: s.Data.Target.Positive, Weight: s.Data.Weight,
		Settings: settings, Seed: s.Data.Split.Seed,
	}, nil)
	if err != nil {
		return nil, "", err
	}
	scores, err = twin.Predictor.Predict(ctx, test)
	return scores, "", err
}
