package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/destination"
	"github.com/packstone/packstone/cmd/internal/program"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/mount"
)

func newMount(a *app) *cobra.Command {
	var allowOther bool
	cmd := described("mount", cobra.ExactArgs(1))
	cmd.Flags().BoolVar(&allowOther, "allow-other", false, "let other users in too, as far as the modes of the files do")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesSelection|usesPaths|usesConcurrency, func(ctx context.Context, args []string) error {
		return a.mount(ctx, args[0], allowOther)
	})
}

func (a *app) mount(ctx context.Context, dir string, allowOther bool) error {
	if err := mount.Check(dir); err != nil {
		return err
	}
	v, err := a.openToLook(ctx)
	if err != nil {
		return err
	}
	filter := a.filter()
	o := mount.Options{
		Repo: v.Repo, Fetch: a.fetchOptions(), Memory: fetch.MemoryWithin(int64(a.flags.memoryLimit)), AllowOther: allowOther,
		Latest: func(set, host string) (*catalog.Snapshot, error) {
			f := filter
			f.Set, f.Paths, f.Host = set, set == "", host
			return v.Pick("latest", f)
		},
		Database: func(ctx context.Context, source *catalog.SourceState, streams fs.FS, file string) error {
			return destination.WriteSQLite(ctx, streams, file, a.Aside(), func(what database.Finding) { a.warnOf(source.Name, what.String()) })
		},
		Folder: func() (string, error) { return os.MkdirTemp(a.Aside(), "mount-") },
		Ready: func() {
			a.out.Note("snapshots are mounted at %s: Ctrl-C, or umount, ends it", dir)
		},
		Problem: func(path string, err error) { a.out.Problem(path, "mount", err) },
		Note:    a.Warn,
	}
	if a.flags.memoryLimit == 0 {
		o.Fetch.Memory = mountMemory
		program.SetHeapBudget(mountHeap)
	}
	for _, s := range v.Snapshots {
		if filter.Matches(s) {
			o.Snapshots = append(o.Snapshots, s)
		}
	}
	if len(o.Snapshots) == 0 {
		return fmt.Errorf("mount: no snapshot matches, and there is nothing to show: %w", catalog.ErrNoSnapshot)
	}
	return mount.Serve(ctx, dir, o)
}

// mountMemory is what a request for content may take, of which a mount has two under way; mountHeap
// what its heap may grow to. A mount keeps inodes and chunks for long, so that it would collect
// garbage all the time within what is enough for others.
const (
	mountMemory = 8 << 20
	mountHeap   = 112 << 20
)
