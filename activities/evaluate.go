package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// Columns of the stored predictions, beside those of the slices. The underscore keeps them apart from a user's.
const (
	columnRow   = "_row"
	columnLabel = "_label" // 1 positive, 0 negative
	columnScore = "_score"
)

// missingGroup names the rows whose group is not known: they are compared like any other group.
const missingGroup = "(missing)"

// evaluateParams are what the evaluation depends on.
type evaluateParams struct {
	Prepared artifact.Ref  `json:"prepared"`
	Model    artifact.Ref  `json:"model"`
	Target   spec.Target   `json:"target"`
	Evaluate spec.Evaluate `json:"evaluate"`
	Groups   []string      `json:"groups"`
	Seed     int64         `json:"seed"`
}

// Evaluate scores the test part once, stores the predictions, and computes every metric from them.
func (a *Audit) Evaluate(ctx context.Context, in stage.AuditInput) (stage.Evaluated, error) {
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Evaluated{}, err
	}
	params := evaluateParams{in.Prepared, in.Model, s.Data.Target, s.Evaluate, groupColumns(s), s.Data.Split.Seed}
	return stored(ctx, a.Store, stage.Evaluate, versionEvaluate, params, func() (stage.Evaluated, error) {
		defer attend(ctx)()
		predictions, used, err := a.score(ctx, s, in)
		if err != nil {
			return stage.Evaluated{}, err
		}
		ref, err := table.WriteFrame(ctx, a.Store, predictions, a.Limits)
		if err != nil {
			return stage.Evaluated{}, err
		}
		// Metrics come from what was stored, not from what was in memory: anyone can compute them again.
		scored, err := a.predictions(ctx, s, ref)
		if err != nil {
			return stage.Evaluated{}, err
		}
		evaluated, err := a.evaluate(ctx, s, scored, ref)
		evaluated.Usage = used
		return evaluated, err
	})
}

func (a *Audit) evaluate(ctx context.Context, s *spec.Spec, scored scored, predictions artifact.Ref) (stage.Evaluated, error) {
	options := statsOptions(s)
	overall, err := stats.Evaluate(scored.sample, options)
	if err != nil {
		return stage.Evaluated{}, err
	}
	evaluation := report.Evaluation{Overall: overall}
	for _, name := range groupColumns(s) {
		slices, err := stats.EvaluateSlices(scored.sample, name, scored.groups[name], options)
		if err != nil {
			return stage.Evaluated{}, err
		}
		evaluation.Slices = append(evaluation.Slices, slices...)
	}
	ref, err := artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, evaluation)
	if err != nil {
		return stage.Evaluated{}, err
	}
	summary := fmt.Sprintf("%d test rows, %d slices", overall.N, len(evaluation.Slices))
	for _, name := range []string{stats.AreaUnderROC, stats.Accuracy} {
		if e, ok := overall.Metric(name); ok && e.Defined() {
			summary += fmt.Sprintf(", %s %.4f (%.4f to %.4f)", name, e.Value, e.Low, e.High)
		}
	}
	return stage.Evaluated{Answer: stage.Answer{Summary: summary}, Predictions: predictions, Report: ref}, nil
}

// score gives the test part's predictions: row, label, score and the columns that make groups.
func (a *Audit) score(ctx context.Context, s *spec.Spec, in stage.AuditInput) (*table.Frame, stage.Usage, error) {
	test, err := a.testPart(ctx, s, in)
	if err != nil {
		return nil, stage.Usage{}, err
	}
	var scores []float64
	used, err := a.asking(ctx, in.Model, func(p model.Predictor) error {
		scores, err = p.Predict(ctx, test)
		return err
	})
	if err != nil {
		return nil, stage.Usage{}, fmt.Errorf("score the test part: %w", err)
	}
	labels, err := labels(test, s.Data.Target)
	if err != nil {
		return nil, stage.Usage{}, err
	}
	numbers := make([]float64, len(labels))
	for i, positive := range labels {
		if positive {
			numbers[i] = 1
		}
	}
	rows, err := test.Column(columnRow)
	if err != nil {
		return nil, stage.Usage{}, err
	}
	out := &table.Frame{Rows: test.Rows, Columns: []table.Column{
		*rows, {Name: columnLabel, Kind: table.Numeric, Numbers: numbers}, {Name: columnScore, Kind: table.Numeric, Numbers: scores},
	}}
	for _, name := range groupColumns(s) {
		c, err := asNames(test, name)
		if err != nil {
			return nil, stage.Usage{}, err
		}
		out.Columns = append(out.Columns, c)
	}
	return out, used, nil
}

// asking opens a model, asks it, and closes it. The usage is that of the model's own program, if it has one. Heartbeats
// say that this process attends to it: each request to a program has a time limit of its own.
func (a *Audit) asking(ctx context.Context, ref artifact.Ref, ask func(model.Predictor) error) (stage.Usage, error) {
	defer attend(ctx)()
	m, err := a.Models.Open(ctx, ref)
	if err != nil {
		return stage.Usage{}, err
	}
	err = ask(m)
	err = errors.Join(err, m.Close())
	u := m.Usage()
	return stage.Usage{CPUSeconds: u.CPU.Seconds(), PeakMemoryBytes: u.PeakMemoryBytes}, err
}

// testPart reads the test rows with everything an audit may want.
func (a *Audit) testPart(ctx context.Context, s *spec.Spec, in stage.AuditInput) (*table.Frame, error) {
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
		return nil, err
	}
	columns := append(featureColumns(parts),
		table.Wanted{Name: s.Data.Target.Column, Kind: table.Categorical}, table.Wanted{Name: columnRow, Kind: table.Numeric})
	for _, name := range groupColumns(s) {
		if !wanted(columns, name) {
			columns = append(columns, table.Wanted{Name: name, Kind: table.Categorical})
		}
	}
	return table.ReadFrame(ctx, a.Store, parts.Test, columns, a.Limits)
}

func wanted(columns []table.Wanted, name string) bool {
	for _, c := range columns {
		if c.Name == name {
			return true
		}
	}
	return false
}

// scored is the stored predictions as the audits take them.
type scored struct {
	sample stats.Sample
	groups map[string][]string // by column, a name per row
}

func (a *Audit) predictions(ctx context.Context, s *spec.Spec, ref artifact.Ref) (scored, error) {
	columns := []table.Wanted{{Name: columnLabel, Kind: table.Numeric}, {Name: columnScore, Kind: table.Numeric}}
	for _, name := range groupColumns(s) {
		columns = append(columns, table.Wanted{Name: name, Kind: table.Categorical})
	}
	f, err := table.ReadFrame(ctx, a.Store, ref, columns, a.Limits)
	if err != nil {
		return scored{}, err
	}
	out := scored{groups: map[string][]string{}}
	out.sample.Score = f.Columns[1].Numbers
	for _, v := range f.Columns[0].Numbers {
		out.sample.Y = append(out.sample.Y, v == 1)
	}
	for i := range f.Columns[2:] {
		c := &f.Columns[2+i]
		out.groups[c.Name] = texts(c, f.Rows)
	}
	return out, nil
}
