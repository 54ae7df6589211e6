package activities

import (
	"context"
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
	"go.temporal.io/sdk/activity"
)

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
	audited, err := stored(ctx, a.Store, stage.Fairness, versionFairness, params, func() (stage.Audited, error) {
		defer attend(ctx)()
		if task := s.Data.Target.TaskOf(); task != stats.Binary {
			return a.file(ctx, fairness.Report{Attributes: []fairness.AttributeReport{}}, fmt.Sprintf("gaps between groups are of yes and no; for %s see the groups of the evaluation", task))
		}
		p, err := a.readPredictions(ctx, s, in.Predictions, in.Prepared)
		if err != nil {
			return stage.Audited{}, err
		}
		sample, places := representative(p)
		var attributes []fairness.Attribute
		for _, name := range s.Data.Protected {
			attributes = append(attributes, fairness.Attribute{Name: name, Groups: pick(p.Groups[name], places)})
		}
		audit, err := fairness.Audit(sample, attributes, statsOptions(s))
		if err != nil {
			return stage.Audited{}, err
		}
		return a.file(ctx, audit, fairnessSummary(audit))
	})
	if err == nil && s.Gates.TestSet != nil {
		audited.Summary = sealing(s, "groups compared")
	}
	return audited, err
}

// representative is the rows of a binary model that stand for the whole test part: those whose label is known and was not bought
// for what the row is, or all of them where every label is known.
func representative(p evaluation.Predictions) (stats.Sample, []int) {
	every := !slices.Contains(p.Known, evaluation.Unknown)
	var s stats.Sample
	var places []int
	for i, y := range p.Y {
		if p.Known == nil || every || p.Known[i] == evaluation.Representative {
			places = append(places, i)
			s.Y, s.Score = append(s.Y, y == 1), append(s.Score, p.Score[i])
			if p.Cut != nil {
				s.Cut = append(s.Cut, p.Cut[i])
			}
		}
	}
	return s, places
}

// pick takes some of the names.
func pick(names []string, places []int) []string {
	out := make([]string, len(places))
	for k, i := range places {
		out[k] = names[i]
	}
	return out
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
		Labels   artifact.Ref `json:"labels,omitzero"`
	}{in.Prepared, in.Model, s.Data.Target, s.Data.Split.Seed, in.Labels}
	explained, err := stored(ctx, a.Store, stage.Explain, versionExplain, params, func() (stage.Audited, error) {
		stop := attend(ctx)
		test, y, err := a.labelledTest(ctx, s, in)
		stop()
		if err != nil {
			return stage.Audited{}, err
		}
		beat := newBeat(ctx)
		options := explain.Options{
			Seed: uint64(s.Data.Split.Seed), Progress: func(done, total int) { beat.progress(fmt.Sprintf("%d of %d shuffles", done, total)) },
		}
		var found explain.Report
		used, err := a.asking(ctx, in.Model, func(p model.Predictor) (err error) {
			found, err = permutation(ctx, p, test, y, options)
			return err
		})
		if err != nil {
			return stage.Audited{}, err
		}
		summary := fmt.Sprintf("%d features", len(found.Features))
		for i, f := range found.Features {
			drop := importance(f, s.Data.Target.TaskOf())
			if i == 3 || !drop.Defined() {
				break
			}
			summary += fmt.Sprintf(", %s %.3g", f.Feature, drop.Value)
		}
		explained, err := a.file(ctx, found, summary)
		explained.Usage = used
		return explained, err
	})
	if err == nil && s.Gates.TestSet != nil {
		explained.Summary = sealing(s, "importance of features measured")
	}
	return explained, err
}

// labelledTest is the test rows whose label is known, with these labels as evaluation.Predictions holds them.
func (a *Audit) labelledTest(ctx context.Context, s *spec.Spec, in stage.AuditInput) (*table.Frame, []float64, error) {
	test, err := a.testPart(ctx, s, in)
	if err != nil {
		return nil, nil, err
	}
	truth, err := a.truth(ctx, s, in)
	if err != nil {
		return nil, nil, err
	}
	f := labelled(&table.Frame{Rows: test.Rows, Columns: append([]table.Column{test.Columns[0], truth.Columns[1]}, test.Columns[1:]...)})
	return f, f.Columns[1].Numbers, nil
}

func permutation(ctx context.Context, p model.Predictor, f *table.Frame, y []float64, o explain.Options) (explain.Report, error) {
	switch p.Schema().TaskOf() {
	case stats.Multiclass:
		classes := make([]int32, len(y))
		for i, v := range y {
			classes[i] = int32(v)
		}
		return explain.PermutationOfClasses(ctx, p, f, classes, o)
	case stats.Regression:
		return explain.PermutationOfNumbers(ctx, p, f, y, o)
	default:
		positive := make([]bool, len(y))
		for i, v := range y {
			positive[i] = v == 1
		}
		return explain.Permutation(ctx, p, f, positive, o)
	}
}

// importance is the measure of a feature that is shown for the task.
func importance(f explain.Importance, task stats.Task) stats.Estimate {
	switch task {
	case stats.Multiclass:
		return f.AccuracyDrop
	case stats.Regression:
		return f.RMSERise
	default:
		return f.AUCDrop
	}
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

func (a *Audit) file(ctx context.Context, found any, summary string) (stage.Audited, error) {
	ref, err := artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, found)
	if err != nil {
		return stage.Audited{}, err
	}
	activity.GetLogger(ctx).Debug("a report was stored", "digest", ref.Digest.String())
	return stage.Audited{Answer: stage.Answer{Summary: summary}, Report: ref}, nil
}
