package pipeline_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/pipeline/collect"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/rewrite"
)

// Snapshots are made anew: what was left out is in no pack, and all else is as it was.

const leaked = "the password that nobody was to back up"

// rewrite makes all snapshots anew through s, with the owner's key and that of the host.
func (w *world) rewrite(s store.Store, patterns ...string) error {
	return w.rewriteOf(s, catalog.Filter{}, patterns...)
}

// rewriteOf makes those snapshots anew that a filter means.
func (w *world) rewriteOf(s store.Store, f catalog.Filter, patterns ...string) error {
	repo, err := catalog.Open(w.t.Context(), s, catalog.Options{Keys: catalog.Keys{Writer: w.writer, Identities: w.identity}, CacheDir: w.cache})
	if err != nil {
		return err
	}
	if err := repo.LetForget(w.t.Context(), w.owner); err != nil {
		return err
	}
	v, err := view.Look(w.t.Context(), repo, view.Options{Filter: f, Warn: func(string) {}, Note: func(string, ...any) {}})
	if err != nil {
		return err
	}
	o := rewrite.Options{Exclude: patterns}
	plan, err := rewrite.NewPlan(w.t.Context(), v, nil, o)
	if err != nil {
		return err
	}
	replaced, err := plan.Make(w.t.Context(), repo, o)
	if err != nil || len(replaced) == 0 {
		return err
	}
	return admin.Decide(w.t.Context(), repo, w.owner, func(s *catalog.Session) error { return s.Replace(w.t.Context(), replaced) })
}

// finds looks for a text in all that packs hold.
func (w *world) finds(text string) (found bool) {
	w.t.Helper()
	for pack, err := range archive.ListPacks(w.t.Context(), w.store) {
		if err != nil {
			w.t.Fatal(err)
		}
		sealed, err := w.store.Get(w.t.Context(), pack.Kind.Object(pack.Name), 0, -1, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		open, err := age.Decrypt(bytes.NewReader(sealed), w.identity.Identities...)
		if err != nil {
			w.t.Fatal(err)
		}
		frames, err := zstd.NewReader(open)
		if err != nil {
			w.t.Fatal(err)
		}
		plain, err := io.ReadAll(frames)
		frames.Close()
		if err != nil {
			w.t.Fatal(err)
		}
		found = found || bytes.Contains(plain, []byte(text))
	}
	return found
}

// leakedWorld has three snapshots, in two of which lies a secret, under two names the second time.
func leakedWorld(t testing.TB) (w *world, before, now *fakeSource) {
	w = newWorld(t)
	before = randomSource(3, 30_000, 1)
	for path, body := range map[string]string{"dir/text": "kept", "dir/sub/key.pem": leaked} {
		before.add(path, []byte(body))
	}
	w.mustBackup(before)
	leaky := before.clone()
	leaky.change("dir/file000.bin", randomBytes(30_000, 70))
	for _, path := range []string{"dir/one", "dir/sub/key.pem"} {
		f := leaky.add(path, []byte(leaked))
		f.Device, f.Inode, f.Links = 1, 7, 2
	}
	w.mustBackup(leaky)
	now = leaky.clone()
	delete(now.files, "dir/one")
	delete(now.files, "dir/sub/key.pem")
	w.mustBackup(now)
	delete(before.files, "dir/sub/key.pem")
	return w, before, now
}

// wipe deletes all that is dead, by chunks, at once.
func (w *world) wipe() {
	w.t.Helper()
	none := func(o *collect.Options) { o.DeadAfter, o.Repack.Share = 0, 0 }
	for range 2 { // what a killed run has left goes when it is met again
		w.mustRepack(none)
	}
}

func (w *world) at(i int, want *fakeSource) {
	w.t.Helper()
	to := newTarget()
	if _, err := w.restoreTo(to, w.snapshots()[i], 0, restore.Options{Verify: true}); err != nil || want.differs(to) != "" {
		w.t.Errorf("snapshot %d: %v, %s", i, err, want.differs(to))
	}
}

func TestWhatIsLeftOutOfSnapshotsIsInNoPack(t *testing.T) {
	w, before, now := leakedWorld(t)
	was := w.snapshots()
	w.store.Now = func() time.Time { return time.Now().Add(10 * 24 * time.Hour) }
	if !w.finds(leaked) || !w.finds("key.pem") {
		t.Fatal("the secret is nowhere before")
	}
	if err := w.rewrite(w.store, "key.pem", "/dir/one"); err != nil {
		t.Fatal(err)
	}
	is := w.snapshots()
	for i, s := range is {
		old := was[i]
		if changed := s.ID != old.ID; changed != (i < 2) || changed && s.Replaces != old.ID.String() {
			t.Errorf("snapshot %d: id %s was %s, replaces %q", i, s.ID, old.ID, s.Replaces)
		}
		if !s.Date.Equal(old.Date) || s.Undated || !s.Time.Equal(old.Time) || s.Host != old.Host || s.Set != old.Set || !slices.Equal(s.Tags, old.Tags) {
			t.Errorf("snapshot %d is %+v, was %+v", i, s, old)
		}
		stays := map[int]*fakeSource{0: before, 1: now, 2: now}[i]
		c, files, size := s.Sources[0].Coverage, uint64(0), uint64(0)
		for _, f := range stays.files {
			files, size = files+1, size+uint64(f.Size)
		}
		if c.Files != files || c.Bytes != size || c.New+c.Changed+c.Unmodified != files || s.Sources[0].Root.Entries != files || s.Sources[0].Root.Bytes != size {
			t.Errorf("snapshot %d counts %+v and %+v, want %d files of %d bytes", i, c, s.Sources[0].Root, files, size)
		}
	}
	w.check()
	w.wipe()
	if w.finds(leaked) || w.finds("key.pem") {
		t.Error("the secret is there still")
	}
	w.at(0, before)
	w.at(1, now)
	w.same(0, now)
	w.mustBackup(now)
	w.clean()
	w.store.Now = nil
}

func TestASnapshotInWhichNothingMatchesStays(t *testing.T) {
	w, _, _ := leakedWorld(t)
	before, log := w.said(), len(w.names("log/"))
	if err := w.rewrite(w.store, "*.nothing"); err != nil || w.said() != before || len(w.names("log/")) != log {
		t.Errorf("%v, got\n%swant\n%s", err, w.said(), before)
	}
	w.check()
}

// Killed anywhere, the same again does the rest: no snapshot is lost, and none is there twice.
func TestRewritingGoesOnAfterAnyFault(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while under the race detector")
	}
	base, before, now := leakedWorld(t)
	base.letForget()
	eachFault(t, base, func(t *testing.T, w *world, f *storetest.Faulty) {
		_ = w.rewrite(f, "key.pem", "one")
		w.check()
		if err := w.rewrite(w.store, "key.pem", "one"); err != nil {
			t.Errorf("the second run: %v", err)
		}
		if all := w.snapshots(); len(all) != 3 {
			t.Errorf("%d snapshots: %s", len(all), w.said())
		}
		w.wipe()
		if w.finds(leaked) {
			t.Error("the secret is there still")
		}
		w.check()
		w.at(0, before)
		w.same(0, now)
	})
}

// What is made anew at any call of a collection is whole, and so is what a collection has copied
// meanwhile.
func TestASnapshotIsMadeAnewWhereverACollectionRuns(t *testing.T) {
	base, before, now := leakedWorld(t)
	base.letForget()
	eachCall(t, func(t *testing.T, n int) int {
		w := base.branch(t)
		f := during(w.store, n, func() {
			other := *w
			other.cache = t.TempDir()
			if _, err := other.repack(w.store, func(o *collect.Options) { o.Repack.Share = 0 }); err != nil && !errors.Is(err, collect.ErrBusy) {
				t.Errorf("repack: %v", err)
			}
		})
		if err := w.rewrite(f, "key.pem", "one"); err != nil {
			t.Errorf("rewrite: %v", err)
		}
		w.check()
		w.wipe()
		w.at(0, before)
		w.at(1, now)
		if w.finds(leaked) {
			t.Error("the secret is there still")
		}
		w.check()
		return len(f.Calls())
	})
}

// What lies where nothing may be relied on was copied, and the new tree names the copy.
func TestASnapshotIsMadeAnewOfWhatWasCopied(t *testing.T) {
	w, _, now, _ := thinWorld(t)
	w.wipe()
	w.same(0, now)
	all := w.snapshots()
	for path := range now.files {
		if err := w.rewrite(w.store, path); err != nil {
			t.Fatal(err)
		}
		delete(now.files, path)
		break
	}
	if is := w.snapshots(); len(is) != len(all) || is[len(is)-1].ID == all[len(all)-1].ID {
		t.Errorf("%d snapshots, of which the last is %s", len(is), is[len(is)-1].ID)
	}
	w.same(0, now)
	w.wipe()
	w.same(0, now)
	w.clean()
}

// A later restore with --delete would remove what the backup could not read.
func TestMarksOfWhatStaysStayInASnapshotMadeAnew(t *testing.T) {
	w := newWorld(t)
	src := randomSource(2, 900, 1)
	src.add("dir/secret", []byte("a"))
	src.left = map[string]entry.Reason{"dir/closed": entry.Unreadable, "other": entry.Excluded}
	w.mustBackup(src)
	if err := w.rewrite(w.store, "secret"); err != nil {
		t.Fatal(err)
	}
	if got := w.unknownIn(w.snapshots()[0]); !maps.Equal(got, src.left) {
		t.Errorf("got the marks %v, want %v", got, src.left)
	}
	w.check()
}

func TestMarksAndProblemsOfWhatIsLeftOutGoToo(t *testing.T) {
	w := newWorld(t)
	src := randomSource(2, 900, 1)
	src.add("dir/secret/a", []byte("a")).open = fmt.Errorf("no")
	src.left = map[string]entry.Reason{"dir/secret/b": entry.Excluded}
	w.mustBackup(src)
	if s := w.snapshots()[0]; s.Complete() {
		t.Fatal("nothing is missing before")
	}
	if err := w.rewrite(w.store, "secret"); err != nil {
		t.Fatal(err)
	}
	s := w.snapshots()[0]
	if c := s.Sources[0].Coverage; !s.Complete() || len(c.Problems) > 0 {
		t.Errorf("coverage %+v", c)
	}
	w.wipe()
	if w.finds("secret") {
		t.Error("the name is there still")
	}
	delete(src.files, "dir/secret/a")
	w.same(0, src)
	w.check()
}
