package activities

import (
	"context"
	"fmt"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
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
		test, err := a.testPart(ctx, s, in)
		stop()
		if err != nil {
			return stage.Audited{}, err
		}
		y, err := labels(test, s.Data.Target)
		if err != nil {
			return stage.Audited{}, err
		}
		beat := newBeat(ctx)
		var found explain.Report
		used, err := a.asking(ctx, in.Model, func(p model.Predictor) (err error) {
			found, err = explain.Permutation(ctx, p, test, y, explain.Options{
				Seed: uint64(s.Data.Split.Seed), Progress: func(done, total int) { beat.progress(fmt.Sprintf("%d of %d shuffles", done, total)) },
			})
			return err
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
		explained, err := a.file(ctx, found, summary)
		explained.Usage = used
		return explained, err
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

func (a *Audit) file(ctx context.Context, found any, summary string) (stage.Audited, error) {
	ref, err := artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, found)
	if err != nil {
		return stage.Audited{}, err
	}
	activity.GetLogger(ctx).Debug("a report was stored", "digest", ref.Digest.String())
	return stage.Audited{Answer: stage.Answer{Summary: summary}, Report: ref}, nil
}
