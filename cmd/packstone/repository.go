package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/fetch"
)

// repository finds the repository's address: the flag, the environment, the settings file, else the one in the data directory.
func (a *app) repository() (config.Repository, error) {
	address, err := a.repositoryAddress()
	if err != nil {
		return config.Repository{}, err
	}
	repository, err := config.ParseRepository(address)
	if err != nil {
		return config.Repository{}, usage("%w", err)
	}
	return repository, nil
}

func (a *app) repositoryAddress() (string, error) {
	if a.flags.repository != "" {
		return a.flags.repository, nil
	}
	if address, err := a.env.OrFile("PACKSTONE_REPOSITORY"); address != "" || err != nil {
		return address, err
	}
	settings, err := a.settings()
	if err != nil {
		return "", err
	}
	if settings.Repository != "" {
		return settings.Repository, nil
	}
	return a.Paths.Repository, nil
}

// openStorage opens the repository's storage. Unless create is set, a directory that is not there is no repository.
func (a *app) openStorage(ctx context.Context, create bool) (*config.Storage, error) {
	repository, err := a.repository()
	if err != nil {
		return nil, err
	}
	return a.openStorageAt(ctx, repository, create)
}

func (a *app) openStorageAt(ctx context.Context, repository config.Repository, create bool) (*config.Storage, error) {
	opts := a.storeOptions()
	opts.Create = create
	opts.Retrying = func(e retry.Event) { a.patience.Failed(repository.String(), e) }
	storage, err := repository.Open(ctx, opts)
	if errors.Is(err, store.ErrNotExist) {
		return nil, fmt.Errorf("open repository %s: %w", repository, catalog.ErrNoRepository)
	}
	if err != nil {
		return nil, fmt.Errorf("open repository %s: %w", repository, err)
	}
	return storage, nil
}

func (a *app) storeOptions() config.StoreOptions {
	total, reach := a.giveUp()
	return config.StoreOptions{
		GiveUp:      total,
		Reach:       reach,
		Answered:    a.patience.Answered,
		Upload:      int64(a.flags.limitUp),
		Download:    int64(a.flags.limitDown),
		Connections: a.flags.connections,
		Login:       a.RepositoryLogin(),
		Remote:      a.RemoteLogin(),
	}
}

// lookReach is for how long a verb that only looks waits for the storage's first answer: a person does.
const lookReach = 10 * time.Second

// giveUp is for how long storage that fails is tried again, and for how long before it has answered once.
func (a *app) giveUp() (total, reach time.Duration) {
	switch {
	case a.flags.giveUpGiven && a.flags.giveUpAfter == 0:
		return -1, -1
	case a.flags.giveUpGiven:
		return a.flags.giveUpAfter, a.flags.giveUpAfter
	case a.used&usesDryRun == 0: // nothing would be written
		return 0, lookReach
	}
	return 0, 0
}

// cacheDirectory is where a repository's cache lies.
func (a *app) cacheDirectory(repositoryID string) string {
	return filepath.Join(a.cacheRoot(), repositoryID)
}

// reliable is a directory of the cache, "" if it cannot be relied on, of which it warns.
func (a *app) reliable(dir string) string {
	if err := catalog.CheckCache(dir); err != nil {
		a.out.Warn(output.Warning{Message: fmt.Sprintf("%v; name a directory of your own with --cache-dir", err)})
		return ""
	}
	return dir
}

// cacheRoot is where the caches of all repositories lie.
func (a *app) cacheRoot() string {
	switch {
	case a.flags.cacheDir != "":
		return a.flags.cacheDir
	case a.env["PACKSTONE_CACHE_DIR"] != "":
		return a.env["PACKSTONE_CACHE_DIR"]
	}
	return a.Paths.Cache
}

// access says which keys a verb needs.
type access uint

const (
	mayRead  access = 1 << iota // identities, if any are at hand
	mustRead                    // identities
	mayWrite                    // this host's key, if it has one
	mustWrite
	bypassCache // look at the storage itself
	anyIdentity // identities that do not open it do no harm
	evenBroken  // what is missing is for the verb to tell
	mayDecide   // a collector's key, if one is named
)

// openRepository opens the repository with the keys at hand.
func (a *app) openRepository(ctx context.Context, needed access) (*catalog.Repository, *config.Storage, error) {
	storage, err := a.openStorage(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	look, err := catalog.LookAt(ctx, storage)
	if err != nil {
		return nil, nil, err
	}
	id, err := repositoryID(storage, look.Format)
	if err != nil {
		return nil, nil, err
	}
	keys, err := a.keys(ctx, id, needed)
	if err != nil {
		return nil, nil, err
	}
	a.cache = a.reliable(a.cacheDirectory(id))
	if err := catalog.TryCache(a.cache); err != nil && needed&mustWrite != 0 {
		a.out.Warn(output.Warning{Message: fmt.Sprintf("%v; without it all files are read, now and the next time", err)})
		a.cache = ""
	}
	opts := catalog.Options{
		Keys:     keys,
		CacheDir: a.cache,
		Bypass:   needed&bypassCache != 0,
		TempDir:  os.TempDir(),
		Memory:   a.reliable(a.memoryDirectory(storage.Location())),
		Look:     look,

		AcceptRollback: a.flags.acceptRollback || needed&evenBroken != 0,
		Software:       "packstone " + version().Version,
		Warn:           func(text string) { a.out.Warn(output.Warning{Message: text}) },
	}
	repository, err := catalog.Open(ctx, storage, opts)
	if errors.Is(err, crypto.ErrWrongIdentity) && a.mayDoWithout(needed) {
		if !a.NamesIdentity() {
			a.out.Note("the identity at the usual place is not this repository's, and is not used")
		}
		opts.Keys.Pins.Owners = append(opts.Keys.Pins.Owners, opts.Keys.Identities.Owners...)
		opts.Keys.Identities = nil
		repository, err = catalog.Open(ctx, storage, opts)
	}
	if err != nil {
		return nil, nil, cureTrust(err)
	}
	if keys.Writer == nil && needed&mustWrite != 0 {
		return nil, nil, fmt.Errorf("%w: name its file with PACKSTONE_WRITER_FILE, or put it at %s", catalog.ErrNoWriter, a.Paths.WriterFile(id))
	}
	a.suggestPin(keys.Identities, repository)
	return repository, storage, nil
}

// fetchOptions say how content is read, with a warning of places that are wrong.
func (a *app) fetchOptions() fetch.Options {
	return fetch.Options{
		Workers: a.flags.concurrency,
		Memory:  a.fetchMemory(),
		Warn:    func(err error) { a.out.Warn(output.Warning{Message: err.Error()}) },
	}
}

// fetchMemory is what is fetched ahead may take: little of a limit, since what was fetched is there twice
// while it is opened.
func (a *app) fetchMemory() int64 {
	if a.flags.memoryLimit == 0 {
		return 0
	}
	return min(max(int64(a.flags.memoryLimit)/8, 4<<20), 64<<20)
}

// mayDoWithout tells whether identities that do not open the repository are no failure: nothing
// needs them, and nobody has named them for it.
func (a *app) mayDoWithout(needed access) bool {
	return needed&mustRead == 0 && (needed&anyIdentity != 0 || !a.NamesIdentity())
}

// repositoryID says which repository packstone.json is of: by its id keys and caches are found.
func repositoryID(s store.Store, text []byte) (string, error) {
	format, err := archive.ParseFormat(text)
	if err != nil {
		return "", fmt.Errorf("open repository %s: %w", s.Location(), err)
	}
	return format.Repository, nil
}

// keys reads the keys that a verb needs.
func (a *app) keys(ctx context.Context, repositoryID string, needed access) (catalog.Keys, error) {
	var keys catalog.Keys
	var err error
	switch {
	case needed&mustRead != 0:
		keys.Identities, err = a.NeedIdentities(ctx)
	case needed&mayRead != 0:
		keys.Identities, err = a.Identities(ctx)
	}
	if err != nil {
		return keys, err
	}
	if keys.Pins, err = a.Pins(a.flags.acceptOwner, a.repositoryAddress); err != nil {
		return keys, err
	}
	if needed&mayDecide != 0 {
		if keys.Collector, err = a.Collector(); err != nil {
			return keys, err
		}
	}
	if needed&(mayWrite|mustWrite) == 0 {
		return keys, nil
	}
	keys.Writer, err = a.Writer(repositoryID)
	return keys, err
}

// filter is which snapshots the flags speak of.
func (a *app) filter() catalog.Filter {
	f := catalog.Filter{Set: a.flags.set, Paths: a.flags.setGiven && a.flags.set == "", Host: a.flags.host, Tags: a.flags.tags}
	for _, path := range a.flags.paths {
		if absolute, err := filepath.Abs(path); err == nil {
			path = absolute
		}
		f.Of = append(f.Of, path)
	}
	return f
}

// filterFor is the filter for a place: a source that is named tells which sets it may be in.
func (a *app) filterFor(p catalog.Place) catalog.Filter {
	f := a.filter()
	f.Source, f.Below = p.Source, p.Path
	return f
}
