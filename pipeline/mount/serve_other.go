//go:build !linux

package mount

import "context"

// Serve fails with ErrUnsupported.
func Serve(context.Context, string, Options) error { return ErrUnsupported }

// Check fails with ErrUnsupported.
func Check(string) error { return ErrUnsupported }
