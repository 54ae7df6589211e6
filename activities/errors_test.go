package activities

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/ledger"
	"github.com/assay-ml/assay/internal/ownmetric"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/trainer"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
)

// TestWhichErrorsAreTriedAgain is the whole table: what a user must mend is permanent, what passes by itself is not.
func TestWhichErrorsAreTriedAgain(t *testing.T) {
	_, badSpec := spec.ParseJSON([]byte(`{"speck": 1}`))
	for _, c := range []struct {
		name  string
		err   error
		kind  string
		again bool
	}{
		{"a spec that breaks a rule", badSpec, ErrorInvalidSpec, false},
		{"data that cannot be trained on", &trainer.InputError{Problem: "one class", Advice: "add rows"}, ErrorInvalidData, false},
		{"an unknown error", errors.New("the file is empty"), ErrorInvalidData, false},
		{"bytes that do not match", artifact.ErrCorrupt, ErrorCorrupt, false},
		{"a missing blob", artifact.ErrNotFound, ErrorNotFound, false},
		{"a ledger that was deleted", &ledger.LostError{}, ErrorTestSet, false},
		{"a test set under other rules", &ledger.RulesError{}, ErrorTestSet, false},
		{"a metric without numbers", &ownmetric.Error{Kind: ownmetric.NoValues, Problem: "no file"}, ErrorOwnMetric, false},
		{"a metric whose program was killed", &ownmetric.Error{Kind: ownmetric.Ended, Err: &program.End{Kind: program.Signalled}}, ErrorOwnMetric, true},
		{"a full disk", &fs.PathError{Op: "write", Path: "/s", Err: syscall.ENOSPC}, ErrorUnavailable, true},
		{"a read-only folder", &fs.PathError{Op: "open", Path: "/s", Err: syscall.EROFS}, ErrorUnavailable, true},
		{"a lost race", artifact.ErrConflict, ErrorUnavailable, true},
		{"a refused connection", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, ErrorUnavailable, true},
		{"a server that is away", serviceerror.NewUnavailable("restarting"), ErrorUnavailable, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := asTemporal(context.Background(), fmt.Errorf("do a stage: %w", c.err))
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.Same(t, err, app, "the Temporal error must be outermost")
			require.Equal(t, c.kind, app.Type())
			require.Equal(t, c.again, !app.NonRetryable())
			require.Contains(t, app.Message(), "do a stage")
		})
	}
}

func TestLongMessagesAreShortenedInTheMiddle(t *testing.T) {
	message := asTemporal(context.Background(), errors.New("read the source: "+strings.Repeat("é", 1<<20)+"; expected less")).Error()
	require.Less(t, len(message), 1<<12)
	require.Contains(t, message, "read the source")
	require.Contains(t, message, "expected less")
	require.True(t, utf8.ValidString(message))
}

func TestCancellationStaysACancellation(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, asTemporal(ctx, fmt.Errorf("train: %w", ctx.Err())), context.Canceled)
	require.NoError(t, asTemporal(ctx, nil))
}

// TestCancellationByItsCause is how the SDK cancels: packages that report the cause must not make a failure of it.
func TestCancellationByItsCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(temporal.NewCanceledError())
	require.ErrorIs(t, asTemporal(ctx, fmt.Errorf("read source: %w", context.Cause(ctx))), context.Canceled)
}
