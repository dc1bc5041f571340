package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/copy"
)

// copySummary is what copy prints as JSON at its end.
type copySummary struct {
	From            string       `json:"from" doc:"The repository that was read."`
	To              string       `json:"to" doc:"The one that was written."`
	Snapshots       []copiedRow  `json:"snapshots" doc:"The snapshots that were copied, or would be."`
	There           int          `json:"snapshots_there" doc:"How many of those that were meant are there already."`
	Forgotten       int          `json:"snapshots_forgotten" doc:"How many of these were forgotten there since, and are not copied again."`
	Failed          []string     `json:"snapshots_failed" doc:"The ids of those that could not be read, and were not copied."`
	DataBlobs       uint64       `json:"data_blobs" doc:"Chunks that were new to the repository that was written."`
	DataAdded       uint64       `json:"data_added" doc:"Their bytes."`
	DataAddedPacked uint64       `json:"data_added_packed" doc:"Bytes of the packs that were uploaded, trees included."`
	BytesRead       uint64       `json:"bytes_read" doc:"Bytes of files that were read from the first repository; after a dry run at most so many would be."`
	TotalDuration   float64      `json:"total_duration" doc:"Seconds."`
	RequestsFrom    count.Totals `json:"requests_from" doc:"Requests to the repository that was read."`
	Requests        count.Totals `json:"requests" doc:"Requests to the one that was written."`
	DryRun          bool         `json:"dry_run,omitempty" doc:"Whether nothing was copied."`
}

// copiedRow is a snapshot that was copied.
type copiedRow struct {
	Original string      `json:"original" doc:"Its id in the repository that was read."`
	ID       string      `json:"snapshot_id,omitempty" doc:"The id of its copy; absent after a dry run."`
	Set      output.Name `json:"set" doc:"The set; empty for paths."`
	Hostname output.Name `json:"hostname" doc:"The host that took it."`
	Time     time.Time   `json:"time" doc:"When it was taken."`
	Files    uint64      `json:"total_files_processed,omitempty" doc:"Files in it; of a dry run."`
	Bytes    uint64      `json:"total_bytes_processed,omitempty" doc:"Their bytes; of a dry run."`
	Read     uint64      `json:"bytes_read,omitempty" doc:"Bytes of files that would be read for it, at most; of a dry run."`
}

type copyOptions struct {
	from       machine.From
	undated    bool
	incomplete bool
	packSize   flagvalue.Size
}

func newCopy(a *app) *cobra.Command {
	var o copyOptions
	cmd := &cobra.Command{
		Use:   "copy --from REPOSITORY [SNAPSHOT...]",
		Short: "Copy snapshots from another repository into this one.",
		Long: `Without SNAPSHOT it copies all complete snapshots that match --set, --host, --tag and --path, oldest
first, and skips those that are here already. It needs an identity for the other repository
(--from-identity, PACKSTONE_FROM_IDENTITY_FILE, else the usual one), and this host's key for this
repository. A copy keeps host, set, tags, times and the list of what was missed. The next run
continues an interrupted copy.

--versions-at reads the other repository, in a bucket with versions, as of an earlier time, such as
before an attack. So it takes what was there to safety.`,
		Example: `  packstone copy --from s3://offsite/platform -r /mnt/usb/mirror
  packstone copy --from main -r safe --versions-at 2026-11-20T14:00`,
	}
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
func (a *app) copy(ctx context.Context, o copyOptions, names []string) (*copySummary, error) {
	if o.from.Repository == "" && a.env["PACKSTONE_FROM_REPOSITORY"] == "" && a.env["PACKSTONE_FROM_REPOSITORY_FILE"] == "" {
		return nil, usage("say with --from which repository is copied from: an address, or a name of the settings")
	}
	write, err := a.writeOptions(o.packSize)
	if err != nil {
		return nil, err
	}
	c, err := a.openBoth(ctx, o.from)
	if err != nil {
		return nil, err
	}
	chosen, err := a.chooseToCopy(c.seen, names, o.incomplete)
	if err != nil {
		return nil, err
	}
	write.Uploads = c.toStorage.Uploads
	m, err := a.copySnapshots(ctx, c, chosen, copy.Options{Fetch: a.fetchOptions(), Write: write, Undated: o.undated})
	if m == nil {
		return nil, err
	}
	a.out.Summary(m, m.text())
	a.tellRequests(m.Requests)
	if err == nil && len(names) == 0 {
		err = c.seen.Whole(ctx)
	}
	return m, errors.Join(m.outcome(err), a.out.Err())
}

// outcome is how the verb ends.
func (m *copySummary) outcome(err error) error {
	if err == nil && len(m.Failed) > 0 {
		return exitWith(exitIntegrity, "%s damaged, and not copied (listed above)", output.Plural(len(m.Failed), "snapshot"))
	}
	return err
}

// writeOptions are how copies are written.
func (a *app) writeOptions(packSize flagvalue.Size) (backup.Options, error) {
	o := backup.Options{Concurrency: a.flags.concurrency, Progress: new(pipeline.Progress), Advice: a.Warn}
	var err error
	o.PackSize, err = a.packSize(packSize)
	return o, err
}

// openBoth opens the repository that is read and the one that is written.
func (a *app) openBoth(ctx context.Context, from machine.From) (c copying, err error) {
	other := a.Other(from)
	if err := a.refuseSame(other); err != nil {
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

// refuseSame refuses to copy from an address to itself.
func (a *app) refuseSame(other *machine.Machine) error {
	from, err := other.Repository()
	if err != nil {
		return err
	}
	to, err := a.Repository()
	if err == nil && from.String() == to.String() {
		err = usage("%s would be copied to itself: name another repository with -r or --from", to)
	}
	return err
}

// chooseToCopy are the snapshots that are meant.
func (a *app) chooseToCopy(v *view.View, names []string, incomplete bool) (chosen []*catalog.Snapshot, err error) {
	all, err := v.Choose(names)
	if err != nil || len(names) > 0 {
		return all, err
	}
	left := 0
	for _, s := range v.Trusted(all) {
		if !incomplete && !s.Complete() {
			left++
			continue
		}
		chosen = append(chosen, s)
	}
	if left > 0 {
		a.out.Note("left out %s; --incomplete copies them too", output.Plural(left, "incomplete snapshot"))
	}
	return chosen, nil
}

// copySnapshots copies those of chosen that are missing, or tells what that would take. Without a
// summary nothing was tried.
func (a *app) copySnapshots(ctx context.Context, c copying, chosen []*catalog.Snapshot, o copy.Options) (*copySummary, error) {
	begun := time.Now()
	m := &copySummary{From: c.from.Store.Location(), To: c.to.Store.Location(), Snapshots: []copiedRow{}, Failed: []string{}, DryRun: a.flags.dryRun}
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
		err = m.weigh(ctx, copier, plan)
	} else {
		stop := a.out.Progress(backupCounts(o.Write.Progress))
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
func (a *app) tellCopied(s *catalog.Snapshot, id archive.Name) copiedRow {
	row := rowOf(s)
	row.ID = id.String()
	a.out.Note("snapshot %s copied as %s: %s", s.ShortID(), row.ID[:shortID], row.what())
	return row
}

func rowOf(s *catalog.Snapshot) copiedRow {
	return copiedRow{Original: s.ID.String(), Set: output.Name(s.Set), Hostname: output.Name(s.Host), Time: s.Time}
}

// what says what a snapshot is of.
func (r *copiedRow) what() string {
	what := "paths"
	if r.Set != "" {
		what = "set " + r.Set.String()
	}
	return fmt.Sprintf("%s of host %s, %s", what, r.Hostname, output.Time(r.Time))
}

// weigh says what copies would take.
func (m *copySummary) weigh(ctx context.Context, copier *copy.Copier, plan copy.Plan) error {
	weights, err := copier.Weigh(ctx, plan)
	for i, w := range weights {
		row := rowOf(plan.Missing[i])
		row.Files, row.Bytes, row.Read = w.Files, w.Bytes, w.Read
		m.Snapshots, m.BytesRead = append(m.Snapshots, row), m.BytesRead+w.Read
	}
	return err
}

func (m *copySummary) text() string {
	var b strings.Builder
	if m.DryRun {
		for _, r := range m.Snapshots {
			fmt.Fprintf(&b, "would copy %s: %s, %s files, %s, of which up to %s are read\n", r.Original[:shortID], r.what(), output.Count(int64(r.Files)),
				output.Bytes(int64(r.Bytes)), output.Bytes(int64(r.Read)))
		}
		fmt.Fprintf(&b, "%s would be copied to %s, up to %s of files read; ", output.Plural(len(m.Snapshots), "snapshot"), m.To, output.Bytes(int64(m.BytesRead)))
	} else {
		fmt.Fprintf(&b, "read: %s; added: %s, stored as %s\n", output.Bytes(int64(m.BytesRead)), output.Bytes(int64(m.DataAdded)), output.Bytes(int64(m.DataAddedPacked)))
		fmt.Fprintf(&b, "%s copied to %s in %s; ", output.Plural(len(m.Snapshots), "snapshot"), m.To, time.Duration(m.TotalDuration*float64(time.Second)).Round(time.Millisecond))
	}
	fmt.Fprintf(&b, "%s there already", output.Plural(m.There, "snapshot"))
	if m.Forgotten > 0 {
		fmt.Fprintf(&b, ", %d of which forgotten there since", m.Forgotten)
	}
	if m.DryRun {
		b.WriteString("\nnothing was copied: this was a dry run")
	}
	return b.String()
}
