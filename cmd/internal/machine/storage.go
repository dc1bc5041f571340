package machine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
)

// OpenStorage opens the repository's storage. Unless create is set, a missing directory is an
// error.
func (m *Machine) OpenStorage(ctx context.Context, create bool) (*config.Storage, error) {
	repository, err := m.Repository()
	if err != nil {
		return nil, err
	}
	return m.OpenStorageAt(ctx, repository, create)
}

// OpenStorageAt opens the storage of a repository at an address.
func (m *Machine) OpenStorageAt(ctx context.Context, at config.Repository, create bool) (*config.Storage, error) {
	if err := m.checkPast(at); err != nil {
		return nil, err
	}
	settings, err := m.Settings()
	if err != nil {
		return nil, err
	}
	opts := m.Reach(at)
	opts.Classes = settings.ClassesAt(at.String())
	opts.Create, opts.Login, opts.Remote, opts.VersionsAt = create, m.RepositoryLogin(at), m.RemoteLogin(), m.Flags.VersionsAt
	if m.Flags.InsecureTLS && at.IsBucket() {
		m.Warn("--insecure-tls: the server's certificate is not checked; whoever is in between can use the login")
	}
	storage, err := at.Open(ctx, opts)
	if errors.Is(err, store.ErrNotExist) {
		err = catalog.ErrNoRepository
	}
	if err != nil {
		return nil, fmt.Errorf("open repository %s: %w", at, err)
	}
	if !opts.VersionsAt.IsZero() {
		m.Note("reading %s as of %s: what was put or deleted later does not count", at, opts.VersionsAt.Format(time.RFC3339))
	}
	return storage, nil
}

// checkPast refuses to read a directory as of an earlier time.
func (m *Machine) checkPast(at config.Repository) error {
	if m.Flags.VersionsAt.IsZero() || at.IsBucket() {
		return nil
	}
	return catalog.Misuse("--versions-at: %s is no bucket, and has no versions of its objects. Leave the flag out; @TIME or --at chooses a snapshot by its time", at)
}

// OpenRepository opens the repository with the keys at hand.
func (m *Machine) OpenRepository(ctx context.Context, needed Access) (*catalog.Repository, *config.Storage, error) {
	address, err := m.RepositoryAddress()
	if err != nil {
		return nil, nil, err
	}
	at, err := config.ParseRepository(address)
	if err != nil {
		return nil, nil, catalog.Misuse("%w", err)
	}
	storage, err := m.OpenStorageAt(ctx, at, false)
	if err != nil {
		return nil, nil, m.cureMissing(err, at)
	}
	repo, err := m.open(ctx, address, storage, needed)
	return repo, storage, m.cureLoss(m.cureMissing(err, at), at, storage)
}

// cureLoss says how to read what a repository in a bucket was, if it is damaged, or no longer there.
func (m *Machine) cureLoss(err error, at config.Repository, storage *config.Storage) error {
	switch {
	case err == nil || !at.IsBucket() || !m.Flags.VersionsAt.IsZero():
		return err
	case errors.Is(err, archive.ErrDamaged):
		return fmt.Errorf("%w. If the bucket keeps versions, --versions-at TIME reads it as of an earlier time", err)
	case errors.Is(err, catalog.ErrNoRepository) && config.Exists(m.MemoryDirectory(storage.Location())):
		return fmt.Errorf("%w: somebody has deleted the one that this machine has seen in %s. If the bucket keeps versions, --versions-at TIME reads it as of an earlier time",
			catalog.ErrNoRepository, at)
	}
	return err
}

// cureMissing says what to do about a missing repository.
func (m *Machine) cureMissing(err error, at config.Repository) error {
	switch {
	case !errors.Is(err, catalog.ErrNoRepository):
		return err
	case !m.Flags.VersionsAt.IsZero():
		return fmt.Errorf("%w as of %s. Name a later time with --versions-at; if there is none, the versions of that time are deleted", err, m.Flags.VersionsAt.Format(time.RFC3339))
	}
	if hint := m.Unchosen(); hint != "" && !m.RepositoryIsNamed() {
		return fmt.Errorf("%w%s", err, hint)
	}
	return fmt.Errorf("%w. Is the address right, and the disk mounted? Create a new repository with: packstone init -r %s", err, at)
}
