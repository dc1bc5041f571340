package admin_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/crypto"
)

// rotated is a repository that was changed to a second domain, with a writer, a collector and a keeper
// whose key files were made before.
func rotated(t *testing.T) (repo *catalog.Repository, owner crypto.Signer, collector *crypto.CollectorFile) {
	t.Helper()
	repo, owner = estate(t)
	member := func(key crypto.Signer, more ...string) catalog.Member {
		return catalog.Member{Key: key.Verifier().Text(), Roles: more}
	}
	writer, err := admin.NewWriterKey(repo, "db1")
	if err != nil {
		t.Fatal(err)
	}
	m := member(writer.Signer)
	m.Hosts, m.Group = []string{"db*"}, "databases"
	if err := admin.Admit(t.Context(), repo, owner, m, nil); err != nil {
		t.Fatal(err)
	}
	if collector, err = admin.NewCollectorKey(repo, "nightly"); err != nil {
		t.Fatal(err)
	}
	if err := admin.AdmitCollector(t.Context(), repo, owner, member(collector.Signer, catalog.RoleVerifier), nil); err != nil {
		t.Fatal(err)
	}
	keeper, err := admin.NewCollectorKey(repo, "guard")
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.AdmitKeeper(t.Context(), repo, owner, member(keeper.Signer), nil); err != nil {
		t.Fatal(err)
	}
	if err := repo.AddDomain(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	return repo, owner, collector
}

func outdated(c *catalog.Config, renewed ...string) (names []string) {
	for _, m := range admin.Outdated(slices.Concat(c.Writers, c.Collectors, c.Keepers), c, renewed) {
		names = append(names, admin.NameOf(m))
	}
	return names
}

func TestKeyFilesMadeBeforeAChangeOfTheDomainAreMadeAnew(t *testing.T) {
	repo, owner, _ := rotated(t)
	if names := outdated(repo.Config, repo.Config.Writers[0].Key); !slices.Equal(names, []string{"db1", "nightly", "guard"}) {
		t.Fatalf("outdated are %q", names)
	}
	files := map[string][]byte{}
	full := errors.New("the disk is full")
	o := admin.Reissuing{
		Renewed: []string{repo.Config.Writers[0].Key},
		Keep: func(name string, file []byte) error {
			if files[name] = file; name == "nightly-2" {
				return full
			}
			return nil
		},
		Done: func(old, next catalog.Member) {},
	}
	if err := admin.Reissue(t.Context(), repo, owner, o); !errors.Is(err, full) {
		t.Fatalf("a full disk: %v", err)
	}
	if names := outdated(repo.Config, o.Renewed...); !slices.Equal(names, []string{"nightly", "guard"}) {
		t.Errorf("outdated after an interruption are %q", names)
	}
	o.Keep = func(name string, file []byte) error { files[name] = file; return nil }
	if err := admin.Reissue(t.Context(), repo, owner, o); err != nil {
		t.Fatal(err)
	}
	if names := outdated(repo.Config, o.Renewed...); len(names) > 0 {
		t.Errorf("outdated in the end are %q", names)
	}
	writer, err := crypto.ParseWriterFile(bytes.NewReader(files["db1-2"]))
	if err != nil || writer.DomainNumber != 2 {
		t.Errorf("the new writer's file: %v, %v", writer, err)
	}
	m := repo.Config.Writers[2]
	if admin.NameOf(m) != "db1-2" || m.Replaces != "db1" || m.Group != "databases" || !slices.Equal(m.Hosts, []string{"db*"}) || repo.Config.Writers[1].Revoked == nil {
		t.Errorf("writers are %+v", repo.Config.Writers)
	}
	for _, name := range []string{"nightly-2", "guard-2"} {
		key, err := crypto.ParseCollectorFile(bytes.NewReader(files[name]))
		if err != nil || len(key.Index) != 2 {
			t.Errorf("the file of %s: %v, %v", name, key, err)
		}
	}
	if c := repo.Config.Collectors; c[0].Revoked == nil || !slices.Equal(c[1].Roles, []string{catalog.RoleVerifier}) {
		t.Errorf("collectors are %+v", c)
	}
	if len(files) != 3 {
		t.Errorf("%d files", len(files))
	}
}

// Once more: a name follows from the first of its row.
func TestAKeyFileIsMadeAnewASecondTime(t *testing.T) {
	repo, owner, _ := rotated(t)
	var made []string
	o := admin.Reissuing{
		Renewed: []string{repo.Config.Writers[0].Key},
		Keep:    func(string, []byte) error { return nil },
		Done:    func(_, next catalog.Member) { made = append(made, admin.NameOf(next)) },
	}
	for range 2 {
		if err := admin.Reissue(t.Context(), repo, owner, o); err != nil {
			t.Fatal(err)
		}
		if err := repo.AddDomain(context.Background(), owner); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"db1-2", "nightly-2", "guard-2", "db1-3", "nightly-3", "guard-3"}; !slices.Equal(made, want) {
		t.Errorf("made %q, want %q", made, want)
	}
}

func TestACollectorsFileIsRenewedUnderItsName(t *testing.T) {
	repo, owner, collector := rotated(t)
	next, err := admin.RenewCollector(repo, collector)
	if err != nil || next == nil || len(next.Index) != 2 || next.Signer.Name() != "nightly" {
		t.Fatalf("got %v, %v", next, err)
	}
	if again, err := admin.RenewCollector(repo, next); again != nil || err != nil {
		t.Errorf("once more: %v, %v", again, err)
	}
	r, err := admin.NewRevocation(t.Context(), repo, owner, admin.KindCollector, "nightly")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Sign(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.NewRevocation(t.Context(), repo, owner, admin.KindCollector, "nightly"); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("a second revocation: %v, want %v", err, catalog.ErrRefused)
	}
	if revoked, err := admin.RenewCollector(repo, collector); revoked != nil || err != nil {
		t.Errorf("a revoked one: %v, %v", revoked, err)
	}
}
