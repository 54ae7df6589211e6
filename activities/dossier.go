package activities

import (
	"bytes"
	"context"
	"fmt"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/mitigation"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
)

// Dossier compiles what was found into the JSON that decisions are bound to and the page that people read. Its bytes
// depend on the evidence and the workflow's time alone, so a repeated attempt gives the same digest.
func (a *Audit) Dossier(ctx context.Context, in stage.DossierInput) (stage.Compiled, error) {
	defer attend(ctx)()
	d, unchanged, err := a.dossier(ctx, in)
	if err != nil {
		return stage.Compiled{}, err
	}
	encoded, digest, err := report.Encode(d)
	if err != nil {
		return stage.Compiled{}, err
	}
	page, err := report.Render(d, digest)
	if err != nil {
		return stage.Compiled{}, err
	}
	compiled := stage.Compiled{Unchanged: unchanged}
	if compiled.Dossier, err = a.Store.Put(ctx, bytes.NewReader(encoded), artifact.MediaJSON); err != nil {
		return stage.Compiled{}, err
	}
	if compiled.Page, err = a.Store.Put(ctx, bytes.NewReader(page), artifact.MediaHTML); err != nil {
		return stage.Compiled{}, err
	}
	if set := d.TestSet; set != nil {
		public, err := report.RenderSealed(d, digest, report.Seal{ShowTo: set.ShowTo, Verdict: set.Adaptivity == spec.AdaptivityNone})
		if err != nil {
			return stage.Compiled{}, err
		}
		if compiled.Public, err = a.Store.Put(ctx, bytes.NewReader(public), artifact.MediaHTML); err != nil {
			return stage.Compiled{}, err
		}
	}
	compiled.Summary = fmt.Sprintf("dossier %s", digest.Short())
	return compiled, nil
}

func (a *Audit) dossier(ctx context.Context, in stage.DossierInput) (report.Dossier, int, error) {
	e := in.Evidence
	s, err := loadSpec(ctx, a.Store, e.Spec)
	if err != nil {
		return report.Dossier{}, 0, err
	}
	d := report.Dossier{
		Format: report.Format, Model: e.Model, Lifecycle: e.Lifecycle, Purpose: s.Purpose, Owner: s.Owner, Requester: e.Requester,
		Trigger: e.Trigger, Created: in.Created.UTC(), Spec: e.Spec.Digest, Target: s.Data.Target, Protected: s.Data.Protected, Review: s.Review, Rollout: s.Rollout, Failing: s.Gates.Failing,
	}
	var snapshot table.Snapshot
	for _, read := range []struct {
		ref  artifact.Ref
		into any
	}{
		{e.Snapshot, &snapshot}, {e.Prepared, &d.Prepared}, {e.Validation, &d.Validation}, {e.ModelManifest, &d.Training},
		{e.Evaluation, &d.Evaluation}, {e.Fairness, &d.Fairness}, {e.Explain, &d.Explain}, {e.Privacy, &d.Privacy}, {e.Verdicts, &d.Gate},
	} {
		if err := artifact.ReadJSON(ctx, a.Store, read.ref, read.into); err != nil {
			return d, 0, err
		}
	}
	if !e.Reweighing.IsZero() {
		d.Reweighing = &mitigation.Reweighing{}
		if err := artifact.ReadJSON(ctx, a.Store, e.Reweighing, d.Reweighing); err != nil {
			return d, 0, err
		}
	}
	if !e.Thresholds.IsZero() {
		d.Thresholds = &mitigation.Rule{}
		if err := artifact.ReadJSON(ctx, a.Store, e.Thresholds, d.Thresholds); err != nil {
			return d, 0, err
		}
	}
	d.Usage, d.NotCompared = e.Usage, e.Champion.Note
	if set := s.Gates.TestSet; set != nil {
		d.TestSet = &report.TestSetUse{Adaptivity: set.Adaptivity, Step: e.Step, Of: set.Steps, ShowTo: set.ShowTo}
	}
	if !e.Comparison.IsZero() {
		d.Comparison = &evaluation.Comparison{}
		if err := artifact.ReadJSON(ctx, a.Store, e.Comparison, d.Comparison); err != nil {
			return d, 0, err
		}
	}
	if !e.Labels.IsZero() {
		if d.Labels, err = a.labelsGiven(ctx, e.Labels); err != nil {
			return d, 0, err
		}
	}
	if !d.Training.Curves.IsZero() {
		if err := artifact.ReadJSON(ctx, a.Store, d.Training.Curves, &d.Curves); err != nil {
			return d, 0, err
		}
	}
	if !e.Sweep.IsZero() {
		d.Sweep = &search.Report{}
		if err := artifact.ReadJSON(ctx, a.Store, e.Sweep, d.Sweep); err != nil {
			return d, 0, err
		}
	}
	profile, err := table.ReadProfile(ctx, a.Store, snapshot.Profile)
	if err != nil {
		return d, 0, err
	}
	d.Data = report.Data{
		Source: snapshot.Source, Digest: snapshot.SourceDigest, Rows: snapshot.Rows, Columns: len(snapshot.Columns), Unknown: report.Unknowns(*profile),
	}
	if d.Gate.Verdict == gate.Inconclusive && d.Gate.Policy == gate.AskPeople {
		d.Warnings = append(d.Warnings, undecided(d.Gate))
	}
	d.Refs = report.Names(evidenceRefs(e))
	champion, unchanged, err := unchangedFrom(ctx, a.Store, e.Model, e.ModelArtifact)
	if err != nil || champion == 0 {
		return d, unchanged, err
	}
	d.Champion = &report.Champion{Version: champion}
	d.Drift, err = a.drifted(ctx, s, snapshot, d.Prepared, e.Model, champion)
	return d, unchanged, err
}

func evidenceRefs(e stage.Evidence) map[string]artifact.Ref {
	return map[string]artifact.Ref{
		"spec": e.Spec, "snapshot": e.Snapshot, "test_snapshot": e.TestSnapshot, "validation": e.Validation, "prepared": e.Prepared,
		"model": e.ModelArtifact, "model_manifest": e.ModelManifest, "predictions": e.Predictions, "evaluation": e.Evaluation,
		"fairness": e.Fairness, "explain": e.Explain, "privacy": e.Privacy, "verdicts": e.Verdicts,
		"reweighing": e.Reweighing, "thresholds": e.Thresholds,
		"code": e.Code, "sweep": e.Sweep, "champion_scores": e.Champion.Scores, "comparison": e.Comparison, "labels": e.Labels,
	}
}

// undecided tells reviewers what the sample could not decide, and which sample would.
func undecided(g report.Gate) string {
	text := "The gate's verdict is inconclusive: it is put to the reviewers."
	for _, r := range g.Results {
		if r.Verdict == gate.Inconclusive {
			text += fmt.Sprintf(" %s: %s", r.Condition, r.Reason)
		}
	}
	return text
}
