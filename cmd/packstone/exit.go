package main

import (
	"context"

	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/outcome"
)

// What verbs end with, under short names; see package exitcode.
const (
	exitDone         = exitcode.Done
	exitFailed       = exitcode.Failed
	exitUsage        = exitcode.Usage
	exitMissing      = exitcode.Missing
	exitRefused      = exitcode.Refused
	exitIntegrity    = exitcode.Integrity
	exitDrill        = exitcode.Drill
	exitHeld         = exitcode.Held
	exitUnreachable  = exitcode.Unreachable
	exitIncomplete   = exitcode.Incomplete
	exitNoRepository = exitcode.NoRepository
	exitArchived     = exitcode.Archived
	exitIdentity     = exitcode.Identity
	exitInterrupted  = exitcode.Interrupted
)

// exitWith makes an error that ends the program with code.
func exitWith(code int, format string, args ...any) error {
	return exitcode.With(code, format, args...)
}

// usage makes an error of the command line or the settings: exit code 2.
func usage(format string, args ...any) error { return exitWith(exitUsage, format, args...) }

// exitCode says how the program ends after err.
func exitCode(ctx context.Context, err error) int { return outcome.Code(ctx, err) }
