package main

import (
	"context"
	"errors"
	"path"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/thaw"
)

type restoreOptions struct {
	target     string
	include    []string
	exclude    []string
	patterns   morePatterns
	fullPath   bool
	sparse     bool
	overwrite  string
	remove     bool
	verify     bool
	plan       bool
	owner      string
	chmod      string
	numeric    bool
	noSpecial  bool
	pipe       bool // to toCommand
	toCommand  []string
	to         dbAddress
	filling    dbOptions // how databases come back
	single     tableOptions
	server     any // what to names, if it is a server of files (config.Remote) or a bucket (config.Bucket); else nil
	inPlace    bool
	incomplete bool
	yes        bool
	force      bool

	checkAccess string
	platform    platformOptions
	thaw        thawFlags
}

func newRestore(a *app) *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:   "restore [SNAPSHOT[:SOURCE[/PATH]]]",
		Short: "Restore a snapshot, or a part of it.",
		Long: `Verifies every chunk. Below the target, each source gets a folder of its name, and paths that were
backed up come back under their whole path. SNAPSHOT:/DIR puts the content of DIR directly into the
target. No half-written file ever has its final name.

A database becomes one SQLite file, SOURCE.sqlite, or with --to fills an empty database of any
engine. --to also takes a directory on a server, ftp://, ftpes:// or ftps:// (FTP with explicit or
implicit TLS) or sftp://[user@]host[:port]/path, or a bucket, s3://bucket/prefix or
minio+https://host[:port]/bucket/prefix, and sends only what differs. --in-place restores every
source to where the settings file has it now.

With --set, --at and --in-place, and no source, a whole platform comes back: it prints what it is
going to do and asks, saves what it overwrites, fills databases beside the living ones, which they
then replace, and writes a report for --undo. The same command goes on where one was cut off.

--tables restores single tables. Into a database that holds something they come back beside what is
there, under other names with --as; --into-existing puts rows that are missing back into the tables
that are there, and changes none.

--versions-at restores from a bucket with versions as of an earlier time, such as before somebody
with its credentials has overwritten or deleted objects.`,
		Example: `  packstone restore latest --target /tmp/restored
  packstone restore --set platform --at 2026-11-20T14:00 --in-place`,
		Args: cobra.ArbitraryArgs,
	}
	o.register(cmd.Flags())
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesDryRun|usesSelection|usesPaths|usesTime|usesConcurrency, func(ctx context.Context, args []string) error {
		if dash := cmd.ArgsLenAtDash(); dash >= 0 {
			args, o.toCommand = args[:dash], args[dash:]
		}
		if o.pipe != (len(o.toCommand) > 0) {
			return usage("want restore SNAPSHOT:SOURCE/FILE --to-command -- COMMAND [ARGUMENT...]")
		}
		if o.platform.undo != "" {
			return a.undo(ctx, o, args)
		}
		return a.restore(ctx, o, args)
	})
}

func (o *restoreOptions) register(flags *pflag.FlagSet) {
	flags.StringVarP(&o.target, "target", "t", "", "`directory` to restore to")
	flags.StringArrayVar(&o.include, "include", nil, "restore only what matches this `pattern`: names, or paths from the source's root if it has a slash; may be repeated")
	flags.StringArrayVar(&o.exclude, "exclude", nil, "leave out what matches this `pattern`; may be repeated")
	o.patterns.register(flags)
	flags.BoolVar(&o.fullPath, "full-path", false, "keep the whole path of SNAPSHOT:/DIR, instead of putting its content into the target")
	flags.BoolVar(&o.sparse, "sparse", false, "write no blocks of zeros, to save space; files that were sparse stay sparse anyway")
	flags.StringVar(&o.overwrite, "overwrite", "", "`policy` for existing files: always, if-changed, if-newer or never (default always; on servers if-changed)")
	flags.BoolVar(&o.remove, "delete", false, "delete files that were not there at backup time, within the paths that were backed up; what the backup could not read or left out stays")
	flags.BoolVar(&o.yes, "yes", false, "answer yes to every question: when --delete removes much, or crosses a mount")
	flags.BoolVar(&o.force, "force", false, "restore into a directory that is inside a repository")
	flags.BoolVar(&o.verify, "verify", false, "read back what was written, and compare it")
	flags.BoolVar(&o.plan, "plan", false, "list what would be done, and do nothing; with -v, every entry")
	o.registerRights(flags)
	flags.BoolVar(&o.pipe, "to-command", false, "pipe the one named file to the command after --")
	o.to.registerFilling(flags, "to fill with the one that is named, or of a directory on a server")
	o.filling.registerJobs(flags, restoreJobs)
	o.filling.registerNeutral(flags)
	o.filling.registerOwners(flags)
	o.filling.registerFilter(flags)
	o.single.register(flags)
	flags.BoolVar(&o.inPlace, "in-place", false, "restore to where the sources are now, as the settings file says, or to the paths that were backed up")
	o.platform.register(flags)
	o.thaw.register(flags)
	flags.BoolVar(&o.incomplete, "accept-incomplete", false, "let latest and times name incomplete snapshots too")
}

// registerRights registers what restored files let whom do.
func (o *restoreOptions) registerRights(flags *pflag.FlagSet) {
	flags.StringVar(&o.owner, "owner", "", "give all files to `user:group`")
	flags.StringVar(&o.chmod, "chmod", "", "change modes by this `mode`, as chmod does: u+rwX,go-w")
	flags.StringVar(&o.checkAccess, "check-access", "", "list restored files that `user` could not read, write or search")
	flags.BoolVar(&o.numeric, "numeric-ids", false, "set owners by number, even if their names are known here")
	flags.BoolVar(&o.noSpecial, "no-special", false, "leave out what gives rights to whoever runs or opens it: devices, setuid and setgid bits, capabilities")
}

var overwrites = map[string]restore.Overwrite{
	"": restore.OverwriteAlways, "always": restore.OverwriteAlways, "if-changed": restore.OverwriteIfChanged,
	"if-newer": restore.OverwriteIfNewer, "never": restore.OverwriteNever,
}

func (a *app) restore(ctx context.Context, o restoreOptions, args []string) error {
	from, err := a.restorePlace(&o, args)
	if err != nil {
		return err
	}
	if err := o.readPatterns(a.Done); err != nil {
		return err
	}
	whole, access := a.wholePlatform(&o, args), machine.MustRead
	if whole {
		access |= machine.MayWrite // for the copy of what is overwritten
	}
	r, v, err := a.newRestoring(ctx, o, from, access)
	if err != nil {
		return err
	}
	if whole && !hasAdHoc(r.snapshot) {
		settings, err := a.Settings()
		if err != nil {
			return err
		}
		if err := r.thawFirst(ctx); err != nil {
			return err
		}
		return r.tellFrozen(ctx, r.restorePlatform(ctx, v, settings))
	}
	return r.restore(ctx)
}

// newRestoring opens the repository, and finds the snapshot to restore.
func (a *app) newRestoring(ctx context.Context, o restoreOptions, from catalog.Place, access machine.Access) (*restoring, *view.View, error) {
	repo, storage, err := a.OpenRepository(ctx, access)
	if err != nil {
		return nil, nil, err
	}
	v, err := a.look(ctx, repo)
	if err != nil {
		return nil, nil, err
	}
	filter := a.filterFor(from)
	filter.Incomplete = o.incomplete
	if o.inPlace && a.flags.host == "" {
		if filter.Prefer, err = a.HostIn(repo); err != nil {
			return nil, nil, err
		}
	}
	snapshot, err := v.Pick(from.Snapshot, filter)
	if err != nil {
		return nil, nil, err
	}
	r := &restoring{app: a, repo: repo, requests: storage.Counts.Totals, storage: storage, snapshot: snapshot, from: from, o: o}
	r.legs, r.fill = r.newLegs(), r.database
	return r, v, nil
}

// restorePlace says what is to come back, and refuses what contradicts itself.
func (a *app) restorePlace(o *restoreOptions, args []string) (catalog.Place, error) {
	if len(args) > 1 || len(args) == 0 && a.flags.at == "" {
		return catalog.Place{}, usage("name one snapshot, or a time with --at")
	}
	if _, ok := overwrites[o.overwrite]; !ok {
		return catalog.Place{}, usage("--overwrite %s: want always, if-changed, if-newer or never", o.overwrite)
	}
	if err := a.checkPlatform(o, args); err != nil {
		return catalog.Place{}, err
	}
	if err := o.checkTarget(); err != nil {
		return catalog.Place{}, err
	}
	a.flags.dryRun = a.flags.dryRun || o.plan
	place := ""
	if len(args) == 1 {
		place = args[0]
	}
	if a.flags.at == "" {
		return catalog.ParsePlace(place), nil
	}
	p, err := catalog.ParsePlaceAt(place, a.flags.at)
	if err != nil {
		return p, usage("%w", err)
	}
	return p, nil
}

// checkTarget wants one place to restore to, and finds out what --to means.
func (o *restoreOptions) checkTarget() error {
	targets := 0
	for _, named := range []bool{o.target != "", len(o.toCommand) > 0, o.to.named(), o.inPlace || len(o.platform.maps) > 0} {
		if named {
			targets++
		}
	}
	if targets != 1 {
		return usage("name one place to restore to: a directory with --target, a server or a database with --to, or --in-place")
	}
	if err := o.thaw.check(); err != nil {
		return err
	}
	if err := o.findServer(); err != nil {
		return err
	}
	if err := o.checkAccessFlag(); err != nil {
		return err
	}
	if o.to.emptyLeftover && (!o.to.named() || o.server != nil) {
		return usage("--%s goes with --to and a database", emptyLeftoverFlag)
	}
	if err := o.checkFilling(); err != nil {
		return err
	}
	if o.to.named() && o.server == nil && (len(o.include)+len(o.exclude) > 0 || o.remove || o.noSpecial || o.owner != "" || o.chmod != "") {
		return usage("--to fills a database: --include, --exclude, --delete, --no-special, --owner and --chmod cannot be used with it")
	}
	return nil
}

// checkFilling refuses flags of databases where no database is filled.
func (o *restoreOptions) checkFilling() error {
	f := o.filling
	fills := o.inPlace || len(o.platform.maps) > 0 || o.to.named() && o.server == nil
	if !fills && (f.noOwner || len(f.roles) > 0 || f.trustCode) {
		return usage("--%s, --%s and --%s go with a database to fill: --to or --in-place", noOwnerFlag, roleMapFlag, trustCodeFlag)
	}
	if !fills && f.noNativeDDL && o.target == "" {
		return usage("--%s goes with a database: --to, --in-place or --target", noNativeDDLFlag)
	}
	if err := o.checkTables(); err != nil {
		return err
	}
	return f.checkJobs()
}

// restoring is one run of restore.
type restoring struct {
	*app
	repo     *catalog.Repository
	requests func() count.Totals
	storage  *config.Storage
	snapshot *catalog.Snapshot
	from     catalog.Place
	sources  []*catalog.SourceState
	path     string // below the source, where one is named
	o        restoreOptions
	way      []comeback // for --in-place
	legs     *restore.Legs
	base     target.Target // below which each source has a folder
	doubts   []string      // why somebody should be asked
	progress pipeline.Progress
	total    restore.Result
	warned   atomic.Uint64
	lent     restore.Lent
	listed   output.ShortList // by --plan
	others   target.Strangers // to whom entries would belong by their number
	frozen   thaw.Plan        // what the storage must thaw
	denied   uint64           // entries that the user of --check-access could not use
	inexact  uint64           // objects and values of databases that did not come back exactly
	// fill restores a database: to a file, unless somebody has another place for it.
	fill func(ctx context.Context, s *catalog.SourceState) error
}

func (r *restoring) restore(ctx context.Context) error {
	if r.o.to.named() && r.o.server == nil {
		return r.intoDatabase(ctx)
	}
	begun := time.Now()
	err := r.prepare(ctx)
	if err == nil {
		err = r.thawFirst(ctx)
	}
	if err == nil {
		err = r.run(ctx)
	}
	err = r.tellFrozen(ctx, err)
	if err := errors.Join(err, r.legs.Close(ctx)); err != nil {
		return err
	}
	r.listed.End(r.out)
	r.tellLent()
	r.tellOthers()
	r.summarize(time.Since(begun))
	if err := r.tellAccess(ctx); err != nil {
		return err
	}
	return errors.Join(r.outcome(), r.out.Err())
}

// summarize prints what was done.
func (r *restoring) summarize(took time.Duration) {
	m := message.Restore{
		SnapshotID: r.snapshot.ID.String(), DryRun: r.dry(), FilesRestored: r.total.Restored, FilesSkipped: r.total.Kept,
		FilesDeleted: r.total.Deleted, FilesFailed: r.total.Failed, BytesRestored: r.total.Bytes, BytesReused: r.total.Reused,
		TotalDuration: took.Seconds(), Requests: r.requests(), PacksToThaw: r.frozen.Packs, BytesToThaw: r.frozen.Bytes,
	}
	if len(r.o.toCommand) > 0 && !r.out.JSON() {
		r.out.Note("%s", m.Text()) // the standard output is the command's
		return
	}
	r.out.Summary(m, m.Text())
	r.tellRequests(m.Requests)
}

// outcome says how complete the restore is.
func (r *restoring) outcome() error {
	switch {
	case len(r.doubts) > 0 && r.dry() && !r.CanAsk():
		return r.doubtful()
	case r.total.Damaged > 0:
		return exitWith(exitIntegrity, "%s not restored, since their content is damaged (listed above)", output.Plural(r.total.Damaged, "file"))
	case r.total.Failed > 0 && len(r.o.toCommand) > 0:
		return exitWith(exitFailed, "the command failed to take the file: see above")
	case r.total.Failed > 0:
		return exitWith(exitMissing, "%s not restored (listed above)", output.Plural(r.total.Failed, "entry"))
	case r.inexact > 0:
		return exitWith(exitMissing, "%s not exact in SQLite (listed above)", output.Plural(r.inexact, "database object or value"))
	case len(r.o.include) > 0 && r.total == (restore.Result{}):
		return exitWith(exitFailed, "nothing in the snapshot matches --include: a pattern with a slash is matched with whole paths, from the source's root on")
	case r.warned.Load() > 0:
		return exitWith(exitMissing, "%s restored without all of their metadata (listed above)", output.Plural(r.warned.Load(), "entry"))
	case r.denied > 0:
		return exitWith(exitMissing, "%s could not use %s that came back", r.o.checkAccess, output.Plural(r.denied, "entry"))
	}
	return nil
}

// prepare finds what comes back and where to, and refuses what cannot before anything is changed.
func (r *restoring) prepare(ctx context.Context) error {
	at, err := r.from.In(r.snapshot)
	if err != nil {
		return err
	}
	r.sources, r.path, r.legs.Path = at.Sources, at.Path, at.Path
	if len(r.o.toCommand) > 0 && len(r.sources) > 1 {
		return usage("--to-command gives one file to a command: name it as SNAPSHOT:SOURCE/FILE")
	}
	if r.o.inPlace {
		if err := r.findPlaces(ctx); err != nil {
			return err
		}
	}
	for _, source := range r.sources {
		if r.o.server != nil && r.isDatabase(source) {
			return usage("%s is a database, and --to names a server of files: restore it with --target, or with --to and the URL of an empty database", source.Name)
		}
	}
	if err := r.openLegs(ctx); err != nil {
		return err
	}
	return r.survey(ctx)
}

func (r *restoring) run(ctx context.Context) error {
	r.tellLeftOut()
	if err := r.refillAll(ctx); err != nil {
		return err
	}
	defer r.out.Progress(meter.Of(&r.progress))()
	return r.legs.Run(ctx, &r.total)
}

func (r *restoring) dry() bool { return r.flags.dryRun }

// tell prints what is done with an entry, always for a plan.
func (r *restoring) tell(e *entry.Entry, action restore.Action) {
	if action != restore.ActionDelete {
		r.others.Note(e)
	}
	if r.o.plan {
		r.listed.Note(r.out, string(action), output.Name(e.Path), r.flags.verbose > 0)
		return
	}
	r.out.Detail(output.VerboseStatus{Action: string(action), Item: output.Name(e.Path), DataSize: e.Size})
}

// targetOptions say how to write what was backed up of source. below precedes paths in warnings.
func (r *restoring) targetOptions(below string, source *catalog.SourceState) (opts config.TargetOptions, err error) {
	files, err := r.OwnFiles()
	if err != nil {
		return opts, err
	}
	own, err := files.All()
	if err != nil {
		return opts, err
	}
	opts = config.TargetOptions{Own: own, NumericIDs: r.o.numeric, ReadOnly: r.dry(), Remote: r.RemoteLogin(), Bucket: r.bucketLogin(), Warn: func(file string, err error) {
		r.warned.Add(1)
		r.out.Problem(path.Join(below, file), "restore", err)
	}}
	opts.Absent, opts.Times = r.o.overwrite == "never", !config.IsBucket(source.Location)
	if r.o.owner != "" {
		if opts.Owner, err = target.ParseOwner(r.o.owner); err != nil {
			return opts, usage("--owner: %w", err)
		}
	}
	if r.o.chmod != "" {
		if opts.Chmod, err = target.ParseChmod(r.o.chmod); err != nil {
			return opts, usage("--chmod: %w", err)
		}
	}
	return opts, nil
}
