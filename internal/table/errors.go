package table

import (
	"context"
	"errors"
	"io/fs"
)

// transientError marks an error that says nothing about the input.
type transientError struct{ error }

func (e transientError) Unwrap() error { return e.error }

// What a machine lacks.
var (
	errMemory error = transientError{errors.New("DuckDB ran out of the memory it is given; raise the worker's memory limit or give it room for temporary files")}
	errFull   error = transientError{errors.New("the disk is full; free some space in the folder for temporary files or in the store, then try again")}
)

// Transient reports whether an error of this package comes from the machine, the network or the store rather than from the
// input, so that the same call may succeed later.
func Transient(err error) bool {
	var marked transientError
	var file *fs.PathError
	return errors.As(err, &marked) || errors.As(err, &file) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
