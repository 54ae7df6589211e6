package activities

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/internal/trainer"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
)

// Types of the errors activities end with. They are public API. Only Unavailable is tried again.
const (
	ErrorInvalidSpec = "InvalidSpec" // the spec breaks a rule
	ErrorInvalidData = "InvalidData" // the data or parameters cannot be used, however often it is tried
	ErrorNotFound    = "NotFound"    // something named does not exist
	ErrorCorrupt     = "Corrupt"     // bytes in the store do not match their digest
	ErrorUnavailable = "Unavailable" // a disk, network or service did not do its part; trying again may help
)

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
	if kind := transient(err); kind != "" {
		return temporal.NewApplicationErrorWithOptions(message, ErrorUnavailable, temporal.ApplicationErrorOptions{Details: []any{kind}})
	}
	return temporal.NewNonRetryableApplicationError(message, permanentType(err), nil)
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
