package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/forgetest"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/check"
)

// Packs that were read, and of which the repository says so: hosts of other groups rely on them,
// and the next check reads others.

// attests checks the repository in s, and says in it which packs are sound.
func (w *world) attests(s store.Store, by crypto.Signer, o check.Options) (*check.Report, error) {
	repo, err := catalog.Open(w.t.Context(), s, catalog.Options{Keys: catalog.Keys{Identities: w.identity}})
	if err != nil {
		return nil, err
	}
	if err := repo.LetForget(w.t.Context(), w.owner); err != nil {
		return nil, err
	}
	o.ReadData, o.By = true, &by
	return check.Run(w.t.Context(), repo, o)
}

func (w *world) mustAttest(o check.Options) *check.Report {
	w.t.Helper()
	report, err := w.attests(w.store, w.owner, o)
	if err != nil {
		w.t.Fatalf("check: %v", err)
	}
	return report
}

// verified are the packs that the owner or a verifier says to be sound.
func (w *world) verified() *catalog.Verified {
	w.t.Helper()
	repo := w.reader()
	verified, err := repo.ReadVerified(w.t.Context(), w.log(), repo.Config.Domain)
	if err != nil {
		w.t.Fatal(err)
	}
	return verified
}

// elsewhere is the same repository on another machine, with a writer of another group.
func (w *world) elsewhere(name string) *world {
	w.t.Helper()
	other := *w
	other.writer = w.admit(catalog.Member{Hosts: []string{"host"}, Group: name + "s"}, name)
	other.cache = w.t.TempDir()
	return &other
}

func TestAHostOfAnotherGroupReliesOnWhatWasVerified(t *testing.T) {
	for _, cached := range []bool{true, false} {
		t.Run(fmt.Sprintf("with a cache: %v", cached), func(t *testing.T) {
			w := newWorld(t)
			source := randomSource(40, 60_000, 1)
			w.mustBackup(source)
			whole := w.stored()
			before := w.branch(t)
			before.elsewhere("db1").mustBackup(source.clone())
			if grown := before.stored() - whole; grown < whole*9/10 {
				t.Errorf("%d bytes are uploaded of %d, and nobody has verified what there is", grown, whole)
			}
			before.check()

			report := w.mustAttest(check.Options{})
			if n := uint64(packs(t, w.store)); report.Attested != n || report.PacksRead != n || report.Unverified != 0 || report.Since.IsZero() {
				t.Errorf("%d packs: %+v", n, report)
			}
			whole = w.stored()
			other := w.elsewhere("db1")
			if !cached {
				other.cache = ""
			}
			other.mustBackup(source.clone())
			if grown := w.stored() - whole; grown > whole/100 {
				t.Errorf("%d bytes are uploaded of %d that were verified", grown, whole)
			}
			if unchecked := checked(t, w, check.Options{}).Unchecked; len(unchecked) > 0 {
				t.Errorf("not checked: %q", unchecked)
			}
			w.check()
			w.same(0, source)
		})
	}
}

func checked(t *testing.T, w *world, o check.Options) *check.Report {
	t.Helper()
	report, err := check.Run(t.Context(), w.reader(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// Nobody but the owner and whom the owner has made a verifier may say so.
func TestWhoIsNoVerifierIsNotHeardAndNamed(t *testing.T) {
	b := besiege(t, "")
	b.backsUp()
	b.mustAttest(check.Options{})
	honest := b.verified().Len()
	lie := b.poison(secret)
	b.publish(lie)
	b.vouches(b.forger, lie)
	if got := b.verified().Len(); got != honest {
		t.Errorf("%d packs are said to be verified, want %d", got, honest)
	}
	b.victim.add("accounts", []byte(secret))
	b.wantLatest(b.backsUp())
	notes := b.examine(false).Notes
	if len(notes) != 1 || !saysAll(notes[0], "log/web.0/", "web has signed it", "counts for nothing") {
		t.Errorf("check notes %q", notes)
	}
	nightly := b.admitCollector("nightly")
	if _, err := b.attests(b.store, nightly, check.Options{}); !errors.Is(err, catalog.ErrUntrusted) {
		t.Errorf("a collector that is no verifier: %v", err)
	}
}

// Who holds the key of a collector can write what a verifier's program would.
func TestACollectorThatIsNoVerifierIsNotHeard(t *testing.T) {
	b := besiege(t, "")
	b.backsUp()
	b.mustAttest(check.Options{})
	honest := b.verified().Len()
	lie := b.poison(secret)
	b.publish(lie)
	b.forger.By = b.admitCollector("nightly")
	b.vouches(b.forger, lie)
	if got := b.verified().Len(); got != honest {
		t.Errorf("%d packs are said to be verified, want %d", got, honest)
	}
	b.victim.add("accounts", []byte(secret))
	b.wantLatest(b.backsUp())
}

// vouches says with a stolen key that packs were verified.
func (b *besieged) vouches(f *forgetest.Forger, packs ...archive.RunPack) {
	b.t.Helper()
	var list []archive.VerifiedPack
	for _, p := range packs {
		list = append(list, archive.VerifiedPack{Sum: p.Sum(), At: uint32(time.Now().Unix())})
	}
	slices.SortFunc(list, archive.VerifiedPack.Compare)
	name, err := f.PutRefs(b.t.Context(), archive.EncodeVerified(list))
	if err != nil {
		b.t.Fatal(err)
	}
	b.record(f.By.Name()+".0", "verified", map[string]any{"verified": []string{name}})
}

func (w *world) admitCollector(name string, roles ...string) crypto.Signer {
	w.t.Helper()
	key := signer(w.t, name)
	w.change(func(c *catalog.Config) {
		c.Collectors = append(c.Collectors, catalog.Member{Key: key.Verifier().Text(), Roles: roles})
	})
	return key
}

// What another writer says of a pack that was verified counts only if it is what was verified.
func TestALieAboutAVerifiedPackIsNotReliedOn(t *testing.T) {
	b := besiege(t, "")
	w := *b.world
	w.cache = t.TempDir() // another machine
	w.mustBackup(randomSource(4, 900, 9))
	b.mustAttest(check.Options{})
	lies := b.misdescribed(w.snapshots()[0])
	for i := range lies {
		lies[i].Directory.IDs[0] = b.forger.ID(secret)
	}
	b.publish(lies...)
	b.victim.add("accounts", []byte(secret))
	b.wantLatest(b.backsUp())
	for _, f := range b.examine(true).Findings {
		if !saysAll(f.Err.Error(), "not so", "writer web") {
			t.Errorf("check finds %s: %v", f.Object, f.Err)
		}
	}
	if n := b.verified().Len(); n == 0 {
		t.Error("what was verified is not any more")
	}
}

func TestAPackUnderAWrongIdIsNamedWithItsWriterAndNotVerified(t *testing.T) {
	b := besiege(t, "")
	lie, err := b.forger.Mislabelled(t.Context(), b.forger.ID(secret), strings.Repeat("x", len(secret)))
	if err != nil {
		t.Fatal(err)
	}
	b.publish(lie)
	report := b.mustAttest(check.Options{})
	if len(report.Findings) != 1 || !saysAll(report.Findings[0].Err.Error(), "do not have this id", "writer web") {
		t.Errorf("check finds %v", report.Findings)
	}
	if n := b.verified().Len(); uint64(n) != report.Packs-1 {
		t.Errorf("%d of %d packs are verified", n, report.Packs)
	}
	b.victim.add("accounts", []byte(secret))
	b.wantLatest(b.backsUp())
}

func TestASampleIsOfThePacksThatWereVerifiedLongestAgo(t *testing.T) {
	w := newWorld(t)
	w.mustBackup(randomSource(40, 60_000, 1))
	n := packs(t, w.store)
	read := map[string]int{}
	for round := range 4 {
		f := &storetest.Faulty{Store: w.store}
		report, err := w.attests(f, w.owner, check.Options{Percent: 30, Seed: uint64(round)})
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range f.Calls() {
			if kind, _, _ := strings.Cut(call.Name, "/"); call.Op == storetest.Get && (kind == "packs" || kind == "trees") && report.PacksRead > 0 {
				read[call.Name]++
			}
		}
		if want := min(n, (round+1)*int(report.PacksRead)); w.verified().Len() != want || len(report.Findings) > 0 {
			t.Errorf("after round %d %d of %d packs are verified, want %d; found %v", round, w.verified().Len(), n, want, report.Findings)
		}
	}
	if len(read) != n {
		t.Errorf("four times three tenths: %d of %d packs were read", len(read), n)
	}
	w.check()
}

// Of records that follow each other one is left, and it says nothing of packs that are gone.
func TestWhatWasVerifiedOutlivesARollUpAndNotThePack(t *testing.T) {
	w, first, now, _ := thinWorld(t)
	w.mustAttest(check.Options{})
	all := w.verified().Len()
	w.mustCollect(rolling)
	if w.mustCollect(rolling); w.verified().Len() != all {
		t.Errorf("%d packs are verified after a roll-up, want %d", w.verified().Len(), all)
	}
	_ = first
	w.mustRepack(rolling)
	if n := packs(t, w.store); n >= all {
		t.Fatalf("%d packs, before %d: the test needs fewer", n, all)
	}
	w.mustAttest(check.Options{})
	if got, n := w.verified().Len(), packs(t, w.store); got != n {
		t.Errorf("%d packs are verified of %d", got, n)
	}
	lists := len(w.names("refs/"))
	for range 3 {
		w.mustAttest(check.Options{})
		w.mustCollect(rolling)
	}
	if got := len(w.names("refs/")); got > lists {
		t.Errorf("%d refs objects, before %d", got, lists)
	}
	if got, n := w.verified().Len(), packs(t, w.store); got != n {
		t.Errorf("%d packs are verified of %d", got, n)
	}
	w.check()
	w.same(0, now)
}

func TestARevokedVerifierIsBelievedNoMore(t *testing.T) {
	w := newWorld(t)
	source := randomSource(8, 60_000, 1)
	w.mustBackup(source)
	w.letForget()
	verifier := w.admitCollector("verifier", catalog.RoleVerifier)
	if _, err := w.attests(w.store, verifier, check.Options{}); err != nil {
		t.Fatal(err)
	}
	other := w.elsewhere("db1")
	whole := w.stored()
	other.mustBackup(source.clone())
	if grown := w.stored() - whole; grown > 0 {
		t.Errorf("%d bytes are uploaded that were verified", grown)
	}
	w.change(func(c *catalog.Config) { c.Collectors[0].Revoked = map[string]uint64{} })
	if n := w.verified().Len(); n > 0 {
		t.Errorf("%d packs are verified by who was revoked", n)
	}
	other.mustBackup(source.clone())
	if grown := w.stored() - whole; grown < whole*9/10 {
		t.Errorf("only %d of %d bytes are stored again that nobody vouches for", grown, whole)
	}
	w.check()
	w.same(0, source)
}

// Whatever fails, what is said to be verified was read, and a later run says the rest.
func TestAnAttestationGoesOnAfterAnyFault(t *testing.T) {
	base := newWorld(t)
	source := randomSource(4, 60_000, 1)
	base.mustBackup(source)
	base.letForget()
	eachFault(t, base, func(t *testing.T, w *world, f *storetest.Faulty) {
		_, _ = w.attests(f, w.owner, check.Options{})
		report := w.mustAttest(check.Options{})
		if n := packs(t, w.store); w.verified().Len() != n || len(report.Findings) > 0 {
			t.Errorf("%d of %d packs are verified; found %v", w.verified().Len(), n, report.Findings)
		}
		w.check()
	})
}

func TestWhatWasReadBeforeAnInterruptionIsSaid(t *testing.T) {
	w := newWorld(t)
	w.mustBackup(randomSource(20, 60_000, 1))
	w.letForget()
	ctx, cancel := context.WithCancel(t.Context())
	f := &storetest.Faulty{Store: w.store}
	read := map[string]bool{}
	f.Before = func(op storetest.Op, name string) error {
		if op == storetest.Get && strings.HasPrefix(name, "packs/") {
			if read[name] = true; len(read) == 5 {
				cancel()
			}
		}
		return nil
	}
	repo, err := catalog.Open(t.Context(), f, catalog.Options{Keys: catalog.Keys{Identities: w.identity}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := check.Run(ctx, repo, check.Options{ReadData: true, By: &w.owner, Parallel: 1}); !errors.Is(err, context.Canceled) {
		t.Fatalf("check: %v", err)
	}
	if n := w.verified().Len(); n == 0 || n >= packs(t, w.store) {
		t.Errorf("%d packs are verified of those that were read: %d", n, len(slices.Collect(maps.Keys(read))))
	}
	w.check()
}
