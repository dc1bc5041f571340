package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/mirror"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/crypto"
)

// Access determines which keys are needed to open a repository, and where it is read from.
type Access uint

// The flags of an Access.
const (
	MayRead  Access = 1 << iota // identities, if any are at hand
	MustRead                    // identities
	MayWrite                    // this host's key, if it has one
	MustWrite
	BypassCache // look at the storage itself
	AnyIdentity // identities that do not open it do no harm
	EvenBroken  // what is missing is for the caller to tell
	MayDecide   // a collector's key, if one is named
)

// open opens the repository in the storage at an address, with the keys at hand and the cache of
// this machine.
func (m *Machine) open(ctx context.Context, address string, storage *config.Storage, needed Access) (*catalog.Repository, error) {
	look, err := catalog.LookAt(ctx, storage)
	if err != nil {
		return nil, err
	}
	format, err := archive.ParseFormat(look.Format)
	if err != nil {
		return nil, fmt.Errorf("open repository %s: %w", storage.Location(), err)
	}
	keys, err := m.keys(ctx, address, format.Repository, needed)
	if err != nil {
		return nil, err
	}
	m.chooseCache(format.Repository, needed)
	past := !m.Flags.VersionsAt.IsZero()
	repo, err := m.openWith(ctx, storage, needed, catalog.Options{
		Keys:     keys,
		CacheDir: m.cache,
		Bypass:   needed&BypassCache != 0 || past && m.borrowed == "",
		TempDir:  os.TempDir(),
		Memory:   m.reliable(m.MemoryDirectory(storage.Location())),
		Look:     look,

		AcceptRollback: m.Flags.AcceptRollback || needed&EvenBroken != 0,
		Past:           past,
		Software:       m.Software,
		Warn:           m.Warn,
	})
	if err != nil {
		return nil, cureTrust(err)
	}
	if keys.Writer == nil && needed&MustWrite != 0 {
		return nil, fmt.Errorf("%w: name its file with PACKSTONE_WRITER_FILE, or put it at %s", catalog.ErrNoWriter, m.Paths.WriterFile(format.Repository))
	}
	m.suggestPin(keys.Identities, repo)
	return repo, nil
}

// chooseCache chooses a cache that can be trusted and, for a backup, written to.
func (m *Machine) chooseCache(repositoryID string, needed Access) {
	m.cache = m.reliable(m.CacheDirectory(repositoryID))
	if err := catalog.TryCache(m.cache); err != nil && needed&MustWrite != 0 {
		m.Warn(fmt.Sprintf("%v; without it, this backup and the next one read all files", err))
		m.cache = ""
	}
}

// openWith opens the repository. It ignores identities that do not open it if they are not needed.
func (m *Machine) openWith(ctx context.Context, storage *config.Storage, needed Access, opts catalog.Options) (*catalog.Repository, error) {
	repo, err := catalog.Open(ctx, storage, opts)
	if !errors.Is(err, crypto.ErrWrongIdentity) || !m.mayDoWithout(needed) {
		return repo, err
	}
	if !m.NamesIdentity() {
		m.Note("ignoring the identity in the usual place, which is not one of this repository's")
	}
	opts.Keys.Pins.Owners = append(opts.Keys.Pins.Owners, opts.Keys.Identities.Owners...)
	opts.Keys.Identities = nil
	return catalog.Open(ctx, storage, opts)
}

// mayDoWithout reports whether identities that do not open the repository may be ignored: nothing
// needs them, and nobody has named them for it.
func (m *Machine) mayDoWithout(needed Access) bool {
	return needed&MustRead == 0 && (needed&AnyIdentity != 0 || !m.NamesIdentity())
}

// keys reads the keys that are needed.
func (m *Machine) keys(ctx context.Context, address, repositoryID string, needed Access) (keys catalog.Keys, err error) {
	switch {
	case needed&MustRead != 0:
		keys.Identities, err = m.NeedIdentities(ctx)
	case needed&MayRead != 0:
		keys.Identities, err = m.Identities(ctx)
	}
	if err != nil {
		return keys, err
	}
	if keys.Pins, err = m.pins(address); err != nil {
		return keys, err
	}
	if needed&MayDecide != 0 {
		if keys.Collector, err = m.Collector(); err != nil {
			return keys, err
		}
	}
	if needed&(MayWrite|MustWrite) == 0 {
		return keys, nil
	}
	keys.Writer, err = m.writerOf(repositoryID)
	if err != nil && needed&MustWrite == 0 && !errors.Is(err, context.Canceled) {
		m.Warn(fmt.Sprintf("ignoring this host's key: %v", err)) // whoever puts that right must be able to look
		return keys, nil
	}
	return keys, err
}

// writerOf is Writer, but only for a key of this repository.
func (m *Machine) writerOf(repositoryID string) (*crypto.WriterFile, error) {
	key, err := m.Writer(repositoryID)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w. Bring the file back, or ask the owner for a new one, made with: packstone key writer add %s -o FILE", err, Name())
	}
	if key == nil || key.Repository == repositoryID {
		return key, err
	}
	name, err := m.WriterPath()
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%s is the writer key of repository %s, not of this one (%s): have the owner make one with packstone key writer add %s -o FILE: %w",
		cmp.Or(name, m.Paths.WriterFile(repositoryID)), key.Repository, repositoryID, Name(), catalog.ErrUntrusted)
}

// cureTrust says what to do about a repository with an unknown owner. It names no key: what the
// storage itself says proves nothing, so the fingerprint must come from somebody who knows it.
func cureTrust(err error) error {
	if !errors.Is(err, catalog.ErrUnknownOwner) {
		return err
	}
	return fmt.Errorf("%w, and anyone who can write to the storage may have put it there. Get the fingerprint of the owner's key from the owner "+
		"(init has printed it, and packstone key list does where the repository is known), and name it with --accept-owner, "+
		"or as keys.owner in the settings", err)
}

// suggestPin says, after an owner was named on the command line, which line in the identity file
// makes that unnecessary.
func (m *Machine) suggestPin(identities *crypto.IdentityFile, repo *catalog.Repository) {
	if len(m.Flags.AcceptOwner) == 0 || identities == nil || admin.Pins(identities, repo) {
		return
	}
	var places []string
	for _, place := range m.IdentityPlaces() {
		places = append(places, place.What)
	}
	m.Note("to trust this owner wherever you use this identity, add this line to %s:\n%s", strings.Join(places, " or "), admin.PinOf(repo).Line())
}

// OpenAnyKeys opens the repository even if the identities at hand are not its own.
func (m *Machine) OpenAnyKeys(ctx context.Context) (*catalog.Repository, error) {
	repo, _, err := m.OpenRepository(ctx, MayRead|MayWrite|AnyIdentity)
	return repo, err
}

// OpenAnew drops what this machine has cached of the repository, and opens it. It keeps what must not
// be lost.
func (m *Machine) OpenAnew(ctx context.Context) (*catalog.Repository, error) {
	repo, _, err := m.OpenRepository(ctx, MayRead|MayWrite|BypassCache)
	if err != nil {
		return nil, err
	}
	cache := catalog.OpenCache(m.CacheDirectory(repo.Format.Repository))
	cache.Clear()
	if err := mirror.Remove(mirror.Path(cache)); err != nil {
		return nil, err
	}
	repo, _, err = m.OpenRepository(ctx, MayRead|MayWrite)
	return repo, err
}

// OpenAsOwner opens the repository with the owner's key at hand, to change who may do what.
func (m *Machine) OpenAsOwner(ctx context.Context) (repo *catalog.Repository, owner crypto.Signer, err error) {
	if repo, err = m.OpenAnyKeys(ctx); err != nil {
		return nil, owner, err
	}
	owner, err = m.Owner(repo)
	return repo, owner, err
}

// Speak returns the host of a backup, the named one or this one. It refuses a host for which this
// machine's key may not speak.
func (m *Machine) Speak(repo *catalog.Repository, named string) (host string, err error) {
	if host = named; host == "" {
		if host, err = m.HostIn(repo); err != nil {
			return "", err
		}
	}
	return host, repo.MaySpeakFor(host)
}

// Attester returns the key with which packs are said to be sound: the Decider's, if writers rely on
// that.
func (m *Machine) Attester(repo *catalog.Repository) (*crypto.Signer, error) {
	by, err := m.Decider(repo)
	if err == nil {
		err = repo.MayAttest(by)
	}
	if err != nil {
		return nil, fmt.Errorf("--attest: %w: packstone key collector add NAME --attest makes a key that may, and the owner's key may too", err)
	}
	return &by, nil
}

// Decider returns the key for forgetting, holding and deleting: that of a collector whose file is
// named, else the owner's.
func (m *Machine) Decider(repo *catalog.Repository) (crypto.Signer, error) {
	if c := repo.Collector(); c != nil {
		return c.Signer, nil
	}
	owner, err := m.Owner(repo)
	if err != nil {
		return owner, fmt.Errorf("%w, or that of a collector with PACKSTONE_COLLECTOR_FILE", err)
	}
	return owner, nil
}
