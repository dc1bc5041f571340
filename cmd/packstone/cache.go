package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
)

type cacheOptions struct {
	cleanup bool
	maxAge  flagvalue.Period
	maxSize flagvalue.Size
}

func newCache(a *app) *cobra.Command {
	o := cacheOptions{maxAge: flagvalue.Period{Length: 30 * 24 * time.Hour}}
	cmd := described("cache", cobra.NoArgs)
	cmd.Flags().BoolVar(&o.cleanup, "cleanup", false, "remove caches that have not been used lately")
	cmd.Flags().Var(&o.maxAge, "max-age", "with --cleanup: remove caches not used for this `time` (default 30d)")
	cmd.Flags().Var(&o.maxSize, "max-size", "with --cleanup: also remove the least recently used caches, until all together take at most this `size`")
	return a.verb(cmd, usesCache|usesDryRun, func(context.Context, []string) error {
		if !o.cleanup && (o.maxAge.Given || o.maxSize != 0) {
			return usage("--max-age and --max-size go with --cleanup")
		}
		return a.cache(o)
	})
}

func (a *app) cache(o cacheOptions) error {
	caches, err := a.Caches()
	if err != nil {
		return err
	}
	old := map[string]bool{}
	if o.cleanup {
		old = machine.Superfluous(caches, time.Now().Add(-o.maxAge.Length), int64(o.maxSize))
	}
	for _, c := range caches {
		if old[c.Directory] && c.InUse() {
			a.out.Note("%s stays: a backup is using it", c.Directory)
			old[c.Directory] = false
		}
		if old[c.Directory] && !a.flags.dryRun {
			if err := c.Remove(); err != nil {
				return err
			}
		}
	}
	rows, table := message.CachesOf(a.CacheRoot(), caches, old, a.flags.dryRun)
	return output.List(a.out, rows, table)
}
