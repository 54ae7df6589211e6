package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
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

func (r *Runner) pace() time.Duration { return cmp.Or(r.every, lookEvery) }

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
	defer func() { _ = program.RemoveFolder(l.root) }()
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
	lease   *lease // of the goroutine that keeps checkpoints while the program runs

	announced chan struct{} // holds one when the program has announced a checkpoint
	reached   chan struct{} // holds one when the watched metric was reported

	// mu guards what follows. Whoever holds it must not wait for anything: the program's output would wait with it.
	mu        sync.Mutex
	output    *reading
	stored    checkpoint          // the last one on the record
	reports   []stage.TrialReport // not passed on yet
	logged    *rate.Limiter
	notLogged int
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
	a.stored = c
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
	restored, err := listing(a.layout.checkpoints) // what was restored is in the store already
	if err != nil {
		return Result{}, fmt.Errorf("look at the checkpoint folder: %w", err)
	}
	// The program's output is read, and may announce a checkpoint, before Start returns.
	a.keeper = &keeper{
		store: a.Store, folder: a.layout.checkpoints, text: a.sentence, save: a.save,
		number: a.lease.record.Checkpoint.Number, last: restored, seen: restored,
	}
	p, err := program.Start(ctx, program.Command{
		Path: a.program.Path, Args: append(append([]string(nil), a.job.Command.Run[1:]...), arguments(a.job.Parameters)...),
		Dir: a.layout.code, Folder: a.layout.root, Env: a.env, Policy: a.Policy,
		TimeLimit: time.Duration(a.job.Command.TimeLimit), Grace: time.Duration(a.job.Command.Grace), Output: a.read,
	})
	if err != nil {
		return Result{}, a.refused(err)
	}
	a.keeper.writers = func() (bool, error) { return p.WritesOpen(a.layout.checkpoints) }
	a.keeper.alive = func() bool { return runs(p) }
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
	tick := time.NewTicker(a.pace())
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
			if limit := time.Duration(a.job.Command.Silence); limit > 0 && time.Since(a.lastSign(p)) > limit {
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
	tick := time.NewTicker(a.pace())
	defer tick.Stop()
	for {
		why := byTheClock
		select {
		case <-p.Done():
			return
		case <-a.announced:
			why = onNotice
		case <-tick.C:
		}
		start := time.Now()
		err := a.keeper.look(ctx, why)
		switch {
		case errors.Is(err, errLostLease):
			p.Kill(errLostLease)
			return
		case err != nil && ctx.Err() == nil:
			a.Logger.Warn("a checkpoint was not stored, will be tried again", "execution", a.job.Execution, "error", err)
		}
		// Copying must not take more of the machine than training does.
		tick.Reset(max(a.pace(), 3*time.Since(start)))
		select {
		case <-a.announced: // during the copy: the keeper knows, and that it is no news any more
		default:
		}
	}
}

// runs reports whether the program's own process is there. Its supervisor waits for it as soon as it is dead.
func runs(p *program.Process) bool {
	process, err := os.FindProcess(p.Pid())
	if err != nil {
		return false
	}
	defer func() { _ = process.Release() }()
	return process.Signal(syscall.Signal(0)) == nil
}

// save puts a checkpoint on the record.
func (a *attempt) save(c checkpoint) error {
	ctx, done := context.WithTimeout(context.Background(), aftercare)
	defer done()
	if err := a.lease.update(ctx, func(r *record) { r.Checkpoint = c }); err != nil {
		return err
	}
	a.mu.Lock()
	a.stored = c
	a.mu.Unlock()
	a.Logger.Info("a checkpoint is in the store", "execution", a.job.Execution, "attempt", a.job.Attempt, "checkpoint", c.Number, "at", c.Text, "digest", c.Folder.Digest.String())
	return nil
}

// read takes one line of output. It must not wait: the program would wait with it.
func (a *attempt) read(line []byte, truncated bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
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
	if a.stored.Number > 0 {
		p.Checkpoint = fmt.Sprintf("%d (%s)", a.stored.Number, a.stored.Text)
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
func (a *attempt) lastSign(p *program.Process) time.Time {
	last := p.LastOutput()
	if changed := a.keeper.lastChange(); changed.After(last) {
		return changed
	}
	return last
}
