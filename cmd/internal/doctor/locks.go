package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/keep"
)

// locksAsked is how many objects are asked for their locks.
const locksAsked = 500

// Locks examines whether all that a restore needs is locked.
func (x *Examination) Locks(ctx context.Context, storage *config.Storage, repo *catalog.Repository) {
	if !x.protection.Locks || !x.protection.Versions {
		return
	}
	x.Examine("locks", func() (string, error) {
		horizon, err := repo.Config.LockHorizon()
		if err != nil {
			return "", err
		}
		return examineLocks(keep.Inspect(ctx, repo, keep.Options{Locker: storage.Locker(), Horizon: horizon}, locksAsked))
	})
}

// examineLocks says whether the invariant of a keeper holds, and what locks cost.
func examineLocks(found *keep.Inspection, err error) (string, error) {
	switch {
	case errors.Is(err, store.ErrDenied):
		return "these credentials may not see the locks of objects", nil
	case errors.Is(err, catalog.ErrNoIdentity):
		return "no key at hand says what a restore needs", nil
	case err != nil:
		return "", err
	}
	detail := fmt.Sprintf("asked for %d of %s that a restore needs; %s of %s are stored besides; a run of packstone keep needs %s, and in time one more for each object", found.Asked,
		output.Plural(found.Needed.Objects, "object"), output.Bytes(found.Extra.Bytes), output.Plural(found.Extra.Objects, "version"),
		output.Plural(2*(1+(found.Needed.Objects+found.Extra.Objects)/1000), "request"))
	switch {
	case found.Overwritten > 0:
		return "", fmt.Errorf("%s that a restore needs were written over or deleted; packstone keep --dry-run names them: %w", output.Plural(found.Overwritten, "object"), keep.ErrCovered)
	case len(found.Short) > 0:
		return detail, Advise("%s, such as %s, are not locked until %s: run packstone keep every day, with a keeper's key and credentials of its own",
			output.Plural(len(found.Short), "object"), found.Short[0], output.Time(found.Wanted))
	}
	return fmt.Sprintf("locked until %s at least; %s", output.Time(found.Until), detail), nil
}
