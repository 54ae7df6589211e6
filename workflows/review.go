package workflows

import (
	"fmt"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/review"
	"github.com/assay-ml/assay/internal/stage"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// keptRefusals is how many refused votes the status shows.
const keptRefusals = 10

// reviewDesk receives decisions from the first moment of a lifecycle to its last, by signal and by update, and gives
// them to the review. Before the review opens there is nothing to decide on, and every vote is refused.
type reviewDesk struct {
	review     *review.Review    // nil until the dossier is there
	unrecorded []review.Decision // not yet on the chain
	refusals   []RefusedVote
}

func newReviewDesk() *reviewDesk { return &reviewDesk{} }

// listen registers the update and starts taking signals.
func (d *reviewDesk) listen(ctx workflow.Context) error {
	err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateDecision, d.update, workflow.UpdateHandlerOptions{
		Validator:   d.validate,
		Description: `A reviewer's decision: {"reviewer","role","decision":"approve|reject|request_changes","reason","dossier"}`,
	})
	if err != nil {
		return err
	}
	signals := workflow.GetSignalChannel(ctx, SignalDecision)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var raw converter.RawValue
			if !signals.Receive(ctx, &raw) {
				return
			}
			d.signal(ctx, raw)
		}
	})
	return nil
}

// validate rejects an update before it reaches history; the sender is told why at once.
func (d *reviewDesk) validate(ctx workflow.Context, raw converter.RawValue) error {
	vote, err := parseVote(raw)
	if err == nil {
		err = d.check(ctx, vote)
	}
	if err != nil {
		return temporal.NewNonRetryableApplicationError(err.Error(), ErrorDecisionRefused, nil)
	}
	return nil
}

func (d *reviewDesk) check(ctx workflow.Context, vote review.Vote) error {
	if d.review == nil {
		return fmt.Errorf("no review is open yet: the dossier has not been compiled; wait for the stage review")
	}
	return d.review.Check(vote, workflow.Now(ctx))
}

func (d *reviewDesk) update(ctx workflow.Context, raw converter.RawValue) (Receipt, error) {
	vote, err := parseVote(raw)
	if err != nil {
		return Receipt{}, temporal.NewNonRetryableApplicationError(err.Error(), ErrorDecisionRefused, nil)
	}
	effect, err := d.apply(ctx, vote)
	if err != nil {
		return Receipt{}, temporal.NewNonRetryableApplicationError(err.Error(), ErrorDecisionRefused, nil)
	}
	return Receipt{Effect: effect, Dossier: d.review.Status().Dossier}, nil
}

// signal takes a vote that nobody waits for; a refusal is kept in the status.
func (d *reviewDesk) signal(ctx workflow.Context, raw converter.RawValue) {
	vote, err := parseVote(raw)
	if err == nil {
		_, err = d.apply(ctx, vote)
	}
	if err != nil {
		d.refuse(ctx, vote.Reviewer, err)
	}
}

func (d *reviewDesk) apply(ctx workflow.Context, vote review.Vote) (review.Effect, error) {
	if d.review == nil {
		return review.Effect{}, d.check(ctx, vote)
	}
	before := len(d.review.Status().Decisions)
	effect, err := d.review.Apply(vote, workflow.Now(ctx).UTC())
	d.unrecorded = append(d.unrecorded, d.review.Status().Decisions[before:]...)
	return effect, err
}

func (d *reviewDesk) refuse(ctx workflow.Context, reviewer string, err error) {
	workflow.GetLogger(ctx).Warn("a decision was refused", "reason", err.Error())
	d.refusals = append(d.refusals, RefusedVote{Reviewer: reviewer, Reason: err.Error(), Time: workflow.Now(ctx).UTC()})
	if extra := len(d.refusals) - keptRefusals; extra > 0 {
		d.refusals = d.refusals[extra:]
	}
}

// status is nil while nothing has been received and no review is open.
func (d *reviewDesk) status() *ReviewStatus {
	if d.review == nil && len(d.refusals) == 0 {
		return nil
	}
	s := &ReviewStatus{Refusals: d.refusals}
	if d.review != nil {
		s.Status = d.review.Status()
	}
	return s
}

// decisions are the votes that stand, for the version manifest.
func (d *reviewDesk) decisions() []stage.Decision {
	var standing []stage.Decision
	for _, v := range d.review.Status().Decisions {
		if v.Standing == review.Counted {
			standing = append(standing, stage.Decision{
				Reviewer: v.Reviewer, Role: v.Role, Decision: v.Decision, Reason: v.Reason, Dossier: d.review.Status().Dossier, Time: v.At,
			})
		}
	}
	return standing
}

func parseVote(raw converter.RawValue) (review.Vote, error) {
	if len(raw.Payload().GetData()) == 0 {
		return review.Vote{}, fmt.Errorf(`read decision: it is empty; expected JSON such as {"reviewer": "...", "role": "...", "decision": "approve", "reason": "...", "dossier": "sha256:..."}`)
	}
	return review.ParseVote(raw.Payload().GetData())
}

// reviewed is the answer of the review stage.
type reviewed struct {
	outcome review.Outcome
	summary string
}

func (r reviewed) Outline() (string, bool) { return r.summary, false }

// askReviewers waits for people. It returns a refusal unless the quorum approved.
func (l *lifecycle) askReviewers(ctx workflow.Context) (*Result, error) {
	answer, err := perform(ctx, l, stage.Review, func() (reviewed, error) { return l.holdReview(ctx) })
	if err != nil {
		return nil, err
	}
	outcomes := map[review.Outcome]Outcome{review.Rejected: Rejected, review.ChangesRequested: ChangesRequested, review.Expired: Expired}
	if outcome, refused := outcomes[answer.outcome]; refused {
		l.progress.stop(ctx, stage.Review)
		return &Result{Outcome: outcome, Reason: answer.summary}, nil
	}
	return nil, nil
}

// holdReview opens the review and keeps it until it has an outcome: votes, reminders, escalation, deadline.
func (l *lifecycle) holdReview(ctx workflow.Context) (reviewed, error) {
	policy, err := review.PolicyFrom(l.plan.Review)
	if err != nil {
		return reviewed{}, temporal.NewNonRetryableApplicationError(err.Error(), ErrorInvalidInput, nil)
	}
	desk := l.review
	desk.review, err = review.New(policy, l.compiled.Dossier.Digest, l.input.Requester, workflow.Now(ctx).UTC())
	if err != nil {
		return reviewed{}, temporal.NewNonRetryableApplicationError(err.Error(), ErrorInvalidInput, nil)
	}
	if err := l.announce(ctx, "request", nil, l.requestText()); err != nil {
		return reviewed{}, err
	}
	for desk.review.Outcome() == review.Open {
		if err := l.waitForVoteOrTimer(ctx); err != nil {
			return reviewed{}, err
		}
		if err := l.recordDecisions(ctx); err != nil {
			return reviewed{}, err
		}
	}
	// A vote may have ended the review while its request was announced: it is on the record before anything follows from it.
	if err := l.recordDecisions(ctx); err != nil {
		return reviewed{}, err
	}
	s := desk.review.Status()
	if err := l.announce(ctx, "outcome", nil, string(s.Outcome)+": "+s.Reason); err != nil {
		return reviewed{}, err
	}
	return reviewed{s.Outcome, s.Reason}, nil
}

func (l *lifecycle) requestText() string {
	text := "a candidate waits for " + review.Seats(l.review.review.Status().Missing)
	switch l.evidence.Verdict {
	case gate.Fail:
		text += "; it does not meet the gate's conditions, and the spec leaves the decision to the reviewers: " + l.gated.Summary
	case gate.Inconclusive:
		text += "; the gate's verdict is inconclusive and is put to the reviewers: " + l.gated.Summary
	}
	return text
}

// waitForVoteOrTimer sleeps until a vote is to be recorded or a timer is due, and acts on due timers.
func (l *lifecycle) waitForVoteOrTimer(ctx workflow.Context) error {
	desk, now := l.review, workflow.Now(ctx)
	for _, action := range desk.review.Tick(now) {
		if err := l.act(ctx, action); err != nil {
			return err
		}
	}
	at, kind, ok := desk.review.NextTimer(now)
	if desk.review.Outcome() != review.Open || !ok || len(desk.unrecorded) > 0 {
		return nil
	}
	timerCtx, stop := workflow.WithCancel(ctx)
	defer stop()
	timer := workflow.NewTimerWithOptions(timerCtx, at.Sub(now), workflow.TimerOptions{Summary: "review: " + string(kind)})
	if err := workflow.Await(ctx, func() bool { return timer.IsReady() || len(desk.unrecorded) > 0 }); err != nil {
		return err
	}
	return ctx.Err() // a cancellation makes the timer ready, and Await then says nothing of it
}

func (l *lifecycle) act(ctx workflow.Context, action review.Action) error {
	missing := review.Seats(action.Missing)
	switch action.Kind {
	case review.Remind:
		return l.announce(ctx, "reminder", nil, "still waiting for "+missing)
	case review.Escalate:
		return l.announce(ctx, "escalation", action.To, "nobody has decided for "+missing)
	default:
		return nil // expiry shows in the outcome
	}
}

func (l *lifecycle) announce(ctx workflow.Context, kind string, to []string, text string) error {
	if to == nil {
		for _, seat := range l.review.review.Status().Missing {
			to = append(to, seat.Role)
		}
	}
	return workflow.ExecuteActivity(quick(ctx, "announce: "+kind), stage.ActivityAnnounce, stage.Announcement{
		Kind: kind, Lifecycle: l.evidence.Lifecycle, Model: l.plan.Model, Dossier: l.compiled.Dossier.Digest, To: to, Text: text,
	}).Get(ctx, nil)
}

// recordDecisions puts every decision taken so far on the model's chain, in order.
func (l *lifecycle) recordDecisions(ctx workflow.Context) error {
	desk := l.review
	for len(desk.unrecorded) > 0 {
		d := desk.unrecorded[0]
		number := len(desk.review.Status().Decisions) - len(desk.unrecorded) + 1
		err := record(ctx, stage.Event{
			Model: l.plan.Model, Key: l.key(fmt.Sprintf("decision/%s/%d", l.compiled.Dossier.Digest.Short(), number)), Type: stage.EventDecision, Time: d.At, Actor: d.Reviewer,
			Subjects: []stage.Subject{{Name: "dossier", Digest: l.compiled.Dossier.Digest}},
			Detail:   map[string]string{"role": d.Role, "decision": d.Decision, "reason": d.Reason, "standing": string(d.Standing)},
		})
		if err != nil {
			return err
		}
		desk.unrecorded = desk.unrecorded[1:]
	}
	return nil
}
