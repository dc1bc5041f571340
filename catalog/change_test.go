package catalog_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// stubborn is a store that refuses to create objects whose names begin with a prefix.
type stubborn struct {
	store.Store
	refuse string // "": nothing
}

func (s *stubborn) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	if s.refuse != "" && strings.HasPrefix(name, s.refuse) {
		return store.ErrUnreachable
	}
	return s.Store.Put(ctx, name, data, digest)
}

// estate is a repository with its keys.
type estate struct {
	store    *stubborn
	owner    crypto.Signer
	identity age.Identity
	writer   *crypto.WriterFile
}

func newEstate(t *testing.T) estate {
	t.Helper()
	e := estate{store: &stubborn{Store: memory.New()}, owner: signer(t, "owner"), identity: identity(t)}
	var err error
	if e.writer, err = catalog.Init(t.Context(), e.store, e.owner, signer(t, "host"), recipients(t, e.identity), nil, catalog.Options{}); err != nil {
		t.Fatal(err)
	}
	return e
}

func signer(t testing.TB, name string) crypto.Signer {
	t.Helper()
	s, err := crypto.GenerateSigner(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func identity(t testing.TB) age.Identity { return anIdentity(t, true) }

func anIdentity(t testing.TB, classic bool) age.Identity {
	t.Helper()
	i, err := crypto.GenerateIdentity(classic)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func recipients(t testing.TB, identities ...age.Identity) []age.Recipient {
	t.Helper()
	var all []age.Recipient
	for _, i := range identities {
		r, err := crypto.RecipientOf(i)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// open opens the repository with a writer's file and an identity, either of which may be nil.
func (e estate) open(t *testing.T, writer *crypto.WriterFile, identity age.Identity) (*catalog.Repository, error) {
	t.Helper()
	keys := catalog.Keys{Writer: writer, Pins: catalog.Pins{Trusted: []crypto.Fingerprint{e.owner.Verifier().Fingerprint()}}}
	if identity != nil {
		keys.Identities = &crypto.IdentityFile{Identities: []age.Identity{identity}}
	}
	return catalog.Open(t.Context(), e.store, catalog.Options{Keys: keys})
}

func (e estate) mustOpen(t *testing.T, writer *crypto.WriterFile, identity age.Identity) *catalog.Repository {
	t.Helper()
	repo, err := e.open(t, writer, identity)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

func TestOnlyTheOwnersKeyChangesTheConfiguration(t *testing.T) {
	e := newEstate(t)
	repo := e.mustOpen(t, e.writer, nil)
	err := repo.Change(t.Context(), signer(t, "owner"), func(*catalog.Config) error { return nil })
	if !errors.Is(err, catalog.ErrUntrusted) {
		t.Errorf("another key of the owner's name: %v, want %v", err, catalog.ErrUntrusted)
	}
	if again := e.mustOpen(t, e.writer, nil); again.Config.Number != 0 {
		t.Errorf("configuration %d is in force, want 0", again.Config.Number)
	}
}

func TestAWriterThatNeverWroteCanBeRevoked(t *testing.T) {
	e := newEstate(t)
	err := e.mustOpen(t, e.writer, nil).Change(t.Context(), e.owner, func(c *catalog.Config) error {
		c.Writers[0].Revoked = map[string]uint64{}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.mustOpen(t, e.writer, nil).Writer(); !errors.Is(err, catalog.ErrUntrusted) {
		t.Errorf("its key gives %v, want %v", err, catalog.ErrUntrusted)
	}
}

func TestRecipientsChangeAfterATryThatFailed(t *testing.T) {
	e := newEstate(t)
	wrong, right := identity(t), identity(t)
	repo := e.mustOpen(t, nil, e.identity)
	e.store.refuse = "config/"
	if err := repo.SetRecipients(t.Context(), e.owner, recipients(t, e.identity, wrong)); err == nil {
		t.Fatal("a configuration that was not stored counts")
	}
	e.store.refuse = ""
	if _, err := e.open(t, nil, wrong); !errors.Is(err, crypto.ErrWrongIdentity) {
		t.Errorf("who was not added opens it: %v", err)
	}
	if err := repo.SetRecipients(t.Context(), e.owner, recipients(t, e.identity, right)); err != nil {
		t.Fatal(err)
	}
	e.mustOpen(t, nil, right)
	e.mustOpen(t, nil, e.identity)
	if _, err := e.open(t, nil, wrong); !errors.Is(err, crypto.ErrWrongIdentity) {
		t.Errorf("who was named in the failed try opens it: %v", err)
	}
}

func TestWhatAConfigNamesIsDurableBeforeIt(t *testing.T) {
	e := newEstate(t)
	faulty := &storetest.Faulty{Store: e.store}
	repo, err := catalog.Open(t.Context(), faulty, e.options(e.identity))
	if err != nil {
		t.Fatal(err)
	}
	if err := repo.SetRecipients(t.Context(), e.owner, recipients(t, e.identity, identity(t))); err != nil {
		t.Fatal(err)
	}
	named, durable := 0, false
	for _, call := range faulty.Calls() {
		switch {
		case call.Op == storetest.Sync:
			durable = true
		case call.Op == storetest.Put && strings.HasPrefix(call.Name, "config/") && !durable:
			t.Errorf("%s before a sync, in %v", call, faulty.Calls())
		case call.Op == storetest.Put:
			named, durable = named+1, false
		}
	}
	if named < 2 {
		t.Errorf("%d objects were put, want what the config names too", named)
	}
	e.mustOpen(t, nil, e.identity)
}
