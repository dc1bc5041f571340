// Package doctor checks whether backups can work from this machine, and what is unsafe.
package doctor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// ErrUnsafe: credentials allow something that they must not.
var ErrUnsafe = errors.New("unsafe")

// unsafeError is an ErrUnsafe whose text is the given one alone.
type unsafeError struct{ text string }

// Error implements error.
func (u unsafeError) Error() string { return u.text }

// Is matches ErrUnsafe.
func (u unsafeError) Is(target error) bool { return target == ErrUnsafe }

// Examination runs checks one after the other, and collects their outcomes.
type Examination struct {
	Checks             []Check
	Warnings, Failures int
	First              error // of the checks that failed

	protection store.Protection // of the storage
}

// Check is the outcome of one check.
type Check struct {
	Name    string  `json:"name" doc:"What was looked at."`
	Status  string  `json:"status" doc:"ok, warning or failed."`
	Detail  string  `json:"detail,omitempty" doc:"What was found."`
	Seconds float64 `json:"seconds" doc:"How long it took."`
}

const (
	statusOK      = "ok"
	statusWarning = "warning"
	statusFailed  = "failed"
)

// advice is an error that deserves a warning but is not a failure.
type advice struct{ text string }

// Error implements error.
func (a advice) Error() string { return a.text }

// Advise returns an error that deserves a warning but is not a failure.
func Advise(format string, args ...any) error { return advice{fmt.Sprintf(format, args...)} }

// Examine runs one check.
func (x *Examination) Examine(name string, check func() (detail string, err error)) {
	begun := time.Now()
	detail, err := check()
	x.Note(name, detail, err, time.Since(begun))
}

// Note adds the outcome of a check.
func (x *Examination) Note(name, detail string, err error, took time.Duration) {
	c := Check{Name: name, Status: statusOK, Detail: detail, Seconds: took.Seconds()}
	var hint advice
	switch {
	case errors.As(err, &hint):
		c.Status, c.Detail = statusWarning, strings.TrimPrefix(detail+"; "+hint.text, "; ")
		x.Warnings++
	case err != nil:
		c.Status, c.Detail = statusFailed, err.Error()
		x.Failures++
		if x.First == nil {
			x.First = err
		}
	}
	x.Checks = append(x.Checks, c)
}
