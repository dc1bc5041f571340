package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/local/permission"
	"github.com/packstone/packstone/pipeline/restore"
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

// checkAccessFlag refuses --check-access where nothing can be checked, and somebody who is not
// there.
func (o *restoreOptions) checkAccessFlag() error {
	if o.checkAccess == "" {
		return nil
	}
	if o.to.named() || len(o.toCommand) > 0 {
		return usage("--check-access is for directories of this machine: --target or --in-place")
	}
	if _, err := permission.Lookup(o.checkAccess); err != nil {
		return usage("--check-access: %w", err)
	}
	return nil
}

// findServer tells whether --to names a server of files, and which.
func (o *restoreOptions) findServer() (err error) {
	if o.to.url == "" || o.to.file == "" {
		o.server, err = config.FindServer("--"+o.to.name, o.to.url, o.to.file)
	}
	return err
}
