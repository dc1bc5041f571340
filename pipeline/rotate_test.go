package pipeline_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/collect"
	"github.com/packstone/packstone/pipeline/copy"
)

// Domains change: what is of several of them is read with the keys of each.

// rotate changes to a new domain through s, and gives the writer its keys.
func (w *world) rotate(s store.Store) error {
	repo, err := catalog.Open(w.t.Context(), s, catalog.Options{Keys: catalog.Keys{Writer: w.writer, Identities: w.identity}, CacheDir: w.cache})
	if err != nil {
		return err
	}
	r, err := admin.NewRotation(w.t.Context(), repo, []string{w.writer.Signer.Verifier().Text()})
	if err != nil {
		return err
	}
	if err := r.Make(w.t.Context(), w.owner); err != nil {
		return err
	}
	key, err := admin.RenewWriter(repo, w.writer)
	if err == nil && key != nil {
		w.writer = key
	}
	return err
}

func (w *world) mustRotate() {
	w.t.Helper()
	if err := w.rotate(w.store); err != nil {
		w.t.Fatalf("rotate: %v", err)
	}
}

// rotatedWorld has a snapshot of each of two domains.
func rotatedWorld(t *testing.T) (w *world, before, now *fakeSource) {
	w, before, now = newWorld(t), randomSource(5, 40_000, 1), randomSource(5, 40_000, 1)
	now.add("later", randomBytes(20_000, 9))
	w.mustBackup(before)
	w.mustRotate()
	w.mustBackup(now)
	return w, before, now
}

func TestPacksOfAllDomainsAreReadWithTheirKeys(t *testing.T) {
	w, before, now := rotatedWorld(t)
	w.check()
	w.at(0, before)
	w.at(1, now)
	first := w.mustAttest(check.Options{})
	if second := w.mustAttest(check.Options{}); first.Attested == 0 || second.Unverified > 0 || second.Since.IsZero() {
		t.Errorf("attested %d packs, then %d unverified since %s", first.Attested, second.Unverified, second.Since)
	}
	w.mustBackup(now)
	w.check()
}

func TestAnOldKeyFileIsRefusedAfterARotation(t *testing.T) {
	w := newWorld(t)
	src := randomSource(2, 9_000, 1)
	w.mustBackup(src)
	old := w.writer
	w.mustRotate()
	w.writer, old = old, w.writer
	if _, err := w.backup(w.store, w.options(src)); err == nil {
		t.Error("the old key file backs up")
	}
	w.writer = old
	w.mustBackup(src)
	w.check()
}

func TestADomainWithoutContentIsNotRotatedAgain(t *testing.T) {
	w := newWorld(t)
	src := randomSource(2, 9_000, 1)
	w.mustBackup(src)
	w.mustRotate()
	w.mustRotate()
	if n := w.reader().Config.Domain; n != 2 {
		t.Errorf("domain %d after a second call, want 2", n)
	}
	w.mustBackup(src)
	w.mustRotate()
	if n := w.reader().Config.Domain; n != 3 {
		t.Errorf("domain %d, want 3", n)
	}
	w.mustBackup(src)
	for i := range 3 {
		w.at(i, src)
	}
	w.check()
}

// What lies in half-dead packs of both domains is copied with the keys of each.
func TestPacksOfTwoDomainsAreRepacked(t *testing.T) {
	w, before, now := rotatedWorld(t)
	w.letForget()
	for path := range before.files {
		if err := w.rewrite(w.store, path); err == nil {
			t.Error("a snapshot of an old domain is rewritten")
		}
		break
	}
	w.mustRepack(func(o *collect.Options) { o.Repack.Share = 0 })
	w.at(0, before)
	w.at(1, now)
	w.check()
}

// Killed anywhere, the same again does the rest.
func TestARotationGoesOnAfterAnyFault(t *testing.T) {
	base := newWorld(t)
	before := randomSource(3, 9_000, 1)
	base.mustBackup(before)
	eachFault(t, base, func(t *testing.T, w *world, f *storetest.Faulty) {
		_ = w.rotate(f)
		w.check()
		w.mustRotate()
		if n := w.reader().Config.Domain; n != 2 {
			t.Errorf("domain %d, want 2", n)
		}
		w.mustBackup(before)
		w.at(0, before)
		w.at(1, before)
		w.check()
	})
}

// reencrypt makes all snapshots of earlier domains anew through s.
func (w *world) reencrypt(s store.Store) error {
	ctx := w.t.Context()
	repo, err := catalog.Open(ctx, s, catalog.Options{Keys: catalog.Keys{Writer: w.writer, Identities: w.identity}, CacheDir: w.cache})
	if err != nil {
		return err
	}
	if err := repo.LetForget(ctx, w.owner); err != nil {
		return err
	}
	v, err := view.Look(ctx, repo, view.Options{Warn: func(string) {}, Note: func(string, ...any) {}})
	if err != nil {
		return err
	}
	anew, err := copy.PlanAnew(v)
	if err != nil {
		return err
	}
	_, err = anew.Replace(ctx, repo, w.owner, copy.Options{Write: backup.Options{PackSize: 64 << 10, Concurrency: 1, Publish: time.Nanosecond}})
	return err
}

// setRecipients changes who reads.
func (w *world) setRecipients(identities ...age.Identity) {
	w.t.Helper()
	recipients, err := admin.RecipientsOf(identities)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.reader().SetRecipients(w.t.Context(), w.owner, recipients); err != nil {
		w.t.Fatal(err)
	}
}

// leftWorld has three snapshots of a first domain, of which one is held and one tagged, and one of a
// second domain. gone could read the first three before it was removed.
func leftWorld(t *testing.T) (w *world, sources []*fakeSource, gone age.Identity) {
	w = newWorld(t)
	gone, err := crypto.GenerateIdentity(true)
	if err != nil {
		t.Fatal(err)
	}
	w.setRecipients(w.identity.Identities[0], gone)
	src := randomSource(4, 40_000, 1)
	for i := range 3 {
		src = src.clone()
		src.change("dir/file000.bin", randomBytes(30_000, uint64(70+i)))
		sources = append(sources, src)
		w.mustBackup(src)
	}
	w.letForget()
	all := w.snapshots()
	w.mustDecide(func(s *catalog.Session) error {
		return s.Hold(t.Context(), []archive.Name{all[0].ID}, "a case", time.Time{})
	})
	w.mustDecide(func(s *catalog.Session) error { return s.SetTags(t.Context(), all[1:2], []string{"yearly"}, nil) })
	w.setRecipients(w.identity.Identities[0])
	w.mustRotate()
	w.mustBackup(src)
	return w, append(sources, src), gone
}

func (w *world) mustDecide(do func(s *catalog.Session) error) {
	w.t.Helper()
	if err := w.decides(w.store, do); err != nil {
		w.t.Fatal(err)
	}
}

// readable returns the packs that are there and that an identity opens.
func (w *world) readable(by age.Identity) (packs []string) {
	w.t.Helper()
	headers := map[string][][]byte{}
	for _, object := range w.names("headers/") {
		data, err := w.store.Get(w.t.Context(), object, 0, -1, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		var detached map[string][]byte
		if err := json.Unmarshal(data, &detached); err != nil {
			w.t.Fatal(err)
		}
		for name, header := range detached {
			headers[name] = append(headers[name], header)
		}
	}
	for pack, err := range archive.ListPacks(w.t.Context(), w.store) {
		if err != nil {
			w.t.Fatal(err)
		}
		data, err := w.store.Get(w.t.Context(), pack.Kind.Object(pack.Name), 0, -1, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		length, err := crypto.HeaderLength(data)
		if err != nil {
			w.t.Fatal(err)
		}
		if slices.ContainsFunc(append(headers[pack.Name.String()], data[:length]), func(header []byte) bool {
			_, err := crypto.OpenHeader(header, by)
			return err == nil
		}) {
			packs = append(packs, pack.Name.String())
		}
	}
	return packs
}

// isAnew fails the test unless snapshots are as before, but of the present domain.
func (w *world) isAnew(was []*catalog.Snapshot, sources []*fakeSource) {
	w.t.Helper()
	is := w.snapshots()
	if len(is) != len(was) {
		w.t.Fatalf("%d snapshots, want %d:\n%s", len(is), len(was), w.said())
	}
	for i, s := range is {
		old := was[i]
		if s.Domain != 2 || !s.Date.Equal(old.Date) || s.Undated || !s.Time.Equal(old.Time) || s.Host != old.Host || s.Set != old.Set {
			w.t.Errorf("snapshot %d is %+v, was %+v", i, s, old)
		}
		if !slices.Equal(s.Tags, old.Tags) || len(s.Held) != len(old.Held) || len(s.Held) > 0 && s.Held[0].Reason != old.Held[0].Reason {
			w.t.Errorf("snapshot %d has tags %q and holds %v, had %q and %v", i, s.Tags, s.Held, old.Tags, old.Held)
		}
		w.at(i, sources[i])
	}
	w.check()
}

func TestWhatARemovedRecipientCouldReadIsMadeAnew(t *testing.T) {
	w, sources, gone := leftWorld(t)
	was := w.snapshots()
	if len(w.readable(gone)) == 0 {
		t.Fatal("the removed recipient reads nothing before")
	}
	if err := w.reencrypt(w.store); err != nil {
		t.Fatal(err)
	}
	w.isAnew(was, sources)
	w.wipe()
	w.isAnew(was, sources)
	if packs := w.readable(gone); len(packs) > 0 {
		t.Errorf("the removed recipient reads packs %q", packs)
	}
	if err := w.reencrypt(w.store); err != nil {
		t.Errorf("once more: %v", err)
	}
	w.mustBackup(sources[3])
	w.check()
}

// Killed anywhere, the same again does the rest.
func TestMakingAnewGoesOnAfterAnyFault(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while under the race detector")
	}
	base, sources, gone := leftWorld(t)
	was := base.snapshots()
	eachFault(t, base, func(t *testing.T, w *world, f *storetest.Faulty) {
		_ = w.reencrypt(f)
		w.check()
		if err := w.reencrypt(w.store); err != nil {
			t.Errorf("the second run: %v", err)
		}
		w.isAnew(was, sources)
		w.wipe()
		if packs := w.readable(gone); len(packs) > 0 {
			t.Errorf("the removed recipient reads packs %q", packs)
		}
		w.isAnew(was, sources)
	})
}

// Killed ten times, the eleventh run does the rest, and no snapshot was made twice.
func TestMakingAnewEndsAfterTenKills(t *testing.T) {
	base, sources, gone := leftWorld(t)
	was := base.snapshots()
	whole := &storetest.Faulty{Store: base.branch(t).store}
	one := base.branch(t)
	whole.Store = one.store
	if err := one.reencrypt(whole); err != nil {
		t.Fatal(err)
	}
	total, stored := len(whole.Calls()), one.stored()
	w := base.branch(t)
	for kill := range 10 {
		f := &storetest.Faulty{Store: w.store, Before: storetest.From(total*(kill+1)/14, errFault)}
		if err := w.reencrypt(f); err == nil && kill < 3 {
			t.Errorf("kill %d came too late", kill)
		}
		w.check()
	}
	if err := w.reencrypt(w.store); err != nil {
		t.Fatal(err)
	}
	w.isAnew(was, sources)
	if again := w.stored(); again > 2*stored {
		t.Errorf("%d bytes are stored after ten kills, %d without", again, stored)
	}
	w.wipe()
	w.isAnew(was, sources)
	if packs := w.readable(gone); len(packs) > 0 {
		t.Errorf("the removed recipient reads packs %q", packs)
	}
}

func TestMakingAnewIsRefusedWhereItShutsNobodyOut(t *testing.T) {
	w := newWorld(t)
	src := randomSource(2, 9_000, 1)
	w.mustBackup(src)
	refused := func(why string) {
		t.Helper()
		if err := w.reencrypt(w.store); !errors.Is(err, catalog.ErrRefused) || !strings.Contains(err.Error(), why) {
			t.Errorf("got %v, want %q", err, why)
		}
	}
	refused("everything is of domain 1")
	gone, err := crypto.GenerateIdentity(true)
	if err != nil {
		t.Fatal(err)
	}
	w.setRecipients(w.identity.Identities[0], gone)
	w.mustRotate()
	w.mustBackup(src)
	w.setRecipients(w.identity.Identities[0])
	refused("was removed after the change to domain 2")
	w.mustRotate()
	w.mustBackup(src)
	if err := w.reencrypt(w.store); err != nil {
		t.Error(err)
	}
	w.wipe()
	if packs := w.readable(gone); len(packs) > 0 {
		t.Errorf("the removed recipient reads packs %q", packs)
	}
	w.check()
}
