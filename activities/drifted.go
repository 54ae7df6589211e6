package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/drift"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

const (
	mostRowsCompared = 20_000 // of the candidate's training part: with as many before, a shift of a hundredth of the rows shows
	columnsDrawn     = 3      // the most changed ones, whose values the dossier holds
)

// drifted compares what the candidate was trained on with the profile of what the serving version was trained on, as the monitor
// does with what that version is asked. What is no longer stored, or does not fit, is told in the answer: it fails only when the
// store, or the candidate's own data, cannot be read.
func (a *Audit) drifted(ctx context.Context, s *spec.Spec, snapshot table.Snapshot, parts table.Prepared, model string, serving int) (*report.Drift, error) {
	m, _, err := registry.Get(ctx, a.Store, model, serving)
	if err != nil {
		return nil, err
	}
	found := &report.Drift{Version: serving, Rows: parts.Rows.Train, SameData: m.Data.Digest == snapshot.Data.Digest}
	if m.TrainData.Digest == parts.Train.Digest || found.SameData && m.Profile.Digest == parts.Profile.Digest {
		found.Same = true
		return found, nil
	}
	before, gone, err := servingProfile(ctx, a.Store, m.Profile)
	if before == nil || err != nil {
		found.NotCompared = gone
		return found, err
	}
	after, err := table.ReadProfile(ctx, a.Store, parts.Profile)
	if err != nil {
		return nil, err
	}
	found.ServingRows = before.Rows
	reference, wanted := inBoth(found, *before, *after, s.Data.Target)
	if len(wanted) == 0 {
		found.NotCompared = "Nothing was compared: both trainings have no column of the same name and kind."
		return found, nil
	}
	rows := max(min(mostRowsCompared, mostScannedCells/len(wanted)), fewestScanned)
	current, err := table.DrawFrame(ctx, a.Store, parts.Train, wanted, rows, s.Data.Split.Seed, a.Limits)
	if err != nil {
		return nil, err
	}
	if err := compareWith(found, reference, current, s.Monitor.Drift); err != nil {
		found.Check, found.Distributions, found.NotCompared = nil, nil, notComputed(err)
	}
	return found, nil
}

// servingProfile reads a profile that an earlier lifecycle left behind; without one, a sentence says what is wrong.
func servingProfile(ctx context.Context, store artifact.Store, ref artifact.Ref) (p *table.Profile, gone string, err error) {
	if ref.IsZero() {
		return nil, "Nothing was compared: the serving version does not say what it was trained on.", nil
	}
	p, err = table.ReadProfile(ctx, store, ref)
	var malformed *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.Is(err, artifact.ErrNotFound):
		return nil, fmt.Sprintf("Nothing was compared: the description of the data that the serving version was trained on (%s) is no longer stored.", ref.Digest.Short()), nil
	case errors.As(err, &malformed), errors.As(err, &mistyped):
		return nil, fmt.Sprintf("Nothing was compared: the description of the data that the serving version was trained on (%s) is of a form that cannot be read.", ref.Digest.Short()), nil
	}
	return p, "", err
}

// inBoth is the reference of what can be compared, and how the candidate's columns are to be read for it. It notes the others.
// The classes of a target are names, also where they are written as numbers.
func inBoth(found *report.Drift, before, after table.Profile, target spec.Target) (reference *table.Profile, wanted []table.Wanted) {
	reference = &table.Profile{Rows: before.Rows}
	for _, c := range before.Columns {
		now := after.Column(c.Name)
		switch {
		case now == nil:
			found.Removed = append(found.Removed, c.Name)
			continue
		case now.Kind != c.Kind:
			found.Retyped = append(found.Retyped, c.Name)
			continue
		case c.Kind == "":
			continue
		}
		if named, ok := drift.Named(c); ok && c.Name == target.Column && target.TaskOf() != stats.Regression {
			c = named
		}
		reference.Columns = append(reference.Columns, c)
		wanted = append(wanted, table.Wanted{Name: c.Name, Kind: c.Kind})
	}
	for _, c := range after.Columns {
		if before.Column(c.Name) == nil {
			found.Added = append(found.Added, c.Name)
		}
	}
	return reference, wanted
}

// compareWith checks with the rate of false alarms that the spec sets for the monitor.
func compareWith(found *report.Drift, reference *table.Profile, current *table.Frame, monitored spec.Drift) error {
	check, err := drift.Check(reference, current, drift.Options{FalseAlarms: monitored.FalseAlarms, Correction: monitored.Correction})
	if err != nil {
		return err
	}
	found.Check = &check
	if check.Verdict == drift.Insufficient {
		return nil
	}
	all, err := drift.Distributions(reference, current)
	if err != nil {
		return err
	}
	found.Distributions = check.Ranked(all)
	for i := range found.Distributions {
		if i >= columnsDrawn {
			found.Distributions[i].Cells = nil
		}
	}
	return nil
}
