package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
	"golang.org/x/time/rate"
)

// Result is what a training has left. With an error it holds what there was before.
type Result struct {
	Files    artifact.Ref // artifact.Folder: the model
	Program  model.Program
	Metrics  []model.Metric
	Curves   artifact.Ref // JSON of []model.Curve, zero when there are none
	Usage    stage.Usage  // over all attempts
	Warnings []string
	Value    *float64 // last report of the watched metric
	Resource int      // how far it came, as the watch counts
}

// aftercare is how long what must happen after a program's end may take when its context has ended.
const aftercare = 20 * time.Second

// lookEvery is how often the checkpoint folder and the clock are looked at.
const lookEvery = time.Second

// Run runs the program to its end. When ctx ends first, the program gets SIGTERM and its grace, then SIGKILL; the error
// wraps ctx's cause, and the result holds what was reported until then. Every other failure is a *Failure, or an error of
// the store or the machine.
func (r *Runner) Run(ctx context.Context, j Job) (Result, error) {
	held, err := takeLease(ctx, r.Store, j.Execution, j.Attempt, j.Begun)
	if errors.Is(err, errLostLease) {
		return Result{}, &Failure{Kind: LostLease, Again: true, Err: err}
	}
	if err != nil {
		return Result{}, err
	}
	l, err := newLayout(r.Scratch, !j.Validation.IsZero())
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(l.root)
	output, err := newReading(j.Command.Metrics, j.Watch)
	if err != nil {
		return Result{}, err
	}
	a := &attempt{Runner: r, job: j, layout: l, lease: held, output: output, announced: make(chan struct{}, 1), reached: make(chan struct{}, 1),
		logged: rate.NewLimiter(logPerSecond, logAtOnce)}
	if err := a.prepare(ctx); err != nil {
		return Result{}, a.refused(err)
	}
	return a.run(ctx)
}

// attempt is one run of the program.
type attempt struct {
	*Runner
	job     Job
	layout  layout
	env     []string
	program model.Program
	keeper  *keeper

	announced chan struct{} // holds one when the program has announced a checkpoint
	reached   chan struct{} // holds one when the watched metric was reported

	mu         sync.Mutex // guards what follows
	lease      *lease
	output     *reading
	lastOutput time.Time
	reports    []stage.TrialReport // not passed on yet
	logged     *rate.Limiter
	notLogged  int
}

// prepare lays out what the program finds.
func (a *attempt) prepare(ctx context.Context) error {
	j, l := a.job, a.layout
	if _, err := artifact.GetFolder(ctx, a.Store, j.Code, l.code); err != nil {
		return err
	}
	path, err := a.Policy.Resolve(j.Command.Run[0], l.code)
	if err != nil {
		return err
	}
	if err := a.deliver(ctx); err != nil {
		return err
	}
	if err := j.writeConfig(l); err != nil {
		return err
	}
	if err := a.resume(ctx); err != nil {
		return err
	}
	a.env = program.Environment(a.Policy, l.root, path, j.environment(l, a.Policy.CPUs))
	a.program = model.Program{Run: j.Command.Run, Path: path, Code: j.Code, Resumed: a.lease.record.Resumed}
	if a.program.Executable, err = digestOf(path); err != nil {
		return fmt.Errorf("read the program: %w", err)
	}
	known, err := a.describe(ctx, path, l.root, a.env)
	a.program.Interpreter, a.program.Packages = known.Interpreter, known.Packages
	return err
}

// deliver writes the parts into the channels' folders.
func (a *attempt) deliver(ctx context.Context) error {
	for _, channel := range []struct {
		ref    artifact.Ref
		folder string
	}{{a.job.Training, a.layout.train}, {a.job.Validation, a.layout.validation}} {
		if channel.ref.IsZero() {
			continue
		}
		path := filepath.Join(channel.folder, filepath.Base(channel.folder)+"."+a.job.Command.Data)
		if err := table.Export(ctx, a.Store, channel.ref, a.job.Columns, a.job.Command.Data, path, a.Limits); err != nil {
			return err
		}
	}
	return nil
}

// resume restores the last checkpoint, and says so.
func (a *attempt) resume(ctx context.Context) error {
	c := a.lease.record.Checkpoint
	if c.Folder.IsZero() {
		return os.MkdirAll(a.layout.checkpoints, 0o700)
	}
	if err := restore(ctx, a.Store, c, a.layout.checkpoints); err != nil {
		return err
	}
	sentence := fmt.Sprintf("attempt %d resumed from checkpoint %d (%s)", a.job.Attempt, c.Number, c.Text)
	a.Logger.Info("training resumes from a checkpoint", "execution", a.job.Execution, "attempt", a.job.Attempt, "checkpoint", c.Number, "at", c.Text, "digest", c.Folder.Digest.String())
	a.output.transcript.add([]byte("[assay] "+sentence), false)
	return a.lease.update(ctx, func(r *record) {
		if r.Resumed = append(r.Resumed, sentence); len(r.Resumed) > mostResumed {
			r.Resumed = r.Resumed[1:]
		}
	})
}

func (a *attempt) run(ctx context.Context) (Result, error) {
	p, err := program.Start(ctx, program.Command{
		Path: a.program.Path, Args: append(append([]string(nil), a.job.Command.Run[1:]...), arguments(a.job.Parameters)...),
		Dir: a.layout.code, Folder: a.layout.root, Env: a.env, Policy: a.Policy,
		TimeLimit: time.Duration(a.job.Command.TimeLimit), Grace: time.Duration(a.job.Command.Grace), Output: a.read,
	})
	if err != nil {
		return Result{}, a.refused(err)
	}
	a.lastOutput = time.Now()
	a.keeper = &keeper{
		store: a.Store, folder: a.layout.checkpoints, text: a.sentence, save: a.save, number: a.lease.record.Checkpoint.Number,
		writers: func() (bool, error) { return p.WritesOpen(a.layout.checkpoints) },
	}
	if a.keeper.last, err = listing(a.layout.checkpoints); err != nil { // what was restored is in the store already
		p.Kill(err)
	}
	a.keeper.seen = a.keeper.last
	copies := make(chan struct{})
	go func() { defer close(copies); a.keep(ctx, p) }()
	a.attend(p)
	usage, ended := p.Wait()
	<-copies
	// What follows must happen also when the training was cancelled.
	after, done := context.WithTimeout(context.WithoutCancel(ctx), aftercare)
	defer done()
	if ctx.Err() == nil {
		after = ctx
	}
	return a.end(ctx, after, usage, ended)
}

// attend watches the program until it ends: it passes on progress, ends it when it has gone silent or the worker stops.
func (a *attempt) attend(p *program.Process) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	stop := a.Stop
	var kill <-chan time.Time
	for {
		select {
		case <-p.Done():
			a.passOn()
			return
		case <-a.reached:
			a.passOn()
		case <-tick.C:
			a.tell()
			if limit := time.Duration(a.job.Command.Silence); limit > 0 && time.Since(a.lastSign()) > limit {
				p.Stop(silent(a.job.Command))
			}
		case <-stop:
			stop = nil
			p.Stop(errWorkerStops)
			timer := time.NewTimer(a.StopGrace)
			defer timer.Stop()
			kill = timer.C
		case <-kill:
			p.Kill(errWorkerStops)
		}
	}
}

// keep copies checkpoints until the program has ended.
func (a *attempt) keep(ctx context.Context, p *program.Process) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		complete := false
		select {
		case <-p.Done():
			return
		case <-a.announced:
			complete = true
		case <-tick.C:
		}
		start := time.Now()
		err := a.keeper.look(ctx, complete)
		switch {
		case errors.Is(err, errLostLease):
			p.Kill(errLostLease)
			return
		case err != nil && ctx.Err() == nil:
			a.Logger.Warn("a checkpoint was not stored, will be tried again", "execution", a.job.Execution, "error", err)
		}
		// Copying must not take more of the machine than training does.
		tick.Reset(max(lookEvery, 3*time.Since(start)))
	}
}

// save puts a checkpoint on the record.
func (a *attempt) save(c checkpoint) error {
	ctx, done := context.WithTimeout(context.Background(), aftercare)
	defer done()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.lease.update(ctx, func(r *record) { r.Checkpoint = c }); err != nil {
		return err
	}
	a.Logger.Info("a checkpoint is in the store", "execution", a.job.Execution, "attempt", a.job.Attempt, "checkpoint", c.Number, "at", c.Text, "digest", c.Folder.Digest.String())
	return nil
}

// read takes one line of output. It must not wait: the program would wait with it.
func (a *attempt) read(line []byte, truncated bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lastOutput = time.Now()
	f := a.output.line(line, truncated)
	a.log(line)
	if f.checkpoint != "" {
		a.keeper.announce()
		notify(a.announced)
	}
	if f.reached {
		a.reports = append(a.reports, stage.TrialReport{Resource: a.output.resource, Value: *a.output.watched})
		notify(a.reached)
	}
}

// A program may print faster than a log can be read; its output is kept apart as a whole.
const (
	logPerSecond = 20
	logAtOnce    = 200
)

func (a *attempt) log(line []byte) {
	if !a.logged.Allow() {
		a.notLogged++
		return
	}
	if a.notLogged > 0 {
		a.Logger.Info("program output", "execution", a.job.Execution, "lines_not_shown", a.notLogged)
		a.notLogged = 0
	}
	a.Logger.Info("program output", "execution", a.job.Execution, "line", string(line))
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is known already
	}
}

// passOn tells the observer of reports of the watched metric.
func (a *attempt) passOn() {
	a.mu.Lock()
	reports := a.reports
	a.reports = nil
	a.mu.Unlock()
	if a.job.Observer.Reached == nil {
		return
	}
	for _, r := range reports {
		a.job.Observer.Reached(r.Resource, r.Value)
	}
}

// tell passes on how far training has come.
func (a *attempt) tell() {
	if a.job.Observer.Progress == nil {
		return
	}
	a.mu.Lock()
	p := stage.TrainingProgress{Step: a.output.step, Total: a.output.total, Metrics: a.output.values(), Attempt: a.job.Attempt, Text: a.output.sentence()}
	if c := a.lease.record.Checkpoint; c.Number > 0 {
		p.Checkpoint = fmt.Sprintf("%d (%s)", c.Number, c.Text)
	}
	a.mu.Unlock()
	a.job.Observer.Progress(p)
}

func (a *attempt) sentence() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.output.sentence(); s != "" {
		return s
	}
	return "no progress was printed"
}

// lastSign is when the program last printed something or changed its checkpoints.
func (a *attempt) lastSign() time.Time {
	a.mu.Lock()
	last := a.lastOutput
	a.mu.Unlock()
	if changed := a.keeper.lastChange(); changed.After(last) {
		return changed
	}
	return last
}

// end settles an attempt whose program has ended. ctx is the job's and may have ended; after has not.
func (a *attempt) end(ctx, after context.Context, usage program.Usage, ended error) (Result, error) {
	spent := stage.Usage{CPUSeconds: usage.CPU.Seconds(), PeakMemoryBytes: usage.PeakMemoryBytes, GPUSeconds: usage.Wall.Seconds() * float64(len(a.job.Devices))}
	a.lastCheckpoint(after, ended)
	res := a.result(spent)
	if ended != nil {
		return res, a.failed(ctx, after, spent, ended)
	}
	files, folder, err := artifact.PutFolder(after, a.Store, a.layout.model, artifact.FolderLimits{Files: mostModelFiles, Bytes: mostModelBytes})
	if err != nil {
		return res, fmt.Errorf("store the model that the program left in SM_MODEL_DIR: %w", err)
	}
	if len(folder.Files) == 0 {
		return res, a.fail(after, NoModel, 0, spent, fmt.Errorf("the program exited with status 0 and left no file in the folder that SM_MODEL_DIR names; write the model there, and exit with another status when there is none. Its last output:\n%s", a.tail()))
	}
	res.Files = files
	if err := a.attach(after, &res); err != nil {
		return res, err
	}
	err = a.lease.update(after, func(r *record) { r.Done, r.Usage = true, r.Usage.Plus(spent) })
	if errors.Is(err, errLostLease) {
		return res, &Failure{Kind: LostLease, Again: true, Err: err}
	}
	return res, err
}

// lastCheckpoint keeps what the program wrote on SIGTERM: one that exits by itself has finished writing.
func (a *attempt) lastCheckpoint(ctx context.Context, ended error) {
	var end *program.End
	if !errors.As(ended, &end) || end.Kind != program.Stopped || errors.Is(ended, errLostLease) {
		return
	}
	orderly := end.Signal == 0
	if err := a.keeper.look(ctx, orderly); err != nil {
		a.Logger.Warn("the last checkpoint was not stored", "execution", a.job.Execution, "error", err)
	}
}

func (a *attempt) result(spent stage.Usage) Result {
	a.mu.Lock()
	defer a.mu.Unlock()
	res := Result{
		Program: a.program, Usage: a.lease.record.Usage.Plus(spent), Warnings: a.output.warnings(),
		Value: a.output.watched, Resource: a.output.resource,
	}
	res.Program.Resumed = a.lease.record.Resumed
	res.Metrics, _ = a.output.summary()
	return res
}

// attach stores what goes along with a model.
func (a *attempt) attach(ctx context.Context, res *Result) error {
	a.mu.Lock()
	printed := a.output.transcript.bytes()
	_, curves := a.output.summary()
	a.mu.Unlock()
	var err error
	if res.Program.Output, err = a.Store.Put(ctx, bytes.NewReader(printed), artifact.MediaText); err != nil {
		return err
	}
	if len(curves) > 0 {
		if res.Curves, err = artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, curves); err != nil {
			return err
		}
	}
	ref, folder, err := artifact.PutFolder(ctx, a.Store, a.layout.output, artifact.FolderLimits{Files: mostOutputFiles, Bytes: mostOutputBytes})
	if errors.Is(err, artifact.ErrFolderLimit) {
		res.Warnings = append(res.Warnings, fmt.Sprintf("what the program left in SM_OUTPUT_DATA_DIR was not kept: %v", err))
		return nil
	}
	if len(folder.Files) > 0 {
		res.Program.OutputData = ref
	}
	return err
}

// failed turns the end of a program into the error of the training.
func (a *attempt) failed(ctx, after context.Context, spent stage.Usage, ended error) error {
	switch {
	case errors.Is(ended, errLostLease):
		return &Failure{Kind: LostLease, Again: true, Err: errLostLease}
	case errors.Is(ended, errWorkerStops):
		return a.fail(after, Interrupted, 0, spent, fmt.Errorf("the worker stopped; training goes on from its last checkpoint: %s", a.lease.record.Checkpoint.orNone()))
	case errors.Is(ended, errSilent):
		return a.fail(after, Silence, 0, spent, ended)
	case ctx.Err() != nil:
		_ = a.lease.update(after, func(r *record) { r.Usage = r.Usage.Plus(spent) })
		return fmt.Errorf("training was stopped: %w", context.Cause(ctx))
	}
	kind, code := kindOf(ended)
	return a.fail(after, kind, code, spent, ended)
}

func (c checkpoint) orNone() string {
	if c.Number == 0 {
		return "there is none, it begins anew"
	}
	return fmt.Sprintf("number %d (%s)", c.Number, c.Text)
}

// fail puts a failure on the record and decides whether it is tried again.
func (a *attempt) fail(ctx context.Context, kind Kind, code int, spent stage.Usage, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	recorded := a.lease.update(ctx, func(r *record) {
		r.Usage = r.Usage.Plus(spent)
		if kind.counts() {
			r.Failures++
		}
	})
	if errors.Is(recorded, errLostLease) {
		return &Failure{Kind: LostLease, Again: true, Err: errLostLease}
	}
	if recorded != nil {
		return errors.Join(err, recorded)
	}
	f := &Failure{Kind: kind, Again: again(kind, code, a.job.Command.Retry, a.lease.record.Failures), Err: err}
	if !f.Again && kind.retryable() {
		f.Err = fmt.Errorf("%w\nIt is not tried again: %s", err, a.why(kind))
	}
	return f
}

// why says which rule of the spec ends the retries.
func (a *attempt) why(kind Kind) string {
	r := a.job.Command.Retry
	if a.lease.record.Failures >= r.Attempts {
		return fmt.Sprintf("it has failed %d times, and train.command.retry.attempts is %d.", a.lease.record.Failures, r.Attempts)
	}
	return fmt.Sprintf("train.command.retry.on does not name %s; a program that exits with status %d is tried again.", kind, temporaryFailure)
}

// refused sorts what kept a program from starting.
func (a *attempt) refused(err error) error {
	var refusal *program.Refusal
	switch {
	case errors.Is(err, errLostLease):
		return &Failure{Kind: LostLease, Again: true, Err: err}
	case errors.As(err, &refusal):
		return &Failure{Kind: Refused, Err: fmt.Errorf("train.command.run: %w", err)}
	}
	var end *program.End
	if errors.As(err, &end) && end.Kind != program.Stopped { // the interpreter that was asked what it is
		return &Failure{Kind: Refused, Err: err}
	}
	return err
}

// tail is the end of the output, for a message.
func (a *attempt) tail() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	printed := a.output.transcript.bytes()
	const most = 1000
	if len(printed) > most {
		printed = printed[len(printed)-most:]
	}
	if len(printed) == 0 {
		return "(none)"
	}
	return string(bytes.ToValidUTF8(printed, nil))
}
