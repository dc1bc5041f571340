package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/status"
)

func newStatus(a *app) *cobra.Command {
	var o watchOptions
	cmd := described("status", cobra.NoArgs)
	cmd.Flags().BoolVar(&o.watch, "watch", false, "only check that each writer has stored a complete snapshot lately; needs no key, only the right to list")
	cmd.Flags().Var(&o.maxAge, "max-age", "with --watch: maximum age of the newest snapshot, a `time` such as 26h or 8d")
	cmd.Flags().StringArrayVar(&o.writers, "writer", nil, "with --watch: `name` of a writer that must be there; may be repeated (default all that may write)")
	return a.verb(cmd, usesRepository|usesIdentity|usesVersions, func(ctx context.Context, _ []string) error {
		if err := o.check(); err != nil {
			return err
		}
		if o.watch && !a.flags.VersionsAt.IsZero() {
			return usage("--watch asks for what is there now, and --versions-at for what was: give one of them")
		}
		if o.watch {
			return a.watch(ctx, o, time.Now())
		}
		return a.status(ctx, time.Now())
	})
}

// status prints the state of the backups, and ends with what is not as it should be.
func (a *app) status(ctx context.Context, now time.Time) error {
	m, err := status.Of(ctx, a.Machine, now)
	if err != nil {
		return err
	}
	a.out.Message("repository_status", m, a.out.Fold(m.Text(a.out.Table)))
	a.tellRequests(m.Requests)
	if err := a.out.Err(); err != nil {
		return err
	}
	if bad := m.Unprotected(); bad != "" {
		return exitWith(exitMissing, "%s", bad)
	}
	return nil
}

// watchOptions are the flags of status that watch.
type watchOptions struct {
	watch   bool
	maxAge  flagvalue.Period
	writers []string
}

// check refuses flags that make no sense together.
func (o *watchOptions) check() error {
	switch {
	case !o.watch && (o.maxAge.Length != 0 || len(o.writers) > 0):
		return usage("--max-age and --writer are for --watch")
	case o.watch && o.maxAge.Length <= 0:
		return usage("--watch needs --max-age, such as --max-age 26h")
	}
	return nil
}

// watch says whether each writer has backed up lately.
func (a *app) watch(ctx context.Context, o watchOptions, now time.Time) error {
	m, err := status.Fresh(ctx, a.Machine)
	if err != nil {
		return err
	}
	m.KeepOnly(o.writers)
	late := m.Judge(o.maxAge.Length, now)
	a.out.Message("watch", m, m.Text(a.out.Table))
	if err := a.out.Err(); err != nil {
		return err
	}
	switch {
	case len(m.Writers) == 0:
		return exitWith(exitMissing, "nobody has backed up yet")
	case len(late) > 0:
		return exitWith(exitMissing, "late: %s", strings.Join(late, ", "))
	}
	return nil
}
