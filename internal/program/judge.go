package program

import (
	"errors"
	"syscall"

	"github.com/assay-ml/assay/internal/program/supervisor"
)

// judge says how a program ended; nil: well. reason is why it was asked to end, or nil; lost says that the supervisor
// died before it could report; starved, that the kernel killed something for want of memory meanwhile.
func judge(reason *End, e supervisor.Ended, lost, starved bool) *End {
	var end End
	switch {
	case lost && reason != nil:
		end = *reason
	case lost:
		end = End{Kind: Signalled, Why: errors.New("its supervisor was killed, and the program with it")}
	case e.Asked && reason != nil:
		end = *reason
	case e.Status.Signaled():
		end.Kind = Signalled
	case e.Status.ExitStatus() != 0:
		end.Kind = Exited
	default:
		return nil
	}
	switch {
	case lost:
		end.Signal = syscall.SIGKILL
	case e.Status.Signaled():
		end.Signal = e.Status.Signal()
	default:
		end.Code = e.Status.ExitStatus()
	}
	// A shell whose command was killed exits with 128 and the signal's number.
	const killed = 128 + int(syscall.SIGKILL)
	if starved && (end.Kind == Signalled && end.Signal == syscall.SIGKILL || end.Kind == Exited && end.Code == killed) {
		end.Kind, end.Why = OutOfMemory, nil
	}
	return &end
}
