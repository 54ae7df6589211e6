package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/ledger"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/spelling"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
)

// Admit checks a spec as it arrived and stores it in its canonical form.
func (d *Data) Admit(ctx context.Context, in stage.AdmitInput) (stage.Admitted, error) {
	s, err := spec.ParseJSON(in.Spec)
	if err != nil {
		return stage.Admitted{}, err
	}
	ref, err := d.Store.Put(ctx, bytes.NewReader(s.Canonical()), artifact.MediaJSON)
	if err != nil {
		return stage.Admitted{}, err
	}
	return stage.Admitted{
		Answer: stage.Answer{Summary: fmt.Sprintf("spec %s of %s", ref.Digest.Short(), s.Model)},
		Spec:   ref,
		Plan: stage.Plan{
			Model: s.Model, Owner: s.Owner, Queue: s.Train.Queue, TestSource: s.Data.Split.TestSource != nil,
			Inconclusive: s.Gates.Inconclusive, Failing: s.Gates.Failing, Review: s.Review, Rollout: s.Rollout, Monitor: s.Monitor, Retrain: s.Retrain,
			GPUs: s.Train.GPUs, Priority: s.Train.Priority, Team: s.Train.Team, Sweep: s.Train.Sweep,
			Program: s.Train.Command != nil, TimeLimit: timeLimit(s.Train),
			Decides: true, TestSet: s.Gates.TestSet, Labels: s.Gates.Labels, Metrics: len(s.Evaluate.Metrics) > 0,
			Reweighing: len(s.Mitigation.Reweighing) > 0, Thresholds: s.Mitigation.Thresholds != nil, Private: s.Train.Private != nil,
		},
	}, nil
}

// timeLimit is that of one attempt of a user's program; 0 for a built-in trainer.
func timeLimit(t spec.Train) spec.Duration {
	if t.Command == nil {
		return 0
	}
	return t.Command.TimeLimit
}

// Ingest makes an immutable snapshot of the source. The file is read each time to know whether it is the same one;
// converting and profiling are then answered from the store.
func (d *Data) Ingest(ctx context.Context, in stage.IngestInput) (stage.Ingested, error) {
	defer attend(ctx)()
	s, err := loadSpec(ctx, d.Store, in.Spec)
	if err != nil {
		return stage.Ingested{}, err
	}
	source := s.Data.Source
	if in.Test {
		source = *s.Data.Split.TestSource
	}
	folder, err := os.MkdirTemp(d.Limits.TempDir, "assay-ingest-")
	if err != nil {
		return stage.Ingested{}, fmt.Errorf("make a folder for temporary files: %w; choose another with --scratch", err)
	}
	defer os.RemoveAll(folder)
	local, err := table.Fetch(ctx, source, folder)
	if err != nil {
		return stage.Ingested{}, err
	}
	params := struct {
		Digest artifact.Digest `json:"digest"`
		URI    string          `json:"uri"` // without credentials; it is part of the snapshot
		Format string          `json:"format"`
		CSV    spec.CSV        `json:"csv"`
	}{local.Digest, local.URI, local.Format, source.CSV}
	return stored(ctx, d.Store, stage.Ingest, versionIngest, params, func() (stage.Ingested, error) {
		snap, err := table.Ingest(ctx, d.Store, local, source, d.Limits, nil)
		if err != nil {
			return stage.Ingested{}, err
		}
		ref, err := artifact.PutJSON(ctx, d.Store, artifact.MediaJSON, snap)
		if err != nil {
			return stage.Ingested{}, err
		}
		return stage.Ingested{
			Answer:   stage.Answer{Summary: fmt.Sprintf("%d rows, %d columns from %s", snap.Rows, len(snap.Columns), snap.Source)},
			Snapshot: ref, Data: snap.Data, Profile: snap.Profile, Source: snap.Source, Rows: snap.Rows,
		}, nil
	})
}

// Validate answers the spec's expectations, and looks for personal data.
func (d *Data) Validate(ctx context.Context, in stage.ValidateInput) (stage.Validated, error) {
	s, err := loadSpec(ctx, d.Store, in.Spec)
	if err != nil {
		return stage.Validated{}, err
	}
	params := struct {
		Snapshot  artifact.Ref       `json:"snapshot"`
		Expect    []spec.Expectation `json:"expect"`
		Target    spec.Target        `json:"target"`
		Protected []string           `json:"protected"`
		Exclude   []string           `json:"exclude"`

		Unlabelled bool           `json:"unlabelled,omitempty"` // rows that fall into the test part may lack their label
		Transform  string         `json:"transform,omitempty"`
		Personal   personalParams `json:"personal_data"`
	}{in.Snapshot, s.Data.Expect, s.Data.Target, s.Data.Protected, s.Data.Exclude, s.Gates.Labels != nil, s.Data.Transform, personalParamsOf(s)}
	return stored(ctx, d.Store, stage.Validate, versionValidate, params, func() (stage.Validated, error) {
		defer attend(ctx)()
		var snap table.Snapshot
		if err := artifact.ReadJSON(ctx, d.Store, in.Snapshot, &snap); err != nil {
			return stage.Validated{}, err
		}
		found, err := table.Validate(ctx, d.Store, snap, s.Data, d.Limits, table.MissingTestLabels(s.Gates.Labels != nil))
		if err != nil {
			return stage.Validated{}, err
		}
		if found.Personal, err = d.personal(ctx, s, snap); err != nil {
			return stage.Validated{}, err
		}
		if found.Personal != nil && found.Personal.Warning() != "" {
			found.Warnings = append(found.Warnings, found.Personal.Warning())
		}
		ref, err := artifact.PutJSON(ctx, d.Store, artifact.MediaJSON, found)
		if err != nil {
			return stage.Validated{}, err
		}
		summary, verdict := validationSummary(s, found)
		return stage.Validated{Answer: stage.Answer{Summary: summary}, Report: ref, Verdict: verdict}, nil
	})
}

func validationSummary(s *spec.Spec, r table.ValidationReport) (string, gate.Verdict) {
	var failed []string
	for _, e := range r.Results {
		if !e.Passed {
			failed = append(failed, e.Message)
		}
	}
	personal, verdict := personalSummary(s, r.Personal)
	if len(failed) > 0 {
		summary := fmt.Sprintf("%d of %d expectations failed: %s", len(failed), len(r.Results), strings.Join(failed, "; "))
		if verdict == gate.Fail {
			summary += "; " + personal
		}
		return shortened(summary), gate.Fail
	}
	if verdict == gate.Fail {
		return shortened(personal), verdict
	}
	summary := counted(len(r.Results), "expectation") + " met"
	if n := len(r.Warnings); n > 0 {
		summary += ", " + counted(n, "warning")
	}
	return shortened(summary + ", " + personal), verdict
}

// counted is a number of things with a plural in s.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Prepare transforms the snapshot and divides it.
func (d *Data) Prepare(ctx context.Context, in stage.PrepareInput) (stage.Prepared, error) {
	s, err := loadSpec(ctx, d.Store, in.Spec)
	if err != nil {
		return stage.Prepared{}, err
	}
	data := s.Data
	data.Source, data.Expect, data.Split.TestSource = spec.Source{}, nil, nil // not what Prepare depends on: the snapshots are
	params := struct {
		Snapshot     artifact.Ref `json:"snapshot"`
		TestSnapshot artifact.Ref `json:"test_snapshot"`
		Data         spec.Data    `json:"data"`
		Unlabelled   bool         `json:"unlabelled,omitempty"` // test rows may lack their label
	}{in.Snapshot, in.TestSnapshot, data, s.Gates.Labels != nil}
	answer, err := stored(ctx, d.Store, stage.Prepare, versionPrepare, params, func() (stage.Prepared, error) {
		defer attend(ctx)()
		return d.prepare(ctx, s, in)
	})
	if err != nil {
		return stage.Prepared{}, err
	}
	return answer, d.checkAudited(ctx, s, answer.Prepared)
}

// checkAudited refuses, before anything is trained, columns that only the audits want and the parts do not have. The
// stored answer does not depend on them.
func (d *Data) checkAudited(ctx context.Context, s *spec.Spec, prepared artifact.Ref) error {
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, d.Store, prepared, &parts); err != nil {
		return err
	}
	if s.Gates.TestSet == nil {
		if err := d.uncounted(ctx, s.Model, parts.Test.Digest); err != nil {
			return err
		}
	}
	if err := d.checkBands(ctx, s, parts); err != nil {
		return err
	}
	if err := d.checkGroups(ctx, s, parts); err != nil {
		return err
	}
	for _, wanted := range []struct {
		field string
		names []string
	}{{"evaluate.slices", s.Evaluate.Slices}, {"fairness.strata", s.Fairness.Strata}, {"privacy.quasi_identifiers", s.Privacy.QuasiIdentifiers}, {"privacy.sensitive", s.Privacy.Sensitive}} {
		for _, name := range wanted.names {
			if !slices.Contains(parts.Columns, name) {
				return fmt.Errorf("%s names the column %q; the table has %s", wanted.field, name, table.Listed(parts.Columns))
			}
		}
	}
	return nil
}

// mostNumbers is how many different numbers of a protected column may each be a group: more are quantities.
const mostNumbers = 20

// checkBands refuses bands of columns that hold no numbers, and protected quantities without bands.
func (d *Data) checkBands(ctx context.Context, s *spec.Spec, parts table.Prepared) error {
	profile, err := table.ReadProfile(ctx, d.Store, parts.Profile)
	if err != nil {
		return err
	}
	for _, name := range s.Data.Protected {
		banded, kind, distinct := s.Fairness.BandsOf(name) != nil, table.Categorical, int64(0)
		if c := profile.Column(name); c != nil {
			kind, distinct = c.Kind, c.Distinct
		} else if kind, distinct, err = d.excluded(ctx, parts, name); err != nil {
			return err
		}
		switch {
		case banded && kind != table.Numeric:
			return fmt.Errorf("fairness.bands names the column %q, which holds no numbers; leave its bands out: its values are groups as they are", name)
		case !banded && kind == table.Numeric && distinct > mostNumbers:
			return fmt.Errorf("data.protected names the column %q, which has %d different numbers; say where its groups begin, as in fairness.bands: [{column: %s, from: [25, 45, 65]}]", name, distinct, name)
		}
	}
	return nil
}

// checkGroups refuses groups that the audit after training could not compare, before anything is trained.
func (d *Data) checkGroups(ctx context.Context, s *spec.Spec, parts table.Prepared) error {
	f, err := table.ReadFrame(ctx, d.Store, parts.Train, groupsWanted(s, s.Data.Protected), d.Limits)
	if err != nil {
		return err
	}
	for _, c := range grouped(s, f.Columns, f.Rows) {
		levels := c.Levels
		if c.Kind == table.Numeric {
			continue // few numbers, see checkBands
		}
		if len(levels) > fairness.MostGroups {
			return fmt.Errorf("data.protected names the column %q, which has %d different values; expected at most %d groups: make a coarser column in data.transform", c.Name, len(levels), fairness.MostGroups)
		}
		want := s.Fairness.ReferenceOf(c.Name)
		if want == "" || slices.Contains(levels, want) {
			continue
		}
		advice := "it has " + table.Listed(levels)
		if near, ok := spelling.Nearest(want, levels); ok {
			advice = fmt.Sprintf("did you mean %q?", near)
		}
		return fmt.Errorf("fairness.reference names the group %q of %q, which is in no row; %s", want, c.Name, advice)
	}
	return nil
}

// excluded looks at a column that the model does not see, and which the profile therefore does not describe.
func (d *Data) excluded(ctx context.Context, parts table.Prepared, name string) (table.Kind, int64, error) {
	f, err := table.ReadFrame(ctx, d.Store, parts.Train, []table.Wanted{{Name: name, Kind: table.Categorical}}, d.Limits)
	if err != nil {
		return "", 0, err
	}
	distinct := int64(len(f.Columns[0].Levels))
	if _, err := table.ReadFrame(ctx, d.Store, parts.Train, []table.Wanted{{Name: name, Kind: table.Numeric}}, d.Limits); err != nil {
		if ctx.Err() != nil || transient(err) != "" {
			return "", 0, err
		}
		return table.Categorical, distinct, nil // the same column could be read as text, so that it holds no numbers
	}
	return table.Numeric, distinct, nil
}

// uncounted refuses test rows that are counted, or were, when the spec leaves the counting out: what was measured on them would
// be shown to whoever fits the next candidate.
func (d *Data) uncounted(ctx context.Context, model string, testSet artifact.Digest) error {
	set, err := ledger.Find(ctx, d.Store, model, testSet)
	if errors.Is(err, artifact.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("test set %s of model %q is a counted one (%d of %d uses, %s), and the spec leaves gates.test_set out: write gates.test_set: {adaptivity: %s, steps: %d}, or bring other test rows",
		testSet.Short(), model, len(set.Uses), set.Rules.Steps, set.State, set.Rules.Adaptivity, set.Rules.Steps)
}

func (d *Data) prepare(ctx context.Context, s *spec.Spec, in stage.PrepareInput) (stage.Prepared, error) {
	var snap table.Snapshot
	if err := artifact.ReadJSON(ctx, d.Store, in.Snapshot, &snap); err != nil {
		return stage.Prepared{}, err
	}
	var test *table.Snapshot
	if !in.TestSnapshot.IsZero() {
		test = &table.Snapshot{}
		if err := artifact.ReadJSON(ctx, d.Store, in.TestSnapshot, test); err != nil {
			return stage.Prepared{}, err
		}
	}
	parts, err := table.Prepare(ctx, d.Store, snap, test, s.Data, d.Limits, table.MissingTestLabels(s.Gates.Labels != nil))
	if err != nil {
		return stage.Prepared{}, err
	}
	ref, err := artifact.PutJSON(ctx, d.Store, artifact.MediaJSON, parts)
	if err != nil {
		return stage.Prepared{}, err
	}
	return stage.Prepared{
		Answer: stage.Answer{Summary: fmt.Sprintf("train %d, validation %d, test %d rows, %d features",
			parts.Rows.Train, parts.Rows.Validation, parts.Rows.Test, len(parts.Features))},
		Prepared: ref, Parts: []artifact.Ref{parts.Train, parts.Validation, parts.Test, parts.Profile},
	}, nil
}
