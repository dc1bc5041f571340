//go:build !linux

package mount

import "context"

// Serve fails: see ErrUnsupported.
func Serve(context.Context, string, Options) error { return ErrUnsupported }

// Check fails: see ErrUnsupported.
func Check(string) error { return ErrUnsupported }
