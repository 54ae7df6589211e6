package workflows

import (
	"github.com/assay-ml/assay/internal/stage"
	"go.temporal.io/sdk/workflow"
)

// expectMitigation shows the stages that a spec with mitigation has.
func (l *lifecycle) expectMitigation() {
	if l.plan.Reweighing {
		l.progress.expect(stage.Reweigh)
	}
	if l.plan.Thresholds {
		l.progress.expect(stage.Cut)
	}
}

// reweigh gives the training rows weights when the spec asks for it.
func (l *lifecycle) reweigh(ctx workflow.Context) error {
	if !l.plan.Reweighing {
		return nil
	}
	e := &l.evidence
	reweighed, err := perform(ctx, l, stage.Reweigh, func() (stage.Reweighed, error) {
		return call[stage.Reweighed](onCPU(ctx, "weigh the training rows"), stage.ActivityReweigh, stage.ReweighInput{Spec: e.Spec, Prepared: e.Prepared})
	})
	e.Prepared, e.Reweighing = reweighed.Prepared.Prepared, reweighed.Report
	return err
}

// chooseThresholds finds a threshold for each group on the validation part when the spec asks for it.
func (l *lifecycle) chooseThresholds(ctx workflow.Context, input *stage.AuditInput) error {
	if !l.plan.Thresholds {
		return nil
	}
	chosen, err := perform(ctx, l, stage.Cut, func() (stage.Audited, error) {
		return onHost[stage.Audited](ctx, l.host, "choose thresholds by group", stage.ActivityCut, *input)
	})
	l.evidence.Thresholds, input.Thresholds = chosen.Report, chosen.Report
	return err
}
