package activities

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/ledger"
	"github.com/assay-ml/assay/internal/ownmetric"
	"github.com/assay-ml/assay/internal/serve"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/internal/trainer"
	"github.com/assay-ml/assay/internal/trainer/command"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
)

// Types of the errors activities end with. They are public API. Unavailable is tried again, and so are the ends of a
// program that the spec's train.command.retry names (docs/operations.md lists them).
const (
	ErrorInvalidSpec = "InvalidSpec" // the spec breaks a rule
	ErrorInvalidData = "InvalidData" // the data or parameters cannot be used, however often it is tried
	ErrorNotFound    = "NotFound"    // something named does not exist
	ErrorCorrupt     = "Corrupt"     // bytes in the store do not match their digest
	ErrorUnavailable = "Unavailable" // a disk, network or service did not do its part; trying again may help

	ErrorProgramRefused     = "ProgramRefused"         // the operator does not allow the program, or it is not there
	ErrorProgramExit        = "ProgramExit"            // it exited with a status other than 0
	ErrorProgramSignal      = "ProgramSignal"          // a signal ended it
	ErrorProgramOutOfMemory = "ProgramOutOfMemory"     // it took more memory than it may, or than there was
	ErrorProgramTimeLimit   = "ProgramTimeLimit"       // it ran longer than it may
	ErrorProgramSilence     = "ProgramSilence"         // it showed no progress for too long
	ErrorProgramDiskQuota   = "ProgramDiskQuota"       // it wrote more than it may
	ErrorProgramProcesses   = "ProgramProcesses"       // it started more processes than it may
	ErrorProgramNoModel     = "ProgramNoModel"         // it exited with status 0 and left no model
	ErrorProgramInterrupted = "ProgramInterrupted"     // the worker stopped; training goes on from the last checkpoint
	ErrorLostLease          = "LostLease"              // a later attempt has taken over; this one has no effect
	ErrorOwnMetric          = "OwnMetricFailed"        // the program of a user's own metric gave no numbers that can be used
	ErrorPrivacyBudget      = stage.ErrorPrivacyBudget // the data set's budget of privacy does not allow the training
	ErrorTestSet            = "TestSetRefused"         // a test set's ledger was lost, or opened under other rules
	ErrorServe              = "ServeFailed"            // the program that answers for a model did not start, or did not answer as it should
)

// programErrors are the types of the ends of a training program.
var programErrors = map[command.Kind]string{
	command.Refused: ErrorProgramRefused, command.Exited: ErrorProgramExit, command.Signalled: ErrorProgramSignal,
	command.OutOfMemory: ErrorProgramOutOfMemory, command.TimeLimit: ErrorProgramTimeLimit, command.Silence: ErrorProgramSilence,
	command.DiskQuota: ErrorProgramDiskQuota, command.Processes: ErrorProgramProcesses, command.NoModel: ErrorProgramNoModel,
	command.Interrupted: ErrorProgramInterrupted, command.LostLease: ErrorLostLease,
}

// asTemporal turns a domain error into the Temporal error that decides whether the activity is tried again. It is the
// only place where that is decided. The result must stay outermost: wrapped, a non-retryable error is retried again.
//
// What is not known to pass by itself is permanent: a user who made a mistake should read about it at once, not after
// twenty-five attempts.
func asTemporal(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var done *temporal.ApplicationError
	if errors.As(err, &done) {
		return done
	}
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
		return ctx.Err() // cancelled or past its deadline: Temporal knows what to do
	}
	message := shortened(err.Error())
	var failure *command.Failure
	if errors.As(err, &failure) {
		return temporal.NewApplicationErrorWithOptions(message, programErrors[failure.Kind], temporal.ApplicationErrorOptions{NonRetryable: !failure.Again})
	}
	var own *ownmetric.Error
	if errors.As(err, &own) {
		return temporal.NewApplicationErrorWithOptions(message, ErrorOwnMetric, temporal.ApplicationErrorOptions{NonRetryable: !own.Transient()})
	}
	if serving, passes := serveFailure(err); serving {
		return temporal.NewApplicationErrorWithOptions(message, ErrorServe, temporal.ApplicationErrorOptions{NonRetryable: !passes})
	}
	if kind := transient(err); kind != "" {
		return temporal.NewApplicationErrorWithOptions(message, ErrorUnavailable, temporal.ApplicationErrorOptions{Details: []any{kind}})
	}
	return temporal.NewNonRetryableApplicationError(message, permanentType(err), nil)
}

// serveFailure reports whether a model's own program is at fault, and whether trying again may help.
func serveFailure(err error) (serving, passes bool) {
	var start *serve.StartError
	var answer *serve.AnswerError
	var request *serve.RequestError
	switch {
	case errors.As(err, &start):
		return true, start.Transient()
	case errors.As(err, &answer):
		return true, answer.Transient()
	case errors.As(err, &request):
		return true, request.Transient()
	}
	return false, false
}

// longestText bounds, in bytes, a text for people that goes into a history; it stands there several times.
const longestText = 3000

// shortened keeps both ends of a text that is too long: what was being done, and what to do.
func shortened(text string) string {
	if len(text) <= longestText {
		return text
	}
	const half = longestText / 2
	return strings.ToValidUTF8(text[:half], "") + " [...] " + strings.ToValidUTF8(text[len(text)-half:], "")
}

func permanentType(err error) string {
	var badSpec *spec.Error
	var badInput *trainer.InputError
	switch {
	case errors.As(err, new(*ledger.LostError)), errors.As(err, new(*ledger.RulesError)), errors.As(err, new(*ledger.SettledError)):
		return ErrorTestSet
	case budgetRefused(err):
		return ErrorPrivacyBudget
	case errors.As(err, &badSpec):
		return ErrorInvalidSpec
	case errors.As(err, &badInput):
		return ErrorInvalidData
	case errors.Is(err, artifact.ErrCorrupt):
		return ErrorCorrupt
	case errors.Is(err, artifact.ErrNotFound):
		return ErrorNotFound
	default:
		return ErrorInvalidData
	}
}

// transient names the reason why trying again may help, or "".
func transient(err error) string {
	var network net.Error
	var unavailable *serviceerror.Unavailable
	var limited *serviceerror.ResourceExhausted
	var late *serviceerror.DeadlineExceeded
	switch {
	case errors.Is(err, artifact.ErrConflict):
		return "another writer was faster"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the disk is full"
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EMFILE):
		return "the disk does not take or give bytes"
	case errors.As(err, &network), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return "the network"
	case errors.As(err, &unavailable), errors.As(err, &limited), errors.As(err, &late):
		return "Temporal"
	case errors.Is(err, context.DeadlineExceeded):
		return "time ran out"
	case table.Transient(err) && !errors.Is(err, fs.ErrNotExist):
		return "the machine"
	default:
		return ""
	}
}
