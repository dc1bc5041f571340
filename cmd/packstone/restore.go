package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/destination"
	"github.com/packstone/packstone/pipeline/local/permission"
	"github.com/packstone/packstone/pipeline/restore"
)

type restoreOptions struct {
	where                destination.Options
	how                  restore.Options
	including, excluding patternFlags
	include, exclude     []string // all that these say
	overwrite            string
	plan                 bool
	pipe                 bool // to where.Command
	to                   dbAddress
	filling              dbOptions // how databases come back
	single               tableOptions
	incomplete           bool
	yes                  bool

	checkAccess string
	platform    platformOptions
	thaw        thawFlags
}

func newRestore(a *app) *cobra.Command {
	var o restoreOptions
	cmd := described("restore", cobra.ArbitraryArgs)
	o.register(cmd.Flags())
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesDryRun|usesSelection|usesPaths|usesTime|usesConcurrency, func(ctx context.Context, args []string) error {
		if dash := cmd.ArgsLenAtDash(); dash >= 0 {
			args, o.where.Command = args[:dash], args[dash:]
		}
		if o.pipe != (len(o.where.Command) > 0) {
			return usage("want restore SNAPSHOT:SOURCE/FILE --to-command -- COMMAND [ARGUMENT...]")
		}
		if o.platform.undo != "" {
			return a.undo(ctx, o, args)
		}
		return a.restore(ctx, o, args)
	})
}

func (o *restoreOptions) register(flags *pflag.FlagSet) {
	flags.StringVarP(&o.where.Directory, "target", "t", "", "`directory` to restore to")
	o.including.register(flags, "include", "restore only what matches this `pattern`: names, or paths from the source's root if it has a slash; may be repeated",
		"restore only what matches a pattern in this `file`, one a line")
	o.excluding.register(flags, "exclude", "leave out what matches this `pattern`; may be repeated", "leave out what matches a pattern in this `file`, one a line")
	flags.BoolVar(&o.where.FullPath, "full-path", false, "keep the whole path of SNAPSHOT:/DIR, instead of putting its content into the target")
	flags.BoolVar(&o.how.Sparse, "sparse", false, "write no blocks of zeros, to save space; files that were sparse stay sparse anyway")
	flags.StringVar(&o.overwrite, "overwrite", "", "`policy` for existing files: always, if-changed, if-newer or never (default always; on servers if-changed)")
	flags.BoolVar(&o.how.Delete, "delete", false, "delete files that were not there at backup time, within the paths that were backed up; what the backup could not read or left out stays")
	flags.BoolVar(&o.yes, "yes", false, "answer yes to every question: when --delete removes much, or crosses a mount")
	flags.BoolVar(&o.where.Force, "force", false, "restore into a directory that is inside a repository")
	flags.BoolVar(&o.how.Verify, "verify", false, "read back what was written, and compare it")
	flags.BoolVar(&o.plan, "plan", false, "list what would be done, and do nothing; with -v, every entry")
	o.registerRights(flags)
	flags.BoolVar(&o.pipe, "to-command", false, "pipe the one named file to the command after --")
	o.to.registerFilling(flags, "to fill with the one that is named, or of a directory on a server")
	o.filling.registerJobs(flags, restoreJobs)
	o.filling.registerNeutral(flags)
	o.filling.registerOwners(flags)
	o.filling.registerFilter(flags)
	o.single.register(flags)
	flags.BoolVar(&o.where.InPlace, "in-place", false, "restore to where the sources are now, as the settings file says, or to the paths that were backed up")
	o.platform.register(flags)
	o.thaw.register(flags)
	flags.BoolVar(&o.incomplete, "accept-incomplete", false, "let latest and times name incomplete snapshots too")
}

// registerRights registers what restored files let whom do.
func (o *restoreOptions) registerRights(flags *pflag.FlagSet) {
	flags.StringVar(&o.where.Owner, "owner", "", "give all files to `user:group`")
	flags.StringVar(&o.where.Chmod, "chmod", "", "change modes by this `mode`, as chmod does: u+rwX,go-w")
	flags.StringVar(&o.checkAccess, "check-access", "", "list restored files that `user` could not read, write or search")
	flags.BoolVar(&o.where.NumericIDs, "numeric-ids", false, "set owners by number, even if their names are known here")
	flags.BoolVar(&o.how.NoSpecial, "no-special", false, "leave out what gives rights to whoever runs or opens it: devices, setuid and setgid bits, capabilities")
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
	for _, named := range []bool{o.where.Directory != "", len(o.where.Command) > 0, o.to.named(), o.where.InPlace || len(o.platform.maps) > 0} {
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
	if _, _, err := o.where.Rights(); err != nil {
		return err
	}
	if o.to.emptyLeftover && (!o.to.named() || o.where.Server != nil) {
		return usage("--%s goes with --to and a database", emptyLeftoverFlag)
	}
	if err := o.checkFilling(); err != nil {
		return err
	}
	if o.to.named() && o.where.Server == nil && (len(o.including.plain)+len(o.excluding.plain) > 0 || o.how.Delete || o.how.NoSpecial || o.where.Owner != "" || o.where.Chmod != "") {
		return usage("--to fills a database: --include, --exclude, --delete, --no-special, --owner and --chmod cannot be used with it")
	}
	return nil
}

// checkFilling refuses flags of databases where no database is filled.
func (o *restoreOptions) checkFilling() error {
	f := o.filling
	fills := o.where.InPlace || len(o.platform.maps) > 0 || o.to.named() && o.where.Server == nil
	if !fills && (f.how.Plan.NoOwner || len(f.how.Plan.Roles) > 0 || f.how.Plan.TrustCode) {
		return usage("--%s, --%s and --%s go with a database to fill: --to or --in-place", noOwnerFlag, roleMapFlag, trustCodeFlag)
	}
	if !fills && f.how.Plan.NoNativeDDL && o.where.Directory == "" {
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
	if o.to.named() || len(o.where.Command) > 0 {
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
		o.where.Server, err = config.FindServer("--"+o.to.name, o.to.url, o.to.file)
	}
	return err
}
