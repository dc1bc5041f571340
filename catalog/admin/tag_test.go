package admin_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/crypto"
)

func TestTagsOfOthersAreChangedWithADecidersKey(t *testing.T) {
	repo, owner := backedUp(t, 2)
	add := func(tag string) func([]*catalog.Snapshot) catalog.TagChange {
		return func([]*catalog.Snapshot) catalog.TagChange { return catalog.TagChange{Add: []string{tag}} }
	}
	none := func() error { return errors.New("no key") }
	own, err := admin.NewTagging(look(t, repo), nil, add("own"), none)
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Make(t.Context(), nil); err != nil || len(own.Snapshots) != 2 {
		t.Fatalf("changed %d with the writer's key: %v", len(own.Snapshots), err)
	}
	if again, err := admin.NewTagging(look(t, repo), nil, add("own"), none); err != nil || len(again.Snapshots) != 0 {
		t.Errorf("once more it changes %v, %v", again, err)
	}
	reader := open(t, repo.Store, catalog.Keys{
		Identities: &crypto.IdentityFile{Identities: repo.Identities()},
		Pins:       catalog.Pins{Trusted: []crypto.Fingerprint{owner.Verifier().Fingerprint()}},
	})
	if _, err := admin.NewTagging(look(t, reader), nil, add("x"), none); !errors.Is(err, catalog.ErrNoWriter) {
		t.Errorf("without names and a writer's key: %v, want %v", err, catalog.ErrNoWriter)
	}
	if _, err := admin.NewTagging(look(t, reader), []string{"latest"}, add("x"), none); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("without a key: %v, want %v", err, catalog.ErrRefused)
	}
	others, err := admin.NewTagging(look(t, reader), []string{"latest"}, add("theirs"), func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := repo.LetForget(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	if reader, err = catalog.Open(t.Context(), repo.Store, catalog.Options{Keys: catalog.Keys{
		Identities: &crypto.IdentityFile{Identities: repo.Identities()}, Pins: catalog.Pins{Trusted: []crypto.Fingerprint{owner.Verifier().Fingerprint()}},
	}}); err != nil {
		t.Fatal(err)
	}
	if err := others.Make(t.Context(), func(do func(*catalog.Session) error) error { return admin.Decide(t.Context(), reader, owner, do) }); err != nil {
		t.Fatal(err)
	}
	if tags := look(t, reader).Snapshots[1].Tags; !slices.Contains(tags, "theirs") || !slices.Contains(tags, "own") {
		t.Errorf("the newest has the tags %q", tags)
	}
}
