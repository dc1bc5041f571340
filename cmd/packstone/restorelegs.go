package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target"
)

// openLegs opens the places that sources come back to, without writing anything.
func (r *restoring) openLegs(ctx context.Context) error {
	if r.o.inPlace {
		return r.openPlaces(ctx)
	}
	if r.o.target != "" && !r.o.force {
		if err := restore.RefuseRepository(r.o.target); err != nil {
			return err
		}
	}
	for _, source := range r.sources {
		if r.isDatabase(source) {
			r.legs.AddOther(source, func(ctx context.Context) error { return r.fill(ctx, source) })
			continue
		}
		if r.isDirectoryNamed(source) {
			if err := r.openNamed(ctx, source); err != nil {
				return err
			}
			continue
		}
		err := r.legs.Add(ctx, source, r.o.server != nil, func() (target.Target, error) { return r.open(ctx, source) })
		if err != nil {
			return err
		}
	}
	return nil
}

// isDirectoryNamed tells whether SNAPSHOT:/DIR names something that was backed up by path, of which
// the content goes into the target itself.
func (r *restoring) isDirectoryNamed(source *catalog.SourceState) bool {
	return source.Name == catalog.AdHoc && source.Type == "files" && r.path != "" && r.o.target != "" && !r.o.fullPath
}

// openNamed opens the target for it.
func (r *restoring) openNamed(ctx context.Context, source *catalog.SourceState) error {
	places, err := r.legs.CheckPlaces(ctx, source, []restore.Place{{Below: r.path, Path: r.o.target, OpenAt: r.openTarget(source)}})
	if err != nil {
		return err
	}
	return r.legs.AddPlaces(ctx, source, places)
}

// openTarget opens the target for what comes back to it without its path.
func (r *restoring) openTarget(source *catalog.SourceState) func(ctx context.Context, file bool) (target.Target, error) {
	return func(context.Context, bool) (target.Target, error) { return r.openBase(source) }
}

// newLegs are the ways of the sources of the snapshot back, as the flags ask for them.
func (r *restoring) newLegs() *restore.Legs {
	l := &restore.Legs{
		Repo: r.repo, Snapshot: r.snapshot, Fetch: r.fetchOptions(), OneFile: len(r.o.toCommand) > 0, Include: r.o.include, Exclude: r.o.exclude,
		Options: restore.Options{
			Overwrite: overwrites[r.o.overwrite], Delete: r.o.remove, DryRun: r.dry(), Verify: r.o.verify, Parallel: r.flags.concurrency,
			Progress: &r.progress, Plan: r.tell, NoSpecial: r.o.noSpecial, Sparse: r.o.sparse, Lends: r.lent.Note,
			Problem: func(path string, err error) { r.out.Problem(path, "restore", err) },
		},
		Doubt: r.Warn,
	}
	if l.OnServers = l.Options.Overwrite; r.o.overwrite == "" {
		l.OnServers = restore.OverwriteIfChanged
	}
	return l
}

// open opens where a source comes back to.
func (r *restoring) open(ctx context.Context, source *catalog.SourceState) (target.Target, error) {
	name := strings.Trim(source.Name, "/")
	if bucket, ok := r.o.server.(config.Bucket); ok {
		opts, err := r.targetOptions("", source)
		if err != nil {
			return nil, err
		}
		return r.legs.Opened(bucket.Target(name, opts))
	}
	if r.base == nil {
		var err error
		if r.base, err = r.legs.Opened(r.openBase(source)); err != nil {
			return nil, err
		}
	}
	return target.In(ctx, name, r.base)
}

// openBase opens the place below which each source has a folder.
func (r *restoring) openBase(source *catalog.SourceState) (target.Target, error) {
	if len(r.o.toCommand) > 0 {
		return config.OpenReceiver(config.ReceiverOptions{Command: r.o.toCommand, Env: r.env.ForPrograms(), Output: r.stdout, Stderr: r.stderr})
	}
	opts, err := r.targetOptions("", source)
	if err != nil {
		return nil, err
	}
	if remote, ok := r.o.server.(config.Remote); ok {
		return remote.Target(opts)
	}
	root, err := filepath.Abs(r.o.target)
	if err != nil {
		return nil, fmt.Errorf("restore to %s: %w", r.o.target, err)
	}
	return config.OpenDirectory(root, opts)
}

// survey finds out what --delete would remove, and asks before it is much.
func (r *restoring) survey(ctx context.Context) error {
	if !r.o.remove || r.o.yes {
		return nil
	}
	var err error
	if r.doubts, err = r.legs.Survey(ctx); err != nil {
		return err
	}
	if len(r.doubts) == 0 || r.dry() {
		return nil
	}
	return r.askWhether()
}

// askWhether lets a person decide. Where nobody is, it is refused.
func (r *restoring) askWhether() error {
	if !r.CanAsk() {
		return r.doubtful()
	}
	yes, err := r.Confirm(r.doubts)
	if err == nil && !yes {
		err = exitWith(exitRefused, "nothing was changed")
	}
	return err
}

// doubtful refuses what nobody has agreed to.
func (r *restoring) doubtful() error {
	return exitWith(exitRefused, "%s: see the list with --plan -v, agree with --yes", strings.Join(r.doubts, "; "))
}
