package catalog

import (
	"errors"
	"fmt"
)

var (
	// ErrRefused: the operation is refused before it changes anything.
	ErrRefused = errors.New("refused")
	// ErrMisuse: the request makes no sense, since it names something that does not exist or is of
	// another kind.
	ErrMisuse = errors.New("wrong use")
	// ErrHeld: a hold prevents a snapshot from being forgotten.
	ErrHeld = errors.New("held")
)

// Refuse returns an error that matches ErrRefused and whose text is the given one alone.
func Refuse(format string, args ...any) error {
	return &saying{ErrRefused, fmt.Errorf(format, args...)}
}

// Misuse returns an error that matches ErrMisuse and whose text is the given one alone.
func Misuse(format string, args ...any) error { return &saying{ErrMisuse, fmt.Errorf(format, args...)} }

// saying is an error whose text does not contain that of its kind.
type saying struct {
	kind error
	error
}

// Unwrap returns the kind, and the error behind the text.
func (s *saying) Unwrap() []error { return []error{s.kind, s.error} }
