package workflows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/review"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Lifecycle takes one model from a data snapshot to its acceptance or refusal. Its input is a LifecycleInput as
// JSON; it is taken raw so that a malformed one from any client ends in a clear failure.
func Lifecycle(ctx workflow.Context, input converter.RawValue) (Result, error) {
	l, err := newLifecycle(ctx, input)
	if err != nil {
		return Result{}, err
	}
	return l.run(ctx)
}

// lifecycle is the state of one run: a straight line of stages, each leaving refs in the evidence.
type lifecycle struct {
	input    LifecycleInput
	plan     stage.Plan
	evidence stage.Evidence
	compiled stage.Compiled
	host     string // task queue of the host that has the model's files, if any
	cost     stage.Usage
	gated    stage.Gated
	progress *progress
	review   *reviewDesk
}

func newLifecycle(ctx workflow.Context, input converter.RawValue) (*lifecycle, error) {
	info := workflow.GetInfo(ctx)
	l := &lifecycle{progress: newProgress(info.WorkflowExecution.ID)}
	// Handlers come before the first blocking call, so that no early query or decision finds none.
	if err := workflow.SetQueryHandler(ctx, QueryStatus, l.status); err != nil {
		return nil, err
	}
	l.review = newReviewDesk()
	if err := l.review.listen(ctx); err != nil {
		return nil, err
	}
	l.followProgress(ctx)
	if err := l.read(input); err != nil {
		return nil, err
	}
	l.progress.status.Requester, l.progress.status.Trigger = l.input.Requester, l.input.Trigger
	l.evidence = stage.Evidence{
		Lifecycle: info.WorkflowExecution.ID, Run: info.OriginalRunID,
		Requester: l.input.Requester, Trigger: l.input.Trigger,
	}
	return l, nil
}

const lifecycleExample = `{"spec": {...}, "requester": "...", "trigger": {"kind": "manual"}}`

func (l *lifecycle) read(input converter.RawValue) error {
	if err := decodeStrict(input, &l.input, lifecycleExample); err != nil {
		return err
	}
	problem := ""
	spec, kind := string(l.input.Spec), l.input.Trigger.Kind
	switch {
	case spec == "" || spec == "null":
		problem = "it has no spec"
	case len(l.input.Requester) > review.MaxName: // the requester is a search attribute, which Temporal bounds
		problem = fmt.Sprintf("the requester has %d bytes, more than %d", len(l.input.Requester), review.MaxName)
	case len(l.input.Trigger.Reason) > review.MaxReason || len(l.input.Trigger.Source) > review.MaxName: // they go along with the evidence
		problem = fmt.Sprintf("the trigger's reason has more than %d bytes, or its source more than %d", review.MaxReason, review.MaxName)
	case !slices.Contains([]string{"", "manual", "schedule", "drift", "data"}, kind):
		problem = fmt.Sprintf("the trigger's kind is %q, not manual, schedule, drift or data", kind)
	}
	if problem != "" {
		return invalidInput(problem, lifecycleExample)
	}
	return nil
}

// run goes through the stages and leaves the outcome where people look for it.
func (l *lifecycle) run(ctx workflow.Context) (Result, error) {
	result, err := l.live(ctx)
	result.Model, result.Dossier, result.Page, result.Verdicts = l.plan.Model, l.compiled.Dossier, l.compiled.Page, l.progress.status.Verdicts
	if err != nil {
		result.Outcome, result.Reason = Failed, explain(err)
		if temporal.IsCanceledError(err) {
			result.Outcome, result.Reason = Cancelled, "cancelled during "+string(l.progress.status.Stage)
		}
	}
	// What follows must happen also when the run was cancelled.
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	if recordErr := l.recordEnd(ctx, result); recordErr != nil && err == nil {
		err = recordErr
		result.Outcome, result.Reason = Failed, explain(recordErr)
	}
	l.progress.end(ctx, result)
	if awaitErr := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); awaitErr != nil {
		return result, awaitErr
	}
	switch {
	case result.Outcome == Cancelled:
		return result, temporal.NewCanceledError(result)
	case err != nil:
		return result, temporal.NewApplicationErrorWithOptions(result.Reason, ErrorLifecycleFailed,
			temporal.ApplicationErrorOptions{NonRetryable: true, Cause: err, Details: []any{result}})
	}
	return result, nil
}

// live is the lifecycle itself. It returns early, without an error, when the candidate is refused.
func (l *lifecycle) live(ctx workflow.Context) (Result, error) {
	if err := l.admit(ctx); err != nil {
		return Result{}, err
	}
	if refusal, err := l.makeCandidate(ctx); err != nil || refusal != nil {
		return settled(refusal), err
	}
	if refusal, err := l.audit(ctx); err != nil || refusal != nil {
		return settled(refusal), err
	}
	if refusal, err := l.askReviewers(ctx); err != nil || refusal != nil {
		return settled(refusal), err
	}
	if refusal, err := l.openVerdict(ctx); err != nil || refusal != nil {
		return settled(refusal), err
	}
	version, err := l.register(ctx)
	if err != nil {
		return Result{}, err
	}
	result, err := l.rollOut(ctx, version)
	result.Version = version
	return result, err
}

func settled(refusal *Result) Result {
	if refusal == nil {
		return Result{}
	}
	return *refusal
}

// admit has the spec checked. The check is an activity, so that stricter rules of later releases never change the
// replay of a run that was admitted under earlier ones.
func (l *lifecycle) admit(ctx workflow.Context) error {
	admitted, err := perform(ctx, l, stage.Admit, func() (stage.Admitted, error) {
		return call[stage.Admitted](quick(ctx, "check the spec"), stage.ActivityAdmit, stage.AdmitInput{Spec: l.input.Spec})
	})
	if err != nil {
		return err
	}
	l.plan = admitted.Plan
	if l.input.Requester == "" && slices.Contains(l.plan.Review.Separate, "requester") {
		return invalidInput("it names no requester, whom the spec's review.separate keeps from deciding", lifecycleExample)
	}
	l.evidence.Model, l.evidence.Spec = admitted.Plan.Model, admitted.Spec
	l.progress.identify(ctx, admitted.Plan.Model)
	l.expectMitigation()
	if !l.plan.Program && !l.plan.Metrics {
		return nil
	}
	// The code is stored before anything else: what trains is what stood there when the lifecycle began.
	packaged, err := call[stage.Packaged](onCPU(ctx, "store the user's code"), stage.ActivityPackage, stage.PackageInput{Spec: l.evidence.Spec})
	if err != nil {
		l.progress.fail(ctx, stage.Admit, err)
		return err
	}
	l.evidence.Code, l.evidence.MetricCode = packaged.Code, packaged.Metrics
	l.progress.note(ctx, stage.Admit, admitted.Summary+", "+packaged.Summary)
	return nil
}

// makeCandidate goes from the data source to a trained model.
func (l *lifecycle) makeCandidate(ctx workflow.Context) (*Result, error) {
	e := &l.evidence
	if err := l.ingest(ctx); err != nil {
		return nil, err
	}
	validated, err := perform(ctx, l, stage.Validate, func() (stage.Validated, error) {
		return call[stage.Validated](onCPU(ctx, "check expectations"), stage.ActivityValidate, stage.ValidateInput{Spec: e.Spec, Snapshot: e.Snapshot})
	})
	if err != nil {
		return nil, err
	}
	e.Validation = validated.Report
	if validated.Verdict == gate.Fail {
		l.progress.stop(ctx, stage.Validate)
		return &Result{Outcome: Gated, Reason: "the data does not meet its expectations: " + validated.Summary}, nil
	}
	prepared, err := perform(ctx, l, stage.Prepare, func() (stage.Prepared, error) {
		return call[stage.Prepared](onCPU(ctx, "transform and split"), stage.ActivityPrepare,
			stage.PrepareInput{Spec: e.Spec, Snapshot: e.Snapshot, TestSnapshot: e.TestSnapshot})
	})
	if err != nil {
		return nil, err
	}
	e.Prepared = prepared.Prepared
	if err := l.reweigh(ctx); err != nil {
		return nil, err
	}
	trained, err := l.train(ctx)
	if l.plan.Private && refusedByBudget(err) {
		return &Result{Outcome: Gated, Reason: explain(err)}, nil
	}
	if err != nil {
		return nil, err
	}
	e.ModelArtifact, e.ModelManifest, l.host = trained.Model, trained.Manifest, trained.Host
	if l.cost = trained.Cost; !trained.Cached {
		l.cost = trained.Usage
	}
	return nil, nil
}

// ingest reads the source and, when the spec has one, the test source.
func (l *lifecycle) ingest(ctx workflow.Context) error {
	e := &l.evidence
	ingested, err := perform(ctx, l, stage.Ingest, func() (stage.Ingested, error) {
		train, err := call[stage.Ingested](onCPU(ctx, "read the source"), stage.ActivityIngest, stage.IngestInput{Spec: e.Spec})
		if err != nil || !l.plan.TestSource {
			return train, err
		}
		test, err := call[stage.Ingested](onCPU(ctx, "read the test source"), stage.ActivityIngest, stage.IngestInput{Spec: e.Spec, Test: true})
		if err != nil {
			return train, err
		}
		e.TestSnapshot = test.Snapshot
		train.Cached = train.Cached && test.Cached
		train.Summary += "; test source: " + test.Summary
		return train, nil
	})
	e.Snapshot = ingested.Snapshot
	return err
}

// audit measures the candidate, answers the gate conditions and compiles the dossier.
func (l *lifecycle) audit(ctx workflow.Context) (*Result, error) {
	e := &l.evidence
	input := stage.AuditInput{Spec: e.Spec, Prepared: e.Prepared, Model: e.ModelArtifact}
	input.MetricCode = e.MetricCode
	if err := l.chooseThresholds(ctx, &input); err != nil {
		return nil, err
	}
	if refusal, err := l.evaluate(ctx, &input); err != nil || refusal != nil {
		return refusal, err
	}
	for _, audit := range []struct {
		name     stage.Name
		activity string
		report   *artifact.Ref
		host     string
	}{
		{stage.Fairness, stage.ActivityFairness, &e.Fairness, ""},
		{stage.Explain, stage.ActivityExplain, &e.Explain, l.host},
		{stage.Privacy, stage.ActivityPrivacy, &e.Privacy, ""},
	} {
		audited, err := perform(ctx, l, audit.name, func() (stage.Audited, error) {
			return onHost[stage.Audited](ctx, audit.host, string(audit.name), audit.activity, input)
		})
		if err != nil {
			return nil, err
		}
		*audit.report = audited.Report
	}
	if refusal, err := l.decide(ctx); err != nil || refusal != nil {
		return refusal, err
	}
	if err := l.compile(ctx); err != nil {
		return nil, err
	}
	return l.refusedByGate(ctx, l.gated), nil
}

// refusedByGate settles the lifecycle when the verdict, under the spec's rule for inconclusive ones, refuses it. The
// dossier is compiled first: who made the candidate wants to see why.
func (l *lifecycle) refusedByGate(ctx workflow.Context, gated stage.Gated) *Result {
	refused := gated.Verdict == gate.Fail && l.plan.Failing != spec.FailingReviewed || gated.Verdict == gate.Inconclusive && l.plan.Inconclusive == "fail"
	if refused {
		l.progress.stop(ctx, stage.Gate)
		return &Result{Outcome: Gated, Reason: "gate: " + gated.Summary}
	}
	if l.compiled.Unchanged != 0 && automatic(l.input.Trigger) {
		return &Result{Outcome: Unchanged, Reason: fmt.Sprintf("the candidate is the same to the byte as version %d, which serves", l.compiled.Unchanged), Version: l.compiled.Unchanged}
	}
	return nil
}

// automatic tells runs that nobody asked for by hand; a person who starts a lifecycle gets the whole of it.
func automatic(t stage.Trigger) bool { return t.Kind != "" && t.Kind != "manual" }

func (l *lifecycle) compile(ctx workflow.Context) error {
	now := workflow.Now(ctx).UTC()
	compiled, err := perform(ctx, l, stage.Dossier, func() (stage.Compiled, error) {
		return call[stage.Compiled](onCPU(ctx, "compile the dossier"), stage.ActivityDossier, stage.DossierInput{Evidence: l.evidence, Created: now})
	})
	if err != nil {
		return err
	}
	l.compiled = compiled
	l.progress.file(compiled)
	return record(ctx, stage.Event{
		Model: l.plan.Model, Key: l.key("dossier/" + compiled.Dossier.Digest.Short()), Type: stage.EventDossier, Time: now, Actor: l.evidence.Lifecycle,
		Subjects: []stage.Subject{{Name: "dossier", Digest: compiled.Dossier.Digest}, {Name: "page", Digest: compiled.Page.Digest}}, Detail: l.verdictDetail(),
	})
}

// register writes the version manifest. Registering is keyed by the run, so a repeated attempt finds its version.
func (l *lifecycle) register(ctx workflow.Context) (int, error) {
	now := workflow.Now(ctx).UTC()
	registered, err := perform(ctx, l, stage.Register, func() (stage.Registered, error) {
		return call[stage.Registered](quick(ctx, "register the version"), stage.ActivityRegister, stage.RegisterInput{
			Evidence: l.evidence, Dossier: l.compiled.Dossier, Page: l.compiled.Page,
			Decisions: l.review.decisions(), Created: now,
		})
	})
	if err != nil {
		return 0, err
	}
	l.progress.number(ctx, registered.Version)
	return registered.Version, nil
}

// rollOut runs the rollout as a child and, when it promoted the version, tells the model's monitor.
func (l *lifecycle) rollOut(ctx workflow.Context, version int) (Result, error) {
	id := RolloutID(l.plan.Model, version)
	l.progress.status.Rollout = id
	result, err := perform(ctx, l, stage.Rollout, func() (RolloutResult, error) {
		child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID: id, TaskQueue: TaskQueue, ParentClosePolicy: enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL, WaitForCancellation: true,
			StaticSummary: fmt.Sprintf("roll out %s version %d", l.plan.Model, version),
		})
		var answer RolloutResult
		err := workflow.ExecuteChildWorkflow(child, RolloutType, RolloutInput{
			Model: l.plan.Model, Version: version, Lifecycle: l.evidence.Lifecycle, Rollout: l.plan.Rollout,
		}).Get(ctx, &answer)
		return answer, err
	})
	if err != nil {
		return Result{}, err
	}
	if !result.Promoted {
		l.progress.stop(ctx, stage.Rollout)
		return Result{Outcome: Gated, Reason: "rolled back during the canary: " + result.Reason}, nil
	}
	watch := stage.Watch{Model: l.plan.Model, Version: version, Since: workflow.Now(ctx).UTC(), Monitor: l.plan.Monitor, Retrain: l.plan.Retrain}
	// A cancellation that came too late for the rollout does not keep from the monitor who serves.
	telling, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	if err := workflow.ExecuteActivity(quick(telling, "tell the monitor"), stage.ActivityTellMonitor, watch).Get(telling, nil); err != nil {
		return Result{}, err
	}
	return Result{Outcome: Deployed, Reason: result.Reason}, nil
}

// recordEnd puts late decisions and a refusal on the chain; promotions are recorded where they happen.
func (l *lifecycle) recordEnd(ctx workflow.Context, result Result) error {
	if err := l.recordDecisions(ctx); err != nil { // those that came late
		return err
	}
	if result.Outcome == Deployed || l.plan.Model == "" {
		return nil
	}
	var subjects []stage.Subject
	if !l.compiled.Dossier.IsZero() {
		subjects = append(subjects, stage.Subject{Name: "dossier", Digest: l.compiled.Dossier.Digest})
	}
	err := record(ctx, stage.Event{
		Model: l.plan.Model, Key: l.key("end"), Type: stage.EventRefused, Time: workflow.Now(ctx).UTC(), Actor: l.evidence.Lifecycle,
		Subjects: subjects, Detail: map[string]string{"outcome": string(result.Outcome), "reason": result.Reason},
	})
	if err != nil {
		return err
	}
	return l.recordDecisions(ctx) // those that came meanwhile
}

// key names an event of this run on the chain. It is the same after a reset, so events about a dossier name it too: the one
// compiled after a reset is another.
func (l *lifecycle) key(event string) string {
	return l.evidence.Lifecycle + "@" + l.evidence.Run + "/" + event
}

// decodeStrict reads the JSON input that people write: a misspelt field would otherwise be a missing one.
func decodeStrict(input converter.RawValue, into any, example string) error {
	return read(input, into, example, true)
}

// decode reads the JSON input that Assay's own workflows write. It ignores fields it does not know, which a later
// release may have added before a run continued under this one.
func decode(input converter.RawValue, into any, example string) error {
	return read(input, into, example, false)
}

func read(input converter.RawValue, into any, example string, strict bool) error {
	if len(input.Payload().GetData()) == 0 { // without an input, and with the input null
		return invalidInput("there is none", example)
	}
	d := json.NewDecoder(bytes.NewReader(input.Payload().GetData()))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(into); err != nil {
		return invalidInput(strings.TrimPrefix(err.Error(), "json: "), example)
	}
	return nil
}

func invalidInput(problem, example string) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf("read the workflow's input: %s; expected JSON such as %s", problem, example), ErrorInvalidInput, nil)
}

// explain is the innermost message a person can act on.
func explain(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	if temporal.IsCanceledError(err) {
		return "cancelled"
	}
	return err.Error()
}
