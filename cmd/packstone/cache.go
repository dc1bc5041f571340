package main

import (
	"context"
	"fmt"
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
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "List the caches on this machine, or remove old ones.",
		Long: `A cache holds what packstone knows of a repository, to save reading it again. A missing cache is
rebuilt. The memory of each repository's owner and last state is not a cache, and is never removed.`,
		Example: `  packstone cache
  packstone cache --cleanup --max-age 7d --max-size 10GiB`,
		Args: cobra.NoArgs,
	}
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
	rows := []message.Cache{}
	table := output.Table{Head: []string{"USED", "SIZE", "CACHE"}, Right: []int{1}, Cut: []int{2}}
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
		rows = append(rows, message.Cache{Directory: output.Name(c.Directory), Bytes: c.Bytes, Used: c.Used, Removed: old[c.Directory]})
		table.Rows = append(table.Rows, []string{output.Time(c.Used), output.Bytes(c.Bytes), c.Directory + output.Mark(old[c.Directory], a.removedWord())})
	}
	table.Footer = fmt.Sprintf("%s in %s", output.Plural(len(caches), "cache"), a.CacheRoot())
	return output.List(a.out, rows, table)
}

func (a *app) removedWord() string {
	if a.flags.dryRun {
		return "would be removed"
	}
	return "removed"
}
