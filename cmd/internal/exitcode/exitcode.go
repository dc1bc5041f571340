// Package exitcode names the exit codes of the program. Scripts, the history of jobs and metrics
// rely on the numbers, so none ever changes its meaning. A number that a script does not know means
// failure.
package exitcode

import (
	"errors"
	"fmt"
)

// What the exit codes say.
const (
	Done         = 0
	Failed       = 1
	Usage        = 2
	Missing      = 3   // done, but something is missing and listed
	Refused      = 4   // refused before changing anything
	Integrity    = 5   // integrity or signature failure, or a difference found
	Drill        = 6   // drill or fit check failed
	Held         = 7   // held or locked
	Unreachable  = 8   // storage or source server unreachable
	Incomplete   = 9   // incomplete set
	NoRepository = 10  // no repository there
	Archived     = 11  // archived by the storage, and must be thawed first
	Identity     = 12  // wrong or missing identity
	Interrupted  = 130 // ended by a signal
)

// Error is an error whose exit code the place that made it knows.
type Error struct {
	Code int
	err  error
}

// With returns an error with the given text that ends the program with code.
func With(code int, format string, args ...any) error {
	return &Error{Code: code, err: fmt.Errorf(format, args...)}
}

// Error implements error.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns what is wrapped, for errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.err }

// ErrReported marks an outcome that was told already, in warnings or a summary, and needs no line of
// its own.
var ErrReported = errors.New("reported above")
