package program

import (
	"fmt"
	"strings"
	"syscall"
	"time"
)

// EndKind says how a program that did not succeed ended.
type EndKind string

const (
	Exited           EndKind = "exit"               // with a status other than 0
	Signalled        EndKind = "signal"             // by a signal that Assay did not send
	OutOfMemory      EndKind = "out_of_memory"      // over the policy's limit, or killed by the kernel, which had none left
	TimeLimit        EndKind = "time_limit"         // it ran longer than it may
	DiskQuota        EndKind = "disk_quota"         // its folder grew larger than it may
	TooManyProcesses EndKind = "too_many_processes" // more ran at once than may
	Stopped          EndKind = "stopped"            // on request, or because the context ended
)

// End is the error of a program that was started and did not end by itself with status 0. It wraps Why.
type End struct {
	Kind   EndKind
	Code   int            // exit status, where the program exited
	Signal syscall.Signal // that ended it, where one did
	Why    error          // of Stop and Kill, the context's cause, or what else is known; may be nil
	Tail   string         // last lines of output: at most 20 lines and 2,000 bytes of valid UTF-8
	Limit  string         // the limit that was exceeded and by how much, for people; empty where there was none
}

// Unwrap is why the program was stopped.
func (e *End) Unwrap() error { return e.Why }

// Error says what happened, what to do, and what the program wrote last.
func (e *End) Error() string {
	var b strings.Builder
	b.WriteString(e.what())
	if e.Tail == "" {
		b.WriteString(" It wrote no output.")
	} else {
		b.WriteString(" Its last output:\n" + e.Tail)
	}
	return b.String()
}

func (e *End) what() string {
	switch e.Kind {
	case Exited:
		return fmt.Sprintf("the program exited with status %d%s; expected 0.", e.Code, meaning(e.Code))
	case Signalled:
		text := fmt.Sprintf("signal %d (%s) ended the program, and Assay did not send it.", int(e.Signal), e.Signal)
		if e.Why != nil {
			text += fmt.Sprintf(" %v.", e.Why)
		}
		return text + " A library of the program may have crashed, or someone on the machine ended it."
	case OutOfMemory:
		if e.Limit == "" {
			return "the kernel ended the program because the machine or its container had no memory left. Give it more memory, or the program less to hold at once."
		}
		return fmt.Sprintf("the program was ended: %s. Give it less to hold at once, such as smaller batches or fewer loading processes, or ask the worker's operator for a higher limit.", e.Limit)
	case TimeLimit:
		return fmt.Sprintf("the program was ended: %s. Let it do less, resume from a checkpoint, or raise time_limit, which the worker's own limit bounds.", e.Limit)
	case DiskQuota:
		return fmt.Sprintf("the program was ended: %s. Keep fewer checkpoints and intermediate files, or ask the worker's operator for a higher limit.", e.Limit)
	case TooManyProcesses:
		return fmt.Sprintf("the program was ended: %s. Start fewer loading processes, or ask the worker's operator for a higher limit.", e.Limit)
	default:
		if e.Why == nil {
			return "the program was stopped."
		}
		return fmt.Sprintf("the program was stopped: %v.", e.Why)
	}
}

// meaning is what the shells of POSIX mean by an exit status (POSIX.1-2017, Shell Command Language, 2.8.2).
func meaning(code int) string {
	switch {
	case code == 126:
		return " (a shell found a command that it could not execute)"
	case code == 127:
		return " (a shell did not find a command)"
	case code > 128 && code < 128+65:
		return fmt.Sprintf(" (a shell reports that signal %d, %s, ended a command)", code-128, syscall.Signal(code-128))
	}
	return ""
}

// Usage is what a run took, also one that failed.
type Usage struct {
	CPU             time.Duration // user and system time of the program and of every descendant whose end was waited for
	PeakMemoryBytes int64         // the largest sum over the tree at a look, shared pages counted once; at least the largest single process
	Wall            time.Duration // from the program's start to its end
}

// bytesText is a size as people write it.
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d bytes", n)
	}
	value, unit := float64(n)/1024, 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}
