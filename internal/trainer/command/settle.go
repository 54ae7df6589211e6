package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/stage"
)

// end settles an attempt whose program has ended. ctx is the job's and may have ended; after has not.
func (a *attempt) end(ctx, after context.Context, usage program.Usage, ended error) (Result, error) {
	spent := stage.Usage{CPUSeconds: usage.CPU.Seconds(), PeakMemoryBytes: usage.PeakMemoryBytes, GPUSeconds: usage.Wall.Seconds() * float64(len(a.job.Devices))}
	a.lastCheckpoint(after, ended)
	res := a.result(spent)
	if ended != nil {
		return res, a.failed(ctx, after, spent, ended)
	}
	files, folder, err := artifact.PutFolder(after, a.Store, a.layout.model, artifact.FolderLimits{Files: mostModelFiles, Bytes: mostModelBytes})
	if errors.Is(err, artifact.ErrFolderLimit) || errors.Is(err, artifact.ErrFolderEntry) {
		return res, a.fail(after, NoModel, 0, spent, fmt.Errorf("the program exited with status 0, and what it left in the folder that SM_MODEL_DIR names cannot be kept as a model: %w", err))
	}
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

// lastCheckpoint keeps what the program wrote before an end of its own making: on SIGTERM, or when it asks to be tried
// again. Any other end may have cut a file short.
func (a *attempt) lastCheckpoint(ctx context.Context, ended error) {
	var end *program.End
	if !errors.As(ended, &end) || errors.Is(ended, errLostLease) || !orderly(end, a.keeper.tells.Load()) {
		return
	}
	if err := a.keeper.look(ctx, atTheEnd); err != nil {
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
	if errors.Is(err, artifact.ErrFolderLimit) || errors.Is(err, artifact.ErrFolderEntry) {
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
