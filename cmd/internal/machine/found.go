package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/crypto"
)

// FoundOptions determine the repository to make.
type FoundOptions struct {
	Classic    bool           // X25519 keys instead of hybrid post-quantum ones
	Force      bool           // in a directory that holds other things
	Floor      *time.Duration // how long every snapshot is kept at least; nil: as usual
	SameDomain string         // the address of a repository with which it shares the names of contents; "": none
}

// Founded is a new repository, and what was made for it.
type Founded struct {
	ID         string
	Owner      crypto.Verifier
	Recipients []string // who can restore
	Reused     []string // key files that were here and are this repository's too
	MoveAway   []string // key files that were made here and belong somewhere else
	WriterFile string   // the key that this host backs up with
	Pin        crypto.OwnerPin
	PinIn      []string // where the pin belongs and could not be put
}

// Found makes a repository at an address, and the keys for it that are missing.
func (m *Machine) Found(ctx context.Context, address config.Repository, o FoundOptions) (made Founded, err error) {
	recipients, err := m.initialRecipients(ctx, o.Classic)
	if err != nil {
		return made, err
	}
	if err := m.refuseTakenWriter(); err != nil {
		return made, err
	}
	if err := address.RefuseUsed(o.Force); err != nil {
		return made, err
	}
	storage, err := m.unusedStorage(ctx, address)
	if err != nil {
		return made, err
	}
	identity := ""
	if len(recipients) == 0 {
		recipients, identity, err = m.MakeIdentity(o.Classic)
	}
	if err != nil {
		return made, err
	}
	owner, ownerMade, err := m.OwnerKey()
	if err != nil {
		return made, err
	}
	made.Owner = owner.Verifier()
	if made.Recipients, err = admin.RecipientTexts(recipients); err != nil {
		return made, err
	}
	made.Reused = m.reused(identity, ownerMade)
	made.MoveAway = slices.DeleteFunc([]string{identity, ownerMade}, func(name string) bool { return name == "" })
	places := m.IdentityPlaces()
	if identity != "" {
		places = []IdentityPlace{{File: identity, What: identity}}
	}
	keep := func(key *crypto.WriterFile) (err error) {
		made.ID, made.Pin = key.Repository, crypto.OwnerPin{Repository: key.Repository, Owner: made.Owner}
		made.PinIn = m.PinOwner(places, made.Recipients, made.Pin)
		made.WriterFile, err = m.KeepWriter(key)
		return err
	}
	err = m.initialize(ctx, storage, o, owner, recipients, keep)
	return made, err
}

// refuseTakenWriter refuses to make a repository while the file that is named for its key has one.
func (m *Machine) refuseTakenWriter() error {
	path, err := m.WriterPath()
	if err != nil || path == "" || !config.Exists(path) {
		return err
	}
	return catalog.Refuse("%s has a key already, and a new repository has its own: name another file in PACKSTONE_WRITER_FILE, or move it away", path)
}

// reused returns the files of keys that existed before: of identities, unless recipients were
// named, and of the owner.
func (m *Machine) reused(identity, owner string) (files []string) {
	if named, err := m.NamedRecipients(); identity == "" && err == nil && len(named) == 0 {
		for _, place := range m.IdentityPlaces() {
			files = append(files, place.What)
		}
	}
	if all := m.OwnerFiles(); owner == "" && len(all) > 0 {
		files = append(files, all[0])
	}
	return files
}

// initialize writes the repository. Before there is one, keep has kept this host's key.
func (m *Machine) initialize(ctx context.Context, storage *config.Storage, o FoundOptions, owner crypto.Signer, recipients []age.Recipient, keep func(*crypto.WriterFile) error) error {
	shared, err := m.sharedDomain(ctx, o.SameDomain)
	if err != nil {
		return err
	}
	host, err := m.NamedHost()
	if err != nil {
		return err
	}
	writer, err := crypto.GenerateSigner(catalog.WriterName(cmp.Or(host, Name())))
	if err != nil {
		return err
	}
	opts := catalog.Options{Software: m.Software, Memory: m.MemoryDirectory(storage.Location()), Keep: keep}
	if o.Floor != nil {
		opts.Floor = o.Floor.String()
	}
	_, err = catalog.Init(ctx, storage, owner, writer, recipients, shared, opts)
	return err
}

// initialRecipients returns the named recipients, else those of the identities at hand, else none,
// in which case an identity must be made. It refuses recipients that do not match --classic.
func (m *Machine) initialRecipients(ctx context.Context, classic bool) ([]age.Recipient, error) {
	recipients, err := m.NamedRecipients()
	if err != nil {
		return nil, err
	}
	what := "a recipient that was named is a hybrid post-quantum one: name classic ones, age1…, alone"
	if len(recipients) == 0 {
		what = "there is a hybrid post-quantum identity already: name a classic one with -i, or its recipient with -R (packstone key generate --classic -o FILE makes one)"
		have, err := m.Identities(ctx)
		if err != nil || have == nil {
			return nil, err
		}
		if recipients, err = admin.RecipientsOf(have.Identities); err != nil {
			return nil, err
		}
	}
	if classic && slices.ContainsFunc(recipients, func(r age.Recipient) bool { return !crypto.IsClassic(r) }) {
		return nil, catalog.Refuse("--classic: %s", what)
	}
	return recipients, nil
}

// unusedStorage opens storage, and checks before anything relies on it that it contains no
// repository and keeps its contract.
func (m *Machine) unusedStorage(ctx context.Context, address config.Repository) (*config.Storage, error) {
	storage, err := m.OpenStorageAt(ctx, address, true)
	if err != nil {
		return nil, err
	}
	if err := refuseRepository(ctx, storage, address.String()); err != nil {
		return nil, err
	}
	return storage, proveStorage(ctx, storage)
}

// refuseRepository refuses storage that contains a repository.
func refuseRepository(ctx context.Context, storage store.Store, address string) error {
	_, err := catalog.ReadFormat(ctx, storage)
	if errors.Is(err, catalog.ErrNoRepository) {
		return nil
	}
	if err == nil {
		err = catalog.Refuse("%s: %w", address, catalog.ErrExists)
	}
	return err
}

// proveStorage checks that the storage keeps its contract. It needs no permission to delete.
func proveStorage(ctx context.Context, storage store.Store) error {
	for _, check := range store.Probe(ctx, storage) {
		if check.Err != nil && !(check.Name == "delete" && errors.Is(check.Err, store.ErrDenied)) {
			return fmt.Errorf("%s cannot hold a repository: %s: %w", storage.Location(), check.Name, check.Err)
		}
	}
	return nil
}

// RefuseFound refuses what Found would refuse. It makes nothing.
func (m *Machine) RefuseFound(ctx context.Context, address config.Repository, o FoundOptions) error {
	if err := address.RefuseUsed(o.Force); err != nil {
		return err
	}
	storage, err := m.OpenStorageAt(ctx, address, false)
	if errors.Is(err, catalog.ErrNoRepository) {
		return nil
	}
	if err != nil {
		return err
	}
	return refuseRepository(ctx, storage, storage.Location())
}

// sharedDomain returns the domain of the repository at an address, nil if address is empty.
func (m *Machine) sharedDomain(ctx context.Context, address string) (*crypto.Domain, error) {
	if address == "" {
		return nil, nil
	}
	repo, _, err := m.Other(From{Repository: address, AcceptOwner: m.Flags.AcceptOwner}).OpenRepository(ctx, MayRead|MayWrite)
	if err != nil {
		return nil, err
	}
	domain, err := repo.Domain(repo.Config.Domain)
	if err != nil {
		return nil, err
	}
	return &domain, nil
}
