package activities

import (
	"context"
	"fmt"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/prometheus/client_golang/prometheus"
)

// Gate answers the spec's conditions.
func (a *Audit) Gate(ctx context.Context, in stage.GateInput) (stage.Gated, error) {
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Gated{}, err
	}
	params := struct {
		Evaluation artifact.Ref `json:"evaluation"`
		Fairness   artifact.Ref `json:"fairness"`
		Privacy    artifact.Ref `json:"privacy"`
		Conditions []string     `json:"conditions"`
	}{in.Evaluation, in.Fairness, in.Privacy, s.Gates.Conditions}
	gated, err := stored(ctx, a.Store, stage.Gate, versionGate, params, func() (stage.Gated, error) {
		evidence, err := a.evidence(ctx, in)
		if err != nil {
			return stage.Gated{}, err
		}
		var conditions []gate.Condition
		for _, text := range s.Gates.Conditions {
			c, err := gate.Parse(text)
			if err != nil {
				return stage.Gated{}, err
			}
			conditions = append(conditions, c)
		}
		results, verdict, err := gate.DecideAll(conditions, evidence.Lookup)
		if err != nil {
			return stage.Gated{}, err
		}
		ref, err := artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, report.Gate{Verdict: verdict, Results: results})
		if err != nil {
			return stage.Gated{}, err
		}
		return stage.Gated{Answer: stage.Answer{Summary: gateSummary(verdict, results)}, Verdicts: ref, Verdict: verdict}, nil
	})
	if err == nil {
		a.Verdicts.WithLabelValues(s.Model, string(gated.Verdict)).Inc()
	}
	return gated, err
}

// NewVerdicts counts the gate's verdicts by model, registered with r.
func NewVerdicts(r prometheus.Registerer) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "assay_gate_verdicts_total", Help: "Verdicts of the gate stage, answered anew or from the store."}, []string{"model", "verdict"})
	r.MustRegister(c)
	return c
}

func (a *Audit) evidence(ctx context.Context, in stage.GateInput) (gate.Evidence, error) {
	var evaluation report.Evaluation
	var e gate.Evidence
	for _, read := range []struct {
		ref  artifact.Ref
		into any
	}{{in.Evaluation, &evaluation}, {in.Fairness, &e.Fairness}, {in.Privacy, &e.Privacy}} {
		if err := artifact.ReadJSON(ctx, a.Store, read.ref, read.into); err != nil {
			return e, err
		}
	}
	e.Evaluation, e.Slices = evaluation.Overall, evaluation.Slices
	return e, nil
}

func gateSummary(verdict gate.Verdict, results []gate.Result) string {
	if len(results) == 0 {
		return "pass: the spec has no conditions"
	}
	passed, first := 0, ""
	for _, r := range results {
		if r.Verdict == gate.Pass {
			passed++
		} else if first == "" {
			first = ": " + r.Reason
		}
	}
	return fmt.Sprintf("%s, %d of %d conditions pass%s", verdict, passed, len(results), first)
}
