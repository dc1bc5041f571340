// Package outcome decides how the program ends: the exit code that an error stands for.
package outcome

import (
	"context"
	"errors"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/disk"
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
)

// codes says which exit code an error stands for, by the sentinel that it wraps. The first match
// counts, so what a person must act upon first stands first.
var codes = []struct {
	sentinel error
	code     int
}{
	{collect.ErrTimeUp, exitcode.Missing},
	{store.ErrArchived, exitcode.Archived},
	{doctor.ErrUnsafe, exitcode.Drill},
	{drill.ErrFailed, exitcode.Drill},
	{machine.ErrKey, exitcode.Identity},
	{catalog.ErrMisuse, exitcode.Usage},
	{catalog.ErrRefused, exitcode.Refused},
	{config.ErrInvalid, exitcode.Usage},
	{store.ErrNoVersions, exitcode.Usage},
	{catalog.ErrAmbiguous, exitcode.Usage},
	{catalog.ErrBadName, exitcode.Usage},
	{catalog.ErrOutside, exitcode.Usage},
	{catalog.ErrNoRepository, exitcode.NoRepository},
	{catalog.ErrNoIdentity, exitcode.Identity},
	{catalog.ErrNoWriter, exitcode.Identity},
	{crypto.ErrWrongIdentity, exitcode.Identity},
	{crypto.ErrPassphraseNeeded, exitcode.Identity},
	{catalog.ErrHeld, exitcode.Held},
	{collect.ErrBusy, exitcode.Held},
	{platform.ErrBusy, exitcode.Held},
	{drill.ErrBusy, exitcode.Held},
	{keep.ErrCovered, exitcode.Integrity},
	{collect.ErrChanged, exitcode.Refused},
	{catalog.ErrNotReady, exitcode.Refused},
	{catalog.ErrClock, exitcode.Refused},
	{catalog.ErrCollected, exitcode.Refused},
	{catalog.ErrUntrusted, exitcode.Integrity},
	{catalog.ErrUnknownOwner, exitcode.Integrity},
	{catalog.ErrRolledBack, exitcode.Integrity},
	{catalog.ErrNames, exitcode.Integrity},
	{tree.ErrFormat, exitcode.Integrity},
	{catalog.ErrForeign, exitcode.Integrity},
	{catalog.ErrDoubtful, exitcode.Integrity},
	{catalog.ErrKeyTwice, exitcode.Integrity},
	{archive.ErrDamaged, exitcode.Integrity},
	{database.ErrMismatch, exitcode.Integrity},
	{database.ErrRefused, exitcode.Refused},
	{convert.ErrUnmatched, exitcode.Usage},
	{crypto.ErrSignature, exitcode.Integrity},
	{crypto.ErrDamaged, exitcode.Integrity},
	{share.ErrTooFew, exitcode.Refused},
	{store.ErrCorrupt, exitcode.Integrity},
	{disk.ErrUnreachable, exitcode.Unreachable}, // storage, a source, a target or a database
}

// Code returns the exit code after err. An interruption counts more than what it has met.
func Code(ctx context.Context, err error) int {
	if err == nil {
		return exitcode.Done
	}
	if ctx.Err() != nil {
		return exitcode.Interrupted
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
	return exitcode.Failed
}
