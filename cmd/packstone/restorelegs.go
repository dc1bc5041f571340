package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target"
)

// leg is a source, or a part of one, on its way to its place.
type leg struct {
	source   *catalog.SourceState
	restored *restore.Restoration // nil: it is a database
}

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
			r.legs = append(r.legs, leg{source: source})
			continue
		}
		if err := r.openLeg(ctx, source); err != nil {
			return err
		}
	}
	return nil
}

// openLeg opens the folder of a source below the target.
func (r *restoring) openLeg(ctx context.Context, source *catalog.SourceState) error {
	t, fetcher, err := r.tree(source)
	if err != nil {
		return err
	}
	if err := r.findSpot(ctx, t, source); err != nil {
		return err
	}
	to, err := r.open(ctx, source)
	if err != nil {
		return refusedPath(err)
	}
	return r.addLeg(ctx, source, t, fetcher, to, writing{below: r.path, server: r.o.server != nil})
}

// refusedPath makes a refusal of what lies where a source's folder is to be and is none.
func refusedPath(err error) error {
	if errors.Is(err, target.ErrPath) {
		return exitWith(exitRefused, "refused before anything was changed: %w", err)
	}
	return err
}

// findSpot makes sure that the snapshot has what is asked for, and that a command is given one file.
func (r *restoring) findSpot(ctx context.Context, t *tree.Tree, source *catalog.SourceState) error {
	at := catalog.Spot{Snapshot: r.snapshot, Sources: []*catalog.SourceState{source}, Path: r.path}
	if len(r.o.toCommand) > 0 {
		return restore.CheckOneFile(ctx, t, at)
	}
	_, err := at.Node(ctx, t)
	return err
}

// open opens where a source comes back to.
func (r *restoring) open(ctx context.Context, source *catalog.SourceState) (target.Target, error) {
	name := strings.Trim(source.Name, "/")
	if bucket, ok := r.o.server.(config.Bucket); ok {
		opts, err := r.targetOptions("", source)
		if err != nil {
			return nil, err
		}
		return r.opened(bucket.Target(name, opts))
	}
	if r.base == nil {
		var err error
		if r.base, err = r.opened(r.openBase(source)); err != nil {
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

// opened notes a target that is to be closed at the end.
func (r *restoring) opened(to target.Target, err error) (target.Target, error) {
	if err == nil {
		r.targets = append(r.targets, to)
	}
	return to, err
}

// closeTargets makes everything durable.
func (r *restoring) closeTargets(ctx context.Context) error {
	var failed []error
	for _, to := range r.targets {
		failed = append(failed, to.Close(ctx))
	}
	r.targets = nil
	return errors.Join(failed...)
}

// writing is what is written of a tree.
type writing struct {
	below  string                                                       // the path at or below which it lies
	server bool                                                         // it goes to a server, by which only what differs is sent
	taken  func(ctx context.Context, put func(path string) error) error // as restore.Options has it
}

// addLeg prepares the way of a tree, or a part of it, to a target.
func (r *restoring) addLeg(ctx context.Context, s *catalog.SourceState, t *tree.Tree, fetcher *fetch.Fetcher, to target.Target, w writing) error {
	match, err := restore.NewMatch(w.below, r.o.include, r.o.exclude)
	if err != nil {
		return usage("%w", err)
	}
	o := restore.Options{
		Below: w.below, Include: match, Overwrite: overwrites[r.o.overwrite], Delete: r.o.remove, Taken: w.taken, DryRun: r.dry(),
		Verify: r.o.verify, Parallel: r.flags.concurrency, Progress: &r.progress, Plan: r.tell,
		Problem: func(path string, err error) { r.out.Problem(path, "restore", err) }, NoSpecial: r.o.noSpecial, Lends: r.lent.Note,
	}
	if w.server && r.o.overwrite == "" {
		o.Overwrite = restore.OverwriteIfChanged
	}
	doubt, err := o.Know(ctx, s, t)
	if err != nil {
		return err
	}
	if o.Delete {
		r.doubt(doubt)
	}
	r.legs = append(r.legs, leg{s, restore.New(t, fetcher, to, o)})
	return nil
}

// doubt says once what --delete cannot tell.
func (r *restoring) doubt(text string) {
	if text != "" && !r.doubted {
		r.doubted = true
		r.Warn(text)
	}
}

// survey finds out what --delete would remove, and asks before it is much.
func (r *restoring) survey(ctx context.Context) error {
	if !r.o.remove || r.o.yes {
		return nil
	}
	for _, l := range r.legs {
		if l.restored == nil {
			continue
		}
		surplus, err := l.restored.Survey(ctx)
		if err != nil {
			return err
		}
		if why := surplus.Doubt(); why != "" {
			r.doubts = append(r.doubts, fmt.Sprintf("%s: %s", placeName(l.source.Name, r.path), why))
		}
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
	return exitWith(exitRefused, "%s: --plan lists it, --yes agrees to it", strings.Join(r.doubts, "; "))
}
