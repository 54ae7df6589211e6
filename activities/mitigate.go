package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/mitigation"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// weightColumn is the name that training programs know computed weights by, as scikit-learn does.
const weightColumn = "sample_weight"

// Reweigh gives the rows of the training and the validation part weights that make the protected groups and the label
// independent. The weights are found on the training part alone.
func (d *Data) Reweigh(ctx context.Context, in stage.ReweighInput) (stage.Reweighed, error) {
	s, err := loadSpec(ctx, d.Store, in.Spec)
	if err != nil {
		return stage.Reweighed{}, err
	}
	params := struct {
		Prepared artifact.Ref `json:"prepared"`
		Target   spec.Target  `json:"target"`
		Columns  []string     `json:"columns"`
		Bands    []spec.Bands `json:"bands,omitempty"`
	}{in.Prepared, s.Data.Target, s.Mitigation.Reweighing, s.Fairness.Bands}
	return stored(ctx, d.Store, stage.Reweigh, versionReweigh, params, func() (stage.Reweighed, error) {
		defer attend(ctx)()
		return d.reweigh(ctx, s, in)
	})
}

func (d *Data) reweigh(ctx context.Context, s *spec.Spec, in stage.ReweighInput) (stage.Reweighed, error) {
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, d.Store, in.Prepared, &parts); err != nil {
		return stage.Reweighed{}, err
	}
	y, groups, err := d.groupsAndLabels(ctx, s, parts.Train)
	if err != nil {
		return stage.Reweighed{}, err
	}
	weights, cells, err := mitigation.Weights(y, groups)
	if err != nil {
		return stage.Reweighed{}, err
	}
	parts.Weight = weightColumn
	if parts.Train, err = table.WithColumn(ctx, d.Store, parts.Train, weightColumn, weights, d.Limits); err != nil {
		return stage.Reweighed{}, err
	}
	if !parts.Validation.IsZero() {
		if y, groups, err = d.groupsAndLabels(ctx, s, parts.Validation); err != nil {
			return stage.Reweighed{}, err
		}
		if parts.Validation, err = table.WithColumn(ctx, d.Store, parts.Validation, weightColumn, weightsOf(cells, y, groups), d.Limits); err != nil {
			return stage.Reweighed{}, err
		}
	}
	var out stage.Reweighed
	if out.Prepared.Prepared, err = artifact.PutJSON(ctx, d.Store, artifact.MediaJSON, parts); err != nil {
		return stage.Reweighed{}, err
	}
	if out.Report, err = artifact.PutJSON(ctx, d.Store, artifact.MediaJSON, mitigation.Reweighing{Columns: s.Mitigation.Reweighing, Rows: len(y), Cells: cells}); err != nil {
		return stage.Reweighed{}, err
	}
	for _, part := range []artifact.Ref{parts.Train, parts.Validation, parts.Test, parts.Profile} {
		if !part.IsZero() {
			out.Parts = append(out.Parts, part)
		}
	}
	least, most := slices.MinFunc(cells, byWeight), slices.MaxFunc(cells, byWeight)
	out.Summary = fmt.Sprintf("%d groups and labels of %s, weights %.3g to %.3g", len(cells), strings.Join(s.Mitigation.Reweighing, " and "), least.Weight, most.Weight)
	return out, nil
}

func byWeight(a, b mitigation.Cell) int {
	switch {
	case a.Weight < b.Weight:
		return -1
	case a.Weight > b.Weight:
		return 1
	}
	return 0
}

// groupsAndLabels reads a part's labels and, joined into one name a row, its groups.
func (d *Data) groupsAndLabels(ctx context.Context, s *spec.Spec, part artifact.Ref) ([]bool, []string, error) {
	wanted := []table.Wanted{{Name: s.Data.Target.Column, Kind: table.Categorical}}
	wanted = append(wanted, groupsWanted(s, s.Mitigation.Reweighing)...)
	f, err := table.ReadFrame(ctx, d.Store, part, wanted, d.Limits)
	if err != nil {
		return nil, nil, err
	}
	y, err := positives(f, s.Data.Target)
	if err != nil {
		return nil, nil, err
	}
	columns := grouped(s, f.Columns[1:], f.Rows)
	groups := texts(&columns[0], f.Rows)
	for k := range columns[1:] {
		for i, name := range texts(&columns[1+k], f.Rows) {
			groups[i] += ", " + name
		}
	}
	return y, groups, nil
}

// weightsOf are the weights of rows by their group and label; 1 where the training part has no such rows.
func weightsOf(cells []mitigation.Cell, y []bool, groups []string) []float64 {
	type key struct {
		group    string
		positive bool
	}
	weight := map[key]float64{}
	for _, c := range cells {
		weight[key{c.Group, c.Positive}] = c.Weight
	}
	out := make([]float64, len(y))
	for i := range y {
		out[i] = 1
		if w, ok := weight[key{groups[i], y[i]}]; ok && w > 0 {
			out[i] = w
		}
	}
	return out
}

// ChooseThresholds finds a threshold for each group of a protected column from the candidate's answers on the validation part.
func (a *Audit) ChooseThresholds(ctx context.Context, in stage.AuditInput) (stage.Audited, error) {
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Audited{}, err
	}
	params := struct {
		Prepared   artifact.Ref          `json:"prepared"`
		Model      artifact.Ref          `json:"model"`
		Target     spec.Target           `json:"target"`
		Thresholds *spec.GroupThresholds `json:"thresholds"`
		Threshold  *float64              `json:"threshold"`
		MinGroup   int                   `json:"min_group"`
		Bands      []spec.Bands          `json:"bands,omitempty"`
	}{in.Prepared, in.Model, s.Data.Target, s.Mitigation.Thresholds, s.Evaluate.Threshold, s.Evaluate.SmallestGroup(), s.Fairness.Bands}
	return stored(ctx, a.Store, stage.Cut, versionCut, params, func() (stage.Audited, error) {
		sample, groups, used, err := a.validationAnswers(ctx, s, in)
		if err != nil {
			return stage.Audited{}, err
		}
		rule, err := mitigation.Thresholds(sample, groups, mitigation.Options{
			Column: s.Mitigation.Thresholds.Column, Constraint: s.Mitigation.Thresholds.Constraint,
			Threshold: *s.Evaluate.Threshold, MinGroup: s.Evaluate.SmallestGroup(),
		})
		if err != nil {
			return stage.Audited{}, err
		}
		var parts []string
		for _, t := range rule.Thresholds {
			parts = append(parts, fmt.Sprintf("%s %.3g", t.Group, t.Threshold))
		}
		audited, err := a.file(ctx, rule, shortened(fmt.Sprintf("for %s: %s", s.Mitigation.Thresholds.Constraint, strings.Join(parts, ", "))))
		audited.Usage = used
		return audited, err
	})
}

// validationAnswers are the candidate's answers on the validation part, with each row's group.
func (a *Audit) validationAnswers(ctx context.Context, s *spec.Spec, in stage.AuditInput) (sample stats.Sample, groups []string, used stage.Usage, err error) {
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
		return sample, nil, used, err
	}
	wanted := append(featureColumns(parts), table.Wanted{Name: s.Data.Target.Column, Kind: table.Categorical})
	f, err := table.ReadFrame(ctx, a.Store, parts.Validation, wanted, a.Limits)
	if err != nil {
		return sample, nil, used, err
	}
	by, err := table.ReadFrame(ctx, a.Store, parts.Validation, groupsWanted(s, []string{s.Mitigation.Thresholds.Column}), a.Limits)
	if err != nil {
		return sample, nil, used, err
	}
	if sample.Y, err = positives(f, s.Data.Target); err != nil {
		return sample, nil, used, err
	}
	used, err = a.asking(ctx, in.Model, func(p model.Predictor) (err error) {
		sample.Score, err = p.Predict(ctx, f)
		return err
	})
	return sample, texts(&grouped(s, by.Columns, by.Rows)[0], by.Rows), used, err
}

// cutColumn is the score from which each row is predicted positive, by its group.
func (a *Audit) cutColumn(ctx context.Context, ref artifact.Ref, groups *table.Frame) (table.Column, error) {
	var rule mitigation.Rule
	if err := artifact.ReadJSON(ctx, a.Store, ref, &rule); err != nil {
		return table.Column{}, err
	}
	c, err := groups.Column(rule.Column)
	if err != nil {
		return table.Column{}, err
	}
	return table.Column{Name: columnCut, Kind: table.Numeric, Numbers: cuts(rule, texts(c, groups.Rows))}, nil
}

func cuts(rule mitigation.Rule, groups []string) []float64 {
	out := make([]float64, len(groups))
	for i, group := range groups {
		out[i] = rule.Cut(group)
	}
	return out
}

// championCut applies the champion's own thresholds by group, when it has any.
func (a *Audit) championCut(ctx context.Context, p evaluation.Predictions, champion stage.Rival) ([]float64, error) {
	if champion.Rule.IsZero() {
		return nil, nil
	}
	var rule mitigation.Rule
	if err := artifact.ReadJSON(ctx, a.Store, champion.Rule, &rule); err != nil {
		return nil, err
	}
	groups, ok := p.Groups[rule.Column]
	if !ok {
		return nil, errors.New("compare with the champion: its thresholds are by group of " + rule.Column + ", which the spec does not name; add the column to data.protected or evaluate.slices")
	}
	return cuts(rule, groups), nil
}
