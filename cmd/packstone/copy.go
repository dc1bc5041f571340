package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/copy"
)

type copyOptions struct {
	from       machine.From
	undated    bool
	incomplete bool
	packSize   flagvalue.Size
}

func newCopy(a *app) *cobra.Command {
	var o copyOptions
	cmd := described("copy", nil)
	flags := cmd.Flags()
	flags.StringVar(&o.from.Repository, "from", "", "`repository` to read: an address, or a name in the settings (PACKSTONE_FROM_REPOSITORY)")
	flags.StringVar(&o.from.Repository, "from-repo", "", "`repository` to read: the same as --from")
	flags.StringArrayVar(&o.from.Identities, "from-identity", nil, "age identity `file` that can read that repository (PACKSTONE_FROM_IDENTITY_FILE); may be repeated")
	flags.Var((*flagvalue.Owner)(&o.from.AcceptOwner), "from-accept-owner", "trust that repository only if its owner's key has this `fingerprint`")
	flags.BoolVar(&o.undated, "undated", false, "copy old snapshots with a key that may not backdate: retention does not count them")
	flags.BoolVar(&o.incomplete, "incomplete", false, "copy incomplete snapshots too")
	flags.Var(&o.packSize, "pack-size", "`size` of the objects to upload (default 16MiB, 8MiB where memory is tight)")
	used := usesRepository | usesIdentity | usesDryRun | usesSelection | usesPaths | usesPast | usesVersions | usesConcurrency
	return a.verb(cmd, used, func(ctx context.Context, args []string) error {
		_, err := a.copy(ctx, o, args)
		return err
	})
}

// copying is two repositories, one of which is copied from.
type copying struct {
	from, to               *catalog.Repository
	fromStorage, toStorage *config.Storage
	seen                   *view.View // of from
}

// copy copies what is missing, and prints and returns what that took; nil if nothing was tried.
func (a *app) copy(ctx context.Context, o copyOptions, names []string) (*message.Copy, error) {
	if o.from.Repository == "" && a.env["PACKSTONE_FROM_REPOSITORY"] == "" && a.env["PACKSTONE_FROM_REPOSITORY_FILE"] == "" {
		return nil, usage("say with --from which repository is copied from: an address, or a name of the settings")
	}
	if err := checkSnapshots(names); err != nil {
		return nil, err
	}
	write, err := a.writeOptions(o.packSize)
	if err != nil {
		return nil, err
	}
	c, err := a.openBoth(ctx, o.from)
	if err != nil {
		return nil, err
	}
	chosen, left, err := copy.Choose(c.seen, names, o.incomplete)
	if err != nil {
		return nil, err
	}
	if left > 0 {
		a.out.Note("left out %s; --incomplete copies them too", output.Plural(left, "incomplete snapshot"))
	}
	write.Uploads = c.toStorage.Uploads
	m, err := a.copySnapshots(ctx, c, chosen, copy.Options{Fetch: a.fetchOptions(), Write: write, Undated: o.undated})
	if m == nil {
		return nil, err
	}
	a.out.Summary(m, m.Text())
	a.tellRequests(m.Requests)
	if err == nil && len(names) == 0 {
		err = c.seen.Whole(ctx)
	}
	return m, errors.Join(copyOutcome(m, err), a.out.Err())
}

// copyOutcome is how the verb ends.
func copyOutcome(m *message.Copy, err error) error {
	if err == nil && len(m.Failed) > 0 {
		return exitWith(exitIntegrity, "%s damaged, and not copied (listed above)", output.Plural(len(m.Failed), "snapshot"))
	}
	return err
}

// writeOptions are how copies are written.
func (a *app) writeOptions(size flagvalue.Size) (backup.Options, error) {
	o := backup.Options{Concurrency: a.flags.concurrency, Progress: new(pipeline.Progress), Advice: a.Warn}
	var err error
	o.PackSize, err = backup.PackSize(int64(size), int64(a.flags.memoryLimit))
	return o, err
}

// openBoth opens the repository that is read and the one that is written.
func (a *app) openBoth(ctx context.Context, from machine.From) (c copying, err error) {
	other := a.Other(from)
	if err := a.RefuseSame(other); err != nil {
		return c, err
	}
	a.flags.VersionsAt = time.Time{} // it is for the one that is read
	if c.from, c.fromStorage, err = other.OpenRepository(ctx, machine.MustRead); err != nil {
		return c, fmt.Errorf("to copy from: %w", err)
	}
	if c.to, c.toStorage, err = a.OpenRepository(ctx, machine.MayRead|machine.MustWrite|machine.AnyIdentity); err != nil {
		return c, err
	}
	c.seen, err = a.look(ctx, c.from)
	return c, err
}

// copySnapshots copies those of chosen that are missing, or tells what that would take. Without a
// summary nothing was tried.
func (a *app) copySnapshots(ctx context.Context, c copying, chosen []*catalog.Snapshot, o copy.Options) (*message.Copy, error) {
	begun := time.Now()
	m := &message.Copy{From: c.from.Store.Location(), To: c.to.Store.Location(), Snapshots: []message.Copied{}, Failed: []string{}, DryRun: a.flags.dryRun}
	o.Done = func(s *catalog.Snapshot, id archive.Name) { m.Snapshots = append(m.Snapshots, a.tellCopied(s, id)) }
	o.Failed = func(s *catalog.Snapshot, err error) {
		m.Failed = append(m.Failed, s.ID.String())
		a.out.Problem("snapshot "+s.ShortID(), "copy", err)
	}
	copier, err := copy.New(c.from, c.to, c.seen.Snapshots, o)
	if err != nil {
		return nil, err
	}
	plan, err := copier.Plan(ctx, chosen)
	if err != nil {
		return nil, err
	}
	m.There, m.Forgotten = len(plan.There), len(plan.Forgotten)
	if m.DryRun {
		var weights []copy.Weight
		weights, err = copier.Weigh(ctx, plan)
		m.Weigh(plan.Missing, weights)
	} else {
		stop := a.out.Progress(meter.Of(o.Write.Progress))
		err = copier.Run(ctx, plan.Missing)
		stop()
		m.BytesRead = o.Write.Progress.BytesRead.Load()
	}
	p := o.Write.Progress
	m.DataBlobs, m.DataAdded, m.DataAddedPacked = p.ChunksNew.Load(), p.BytesNew.Load(), p.BytesPacked.Load()
	m.TotalDuration, m.RequestsFrom, m.Requests = time.Since(begun).Seconds(), c.fromStorage.Counts.Totals(), c.toStorage.Counts.Totals()
	return m, err
}

// tellCopied says that a snapshot was copied.
func (a *app) tellCopied(s *catalog.Snapshot, id archive.Name) message.Copied {
	row := message.CopiedOf(s)
	row.ID = id.String()
	a.out.Note("snapshot %s copied as %s: %s", s.ShortID(), row.ID[:shortID], row.What())
	return row
}
