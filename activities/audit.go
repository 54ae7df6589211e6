package activities

import (
	"context"
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
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

func (a *Audit) file(ctx context.Context, found any, summary string) (stage.Audited, error) {
	ref, err := artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, found)
	if err != nil {
		return stage.Audited{}, err
	}
	activity.GetLogger(ctx).Debug("a report was stored", "digest", ref.Digest.String())
	return stage.Audited{Answer: stage.Answer{Summary: summary}, Report: ref}, nil
}
