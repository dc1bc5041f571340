package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/program"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/mount"
)

func newMount(a *app) *cobra.Command {
	var allowOther bool
	cmd := &cobra.Command{
		Use:   "mount DIR",
		Short: "Show snapshots as a read-only file system.",
		Long: `Mounts on DIR, which must be empty, until Ctrl-C:

  by-time/TIME_ID/      every snapshot, with a folder for each source
  by-set/SET/TIME_ID    links to the snapshots of a set ("-": those of paths);
                        SET@HOST where several hosts have the set
  latest/SET            a link to the newest complete snapshot

It shows the snapshots that exist when it starts; mount again to see newer ones.
Files have their modes, owners, times, links, holes and extended attributes. A
database appears as one SQLite file, which is made when its size or content is
first read (ls -l does that) and removed at the end. Reading damaged content
fails with an input/output error, and the log names the file and the pack.

Needs Linux and /dev/fuse; users other than root also need fuse3.`,
		Example: `  packstone mount /mnt/backups
  packstone mount /mnt/backups --set platform --allow-other`,
		Args: cobra.ExactArgs(1),
	}
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
		Database: a.databaseToFile,
		Folder:   a.databaseFolder,
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

// databaseFolder makes a folder in the cache, or where that cannot be written to, wherever
// temporary files go.
func (a *app) databaseFolder() (string, error) { return os.MkdirTemp(a.Aside(), "mount-") }

// databaseToFile writes a database of a snapshot to a new SQLite file.
func (a *app) databaseToFile(ctx context.Context, source *catalog.SourceState, streams fs.FS, file string) (err error) {
	src, err := rows.Open(streams, database.SourceOptions{Aside: a.Aside()})
	if err != nil {
		return err
	}
	at, err := config.SQLiteAt(file)
	if err != nil {
		return err
	}
	dst, err := config.SQLiteFile.OpenTarget(ctx, at, database.TargetOptions{Aside: filepath.Dir(file)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	report, err := convert.Run(ctx, src, dst, convert.Options{Jobs: restoreJobs})
	if report != nil {
		for _, f := range report.Inexact() {
			a.out.Warn(output.Warning{Message: f.String(), Item: output.Name(source.Name)})
		}
	}
	if err != nil {
		return fmt.Errorf("make the SQLite file: %w", err)
	}
	return nil
}
