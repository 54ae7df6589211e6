package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// Fairness compares the groups of the protected columns, one by one and crossed.
func (a *Audit) Fairness(ctx context.Context, in stage.AuditInput) (stage.Audited, error) {
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Audited{}, err
	}
	params := struct {
		Predictions artifact.Ref  `json:"predictions"`
		Protected   []string      `json:"protected"`
		Evaluate    spec.Evaluate `json:"evaluate"`
		Fairness    spec.Fairness `json:"fairness"`
		Seed        int64         `json:"seed"`

		Mitigation spec.Mitigation `json:"mitigation,omitzero"`
		Train      *spec.Train     `json:"train,omitempty"` // of a twin without weights
		Prepared   artifact.Ref    `json:"prepared"`
		Target     spec.Target     `json:"target"`
	}{Predictions: in.Predictions, Protected: s.Data.Protected, Evaluate: s.Evaluate, Fairness: s.Fairness, Seed: s.Data.Split.Seed, Mitigation: s.Mitigation, Prepared: in.Prepared, Target: s.Data.Target}
	if len(s.Mitigation.Reweighing) > 0 {
		params.Train = &s.Train
	}
	audited, err := stored(ctx, a.Store, stage.Fairness, versionFairness, params, func() (stage.Audited, error) {
		defer attend(ctx)()
		found, err := a.examine(ctx, s, in)
		if err != nil {
			return stage.Audited{}, err
		}
		return a.file(ctx, found, shortened(fairnessSummary(found)))
	})
	if err == nil && s.Gates.TestSet != nil {
		audited.Summary = sealing(s, "groups compared")
	}
	return audited, err
}

func (a *Audit) examine(ctx context.Context, s *spec.Spec, in stage.AuditInput) (report.Fairness, error) {
	var out report.Fairness
	if len(s.Data.Protected) == 0 {
		return out, nil
	}
	p, err := a.readPredictions(ctx, s, in.Predictions, in.Prepared)
	if err != nil {
		return out, err
	}
	if err := a.people(ctx, s, in, &out); err != nil {
		return out, err
	}
	places := representative(p)
	q := fairness.Question{MinGroup: s.Evaluate.SmallestGroup(), Seed: uint64(s.Data.Split.Seed), Threshold: threshold(s), Reference: map[string]string{}}
	for _, name := range s.Data.Protected {
		q.Columns = append(q.Columns, fairness.Column{Name: name, Groups: pick(p.Groups[name], places)})
	}
	for _, r := range s.Fairness.Reference {
		if slices.Contains(pick(p.Groups[r.Column], places), r.Group) {
			q.Reference[r.Column] = r.Group
		} else {
			out.Notes = append(out.Notes, fmt.Sprintf("The reference group %q of %s is in no test row; groups are compared with the largest.", r.Group, r.Column))
		}
	}
	if len(s.Fairness.Strata) > 0 {
		strata, err := a.strata(ctx, s, in)
		if err != nil {
			return out, err
		}
		if strata = pick(strata, places); fairness.StrataAreFew(strata) == nil {
			q.Strata = strata
		} else {
			out.Notes = append(out.Notes, notComputed(fairness.StrataAreFew(strata)))
		}
	}
	y := at(p.Y, places)
	switch p.Task {
	case stats.Multiclass:
		classes := make([]int32, len(y))
		scores := make([]float64, 0, len(y)*p.Width())
		for k, i := range places {
			classes[k] = int32(y[k])
			scores = append(scores, p.Score[i*p.Width():(i+1)*p.Width()]...)
		}
		found, err := fairness.ExamineClasses(len(p.Classes), classes, scores, p.Classes, q)
		out.Classes = &found
		return out, err
	case stats.Regression:
		found, err := fairness.ExamineNumbers(y, at(p.Score, places), q)
		out.Numbers = &found
		return out, err
	}
	sample := stats.Sample{Y: make([]bool, len(y)), Score: at(p.Score, places)}
	for k, v := range y {
		sample.Y[k] = v == 1
	}
	if p.Cut != nil {
		sample.Cut = at(p.Cut, places)
	}
	found, err := fairness.Examine(sample, q)
	if err != nil {
		return out, err
	}
	out.Examination = &found
	if err := a.individuals(ctx, s, in, p, places, sample, &out); err != nil {
		return out, err
	}
	return out, a.price(ctx, s, in, p, places, &out)
}

// strata are the test rows' values in the columns within which people are compared, joined.
func (a *Audit) strata(ctx context.Context, s *spec.Spec, in stage.AuditInput) ([]string, error) {
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
		return nil, err
	}
	return a.strataOf(ctx, s, parts.Test)
}

// strataOf are those of the rows of a part.
func (a *Audit) strataOf(ctx context.Context, s *spec.Spec, part artifact.Ref) ([]string, error) {
	f, err := table.ReadFrame(ctx, a.Store, part, groupsWanted(s, s.Fairness.Strata), a.Limits)
	if err != nil {
		return nil, err
	}
	columns := grouped(s, f.Columns, f.Rows)
	out := texts(&columns[0], f.Rows)
	for k := range columns[1:] {
		for i, value := range texts(&columns[1+k], f.Rows) {
			out[i] += ", " + value
		}
	}
	return out, nil
}

// representative is the rows that stand for the whole test part: those whose label is known and was not bought for what the row is,
// or all of them where every label is known.
func representative(p evaluation.Predictions) []int {
	every := !slices.Contains(p.Known, evaluation.Unknown)
	var places []int
	for i := range p.Y {
		if p.Known == nil || every || p.Known[i] == evaluation.Representative {
			places = append(places, i)
		}
	}
	return places
}

// pick takes some of the names.
func pick(names []string, places []int) []string {
	out := make([]string, len(places))
	for k, i := range places {
		out[k] = names[i]
	}
	return out
}

func fairnessSummary(r report.Fairness) string {
	var parts []string
	add := func(what, by string, e stats.Estimate) {
		if e.Defined() {
			parts = append(parts, fmt.Sprintf("%s by %s %s (%s to %s)", what, by, digits(e.Value, 3), digits(e.Low, 3), digits(e.High, 3)))
		}
	}
	switch {
	case r.Examination != nil:
		for _, d := range r.Examination.Divisions {
			if g, ok := d.Gap(fairness.DemographicParityDifference); ok && len(d.Columns) == 1 {
				add("selection gap", d.Name, g.Estimate)
			}
		}
	case r.Classes != nil:
		return fmt.Sprintf("%d classes examined by group", len(r.Classes.Classes))
	case r.Numbers != nil:
		return fmt.Sprintf("predictions and errors examined by the groups of %d divisions", len(r.Numbers.Divisions))
	default:
		return "the spec names no protected columns"
	}
	if len(parts) == 0 {
		return "no two groups could be compared"
	}
	return strings.Join(parts, ", ")
}
