package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
)

// watched counts what is read of index runs.
type watched struct {
	store.Store
	runs atomic.Int64
	fail atomic.Bool
}

func (s *watched) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if strings.HasPrefix(name, "index/") {
		s.runs.Add(1)
		if s.fail.Load() {
			return nil, fmt.Errorf("get %s: %w", name, store.ErrUnreachable)
		}
	}
	return s.Store.Get(ctx, name, offset, length, dst)
}

// indexed is a repository whose writer has published packs of 1000 chunks; they have the numbers of scaleChunk.
type indexed struct {
	*world
	watched *watched
	packs   uint64
}

func newIndexed(t *testing.T, packs ...uint64) *indexed {
	w := &indexed{world: newWorld(t)}
	w.watched = &watched{Store: w.store}
	for _, n := range packs {
		w.publish(n)
	}
	return w
}

// publish adds an index run of so many packs, in a process that knows no index.
func (w *indexed) publish(packs uint64) {
	w.t.Helper()
	s := w.begin()
	defer s.Close()
	var list []archive.RunPack
	refs := &archive.RefSet{}
	for range packs {
		p := scaleRunPack(w.packs)
		refs.Add(p.Pack, 0)
		list = append(list, p)
		w.packs++
	}
	if err := s.Checkpoint(w.t.Context(), list, refs, nil); err != nil {
		w.t.Fatal(err)
	}
	if err := s.End(w.t.Context(), nil, nil); err != nil {
		w.t.Fatal(err)
	}
}

// index is the index of a new process.
func (w *indexed) index() *Index {
	w.t.Helper()
	s, err := w.host(w.watched).Preview(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return w.loaded(s)
}

func (w *indexed) loaded(s *Session) *Index {
	w.t.Helper()
	x := NewIndex()
	w.t.Cleanup(x.Close)
	if _, err := s.LoadIndex(w.t.Context(), x); err != nil {
		w.t.Fatal(err)
	}
	return x
}

// verify looks up what is there and what is not, one by one and at once.
func (w *indexed) verify(x *Index) {
	w.t.Helper()
	var ids []archive.ID
	for i := uint64(0); i < w.packs*scalePack; i += 17 {
		ids = append(ids, scaleID(i, 0), scaleID(i+1<<40, 0))
	}
	batch, err := x.LookupBatch(w.t.Context(), ids, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, id := range ids {
		c, found, err := x.Lookup(w.t.Context(), id)
		if err != nil || found != (i%2 == 0) {
			w.t.Fatalf("look up chunk %d: found %v, %v", i, found, err)
		}
		if number := uint64(i/2) * 17; found {
			verifyPlace(w.t, number, c)
			verifyPlace(w.t, number, batch[i])
		} else if batch[i].Place.Pack != nil {
			w.t.Fatalf("found %+v, which was never published", batch[i])
		}
	}
	w.verifyPacks(x)
}

func (w *indexed) verifyPacks(x *Index) {
	w.t.Helper()
	seen := map[archive.Name]bool{}
	for p, err := range x.Packs(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		seen[p.Name] = true
	}
	for i := range w.packs {
		want := scaleRunPack(i)
		got, found, err := x.Pack(w.t.Context(), want.Pack.Name)
		if err != nil || !found || *got.Pack != *want.Pack || !got.Directory.Equal(want.Directory) || !seen[want.Pack.Name] {
			w.t.Fatalf("pack %d: got %v, %v, %v", i, got.Pack, found, err)
		}
		places, err := x.Places(w.t.Context(), want.Directory.IDs[3])
		if err != nil || len(places) != 1 {
			w.t.Fatalf("places of a chunk of pack %d: %+v, %v", i, places, err)
		}
	}
	if _, found, err := x.Pack(w.t.Context(), archive.Name{1}); found || err != nil {
		w.t.Errorf("a pack that nobody named: %v, %v", found, err)
	}
}

func verifyPlace(t testing.TB, number uint64, got archive.Chunk) {
	t.Helper()
	want := scaleChunk(number)
	if got.Place.Pack == nil || *got.Place.Pack != *want.Place.Pack {
		t.Fatalf("chunk %d: got %+v, want %+v", number, got, want)
	}
	if want.Place.Pack = got.Place.Pack; got != want {
		t.Fatalf("chunk %d: got %+v, want %+v", number, got, want)
	}
}

func TestIndexIsNotReadBeforeTheFirstLookUp(t *testing.T) {
	w := newIndexed(t, 2, 1)
	x := w.index()
	if n := w.watched.runs.Load(); n != 0 {
		t.Errorf("%d index runs were read before the first look-up", n)
	}
	if _, err := os.Stat(filepath.Join(w.cache, indexFolder)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was written before the first look-up: %v", err)
	}
	w.verify(x)
	if n := w.watched.runs.Load(); n != 2 {
		t.Errorf("%d index runs were read, want 2", n)
	}
	w.verify(w.index())
	if n := w.watched.runs.Load(); n != 2 {
		t.Errorf("%d index runs were read by two processes, want 2", n)
	}
	w.publish(1)
	w.verify(w.index())
	if n := w.watched.runs.Load(); n != 3 {
		t.Errorf("%d index runs were read after one more, want 3", n)
	}
	w.sound()
}

func TestIndexTellsOfAStoreThatIsAwayAndThenGoesOn(t *testing.T) {
	w := newIndexed(t, 2)
	x := w.index()
	w.watched.fail.Store(true)
	if _, found, err := x.Lookup(t.Context(), scaleID(1, 0)); found || !errors.Is(err, store.ErrUnreachable) {
		t.Errorf("got %v, %v; want ErrUnreachable", found, err)
	}
	w.watched.fail.Store(false)
	w.verify(x)
	w.sound()
}

func TestADamagedIndexOnDiskIsMadeAgain(t *testing.T) {
	for _, kind := range []string{"manifest", "chunks", "packs", "keys"} {
		for what, damage := range map[string]func(b []byte) []byte{
			"flipped":   func(b []byte) []byte { return flip(b, len(b)/3) },
			"cut short": func(b []byte) []byte { return b[:len(b)/3] },
			"empty":     func([]byte) []byte { return nil },
		} {
			t.Run(kind+" "+what, func(t *testing.T) {
				w := newIndexed(t, 3, 1)
				open := w.index()
				w.verify(open)
				damageIndex(t, w.cache, kind, damage)
				w.verify(open) // its files are those that are damaged
				damageIndex(t, w.cache, kind, damage)
				w.verify(w.index())
				w.publish(1)
				w.verify(w.index())
				w.sound()
			})
		}
	}
}

// damageIndex changes a file of the cached index in place.
func damageIndex(t *testing.T, cache, kind string, damage func([]byte) []byte) {
	t.Helper()
	damageFile(t, filepath.Join(cache, indexFolder, kind), damage)
}

// damageFile changes the first file whose path begins so.
func damageFile(t *testing.T, path string, damage func([]byte) []byte) {
	t.Helper()
	found, err := filepath.Glob(path + "*")
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s: %v", path, err)
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(found[0], damage(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestIndexWithoutAPlaceOnDiskIsInMemory(t *testing.T) {
	w := newIndexed(t, 2, 1)
	if err := os.WriteFile(filepath.Join(w.cache, indexFolder), []byte("no directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	x := w.index()
	w.verify(x)
	if x.hot.Len() != 3*scalePack {
		t.Errorf("%d chunks in memory, want all", x.hot.Len())
	}
	w.cache = ""
	w.verify(w.index())
	w.sound()
}

// spilling is an index without a cache that goes to temporary files early.
func (w *indexed) spilling(temp string) *Index {
	x := w.opened(w.watched, Options{Keys: Keys{Writer: w.writer}, TempDir: temp}).NewIndex()
	w.t.Cleanup(x.Close)
	x.most = 1500
	return x
}

func TestIndexWithoutACacheGoesToTemporaryFiles(t *testing.T) {
	w := newIndexed(t, 1, 1, 1, 1)
	temp := t.TempDir()
	x := w.spilling(temp)
	if _, err := x.repo.LoadIndex(t.Context(), w.log(), x, nil); err != nil {
		t.Fatal(err)
	}
	w.verify(x)
	for range 3 {
		x.Add(scaleRunPack(w.packs))
		w.packs++
	}
	w.verify(x)
	if n := x.hot.Len(); n > x.most {
		t.Errorf("%d chunks in memory, want %d at most", n, x.most)
	}
	w.publish(2)
	if n, err := x.repo.LoadIndex(t.Context(), w.log(), x, nil); n != 1 || err != nil {
		t.Errorf("%d runs more, %v; want 1", n, err)
	}
	w.verify(x)
	if found, err := os.ReadDir(temp); err != nil || len(found) != 1 {
		t.Errorf("temporary files %v, %v", found, err)
	}
	x.Close()
	if found, err := os.ReadDir(temp); err != nil || len(found) != 0 {
		t.Errorf("temporary files are left: %v, %v", found, err)
	}
	w.sound()
}

func TestDamagedTemporaryFilesAreAnError(t *testing.T) {
	w := newIndexed(t)
	x := w.spilling(t.TempDir())
	x.Add(scaleRunPack(0), scaleRunPack(1))
	damageFile(t, filepath.Join(x.private, "chunks"), func(b []byte) []byte { return make([]byte, len(b)) })
	if _, found, err := x.Lookup(t.Context(), scaleID(1, 0)); found || !errors.Is(err, errLost) {
		t.Errorf("got %v, %v; want errLost", found, err)
	}
	w.sound()
}

func TestIndexStaysInMemoryWhereThereIsNoPlaceForTemporaryFiles(t *testing.T) {
	w := newIndexed(t, 1, 1, 1)
	x := w.spilling(filepath.Join(t.TempDir(), "missing"))
	if _, err := x.repo.LoadIndex(t.Context(), w.log(), x, nil); err != nil {
		t.Fatal(err)
	}
	w.verify(x)
	w.sound()
}

func TestWhatIsPublishedGoesFromMemoryToDisk(t *testing.T) {
	w := newIndexed(t, 1)
	r := w.host(w.watched)
	s, err := r.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x := w.loaded(s)
	fresh := scaleRunPack(1)
	w.packs++
	x.Add(fresh)
	w.verify(x)
	refs := &archive.RefSet{}
	refs.Add(fresh.Pack, 0)
	if err := s.Checkpoint(t.Context(), []archive.RunPack{fresh}, refs, nil); err != nil {
		t.Fatal(err)
	}
	if x.hot.Len() != 0 {
		t.Errorf("%d chunks are in memory after they were published", x.hot.Len())
	}
	w.verify(x)
	if _, err := s.LoadIndex(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	last := scaleRunPack(2)
	w.packs++
	x.Add(last)
	refs.Add(last.Pack, 0)
	if _, err := s.Commit(t.Context(), content(last, refs)); err != nil {
		t.Fatal(err)
	}
	w.verify(x)
	w.verify(w.index())
	if n := w.watched.runs.Load(); n != 1 {
		t.Errorf("%d index runs were read, want the first alone", n)
	}
	w.sound()
}

func TestIndexLeavesOutPacksThatMayNotBeUsed(t *testing.T) {
	w := newIndexed(t, 2)
	x := w.index()
	avoid := scalePackOf(0).Name
	x.SetFilter(func(p *archive.Pack) bool { return p.Name != avoid })
	for range 3 { // the third time the pack would be held in memory
		for i := range uint64(5) {
			if c, found, err := x.Lookup(t.Context(), scaleID(i, 0)); found || err != nil {
				t.Fatalf("found %+v, %v in a pack that may not be used", c, err)
			}
			if _, found, err := x.Lookup(t.Context(), scaleID(scalePack+i, 0)); !found || err != nil {
				t.Fatalf("a chunk of the other pack: %v, %v", found, err)
			}
		}
	}
	if places, err := x.Places(t.Context(), scaleID(1, 0)); len(places) != 1 || err != nil {
		t.Errorf("a restore finds %d places, %v; want 1", len(places), err)
	}
	x.SetFilter(nil)
	w.verify(x)
	avoid = scalePackOf(1).Name
	x.SetFilter(func(p *archive.Pack) bool { return p.Name != avoid })
	if c, found, err := x.Lookup(t.Context(), scaleID(scalePack+1, 0)); found || err != nil {
		t.Errorf("found %+v, %v in a pack that may not be used any more", c, err)
	}
	w.sound()
}

func TestRunsOfAnotherTrustGroupOnDiskAreNotUsed(t *testing.T) {
	w := newIndexed(t, 1)
	other := signer(t, "other")
	w.change(func(c *Config) {
		c.Writers = append(c.Writers, Member{Key: other.Verifier().Text(), Group: "untrusted"})
	})
	mine, lying := w.writer, *w.writer
	lying.Signer = other
	w.writer = &lying
	w.publish(1)
	// A restore on the same host reads all runs into the same cache.
	all := NewIndex()
	defer all.Close()
	r := w.host(w.watched)
	if n, err := r.LoadIndex(t.Context(), w.log(), all, nil); n != 2 || err != nil {
		t.Fatalf("%d runs, %v; want 2", n, err)
	}
	w.verify(all)
	w.writer = mine
	x := w.index()
	w.packs = 1
	w.verify(x)
	lie := scaleID(scalePack+5, 0)
	if c, found, err := x.Lookup(t.Context(), lie); found || err != nil {
		t.Errorf("found %+v, %v, which another group has published", c, err)
	}
	if c, err := x.LookupBatch(t.Context(), []archive.ID{lie}, nil); err != nil || c[0].Place.Pack != nil {
		t.Errorf("found %+v, %v, which another group has published", c, err)
	}
	if n := chunks(t, x); n != scalePack {
		t.Errorf("the index has %d chunks, want %d", n, scalePack)
	}
	w.sound()
}

func TestRunsThatNoRecordNamesAreDroppedFromDiskWhenTheyAreMost(t *testing.T) {
	w := newIndexed(t, 1)
	log := w.log()
	w.publish(3)
	w.verify(w.index())
	x := NewIndex()
	defer x.Close()
	if _, err := w.host(w.watched).LoadIndex(t.Context(), log, x, nil); err != nil {
		t.Fatal(err)
	}
	x.publish(t.Context(), x.repo, archive.Name{7}, nil) // any extension looks for it
	if n := x.disk.Runs(); n != 1 {
		t.Errorf("%d runs on disk, want the new one alone", n)
	}
	w.packs = 1
	w.verify(x)
	w.sound()
}

func TestManyProcessesShareOneIndexOnDisk(t *testing.T) {
	w := newIndexed(t, 1, 1, 1, 1, 1, 1)
	var all []*Index
	for range 4 {
		all = append(all, w.index())
	}
	w.publish(2)
	for range 4 {
		all = append(all, w.index())
	}
	var wg sync.WaitGroup
	for i, x := range all {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 500 {
				number := r.Uint64N(6 * scalePack)
				c, found, err := x.Lookup(t.Context(), scaleID(number, 0))
				if err != nil || !found {
					t.Errorf("chunk %d: %v, %v", number, found, err)
					return
				}
				verifyPlace(t, number, c)
			}
		})
	}
	wg.Wait()
	for _, x := range all[4:] {
		w.verify(x)
	}
	w.sound()
}

func TestDamageIsMadeGoodWhileManyLookUp(t *testing.T) {
	w := newIndexed(t, 2, 2)
	x := w.index()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 2))
			for range 2000 {
				number := r.Uint64N(4 * scalePack)
				c, found, err := x.Lookup(t.Context(), scaleID(number, 0))
				if err != nil || !found {
					t.Errorf("chunk %d: %v, %v", number, found, err)
					return
				}
				verifyPlace(t, number, c)
			}
		})
	}
	for _, kind := range []string{"chunks", "keys", "packs"} {
		if found, _ := filepath.Glob(filepath.Join(w.cache, indexFolder, kind+"*")); len(found) > 0 {
			damageIndex(t, w.cache, kind, func(b []byte) []byte { return make([]byte, len(b)) })
		}
	}
	wg.Wait()
	w.verify(x)
	w.sound()
}
