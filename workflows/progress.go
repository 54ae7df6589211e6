package workflows

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// progress keeps what people see of a lifecycle: the status query, Temporal's current details, search attributes.
type progress struct {
	status Status
}

func newProgress(id string) *progress {
	p := &progress{status: Status{Lifecycle: id}}
	for _, name := range stage.Order {
		if !slices.Contains(stage.Optional, name) {
			p.status.Stages = append(p.status.Stages, StageStatus{Stage: name, State: Waiting})
		}
	}
	return p
}

// expect puts an optional stage in its place.
func (p *progress) expect(name stage.Name) {
	at := slices.IndexFunc(p.status.Stages, func(s StageStatus) bool {
		return slices.Index(stage.Order, s.Stage) > slices.Index(stage.Order, name)
	})
	p.status.Stages = slices.Insert(p.status.Stages, at, StageStatus{Stage: name, State: Waiting})
}

// status answers the status query.
func (l *lifecycle) status() (Status, error) {
	s := l.progress.status
	s.Review = l.review.status()
	return s, nil
}

// answered is implemented by the answers of stages.
type answered interface {
	Outline() (summary string, cached bool)
}

// perform does one stage and keeps its progress. Types of answers say in a line what was done.
func perform[A answered](ctx workflow.Context, l *lifecycle, name stage.Name, do func() (A, error)) (A, error) {
	line := l.progress.begin(ctx, name)
	answer, err := do()
	line.Finished = workflow.Now(ctx).UTC()
	if err != nil {
		line.State, line.Summary = Stopped, explain(err)
		return answer, err
	}
	line.State = Done
	line.Summary, line.Cached = answer.Outline()
	if spent, ok := any(answer).(interface{ Spent() stage.Usage }); ok && spent.Spent() != (stage.Usage{}) {
		line.Usage = spent.Spent()
		l.evidence.Usage = append(l.evidence.Usage, stage.StageUsage{Stage: name, Usage: line.Usage})
	}
	l.progress.show(ctx)
	return answer, nil
}

func (p *progress) begin(ctx workflow.Context, name stage.Name) *StageStatus {
	p.status.Stage = name
	line := p.line(name)
	line.State, line.Started = Running, workflow.Now(ctx).UTC()
	p.show(ctx)
	p.tag(ctx, AttributeStage.ValueSet(string(name)))
	return line
}

// note says what a running stage waits for.
func (p *progress) note(ctx workflow.Context, name stage.Name, text string) {
	p.line(name).Summary = text
	p.show(ctx)
}

// fail marks a stage that was done and then could not be used.
func (p *progress) fail(ctx workflow.Context, name stage.Name, err error) {
	line := p.line(name)
	line.State, line.Summary = Stopped, explain(err)
	p.show(ctx)
}

// stop marks the stage that refused the candidate.
func (p *progress) stop(ctx workflow.Context, name stage.Name) {
	p.line(name).State = Stopped
	p.show(ctx)
}

func (p *progress) line(name stage.Name) *StageStatus {
	for i := range p.status.Stages {
		if p.status.Stages[i].Stage == name {
			return &p.status.Stages[i]
		}
	}
	panic(fmt.Sprintf("stage %q is not in stage.Order", name))
}

func (p *progress) identify(ctx workflow.Context, model string) {
	p.status.Model = model
	p.tag(ctx, AttributeModel.ValueSet(model), AttributeRequester.ValueSet(p.status.Requester))
}

func (p *progress) judge(gated stage.Gated, set *spec.TestSet) {
	p.status.Verdict = gated.Verdict
	if set == nil {
		p.status.Verdicts = gated.Verdicts
		return
	}
	p.status.Sealed = &Sealed{Verdict: gated.Sealed, ShowTo: set.ShowTo}
	p.status.TestSet = &TestSetUse{Step: gated.Step, Of: set.Steps}
}

func (p *progress) file(compiled stage.Compiled) {
	p.status.Dossier, p.status.Page, p.status.Public = compiled.Dossier, compiled.Page, compiled.Public
}

func (p *progress) number(ctx workflow.Context, version int) {
	p.status.Version = version
	p.tag(ctx, AttributeVersion.ValueSet(int64(version)))
}

func (p *progress) end(ctx workflow.Context, result Result) {
	p.status.Result = &result
	p.show(ctx)
	p.tag(ctx, AttributeOutcome.ValueSet(string(result.Outcome)))
}

// tag sets search attributes. A cluster without them refuses the workflow task, which Temporal retries: the run goes
// on once "starter setup" has registered them.
func (p *progress) tag(ctx workflow.Context, updates ...temporal.SearchAttributeUpdate) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Error("search attributes were not set", "error", err)
	}
}

// show writes the stages as a Markdown table into Temporal's current details.
func (p *progress) show(ctx workflow.Context) {
	var b strings.Builder
	s := &p.status
	if s.Result != nil {
		b.WriteString(fmt.Sprintf("**%s**: %s\n\n", s.Result.Outcome, s.Result.Reason))
	}
	b.WriteString("| stage | state | seconds | |\n|---|---|---|---|\n")
	for _, line := range s.Stages {
		seconds := ""
		if !line.Finished.IsZero() {
			seconds = fmt.Sprintf("%.1f", line.Finished.Sub(line.Started).Seconds())
		}
		state := string(line.State)
		if line.Cached {
			state += ", from the store"
		}
		b.WriteString(fmt.Sprintf("| %s | %s | %s | %s |\n", line.Stage, state, seconds, strings.ReplaceAll(line.Summary, "|", "\\|")))
	}
	if s.Verdict != "" {
		b.WriteString(fmt.Sprintf("\nGate verdict: **%s**\n", s.Verdict))
	}
	workflow.SetCurrentDetails(ctx, b.String())
}
