package activities

import (
	"context"
	"fmt"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
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
		predictions, err := a.score(ctx, s, in)
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
		return a.evaluate(ctx, s, scored, ref)
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
func (a *Audit) score(ctx context.Context, s *spec.Spec, in stage.AuditInput) (*table.Frame, error) {
	test, predictor, err := a.testPart(ctx, s, in)
	if err != nil {
		return nil, err
	}
	scores, err := predictor.Predict(ctx, test)
	if err != nil {
		return nil, fmt.Errorf("score the test part: %w", err)
	}
	labels, err := labels(test, s.Data.Target)
	if err != nil {
		return nil, err
	}
	numbers := make([]float64, len(labels))
	for i, positive := range labels {
		if positive {
			numbers[i] = 1
		}
	}
	rows, err := test.Column(columnRow)
	if err != nil {
		return nil, err
	}
	out := &table.Frame{Rows: test.Rows, Columns: []table.Column{
		*rows, {Name: columnLabel, Kind: table.Numeric, Numbers: numbers}, {Name: columnScore, Kind: table.Numeric, Numbers: scores},
	}}
	for _, name := range groupColumns(s) {
		c, err := asNames(test, name)
		if err != nil {
			return nil, err
		}
		out.Columns = append(out.Columns, c)
	}
	return out, nil
}

// testPart reads the test rows with everything an audit may want, and the model.
func (a *Audit) testPart(ctx context.Context, s *spec.Spec, in stage.AuditInput) (*table.Frame, model.Predictor, error) {
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
		return nil, nil, err
	}
	columns := append(featureColumns(parts),
		table.Wanted{Name: s.Data.Target.Column, Kind: table.Categorical}, table.Wanted{Name: columnRow, Kind: table.Numeric})
	for _, name := range groupColumns(s) {
		if !wanted(columns, name) {
			columns = append(columns, table.Wanted{Name: name, Kind: table.Categorical})
		}
	}
	test, err := table.ReadFrame(ctx, a.Store, parts.Test, columns, a.Limits)
	if err != nil {
		return nil, nil, err
	}
	predictor, err := model.Load(ctx, a.Store, in.Model)
	return test, predictor, err
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

// Fairness compares the protected groups.
func (a *Audit) Fairness(ctx context.Context, in stage.AuditInput) (stage.Audited, error) {
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Audited{}, err
	}
	params := struct {
		Predictions artifact.Ref  `json:"predictions"`
		Protected   []string      `json:"protected"`
		Evaluate    spec.Evaluate `json:"evaluate"`
		Seed        int64         `json:"seed"`
	}{in.Predictions, s.Data.Protected, s.Evaluate, s.Data.Split.Seed}
	return stored(ctx, a.Store, stage.Fairness, versionFairness, params, func() (stage.Audited, error) {
		defer attend(ctx)()
		scored, err := a.predictions(ctx, s, in.Predictions)
		if err != nil {
			return stage.Audited{}, err
		}
		var attributes []fairness.Attribute
		for _, name := range s.Data.Protected {
			attributes = append(attributes, fairness.Attribute{Name: name, Groups: scored.groups[name]})
		}
		audit, err := fairness.Audit(scored.sample, attributes, statsOptions(s))
		if err != nil {
			return stage.Audited{}, err
		}
		return a.file(ctx, audit, fairnessSummary(audit))
	})
}

func fairnessSummary(r fairness.Report) string {
	if len(r.Attributes) == 0 {
		return "the spec names no protected columns"
	}
	summary := ""
	for _, attribute := range r.Attributes {
		if gap, ok := r.Metric(fairness.DemographicParityDifference, attribute.Name); ok && gap.Defined() {
			if summary != "" {
				summary += ", "
			}
			summary += fmt.Sprintf("selection gap by %s %.3f (%.3f to %.3f)", attribute.Name, gap.Value, gap.Low, gap.High)
		}
	}
	return summary
}

// Explain measures what the candidate relies on.
func (a *Audit) Explain(ctx context.Context, in stage.AuditInput) (stage.Audited, error) {
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Audited{}, err
	}
	params := struct {
		Prepared artifact.Ref `json:"prepared"`
		Model    artifact.Ref `json:"model"`
		Target   spec.Target  `json:"target"`
		Seed     int64        `json:"seed"`
	}{in.Prepared, in.Model, s.Data.Target, s.Data.Split.Seed}
	return stored(ctx, a.Store, stage.Explain, versionExplain, params, func() (stage.Audited, error) {
		stop := attend(ctx)
		test, predictor, err := a.testPart(ctx, s, in)
		stop()
		if err != nil {
			return stage.Audited{}, err
		}
		y, err := labels(test, s.Data.Target)
		if err != nil {
			return stage.Audited{}, err
		}
		beat := newBeat(ctx)
		found, err := explain.Permutation(ctx, predictor, test, y, explain.Options{
			Seed: uint64(s.Data.Split.Seed), Progress: func(done, total int) { beat.progress(fmt.Sprintf("%d of %d shuffles", done, total)) },
		})
		if err != nil {
			return stage.Audited{}, err
		}
		summary := fmt.Sprintf("%d features", len(found.Features))
		for i, f := range found.Features {
			if i == 3 || !f.AUCDrop.Defined() {
				break
			}
			summary += fmt.Sprintf(", %s %.3f", f.Feature, f.AUCDrop.Value)
		}
		return a.file(ctx, found, summary)
	})
}

// Privacy measures how well the rows of the training part hide the people in it.
func (a *Audit) Privacy(ctx context.Context, in stage.AuditInput) (stage.Audited, error) {
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Audited{}, err
	}
	quasi := s.Privacy.QuasiIdentifiers
	if len(quasi) == 0 {
		quasi = s.Data.Protected
	}
	params := struct {
		Prepared artifact.Ref `json:"prepared"`
		Quasi    []string     `json:"quasi_identifiers"`
		Target   string       `json:"target"`
	}{in.Prepared, quasi, s.Data.Target.Column}
	return stored(ctx, a.Store, stage.Privacy, versionPrivacy, params, func() (stage.Audited, error) {
		defer attend(ctx)()
		var parts table.Prepared
		if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
			return stage.Audited{}, err
		}
		columns := []table.Wanted{{Name: s.Data.Target.Column, Kind: table.Categorical}}
		for _, name := range quasi {
			columns = append(columns, table.Wanted{Name: name, Kind: table.Categorical})
		}
		f, err := table.ReadFrame(ctx, a.Store, parts.Train, columns, a.Limits)
		if err != nil {
			return stage.Audited{}, err
		}
		var identifying []privacy.Column
		for i := range f.Columns[1:] {
			c := &f.Columns[1+i]
			identifying = append(identifying, privacy.Column{Name: c.Name, Values: texts(c, f.Rows)})
		}
		found, err := privacy.KAnonymity(identifying, texts(&f.Columns[0], f.Rows))
		if err != nil {
			return stage.Audited{}, err
		}
		summary := found.Note
		if summary == "" {
			summary = fmt.Sprintf("k = %d over %d columns, %d of %d rows unique", found.KMin, len(quasi), found.UniqueRows, found.Rows)
		}
		return a.file(ctx, found, summary)
	})
}

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

func (a *Audit) file(ctx context.Context, found any, summary string) (stage.Audited, error) {
	ref, err := artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, found)
	if err != nil {
		return stage.Audited{}, err
	}
	activity.GetLogger(ctx).Debug("a report was stored", "digest", ref.Digest.String())
	return stage.Audited{Answer: stage.Answer{Summary: summary}, Report: ref}, nil
}
