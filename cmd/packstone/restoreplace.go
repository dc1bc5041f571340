package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/target"
)

// findServer tells whether --to names a server of files, and which.
func (o *restoreOptions) findServer() error {
	switch {
	case o.to.url != "" && config.IsBucket(o.to.url):
		bucket, err := config.ParseBucket(o.to.url)
		if err != nil {
			return usage("--to: %w", err)
		}
		o.server = bucket
	case o.to.url != "" && config.IsRemote(o.to.url):
		server, err := config.ParseRemote(o.to.url)
		if err != nil {
			return usage("--to: %w", err)
		}
		if server.HasPassword() {
			return usage("--to: a password on the command line can be read by others; leave it out and put it into PACKSTONE_REMOTE_PASSWORD or " +
				"PACKSTONE_REMOTE_PASSWORD_FILE, or put the whole URL into a file for --to-file")
		}
		o.server = server
	case o.to.file != "" && o.to.url == "":
		text, err := os.ReadFile(o.to.file)
		if err != nil {
			return fmt.Errorf("read --to-file: %w", err)
		}
		if !config.IsRemote(strings.TrimSpace(string(text))) {
			return nil // a database
		}
		server, err := config.ReadRemote(o.to.file)
		if err != nil {
			return err
		}
		o.server = server
	}
	return nil
}

// comeback is a source on its way back to where it is.
type comeback struct {
	source   *catalog.SourceState
	parts    []config.Part
	database *database.Location // instead of parts
}

// findPlaces finds where each source belongs, and says so.
func (r *restoring) findPlaces(ctx context.Context) error {
	settings, err := r.settings()
	if err != nil {
		return err
	}
	var homeless []error
	for _, source := range r.sources {
		back, err := r.findPlace(ctx, settings, source)
		switch {
		case err != nil && source.Type == "command" && len(r.sources) > 1:
			homeless = append(homeless, err) // the others come back all the same
			continue
		case err != nil:
			return err
		}
		r.way = append(r.way, back)
	}
	if len(r.way) == 0 {
		return errors.Join(homeless...)
	}
	for _, back := range r.way {
		r.tellPlace(settings, back.source)
	}
	for _, err := range homeless {
		r.out.Problem("", "restore", err)
		r.total.Failed++
	}
	return nil
}

// refillAll brings databases back, which refuse unless they are empty.
func (r *restoring) refillAll(ctx context.Context) error {
	for _, back := range r.way {
		if back.database == nil {
			continue
		}
		if err := r.refill(ctx, back); err != nil {
			return err
		}
	}
	return nil
}

// findPlace finds where a source belongs now.
func (r *restoring) findPlace(ctx context.Context, settings *config.Config, source *catalog.SourceState) (comeback, error) {
	back := comeback{source: source}
	now, known := settings.Sources[source.Name]
	switch {
	case source.Type == "command":
		return back, usage("%s was the output of a command, which has no place: give it to one with restore %s:%s --to-command -- COMMAND",
			placeName(source.Name, ""), r.from.Snapshot, strings.Trim(source.Name, "/"))
	case source.Name == catalog.AdHoc:
		for _, root := range source.Paths {
			back.parts = append(back.parts, config.Part{Below: strings.Trim(root, "/"), Path: root})
		}
	case !known:
		return back, exitWith(exitRefused, "the settings have no source %s, so that where it belongs is not known: it was at %s; add it there, or restore it with --target",
			source.Name, source.Location)
	case now.Type != source.Type:
		return back, exitWith(exitRefused, "%s is of type %s in the snapshot and of type %s in the settings: restore it with --target", source.Name, source.Type, now.Type)
	case r.isDatabase(source):
		at, err := settings.DatabaseAt(source.Name)
		if err == nil {
			at, err = r.login(at)
		}
		back.database = &at
		return back, err
	default:
		back.parts, known = settings.Parts(source.Name)
		if !known {
			return back, usage("%s: a part of a source of type %s has no place of its own; restore it with --target", source.Name, source.Type)
		}
	}
	return back, r.checkParts(ctx, &back)
}

// checkParts keeps the parts of a source that were asked for, and makes sure that the snapshot has them and nothing else.
func (r *restoring) checkParts(ctx context.Context, back *comeback) error {
	t, _, err := r.tree(back.source)
	if err != nil {
		return err
	}
	if err := r.findSpot(ctx, t, back.source); err != nil {
		return err
	}
	if back.source.Name != catalog.AdHoc {
		if err := r.checkPlaced(ctx, t, back); err != nil {
			return err
		}
	}
	var wanted []config.Part
	for i, part := range back.parts {
		nested := false
		for j, other := range back.parts {
			nested = nested || i != j && part.Below != other.Below && entry.Within(part.Below, other.Below)
		}
		if !nested && (entry.Within(r.path, part.Below) || entry.Within(part.Below, r.path)) {
			wanted = append(wanted, part)
		}
	}
	if len(wanted) == 0 {
		return exitWith(exitRefused, "%s has no place of its own: name one of the parts of %s, or restore it with --target", placeName(back.source.Name, r.path), back.source.Name)
	}
	back.parts = wanted
	return nil
}

// checkPlaced refuses a source of which the settings do not say where all of it belongs: a component that is not there any more.
func (r *restoring) checkPlaced(ctx context.Context, t *tree.Tree, back *comeback) error {
	if len(back.parts) == 1 && back.parts[0].Below == "" {
		return nil
	}
	known := map[string]bool{}
	for _, part := range back.parts {
		known[part.Below] = true
	}
	for node, err := range t.List(ctx, "") {
		if err != nil {
			return fmt.Errorf("read the snapshot's tree: %w", err)
		}
		if !known[node.Path] && entry.Within(r.path, node.Path) || !known[node.Path] && r.path == "" {
			return exitWith(exitRefused, "the settings do not say where %s of %s belongs: add it to its components, or name another part, or use --target", node.Path, back.source.Name)
		}
	}
	return nil
}

// tellPlace says where a source comes back to, and whether that is another place than it was at.
func (r *restoring) tellPlace(settings *config.Config, source *catalog.SourceState) {
	if source.Name == catalog.AdHoc {
		r.out.Note("back to %s", strings.Join(source.Paths, ", "))
		return
	}
	now := settings.Sources[source.Name].Location()
	if now != source.Location {
		r.out.Warn(output.Warning{Item: output.Name(source.Name), Message: fmt.Sprintf("was at %s; it comes back to %s, where the settings have it now", source.Location, now)})
		return
	}
	r.out.Note("%s: back to %s", source.Name, now)
}

// refill brings a database back into the one in the settings.
func (r *restoring) refill(ctx context.Context, back comeback) (err error) {
	if len(r.o.include)+len(r.o.exclude) > 0 || r.o.owner != "" || r.o.chmod != "" {
		return usage("%s is a database: --include, --exclude, --owner and --chmod have no meaning for it; name the other sources one by one", back.source.Name)
	}
	driver, err := config.Engines.For(*back.database)
	if err != nil {
		return usage("%w", err)
	}
	o := r.o.filling
	dst, err := driver.OpenTarget(ctx, *back.database, o.target(r.app))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	src, err := r.openStreams(ctx, back.source)
	if err != nil {
		return err
	}
	err = r.convertDB(ctx, "restore", src, dst, o)
	var known *exitError
	switch {
	case errors.Is(err, database.ErrNotEmpty):
		return fmt.Errorf("%s: %w: a database comes back into an empty one: drop it and create it anew, or move the file away; or restore into another one with --to", back.source.Name, err)
	case errors.As(err, &known) && known.code == exitMissing:
		r.inexact++
		return nil
	}
	return err
}

// openPlaces opens the places of what is no database.
func (r *restoring) openPlaces(ctx context.Context) error {
	for _, back := range r.way {
		if back.database != nil {
			continue
		}
		t, fetcher, err := r.tree(back.source)
		if err != nil {
			return err
		}
		for _, part := range back.parts {
			w := writing{below: part.Below, server: part.Path == "", taken: r.takenFrom(part)}
			if entry.Within(r.path, w.below) {
				w.below = r.path
			}
			to, err := r.opened(r.openPart(ctx, t, part, back.source))
			if errors.Is(err, fs.ErrNotExist) {
				continue // the snapshot lacks this part: a component of later
			}
			if err != nil {
				return refusedPath(err)
			}
			if err := r.addLeg(ctx, back.source, t, fetcher, to, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// takenFrom tells what a backup would take of the place of a part: --delete leaves what it leaves out there, which no snapshot has.
func (r *restoring) takenFrom(part config.Part) func(ctx context.Context, put func(path string) error) error {
	return func(ctx context.Context, put func(path string) error) error {
		own, err := r.ownFiles()
		if err != nil {
			return err
		}
		o := config.OpenOptions{LeaveOut: own.paths(), Parallel: r.flags.concurrency, Remote: r.remoteLogin(), Bucket: r.bucketLogin()}
		return part.Taken(ctx, o, put)
	}
}

// openPart opens the place of a part of a source. fs.ErrNotExist: the snapshot has no such part.
func (r *restoring) openPart(ctx context.Context, t *tree.Tree, part config.Part, source *catalog.SourceState) (target.Target, error) {
	opts, err := r.targetOptions(part.Below, source)
	if err != nil {
		return nil, err
	}
	node, err := t.Lookup(ctx, part.Below)
	switch {
	case errors.Is(err, fs.ErrNotExist) && part.Below == "" && part.Path != "":
		return openFile(ctx, t, part, opts)
	case err != nil:
		return nil, err
	case node.Type == entry.Directory:
		to, err := part.Open(ctx, false, opts)
		if err != nil {
			return nil, err
		}
		return target.Below(part.Below, to), nil
	}
	to, err := part.Open(ctx, true, opts)
	if above := path.Dir(part.Below); above != "." && err == nil {
		to = target.Below(above, to)
	}
	return to, err
}

// openFile opens the directory of a source that is one file: its tree has no root.
func openFile(ctx context.Context, t *tree.Tree, part config.Part, opts config.TargetOptions) (target.Target, error) {
	for node, err := range t.List(ctx, "") {
		if err != nil {
			return nil, fmt.Errorf("read the snapshot's tree: %w", err)
		}
		if name := path.Base(part.Path); node.Path != name {
			return nil, exitWith(exitRefused, "the snapshot holds the file %s, and the settings name %s now: restore it with --target", node.Path, part.Path)
		}
	}
	return part.Open(ctx, true, opts)
}
