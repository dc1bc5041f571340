package admin_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/crypto"
)

func TestForgettingAndWhatOneCanDecideAfterwards(t *testing.T) {
	repo, owner := backedUp(t, 3)
	v := look(t, repo)
	newest := v.Snapshots[2].ID
	f := forgetting(t, v, admin.ForgettingOptions{})
	if err := f.Ruled(retention.Policy{Last: 1}); err != nil {
		t.Fatal(err)
	}
	gone, err := f.Gone()
	if err != nil || len(gone) != 2 || gone[0] != v.Snapshots[0].ID || gone[1] != v.Snapshots[1].ID {
		t.Fatalf("the newest alone stays: %v, %v", gone, err)
	}
	if young, floor := f.Below(); young != 2 || floor != 14*24*time.Hour {
		t.Errorf("%d are younger than the floor of %v, want 2 and 14 days", young, floor)
	}
	decide(t, repo, owner, func(s *catalog.Session) error { return s.Forget(t.Context(), gone) })
	decide(t, repo, owner, func(s *catalog.Session) error { return s.Hold(t.Context(), []archive.Name{newest}, "why", time.Time{}) })

	v = look(t, repo)
	for _, test := range []struct {
		name string
		of   view.Subject
		want archive.Name
		fail error
	}{
		{"latest", view.Counting, newest, nil},
		{"latest", view.Held, newest, nil},
		{"latest", view.Either, newest, nil},
		{gone[0].String(), view.Forgotten, gone[0], nil},
		{gone[1].String(), view.Either, gone[1], nil},
		{gone[0].String(), view.Counting, archive.Name{}, catalog.ErrNoSnapshot},
		{newest.String(), view.Forgotten, archive.Name{}, catalog.ErrNoSnapshot},
	} {
		ids, err := v.Subjects([]string{test.name}, test.of)
		if !errors.Is(err, test.fail) || test.fail == nil && (len(ids) != 1 || ids[0] != test.want) {
			t.Errorf("%s as subject %d: %v, %v, want %v, %v", test.name, test.of, ids, err, test.want, test.fail)
		}
	}
	if err := forgetting(t, v, admin.ForgettingOptions{}).Named([]string{"latest"}); !errors.Is(err, catalog.ErrHeld) {
		t.Errorf("what is held is forgotten: %v", err)
	}
	if err := v.Whole(t.Context()); err != nil {
		t.Errorf("all that there was is there: %v", err)
	}
}

func TestACollectorForgetsNothingBelowTheFloor(t *testing.T) {
	repo, owner := backedUp(t, 2)
	key, err := admin.NewCollectorKey(repo, "nightly")
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.AdmitCollector(t.Context(), repo, owner, catalog.Member{Key: key.Signer.Verifier().Text()}, nil); err != nil {
		t.Fatal(err)
	}
	repo = open(t, repo.Store, catalog.Keys{
		Identities: &crypto.IdentityFile{Identities: repo.Identities()}, Collector: key,
		Pins: catalog.Pins{Trusted: []crypto.Fingerprint{owner.Verifier().Fingerprint()}},
	})
	v := look(t, repo)
	f := forgetting(t, v, admin.ForgettingOptions{RemoveAll: true})
	if err := f.Named([]string{"latest"}); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("by name: %v, want ErrRefused", err)
	}
	if err := f.Ruled(retention.Policy{}); err != nil {
		t.Fatal(err)
	}
	if gone, err := f.Gone(); err != nil || len(gone) != 0 || len(f.Verdicts) != 2 {
		t.Errorf("by rules: %v, %v of %d, want none of 2", gone, err, len(f.Verdicts))
	}
}

func forgetting(t *testing.T, v *view.View, o admin.ForgettingOptions) *admin.Forgetting {
	t.Helper()
	f, err := admin.NewForgetting(t.Context(), v, catalog.Filter{}, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func decide(t *testing.T, repo *catalog.Repository, signer crypto.Signer, do func(s *catalog.Session) error) {
	t.Helper()
	if err := repo.LetForget(t.Context(), signer); err != nil {
		t.Fatal(err)
	}
	if err := admin.Decide(t.Context(), repo, signer, do); err != nil {
		t.Fatal(err)
	}
}

func look(t *testing.T, repo *catalog.Repository) *view.View {
	t.Helper()
	v, err := view.Look(t.Context(), repo, view.Options{Warn: func(text string) { t.Error(text) }, Note: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// backedUp opens a repository with snapshots of the last seconds, with an identity, and returns the
// owner's key too.
func backedUp(t *testing.T, snapshots int) (*catalog.Repository, crypto.Signer) {
	t.Helper()
	owner, reader := signer(t, "owner"), identity(t)
	recipients, err := admin.RecipientsOf([]age.Identity{reader})
	if err != nil {
		t.Fatal(err)
	}
	s := memory.New()
	writer, err := catalog.Init(t.Context(), s, owner, signer(t, "host"), recipients, nil, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	repo := open(t, s, catalog.Keys{
		Identities: &crypto.IdentityFile{Identities: []age.Identity{reader}}, Writer: writer,
		Pins: catalog.Pins{Trusted: []crypto.Fingerprint{owner.Verifier().Fingerprint()}},
	})
	t.Cleanup(func() {
		if problems, err := repo.CheckObjects(context.Background()); err != nil || len(problems) > 0 {
			t.Errorf("the repository is not as it should be: %v, %v", problems, err)
		}
	})
	for i := range snapshots {
		at := time.Now().Add(time.Duration(i-snapshots) * time.Second)
		session, err := repo.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		snapshot := &catalog.Snapshot{Set: "set", Host: "host", Time: at, Started: at, Sources: []catalog.SourceState{{Name: "s"}}}
		if _, err := session.Commit(t.Context(), catalog.Content{Snapshot: snapshot, Refs: &archive.RefSet{}}); err != nil {
			t.Fatal(err)
		}
		session.Close()
	}
	return repo, owner
}

func open(t *testing.T, s store.Store, keys catalog.Keys) *catalog.Repository {
	t.Helper()
	repo, err := catalog.Open(t.Context(), s, catalog.Options{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

func TestRulesAreThoseThatAreGivenElseThoseOfTheSets(t *testing.T) {
	repo, _ := backedUp(t, 3)
	v := look(t, repo)
	given, failed := retention.Policy{Last: 1}, errors.New("no settings")
	sets := func(policies map[string]retention.Policy) func() (map[string]retention.Policy, error) {
		return func() (map[string]retention.Policy, error) { return policies, nil }
	}
	for _, test := range []struct {
		name   string
		policy retention.Policy
		all    bool
		sets   func() (map[string]retention.Policy, error)
		gone   int
		err    error
	}{
		{"given ones", given, false, nil, 2, nil},
		{"none, for all", retention.Policy{}, true, nil, 3, nil},
		{"those of the set", retention.Policy{}, false, sets(map[string]retention.Policy{"set": given}), 2, nil},
		{"those of another set", retention.Policy{}, false, sets(map[string]retention.Policy{"other": given}), 0, nil},
		{"no rules", retention.Policy{}, false, sets(nil), 0, catalog.ErrMisuse},
		{"no settings", retention.Policy{}, false, func() (map[string]retention.Policy, error) { return nil, failed }, 0, failed},
	} {
		f := forgetting(t, v, admin.ForgettingOptions{RemoveAll: test.all})
		if err := f.ByRules(test.policy, test.sets); !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.name, err, test.err)
		} else if err == nil {
			if gone, err := f.Gone(); err != nil || len(gone) != test.gone {
				t.Errorf("%s: forgets %d, %v, want %d", test.name, len(gone), err, test.gone)
			}
		}
	}
}
