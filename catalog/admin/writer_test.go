package admin_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/crypto"
)

// estate opens a new repository with an identity, and the owner's key to it.
func estate(t *testing.T) (*catalog.Repository, crypto.Signer) {
	t.Helper()
	owner, identity := signer(t, "owner"), identity(t)
	recipients, err := admin.RecipientsOf([]age.Identity{identity})
	if err != nil {
		t.Fatal(err)
	}
	s := memory.New()
	if _, err := catalog.Init(t.Context(), s, owner, signer(t, "host"), recipients, nil, catalog.Options{}); err != nil {
		t.Fatal(err)
	}
	repo, err := catalog.Open(t.Context(), s, catalog.Options{Keys: catalog.Keys{
		Identities: &crypto.IdentityFile{Identities: []age.Identity{identity}},
		Pins:       catalog.Pins{Trusted: []crypto.Fingerprint{owner.Verifier().Fingerprint()}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if problems, err := repo.CheckObjects(context.Background()); err != nil || len(problems) > 0 {
			t.Errorf("the repository is not as it should be: %v, %v", problems, err)
		}
	})
	return repo, owner
}

func signer(t *testing.T, name string) crypto.Signer {
	t.Helper()
	s, err := crypto.GenerateSigner(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func identity(t *testing.T) age.Identity {
	t.Helper()
	i, err := crypto.GenerateIdentity(true)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestAWriterIsAdmittedBoundAndRevokedOnce(t *testing.T) {
	repo, owner := estate(t)
	key, err := admin.NewWriterKey(repo, "db1")
	if err != nil {
		t.Fatal(err)
	}
	member := catalog.Member{Key: key.Signer.Verifier().Text(), Hosts: admin.HostsOf("db1")}
	if err := admin.Admit(t.Context(), repo, owner, member, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.NewWriterKey(repo, "db1"); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("a name that signs already: %v, want %v", err, catalog.ErrRefused)
	}
	w, err := admin.OpenWriter(t.Context(), repo, owner, "db1")
	if err != nil {
		t.Fatal(err)
	}
	group, hosts := "databases", []string{"db*"}
	next := w.With(admin.Terms{Group: &group, Hosts: &hosts})
	if next.Group != group || !slices.Equal(next.Hosts, hosts) || len(next.Earlier) != 1 {
		t.Errorf("bound as %+v", next)
	}
	if err := w.Set(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if w, err = admin.OpenWriter(t.Context(), repo, owner, "db1"); err != nil {
		t.Fatal(err)
	}
	if err := w.Revoke(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.OpenWriter(t.Context(), repo, owner, "db1"); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("a revoked writer: %v, want %v", err, catalog.ErrRefused)
	}
	if _, err := admin.NewWriterKey(repo, "db1"); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("the name of a revoked writer: %v, want %v", err, catalog.ErrRefused)
	}
	if _, err := admin.OpenWriter(t.Context(), repo, owner, "db2"); !errors.Is(err, catalog.ErrMisuse) {
		t.Errorf("an unknown writer: %v, want %v", err, catalog.ErrMisuse)
	}
}

func TestTheKeyOfAWriterThatIsNotAdmittedIsDropped(t *testing.T) {
	repo, _ := estate(t)
	kept := false
	keep := func() (func() error, error) {
		kept = true
		return func() error { kept = false; return nil }, nil
	}
	err := admin.Admit(t.Context(), repo, signer(t, "owner"), catalog.Member{Key: signer(t, "db1").Verifier().Text()}, keep)
	if !errors.Is(err, catalog.ErrUntrusted) || kept || len(repo.Config.Writers) != 1 {
		t.Errorf("somebody else's admission: %v, kept %v, %d writers", err, kept, len(repo.Config.Writers))
	}
}

func TestAKeyThatCannotBeKeptAdmitsNobody(t *testing.T) {
	repo, owner := estate(t)
	full := errors.New("the disk is full")
	err := admin.Admit(t.Context(), repo, owner, catalog.Member{Key: signer(t, "db1").Verifier().Text()}, func() (func() error, error) { return nil, full })
	if !errors.Is(err, full) || len(repo.Config.Writers) != 1 {
		t.Errorf("%v, %d writers", err, len(repo.Config.Writers))
	}
}

func TestTheLastRecipientStays(t *testing.T) {
	for _, test := range []struct {
		now, named, with, without []string
		err                       error
	}{
		{[]string{"a"}, []string{"a"}, []string{"a"}, nil, catalog.ErrRefused},
		{[]string{"a"}, []string{"b"}, []string{"a", "b"}, nil, catalog.ErrMisuse},
		{[]string{"a", "b", "c"}, []string{"b"}, []string{"a", "b", "c"}, []string{"a", "c"}, nil},
	} {
		if with := admin.WithRecipients(test.now, test.named); !slices.Equal(with.Next, test.with) {
			t.Errorf("%v with %v: got %v, want %v", test.now, test.named, with.Next, test.with)
		}
		without, err := admin.WithoutRecipients(test.now, test.named)
		if !errors.Is(err, test.err) || err == nil && !slices.Equal(without.Next, test.without) {
			t.Errorf("%v without %v: got %v, %v, want %v, %v", test.now, test.named, without.Next, err, test.without, test.err)
		}
	}
}

func TestASuccessorTakesOverWhatItsPredecessorHad(t *testing.T) {
	repo, owner := estate(t)
	old := catalog.Member{Key: signer(t, "db1").Verifier().Text(), Hosts: []string{"db*"}, Group: "databases", Roles: []string{catalog.RoleBackdate}}
	if err := admin.Admit(t.Context(), repo, owner, old, nil); err != nil {
		t.Fatal(err)
	}
	if name := admin.FreeName(repo, "db1", "db1"); name != "db1-2" {
		t.Errorf("named %s, want db1-2", name)
	}
	next, err := admin.Successor(repo, "db1")
	if err != nil || !slices.Equal(next.Hosts, old.Hosts) || next.Group != old.Group || !slices.Equal(next.Roles, old.Roles) || next.Replaces != "db1" {
		t.Errorf("got %+v, %v, want what %+v had", next, err, old)
	}
	next.Key = signer(t, "db1-2").Verifier().Text()
	if err := admin.Replace(t.Context(), repo, owner, next, nil); err != nil {
		t.Fatal(err)
	}
	if now := repo.Config.Writers[1]; now.Revoked == nil || len(repo.Config.Writers) != 3 {
		t.Errorf("the predecessor is %+v of %d writers, want it revoked", now, len(repo.Config.Writers))
	}
	if name, err := admin.NextName(repo, "db1", "db1-2"); name != "db1-3" || err != nil {
		t.Errorf("named %s, %v, want db1-3", name, err)
	}
	tenure, its := repo.Config.TenureOf(old.Key), repo.Config.TenureOf(next.Key)
	if tenure.Admitted.IsZero() || tenure.Revoked.Before(tenure.Admitted) || its.Admitted.IsZero() || !its.Revoked.IsZero() {
		t.Errorf("tenures %+v and %+v", tenure, its)
	}
	if _, err := admin.Successor(repo, "db1"); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("a second successor: %v, want %v", err, catalog.ErrRefused)
	}
	if _, err := admin.Successor(repo, "nobody"); !errors.Is(err, catalog.ErrMisuse) {
		t.Errorf("a successor of nobody: %v, want %v", err, catalog.ErrMisuse)
	}
}

func TestTermsCountMoreThanWhatAPredecessorHad(t *testing.T) {
	repo, owner := estate(t)
	old := catalog.Member{Key: signer(t, "db1").Verifier().Text(), Hosts: []string{"db*"}, Group: "databases", Roles: []string{catalog.RoleBackdate}}
	if err := admin.Admit(t.Context(), repo, owner, old, nil); err != nil {
		t.Fatal(err)
	}
	none, hosts := "", []string{"db1"}
	for _, test := range []struct {
		terms    admin.Terms
		replaces string
		host     string
		want     catalog.Member
		name     string
	}{
		{admin.Terms{}, "", "web 1", catalog.Member{Hosts: admin.HostsOf("web 1")}, catalog.WriterName("web 1")},
		{admin.Terms{Hosts: &hosts}, "", "web1", catalog.Member{Hosts: hosts}, "web1"},
		{admin.Terms{}, "db1", "db1", catalog.Member{Hosts: old.Hosts, Group: old.Group, Roles: old.Roles, Replaces: "db1"}, "db1-2"},
		{admin.Terms{Group: &none, Hosts: &hosts}, "db1", "db1", catalog.Member{Hosts: hosts, Roles: old.Roles, Replaces: "db1"}, "db1-2"},
	} {
		got, err := admin.NewAdmission(repo, admin.KindWriter, test.host, test.terms, test.replaces)
		if err != nil {
			t.Fatal(err)
		}
		test.want.Key = got.Member.Key
		if got.Name != test.name || admin.NameOf(got.Member) != test.name || !reflect.DeepEqual(got.Member, test.want) {
			t.Errorf("%+v: got %s, %+v, want %s, %+v", test, got.Name, got.Member, test.name, test.want)
		}
	}
}

func TestEachKindIsAdmittedAmongItsOwn(t *testing.T) {
	repo, owner := estate(t)
	roles := []string{catalog.RoleVerifier}
	for kind, members := range map[admin.Kind]func() []catalog.Member{
		admin.KindWriter:    func() []catalog.Member { return repo.Config.Writers[1:] },
		admin.KindCollector: func() []catalog.Member { return repo.Config.Collectors },
		admin.KindKeeper:    func() []catalog.Member { return repo.Config.Keepers },
	} {
		var terms admin.Terms
		if kind == admin.KindCollector {
			terms.Roles = &roles
		}
		a, err := admin.NewAdmission(repo, kind, string(kind), terms, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Sign(t.Context(), owner, nil); err != nil {
			t.Fatal(err)
		}
		if got := members(); len(got) != 1 || admin.NameOf(got[0]) != string(kind) || (len(got[0].Roles) > 0) != (kind == admin.KindCollector) {
			t.Errorf("%s: admitted %+v", kind, got)
		}
		if text, err := a.Encode(); err != nil || len(text) == 0 {
			t.Errorf("%s has no key file: %v", kind, err)
		}
	}
}
