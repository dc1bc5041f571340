package main

import (
	"context"
	"errors"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/doctor"
	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/crypto/share"
	"github.com/packstone/packstone/pipeline/collect"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/keep"
	"github.com/packstone/packstone/pipeline/platform"
	"github.com/packstone/packstone/pipeline/platform/drill"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/target"
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

// codes says which exit code an error stands for, by the sentinel that it wraps. The first match
// counts, so what a person must act upon first stands first.
var codes = []struct {
	sentinel error
	code     int
}{
	{store.ErrArchived, exitArchived},
	{doctor.ErrUnsafe, exitDrill},
	{drill.ErrFailed, exitDrill},
	{machine.ErrKey, exitIdentity},
	{catalog.ErrMisuse, exitUsage},
	{catalog.ErrRefused, exitRefused},
	{config.ErrInvalid, exitUsage},
	{store.ErrNoVersions, exitUsage},
	{catalog.ErrAmbiguous, exitUsage},
	{catalog.ErrBadName, exitUsage},
	{catalog.ErrOutside, exitUsage},
	{catalog.ErrNoRepository, exitNoRepository},
	{catalog.ErrNoIdentity, exitIdentity},
	{catalog.ErrNoWriter, exitIdentity},
	{crypto.ErrWrongIdentity, exitIdentity},
	{crypto.ErrPassphraseNeeded, exitIdentity},
	{catalog.ErrHeld, exitHeld},
	{collect.ErrBusy, exitHeld},
	{platform.ErrBusy, exitHeld},
	{keep.ErrCovered, exitIntegrity},
	{collect.ErrChanged, exitRefused},
	{catalog.ErrNotReady, exitRefused},
	{catalog.ErrClock, exitRefused},
	{catalog.ErrCollected, exitRefused},
	{catalog.ErrUntrusted, exitIntegrity},
	{catalog.ErrUnknownOwner, exitIntegrity},
	{catalog.ErrRolledBack, exitIntegrity},
	{catalog.ErrNames, exitIntegrity},
	{tree.ErrFormat, exitIntegrity},
	{catalog.ErrForeign, exitIntegrity},
	{catalog.ErrDoubtful, exitIntegrity},
	{catalog.ErrKeyTwice, exitIntegrity},
	{archive.ErrDamaged, exitIntegrity},
	{database.ErrMismatch, exitIntegrity},
	{database.ErrRefused, exitRefused},
	{convert.ErrUnmatched, exitUsage},
	{crypto.ErrSignature, exitIntegrity},
	{crypto.ErrDamaged, exitIntegrity},
	{share.ErrTooFew, exitRefused},
	{store.ErrCorrupt, exitIntegrity},
	{store.ErrUnreachable, exitUnreachable},
	{source.ErrUnreachable, exitUnreachable},
	{target.ErrUnreachable, exitUnreachable},
	{database.ErrUnreachable, exitUnreachable},
}

// exitWith makes an error that ends the program with code.
func exitWith(code int, format string, args ...any) error {
	return exitcode.With(code, format, args...)
}

// usage makes an error of the command line or the settings: exit code 2.
func usage(format string, args ...any) error { return exitWith(exitUsage, format, args...) }

// exitCode says how the program ends after err.
func exitCode(ctx context.Context, err error) int {
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil {
		return exitInterrupted
	}
	var known *exitcode.Error
	if errors.As(err, &known) {
		return known.Code
	}
	for _, c := range codes {
		if errors.Is(err, c.sentinel) {
			return c.code
		}
	}
	return exitFailed
}
