package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/check"
)

// An index that is lost is made again from the packs.

// rebuilds lists again through s what no index run lists.
func (w *world) rebuilds(s store.Store, by crypto.Signer) (*check.Rebuild, error) {
	repo, err := catalog.Open(w.t.Context(), s, catalog.Options{Keys: catalog.Keys{Identities: w.identity}, Bypass: true})
	if err != nil {
		return nil, err
	}
	r, err := check.PlanRebuild(w.t.Context(), repo, check.Options{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if err := repo.LetMove(w.t.Context(), w.owner); err != nil {
		return r, err
	}
	return r, r.Run(w.t.Context(), by)
}

func (w *world) mustRebuild() *check.Rebuild {
	w.t.Helper()
	r, err := w.rebuilds(w.store, w.owner)
	if err != nil {
		w.t.Fatalf("rebuild: %v", err)
	}
	return r
}

// lose deletes objects.
func (w *world) lose(names ...string) {
	w.t.Helper()
	for _, name := range names {
		if err := w.store.Delete(w.t.Context(), name); err != nil {
			w.t.Fatal(err)
		}
	}
}

// indexLost has two snapshots and no index.
func indexLost(t testing.TB) (*world, *fakeSource) {
	w := newWorld(t)
	now := randomSource(12, 20_000, 1)
	w.mustBackup(now)
	now.change("dir/file003.bin", randomBytes(25_000, 70))
	w.mustBackup(now)
	w.letForget()
	w.lose(w.names("index/")...)
	return w, now
}

func TestALostIndexIsMadeAgainFromThePacks(t *testing.T) {
	w, now := indexLost(t)
	if report := checked(t, w, check.Options{}); len(report.Findings) == 0 {
		t.Error("a check finds nothing though the index is lost")
	}
	n := uint64(packs(t, w.store))
	if r := w.mustRebuild(); r.Unlisted != n || r.Listed != n || len(r.Left) > 0 {
		t.Errorf("of %d packs: %+v", n, r)
	}
	report := checked(t, w, check.Options{ReadData: true})
	if len(report.Findings) > 0 || len(report.Healed) != 2 || report.Unused > 0 {
		t.Errorf("a check finds %v; healed %v; %d packs unused", report.Findings, report.Healed, report.Unused)
	}
	w.same(0, now)
	before := w.stored()
	for _, host := range []*world{w, w.elsewhere("db1")} { // hosts of every group rely on what the owner has read
		host.cache = t.TempDir()
		host.mustBackup(now.clone())
	}
	if grown := w.stored() - before; grown > before/20 {
		t.Errorf("%d bytes are stored again of %d that are listed again", grown, before)
	}
	if again := w.mustRebuild(); again.Unlisted > 0 || again.Listed > 0 {
		t.Errorf("the second time: %+v", again)
	}
}

func TestAnIndexThatWasMadeAgainOutlivesForgettingAndRollUps(t *testing.T) {
	w, now := indexLost(t)
	w.mustRebuild()
	w.forget(w.snapshots()[0].ID)
	w.mustCollect(rolling)
	w.mustRepack(rolling)
	w.mustBackup(now)
	w.clean()
	w.same(0, now)
}

// Of each pack that an index run still lists, nothing is read.
func TestOnlyPacksThatAreNotListedAreRead(t *testing.T) {
	w := newWorld(t)
	now := randomSource(12, 20_000, 1)
	w.mustBackup(now)
	first := w.names("index/")
	old := w.packNames()
	now.change("dir/file003.bin", randomBytes(25_000, 70))
	w.mustBackup(now)
	w.letForget()
	later := slices.DeleteFunc(w.names("index/"), func(name string) bool { return slices.Contains(first, name) })
	w.lose(later...)
	calls := &storetest.Faulty{Store: w.store}
	r, err := w.rebuilds(calls, w.owner)
	if err != nil || r.Listed == 0 {
		t.Fatalf("rebuild: %v, %+v", err, r)
	}
	read := map[string]int{}
	for _, call := range calls.Calls() {
		if isPack(call.Name) && call.Op == storetest.Get {
			read[call.Name]++
		}
	}
	lost := slices.DeleteFunc(w.packNames(), func(name string) bool { return slices.Contains(old, name) })
	if got := slices.Sorted(maps.Keys(read)); !slices.Equal(got, lost) {
		t.Errorf("read %q, want %q", got, lost)
	}
	for name, n := range read {
		if n > 4 { // the whole, and its directory
			t.Errorf("%d requests for %s", n, name)
		}
	}
	w.check()
}

// packNames lists the objects that are packs.
func (w *world) packNames() []string {
	w.t.Helper()
	return slices.Sorted(slices.Values(append(w.names("packs/"), w.names("trees/")...)))
}

func TestADamagedPackIsNotListedAgain(t *testing.T) {
	w, _ := indexLost(t)
	name := w.names("packs/")[0]
	w.flip(name)
	r := w.mustRebuild()
	if len(r.Left) != 1 || r.Left[0].Object != name || r.Listed != r.Unlisted-1 {
		t.Errorf("%s is damaged: %+v", name, r)
	}
	if report := checked(t, w, check.Options{}); !slices.ContainsFunc(report.Findings, func(f check.Finding) bool { return f.Object == name }) {
		t.Errorf("a check finds %v, want %s among it", report.Findings, name)
	}
}

// flip damages an object.
func (w *world) flip(name string) {
	w.t.Helper()
	data, err := w.store.Get(w.t.Context(), name, 0, -1, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	w.store.Set(name, data)
}

func TestOnlyWhoIsReliedOnMayMakeAnIndexAgain(t *testing.T) {
	w, _ := indexLost(t)
	nightly := w.admitCollector("nightly")
	if _, err := w.rebuilds(w.store, nightly); !errors.Is(err, catalog.ErrUntrusted) {
		t.Errorf("a collector that is no verifier: %v", err)
	}
	verifier := w.admitCollector("verifier", catalog.RoleVerifier)
	if r, err := w.rebuilds(w.store, verifier); err != nil || r.Listed != r.Unlisted {
		t.Errorf("a verifier: %v, %+v", err, r)
	}
	w.check()
}

func TestMakingAnIndexAgainGoesOnAfterAnyFault(t *testing.T) {
	base, now := indexLost(t)
	eachFault(t, base, func(t *testing.T, w *world, f *storetest.Faulty) {
		_, _ = w.rebuilds(f, w.owner)
		w.mustRebuild()
		w.check()
		w.same(0, now)
	})
}

// twoFaced answers requests for ranges of an object with those of another one.
type twoFaced struct {
	store.Store
	name, other string
}

func (s twoFaced) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if name == s.name && length >= 0 {
		name = s.other
	}
	return s.Store.Get(ctx, name, offset, length, dst)
}

func TestADirectoryThatTheStorageShowsOnlyOnceIsNotListed(t *testing.T) {
	w := newWorld(t)
	w.mustBackup(randomSource(12, 20_000, 1))
	w.mustBackup(otherSource(12, 20_000))
	w.letForget()
	w.lose(w.names("index/")...)
	lying := twoFaced{Store: w.store}
	size := map[int64]string{}
	for info := range w.store.List(t.Context(), "packs/", "") {
		if other := size[info.Size]; other != "" {
			lying.name, lying.other = info.Name, other
		}
		size[info.Size] = info.Name
	}
	if lying.name == "" {
		t.Fatal("no two packs have the same size")
	}
	r, err := w.rebuilds(lying, w.owner)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Left) != 1 || r.Left[0].Object != lying.name || !errors.Is(r.Left[0].Err, archive.ErrDamaged) || r.Listed != r.Unlisted-1 {
		t.Errorf("%s has the directory of %s: %+v", lying.name, lying.other, r)
	}
	w.mustRebuild()
	w.check()
}

// otherSource has files as large as those of randomSource, with other names and content.
func otherSource(n, size int) *fakeSource {
	s := newSource()
	for i := range n {
		s.add(fmt.Sprintf("not/file%03d.bin", i), randomBytes(size, 1000+uint64(i)))
	}
	return s
}

// forgottenAndLost has no index, and packs that only a snapshot needs that is forgotten.
func forgottenAndLost(t *testing.T) (w *world, forgotten, needed []string) {
	w = newWorld(t)
	w.mustBackup(randomSource(4, 20_000, 1))
	old, forgotten := w.snapshots()[0], w.packNames()
	w.mustBackup(otherSource(4, 20_000))
	w.forget(old.ID)
	w.lose(w.names("index/")...)
	return w, forgotten, slices.DeleteFunc(w.packNames(), func(name string) bool { return slices.Contains(forgotten, name) })
}

func TestPacksThatAreCollectedWhileAnIndexIsMadeAgainAreSkipped(t *testing.T) {
	w, forgotten, needed := forgottenAndLost(t)
	var collected sync.Once
	f := &storetest.Faulty{Store: w.store, Before: func(op storetest.Op, name string) error {
		if op == storetest.Get && isPack(name) {
			collected.Do(func() { w.lose(append(forgotten, needed[0])...) })
		}
		return nil
	}}
	r, err := w.rebuilds(f, w.owner)
	if err != nil {
		t.Fatal(err)
	}
	if n := uint64(len(forgotten)); r.Gone != n || r.Listed != uint64(len(needed)-1) || len(r.Left) != 1 || r.Left[0].Object != needed[0] {
		t.Errorf("%d packs were collected, and %s is lost, which is needed: %+v", n, needed[0], r)
	}
}

func TestPacksThatAreCondemnedAreNotRead(t *testing.T) {
	w, _ := indexLost(t)
	w.collects(t, "condemn", 1)
	f := &storetest.Faulty{Store: w.store}
	r, err := w.rebuilds(f, w.owner)
	if err != nil || r.Unlisted > 0 || r.Bytes > 0 || len(r.Left) > 0 {
		t.Errorf("all packs are condemned: %v, %+v", err, r)
	}
	for _, call := range f.Calls() {
		if call.Op == storetest.Get && isPack(call.Name) {
			t.Errorf("%s", call)
		}
	}
}

func TestAnArchivedPackKeepsNoOthersFromBeingListedAgain(t *testing.T) {
	w, now := indexLost(t)
	name := w.names("packs/")[0]
	r, err := w.rebuilds(&storetest.Faulty{Store: w.store, Before: failingOf(storetest.Get, name, store.ErrArchived)}, w.owner)
	if err != nil || r.Listed != r.Unlisted-1 || len(r.Left) != 1 || r.Left[0].Object != name || !strings.Contains(r.Left[0].Err.Error(), "thaw") {
		t.Errorf("%s is archived: %v, %+v", name, err, r)
	}
	if r := w.mustRebuild(); r.Listed != 1 {
		t.Errorf("when it is thawed: %+v", r)
	}
	w.check()
	w.same(0, now)
}

// failingOf fails calls about one object.
func failingOf(op storetest.Op, object string, err error) storetest.Fault {
	return func(is storetest.Op, name string) error {
		if is == op && name == object {
			return err
		}
		return nil
	}
}

func TestWhatWasReadBeforeTheStorageFailedIsListed(t *testing.T) {
	w, now := indexLost(t)
	names := w.packNames()
	slices.SortFunc(names, func(a, b string) int {
		return strings.Compare(a[strings.LastIndexByte(a, '/'):], b[strings.LastIndexByte(b, '/'):])
	})
	last := names[len(names)-1] // read last
	r, err := w.rebuilds(&storetest.Faulty{Store: w.store, Before: func(op storetest.Op, name string) error {
		if op == storetest.Get && name == last {
			time.Sleep(time.Second / 2) // until the others are verified
			return store.ErrUnreachable
		}
		return nil
	}}, w.owner)
	if !errors.Is(err, store.ErrUnreachable) || r.Listed == 0 {
		t.Errorf("the storage is gone at the last pack: %v, %+v", err, r)
	}
	if again := w.mustRebuild(); again.Unlisted != r.Unlisted-r.Listed {
		t.Errorf("of %d packs %d were listed; then %+v", r.Unlisted, r.Listed, again)
	}
	w.check()
	w.same(0, now)
}

func TestUnreadableReferencesKeepNoOthersPacksFromBeingListedAgain(t *testing.T) {
	for what, spoil := range map[string]func(w *world, name string){
		"missing": func(w *world, name string) { w.lose(name) },
		"damaged": func(w *world, name string) { w.flip(name) },
	} {
		w, _ := indexLost(t)
		var lists []catalog.RefsList
		for _, s := range w.snapshots() {
			lists = append(lists, w.recordOf(s).Refs)
		}
		refs := w.names("refs/")
		slices.SortFunc(lists, catalog.CompareRefs)
		last := lists[len(lists)-1] // nothing goes on from it
		text := last.Full
		if n := len(last.Deltas); n > 0 {
			text = last.Deltas[n-1]
		}
		name := refs[slices.IndexFunc(refs, func(name string) bool { return strings.HasSuffix(name, text) })]
		spoil(w, name)
		r := w.mustRebuild()
		if r.Listed == 0 || r.Listed != r.Unlisted || len(r.Left) == 0 || r.Damaged() != len(r.Left) || !strings.HasPrefix(r.Left[0].Object, "log/") {
			t.Errorf("%s is %s: %+v", name, what, r)
		}
	}
}

func TestTheSameBytesUnderTheOtherKindHideNoPack(t *testing.T) {
	w, now := indexLost(t)
	n := uint64(packs(t, w.store))
	for _, name := range w.names("packs/") {
		data, err := w.store.Get(t.Context(), name, 0, -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.store.Set("trees/"+strings.TrimPrefix(name, "packs/"), data)
	}
	if r := w.mustRebuild(); r.Unlisted != n || r.Listed != n || len(r.Left) > 0 {
		t.Errorf("of %d packs, which lie elsewhere too: %+v", n, r)
	}
	w.same(0, now)
}

// What comes from a mirror is what is damaged or missing, and nothing else is asked for.
func TestAMirrorIsAskedForExactlyWhatIsDamagedOrMissing(t *testing.T) {
	w := newWorld(t)
	now := randomSource(30, 20_000, 1)
	w.mustBackup(now)
	mirror := &storetest.Faulty{Store: w.store.Clone()}
	all := w.names("packs/")
	bad := []string{all[0], all[1], w.names("trees/")[0], w.names("index/")[0]}
	slices.Sort(bad)
	w.lose(bad[0], bad[2])
	w.flip(bad[1])
	w.flip(bad[3])
	report := checked(t, w, check.Options{ReadData: true})
	here := &storetest.Faulty{Store: w.store}
	err := check.CopyAllBack(t.Context(), here, mirror, report.Findings, func(object string, err error) { t.Errorf("%s: %v", object, err) })
	if err != nil {
		t.Fatal(err)
	}
	var asked, put []string
	for _, call := range mirror.Calls() {
		asked = append(asked, call.String())
	}
	for _, call := range here.Calls() {
		if call.Op == storetest.Put {
			put = append(put, call.Name)
		}
	}
	slices.Sort(asked)
	slices.Sort(put)
	var want []string
	for _, name := range bad {
		want = append(want, storetest.Call{Op: storetest.Get, Name: name}.String())
	}
	if !slices.Equal(asked, want) {
		t.Errorf("the mirror is asked %q, want %q", asked, want)
	}
	if !slices.Equal(slices.Compact(put), bad) {
		t.Errorf("put %q, want %q", put, bad)
	}
	w.check()
	w.same(0, now)
}
