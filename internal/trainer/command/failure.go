package command

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/spec"
)

// Kind says how a training ended without a model.
type Kind string

const (
	Refused     Kind = "refused"       // the operator does not allow the program, or it is not there
	Exited      Kind = "exit"          // it exited with a status other than 0
	Signalled   Kind = "signal"        // a signal ended it that Assay did not send
	OutOfMemory Kind = "out_of_memory" // it took more memory than it may, or than there was
	TimeLimit   Kind = "time_limit"    // it ran longer than it may
	Silence     Kind = "silence"       // it showed no progress for too long
	DiskQuota   Kind = "disk_quota"    // it wrote more than it may
	Processes   Kind = "processes"     // it started more processes than it may
	NoModel     Kind = "no_model"      // it exited with status 0 and left no model
	LostLease   Kind = "lost_lease"    // a later attempt has taken over
	Interrupted Kind = "interrupted"   // the worker stops
)

// temporaryFailure is the exit status (EX_TEMPFAIL of sysexits.h) with which a program says that trying again may help.
const temporaryFailure = 75

// Failure is a training that ended without a model.
type Failure struct {
	Kind  Kind
	Again bool // whether trying again may help, by the spec's rules
	Err   error
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// again decides whether a failure is tried again. failures counts those of the program, this one included; what is no
// fault of the program does not count.
func again(kind Kind, code int, r spec.Retry, failures int) bool {
	switch kind {
	case Interrupted, LostLease:
		return true
	case Refused, DiskQuota, Processes, NoModel:
		return false
	}
	if failures >= r.Attempts {
		return false
	}
	return kind == Exited && code == temporaryFailure || slices.Contains(r.On, string(kind))
}

// counts reports whether a failure uses up one of the spec's attempts.
func (k Kind) counts() bool { return k != Interrupted && k != LostLease }

// retryable reports whether a spec can have the kind tried again.
func (k Kind) retryable() bool {
	return k == Exited || k == Signalled || k == OutOfMemory || k == TimeLimit || k == Silence
}

// kindOf sorts how a program ended.
func kindOf(err error) (Kind, int) {
	var end *program.End
	if !errors.As(err, &end) {
		return Refused, 0
	}
	switch end.Kind {
	case program.Signalled:
		return Signalled, 0
	case program.OutOfMemory:
		return OutOfMemory, 0
	case program.TimeLimit:
		return TimeLimit, 0
	case program.DiskQuota:
		return DiskQuota, 0
	case program.TooManyProcesses:
		return Processes, 0
	}
	return Exited, end.Code
}

// orderly reports whether a program ended by itself in a way that says it had finished what it was doing: with status 0
// after it was asked to end; with the status that asks for another attempt at any time. The status that stands for SIGTERM
// says so only of a program that tells when its checkpoints are complete: a shell gives it too, of a command that the
// signal cut short.
func orderly(end *program.End, tells bool) bool {
	if end.Signal != 0 {
		return false
	}
	switch end.Kind {
	case program.Stopped, program.TimeLimit:
		return end.Code == 0 || tells && end.Code == 128+int(syscall.SIGTERM) || end.Code == temporaryFailure
	case program.Exited:
		return end.Code == temporaryFailure
	}
	return false
}

var (
	errSilent      = errors.New("it showed no progress")
	errWorkerStops = errors.New("the worker stops")
	errLostLease   = errors.New("a later attempt of this training has taken over; this one ends without effect")
)

func silent(s spec.Command) error {
	return fmt.Errorf("%w for %s: no output and no checkpoint; print progress more often, or raise train.command.silence", errSilent, s.Silence)
}
