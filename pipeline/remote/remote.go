// Package remote holds the errors that connections to servers of all kinds share.
package remote

import (
	"context"
	"errors"
	"time"
)

// Sentinel errors; compare with errors.Is. Errors that concern a single path are fs.ErrNotExist and
// fs.ErrPermission.
var (
	// ErrUnreachable: the server cannot be reached, or no longer.
	ErrUnreachable = errors.New("server unreachable")
	// ErrDenied: the server does not accept the user with this password or key, or a key cannot be
	// used.
	ErrDenied = errors.New("login denied")
	// ErrUntrusted: the server's certificate or key cannot be verified.
	ErrUntrusted = errors.New("server not trusted")
	// ErrFull: the server has no space left, or a quota is used up.
	ErrFull = errors.New("no space left on the server")
	// ErrUnsupported: the server does not support the request.
	ErrUnsupported = errors.New("not supported by the server")
)

// IsFatal reports whether an error concerns the server as a whole, or ends the run, rather than a
// single path.
func IsFatal(err error) bool {
	return errors.Is(err, ErrUnreachable) || errors.Is(err, ErrDenied) || errors.Is(err, ErrUntrusted) || errors.Is(err, ErrFull) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Sleep waits for d. It returns false if ctx ends first.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
