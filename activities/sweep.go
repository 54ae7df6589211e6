package activities

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/stage"
)

// trialsPage is some trials of a sweep in the store, linked to those that were filed before.
type trialsPage struct {
	Sweep    string               `json:"sweep"`
	Previous artifact.Ref         `json:"previous,omitzero"`
	Trials   []search.TrialRecord `json:"trials"`
}

// FileTrials stores records of trials. The same input gives the same page.
func (a *Audit) FileTrials(ctx context.Context, in stage.TrialsInput) (stage.FiledTrials, error) {
	ref, err := artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, trialsPage(in))
	return stage.FiledTrials{Page: ref}, err
}

// ReportSweep gathers the trials of a sweep into its report.
func (a *Audit) ReportSweep(ctx context.Context, in stage.SweepReportInput) (stage.SweptReport, error) {
	report := in.Report
	for at := in.Page; !at.IsZero(); {
		var page trialsPage
		if err := artifact.ReadJSON(ctx, a.Store, at, &page); err != nil {
			return stage.SweptReport{}, err
		}
		report.Trials = append(report.Trials, page.Trials...)
		at = page.Previous
	}
	slices.SortFunc(report.Trials, func(a, b search.TrialRecord) int { return cmp.Compare(a.Trial, b.Trial) })
	ref, err := artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, report)
	return stage.SweptReport{Answer: stage.Answer{Summary: fmt.Sprintf("%d trials", len(report.Trials))}, Report: ref}, err
}
