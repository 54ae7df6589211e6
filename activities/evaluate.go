package activities

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// evaluateParams are what the evaluation depends on.
type evaluateParams struct {
	Prepared   artifact.Ref            `json:"prepared"`
	Model      artifact.Ref            `json:"model"`
	Target     spec.Target             `json:"target"`
	Evaluate   spec.Evaluate           `json:"evaluate"`
	Groups     []string                `json:"groups"`
	Protected  []string                `json:"protected"`
	Seed       int64                   `json:"seed"`
	Unlabelled bool                    `json:"unlabelled,omitempty"`
	Labels     artifact.Ref            `json:"labels,omitzero"`
	Metrics    map[string]artifact.Ref `json:"metrics,omitempty"`
	Thresholds artifact.Ref            `json:"thresholds,omitzero"`
	Bands      []spec.Bands            `json:"bands,omitempty"`
}

// Evaluate scores the test part once, stores the predictions, and computes every metric from them.
func (a *Audit) Evaluate(ctx context.Context, in stage.AuditInput) (stage.Evaluated, error) {
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Evaluated{}, err
	}
	params := evaluateParams{in.Prepared, in.Model, s.Data.Target, s.Evaluate, groupColumns(s), s.Data.Protected, s.Data.Split.Seed, s.Gates.Labels != nil, in.Labels, in.MetricCode, in.Thresholds, s.Fairness.Bands}
	evaluated, err := stored(ctx, a.Store, stage.Evaluate, versionEvaluate, params, func() (stage.Evaluated, error) {
		defer attend(ctx)()
		predictions, used, err := a.predictions(ctx, s, in)
		if err != nil {
			return stage.Evaluated{}, err
		}
		ref, err := table.WriteFrame(ctx, a.Store, predictions, a.Limits)
		if err != nil {
			return stage.Evaluated{}, err
		}
		// Metrics come from what was stored, not from what was in memory: anyone can compute them again.
		p, err := a.readPredictions(ctx, s, ref, in.Prepared)
		if err != nil {
			return stage.Evaluated{}, err
		}
		evaluated, err := a.evaluate(ctx, s, p, ref)
		evaluated.Usage = used
		return evaluated, err
	})
	if err == nil && s.Gates.TestSet != nil {
		evaluated.Summary = sealing(s, "test rows scored")
	}
	return evaluated, err
}

func (a *Audit) evaluate(ctx context.Context, s *spec.Spec, p evaluation.Predictions, predictions artifact.Ref) (stage.Evaluated, error) {
	found, err := evaluation.Evaluate(p, evaluationOptions(s))
	if err != nil {
		return stage.Evaluated{}, err
	}
	ref, err := artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, found)
	if err != nil {
		return stage.Evaluated{}, err
	}
	summary := fmt.Sprintf("%d test rows, %d slices", found.Rows, len(found.Slices))
	if found.Labelled < found.Rows {
		summary += fmt.Sprintf(", %d labelled", found.Labelled+found.Chosen)
	}
	for _, name := range headline[found.Task] {
		if e, ok := found.Overall.Metric(name); ok && e.Defined() {
			summary += fmt.Sprintf(", %s %s (%s to %s)", name, digits(e.Value, 4), digits(e.Low, 4), digits(e.High, 4))
		}
	}
	return stage.Evaluated{Answer: stage.Answer{Summary: summary}, Predictions: predictions, Report: ref}, nil
}

// digits writes a number with so many significant digits, zeros at the end among them, so that figures on a line compare; at most one
// more stands after the point.
func digits(v float64, n int) string {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'g', n, 64)
	}
	after := n - 1 - int(math.Floor(math.Log10(math.Abs(v))))
	return strconv.FormatFloat(v, 'f', min(max(after, 0), n+1), 64)
}

// headline is the metrics that a line of progress has place for.
var headline = map[stats.Task][]string{
	stats.Binary:     {stats.AreaUnderROC, stats.Accuracy},
	stats.Multiclass: {stats.Accuracy, stats.F1Macro},
	stats.Regression: {stats.RMSE, stats.R2},
}

func evaluationOptions(s *spec.Spec) evaluation.Options {
	return evaluation.Options{Seed: uint64(s.Data.Split.Seed), Slices: groupColumns(s), Crossed: s.Data.Protected, MinGroup: s.Evaluate.SmallestGroup()}
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

// testPart reads the test rows with everything an explanation may want.
func (a *Audit) testPart(ctx context.Context, s *spec.Spec, in stage.AuditInput) (*table.Frame, error) {
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
		return nil, err
	}
	columns := append(featureColumns(parts), table.Wanted{Name: columnRow, Kind: table.Numeric})
	return table.ReadFrame(ctx, a.Store, parts.Test, columns, a.Limits)
}
