package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/help"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
)

// globalFlags are the flags that mean the same in every verb that knows them.
type globalFlags struct {
	quiet   bool
	verbose int
	json    bool

	limitUp, limitDown flagvalue.Rate // bytes a second, 0: no limit
	giveUpAfter        time.Duration
	giveUpGiven        bool
	memoryLimit        flagvalue.Size // bytes, 0: no limit
	concurrency        int            // 0: as many as there are processors
	connections        int            // 0: as many as the link wants
	machine.Flags
	dryRun        bool
	noCache       bool
	set, host, at string
	versionsAt    string
	setGiven      bool // --set, be it ''
	paths, tags   []string
}

// uses says which of the global flags a verb honours; any other is refused, so that none is
// silently ignored.
type uses uint

const (
	usesRepository uses = 1 << iota // the repository and how it is reached
	usesIdentity
	usesRecipients
	usesDryRun
	usesSelection // set, host and tag
	usesPaths     // path, which chooses among what was backed up by path
	usesTime
	usesPast     // what the repository showed before
	usesVersions // versions of the repository's objects, since it only reads
	usesConcurrency
	usesCache // the directory of caches
)

// flagUse says what a verb must use to honour a flag. Flags that are not listed hold for all verbs.
var flagUse = map[string]uses{
	"repo":            usesRepository,
	"cache-dir":       usesRepository | usesCache,
	"no-cache":        usesRepository,
	"cacert":          usesRepository,
	"insecure-tls":    usesRepository,
	"limit-upload":    usesRepository,
	"limit-download":  usesRepository,
	"give-up-after":   usesRepository,
	"memory-limit":    usesRepository,
	"concurrency":     usesConcurrency,
	"connections":     usesRepository,
	"identity":        usesIdentity,
	"accept-owner":    usesIdentity,
	"recipient":       usesRecipients,
	"dry-run":         usesDryRun,
	"set":             usesSelection,
	"host":            usesSelection,
	"tag":             usesSelection,
	"path":            usesPaths,
	"at":              usesTime,
	"accept-rollback": usesPast,
	"versions-at":     usesVersions,
}

func (f *globalFlags) register(set *pflag.FlagSet) {
	set.StringVarP(&f.Config, "config", "c", "", "settings `file` (PACKSTONE_CONFIG)")
	set.BoolVarP(&f.quiet, "quiet", "q", false, "print only warnings and errors")
	set.CountVarP(&f.verbose, "verbose", "v", "print more; give it twice for even more")
	set.BoolVar(&f.json, "json", false, "print JSON: one object a line, or one array")

	set.StringVarP(&f.Repository, "repo", "r", "", "`repository`: a path, s3://bucket/prefix, minio+https://host/bucket/prefix or sftp://user@host/path (PACKSTONE_REPOSITORY)")
	set.StringVar(&f.CacheDir, "cache-dir", "", "`directory` of the caches, which can be rebuilt at any time (PACKSTONE_CACHE_DIR)")
	set.BoolVar(&f.noCache, "no-cache", false, "use a temporary cache, and remove it at the end")
	set.StringVar(&f.CACert, "cacert", "", "`file` of certificate authorities to trust for buckets, instead of the system's (AWS_CA_BUNDLE)")
	set.BoolVar(&f.InsecureTLS, "insecure-tls", false, "accept any certificate of a bucket's server: anyone on the way can then read the login")
	set.Var(&f.limitUp, "limit-upload", "send at most this `rate` to the repository and to each bucket of a lake, not to FTP and SFTP targets: KiB a second, or with a unit such as 5MiB")
	set.Var(&f.limitDown, "limit-download", "receive at most this `rate` from the repository and from each bucket of a lake, not from FTP and SFTP sources: KiB a second, or with a unit such as 5MiB")
	set.DurationVar(&f.giveUpAfter, "give-up-after", 0, "`time` to keep trying a repository that does not answer (default 1m; 10s for the first answer to a verb that only reads; 0 tries once)")
	set.Var(&f.memoryLimit, "memory-limit", "keep memory below this `size`, such as 512MiB")
	set.IntVar(&f.concurrency, "concurrency", 0, "`number` of processors to use (default all)")
	set.IntVar(&f.connections, "connections", 0, "`number` of concurrent requests to the repository (default adapts to the network)")
	set.StringArrayVarP(&f.Identities, "identity", "i", nil, "age identity `file` that can read the repository (PACKSTONE_IDENTITY_FILE); may be repeated")
	set.Var((*flagvalue.Owner)(&f.AcceptOwner), "accept-owner", "trust the repository only if its owner's key has this `fingerprint`; ask the owner for it")
	set.BoolVar(&f.AcceptRollback, "accept-rollback", false, "continue with what is there although the repository has lost or damaged records")
	set.StringVar(&f.versionsAt, "versions-at", "", "read a bucket with versions as of this `time`, such as 2026-11-20T14:00, before somebody damaged it")
	set.StringArrayVarP(&f.Recipients, "recipient", "R", nil, "age `recipient` who can restore, or a file of recipients (PACKSTONE_RECIPIENTS_FILE); may be repeated")
	set.BoolVarP(&f.dryRun, "dry-run", "n", false, "only show what would be done")
	set.StringVar(&f.set, "set", "", "only this `set`; '' for backups of paths")
	set.StringArrayVar(&f.paths, "path", nil, "only backups of this `path`; may be repeated, and all must match")
	set.StringVarP(&f.host, "host", "H", "", "only this `host`; for backup, the host of the snapshot")
	set.StringArrayVar(&f.tags, "tag", nil, "only snapshots with this `tag`; for backup, a tag to add; may be repeated")
	set.StringVar(&f.at, "at", "", "the newest complete snapshot at or before this `time`, such as 2026-11-20T14:00")
}

// check refuses what no verb can honour, and flags that this verb does not use.
func (f *globalFlags) check(cmd *cobra.Command, used uses) error {
	if f.quiet && f.verbose > 0 {
		return usage("--quiet and --verbose contradict each other")
	}
	f.setGiven, f.giveUpGiven = cmd.Flags().Changed("set"), cmd.Flags().Changed("give-up-after")
	if err := f.checkTexts(cmd.Flags().Changed); err != nil {
		return err
	}
	if f.giveUpAfter < 0 {
		return usage("--give-up-after %v: must not be negative", f.giveUpAfter)
	}
	if f.concurrency < 0 {
		return usage("--concurrency %d: must not be negative", f.concurrency)
	}
	if f.connections < 0 {
		return usage("--connections %d: must not be negative", f.connections)
	}
	for _, path := range f.Identities {
		if crypto.IsSecretText(path) {
			return usage("--identity takes the name of a file, since others can read a command line; put the key into PACKSTONE_IDENTITY or a file")
		}
	}
	if err := refuseUnused(cmd, used); err != nil || f.versionsAt == "" {
		return err
	}
	at, err := catalog.ParseMoment(f.versionsAt)
	if err != nil {
		return usage("--versions-at: %w", err)
	}
	if now := time.Now(); at.After(now.Add(24 * time.Hour)) { // a date alone is the end of its day
		return usage("--versions-at %s lies ahead: want a time before the repository was damaged", f.versionsAt)
	}
	f.VersionsAt = at
	return nil
}

// leastMemory is what the program itself needs.
const leastMemory = 32 << 20

// checkTexts refuses values that nobody can mean.
func (f *globalFlags) checkTexts(given func(flag string) bool) error {
	switch {
	case given("repo") && f.Repository == "":
		return usage("--repo is empty: name a repository, or leave the flag out")
	case given("host") && !isWord(f.host):
		return usage("--host %q: want the name of a host, without spaces, commas and slashes", f.host)
	case given("at") && f.at == "":
		return usage("--at is empty: want a time such as 2026-11-20T14:00")
	case given("versions-at") && f.versionsAt == "":
		return usage("--versions-at is empty: want a time such as 2026-11-20T14:00")
	case given("memory-limit") && f.memoryLimit < leastMemory:
		return usage("--memory-limit %s: want 32MiB or more: less is not enough for any verb", output.Bytes(int64(f.memoryLimit)))
	}
	for _, tag := range f.tags {
		if err := checkTag("--tag", tag); err != nil {
			return err
		}
	}
	return nil
}

// checkTag refuses what cannot be a tag: something between two tags, or what no terminal shows.
func checkTag(flag, tag string) error {
	switch {
	case tag == "":
		return usage("%s is empty: want a word", flag)
	case strings.Contains(tag, ","):
		return usage("%s %q: a tag has no comma; for several tags give the flag several times", flag, tag)
	case !entry.IsPrintable(tag):
		return usage("%s %q: a tag has no line ends and other control characters", flag, tag)
	}
	return nil
}

// isWord tells whether a text can be the name of a host.
func isWord(text string) bool {
	return text != "" && !strings.ContainsAny(text, " ,/\\") && entry.IsPrintable(text)
}

func refuseUnused(cmd *cobra.Command, used uses) error {
	var err error
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		switch {
		case help.Takes(cmd, flag.Name) || cmd.LocalNonPersistentFlags().Lookup(flag.Name) != nil:
		case flag.Name == "versions-at" && used&usesRepository != 0:
			err = usage("%s may write, and the past of a bucket can only be read: --versions-at is for verbs that read, and for copy, which brings the past to another repository", cmd.CommandPath())
		default:
			err = usage("%s does not use --%s", cmd.CommandPath(), flag.Name)
		}
	})
	return err
}

// unused annotates a command with the global flags that a verb with these uses does not take.
func unused(used uses) map[string]string {
	var names []string
	for name, needed := range flagUse {
		if used&needed == 0 {
			names = append(names, name)
		}
	}
	return map[string]string{help.Unused: strings.Join(names, " ")}
}
