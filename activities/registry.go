package activities

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/chain"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
)

// Record puts an event on the model's chain, once for its key.
func (r *Registry) Record(ctx context.Context, e stage.Event) error {
	_, err := chain.Append(ctx, r.Store, r.Signer, e.Model, chainEvent(e))
	return err
}

func chainEvent(e stage.Event) chain.Event {
	event := chain.Event{Key: e.Key, Type: e.Type, Time: e.Time, Actor: e.Actor, Detail: e.Detail}
	for _, s := range e.Subjects {
		event.Subjects = append(event.Subjects, chain.Subject(s))
	}
	return event
}

// Register writes the version manifest of an approved candidate and records it. The run registers once, however often
// this is tried.
func (r *Registry) Register(ctx context.Context, in stage.RegisterInput) (stage.Registered, error) {
	manifest, err := r.manifest(ctx, in)
	if err != nil {
		return stage.Registered{}, err
	}
	standing, digest, err := registry.Register(ctx, r.Store, manifest)
	if err != nil {
		return stage.Registered{}, err
	}
	e := in.Evidence
	err = r.Record(ctx, stage.Event{
		Model: e.Model, Key: standing.Lifecycle + "/registered", Type: stage.EventRegistered, Time: in.Created, Actor: e.Lifecycle,
		Subjects: []stage.Subject{{Name: registry.VersionName(e.Model, standing.Version), Digest: digest}},
		Detail:   map[string]string{"version": strconv.Itoa(standing.Version)},
	})
	if err != nil {
		return stage.Registered{}, err
	}
	return stage.Registered{
		Answer:  stage.Answer{Summary: fmt.Sprintf("version %d, manifest %s", standing.Version, digest.Short())},
		Version: standing.Version, Manifest: digest,
	}, nil
}

// manifest gathers what a version is from the evidence.
func (r *Registry) manifest(ctx context.Context, in stage.RegisterInput) (registry.Manifest, error) {
	e := in.Evidence
	var none registry.Manifest
	spec, err := loadSpec(ctx, r.Store, e.Spec)
	if err != nil {
		return none, err
	}
	var snapshot table.Snapshot
	var parts table.Prepared
	var trained model.Manifest
	var evaluated evaluation.Report
	for _, read := range []struct {
		ref  artifact.Ref
		into any
	}{{e.Snapshot, &snapshot}, {e.Prepared, &parts}, {e.ModelManifest, &trained}, {e.Evaluation, &evaluated}} {
		if err := artifact.ReadJSON(ctx, r.Store, read.ref, read.into); err != nil {
			return none, err
		}
	}
	m := registry.Manifest{
		Model: e.Model, Lifecycle: e.Lifecycle + "@" + e.Run, RunID: e.Run, Created: in.Created,
		Requester: e.Requester, Owner: spec.Owner, Purpose: spec.Purpose, Trigger: e.Trigger.Kind, Reason: e.Trigger.Reason,
		Spec: e.Spec, Data: snapshot.Data, Profile: parts.Profile, TrainData: parts.Train, TestData: parts.Test,
		ModelArtifact: e.ModelArtifact, ModelManifest: e.ModelManifest, Predictions: e.Predictions,
		Evaluation: e.Evaluation, Fairness: e.Fairness, Explain: e.Explain, Privacy: e.Privacy,
		Verdicts: e.Verdicts, Verdict: string(e.Verdict), Dossier: in.Dossier, DossierPage: in.Page,
		Parameters: parameters(trained), Environment: environment(trained), Metrics: pointEstimates(evaluated),
		Code: e.Code, Sweep: e.Sweep, Thresholds: e.Thresholds,
	}
	if spec.Gates.TestSet != nil {
		m.Metrics = nil // figures of the test set are for some roles only
	}
	for _, u := range e.Usage {
		m.Usage = append(m.Usage, registry.StageUsage{
			Stage: string(u.Stage), CPUSeconds: u.CPUSeconds, GPUSeconds: u.GPUSeconds, PeakMemoryBytes: u.PeakMemoryBytes,
		})
	}
	for _, d := range in.Decisions {
		m.Decisions = append(m.Decisions, registry.Decision{
			Reviewer: d.Reviewer, Role: d.Role, Decision: d.Decision, Reason: d.Reason, Time: d.Time, Dossier: d.Dossier,
		})
	}
	return m, nil
}

func parameters(m model.Manifest) map[string]string {
	p := map[string]string{"trainer": m.Trainer}
	for name, value := range m.Parameters {
		p[name] = value.String()
	}
	return p
}

func environment(m model.Manifest) map[string]string {
	e := map[string]string{
		"go": m.Environment.Go, "os": m.Environment.OS, "arch": m.Environment.Arch, "assay": m.Environment.Assay,
		"trainer_version": m.TrainerVersion, "device": "cpu",
	}
	if m.Device != nil {
		e["device"] = m.Device.Name
		e["device_simulated"] = strconv.FormatBool(m.Device.Simulated)
	}
	if len(m.Devices) > 1 {
		e["devices"] = strconv.Itoa(len(m.Devices))
	}
	if p := m.Program; p != nil {
		e["program"], e["code"] = strings.Join(p.Run, " "), p.Code.Digest.String()
		e["executable"], e["interpreter"] = p.Executable.String(), p.Interpreter
	}
	return e
}

// Champion says which version serves; version 0 when none does.
func (r *Registry) Champion(ctx context.Context, in stage.PromoteInput) (stage.Championed, error) {
	c, err := registry.GetChampion(ctx, r.Store, in.Model)
	if errors.Is(err, artifact.ErrNotFound) {
		return stage.Championed{}, nil
	}
	return stage.Championed{Version: c.Version, Previous: c.Previous}, err
}

// SetTraffic gives a candidate its share. While another rollout of the model is under way it fails, to be tried again.
func (r *Registry) SetTraffic(ctx context.Context, in stage.TrafficInput) error {
	if err := r.endAbandoned(ctx, in); err != nil {
		return err
	}
	return registry.SetCandidate(ctx, r.Store, in.Model, registry.Candidate{Version: in.Version, Traffic: in.Percent, Rollout: in.Rollout, State: "canary"})
}

// endAbandoned ends the candidacy that a rollout which was terminated has left behind.
func (r *Registry) endAbandoned(ctx context.Context, in stage.TrafficInput) error {
	c, err := registry.GetCandidate(ctx, r.Store, in.Model)
	if err != nil || c.Version == 0 || c.Rollout == in.Rollout {
		return err
	}
	running, err := r.Running(ctx, c.Rollout)
	if err != nil || running {
		return err
	}
	return registry.ClearCandidate(ctx, r.Store, in.Model, c.Rollout, "abandoned")
}

// Promote makes a version the champion and records it. The pointer moves before the candidacy ends, so that the version
// serves without a gap.
func (r *Registry) Promote(ctx context.Context, in stage.PromoteInput) (stage.Championed, error) {
	c, err := registry.Promote(ctx, r.Store, in.Model, in.Version, in.Rollout, in.Time)
	if err != nil {
		return stage.Championed{}, err
	}
	if err := registry.ClearCandidate(ctx, r.Store, in.Model, in.Rollout, "promoted"); err != nil {
		return stage.Championed{}, err
	}
	return stage.Championed{Version: c.Version, Previous: c.Previous}, r.recordRollout(ctx, in, stage.EventPromoted)
}

// RollBack ends a candidacy: the champion, if there is one, answers every request again.
func (r *Registry) RollBack(ctx context.Context, in stage.PromoteInput) error {
	if err := registry.ClearCandidate(ctx, r.Store, in.Model, in.Rollout, "rolled back"); err != nil {
		return err
	}
	return r.recordRollout(ctx, in, stage.EventRolledBack)
}

func (r *Registry) recordRollout(ctx context.Context, in stage.PromoteInput, event string) error {
	_, digest, err := registry.Get(ctx, r.Store, in.Model, in.Version)
	if err != nil {
		return err
	}
	return r.Record(ctx, stage.Event{
		Model: in.Model, Key: in.Rollout + "/" + event, Type: event, Time: in.Time, Actor: in.Rollout,
		Subjects: []stage.Subject{{Name: registry.VersionName(in.Model, in.Version), Digest: digest}},
		Detail:   map[string]string{"version": strconv.Itoa(in.Version), "reason": in.Reason},
	})
}

// unchangedFrom is the champion's version when its model is the same to the byte, otherwise 0.
func unchangedFrom(ctx context.Context, s artifact.Store, name string, candidate artifact.Ref) (champion, unchanged int, err error) {
	c, err := registry.GetChampion(ctx, s, name)
	if errors.Is(err, artifact.ErrNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	m, _, err := registry.Get(ctx, s, name, c.Version)
	if err != nil {
		return 0, 0, err
	}
	if m.ModelArtifact.Digest == candidate.Digest {
		return c.Version, c.Version, nil
	}
	return c.Version, 0, nil
}
