// Package remote holds the errors that connections to servers of all kinds share.
package remote

import (
	"context"
	"errors"
	"time"
)

// Sentinels. Besides, errors of a single path are fs.ErrNotExist and fs.ErrPermission. Compare with
// errors.Is.
var (
	// ErrUnreachable: the server cannot be reached, or not any more.
	ErrUnreachable = errors.New("server unreachable")
	// ErrDenied: the server does not accept user and password or key, or a key cannot be used.
	ErrDenied = errors.New("login denied")
	// ErrUntrusted: the server's certificate or key proves nothing.
	ErrUntrusted = errors.New("server not trusted")
	// ErrFull: the server has no space left, or a quota is used up.
	ErrFull = errors.New("no space left on the server")
	// ErrUnsupported: the server does not know the request.
	ErrUnsupported = errors.New("not supported by the server")
)

// IsFatal tells errors that concern the server as a whole, or are the end of the run, from those of
// one path.
func IsFatal(err error) bool {
	return errors.Is(err, ErrUnreachable) || errors.Is(err, ErrDenied) || errors.Is(err, ErrUntrusted) || errors.Is(err, ErrFull) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Sleep waits; false if ctx ends before.
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
