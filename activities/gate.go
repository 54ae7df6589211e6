package activities

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
	"github.com/prometheus/client_golang/prometheus"
)

// gateParams are what the verdicts depend on. Champion, cost, model and validation are among them only where a condition speaks of them, so
// that the same candidate asked again is the same question.
type gateParams struct {
	Predictions artifact.Ref            `json:"predictions"`
	Privacy     artifact.Ref            `json:"privacy"`
	Validation  artifact.Ref            `json:"validation,omitzero"`
	Conditions  []string                `json:"conditions"`
	Plan        gate.Plan               `json:"plan"`
	Policy      gate.Policy             `json:"policy"`
	Threshold   *float64                `json:"threshold,omitempty"`
	MinGroup    int                     `json:"min_group"`
	Own         []gate.Own              `json:"own,omitempty"`
	Seed        int64                   `json:"seed"`
	Champion    stage.Rival             `json:"champion,omitzero"`
	MetricCode  map[string]artifact.Ref `json:"metric_code,omitempty"` // that the champion is measured with
	Cost        stage.Usage             `json:"cost,omitzero"`
	Model       artifact.Ref            `json:"model,omitzero"`
}

// Gate answers the spec's conditions from the stored predictions, and counts the use of the test set when the spec wants it.
func (a *Audit) Gate(ctx context.Context, in stage.GateInput) (stage.Gated, error) {
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Gated{}, err
	}
	formulas, err := s.Formulas()
	if err != nil {
		return stage.Gated{}, err
	}
	params := paramsOf(s, formulas, in)
	key, err := artifact.NewStageKey(string(stage.Gate), versionGate, params)
	if err != nil {
		return stage.Gated{}, err
	}
	var set *testSet
	if s.Gates.TestSet != nil {
		if set, err = a.testSet(ctx, s, key, in); err != nil {
			return stage.Gated{}, err
		}
		if _, err := set.take(ctx, a); err != nil {
			if gated, ended := a.alarm(s.Model, err); ended {
				return gated, nil
			}
			return stage.Gated{}, err
		}
	}
	gated, err := stored(ctx, a.Store, stage.Gate, versionGate, params, func() (stage.Gated, error) {
		defer attend(ctx)()
		return a.decide(ctx, s, formulas, in)
	})
	if err != nil {
		return stage.Gated{}, err
	}
	if gated.Comparison, err = a.comparison(ctx, s, in); err != nil {
		return stage.Gated{}, err
	}
	if set != nil {
		if gated, err = set.count(ctx, a, s, gated); err != nil {
			return stage.Gated{}, err
		}
	}
	a.Verdicts.WithLabelValues(s.Model, cmp.Or(string(gated.Verdict), "sealed")).Inc()
	return gated, nil
}

func paramsOf(s *spec.Spec, formulas []gate.Formula, in stage.GateInput) gateParams {
	p := gateParams{
		Predictions: in.Predictions, Privacy: in.Privacy, Conditions: s.Gates.Conditions, Plan: planOf(s), Policy: gate.Policy(s.Gates.Inconclusive),
		Threshold: s.Evaluate.Threshold, MinGroup: s.Evaluate.SmallestGroup(), Own: s.Evaluate.Own(), Seed: s.Data.Split.Seed,
	}
	for _, f := range formulas {
		if f.Compares() {
			p.Champion, p.MetricCode = in.Champion, in.MetricCode
		}
		for _, q := range f.Quantities() {
			switch q.Metric {
			case gate.TrainCPUSeconds, gate.TrainGPUSeconds:
				p.Cost = in.Cost
			case gate.ModelBytes, gate.LatencyP50, gate.LatencyP95, gate.LatencyP99:
				p.Model = in.Model
			case privacy.MetricPersonalColumns:
				p.Validation = in.Validation
			}
		}
	}
	return p
}

// planOf is how sure the verdicts are to be, and of how many.
func planOf(s *spec.Spec) gate.Plan {
	p := gate.Plan{Reliability: s.Gates.StatedReliability(), Answers: gate.Policy(s.Gates.Inconclusive).Answers()}
	if set := s.Gates.TestSet; set != nil {
		p.Adaptivity, p.Steps = gate.Adaptivity(set.Adaptivity), set.Steps
	}
	return p
}

func (a *Audit) decide(ctx context.Context, s *spec.Spec, formulas []gate.Formula, in stage.GateInput) (stage.Gated, error) {
	p, err := a.readPredictions(ctx, s, in.Predictions, in.Prepared)
	if err != nil {
		return stage.Gated{}, err
	}
	if p, err = a.withChampion(ctx, p, in.Champion); err != nil {
		return stage.Gated{}, err
	}
	options, err := a.sourceOptions(ctx, s, formulas, &p, in)
	if err != nil {
		return stage.Gated{}, err
	}
	for _, f := range formulas {
		if err := f.For(p.Task, p.Classes...); err != nil {
			return stage.Gated{}, err
		}
	}
	source, err := evaluation.NewSource(p, options)
	if err != nil {
		return stage.Gated{}, err
	}
	decision, err := gate.DecideAll(formulas, planOf(s), unasked{source, in.Champion.Note})
	if err != nil {
		return stage.Gated{}, err
	}
	decision.Settle(gate.Policy(s.Gates.Inconclusive))
	ref, err := artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, report.Gate{Decision: decision})
	if err != nil {
		return stage.Gated{}, err
	}
	return stage.Gated{Answer: stage.Answer{Summary: gateSummary(decision)}, Verdicts: ref, Verdict: decision.Verdict}, nil
}

// unasked leaves conditions on a champion that serves and could not be asked undecided: they are not met, and not skipped.
type unasked struct {
	gate.Source
	reason string
}

// Measure implements gate.Source.
func (u unasked) Measure(unit gate.Unit, tail float64) (gate.Measurement, error) {
	if u.reason != "" && (unit.Quantity.Compares() || unit.Minus != nil && unit.Minus.Compares()) {
		return gate.Measurement{Estimate: stats.NoValue(1-2*tail, 0, u.reason), Tail: tail}, nil
	}
	return u.Source.Measure(unit, tail)
}

// sourceOptions are the figures that predictions do not hold: privacy, cost, times of requests, ranges of own metrics. The own
// metrics of the champion are added to the predictions.
func (a *Audit) sourceOptions(ctx context.Context, s *spec.Spec, formulas []gate.Formula, p *evaluation.Predictions, in stage.GateInput) (evaluation.SourceOptions, error) {
	o := evaluation.SourceOptions{Seed: uint64(s.Data.Split.Seed), MinGroup: s.Evaluate.SmallestGroup(), Ranges: map[string]evaluation.Range{}}
	for _, m := range s.Evaluate.Metrics {
		if m.Least != nil && m.Most != nil {
			o.Ranges[m.Name] = evaluation.Range{Least: *m.Least, Most: *m.Most}
		}
	}
	var measured privacy.Report
	if err := artifact.ReadJSON(ctx, a.Store, in.Privacy, &measured); err != nil {
		return o, err
	}
	o.New.Counted = map[string]stats.Estimate{
		gate.ModelBytes:      stats.Exact(float64(in.Model.Size), 0),
		gate.TrainCPUSeconds: stats.Exact(in.Cost.CPUSeconds, 0), gate.TrainGPUSeconds: stats.Exact(in.Cost.GPUSeconds, 0),
	}
	for _, m := range measured.Metrics {
		o.New.Counted[m.Name] = m.Estimate
	}
	if mentions(formulas, gate.New, privacy.MetricPersonalColumns) {
		found, err := a.personalColumns(ctx, in.Validation)
		if err != nil {
			return o, err
		}
		o.New.Counted[privacy.MetricPersonalColumns] = found
	}
	var err error
	if mentions(formulas, gate.New, gate.LatencyP50, gate.LatencyP95, gate.LatencyP99) {
		if o.New.LatencyMS, err = a.latencies(ctx, in.Prepared, in.Model); err != nil {
			return o, err
		}
	}
	if in.Champion.Scores.IsZero() {
		return o, nil
	}
	return o, a.championFigures(ctx, s, formulas, p, in, &o)
}

func (a *Audit) championFigures(ctx context.Context, s *spec.Spec, formulas []gate.Formula, p *evaluation.Predictions, in stage.GateInput, o *evaluation.SourceOptions) error {
	manifest, _, err := registry.Get(ctx, a.Store, s.Model, in.Champion.Version)
	if err != nil {
		return err
	}
	o.Old.Counted = map[string]stats.Estimate{gate.ModelBytes: stats.Exact(float64(manifest.ModelArtifact.Size), 0)}
	for _, u := range manifest.Usage {
		if u.Stage == string(stage.Train) {
			o.Old.Counted[gate.TrainCPUSeconds] = stats.Exact(u.CPUSeconds, 0)
			o.Old.Counted[gate.TrainGPUSeconds] = stats.Exact(u.GPUSeconds, 0)
		}
	}
	if mentions(formulas, gate.Old, gate.LatencyP50, gate.LatencyP95, gate.LatencyP99) {
		if o.Old.LatencyMS, err = a.latencies(ctx, in.Prepared, manifest.ModelArtifact); err != nil {
			return err
		}
	}
	audited := stage.AuditInput{Spec: in.Spec, Prepared: in.Prepared, Model: in.Model, Labels: in.Labels, MetricCode: in.MetricCode}
	for _, m := range s.Evaluate.Metrics {
		if !mentions(formulas, gate.Old, m.Name) {
			continue
		}
		values, err := a.ownValues(ctx, s, m, audited, manifest.ModelArtifact)
		if err != nil {
			return err
		}
		rows := &table.Frame{Rows: p.N(), Columns: []table.Column{{Name: columnRow, Kind: table.Numeric, Numbers: reals(p.Row)}}}
		column, err := a.ownColumn(ctx, values, m.Name, rows)
		if err != nil {
			return err
		}
		if p.OwnOld == nil {
			p.OwnOld = map[string][]float64{}
		}
		p.OwnOld[m.Name] = column.Numbers
	}
	return nil
}

// mentions reports whether a formula speaks of one of the metrics of a model.
func mentions(formulas []gate.Formula, which gate.Which, metrics ...string) bool {
	return slices.ContainsFunc(formulas, func(f gate.Formula) bool {
		return slices.ContainsFunc(f.Quantities(), func(q gate.Quantity) bool { return q.Which == which && slices.Contains(metrics, q.Metric) })
	})
}

// Unseal opens a sealed verdict; the figures it rests on stay for the roles that may see them.
func (a *Audit) Unseal(ctx context.Context, in stage.UnsealInput) (stage.Gated, error) {
	var found report.Gate
	if err := artifact.ReadJSON(ctx, a.Store, in.Verdicts, &found); err != nil {
		return stage.Gated{}, err
	}
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Gated{}, err
	}
	verdict, _ := gate.Settle(found.Verdict, gate.Policy(s.Gates.Inconclusive))
	return stage.Gated{Answer: stage.Answer{Summary: sealing(s, string(verdict))}, Verdicts: in.Verdicts, Verdict: verdict}, nil
}

// comparison measures candidate and champion against each other on the test rows.
func (a *Audit) comparison(ctx context.Context, s *spec.Spec, in stage.GateInput) (artifact.Ref, error) {
	if in.Champion.Scores.IsZero() {
		return artifact.Ref{}, nil
	}
	params := struct {
		Predictions artifact.Ref  `json:"predictions"`
		Champion    stage.Rival   `json:"champion"`
		Evaluate    spec.Evaluate `json:"evaluate"`
		Seed        int64         `json:"seed"`
	}{in.Predictions, in.Champion, s.Evaluate, s.Data.Split.Seed}
	compared, err := stored(ctx, a.Store, stageComparison, versionComparison, params, func() (stage.Audited, error) {
		defer attend(ctx)()
		p, err := a.readPredictions(ctx, s, in.Predictions, in.Prepared)
		if err != nil {
			return stage.Audited{}, err
		}
		if p, err = a.withChampion(ctx, p, in.Champion); err != nil {
			return stage.Audited{}, err
		}
		found, err := evaluation.Evaluate(p, evaluation.Options{Seed: uint64(s.Data.Split.Seed)})
		if err != nil {
			return stage.Audited{}, err
		}
		return a.file(ctx, found.Comparison, "compared with the champion")
	})
	return compared.Report, err
}

// stageComparison names the comparison of a candidate with a champion.
const (
	stageComparison   stage.Name = "comparison"
	versionComparison int        = 1
)

// NewVerdicts counts the gate's verdicts by model, registered with r.
func NewVerdicts(r prometheus.Registerer) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "assay_gate_verdicts_total", Help: "Verdicts of the gate stage, answered anew or from the store."}, []string{"model", "verdict"})
	r.MustRegister(c)
	return c
}

func gateSummary(d gate.Decision) string {
	if len(d.Results) == 0 {
		return "pass: the spec has no conditions"
	}
	passed, skipped, first := 0, 0, ""
	for _, r := range d.Results {
		switch {
		case r.Skipped:
			skipped++
		case r.Verdict == gate.Pass:
			passed++
		case first == "" || r.Verdict == gate.Fail && !strings.HasPrefix(first, ": fail"):
			first = fmt.Sprintf(": %s: %s", r.Verdict, r.Reason)
		}
	}
	text := fmt.Sprintf("%s, %d of %d conditions pass", d.Verdict, passed, len(d.Results))
	if skipped > 0 {
		text += fmt.Sprintf(", %d skipped without a champion", skipped)
	}
	return text + first
}
