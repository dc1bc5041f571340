package catalog

import (
	"errors"
	"fmt"
)

var (
	// ErrRefused: what was asked for is refused, before anything is changed.
	ErrRefused = errors.New("refused")
	// ErrMisuse: what was asked for makes no sense, as it names what is not there or is of another
	// kind.
	ErrMisuse = errors.New("wrong use")
	// ErrHeld: a snapshot is not to be forgotten.
	ErrHeld = errors.New("held")
)

// Refuse makes an ErrRefused that says nothing but its own text.
func Refuse(format string, args ...any) error {
	return &saying{ErrRefused, fmt.Errorf(format, args...)}
}

// Misuse makes an ErrMisuse that says nothing but its own text.
func Misuse(format string, args ...any) error { return &saying{ErrMisuse, fmt.Errorf(format, args...)} }

// saying is an error of a kind that its text does not name.
type saying struct {
	kind error
	error
}

// Unwrap gives errors.Is the kind, and what the text wraps.
func (s *saying) Unwrap() []error { return []error{s.kind, s.error} }
