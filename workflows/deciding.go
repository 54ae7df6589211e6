package workflows

import (
	"fmt"
	"time"

	"github.com/assay-ml/assay/internal/stage"
	"go.temporal.io/sdk/workflow"
)

// lookAgain is how often a lifecycle looks for labels that nobody told it of.
const lookAgain = time.Hour

// LabelsStatus says which labels a lifecycle waits for.
type LabelsStatus struct {
	Request  string    `json:"request"` // id, for: starter labels submit
	Rows     int       `json:"rows"`
	Missing  int       `json:"missing"`
	Deadline time.Time `json:"deadline"` // without the labels by then the candidate is refused
}

// evaluate has the test part scored by candidate and champion, waits for labels where some are missing, and measures. It
// returns a refusal when labels did not come in time.
func (l *lifecycle) evaluate(ctx workflow.Context, input *stage.AuditInput) (*Result, error) {
	late := false
	evaluated, err := perform(ctx, l, stage.Evaluate, func() (stage.Evaluated, error) {
		if l.plan.Decides {
			if err := l.scoreChampion(ctx, input); err != nil {
				return stage.Evaluated{}, err
			}
		}
		if l.plan.Labels != nil {
			arrived, err := l.collectLabels(ctx, input)
			if err != nil {
				return stage.Evaluated{}, err
			}
			if late = !arrived; late {
				return stage.Evaluated{Answer: stage.Answer{Summary: "labels did not arrive in time"}}, nil
			}
		}
		return onHost[stage.Evaluated](ctx, l.host, "score the test part", stage.ActivityEvaluate, *input)
	})
	if err != nil {
		return nil, err
	}
	if late {
		l.progress.stop(ctx, stage.Evaluate)
		return &Result{Outcome: Expired, Reason: fmt.Sprintf("%d of the labels asked for did not arrive by the deadline (gates.labels.deadline)", l.progress.status.Labels.Missing)}, nil
	}
	l.evidence.Predictions, l.evidence.Evaluation = evaluated.Predictions, evaluated.Report
	input.Predictions = evaluated.Predictions
	return nil, nil
}

// scoreChampion has the version that serves answer the same test rows.
func (l *lifecycle) scoreChampion(ctx workflow.Context, input *stage.AuditInput) error {
	compared, err := call[stage.Compared](onCPU(ctx, "score the test part with the champion"), stage.ActivityScoreChampion, *input)
	if err != nil {
		return err
	}
	l.evidence.Champion, input.Champion = compared.Rival, compared.Rival
	return nil
}

// collectLabels asks for the labels that the conditions need and waits until they are there, or their deadline.
func (l *lifecycle) collectLabels(ctx workflow.Context, input *stage.AuditInput) (bool, error) {
	landed := workflow.GetSignalChannel(ctx, stage.SignalLabels)
	deadline := workflow.Now(ctx).Add(time.Duration(l.plan.Labels.Deadline)).UTC()
	for {
		for landed.ReceiveAsync(nil) {
		}
		asked, err := call[stage.LabelsAsked](onCPU(ctx, "which labels are missing"), stage.ActivityAskLabels, *input)
		if err != nil {
			return false, err
		}
		if asked.Missing == 0 {
			input.Labels, l.evidence.Labels = asked.Labels, asked.Labels
			l.progress.status.Labels = nil
			return true, nil
		}
		if waiting := l.progress.status.Labels; waiting == nil || waiting.Request != asked.Request {
			text := fmt.Sprintf("%d labels of test rows are needed: starter labels list", asked.Missing)
			if err := l.tell(ctx, "labels", nil, text); err != nil {
				return false, err
			}
		}
		l.progress.status.Labels = &LabelsStatus{Request: asked.Request, Rows: asked.Rows, Missing: asked.Missing, Deadline: deadline}
		l.progress.note(ctx, stage.Evaluate, fmt.Sprintf("waits for %d labels until %s: starter labels list", asked.Missing, deadline.Format(time.RFC3339)))
		left := deadline.Sub(workflow.Now(ctx))
		if left <= 0 {
			return false, nil
		}
		if _, err := workflow.AwaitWithTimeout(ctx, min(left, lookAgain), func() bool { return landed.Len() > 0 }); err != nil {
			return false, err
		}
	}
}

// decide answers the gate conditions. It returns a refusal when the test set's budget is spent: then nothing was decided.
func (l *lifecycle) decide(ctx workflow.Context) (*Result, error) {
	e := &l.evidence
	// A lifecycle admitted by an earlier version has no champion's answers; its conditions ask for none.
	input := stage.GateInput{
		Spec: e.Spec, Evaluation: e.Evaluation, Fairness: e.Fairness, Privacy: e.Privacy, Validation: e.Validation,
		Prepared: e.Prepared, Predictions: e.Predictions, Model: e.ModelArtifact,
		Champion: e.Champion, MetricCode: e.MetricCode, Labels: e.Labels, Cost: l.cost,
		Lifecycle: e.Lifecycle, Requester: e.Requester, Now: workflow.Now(ctx).UTC(),
	}
	gated, err := perform(ctx, l, stage.Gate, func() (stage.Gated, error) {
		return call[stage.Gated](onCPU(ctx, "answer the gate conditions"), stage.ActivityGate, input)
	})
	if err != nil {
		return nil, err
	}
	l.gated = gated
	if gated.Alarm != "" {
		l.progress.status.Alarm = gated.Alarm
		l.progress.stop(ctx, stage.Gate)
		if err := l.tell(ctx, "alarm", l.plan.TestSet.ShowTo, gated.Alarm); err != nil {
			return nil, err
		}
		return &Result{Outcome: Gated, Reason: gated.Alarm}, nil
	}
	e.Verdicts, e.Verdict, e.Comparison, e.Step = gated.Verdicts, gated.Verdict, gated.Comparison, gated.Step
	l.progress.judge(gated, l.plan.TestSet)
	return nil, nil
}

// openVerdict shows a sealed verdict once people have decided, and holds the candidate to it.
func (l *lifecycle) openVerdict(ctx workflow.Context) (*Result, error) {
	if !l.gated.Sealed {
		return nil, nil
	}
	opened, err := call[stage.Gated](quick(ctx, "open the sealed verdict"), stage.ActivityUnseal, stage.UnsealInput{Spec: l.evidence.Spec, Verdicts: l.evidence.Verdicts})
	if err != nil {
		return nil, err
	}
	l.evidence.Verdict = opened.Verdict
	l.progress.status.Verdict, l.progress.status.Verdicts = opened.Verdict, opened.Verdicts
	return l.refusedByGate(ctx, opened), nil
}

// tell announces something outside a review; without roles it goes to those of the spec's quorum.
func (l *lifecycle) tell(ctx workflow.Context, kind string, to []string, text string) error {
	if to == nil {
		for _, seat := range l.plan.Review.Quorum {
			to = append(to, seat.Role)
		}
	}
	return workflow.ExecuteActivity(quick(ctx, "announce: "+kind), stage.ActivityAnnounce, stage.Announcement{
		Kind: kind, Lifecycle: l.evidence.Lifecycle, Model: l.plan.Model, Dossier: l.compiled.Dossier.Digest, To: to, Text: text,
	}).Get(ctx, nil)
}

// verdictDetail is what the chain records of the gate beside the dossier.
func (l *lifecycle) verdictDetail() map[string]string {
	if l.gated.Sealed {
		return map[string]string{"verdict": "sealed"}
	}
	return map[string]string{"verdict": string(l.evidence.Verdict)}
}
