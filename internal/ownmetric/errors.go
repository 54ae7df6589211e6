package ownmetric

import (
	"errors"
	"fmt"

	"github.com/assay-ml/assay/internal/program"
)

// Kind says why there are no numbers.
type Kind string

const (
	Columns    Kind = "columns"      // the columns of the rows cannot be told apart
	Refused    Kind = "refused"      // the worker does not run the program; the error wraps a *program.Refusal
	Ended      Kind = "ended"        // the program did not end by itself with status 0; the error wraps a *program.End
	NoValues   Kind = "no_values"    // it left no regular file at ASSAY_VALUES
	TooLarge   Kind = "too_large"    // the file, or a line of it, is longer than rows and numbers can be
	BadHeader  Kind = "bad_header"   // the file does not begin with the line row,value
	BadLine    Kind = "bad_line"     // a line is not a row's whole number and a value
	UnknownRow Kind = "unknown_row"  // a row that the program was not given
	TwiceRow   Kind = "row_twice"    // a row that has two values
	MissingRow Kind = "missing_row"  // a row that has no value
	NotFinite  Kind = "not_finite"   // a value that is no finite number
	OutOfRange Kind = "out_of_range" // a value below Least or above Most
)

// Error is the error of a metric whose program gave no numbers that can be used. Its text holds no value of the rows'
// data and none that the program gave for a row; only what the program wrote as the number of a row is named. Of Ended
// it holds the end of what the program printed, as *program.End does.
type Error struct {
	Kind    Kind
	Row     int64  // of UnknownRow, TwiceRow, MissingRow, NotFinite and OutOfRange: the row, by its number in the frame; otherwise 0
	Rows    int    // of UnknownRow and MissingRow: how many there are; otherwise 0
	Line    int    // of the file, from 1, where one is at fault; otherwise 0
	Problem string // what was found
	Advice  string // what was expected, and what to do
	Err     error  // of Refused and Ended
}

// Error says what was found, what was expected and what to do.
func (e *Error) Error() string {
	switch {
	case e.Err != nil && e.Kind == Ended:
		return fmt.Sprintf("%v\nIt must write the values and exit with status 0.", e.Err)
	case e.Err != nil:
		return e.Err.Error()
	}
	return e.Problem + "; " + e.Advice
}

// Unwrap is a *program.Refusal or a *program.End, or nil.
func (e *Error) Unwrap() error { return e.Err }

// temporaryFailure is the exit status (EX_TEMPFAIL of sysexits.h) with which a program says that trying again may help.
const temporaryFailure = 75

// Transient reports whether the same run may succeed later: the program crashed by a signal, asked to be tried again by
// its exit status, or the machine had no memory left. An answer that cannot be used is the same the next time.
func (e *Error) Transient() bool {
	var end *program.End
	if e.Kind != Ended || !errors.As(e.Err, &end) {
		return false
	}
	switch end.Kind {
	case program.Signalled:
		return true
	case program.OutOfMemory:
		return end.Limit == ""
	case program.Exited:
		return end.Code == temporaryFailure
	}
	return false
}

// refused sorts what kept a program from starting.
func refused(err error) error {
	var refusal *program.Refusal
	if errors.As(err, &refusal) {
		return &Error{Kind: Refused, Err: err}
	}
	return err
}
